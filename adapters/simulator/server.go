package simulator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Running is a simulation that listens.
type Running struct {
	Addr    map[string]string // vendor to host:port
	Control string            // host:port of the control endpoint

	servers []*http.Server
	serving sync.WaitGroup
	stop    func() error
}

// Start listens on 127.0.0.1, one listener per vendor and one for control. Cancelling ctx does what Close does.
func (s *Simulation) Start(ctx context.Context) (*Running, error) {
	calls, endCalls := context.WithCancel(ctx)
	r := &Running{Addr: make(map[string]string)}
	r.stop = sync.OnceValue(func() error {
		endCalls()
		return r.shutdown(context.WithoutCancel(ctx))
	})
	for _, name := range Vendors() {
		addr, err := r.listen(calls, s.ports[name], s.Vendor(name))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("simulate %s: %w", name, err), r.Close())
		}
		r.Addr[name] = addr
	}
	addr, err := r.listen(calls, s.ports["control"], s.Control())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("control endpoint: %w", err), r.Close())
	}
	r.Control = addr
	context.AfterFunc(calls, func() { _ = r.Close() })
	return r, nil
}

func (r *Running) listen(calls context.Context, port int, h http.Handler) (string, error) {
	var config net.ListenConfig
	l, err := config.Listen(calls, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return "", err
	}
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return calls },
	}
	r.servers = append(r.servers, srv)
	r.serving.Go(func() { _ = srv.Serve(l) }) // it always ends with an error: that of Close
	return l.Addr().String(), nil
}

// Close stops all listeners, ends the calls under way (also those that hang) and waits. It may be called twice.
func (r *Running) Close() error { return r.stop() }

// shutdown waits briefly: a connection that never sent a request would hold http.Server.Shutdown for five seconds.
func (r *Running) shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	var failed error
	for _, srv := range r.servers {
		if srv.Shutdown(ctx) != nil {
			failed = errors.Join(failed, srv.Close())
		}
	}
	r.serving.Wait()
	return failed
}

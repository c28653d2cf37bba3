package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/propagation"

	"muster/adapters/guard"
	"muster/config"
	"muster/gateway"
	"muster/gateway/audit"
	"muster/gateway/httpapi"
	"muster/gateway/httpapi/edge"
)

func serveCommand() *cobra.Command {
	var path string
	var drain time.Duration
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the gateway",
		Long: "Run the gateway that a file describes, until SIGINT or SIGTERM. /readyz then fails first, for\n" +
			"as long as --drain, so that load balancers send nothing new; requests in flight finish.",
		Example: "  muster serve --config gateway.yaml\n" +
			"  OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 muster serve -c gateway.yaml",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := untilStopped(cmd.Context())
			defer stop()
			out := newUnhurried(cmd.ErrOrStderr())
			defer out.flush(time.Second)
			return serve(ctx, path, drain, newLog(out))
		},
	}
	cmd.Flags().StringVarP(&path, "config", "c", "gateway.yaml", "the gateway's file")
	cmd.Flags().DurationVar(&drain, "drain", time.Second, "how long /readyz fails before the listeners close")
	return cmd
}

// serve runs until the context ends, then lets requests in flight finish.
func serve(ctx context.Context, path string, drain time.Duration, log *slog.Logger) error {
	file, err := config.Load(path)
	if err != nil {
		return err
	}
	sdk, err := newTelemetry(ctx, file.Static.Telemetry, log)
	if err != nil {
		return err
	}
	server, err := startServer(ctx, file, sdk, log)
	if err != nil {
		return err
	}
	for _, note := range file.Notes {
		log.Warn(note)
	}
	log.Info("muster is up", "version", version(), "address", server.Address, "admin", server.Admin)
	hangup := make(chan struct{})
	go hangups(ctx, hangup)
	go server.reloading.watch(ctx, hangup)
	if err := server.Wait(ctx); err != nil {
		return err
	}
	log.Info("shutting down: no longer ready, requests in flight finish")
	return server.Shutdown(ctx, drain)
}

// server is a gateway that listens.
type server struct {
	Address, Admin string // where it really listens

	ready         *httpapi.Readiness
	public, admin *edge.Server
	gateway       *gateway.Gateway
	audit         *audit.Trail
	telemetry     *telemetry
	reloading     *reloading
	failed        chan error
	unwatch       func() // ends what follows the certificate
}

// startServer makes a gateway of a file and listens. The context bounds the
// start alone: Shutdown ends the server.
func startServer(ctx context.Context, file *config.File, sdk *telemetry, log *slog.Logger) (_ *server, err error) {
	trail, err := startAudit(ctx, file.Static.Audit, sdk, log)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			trail.Close(ctx)
		}
	}()
	spans := httpapi.ScrubbedTracerProvider(sdk.traces)
	watched, err := guard.NewTelemetry(sdk.traces, sdk.meters, log)
	if err != nil {
		return nil, err
	}
	s := &server{ready: httpapi.NewReadiness(), telemetry: sdk, audit: trail, failed: make(chan error, 2)}
	links, err := newWatchedLinks(s.ready, sdk, log)
	if err != nil {
		return nil, err
	}
	traced := func(t http.RoundTripper) http.RoundTripper {
		return otelhttp.NewTransport(t, otelhttp.WithTracerProvider(spans), otelhttp.WithMeterProvider(sdk.meters),
			otelhttp.WithPropagators(propagation.TraceContext{}))
	}
	live := func(file, before *config.File) *gateway.Live { //nolint:contextcheck // a breaker moves for all of its callers
		live := file.Live(watched, traced, before)
		if file.LinksInTable() { // a file of links never fails
			live.Links = links.watch(live.Links)
		}
		return live
	}
	if err := links.prepare(ctx, file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	engine, err := gateway.New(live(file, nil), gateway.Options{
		CacheBytes: file.Static.CacheBytes,
		Tracer:     sdk.traces.Tracer("muster/gateway"), Meter: sdk.meters.Meter("muster/gateway"), Audit: trail,
	})
	if err != nil {
		return nil, err
	}
	s.gateway = engine
	callers, err := newAdmission(s.ready, file.Identity, sdk.meters.Meter("muster/callers"), traced, log)
	if err != nil {
		engine.Close()
		return nil, err
	}
	if s.reloading, err = newReloading(file, live, callers, engine, s.ready, sdk.meters.Meter("muster/config"), log); err != nil { //nolint:contextcheck // keys are asked for until Shutdown
		engine.Close()
		return nil, err
	}
	listening := file.Static.Listen
	s.public = edge.NewServer(httpapi.New(engine, httpapi.Options{
		TracerProvider: sdk.traces, MeterProvider: sdk.meters, Log: log, Origins: listening.Origins, Ready: s.ready,
		Callers: callers.door, TrustedProxies: listening.TrustedProxies,
	}), edge.DefaultLimits(), secured(file.Identity, true, false), log)
	adminLimits := edge.DefaultLimits()
	adminLimits.Response = 0 // profiles of a minute and more are asked for there
	s.admin = edge.NewServer(httpapi.Admin(httpapi.AdminOptions{Ready: s.ready, Metrics: sdk.metrics, Config: s.reloading.show, Log: log}),
		adminLimits, secured(file.Identity, !config.Loopback(listening.Admin), true), log)

	publicListener, err := listen(ctx, listening.Address)
	if err != nil {
		engine.Close()
		return nil, err
	}
	adminListener, err := listen(ctx, listening.Admin)
	if err != nil {
		engine.Close()
		return nil, errors.Join(err, publicListener.Close())
	}
	s.Address, s.Admin = publicListener.Addr().String(), adminListener.Addr().String()
	s.unwatch = s.followIdentity(ctx, file.Identity, log)
	s.serve(s.public, publicListener)
	s.serve(s.admin, adminListener)
	s.ready.Set(true)
	return s, nil
}

// listen opens a listener, and says which address could not be had.
func listen(ctx context.Context, address string) (net.Listener, error) {
	var c net.ListenConfig
	l, err := c.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	return l, nil
}

func (s *server) serve(h *edge.Server, l net.Listener) {
	go func() {
		if err := h.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("the listener on %s failed: %w", l.Addr(), err)
		}
	}()
}

// secured is how a listener shows who it is; nil for plaintext. Insist turns away who
// shows nothing of themselves, where somebody vouches for clients.
func secured(identity *edge.Identity, wanted, insist bool) *tls.Config {
	if identity == nil || !wanted {
		return nil
	}
	return identity.Config(insist)
}

// followIdentity puts a new certificate in force when its files change, until the
// function it returns is called.
func (s *server) followIdentity(ctx context.Context, identity *edge.Identity, log *slog.Logger) (stop func()) {
	if identity == nil {
		return func() {}
	}
	const latest = "certificate is the latest"
	s.ready.Tell(latest, true)
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // as long as requests in flight
	var watching sync.WaitGroup
	watching.Go(func() {
		identity.Watch(ctx, time.Second, func(err error) {
			s.ready.Tell(latest, err == nil)
			if err != nil {
				log.ErrorContext(ctx, "the certificate has changed and is refused; the one before stays in force", "error", err.Error())
				return
			}
			_, until := identity.Validity()
			log.InfoContext(ctx, "the certificate has changed and is in force", "until", until)
		})
	})
	return func() { cancel(); watching.Wait() }
}

// Wait returns when the context ends, or with an error when a listener fails.
func (s *server) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.failed:
		return err
	}
}

// maxShutdown bounds how long requests in flight may take to finish, and maxFlush how long
// their audit records may take after that.
const (
	maxShutdown = 15 * time.Second
	maxFlush    = 5 * time.Second
)

// Shutdown lets readiness fall first, for as long as drain so that load
// balancers see it; then closes the listeners and waits for requests in flight.
// That the context has ended is why it is called, and does not hurry it.
func (s *server) Shutdown(ctx context.Context, drain time.Duration) error {
	s.ready.Set(false)
	time.Sleep(drain)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxShutdown)
	defer cancel()
	err := errors.Join(s.public.Shutdown(ctx), s.admin.Shutdown(ctx))
	s.unwatch()
	s.flush(ctx)
	s.gateway.Close()
	err = errors.Join(err, s.reloading.close())
	return errors.Join(err, s.telemetry.Shutdown(ctx))
}

// flush has the audit records of all who have asked written, also where their requests
// have taken all the time that there was.
func (s *server) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxFlush)
	defer cancel()
	s.audit.Close(ctx)
}

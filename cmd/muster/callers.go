package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"

	"muster/config"
	"muster/gateway/httpapi"
	"muster/gateway/httpapi/bearer"
)

// admission keeps the door informed of whose tokens are believed, and everybody else
// of whether the keys for that are known.
type admission struct {
	door  *httpapi.Callers
	ready *httpapi.Readiness
	log   *slog.Logger
	wrap  func(http.RoundTripper) http.RoundTripper

	mu       sync.Mutex
	failed   []bool // by issuer: the last attempt
	names    int    // of conditions that are told
	complete bool   // the keys of every issuer were known once

	// What is in force; of who calls follow.
	verifier *bearer.Verifier
	stop     func()
}

func keysOf(issuer int) string { return fmt.Sprintf("keys of callers[%d]", issuer) }

// prepare makes the verifier of a file: nothing of it is in force yet.
func (a *admission) prepare(file, before *config.File) (*bearer.Verifier, error) {
	return file.Callers(a.wrap, before)
}

// follow puts a verifier in force, nil for none, and asks for its keys from now on.
func (a *admission) follow(next *bearer.Verifier) {
	a.close()
	a.door.Set(next)
	a.expect(next)
	if a.verifier = next; next == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { next.Run(ctx, func(issuer int, err error) { a.told(ctx, next, issuer, err) }) })
	a.stop = func() {
		cancel()
		running.Wait()
	}
}

// close ends the asking, and gives back what is in force.
func (a *admission) close() {
	if a.verifier == nil {
		return
	}
	a.stop()
	a.verifier.Close()
	a.verifier = nil
}

// expect says of which issuers the keys are not known yet. At the start nobody can come
// in without; what a reload adds keeps nobody out who was let in before.
func (a *admission) expect(next *bearer.Verifier) {
	a.mu.Lock()
	defer a.mu.Unlock()
	known := []bool{}
	if next != nil {
		known = next.Known()
	}
	a.failed = make([]bool, len(known))
	for n := len(known); n < a.names; n++ {
		a.ready.Forget(keysOf(n))
	}
	a.names = len(known)
	for n, holds := range known {
		a.say(n, holds)
	}
	a.remember(next)
}

func (a *admission) say(issuer int, holds bool) {
	if a.complete {
		a.ready.Tell(keysOf(issuer), holds)
	} else {
		a.ready.Require(keysOf(issuer), holds)
	}
}

// remember notes that nobody has to be waited for any more.
func (a *admission) remember(v *bearer.Verifier) {
	complete := true
	if v != nil {
		for _, known := range v.Known() {
			complete = complete && known
		}
	}
	a.complete = a.complete || complete
}

// told logs what has changed: an issuer that is down is asked every few seconds.
func (a *admission) told(ctx context.Context, v *bearer.Verifier, issuer int, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	known := v.Known()[issuer]
	a.say(issuer, known)
	a.remember(v)
	before := a.failed[issuer]
	a.failed[issuer] = err != nil
	where := slog.String("issuer", fmt.Sprintf("callers[%d]", issuer))
	switch {
	case err != nil && !before && known:
		a.log.WarnContext(ctx, "the keys of an issuer cannot be had; those that are known are gone on with", where, slog.String("error", err.Error()))
	case err != nil && !before:
		a.log.WarnContext(ctx, "the keys of an issuer cannot be had; until then its callers are asked to come again", where, slog.String("error", err.Error()))
	case err == nil && before:
		a.log.InfoContext(ctx, "the keys of an issuer can be had again", where)
	}
}

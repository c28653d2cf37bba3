package main

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"muster/config"
	"muster/gateway/httpapi"
	"muster/gateway/httpapi/bearer"
	"muster/gateway/httpapi/edge"
)

// admission keeps the door informed of whose tokens and certificates are believed, and
// everybody else of whether the keys for that are known.
type admission struct {
	door     *httpapi.Callers
	ready    *httpapi.Readiness
	log      *slog.Logger
	wrap     func(http.RoundTripper) http.RoundTripper
	identity *edge.Identity      // which knows who vouches for clients; nil where nobody does
	fetches  metric.Int64Counter // of issuers' keys

	mu       sync.Mutex
	failed   []bool   // by issuer: the last attempt
	told     []string // conditions that are
	complete bool     // the keys of every issuer were known once

	// What is in force; of who calls follow.
	callers *config.Callers
	stop    func()
}

func newAdmission(ready *httpapi.Readiness, identity *edge.Identity, meter metric.Meter, wrap func(http.RoundTripper) http.RoundTripper, log *slog.Logger) (*admission, error) {
	fetches, err := meter.Int64Counter("muster.callers.key_fetches", metric.WithUnit("{fetch}"),
		metric.WithDescription("Times that an issuer of callers' tokens was asked for its keys: they were new, the same, or could not be had."))
	return &admission{door: new(httpapi.Callers), ready: ready, log: log, wrap: wrap, identity: identity, fetches: fetches}, err
}

func keysOf(place string) string { return "keys of " + place }

// prepare makes the verifiers of a file, nil where everybody may ask: nothing of it is in
// force yet.
func (a *admission) prepare(file, before *config.File) (*config.Callers, error) {
	return file.Callers(config.CallersOptions{Wrap: a.wrap, Before: before, Vouches: a.identity.Vouches, Fetched: a.fetched})
}

// fetched counts; the issuer is the operator's word.
func (a *admission) fetched(issuer string, outcome bearer.Fetch) {
	a.fetches.Add(context.Background(), 1, metric.WithAttributes(attribute.String("issuer", issuer), attribute.String("outcome", string(outcome))))
}

// follow puts verifiers in force, nil for none, and asks for the keys of tokens from now on.
func (a *admission) follow(next *config.Callers) {
	a.close()
	if next == nil {
		next = new(config.Callers)
	}
	a.door.Set(next.Tokens, next.Certificates)
	a.expect(next)
	a.callers = next
	if next.Tokens == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		next.Tokens.Run(ctx, func(issuer int, err error) { a.tell(ctx, next, issuer, err) })
	})
	a.stop = func() {
		cancel()
		running.Wait()
	}
}

// close ends the asking, and gives back what is in force.
func (a *admission) close() {
	if a.callers == nil || a.callers.Tokens == nil {
		return
	}
	a.stop()
	a.callers.Tokens.Close()
	a.callers = nil
}

// keysKnown tells of each issuer whether its keys were known once.
func keysKnown(c *config.Callers) []bool {
	if c.Tokens == nil {
		return nil
	}
	return c.Tokens.Known()
}

// expect says of which issuers the keys are not known yet. At the start nobody can come
// in without; what a reload adds keeps nobody out who was let in before.
func (a *admission) expect(next *config.Callers) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failed = make([]bool, len(next.Places))
	for _, place := range a.told {
		if !slices.Contains(next.Places, place) {
			a.ready.Forget(keysOf(place))
		}
	}
	a.told = next.Places
	for n, holds := range keysKnown(next) {
		a.say(next.Places[n], holds)
	}
	a.remember(next)
}

func (a *admission) say(place string, holds bool) {
	if a.complete {
		a.ready.Tell(keysOf(place), holds)
	} else {
		a.ready.Require(keysOf(place), holds)
	}
}

// remember notes that nobody has to be waited for any more.
func (a *admission) remember(c *config.Callers) {
	a.complete = a.complete || !slices.Contains(keysKnown(c), false)
}

// tell logs what has changed: an issuer that is down is asked every few seconds.
func (a *admission) tell(ctx context.Context, c *config.Callers, issuer int, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	known, place := keysKnown(c)[issuer], c.Places[issuer]
	a.say(place, known)
	a.remember(c)
	before := a.failed[issuer]
	a.failed[issuer] = err != nil
	where := slog.String("issuer", place)
	switch {
	case err != nil && !before && known:
		a.log.WarnContext(ctx, "the keys of an issuer cannot be had; those that are known are gone on with", where, slog.String("error", err.Error()))
	case err != nil && !before:
		a.log.WarnContext(ctx, "the keys of an issuer cannot be had; until then its callers are asked to come again", where, slog.String("error", err.Error()))
	case err == nil && before:
		a.log.InfoContext(ctx, "the keys of an issuer can be had again", where)
	}
}

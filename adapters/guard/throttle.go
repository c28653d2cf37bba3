package guard

import (
	"context"
	"sync"
	"time"

	"muster/adapters"
)

// How long a source is left alone after a rate_limited (contract.md, "Throttling").
const (
	longestAsked = time.Hour        // the most that an upstream's Retry-After is believed
	firstPause   = time.Second      // where the upstream gave none, doubled each time ...
	longestPause = 30 * time.Second // ... up to this
)

// throttle keeps a source from being asked while its upstream wants a pause.
// Being asked to slow down says that the upstream is well: that is no matter
// for the breaker.
type throttle struct {
	mu    sync.Mutex
	until time.Time     // closed before this
	pause time.Duration // the latest pause that we chose; 0 after a success

	// round counts the closings. A call that began before the latest of them
	// knows nothing newer: fifty calls refused at once double the pause once,
	// and a success that was on its way does not undo it.
	round uint64
}

func (t *throttle) guard(next adapters.Adapter) adapters.Adapter {
	return adapters.AdapterFunc(func(ctx context.Context, q adapters.Query) (adapters.Reply, error) {
		round, wait := t.enter()
		if wait > 0 {
			fault := adapters.Fail(adapters.RateLimited, "not asked: the upstream wants a pause", nil)
			fault.RetryAfter = wait
			return adapters.Reply{}, fault
		}
		reply, err := next.Fetch(ctx, q)
		switch fault := adapters.FaultOf(err); {
		case fault == nil, fault.Kind == adapters.NotFound:
			t.served(round)
		case fault.Kind == adapters.RateLimited:
			limited := *fault // the adapter's own stays as it was
			limited.RetryAfter = t.limited(round, fault.RetryAfter)
			return adapters.Reply{}, &limited
		}
		return reply, err
	})
}

// enter gives the round in which a call begins, or how long it is too early.
func (t *throttle) enter() (round uint64, wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.round, max(0, time.Until(t.until))
}

// served is called when the upstream did its work for a call of that round.
func (t *throttle) served(round uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if round == t.round {
		t.pause = 0
	}
}

// limited closes the source for as long as the upstream asked (0: it did not
// say), never shortening a pause, and returns what remains of it.
func (t *throttle) limited(round uint64, asked time.Duration) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if asked <= 0 {
		if round == t.round {
			t.pause = min(2*t.pause, longestPause)
		}
		t.pause = max(t.pause, firstPause)
		asked = t.pause
	}
	if round == t.round {
		t.round++
	}
	if until := time.Now().Add(min(asked, longestAsked)); until.After(t.until) {
		t.until = until
	}
	return time.Until(t.until)
}

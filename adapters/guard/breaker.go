package guard

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"muster/adapters"
)

// probing is when to come back while probes are under way: how long they will
// take is not known, and less than a second cannot be said in a Retry-After.
const probing = time.Second

// errNoReturn stands for a call that ended without returning (runtime.Goexit,
// a panic of a guard). It counts as a failure.
var errNoReturn = errors.New("the call did not return")

// breaker leaves a source alone that fails too often. What counts as a failure
// is the Trips of the fault's kind; see tellsNothing for what does not count at all.
type breaker struct {
	gate *gobreaker.TwoStepCircuitBreaker[adapters.Reply]
	at   atomic.Pointer[position]
}

// position is where the breaker stands, noted when it moves: gobreaker's own
// State moves the breaker when it is asked.
type position struct {
	state gobreaker.State
	until time.Time // end of the open state
}

func newBreaker(limits adapters.Breaker, moved func(from, to string)) *breaker {
	b := new(breaker)
	b.at.Store(&position{state: gobreaker.StateClosed})
	b.gate = gobreaker.NewTwoStepCircuitBreaker[adapters.Reply](gobreaker.Settings{
		MaxRequests:  uint32(limits.Probes), //nolint:gosec // the definition's own check keeps it a small positive number
		Interval:     limits.Window,
		BucketPeriod: limits.Window / 10,
		Timeout:      limits.Open - 1, // gobreaker opens its gate only after it; who obeys Retry-After comes exactly then
		IsSuccessful: func(err error) bool { return err == nil || !adapters.FaultOf(err).Kind.Traits().Trips },
		IsExcluded:   tellsNothing,
		ReadyToTrip: func(counts gobreaker.Counts) bool {
			answered := counts.TotalSuccesses + counts.TotalFailures // Requests also has the calls under way
			return int(answered) >= limits.Min && float64(counts.TotalFailures)/float64(answered) >= limits.Failures
		},
		OnStateChange: func(_ string, from, to gobreaker.State) { // under gobreaker's mutex: never ask it back from here
			at := &position{state: to}
			if to == gobreaker.StateOpen {
				at.until = time.Now().Add(limits.Open)
			}
			b.at.Store(at)
			moved(from.String(), to.String())
		},
	})
	return b
}

func (b *breaker) guard(next adapters.Adapter) adapters.Adapter {
	return adapters.AdapterFunc(func(ctx context.Context, q adapters.Query) (reply adapters.Reply, err error) {
		if ctx.Err() != nil { // its timeout would be counted against a source that was never asked
			return adapters.Reply{}, interrupted(ctx)
		}
		done, closed := b.gate.Allow()
		if closed != nil {
			return adapters.Reply{}, b.refusal()
		}
		err = errNoReturn
		defer func() { done(err) }() // in every case, or a probe would never be given back
		reply, err = next.Fetch(ctx, q)
		return reply, err
	})
}

// Breaker leaves alone what fails too often and is no source: the same breaker, of the
// same kinds of failure. It is safe for concurrent use.
type Breaker struct{ breaker *breaker }

// NewBreaker makes a closed one. Its moves are counted under the name, which no source
// may have.
func NewBreaker(name string, limits adapters.Breaker, tel *Telemetry) *Breaker {
	return &Breaker{newBreaker(limits, tel.transition(name))}
}

// Do calls, or does not and returns a fault of the kind Open. A call that fails when
// its context has ended because of whoever asked (its cause is context.Canceled) tells
// nothing.
func (b *Breaker) Do(ctx context.Context, call func() error) error {
	done, closed := b.breaker.gate.Allow()
	if closed != nil {
		return b.breaker.refusal()
	}
	err := errNoReturn
	defer func() {
		if err != nil && errors.Is(context.Cause(ctx), context.Canceled) {
			done(context.Canceled)
			return
		}
		done(err)
	}()
	err = call()
	return err
}

// refusal is the fault of a call that was not let through.
func (b *breaker) refusal() *adapters.Fault {
	fault := adapters.Fail(adapters.Open, "not asked: the source failed too often", nil)
	fault.RetryAfter = time.Until(b.at.Load().until)
	if fault.RetryAfter <= 0 {
		fault.RetryAfter = probing
	}
	return fault
}

func (b *breaker) state() gobreaker.State {
	at := b.at.Load()
	if at.state == gobreaker.StateOpen && !time.Now().Before(at.until) {
		return gobreaker.StateHalfOpen
	}
	return at.state
}

// tellsNothing tells that a call's end says neither that its source is well nor
// that it is ill: the caller left, or nothing was sent (an identifier that does
// not fit its place), so there is no status. Such a call neither thins the
// share of failures nor closes a half-open breaker, and gives its probe back.
func tellsNothing(err error) bool {
	if err == nil || adapters.Abandoned(err) {
		return err != nil
	}
	fault := adapters.FaultOf(err)
	return fault.Detail.Status == 0 && fault.Kind != adapters.NotFound && !fault.Kind.Traits().Trips
}

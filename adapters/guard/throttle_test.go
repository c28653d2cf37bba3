package guard_test

import (
	"context"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"muster/adapters"
)

func TestThePauseAfterRateLimited(t *testing.T) {
	t.Parallel()
	// A step sends one call that gets the answer, and waits.
	type step struct {
		answer answer
		want   string
		wait   time.Duration
	}
	const never = "the upstream must not be asked"
	unasked := func(context.Context) error { panic(never) }
	down := fails(adapters.Unavailable, 503)
	tests := []struct {
		name  string
		steps []step
	}{
		{"as long as the upstream says", []step{
			{limited(17 * time.Second), "rate_limited in 17s", 7 * time.Second},
			{unasked, "rate_limited in 10s", 10*time.Second - 1},
			{unasked, "rate_limited in 1ns", 1},
			{succeeds, "ok", 0},
		}},
		{"no longer than an hour", []step{
			{limited(math.MaxInt64), "rate_limited in 1h0m0s", 30 * time.Minute},
			{unasked, "rate_limited in 30m0s", 30 * time.Minute},
			{succeeds, "ok", 0},
		}},
		{"a time that has passed says nothing", []step{
			{limited(-time.Second), "rate_limited in 1s", time.Second},
			{succeeds, "ok", 0},
		}},
		{"doubling where nothing is said", []step{
			{limited(0), "rate_limited in 1s", time.Second},
			{limited(0), "rate_limited in 2s", time.Second},
			{unasked, "rate_limited in 1s", time.Second},
			{limited(0), "rate_limited in 4s", 4 * time.Second},
			{limited(0), "rate_limited in 8s", 8 * time.Second},
			{limited(0), "rate_limited in 16s", 16 * time.Second},
			{limited(0), "rate_limited in 30s", 30 * time.Second},
			{limited(0), "rate_limited in 30s", 30 * time.Second},
			{succeeds, "ok", 0},
			{limited(0), "rate_limited in 1s", 0},
		}},
		{"an absence is a success", []step{
			{limited(0), "rate_limited in 1s", time.Second},
			{limited(0), "rate_limited in 2s", 2 * time.Second},
			{fails(adapters.NotFound, 404), "not_found", 0},
			{limited(0), "rate_limited in 1s", 0},
		}},
		{"another failure is none", []step{
			{limited(0), "rate_limited in 1s", time.Second},
			{down, "unavailable", 0},
			{limited(0), "rate_limited in 2s", 0},
		}},
		{"what the upstream says does not count as a doubling", []step{
			{limited(0), "rate_limited in 1s", time.Second},
			{limited(5 * time.Second), "rate_limited in 5s", 5 * time.Second},
			{limited(0), "rate_limited in 2s", 0},
		}},
		{"by the kind, whatever the status", []step{
			{fails(adapters.RateLimited, 400), "rate_limited in 1s", 0}, // seed 000: "limit exceeded"
			{unasked, "rate_limited in 1s", 0},
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, limits())
				for i, step := range test.steps {
					if got := describe(w.ask(step.answer)); got != step.want {
						t.Errorf("step %d: %s, want %s", i, got, step.want)
					}
					time.Sleep(step.wait)
				}
				if strings.Contains(w.log.String(), "panicked") {
					t.Error(never)
				}
			})
		})
	}
}

// TestThePauseIsKept plays any sequence of replies against what contract.md says.
func TestThePauseIsKept(t *testing.T) {
	t.Parallel()
	replies := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) reply {
		return reply{
			limited:    rapid.Bool().Draw(r, "limited"),
			retryAfter: rapid.OneOf(rapid.Just(time.Duration(0)), duration(1, 3*time.Hour)).Draw(r, "Retry-After"),
			wait:       rapid.OneOf(duration(0, time.Minute), duration(0, 2*time.Hour)).Draw(r, "wait"),
		}
	}), 1, 30)
	rapid.Check(t, func(r *rapid.T) {
		script := replies.Draw(r, "replies")
		var got, want []string
		synctest.Test(t, func(t *testing.T) { got, want = play(t, script) })
		if diff := cmp.Diff(want, got); diff != "" {
			r.Fatalf("faults (-want +got):\n%s", diff)
		}
	})
}

// reply is what an upstream would answer if it were asked, and the time until the next call.
type reply struct {
	limited          bool
	retryAfter, wait time.Duration
}

func duration(shortest, longest time.Duration) *rapid.Generator[time.Duration] {
	return rapid.Custom(func(r *rapid.T) time.Duration {
		return time.Duration(rapid.Int64Range(int64(shortest), int64(longest)).Draw(r, "ns"))
	})
}

// play sends a call for each reply, and gives what came of them and what should have.
func play(t *testing.T, script []reply) (got, want []string) {
	t.Helper()
	w := newWorld(t, limits())
	var until time.Time
	var pause time.Duration
	for _, reply := range script {
		answer, closed := answer(succeeds), time.Until(until)
		if reply.limited {
			answer = limited(reply.retryAfter)
		}
		switch {
		case closed > 0:
			want = append(want, describe(fault(adapters.RateLimited, 0, closed)))
		case reply.limited:
			asked := min(reply.retryAfter, time.Hour)
			if asked == 0 {
				pause = max(time.Second, min(2*pause, 30*time.Second))
				asked = pause
			}
			until = time.Now().Add(asked)
			want = append(want, describe(fault(adapters.RateLimited, 0, asked)))
		default:
			pause = 0
			want = append(want, "ok")
		}
		got = append(got, describe(w.ask(answer)))
		time.Sleep(reply.wait)
	}
	return got, want
}

// Fifty that are refused together were one mistake, not fifty.
func TestABurstDoublesThePauseOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, limits())
		together := func(ctx context.Context) error {
			time.Sleep(100 * time.Millisecond)
			return limited(0)(ctx)
		}
		for _, want := range []string{"rate_limited in 1s", "rate_limited in 2s", "rate_limited in 4s"} {
			outcomes, reached := w.crowd(50, together)
			expect(t, "calls that reached the upstream", reached, 50)
			expect(t, "outcomes", outcomes, map[string]int{want: 50})
			time.Sleep(w.ask(succeeds).RetryAfter)
		}
	})
}

// A call that began before the pause may end in it, and says nothing new.
func TestALateReplyDoesNotShortenAPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, limits())
		late := func(ctx context.Context, end answer) answer {
			return func(context.Context) error { time.Sleep(500 * time.Millisecond); return end(ctx) }
		}
		var group sync.WaitGroup
		for _, end := range []answer{succeeds, limited(time.Second)} {
			group.Go(func() { w.send(late(t.Context(), end)) })
		}
		synctest.Wait()
		expect(t, "first", describe(w.ask(limited(10*time.Second))), "rate_limited in 10s")
		group.Wait()
		expect(t, "after the late replies", describe(w.ask(succeeds)), "rate_limited in 9.5s")
		time.Sleep(9500 * time.Millisecond)

		expect(t, "doubling begins", describe(w.ask(limited(0))), "rate_limited in 1s")
		time.Sleep(time.Second)
		group.Go(func() { w.send(late(t.Context(), succeeds)) })
		synctest.Wait()
		expect(t, "doubling goes on", describe(w.ask(limited(0))), "rate_limited in 2s")
		group.Wait()
		time.Sleep(1500 * time.Millisecond)
		expect(t, "a late success does not end the doubling", describe(w.ask(limited(0))), "rate_limited in 4s")
	})
}

// Callers may share a Fault (all who waited for one token do).
func TestTheAdaptersFaultIsNotWrittenTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, limits())
	shared := fault(adapters.RateLimited, 429, 0)
	got := w.ask(func(context.Context) error { return shared })
	if got.RetryAfter == 0 || shared.RetryAfter != 0 {
		t.Errorf("RetryAfter is %s, and %s in the adapter's own, want more than 0 and 0", got.RetryAfter, shared.RetryAfter)
	}
	expect(t, "the upstream's words", got.Detail, shared.Detail)
}

// A source can be in a pause and its breaker open: then the pause is what a
// caller is told, and no refused call wakes the breaker.
func TestAPauseOutlastsAnOpenBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, limits())
		var group sync.WaitGroup
		group.Go(func() {
			w.send(func(context.Context) error {
				time.Sleep(time.Second)
				return fault(adapters.RateLimited, 429, time.Minute)
			})
		})
		synctest.Wait()
		w.open()
		group.Wait()
		expect(t, "while open", describe(w.ask(succeeds)), "rate_limited in 1m0s")
		time.Sleep(20 * time.Second)
		expect(t, "after the open time", describe(w.ask(succeeds)), "rate_limited in 40s")
		expect(t, "transitions", w.transitions(), map[string]int64{"directory: closed to open": 1})
		time.Sleep(40 * time.Second)
		expect(t, "after the pause", describe(w.ask(succeeds)), "ok")
	})
}

// Being limited opens no breaker, and a probe that is limited shows that the
// source is back.
func TestBeingLimitedIsNoFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, limits())
		for range 1000 {
			w.send(limited(0))
			time.Sleep(time.Second)
		}
		w.expectState("closed")
		time.Sleep(time.Minute)

		w.open()
		time.Sleep(15 * time.Second)
		expect(t, "the probe", describe(w.ask(limited(time.Minute))), "rate_limited in 1m0s")
		w.expectState("closed")
		expect(t, "the next", describe(w.ask(succeeds)), "rate_limited in 1m0s")

		expect(t, "transitions", w.transitions(), map[string]int64{
			"directory: closed to open": 1, "directory: open to half-open": 1, "directory: half-open to closed": 1,
		})
	})
}

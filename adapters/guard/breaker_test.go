package guard_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"muster/adapters"
)

// TestWhatOpensABreaker states the column of contract.md's table, not Traits.
func TestWhatOpensABreaker(t *testing.T) {
	t.Parallel()
	leaves := func(context.Context) error { return adapters.Fail(adapters.Unavailable, "left", context.Canceled) }
	tests := []struct {
		name   string
		answer answer
		want   string
	}{
		{"record", succeeds, "closed"},
		{"not_found", fails(adapters.NotFound, 404), "closed"},
		{"invalid", fails(adapters.Invalid, 400), "closed"},
		{"unauthenticated", fails(adapters.Unauthenticated, 401), "closed"},
		{"denied", fails(adapters.Denied, 403), "closed"},
		{"misconfigured", fails(adapters.Misconfigured, 302), "closed"},
		{"rate_limited", limited(time.Nanosecond), "closed"},
		{"unavailable", fails(adapters.Unavailable, 500), "open"},
		{"unavailable without a reply", fails(adapters.Unavailable, 0), "open"},
		{"timeout", fails(adapters.Timeout, 0), "open"},
		{"timeout of our own", hangs, "open"},
		{"malformed", fails(adapters.Malformed, 200), "open"},
		{"mismatch", fails(adapters.Mismatch, 200), "closed"},
		{"unresolved", fails(adapters.Unresolved, 0), "closed"},
		{"caller left", leaves, "closed"},
		{"panic", func(context.Context) error { panic("at the disco") }, "open"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := limits()
				l.Timeout = time.Millisecond
				w := newWorld(t, l)
				for range 1000 {
					w.send(test.answer)
					time.Sleep(time.Millisecond) // so that a pause is over
				}
				w.expectState(test.want)
			})
		})
	}
}

func TestTheShareOfFailuresOpensABreaker(t *testing.T) {
	t.Parallel()
	well, ill := answer(succeeds), fails(adapters.Unavailable, 500)
	unsent := fails(adapters.Invalid, 0)
	repeat := func(n int, a answer) []answer {
		all := make([]answer, n)
		for i := range all {
			all[i] = a
		}
		return all
	}
	join := func(parts ...[]answer) (all []answer) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	tests := []struct {
		name     string
		failures float64
		every    time.Duration
		answers  []answer
		want     string
	}{
		{"one fewer than min", 0.5, 0, repeat(19, ill), "closed"},
		{"min", 0.5, 0, repeat(20, ill), "open"},
		{"just the share", 0.5, 0, join(repeat(10, well), repeat(10, ill)), "open"},
		{"just below the share", 0.5, 0, join(repeat(11, well), repeat(10, ill)), "closed"},
		{"55% of 20", 0.55, 0, join(repeat(9, well), repeat(11, ill)), "open"},
		{"50% where 55% is needed", 0.55, 0, join(repeat(10, well), repeat(10, ill)), "closed"},
		{"all, and one was well", 1, 0, join(repeat(1, well), repeat(50, ill)), "closed"},
		{"within the window", 0.5, 900 * time.Millisecond, repeat(20, ill), "open"},
		{"spread over more than the window", 0.5, 1100 * time.Millisecond, repeat(100, ill), "closed"},
		{"what was never sent does not thin it", 0.5, 0, join(repeat(10, ill), repeat(1000, unsent), repeat(10, ill)), "open"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := limits()
				l.Breaker.Failures = test.failures
				w := newWorld(t, l)
				for _, a := range test.answers {
					w.send(a)
					time.Sleep(test.every)
				}
				w.expectState(test.want)
			})
		})
	}
}

// A window that is cleared every 20 s would see ten failures on each side of the
// twentieth second and never open.
func TestTheWindowRolls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, limits())
		time.Sleep(18 * time.Second)
		for range 10 {
			w.send(fails(adapters.Unavailable, 500))
		}
		time.Sleep(4 * time.Second)
		for range 10 {
			w.send(fails(adapters.Unavailable, 500))
		}
		w.expectState("open")
	})
}

func TestCallsUnderWayDoNotThinTheShare(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, limits())
		var group sync.WaitGroup
		for range 64 {
			group.Go(func() { w.send(hangs) })
		}
		synctest.Wait()
		w.open()
		group.Wait()
	})
}

func TestAnOpenBreakerSaysWhenToComeBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, limits())
		w.open()
		refused := func(want string) {
			t.Helper()
			f := w.ask(func(context.Context) error { t.Error("the upstream was called"); return nil })
			expect(t, "fault", describe(f), want)
		}
		refused("open in 15s")
		time.Sleep(4 * time.Second)
		refused("open in 11s")
		time.Sleep(11*time.Second - 1)
		refused("open in 1ns")
		w.expectState("open")

		time.Sleep(time.Nanosecond) // who obeys comes exactly then, and must not be refused again
		w.expectState("half-open")
		expect(t, "transitions before the probe", w.transitions(), map[string]int64{"directory: closed to open": 1})
		if !w.asked() {
			t.Error("the first call after the open time did not reach the upstream")
		}
		w.expectState("closed")
		expect(t, "transitions", w.transitions(), map[string]int64{
			"directory: closed to open": 1, "directory: open to half-open": 1, "directory: half-open to closed": 1,
		})
	})
}

func TestHalfOpenLetsExactlyTheProbesThrough(t *testing.T) {
	t.Parallel()
	slowly := func(f *adapters.Fault) answer {
		return func(context.Context) error {
			time.Sleep(100 * time.Millisecond)
			if f == nil {
				return nil
			}
			return f
		}
	}
	tests := []struct {
		name     string
		probes   int
		answer   answer
		outcomes map[string]int
		state    string
	}{
		{"one, well", 1, slowly(nil), map[string]int{"ok": 1, "open in 1s": 49}, "closed"},
		{"one, ill", 1, slowly(fault(adapters.Unavailable, 500, 0)), map[string]int{"unavailable": 1, "open in 1s": 49}, "open"},
		{"one, hanging", 1, hangs, map[string]int{"timeout": 1, "open in 1s": 49}, "open"},
		{"one, nobody there", 1, slowly(fault(adapters.NotFound, 404, 0)), map[string]int{"not_found": 1, "open in 1s": 49}, "closed"},
		{"three, well", 3, slowly(nil), map[string]int{"ok": 3, "open in 1s": 47}, "closed"},
		{"three, ill", 3, slowly(fault(adapters.Unavailable, 500, 0)), map[string]int{"unavailable": 3, "open in 1s": 47}, "open"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := limits()
				l.Breaker.Probes = test.probes
				w := newWorld(t, l)
				w.open()
				time.Sleep(l.Breaker.Open)
				outcomes, reached := w.crowd(50, test.answer)
				expect(t, "calls that reached the upstream", reached, test.probes)
				expect(t, "outcomes", outcomes, test.outcomes)
				w.expectState(test.state)
			})
		})
	}
}

// gobreaker takes a slot for each probe. Whatever becomes of a probe, the slot
// must come back or the breaker stands half-open for ever.
func TestNoProbeWedgesTheBreaker(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		probe answer
		state string // after the probe
	}{
		{"record", succeeds, "closed"},
		{"absent", fails(adapters.NotFound, 404), "closed"},
		{"absent without a status", fails(adapters.NotFound, 0), "closed"},
		{"our credential is refused", fails(adapters.Unauthenticated, 401), "closed"},
		{"the identifier is refused", fails(adapters.Invalid, 400), "closed"},
		{"nothing was sent", fails(adapters.Invalid, 0), "half-open"},
		{"the caller left", func(context.Context) error { return adapters.Fail(adapters.Unavailable, "left", context.Canceled) }, "half-open"},
		{"down", fails(adapters.Unavailable, 0), "open"},
		{"panic", func(context.Context) error { panic("at the disco") }, "open"},
		{"the goroutine ended", func(context.Context) error { runtime.Goexit(); return nil }, "open"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, limits())
				w.open()
				for range 3 { // more often than there are probes
					time.Sleep(15 * time.Second)
					ended := make(chan struct{})
					go func() { defer close(ended); w.send(test.probe) }()
					<-ended
					w.expectState(test.state)
				}
				time.Sleep(15 * time.Second)
				if !w.asked() {
					t.Error("the upstream is not asked again")
				}
				w.expectState("closed")
			})
		})
	}
}

// A probe that tells nothing gives its place to the next caller at once.
func TestAnAbandonedProbeIsReplaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, limits())
		w.open()
		time.Sleep(15 * time.Second)
		ctx, leave := context.WithCancel(context.Background())
		ended := make(chan *adapters.Fault)
		go func() { ended <- w.askIn(ctx, hangs) }()
		synctest.Wait()
		if w.asked() {
			t.Error("a second probe was let through")
		}
		leave()
		expect(t, "the probe", describe(<-ended), "abandoned")
		if !w.asked() {
			t.Error("no probe was let through after the first was abandoned")
		}
		w.expectState("closed")
	})
}

// cases.md 98: a thousand who leave open nothing, whatever the adapter makes of it.
func TestCallersWhoLeaveNeverOpenABreaker(t *testing.T) {
	t.Parallel()
	broken := func(ctx context.Context) error { <-ctx.Done(); return fault(adapters.Unavailable, 0, 0) }
	for name, answer := range map[string]answer{"hanging": hangs, "broken off": broken} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, limits())
				var group sync.WaitGroup
				for range 1000 {
					group.Go(func() {
						ctx, leave := context.WithCancel(context.Background())
						time.AfterFunc(time.Second, leave)
						expect(t, "fault", describe(w.askIn(ctx, answer)), "abandoned")
					})
				}
				group.Wait()
				w.expectState("closed")
				expect(t, "transitions", w.transitions(), map[string]int64{})
			})
		})
	}
}

// cases.md 113: a flapping upstream moves the breaker at most three times in
// each open time, and once it is well it is asked within the open time.
func TestAFlappingUpstreamMovesTheBreakerSeldom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, limits())
		begin := time.Now()
		for time.Since(begin) < 5*time.Minute {
			if time.Since(begin)/(7*time.Second)%2 == 0 {
				w.send(fails(adapters.Unavailable, 500))
			} else {
				w.send(succeeds)
			}
			time.Sleep(50 * time.Millisecond)
		}
		moves := int64(0)
		for _, n := range w.transitions() {
			moves += n
		}
		if moves < 10 || moves > 5*60/15*3 {
			t.Errorf("%d transitions in five minutes, want 10 to 60", moves)
		}

		untilAsked := func() {
			for !w.asked() {
				time.Sleep(50 * time.Millisecond)
			}
		}
		untilAsked()
		for w.guards.State() != "open" {
			w.send(fails(adapters.Unavailable, 500))
			time.Sleep(50 * time.Millisecond)
		}
		healthy := time.Now().Add(-50 * time.Millisecond)
		untilAsked()
		expect(t, "time until it is asked again", time.Since(healthy), 15*time.Second)
		w.expectState("closed")
	})
}

func TestABreakerBelongsToItsGuards(t *testing.T) {
	t.Parallel()
	one, other := newWorld(t, limits()), newWorld(t, limits())
	one.open()
	if one.asked() {
		t.Error("a second Adapter of the same guards is asked: a reload would close the breaker")
	}
	if !other.asked() {
		t.Error("another credential's breaker is open too")
	}
}

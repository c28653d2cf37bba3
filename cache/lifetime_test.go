package cache_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/cache"
)

// step is one Get in a timeline, and what becomes of it.
type step struct {
	at    time.Duration // since the timeline began
	want  cache.Want
	fail  error  // what a fill ends with, if one runs
	got   string // as tell has it
	calls int    // fills so far, when the one behind the caller's back has ended too
}

// Every fill gives its own number, fresh for 10 s and stale for 20 s more.
func TestTimelines(t *testing.T) {
	const s = time.Second
	within := func(d time.Duration) *time.Duration { return &d }
	const notCached = "error: cache: nothing acceptable is kept"
	tests := []struct {
		name  string
		steps []step
	}{
		{"fresh, stale, gone", []step{
			{0, cache.Want{}, nil, "filled 1 age 0s fresh 10s", 1},
			{4 * s, cache.Want{}, nil, "memory 1 age 4s fresh 6s", 1},
			{10*s - 1, cache.Want{}, nil, "memory 1 age 9.999999999s fresh 1ns", 1},
			{10 * s, cache.Want{}, nil, "stale 1 age 10s fresh 0s", 2},
			{10 * s, cache.Want{}, nil, "memory 2 age 0s fresh 10s", 2},
			{40*s - 1, cache.Want{OnlyIfCached: true}, nil, "stale 2 age 29.999999999s fresh 0s", 2},
			{40 * s, cache.Want{OnlyIfCached: true}, nil, notCached, 2},
			{40 * s, cache.Want{}, nil, "filled 3 age 0s fresh 10s", 3},
		}},
		{"a refill that is forgiven", []step{
			{0, cache.Want{}, nil, "filled 1 age 0s fresh 10s", 1},
			{12 * s, cache.Want{}, errDown, "stale 1 age 12s fresh 0s", 2},
			{13 * s, cache.Want{}, errDown, "stale 1 age 13s fresh 0s err down", 3},
			{14 * s, cache.Want{}, nil, "stale 1 age 14s fresh 0s err down", 4},
			{14 * s, cache.Want{}, nil, "memory 4 age 0s fresh 10s", 4},
			{25 * s, cache.Want{OnlyIfCached: true}, nil, "stale 4 age 11s fresh 0s", 4},
		}},
		{"forgiveness ends with the stale time", []step{
			{0, cache.Want{}, nil, "filled 1 age 0s fresh 10s", 1},
			{29 * s, cache.Want{}, errDown, "stale 1 age 29s fresh 0s", 2},
			{30 * s, cache.Want{}, errDown, "error: down", 3},
		}},
		{"a refill that is not forgiven", []step{
			{0, cache.Want{}, nil, "filled 1 age 0s fresh 10s", 1},
			{12 * s, cache.Want{}, errGone, "stale 1 age 12s fresh 0s", 2},
			{12 * s, cache.Want{OnlyIfCached: true}, nil, notCached, 2},
			{12 * s, cache.Want{}, errGone, "error: gone", 3},
			{12 * s, cache.Want{}, nil, "filled 4 age 0s fresh 10s", 4},
		}},
		{"no-cache", []step{
			{0, cache.Want{NoCache: true}, nil, "filled 1 age 0s fresh 10s", 1},
			{s, cache.Want{NoCache: true}, nil, "filled 2 age 0s fresh 10s", 2},
			{2 * s, cache.Want{NoCache: true}, errDown, "stale 2 age 1s fresh 0s err down", 3},
			{2 * s, cache.Want{}, nil, "memory 2 age 1s fresh 9s", 3},
			{12 * s, cache.Want{OnlyIfCached: true}, nil, "stale 2 age 11s fresh 0s", 3}, // that failure was not of this time
			{12 * s, cache.Want{NoCache: true}, errDown, "stale 2 age 11s fresh 0s err down", 4},
			{12 * s, cache.Want{OnlyIfCached: true}, nil, "stale 2 age 11s fresh 0s err down", 4},
			{12 * s, cache.Want{NoCache: true}, nil, "filled 5 age 0s fresh 10s", 5},
		}},
		{"no-cache, not forgiven, drops what is fresh", []step{
			{0, cache.Want{}, nil, "filled 1 age 0s fresh 10s", 1},
			{s, cache.Want{NoCache: true}, errGone, "error: gone", 2},
			{s, cache.Want{OnlyIfCached: true}, nil, notCached, 2},
		}},
		{"max-age", []step{
			{0, cache.Want{}, nil, "filled 1 age 0s fresh 10s", 1},
			{0, cache.Want{MaxAge: within(0)}, nil, "memory 1 age 0s fresh 10s", 1},
			{5 * s, cache.Want{MaxAge: within(5 * s)}, nil, "memory 1 age 5s fresh 5s", 1},
			{5 * s, cache.Want{MaxAge: within(5*s - 1)}, errDown, "stale 1 age 5s fresh 0s err down", 2},
			{5 * s, cache.Want{MaxAge: within(5*s - 1), OnlyIfCached: true}, nil, notCached, 2},
			{5 * s, cache.Want{MaxAge: within(5*s - 1)}, nil, "filled 3 age 0s fresh 10s", 3},
			{17 * s, cache.Want{MaxAge: within(20 * s)}, nil, "filled 4 age 0s fresh 10s", 4}, // max-age alone takes nothing stale
		}},
		{"max-stale", []step{
			{0, cache.Want{}, nil, "filled 1 age 0s fresh 10s", 1},
			{5 * s, cache.Want{MaxStale: within(0)}, nil, "memory 1 age 5s fresh 5s", 1},
			{12 * s, cache.Want{MaxStale: within(2 * s), OnlyIfCached: true}, nil, "stale 1 age 12s fresh 0s", 1},
			{12 * s, cache.Want{MaxStale: within(2*s - 1), OnlyIfCached: true}, nil, notCached, 1},
			{12 * s, cache.Want{MaxStale: within(s)}, errDown, "stale 1 age 12s fresh 0s err down", 2},
			{12 * s, cache.Want{MaxStale: within(2 * s)}, nil, "stale 1 age 12s fresh 0s err down", 3},
			{24 * s, cache.Want{MaxStale: within(s)}, nil, "filled 4 age 0s fresh 10s", 4},
			{54 * s, cache.Want{MaxStale: within(math.MaxInt64)}, nil, "filled 5 age 0s fresh 10s", 5}, // never past the stale time
		}},
		{"max-age with max-stale", []step{
			{0, cache.Want{}, nil, "filled 1 age 0s fresh 10s", 1},
			{12 * s, cache.Want{MaxAge: within(12 * s), MaxStale: within(2 * s), OnlyIfCached: true}, nil, "stale 1 age 12s fresh 0s", 1},
			{12 * s, cache.Want{MaxAge: within(11 * s), MaxStale: within(2 * s), OnlyIfCached: true}, nil, notCached, 1},
			{12 * s, cache.Want{MaxAge: within(12 * s), MaxStale: within(1 * s), OnlyIfCached: true}, nil, notCached, 1},
		}},
		{"only-if-cached", []step{
			{0, cache.Want{OnlyIfCached: true}, nil, notCached, 0},
			{0, cache.Want{}, nil, "filled 1 age 0s fresh 10s", 1},
			{s, cache.Want{OnlyIfCached: true}, nil, "memory 1 age 1s fresh 9s", 1},
			{s, cache.Want{OnlyIfCached: true, NoCache: true}, nil, notCached, 1},
			{12 * s, cache.Want{OnlyIfCached: true}, nil, "stale 1 age 12s fresh 0s", 1}, // and asks nobody
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := open(t, options[int]())
				begin, calls := time.Now(), 0
				for i, step := range tt.steps {
					time.Sleep(step.at - time.Since(begin))
					got := tell(c.Get(t.Context(), cache.NewKey("k"), step.want, func(context.Context) (int, cache.Lifetime, error) {
						calls++
						return calls, cache.Lifetime{Fresh: 10 * s, Stale: 20 * s}, step.fail
					}))
					synctest.Wait()
					if diff := cmp.Diff(step.got, got); diff != "" {
						t.Errorf("step %d at %v: %s", i, step.at, diff)
					}
					if calls != step.calls {
						t.Errorf("step %d at %v: %d calls, want %d", i, step.at, calls, step.calls)
					}
				}
			})
		})
	}
}

// A stale value is answered at once, and asked again once, however slow that is
// and however many ask.
func TestStaleAnswersAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, options[int]())
		calls := 0
		get := func(w cache.Want) string {
			begin := time.Now()
			hit, err := c.Get(t.Context(), cache.NewKey("k"), w, func(context.Context) (int, cache.Lifetime, error) {
				calls++
				time.Sleep(3 * time.Second)
				return calls, cache.Lifetime{Fresh: 10 * time.Second, Stale: 20 * time.Second}, nil
			})
			return fmt.Sprint("after ", time.Since(begin), ": ", tell(hit, err))
		}
		got := []string{get(cache.Want{})}
		time.Sleep(12 * time.Second)
		got = append(got, get(cache.Want{}))
		time.Sleep(time.Second)
		got = append(got, get(cache.Want{}), get(cache.Want{NoCache: true}), get(cache.Want{}))
		want := []string{
			"after 3s: filled 1 age 0s fresh 10s",
			"after 0s: stale 1 age 12s fresh 0s",
			"after 0s: stale 1 age 13s fresh 0s",
			"after 2s: shared 2 age 0s fresh 10s",
			"after 0s: memory 2 age 0s fresh 10s",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if calls != 2 {
			t.Errorf("%d calls, want 2", calls)
		}
	})
}

// Without a Fresh above 0 a value is given out and not kept, and displaces an
// older one.
func TestValuesThatAreNotKept(t *testing.T) {
	tests := []struct {
		life cache.Lifetime
		want string
	}{
		{cache.Lifetime{}, "error: cache: nothing acceptable is kept"},
		{cache.Lifetime{Stale: time.Hour}, "error: cache: nothing acceptable is kept"},
		{cache.Lifetime{Fresh: -1, Stale: time.Hour}, "error: cache: nothing acceptable is kept"},
		{cache.Lifetime{Fresh: time.Minute}, "memory 2 age 0s fresh 1m0s"},
		{cache.Lifetime{Fresh: time.Minute, Stale: -time.Hour}, "memory 2 age 0s fresh 1m0s"},
		{cache.Lifetime{Fresh: math.MaxInt64, Stale: math.MaxInt64}, "memory 2 age 0s fresh 2562047h47m16.854775807s"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.life), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := open(t, options[int]())
				k := cache.NewKey("k")
				_, _ = c.Get(t.Context(), k, cache.Want{}, gives(1))
				hit, err := c.Get(t.Context(), k, cache.Want{NoCache: true}, func(context.Context) (int, cache.Lifetime, error) {
					return 2, tt.life, nil
				})
				if err != nil || hit.From != cache.Filled || hit.Value != 2 {
					t.Error(tell(hit, err))
				}
				got := tell(c.Get(t.Context(), k, cache.Want{OnlyIfCached: true}, never[int](t)))
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// Of two hundred lifetimes made together none is too long nor cut by more than
// the share allowed, and they use the whole of it.
func TestJitterSpreads(t *testing.T) {
	o := options[int]()
	o.Jitter = 0.5
	c := open(t, o)
	var fresh []time.Duration
	for i := range 200 {
		hit, err := c.Get(t.Context(), cache.NewKey(fmt.Sprint(i)), cache.Want{}, func(context.Context) (int, cache.Lifetime, error) {
			return i, cache.Lifetime{Fresh: 1000 * time.Hour}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		fresh = append(fresh, hit.Fresh)
	}
	least, most := slices.Min(fresh), slices.Max(fresh)
	if least < 499*time.Hour || most > 1000*time.Hour {
		t.Errorf("from %v to %v, want from 500h to 1000h", least, most)
	}
	if least > 600*time.Hour || most < 900*time.Hour {
		t.Errorf("from %v to %v only", least, most)
	}
}

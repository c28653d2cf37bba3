package cache_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"muster/cache"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	errDown = errors.New("down")
	errGone = errors.New("gone")
)

// options are for small values, and forgive errDown alone.
func options[V any]() cache.Options[V] {
	return cache.Options[V]{
		MaxBytes: 1 << 20,
		Cost:     func(V) int64 { return 8 },
		Forgive:  func(err error) bool { return errors.Is(err, errDown) },
	}
}

// open makes a cache that is closed when the test ends.
func open[V any](t testing.TB, o cache.Options[V]) *cache.Cache[V] {
	t.Helper()
	c, err := cache.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// gives is a Fill that answers v for a minute, and an hour beyond.
func gives[V any](v V) cache.Fill[V] {
	return func(context.Context) (V, cache.Lifetime, error) {
		return v, cache.Lifetime{Fresh: time.Minute, Stale: time.Hour}, nil
	}
}

// never is a Fill that must not be called.
func never[V any](t testing.TB) cache.Fill[V] {
	return func(context.Context) (v V, l cache.Lifetime, err error) {
		t.Error("somebody asked")
		return v, l, errGone
	}
}

// tell writes what Get returned in one line.
func tell[V any](hit cache.Hit[V], err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	s := fmt.Sprintf("%v %v age %v fresh %v", hit.From, hit.Value, hit.Age, hit.Fresh)
	if hit.Err != nil {
		s += " err " + hit.Err.Error()
	}
	return s
}

func TestOptions(t *testing.T) {
	cost := func(int) int64 { return 1 }
	tests := []struct {
		name string
		o    cache.Options[int]
		want string
	}{
		{"nothing said", cache.Options[int]{}, "cache: MaxBytes must be positive\ncache: Cost is required"},
		{"negative", cache.Options[int]{MaxBytes: -1, Cost: cost, Jitter: -0.1}, "cache: MaxBytes must be positive\ncache: Jitter must be at least 0 and below 1"},
		{"jitter of all", cache.Options[int]{MaxBytes: 1, Cost: cost, Jitter: 1}, "cache: Jitter must be at least 0 and below 1"},
		{"no number", cache.Options[int]{MaxBytes: 1, Cost: cost, Jitter: math.NaN()}, "cache: Jitter must be at least 0 and below 1"},
		{"least", cache.Options[int]{MaxBytes: 1, Cost: cost}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := cache.New(tt.o)
			got := ""
			if err != nil {
				got = err.Error()
			} else {
				c.Close()
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFromPrints(t *testing.T) {
	got := fmt.Sprint(cache.Filled, cache.Memory, cache.Stale, cache.Shared, cache.From(0))
	if want := "filled memory stale shared From(0)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A value can be found as soon as the fill is over: the very next Get asks nobody.
func TestNextGetIsAHit(t *testing.T) {
	c := open(t, options[int]())
	for i := range 1000 {
		k := cache.NewKey(fmt.Sprint(i))
		if hit, err := c.Get(t.Context(), k, cache.Want{}, gives(i)); err != nil || hit.From != cache.Filled || hit.Value != i {
			t.Fatal(tell(hit, err))
		}
		if hit, err := c.Get(t.Context(), k, cache.Want{}, never[int](t)); err != nil || hit.From != cache.Memory || hit.Value != i {
			t.Fatal(tell(hit, err))
		}
	}
}

func TestErrorsAreNotKept(t *testing.T) {
	c := open(t, options[int]())
	k := cache.NewKey("k")
	for _, fail := range []error{errDown, errGone} {
		_, err := c.Get(t.Context(), k, cache.Want{}, func(context.Context) (int, cache.Lifetime, error) {
			return 1, cache.Lifetime{Fresh: time.Hour}, fail
		})
		if err != fail { //nolint:errorlint // the very error, not one around it
			t.Errorf("got %v, want %v", err, fail)
		}
		if hit, err := c.Get(t.Context(), k, cache.Want{OnlyIfCached: true}, never[int](t)); !errors.Is(err, cache.ErrNotCached) {
			t.Errorf("after %v: %s", fail, tell(hit, err))
		}
	}
}

// One call for a thousand callers; the first of them leaves early.
func TestThousandMissesMakeOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, options[string]())
		var calls atomic.Int64
		fill := func(context.Context) (string, cache.Lifetime, error) {
			calls.Add(1)
			time.Sleep(time.Second)
			return "v", cache.Lifetime{Fresh: time.Minute}, nil
		}
		var told sync.Map
		count := func(s string) {
			n, _ := told.LoadOrStore(s, new(atomic.Int64))
			n.(*atomic.Int64).Add(1)
		}
		var wg sync.WaitGroup
		begin := time.Now()
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			hit, err := c.Get(ctx, cache.NewKey("k"), cache.Want{}, fill)
			count(fmt.Sprint(time.Since(begin), " ", tell(hit, err)))
		})
		synctest.Wait()
		for range 999 {
			wg.Go(func() {
				hit, err := c.Get(t.Context(), cache.NewKey("k"), cache.Want{}, fill)
				count(fmt.Sprint(time.Since(begin), " ", tell(hit, err)))
			})
		}
		wg.Wait()
		got := map[string]int64{}
		told.Range(func(k, n any) bool { got[k.(string)] = n.(*atomic.Int64).Load(); return true })
		want := map[string]int64{
			"300ms error: context deadline exceeded": 1,
			"1s shared v age 0s fresh 1m0s":          999,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if calls.Load() != 1 {
			t.Errorf("%d calls, want 1", calls.Load())
		}
	})
}

// The same with fills that end at once, so that callers keep arriving while a
// flight is landing: none may fall between the flight and the entry.
func TestNoSecondCallWhileLanding(t *testing.T) {
	c := open(t, options[int]())
	for i := range 50 {
		k := cache.NewKey(fmt.Sprint(i))
		var calls atomic.Int64
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() {
				hit, err := c.Get(t.Context(), k, cache.Want{}, func(ctx context.Context) (int, cache.Lifetime, error) {
					calls.Add(1)
					return gives(i)(ctx)
				})
				if err != nil || hit.Value != i {
					t.Error(tell(hit, err))
				}
			})
		}
		wg.Wait()
		if calls.Load() != 1 {
			t.Fatalf("key %d: %d calls, want 1", i, calls.Load())
		}
	}
}

func TestLateReplyIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, options[string]())
		type traced struct{}
		ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), traced{}, "span"), 300*time.Millisecond)
		defer cancel()
		_, err := c.Get(ctx, cache.NewKey("k"), cache.Want{}, func(ctx context.Context) (string, cache.Lifetime, error) {
			time.Sleep(time.Second)
			_, limited := ctx.Deadline()
			return fmt.Sprint(ctx.Value(traced{}), " ", limited, " ", ctx.Err()), cache.Lifetime{Fresh: time.Minute}, nil
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the caller's deadline", err)
		}
		time.Sleep(2 * time.Second)
		hit, err := c.Get(ctx, cache.NewKey("k"), cache.Want{}, never[string](t))
		if diff := cmp.Diff("memory span false <nil> age 1.3s fresh 58.7s", tell(hit, err)); diff != "" {
			t.Error(diff)
		}
		// A caller who has left already does not have anybody asked.
		if hit, err := c.Get(ctx, cache.NewKey("other"), cache.Want{}, never[string](t)); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(tell(hit, err))
		}
	})
}

// TestUntil waits no longer than the caller will: the fill is begun all the same,
// goes on, and what it brings is kept. Even who will not wait at all has it begun.
func TestUntil(t *testing.T) {
	for _, patience := range []time.Duration{300 * time.Millisecond, 0, -time.Second} {
		t.Run(patience.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := open(t, options[string]())
				key, begin := cache.NewKey("a"), time.Now()
				slow := func(ctx context.Context) (string, cache.Lifetime, error) {
					time.Sleep(time.Second)
					return gives("late")(ctx)
				}
				_, err := c.Get(t.Context(), key, cache.Want{Until: begin.Add(patience)}, slow)
				if !errors.Is(err, cache.ErrUnderWay) {
					t.Errorf("got %v, want ErrUnderWay", err)
				}
				if got, want := time.Since(begin), max(patience, 0); got != want {
					t.Errorf("it waited %v, want %v", got, want)
				}
				if got, want := tell(c.Get(t.Context(), key, cache.Want{}, never[string](t))), "shared late age 0s fresh 1m0s"; got != want {
					t.Errorf("who waits gets %q, want %q", got, want)
				}
				early := cache.Want{Until: begin}
				if got, want := tell(c.Get(t.Context(), key, early, never[string](t))), "memory late age 0s fresh 1m0s"; got != want {
					t.Errorf("what is kept needs no wait: %q, want %q", got, want)
				}
			})
		})
	}
}

func TestPanicReachesAllAndKillsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, options[int]())
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				_, err := c.Get(t.Context(), cache.NewKey("k"), cache.Want{}, panics)
				var p *cache.PanicError
				if !errors.As(err, &p) {
					t.Errorf("got %v, want a *PanicError", err)
					return
				}
				if p.Value != "jane@acme.example" {
					t.Errorf("value %v", p.Value)
				}
				if got := fmt.Sprintf("%v %+v", err, err); strings.Contains(got, "jane") {
					t.Errorf("the text shows the value: %s", got)
				}
				if got := functions(p.Stack); !strings.Contains(got, "cache_test.panics\n") {
					t.Errorf("the stack does not name the fill:\n%s", got)
				}
			})
		}
		wg.Wait()
		if hit, err := c.Get(t.Context(), cache.NewKey("k"), cache.Want{}, gives(7)); err != nil || hit.Value != 7 {
			t.Error(tell(hit, err))
		}
	})
}

func panics(context.Context) (int, cache.Lifetime, error) {
	time.Sleep(time.Second)
	panic("jane@acme.example")
}

// functions lists the functions of a stack, one to a line.
func functions(stack []uintptr) string {
	var b strings.Builder
	frames := runtime.CallersFrames(stack)
	for more := true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		b.WriteString(f.Function + "\n")
	}
	return b.String()
}

// t.FailNow in a fill is such an end: the callers must not wait for ever.
func TestGoexitIsAnError(t *testing.T) {
	c := open(t, options[int]())
	_, err := c.Get(t.Context(), cache.NewKey("k"), cache.Want{}, func(context.Context) (int, cache.Lifetime, error) {
		runtime.Goexit()
		return 0, cache.Lifetime{}, nil
	})
	if err == nil || err.Error() != "cache: the fill ended its goroutine" {
		t.Errorf("got %v", err)
	}
}

func TestForgetDuringAFill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, options[string]())
		k := cache.NewKey("k")
		after := func(d time.Duration, v string) cache.Fill[string] {
			return func(context.Context) (string, cache.Lifetime, error) {
				time.Sleep(d)
				return v, cache.Lifetime{Fresh: time.Hour}, nil
			}
		}
		cached := func() string {
			return tell(c.Get(t.Context(), k, cache.Want{OnlyIfCached: true}, never[string](t)))
		}
		var wg sync.WaitGroup
		var before, behind string
		wg.Go(func() { before = tell(c.Get(t.Context(), k, cache.Want{}, after(3*time.Second, "old"))) })
		time.Sleep(time.Second)
		c.Forget(k)
		// Whoever comes now does not join the fill that began before.
		wg.Go(func() { behind = tell(c.Get(t.Context(), k, cache.Want{}, after(time.Second, "new"))) })
		time.Sleep(1500 * time.Millisecond)
		if diff := cmp.Diff("memory new age 500ms fresh 59m59.5s", cached()); diff != "" {
			t.Error(diff)
		}
		wg.Wait()
		if diff := cmp.Diff([]string{"filled old age 0s fresh 1h0m0s", "filled new age 0s fresh 1h0m0s"}, []string{before, behind}); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff("memory new age 1s fresh 59m59s", cached()); diff != "" {
			t.Error(diff)
		}
		c.Forget(k)
		if diff := cmp.Diff("error: cache: nothing acceptable is kept", cached()); diff != "" {
			t.Error(diff)
		}
	})
}

// A fill that began before a Forget has no say over what came after it either:
// its failure drops nothing and is nobody's Hit.Err.
func TestForgottenFailureTouchesNothing(t *testing.T) {
	for _, fail := range []error{errDown, errGone} {
		synctest.Test(t, func(t *testing.T) {
			c := open(t, options[int]())
			k := cache.NewKey("k")
			var wg sync.WaitGroup
			wg.Go(func() {
				hit, err := c.Get(t.Context(), k, cache.Want{}, func(context.Context) (int, cache.Lifetime, error) {
					time.Sleep(2 * time.Minute)
					return 0, cache.Lifetime{}, fail
				})
				if !errors.Is(err, fail) {
					t.Error(tell(hit, err))
				}
			})
			synctest.Wait()
			c.Forget(k)
			_, _ = c.Get(t.Context(), k, cache.Want{}, gives(7))
			wg.Wait()
			got := tell(c.Get(t.Context(), k, cache.Want{OnlyIfCached: true}, never[int](t)))
			if diff := cmp.Diff("stale 7 age 2m0s fresh 0s", got); diff != "" {
				t.Errorf("after %v: %s", fail, diff)
			}
		})
	}
}

// The law of Forget: what a Get that begins after it answers was asked for after it.
func TestForgetLaw(t *testing.T) {
	c := open(t, options[int64]())
	k := cache.NewKey("k")
	var version atomic.Int64
	fill := func(context.Context) (int64, cache.Lifetime, error) {
		v := version.Load()
		runtime.Gosched()
		return v, cache.Lifetime{Fresh: time.Hour}, nil
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 500 {
				v := version.Add(1)
				c.Forget(k)
				if hit, err := c.Get(t.Context(), k, cache.Want{}, fill); err != nil || hit.Value < v {
					t.Errorf("forgot at version %d and got %s", v, tell(hit, err))
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestCloseEndsFills(t *testing.T) {
	c := open(t, options[int]())
	began := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := c.Get(t.Context(), cache.NewKey("slow"), cache.Want{}, func(ctx context.Context) (int, cache.Lifetime, error) {
			close(began)
			<-ctx.Done()
			return 0, cache.Lifetime{}, context.Cause(ctx)
		})
		if !errors.Is(err, cache.ErrClosed) {
			t.Errorf("got %v, want ErrClosed", err)
		}
	})
	<-began
	c.Close()
	c.Close()
	wg.Wait()
	if hit, err := c.Get(t.Context(), cache.NewKey("k"), cache.Want{}, never[int](t)); !errors.Is(err, cache.ErrClosed) {
		t.Error(tell(hit, err))
	}
	c.Forget(cache.NewKey("k"))
}

// Close may run beside everything else. Of use under the race detector.
func TestCloseBesideTheRest(t *testing.T) {
	for range 20 {
		c := open(t, options[int]())
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				for i := range 300 {
					k := cache.NewKey(fmt.Sprint(i % 30))
					hit, err := c.Get(t.Context(), k, cache.Want{NoCache: g == 0}, gives(1))
					if err != nil && !errors.Is(err, cache.ErrClosed) {
						t.Error(tell(hit, err))
					}
					if g == 1 {
						c.Forget(k)
					}
				}
			})
		}
		wg.Go(func() { time.Sleep(time.Millisecond); c.Close() })
		wg.Wait()
	}
}

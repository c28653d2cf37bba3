package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	metricnoop "go.opentelemetry.io/otel/metric/noop"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
	"pgregory.net/rapid"

	"muster/adapters"
	"muster/adapters/guard"
	"muster/cache"
	"muster/gateway"
	"muster/normalize"
)

// bubble runs a test on fake time: what takes no time there takes no time at all.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, test)
}

func TestSourcesAreAskedAtTheSameTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		slow := after(20*time.Millisecond, says(named("Jane")))
		g := open(t, live(source("a", slow), source("b", slow), source("c", slow), source("d", slow), source("e", slow)))
		begin := time.Now()
		a := ask(t, g, gateway.Query{})
		expect(t, "time", time.Since(begin), 20*time.Millisecond)
		for _, s := range a.Sources {
			expect(t, s.Source+" took", *s.Took, int64(20))
		}
	})
}

// TestTheBudget: whoever hangs costs the budget and nothing more, and takes
// nothing from the others. What comes later is kept.
func TestTheBudget(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var calls atomic.Int64
		g := open(t, live(
			source("a", after(10*time.Millisecond, says(named("Jane")))),
			source("b", hangs),
			source("late", counted(&calls, after(1200*time.Millisecond, says(normalize.Profile{Title: "Dr"})))),
		))
		begin := time.Now()
		a := ask(t, g, gateway.Query{})
		expect(t, "time", time.Since(begin), time.Second)
		expect(t, "answer", tell(a), "207: a ok upstream, b failed upstream, late failed upstream; b timeout 504, late timeout 504")
		expect(t, "data", *a.Data, named("Jane"))
		expect(t, "took", *a.Sources[1].Took, int64(1000))

		time.Sleep(time.Second)
		a = ask(t, g, gateway.Query{Sources: []string{"a", "late"}})
		expect(t, "the next answer", tell(a), "200: a ok cache, b skipped, late ok cache")
		expect(t, "calls", calls.Load(), int64(1))
	})
}

// TestTheCallersDeadline is a budget too.
func TestTheCallersDeadline(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := open(t, live(source("a", hangs)))
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		a, err := g.Lookup(ctx, jane(gateway.Query{}))
		if err != nil {
			t.Fatal(err)
		}
		expect(t, "answer", tell(a), "504: a failed upstream; a timeout 504")
	})
}

// TestOneCallForAllWhoAsk: those who come while a source is being asked wait for
// that answer.
func TestOneCallForAllWhoAsk(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var calls [2]atomic.Int64
		g := open(t, live(
			source("a", counted(&calls[0], after(20*time.Millisecond, says(named("Jane"))))),
			source("b", counted(&calls[1], after(30*time.Millisecond, fails(adapters.Unavailable)))),
		))
		var callers sync.WaitGroup
		var mu sync.Mutex
		answers := map[string]int{}
		for range 200 {
			callers.Go(func() {
				a := ask(t, g, gateway.Query{})
				mu.Lock()
				defer mu.Unlock()
				answers[tell(a)]++
			})
		}
		callers.Wait()
		expect(t, "answers", answers, map[string]int{
			"207: a ok upstream, b failed upstream; b unavailable 503": 1,
			"207: a ok shared, b failed upstream; b unavailable 503":   199,
		})
		expect(t, "calls", []int64{calls[0].Load(), calls[1].Load()}, []int64{1, 1})
	})
}

// TestTheFirstCallerLeaves: those who wait beside him get their answer, he gets
// none, and the source's breaker hears nothing of it.
func TestTheFirstCallerLeaves(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var calls atomic.Int64
		var seen error
		g := open(t, live(source("a", counted(&calls, func(ctx context.Context, q adapters.Query) (adapters.Reply, error) {
			reply, err := after(20*time.Millisecond, says(named("Jane")))(ctx, q)
			seen = errors.Join(err, ctx.Err())
			return reply, err
		}))))
		first, leave := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		callers.Go(func() {
			a, err := g.Lookup(first, jane(gateway.Query{}))
			if !errors.Is(err, context.Canceled) || a.Status != 0 {
				t.Errorf("who left is answered %s, %v", tell(a), err)
			}
		})
		synctest.Wait()
		for range 3 {
			callers.Go(func() {
				expect(t, "answer", tell(ask(t, g, gateway.Query{})), "200: a ok shared")
			})
		}
		time.Sleep(5 * time.Millisecond)
		leave()
		callers.Wait()
		expect(t, "calls", calls.Load(), int64(1))
		if seen != nil {
			t.Errorf("the source was told that somebody left: %v", seen)
		}
		expect(t, "afterwards", tell(ask(t, g, gateway.Query{})), "200: a ok cache")
	})
}

// TestAPanicIsOneSourcesFailure, whether a guard is around the source or not;
// what it panicked with is in no answer.
func TestAPanicIsOneSourcesFailure(t *testing.T) {
	t.Parallel()
	tel, err := guard.NewTelemetry(tracenoop.NewTracerProvider(), metricnoop.NewMeterProvider(), slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	panics := answer(func(_ context.Context, q adapters.Query) (adapters.Reply, error) {
		panic("canary of " + q.IDs["username"])
	})
	for name, adapter := range map[string]adapters.Adapter{
		"bare":    adapters.AdapterFunc(panics),
		"guarded": guard.New("b", adapters.DefaultLimits(), tel).Stack(adapters.AdapterFunc(panics)),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				g := open(t, live(source("a", says(named("J.")), required), source("b", nil, func(s *gateway.Source) { s.Adapter = adapter })))
				for range 2 { // and nothing of it is kept
					a := ask(t, g, gateway.Query{})
					if encoded := encode(t, a); bytes.Contains(encoded, []byte("canary")) || bytes.Contains(encoded, []byte("jane")) {
						t.Errorf("it is told of: %s", encoded)
					}
					if got := tell(a); !strings.HasSuffix(got, "b failed upstream; b unavailable 503") {
						t.Errorf("%s", got)
					}
				}
			})
		})
	}
}

// TestWhatIsKept: how long each outcome is, and what a lookup is told after that.
func TestWhatIsKept(t *testing.T) {
	t.Parallel()
	type then struct {
		after time.Duration // since the lookup before
		want  string
		calls int64
	}
	part := inPart(named("Jane"), child(adapters.Unavailable, adapters.Detail{}))
	tests := []struct {
		name   string
		answer answer
		change func(*gateway.Source)
		want   []then
	}{
		{name: "a record", answer: says(named("Jane")), want: []then{
			{0, "200: a ok upstream", 1},
			{53 * time.Second, "200: a ok cache", 1},
			{8 * time.Second, "200: a ok stale", 2}, // one more is asked for behind the caller's back
			{time.Second, "200: a ok cache", 2},
			{62 * time.Minute, "200: a ok upstream", 3},
		}},
		{name: "that nobody is known, briefly", answer: inTurn(fails(adapters.NotFound), says(named("Jane"))), want: []then{
			{0, "404: a absent upstream", 1},
			{8 * time.Second, "404: a absent cache", 1},
			{3 * time.Second, "200: a ok upstream", 2},
		}},
		{name: "an answer in part, as briefly", answer: inTurn(part, says(named("Jane"))), want: []then{
			{0, "207: a partial upstream; a unavailable 503", 1},
			{8 * time.Second, "207: a partial cache; a unavailable 503", 1},
			{3 * time.Second, "200: a ok upstream", 2},
		}},
		{name: "an answer in part, no longer than a record", answer: part, change: func(s *gateway.Source) { s.Keep.TTL = time.Second }, want: []then{
			{0, "207: a partial upstream; a unavailable 503", 1},
			{2 * time.Second, "207: a partial upstream; a unavailable 503", 2},
		}},
		{name: "a failure not at all", answer: fails(adapters.Malformed), want: []then{
			{0, "502: a failed upstream; a malformed 502", 1},
			{0, "502: a failed upstream; a malformed 502", 2},
		}},
		{name: "nothing, where that is what is configured", answer: says(named("Jane")), change: func(s *gateway.Source) { s.Keep = adapters.Lifetimes{} }, want: []then{
			{0, "200: a ok upstream", 1},
			{0, "200: a ok upstream", 2},
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var calls atomic.Int64
				s := source("a", counted(&calls, test.answer))
				if test.change != nil {
					test.change(s)
				}
				g := open(t, live(s))
				for i, then := range test.want {
					time.Sleep(then.after)
					expect(t, fmt.Sprint("answer ", i), tell(ask(t, g, gateway.Query{})), then.want)
					synctest.Wait()
					expect(t, fmt.Sprint("calls by ", i), calls.Load(), then.calls)
				}
			})
		})
	}
}

// TestWhatStandsIn: which failures an old record may stand in for, and that it
// never does so in silence. The kinds are those of contract.md and of RFC 5861.
func TestWhatStandsIn(t *testing.T) {
	t.Parallel()
	refused := map[adapters.Kind]string{
		adapters.NotFound:        "404: a absent upstream",
		adapters.Invalid:         "502: a failed upstream; a invalid 400",
		adapters.Unauthenticated: "502: a failed upstream; a unauthenticated 502",
		adapters.Denied:          "502: a failed upstream; a denied 403",
		adapters.Misconfigured:   "502: a failed upstream; a misconfigured 502",
		adapters.Mismatch:        "502: a failed upstream; a mismatch 409",
	}
	for _, kind := range adapters.Kinds() {
		want, takenAway := refused[kind]
		if !takenAway {
			want = fmt.Sprintf("207: a ok stale; a %s %d", kind, kind.Traits().StatusCode)
		}
		// That nobody is known is kept in its turn.
		later := strings.Replace(want, "absent upstream", "absent cache", 1)
		for _, is := range []func(*gateway.Source){func(*gateway.Source) {}, required} { // what stands in has not failed
			t.Run(kind.String(), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					g := open(t, live(source("a", inTurn(says(named("Jane")), fails(kind)), is)))
					expect(t, "at first", tell(ask(t, g, gateway.Query{})), "200: a ok upstream")
					time.Sleep(61 * time.Second)
					// Until it is known that asking fails there is nothing to tell.
					expect(t, "while it is asked again", tell(ask(t, g, gateway.Query{})), "200: a ok stale")
					synctest.Wait()
					a := ask(t, g, gateway.Query{})
					expect(t, "after it has failed", tell(a), later)
					if !takenAway {
						expect(t, "data", a.Data, ptr(named("Jane")))
						expect(t, "age", *a.Sources[0].Age, 61)
					}
				})
			})
		}
		t.Run(kind.String()+" to a caller who insists", func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				g := open(t, live(source("a", inTurn(says(named("Jane")), fails(kind)))))
				ask(t, g, gateway.Query{})
				expect(t, "answer", tell(ask(t, g, gateway.Query{Want: cache.Want{NoCache: true}})), want)
				if takenAway { // it has left the cache: nobody sees it any more
					expect(t, "to others", tell(ask(t, g, gateway.Query{})), later)
				}
			})
		})
	}
}

// TestWant is what a caller accepts, in the terms of RFC 9111.
func TestWant(t *testing.T) {
	t.Parallel()
	second := time.Second
	tests := []struct {
		name  string
		age   time.Duration
		want  cache.Want
		tell  string
		calls int64
	}{
		{"no-cache", 0, cache.Want{NoCache: true}, "200: a ok upstream", 2},
		{"max-age, young enough", 30 * second, cache.Want{MaxAge: ptr(30 * second)}, "200: a ok cache", 1},
		{"max-age, too old", 31 * second, cache.Want{MaxAge: ptr(30 * second)}, "200: a ok upstream", 2},
		{"max-stale", 90 * second, cache.Want{MaxStale: ptr(40 * second)}, "200: a ok stale", 2},
		{"max-stale, staler", 90 * second, cache.Want{MaxStale: ptr(20 * second)}, "200: a ok upstream", 2},
		{"only-if-cached", 0, cache.Want{OnlyIfCached: true}, "200: a ok cache", 1},
		{"only-if-cached, stale", 90 * second, cache.Want{OnlyIfCached: true}, "200: a ok stale", 1},
		{"only-if-cached, gone", 62 * time.Minute, cache.Want{OnlyIfCached: true}, "504: a failed cache; a timeout 504", 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var calls atomic.Int64
				g := open(t, live(source("a", counted(&calls, says(named("Jane"))))))
				ask(t, g, gateway.Query{})
				time.Sleep(test.age)
				expect(t, "answer", tell(ask(t, g, gateway.Query{Want: test.want})), test.tell)
				synctest.Wait()
				expect(t, "calls", calls.Load(), test.calls)
			})
		})
	}
}

// TestOnlyIfCached: nobody is asked. Where something is kept that is the answer,
// and what is not kept is missing from it.
func TestOnlyIfCached(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var calls atomic.Int64
		asked := counted(&calls, says(named("Jane")))
		g := open(t, live(source("a", asked), source("b", asked)))
		only := gateway.Query{Want: cache.Want{OnlyIfCached: true}}

		a := ask(t, g, only)
		expect(t, "nothing is kept", tell(a), "504: a failed cache, b failed cache; a timeout 504, b timeout 504")
		expect(t, "what would do", a.Resolution, "Ask without only-if-cached.")
		expect(t, "calls", calls.Load(), int64(0))

		ask(t, g, gateway.Query{Sources: []string{"b"}})
		a = ask(t, g, only)
		expect(t, "something is", tell(a), "207: a failed cache, b ok cache; a timeout 504")
		expect(t, "calls", calls.Load(), int64(1))
		expect(t, "nobody was asked", a.Hit, true)
	})
}

// TestWait is RFC 7240's wait: an answer by then, with what is there. What is
// under way goes on, and is there for the next.
func TestWait(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var calls atomic.Int64
		g := open(t, live(
			source("a", counted(&calls, after(100*time.Millisecond, says(named("Jane"))))),
			source("b", counted(&calls, after(700*time.Millisecond, says(normalize.Profile{Title: "Dr"})))),
		))
		wait := func(d time.Duration) gateway.Query { return gateway.Query{Want: cache.Want{Until: time.Now().Add(d)}} }

		begin := time.Now()
		a := ask(t, g, wait(50*time.Millisecond))
		expect(t, "time", time.Since(begin), 50*time.Millisecond)
		expect(t, "nothing is there", tell(a), "503: a failed upstream, b failed upstream; a pending 202, b pending 202")

		a = ask(t, g, wait(300*time.Millisecond))
		expect(t, "time", time.Since(begin), 350*time.Millisecond)
		expect(t, "something is", tell(a), "207: a ok shared, b failed upstream; b pending 202")

		time.Sleep(400 * time.Millisecond)
		expect(t, "all is", tell(ask(t, g, wait(0))), "200: a ok cache, b ok cache")
		expect(t, "calls", calls.Load(), int64(2))

		expect(t, "nobody waits longer than he must", tell(ask(t, g, gateway.Query{Want: cache.Want{NoCache: true, Until: time.Now().Add(time.Hour)}})), "200: a ok upstream, b ok upstream")
	})
}

// TestTheOrderOfRepliesDecidesNothing: whatever the delays, the same facts give
// the same bytes.
func TestTheOrderOfRepliesDecidesNothing(t *testing.T) {
	t.Parallel()
	person := func(name, title string, roles ...string) normalize.Profile {
		p := normalize.Profile{DisplayName: name, Title: title, Emails: []normalize.Email{{Value: "jane@acme.example"}, {Value: name + "@acme.example"}}}
		for _, role := range roles {
			p.Roles = append(p.Roles, normalize.Role{Value: role})
		}
		return p
	}
	answers := []answer{
		says(person("Jane", "", "reader", "writer")),
		fails(adapters.Denied),
		says(person("Janet", "Dr", "writer")),
		inPart(person("J.", "Ms", "owner"), child(adapters.Unavailable, adapters.Detail{Code: "x"}), child(adapters.Denied, adapters.Detail{Code: "y"})),
		fails(adapters.Timeout),
	}
	played := func(t *testing.T, delays []int) (a gateway.Answer) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			l := live()
			for i, answer := range answers {
				l.Sources = append(l.Sources, source(string(rune('e'-i)), after(time.Duration(delays[i])*time.Millisecond, answer))) // the names fall where the order rises
			}
			l.Rules.Order = []string{"c", "a"}
			a = ask(t, open(t, l), gateway.Query{Provenance: true})
		})
		return a
	}
	want := played(t, []int{0, 0, 0, 0, 0})
	expect(t, "answer", tell(want), "207: e ok upstream, d failed upstream, c ok upstream, b partial upstream, a failed upstream; "+
		"d denied 403, b unavailable 503, b denied 403, a timeout 504")
	rapid.Check(t, func(r *rapid.T) {
		got := played(t, rapid.SliceOfN(rapid.IntRange(0, 5), len(answers), len(answers)).Draw(r, "ms"))
		for what, of := range map[string]func(gateway.Answer) any{
			"data":         func(a gateway.Answer) any { return string(encode(t, a.Data)) },
			"provenance":   func(a gateway.Answer) any { return string(encode(t, a.Provenance)) },
			"child errors": func(a gateway.Answer) any { return string(encode(t, a.ChildErrors)) },
			"the rest": func(a gateway.Answer) any {
				return fmt.Sprint(tell(a), a.Error, a.Reason, a.Resolution, a.IncompleteFields, a.ETag)
			},
		} {
			if of(got) != of(want) {
				r.Fatalf("%s: %v, want %v", what, of(got), of(want))
			}
		}
	})
}

// echo says back what it was asked with, and with what of the tenant.
func echo(_ context.Context, q adapters.Query) (adapters.Reply, error) {
	text := ""
	for _, m := range []map[string]string{q.Tenant, q.IDs} {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			text += fmt.Sprintf("%q=%q ", key, m[key])
		}
	}
	return adapters.Reply{Record: normalize.Record{Profile: named(text)}}, nil
}

// TestTenantsShareNothing, though they ask the same source for the same person.
func TestTenantsShareNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var calls atomic.Int64
		g := open(t, live(source("a", counted(&calls, after(time.Millisecond, echo)))))
		var callers sync.WaitGroup
		for range 10 {
			for _, tenant := range []string{"acme", "globex"} {
				callers.Go(func() { ask(t, g, gateway.Query{Tenant: tenant}) })
			}
		}
		callers.Wait()
		expect(t, "calls", calls.Load(), int64(2))
	})
}

// TestNobodyGetsAnothersRecord: tenants, identifiers and links that run into one
// another wherever parts of a key are put together with too little care. What a
// source was asked with is what is answered, at first and from the cache.
func TestNobodyGetsAnothersRecord(t *testing.T) {
	t.Parallel()
	part := rapid.StringMatching(`[ab:\x{0}-]{1,4}`)
	rapid.Check(t, func(r *rapid.T) {
		l := live(
			source("a", echo, from(either([]string{"x", "y"}, []string{"x"}, []string{"y"}))),
			source("a:b", echo, from(either([]string{"y", "x"}, []string{"y"}, []string{"x"}))),
		)
		l.Accept = []string{"x", "y"}
		l.Tenants = map[string]*gateway.Tenant{}
		for range 3 {
			name := part.Draw(r, "tenant")
			l.Tenants[name] = &gateway.Tenant{Name: name, IDs: rapid.MapOfN(part, part, 0, 2).Draw(r, "ids")}
		}
		known := links{}
		for range 4 {
			known["x:"+part.Draw(r, "x")] = map[string]string{"y": part.Draw(r, "y")}
		}
		l.Links = anyTenant(known)
		g := open(t, l)
		defer g.Close()

		for range 2 { // at first, and from the cache
			for _, tenant := range slices.Sorted(maps.Keys(l.Tenants)) {
				for _, user := range append(slices.Sorted(maps.Keys(known)), "y:a", "y:b", "y:a:b", "x:a", "x:b") {
					kind, value, _ := strings.Cut(user, ":")
					if strings.Contains(value, "\x00") {
						continue
					}
					ids := map[string]string{kind: value}
					maps.Copy(ids, known[user])
					for _, name := range []string{"a", "a:b"} {
						values := maps.Clone(l.Tenants[tenant].IDs)
						if own, ok := values[name]; ok {
							values[normalize.Self] = own
						}
						want, _ := echo(t.Context(), adapters.Query{IDs: ids, Tenant: values})
						got := ask(t, g, gateway.Query{Tenant: tenant, User: user, Sources: []string{name}})
						if got.Data.DisplayName != want.Record.Profile.DisplayName {
							r.Fatalf("%q, %q of %q is answered %s, want %s", name, user, tenant, got.Data.DisplayName, want.Record.Profile.DisplayName)
						}
					}
				}
			}
		}
	})
}

type anyTenant links

func (l anyTenant) Find(_ context.Context, _, kind, value string) (map[string]string, error) {
	return l[kind+":"+value], nil
}

// TestASourceThatAsksOtherwise is another source to the cache: its name stays,
// its hash does not.
func TestASourceThatAsksOtherwise(t *testing.T) {
	t.Parallel()
	first, second := source("a", says(named("Jane"))), source("a", says(named("Janet")))
	second.Hash = "another"
	g := open(t, live(first, second))
	a := ask(t, g, gateway.Query{})
	expect(t, "answer", tell(a), "200: a ok upstream, a ok upstream")
}

// TestTwoGatewaysSideBySide know nothing of each other.
func TestTwoGatewaysSideBySide(t *testing.T) {
	bubble(t, func(t *testing.T) {
		one := open(t, live(source("a", says(named("Jane")))))
		two := open(t, live(source("a", says(named("Janet")))))
		for _, want := range []string{"200: a ok upstream", "200: a ok cache"} {
			for g, name := range map[*gateway.Gateway]string{one: "Jane", two: "Janet"} {
				a := ask(t, g, gateway.Query{})
				expect(t, name, []any{tell(a), a.Data.DisplayName}, []any{want, name})
			}
		}
		two.Close()
		expect(t, "one, after the other has ended", tell(ask(t, one, gateway.Query{})), "200: a ok cache")
		expect(t, "the other", tell(ask(t, two, gateway.Query{})), "503: a failed upstream; a unavailable 503")
	})
}

func TestOptionsOfAGateway(t *testing.T) {
	t.Parallel()
	g, err := gateway.New(live(), gateway.Options{Tracer: tracenoop.NewTracerProvider().Tracer(""), Meter: metricnoop.NewMeterProvider().Meter("")})
	if g != nil || err == nil || err.Error() != "cache: MaxBytes must be positive" {
		t.Errorf("without room for anything: %v, %v", g, err)
	}
	l := live()
	if open(t, l).Live() != l {
		t.Error("Live is not what the gateway was given")
	}
}

package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
	"pgregory.net/rapid"

	"muster/adapters"
	"muster/gateway"
)

// purge purges jane of acme, unless the query says whom. Nothing happens at the same
// instant as a purge, which would count for before.
func purge(t testing.TB, g *gateway.Gateway, q gateway.Query) {
	t.Helper()
	time.Sleep(time.Millisecond)
	if err := g.Purge(t.Context(), jane(q)); err != nil {
		t.Fatalf("Purge: %v", err)
	}
	time.Sleep(time.Millisecond)
}

// TestPurge: whichever of their identifiers a person is purged by, and whichever they
// are asked for by next, every source is asked anew; whoever else is kept stays.
func TestPurge(t *testing.T) {
	t.Parallel()
	const anew = "200: search ok upstream, directory ok upstream, hr ok upstream"
	const kept = "200: search ok cache, directory ok cache, hr ok cache"
	users := []string{"email:jane@x.example", "directory:7", "hr:42"}
	for _, links := range []time.Duration{time.Hour, 0} { // where nothing is learned, too
		for _, met := range users {
			for _, purged := range users {
				for _, next := range users {
					t.Run(fmt.Sprint(links, " met by ", met, ", purged by ", purged, ", asked for by ", next), func(t *testing.T) {
						t.Parallel()
						synctest.Test(t, func(t *testing.T) {
							l := people(knows("", "directory", "7"), knows("Jane", "self", "7", "hr", "42", "email+", "jane@x.example"), knows("Jane Doe", "self", "42", "directory", "7"))
							asks([]string{"self", "directory"}, "self")(l.Sources[2]) // so that any identifier leads to all
							l.LinksFor = links
							g := open(t, l)
							expect(t, "before", tell(ask(t, g, gateway.Query{User: met})), anew)
							ask(t, g, gateway.Query{User: next})
							ask(t, g, gateway.Query{User: next, Tenant: "globex"})
							purge(t, g, gateway.Query{User: purged})
							expect(t, "after", tell(ask(t, g, gateway.Query{User: next})), anew)
							expect(t, "and then", tell(ask(t, g, gateway.Query{User: next})), kept)
							expect(t, "of another tenant", tell(ask(t, g, gateway.Query{User: next, Tenant: "globex"})), kept)
						})
					})
				}
			}
		}
	}
}

// TestPurgeOneSource: of a person who is known by an identifier that only learned links
// know, not even a single source's record is left.
func TestPurgeOneSource(t *testing.T) {
	t.Parallel()
	for _, links := range []time.Duration{time.Hour, 0} {
		synctest.Test(t, func(t *testing.T) {
			l := people(knows("", "directory", "7"), knows("Jane", "self", "7", "hr", "42"), knows("Jane Doe", "self", "42"))
			l.LinksFor = links
			g := open(t, l)
			ask(t, g, gateway.Query{User: "email:jane@x.example"})
			purge(t, g, gateway.Query{User: "email:jane@x.example"})
			expect(t, "after", tell(ask(t, g, gateway.Query{User: "hr:42", Sources: []string{"hr"}})), "200: search skipped, directory skipped, hr ok upstream")
			ask(t, g, gateway.Query{User: "email:jane@x.example"})
			purge(t, g, gateway.Query{User: "hr:42"})
			expect(t, "the other way", tell(ask(t, g, gateway.Query{User: "email:jane@x.example", Sources: []string{"search"}})), "200: search ok upstream, directory skipped, hr skipped")
		})
	}
}

// TestPurgeLearned: what was learned of a person goes too, and is learned anew.
func TestPurgeLearned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := open(t, slowly())
		takes := func(what string, want time.Duration) {
			t.Helper()
			begin := time.Now()
			ask(t, g, gateway.Query{User: "email:jane@x.example"})
			expect(t, what, time.Since(begin), want)
		}
		takes("cold", 300*time.Millisecond)
		takes("warm", 100*time.Millisecond)
		purge(t, g, gateway.Query{User: "hr:42"})
		takes("purged", 300*time.Millisecond)
		takes("learned anew", 100*time.Millisecond)
	})
}

// TestPurgeEveryKind: what stands in while a source is down, what a source knows nobody
// by, and what is one caller's alone.
func TestPurgeEveryKind(t *testing.T) {
	t.Parallel()
	t.Run("nobody is known", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			g := open(t, live(source("a", inTurn(fails(adapters.NotFound), says(named("Jane"))))))
			expect(t, "before", tell(ask(t, g, gateway.Query{})), "404: a absent upstream")
			expect(t, "kept", tell(ask(t, g, gateway.Query{})), "404: a absent cache")
			purge(t, g, gateway.Query{User: "username:JANE"})
			expect(t, "after", tell(ask(t, g, gateway.Query{})), "200: a ok upstream")
		})
	})
	t.Run("nothing stands in", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			g := open(t, live(source("a", inTurn(says(named("Jane")), fails(adapters.Unavailable)))))
			ask(t, g, gateway.Query{})
			purge(t, g, gateway.Query{})
			for range 2 {
				expect(t, "down", tell(ask(t, g, gateway.Query{})), "503: a failed upstream; a unavailable 503")
			}
		})
	})
	t.Run("of every caller", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			g := open(t, live(source("a", canary, asCaller)))
			for _, who := range callers() {
				ask(t, g, gateway.Query{Caller: who})
			}
			operator := callerOf("x", "y", "z")
			operator.Scopes = []string{"muster.purge"}
			purge(t, g, gateway.Query{Caller: operator})
			for _, who := range callers() {
				a := ask(t, g, gateway.Query{Caller: who})
				expect(t, "after", tell(a), "200: a ok upstream")
				expect(t, "whose", *a.Data, named(whose(&who.Caller)))
			}
		})
	})
	t.Run("what one caller alone was told", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			own := func(s *gateway.Source) {
				s.Upstream = upstream{needs: [][]string{{"email"}}, yields: []string{"badge"}, members: []string{"displayName"}, caller: true}
			}
			g := open(t, live(source("a", knows("Jane", "badge", "7"), own), source("doors", knows("J."), asks(nil, "badge"))))
			who := callers()[0]
			for _, purged := range []string{"email:jane@x.example", "badge:7"} {
				ask(t, g, gateway.Query{User: "email:jane@x.example", Caller: who})
				purge(t, g, gateway.Query{User: purged})
				expect(t, "the doors", tell(ask(t, g, gateway.Query{User: "badge:7", Caller: callers()[1]})), "200: a unlinked [email], doors ok upstream")
				expect(t, "the caller", tell(ask(t, g, gateway.Query{User: "email:jane@x.example", Caller: who, Sources: []string{"a"}})), "200: a ok upstream, doors skipped")
			}
		})
	})
}

// TestPurgeUnderWay: a lookup that has begun before puts nothing back, neither records
// nor what it has learned; and one that begins while the old call is still on its way
// makes a call of its own, and does not wait.
func TestPurgeUnderWay(t *testing.T) {
	t.Parallel()
	for _, keep := range []adapters.Lifetimes{keep(), {}} { // and where nothing is kept but what was learned
		synctest.Test(t, func(t *testing.T) {
			const slow, fast = 100 * time.Millisecond, 10 * time.Millisecond
			l := people( // whose lookups have begun a moment before the first source is asked
				inTurn(after(slow, knows("", "directory", "6")), after(fast, knows("", "directory", "7"))),
				func(ctx context.Context, q adapters.Query) (adapters.Reply, error) {
					return after(fast, knows("number "+q.IDs["self"], "self", q.IDs["self"], "hr", "42"))(ctx, q)
				},
				after(fast, knows("", "self", "42")))
			for _, s := range l.Sources {
				s.Keep = keep
			}
			l.Links = linksFunc(func() (map[string]string, error) { time.Sleep(time.Millisecond); return nil, nil })
			g := open(t, l)
			old := make(chan gateway.Answer)
			go func() { old <- ask(t, g, gateway.Query{User: "email:jane@x.example"}) }()
			time.Sleep(slow / 2) // the search is being asked
			purge(t, g, gateway.Query{User: "email:jane@x.example"})
			begin := time.Now()
			a := ask(t, g, gateway.Query{User: "email:jane@x.example"})
			expect(t, "begun after", a.Data.DisplayName, "number 7")
			expect(t, "it took", time.Since(begin), 3*fast+time.Millisecond)
			expect(t, "begun before", (<-old).Data.DisplayName, "number 6")
			for _, user := range []string{"email:jane@x.example", "directory:7"} {
				begin = time.Now()
				a = ask(t, g, gateway.Query{User: user, Sources: []string{"search", "directory"}})
				expect(t, user, a.Data.DisplayName, "number 7")
				if keep.TTL == 0 {
					expect(t, user+" is asked for in one wave", time.Since(begin), fast+time.Millisecond)
				}
			}
		})
	}
}

// TestPurgeOfWhoIsFoundToBe: somebody is purged by an identifier of which nothing kept
// says whose it is. It comes to light later, and then the purge counts for them, for
// what was kept before alone.
func TestPurgeOfWhoIsFoundToBe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := live(
			source("names", says(named("Jane"))),
			source("phones", says(named("Jane"))),
			source("mails", inTurn(knows(""), knows("", "badge", "7")), from(upstream{needs: [][]string{{"username"}}, yields: []string{"badge"}, members: []string{"emails"}}), func(s *gateway.Source) { s.Keep = adapters.Lifetimes{} }),
		)
		l.LinksFor = 0
		g := open(t, l)
		expect(t, "before", tell(ask(t, g, gateway.Query{})), "200: names ok upstream, phones ok upstream, mails ok upstream")
		purge(t, g, gateway.Query{User: "badge:7"})
		expect(t, "it comes to light", tell(ask(t, g, gateway.Query{Sources: []string{"names", "mails"}})), "200: names ok upstream, phones skipped, mails ok upstream")
		expect(t, "and is known then", tell(ask(t, g, gateway.Query{Sources: []string{"names", "phones"}})), "200: names ok cache, phones ok upstream, mails skipped")
	})
}

// cramped is a gateway that has room for a few records, and for no links of long
// identifiers.
func cramped(t testing.TB, l *gateway.Live) *gateway.Gateway {
	t.Helper()
	return openWith(t, l, gateway.Options{CacheBytes: 8 << 10, Tracer: tracenoop.NewTracerProvider().Tracer(""), Meter: metricnoop.NewMeterProvider().Meter("")})
}

// TestPurgeAsksNobodyByWhatWasForgotten: what a record said that is purged by itself leads
// nobody on any more, also where what was learned found no room.
func TestPurgeAsksNobodyByWhatWasForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		seven, before, now := strings.Repeat("7", 300), strings.Repeat("41", 150), strings.Repeat("42", 150)
		var mu sync.Mutex
		var asked []string
		l := people(fails(adapters.NotFound),
			inTurn(knows("Jane", "self", seven, "hr", before), knows("Jane", "self", seven, "hr", now)),
			func(_ context.Context, q adapters.Query) (adapters.Reply, error) {
				mu.Lock()
				defer mu.Unlock()
				asked = append(asked, q.IDs["self"])
				return adapters.Reply{}, adapters.Fail(adapters.Denied, "a test says so", nil)
			})
		l.LinksFor = 0
		g := cramped(t, l)
		ask(t, g, gateway.Query{User: "directory:" + seven, Sources: []string{"directory"}})
		purge(t, g, gateway.Query{User: "hr:" + before})
		ask(t, g, gateway.Query{User: "directory:" + seven})
		expect(t, "asked", asked, []string{now})
	})
}

// TestPurgeWithoutMemory: where what was learned finds no room, the records themselves
// know by what they were found, and what they say.
func TestPurgeWithoutMemory(t *testing.T) {
	t.Parallel()
	long := func(what string) string { return strings.Repeat(what, 300) }
	jane := "email:" + strings.Repeat("j", 300) + "@x.example"
	for name, user := range map[string]string{"found by": jane, "says": "directory:" + long("7")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := people(knows("", "directory", long("7")), knows("Jane", "self", long("7")), fails(adapters.NotFound))
				if name == "says" {
					l.Sources[1].Adapter = adapters.AdapterFunc(knows("Jane", "self", long("7"), "email+", jane[len("email:"):]))
				}
				l.Sources[0].Keep = adapters.Lifetimes{}
				g := cramped(t, l)
				ask(t, g, gateway.Query{User: user, Sources: []string{"search", "directory"}})
				only := gateway.Query{User: "directory:" + long("7"), Sources: []string{"directory"}}
				expect(t, "kept", tell(ask(t, g, only)), "200: search skipped, directory ok cache, hr skipped")
				purge(t, g, gateway.Query{User: jane})
				expect(t, "after", tell(ask(t, g, only)), "200: search skipped, directory ok upstream, hr skipped")
			})
		})
	}
}

// TestPurgeRights: who may not ask for the tenant, or purge, is refused before it is
// looked at whom they mean; whether anybody was known is not told.
func TestPurgeRights(t *testing.T) {
	t.Parallel()
	who := func(tenant string, scopes ...string) *gateway.Caller {
		return &gateway.Caller{Scopes: scopes, Tenants: []string{tenant}}
	}
	tests := []struct {
		name string
		q    gateway.Query
		want string
	}{
		{"nobody is asked who they are", gateway.Query{User: "email:nobody@x.example"}, "<nil>"},
		{"with the scope", gateway.Query{Caller: who("acme", "a", "muster.purge")}, "<nil>"},
		{"without it", gateway.Query{Caller: who("acme", "muster.explain")}, "403 To purge needs the scope muster.purge."},
		{"without it, and nobody", gateway.Query{User: "pet:rex", Caller: who("acme")}, "403 To purge needs the scope muster.purge."},
		{"another's tenant", gateway.Query{User: "pet:rex", Caller: who("globex", "muster.purge")}, "403 The tenant is not the caller's."},
		{"no such tenant", gateway.Query{Tenant: "umbrella"}, "404 No tenant 'umbrella' is configured."},
		{"no such kind", gateway.Query{User: "pet:rex"}, "400 The kind of identifier before the first colon is not accepted."},
		{"empty", gateway.Query{User: "email:"}, "400 The identifier is empty."},
	}
	g := open(t, live(source("a", says(named("Jane")))))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := g.Purge(t.Context(), jane(tt.q))
			if lacks, is := errors.AsType[*gateway.RequestError](err); is {
				expect(t, "the scope that is lacking", lacks.Scope, map[bool]string{true: "muster.purge"}[strings.Contains(tt.want, "scope")])
			}
			got := fmt.Sprint(err)
			if refused := (*gateway.RequestError)(nil); errors.As(err, &refused) {
				got = fmt.Sprint(refused.Status, " ", refused.Reason)
			}
			expect(t, "refused", got, tt.want)
		})
	}
}

// TestPurgeWithLinks: an operator's link leads to what is to be forgotten; where the
// links are down, what can be is forgotten, and it is said that this may not be all.
func TestPurgeWithLinks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		l := live(source("names", says(named("Jane"))), source("badges", says(named("Jane")), from(by("badge"))))
		linked := linksFunc(func() (map[string]string, error) {
			if down.Load() {
				return nil, errors.New("connection refused")
			}
			return map[string]string{"username": "jane", "badge": "7"}, nil
		})
		l.Links, l.LinksFor = linked, 0
		g := open(t, l)
		ask(t, g, gateway.Query{})
		purge(t, g, gateway.Query{User: "badge:7"})
		down.Store(true)
		a := ask(t, g, gateway.Query{Sources: []string{"names"}})
		expect(t, "by the other identifier", tell(a), "207: names ok upstream, badges skipped, links failed upstream; links unavailable 503")
		time.Sleep(time.Millisecond)
		err := g.Purge(t.Context(), jane(gateway.Query{}))
		refused := (*gateway.RequestError)(nil)
		if !errors.As(err, &refused) || refused.Status != http.StatusServiceUnavailable {
			t.Fatalf("links that are down: %v", err)
		}
		time.Sleep(time.Millisecond)
		a = ask(t, g, gateway.Query{Sources: []string{"names"}})
		expect(t, "what could be", tell(a), "207: names ok upstream, badges skipped, links failed upstream; links unavailable 503")
	})
}

type linksFunc func() (map[string]string, error)

func (f linksFunc) Find(context.Context, string, string, string) (map[string]string, error) {
	return f()
}

// TestPurgeIsAFreshStart: whatever was asked in whatever world before, after a purge the
// same calls are made and the same is told as by a gateway that has never seen the person.
func TestPurgeIsAFreshStart(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		number := rapid.Uint64Range(0, 1<<20).Draw(rt, "world")
		before := rapid.SliceOfN(rapid.SampledFrom([][]string{nil, {"displayName"}, {"title"}, {"id"}}), 0, 4).Draw(rt, "asked before, fields")
		waits := rapid.SliceOfN(rapid.SampledFrom([]time.Duration{0, time.Second, 20 * time.Second, 2 * time.Minute, 2 * time.Hour}), 5, 5).Draw(rt, "waits")
		impatient := rapid.Bool().Draw(rt, "the last before does not wait")
		links := rapid.SampledFrom([]time.Duration{0, time.Minute, time.Hour}).Draw(rt, "cache.links")
		synctest.Test(t, func(t *testing.T) {
			one := func(g *gateway.Gateway, p *puzzle, fields []string, wait time.Duration) []string {
				for _, s := range p.parties {
					s.calls()
					s.mu.Lock()
					s.asked = nil
					s.mu.Unlock()
				}
				q := gateway.Query{Tenant: "acme", User: p.kind + ":1", Fields: fields, Sources: p.only, OperationID: operationID}
				if wait > 0 {
					q.Want.Until = time.Now().Add(wait)
				}
				a, err := g.Lookup(t.Context(), q)
				if err != nil {
					rt.Fatal(err)
				}
				lines := p.told(&a)
				if a.Data != nil {
					lines = append(lines, a.Data.ID)
				}
				return lines
			}
			play := func(purged bool) []string {
				p := draw(number)
				p.hurry(rand.New(rand.NewPCG(number, 7)))
				l := p.live("acme")
				l.LinksFor = links
				g := open(t, l)
				if purged {
					for i, fields := range before {
						wait := time.Duration(0)
						if impatient && i == len(before)-1 {
							wait = 30 * time.Millisecond
						}
						one(g, p, fields, wait)
						time.Sleep(waits[i])
					}
					purge(t, g, gateway.Query{User: p.kind + ":1"})
				}
				return one(g, p, p.fields, 0)
			}
			fresh, after := play(false), play(true)
			if diff := cmp.Diff(fresh, after); diff != "" {
				rt.Fatalf("world %d (-fresh +purged):\n%s\n%s", number, diff, draw(number))
			}
		})
	})
}

// TestPurgesUnderLoad: while people are asked for by every identifier and purged all the
// time, no answer of a lookup that has begun after a purge is older than that.
func TestPurgesUnderLoad(t *testing.T) {
	t.Parallel()
	const lookups, purges, people = 4, 200, 8
	var version, purged [people]atomic.Int64
	tells := func(kind string, yields ...string) answer { // any identifier leads to all sources
		return func(ctx context.Context, q adapters.Query) (adapters.Reply, error) {
			value := q.IDs[kind]
			ids := []string{kind, value}
			if kind == "email" {
				ids[0] = "email+"
			}
			for _, other := range yields {
				ids = append(ids, other, value)
			}
			return knows(fmt.Sprint(version[value[0]-'0'].Load()), ids...)(ctx, q)
		}
	}
	l := live(
		source("names", tells("email", "badge"), asks([]string{"email", "badge"}, "email")),
		source("badges", tells("badge", "email+", "oid"), asks([]string{"email", "badge", "oid"}, "badge")),
		source("doors", tells("oid", "badge"), asks([]string{"oid", "badge"}, "oid")),
	)
	l.Accept = []string{"email", "badge", "oid"}
	g := open(t, l)
	var wg sync.WaitGroup
	var over atomic.Bool
	for i := range lookups {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 1))
			for !over.Load() {
				n := r.IntN(people)
				least := purged[n].Load()
				user := l.Accept[r.IntN(3)]
				a, err := g.Lookup(t.Context(), gateway.Query{Tenant: "acme", User: fmt.Sprint(user, ":", n), Provenance: true, OperationID: operationID})
				if err != nil {
					t.Error(err)
					return
				}
				for _, d := range a.Provenance["displayName"].Losing {
					oldest(t, fmt.Sprint(d.Value), least)
				}
				if a.Data != nil {
					oldest(t, a.Data.DisplayName, least)
				}
			}
		})
	}
	r := rand.New(rand.NewPCG(9, 9))
	for range purges {
		n := r.IntN(people)
		now := version[n].Add(1)
		if err := g.Purge(t.Context(), gateway.Query{Tenant: "acme", User: fmt.Sprint(l.Accept[r.IntN(3)], ":", n)}); err != nil {
			t.Error(err)
			break
		}
		purged[n].Store(now)
		time.Sleep(time.Millisecond)
	}
	over.Store(true)
	wg.Wait()
}

func oldest(t *testing.T, version string, least int64) {
	t.Helper()
	var v int64
	if _, err := fmt.Sscan(strings.Trim(version, `"`), &v); err != nil || v < least {
		t.Errorf("version %s, and all before %d is purged (%v)", version, least, err)
	}
}

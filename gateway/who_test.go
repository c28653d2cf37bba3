package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"muster/adapters"
	"muster/gateway"
	"muster/normalize"
)

// knows answers with a name and identifiers, KIND and value in turn; a verified one
// is written KIND+.
func knows(name string, ids ...string) answer {
	return func(context.Context, adapters.Query) (adapters.Reply, error) {
		record := normalize.Record{Profile: named(name)}
		for i := 0; i < len(ids); i += 2 {
			id := normalize.Identifier{Kind: ids[i], Value: ids[i+1]}
			if id.Kind[len(id.Kind)-1] == '+' {
				id.Kind, id.Verified = id.Kind[:len(id.Kind)-1], new(true)
			}
			record.IDs = append(record.IDs, id)
		}
		return adapters.Reply{Record: record, Status: 200}, nil
	}
}

func asks(yields []string, needs ...string) func(*gateway.Source) {
	u := upstream{yields: yields, members: []string{"displayName"}}
	for _, kind := range needs {
		u.needs = append(u.needs, []string{kind})
	}
	return from(u)
}

// people is a resolver by e-mail address, and a directory by its own number that
// yields another system's.
func people(resolver, directory, hr answer) *gateway.Live {
	l := live(
		source("search", resolver, asks([]string{"directory"}, "email")),
		source("directory", directory, asks([]string{"self", "hr", "email"}, "self")),
		source("hr", hr, asks([]string{"self"}, "self")),
	)
	l.Accept = []string{"email", "directory", "hr", "username"}
	return l
}

// slowly are people whose sources take 100 ms each, and of whom nothing is kept but
// the links.
func slowly() *gateway.Live {
	slow := func(a answer) answer { return after(100*time.Millisecond, a) }
	l := people(
		slow(knows("", "directory", "7")),
		slow(knows("Jane", "self", "7", "hr", "42", "email+", "jane@x.example")),
		slow(knows("Jane Doe", "self", "42")))
	for i := range l.Sources {
		l.Sources[i].Keep = adapters.Lifetimes{}
	}
	return l
}

// TestOneIdentifierIsEnough: whatever identifier leads to the person, the data and
// the id are the same, and the second lookup asks all at once.
func TestOneIdentifierIsEnough(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := open(t, slowly())
		timed := func(user string) (gateway.Answer, time.Duration) {
			begin := time.Now()
			a := ask(t, g, gateway.Query{User: user})
			return a, time.Since(begin)
		}
		cold, took := timed("email:jane@x.example")
		expect(t, "cold", tell(cold), "200: search ok upstream, directory ok upstream, hr ok upstream")
		expect(t, "cold, three waves", took, 300*time.Millisecond)
		if cold.Data.ID == "" {
			t.Error("there is no id")
		}
		for _, user := range []string{"email:Jane@X.example", "directory:7", "hr:42"} {
			warm, took := timed(user)
			expect(t, user+" in one wave", took, 100*time.Millisecond)
			expect(t, user+" id", warm.Data.ID, cold.Data.ID)
			expect(t, user+" name", warm.Data.DisplayName, cold.Data.DisplayName)
		}
	})
}

// TestExplain: the waves, what each source was asked with and gave, and the evidence
// of each identifier; no value of any of them, nothing of who was dropped, and no
// member that was not asked for.
func TestExplain(t *testing.T) {
	t.Parallel()
	l := people(
		knows("", "directory", "CANARY-7"),
		knows("CANARY", "self", "CANARY-7", "hr", "CANARY-42", "email+", "canary@x.example"),
		fails(adapters.Unavailable))
	g := open(t, l)
	explain := func(q gateway.Query) string {
		a := ask(t, g, q)
		if a.Explain == nil {
			t.Fatal("it is not explained")
		}
		for i := range a.Explain.Sources {
			a.Explain.Sources[i].Took = nil
		}
		text, err := json.Marshal(a.Explain)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	const user = "email:canary@x.example"
	expect(t, "not asked for", ask(t, g, gateway.Query{User: user}).Explain == nil, true)
	expect(t, "warm", explain(gateway.Query{User: user, Explain: true}), `{"waves":1,"sources":[`+
		`{"source":"search","outcome":"ok","wave":1,"asked":["email"],"from":"cache","trust":"assumed","breaker":"closed"},`+
		`{"source":"directory","outcome":"ok","wave":1,"asked":["directory"],"from":"cache","gave":["displayName"],"trust":"assumed","breaker":"closed"},`+
		`{"source":"hr","outcome":"failed","wave":1,"asked":["hr"],"from":"upstream","breaker":"closed"}],"identifiers":[`+
		`{"kind":"email","said":"caller","trust":"own","wave":0},`+
		`{"kind":"directory","said":"search","trust":"assumed","wave":0,"learned":true},`+
		`{"kind":"directory","said":"directory","trust":"assumed","wave":0,"learned":true},`+
		`{"kind":"hr","said":"directory","trust":"assumed","wave":0,"learned":true},`+
		`{"kind":"email","said":"directory","trust":"assumed","wave":0,"learned":true},`+
		`{"kind":"directory","said":"search","trust":"assumed","asked":["email"],"wave":1},`+
		`{"kind":"directory","said":"directory","trust":"assumed","asked":["directory"],"wave":1},`+
		`{"kind":"hr","said":"directory","trust":"assumed","asked":["directory"],"wave":1},`+
		`{"kind":"email","said":"directory","trust":"assumed","asked":["directory"],"wave":1}]}`)
	if text := explain(gateway.Query{User: user, Explain: true, Fields: []string{"emails"}}); strings.Contains(text, "displayName") {
		t.Errorf("a member that was not asked for: %s", text)
	}
	refused := ask(t, g, gateway.Query{User: user, Explain: true, Strict: true})
	expect(t, "of a refusal", refused.Data == nil && refused.Explain != nil, true)
}

// TestExplainNeedsItsScope, where callers are known.
func TestExplainNeedsItsScope(t *testing.T) {
	t.Parallel()
	g := open(t, live(source("a", canary)))
	for scope, want := range map[string]int{gateway.ScopeExplain: 200, "muster.explain2": 403, "": 403} {
		who := callerOf("a", "b", "1")
		who.Scopes = []string{scope}
		a, err := g.Lookup(t.Context(), gateway.Query{Tenant: "acme", User: "jane", Caller: who, Explain: true})
		if refused, is := errors.AsType[*gateway.RequestError](err); is {
			a.Status = refused.Status
			expect(t, scope+": the scope that is lacking", refused.Scope, gateway.ScopeExplain)
		}
		expect(t, scope, a.Status, want)
	}
}

// TestTheIDOfEveryPath: without a store, the id is the same from wherever.
func TestTheIDOfEveryPath(t *testing.T) {
	t.Parallel()
	ids := map[string]bool{}
	for _, user := range []string{"email:jane@x.example", "directory:7"} {
		g := open(t, people(
			knows("", "directory", "7"),
			knows("Jane", "self", "7", "hr", "42", "email+", "jane@x.example"),
			knows("Jane Doe", "self", "42")))
		a := ask(t, g, gateway.Query{User: user})
		expect(t, user, tell(a), "200: search ok upstream, directory ok upstream, hr ok upstream")
		ids[a.Data.ID] = true
	}
	if len(ids) != 1 || ids[""] {
		t.Errorf("ids %v", ids)
	}
}

// TestAResolverThatIsDown: cold, what is behind it is unresolved; warm, all is there.
func TestAResolverThatIsDown(t *testing.T) {
	t.Parallel()
	var down atomic.Bool
	resolver := func(ctx context.Context, q adapters.Query) (adapters.Reply, error) {
		if down.Load() {
			return fails(adapters.Unavailable)(ctx, q)
		}
		return knows("", "directory", "7")(ctx, q)
	}
	l := people(resolver, knows("Jane", "self", "7", "hr", "42"), knows("Jane Doe", "self", "42"))
	l.Sources[0].Keep = adapters.Lifetimes{}
	l.Sources = append(l.Sources, source("other", says(named("J")), from(by("email"))))
	down.Store(true)
	g := open(t, l)
	a := ask(t, g, gateway.Query{User: "email:jane@x.example"})
	expect(t, "cold", tell(a), "207: search failed upstream, directory failed [directory], hr failed [hr], other ok upstream; search unavailable 503, directory unresolved 424, hr unresolved 424")
	expect(t, "why", a.ChildErrors[1].Reason, "It waited for the identifier directory, and the source that would have given it failed.")
	down.Store(false)
	expect(t, "up", tell(ask(t, g, gateway.Query{User: "email:jane@x.example"})), "200: search ok upstream, directory ok upstream, hr ok upstream, other ok cache")
	down.Store(true)
	expect(t, "warm", tell(ask(t, g, gateway.Query{User: "email:jane@x.example"})), "207: search failed upstream, directory ok cache, hr ok cache, other ok cache; search unavailable 503")
}

// TestALinkThatIsNoMore: what a source says now goes before what it said once, and
// nothing of whom the old link led to is shown.
func TestALinkThatIsNoMore(t *testing.T) {
	t.Parallel()
	var number atomic.Value
	number.Store("7")
	resolver := func(ctx context.Context, q adapters.Query) (adapters.Reply, error) {
		return knows("", "directory", number.Load().(string))(ctx, q)
	}
	directory := func(ctx context.Context, q adapters.Query) (adapters.Reply, error) {
		return knows("number "+q.IDs[normalize.Self], "self", q.IDs[normalize.Self])(ctx, q)
	}
	l := people(resolver, directory, fails(adapters.NotFound))
	for i := range l.Sources {
		l.Sources[i].Keep = adapters.Lifetimes{}
	}
	g := open(t, l)
	expect(t, "once", ask(t, g, gateway.Query{User: "email:jane@x.example"}).Data.DisplayName, "number 7")
	number.Store("8")
	for range 2 {
		a := ask(t, g, gateway.Query{User: "email:jane@x.example"})
		expect(t, "now", tell(a), "200: search ok upstream, directory ok upstream, hr unlinked [hr]")
		expect(t, "the person", a.Data.DisplayName, "number 8")
	}
}

// TestTwoPeopleAreNeverOne: of two sources that say different persons the weaker is
// dropped whole, told, and not kept.
func TestTwoPeopleAreNeverOne(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	l := live(
		source("a", knows("Jane", "oid", "1"), asks([]string{"oid"}, "email")),
		source("b", counted(&calls, knows("CANARY", "oid", "2", "badge", "CANARY")), asks([]string{"oid", "badge"}, "email")),
		source("c", knows("CANARY"), asks(nil, "badge")),
	)
	g := open(t, l)
	for _, from := range []string{"upstream", "cache"} {
		a := ask(t, g, gateway.Query{User: "email:jane@x.example", Provenance: true})
		expect(t, "answer", tell(a), "207: a ok "+from+", b failed upstream, c failed upstream; b mismatch 409, c mismatch 409")
		for _, id := range a.Data.Identifiers {
			if id.Value == "CANARY" || id.Value == "2" {
				t.Errorf("%v is shown", id)
			}
		}
		for member, d := range a.Provenance {
			if len(d.Losing) > 0 {
				t.Errorf("%s: %v", member, d)
			}
		}
	}
	if calls.Load() != 2 {
		t.Errorf("%d calls: a record that contradicts is kept", calls.Load())
	}
}

// TestLentAddresses: what an address leads to that another system has said of somebody who
// was asked for by a user name. A record that names nobody stands only while none that
// could tell whose the address is is silent.
func TestLentAddresses(t *testing.T) {
	t.Parallel()
	account := source("account", knows("", "email", "jane@x.example"), asks([]string{"email"}, "username"))
	directory := func(a answer) *gateway.Source { return source("directory", a, asks([]string{"username"}, "email")) }
	nameless := source("nameless", knows("CANARY"), asks(nil, "email"))
	for _, test := range []struct {
		name  string
		told  answer
		query gateway.Query
		want  string
	}{
		{"hers", knows("Jane", "username", "jane"), gateway.Query{}, "200: account ok upstream, directory ok upstream, nameless ok upstream"},
		{"hers, with the domain", knows("Jane", "username", "jane@x.example"), gateway.Query{}, "200: account ok upstream, directory ok upstream, nameless ok upstream"},
		{"a namesake's", knows("Jane", "username", "jane@y.example"), gateway.Query{}, "207: account ok upstream, directory failed upstream, nameless failed upstream [username]; directory mismatch 409, nameless unresolved 424"},
		{"somebody else's", knows("Joe", "username", "joe"), gateway.Query{}, "207: account ok upstream, directory failed upstream, nameless failed upstream [username]; directory mismatch 409, nameless unresolved 424"},
		{"nobody's", fails(adapters.NotFound), gateway.Query{}, "200: account ok upstream, directory absent upstream, nameless ok upstream"},
		{"not to be known", fails(adapters.Unavailable), gateway.Query{}, "207: account ok upstream, directory failed upstream, nameless failed upstream [username]; directory unavailable 503, nameless unresolved 424"},
		{"not asked after", knows("Joe", "username", "joe"), gateway.Query{Sources: []string{"account", "nameless"}}, "207: account ok upstream, directory skipped, nameless failed upstream [username]; nameless unresolved 424"},
		{"the caller's word", fails(adapters.Unavailable), gateway.Query{User: "email:jane@x.example"}, "207: account unlinked [username], directory failed upstream, nameless ok upstream; directory unavailable 503"},
	} {
		if test.query.User == "" {
			test.query.User = "username:jane"
		}
		g := open(t, live(account, directory(test.told), nameless))
		expect(t, test.name, tell(ask(t, g, test.query)), test.want)
	}

	// What leads to a record that names her is hers, whoever is silent.
	finder := source("finder", knows("Jane", "badge", "7"), asks([]string{"badge"}, "email"))
	doors := source("doors", knows("Jane", "username", "jane"), asks([]string{"username"}, "badge"))
	g := open(t, live(account, directory(fails(adapters.Unavailable)), finder, doors))
	expect(t, "seen at the doors", tell(ask(t, g, gateway.Query{User: "username:jane"})),
		"207: account ok upstream, directory failed upstream, finder ok upstream, doors ok upstream; directory unavailable 503")
}

// memberless gives a source nothing but identifiers to give.
func memberless(s *gateway.Source) {
	u := s.Upstream.(upstream)
	u.members = nil
	s.Upstream = u
}

// TestALentAddressIsNotLearnedFrom: who was looked up while the record behind a lent
// address could not be seen is not taken for its owner when it can be again.
func TestALentAddressIsNotLearnedFrom(t *testing.T) {
	t.Parallel()
	configured := func(desk answer) *gateway.Live {
		l := live(
			source("account", knows("", "self", "1", "username", "jane", "email", "joe@x.example"), asks([]string{"self", "username", "email"}, "username")),
			source("search", knows("", "desk", "7", "email", "joe@x.example"), asks([]string{"desk", "email"}, "email"), memberless),
			source("desk", desk, asks([]string{"self", "username"}, "self")),
		)
		for _, s := range l.Sources {
			s.Keep = adapters.Lifetimes{}
		}
		return l
	}
	up := configured(knows("CANARY", "self", "7", "username", "joe"))
	g := open(t, up)
	expect(t, "the owner", tell(ask(t, g, gateway.Query{User: "email:joe@x.example"})), "200: account unlinked [username], search ok upstream, desk ok upstream")
	g.Swap(configured(fails(adapters.Unavailable)))
	expect(t, "down", tell(ask(t, g, gateway.Query{User: "username:jane"})), "207: account ok upstream, search ok upstream, desk failed upstream; desk unavailable 503")
	g.Swap(up)
	for _, when := range []string{"up", "again"} {
		expect(t, when, tell(ask(t, g, gateway.Query{User: "username:jane"})),
			"207: account ok upstream, search failed upstream, desk failed upstream; search mismatch 409, desk mismatch 409")
	}
	expect(t, "the owner again", tell(ask(t, g, gateway.Query{User: "email:joe@x.example"})), "200: account unlinked [username], search ok upstream, desk ok upstream")
}

// TestHowLongLinksAreKept: as long as the configuration says, counted from when a source
// said so; with 0 nothing is learned, and what an earlier configuration has learned is
// not used.
func TestHowLongLinksAreKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := func(a answer) answer { return after(100*time.Millisecond, a) }
		configured := func(links time.Duration) *gateway.Live {
			l := people(slow(knows("", "directory", "7")), slow(knows("Jane", "self", "7", "hr", "42")), slow(knows("Jane Doe", "self", "42")))
			for i := range l.Sources { // nothing is kept but the links
				l.Sources[i].Keep = adapters.Lifetimes{}
			}
			l.LinksFor = links
			return l
		}
		g := open(t, configured(10*time.Minute))
		takes := func(what string, want time.Duration) {
			t.Helper()
			begin := time.Now()
			ask(t, g, gateway.Query{User: "email:jane@x.example"})
			expect(t, what, time.Since(begin), want)
		}
		takes("cold", 300*time.Millisecond)
		time.Sleep(8 * time.Minute) // the jitter takes up to a tenth off
		takes("within the time", 100*time.Millisecond)
		time.Sleep(3 * time.Minute)
		takes("after the time", 300*time.Millisecond)
		g.Swap(configured(0))
		takes("switched off, with some left", 300*time.Millisecond)
		takes("switched off", 300*time.Millisecond)
	})
}

// TestALookupOfLessForgetsNoMore: who asks few sources, by another identifier, leaves to
// others what was learned of the rest; what is not so any more goes.
func TestALookupOfLessForgetsNoMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := slowly()
		var hr atomic.Value
		hr.Store("42")
		l.Sources[1].Adapter = adapters.AdapterFunc(func(ctx context.Context, q adapters.Query) (adapters.Reply, error) {
			return after(100*time.Millisecond, knows("Jane", "self", "7", "hr", hr.Load().(string), "email+", "jane@x.example"))(ctx, q)
		})
		g := open(t, l)
		takes := func(user string, sources []string, want time.Duration) {
			t.Helper()
			begin := time.Now()
			ask(t, g, gateway.Query{User: user, Sources: sources})
			expect(t, user, time.Since(begin), want)
			time.Sleep(time.Millisecond)
		}
		takes("email:jane@x.example", nil, 300*time.Millisecond)
		takes("email:another@x.example", []string{"search"}, 100*time.Millisecond)
		takes("email:another@x.example", nil, 100*time.Millisecond)
		takes("directory:7", nil, 100*time.Millisecond)
		hr.Store("43")
		takes("directory:7", []string{"directory"}, 200*time.Millisecond) // and once more without what was learned
		takes("directory:7", []string{"directory"}, 100*time.Millisecond)
	})
}

// TestALookupOfLessKeepsNothingThatIsWrong: where a source says otherwise now, what was
// learned of others on its word goes with it, though they were not asked.
func TestALookupOfLessKeepsNothingThatIsWrong(t *testing.T) {
	t.Parallel()
	for hr, want := range map[string]bool{"42": true, "43": false} {
		synctest.Test(t, func(t *testing.T) {
			var now atomic.Value
			now.Store("42")
			directory := func(ctx context.Context, q adapters.Query) (adapters.Reply, error) {
				return knows("Jane", "self", "7", "hr", now.Load().(string))(ctx, q)
			}
			l := people(knows("", "directory", "7"), directory, knows("Jane", "self", "42", "room", "9"))
			asks([]string{"self", "room"}, "self")(l.Sources[2])
			for _, s := range l.Sources {
				s.Keep = adapters.Lifetimes{}
			}
			g := open(t, l)
			ask(t, g, gateway.Query{User: "email:jane@x.example"})
			time.Sleep(time.Second)
			now.Store(hr)
			ask(t, g, gateway.Query{User: "email:another@x.example", Sources: []string{"search", "directory"}})
			a := ask(t, g, gateway.Query{User: "directory:7", Sources: []string{"directory"}, Explain: true})
			room := slices.ContainsFunc(a.Explain.Identifiers, func(k gateway.ExplainedIdentifier) bool { return k.Kind == "room" && k.Learned })
			expect(t, "hr:"+hr+", the room is remembered", room, want)
		})
	}
}

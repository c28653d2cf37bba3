package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"pgregory.net/rapid"

	"muster/adapters"
	"muster/gateway"
	"muster/normalize"
)

type ids = map[string]string

// askAll looks several people of acme up.
func askAll(t testing.TB, g *gateway.Gateway, q gateway.Query, users ...ids) []gateway.Result {
	t.Helper()
	results, err := g.Lookups(t.Context(), jane(q), users)
	if err != nil || len(results) != len(users) {
		t.Fatalf("%d results for %d users, %v", len(results), len(users), err)
	}
	return results
}

// told writes a result in one line.
func told(r gateway.Result) string {
	if refused := (*gateway.RequestError)(nil); errors.As(r.Err, &refused) {
		return fmt.Sprintf("%d %s %s %s", refused.Status, refused.Title, refused.Reason, refused.Resolution)
	}
	if r.Err != nil {
		return r.Err.Error()
	}
	return tell(r.Answer)
}

// crowd are n people, called u0, u1 and so on.
func crowd(n int) []ids {
	users := make([]ids, n)
	for i := range users {
		users[i] = ids{"username": fmt.Sprint("u", i)}
	}
	return users
}

// namesake says back whom it was asked for.
func namesake(_ context.Context, q adapters.Query) (adapters.Reply, error) {
	return adapters.Reply{Record: normalize.Record{Profile: named(q.IDs["username"])}, Status: http.StatusOK}, nil
}

// unless does one thing for some people, and another for all others.
func unless(some func(user string) bool, they, others answer) answer {
	return func(ctx context.Context, q adapters.Query) (adapters.Reply, error) {
		if some(q.IDs["username"]) {
			return they(ctx, q)
		}
		return others(ctx, q)
	}
}

// TestBatchRefusals: what is wrong with one user is told at its place, and spoils no
// other; what is wrong with the whole is told of the whole.
func TestBatchRefusals(t *testing.T) {
	t.Parallel()
	number := by("badge")
	number.unfit = func(q adapters.Query) bool { return q.IDs["badge"] == "seven" }
	g := open(t, live(source("people", namesake), source("doors", says(named("Jane")), from(number))))
	const accepted = "Use one of: username, email, badge."
	for _, test := range []struct {
		name string
		user ids
		want string
	}{
		{"nothing", ids{}, "400 Bad request. The user has no identifier. " + accepted},
		{"nobody", nil, "400 Bad request. The user has no identifier. " + accepted},
		{"a kind", ids{"passport": "CANARY"}, "400 Bad request. The user has a kind of identifier that is not accepted. " + accepted},
		{"a kind beside one that is", ids{"username": "jane", "CANARY": "1"}, "400 Bad request. The user has a kind of identifier that is not accepted. " + accepted},
		{"empty", ids{"username": "jane", "email": " "}, "400 Bad request. The email is empty. Give it a value, or leave it out."},
		{"long", ids{"username": strings.Repeat("x", 513)}, "400 Bad request. The username is too long. Use at most 512 bytes."},
		{"control", ids{"username": "a\x00b"}, "400 Bad request. The username has control characters. Remove them."},
		{"bytes", ids{"username": "\xff"}, "400 Bad request. The username is not UTF-8 text. Percent-encode the identifier as UTF-8."},
		{"unusable", ids{"badge": "seven"}, "400 Bad request. The identifier cannot be what the sources that use it expect. Check the form of the value of badge."},
		{"one of two is unusable", ids{"badge": "seven", "username": "jane"}, "207: people ok upstream, doors failed; doors invalid 400"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			user := ids{"username": "before " + test.name}
			results := askAll(t, g, gateway.Query{}, user, test.user, ids{"username": "after " + test.name})
			expect(t, "told", told(results[1]), test.want)
			for _, at := range []int{0, 2} {
				expect(t, "the others", told(results[at]), "200: people ok upstream, doors unlinked [badge]")
			}
			expect(t, "before", results[0].Answer.Data.DisplayName, "before "+test.name)
			expect(t, "after", results[2].Answer.Data.DisplayName, "after "+test.name)
		})
	}
	for _, test := range []struct {
		name   string
		query  gateway.Query
		users  []ids
		status int
		want   string
	}{
		{"nobody", gateway.Query{Tenant: "acme"}, nil, 400, "The batch has 0 users."},
		{"too many", gateway.Query{Tenant: "acme"}, crowd(101), 400, "The batch has 101 users."},
		{"a member", gateway.Query{Tenant: "acme", Fields: []string{"shoe"}}, crowd(1), 400, `The member "shoe" in fields is not known.`},
		{"a source", gateway.Query{Tenant: "acme", Sources: []string{"moon"}}, crowd(1), 400, `The source "moon" in sources is not known.`},
		{"no tenant, before all else", gateway.Query{Tenant: "acne", Fields: []string{"shoe"}}, nil, 404, "No tenant 'acne' is configured."},
		{"a foreign tenant, before all else", gateway.Query{Tenant: "acme", Caller: &gateway.Caller{}, Fields: []string{"shoe"}}, nil, 403, "The tenant is not the caller's."},
	} {
		results, err := g.Lookups(t.Context(), test.query, test.users)
		var refused *gateway.RequestError
		if !errors.As(err, &refused) || results != nil {
			t.Fatalf("%s: %v, %v", test.name, results, err)
		}
		expect(t, test.name, fmt.Sprint(refused.Status, " ", refused.Reason), fmt.Sprint(test.status, " ", test.want))
	}
}

// TestBatchDuplicates: a hundred with thirty duplicates are seventy people's calls,
// and the answers stand in the order asked.
func TestBatchDuplicates(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	g := open(t, live(source("people", counted(&calls, namesake), func(s *gateway.Source) { s.Keep = adapters.Lifetimes{} })))
	users := crowd(70)
	for i := range 30 {
		users = append(users, users[(i*17)%70])
	}
	for i, r := range askAll(t, g, gateway.Query{}, users...) {
		expect(t, "answer", told(r), "200: people ok upstream")
		expect(t, "place", r.Answer.Data.DisplayName, users[i]["username"])
		expect(t, "operation", r.Answer.OperationID, operationID)
	}
	expect(t, "calls", calls.Load(), int64(70))
	askAll(t, g, gateway.Query{}, ids{"email": "Jane@X.example", "username": "jane"}, ids{"email": "jane@x.example", "username": " jane "})
	expect(t, "calls for one who is written in two ways", calls.Load(), int64(71))
}

// TestBatchHanging: one person whose source hangs takes their own budget; whoever
// must wait for a turn gets one; and the whole ends in its time.
func TestBatchHanging(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		hanging int
		within  time.Duration // budgets are a second
		ok      int
	}{
		{1, time.Second, 99},
		{15, time.Second, 85},
		{16, 1100 * time.Millisecond, 84}, // all that are under way at first
		{17, 2 * time.Second, 83},
	} {
		synctest.Test(t, func(t *testing.T) {
			hanging := func(user string) bool {
				n := 0
				_, err := fmt.Sscanf(user, "u%d", &n)
				return err == nil && n < test.hanging
			}
			l := live(source("people", unless(hanging, hangs, after(time.Millisecond, namesake))))
			g, begin := open(t, l), time.Now()
			results := askAll(t, g, gateway.Query{}, crowd(100)...)
			took, ok := time.Since(begin), 0
			for i, r := range results {
				if r.Answer.Status == http.StatusOK {
					ok++
					continue
				}
				expect(t, fmt.Sprint("user ", i), told(r), "504: people failed upstream; people timeout 504")
			}
			if took < time.Second || took > test.within || ok != test.ok {
				t.Errorf("%d hang: took %v, %d are answered", test.hanging, took, ok)
			}
		})
	}
}

// TestBatchTime: where everybody hangs, the batch ends all the same, and those whose
// turn did not come are told what is kept, or that it did not come.
func TestBatchTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		l := live(source("people", unless(func(user string) bool { return user == "u99" }, namesake, counted(&calls, hangs))))
		g := open(t, l)
		askAll(t, g, gateway.Query{}, ids{"username": "u99"})
		begin := time.Now()
		results := askAll(t, g, gateway.Query{}, crowd(100)...)
		if took := time.Since(begin); took > l.BatchTime() || took < 2*l.Budget {
			t.Errorf("took %v", took)
		}
		if n := calls.Load(); n < 32 || n > 48 {
			t.Errorf("%d were asked for", n)
		}
		expect(t, "the first", told(results[0]), "504: people failed upstream; people timeout 504")
		expect(t, "the last but one", told(results[98]), "504 Not looked up. The time of the batch ran out before it was this user's turn. Ask again: what was found out of the others is kept.")
		expect(t, "the last, who is kept", told(results[99]), "200: people ok cache")
	})
}

// TestBatchWait: when the caller will not wait longer, nobody else is asked for.
func TestBatchWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		g := open(t, live(source("people", counted(&calls, after(200*time.Millisecond, namesake)))))
		begin := time.Now()
		q := gateway.Query{}
		q.Want.Until = begin.Add(300 * time.Millisecond)
		results := askAll(t, g, q, crowd(100)...)
		expect(t, "took", time.Since(begin), 300*time.Millisecond)
		count := map[string]int{}
		for _, r := range results {
			count[told(r)]++
		}
		expect(t, "results", count, map[string]int{
			"200: people ok upstream":                         16,
			"503: people failed upstream; people pending 202": 16,
			"503 Not looked up yet. The preferred wait ran out before it was this user's turn. Ask again: what was found out of the others is kept.": 68,
		})
		expect(t, "calls", calls.Load(), int64(32))
		time.Sleep(time.Second)
		q.Want.Until = time.Now() // what is kept is told without any wait
		count = map[string]int{}
		for _, r := range askAll(t, g, q, crowd(100)...) {
			count[told(r)[:3]]++
		}
		expect(t, "without waiting", count, map[string]int{"200": 32, "503": 68})
		expect(t, "calls without waiting", calls.Load(), int64(32))
	})
}

// peak notes how many calls are under way at most.
type peak struct{ now, most atomic.Int64 }

func (p *peak) of(a answer) answer {
	return func(ctx context.Context, q adapters.Query) (adapters.Reply, error) {
		n := p.now.Add(1)
		defer p.now.Add(-1)
		for most := p.most.Load(); n > most && !p.most.CompareAndSwap(most, n); most = p.most.Load() {
		}
		return a(ctx, q)
	}
}

// TestBatchesTakeTurns: so many at once and no more, of one batch and of all; none
// is left behind; and a single lookup is as fast beside them as alone.
func TestBatchesTakeTurns(t *testing.T) {
	t.Parallel()
	for batches, most := range map[int]int64{1: 16, 2: 32, 10: 64 + 10} {
		synctest.Test(t, func(t *testing.T) {
			var p peak
			l := live(source("people", p.of(after(10*time.Millisecond, namesake))))
			l.Budget = 10 * time.Second
			g, begin := open(t, l), time.Now()
			var callers sync.WaitGroup
			ends := make([]time.Duration, batches)
			for n := range batches {
				callers.Go(func() {
					users := crowd(100)
					for i := range users {
						users[i]["username"] += fmt.Sprint(" of ", n)
					}
					for _, r := range askAll(t, g, gateway.Query{}, users...) {
						expect(t, "answer", told(r), "200: people ok upstream")
					}
					ends[n] = time.Since(begin)
				})
			}
			time.Sleep(15 * time.Millisecond)
			alone := time.Now()
			ask(t, g, gateway.Query{User: "username:single"})
			expect(t, "a single lookup", time.Since(alone), 10*time.Millisecond)
			callers.Wait()
			if got := p.most.Load(); got < most-1 || got > most+1 { // the single one
				t.Errorf("%d batches: %d under way at once, want %d", batches, got, most)
			}
			for n, end := range ends {
				if first := ends[0]; end > first+first/2 || end < first/2 {
					t.Errorf("%d batches: the first took %v, number %d %v", batches, ends[0], n, end)
				}
			}
		})
	}
}

// TestBatchesThatHang leave a way for one that does not.
func TestBatchesThatHang(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := open(t, live(source("people", unless(func(user string) bool { return strings.HasSuffix(user, "hangs") }, hangs, after(10*time.Millisecond, namesake)))))
		var callers sync.WaitGroup
		for n := range 5 {
			callers.Go(func() {
				users := crowd(20)
				for i := range users {
					users[i]["username"] += fmt.Sprint(" of ", n, " hangs")
				}
				askAll(t, g, gateway.Query{}, users...)
			})
		}
		synctest.Wait()
		begin := time.Now()
		askAll(t, g, gateway.Query{}, crowd(20)...)
		expect(t, "one by one", time.Since(begin), 200*time.Millisecond)
		callers.Wait()
	})
}

// TestBatchCallerLeaves: then everything ends, and nobody else is asked for.
func TestBatchCallerLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		g := open(t, live(source("people", counted(&calls, after(500*time.Millisecond, namesake)))))
		ctx, leave := context.WithCancel(t.Context())
		time.AfterFunc(100*time.Millisecond, leave)
		begin := time.Now()
		_, err := g.Lookups(ctx, jane(gateway.Query{}), crowd(100))
		if !errors.Is(err, context.Canceled) || time.Since(begin) != 100*time.Millisecond || calls.Load() != 16 {
			t.Errorf("%v after %v and %d calls", err, time.Since(begin), calls.Load())
		}
	})
}

// TestBatchPanic: a panic is one user's alone, and nothing is told of what with.
func TestBatchPanic(t *testing.T) {
	t.Parallel()
	u := by("username")
	u.unfit = func(q adapters.Query) bool {
		if q.IDs["username"] == "u3" {
			panic("CANARY " + q.IDs["username"])
		}
		return false
	}
	g := open(t, live(source("people", namesake, from(u))))
	for range 20 { // each would keep a turn if it were not given back
		for i, r := range askAll(t, g, gateway.Query{}, crowd(20)...) {
			if i != 3 {
				expect(t, "another", r.Answer.Status, 200)
				continue
			}
			panicked := (*gateway.PanicError)(nil)
			if !errors.As(r.Err, &panicked) || panicked.Error() != "a lookup panicked with a string" || !strings.Contains(panicked.Stack, "gateway.(*batch).one") || strings.Contains(panicked.Stack, "CANARY") {
				t.Errorf("%v", r.Err)
			}
		}
	}
}

// TestSeveralIdentifiers are the caller's word: each is used where it is needed, and
// a source that contradicts one of them is dropped.
func TestSeveralIdentifiers(t *testing.T) {
	t.Parallel()
	l := people(
		knows("", "directory", "7"),
		knows("Jane", "self", "7", "hr", "43"),
		func(ctx context.Context, q adapters.Query) (adapters.Reply, error) {
			return knows(map[string]string{"42": "Joe", "43": "Jane"}[q.IDs[normalize.Self]], "self", q.IDs[normalize.Self])(ctx, q)
		})
	g := open(t, l)
	one := func(user ids) gateway.Result { return askAll(t, g, gateway.Query{}, user)[0] }
	first := one(ids{"email": "jane@x.example", "hr": "42"})
	expect(t, "the directory says another number of hr", told(first), "207: search ok upstream, directory failed upstream, hr ok upstream; directory mismatch 409")
	expect(t, "who is shown", first.Answer.Data.DisplayName, "Joe")
	expect(t, "the search says another number of the directory", told(one(ids{"email": "jane@x.example", "directory": "8"})),
		"502: search failed cache, directory failed upstream, hr failed upstream; search mismatch 409, directory mismatch 409, hr mismatch 409")
	expect(t, "all is one person's", told(one(ids{"email": "jane@x.example", "directory": "7", "hr": "43"})), "200: search ok upstream, directory ok upstream, hr ok upstream")
}

// TestTheCallersWordIsNotLearned: that two identifiers are one person's is learned of
// sources alone. Else one caller could give another a stranger's record.
func TestTheCallersWordIsNotLearned(t *testing.T) {
	t.Parallel()
	l := live(
		source("mail", knows("Jane", "self", "1"), asks([]string{"self"}, "email")),
		source("doors", knows("CANARY", "self", "9"), asks([]string{"self"}, "badge")),
	)
	g := open(t, l)
	both := askAll(t, g, gateway.Query{}, ids{"email": "jane@x.example", "badge": "b9"})
	expect(t, "both", told(both[0]), "200: mail ok upstream, doors ok upstream")
	expect(t, "the address alone", told(askAll(t, g, gateway.Query{}, ids{"email": "jane@x.example"})[0]), "200: mail ok cache, doors unlinked [badge]")
	expect(t, "the badge alone", told(askAll(t, g, gateway.Query{}, ids{"badge": "b9"})[0]), "200: mail unlinked [email], doors ok cache")

	// A source that says so of both is another matter: the next lookup by either asks at once.
	l = live(
		source("mail", knows("Jane", "self", "1", "badge", "b9"), asks([]string{"self", "badge"}, "email")),
		source("doors", knows("Jane", "self", "9"), asks([]string{"self"}, "badge")),
	)
	g = open(t, l)
	askAll(t, g, gateway.Query{}, ids{"email": "jane@x.example", "badge": "b9"})
	answer := ask(t, g, gateway.Query{User: "email:jane@x.example", Sources: []string{"doors"}})
	expect(t, "learned", tell(answer), "200: mail skipped, doors ok cache")
}

// TestWhatTiesNothing: a user name of another system is no proof that two identifiers
// are one person's.
func TestWhatTiesNothing(t *testing.T) {
	t.Parallel()
	for _, own := range []ids{{"username": "jane", "badge": "b9"}, {"email": "jane@x.example", "badge": "b9"}} {
		doors := source("doors", knows("CANARY", "self", "9", "username", "jane", "email", "jane@x.example"), asks([]string{"self", "username", "email"}, "badge"))
		desk := source("desk", knows("CANARY"), asks(nil, "doors"))
		g := open(t, live(source("people", knows("Jane", "self", "1"), asks([]string{"self"}, "username", "email")), doors, desk))
		expect(t, "both", told(askAll(t, g, gateway.Query{}, own)[0])[:3], "200")
		delete(own, "badge")
		expect(t, fmt.Sprint(own, " alone"), told(askAll(t, g, gateway.Query{}, own)[0]), "200: people ok cache, doors unlinked [badge], desk unlinked [doors]")
	}
}

// TestTwoWhoWereLearned: where earlier lookups have learned that two identifiers are two
// people's, a user with both has the answer that they would have had before.
func TestTwoWhoWereLearned(t *testing.T) {
	t.Parallel()
	both := ids{"email": "jane@x.example", "badge": "b9"}
	var calls atomic.Int64
	configuration := func(number string, down bool) *gateway.Live {
		l := live(
			source("doors", knows("Joe", "self", "9", "hr", number), asks([]string{"self", "hr"}, "badge")),
			source("mail", knows("Jane", "self", "1", "hr", "43"), asks([]string{"self", "hr"}, "email")),
			source("hr", func(ctx context.Context, q adapters.Query) (adapters.Reply, error) {
				calls.Add(1)
				return knows("", "self", q.IDs[normalize.Self])(ctx, q)
			}, asks([]string{"self"}, "self")),
		)
		if down { // then nobody has an id
			l.Sources = append(l.Sources, source("down", fails(adapters.Unavailable), asks(nil, "email", "badge")))
		}
		for _, s := range l.Sources {
			s.Keep = adapters.Lifetimes{}
		}
		return l
	}
	for i, number := range []string{"44", "43", "44", "43"} {
		cold := askAll(t, open(t, configuration(number, i > 1)), gateway.Query{}, both)[0]
		g := open(t, configuration(number, i > 1))
		askAll(t, g, gateway.Query{}, ids{"email": "jane@x.example"})
		badge := askAll(t, g, gateway.Query{}, ids{"badge": "b9"})[0].Answer.Data.ID
		id := cold.Answer.Data.ID
		if number == "43" { // one person after all, who keeps the id of the first lookup
			id = badge
		}
		before := calls.Load()
		warm := askAll(t, g, gateway.Query{}, both)[0]
		expect(t, "answer", told(warm), told(cold))
		expect(t, "id", warm.Answer.Data.ID, id)
		expect(t, "calls", calls.Load()-before, int64(1))
	}
}

// linked says what an operator's file would.
type linked map[string]ids

func (l linked) Find(_ context.Context, _, kind, value string) (map[string]string, error) {
	return l[kind+":"+value], nil
}

// TestLinksOfSeveral: all identifiers are looked for, and two that are two people's by
// the operator's word are not one user.
func TestLinksOfSeveral(t *testing.T) {
	t.Parallel()
	l := live(source("people", namesake), source("doors", says(named("Jane")), from(by("badge"))))
	l.Accept = []string{"email", "username", "badge", "oid"}
	jane, joe := ids{"email": "jane@x.example", "oid": "1", "badge": "b1"}, ids{"username": "joe", "oid": "2"}
	l.Links = linked{"email:jane@x.example": jane, "oid:1": jane, "badge:b1": jane, "username:joe": joe, "oid:2": joe}
	g := open(t, l)
	const apart = "400 Bad request. The operator's links say that the identifiers are not one person's. Look the person up by one of them."
	for _, test := range []struct {
		user ids
		want string
	}{
		{ids{"email": "jane@x.example"}, "200: people unlinked [username], doors ok upstream"},
		{ids{"email": "jane@x.example", "username": "jane"}, "200: people ok upstream, doors ok cache"},
		{ids{"email": "nobody@x.example", "oid": "1"}, "200: people unlinked [username], doors ok cache"},
		{ids{"email": "jane@x.example", "username": "joe"}, apart},
		{ids{"email": "jane@x.example", "badge": "b2"}, apart},
		{ids{"badge": "b2", "oid": "1"}, apart},
	} {
		expect(t, fmt.Sprint(test.user), told(askAll(t, g, gateway.Query{}, test.user)[0]), test.want)
	}
}

// TestABatchIsSoManyLookups: whatever sources there are and whoever is asked for, a
// result is what a lookup of that person alone would answer. Nothing is learned here: two
// users can be one person, and what one finds out helps the other, sooner or later.
func TestABatchIsSoManyLookups(t *testing.T) {
	t.Parallel()
	kinds := []string{"username", "email", "badge", "oid"}
	rapid.Check(t, func(r *rapid.T) {
		var sources []*gateway.Source
		for n := range rapid.IntRange(1, 4).Draw(r, "sources") {
			name := fmt.Sprint("s", n)
			needs := rapid.SampledFrom(kinds).Draw(r, "needs")
			yields := rapid.SliceOfNDistinct(rapid.SampledFrom(kinds), 0, 2, rapid.ID).Draw(r, "yields")
			world := rapid.Uint64().Draw(r, "world")
			sources = append(sources, source(name, whoever(name, needs, yields, world), func(s *gateway.Source) {
				s.Upstream = upstream{needs: [][]string{{needs}}, yields: yields, members: []string{"displayName"}}
				s.Keep = adapters.Lifetimes{}
			}))
		}
		l := live(sources...)
		l.Accept, l.LinksFor = kinds, 0
		user := rapid.MapOfN(rapid.SampledFrom(append(kinds, "shoe")), rapid.SampledFrom([]string{"1", "2", "3", ""}), 0, 3)
		users := rapid.SliceOfN(user, 1, 12).Draw(r, "users")
		one := func(u ids) string {
			g := open(t, l)
			if u == nil {
				u = ids{}
			}
			a, err := g.Lookup(t.Context(), gateway.Query{Tenant: "acme", IDs: u, OperationID: operationID})
			return said(gateway.Result{Answer: a, Err: err})
		}
		g := open(t, l)
		for i, result := range askAll(t, g, gateway.Query{}, users...) {
			if got, want := said(result), one(users[i]); got != want {
				r.Fatalf("user %d %v\n%s, alone\n%s", i, users[i], got, want)
			}
		}
	})
}

// whoever answers about people as a world of its own has them: some it does not know,
// some make it fail, and of the others it yields what is always the same.
func whoever(name, needs string, yields []string, world uint64) answer {
	return func(_ context.Context, q adapters.Query) (adapters.Reply, error) {
		value := q.IDs[needs]
		dice := world
		for _, b := range []byte(value) {
			dice = dice*31 + uint64(b)
		}
		switch dice % 5 {
		case 0:
			return adapters.Reply{}, adapters.Fail(adapters.NotFound, "a test says so", nil)
		case 1:
			return adapters.Reply{}, adapters.Fail(adapters.Unavailable, "a test says so", nil)
		}
		record := normalize.Record{Profile: named(name + " of " + value)}
		for i, kind := range yields {
			id := normalize.Identifier{Kind: kind, Value: fmt.Sprint(dice>>(8*i)%3 + 1), Verified: new(true)}
			if kind == needs {
				id.Value = value
			}
			record.IDs = append(record.IDs, id)
		}
		return adapters.Reply{Record: record, Status: http.StatusOK}, nil
	}
}

// said is a result without what differs from one asking to the next: how long it took,
// whether the source was asked or somebody else was asking, and the id, which is
// learned.
func said(r gateway.Result) string {
	text := strings.NewReplacer(" shared", " upstream").Replace(told(r))
	if r.Answer.Data != nil {
		profile := *r.Answer.Data
		profile.ID = ""
		data, _ := json.Marshal(profile)
		text += " " + string(data)
	}
	return text
}

// TestBatchTelemetry: a batch is one trace, with a span for each lookup under the
// request's, and each counts.
func TestBatchTelemetry(t *testing.T) {
	t.Parallel()
	w := watch(t, live(source("people", unless(func(user string) bool { return user == "u1" }, fails(adapters.NotFound), namesake))))
	ctx, request := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(w.spans)).Tracer("").Start(t.Context(), "POST")
	if _, err := w.Lookups(ctx, jane(gateway.Query{}), []ids{{"username": "u0"}, {"username": "u1", "email": "u1@x.example"}, {"username": "u0"}, {}}); err != nil {
		t.Fatal(err)
	}
	request.End()
	count := map[string]int{}
	for _, line := range w.tree() {
		if strings.HasPrefix(line, "POST") {
			count[line]++
		}
	}
	expect(t, "spans", count, map[string]int{
		"POST{muster.batch.size=4}": 1,
		"POST / lookup{muster.child_errors=0 muster.complete=true muster.identifier.kind=username muster.status=200 muster.tenant=acme}":        1,
		"POST / lookup{muster.child_errors=0 muster.complete=false muster.identifier.kind=username,email muster.status=404 muster.tenant=acme}": 1,
	})
	expect(t, "lookups", w.only("muster.lookup.complete"), map[string]int64{
		"{complete=false http.response.status_code=404}": 1, "{complete=true http.response.status_code=200}": 1,
	})
	for _, span := range w.spans.Ended() {
		if span.SpanContext().TraceID() != request.SpanContext().TraceID() {
			t.Errorf("%s is in a trace of its own", span.Name())
		}
	}
}

// BenchmarkBatch is a hundred warm people at six sources in one batch, as a multiple
// of a hundred lookups one by one.
func BenchmarkBatch(b *testing.B) {
	g := open(b, six())
	users := crowd(100)
	askAll(b, g, gateway.Query{}, users...)
	var one, all time.Duration
	for b.Loop() {
		begin := time.Now()
		for _, user := range users {
			ask(b, g, gateway.Query{IDs: user})
		}
		one += time.Since(begin)
		begin = time.Now()
		askAll(b, g, gateway.Query{}, users...)
		all += time.Since(begin)
	}
	b.ReportMetric(float64(all)/float64(one), "batch/singles")
	b.ReportMetric(float64(all.Microseconds())/float64(b.N), "µs/batch")
}

package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"muster/adapters"
	"muster/cache"
	"muster/gateway"
	"muster/normalize"
)

// shows makes a policy for all who have the scopes, which may be none.
func shows(t testing.TB, scopes string, show ...string) gateway.Policy {
	t.Helper()
	return gateway.Policy{Scopes: strings.Fields(scopes), Shows: selected(t, show...)}
}

func selected(t testing.TB, paths ...string) normalize.Selection {
	t.Helper()
	s, err := normalize.NewSelection(paths)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// where adds a condition on the caller and the target.
func where(t testing.TB, text string, p gateway.Policy) gateway.Policy {
	t.Helper()
	var err error
	if p.CEL, err = normalize.ParsePredicate(text, gateway.PolicyVariables()...); err != nil {
		t.Fatal(err)
	}
	return p
}

// policed puts policies in force.
func policed(l *gateway.Live, all ...gateway.Policy) *gateway.Live {
	l.Policies = &gateway.Policies{All: all, Known: true}
	return l
}

// scoped is a caller of acme.
func scoped(scopes string) *gateway.Caller {
	c := callerOf("https://login.example.com/", "jane-subject", "token")
	c.Scopes, c.Decided = strings.Fields(scopes), new(gateway.Decided)
	return c
}

// gives is an upstream that is asked by one kind, and gives and yields so much.
func gives(kind, members, yields string) func(*gateway.Source) {
	return from(upstream{needs: [][]string{{kind}}, members: strings.Fields(members), yields: strings.Fields(yields)})
}

// record answers with a profile and identifiers, whose addresses are verified.
func record(p normalize.Profile, ids ...string) answer {
	return func(context.Context, adapters.Query) (adapters.Reply, error) {
		r := normalize.Record{Profile: p}
		for _, id := range ids {
			kind, value, _ := strings.Cut(id, ":")
			one := normalize.Identifier{Kind: kind, Value: value}
			if kind == "email" {
				one.Verified = ptr(true)
			}
			r.IDs = append(r.IDs, one)
		}
		return adapters.Reply{Record: r, Status: http.StatusOK}, nil
	}
}

func absent() answer { return fails(adapters.NotFound) }

const shownNothing = "403 No policy shows the caller what was asked for."

// outcome is an answer in a line: how it went, and the members it shows.
func outcome(t testing.TB, g *gateway.Gateway, q gateway.Query) string {
	t.Helper()
	a, err := g.Lookup(t.Context(), jane(q))
	if refused, ok := err.(*gateway.RequestError); ok { //nolint:errorlint // the very type is promised
		return fmt.Sprint(refused.Status, " ", refused.Reason)
	}
	if err != nil {
		t.Fatal(err)
	}
	if a.Data == nil {
		return tell(a)
	}
	content, _ := json.Marshal(a.Data)
	return tell(a) + " " + string(content)
}

// TestPoliciesAddUp: what each policy shows less what it hides, of all that hold; and
// nothing without any. Who sees nothing is refused before a source is asked, and a
// source of which nobody may see anything is not asked.
func TestPoliciesAddUp(t *testing.T) {
	var calls atomic.Int64
	full := normalize.Profile{DisplayName: "Jane", Title: "Dr", Department: "IT"}
	l := live(
		source("a", counted(&calls, says(full)), gives("username", "displayName title department", "")),
		source("b", counted(&calls, says(normalize.Profile{NickName: "J"})), gives("username", "nickName", "")))
	all := shows(t, "full", "*")
	all.Shows = all.Shows.Minus(selected(t, "title"))
	g := open(t, policed(l, shows(t, "basic", "displayName"), shows(t, "basic jobs", "title"), all,
		where(t, "caller.subject == 'boss'", shows(t, "", "department"))))
	boss := scoped("")
	boss.Subject = "boss"
	for _, test := range []struct {
		who    *gateway.Caller
		fields []string
		want   string
		calls  int64
	}{
		{nil, nil, shownNothing, 0},
		{scoped(""), nil, shownNothing, 0},
		{scoped("jobs Basic basi basics"), nil, shownNothing, 0},
		{scoped("basic"), nil, `200: a ok upstream, b skipped {"displayName":"Jane"}`, 1},
		{scoped("basic jobs"), nil, `200: a ok cache, b skipped {"displayName":"Jane","title":"Dr"}`, 0},
		{scoped("full"), nil, `200: a ok cache, b ok upstream {"displayName":"Jane","nickName":"J","department":"IT"}`, 1},
		{scoped("full jobs basic"), nil, `200: a ok cache, b ok cache {"displayName":"Jane","nickName":"J","title":"Dr","department":"IT"}`, 0},
		{scoped("basic"), []string{"title"}, shownNothing, 0},
		{scoped("basic"), []string{"title", "displayName"}, `200: a ok cache, b skipped {"displayName":"Jane"}`, 0},
		{scoped("full"), []string{"nickName"}, `200: a skipped, b ok cache {"nickName":"J"}`, 0},
		{boss, nil, `200: a ok cache, b skipped {"department":"IT"}`, 0},
		{scoped("basic"), []string{"nobody"}, "400 The member \"nobody\" in fields is not known.", 0},
		{scoped(""), []string{"nobody"}, shownNothing, 0},
	} {
		calls.Store(0)
		expect(t, fmt.Sprint(test.who, test.fields), outcome(t, g, gateway.Query{Caller: test.who, Fields: test.fields}), test.want)
		expect(t, "calls", calls.Load(), test.calls)
	}
}

// TestPoliciesOfNobody: where nobody is known, a caller of whom nothing is known sees
// what policies show to everybody.
func TestPoliciesOfNobody(t *testing.T) {
	l := policed(live(source("a", says(normalize.Profile{DisplayName: "Jane", Title: "Dr"}), gives("username", "displayName title", ""))),
		where(t, "true", shows(t, "", "displayName")), shows(t, "basic", "title"), where(t, "caller.subject == ''", shows(t, "", "*")))
	l.Policies.Known = false
	expect(t, "nobody", outcome(t, open(t, l), gateway.Query{}), `200: a ok upstream {"displayName":"Jane"}`)
}

// TestSelf: who a person is proved to be decides what is shown of them, and a person
// who exists cannot be told from one who does not, by what is said or when.
func TestSelf(t *testing.T) {
	people := map[string]answer{
		"jane": record(normalize.Profile{DisplayName: "Jane"}, "oid:jane-subject", "email:jane@acme.example"),
		"john": record(normalize.Profile{DisplayName: "John"}, "oid:john-subject", "email:john@acme.example"),
	}
	bubble(t, func(t *testing.T) {
		a := source("a", after(20*time.Millisecond, func(ctx context.Context, q adapters.Query) (adapters.Reply, error) {
			if says := people[q.IDs["username"]]; says != nil {
				return says(ctx, q)
			}
			return absent()(ctx, q)
		}), gives("username", "displayName", "oid email"))
		b := source("b", after(50*time.Millisecond, func(_ context.Context, q adapters.Query) (adapters.Reply, error) {
			return adapters.Reply{Record: normalize.Record{Profile: normalize.Profile{Title: "of " + q.IDs["oid"]}}, Status: 200}, nil
		}), gives("oid", "title", ""))
		g := open(t, policed(live(a, b),
			where(t, "caller.subject == target.id.oid", shows(t, "", "*")),
			where(t, "caller.user.email in target.ids.email", shows(t, "mail", "displayName"))))
		mail := scoped("mail")
		mail.Subject, mail.Self = "else", map[string]string{"email": "JOHN@acme.example"}
		for _, test := range []struct {
			who    *gateway.Caller
			person string
			fields string
			want   string
			took   time.Duration
		}{
			{scoped(""), "jane", "", `200: a ok upstream, b ok upstream {"displayName":"Jane","title":"of jane-subject","identifiers":[{"kind":"oid","value":"jane-subject","source":"a"},{"kind":"email","value":"jane@acme.example","source":"a","verified":true}]}`, 70 * time.Millisecond},
			{scoped(""), "john", "", shownNothing, time.Second},
			{scoped(""), "nobody", "", shownNothing, time.Second},
			{scoped(""), "john", "", shownNothing, time.Second}, // cached by now
			{scoped(""), "john", "displayName", shownNothing, time.Second},
			{mail, "john", "", `200: a ok cache, b skipped {"displayName":"John"}`, 0},
			{mail, "john", "title", shownNothing, time.Second},
			{mail, "jane", "", shownNothing, time.Second},
		} {
			q := gateway.Query{Caller: test.who, User: "username:" + test.person, Explain: false}
			if test.fields != "" {
				q.Fields = strings.Split(test.fields, ",")
			}
			begin := time.Now()
			got := strings.ReplaceAll(regexp.MustCompile(`"id":"[a-z0-9]+",`).ReplaceAllString(outcome(t, g, q), ""), "shared", "upstream")
			expect(t, test.person+" "+test.fields, got, test.want)
			expect(t, test.person+" took", time.Since(begin), test.took)
		}
		// Who will not wait so long is told as soon as they like.
		begin := time.Now()
		expect(t, "a wait", outcome(t, g, gateway.Query{Caller: mail, User: "username:jane", Want: cache.Want{Until: begin.Add(300 * time.Millisecond)}}), shownNothing)
		expect(t, "it took", time.Since(begin), 300*time.Millisecond)
	})
}

// TestSelfIsProved: no record is opened that merely shares with the caller's own what
// anybody may have written, or what means something else in another system.
func TestSelfIsProved(t *testing.T) {
	assumes := func(kind, members, yields string) func(*gateway.Source) {
		return from(upstream{needs: [][]string{{kind}}, members: strings.Fields(members), yields: strings.Fields(yields), assumes: true})
	}
	unverified := func(p normalize.Profile, ids ...string) answer {
		says := record(p, ids...)
		return func(ctx context.Context, q adapters.Query) (adapters.Reply, error) {
			r, err := says(ctx, q)
			for i := range r.Record.IDs {
				r.Record.IDs[i].Verified = nil
			}
			return r, err
		}
	}
	mine, theirs := normalize.Profile{DisplayName: "Jane"}, normalize.Profile{Title: "theirs"}
	for name, test := range map[string]struct {
		sources []*gateway.Source
		links   map[string]string
		user    string
		want    string
	}{
		"one user name in two systems": {
			sources: []*gateway.Source{
				source("a", record(mine, "oid:jane-subject"), gives("username", "displayName", "oid")),
				source("b", says(theirs), gives("username", "title", "")),
			},
			user: "username:boss", want: `200: a ok upstream, b skipped {"displayName":"Jane"}`,
		},
		"one user name, which another system does not have": {
			sources: []*gateway.Source{
				source("a", record(mine, "oid:jane-subject"), gives("username", "displayName", "oid")),
				source("b", absent(), gives("username", "title", "")),
			},
			user: "username:boss", want: `200: a ok upstream, b skipped {"displayName":"Jane"}`,
		},
		"one user name in one system, asked twice": {
			sources: []*gateway.Source{
				source("a", record(mine, "oid:jane-subject"), gives("username", "displayName", "oid"), chained),
				source("b", says(theirs), gives("username", "title", ""), chained),
			},
			user: "username:boss", want: `200: a ok upstream, b ok upstream {"displayName":"Jane","title":"theirs"}`,
		},
		"one's own between two of somebody else": {
			sources: []*gateway.Source{
				source("a", says(theirs), gives("username", "title", ""), chained),
				source("b", record(mine, "oid:jane-subject"), gives("username", "displayName", "oid")),
				source("c", says(theirs), gives("username", "title", ""), chained),
			},
			user: "username:boss", want: `200: a skipped, b ok upstream, c skipped {"displayName":"Jane"}`,
		},
		"somebody else's between two of one's own": {
			sources: []*gateway.Source{
				source("a", record(mine, "oid:jane-subject"), gives("username", "displayName", "oid"), chained),
				source("b", says(normalize.Profile{Title: "another's"}), gives("username", "title", "")),
				source("c", says(theirs), gives("username", "title", ""), chained),
			},
			user: "username:boss", want: `200: a ok upstream, b skipped, c ok upstream {"displayName":"Jane","title":"theirs"}`,
		},
		"an address that one has typed leads to another's record": {
			sources: []*gateway.Source{
				source("a", unverified(mine, "oid:jane-subject", "email:boss@acme.example"), assumes("badge", "displayName", "oid email")),
				source("b", record(theirs, "email:boss@acme.example"), gives("email", "title", "email")),
			},
			user: "badge:1", want: `200: a ok upstream, b skipped {"displayName":"Jane"}`,
		},
		"an address that is verified leads to one's own": {
			sources: []*gateway.Source{
				source("a", record(mine, "oid:jane-subject", "email:jane@acme.example"), gives("badge", "displayName", "oid email")),
				source("b", record(theirs, "email:jane@acme.example"), gives("email", "title", "email")),
			},
			user: "badge:1", want: `200: a ok upstream, b ok upstream {"displayName":"Jane","title":"theirs"}`,
		},
		"somebody's record was found by an address that anybody may have typed": {
			sources: []*gateway.Source{
				source("a", unverified(mine, "oid:jane-subject", "email:boss@acme.example"), assumes("email", "displayName", "oid email")),
				source("b", record(theirs, "email:boss@acme.example"), gives("email", "title", "email")),
			},
			user: "email:boss@acme.example", want: shownNothing,
		},
		"an address that one system has proved and another has not": {
			sources: []*gateway.Source{
				source("a", record(mine, "oid:jane-subject", "email:jane@acme.example"), gives("email", "displayName", "oid email")),
				source("b", unverified(theirs, "email:jane@acme.example"), assumes("email", "title", "email")),
			},
			user: "email:jane@acme.example", want: `200: a ok upstream, b skipped {"displayName":"Jane"}`,
		},
		"an address that one has typed is nobody's elsewhere": {
			sources: []*gateway.Source{
				source("a", unverified(mine, "oid:jane-subject", "email:boss@acme.example"), assumes("badge", "displayName", "oid email")),
				source("b", absent(), gives("email", "title", "email")),
			},
			user: "badge:1", want: `200: a ok upstream, b skipped {"displayName":"Jane"}`,
		},
		"a link": {
			sources: []*gateway.Source{
				source("a", record(mine, "oid:jane-subject"), gives("badge", "displayName", "oid")),
				source("b", says(theirs), gives("room", "title", "")),
			},
			links: map[string]string{"room": "7", "badge": "1"},
			user:  "badge:1", want: `200: a ok upstream, b ok upstream {"displayName":"Jane","title":"theirs"}`,
		},
		"a link alone says who it is": {
			sources: []*gateway.Source{source("a", says(mine), gives("badge", "displayName", ""))},
			links:   map[string]string{"oid": "jane-subject", "badge": "1"},
			user:    "badge:1", want: `200: a ok upstream {"displayName":"Jane"}`,
		},
		"a link says who it is, and nobody knows them": {
			sources: []*gateway.Source{source("a", absent(), gives("badge", "displayName", ""))},
			links:   map[string]string{"oid": "jane-subject", "badge": "1"},
			user:    "badge:1", want: shownNothing,
		},
		"a source that fails is told of, where it was asked about the person": {
			sources: []*gateway.Source{
				source("a", record(mine, "oid:jane-subject"), gives("badge", "displayName", "oid")),
				source("b", fails(adapters.Unavailable), gives("badge", "title", "")),
				source("c", fails(adapters.Unavailable), gives("oid", "title", "")),
			},
			user: "badge:1", want: `207: a ok upstream, b failed upstream, c failed upstream; b unavailable 503, c unavailable 503 {"displayName":"Jane"}`,
		},
		"a source that is asked with nothing": {
			sources: []*gateway.Source{
				source("a", record(mine, "oid:jane-subject"), gives("badge", "displayName", "oid")),
				source("b", says(theirs), gives("room", "title", "")),
			},
			user: "badge:1", want: `200: a ok upstream, b unlinked [room] {"displayName":"Jane"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				l := live(test.sources...)
				if test.links != nil {
					l.Links = linkedTo(test.links)
				}
				g := open(t, policed(l, where(t, "caller.subject == target.id.oid", shows(t, "", "displayName", "title"))))
				expect(t, "answer", outcome(t, g, gateway.Query{Caller: scoped(""), User: test.user}), test.want)
				if test.want == shownNothing {
					return
				}
				// What was learned of who is who proves no more.
				again := strings.ReplaceAll(outcome(t, g, gateway.Query{Caller: scoped(""), User: test.user}), " cache", " upstream")
				expect(t, "again", again, test.want)
			})
		})
	}
}

// chained makes sources of one definition.
func chained(s *gateway.Source) { s.Chain = []string{"directory"} }

// linkedTo are links that know everybody.
type linkedTo map[string]string

func (l linkedTo) Find(context.Context, string, string, string) (map[string]string, error) {
	return l, nil
}

// TestWhatIsHiddenOfFailures: a failure of a source whose members are hidden is no
// matter of the caller, required or not; what leads on is asked all the same, and told
// of to those alone who see something of it.
func TestWhatIsHiddenOfFailures(t *testing.T) {
	hr := says(normalize.Profile{Title: "Dr"})
	step := gives("username", "displayName", "oid")
	for name, test := range map[string]struct {
		first  answer
		change func(*gateway.Source)
		want   string
	}{
		"it leads on":                  {first: record(named("Jane"), "oid:1"), want: `200: a skipped, b ok upstream {"title":"Dr"}`},
		"it fails":                     {first: fails(adapters.Denied), want: "503: a skipped, b failed [oid]; b unresolved 424"},
		"it is required and fails":     {first: fails(adapters.Denied), change: required, want: "503: a skipped, b failed [oid]; b unresolved 424"},
		"it knows nobody":              {first: absent(), want: "424: a skipped, b unlinked [oid]"},
		"it knows them and not by oid": {first: record(named("Jane")), want: "424: a skipped, b unlinked [oid]"},
		"it answers in part": {
			first: func(ctx context.Context, q adapters.Query) (adapters.Reply, error) {
				r, err := record(named("Jane"), "oid:1")(ctx, q)
				r.Children = []*adapters.Fault{child(adapters.Unavailable, adapters.Detail{Message: "of Jane"})}
				return r, err
			},
			want: `200: a skipped, b ok upstream {"title":"Dr"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			changes := []func(*gateway.Source){step}
			if test.change != nil {
				changes = append(changes, test.change)
			}
			g := open(t, policed(live(source("a", test.first, changes...), source("b", hr, gives("oid", "title", ""))), shows(t, "", "title")))
			expect(t, "answer", outcome(t, g, gateway.Query{Caller: scoped("")}), test.want)
		})
	}
}

// TestHiddenWords: an upstream's own words, notes and subjects are shown to who sees
// all that the source gives.
func TestHiddenWords(t *testing.T) {
	partly := func(context.Context, adapters.Query) (adapters.Reply, error) {
		return adapters.Reply{
			Status: http.StatusMultiStatus, Notes: []string{"title: expected text, found a number"},
			Record:   normalize.Record{Profile: named("Jane")},
			Children: []*adapters.Fault{child(adapters.Unavailable, adapters.Detail{Status: 503, Code: "E-canary", Message: "canary", Hint: "canary", Ref: "canary", Subject: "canary"})},
		}, nil
	}
	g := open(t, policed(live(source("a", partly, gives("username", "displayName title", ""))), shows(t, "some", "displayName"), shows(t, "all", "displayName", "title")))
	for scope, want := range map[string]bool{"some": false, "all": true} {
		a := ask(t, g, gateway.Query{Caller: scoped(scope)})
		content, _ := json.Marshal(a)
		expect(t, scope+" words", strings.Contains(string(content), "canary"), want)
		expect(t, scope+" notes", strings.Contains(string(content), "expected text"), want)
		expect(t, scope, tell(a), "207: a partial "+map[bool]string{true: "cache", false: "upstream"}[a.Hit]+"; a unavailable 503")
	}
}

// TestOnlyTheID: who sees the id alone is told whether there is one.
func TestOnlyTheID(t *testing.T) {
	l := live(
		source("a", record(named("Jane"), "a:7"), gives("username", "displayName", "a")),
		source("b", absent(), gives("username", "title", "")))
	g := open(t, policed(l, shows(t, "", "id")))
	a := ask(t, g, gateway.Query{Caller: scoped("")})
	expect(t, "answer", tell(a), "200: a skipped, b skipped")
	if a.Data == nil || a.Data.ID == "" || !reflect.DeepEqual(*a.Data, normalize.Profile{ID: a.Data.ID}) {
		t.Errorf("the data are %+v", a.Data)
	}
	expect(t, "max-age", a.MaxAge, time.Duration(0))
}

// leaves are the paths of all texts of a record and their canaries, as a source of the
// name would give them.
func leaves(source string) (normalize.Record, map[string]string) {
	var p normalize.Profile
	canaries := map[string]string{}
	var fill func(v reflect.Value, path string)
	fill = func(v reflect.Value, path string) {
		switch v.Kind() {
		case reflect.String:
			canaries[path] = "canary<" + source + ":" + path + ">"
			v.SetString(canaries[path])
		case reflect.Pointer:
			if v.Type().Elem().Kind() == reflect.Struct {
				v.Set(reflect.New(v.Type().Elem()))
				fill(v.Elem(), path)
			}
		case reflect.Slice:
			if v.Type().Elem().Kind() == reflect.Struct || v.Type().Elem().Kind() == reflect.String {
				v.Set(reflect.MakeSlice(v.Type(), 1, 1))
				fill(v.Index(0), path)
			}
		case reflect.Struct:
			if v.Type() == reflect.TypeFor[time.Time]() {
				return
			}
			for i := range v.NumField() {
				name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
				if name == "source" || name == "sources" || name == "id" || name == "identifiers" || name == "attributes" {
					continue
				}
				fill(v.Field(i), strings.TrimPrefix(path+"."+name, "."))
			}
		}
	}
	fill(reflect.ValueOf(&p).Elem(), "")
	own := map[string][]string{}
	for _, name := range []string{"x", "y.z"} {
		path := "attributes." + source + "." + name
		canaries[path] = "canary<" + source + ":" + path + ">"
		own[name] = []string{canaries[path]}
	}
	canaries["identifiers.value"] = "canary<" + source + ":identifiers.value>"
	id := normalize.Identifier{Kind: source, Value: canaries["identifiers.value"]}
	return normalize.Record{Profile: p, Attributes: own, IDs: []normalize.Identifier{id}}, canaries
}

func member(path string) string {
	name, _, _ := strings.Cut(path, ".")
	return name
}

// covers is what a path of a policy says, by its text alone.
func covers(path, leaf string) bool {
	return path == "*" || path == leaf || strings.HasPrefix(leaf, path+".")
}

// TestNothingHiddenIsTold: whatever the policies, and whatever is asked for besides, the
// answer has exactly those texts that the answer of a gateway without policies has and
// that some policy which holds shows and does not hide. What is kept is the same for all.
func TestNothingHiddenIsTold(t *testing.T) {
	names := []string{"a", "b", "c"}
	members := slices.DeleteFunc(normalize.Members(), func(m string) bool { return m == "id" || m == "identifiers" })
	var sources []*gateway.Source
	canaries := map[string]map[string]string{}
	for i, name := range names {
		whole, own := leaves(name)
		canaries[name] = own
		reply := func(context.Context, adapters.Query) (adapters.Reply, error) {
			r := adapters.Reply{Record: whole, Status: http.StatusOK}
			if i == 1 { // and tells of itself what somebody may see who sees all
				r.Children = []*adapters.Fault{child(adapters.Unavailable, adapters.Detail{Code: "canary<b:words>", Message: "canary<b:words>", Subject: "canary<b:words>"})}
			}
			return r, nil
		}
		sources = append(sources, source(name, reply, from(upstream{needs: [][]string{{"username"}}, members: members, yields: []string{name}})))
	}
	open1, l := live(sources...), live(sources...)
	free := open(t, open1)
	g := open(t, policed(l))
	found := regexp.MustCompile(`canary<[^>]*>`)
	texts := func(t interface{ Fatal(...any) }, g *gateway.Gateway, q gateway.Query) (map[string]bool, string) {
		a, err := g.Lookup(context.Background(), jane(q))
		if refused, ok := err.(*gateway.RequestError); ok { //nolint:errorlint // the very type is promised
			return map[string]bool{}, fmt.Sprint(refused.Status)
		}
		if err != nil {
			t.Fatal(err)
		}
		var buffer strings.Builder
		e := json.NewEncoder(&buffer)
		e.SetEscapeHTML(false)
		if err := e.Encode(a); err != nil {
			t.Fatal(err)
		}
		has := map[string]bool{}
		for _, text := range found.FindAllString(buffer.String(), -1) {
			has[text] = true
		}
		return has, buffer.String()
	}
	var paths []string
	for _, own := range canaries {
		paths = append(paths, slices.Collect(maps.Keys(own))...)
	}
	paths = append(append(paths, normalize.Members()...), "attributes.a", "attributes.b", "*")
	slices.Sort(paths)
	paths = slices.DeleteFunc(slices.Compact(paths), func(p string) bool { return p == "id" })

	rapid.Check(t, func(rt *rapid.T) {
		var policies []gateway.Policy
		type rule struct {
			show, hide []string
			of         string // the one source that it opens; "" for all
		}
		var held []rule
		scopes := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"p", "q", "r"}), 0, 3, rapid.ID).Draw(rt, "scopes")
		for range rapid.IntRange(0, 4).Draw(rt, "policies") {
			r := rule{
				show: rapid.SliceOfN(rapid.SampledFrom(paths), 1, 4).Draw(rt, "show"),
				hide: rapid.SliceOfN(rapid.SampledFrom(paths), 0, 3).Draw(rt, "hide"),
			}
			p := shows(t, rapid.SampledFrom([]string{"", "p", "q", "p q", "r"}).Draw(rt, "for"), r.show...)
			p.Shows = p.Shows.Minus(selected(t, r.hide...))
			about := rapid.SampledFrom([]string{"", "", "target.id.a == 'canary<a:identifiers.value>'", "target.id.a == 'nobody'", "caller.subject == 'jane-subject'"}).Draw(rt, "cel")
			if about != "" {
				p = where(t, about, p)
			}
			if strings.HasPrefix(about, "target") { // one user name in two systems proves nothing of b and c
				r.of = "a"
			}
			policies = append(policies, p)
			holds := !slices.ContainsFunc(p.Scopes, func(s string) bool { return !slices.Contains(scopes, s) }) && !strings.Contains(about, "nobody")
			if holds {
				held = append(held, r)
			}
		}
		allowed := func(source, leaf string) bool {
			return slices.ContainsFunc(held, func(r rule) bool {
				over := func(path string) bool { return covers(path, leaf) }
				return (r.of == "" || r.of == source) && slices.ContainsFunc(r.show, over) && !slices.ContainsFunc(r.hide, over)
			})
		}
		live := *l
		live.Policies = &gateway.Policies{All: policies, Known: true}
		live.Budget = time.Millisecond * 200
		g.Swap(&live)
		q := gateway.Query{
			Provenance: rapid.Bool().Draw(rt, "provenance"), Explain: rapid.Bool().Draw(rt, "explain"), Strict: rapid.IntRange(0, 5).Draw(rt, "strict") == 0,
		}
		if rapid.Bool().Draw(rt, "some fields") {
			q.Fields = rapid.SliceOfN(rapid.SampledFrom(paths), 1, 3).Draw(rt, "fields")
		}
		if rapid.IntRange(0, 3).Draw(rt, "some sources") == 0 {
			q.Sources = rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, 3, rapid.ID).Draw(rt, "sources")
		}
		who := scoped(strings.Join(append(scopes, gateway.ScopeExplain), " "))
		all := q
		all.Strict = false
		before, _ := texts(rt, free, all)
		q.Caller = who
		after, text := texts(rt, g, q)
		for canary := range after {
			source, leaf, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(canary, "canary<"), ">"), ":")
			if leaf == "words" {
				for leaf := range canaries[source] {
					if !allowed(source, leaf) {
						rt.Fatalf("the words of %s are told, and %s is hidden", source, leaf)
					}
				}
				continue
			}
			if !allowed(source, leaf) {
				rt.Fatalf("%s is hidden, and told:\n%s", canary, text)
			}
			if !before[canary] {
				rt.Fatalf("%s is not told without policies", canary)
			}
		}
		for canary := range before {
			source, leaf, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(canary, "canary<"), ">"), ":")
			// Of what more is shown of a, the others' part is left out.
			more := source != "a" && slices.ContainsFunc(held, func(r rule) bool {
				return r.of == "a" && slices.ContainsFunc(r.show, func(path string) bool { return path == "*" || member(path) == member(leaf) })
			})
			if leaf != "words" && !q.Strict && !more && allowed(source, leaf) && !after[canary] {
				rt.Fatalf("%s is shown by a policy, and not told:\n%s", canary, text)
			}
		}
	})
}

// TestNobodyIsRefused: where callers are known, nobody is not one of them, whatever is
// shown to everybody.
func TestNobodyIsRefused(t *testing.T) {
	g := open(t, policed(live(source("a", says(named("Jane")))), where(t, "true", shows(t, "", "*"))))
	expect(t, "nobody", outcome(t, g, gateway.Query{}), shownNothing)
	expect(t, "somebody", outcome(t, g, gateway.Query{Caller: scoped("")}), `200: a ok upstream {"displayName":"Jane"}`)
}

// TestFieldsBehindPolicies: a source is not asked for fields that the caller could not
// see, nor told of for those that they turn out not to see.
func TestFieldsBehindPolicies(t *testing.T) {
	var calls atomic.Int64
	a := source("a", says(named("Jane")), gives("username", "displayName", ""))
	b := source("b", counted(&calls, fails(adapters.Unavailable)), gives("username", "nickName title", ""))
	q := gateway.Query{Caller: scoped(""), Fields: []string{"nickName", "displayName"}}
	g := open(t, policed(live(a, b), shows(t, "", "displayName", "title")))
	expect(t, "never", outcome(t, g, q), `200: a ok upstream, b skipped {"displayName":"Jane"}`)
	expect(t, "calls", calls.Load(), int64(0))
	g = open(t, policed(live(a, b), shows(t, "", "displayName", "title"), where(t, "target.id.username == 'boss'", shows(t, "", "nickName"))))
	expect(t, "not of this person", outcome(t, g, q), `200: a ok upstream, b skipped {"displayName":"Jane"}`)
	expect(t, "calls", calls.Load(), int64(1))
}

// TestUnfitIsNotTold: that an identifier fits nowhere is not told to who is shown nothing
// of most people: of somebody whom an operator's link knows by it, it would not be.
func TestUnfitIsNotTold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		u := by("username")
		u.unfit = func(adapters.Query) bool { return true }
		for about, want := range map[string]string{
			"true":                                 "400 The identifier cannot be what the sources that use it expect.",
			"caller.subject == target.id.username": shownNothing,
		} {
			g := open(t, policed(live(source("a", says(named("Jane")), from(u))), where(t, about, shows(t, "", "*"))))
			expect(t, about, outcome(t, g, gateway.Query{Caller: scoped("")}), want)
		}
	})
}

// TestMoreOfOneRecord: what a policy about the person opens of one record it does not
// open of another, in no part of it.
func TestMoreOfOneRecord(t *testing.T) {
	reply := func(name string, ids ...normalize.Identifier) answer {
		return func(context.Context, adapters.Query) (adapters.Reply, error) {
			return adapters.Reply{Status: 200, Record: normalize.Record{
				Profile: normalize.Profile{NickName: "of " + name}, Attributes: map[string][]string{"x": {"of " + name}}, IDs: ids,
			}}, nil
		}
	}
	members := "nickName attributes"
	g := open(t, policed(live(
		source("a", reply("a", normalize.Identifier{Kind: "oid", Value: "jane-subject"}), gives("username", members, "oid")),
		source("b", reply("b"), gives("username", members, ""))),
		shows(t, "", "nickName"), where(t, "caller.subject == target.id.oid", shows(t, "", "attributes"))))
	expect(t, "answer", outcome(t, g, gateway.Query{Caller: scoped("")}), `200: a ok upstream, b ok upstream {"nickName":"of a","attributes":{"a":{"x":["of a"]}}}`)
}

// TestExplainedIdentifiers: who is shown no identifiers is told of none but their own
// question, nor of those that a hidden source has said before.
func TestExplainedIdentifiers(t *testing.T) {
	l := live(
		source("a", record(named("Jane"), "oid:1"), gives("username", "displayName", "oid")),
		source("b", record(normalize.Profile{Title: "Dr"}, "badge:7"), gives("oid", "title", "badge")))
	l.Links = linkedTo{"room": "7"}
	g := open(t, policed(l, shows(t, "all", "*"), shows(t, "name", "displayName"), shows(t, "ids", "identifiers")))
	for _, test := range []struct{ scopes, want string }{
		{"all", "[username caller][room links][oid a][badge b]"},
		{"name", "[username caller]"},
		{"ids", "[username caller][room links][oid a][badge b][oid a][badge b]"},
	} {
		a := ask(t, g, gateway.Query{Caller: scoped(test.scopes + " " + gateway.ScopeExplain), Explain: true})
		got := ""
		for _, id := range a.Explain.Identifiers {
			got += "[" + id.Kind + " " + id.Said + "]"
		}
		expect(t, test.scopes, got, test.want)
	}
}

// BenchmarkPolicies asks for somebody whom the cache knows, without policies, with some
// about the caller, and with one about the person.
func BenchmarkPolicies(b *testing.B) {
	sources := []*gateway.Source{
		source("a", record(named("Jane"), "oid:jane-subject"), gives("username", "displayName", "oid")),
		source("b", says(normalize.Profile{Title: "Dr"}), gives("oid", "title", "")),
	}
	basic := []gateway.Policy{shows(b, "basic", "displayName", "emails.value"), shows(b, "roles", "roles"), shows(b, "full", "*"), where(b, "'hr' in caller.claims.groups", shows(b, "", "title"))}
	for _, test := range []struct {
		name     string
		policies []gateway.Policy
	}{{"none", nil}, {"caller", basic}, {"person", append(slices.Clone(basic), where(b, "caller.subject == target.id.oid", shows(b, "", "*")))}} {
		b.Run(test.name, func(b *testing.B) {
			l := live(sources...)
			if test.policies != nil {
				policed(l, test.policies...)
			}
			g := open(b, l)
			q := jane(gateway.Query{Caller: scoped("full")})
			ask(b, g, q)
			b.ReportAllocs()
			for b.Loop() {
				ask(b, g, q)
			}
		})
	}
}

// TestPoliciesOfCertificates: who comes with a certificate has the scopes that an operator
// gives them and the name by which they are known. What is about claims is never about
// them, though it be about one that is absent.
func TestPoliciesOfCertificates(t *testing.T) {
	t.Parallel()
	const name = "spiffe://acme.example/frontend"
	frontend := &gateway.Caller{Caller: adapters.Caller{Subject: name}, Certificate: map[string]string{"uri": name}, Scopes: []string{"profile.basic"}, Tenants: []string{"acme"}}
	token := scoped("profile.basic")
	token.Subject, token.Claims = name, map[string]any{"sub": name, "certificate": map[string]any{"uri": name}}
	for _, test := range []struct {
		policy                     gateway.Policy
		certificate, token, nobody bool
	}{
		{gateway.Policy{Scopes: []string{"profile.basic"}}, true, true, false},
		{gateway.Policy{Scopes: []string{"profile.full"}}, false, false, false},
		{where(t, `caller.certificate.uri == "`+name+`"`, gateway.Policy{}), true, false, false},
		{where(t, `caller.certificate.dns == "`+name+`"`, gateway.Policy{}), false, false, false},
		{where(t, `has(caller.certificate)`, gateway.Policy{}), true, false, false},
		{where(t, `caller.subject == "`+name+`"`, gateway.Policy{}), true, true, false},
		{where(t, `"acme" in caller.tenants`, gateway.Policy{}), true, false, false},
		{where(t, `has(caller.issuer)`, gateway.Policy{}), false, true, false},
		{where(t, `caller.issuer != "https://evil.example/"`, gateway.Policy{}), false, true, false},
		{where(t, `!has(caller.claims.blocked)`, gateway.Policy{}), false, true, true},
		{where(t, "true", gateway.Policy{}), true, true, true},
	} {
		test.policy.Shows = normalize.Everything()
		p := &gateway.Policies{All: []gateway.Policy{test.policy}}
		for who, want := range map[*gateway.Caller]bool{frontend: test.certificate, token: test.token, {}: test.nobody} {
			if shown, _ := p.Shown(who, nil); shown.Empty() == want {
				t.Errorf("%+v to %+v: shown %t", test.policy, who, !want)
			}
		}
	}
}

// TestDecisionsEndWithTheirPolicies: what is kept of a caller is for the policies that have
// decided it, and for that caller.
func TestDecisionsEndWithTheirPolicies(t *testing.T) {
	t.Parallel()
	says := record(normalize.Profile{DisplayName: "Jane", Title: "Engineer"})
	sources := func() *gateway.Live { return live(source("a", says, gives("username", "displayName title", ""))) }
	names, titles, nothing := policed(sources(), shows(t, "a", "displayName")), policed(sources(), shows(t, "a", "title")), policed(sources(), shows(t, "c", "title"))
	free := sources()
	g := open(t, names)
	first, second := scoped("a"), scoped("b")
	for _, step := range []struct {
		live          *gateway.Live
		first, second string
	}{
		{names, "Jane ", "403"}, {names, "Jane ", "403"}, {titles, " Engineer", "403"}, {nothing, "403", "403"}, {free, "Jane Engineer", "Jane Engineer"}, {names, "Jane ", "403"},
	} {
		g.Swap(step.live)
		for who, want := range map[*gateway.Caller]string{first: step.first, second: step.second} {
			a, err := g.Lookup(t.Context(), gateway.Query{Tenant: "acme", User: "jane", Caller: who})
			got := ""
			if refused, is := errors.AsType[*gateway.RequestError](err); is {
				got = fmt.Sprint(refused.Status)
			} else if a.Data != nil {
				got = a.Data.DisplayName + " " + a.Data.Title
			}
			expect(t, "shown", got, want)
		}
	}
}

// TestSeveralIdentifiersProveNothing: that they are one person's is the caller's word.
func TestSeveralIdentifiersProveNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := live(
			source("a", says(normalize.Profile{Title: "theirs"}), gives("badge", "title", "")),
			source("b", says(normalize.Profile{DisplayName: "Jane"}), gives("oid", "displayName", "")),
		)
		l.Accept = []string{"badge", "oid"}
		g := open(t, policed(l, where(t, "caller.subject == target.id.oid", shows(t, "", "displayName", "title"))))
		for want, ids := range map[string]map[string]string{
			`200: a unlinked [badge], b ok upstream {"displayName":"Jane"}`: {"oid": "jane-subject"},
			shownNothing: {"oid": "jane-subject", "badge": "1"},
		} {
			expect(t, fmt.Sprint(ids), outcome(t, g, gateway.Query{Caller: scoped(""), IDs: ids}), want)
		}
	})
}

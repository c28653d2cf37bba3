package httpapi_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metricnoop "go.opentelemetry.io/otel/metric/noop"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"muster/adapters"
	"muster/gateway"
	"muster/gateway/httpapi"
	"muster/normalize"
)

// giving is an upstream that gives some members, and yields some identifiers.
type giving struct {
	upstream
	members, yields []string
}

func (g giving) Members() []string { return g.members }
func (g giving) Yields() []string  { return g.yields }

func policy(t testing.TB, scopes, cel, show, hide string) gateway.Policy {
	t.Helper()
	p := gateway.Policy{Scopes: strings.Fields(scopes)}
	var err error
	if cel != "" {
		if p.CEL, err = normalize.ParsePredicate(cel, gateway.PolicyVariables()...); err != nil {
			t.Fatal(err)
		}
	}
	shown, err := normalize.NewSelection(strings.Fields(show))
	if err != nil {
		t.Fatal(err)
	}
	hidden, err := normalize.NewSelection(strings.Fields(hide))
	if err != nil {
		t.Fatal(err)
	}
	p.Shows = shown.Minus(hidden)
	return p
}

// policed is a gateway with two sources and policies, behind the front door: the people
// are Jane and John, and every value of theirs is a canary.
func policed(t testing.TB, budget time.Duration) (http.Handler, issuing) {
	t.Helper()
	closed := func() string { return "closed" }
	known := func(q adapters.Query) (string, bool) {
		name, _, _ := strings.Cut(q.IDs["email"], "@")
		return name, name == "jane" || name == "john"
	}
	adapter := func(of func(name string) adapters.Reply) adapters.Adapter {
		return adapters.AdapterFunc(func(_ context.Context, q adapters.Query) (adapters.Reply, error) {
			name, ok := known(q)
			if !ok {
				return adapters.Reply{}, adapters.Fail(adapters.NotFound, "a test says so", nil)
			}
			return of(name), nil
		})
	}
	keep := adapters.Lifetimes{TTL: time.Minute, Stale: time.Hour, Negative: time.Minute}
	l := live()
	l.Sources = []*gateway.Source{
		{
			Name: "directory", Hash: "d", Keep: keep, Breaker: closed, Upstream: giving{upstream{"email"}, []string{"userName", "emails", "title"}, []string{"oid", "email"}},
			Adapter: adapter(func(name string) adapters.Reply {
				return adapters.Reply{Status: 200, Record: normalize.Record{
					Profile: normalize.Profile{UserName: "canary-userName-" + name, Title: "canary-title-" + name, Emails: []normalize.Email{{Value: "canary-emails.value-" + name, Type: "canary-emails.type-" + name}}},
					IDs:     []normalize.Identifier{{Kind: "oid", Value: name + "-subject"}, {Kind: "email", Value: name + "@acme.example", Verified: ptr(true)}},
				}}
			}),
		},
		{
			Name: "badges", Hash: "b", Keep: keep, Breaker: closed, Upstream: giving{upstream{"email"}, []string{"roles", "attributes"}, nil},
			Adapter: adapter(func(name string) adapters.Reply {
				child := adapters.Fail(adapters.Unavailable, "a part", nil)
				child.Detail = adapters.Detail{Code: "canary-words-" + name, Message: "canary-words-" + name, Subject: "canary-words-" + name}
				return adapters.Reply{Status: 207, Notes: []string{"roles.type: expected text"}, Children: []*adapters.Fault{child}, Record: normalize.Record{Profile: normalize.Profile{
					Roles: []normalize.Role{{Value: "canary-roles-" + name}},
				}, Attributes: map[string][]string{"door": {"canary-attributes.badges.door-" + name}, "code": {"canary-attributes.badges.code-" + name}}}}
			}),
		},
	}
	l.Rules.Order = []string{"directory", "badges"}
	l.Budget, l.Waves, l.LinksFor = budget, 3, time.Hour
	l.Policies = &gateway.Policies{Known: true, All: []gateway.Policy{
		policy(t, "basic", "", "userName", ""),
		policy(t, "mail", "", "emails", "emails.type"),
		policy(t, "roles", "", "roles", ""),
		policy(t, "full", "", "*", "attributes.badges.code"),
		policy(t, "", "caller.subject == target.id.oid", "title userName", ""),
	}}
	g, err := gateway.New(l, gateway.Options{CacheBytes: 4 << 20, Tracer: tracenoop.NewTracerProvider().Tracer(""), Meter: metricnoop.NewMeterProvider().Meter("")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	i := newIssuing()
	return httpapi.New(g, httpapi.Options{Callers: i.callers(t, true)}), i
}

var canaries = regexp.MustCompile(`canary-([a-zA-Z.]+)-(jane|john)`)

// seen are the members whose canaries are in an answer, headers included.
func seen(w *httptest.ResponseRecorder) string {
	members := map[string]bool{}
	for _, found := range canaries.FindAllStringSubmatch(w.Body.String()+fmt.Sprint(w.Header()), -1) {
		members[found[1]] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(members)), " ")
}

// TestPoliciesAtTheDoor: a caller sees what is theirs by every parameter, after and beside
// one who sees more (39 and 40).
func TestPoliciesAtTheDoor(t *testing.T) {
	t.Parallel()
	h, i := policed(t, 500*time.Millisecond)
	const john = "/v1/tenants/acme/users/email:john@acme.example"
	as := func(scopes string) []string {
		return []string{"Authorization", "Bearer " + i.token(t, map[string]any{"scope": scopes})}
	}
	full := do(t, h, http.MethodGet, john+"?provenance=true&explain=true", as("full muster.explain")...)
	if want := "attributes.badges.door emails.type emails.value roles title userName"; full.Code != 207 || seen(full) != want {
		t.Fatalf("who sees all: %d %q, want %q: %s", full.Code, seen(full), want, full.Body)
	}
	for _, test := range []struct {
		scopes, want string
		statuses     []int // of a lookup, of ?fields=roles,title, of ?sources=badges
	}{
		{"full", "attributes.badges.door emails.type emails.value roles title userName", []int{207, 207, 207}},
		{"basic", "userName", []int{200, 403, 424}},
		{"basic mail", "emails.value userName", []int{200, 403, 424}},
		{"roles", "roles", []int{207, 207, 207}},
		{"", "", []int{403, 403, 403}},
		{"muster.purge", "", []int{403, 403, 403}},
	} {
		var group sync.WaitGroup // who is shown nothing waits for the whole budget each time
		for _, query := range []string{
			"", "provenance=true", "explain=true", "provenance=true&explain=true", "fields=roles,title&provenance=true", "fields=userName,attributes.badges",
			"sources=badges", "sources=directory&explain=true", "sources=badges&fields=roles&provenance=true&explain=true",
		} {
			for _, more := range [][]string{nil, {"Prefer", "handling=strict"}, {"Prefer", "wait=0.05"}, {"Cache-Control", "only-if-cached"}, {"Cache-Control", "no-cache"}, {"Accept", "application/problem+json, application/json"}, {"If-None-Match", full.Header().Get("ETag")}} {
				header := append(as(test.scopes+" muster.explain"), more...)
				group.Go(func() {
					w := do(t, h, http.MethodGet, john+"?"+query, header...)
					for _, member := range strings.Fields(seen(w)) {
						if !slices.Contains(strings.Fields(test.want), member) {
							t.Errorf("%q by %q %q sees %s: %s", test.scopes, query, more, member, w.Body)
						}
					}
					text := w.Body.String()
					for what, told := range map[string]bool{
						"what another saw has not changed": test.scopes != "full" && w.Code == http.StatusNotModified,
						"badges":                           !strings.Contains(test.want, "roles") && strings.Contains(text, `"badges","outcome":"partial"`),
						"an identifier":                    test.scopes != "full" && strings.Contains(text, "john-subject"),
						"a cache":                          w.Code >= 400 && w.Header().Get("Cache-Control") != "private, no-store",
					} {
						if told {
							t.Errorf("%q by %q %q is told of %s: %d %v %s", test.scopes, query, more, what, w.Code, w.Header(), text)
						}
					}
				})
			}
		}
		group.Wait()
		for n, query := range []string{"", "?fields=roles,title", "?sources=badges"} {
			w := do(t, h, http.MethodGet, john+query, as(test.scopes)...)
			if w.Code != test.statuses[n] {
				t.Errorf("%q by %q: %d, want %d: %s", test.scopes, query, w.Code, test.statuses[n], w.Body)
			}
			if n == 0 && seen(w) != test.want {
				t.Errorf("%q sees %q, want %q", test.scopes, seen(w), test.want)
			}
		}
	}
	var group sync.WaitGroup
	for n := range 200 {
		scopes, want := "full", "attributes.badges.door emails.type emails.value roles title userName"
		if n%2 == 0 {
			scopes, want = "mail", "emails.value"
		}
		header := append(as(scopes), "Cache-Control", []string{"no-cache", "max-age=60"}[n%3%2])
		group.Go(func() {
			if w := do(t, h, http.MethodGet, john, header...); seen(w) != want {
				t.Errorf("%q beside others sees %q", scopes, seen(w))
			}
		})
	}
	group.Wait()
}

// TestExistenceIsNotTold: who has no rights is told the same of everybody, and as fast
// (51); and themselves what policies show them.
func TestExistenceIsNotTold(t *testing.T) {
	t.Parallel()
	h, i := policed(t, 100*time.Millisecond)
	took := map[string]time.Duration{}
	bodies := map[string]string{}
	for _, name := range []string{"john", "nobody", "jane"} {
		for _, query := range []string{"", "?fields=title", "?fields=roles", "?sources=directory", "?provenance=true", "?explain=true"} {
			begin := time.Now()
			w := do(t, h, http.MethodGet, "/v1/tenants/acme/users/email:"+name+"@acme.example"+query, "Authorization", "Bearer "+i.token(t, map[string]any{"scope": "muster.explain"}), "traceparent", parent)
			took[name+query], bodies[name+query] = time.Since(begin), fmt.Sprint(w.Code, w.Body, len(w.Header()), w.Header().Get("Content-Length"))
			if name == "jane" && query != "?fields=roles" && (w.Code != 200 || !slices.Contains([]string{"title userName", "title"}, seen(w))) {
				t.Errorf("oneself %s: %d %s", query, w.Code, w.Body)
			}
			if name != "jane" && (w.Code != 403 || seen(w) != "") {
				t.Errorf("%s %s: %d %s", name, query, w.Code, w.Body)
			}
		}
	}
	for _, query := range []string{"", "?fields=title", "?fields=roles", "?sources=directory", "?provenance=true", "?explain=true"} {
		if bodies["john"+query] != bodies["nobody"+query] {
			t.Errorf("%s: John is told from nobody:\n%s\n%s", query, bodies["john"+query], bodies["nobody"+query])
		}
		wait := 100 * time.Millisecond // the budget
		if query == "?fields=roles" {
			wait = 0 // nobody may see them, themselves neither
		}
		if took["john"+query] < wait || took["nobody"+query] < wait {
			t.Errorf("%s: it took %v and %v", query, took["john"+query], took["nobody"+query])
		}
	}
	me := do(t, h, http.MethodGet, "/v1/me", "Authorization", "Bearer "+i.token(t, map[string]any{"scope": ""}))
	if me.Code != 200 || seen(me) != "title userName" {
		t.Errorf("oneself: %d %s", me.Code, me.Body)
	}
}

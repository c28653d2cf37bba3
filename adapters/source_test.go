package adapters_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/adapters"
	"muster/config/document"
)

const manyLookups = `
lookup:
  - "https://h.example/{tenant.self}/id/{id.self:int}"
  - "https://h.example/{tenant.other}/name/{id.username}?mail={id.email}"
  - "https://h.example/all"
query: {hint: "{id.oid}", org: "{tenant.optional}"}
headers: {X-User: "{id.username}"}
response: {match: {org: "{tenant.org}", oid: "{id.oid}"}, pick: {login: "{id.username}"}}
ids: {self: id, oid: oid, email: {path: mail, when: {verified: true}}}
profile: {displayName: name, roles: [{each: roles, value: .}], attributes: {x: x}}
`

func TestWhatASourceNeedsAndYields(t *testing.T) {
	source := bind(define(t, manyLookups), nothing(t))
	expect(t, "Needs", source.Needs(), [][]string{{"self"}, {"username", "email"}, {"username"}, {"oid"}})
	expect(t, "TenantNeeds", source.TenantNeeds(), []string{"self", "org", "other"})
	expect(t, "Yields", source.Yields(), []string{"self", "oid", "email"})
	expect(t, "Members", source.Members(), []string{"displayName", "roles", "attributes"})
	names := source.Definition().TenantNames()
	slices.Sort(names)
	expect(t, "TenantNames", slices.Compact(names), []string{"optional", "org", "other", "self"})
	expect(t, "Name", source.Name(), "directory")
	expect(t, "its own kind", source.SelfKind("self"), "directory")
	expect(t, "another's kind", source.SelfKind("email"), "email")
}

// Choose names what shapes the request: a reply is kept under these, and under
// no others.
func TestChoose(t *testing.T) {
	for _, test := range []struct {
		name, keys    string
		query         adapters.Query
		used, missing []string
	}{
		{"the first", manyLookups, ids("self", "1", "tenant.self", "t"), []string{"self"}, nil},
		{"with what else shapes it", manyLookups, ids("self", "1", "username", "u", "oid", "o", "email", "e", "tenant.self", "t"), []string{"self", "username", "oid"}, nil},
		{"the second", manyLookups, ids("username", "u", "email", "e", "tenant.other", "t"), []string{"username", "email"}, nil},
		{"the next where a value does not fit", manyLookups, ids("self", "x", "username", "u", "email", "e", "tenant.self", "t", "tenant.other", "t"), []string{"username", "email"}, nil},
		{"one whose value does not fit, and none is left", `lookup: ["https://h.example/{id.a:int}", "https://h.example/{id.b}"]`, ids("a", "x"), []string{"a"}, nil},
		{"two that do not fit", `lookup: ["https://h.example/{id.a:int}", "https://h.example/{id.b:int}", "https://h.example/{id.c}"]`, ids("a", "x", "b", "y"), []string{"a"}, nil},
		{"one that names nobody, compared by the first", manyLookups, ids("oid", "o", "email", "e"), []string{"oid"}, nil},
		{"by the second", manyLookups, ids("username", "u"), []string{"username"}, nil},
		{"by both", manyLookups, ids("username", "u", "oid", "o"), []string{"username", "oid"}, nil},
		{"by none", manyLookups, ids("email", "e"), nil, []string{"self"}},
		{"one that names nobody lacks the first", `{lookup: "https://h.example/all", response: {match: {a: "{id.a}-{id.b}"}, pick: {c: "{id.c}"}}}`, ids("b", "1"), nil, []string{"a"}},
		{"values that are compared together", `{lookup: "https://h.example/all", response: {match: {a: "{id.a}-{id.b}"}}}`, ids("a", "1", "b", "2"), []string{"a", "b"}, nil},
		{"none", `lookup: ["https://h.example/{id.a}/{id.b}", "https://h.example/{id.c}"]`, ids("b", "1"), nil, []string{"a"}},
		{"an empty value is none", `lookup: ["https://h.example/{id.a}/{id.b}"]`, ids("a", "", "b", "1"), nil, []string{"a"}},
		{"in a body", "lookup: POST https://h.example/\njson: {q: ['{id.a}', {b: '{id.b}'}]}", ids("b", "1"), nil, []string{"a"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			used, missing := bind(define(t, test.keys), nothing(t)).Choose(test.query)
			expect(t, "used", used, test.used)
			expect(t, "missing", missing, test.missing)
		})
	}
}

// Choose, Check and Fetch agree on the lookup: a reply is kept under the kinds that
// it was asked with.
func TestChooseCheckAndFetchAgree(t *testing.T) {
	const keys = `lookup: ["https://h.example/a/{id.a:int}", "https://h.example/b/{id.b:email}", "https://h.example/c/{id.c:uuid}"]`
	kinds, given := []string{"a", "b", "c"}, []string{"", "1", "e@x.example", "d3b07384-d9a1-4655-a08e-df5f4f6d7d19", "..", "x"}
	for i := range len(given) * len(given) * len(given) {
		q := ids("a", given[i%len(given)], "b", given[i/len(given)%len(given)], "c", given[i/len(given)/len(given)])
		w := answers(200, `{}`)
		source := bind(define(t, keys), w)
		used, missing := source.Choose(q)
		fault := source.Check(q)
		_, err := source.Fetch(t.Context(), q)
		switch {
		case len(w.lines()) == 1:
			if len(used) != 1 || fault != nil || missing != nil || w.lines()[0] != "GET https://h.example/"+used[0]+"/"+url.PathEscape(q.IDs[used[0]]) && used[0] != "b" {
				t.Errorf("%v: %v is sent, chosen %v, missing %v, fault %v", q.IDs, w.lines(), used, missing, fault)
			}
			for _, earlier := range kinds[:slices.Index(kinds, used[0])] {
				if q.IDs[earlier] != "" && bind(define(t, keys), nothing(t)).Check(ids(earlier, q.IDs[earlier])) == nil {
					t.Errorf("%v: %s was passed over", q.IDs, earlier)
				}
			}
		case fault == nil || fault.Kind != adapters.Invalid || kindOf(err) != adapters.Invalid || (used == nil) == (missing == nil):
			t.Errorf("%v: nothing is sent, chosen %v, missing %v, fault %v", q.IDs, used, missing, fault)
		}
	}
}

func TestCheckSendsNothing(t *testing.T) {
	source := bind(define(t, `lookup: "https://h.example/{id.self:int}"`), nothing(t))
	if fault := source.Check(ids("self", "7")); fault != nil {
		t.Errorf("7: %v", fault)
	}
	fault := source.Check(ids("self", "seven"))
	if fault == nil || fault.Kind != adapters.Invalid {
		t.Fatalf("seven: %v", fault)
	}
}

// Limits are laid over each other key by key: the gateway's, the definition's,
// the deployment's.
func TestBindLaysLimitsOverEachOther(t *testing.T) {
	var problems document.Problems
	own := document.Read("gateway.yaml", []byte("{attempts: 5, cache: {ttl: 1m}, breaker: {open: 1s}}"), &problems)
	d := define(t, "limits: {timeout: 7s, attempts: 3, rate: 20/s, cache: {stale: 2h}, breaker: {min: 3}}")
	want := adapters.DefaultLimits()
	want.Timeout, want.Attempts, want.Rate = 7*time.Second, 5, adapters.Rate{Calls: 20, Per: time.Second}
	want.Cache.TTL, want.Cache.Stale = time.Minute, 2*time.Hour
	want.Breaker.Min, want.Breaker.Open = 3, time.Second
	want.Concurrency = 9
	defaults := adapters.DefaultLimits()
	defaults.Concurrency, defaults.Attempts = 9, 1
	expect(t, "limits", d.Bind("x", settings(), defaults, own, nothing(t)).Limits(), want)
	expect(t, "the gateway's own", defaults.Attempts, 1)
	if err := problems.Err(); err != nil {
		t.Error(err)
	}
}

func TestADefaultStandsInForASetting(t *testing.T) {
	d := define(t, `{settings: {host: {format: host, required: true}, region: {default: eu}}, lookup: "https://{settings.host}/{settings.region}/{id.self}"}`)
	w := answers(200, `{"id": "1"}`)
	for _, pairs := range [][]string{nil, {"region", "us"}} {
		if _, err := bind(d, w, pairs...).Fetch(t.Context(), somebody()); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, "sent", w.lines(), []string{"GET https://h.example/eu/1", "GET https://h.example/us/1"})
}

func TestTheHashOfASource(t *testing.T) {
	d, other := define(t, ""), define(t, "profile: {displayName: login}")
	hash := func(d *adapters.Definition, s adapters.Settings) string {
		return d.Bind("x", s, adapters.DefaultLimits(), nil, nothing(t)).Hash()
	}
	base := hash(d, settings("token", "a"))
	expect(t, "the same again", hash(d, settings("token", "a")), base)
	expect(t, "limits are no part", d.Bind("y", settings("token", "a"), adapters.Limits{}, nil, nothing(t)).Hash(), base)
	expect(t, "what it does not know", hash(d, settings("token", "a", "unknown", "x")), base)
	for name, changed := range map[string]string{
		"another definition":   hash(other, settings("token", "a")),
		"another token":        hash(d, settings("token", "b")),
		"no token":             hash(d, settings()),
		"another host":         hash(d, settings("token", "a", "host", "g.example")),
		"a value moved":        hash(d, settings("region", "a")),
		"values run together":  hash(d, settings("token", "a6:region", "region", "")),
		"values split between": hash(d, settings("token", "", "region", "a")),
	} {
		if changed == base || len(changed) != 16 {
			t.Errorf("%s: the hash is %s", name, changed)
		}
	}
}

// Neither an address nor an identifier is in any error text, whatever goes wrong.
func TestNoErrorTellsAnAddressOrAPerson(t *testing.T) {
	const person, secret, host = "jane-canary@acme.example", "s3cret-canary", "host-canary.example"
	fails := func(err error) func(*http.Request) (*http.Response, error) {
		return func(r *http.Request) (*http.Response, error) {
			return nil, &url.Error{Op: "Get", URL: r.URL.String(), Err: err}
		}
	}
	dns := &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	for name, answer := range map[string]func(*http.Request) (*http.Response, error){
		"no address":        fails(&net.OpError{Op: "dial", Net: "tcp", Err: dns}),
		"refused":           fails(errors.New("connection refused by " + host)),
		"a deadline":        fails(context.DeadlineExceeded),
		"a network timeout": fails(&net.DNSError{Err: "timeout", Name: host, IsTimeout: true}),
		"a page":            says(200, "<html>"+person+secret+host),
		"an error":          says(500, `{"error": {"message": "`+person+secret+host+`"}}`),
		"another's record":  says(200, `{"id": "joan-canary"}`),
		"two records":       says(200, `[{"id": "`+person+`"}, {"id": "joan-canary"}]`),
		"said twice":        says(200, `{"id": "`+person+`", "name": "a-canary", "name": "b-canary"}`),
		"no token":          says(401, secret),
		"elsewhere":         says(302, "", "Location", "https://"+host+"/"+person),
	} {
		for _, auth := range []string{`{bearer: "{settings.token}"}`, strings.TrimPrefix(clientCredentials, "auth: ")} {
			keys := "ids: {self: id}\nresponse: {error: {message: error.message}}\nauth: " + auth
			_, err := bind(define(t, keys), &wire{answer: answer}, "host", host, "token", secret).Fetch(t.Context(), ids("self", person))
			if err == nil {
				t.Fatalf("%s: no error", name)
			}
			for wrapped := err; wrapped != nil; wrapped = errors.Unwrap(wrapped) {
				if text := fmt.Sprintf("%v %q", wrapped, wrapped.Error()); strings.Contains(text, "canary") || strings.Contains(text, "login.example") {
					t.Errorf("%s: the error says %s", name, text)
				}
			}
		}
	}
	// Nor where a value does not fit, and nothing is sent.
	for _, bad := range []string{person + "\n", "canary\xff"} {
		err := bind(define(t, ""), nothing(t)).Check(ids("self", bad))
		if err == nil || strings.Contains(err.Error(), "canary") || strings.Contains(fmt.Sprint(errors.Unwrap(err)), "canary") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// What kept a reply from coming decides the kind.
func TestTransportFaults(t *testing.T) {
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	left, leave := context.WithCancel(t.Context())
	leave()
	caused, because := context.WithCancelCause(t.Context())
	because(fmt.Errorf("the lookup is over: %w", context.DeadlineExceeded))
	for _, test := range []struct {
		name string
		ctx  context.Context
		err  error
		want string
	}{
		{"refused", t.Context(), errors.New("refused"), "unavailable: the connection failed while asking"},
		{"its deadline", late, errors.New("any"), "timeout: no answer while asking"},
		{"the caller left", left, errors.New("any"), "unavailable: abandoned while asking"},
		{"the cause counts", caused, context.Canceled, "timeout: no answer while asking"},
		{"a timeout of the network", t.Context(), &net.DNSError{IsTimeout: true}, "timeout: no answer while asking"},
		{"a passing failure of the network", t.Context(), &net.DNSError{IsTemporary: true}, "unavailable: the connection failed while asking"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := &wire{answer: func(*http.Request) (*http.Response, error) { return nil, test.err }}
			_, err := bind(define(t, ""), w).Fetch(test.ctx, somebody())
			expect(t, "fault", adapters.FaultOf(err).Error(), test.want)
			expect(t, "abandoned", adapters.Abandoned(err), test.name == "the caller left")
		})
	}
}

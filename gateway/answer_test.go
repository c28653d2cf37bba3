package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"muster/adapters"
	"muster/cache"
	"muster/gateway"
	"muster/normalize"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestStatus is contract.md's "Status", and its fine print, sentence by sentence.
func TestStatus(t *testing.T) {
	t.Parallel()
	record, absent := says(named("Jane")), fails(adapters.NotFound)
	part := inPart(named("Jane"), child(adapters.Denied, adapters.Detail{}))
	unlinked := from(by("email"))
	tests := []struct {
		name    string
		q       gateway.Query
		sources []*gateway.Source
		want    string
	}{
		{"200: a record and no child error", gateway.Query{}, []*gateway.Source{
			source("a", record), source("b", absent), source("c", record, unlinked),
		}, "200: a ok upstream, b absent upstream, c unlinked [email]"},
		{"207: a record and a child error", gateway.Query{}, []*gateway.Source{
			source("a", record), source("b", fails(adapters.Denied)),
		}, "207: a ok upstream, b failed upstream; b denied 403"},
		{"207: a source that answered in part has a record", gateway.Query{}, []*gateway.Source{
			source("a", part),
		}, "207: a partial upstream; a denied 403"},
		{"207: the children of each source stand in its place", gateway.Query{}, []*gateway.Source{
			source("a", fails(adapters.Timeout)),
			source("b", inPart(named("Jane"), child(adapters.Denied, adapters.Detail{}), child(adapters.NotFound, adapters.Detail{}))),
			source("c", fails(adapters.RateLimited)),
		}, "207: a failed upstream, b partial upstream, c failed upstream; a timeout 504, b denied 403, b not_found 404, c rate_limited 429"},

		{"404: every source that could be asked knows no such person", gateway.Query{}, []*gateway.Source{
			source("a", absent), source("b", absent),
		}, "404: a absent upstream, b absent upstream"},
		{"404: others may be unlinked, or left out", gateway.Query{Sources: []string{"a", "b"}}, []*gateway.Source{
			source("a", absent), source("b", record, unlinked), source("c", record),
		}, "404: a absent upstream, b unlinked [email], c skipped"},

		{"424: no source can be reached from here", gateway.Query{}, []*gateway.Source{
			source("a", record, unlinked), source("b", record, unlinked),
		}, "424: a unlinked [email], b unlinked [email]"},
		{"424: or none is left", gateway.Query{Fields: []string{"roles"}}, []*gateway.Source{
			source("a", record),
		}, "424: a skipped"},
		{"424: or there is none", gateway.Query{}, nil, "424: "},

		{"429: all failures are rate_limited", gateway.Query{}, []*gateway.Source{
			source("a", fails(adapters.RateLimited)), source("b", absent), source("c", fails(adapters.RateLimited)), source("d", record, unlinked),
		}, "429: a failed upstream, b absent upstream, c failed upstream, d unlinked [email]; a rate_limited 429, c rate_limited 429"},
		{"504: all are timeout", gateway.Query{}, []*gateway.Source{
			source("a", fails(adapters.Timeout)), source("b", absent),
		}, "504: a failed upstream, b absent upstream; a timeout 504"},
		{"503: one may pass by itself", gateway.Query{}, []*gateway.Source{
			source("a", fails(adapters.Denied)), source("b", fails(adapters.Timeout)),
		}, "503: a failed upstream, b failed upstream; a denied 403, b timeout 504"},
		{"502: none will", gateway.Query{}, []*gateway.Source{
			source("a", fails(adapters.Denied)), source("b", fails(adapters.Malformed)),
		}, "502: a failed upstream, b failed upstream; a denied 403, b malformed 502"},

		{"required: its failure is the lookup's, with every child error", gateway.Query{}, []*gateway.Source{
			source("a", record), source("b", fails(adapters.Unavailable)), source("c", fails(adapters.Denied), required), source("d", part),
		}, "502: a ok upstream, b failed upstream, c failed upstream, d partial upstream; b unavailable 503, c denied 403, d denied 403"},
		{"required: by the same table over those required", gateway.Query{}, []*gateway.Source{
			source("a", fails(adapters.Denied), required), source("b", fails(adapters.Open), required), source("c", record),
		}, "503: a failed upstream, b failed upstream, c ok upstream; a denied 403, b open 503"},
		{"required: an answer in part is no failure", gateway.Query{}, []*gateway.Source{
			source("a", part, required),
		}, "207: a partial upstream; a denied 403"},
		{"required: to know nobody is none", gateway.Query{}, []*gateway.Source{
			source("a", absent, required), source("b", record),
		}, "200: a absent upstream, b ok upstream"},
		{"required: nor is to be out of reach, or not wanted", gateway.Query{Sources: []string{"a", "c"}}, []*gateway.Source{
			source("a", record, required, unlinked), source("b", fails(adapters.Denied), required), source("c", record),
		}, "200: a unlinked [email], b skipped, c ok upstream"},

		{"optional: its failure is told under sources alone", gateway.Query{}, []*gateway.Source{
			source("a", record), source("b", fails(adapters.Unavailable), optional),
		}, "200: a ok upstream, b failed upstream"},
		{"optional: so are its partial failures", gateway.Query{}, []*gateway.Source{
			source("a", part, optional),
		}, "200: a partial upstream"},
		{"optional: its record is a record", gateway.Query{}, []*gateway.Source{
			source("a", absent), source("b", record, optional), source("c", fails(adapters.Denied)),
		}, "207: a absent upstream, b ok upstream, c failed upstream; c denied 403"},
		{"optional: it counts for nothing where another was asked", gateway.Query{}, []*gateway.Source{
			source("a", absent), source("b", fails(adapters.Unavailable), optional),
		}, "404: a absent upstream, b failed upstream"},
		{"optional: and decides nothing where another failed", gateway.Query{}, []*gateway.Source{
			source("a", fails(adapters.Denied)), source("b", fails(adapters.Unavailable), optional), source("c", absent, optional),
		}, "502: a failed upstream, b failed upstream, c absent upstream; a denied 403"},
		{"optional: it counts where nothing else was asked", gateway.Query{}, []*gateway.Source{
			source("a", record, unlinked), source("b", fails(adapters.RateLimited), optional),
		}, "429: a unlinked [email], b failed upstream"},
		{"optional: so that no failure passes for a person unknown", gateway.Query{}, []*gateway.Source{
			source("a", record, unlinked), source("b", absent, optional), source("c", fails(adapters.Unavailable), optional),
		}, "503: a unlinked [email], b absent upstream, c failed upstream"},
		{"optional: all of them know nobody", gateway.Query{}, []*gateway.Source{
			source("a", record, unlinked), source("b", absent, optional),
		}, "404: a unlinked [email], b absent upstream"},

		{"strict: a full answer is one", gateway.Query{Strict: true}, []*gateway.Source{
			source("a", record), source("b", fails(adapters.Unavailable), optional),
		}, "200: a ok upstream, b failed upstream"},
		{"strict: a partial one is an error by its child errors", gateway.Query{Strict: true}, []*gateway.Source{
			source("a", record), source("b", fails(adapters.Timeout)), source("c", fails(adapters.Timeout)),
		}, "504: a ok upstream, b failed upstream, c failed upstream; b timeout 504, c timeout 504"},
		{"strict: those of a partial answer among them", gateway.Query{Strict: true}, []*gateway.Source{
			source("a", part), source("b", fails(adapters.RateLimited)),
		}, "503: a partial upstream, b failed upstream; a denied 403, b rate_limited 429"},
		{"strict: or they alone", gateway.Query{Strict: true}, []*gateway.Source{
			source("a", part),
		}, "502: a partial upstream; a denied 403"},
		{"strict: not those of an optional one", gateway.Query{Strict: true}, []*gateway.Source{
			source("a", record), source("b", fails(adapters.RateLimited)), source("c", part, optional),
		}, "429: a ok upstream, b failed upstream, c partial upstream; b rate_limited 429"},
		{"strict: an error stays what it is", gateway.Query{Strict: true}, []*gateway.Source{
			source("a", absent),
		}, "404: a absent upstream"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := ask(t, open(t, live(test.sources...)), test.q)
			expect(t, "answer", tell(a), test.want)
			expectForm(t, a)
		})
	}
}

// expectForm checks what every answer of a status has and has not (contract.md,
// "The document").
func expectForm(t testing.TB, a gateway.Answer) {
	t.Helper()
	encoded, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(encoded, &members); err != nil {
		t.Fatal(err)
	}
	want := []string{"childErrors", "error", "operationId", "reason", "resolution", "sources"}
	switch a.Status {
	case http.StatusOK:
		want = []string{"complete", "data", "operationId", "sources"}
	case http.StatusMultiStatus:
		want = append(want, "complete", "data", "incompleteFields")
	}
	slices.Sort(want)
	expect(t, "members", slices.Sorted(maps.Keys(members)), want)
	if a.Data != nil {
		expect(t, "complete", *a.Complete, a.Status == http.StatusOK)
	}
	comesBack := a.Status == http.StatusTooManyRequests || a.Status == http.StatusServiceUnavailable || a.Status == http.StatusGatewayTimeout
	if a.Data == nil && comesBack != (a.RetryAfter >= time.Second) {
		t.Errorf("a %d with a Retry-After of %v", a.Status, a.RetryAfter)
	}
	if (a.Data != nil) != (a.ETag != "") {
		t.Errorf("a %d with the tag %q", a.Status, a.ETag)
	}
}

// statusOf is what contract.md says of failures without a record, word for word.
func statusOf(kinds []string) int {
	all := func(kind string) bool {
		return !slices.ContainsFunc(kinds, func(k string) bool { return k != kind })
	}
	mayPass := []string{"unavailable", "timeout", "rate_limited", "open", "pending", "unresolved"}
	switch {
	case all("rate_limited"):
		return 429
	case all("timeout"):
		return 504
	case slices.ContainsFunc(kinds, func(k string) bool { return slices.Contains(mayPass, k) }):
		return 503
	default:
		return 502
	}
}

// TestStatusOfEveryMixture asks every set of failing sources, one of each kind,
// alone and beside each other outcome.
func TestStatusOfEveryMixture(t *testing.T) {
	t.Parallel()
	var kinds []string
	var sources []*gateway.Source
	for _, kind := range adapters.Kinds() {
		if kind != adapters.NotFound { // an outcome, not a failure
			kinds = append(kinds, kind.String())
			sources = append(sources, source(kind.String(), fails(kind)))
		}
	}
	expect(t, "kinds", len(kinds), 12)
	beside := []string{"", "known", "unknown", "unlinked"}
	l := live(append(sources,
		source("known", says(named("Jane"))), source("unknown", fails(adapters.NotFound)), source("unlinked", says(named("Jane")), from(by("email"))))...)
	l.Budget = time.Minute // nothing here is about time, and a machine may be busy
	g := open(t, l)

	for set := 1; set < 1<<len(kinds); set++ {
		var failing []string
		for i, kind := range kinds {
			if set&(1<<i) != 0 {
				failing = append(failing, kind)
			}
		}
		// In pairs all is tried; of the larger sets each has one neighbour.
		others := beside[set%len(beside) : set%len(beside)+1]
		if len(failing) <= 2 {
			others = beside
		}
		for _, other := range others {
			q := gateway.Query{Sources: failing}
			if other != "" {
				q.Sources = append(slices.Clone(failing), other)
			}
			want := statusOf(failing)
			if other == "known" {
				want = 207
			}
			a := ask(t, g, q)
			if a.Status != want {
				t.Errorf("%v: %d, want %d", q.Sources, a.Status, want)
			}
			got := []string{}
			for _, c := range a.ChildErrors {
				got = append(got, c.Kind)
			}
			if !slices.Equal(got, failing) {
				t.Errorf("%v: child errors %v", q.Sources, got)
			}
			if q.Strict = true; ask(t, g, q).Status != statusOf(failing) {
				t.Errorf("%v: strictly %d, want %d", q.Sources, ask(t, g, q).Status, statusOf(failing))
			}
		}
	}
}

// TestStatusOfARequiredSource: beside anything, the required ones decide alone.
func TestStatusOfARequiredSource(t *testing.T) {
	t.Parallel()
	for _, decisive := range adapters.Kinds()[1:] {
		for _, other := range adapters.Kinds()[1:] {
			g := open(t, live(source("a", fails(other)), source("b", fails(decisive), required), source("c", says(named("Jane")))))
			a := ask(t, g, gateway.Query{})
			if want := statusOf([]string{decisive.String()}); a.Status != want || len(a.ChildErrors) != 2 || a.Data != nil {
				t.Errorf("%s beside %s: %s, want %d", decisive, other, tell(a), want)
			}
			g.Close()
		}
	}
}

// TestTheTextsOfARefusal: what a caller reads where there is no profile.
func TestTheTextsOfARefusal(t *testing.T) {
	t.Parallel()
	type texts struct {
		Error, Reason, Resolution string
		RetryAfter                time.Duration
	}
	tests := []struct {
		name    string
		q       gateway.Query
		sources []*gateway.Source
		want    texts
	}{
		{"nobody knows the person", gateway.Query{}, []*gateway.Source{source("a", fails(adapters.NotFound))}, texts{
			"User not found.", "No source that could be asked knows this person.", "Check the identifier.", 0,
		}},
		{"nobody can be reached", gateway.Query{}, []*gateway.Source{source("a", nil, from(by("email")))}, texts{
			"Nothing could be asked.", "No source can be reached from the identifier given.", "Look the person up by an identifier that a source accepts; /v1/providers lists them.", 0,
		}},
		{"nobody gives what was asked for", gateway.Query{Fields: []string{"roles"}}, []*gateway.Source{source("a", nil)}, texts{
			"Nothing could be asked.", "No source of this tenant gives what was asked for.", "Look the person up by an identifier that a source accepts; /v1/providers lists them.", 0,
		}},
		{"asking again will not help", gateway.Query{}, []*gateway.Source{source("a", fails(adapters.Denied)), source("b", fails(adapters.Mismatch))}, texts{
			"No source answered.", "Failed: a (denied), b (mismatch).", "Ask an operator: asking again will not help.", 0,
		}},
		{"it may, and nobody says when", gateway.Query{}, []*gateway.Source{source("a", fails(adapters.Unavailable))}, texts{
			"No source answered.", "Failed: a (unavailable).", "Retry after 1 second.", time.Second,
		}},
		{"the soonest that it may", gateway.Query{}, []*gateway.Source{
			source("a", failsWith(limitedFor(17*time.Second))), source("b", failsWith(limitedFor(4200*time.Millisecond))), source("c", fails(adapters.RateLimited)),
		}, texts{"No source answered.", "Failed: a (rate_limited), b (rate_limited), c (rate_limited).", "Retry after 5 seconds.", 4200 * time.Millisecond}},
		{"a required one", gateway.Query{}, []*gateway.Source{source("a", says(named("Jane"))), source("b", fails(adapters.Open), required), source("c", fails(adapters.Denied))}, texts{
			"A required source did not answer.", "Failed: b (open).", "Retry after 1 second.", time.Second,
		}},
		{"strict", gateway.Query{Strict: true}, []*gateway.Source{source("a", says(named("Jane"))), source("b", failsWith(limitedFor(time.Minute)))}, texts{
			"The answer would be partial.", "Failed: b (rate_limited).", "Retry after 60 seconds.", time.Minute,
		}},
		{"an optional one", gateway.Query{}, []*gateway.Source{source("a", failsWith(limitedFor(time.Minute)), optional)}, texts{
			"No source answered.", "Failed: a (rate_limited).", "Retry after 60 seconds.", time.Minute,
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := ask(t, open(t, live(test.sources...)), test.q)
			expect(t, "texts", texts{a.Error, a.Reason, a.Resolution, a.RetryAfter}, test.want)
		})
	}
}

// TestTheTextsOfAPartialAnswer: what a caller reads beside a profile.
func TestTheTextsOfAPartialAnswer(t *testing.T) {
	t.Parallel()
	type texts struct{ Error, Reason, Resolution string }
	part := inPart(named("Jane"), child(adapters.Denied, adapters.Detail{}))
	tests := []struct {
		name    string
		sources []*gateway.Source
		want    texts
	}{
		{"failed", []*gateway.Source{source("a", says(named("Jane"))), source("b", fails(adapters.Denied)), source("c", nil, from(by("email")))}, texts{
			"Some sources did not answer.", "1 of 3 sources failed: b (denied).", "What the other sources know is under data.",
		}},
		{"in part", []*gateway.Source{source("a", part), source("b", part)}, texts{
			"Some sources answered in part.", "2 of 2 sources answered in part: a, b.", "What the other sources know is under data.",
		}},
		{"both", []*gateway.Source{source("a", part), source("b", failsWith(limitedFor(900*time.Millisecond))), source("c", failsWith(limitedFor(time.Minute)))}, texts{
			"Some sources did not answer.", "2 of 3 sources failed: b (rate_limited), c (rate_limited). 1 of 3 sources answered in part: a.",
			"Retry after 1 second; what the other sources know is under data.",
		}},
		{"the optional are not named", []*gateway.Source{source("a", part), source("b", fails(adapters.Denied), optional), source("c", part, optional)}, texts{
			"Some sources answered in part.", "1 of 3 sources answered in part: a.", "What the other sources know is under data.",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := ask(t, open(t, live(test.sources...)), gateway.Query{})
			expect(t, "texts", texts{a.Error, a.Reason, a.Resolution}, test.want)
		})
	}
}

// theFive are the five sources of contract.md's example, in their state there.
func theFive() *gateway.Live {
	email := "jane@acme.example"
	person := normalize.Profile{
		UserName: "jane", Name: &normalize.Name{GivenName: "Jane", FamilyName: "Doe"}, Active: ptr(true),
		Emails: []normalize.Email{{Value: email, Verified: ptr(true)}},
		Roles:  []normalize.Role{{Value: "reader", Permissions: []string{"read"}, ExpiresAt: time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC)}},
	}
	second := normalize.Profile{UserName: "jdoe", Emails: []normalize.Email{{Value: email}}, Roles: []normalize.Role{{Value: "reader"}}}
	limited := after(12*time.Millisecond, failsWith(limitedFor(17*time.Second)))
	member := func(kind string, members ...string) func(*gateway.Source) {
		return from(upstream{needs: [][]string{{kind}}, yields: []string{normalize.Self}, members: members})
	}
	return live(
		source("csp", after(41*time.Millisecond, says(person)), member("username", "userName", "name", "active", "emails", "roles")),
		source("kobil", says(second), member("username", "userName", "emails", "roles")),
		source("numium", after(38*time.Millisecond, fails(adapters.NotFound)), member("username", "roles")),
		source("aveva", nil, member(normalize.Self, "displayName")),
		source("itwin", limited, member("username", "name", "emails", "organization")),
	)
}

// TestTheContractsExample: the document of contract.md, but for its data.
func TestTheContractsExample(t *testing.T) {
	t.Parallel()
	const document = `{
	  "operationId": "4bf92f3577b34da6a3ce929d0e0e4736",
	  "complete": false,
	  "error": "Some sources did not answer.",
	  "reason": "1 of 5 sources failed: itwin (rate_limited).",
	  "resolution": "Retry after 17 seconds; what the other sources know is under data.",
	  "childErrors": [
	    { "source": "itwin", "kind": "rate_limited", "statusCode": 429,
	      "operationId": "4bf92f3577b34da6a3ce929d0e0e4736",
	      "error": "Too many requests.", "reason": "The upstream limits how often it may be asked.",
	      "resolution": "Retry after 17 seconds.", "retryAfter": 17, "modelId": null }
	  ],
	  "incompleteFields": ["emails", "organization"],
	  "sources": [
	    { "source": "csp", "outcome": "ok", "from": "upstream", "age": 0, "took": 41 },
	    { "source": "kobil", "outcome": "ok", "from": "cache", "age": 112, "took": 0 },
	    { "source": "numium", "outcome": "absent", "from": "upstream", "age": 0, "took": 38 },
	    { "source": "aveva", "outcome": "unlinked", "needs": ["aveva"] },
	    { "source": "itwin", "outcome": "failed", "from": "upstream", "age": 0, "took": 12 }
	  ]
	}`
	synctest.Test(t, func(t *testing.T) {
		l := theFive()
		l.Sources[1].Keep.TTL = 5 * time.Minute
		g := open(t, l)
		ask(t, g, gateway.Query{Sources: []string{"kobil"}})
		time.Sleep(112 * time.Second)

		a := ask(t, g, gateway.Query{})

		expect(t, "status", a.Status, http.StatusMultiStatus)
		expect(t, "Retry-After", a.RetryAfter, 17*time.Second)
		golden(t, "207.json", a)
		a.Data = nil
		expect(t, "document", decode(t, encode(t, a)), decode(t, []byte(document)))
	})
}

// TestGoldenDocuments: each form that an answer has, byte for byte.
func TestGoldenDocuments(t *testing.T) {
	t.Parallel()
	none := fails(adapters.NotFound)
	tests := []struct {
		file    string
		q       gateway.Query
		sources []*gateway.Source
	}{
		{"200.json", gateway.Query{Provenance: true, Sources: []string{"csp", "kobil"}}, theFive().Sources},
		{"404.json", gateway.Query{}, []*gateway.Source{source("csp", none), source("kobil", none, from(by("email"))), source("numium", fails(adapters.Unavailable), optional)}},
		{"424.json", gateway.Query{Sources: []string{"csp", "kobil"}}, []*gateway.Source{
			source("csp", none, from(either([]string{normalize.Self}))), source("kobil", none, from(either([]string{"email", "badge"}))), source("numium", none),
		}},
		{"502.json", gateway.Query{}, []*gateway.Source{
			source("csp", says(named("Jane"))), source("kobil", fails(adapters.Unauthenticated), required), source("numium", failsWith(limitedFor(time.Minute))),
		}},
	}
	for _, test := range tests {
		t.Run(test.file, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := ask(t, open(t, live(test.sources...)), test.q)
				expect(t, "status", fmt.Sprintf("%d.json", a.Status), test.file)
				golden(t, test.file, a)
			})
		})
	}
}

func golden(t *testing.T, file string, a gateway.Answer) {
	t.Helper()
	var indented bytes.Buffer
	if err := json.Indent(&indented, encode(t, a), "", "  "); err != nil {
		t.Fatal(err)
	}
	indented.WriteByte('\n')
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, indented.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), indented.String()); diff != "" {
		t.Errorf("%s (-want +got; -update writes it anew):\n%s", file, diff)
	}
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	encoded, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

func decode(t testing.TB, encoded []byte) (tree any) {
	t.Helper()
	if err := json.Unmarshal(encoded, &tree); err != nil {
		t.Fatal(err)
	}
	return tree
}

// TestIncompleteFields: what a failed source could have changed, and nothing else.
func TestIncompleteFields(t *testing.T) {
	t.Parallel()
	maps := func(members ...string) func(*gateway.Source) {
		return from(upstream{needs: [][]string{{"username"}}, members: members})
	}
	title := says(normalize.Profile{Title: "Dr", Active: ptr(true)})
	down := fails(adapters.Unavailable)
	tests := []struct {
		name    string
		fields  []string
		rules   normalize.Rules
		sources []*gateway.Source
		want    []string
	}{
		{name: "a list always", want: []string{"emails", "roles"}, sources: []*gateway.Source{
			source("a", says(normalize.Profile{Emails: []normalize.Email{{Value: "jane@acme.example"}}})), source("b", down, maps("roles", "emails")),
		}},
		{name: "a scalar where nothing has won", want: []string{"department"}, sources: []*gateway.Source{
			source("a", title), source("b", down, maps("title", "department")),
		}},
		{name: "a scalar where the failed stands before the winner", want: []string{"title"}, sources: []*gateway.Source{
			source("a", down, maps("title")), source("b", title),
		}},
		{
			name: "the authority stands before all", want: []string{"active"},
			rules: normalize.Rules{Fields: map[string]normalize.FieldRule{"active": {Authority: "b"}}},
			sources: []*gateway.Source{
				source("a", title), source("b", down, maps("active")),
			},
		},
		{name: "who answered in part", want: []string{"department"}, sources: []*gateway.Source{
			source("a", title), source("b", inPart(named(""), child(adapters.Denied, adapters.Detail{})), maps("department")),
		}},
		{name: "not what the optional could say", want: []string{"department"}, sources: []*gateway.Source{
			source("a", title), source("b", down, maps("department")), source("c", down, maps("roles"), optional),
		}},
		{name: "only what was asked for", fields: []string{"title", "roles.value"}, want: []string{"roles"}, sources: []*gateway.Source{
			source("a", title, maps("title")), source("b", down, maps("roles", "emails", "department")),
		}},
		{name: "it may be nothing", want: []string{}, sources: []*gateway.Source{
			source("a", title), source("b", down, maps("title")),
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := live(test.sources...)
			l.Rules.Fields = test.rules.Fields
			a := ask(t, open(t, l), gateway.Query{Fields: test.fields})
			expect(t, "status", a.Status, http.StatusMultiStatus)
			expect(t, "incompleteFields", a.IncompleteFields, test.want)
		})
	}
}

// TestFieldsAndProvenance: what was not asked for is not there, neither in the
// profile nor in what is told about it.
func TestFieldsAndProvenance(t *testing.T) {
	t.Parallel()
	g := open(t, live(
		source("a", says(normalize.Profile{UserName: "jane", Title: "Dr", Name: &normalize.Name{GivenName: "Jane", FamilyName: "Doe"}}), from(upstream{needs: [][]string{{"username"}}, members: normalize.Members()})),
		source("b", says(normalize.Profile{UserName: "jdoe", Title: "Ms"}), from(upstream{needs: [][]string{{"username"}}, members: normalize.Members()})),
	))
	a := ask(t, g, gateway.Query{Fields: []string{"userName", "name.givenName"}, Provenance: true})
	expect(t, "data", *a.Data, normalize.Profile{UserName: "jane", Name: &normalize.Name{GivenName: "Jane"}})
	expect(t, "provenance", a.Provenance, normalize.Provenance{
		"userName": {Winner: &normalize.Claim{Source: "a", Value: "jane"}, Losing: []normalize.Claim{{Source: "b", Value: "jdoe"}}},
		"name":     {Winner: &normalize.Claim{Source: "a", Value: normalize.Name{GivenName: "Jane"}}},
	})
	if a := ask(t, g, gateway.Query{}); a.Provenance != nil {
		t.Errorf("the provenance nobody asked for: %v", a.Provenance)
	}
}

// TestNotesAreTold: that a value did not fit its member, and nothing of it.
func TestNotesAreTold(t *testing.T) {
	t.Parallel()
	notes := []string{"timezone: no IANA name"}
	g := open(t, live(source("a", func(context.Context, adapters.Query) (adapters.Reply, error) {
		return adapters.Reply{Record: normalize.Record{Profile: named("Jane")}, Notes: notes}, nil
	})))
	expect(t, "notes", ask(t, g, gateway.Query{}).Sources[0].Notes, notes)
}

// TestChildrenOfAPartialAnswer: what a definition maps under partial is shown,
// within limits (contract.md, "Children of a partial answer").
func TestChildrenOfAPartialAnswer(t *testing.T) {
	t.Parallel()
	denied := func(change func(*gateway.ChildError)) gateway.ChildError {
		c := gateway.ChildError{
			Source: "a", Kind: "denied", StatusCode: 403, OperationID: operationID,
			Error: "Access denied.", Reason: "The gateway's credential may not see this person.", Resolution: "Ask an operator to widen the credential's rights.",
		}
		if change != nil {
			change(&c)
		}
		return c
	}
	tests := []struct {
		name   string
		detail adapters.Detail
		want   gateway.ChildError
	}{
		{"nothing was said", adapters.Detail{}, denied(nil)},
		{
			"everything was",
			adapters.Detail{
				Status: 451, Code: "Blocked", Message: "Not in your region.", Hint: "Move.", Ref: "op 7", Subject: "model-7",
				Details: []string{"told to nobody"},
			},
			gateway.ChildError{Source: "a", Kind: "denied", StatusCode: 451, OperationID: "op 7", Error: "Blocked", Reason: "Not in your region.", Resolution: "Move.", ModelID: ptr("model-7")},
		},
		{"control characters", adapters.Detail{Code: "\x00 a\r\nb\u0085 ", Message: "\n\t", Subject: "\x7f"}, denied(func(c *gateway.ChildError) { c.Error = "a  b" })},
		{"no UTF-8", adapters.Detail{Message: "a\xffb"}, denied(func(c *gateway.ChildError) { c.Reason = "a\ufffdb" })},
		{
			"long texts are cut by characters",
			adapters.Detail{
				Code: strings.Repeat("é", 257), Message: strings.Repeat("é", 256), Hint: strings.Repeat("h", 1000), Ref: strings.Repeat("r", 257), Subject: strings.Repeat("s", 257),
			},
			gateway.ChildError{
				Source: "a", Kind: "denied", StatusCode: 403, OperationID: strings.Repeat("r", 256), Error: strings.Repeat("é", 256), Reason: strings.Repeat("é", 256),
				Resolution: strings.Repeat("h", 256), ModelID: ptr(strings.Repeat("s", 256)),
			},
		},
		{"a status that is no error", adapters.Detail{Status: 207}, denied(nil)},
		{"the least that is one", adapters.Detail{Status: 400}, denied(func(c *gateway.ChildError) { c.StatusCode = 400 })},
		{"just below", adapters.Detail{Status: 399}, denied(nil)},
		{"the last that is one", adapters.Detail{Status: 599}, denied(func(c *gateway.ChildError) { c.StatusCode = 599 })},
		{"a status beyond all", adapters.Detail{Status: 600}, denied(nil)},
		{"a negative one", adapters.Detail{Status: -403}, denied(nil)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := ask(t, open(t, live(source("a", inPart(named("Jane"), child(adapters.Denied, test.detail))))), gateway.Query{})
			expect(t, "child errors", a.ChildErrors, []gateway.ChildError{test.want})
		})
	}
}

// TestTheOperationOfAFailure: the upstream's own id, where it is a word such as
// ids are; a sentence might be about the person.
func TestTheOperationOfAFailure(t *testing.T) {
	t.Parallel()
	for ref, want := range map[string]string{
		"":                        operationID,
		"r-1_2.3:4|5/6Z":          "r-1_2.3:4|5/6Z",
		strings.Repeat("r", 128):  strings.Repeat("r", 128),
		strings.Repeat("r", 129):  operationID,
		"jane@acme.example":       operationID,
		"no such user":            operationID,
		"r\n1":                    operationID,
		"é":                       operationID,
		"https://x.example/u?q=1": operationID,
	} {
		fault := adapters.Fail(adapters.Denied, "", nil)
		fault.Detail.Ref = ref
		a := ask(t, open(t, live(source("a", failsWith(fault)))), gateway.Query{})
		expect(t, fmt.Sprintf("operationId of %q", ref), a.ChildErrors[0].OperationID, want)
	}
}

// TestAFailuresTextsAreTheGateways: of what an upstream says of a failure, and of
// what we say of it to ourselves, a caller sees nothing.
func TestAFailuresTextsAreTheGateways(t *testing.T) {
	t.Parallel()
	const canary = "canary jane@acme.example"
	for _, kind := range adapters.Kinds() {
		fault := adapters.Fail(kind, canary+" step", errors.New(canary+" cause"))
		fault.Detail = adapters.Detail{
			Status: 418, Code: canary + " code", Message: canary + " message", Hint: canary + " hint", Ref: canary + " ref", Subject: canary + " subject",
			Details: []string{canary + " details"},
		}
		fault.RetryAfter = 3 * time.Second
		for _, q := range []gateway.Query{{}, {Strict: true}, {Provenance: true}, {Sources: []string{"a"}}} {
			for name, sources := range map[string][]*gateway.Source{
				"alone":    {source("a", failsWith(fault))},
				"beside":   {source("a", failsWith(fault)), source("b", says(named("Jane")))},
				"required": {source("a", failsWith(fault), required), source("b", says(named("Jane")))},
				"optional": {source("a", failsWith(fault), optional)},
				"no fault": {source("a", func(context.Context, adapters.Query) (adapters.Reply, error) {
					return adapters.Reply{}, errors.New(canary)
				})},
				"stale":       {source("a", inTurn(says(named("Jane")), failsWith(fault)))},
				"with a text": {source("a", func(context.Context, adapters.Query) (adapters.Reply, error) { panic(canary) })},
			} {
				g := open(t, live(sources...))
				if name == "stale" {
					ask(t, g, q)
				}
				q.Want = cache.Want{NoCache: true}
				a := ask(t, g, q)
				if encoded := encode(t, a); bytes.Contains(encoded, []byte("canary")) || bytes.Contains(encoded, []byte("acme.example")) {
					t.Errorf("%s, %s: %s", kind, name, encoded)
				}
				for _, c := range a.ChildErrors {
					if c.Error == "" || c.Reason == "" || c.Resolution == "" || c.StatusCode == 418 {
						t.Errorf("%s, %s: %+v", kind, name, c)
					}
				}
				g.Close()
			}
		}
	}
}

// TestRetryAfterOfAChild: whole seconds, rounded up, and only where asking again may help.
func TestRetryAfterOfAChild(t *testing.T) {
	t.Parallel()
	tests := []struct {
		kind       adapters.Kind
		retryAfter time.Duration
		want       int
		resolution string
	}{
		{adapters.RateLimited, 17 * time.Second, 17, "Retry after 17 seconds."},
		{adapters.RateLimited, 16*time.Second + 1, 17, "Retry after 17 seconds."},
		{adapters.RateLimited, time.Millisecond, 1, "Retry after 1 second."},
		{adapters.RateLimited, 0, 0, "Retry later."},
		{adapters.Open, 15 * time.Second, 15, "Retry after 15 seconds."},
		{adapters.Denied, 15 * time.Second, 0, "Ask an operator to widen the credential's rights."},
	}
	for _, test := range tests {
		fault := adapters.Fail(test.kind, "", nil)
		fault.RetryAfter = test.retryAfter
		a := ask(t, open(t, live(source("a", failsWith(fault)))), gateway.Query{})
		got := a.ChildErrors[0]
		expect(t, fmt.Sprint(test.kind, " ", test.retryAfter), []any{got.RetryAfter, got.Resolution}, []any{test.want, test.resolution})
	}
}

// TestETag: what a tag covers and what it does not (contract.md, "ETag").
func TestETag(t *testing.T) {
	t.Parallel()
	person := normalize.Profile{DisplayName: "Jane", Emails: []normalize.Email{{Value: "jane@acme.example"}}}
	in := func(members ...string) func(*gateway.Source) {
		return from(upstream{needs: [][]string{{"username"}}, members: members})
	}
	two := func(second answer, changes ...func(*gateway.Source)) *gateway.Live {
		return live(source("a", says(person)), source("b", second, changes...))
	}
	tag := func(t *testing.T, l *gateway.Live, q gateway.Query) (tag string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) { tag = ask(t, open(t, l), q).ETag })
		return tag
	}
	first := func(t *testing.T) string { return tag(t, two(says(named("Jane"))), gateway.Query{}) }
	down := fails(adapters.Unavailable)
	partly := func(d adapters.Detail) answer { return inPart(named("Jane"), child(adapters.Denied, d)) }
	shown := gateway.Query{Provenance: true}
	tests := []struct {
		name string
		a, b func(*testing.T) string
		same bool
	}{
		{"the same again", first, first, true},
		{"another operation", first, func(t *testing.T) string {
			return tag(t, two(says(named("Jane"))), gateway.Query{OperationID: "another"})
		}, true},
		{"it took longer", first, func(t *testing.T) string {
			return tag(t, two(after(time.Millisecond, says(named("Jane")))), gateway.Query{})
		}, true},
		{"from the cache, and older", first, func(t *testing.T) (tag string) {
			t.Helper()
			synctest.Test(t, func(t *testing.T) {
				g := open(t, two(says(named("Jane"))))
				ask(t, g, gateway.Query{})
				time.Sleep(40 * time.Second)
				tag = ask(t, g, gateway.Query{}).ETag
			})
			return tag
		}, true},
		{
			"the words of a child", func(t *testing.T) string { return tag(t, two(partly(adapters.Detail{Code: "x"})), gateway.Query{}) },
			func(t *testing.T) string { return tag(t, two(partly(adapters.Detail{Code: "y"})), gateway.Query{}) }, true,
		},
		{
			"the age of what is shown", func(t *testing.T) string { return tag(t, two(says(named("Jane"))), shown) },
			func(t *testing.T) (tag string) {
				t.Helper()
				synctest.Test(t, func(t *testing.T) {
					g := open(t, two(says(named("Jane"))))
					ask(t, g, shown)
					time.Sleep(40 * time.Second)
					tag = ask(t, g, shown).ETag
				})
				return tag
			}, true,
		},

		{"the data", first, func(t *testing.T) string {
			return tag(t, two(says(normalize.Profile{Title: "Dr"})), gateway.Query{})
		}, false},
		{"the status", first, func(t *testing.T) string { return tag(t, two(down, in()), gateway.Query{}) }, false},
		{
			"the kind of a child", func(t *testing.T) string { return tag(t, two(down), gateway.Query{}) },
			func(t *testing.T) string { return tag(t, two(fails(adapters.Timeout)), gateway.Query{}) }, false,
		},
		{
			"the source of a child", func(t *testing.T) string {
				return tag(t, live(source("a", says(person)), source("b", down)), gateway.Query{})
			},
			func(t *testing.T) string {
				return tag(t, live(source("a", says(person)), source("c", down)), gateway.Query{})
			}, false,
		},
		{
			"what is incomplete", func(t *testing.T) string { return tag(t, two(down, in("roles")), gateway.Query{}) },
			func(t *testing.T) string { return tag(t, two(down, in("groups")), gateway.Query{}) }, false,
		},
		{"the fields", first, func(t *testing.T) string {
			return tag(t, two(says(named("Jane"))), gateway.Query{Fields: []string{"displayName", "emails"}})
		}, false},
		{"the sources", first, func(t *testing.T) string {
			return tag(t, two(says(named("Jane"))), gateway.Query{Sources: []string{"a", "b"}})
		}, false},
		{"the provenance asked for", first, func(t *testing.T) string { return tag(t, two(says(named("Jane"))), shown) }, false},
		{
			"the provenance shown", func(t *testing.T) string { return tag(t, two(says(named("Jane"))), shown) },
			func(t *testing.T) string { return tag(t, two(says(named("Janet"))), shown) }, false,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a, b := test.a(t), test.b(t)
			if a == "" || b == "" || (a == b) != test.same {
				t.Errorf("the tags are %q and %q, want the same: %t", a, b, test.same)
			}
		})
	}
}

// TestWhatMayBeKeptOfAnAnswer: its age, how long it holds, and whether anybody was asked.
func TestWhatMayBeKeptOfAnAnswer(t *testing.T) {
	t.Parallel()
	brief := func(s *gateway.Source) { s.Keep.TTL = 20 * time.Second }
	within := func(t *testing.T, what string, got, least, most time.Duration) {
		t.Helper()
		if got < least || got > most {
			t.Errorf("%s is %v, want %v to %v", what, got, least, most)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		g := open(t, live(source("a", says(named("Jane"))), source("b", says(named("Jane")), brief), source("c", nil, from(by("email"))), source("d", says(named("Jane")))))

		a := ask(t, g, gateway.Query{Sources: []string{"a", "c", "d"}})
		within(t, "MaxAge", a.MaxAge, 54*time.Second, time.Minute)
		expect(t, "at first", []any{a.Age, a.Hit}, []any{time.Duration(0), false})

		time.Sleep(10 * time.Second)
		a = ask(t, g, gateway.Query{Sources: []string{"a", "c", "d"}})
		within(t, "MaxAge", a.MaxAge, 44*time.Second, 50*time.Second)
		expect(t, "from the cache", []any{a.Age, a.Hit}, []any{10 * time.Second, true})

		a = ask(t, g, gateway.Query{})
		within(t, "MaxAge", a.MaxAge, 18*time.Second, 20*time.Second) // the shortest
		expect(t, "one from the cache", []any{a.Age, a.Hit}, []any{10 * time.Second, false})

		time.Sleep(30 * time.Second)
		a = ask(t, g, gateway.Query{})
		expect(t, "one stale", []any{a.MaxAge, a.Age, a.Hit}, []any{time.Duration(0), 40 * time.Second, true})
	})
	synctest.Test(t, func(t *testing.T) {
		g := open(t, live(source("a", says(named("Jane"))), source("b", fails(adapters.NotFound))))
		ask(t, g, gateway.Query{})
		within(t, "MaxAge beside one who knows nobody", ask(t, g, gateway.Query{}).MaxAge, 9*time.Second, 10*time.Second)
	})
	synctest.Test(t, func(t *testing.T) {
		g := open(t, live(source("a", says(named("Jane"))), source("b", fails(adapters.Denied), optional)))
		a := ask(t, g, gateway.Query{})
		expect(t, "an optional one has failed", []any{a.Status, a.MaxAge, a.Hit}, []any{200, time.Duration(0), false})
	})
}

// TestATextIsWhole: no answer holds half a character.
func TestATextIsWhole(t *testing.T) {
	t.Parallel()
	for _, text := range []string{strings.Repeat("🦊", 300), strings.Repeat("\xf0\x9f", 300), "x" + strings.Repeat("é", 300)} {
		a := ask(t, open(t, live(source("a", inPart(named("Jane"), child(adapters.Denied, adapters.Detail{Code: text}))))), gateway.Query{})
		if got := a.ChildErrors[0].Error; !utf8.ValidString(got) || utf8.RuneCountInString(got) != 256 {
			t.Errorf("%q", got)
		}
	}
}

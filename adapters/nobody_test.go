package adapters_test

import (
	"strings"
	"testing"

	"muster/adapters"
)

// Whoever the credential is for, the record of a lookup that names nobody is
// believed only when it is of the person asked for.
func TestALookupThatNamesNobody(t *testing.T) {
	const userinfo = `
lookup: "https://h.example/userinfo"
ids: {self: sub, email: {path: email, when: {verified: true}}}
response: {match: {sub: "{id.self}", email: "{id.email}", login: "{id.username}", org: "{tenant.org}", kind: person}}
`
	const list = `
lookup: "https://h.example/all"
ids: {self: sub}
response: {data: items, empty: not_found, pick: {sub: "{id.self}", login: "{id.username}"}}
`
	const groups = `
lookup: "https://h.example/groups"
ids: {}
response: {data: items, list: true, pick: {member: "{id.self}"}}
profile: {groups: [{each: ., value: name}]}
`
	const jane = `{"sub": "1", "email": "jane@acme.example", "verified": true, "login": "jane", "org": "a", "kind": "person"}`
	const nobody, another, unsaid = "invalid: no lookup can be sent with the identifiers at hand", "mismatch: the record is not the one asked for", "mismatch: nothing in the record tells that it is the person's who was asked for"
	for _, test := range []struct {
		name, keys string
		query      adapters.Query
		body       string
		want       string
	}{
		{"the person, by the source's own", userinfo, ids("self", "1", "tenant.org", "a"), jane, "ok self=1 email=jane@acme.example"},
		{"by an address that is verified", userinfo, ids("email", "Jane@acme.example", "tenant.org", "a"), jane, "ok self=1 email=jane@acme.example"},
		{"by what the source does not yield", userinfo, ids("username", "jane", "tenant.org", "a"), jane, "ok self=1 email=jane@acme.example"},
		{"another", userinfo, ids("self", "2", "tenant.org", "a"), jane, another},
		{"another's address", userinfo, ids("self", "1", "email", "joan@acme.example", "tenant.org", "a"), jane, another},
		{"nothing to compare with", userinfo, ids("oid", "1", "tenant.org", "a"), jane, nobody},
		{"an empty identifier is none", userinfo, ids("self", "", "tenant.org", "a"), jane, nobody},
		{"no identifier in the record", userinfo, ids("self", "1", "tenant.org", "a"), `{"login": "jane", "org": "a"}`, unsaid},
		{"an identifier that is null", userinfo, ids("self", "1", "tenant.org", "a"), `{"sub": null, "org": "a"}`, unsaid},
		{"an address that anybody may have typed", userinfo, ids("email", "jane@acme.example", "tenant.org", "a"), `{"sub": "9", "email": "jane@acme.example", "verified": false}`, unsaid},
		{"beside the source's own", userinfo, ids("self", "9", "email", "jane@acme.example", "tenant.org", "a"), `{"sub": "9", "email": "jane@acme.example", "verified": false}`, "ok self=9"},
		{"an identifier that is an object", userinfo, ids("self", "1", "tenant.org", "a"), `{"sub": {"x": "1"}}`, another},
		{"one of many", list, ids("username", "jane"), `{"items": [{"sub": "1", "login": "jane"}, {"sub": "2", "login": "joan"}]}`, "ok self=1"},
		{"none of many", list, ids("username", "jim"), `{"items": [{"sub": "1", "login": "jane"}]}`, "not_found: no record"},
		{"a list of one's own", groups, ids("self", "1"), `{"items": [{"member": "1", "name": "a"}, {"member": "2", "name": "b"}]}`, "ok"},
		{"a list with nothing of one's own", groups, ids("self", "3"), `{"items": [{"member": "1", "name": "a"}]}`, "ok"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := answers(200, test.body)
			source := bind(define(t, test.keys), w)
			used, _ := source.Choose(test.query)
			reply, err := source.Fetch(t.Context(), test.query)
			expect(t, "outcome", outcome(reply, err), test.want)
			expect(t, "sent", len(w.lines()), map[bool]int{true: 0, false: 1}[test.want == nobody])
			expect(t, "chosen", used != nil, test.want != nobody)
		})
	}
	expect(t, "Needs", bind(define(t, userinfo), nothing(t)).Needs(), [][]string{{"self"}, {"email"}, {"username"}})
}

// A lookup with an identifier is believed as before: what a record leaves out does
// not differ.
func TestALookupThatNamesSomebody(t *testing.T) {
	w := answers(200, `{"name": "Jane"}`)
	reply, err := bind(define(t, `response: {match: {id: "{id.self}"}}`), w).Fetch(t.Context(), somebody())
	expect(t, "outcome", outcome(reply, err), "ok name=Jane")
}

func TestALookupWithNothingToCompareIsAMistake(t *testing.T) {
	want := []string{"the lookup names nobody, and nothing tells whose record it brings | write {id.KIND} into the address, or compare the record under response: {match: {PATH: \"{id.KIND}\"}}"}
	for name, test := range map[string]struct {
		keys string
		want []string
	}{
		"nothing":                          {`lookup: "https://h.example/userinfo"`, want},
		"of the tenant":                    {`{lookup: "https://h.example/{tenant.self}", response: {match: {org: "{tenant.self}"}}}`, want},
		"in a query that may be left out":  {`{lookup: "https://h.example/users", query: {q: "{id.self}"}}`, nil},
		"in a header that may be left out": {`{lookup: "https://h.example/users", headers: {q: "{id.self}"}}`, nil},
		"the second of two":                {`lookup: ["https://h.example/{id.self}", "https://h.example/all"]`, want},
		"compared":                         {`{lookup: "https://h.example/userinfo", response: {match: {sub: "{id.self}"}}}`, nil},
		"picked":                           {`{lookup: "https://h.example/users", response: {pick: {sub: "{id.self}"}}}`, nil},
		"in the address":                   {`{lookup: "https://h.example/users?q={id.self}"}`, nil},
		"in the body":                      {"lookup: POST https://h.example/users\njson: {q: [{a: '{id.self}'}]}", nil},
	} {
		expect(t, name, mistakes(t, test.keys), test.want)
	}
}

// An identifier under `query` or `headers` names somebody where it is at hand. The
// lookup is not sent without one: that would ask for everybody.
func TestALookupNamedByItsQuery(t *testing.T) {
	const search = `
lookup: "https://h.example/users"
query: {email: "{id.email}", login: "{id.username}"}
ids: {self: id}
response: {data: items, empty: not_found}
`
	for _, test := range []struct {
		name  string
		query adapters.Query
		want  string
		sent  string
	}{
		{"by the first", ids("email", "jane@acme.example"), "ok self=1", "GET https://h.example/users?email=jane%40acme.example"},
		{"by the second", ids("username", "jane"), "ok self=1", "GET https://h.example/users?login=jane"},
		{"by both", ids("email", "jane@acme.example", "username", "jane"), "ok self=1", "GET https://h.example/users?email=jane%40acme.example&login=jane"},
		{"by none", ids("oid", "1"), "invalid: no lookup can be sent with the identifiers at hand", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := answers(200, `{"items": [{"id": 1}]}`)
			source := bind(define(t, search), w)
			reply, err := source.Fetch(t.Context(), test.query)
			expect(t, "outcome", outcome(reply, err), test.want)
			expect(t, "sent", strings.Join(w.lines(), "; "), test.sent)
		})
	}
	expect(t, "Needs", bind(define(t, search), nothing(t)).Needs(), [][]string{{"email"}, {"username"}})
}

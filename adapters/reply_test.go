package adapters_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"muster/adapters"
)

// heard is what comes of one reply.
func heard(t *testing.T, keys string, status int, body string, headers ...string) string {
	t.Helper()
	reply, err := bind(define(t, keys), answers(status, body, headers...)).Fetch(t.Context(), ids("self", "1", "username", "jane", "email", "jane@x.example", "tenant.org", "7"))
	return outcome(reply, err)
}

func TestWhereTheRecordIs(t *testing.T) {
	const (
		missing = "malformed: no record where the definition expects it"
		none    = "not_found: no record"
		no      = "malformed: the record is not an object"
		scalar  = "malformed: the reply is not an object"
		two     = "mismatch: more than one record answers to the identifier"
	)
	for _, test := range []struct{ name, response, body, want string }{
		{"the body", `{}`, `{"id": 1, "name": "Jane"}`, "ok self=1 name=Jane"},
		{"a path", `{data: value.user}`, `{"value": {"user": {"id": "1"}}}`, "ok self=1"},
		{"the first path with a value", `{data: [value, data]}`, `{"value": null, "data": {"id": "1"}}`, "ok self=1"},
		{"the first of two", `{data: [value, data]}`, `{"value": {"id": "1"}, "data": {"id": "2"}}`, "ok self=1"},
		{"an empty object is none", `{data: [value, data]}`, `{"value": {}, "data": {"id": "1"}}`, "ok self=1"},
		{"nothing there", `{data: value}`, `{"other": 1}`, missing},
		{"null", `{data: value}`, `{"value": null}`, missing},
		{"an empty object", `{data: value}`, `{"value": {}}`, missing},
		{"an empty list", `{data: value}`, `{"value": []}`, missing},
		{"nothing, said to be nobody", `{data: value, empty: not_found}`, `{"value": []}`, none},
		{"nothing, said to be fine", `{data: value, empty: ok}`, `{"value": null}`, "ok"},
		{"the body is an empty object", `{empty: not_found}`, `{}`, none},
		{"the body is null", `{empty: not_found}`, `null`, none},
		{"the body is an empty list", `{empty: not_found}`, `[]`, none},
		{"the body is a text", `{empty: not_found}`, `"canary"`, no},
		{"the body is a number", `{}`, `42`, no},
		{"no path leads into a text", `{data: value, empty: not_found}`, `"canary"`, scalar},
		{"no path leads into true", `{data: value, empty: ok}`, `true`, scalar},
		{"a text in its place", `{data: value}`, `{"value": "canary"}`, no},
		{"a boolean in its place", `{data: value, empty: ok}`, `{"value": false}`, no},
		{"said twice", `{data: value}`, `{"value": {"id": "1"}, "value": {"id": "2"}}`, no},
		{"one hit", `{data: users}`, `{"users": [{"id": "1"}]}`, "ok self=1"},
		{"one hit among nothing", `{data: users}`, `{"users": [null, {}, {"id": "1"}, [], ""]}`, "ok self=1"},
		{"nothing but null", `{data: users, empty: not_found}`, `{"users": [null, null]}`, none},
		{"two hits", `{data: users}`, `{"users": [{"id": "1"}, {"id": "2"}]}`, two},
		{"the same hit twice", `{data: users}`, `{"users": [{"id": "1"}, {"id": "1"}]}`, two},
		{"two hits, one null", `{data: users}`, `{"users": [{"id": "1"}, null, {"id": "2"}]}`, two},
		{"a hit that is none", `{data: users}`, `{"users": ["canary"]}`, no},
		{"a list in a list", `{data: users}`, `{"users": [[{"id": "1"}]]}`, no},
		{"the body is the list", `{}`, `[{"id": "1"}]`, "ok self=1"},

		{"the whole list", `{data: users, list: true}`, `{"users": [{"name": "A"}, {"name": "B"}]}`, "ok name=A"},
		{"the whole list with null in it", `{data: users, list: true}`, `{"users": [null, {"id": "1", "name": "B"}]}`, "ok self=1 name=B"},
		{"the whole list, and nobody in it", `{data: users, list: true, empty: not_found}`, `{"users": []}`, "ok"},
		{"no whole list", `{data: users, list: true, empty: not_found}`, `{}`, none},
		{"a whole list of nothing", `{data: users, list: true, empty: not_found}`, `{"users": [null]}`, none},

		{"picked among several", `{data: users, pick: {login: "{id.username}"}}`, `{"users": [{"id": "2", "login": "janet"}, {"id": "1", "login": "JANE"}, {"id": "3"}]}`, "ok self=1 username=JANE"},
		{"picked by an address", `{data: users, pick: {mail: "{id.email}"}}`, `{"users": [{"id": "1", "mail": "Jane@X.example"}]}`, "ok self=1"},
		{"picked by two", `{data: users, pick: {login: "{id.username}", org: "{tenant.org}"}}`, `{"users": [{"id": "2", "login": "jane", "org": 8}, {"id": "1", "login": "jane", "org": 7}]}`, "ok self=1 username=jane"},
		{"two that equal", `{data: users, pick: {login: "{id.username}"}}`, `{"users": [{"id": "1", "login": "jane"}, {"id": "2", "login": "Jane"}]}`, two},
		{"one record that is no list", `{data: user, pick: {login: "{id.username}"}}`, `{"user": {"id": "1", "login": "jane"}}`, "ok self=1 username=jane"},
		{"all that equal, as a list", `{data: users, list: true, pick: {org: "{tenant.org}"}}`, `{"users": [{"id": "2", "org": 8}, {"id": "1", "org": 7, "name": "A"}, {"org": 7, "name": "B"}]}`, "ok self=1 name=A"},
		{"none that equals, as a list", `{data: users, list: true, pick: {org: "{tenant.org}"}}`, `{"users": [{"id": "2", "org": 8}]}`, "ok"},
		{"picked by a tenant's value that is missing", `{data: users, pick: {org: "{tenant.none}"}, empty: not_found}`, `{"users": [{"id": "1", "org": 7}]}`, none},
	} {
		t.Run(test.name, func(t *testing.T) {
			expect(t, "outcome", heard(t, "response: "+test.response, 200, test.body), test.want)
		})
	}
}

func TestMatch(t *testing.T) {
	const other = "mismatch: the record is not the one asked for"
	const guid = "d3b07384-d9a1-4655-a08e-df5f4f6d7d19"
	for _, test := range []struct{ name, match, body, want string }{
		{"equal", `{org: "{tenant.org}"}`, `{"id": "1", "org": "7"}`, "ok self=1"},
		{"a number", `{org: "{tenant.org}"}`, `{"id": "1", "org": 7}`, "ok self=1"},
		{"another", `{org: "{tenant.org}"}`, `{"id": "1", "org": 8}`, other},
		{"a number written otherwise", `{org: "{tenant.org}"}`, `{"id": "1", "org": 7.0}`, other},
		{"left out", `{org: "{tenant.org}"}`, `{"id": "1"}`, "ok self=1"},
		{"null", `{org: "{tenant.org}"}`, `{"id": "1", "org": null}`, "ok self=1"},
		{"an object", `{org: "{tenant.org}"}`, `{"id": "1", "org": {"id": 7}}`, other},
		{"one of a list", `{orgs: "{tenant.org}"}`, `{"id": "1", "orgs": [8, 7]}`, "ok self=1"},
		{"none of a list", `{orgs: "{tenant.org}"}`, `{"id": "1", "orgs": [8, 9]}`, other},
		{"an empty list says nothing", `{orgs: "{tenant.org}"}`, `{"id": "1", "orgs": []}`, "ok self=1"},
		{"one of the addresses", `{mails.value: "{id.email}"}`, `{"id": "1", "mails": [{"value": "joan@x.example"}, {"value": "Jane@x.example"}, {}]}`, "ok self=1"},
		{"none of the addresses", `{mails.value: "{id.email}"}`, `{"id": "1", "mails": [{"value": "joan@x.example"}, {"value": null}]}`, other},
		{"equal, beside an object", `{org: "{tenant.org}"}`, `{"id": "1", "org": [{"id": 7}, 7]}`, "ok self=1"},
		{"equal, beside what is said twice", `{orgs.id: "{tenant.org}"}`, `{"id": "1", "orgs": [{"id": 7}, {"id": 8, "id": 9}]}`, other},
		{"said twice", `{org: "{tenant.org}"}`, `{"id": "1", "org": 7, "org": 8}`, other},
		{"a tenant's value in another case", `{org: "{tenant.name}"}`, `{"id": "1", "org": "ACME"}`, other},
		{"a username in another case", `{login: "{id.username}"}`, `{"id": "1", "login": "JANE"}`, "ok self=1 username=JANE"},
		{"an address in another case", `{mail: "{id.email}"}`, `{"id": "1", "mail": "JANE@x.example"}`, "ok self=1"},
		{"another kind in another case", `{code: "{id.code}"}`, `{"id": "1", "code": "ABC"}`, other},
		{"a GUID in another case", `{guid: "{id.guid}"}`, `{"id": "1", "guid": "` + strings.ToUpper(guid) + `"}`, "ok self=1"},
		{"with a literal", `{ref: "org-{tenant.org}"}`, `{"id": "1", "ref": "org-7"}`, "ok self=1"},
		{"with a literal, another", `{ref: "org-{tenant.org}"}`, `{"id": "1", "ref": "org-8"}`, other},
		{"a literal alone", `{type: person}`, `{"id": "1", "type": "robot"}`, other},
		{"all must", `{type: person, org: "{tenant.org}"}`, `{"id": "1", "type": "person", "org": 8}`, other},
		{"an identifier that is not known", `{oid: "{id.oid}"}`, `{"id": "1", "oid": "x"}`, "ok self=1"},
		{"a setting that is not given", `{region: "{settings.region}"}`, `{"id": "1", "region": "x"}`, "ok self=1"},
		{"a tenant's value that is missing", `{org: "{tenant.none}"}`, `{"id": "1", "org": 7}`, other},
		{"a value that is not of its form", `{login: "{id.username:int}"}`, `{"id": "1", "login": "jane"}`, other},
	} {
		t.Run(test.name, func(t *testing.T) {
			q := ids("self", "1", "username", "jane", "email", "jane@x.example", "guid", guid, "code", "abc", "tenant.org", "7", "tenant.name", "acme")
			reply, err := bind(define(t, "response: {match: "+test.match+"}"), answers(200, test.body)).Fetch(t.Context(), q)
			expect(t, "outcome", outcome(reply, err), test.want)
		})
	}
}

// What a lookup was sent with, a hit must say. What was at hand besides decides
// between several hits, and nobody is taken whom it contradicts.
func TestPick(t *testing.T) {
	const (
		none  = "not_found: no record"
		two   = "mismatch: more than one record answers to the identifier"
		other = "mismatch: no record found agrees with everything that is known of the person"

		byMail = `{login: "{id.username}", mails.value: "{id.email}"}`
	)
	hit := func(id, login, mail string) string {
		return `{"id": "` + id + `", "login": "` + login + `", "mails": [{"value": "x@y.example"}, {"value": "` + mail + `"}]}`
	}
	for _, test := range []struct {
		name, lookup, pick string
		known              adapters.Query
		hits, want         string
	}{
		{"what was sent is said", "{id.email}", byMail, ids("email", "a@x.example"), hit("1", "jane", "b@x.example") + "," + hit("2", "joan", "A@x.example"), "ok self=2 username=joan"},
		{"what was sent is not said", "{id.email}", byMail, ids("email", "a@x.example"), hit("1", "jane", ""), "not_found: no record"},
		{"an empty value says nothing", "{id.username}", `{login: "{id.username}"}`, ids("username", "jane"), `{"id": "1", "login": ""}`, none},
		{"what resembles is not it", "{id.username}", `{login: "{id.username}"}`, ids("username", "jane"), hit("1", "janet", ""), none},
		{"a hit that does not say", "{id.username}", `{login: "{id.username}"}`, ids("username", "jane"), `{"id": "1"}`, none},
		{"hits that are none", "{id.username}", `{login: "{id.username}"}`, ids("username", "jane"), `"jane", 1, null, [{"login": "jane"}]`, none},
		{"two that say it", "{id.email}", byMail, ids("email", "a@x.example"), hit("1", "jane", "a@x.example") + "," + hit("2", "joan", "a@x.example"), two},
		{"in a query of all lookups", "x", `{login: "{id.username}"}`, ids("username", "jane"), `{"id": "1"}`, none},

		{"another lookup's identifier is not at hand", "{id.self}", byMail, ids("self", "1"), hit("1", "jane", ""), "ok self=1 username=jane"},
		{"and two hits are nobody", "{id.self}", byMail, ids("self", "1"), hit("1", "jane", "a@x.example") + "," + hit("2", "joan", "b@x.example"), two},

		{"known besides, and said", "{id.email}", byMail, ids("email", "a@x.example", "username", "jane"), hit("1", "jane", "a@x.example"), "ok self=1 username=jane"},
		{"known besides, and not said", "{id.email}", byMail, ids("email", "a@x.example", "username", "jane"), hit("1", "", "a@x.example"), "ok self=1"},
		{"known besides, and contradicted", "{id.email}", byMail, ids("email", "a@x.example", "username", "jane"), hit("1", "joan", "a@x.example"), other},
		{"known besides decides between two", "{id.email}", byMail, ids("email", "a@x.example", "username", "jane"), hit("1", "joan", "a@x.example") + "," + hit("2", "jane", "a@x.example"), "ok self=2 username=jane"},
		{"and not by what one leaves out", "{id.email}", byMail, ids("email", "a@x.example", "username", "jane"), hit("1", "joan", "a@x.example") + "," + hit("2", "", "a@x.example"), other},
		{"and not where both say it", "{id.email}", byMail, ids("email", "a@x.example", "username", "jane"), hit("1", "jane", "a@x.example") + "," + hit("2", "JANE", "a@x.example"), two},
		{"known besides, and nobody was found", "{id.email}", byMail, ids("email", "a@x.example", "username", "jane"), hit("1", "jane", "b@x.example"), none},
	} {
		t.Run(test.name, func(t *testing.T) {
			keys := `lookup: "https://h.example/` + test.lookup + `"` + "\nresponse: {data: users, empty: not_found, pick: " + test.pick + "}"
			if test.lookup == "x" {
				keys += "\nquery: {u: '{id.username}'}"
			}
			reply, err := bind(define(t, keys), answers(200, `{"users": [`+test.hits+`]}`)).Fetch(t.Context(), test.known)
			expect(t, "outcome", outcome(reply, err), test.want)
		})
	}
}

// The record's own identifier must be the one asked for, where it comes back.
func TestTheSameIdentifier(t *testing.T) {
	const other = "mismatch: the record's own identifier is not the one asked for"
	const guid = "d3b07384-d9a1-4655-a08e-df5f4f6d7d19"
	for _, test := range []struct{ name, keys, body, want string }{
		{"equal", `{ids: {self: id}}`, `{"id": 1}`, "ok self=1"},
		{"another", `{ids: {self: id}}`, `{"id": 2}`, other},
		{"left out", `{ids: {self: id}}`, `{"name": "Jane"}`, "ok name=Jane"},
		{"not checked", `{ids: {self: {path: id, check: false}}}`, `{"id": 2}`, "ok self=2"},
		{"not asked with", `{ids: {self: id, username: login}}`, `{"id": 1, "login": "joan"}`, "ok self=1 username=joan"},
		{"a username in another case", `{lookup: "https://h.example/{id.username}", ids: {username: login}}`, `{"login": "JANE"}`, "ok username=JANE"},
		{"a username that only looks so", `{lookup: "https://h.example/{id.username}", ids: {username: login}}`, `{"login": "jаne"}`, other},
		{"an address in another case", `{lookup: "https://h.example/{id.email}", ids: {email: {path: mail, verified: assumed}}}`, `{"mail": " Jane@X.EXAMPLE"}`, "ok email=jane@x.example"},
		{"an address of a body", `{lookup: "POST https://h.example/", json: {q: ["{id.email}"]}, ids: {email: {path: mail, verified: assumed}}}`, `{"mail": "joan@x.example"}`, other},
		{"a kind of its own in another case", `{lookup: "https://h.example/{id.code}", ids: {code: code}}`, `{"code": "ABC"}`, other},
		{"a kind that its source takes in any case", `{lookup: "https://h.example/{id.code}", ids: {code: {path: code, case: any}}}`, `{"code": "ABC"}`, "ok code=ABC"},
		{"and another", `{lookup: "https://h.example/{id.code}", ids: {code: {path: code, case: any}}}`, `{"code": "ABD"}`, other},
		{"and one that only looks so", `{lookup: "https://h.example/{id.s}", ids: {s: {path: code, case: any}}}`, `{"code": "ſam"}`, other}, // ſ
		{"and compared besides", `{lookup: "https://h.example/{id.self}", response: {match: {code: "{id.code}"}}, ids: {code: {path: code, case: any}}}`, `{"code": "ABC"}`, "ok code=ABC"},
		{"a GUID in another case", `{lookup: "https://h.example/{id.guid}", ids: {guid: guid}}`, `{"guid": "` + strings.ToUpper(guid) + `"}`, "ok guid=" + strings.ToUpper(guid)},
		{"one of two differs", `{lookup: "https://h.example/{id.self}?u={id.username}", ids: {self: id, username: login}}`, `{"id": 1, "login": "joan"}`, other},
		{"in the query that may be left out", `{query: {u: "{id.username}"}, ids: {username: login}}`, `{"login": "joan"}`, other},
		{"the second of several addresses", `{lookup: "https://h.example/{id.email}", ids: {email: {path: mails, verified: assumed}}}`, `{"mails": ["joan@x.example", "JANE@x.example"]}`, "ok email=jane@x.example"},
		{"none of several addresses", `{lookup: "https://h.example/{id.email}", ids: {email: {path: mails, verified: assumed}}}`, `{"mails": ["joan@x.example", "jim@x.example"]}`, other},
		{"the first of several that were not asked for", `{ids: {self: id, email: {path: mails, verified: assumed}}}`, `{"id": 1, "mails": ["joan@x.example", "jane@x.example"]}`, "ok self=1 email=joan@x.example"},
		{"a second address that is not verified", `{lookup: "https://h.example/{id.email}", ids: {email: [{path: mail, when: {proved: true}}, {path: other, when: {otherProved: true}}]}}`, `{"mail": "joan@x.example", "proved": true, "other": "jane@x.example", "otherProved": false}`, other},
		{"no address", `{ids: {self: id, email: {path: mails, verified: assumed}}}`, `{"id": 1, "mails": ["@", "a@", "@b", "a b@c", "[email protected]", "n/a", "jane@x"]}`, "ok self=1 email=jane@x"},
		{"in a query that was left out", `{query: {u: "{id.nick}"}, ids: {nick: login}}`, `{"login": "joan"}`, "ok nick=joan"},
	} {
		t.Run(test.name, func(t *testing.T) {
			q := ids("self", "1", "username", "jane", "email", "jane@x.example", "guid", guid, "code", "abc", "s", "sam")
			reply, err := bind(define(t, test.keys), answers(200, test.body)).Fetch(t.Context(), q)
			expect(t, "outcome", outcome(reply, err), test.want)
		})
	}
}

func TestWhatAReplyMeans(t *testing.T) {
	const rules = `
response:
  ok: {success: [true, null]}
  error: {code: error.code, message: error.message, ref: [requestId, error.ref], hint: error.hint, subject: error.target, details: error.info}
  errors:
    - {if: {http: 404, error.code: NoTenant}, as: misconfigured}
    - {if: {http: 400, error.message: "*limit*"}, as: rate_limited}
    - {if: {http: 2xx, error.code: NoUser}, as: not_found}
    - {if: {cel: "http == 200 && body.status == 'slow'"}, as: timeout}
    - {if: {http: [418, 451]}, as: denied}
tests: [{name: slow, with: {id: {self: "1"}}, reply: {json: {status: slow}}, expect: {outcome: failed}}]
`
	for _, test := range []struct {
		name   string
		status int
		body   string
		want   string
	}{
		{"success", 200, `{"id": "1"}`, "ok self=1"},
		{"success, said so", 201, `{"id": "1", "success": true}`, "ok self=1"},
		{"partial content of HTTP", 206, `{"id": "1"}`, "ok self=1"},
		{"failure in a 200", 200, `{"id": "1", "success": false}`, "unavailable: the reply does not say that it succeeded"},
		{"a truth of another type", 200, `{"id": "1", "success": "true"}`, "unavailable: the reply does not say that it succeeded"},
		{"a rule for a 200", 200, `{"error": {"code": "NoUser"}}`, "not_found: the definition says so of this reply"},
		{"a rule in CEL", 200, `{"status": "slow"}`, "timeout: the definition says so of this reply"},
		{"the first rule", 404, `{"error": {"code": "NoTenant", "message": "limit"}}`, "misconfigured: the definition says so of this reply"},
		{"no rule", 404, `{"error": {"code": "Other"}}`, "not_found: the upstream answered 404"},
		{"a text with a star, in any case", 400, `{"error": {"message": "Client LIMIT exceeded"}}`, "rate_limited: the definition says so of this reply"},
		{"a rule without a body", 451, ``, "denied: the definition says so of this reply"},
		{"a page for an error", 503, `<html>canary</html>`, "unavailable: the upstream answered 503"},
		{"a page for success", 200, `<html>canary</html>`, "malformed: the reply is not JSON"},
		{"success without a body", 204, ``, "malformed: the reply is not JSON"},
		{"a redirect", 302, `{"id": "1"}`, "misconfigured: the upstream answered 302"},
		{"a status that nobody knows", 799, ``, "unavailable: the upstream answered 799"},
		{"401", 401, ``, "unauthenticated: the upstream answered 401"},
		{"403", 403, ``, "denied: the upstream answered 403"},
		{"410", 410, ``, "not_found: the upstream answered 410"},
		{"422", 422, ``, "invalid: the upstream answered 422"},
		{"429", 429, ``, "rate_limited: the upstream answered 429"},
		{"408", 408, ``, "unavailable: the upstream answered 408"},
		{"a mapped member said twice", 200, `{"id": "1", "name": "a", "name": "b"}`, "malformed: displayName: a mapped member is said twice with different values"},
		{"another member said twice", 200, `{"id": "1", "x": "a", "x": "b"}`, "ok self=1"},
	} {
		t.Run(test.name, func(t *testing.T) { expect(t, "outcome", heard(t, rules, test.status, test.body), test.want) })
	}

	said := `{"error": {"code": 42, "message": "canary", "hint": "wait", "target": "x", "info": ["a", "b", null, 3]}, "requestId": "op-1"}`
	_, err := bind(define(t, rules), answers(500, said)).Fetch(t.Context(), somebody())
	fault := adapters.FaultOf(err)
	expect(t, "detail", fault.Detail, adapters.Detail{Status: 500, Code: "42", Message: "canary", Hint: "wait", Ref: "op-1", Subject: "x", Details: []string{"a", "b", "3"}})
	if strings.Contains(fault.Error(), "canary") {
		t.Errorf("the upstream's own text is in %q", fault)
	}
	if reply, err := bind(define(t, rules), answers(201, `{"id": "1"}`)).Fetch(t.Context(), somebody()); err != nil || reply.Status != 201 {
		t.Errorf("Status %d, %v", reply.Status, err)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	const past, soon, late = "Sun, 01 Mar 2026 11:59:00 GMT", "Sun, 01 Mar 2026 12:00:17 GMT", "Fri, 01 Mar 2126 12:00:00 GMT"
	unix := func(after time.Duration) string { return fmt.Sprint(now.Add(after).Unix()) }
	for _, test := range []struct {
		rule, text string // of the header, or of the body where the rule has a path
		want       time.Duration
	}{
		{``, ``, 0},
		{``, `17`, 17 * time.Second},
		{``, `0.5`, 500 * time.Millisecond},
		{``, `0`, 0},
		{``, `-5`, 0},
		{``, `3600`, time.Hour},
		{``, `3601`, time.Hour},
		{``, `99999999999999999999`, time.Hour},
		{``, `1e400`, time.Hour},
		{``, `-1e400`, 0},
		{``, strings.Repeat("9", 400), time.Hour},
		{``, `Inf`, time.Hour},
		{``, `-Inf`, 0},
		{``, `NaN`, 0},
		{``, `soon`, 0},
		{``, soon, 17 * time.Second},
		{``, `Sunday, 01-Mar-26 12:00:17 GMT`, 17 * time.Second}, // RFC 9110, 5.6.7: obsolete, and to be read
		{``, past, 0},
		{``, late, time.Hour},
		{`{header: X-Reset}`, `17`, 17 * time.Second},
		{`{header: X-Reset}`, soon, 17 * time.Second},
		{`{header: X-Reset, as: seconds}`, soon, 0},
		{`{header: X-Reset, as: seconds}`, `1e400`, time.Hour},
		{`{header: X-Reset, as: http_date}`, soon, 17 * time.Second},
		{`{header: X-Reset, as: http_date}`, `nonsense`, 0},
		{`{header: X-Reset, as: rfc3339}`, `2026-03-01T12:00:17Z`, 17 * time.Second},
		{`{header: X-Reset, as: rfc3339}`, `2026-03-01T13:00:17.5+01:00`, 17*time.Second + 500*time.Millisecond},
		{`{header: X-Reset, as: rfc3339}`, `2026-03-01T11:59:59Z`, 0},
		{`{header: X-Reset, as: rfc3339}`, `2126-03-01T12:00:00Z`, time.Hour},
		{`{header: X-Reset, as: rfc3339}`, soon, 0},
		{`{header: X-Reset, as: rfc3339}`, `17`, 0},
		{`{header: X-Reset, as: epoch_s}`, unix(17 * time.Second), 17 * time.Second},
		{`{header: X-Reset, as: epoch_s}`, unix(-time.Minute), 0},
		{`{header: X-Reset, as: epoch_s}`, unix(24 * time.Hour), time.Hour},
		{`{header: X-Reset, as: epoch_s}`, `0`, 0},
		{`{header: X-Reset, as: epoch_s}`, ``, 0},
		{`{header: X-Reset, as: epoch_s}`, `soon`, 0},
		{`{header: X-Reset, as: epoch_s}`, `99999999999999999999`, 0},
		{`{header: X-Reset, as: epoch_s}`, `253402300799`, time.Hour}, // centuries: more than a time span holds
		{`{header: X-Reset, as: epoch_ms}`, unix(17*time.Second) + "250", 17*time.Second + 250*time.Millisecond},
		{`{path: wait}`, `17`, 17 * time.Second},
		{`{path: wait}`, `"17"`, 17 * time.Second},
		{`{path: wait}`, `null`, 0},
		{`{path: [none, wait]}`, `2.5`, 2500 * time.Millisecond},
		{`{path: wait, as: epoch_s}`, unix(17 * time.Second), 17 * time.Second},
		{`[{header: X-Reset}]`, `17`, 17 * time.Second},
		{`[{header: X-None}, {header: X-Reset, as: epoch_s}]`, unix(17 * time.Second), 17 * time.Second},
		{`[{header: X-Reset, as: epoch_s}, {header: X-Fixed}]`, `soon`, 5 * time.Second}, // what cannot be read says nothing
		{`[{header: X-Reset}, {header: X-Fixed}]`, `0`, 0},
		{`[{header: X-Fixed}, {header: X-Reset}]`, `17`, 5 * time.Second},
		{`[{header: X-None}, {path: wait}]`, `17`, 17 * time.Second},
		{`{path: wait, as: http_date}`, `"` + soon + `"`, 17 * time.Second},
		{`{path: wait, as: rfc3339}`, `"2026-03-01T12:00:17Z"`, 17 * time.Second},
		{`{path: wait, as: rfc3339}`, `null`, 0},
	} {
		t.Run(test.rule+test.text[:min(40, len(test.text))], func(t *testing.T) {
			keys, header, body := "", "Retry-After", `{}`
			if test.rule != "" {
				keys, header = "response: {retry_after: "+test.rule+"}", "X-Reset"
			}
			if strings.Contains(test.rule, "path") {
				body = `{"wait": ` + test.text + `}`
			}
			synctest.Test(t, func(t *testing.T) { // its clock begins in the year 2000
				time.Sleep(time.Until(now))
				source := bind(define(t, keys), answers(429, body, header, test.text, "X-Fixed", "5"))
				_, err := source.Fetch(t.Context(), somebody())
				fault := adapters.FaultOf(err)
				expect(t, "kind", fault.Kind, adapters.RateLimited)
				expect(t, "retry after", fault.RetryAfter, test.want)
			})
		})
	}
}

// When a limit's window ends says nothing of another failure.
func TestRetryAfterOfNoLimit(t *testing.T) {
	const keys = "response: {retry_after: [{header: X-Reset, as: epoch_s}, {header: Retry-After}]}"
	reset := fmt.Sprint(time.Now().Add(30 * time.Minute).Unix())
	for status, want := range map[int]string{
		503: "unavailable: the upstream answered 503, in 7s",
		404: "not_found: the upstream answered 404, in 7s",
	} {
		expect(t, fmt.Sprint(status), heard(t, keys, status, `{}`, "X-Reset", reset, "Retry-After", "7"), want)
	}
	if got := heard(t, keys, 429, `{}`, "X-Reset", reset, "Retry-After", "7"); !strings.HasPrefix(got, "rate_limited: the upstream answered 429, in 29m") && !strings.HasSuffix(got, "in 30m0s") {
		t.Error(got)
	}
}

// What the upstream says of its own partial failure comes child by child.
func TestPartialAnswers(t *testing.T) {
	const keys = `response: {data: Data, empty: ok, partial: {each: Errors, status: Status, code: Code, message: Reason, ref: Id, hint: Help, subject: Model}}`
	reply, err := bind(define(t, keys), answers(207, `{
		"Data": {"id": "1"},
		"Errors": [
			{"Status": 503, "Code": "A", "Reason": "slow", "Id": "op-1", "Help": "wait", "Model": "groups"},
			{"Status": "403"}, {"Status": 404}, {"Status": 429}, {"Status": 200}, {"Status": 0}, {"Status": "many"}, {"Status": -7}, {"Code": "B"}, null, "text", {"Status": 302}
		]}`)).Fetch(t.Context(), somebody())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, child := range reply.Children {
		got = append(got, fmt.Sprintf("%v %d %s", child.Kind, child.Detail.Status, child.Detail.Code))
	}
	expect(t, "children", got, []string{
		"unavailable 503 A", "denied 403 ", "not_found 404 ", "rate_limited 429 ", "unavailable 200 ", "unavailable 0 ", "unavailable 0 ", "unavailable -7 ", "unavailable 0 B", "unavailable 0 ", "misconfigured 302 ",
	})
	expect(t, "the first", reply.Children[0].Detail, adapters.Detail{Status: 503, Code: "A", Message: "slow", Ref: "op-1", Hint: "wait", Subject: "groups"})
	expect(t, "the record", outcome(reply, nil), "ok self=1")
}

// An answer may say as a whole that it is incomplete.
func TestAPartialAnswerByCondition(t *testing.T) {
	for _, test := range []struct{ name, partial, body, link, want string }{
		{"a header", `{if: {header: {Link: '*rel="next"*'}}}`, `{"id": "1"}`, `<https://h.example/2>; rel="next"`, "unavailable 0 "},
		{"another header", `{if: {header: {Link: '*rel="next"*'}}}`, `{"id": "1"}`, `<https://h.example/2>; rel="prev"`, ""},
		{"no header", `{if: {header: {Link: '*rel="next"*'}}}`, `{"id": "1"}`, "", ""},
		{"the body, with what it says", `{if: {warning.code: "*"}, status: warning.status, code: warning.code}`, `{"id": "1", "warning": {"code": "CUT", "status": 403}}`, "", "denied 403 CUT"},
		{"cel, which sees the record", `{if: {cel: data.cut}}`, `{"id": "1", "cut": true}`, "", "unavailable 0 "},
	} {
		t.Run(test.name, func(t *testing.T) {
			keys := "response: {partial: " + test.partial + "}\n" + `tests: [{name: x, with: {id: {self: "1"}}, reply: {json: {cut: true}}, expect: {outcome: ok}}]`
			reply, err := bind(define(t, keys), answers(200, test.body, "Link", test.link)).Fetch(t.Context(), somebody())
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, child := range reply.Children {
				got += fmt.Sprintf("%v %d %s", child.Kind, child.Detail.Status, child.Detail.Code)
			}
			expect(t, "children", got, test.want)
		})
	}
}

// ok, errors and when see the headers of the reply.
func TestConditionsSeeHeaders(t *testing.T) {
	const keys = `
response:
  ok: {header: {X-State: [fresh, null]}}
  errors: [{if: {http: 403, header: {x-left: 0}}, as: rate_limited}]
profile: {displayName: {path: name, when: {header: {X-Name: public}}}}
`
	expect(t, "errors", heard(t, keys, 403, `{}`, "X-Left", "0"), "rate_limited: the definition says so of this reply")
	expect(t, "errors, another", heard(t, keys, 403, `{}`, "X-Left", "7"), "denied: the upstream answered 403")
	expect(t, "ok", heard(t, keys, 200, `{"id": "1"}`, "X-State", "stale"), "unavailable: the reply does not say that it succeeded")
	expect(t, "when", heard(t, keys, 200, `{"id": "1", "name": "Jane"}`, "X-Name", "public"), "ok self=1 name=Jane")
	expect(t, "when it does not", heard(t, keys, 200, `{"id": "1", "name": "Jane"}`), "ok self=1")
}

func TestNotesNameTheMemberAndNotTheValue(t *testing.T) {
	reply, err := bind(define(t, "profile: {displayName: name, active: on}"), answers(200, `{"id": "1", "name": {"canary": 1}, "on": "canary"}`)).Fetch(t.Context(), somebody())
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "notes", reply.Notes, []string{"displayName: expected text, found an object", "active: expected true or false, found a text that is none"})
}

// A body is read to limits.max_bytes and one more, whatever follows.
func TestABodyIsBounded(t *testing.T) {
	d := define(t, "limits: {max_bytes: 1KiB}")
	record := func(size int) string {
		const frame = `{"id":"1","x":""}`
		return strings.Replace(frame, `""`, `"`+strings.Repeat("x", size-len(frame))+`"`, 1)
	}
	for _, test := range []struct {
		size int
		want string
	}{
		{1024, "ok self=1"},
		{1025, "malformed: the reply is larger than limits.max_bytes"},
		{1 << 20, "malformed: the reply is larger than limits.max_bytes"},
	} {
		reply, err := bind(d, answers(200, record(test.size))).Fetch(t.Context(), somebody())
		expect(t, fmt.Sprint(test.size), outcome(reply, err), test.want)
		if fault := adapters.FaultOf(err); fault != nil {
			expect(t, "status", fault.Detail.Status, 200)
		}
	}
}

// endless is a body without an end; it counts what is read of it.
type endless struct {
	read   int
	closed bool
}

func (e *endless) Read(p []byte) (int, error) { clear(p); e.read += len(p); return len(p), nil }
func (e *endless) Close() error               { e.closed = true; return nil }

func TestAnEndlessBody(t *testing.T) {
	body := &endless{}
	w := &wire{answer: func(r *http.Request) (*http.Response, error) {
		got := response(r, 200, "")
		got.Body = body
		return got, nil
	}}
	reply, err := bind(define(t, ""), w).Fetch(t.Context(), somebody())
	expect(t, "outcome", outcome(reply, err), "malformed: the reply is larger than limits.max_bytes")
	expect(t, "closed", body.closed, true)
	if most := 1<<20 + 1; body.read > most {
		t.Errorf("%d bytes were read, want at most %d", body.read, most)
	}
}

func TestBodiesThatDoNotEnd(t *testing.T) {
	for _, test := range []struct {
		name string
		body func(context.Context) io.ReadCloser
		want string
		took time.Duration
	}{
		{"silent after half", func(ctx context.Context) io.ReadCloser { return newSilent(ctx, `{"id":`) }, "timeout: no answer while reading the reply", 2 * time.Second},
		// All that counts is known already: what it may yet say is not waited for.
		{"silent after too much", func(ctx context.Context) io.ReadCloser { return newSilent(ctx, strings.Repeat(" ", 2<<20)) }, "malformed: the reply is larger than limits.max_bytes", 0},
		{"broken off", func(context.Context) io.ReadCloser {
			return io.NopCloser(io.MultiReader(strings.NewReader(`{"id":`), broken{}))
		}, "unavailable: the connection failed while reading the reply", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{answer: func(r *http.Request) (*http.Response, error) {
					got := response(r, 200, "")
					got.Body = test.body(r.Context())
					return got, nil
				}}
				source := bind(define(t, ""), w)
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				begin := time.Now()
				reply, err := source.Fetch(ctx, somebody())
				expect(t, "outcome", outcome(reply, err), test.want)
				expect(t, "took", time.Since(begin), test.took)
				expect(t, "status", adapters.FaultOf(err).Detail.Status, 200)
			})
		})
	}
}

// broken is a connection that was reset.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

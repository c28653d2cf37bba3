package adapters_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"muster/adapters"
	"muster/config/document"
)

// failures plays one inline test of a definition, and returns what it tells.
func failures(t *testing.T, keys, test string) []string {
	t.Helper()
	d := define(t, keys+"\ntests:\n  - {name: it, "+test+"}\n")
	results := d.RunTests(t.Context())
	if len(results) != 1 || results[0].Name != "it" {
		t.Fatalf("results %+v", results)
	}
	var lines []string
	for _, p := range adapters.Problems(results) {
		if p.Rule == adapters.RuleShape {
			lines = append(lines, fmt.Sprintf("%d:%d %s | %s", p.Line, p.Column, p.Message, p.Hint))
		}
		lines = append(lines, p.Details...)
	}
	if results[0].Passed() != (lines == nil) {
		t.Errorf("passed: %t, and yet %q", results[0].Passed(), lines)
	}
	return lines
}

// What an inline test tells when definition and test differ: one line for each
// place, which its author can read.
func TestInlineTestsTellTheDifference(t *testing.T) {
	const keys = `
lookup: "https://{settings.host}/users/{id.self}"
ids: {self: id, email: {path: mail, verified: assumed}}
profile: {displayName: name, active: on, emails: mail, roles: [{each: roles, value: ., permissions: ^.none}], attributes: {plant: plant}}
response:
  error: {code: code, message: text, ref: ref, hint: hint, subject: subject, details: details}
  partial: {each: errors, status: status, code: code}
`
	const with = `with: {settings: {host: h.example}, id: {self: "1"}}, `
	for _, test := range []struct {
		name, test string
		want       []string
	}{
		{"all is well", with + `request: "GET https://h.example/users/1", reply: {json: {id: 1, name: Jane}}, expect: {outcome: ok, ids: {self: "1"}, profile: {displayName: Jane}}`, nil},
		{"a request that may end otherwise", with + `request: "GET https://h.example/*", reply: {json: {id: 1}}, expect: {outcome: ok, ids: {self: "1"}}`, nil},
		{"another request", with + `request: "GET https://h.example/people/1", reply: {json: {id: 1}}, expect: {outcome: ok, ids: {self: "1"}}`, []string{"request: expected GET https://h.example/people/1, got GET https://h.example/users/1"}},
		{"another beginning", with + `request: "GET https://g.example/*", reply: {json: {id: 1}}, expect: {outcome: ok, ids: {self: "1"}}`, []string{"request: expected GET https://g.example/*, got GET https://h.example/users/1"}},
		{"nothing sent", `with: {id: {self: ".."}, settings: {host: h.example}}, reply: {json: {id: 1}}, expect: {outcome: failed, kind: invalid}`, []string{"reply: expected something sent, since the test has a reply, got nothing sent"}},
		{"sent after all", with + `expect: {outcome: failed, kind: invalid}`, []string{"reply: expected nothing sent, since the test has no reply, got GET https://h.example/users/1", `kind: expected "invalid", got "unavailable"`}},
		{"a member differs", with + `reply: {json: {id: 1, name: Jane, on: true}}, expect: {outcome: ok, ids: {self: "1"}, profile: {displayName: Joan, active: true}}`, []string{`profile.displayName: expected "Joan", got "Jane"`}},
		{"a member is missing", with + `reply: {json: {id: 1}}, expect: {outcome: ok, ids: {self: "1"}, profile: {displayName: Jane, active: false}}`, []string{`profile: expected {active: false, displayName: "Jane"}, got nothing`}},
		{"a member too many", with + `reply: {json: {id: 1, name: Jane, plant: [a, b]}}, expect: {outcome: ok, ids: {self: "1"}, profile: {displayName: Jane}}`, []string{`profile.attributes: expected nothing, got {plant: ["a", "b"]}`}},
		{"an item differs", with + `reply: {json: {id: 1, roles: [a, b]}}, expect: {outcome: ok, ids: {self: "1"}, profile: {roles: [{value: a}, {value: c}]}}`, []string{`profile.roles[1].value: expected "c", got "b"`}},
		{"an item too many", with + `reply: {json: {id: 1, roles: [a, b]}}, expect: {outcome: ok, ids: {self: "1"}, profile: {roles: [{value: a}]}}`, []string{`profile.roles: expected [{value: "a"}], got [{value: "a"}, {value: "b"}]`}},
		{"an identifier too many", with + `reply: {json: {id: 1, mail: J@x.example}}, expect: {outcome: ok, profile: {emails: [{value: j@x.example}]}}`, []string{`ids: expected nothing, got {email: "j@x.example", self: "1"}`}},
		{"no identifiers", with + `reply: {json: {name: Jane}}, expect: {outcome: ok, ids: {self: "1"}, profile: {displayName: Jane}}`, []string{`ids: expected {self: "1"}, got nothing`}},
		{"another outcome", with + `reply: {http: 404}, expect: {outcome: ok, ids: {self: "1"}}`, []string{`ids: expected {self: "1"}, got nothing`, `outcome: expected "ok", got "absent"`, "it failed as not_found: the upstream answered 404"}},
		{"absent, whose kind goes without saying", with + `reply: {http: 404}, expect: {outcome: absent, kind: not_found}`, nil},
		{"another kind", with + `reply: {http: 500}, expect: {outcome: failed, kind: denied}`, []string{`kind: expected "denied", got "unavailable"`, "it failed as unavailable: the upstream answered 500"}},
		{"a kind too few", with + `reply: {http: 500}, expect: {outcome: failed}`, []string{`kind: expected nothing, got "unavailable"`, "it failed as unavailable: the upstream answered 500"}},
		{"an error unsaid", with + `reply: {http: 500, json: {code: 7, text: no}}, expect: {outcome: failed, kind: unavailable}`, nil},
		{"an error said", with + `reply: {http: 500, json: {code: 7, text: no, ref: r, hint: h, subject: s, details: [a, b]}}, expect: {outcome: failed, kind: unavailable, error: {code: "7", message: no, ref: r, hint: h, subject: s, details: [a, b]}}`, nil},
		{"an error that differs", with + `reply: {http: 500, json: {code: 7, text: no}}, expect: {outcome: failed, kind: unavailable, error: {code: 7}}`, []string{`error.code: expected 7, got "7"`, `error.message: expected nothing, got "no"`}},
		{"a wait unsaid", with + `reply: {http: 429, headers: {retry-after: "7"}}, expect: {outcome: failed, kind: rate_limited}`, nil},
		{"a wait, in whole seconds", with + `reply: {http: 429, headers: {retry-after: "6.2"}}, expect: {outcome: failed, kind: rate_limited, retry_after: 7}`, nil},
		{"a wait that differs", with + `reply: {http: 429, headers: {retry-after: "7"}}, expect: {outcome: failed, kind: rate_limited, retry_after: 8}`, []string{"retry_after: expected 8, got 7"}},
		{"no wait", with + `reply: {http: 429}, expect: {outcome: failed, kind: rate_limited, retry_after: 8}`, []string{"retry_after: expected 8, got nothing"}},
		{"partial", with + `reply: {http: 207, json: {id: 1, errors: [{status: 403, code: x}, {}]}}, expect: {outcome: partial, ids: {self: "1"}, warnings: [{kind: denied, status: 403, code: x}, {kind: unavailable}]}`, nil},
		{"warnings that differ", with + `reply: {http: 207, json: {id: 1, errors: [{status: 403}]}}, expect: {outcome: partial, ids: {self: "1"}, warnings: [{kind: unavailable, status: 403}]}`, []string{`warnings[0].kind: expected "unavailable", got "denied"`}},
		{"warnings where none is expected", with + `reply: {http: 207, json: {id: 1, errors: [{status: 403}]}}, expect: {outcome: ok, ids: {self: "1"}}`, []string{`outcome: expected "ok", got "partial"`, `warnings: expected nothing, got [{kind: "denied", status: 403}]`}},
		{"what does not fit its member", with + `reply: {json: {id: 1, on: "yes"}}, expect: {outcome: ok, ids: {self: "1"}}`, []string{`4:38 active: expected true or false, found a text that is none, as the test "it" shows | say which values mean what: {path: on, map: {VALUE: true, "*": false}}`}},
		{"a body word for word", with + `reply: {text: "{\"id\": 1} x"}, expect: {outcome: failed, kind: malformed}`, nil},
		{"a body from a file", with + `reply: {file: testdata/replies/jane.json}, expect: {outcome: ok, ids: {self: "1"}, profile: {displayName: Jane}}`, nil},
		{"a large number stays exact", with + `reply: {json: {id: 1, name: 9223372036854775807}}, expect: {outcome: ok, ids: {self: "1"}, profile: {displayName: "9223372036854775807"}}`, nil},
		{"no setting", `with: {id: {self: "1"}}, expect: {outcome: failed, kind: misconfigured}`, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			expect(t, "failures", failures(t, keys, test.test), test.want)
		})
	}
}

func TestInlineTestsSeeTheBody(t *testing.T) {
	const keys = `
lookup: POST https://{settings.host}/search
json: {mail: "{id.email}", page: {size: 1}}
`
	const with = `with: {settings: {host: h.example}, id: {email: "a\"b@x.example"}}, reply: {json: {id: 1}}, expect: {outcome: ok, ids: {self: "1"}}, `
	for _, test := range []struct {
		name, test string
		want       []string
	}{
		{"unsaid", `request: POST https://h.example/search`, nil},
		{"the same, in another order", `body: {page: {size: 1}, mail: "a\"b@x.example"}`, nil},
		{"another", `body: {mail: b, page: {size: "1"}}`, []string{`body.mail: expected "b", got "a\"b@x.example"`, `body.page.size: expected "1", got 1`}},
	} {
		t.Run(test.name, func(t *testing.T) { expect(t, "failures", failures(t, keys, with+test.test), test.want) })
	}
	got := failures(t, "", `with: {settings: {host: h.example}, id: {self: "1"}}, body: {a: b}, reply: {json: {id: 1}}, expect: {outcome: ok, ids: {self: "1"}}`)
	expect(t, "of a request that has none", got, []string{`body: expected {a: "b"}, got nothing`})
}

func TestInlineTestsKnowTheirTimeAndTheirSecrets(t *testing.T) {
	const keys = `
settings: {key: {format: secret}, region: {}}
auth: {basic: {username: "{settings.region}", password: "{settings.key}"}}
lookup: "https://h.example/{id.self}?key={settings.key}&r={settings.region}"
profile: {roles: [{each: roles, value: name, expiresAt: {path: until, as: epoch_s}}]}
response: {retry_after: {header: X-Reset, as: epoch_s}}
`
	const role = `reply: {json: {id: 1, roles: [{name: a, until: 1767225600}]}}, `
	const at = `value: a, expiresAt: "2026-01-01T00:00:00Z"`
	for _, test := range []struct {
		name, test string
		want       []string
	}{
		// Without a time, nothing is said of what depends on it.
		{"no time", `with: {id: {self: 1}}, ` + role + `expect: {outcome: ok, ids: {self: "1"}, profile: {roles: [{` + at + `}]}}`, nil},
		{"before", `with: {id: {self: 1}}, now: 2025-12-31T23:59:59Z, ` + role + `expect: {outcome: ok, ids: {self: "1"}, profile: {roles: [{` + at + `, expired: false}]}}`, nil},
		{"after", `with: {id: {self: 1}}, now: 2026-01-01T00:00:00Z, ` + role + `expect: {outcome: ok, ids: {self: "1"}, profile: {roles: [{` + at + `, expired: true}]}}`, nil},
		{"a wait", `with: {id: {self: 1}}, now: 2026-01-01T00:00:00Z, reply: {http: 429, headers: {X-Reset: "1767225607"}}, expect: {outcome: failed, kind: rate_limited, retry_after: 7}`, nil},
		{"a secret reads as one", `with: {id: {self: 1}, settings: {region: eu}}, request: "GET https://h.example/1?key=%3Csecret%3E&r=eu", reply: {json: {id: 1}}, expect: {outcome: ok, ids: {self: "1"}}`, nil},
		{"a secret that is stated", `with: {id: {self: 1}, settings: {key: k}}, request: "GET https://h.example/1?key=k", reply: {json: {id: 1}}, expect: {outcome: ok, ids: {self: "1"}}`, nil},
		{"a credential is no part of it", `with: {id: {self: 1}}, reply: {http: 401}, expect: {outcome: failed, kind: unauthenticated}`, nil},
	} {
		t.Run(test.name, func(t *testing.T) { expect(t, "failures", failures(t, keys, test.test), test.want) })
	}
}

// A file beside a definition is found from wherever the gateway runs.
func TestAReplyStandsBesideItsDefinition(t *testing.T) {
	var problems document.Problems
	name := filepath.Join("testdata", "inside.yaml")
	n := document.Overlay(document.Read(name, []byte(plain), &problems), document.Read(name, []byte(`
tests:
  - {name: it, with: {settings: {host: h.example}, id: {self: "1"}}, reply: {file: replies/jane.json}, expect: {outcome: ok, ids: {self: "1"}, profile: {displayName: Jane}}}
`), &problems))
	d := adapters.Compile(&adapters.Resolved{Own: n, Merged: n, Chain: []string{"directory"}})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	results := d.RunTests(t.Context())
	if len(results) != 1 || results[0].Name != "it" || results[0].Position != name+":3:5" || !results[0].Passed() {
		t.Errorf("results %+v", results)
	}
}

func TestEveryTestIsPlayed(t *testing.T) {
	d := define(t, `
tests:
  - {name: one, with: {settings: {host: h.example}, id: {self: "1"}}, reply: {json: {id: "1"}}, expect: {outcome: ok, ids: {self: "1"}}}
  - {name: two, with: {settings: {host: h.example}, id: {self: "1"}}, reply: {http: 500}, expect: {outcome: ok}}
`)
	results := d.RunTests(t.Context())
	told := adapters.Problems(results)
	if len(results) != 2 || !results[0].Passed() || results[1].Passed() || results[1].Provider != "directory" || len(told) != 1 {
		t.Fatalf("results %+v", results)
	}
	expect(t, "problem", told[0].String(), `directory.yaml:4:5: error: the test "two" failed
    kind: expected nothing, got "unavailable"
    outcome: expected "ok", got "failed"
    it failed as unavailable: the upstream answered 500
`)
}

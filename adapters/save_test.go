package adapters_test

import (
	"strings"
	"testing"

	"muster/adapters"
	"muster/config/document"
	"muster/normalize"
)

// upper fakes in a way that shows: texts of which one can tell what they were.
func upper(v any) any {
	switch v := v.(type) {
	case map[string]any:
		members := map[string]any{}
		for name, member := range v {
			members[name] = upper(member)
		}
		return members
	case []any:
		items := []any{}
		for _, item := range v {
			items = append(items, upper(item))
		}
		return items
	case string:
		return "fake-" + strings.ToUpper(v[:min(1, len(v))])
	case normalize.Number:
		return normalize.Number("7")
	default:
		return v
	}
}

const saved = `
settings: {host: {format: host, required: true}, token: {format: secret}, region: {default: eu}, api_host: {format: host}}
lookup: "GET https://{settings.host}/users/{id.self}"
headers: {X-Region: "{settings.region}", X-Tenant: "{tenant.name}"}
auth: {bearer: "{settings.token}"}
response:
  data: found
  errors: [{if: {code: "*NotThere*"}, as: not_found}]
ids: {self: id}
profile:
  displayName: name
  active: {path: state, map: {ON: true, "*": false}}
  title: {cel: 'data.level == "boss" ? "Boss" : ""'}
`

func TestSaveTest(t *testing.T) {
	t.Parallel()
	query := ids("self", "jane", "email", "jane@acme.example", "tenant.name", "acme", "tenant.other", "x")
	for _, test := range []struct{ name, body, want string }{
		{
			"found", `{"found": {"id": "jane", "name": "Jane Doe", "state": "ON", "level": "boss", "age": 42, "none": 0, "blank": "", "nil": null, "no": false, "password": "p"}}`,
			`- name: "a <name>"
  with:
    settings: {host: "host.example", region: "fake-U"}
    tenant: {name: "fake-A"}
    id: {self: "fake-J"}
  request: GET https://host.example/users/fake-J
  reply:
    json:
      {
        found: {
          age: 7,
          blank: "",
          id: "fake-J",
          level: "boss",
          name: "fake-J",
          nil: null,
          "no": false,
          none: 0,
          password: "fake-P",
          state: "ON"
        }
      }
  expect:
    outcome: ok
    ids: {self: "fake-J"}
    profile: {active: true, displayName: "fake-J", title: "Boss"}
`,
		},
		{"absent", `{"code": "Jane.NotThere.4"}`, `- name: "a <name>"
  with:
    settings: {host: "host.example", region: "fake-U"}
    tenant: {name: "fake-A"}
    id: {self: "fake-J"}
  request: GET https://host.example/users/fake-J
  reply:
    json: {code: "NotThere"}
  expect:
    outcome: absent
`},
		{"no JSON", `<p>Jane</p>`, `- name: "a <name>"
  with:
    settings: {host: "host.example", region: "fake-U"}
    tenant: {name: "fake-A"}
    id: {self: "fake-J"}
  request: GET https://host.example/users/fake-J
  reply:
    http: 200
  expect:
    outcome: failed
    kind: malformed
`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := define(t, saved)
			s, r := recorded(t, d, answers(200, test.body), query, "token", "s3cret", "region", "us")
			got, err := d.SaveTest(t.Context(), "a <name>", s, r, upper)
			if err != nil {
				t.Fatal(err)
			}
			expect(t, "the test", got, test.want)
			passes(t, saved, got)
		})
	}
}

// passes runs a saved test as the definition's own.
func passes(t *testing.T, keys, item string) {
	t.Helper()
	var problems document.Problems
	tests := document.Read("saved.yaml", []byte("tests:\n"+item), &problems)
	resolved, others := resolve(keys)
	resolved.Merged = document.Overlay(resolved.Merged, tests)
	resolved.Own = resolved.Merged
	d := adapters.Compile(resolved)
	for _, err := range []error{problems.Err(), others.Err()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, problem := range adapters.Problems(d.RunTests(t.Context())) {
		t.Errorf("the saved test: %v", problem)
	}
}

func TestSaveTestRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, keys, body, want string }{
		{"an address as a name", "", `{"id": "1", "all": {"jane@acme.example": 1}}`, "the reply has members that are named after people: write this test by hand"},
		{"somebody's name", "", `{"id": "1", "chiefs": [{"Jane Doe": true}]}`, "the reply has members that are named after people: write this test by hand"},
		{"the person's key as a name", "", `{"id": "1", "byLogin": {"JANE": 1}}`, "the reply has members that are named after people: write this test by hand"},
		{"said twice", "", `{"id": "1", "a": 1, "a": 2}`, "the reply says a member twice, with different values: write this test by hand"},
		{"a form that fakes do not keep", `profile: {createdAt: since}`, `{"id": "1", "since": "2026-01-01T00:00:00Z"}`, "a value does not fit its member: createdAt: expected an instant, found a text that is none"},
		{
			"a condition that CEL computes", `profile: {displayName: name, active: {cel: "dyn(data).name.size() > 20"}, nickName: {path: name, when: {cel: "dyn(data).name.size() > 20"}}}`,
			`{"id": "1", "name": "Somebody with a long name"}`, "with fakes in it the reply reads otherwise (ok, ids {self}, profile {active displayName}, and not ok, ids {self}, profile {active displayName nickName}): write this test by hand",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := define(t, test.keys)
			s, r := recorded(t, d, answers(200, test.body), ids("self", "1", "username", "jane"))
			if test.name == "the person's key as a name" {
				d = define(t, `lookup: "GET https://{settings.host}/users/{id.username}"`)
				s, r = recorded(t, d, answers(200, test.body), ids("username", "jane"))
			}
			got, err := d.SaveTest(t.Context(), "x", s, r, upper)
			if err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s\n%s", err, test.want, got)
			}
		})
	}
}

// TestSaveTestKnowsNames: what the definition calls a member is nobody's name.
func TestSaveTestKnowsNames(t *testing.T) {
	t.Parallel()
	const keys = `profile: {displayName: '["full name"]', title: "@odata.type"}`
	d := define(t, keys)
	s, r := recorded(t, d, answers(200, `{"id": "1", "full name": "Jane", "@odata.type": "x", "urn:a:b:2.0:User": {"$ref": "x"}}`), somebody())
	got, err := d.SaveTest(t.Context(), "x", s, r, upper)
	if err != nil {
		t.Fatal(err)
	}
	passes(t, keys, got)
}

// FuzzSaveTest: whatever an upstream answers, what is saved is YAML, a test that
// passes, and has none of the texts in it.
func FuzzSaveTest(f *testing.F) {
	for _, seed := range []string{
		`{"id": "1", "name": "Jane CANARY Doe"}`, `[]`, `"CANARY"`, `{"a": [[1.5e300, -0, "\u0085\ufeff\u2028\ud83d\ude00"]], "y": {"no": null}}`,
		`{"id": 1, "name": "<b>\"&#: - ? CANARY"}`, `<html>CANARY`, ``, `{"": {"CANARY": "x"}}`, "{\"\u007f\": 1}", `{"code": "CANARY NotThere"}`,
	} {
		f.Add(seed, 200)
		f.Add(seed, 404)
	}
	f.Fuzz(func(t *testing.T, body string, status int) {
		if status < 200 || status > 599 || strings.Contains(strings.ToLower(body), "tests") {
			return
		}
		d := define(t, "response: {errors: [{if: {code: '*NotThere*'}, as: not_found}]}")
		s, r := recorded(t, d, answers(status, body), somebody())
		got, err := d.SaveTest(t.Context(), "x", s, r, upper)
		if err != nil {
			return
		}
		passes(t, "response: {errors: [{if: {code: '*NotThere*'}, as: not_found}]}", got)
		if strings.Contains(got, "CANARY") && !strings.Contains(got, "CANARY:") && !strings.Contains(got, `CANARY":`) {
			t.Errorf("%s is saved as\n%s", body, got)
		}
	})
}

// TestSaveTestOfARefusal: a secret that is part of the address is not written, and
// what the upstream says of its limits stays.
func TestSaveTestOfARefusal(t *testing.T) {
	t.Parallel()
	const keys = `query: {key: "{settings.token}"}`
	d := define(t, keys)
	s, r := recorded(t, d, answers(429, `{"message": "CANARY, slow down"}`, "Retry-After", "17", "X-Request", "CANARY"), somebody(), "token", "CANARY")
	got, err := d.SaveTest(t.Context(), "x", s, r, upper)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "the test", got, `- name: "x"
  with:
    settings: {host: "host.example"}
    id: {self: "fake-1"}
  request: GET https://host.example/users/fake-1?key=%3Csecret%3E
  reply:
    http: 429
    headers: {"Retry-After": "17"}
    json: {message: "fake-C"}
  expect:
    outcome: failed
    kind: rate_limited
`)
	passes(t, keys, got)
}

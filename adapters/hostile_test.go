package adapters_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"muster/normalize"
)

// hostile maps whatever a definition can, so that a reply reaches all of it.
const hostile = `
ids: {self: {path: id, check: false}, email: {path: mails.value, verified: assumed}, username: {path: login, check: false}}
profile:
  displayName: name
  name: {givenName: name, familyName: [a, b, name]}
  emails: [{each: mails, value: value, verified: ok, type: kind}, {value: name}]
  phoneNumbers: phones
  addresses: [{each: places, locality: town, country: land}]
  locale: lang
  timezone: zone
  active: {path: state, map: {ACTIVE: true, "*": false}}
  groups: groups.name
  roles: {each: roles, value: name, scope: ^.name, permissions: grants.name, expiresAt: {path: until, as: epoch_ms}}
  requiredActions: {cel: 'data.roles.filter(r, data.roles.exists(s, s.name == r.name && s.until == 7)).map(r, r.name)'}
  createdAt: created
  attributes: {path: extra, except: [id]}
tests:
  - {name: t, with: {settings: {host: h.example}, id: {self: "1"}}, reply: {json: {id: "1", roles: [{name: x, until: 1}]}}, expect: {outcome: ok}}
`

// many is n items, each made of its number, in brackets and with commas.
func many(open, end string, n int, item string) string {
	var b strings.Builder
	b.WriteString(open)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, item, i)
	}
	return b.String() + end
}

// TestHostileReplies holds what any reply may cost, and how it is told. The
// bounds are far above what is needed, and far below what hurts. It runs alone:
// it counts what is allocated.
func TestHostileReplies(t *testing.T) {
	const tooLarge, notJSON, found = "malformed: the reply is larger than limits.max_bytes", "malformed: the reply is not JSON", "ok self=1"
	d := define(t, hostile)
	for _, test := range []struct {
		name, body, want string
		mib              uint64
	}{
		{"10 MB of a text", `{"id":"1","name":"` + strings.Repeat("x", 10<<20) + `"}`, tooLarge, 8},
		{"10 MB of nothing", strings.Repeat(" ", 10<<20), tooLarge, 8},
		{"100,000 lists", strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000), notJSON, 8},
		{"100,000 objects", strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000), notJSON, 8},
		{"two ids", `{"id":"1","id":"2"}`, "malformed: ids.self: a mapped member is said twice with different values", 8},
		{"one id twice", `{"id":"1","id":"1"}`, found, 8},
		{"one name 60,000 times", "{" + many("", "", 60_000, `"name":"%d"`) + `,"id":"1"}`, "malformed: displayName: a mapped member is said twice with different values", 32},
		{"60,000 names", many("{", `,"id":"1"}`, 60_000, `"k%d":1`), found, 96},
		{"not UTF-8", "{\"id\":\"1\",\"name\":\"a\xff\"}", notJSON, 8},
		{"half a surrogate pair", `{"id":"1","name":"\ud83d"}`, notJSON, 8},
		{"a number of a million digits", `{"id":"1","lang":` + strings.Repeat("1", 900_000) + `}`, found, 64},
		{"huge exponents", `{"id":"1","roles":[{"name":"r","until":1e999999999}],"created":1e999999999}`, found, 8},
		{"a large text everywhere", strings.ReplaceAll(`{"id":"1","lang":"T","zone":"T","state":"T","created":"T","phones":["T"],"mails":[{"kind":"T"}]}`, "T", strings.Repeat("x", 100_000)), found, 64},
		{"a large address", `{"id":"1","places":[{"town":"` + strings.Repeat("é.", 200_000) + `"}]}`, found, 64},
		{"a large phone number", `{"id":"1","phones":["+` + strings.Repeat("1", 900_000) + `"]}`, found, 64},
		{"a large heap of combining marks", `{"id":"1","places":[{"town":"a` + strings.Repeat("\u0316\u0301", 200_000) + `"}]}`, found, 128},
		{"a large locale", `{"id":"1","lang":"` + strings.Repeat("en-", 300_000) + `"}`, found, 64},
		{"a large country", `{"id":"1","places":[{"land":"` + strings.Repeat("x", 900_000) + `"}]}`, found, 64},
		{"20,000 mail addresses", `{"id":"1","mails":` + many("[", "]", 20_000, `{"value":"p%d@x.example"}`) + `}`, found + " email=p0@x.example", 256},
		{"2,000 phone numbers", `{"id":"1","phones":` + many("[", "]", 2_000, `"+49691%07d"`) + `}`, found, 512}, // the race detector has each parsed by a new machine
		{"30,000 places", `{"id":"1","places":` + many("[", "]", 30_000, `{"town":"%d"}`) + `}`, found, 256},
		{"60,000 groups", `{"id":"1","groups":` + many("[", "]", 60_000, `{"name":"%d"}`) + `}`, found, 384},
		{"a role of 60,000 permissions", `{"id":"1","roles":[{"name":"r","grants":` + many("[", "]", 60_000, `{"name":"%d"}`) + `}]}`, found, 384},
		{"60,000 attributes", `{"id":"1","extra":` + many("{", "}", 60_000, `"k%d":"v"`) + `}`, found, 256},
		{"an attribute of 60,000 values", `{"id":"1","extra":{"k":` + many("[", "]", 60_000, `"v%d"`) + `}}`, found, 256},
		{
			"10,000 roles of one name that expire apart, and CEL that compares each with each",
			`{"id":"1","roles":` + many("[", "]", 10_000, `{"name":"r","until":1%05d}`) + `}`,
			"malformed: requiredActions: the CEL expression costs more than 1000000 steps", 384,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			source := bind(d, answers(200, test.body))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			reply, err := source.Fetch(t.Context(), somebody())
			if err == nil {
				part := normalize.Part{Record: reply.Record}
				normalize.Merge(normalize.Rules{}, []normalize.Part{part, {Source: "other", Record: reply.Record}}, start)
			}
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			mib := (after.TotalAlloc - before.TotalAlloc) >> 20
			t.Logf("%v, %d MiB", took, mib)
			expect(t, "outcome", outcome(reply, err), test.want)
			if took > 30*time.Second { // a hundred times what it takes
				t.Errorf("it took %v", took)
			}
			if mib > test.mib {
				t.Errorf("it took %d MiB, want at most %d", mib, test.mib)
			}
		})
	}
}

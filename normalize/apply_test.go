package normalize

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"muster/config/document"
)

// readNode reads YAML that must be without mistakes so far.
func readNode(t testing.TB, problems *document.Problems, src string) *document.Node {
	t.Helper()
	n := document.Read("d.yaml", []byte(src), problems)
	if err := problems.Err(); err != nil {
		t.Fatalf("%s\n%v", src, err)
	}
	return n
}

// mustMapping compiles a definition's `profile` and `ids`.
func mustMapping(t testing.TB, src string) *Mapping {
	t.Helper()
	var problems document.Problems
	n := readNode(t, &problems, src)
	m := new(Compiler).Mapping(n.Field("profile"), n.Field("ids"))
	if err := problems.Err(); err != nil {
		t.Fatalf("%s\n%v", src, err)
	}
	return m
}

// replyOf is a reply that is the record as a whole.
func replyOf(t testing.TB, text string) *Scope {
	t.Helper()
	tree := mustParse(t, text)
	return &Scope{Status: 200, Body: tree, Data: tree}
}

func asOf() time.Time { return time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC) }

// mapped is one definition over one reply and all that comes of it.
type mapped struct {
	name  string
	yaml  string // of profile and ids; a text without either is profile's
	json  string
	want  Record // without AsOf
	notes []string
	err   string
}

func testMapped(t *testing.T, tests []mapped) {
	t.Helper()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			yaml := test.yaml
			if !strings.HasPrefix(yaml, "ids:") && !strings.HasPrefix(yaml, "profile:") {
				yaml = "profile: {" + yaml + "}"
			}
			record, notes, err := mustMapping(t, yaml).Apply(replyOf(t, test.json), asOf())
			if test.err != "" {
				if err == nil || err.Error() != test.err {
					t.Errorf("error %v, want %s", err, test.err)
				}
				if diff := cmp.Diff(Record{}, record); diff != "" || notes != nil {
					t.Errorf("beside an error: %s and %q", diff, notes)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			test.want.AsOf = asOf()
			if diff := cmp.Diff(test.want, record); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff(test.notes, NoteTexts(notes)); diff != "" {
				t.Errorf("notes: -want +got:\n%s", diff)
			}
		})
	}
}

func profile(p Profile) Record { return Record{Profile: p} }

func named(text string) Record { return profile(Profile{DisplayName: text}) }

func TestScalars(t *testing.T) {
	testMapped(t, []mapped{
		{name: "a path", yaml: `displayName: a.b`, json: `{"a":{"b":"x"}}`, want: named("x")},
		{name: "a path that leads nowhere", yaml: `displayName: a.b`, json: `{"a":1}`},
		{name: "a path through lists takes the first", yaml: `displayName: a.b`, json: `{"a":[{"b":null},{"b":["",[]]},{"b":["x","y"]}]}`, want: named("x")},
		{name: "the record itself", yaml: `displayName: .`, json: `"x"`, want: named("x")},
		{name: "nothing is around the record", yaml: `displayName: ^.a`, json: `{"a":"x"}`},
		{name: "the first that is there", yaml: `displayName: [a, b, c, d, e]`, json: `{"a":null,"b":"","c":[],"d":{},"e":"x"}`, want: named("x")},
		{name: "the order is the definition's", yaml: `displayName: [b, a]`, json: `{"a":"x","b":"y"}`, want: named("y")},
		{name: "a list of nulls is nothing", yaml: `displayName: [a, b]`, json: `{"a":[null,[null]],"b":"x"}`, want: named("x")},
		{name: "white space is nothing", yaml: `displayName: [a, b]`, json: `{"a":" \n","b":"x"}`, want: named("x")},
		{name: "0 is a value", yaml: `displayName: [a, b]`, json: `{"a":0,"b":"x"}`, want: named("0")},
		{name: "false is a value", yaml: `active: [a, b]`, json: `{"a":false,"b":true}`, want: profile(Profile{Active: new(false)})},
		{name: "an unknown boolean is absent", yaml: `active: a`, json: `{"a":null}`},
		{name: "the long form", yaml: `displayName: {path: a}`, json: `{"a":"x"}`, want: named("x")},
		{name: "long forms in a list", yaml: `displayName: [{path: a}, {cel: data.b}, {value: c}]`, json: `{"b":"x"}`, want: named("x")},
		{name: "lists within lists", yaml: `displayName: [[a, [b]], [[c]]]`, json: `{"c":"z","b":"y"}`, want: named("y")},
		{name: "what does not fit is passed over, and noted", yaml: `displayName: [a, b]`, json: `{"a":{"x":1},"b":"x"}`, want: named("x"), notes: []string{"displayName: expected text, found an object"}},
		{name: "a boolean is no text", yaml: `displayName: a`, json: `{"a":true}`, notes: []string{"displayName: expected text, found a boolean"}},
		{name: "a text is no boolean", yaml: `active: a`, json: `{"a":"canary"}`, notes: []string{"active: expected true or false, found a text that is none"}},
		{name: "a number is no boolean", yaml: `active: a`, json: `{"a":1}`, notes: []string{"active: expected true or false, found a number"}},
		{name: "a note is said once", yaml: `displayName: [a, b]`, json: `{"a":[{"x":1},{"x":2}],"b":{"y":1}}`, notes: []string{"displayName: expected text, found an object"}},
		{name: "a constant", yaml: `userType: {value: employee}, active: {value: true}, title: {value: 7}`, json: `{}`, want: profile(Profile{UserType: "employee", Active: new(true), Title: "7"})},
		{name: "a constant where nothing else is", yaml: `displayName: [a, {value: nobody}]`, json: `{}`, want: named("nobody")},
		{name: "a constant is a text where it looks like a date", yaml: `displayName: {value: 2020-01-01}`, json: `{}`, want: named("2020-01-01")},
		{name: "a constant in quotes is a text", yaml: `displayName: {value: "0017"}`, json: `{}`, want: named("0017")},
		{name: "a constant that says nothing", yaml: `displayName: {value: ""}`, json: `{}`},
		{
			name: "numbers keep their digits", json: `{"a":9007199254740993,"b":-0,"c":1e2,"d":1.0,"e":18446744073709551616,"f":0.10}`,
			yaml: `displayName: a, nickName: b, title: c, userType: d, department: e, manager: f`,
			want: profile(Profile{DisplayName: "9007199254740993", NickName: "-0", Title: "1e2", UserType: "1.0", Department: "18446744073709551616", Manager: "0.10"}),
		},
		{name: "names are composed and clean", yaml: `displayName: a`, json: `{"a":" Zoe\u0308\u0000\u001b[1m\tB. \n"}`, want: named("Zo\u00eb[1m B.")},
		{
			name: "each member has its form", json: `{"l":"de_DE.UTF-8","z":" Europe/Berlin "}`,
			yaml: `locale: l, preferredLanguage: l, timezone: z, title: l`,
			want: profile(Profile{Locale: "de-DE", PreferredLanguage: "de-DE", Timezone: "Europe/Berlin", Title: "de_DE.UTF-8"}),
		},
		{
			name: "the parts of a name", json: `{"g":"Ann","f":"Lee","m":"B.","p":"Dr","full":"Dr Ann B. Lee"}`,
			yaml: `name: {formatted: full, honorificPrefix: p, middleName: m, familyName: f, givenName: g}`,
			want: profile(Profile{Name: &Name{GivenName: "Ann", FamilyName: "Lee", MiddleName: "B.", HonorificPrefix: "Dr", Formatted: "Dr Ann B. Lee"}}),
		},
		{name: "a part of a name", yaml: `name: {givenName: g, familyName: f}`, json: `{"g":"Ann"}`, want: profile(Profile{Name: &Name{GivenName: "Ann"}})},
		{name: "no part of a name", yaml: `name: {givenName: g, familyName: f}`, json: `{"g":""}`},
		{name: "a name of constants is nobody's", yaml: `name: {givenName: g, honorificPrefix: {value: Dr}}`, json: `{}`},
		{name: "a note names the part", yaml: `name: {givenName: g, familyName: f}`, json: `{"g":{"x":1},"f":"Lee"}`, want: profile(Profile{Name: &Name{FamilyName: "Lee"}}), notes: []string{"name.givenName: expected text, found an object"}},
	})
}

func TestMap(t *testing.T) {
	testMapped(t, []mapped{
		{name: "an entry", yaml: `active: {path: a, map: {ACTIVE: true, "*": false}}`, json: `{"a":"ACTIVE"}`, want: profile(Profile{Active: new(true)})},
		{name: "any other", yaml: `active: {path: a, map: {ACTIVE: true, "*": false}}`, json: `{"a":"active"}`, want: profile(Profile{Active: new(false)})},
		{name: "absent is not any other", yaml: `active: {path: a, map: {ACTIVE: true, "*": false}}`, json: `{"a":[null]}`},
		{name: "no entry is absence", yaml: `active: {path: a, map: {ACTIVE: true, LOCKED: false}}`, json: `{"a":"PENDING"}`},
		{name: "no entry goes on to the next", yaml: `active: [{path: a, map: {Y: true}}, b]`, json: `{"a":"N","b":false}`, want: profile(Profile{Active: new(false)})},
		{name: "an entry for absence", yaml: `active: {path: a, map: {PENDING: null, "*": false}}`, json: `{"a":"PENDING"}`},
		{name: "booleans as keys", yaml: `title: {path: a, map: {true: yes, false: "no"}}`, json: `{"a":false}`, want: profile(Profile{Title: "no"})},
		{name: "numbers as keys", yaml: `active: {path: a, map: {1: true, 0: false}}`, json: `{"a":0}`, want: profile(Profile{Active: new(false)})},
		{name: "numbers as texts", yaml: `active: {path: a, map: {1: true, 0: false}}`, json: `{"a":"1"}`, want: profile(Profile{Active: new(true)})},
		{name: "the number of 64 bits beside it", yaml: `title: {path: a, map: {9007199254740993: x}}`, json: `{"a":9007199254740992}`},
		{name: "to a number", yaml: `title: {path: a, map: {x: 9007199254740993}}`, json: `{"a":"x"}`, want: profile(Profile{Title: "9007199254740993"})},
		{name: "each item of a list", yaml: `requiredActions: {path: a, map: {1: one, 2: two}}`, json: `{"a":[2,3,1,2]}`, want: profile(Profile{RequiredActions: []string{"two", "one"}})},
		{name: "what CEL says", yaml: `title: {cel: data.a > 1, map: {true: big, false: small}}`, json: `{"a":2}`, want: profile(Profile{Title: "big"})},
		{name: "an object has no entry", yaml: `title: {path: a, map: {"*": x}}`, json: `{"a":{"b":1}}`},
		{name: "a result that does not fit", yaml: `active: {path: a, map: {"*": some}}`, json: `{"a":"x"}`, notes: []string{"active: expected true or false, found a text that is none"}},
	})
}

func TestWhen(t *testing.T) {
	testMapped(t, []mapped{
		{name: "holds", yaml: `displayName: {path: a, when: {ok: true}}`, json: `{"a":"x","ok":true}`, want: named("x")},
		{name: "does not hold", yaml: `displayName: {path: a, when: {ok: true}}`, json: `{"a":"x","ok":false}`},
		{name: "the next alternative", yaml: `displayName: [{path: a, when: {ok: true}}, b]`, json: `{"a":"x","b":"y"}`, want: named("y")},
		{name: "a constant", yaml: `userType: [{value: guest, when: {ext: true}}, {value: employee}]`, json: `{"ext":true}`, want: profile(Profile{UserType: "guest"})},
		{
			name: "inside items it is about the item", json: `{"ok":true,"mails":[{"v":"a@x.example","ok":true},{"v":"b@x.example"},{"v":"c@x.example","ok":false}]}`,
			yaml: `emails: {each: mails, value: {path: v, when: {ok: true}}}`,
			want: profile(Profile{Emails: []Email{{Value: "a@x.example"}}}),
		},
		{
			name: "inside items it may look around", json: `{"ok":true,"mails":[{"v":"a@x.example"}]}`,
			yaml: `emails: {each: mails, value: v, verified: {value: true, when: {^.ok: true}}}`,
			want: profile(Profile{Emails: []Email{{Value: "a@x.example", Verified: new(true)}}}),
		},
		{name: "a member said twice proves nothing", yaml: `displayName: {path: a, when: {ok: [true, null]}}`, json: `{"a":"x","ok":true,"ok":false}`},
		{name: "an empty list that does not count", yaml: `roles: {value: r, permissions: {path: p, when: {ok: true}}}`, json: `{"r":"x","p":[]}`, want: profile(Profile{Roles: []Role{{Value: "x"}}})},
	})
}

func TestInstants(t *testing.T) {
	at := time.Date(2020, 3, 25, 4, 36, 40, 0, time.UTC)
	created := func(at time.Time) Record { return profile(Profile{CreatedAt: at}) }
	testMapped(t, []mapped{
		{name: "RFC 3339", yaml: `createdAt: a`, json: `{"a":"2020-03-25T06:36:40+02:00"}`, want: created(at)},
		{name: "ISO without an offset", yaml: `createdAt: a`, json: `{"a":"2020-03-25 04:36:40"}`, want: created(at)},
		{name: "a date", yaml: `createdAt: a`, json: `{"a":"2020-03-25"}`, want: created(at.Truncate(24 * time.Hour))},
		{name: "seconds", yaml: `createdAt: {path: a, as: epoch_s}`, json: `{"a":1585111000}`, want: created(at)},
		{name: "milliseconds", yaml: `createdAt: {path: a, as: epoch_ms}`, json: `{"a":1585111000421}`, want: created(at.Add(421 * time.Millisecond))},
		{name: "text digits", yaml: `createdAt: {path: a, as: epoch_s}`, json: `{"a":"1585111000"}`, want: created(at)},
		{name: "another way to write the number", yaml: `createdAt: {path: a, as: epoch_s}`, json: `{"a":1.585111e9}`, want: created(at)},
		{name: "0 is never", yaml: `createdAt: {path: a, as: epoch_ms}`, json: `{"a":0}`},
		{name: "0 goes on to the next", yaml: `createdAt: [{path: a, as: epoch_ms}, b]`, json: `{"a":0,"b":"2020-03-25T04:36:40Z"}`, want: created(at)},
		{name: "the year 1 is never", yaml: `createdAt: a`, json: `{"a":"0001-01-01T00:00:00Z"}`},
		{name: "a bare number is not guessed", yaml: `createdAt: a`, json: `{"a":1585111000}`, notes: []string{"createdAt: expected an instant, found a number"}},
		{name: "a date where a count is said", yaml: `createdAt: {path: a, as: epoch_s}`, json: `{"a":"2020-03-25"}`, notes: []string{"createdAt: expected an instant as epoch_s, found a text that is none"}},
		{name: "beyond all years", yaml: `createdAt: {path: a, as: epoch_s}`, json: `{"a":1585111000421}`, notes: []string{"createdAt: expected an instant as epoch_s, found a number"}},
		{name: "no date", yaml: `createdAt: a`, json: `{"a":"canary"}`, notes: []string{"createdAt: expected an instant, found a text that is none"}},
		{name: "an object", yaml: `createdAt: {path: a, as: epoch_s}`, json: `{"a":{"canary":1}}`, notes: []string{"createdAt: expected an instant as epoch_s, found an object"}},
		{name: "a boolean", yaml: `createdAt: a`, json: `{"a":true}`, notes: []string{"createdAt: expected an instant, found a boolean"}},
		{
			name: "every member", json: `{"c":"2020-01-01","u":"2020-01-02","l":"2020-01-03"}`, yaml: `createdAt: c, updatedAt: u, lastLoginAt: l`,
			want: profile(Profile{CreatedAt: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), UpdatedAt: time.Date(2020, 1, 2, 0, 0, 0, 0, time.UTC), LastLoginAt: time.Date(2020, 1, 3, 0, 0, 0, 0, time.UTC)}),
		},
		{name: "of a role", yaml: `roles: {each: r, value: n, expiresAt: {path: x, as: epoch_s}}`, json: `{"r":[{"n":"a","x":1585111000},{"n":"b","x":0}]}`, want: profile(Profile{Roles: []Role{{Value: "a", ExpiresAt: at}, {Value: "b"}}})},
	})
}

func TestListsOfTexts(t *testing.T) {
	actions := func(list ...string) Record { return profile(Profile{RequiredActions: list}) }
	roles := func(permissions []string) Record {
		return profile(Profile{Roles: []Role{{Value: "x", Permissions: permissions}}})
	}
	testMapped(t, []mapped{
		{name: "all of them, without repeats", yaml: `requiredActions: [a, b]`, json: `{"a":["x","y","x"],"b":["y","z"]}`, want: actions("x", "y", "z")},
		{name: "repeats only once they are clean", yaml: `requiredActions: a`, json: `{"a":["x"," x","x\u0000"]}`, want: actions("x")},
		{name: "lists within lists", yaml: `requiredActions: a`, json: `{"a":[["x",["y"]],[],null,""," "]}`, want: actions("x", "y")},
		{name: "one that is none", yaml: `requiredActions: a`, json: `{"a":"x"}`, want: actions("x")},
		{name: "0 is a value", yaml: `requiredActions: a`, json: `{"a":[0]}`, want: actions("0")},
		{name: "a constant among them", yaml: `requiredActions: [a, {value: c}]`, json: `{"a":"x"}`, want: actions("x", "c")},
		{name: "what does not fit", yaml: `requiredActions: a`, json: `{"a":["x",true,{"y":1}]}`, want: actions("x"), notes: []string{"requiredActions: expected text, found a boolean", "requiredActions: expected text, found an object"}},
		{name: "unknown permissions", yaml: `roles: {value: r, permissions: p}`, json: `{"r":"x"}`, want: roles(nil)},
		{name: "null permissions are unknown", yaml: `roles: {value: r, permissions: p}`, json: `{"r":"x","p":null}`, want: roles(nil)},
		{name: "a list of null is unknown", yaml: `roles: {value: r, permissions: p}`, json: `{"r":"x","p":[null]}`, want: roles(nil)},
		{name: "no permissions", yaml: `roles: {value: r, permissions: p}`, json: `{"r":"x","p":[]}`, want: roles([]string{})},
		{name: "no permissions to take the names of", yaml: `roles: {value: r, permissions: p.name}`, json: `{"r":"x","p":[]}`, want: roles([]string{})},
		{name: "no permissions, says CEL", yaml: `roles: {value: r, permissions: {cel: 'data.p.filter(p, p.on).map(p, p.n)'}}`, json: `{"r":"x","p":[{"on":false,"n":"y"}]}`, want: roles([]string{})},
		{name: "nothing for CEL to read", yaml: `roles: {value: r, permissions: {cel: 'data.p.map(p, p.n)'}}`, json: `{"r":"x"}`, want: roles(nil)},
		{name: "permissions", yaml: `roles: {value: r, permissions: p.name}`, json: `{"r":"x","p":[{"name":"b"},{"name":"a"}]}`, want: roles([]string{"b", "a"})},
		{name: "permissions that are mapped to nothing are unknown", yaml: `roles: {value: r, permissions: {path: p, map: {a: b}}}`, json: `{"r":"x","p":["c"]}`, want: roles(nil)},
		{name: "the empty list of an alternative", yaml: `roles: {value: r, permissions: [q, p]}`, json: `{"r":"x","p":[]}`, want: roles([]string{})},
	})
}

func TestListsOfObjects(t *testing.T) {
	groups := func(list ...Group) Record { return profile(Profile{Groups: list}) }
	testMapped(t, []mapped{
		{name: "a plain path stands for value", yaml: `groups: g`, json: `{"g":["a",["b"],null,"a"]}`, want: groups(Group{Value: "a"}, Group{Value: "b"})},
		{name: "plain paths", yaml: `groups: [g, h.n]`, json: `{"g":"a","h":[{"n":"b"},{"n":"a"}]}`, want: groups(Group{Value: "a"}, Group{Value: "b"})},
		{name: "the long form of a plain path", yaml: `groups: {path: g, map: {1: one}}`, json: `{"g":[1,2]}`, want: groups(Group{Value: "one"})},
		{name: "CEL as a plain path", yaml: `groups: [{cel: 'data.g.map(g, g + "!")'}, h]`, json: `{"g":["a","b"],"h":"c"}`, want: groups(Group{Value: "a!"}, Group{Value: "b!"}, Group{Value: "c"})},
		{name: "a plain value that does not fit", yaml: `groups: g`, json: `{"g":["a",{"n":"b"},true]}`, want: groups(Group{Value: "a"}), notes: []string{"groups.value: expected text, found an object", "groups.value: expected text, found a boolean"}},
		{name: "a plain value of white space", yaml: `groups: g`, json: `{"g":[" ","a"]}`, want: groups(Group{Value: "a"})},
		{name: "one block of the record itself", yaml: `groups: {value: g, display: d}`, json: `{"g":"a","d":"A"}`, want: groups(Group{Value: "a", Display: "A"})},
		{name: "a block for each", yaml: `groups: {each: g, value: v, display: d}`, json: `{"g":[{"v":"b","d":"B"},{"v":"a"},{"d":"C"},null,{}]}`, want: groups(Group{Value: "b", Display: "B"}, Group{Value: "a"})},
		{name: "one that is no list", yaml: `groups: {each: g, value: v}`, json: `{"g":{"v":"a"}}`, want: groups(Group{Value: "a"})},
		{name: "each of several paths", yaml: `groups: {each: [h, g], value: v}`, json: `{"g":[{"v":"a"}],"h":[{"v":"b"},{"v":"a"}]}`, want: groups(Group{Value: "b"}, Group{Value: "a"})},
		{name: "each through lists", yaml: `groups: {each: s.g, value: v}`, json: `{"s":[{"g":[{"v":"a"},[{"v":"b"}]]},{"g":{"v":"c"}},{}]}`, want: groups(Group{Value: "a"}, Group{Value: "b"}, Group{Value: "c"})},
		{name: "blocks and plain paths", yaml: `groups: [{each: g, value: v, display: d}, h, {value: i}]`, json: `{"g":{"v":"a","d":"A"},"h":["b","a"],"i":"c"}`, want: groups(Group{Value: "a", Display: "A"}, Group{Value: "b"}, Group{Value: "c"})},
		{name: "the item itself", yaml: `groups: {each: g, value: .}`, json: `{"g":["a",2]}`, want: groups(Group{Value: "a"}, Group{Value: "2"})},
		{
			name: "what is around", json: `{"name":"me","services":[{"name":"s1","roles":[{"name":"r1"},{"name":"r2"}]},{"name":"s2","roles":[{"name":"r1"}]}]}`,
			yaml: `roles: {each: services.roles, value: name, scope: ^.name, display: ^.^.name}`,
			want: profile(Profile{Roles: []Role{{Value: "r1", Scope: "s1", Display: "me"}, {Value: "r2", Scope: "s1", Display: "me"}, {Value: "r1", Scope: "s2", Display: "me"}}}),
		},
		{name: "an item without a value", yaml: `groups: {each: g, value: v, display: d}`, json: `{"g":[{"d":"A"}]}`},
		{name: "an item whose value does not fit", yaml: `groups: {each: g, value: v, display: d}`, json: `{"g":[{"v":{"x":1},"d":"A"}]}`, notes: []string{"groups.value: expected text, found an object"}},
		{name: "an item that holds only constants", yaml: `roles: {value: {value: admin}, type: {value: realm}}`, json: `{}`},
		{name: "an item whose constants stand in for what is missing", yaml: `roles: {value: [r, {value: admin}], type: [t, {value: realm}], permissions: [p, {value: all}]}`, json: `{}`},
		{name: "an item of a constant list", yaml: `roles: {value: {value: admin}, permissions: {value: all}}`, json: `{}`},
		{name: "a plain constant", yaml: `roles: [[r, {value: admin}]]`, json: `{"r":"x"}`, want: profile(Profile{Roles: []Role{{Value: "x"}}})},
		{name: "constants beside what the reply says", yaml: `roles: {each: r, value: ., type: {value: realm}, permissions: {value: all}}`, json: `{"r":["x"]}`, want: profile(Profile{Roles: []Role{{Value: "x", Type: "realm", Permissions: []string{"all"}}}})},
		{name: "a constant value beside what the reply says", yaml: `roles: {value: {value: admin}, display: d}`, json: `{"d":"D"}`, want: profile(Profile{Roles: []Role{{Value: "admin", Display: "D"}}})},
		{name: "a flag that is a role", yaml: `roles: {value: {path: admin, map: {true: admin}}, type: {value: realm}}`, json: `{"admin":true}`, want: profile(Profile{Roles: []Role{{Value: "admin", Type: "realm"}}})},
		{name: "a flag that is none", yaml: `roles: {value: {path: admin, map: {true: admin}}, type: {value: realm}}`, json: `{"admin":false}`},
		{name: "one value, more of it known", yaml: `groups: [g, {each: h, value: v, display: d}]`, json: `{"g":["b","a"],"h":[{"v":"a","d":"A"}]}`, want: groups(Group{Value: "b"}, Group{Value: "a", Display: "A"})},
		{name: "one value, contradicted", yaml: `groups: {each: g, value: v, display: d}`, json: `{"g":[{"v":"a","d":"A"},{"v":"a","d":"B"},{"v":"a"}]}`, want: groups(Group{Value: "a", Display: "A"}, Group{Value: "a", Display: "B"})},
		{
			name: "one address that is verified, or not", json: `{"m":[{"v":"a@x.example","ok":false},{"v":"A@X.example","ok":true},{"v":"b@x.example"},{"v":"B@x.example","ok":true}]}`,
			yaml: `emails: {each: m, value: v, verified: ok}`,
			want: profile(Profile{Emails: []Email{{Value: "a@x.example", Verified: new(false)}, {Value: "a@x.example", Verified: new(true)}, {Value: "b@x.example", Verified: new(true)}}}),
		},
		{
			name: "no permissions and unknown ones are one role, and others another", json: `{"r":[{"v":"a"},{"v":"a","p":[]},{"v":"a","p":["x"]}]}`,
			yaml: `roles: {each: r, value: v, permissions: p}`,
			want: profile(Profile{Roles: []Role{{Value: "a", Permissions: []string{}}, {Value: "a", Permissions: []string{"x"}}}}),
		},
		{
			name: "addresses are never filled in from each other", json: `{"a":[{"c":"de"},{"l":"Paris"},{"c":"DEU"},{"c":"de","l":"Berlin"}]}`,
			yaml: `addresses: {each: a, locality: l, country: c}`,
			want: profile(Profile{Addresses: []Address{{Country: "DE"}, {Locality: "Paris"}, {Locality: "Berlin", Country: "DE"}}}),
		},
		{
			name: "an address of the record itself", json: `{"s":"1 Main St","p":12345}`, yaml: `addresses: {streetAddress: s, locality: l, region: r, postalCode: p, country: c, type: {value: work}}`,
			want: profile(Profile{Addresses: []Address{{StreetAddress: "1 Main St", PostalCode: "12345", Type: "work"}}}),
		},
		{name: "an address of constants", yaml: `addresses: {country: c, type: {value: work}}`, json: `{}`},
		{
			name: "every list has its form", json: `{"m":" A@X.Example","t":"tel:+1-650-253-0000","u":"https://x.example/a","o":7}`,
			yaml: `emails: {value: m, primary: {value: true}, type: {value: work}}, phoneNumbers: t, urls: u, photos: {value: u, type: {value: thumbnail}}, organizations: {value: o, display: {value: Acme}}`,
			want: profile(Profile{
				Emails: []Email{{Value: "a@x.example", Type: "work", Primary: true}}, PhoneNumbers: []Phone{{Value: "+16502530000"}},
				URLs: []Link{{Value: "https://x.example/a"}}, Photos: []Link{{Value: "https://x.example/a", Type: "thumbnail"}},
				Organizations: []Organization{{Value: "7", Display: "Acme"}},
			}),
		},
		{name: "a flag that is none", yaml: `emails: {value: m, primary: p}`, json: `{"m":"a@x.example","p":"yes"}`, want: profile(Profile{Emails: []Email{{Value: "a@x.example"}}}), notes: []string{"emails.primary: expected true or false, found a text that is none"}},
	})
}

func TestAttributes(t *testing.T) {
	carries := func(attributes map[string][]string) Record { return Record{Attributes: attributes} }
	testMapped(t, []mapped{
		{name: "named", yaml: `attributes: {cost: a, "odd name": [b, c]}`, json: `{"a":7,"b":["x","y"],"c":["x",true]}`, want: carries(map[string][]string{"cost": {"7"}, "odd name": {"x", "y", "true"}})},
		{name: "named values that say nothing", yaml: `attributes: {a: a, b: b, c: c}`, json: `{"a":null,"b":[" ",""]}`},
		{name: "a named constant", yaml: `attributes: {a: {value: x}}`, json: `{}`, want: carries(map[string][]string{"a": {"x"}})},
		{name: "a named object", yaml: `attributes: {a: a}`, json: `{"a":[{"x":1},"y"]}`, want: carries(map[string][]string{"a": {"y"}}), notes: []string{"attributes.a: expected text, found an object"}},
		{name: "a name like a secret that is asked for", yaml: `attributes: {tokenCount: n}`, json: `{"n":3}`, want: carries(map[string][]string{"tokenCount": {"3"}})},
		{
			name: "a whole object", json: `{"o":{"t":"x","n":1.0,"b":false,"l":["z","a","z",{"x":1},[1],null,""],"null":null,"none":[],"object":{"x":"y"}," s ":" \u0000 ","c":"e\u0301\n"}}`,
			yaml: `attributes: {path: o}`,
			want: carries(map[string][]string{"t": {"x"}, "n": {"1.0"}, "b": {"false"}, "l": {"z", "a"}, "c": {"\u00e9"}}),
		},
		{name: "exceptions", yaml: `attributes: {path: o, except: [a, b]}`, json: `{"o":{"a":1,"b":2,"A":3}}`, want: carries(map[string][]string{"A": {"3"}})},
		{name: "one exception", yaml: `attributes: {path: o, except: a}`, json: `{"o":{"a":1,"b":2}}`, want: carries(map[string][]string{"b": {"2"}})},
		{
			name: "names like a secret", yaml: `attributes: {path: .}`,
			json: `{"password":"c","oldPassWord":"c","client_SECRET":"c","secretary":"c","activationToken":"c","x-tokens":"c","CREDENTIALS":"c","pass":"p"}`,
			want: carries(map[string][]string{"pass": {"p"}}),
		},
		{name: "no object", yaml: `attributes: {path: o}`, json: `{}`},
		{name: "an empty object", yaml: `attributes: {path: o}`, json: `{"o":[]}`},
		{name: "a list is no object", yaml: `attributes: {path: o}`, json: `{"o":[{"a":1}]}`, notes: []string{"attributes: expected an object, found a list"}},
		{name: "a text is no object", yaml: `attributes: {path: o}`, json: `{"o":"canary"}`, notes: []string{"attributes: expected an object, found a text that is none"}},
	})
}

func TestIdentifiers(t *testing.T) {
	yields := func(ids ...Identifier) Record { return Record{IDs: ids} }
	testMapped(t, []mapped{
		{name: "in the order of the definition", yaml: "ids: {username: u, self: i, crm: c}", json: `{"i":9007199254740993,"u":" Jane\u0308 ","c":"A\u0000b"}`, want: yields(Identifier{Kind: "username", Value: "Jan\u00eb"}, Identifier{Kind: "self", Value: "9007199254740993"}, Identifier{Kind: "crm", Value: "A\x00b"})},
		{name: "0 is one", yaml: "ids: {self: i}", json: `{"i":0}`, want: yields(Identifier{Kind: "self", Value: "0"})},
		{name: "the first of a list", yaml: "ids: {self: [i, j]}", json: `{"i":[null," "],"j":["x","y"]}`, want: yields(Identifier{Kind: "self", Value: "x"})},
		{name: "false is none", yaml: "ids: {self: [i, j]}", json: `{"i":false,"j":"x"}`, want: yields(Identifier{Kind: "self", Value: "x"}), notes: []string{"ids.self: expected text, found a boolean"}},
		{name: "an object is none", yaml: "ids: {self: i}", json: `{"i":{"canary":1}}`, notes: []string{"ids.self: expected text, found an object"}},
		{name: "verified by a flag", yaml: "ids: {email: {path: m, when: {ok: true}}}", json: `{"m":" A@X.Example ","ok":true}`, want: yields(Identifier{Kind: "email", Value: "a@x.example", Verified: new(true)})},
		{name: "not verified", yaml: "ids: {email: {path: m, when: {ok: true}}}", json: `{"m":"a@x.example","ok":"true"}`},
		{name: "verified twice, once yes and once no", yaml: "ids: {email: {path: m, when: {ok: true}}}", json: `{"m":"a@x.example","ok":true,"ok":false}`},
		{name: "verified as the definition assumes", yaml: "ids: {email: {path: m, verified: assumed}}", json: `{"m":"a@x.example"}`, want: yields(Identifier{Kind: "email", Value: "a@x.example"})},
		{
			name: "each alternative has its proof", yaml: "ids: {email: [{path: m, when: {ok: true}}, {path: n, when: {n_ok: true}}, {path: w, verified: assumed}]}",
			json: `{"m":"a@x.example","n":"b@x.example","n_ok":true,"w":"c@x.example"}`, want: yields(Identifier{Kind: "email", Value: "b@x.example", Verified: new(true)}),
		},
		{
			name: "the last is only assumed", yaml: "ids: {email: [{path: m, when: {ok: true}}, {path: w, verified: assumed}]}",
			json: `{"m":"a@x.example","w":"c@x.example"}`, want: yields(Identifier{Kind: "email", Value: "c@x.example"}),
		},
		{name: "made by CEL", yaml: "ids: {crm: {cel: 'data.a + \":\" + data.b'}}", json: `{"a":"x","b":"y"}`, want: yields(Identifier{Kind: "crm", Value: "x:y"})},
		{name: "beside a profile", yaml: "profile: {userName: u}\nids: {username: u}", json: `{"u":"jane"}`, want: Record{Profile: Profile{UserName: "jane"}, IDs: []Identifier{{Kind: "username", Value: "jane"}}}},
		{name: "a constant", yaml: "ids: {realm: {value: acme, check: false}}", json: `{}`, want: yields(Identifier{Kind: "realm", Value: "acme"})},
	})
}

// Using what is said twice is an error; not using it harms nobody.
func TestAmbiguousMembers(t *testing.T) {
	const says = ": a mapped member is said twice with different values"
	testMapped(t, []mapped{
		{name: "not used", yaml: `displayName: b`, json: `{"a":1,"a":2,"b":"x"}`, want: named("x")},
		{name: "twice the same", yaml: `displayName: a`, json: `{"a":"x","a":"x"}`, want: named("x")},
		{name: "a scalar", yaml: `displayName: a`, json: `{"a":"canary","a":"x"}`, err: "displayName" + says},
		{name: "on the way", yaml: `displayName: a.b`, json: `{"a":{"b":"x"},"a":{"b":"x","c":1}}`, err: "displayName" + says},
		{name: "behind an alternative that has a value", yaml: `displayName: [b, a]`, json: `{"a":1,"a":2,"b":"x"}`, want: named("x")},
		{name: "under a map", yaml: `active: {path: a, map: {"*": true}}`, json: `{"a":1,"a":2}`, err: "active" + says},
		{name: "a part of a name", yaml: `name: {givenName: a}`, json: `{"a":1,"a":2}`, err: "name.givenName" + says},
		{name: "a list of texts", yaml: `requiredActions: a`, json: `{"a":[],"a":["x"]}`, err: "requiredActions" + says},
		{name: "a plain path", yaml: `groups: g`, json: `{"g":["x"],"g":["y"]}`, err: "groups.value" + says},
		{name: "each", yaml: `groups: {each: g, value: v}`, json: `{"g":[{"v":1}],"g":[]}`, err: "groups.value" + says},
		{name: "in one of the items", yaml: `groups: {each: g, value: v}`, json: `{"g":[{"v":1},{"v":1,"v":2},{"v":3}]}`, err: "groups.value" + says},
		{name: "a named attribute", yaml: `attributes: {x: a}`, json: `{"a":1,"a":2}`, err: "attributes.x" + says},
		{name: "the object of attributes", yaml: `attributes: {path: a}`, json: `{"a":{"x":1},"a":{}}`, err: "attributes" + says},
		{name: "a member of the object of attributes", yaml: `attributes: {path: .}`, json: `{"a":1,"a":2,"b":3}`, err: "attributes" + says},
		{name: "a member that is excepted", yaml: `attributes: {path: ., except: [a]}`, json: `{"a":1,"a":2,"b":3}`, want: Record{Attributes: map[string][]string{"b": {"3"}}}},
		{name: "a member that is dropped", yaml: `attributes: {path: .}`, json: `{"token":1,"token":2,"o":{"a":1,"a":2},"b":3}`, want: Record{Attributes: map[string][]string{"b": {"3"}}}},
		{name: "an identifier", yaml: `ids: {self: a}`, json: `{"a":1,"a":2}`, err: "ids.self" + says},
		{name: "the record itself", yaml: `displayName: .`, json: `{"a":1,"a":2}`, notes: []string{"displayName: expected text, found an object"}},
		{name: "the first counts", yaml: "profile: {title: a, attributes: {x: a}}\nids: {self: a}", json: `{"a":1,"a":2}`, err: "title" + says},
	})
}

// A reply is asked questions before it is known where in it the record is.
func TestApplyForgetsEarlierData(t *testing.T) {
	var problems document.Problems
	n := readNode(t, &problems, `{when: {cel: body.ok}, profile: {displayName: {cel: data.name}}}`)
	c := new(Compiler)
	condition, mapping := c.Condition(n.Field("when")), c.Mapping(n.Field("profile"), nil)
	scope := &Scope{Status: 200, Body: mustParse(t, `{"ok":true,"people":[{"name":"x"}]}`)}
	if !condition.Holds(scope, At(scope.Body)) {
		t.Fatal("the condition does not hold")
	}
	scope.Data, _ = mustPath(t, "people[0]").Value(At(scope.Body))
	record, _, err := mapping.Apply(scope, asOf())
	if err != nil {
		t.Fatal(err)
	}
	if record.Profile.DisplayName != "x" {
		t.Errorf("displayName %q, want x", record.Profile.DisplayName)
	}
}

func TestSecretName(t *testing.T) {
	for name, want := range map[string]bool{
		"password": true, "userPASSWORDhash": true, "secret": true, "access_token": true, "Credential": true,
		"pass": false, "tok": false, "": false, "name": false,
	} {
		if got := SecretName(name); got != want {
			t.Errorf("%q: %t, want %t", name, got, want)
		}
	}
}

// richDefinition uses every feature of the grammar.
const richDefinition = `
ids:
  self: id
  username: [login, {path: alias, when: {ok: true}}]
  email: {path: mail, when: {ok: true}}
  crm: {cel: 'data.crm.id + ":" + string(data.crm.n)'}
profile:
  userName: [login, alias]
  displayName: .
  nickName: {cel: data.nick}
  title: {path: title, map: {1: one, true: yes, "*": other, none: null}}
  userType: [{value: guest, when: {ext: ["a*", 1, null], cel: 'http == 200'}}, {value: employee}]
  name: {givenName: "names[0]", familyName: ["names[1]", family], formatted: {value: X}}
  emails:
    - {each: [mails, more.mails], value: ., verified: ^.ok, primary: {value: true, when: {^.first: x}}, type: {value: work}}
    - mail
  phoneNumbers: [phone, {path: phones.n, when: {http: [2xx, 404]}}]
  addresses: {each: places, streetAddress: s, locality: l, country: [c, ^.c], type: t}
  locale: lang
  preferredLanguage: lang
  timezone: zone
  active: {path: state, map: {ACTIVE: true, "*": false}}
  organizations: {value: org.id, display: org.name}
  department: {cel: 'data.all(k, k != "") ? data.map(k, k)[0] : ""'}
  employeeNumber: number
  groups: {cel: 'data.groups.map(g, g.name)'}
  roles:
    - {each: services.roles, value: name, scope: ^.name, display: ^.^.name, permissions: grants.name, expiresAt: {path: until, as: epoch_ms}}
    - {value: {path: admin, map: {true: admin}}}
  urls: [[url, {value: https://x.example}]]
  requiredActions: [todo, {cel: data.todos}]
  createdAt: created
  updatedAt: {path: updated, as: epoch_s}
  lastLoginAt: {cel: 'timestamp(data.login_at)'}
  attributes: {path: extra, except: [id]}
`

// richReply fills all of it.
const richReply = `{
	"id": 9007199254740993, "login": "Jane", "alias": "jd", "mail": "Jane@X.example", "ok": true, "crm": {"id": "A", "n": 7}, "nick": "J\u0000", "title": true, "ext": "Abc",
	"names": ["Ann", "Lee"], "mails": ["jane@x.example", "j@home.example"], "more": {"mails": {"x": 1}}, "first": "x", "phone": "+1 650 253 0000", "phones": [{"n": 1}],
	"places": [{"s": "1 Main St", "c": "Germany"}, {"l": "Paris", "t": "home"}], "c": "fr", "lang": "en_US", "zone": "Europe/Berlin", "state": "LOCKED", "org": {"id": 1, "name": "Acme"},
	"number": 1e2, "groups": [{"name": "b"}, {"name": "a"}],
	"services": [{"name": "s", "roles": [{"name": "r", "grants": [], "until": 1585111000421}, {"name": "q", "grants": [{"name": "e\u0301"}]}]}], "name": "me", "admin": true,
	"url": "https://x.example/u", "todo": ["a", "a"], "todos": ["b", 2], "created": "2020-03-25", "updated": "1585111000", "login_at": "2020-03-25T04:36:40Z",
	"extra": {"id": 1, "k": [true, "v"], "token": "t", "o": {}}
}`

func TestRichReply(t *testing.T) {
	record, notes, err := mustMapping(t, richDefinition).Apply(replyOf(t, richReply), asOf())
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2020, 3, 25, 4, 36, 40, 0, time.UTC)
	want := Record{
		Profile: Profile{
			UserName: "Jane", NickName: "J", Title: "yes", UserType: "guest",
			Name: &Name{GivenName: "Ann", FamilyName: "Lee", Formatted: "X"},
			Emails: []Email{
				{Value: "jane@x.example", Type: "work", Primary: true, Verified: new(true)},
				{Value: "j@home.example", Type: "work", Primary: true, Verified: new(true)},
			},
			PhoneNumbers: []Phone{{Value: "+16502530000"}, {Value: "1"}},
			Addresses:    []Address{{StreetAddress: "1 Main St", Country: "DE"}, {Locality: "Paris", Country: "FR", Type: "home"}},
			Locale:       "en-US", PreferredLanguage: "en-US", Timezone: "Europe/Berlin", Active: new(false),
			Organizations:  []Organization{{Value: "1", Display: "Acme"}},
			Department:     "admin", // the first name in alphabetical order
			EmployeeNumber: "1e2",
			Groups:         []Group{{Value: "b"}, {Value: "a"}},
			Roles: []Role{
				{Value: "r", Display: "me", Scope: "s", Permissions: []string{}, ExpiresAt: at.Add(421 * time.Millisecond)},
				{Value: "q", Display: "me", Scope: "s", Permissions: []string{"\u00e9"}},
				{Value: "admin"},
			},
			URLs:            []Link{{Value: "https://x.example/u"}},
			RequiredActions: []string{"a", "b", "2"},
			CreatedAt:       at.Truncate(24 * time.Hour), UpdatedAt: at, LastLoginAt: at,
		},
		Attributes: map[string][]string{"k": {"true", "v"}},
		IDs: []Identifier{
			{Kind: "self", Value: "9007199254740993"},
			{Kind: "username", Value: "Jane"},
			{Kind: "email", Value: "jane@x.example", Verified: new(true)},
			{Kind: "crm", Value: "A:7"},
		},
		AsOf: asOf(),
	}
	if diff := cmp.Diff(want, record); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"displayName: expected text, found an object", "emails.value: expected text, found an object"}, NoteTexts(notes)); diff != "" {
		t.Errorf("notes: -want +got:\n%s", diff)
	}
}

// replies draws trees under the names that the rich definition reads, a little
// at a time of anything.
func replies() *rapid.Generator[any] {
	names := slices.Sorted(maps.Keys(func() map[string]any {
		value, _ := ParseJSON([]byte(richReply))
		members, _ := value.(map[string]any)
		return members
	}()))
	names = append(names, "n", "s", "l", "t", "roles", "grants", "until", "k", "v")
	scalar := rapid.OneOf(
		rapid.Map(texts(), func(s string) any { return strings.ToValidUTF8(s, "\ufffd") }),
		rapid.SampledFrom([]any{nil, true, false, "", Number("0"), Number("1e400"), Number("-0"), Number("18446744073709551615"), Number("1585111000421"), "ACTIVE", "2020-03-25", "jane@x.example"}),
	)
	var tree func(depth int) *rapid.Generator[any]
	tree = func(depth int) *rapid.Generator[any] {
		if depth == 0 {
			return scalar
		}
		return rapid.OneOf(
			scalar,
			rapid.Map(rapid.SliceOfN(tree(depth-1), 0, 3), func(list []any) any { return append([]any{}, list...) }),
			rapid.Map(rapid.MapOfN(rapid.SampledFrom(names), tree(depth-1), 0, 6), func(m map[string]any) any { return m }),
		)
	}
	return rapid.Map(rapid.MapOfN(rapid.SampledFrom(names), tree(3), 0, 24), func(m map[string]any) any { return m })
}

// write writes a tree as JSON with its members in any order.
func write(b *strings.Builder, v any, random *rand.Rand) {
	switch v := v.(type) {
	case map[string]any:
		names := slices.Sorted(maps.Keys(v))
		random.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		b.WriteByte('{')
		for i, name := range names {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(b, "%q:", name)
			write(b, v[name], random)
		}
		b.WriteByte('}')
	case []any:
		b.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			write(b, item, random)
		}
		b.WriteByte(']')
	case Number:
		b.WriteString(string(v))
	default:
		text, _ := json.Marshal(v)
		b.Write(text)
	}
}

func TestMappingIsOneFunction(t *testing.T) {
	mapping := mustMapping(t, richDefinition)
	rapid.Check(t, func(t *rapid.T) {
		tree := replies().Draw(t, "reply")
		var first Record
		var firstNotes []string
		for i := range uint64(3) { // the second in another order, the third as the second
			var text strings.Builder
			write(&text, tree, rand.New(rand.NewPCG(max(i, 1), 0)))
			body, err := ParseJSON([]byte(text.String()))
			if err != nil {
				t.Fatalf("%s: %v", text.String(), err)
			}
			record, notes, err := mapping.Apply(&Scope{Status: 200, Body: body, Data: body}, asOf())
			if err != nil {
				t.Fatalf("%s: %v", text.String(), err)
			}
			if i == 0 {
				first, firstNotes = record, NoteTexts(notes)
				checkRecord(t, mapping, record)
				continue
			}
			if diff := cmp.Diff(first, record); diff != "" {
				t.Fatalf("%s: -first +again:\n%s", text.String(), diff)
			}
			if diff := cmp.Diff(firstNotes, NoteTexts(notes)); diff != "" {
				t.Fatalf("%s: notes: -first +again:\n%s", text.String(), diff)
			}
		}
	})
}

// checkRecord holds what a mapping made against what every record must be.
func checkRecord(t interface{ Fatalf(string, ...any) }, m *Mapping, r Record) {
	checkTexts(t, reflect.ValueOf(r.Profile), FormText)
	for name, values := range r.Attributes {
		if SecretName(name) || len(values) == 0 {
			t.Fatalf("the attribute %q with %q", name, values)
		}
		for _, value := range values {
			if value == "" || FormText.Text(value) != value {
				t.Fatalf("the attribute %q with %q", name, value)
			}
		}
	}
	for _, id := range r.IDs {
		if id.Value == "" || CanonicalID(id.Kind, id.Value) != id.Value {
			t.Fatalf("the identifier %s %q", id.Kind, id.Value)
		}
	}
	if r.Profile.ID != "" || r.Profile.Identifiers != nil || r.Profile.Attributes != nil || !r.AsOf.Equal(asOf()) {
		t.Fatalf("more than a mapping may say: %+v", r)
	}
	body, err := json.Marshal(r)
	if err != nil || !utf8.Valid(body) || !json.Valid(body) {
		t.Fatalf("%s, %v", body, err)
	}
	given, known := reflect.ValueOf(r.Profile), m.Members()
	for i := range given.NumField() {
		if name := jsonName(given.Type().Field(i)); !given.Field(i).IsZero() && !slices.Contains(known, name) {
			t.Fatalf("%s is not among %q", name, known)
		}
	}
}

// checkTexts tells of every text within a value that is not in its form.
func checkTexts(t interface{ Fatalf(string, ...any) }, v reflect.Value, form Form) {
	switch v.Kind() {
	case reflect.String:
		if text := v.String(); form.Text(text) != text || !utf8.ValidString(text) {
			t.Fatalf("%q is not in the form %q", text, form)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			checkTexts(t, v.Elem(), form)
		}
	case reflect.Slice:
		for i := range v.Len() {
			checkTexts(t, v.Index(i), form)
		}
	case reflect.Struct:
		if at, ok := v.Interface().(time.Time); ok {
			if at.Location() != time.UTC || at.Year() < 0 || at.Year() > 9999 {
				t.Fatalf("the instant %v", at)
			}
			return
		}
		for i := range v.NumField() {
			checkTexts(t, v.Field(i), Form(v.Type().Field(i).Tag.Get("form")))
		}
	}
}

// FuzzMapping gives any bytes as a reply to a definition that uses every feature.
func FuzzMapping(f *testing.F) {
	for _, seed := range []string{
		richReply, `{}`, `[]`, `null`, `"x"`, `{"id":1,"id":2}`, `{"extra":{"a":1,"a":2}}`, `{"groups":[{"name":[{}]}]}`, `{"mail":"x\u0000@\u0130","ok":true}`,
		`{"services":{"roles":[[{"name":{"x":[]}}]]}}`, `{"created":0,"updated":-1e9,"login_at":"x"}`, `{"nick":1e999,"crm":{"id":"\u0301","n":18446744073709551615}}`,
	} {
		f.Add([]byte(seed))
	}
	mapping := mustMapping(f, richDefinition)
	f.Fuzz(func(t *testing.T, reply []byte) {
		body, err := ParseJSON(reply)
		if err != nil {
			return
		}
		record, notes, err := mapping.Apply(&Scope{Status: 200, Body: body, Data: body}, asOf())
		if err != nil {
			if !reflect.DeepEqual(record, Record{}) || notes != nil {
				t.Fatalf("%+v and %q beside %v", record, notes, err)
			}
			return
		}
		checkRecord(t, mapping, record)
	})
}

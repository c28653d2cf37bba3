package normalize

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/config/document"
)

// briefs tells every mistake in one line each: file, position, the characters
// under the caret, message and hint.
func briefs(problems *document.Problems) []string {
	var lines []string
	for _, p := range problems.All() {
		source := append([]rune(p.Source), ' ')
		line := fmt.Sprintf("%s:%d:%d «%s» %s", p.File, p.Line, p.Column, string(source[p.Column-1:min(p.Column-1+p.Width, len(source))]), p.Message)
		if p.Hint != "" {
			line += " | " + p.Hint
		}
		lines = append(lines, line)
	}
	return lines
}

// mistake is YAML and all that is reported of it.
type mistake struct {
	yaml string
	says string // one line for each
}

func testMistakes(t *testing.T, compile func(c *Compiler, n *document.Node), tests []mistake) {
	t.Helper()
	for _, test := range tests {
		t.Run(test.yaml, func(t *testing.T) {
			var problems document.Problems
			n := readNode(t, &problems, test.yaml)
			compile(new(Compiler), n)
			if diff := cmp.Diff(strings.Split(test.says, "\n"), briefs(&problems)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

const (
	noValue  = " | give it a value or remove the line"
	noOrigin = "exactly one of path, cel and value is needed here | write {path: …}, {cel: …} or {value: …}"
	noProof  = "an e-mail address identifies a person only when it is verified | add `when: {PATH: true}` on a verified flag, or `verified: assumed`"
)

func TestProfileMistakes(t *testing.T) {
	compile := func(c *Compiler, n *document.Node) { c.Mapping(n, nil) }
	testMistakes(t, compile, []mistake{
		{`[a]`, "d.yaml:1:1 «[» expected a mapping, found a list"},
		{`a`, "d.yaml:1:1 «a» expected a mapping, found a single value"},
		{`{userNam: a}`, `d.yaml:1:2 «userNam» unknown member "userNam" | did you mean "userName"?`},
		{"userName: a\nattribute: {}\n", `d.yaml:2:1 «attribute» unknown member "attribute" | did you mean "attributes"?`},
		{`{id: a}`, `d.yaml:1:2 «id» unknown member "id" | known: active, addresses, attributes, createdAt, department, displayName, emails, employeeNumber, groups, lastLoginAt, locale, manager, name, nickName, organization, organizations, phoneNumbers, photos, preferredLanguage, requiredActions, roles, timezone, title, updatedAt, urls, userName, userType`},
		{`{identifiers: a}`, "d.yaml:1:2 «identifiers» identifiers stand under `ids`, not under `profile`"},
		{"userName:\n", `d.yaml:1:10 « » the member "userName" is written but has no value | give it a path or remove the line`},
		{`{userName: null, roles: ~}`, "d.yaml:1:12 «n» the member \"userName\" is written but has no value | give it a path or remove the line\n" +
			`d.yaml:1:25 «~» the member "roles" is written but has no value | give it a path or remove the line`},
		{`{name: a}`, "d.yaml:1:8 «a» expected a mapping, found a single value"},
		{`{name: {given: a}}`, `d.yaml:1:9 «given» unknown member "given" | known: familyName, formatted, givenName, honorificPrefix, middleName`},
		{`{name: {each: a}}`, `d.yaml:1:9 «each» unknown member "each" | known: familyName, formatted, givenName, honorificPrefix, middleName`},
		{`{emails: {each: a}}`, `d.yaml:1:10 «{» the key "value" is missing | every item needs a value: what it is called`},
		{`{emails: [{each: a, type: b}, c]}`, `d.yaml:1:11 «{» the key "value" is missing | every item needs a value: what it is called`},
		{`{emails: {type: b}}`, `d.yaml:1:10 «{» the key "value" is missing | every item needs a value: what it is called`},
		{`{emails: {each: ~, value: b}}`, "d.yaml:1:17 «~» expected a single value, found nothing" + noValue},
		{`{emails: {each: [], value: b}}`, "d.yaml:1:17 «[» a path is missing here | write a path or a list of paths"},
		{`{emails: {eech: a, value: b}}`, `d.yaml:1:11 «eech» unknown member "eech" | did you mean "each"?`},
		{`{emails: {each: a, value: b, verified: ~}}`, `d.yaml:1:40 «~» the member "verified" is written but has no value | give it a path or remove the line`},
		{`{emails: {each: a, value: b, sources: c}}`, `d.yaml:1:30 «sources» unknown member "sources" | known: each, primary, type, value, verified`},
		{`{roles: {value: a, expired: b}}`, `d.yaml:1:20 «expired» unknown member "expired" | known: display, each, expiresAt, permissions, scope, type, value`},
		{`{roles: {each: a.b., value: c}}`, "d.yaml:1:19 «.» a name is missing after this dot"},
		{`{emails: [a, null]}`, "d.yaml:1:14 «n» a value is missing here | write a path, a list of paths, or {path: …}, {cel: …} or {value: …}"},
		{`{addresses: a}`, "d.yaml:1:13 «a» a plain path stands for `value`, and this member has none | write a block: {streetAddress: PATH, …}"},
		{`{addresses: {path: a}}`, "d.yaml:1:13 «{» a plain path stands for `value`, and this member has none | write a block: {streetAddress: PATH, …}"},
		{`{addresses: {value: a}}`, `d.yaml:1:14 «value» unknown member "value" | known: country, each, locality, postalCode, region, streetAddress, type`},
		{`{requiredActions: {each: a}}`, "d.yaml:1:19 «{» " + noOrigin + "\n" + `d.yaml:1:20 «each» unknown key "each" | known: as, cel, map, path, value, when`},
		{`{attributes: ~}`, "d.yaml:1:14 «~» expected a mapping, found nothing" + noValue},
		{`{attributes: [a]}`, "d.yaml:1:14 «[» expected a mapping, found a list"},
		{`{attributes: {a: ~}}`, "d.yaml:1:18 «~» a value is missing here | write a path, a list of paths, or {path: …}, {cel: …} or {value: …}"},
		{`{attributes: {a: {b: c}}}`, "d.yaml:1:18 «{» " + noOrigin + "\n" + `d.yaml:1:19 «b» unknown key "b" | known: as, cel, map, path, value, when`},
		{`{attributes: {path: a, excepts: b}}`, `d.yaml:1:24 «excepts» unknown key "excepts" | did you mean "except"?`},
		{`{attributes: {path: ~, except: b}}`, `d.yaml:1:21 «~» the key "path" is written but has no value` + noValue},
		{`{attributes: {path: a, except: [[b]]}}`, "d.yaml:1:33 «[» expected a single value, found a list"},
		{`{attributes: {path: a b}}`, `d.yaml:1:22 « » white space in a path | quote a name that has it: ["first name"]`},
	})
}

func TestValueMistakes(t *testing.T) {
	compile := func(c *Compiler, n *document.Node) { c.Mapping(n, nil) }
	testMistakes(t, compile, []mistake{
		{`{title: a..b}`, "d.yaml:1:11 «.» a name is missing before this dot"},
		{`{title: "é.\tb"}`, `d.yaml:1:12 «\t» white space in a path | quote a name that has it: ["first name"]`},
		{`{title: ""}`, "d.yaml:1:10 «\"» a path is missing here | write . for the record itself"},
		{"title:\n  - a\n  - b.\n  - [c, d^]\n", "d.yaml:3:6 «.» a name is missing after this dot\n" +
			`d.yaml:4:10 «^» ^ stands only at the beginning of a path | a name that has it is quoted: ["a^b"]`},
		{`{title: {path: "a[b]"}}`, `d.yaml:1:18 «[b]» neither a position nor a quoted name | write [0], counted from the first, or ["name"]`},
		{`{title: {path: [a, b]}}`, "d.yaml:1:16 «[» expected a single value, found a list"},
		{`{title: {}}`, "d.yaml:1:9 «{» " + noOrigin},
		{`{title: {map: {a: b}}}`, "d.yaml:1:9 «{» " + noOrigin},
		{`{title: {when: {a: b}}}`, "d.yaml:1:9 «{» " + noOrigin},
		{`{title: {path: a, value: b}}`, "d.yaml:1:9 «{» " + noOrigin},
		{`{title: [a, {cel: data.a, path: b}]}`, "d.yaml:1:13 «{» " + noOrigin},
		{`{title: {path: a, cel: data.b, value: c}}`, "d.yaml:1:9 «{» " + noOrigin},
		{`{title: {pth: a}}`, "d.yaml:1:9 «{» " + noOrigin + "\n" + `d.yaml:1:10 «pth» unknown key "pth" | did you mean "path"?`},
		{`{title: {path: a, default: b}}`, `d.yaml:1:19 «default» unknown key "default" | known: as, cel, map, path, value, when`},
		{`{title: {path: a, verified: assumed}}`, `d.yaml:1:19 «verified» unknown key "verified" | known: as, cel, map, path, value, when`},
		{`{title: []}`, "d.yaml:1:9 «[» a value is missing here | write a path, a list of paths, or {path: …}, {cel: …} or {value: …}"},
		{`{title: {path: ~}}`, `d.yaml:1:16 «~» the key "path" is written but has no value` + noValue},
		{`{title: {value: null}}`, `d.yaml:1:17 «n» the key "value" is written but has no value` + noValue},
		{`{title: {value: [a]}}`, "d.yaml:1:17 «[» a constant is a single value, not a list"},
		{`{title: {value: {a: b}}}`, "d.yaml:1:17 «{» a constant is a single value, not a mapping"},
		{`{title: {value: 0x1F}}`, `d.yaml:1:17 «0x1F» "0x1F" is not a value that JSON knows`},
		{`{title: {value: .inf}}`, `d.yaml:1:17 «.inf» ".inf" is not a value that JSON knows`},
		{`{title: {path: a, map: b}}`, "d.yaml:1:24 «b» expected a mapping, found a single value"},
		{`{title: {path: a, map: [b]}}`, "d.yaml:1:24 «[» expected a mapping, found a list"},
		{`{title: {path: a, map: {b: [c]}}}`, "d.yaml:1:28 «[» a value is mapped to a single value, not to a list"},
		{`{title: {path: a, map: {b: {c: d}}}}`, "d.yaml:1:28 «{» a value is mapped to a single value, not to a mapping"},
		{`{title: {path: a, map: {b: 0o17}}}`, `d.yaml:1:28 «0o17» "0o17" is not a value that JSON knows`},
		{`{createdAt: {path: a, as: epoch}}`, `d.yaml:1:27 «epoch» unknown value "epoch" | known: epoch_ms, epoch_s`},
		{`{createdAt: {path: a, as: [epoch_s]}}`, "d.yaml:1:27 «[» expected a single value, found a list"},
		{`{title: {path: a, when: b}}`, "d.yaml:1:25 «b» expected a mapping, found a single value"},
		{`{title: {path: a, when: {b..c: d}}}`, "d.yaml:1:28 «.» a name is missing before this dot"},
	})
}

func TestIdentifierMistakes(t *testing.T) {
	compile := func(c *Compiler, n *document.Node) { c.Mapping(nil, n) }
	testMistakes(t, compile, []mistake{
		{`[a]`, "d.yaml:1:1 «[» expected a mapping, found a list"},
		{`{email: []}`, "d.yaml:1:9 «[» a value is missing here | write a path, a list of paths, or {path: …}, {cel: …} or {value: …}"},
		{`{email: [{path: mail, when: {ok: true}}, other]}`, "d.yaml:1:2 «email» " + noProof}, // one alternative is enough to be somebody else
		{`{email: {when: {}}}`, "d.yaml:1:9 «{» " + noOrigin},
		{`{self: ~}`, "d.yaml:1:8 «~» a value is missing here | write a path, a list of paths, or {path: …}, {cel: …} or {value: …}"},
		{`{self: a.}`, "d.yaml:1:9 «.» a name is missing after this dot"},
		{`{email: mail}`, "d.yaml:1:2 «email» " + noProof},
		{"self: id\nemail: {path: mail}\n", "d.yaml:2:1 «email» " + noProof},
		{`{email: {path: mail, check: false}}`, "d.yaml:1:2 «email» " + noProof},
		{`{email: {path: mail, when: {}}}`, "d.yaml:1:2 «email» " + noProof}, // asks nothing
		{`{email: {path: mail, when: ~}}`, `d.yaml:1:28 «~» the key "when" is written but has no value` + noValue},
		{`{email: {path: mail, when: {cel: ""}}}`, "d.yaml:1:34 «\"\"» a CEL expression is missing here | the expression sees data, body and http"},
		{`{email: {path: mail, verified: true}}`, `d.yaml:1:32 «true» unknown value "true" | known: assumed`},
		{`{email: {path: mail, verifed: assumed}}`, `d.yaml:1:22 «verifed» unknown key "verifed" | did you mean "verified"?`},
		{`{self: {pth: a}}`, "d.yaml:1:8 «{» " + noOrigin + "\n" + `d.yaml:1:9 «pth» unknown key "pth" | did you mean "path"?`},
		{`{self: {path: a, else: b}}`, `d.yaml:1:18 «else» unknown key "else" | known: as, case, cel, check, map, path, value, verified, when`},
		{`{self: {path: a, check: maybe}}`, `d.yaml:1:25 «maybe» expected true or false, found "maybe"`},
		{`{self: {check: false}}`, "d.yaml:1:8 «{» " + noOrigin},
	})
}

// What the gateway plans with.
func TestMappingTells(t *testing.T) {
	m := mustMapping(t, `
profile: {roles: r, userName: u, attributes: {a: a}, name: {givenName: g}}
ids:
  username: u
  self: {path: i, check: false, case: any}
  email: {path: m, when: {ok: true}}
`)
	if diff := cmp.Diff([]string{"userName", "name", "roles", "attributes"}, m.Members()); diff != "" {
		t.Errorf("members: -want +got:\n%s", diff)
	}
	var ids []string
	for _, id := range m.IDs() {
		ids = append(ids, fmt.Sprintf("%s verified %t check %t any case %t", id.Kind, id.Verified, id.Check, id.AnyCase))
	}
	want := []string{"username verified false check true any case false", "self verified false check false any case true", "email verified true check true any case false"}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Errorf("ids: -want +got:\n%s", diff)
	}
	if members := mustMapping(t, `profile: {attributes: {path: .}}`).Members(); !cmp.Equal(members, []string{"attributes"}) {
		t.Errorf("members %q", members)
	}
	nothing := new(Compiler).Mapping(nil, nil)
	record, notes, err := nothing.Apply(replyOf(t, `{"a":1,"a":2}`), asOf())
	if err != nil || notes != nil || !cmp.Equal(record, Record{AsOf: asOf()}) {
		t.Errorf("nothing maps to %+v, %q, %v", record, notes, err)
	}
}

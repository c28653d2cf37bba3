package adapters_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"muster/adapters"
	"muster/config/document"
)

// CEL is typed from the replies of a definition's own tests and of those it was
// made from; what data is follows response.data.
func TestSamplesThatCELIsTypedFrom(t *testing.T) {
	const base = `
provider: base
auth: {none: true}
lookup: https://h.example/{id.self}
response: {data: user}
ids: {self: {path: id, when: {cel: "data.active"}}}
profile: {displayName: name}
tests:
  - {name: a, with: {id: {self: "1"}}, reply: {json: {user: {id: "1", active: true}}}, expect: {outcome: ok}}
  - {name: b, with: {id: {self: "1"}}, reply: {http: 404, json: {user: {reason: none}, error: gone}}, expect: {outcome: absent}}
  - {name: c, with: {id: {self: "1"}}, reply: {text: "<html>"}, expect: {outcome: failed}}
`
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "reply.json"), []byte(`{"user": {"fromFile": 1}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	test := func(reply string) string {
		return "tests: [{name: x, with: {id: {self: '1'}}, reply: " + reply + ", expect: {outcome: ok}}]\n"
	}
	const none = `CEL: no sample has the member `
	for _, c := range []struct{ name, keys, says string }{
		{"a member of its base's samples", `ids: {self: {cel: data.id}}` + "\n" + test(`{json: {}}`), ""},
		{"a member that none has", `ids: {self: {cel: data.idd}}` + "\n" + test(`{json: {}}`), none + `"idd"`},
		{"of its own samples", `ids: {self: {cel: data.own}}` + "\n" + test(`{json: {user: {own: x}}}`), ""},
		{"as text", `ids: {self: {cel: data.own}}` + "\n" + test(`{text: '{"user": {"own": "x"}}'}`), ""},
		{"in a file", `ids: {self: {cel: 'string(data.fromFile)'}}` + "\n" + test(`{file: reply.json}`), ""},
		{"in a file, of another type", `ids: {self: {cel: 'data.fromFile.trim()'}}` + "\n" + test(`{file: reply.json}`), "CEL: trim does not take a number"},
		{"a refused reply has no record", `ids: {self: {cel: data.reason}}` + "\n" + test(`{json: {}}`), none + `"reason"`},
		{"and has a body", `ids: {self: {cel: 'body.error + body.user.reason'}}` + "\n" + test(`{json: {}}`), ""},
		{"data elsewhere", "response: {data: [value.people]}\nids: {self: {cel: 'data.key + data.kind'}}\n" + test(`{json: {value: {people: [null, {key: x}, {kind: y}]}}}`), ""},
		{"data elsewhere, and not where it was", "response: {data: [value.people]}\nids: {self: {cel: 'data.id'}}\n" + test(`{json: {value: {people: [null, {key: x}]}}}`), none + `"id"`},
		{"the whole list", "response: {data: value, list: true}\nids: {self: {cel: 'data[0].key'}}\n" + test(`{json: {value: [{key: x}]}}`), ""},
		{"the whole list has no members", "response: {data: value, list: true}\nids: {self: {cel: 'data.key'}}\n" + test(`{json: {value: [{key: x}]}}`), "CEL: a list has no members"},
		// What it inherits was checked where it is written: here data may be another's.
		{"an inherited expression", "response: {data: value}\n" + test(`{json: {value: {key: x}}}`), ""},
		{"a reply of the wrong form is reported once", `ids: {self: {cel: data.id}}` + "\n" + test(`[x]`), "expected a mapping, found a list"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var problems document.Problems
			files := map[string]string{"base": base, "mine": "provider: mine\nuse: base\n" + c.keys}
			resolved := adapters.Resolve("mine", func(name string) *document.Node {
				if text, ok := files[name]; ok {
					return document.Read(filepath.Join(folder, name+".yaml"), []byte(text), &problems)
				}
				return nil
			})
			adapters.Compile(resolved)
			var told []string
			for _, p := range problems.All() {
				told = append(told, p.Message)
			}
			expect(t, "mistakes", strings.Join(told, "\n"), c.says)
		})
	}
}

// With nothing to type it from, an expression is taken as it stands.
func TestCELWithoutSamples(t *testing.T) {
	for _, tests := range []string{
		`[{name: x, with: {id: {self: "1"}}, expect: {outcome: failed}}]`,
		`[{name: x, with: {id: {self: "1"}}, reply: {text: "<html>"}, expect: {outcome: failed}}]`,
		`[{name: x, with: {id: {self: "1"}}, reply: {text: "null"}, expect: {outcome: failed}}]`,
	} {
		define(t, "ids: {self: {cel: data.anything + body.else}}\ntests: "+tests)
	}
}

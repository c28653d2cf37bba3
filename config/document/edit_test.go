package document_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"
	"pgregory.net/rapid"

	"muster/config/document"
)

// parsed is a file that has no mistake.
func parsed(t failing, text string) *document.Node {
	t.Helper()
	var problems document.Problems
	n := document.Read("f.yaml", []byte(text), &problems)
	if err := problems.Err(); err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	return n
}

// failing is a *testing.T or a *rapid.T.
type failing interface {
	Helper()
	Fatalf(format string, args ...any)
}

func fromJSON(t failing, text string) *document.Node {
	t.Helper()
	n, err := document.FromJSON([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return n
}

// A change touches what differs, and every other byte stays: comments, the order
// of keys, quotes, line ends.
func TestEdits(t *testing.T) {
	for _, test := range []struct{ name, file, want, after string }{
		{"nothing differs", "a: {x: '1', y: [1, 2]} # c\n", `{"y":[1,2],"x":"1"}`, "a: {x: '1', y: [1, 2]} # c\n"},
		{"a scalar", "a: old # c\n", `"new"`, "a: new # c\n"},
		{"an address where quotes are not needed", "a: GET https://a.example/x # c\n", `"GET https://b.example/y?z=%20&q=a:b"`, "a: GET https://b.example/y?z=%20&q=a:b # c\n"},
		{"what would need them", "a: GET https://a.example/x # c\n", `"GET https://b.example/y #z: {"`, "a: \"GET https://b.example/y #z: {\" # c\n"},
		{"a word that is no text elsewhere", "a: 1\n", `"Yes"`, "a: \"Yes\"\n"},
		{"a quoted one", "a: 'it''s'   # c\nb: 1\n", `"it is"`, "a: it is   # c\nb: 1\n"},
		{"one over two lines", "a: one\n  two\nb: 1\n", `"x"`, "a: x\nb: 1\n"},
		{"a block text", "a: |\n  one\n  two\nb: 1\n", `"x"`, "a: x\nb: 1\n"},
		{"a number and a text", "a: {n: 7, s: \"7\"}", `{"n":8,"s":"8"}`, "a: {n: 8, s: \"8\"}"},
		{"within a flow mapping", "a: {x: 1, y: {z: [1, {w: 2}]}} # c\n", `{"x":1,"y":{"z":[1,{"w":3}]}}`, "a: {x: 1, y: {z: [1, {w: 3}]}} # c\n"},
		{"a key more in flow", "a: {x: 1,\n  y: 2 } # c\n", `{"x":1,"y":2,"z":true}`, "a: {x: 1,\n  y: 2, z: true } # c\n"},
		{"a key less in flow", "a: {x: 1, w: 2} # c\n", `{"w":2}`, "a: {w: 2} # c\n"},
		{"a key more in block", "a:\n  x: 1 # one\n  y: [1] # two\n\n# b\nb: 1\n", `{"x":1,"y":[1],"z":{"s":"t: u"}}`, "a:\n  x: 1 # one\n  y: [1] # two\n  z: {s: \"t: u\"}\n\n# b\nb: 1\n"},
		{"a key less in block", "a:\n  x: 1 # one\n  y:\n    - 1\n    - 2 # two\n  z: 3\n", `{"x":1,"z":3}`, "a:\n  x: 1 # one\n  z: 3\n"},
		{"the last key less", "a:\n  x: 1 # one\n  z: 3", `{"x":1}`, "a:\n  x: 1 # one"},
		{"a key less, and one more", "a:\n  x: 1 # one\n  z: 3\n", `{"x":1,"w":2}`, "a:\n  x: 1 # one\n  w: 2\n"},
		{"all keys others", "a:\n  x: 1\n", `{"w":2}`, "a:\n  w: 2\n"},
		{"an item more", "a:\n  - {x: 1} # one\n  - 2 # two\nb: 1\n", `[{"x":1},2,{"w":3}]`, "a:\n  - {x: 1} # one\n  - 2 # two\n  - {w: 3}\nb: 1\n"},
		{"an item more before all", "a:\n  - 1 # one\n", `[0,1]`, "a:\n  - 0\n  - 1 # one\n"},
		{"an item more between", "a:\n- 1 # one\n- 3 # three\n", `[1,2,3]`, "a:\n- 1 # one\n- 2\n- 3 # three\n"},
		{"an item less", "a:\n  - 1 # one\n  - x: 1\n    y: 2\n  - 3 # three\n", `[1,3]`, "a:\n  - 1 # one\n  - 3 # three\n"},
		{"an item other", "a:\n  - 1 # one\n  - x: 1 # x\n    y: 2\n  - 3 # three\n", `[1,{"x":1,"y":4},3]`, "a:\n  - 1 # one\n  - x: 1 # x\n    y: 4\n  - 3 # three\n"},
		{"no item", "a:\n  - 1 # one\nb: 2\n", `[]`, "a:\n  [] # one\nb: 2\n"},
		{"items in flow", "a: [1, 2] # c\n", `[1,2,"3"]`, "a: [1, 2, \"3\"] # c\n"},
		{"another kind", "a: [1, 2] # c\n", `{"x":null}`, "a: {x: null} # c\n"},
		{"an anchor stays", "a: &k {x: 1} # c\nb: *k\n", `{"x":2}`, "a: &k {x: 2} # c\nb: *k\n"},
		{"an alias is written out", "b: &k {x: 1}\na: *k # c\n", `{"x":2}`, "b: &k {x: 1}\na: {x: 2} # c\n"},
		{"an alias within", "b: &k [1]\na: {x: *k, y: 1}\n", `{"x":[2],"y":1}`, "b: &k [1]\na: {x: [2], y: 1}\n"},
		{"line ends of Windows", "a:\r\n  x: 1 # one\r\nb: 2\r\n", `{"x":1,"w":2}`, "a:\r\n  x: 1 # one\r\n  w: 2\r\nb: 2\r\n"},
		{"a byte order mark", "\ufeffa: old\n", `"new"`, "\ufeffa: new\n"},
		{"characters of several bytes", "ä: ü\na: {\"ö\": old} # ß\n", `{"ö":"nëw"}`, "ä: ü\na: {\"ö\": nëw} # ß\n"},
		{"brackets in quotes and comments", "a: [{x: \"}\\\"\", y: '}''', z: it's, w: #}\n 1, v: !!str \"}\", u: b:'c, \"t\":'}'}] # c\n", `[]`, "a: [] # c\n"},
		{"a null", "a: ~ # c\nb: 1\n", `1`, "a: 1 # c\nb: 1\n"},
		{"a null of no character", "a: # c\nb: 1\n", `{"x":1}`, "a: {x: 1} # c\nb: 1\n"},
		{"a null within", "a: {x: , y: 1}\n", `{"x":2,"y":1}`, "a: {x: 2 , y: 1}\n"},
		{"a key that is not there", "b: 1 # c\n", `{"x":1}`, "b: 1 # c\na: {x: 1}\n"},
		{"a key that is not there, in flow", "{b: 1} # c\n", `{"x":1}`, "{b: 1, a: {x: 1}} # c\n"},
		{"a key behind a text of several lines", "b: |\n  x\n  y\n# c\n", `1`, "b: |\n  x\n  y\na: 1\n# c\n"},
		{
			"what is long stands in lines", "b: 1\n", `{"outcome":"ok","roles":[{"value":"` + strings.Repeat("v", 60) + `","type":"` + strings.Repeat("t", 60) + `"},{"value":"x"}],"ids":{"self":"1"}}`,
			"b: 1\na:\n  outcome: ok\n  roles:\n    - value: " + strings.Repeat("v", 60) + "\n      type: " + strings.Repeat("t", 60) + "\n    - {value: x}\n  ids: {self: \"1\"}\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var e document.Edits
			e.Set(parsed(t, test.file), "a", fromJSON(t, test.want))
			after, err := e.Apply()
			if err != nil {
				t.Fatal(err)
			}
			if e.Len() == 0 {
				after = []byte(test.file)
			}
			if diff := cmp.Diff(test.after, string(after)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			text, err := parsed(t, string(after)).Field("a").JSON()
			if err != nil {
				t.Fatal(err)
			}
			sameJSON(t, test.want, string(text))
		})
	}
}

func sameJSON(t failing, want, got string) {
	t.Helper()
	var a, b any
	if json.Unmarshal([]byte(want), &a) != nil || json.Unmarshal([]byte(got), &b) != nil {
		t.Fatalf("not JSON: %s, %s", want, got)
	}
	if diff := cmp.Diff(a, b); diff != "" {
		t.Fatalf("reads otherwise (-want +got):\n%s", diff)
	}
}

// jsonValues draws JSON values of texts that YAML may take for something else.
func jsonValues(depth int) *rapid.Generator[any] {
	leaf := rapid.OneOf(
		rapid.Map(rapid.SampledFrom([]string{"", "a", "Jane Doe", "7", "true", "null", "~", "yes", "2026-01-02", "a: b", "a #b", "- a", "x,y", "{", "it's", "\"q\"", "line\nline", " lead", "trail ", "\u00a0", "\u0085", "\x7f", "ö", "\U0001f600", "&a", "*a", "!a", "%a", "@a", "`a`", "1e3", "0x1f", "0o7", "1_000", ".inf", ".", "-", "---", "?", ":", "a:", "\ttab"}), func(s string) any { return s }),
		rapid.Map(rapid.String(), func(s string) any { return strings.ToValidUTF8(s, "?") }),
		rapid.Map(rapid.Int(), func(n int) any { return n }),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
	)
	if depth == 0 {
		return leaf
	}
	within := jsonValues(depth - 1)
	return rapid.OneOf(leaf,
		rapid.Map(rapid.SliceOfN(within, 0, 3), func(l []any) any { return append([]any{}, l...) }),
		rapid.Map(rapid.MapOfN(rapid.SampledFrom([]string{"x", "y", "odd key", "7", "a: b", "it's"}), within, 0, 3), func(m map[string]any) any { return m }),
	)
}

// Whatever stands in a file, and whatever is to stand there: the file reads so
// afterwards, what is beside it is as it was, and doing it again changes nothing.
func TestEditsLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first, second := jsonValues(3).Draw(t, "first"), jsonValues(3).Draw(t, "second")
		write := func(file string, v any) string {
			text, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			var e document.Edits
			e.Set(parsed(t, file), "a", fromJSON(t, string(text)))
			after, err := e.Apply()
			if err != nil {
				t.Fatalf("%s <- %s: %v", file, text, err)
			}
			if e.Len() == 0 {
				return file
			}
			got, err := parsed(t, string(after)).Field("a").JSON()
			if err != nil {
				t.Fatalf("%s", after)
			}
			sameJSON(t, string(text), string(got))
			return string(after)
		}
		const above, below = "# before\nb: {c: 'd'} # beside\n", "\nz: last # last\n"
		file := write(above, first)
		if rapid.Bool().Draw(t, "in lines") {
			text, err := yaml.Marshal(map[string]any{"a": first})
			if err != nil {
				t.Fatal(err)
			}
			file = above + strings.TrimRight(string(text), "\n")
		}
		again := write(file+below, second)
		if !strings.HasPrefix(again, above) || !strings.HasSuffix(again, below) {
			t.Fatalf("what is beside it has changed:\n%s", again)
		}
		if write(again, second) != again {
			t.Fatalf("the second time changes something:\n%s", again)
		}
	})
}

func TestFromJSONIsOneValue(t *testing.T) {
	for _, text := range []string{``, `{`, `{"a"}`, `[1 2]`, `1 2`, `{"a":1}}`} {
		if _, err := document.FromJSON([]byte(text)); err == nil {
			t.Errorf("%q is read", text)
		}
	}
}

// Two changes of one place are refused: which of them should hold?
func TestEditsThatMeet(t *testing.T) {
	n := parsed(t, "a: {x: 1}\n")
	var e document.Edits
	e.Replace(n.Field("a").Field("x"), fromJSON(t, `2`))
	e.Replace(n.Field("a"), fromJSON(t, `[]`))
	if _, err := e.Apply(); err == nil {
		t.Error("both are made")
	}
	var none document.Edits
	none.Set(parsed(t, "a: &k {x: 1}\nb: *k\n").Field("b"), "y", fromJSON(t, `2`))
	if _, err := none.Apply(); err == nil {
		t.Error("what an alias repeats is changed through the alias")
	}
}

func TestSame(t *testing.T) {
	read := func(text string) *document.Node {
		var problems document.Problems
		n := document.Read("x.yaml", []byte(text), &problems)
		if err := problems.Err(); err != nil {
			t.Fatal(err)
		}
		return n.Field("v")
	}
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{`v: {a: 1, b: [x, "y"]}`, "v:\n  b: [\"x\", y]\n  a: 1", true},
		{`v: "1"`, `v: 1`, false},
		{`v: True`, `v: true`, true},
		{`v: .inf`, `v: .inf`, true},
		{`v: .inf`, `v: ".inf"`, false},
		{`v: [a, b]`, `v: [b, a]`, false},
		{`v: {a: 1}`, `v: {a: 1, b: null}`, false},
		{`v: null`, `v: ""`, false},
	} {
		if got := document.Same(read(test.a), read(test.b)); got != test.want {
			t.Errorf("%s and %s are the same: %v, want %v", test.a, test.b, got, test.want)
		}
	}
}

package normalize

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/config/document"
)

func TestPaths(t *testing.T) {
	at := At(mustParse(t, `{"nothing":null,"empty":"","none":[],"nulls":[null],"object":{},"zero":0,"no":false,"s":"x","l":["a",{"b":1},2,null],"o":{"k":1},"twice":1,"twice":2}`))
	for _, test := range []struct {
		yaml  string
		first any // nil for none
		empty bool
		text  string
		texts []string
	}{
		{`s`, "x", false, "x", []string{"x"}},
		{`[missing, nothing, empty, none, nulls, object, s, zero]`, "x", true, "x", []string{"x"}},
		{`[zero, s]`, Number("0"), false, "0", []string{"0"}},
		{`[no, s]`, false, false, "false", []string{"false"}},
		{`l`, []any{"a", map[string]any{"b": Number("1")}, Number("2"), nil}, false, "a", []string{"a", "2"}},
		{`[o, l]`, map[string]any{"k": Number("1")}, false, "a", []string{"a", "2"}},
		{`[missing, none.x]`, nil, true, "", nil},
		{`[missing, nulls]`, nil, false, "", nil},
		{`o`, map[string]any{"k": Number("1")}, false, "", nil},
		{`[twice, s]`, Ambiguous{}, false, "x", []string{"x"}},
	} {
		t.Run(test.yaml, func(t *testing.T) {
			var problems document.Problems
			paths := new(Compiler).Paths(readNode(t, &problems, test.yaml))
			if err := problems.Err(); err != nil {
				t.Fatal(err)
			}
			first, ok := paths.First(at)
			if diff := cmp.Diff(test.first, first); diff != "" || ok != (test.first != nil) {
				t.Errorf("First %t: -want +got:\n%s", ok, diff)
			}
			if empty := paths.EmptyList(at); empty != test.empty {
				t.Errorf("EmptyList %t", empty)
			}
			if text := paths.Text(at); text != test.text {
				t.Errorf("Text %q, want %q", text, test.text)
			}
			if diff := cmp.Diff(test.texts, paths.Texts(at)); diff != "" {
				t.Errorf("Texts: -want +got:\n%s", diff)
			}
		})
	}
}

func TestPathsMistakes(t *testing.T) {
	testMistakes(t, func(c *Compiler, n *document.Node) { c.Paths(n) }, []mistake{
		{`a b`, `d.yaml:1:2 « » white space in a path | quote a name that has it: ["first name"]`},
		{`"a\u0062.[0]"`, `d.yaml:1:10 «[» a bracket follows a name without a dot | write a[0] or a["name"]`}, // the caret knows escapes
		{"[a., b,\n 'it''s x']", "d.yaml:1:3 «.» a name is missing after this dot\n" + `d.yaml:2:8 « » white space in a path | quote a name that has it: ["first name"]`},
		{`[a, {b: c}, ~]`, "d.yaml:1:5 «{» expected a single value, found a mapping\nd.yaml:1:13 «~» expected a single value, found nothing"},
		{`[]`, "d.yaml:1:1 «[» a path is missing here | write a path or a list of paths"},
		{`{a: b}`, "d.yaml:1:1 «{» expected a single value, found a mapping"},
	})
	testMistakes(t, func(c *Compiler, n *document.Node) { c.Path(n) }, []mistake{
		{`a[01]`, "d.yaml:1:2 «[01]» a position is written without leading zeros"},
		{`[a]`, "d.yaml:1:1 «[» expected a single value, found a list"},
	})
}

// formOf is the last word of a note: it says what came, and nothing of it.
func TestFormOf(t *testing.T) {
	for text, want := range map[string]string{
		`null`: "null", `true`: "a boolean", `7`: "a number", `"canary"`: "a text that is none", `["canary"]`: "a list", `{"canary":1}`: "an object",
	} {
		if got := formOf(mustParse(t, text)); got != want {
			t.Errorf("%s is %q, want %q", text, got, want)
		}
	}
	if got := formOf(Ambiguous{}); got != "a member that is said twice" {
		t.Errorf("an ambiguous member is %q", got)
	}
}

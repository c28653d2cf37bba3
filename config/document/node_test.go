package document_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/config/document"
)

// keysOf are a mapping's keys with the lines that they stand on.
func keysOf(n *document.Node) string {
	var keys []string
	for _, f := range n.Fields() {
		_, at, _ := strings.Cut(f.Key.Position(), ":")
		keys = append(keys, f.Key.Text()+"@"+f.Key.File()+":"+at+"="+f.Value.Text())
	}
	return strings.Join(keys, " ")
}

func TestOverlayOnlyWithout(t *testing.T) {
	var problems document.Problems
	base := document.Read("base.yaml", []byte("a: 1\nb: 2\nc: 3\n"), &problems)
	over := document.Read("over.yaml", []byte("b: 20\nd: 40\n"), &problems)
	tests := []struct {
		name string
		got  *document.Node
		want string
	}{
		{"overlay", document.Overlay(base, over), "a@base.yaml:1:1=1 c@base.yaml:3:1=3 b@over.yaml:1:1=20 d@over.yaml:2:1=40"},
		{"over nothing", document.Overlay(nil, over), "b@over.yaml:1:1=20 d@over.yaml:2:1=40"},
		{"nothing over", document.Overlay(base, nil), "a@base.yaml:1:1=1 b@base.yaml:2:1=2 c@base.yaml:3:1=3"},
		{"without", base.Without("a", "x"), "b@base.yaml:2:1=2 c@base.yaml:3:1=3"},
		{"without none", base.Without(), "a@base.yaml:1:1=1 b@base.yaml:2:1=2 c@base.yaml:3:1=3"},
		{"only", base.Only("c", "a", "x"), "a@base.yaml:1:1=1 c@base.yaml:3:1=3"},
		{"only none", base.Only(), ""},
		{"as they were", base, "a@base.yaml:1:1=1 b@base.yaml:2:1=2 c@base.yaml:3:1=3"},
	}
	for _, tt := range tests {
		if got := keysOf(tt.got); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
	if document.Overlay(nil, nil) != nil {
		t.Error("nothing over nothing is something")
	}
	var none *document.Node
	if none.Without("a") != nil || none.Only("a") != nil || none.Field("a") != nil || none.Kind() != document.Null {
		t.Error("a nil node has something")
	}
	// A mistake in a mapping laid over another stands in the file that wrote it.
	document.Overlay(base, over).Field("b").Errorf("m")
	document.Overlay(base, over).Field("c").Errorf("m")
	if got, want := problems.Err().Error(), "base.yaml:3:4: error: m\n    c: 3\n       ^\nover.yaml:1:4: error: m\n    b: 20\n       ^^"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestForms(t *testing.T) {
	tests := []struct {
		src  string
		kind document.Kind
		want string // its name, then how many fields, items, and items when one may stand for a list
		says []string
	}{
		{"{b: 1, c: 2}", document.Mapping, "a mapping 2 0 1", []string{"1:4 «{» expected a list, found a mapping"}},
		{"[b, c]", document.List, "a list 0 2 2", []string{"1:4 «[» expected a mapping, found a list"}},
		{"b", document.Scalar, "a single value 0 0 1", []string{"1:4 «b» expected a mapping, found a single value", "1:4 «b» expected a list, found a single value | a list of one is written [b]"}},
		{"~", document.Null, "nothing 0 0 1", []string{"1:4 «~» expected a mapping, found nothing | give it a value or remove the line", "1:4 «~» expected a list, found nothing | give it a value or remove the line"}},
	}
	for _, tt := range tests {
		n, problems := value(t, "a: "+tt.src+"\n")
		if n.Kind() != tt.kind {
			t.Errorf("%s: got %v", tt.src, n.Kind())
		}
		if got := fmt.Sprint(n.Kind(), len(n.Fields()), len(n.Items()), len(n.OneOrMore())); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.src, got, tt.want)
		}
		if diff := cmp.Diff(tt.says, briefs(problems)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.src, diff)
		}
	}
}

func TestKeyAndLine(t *testing.T) {
	n := read(t, "a: 1\nb:\n  - c: d\n")
	c := n.Field("b").Items()[0].Field("c")
	if c.Key().Text() != "c" || c.Line() != 3 || n.Field("b").Key().Text() != "b" {
		t.Errorf("got %s on line %d", c.Key().Text(), c.Line())
	}
	if n.Key() != n || n.Field("b").Items()[0].Key() != n.Field("b").Items()[0] {
		t.Error("what has no key is not its own")
	}
}

// A deployment that writes nothing over a definition leaves it where it stands.
func TestOverlayOfNothing(t *testing.T) {
	base, over := read(t, "a: 1\n"), read(t, "\n\nb: 2\n")
	if got := document.Overlay(base, over.Only("c")); got != base {
		t.Errorf("it stands at %s", got.Position())
	}
}

func TestJSON(t *testing.T) {
	tests := []struct{ src, want string }{
		{"{}", `{}`},
		{"[]", `[]`},
		{"~", `null`},
		{"[1, -1, 1.50, 1e3, 0]", `[1,-1,1.50,1e3,0]`},
		{"[9007199254740993, 9223372036854775808]", `[9007199254740993,9223372036854775808]`},
		{"[true, False]", `[true,false]`},
		{"[x, \"1\", 'true', yes, 2020-01-01]", `["x","1","true","yes","2020-01-01"]`},
		{"\"a\\tb\\\"c\\u0000é\"", `"a\tb\"c\u0000é"`},
		{"{\"b\\\"\": {1: x}, c: [~, {}]}", `{"b\"":{"1":"x"},"c":[null,{}]}`},
		{"|\n  b\n  c", `"b\nc\n"`},
		{"[0x1F]", "error: not a number that JSON can hold"},
		{"{b: {c: .inf}}", "error: not a number that JSON can hold"},
		{"017", "error: not a number that JSON can hold"},
		{"1_000", "error: not a number that JSON can hold"},
		{"+1", "error: not a number that JSON can hold"},
	}
	for _, tt := range tests {
		n, _ := value(t, "a: "+tt.src+"\n")
		content, err := n.JSON()
		got := string(content)
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.src, got, tt.want)
		}
	}
}

func TestWalkText(t *testing.T) {
	n := read(t, "a: x\nb: [y, 1, {c: z, d: true}]\ne: ~\nf: \"2\"\n")
	var got []string
	n.WalkText(func(text *document.Node) { got = append(got, text.Text()) })
	if diff := cmp.Diff([]string{"x", "y", "z", "2"}, got); diff != "" {
		t.Error(diff)
	}
	var none *document.Node
	none.WalkText(func(*document.Node) { t.Error("none has a text") })
}

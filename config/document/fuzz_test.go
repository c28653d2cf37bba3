package document_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"muster/config/document"
)

// FuzzRead holds Read to its promises on any bytes: it returns, it says why
// where there is nothing to walk, and what it points to is within the file.
func FuzzRead(f *testing.F) {
	for _, src := range []string{
		"", "a: 1\n", "a: b: c\n", "a: [1,2\nb: 3\n", "a: \"x\nb: 1\n", "\ta: 1\n", "a: &a [*a]\n", "a: 1\na: 2\n", "<<: {a: 1}\n",
		"a: 1\n---\nb: 2\n", "\ufeffa: 1\r\nb: x y\r\n", "a: &q !!str 12\n", "日本: 中文 x\n", "a: |\n  foo\n\n    bar\n", "a: >-\n   foo\n   bar\n\n   baz\n",
		"a: foo\n  bar\n", "a: 'it''s\n\n x'\n", "a: \"x\\ty\\u00e9 \\\n  z\"\n", "? [a]\n: b\n", "a: x\u2028b: 2\n", "a: x\rb: y\r", "a: \xff", "a\x00b", "{a: ${b}}",
		"a: !<tag:yaml.org,2002:str> 12\n", "- &a\n  # c\n  b\n- *a\n", "%YAML 1.1\n---\na: \"\\x41\\\"\"\n", bomb(3),
	} {
		f.Add([]byte(src))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		var problems document.Problems
		root := document.Read("f.yaml", src, &problems)
		if root == nil && problems.Len() == 0 {
			t.Error("nothing to walk, and nothing said")
		}
		if root != nil {
			budget := 1000
			walk(t, root, &budget)
			if content, err := root.JSON(); err == nil && !json.Valid(content) {
				t.Errorf("not JSON: %s", content)
			}
		}
		lines := linesOf(string(src))
		for _, p := range problems.All() {
			if p.Line < 1 || p.Line > len(lines) {
				t.Fatalf("line %d of %d: %s", p.Line, len(lines), p)
			}
			if width := utf8.RuneCountInString(lines[p.Line-1]); p.Column < 1 || p.Column > width+1 || p.Width < 1 || p.Column+p.Width > max(width+1, p.Column+1) {
				t.Fatalf("%d characters from %d of %d: %s", p.Width, p.Column, width, p)
			}
			if text := p.String(); !utf8.ValidString(text) || strings.ContainsAny(strings.ReplaceAll(text, p.Message, ""), "\x00\x1b\r") {
				t.Errorf("not to be printed: %q", text)
			}
		}
	})
}

// walk reports something at every node and at every character of its text: the
// caret must stand under that very character, or under an escape.
func walk(t *testing.T, n *document.Node, budget *int) {
	if *budget--; *budget < 0 {
		return
	}
	n.Errorf("m")
	switch n.Kind() {
	case document.List:
		for _, item := range n.Items() {
			walk(t, item, budget)
		}
	case document.Mapping:
		for _, f := range n.Fields() {
			walk(t, f.Key, budget)
			walk(t, f.Value, budget)
		}
	case document.Scalar:
		n.ErrorfAt(len(n.Text()), 1, "behind")
		whole := n.Errorf("whole")
		for at, r := range n.Text()[:min(len(n.Text()), 200)] {
			p := n.ErrorfAt(at, utf8.RuneLen(r), "at %d", at)
			got := marked(p)
			if p.Line == whole.Line && p.Column == whole.Column && p.Width == whole.Width {
				continue // the spelling could not be told
			}
			if !unicode.IsSpace(r) && r != utf8.RuneError && got != string(r) && got != "\ufffd" && got != "''" && !strings.HasPrefix(got, "\\") {
				t.Errorf("%q of %q: under the caret is %q", r, n.Text(), got)
			}
		}
	}
}

// linesOf are the lines as YAML counts them.
func linesOf(text string) []string {
	text = strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\r\n", "\n")
	return strings.Split(strings.NewReplacer("\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n").Replace(text), "\n")
}

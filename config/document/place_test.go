package document_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/config/document"
)

// value reads a file with one key, and is that key's value.
func value(t testing.TB, src string) (*document.Node, *document.Problems) {
	t.Helper()
	var problems document.Problems
	n := readInto(src, &problems)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return n.Fields()[0].Value, &problems
}

// The caret stands under the very token, however the file spells it: the same
// word is looked for in every form that a scalar has.
func TestErrorfAt(t *testing.T) {
	const word = "{id.x}"
	tests := []struct {
		name, src string
		want      string // line:column «what is underlined»
	}{
		{"plain", "a: b/{id.x}/c\n", "1:6 «{id.x}»"},
		{"plain at the start", "a: b {id.x}\n", "1:6 «{id.x}»"},
		{"plain behind non-ASCII", "größe: ü日本/{id.x}\n", "1:12 «{id.x}»"},
		{"double quotes", "a: \"{id.x}\"\n", "1:5 «{id.x}»"},
		{"single quotes", "a: 'b {id.x}'\n", "1:7 «{id.x}»"},
		{"behind an escape", "a: \"\\t\\u00e9\\x41\\U0001F600\\\"{id.x}\"\n", "1:29 «{id.x}»"},
		{"an escape inside", "a: \"{id\\u002ex}\"\n", "1:5 «{id\\u002ex}»"},
		{"behind a doubled quote", "a: 'it''s {id.x}'\n", "1:11 «{id.x}»"},
		{"behind an anchor", "a: &b b{id.x}\n", "1:8 «{id.x}»"},
		{"behind an anchor and a tag", "a: &b !!str b{id.x}\n", "1:14 «{id.x}»"},
		{"on the next line", "a: b\n  c {id.x} d\n", "2:5 «{id.x}»"},
		{"behind an empty line", "a: b\n\n  c\n  {id.x}\n", "4:3 «{id.x}»"},
		{"double quotes, next line", "a: \"b \\\n   \\ c\n\n  {id.x}\"\n", "4:3 «{id.x}»"},
		{"double quotes, joined", "a: \"{id\\\n  .x}\"\n", "1:5 «{id\\»"},
		{"single quotes, next line", "a: 'b\n  it''s {id.x}'\n", "2:9 «{id.x}»"},
		{"literal", "a: |\n  b\n  c {id.x} d\n", "3:5 «{id.x}»"},
		{"literal, first line", "a: |\n  {id.x}\n", "2:3 «{id.x}»"},
		{"literal, indented further", "a: |-\n  b\n\n    {id.x}\n", "4:5 «{id.x}»"},
		{"literal with an indicator", "a: |2  # two\n    b {id.x}\n", "2:7 «{id.x}»"},
		{"folded", "a: >-\n  b\n  c\n\n  d {id.x}\n", "5:5 «{id.x}»"},
		{"folded, indented further", "a: >\n  b\n    c {id.x}\n  d\n", "3:7 «{id.x}»"},
		{"CRLF", "a: |\r\n  b\r\n  {id.x}\r\n", "3:3 «{id.x}»"},
		{"byte order mark", "\ufeffa: b{id.x}\n", "1:5 «{id.x}»"},
		{"behind its key's line", "a:\n  b{id.x}\n", "2:4 «{id.x}»"},
		{"block behind properties", "a: &b !!str |\n  b {id.x}\n", "2:5 «{id.x}»"},
		{"properties on their own line", "a: &b\n  # why\n  b {id.x}\n", "3:5 «{id.x}»"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, problems := value(t, tt.src)
			at := strings.Index(n.Text(), word)
			if at < 0 {
				t.Fatalf("no %s in %q", word, n.Text())
			}
			n.ErrorfAt(at, len(word), "m")
			if got, want := briefs(problems)[0], tt.want+" m"; got != want {
				t.Errorf("%q: got %s, want %s", tt.src, got, want)
			}
		})
	}
}

// A word may be anywhere or nowhere: the caret stays within the value.
func TestErrorfAtEdges(t *testing.T) {
	tests := []struct {
		name, src     string
		offset, width int
		want          string
	}{
		{"nothing wide", "a: bcd\n", 1, 0, "1:5 «c»"},
		{"at the end", "a: bcd\n", 3, 1, "1:7 «»"},
		{"at the end, quoted", "a: \"bcd\"\n", 3, 1, "1:8 «\"»"},
		{"beyond the end", "a: bcd\n", 99, 9, "1:7 «»"},
		{"before the start", "a: bcd\n", -5, 2, "1:4 «bc»"},
		{"too wide", "a: bcd # e\n", 1, 99, "1:5 «cd»"},
		{"negative width", "a: bcd\n", 1, -1, "1:5 «c»"},
		{"empty text", "a: ''\n", 0, 1, "1:5 «'»"},
		{"over lines", "a: bc  \n  de\n", 1, 4, "1:5 «c»"},
		{"the end of a block", "a: |\n  bc\n", 3, 1, "2:5 «»"},
		{"the line end of a block", "a: |\n  bc\n", 2, 1, "2:5 «»"},
		{"an empty block", "a: |\nb: 1\n", 0, 1, "1:4 «|»"},
		{"amid a character", "a: éx\n", 1, 1, "1:5 «x»"},
		{"a list", "a: [b]\n", 0, 1, "1:4 «[»"},
		{"a mapping", "a: {b: 1}\n", 3, 2, "1:4 «{»"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, problems := value(t, tt.src)
			n.ErrorfAt(tt.offset, tt.width, "m")
			if got, want := briefs(problems)[0], tt.want+" m"; got != want {
				t.Errorf("%q: got %s, want %s", tt.src, got, want)
			}
		})
	}
}

// Errorf underlines all that a value writes on its first line.
func TestErrorf(t *testing.T) {
	tests := []struct{ src, want string }{
		{"a: bcd # e\n", "1:4 «bcd»"},
		{"a: 'bcd' # e\n", "1:4 «'bcd'»"},
		{"a: 'it''s'\n", "1:4 «'it''s'»"},
		{"a: \"\\t\\u00e9\"\n", "1:4 «\"\\t\\u00e9\"»"},
		{"a: ''\n", "1:4 «''»"},
		{"a: &b bcd\n", "1:7 «bcd»"},
		{"a: !!str 12\n", "1:10 «12»"},
		{"a: !<tag:yaml.org,2002:str> 12\n", "1:29 «12»"},
		{"a: &b {c: 1}\n", "1:7 «{»"},
		{"a: &b\n  c: 1\n", "2:3 «c»"},
		{"a: &b\nc: 1\n", "1:4 «&»"},
		{"a: bcd\n  efg\n", "1:4 «bcd»"},
		{"a: \"bcd  \n  efg\"\n", "1:4 «\"bcd»"},
		{"a: |\n  b\n", "1:4 «|»"},
		{"a: 日本\n", "1:4 «日本»"},
		{"a: [b, c]\n", "1:4 «[»"},
		{"a:\n  - b\n", "2:3 «-»"},
		{"a:\n", "1:3 «»"},
		{"a: null\n", "1:4 «n»"},
	}
	for _, tt := range tests {
		n, problems := value(t, tt.src)
		n.Errorf("m")
		if got, want := briefs(problems)[0], tt.want+" m"; got != want {
			t.Errorf("%q: got %s, want %s", tt.src, got, want)
		}
	}
}

// Where a value stands by an alias, its mistakes are told where it is written.
func TestAliasesPointToWhatTheyName(t *testing.T) {
	var problems document.Problems
	n := readInto("a: &x bcd\nb: *x\n", &problems)
	n.Field("b").Errorf("m")
	if got, want := briefs(&problems)[0], "1:7 «bcd» m"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// The file as people see it: carets in a terminal's columns, not in characters.
func TestCaretsLineUp(t *testing.T) {
	tests := []struct{ name, src, word, want string }{
		{"ASCII", "key: one two\n", "two", "    key: one two\n             ^^^\n"},
		{"accents", "clé: é é\n", "é", "    clé: é é\n         ^\n"},
		{"combining", "cle\u0301: e\u0301 two\n", "two", "    cle\u0301: e\u0301 two\n           ^^^\n"},
		{"wide before", "日本: 中文 two\n", "two", "    日本: 中文 two\n               ^^^\n"},
		{"wide under", "k: a 中文\n", "中文", "    k: a 中文\n         ^^^^\n"},
		{"emoji", "k: \"😀 two\"\n", "two", "    k: \"😀 two\"\n           ^^^\n"},
		{"tabs", "k:\ta\ttwo\n", "two", "    k:\ta\ttwo\n      \t \t^^^\n"},
		{"half width", "k: ｶ two\n", "two", "    k: ｶ two\n         ^^^\n"},
		{"full width", "k: Ａ two\n", "two", "    k: Ａ two\n          ^^^\n"},
		{"at the end", "k: a\n", "", "    k: a\n        ^\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, problems := value(t, tt.src)
			at := strings.Index(n.Text(), tt.word)
			if tt.word == "" {
				at = len(n.Text())
			}
			n.ErrorfAt(at, len(tt.word), "m")
			_, got, _ := strings.Cut(problems.All()[0].String(), "\n")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A credential that a file writes out is in no message, whichever mistake shows its line.
func TestConceal(t *testing.T) {
	tests := []struct{ name, src, want string }{
		{"plain", "{k: C4n4ry, wrong: x}", "{k: ******, wrong: x}"},
		{"quoted", "{k: \"C4n4ry\", wrong: x}", "{k: \"******\", wrong: x}"},
		{"escaped", "{k: \"C4n\\x34ry\", wrong: x}", "{k: \"*********\", wrong: x}"},
		{"anchored", "{k: &c C4n4ry, wrong: x}", "{k: &c ******, wrong: x}"},
		{"non-ASCII", "{ü: é, k: C4n4ry, wrong: x}", "{ü: é, k: ******, wrong: x}"},
		{"over lines", "{k: C4n\n  4ry, wrong: x}", "  ***, wrong: x}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var problems document.Problems
			n := readInto(tt.src, &problems)
			p := n.Field("wrong").Errorf("m") // reported before anybody knows
			n.Field("k").Conceal()
			n.Field("wrong").Errorf("n")
			all := problems.All()
			for _, p := range all {
				if p.Source != tt.want || marked(p) != "x" {
					t.Errorf("got %s", p)
				}
			}
			if len(all) != 2 || strings.Contains(p.String()+problems.Err().Error(), "C4n") {
				t.Errorf("got %v", problems.Err())
			}
		})
	}

	var problems document.Problems
	n := readInto("a: {k: [C4n4ry]}\nb:\n", &problems)
	n.Field("a").Conceal() // no scalar: nothing to conceal, and nothing to fail
	n.Field("b").Conceal()
	n.Field("none").Conceal()
}

// What a terminal would obey is not written to one.
func TestControlCharactersAreNotPrinted(t *testing.T) {
	var problems document.Problems
	readInto("a: \x1b[2J\n", &problems)
	if text := problems.Err().Error(); strings.Contains(text, "\x1b") || !strings.Contains(text, "a: \ufffd[2J") {
		t.Errorf("%q", text)
	}
}

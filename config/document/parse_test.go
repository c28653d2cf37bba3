package document_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/config/document"
)

// read parses a file that has no mistake.
func read(t testing.TB, src string) *document.Node {
	t.Helper()
	var problems document.Problems
	n := document.Read("f.yaml", []byte(src), &problems)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return n
}

// marked is what the caret of a problem stands under.
func marked(p *document.Problem) string {
	line := []rune(p.Source)
	from := min(p.Column-1-p.Skipped, len(line))
	return string(line[from:min(from+p.Width, len(line))])
}

// brief is a problem in one line: where, what is underlined, what is wrong, what would do.
func brief(p *document.Problem) string {
	s := fmt.Sprintf("%d:%d «%s» %s", p.Line, p.Column, marked(p), p.Message)
	if p.Hint != "" {
		s += " | " + p.Hint
	}
	return s
}

func briefs(problems *document.Problems) []string {
	var all []string
	for _, p := range problems.All() {
		all = append(all, brief(p))
	}
	return all
}

func TestReadRefuses(t *testing.T) {
	const (
		quotes = "a text with \": \" in it needs quotes; for a key, compare the indentation with the lines above"
		split  = "one file holds one document: remove the \"---\" or split the file"
		tag    = "remove it; only !!str is known, and quotes say the same"
		merge  = "write the keys out, or use `use:` to start from another definition"
		behind = "is the indentation other than that of the keys above, or does something stand behind a closing quote or bracket?"
	)
	tests := []struct {
		name, src string
		want      []string
	}{
		{"nothing", "", []string{"1:1 «» the file is empty"}},
		{"white space", " \n\n", []string{"1:1 « » the file is empty"}},
		{"comments", "# later\n# more\n", []string{"1:1 «#» the file is empty"}},
		{"a document begun", "---\n", []string{"1:1 «-» the file is empty"}},
		{"null", "~\n", []string{"1:1 «~» the file is empty"}},
		{"only a mark", "\ufeff", []string{"1:1 «» the file is empty"}},

		{"not UTF-8", "ä: 1\nb: x\xffy\n", []string{"2:5 «\ufffd» the file is not UTF-8 text"}},
		{"UTF-16", "\xff\xfea\x00:\x00", []string{"1:1 «\ufffd» the file is not UTF-8 text | it looks like UTF-16; save it as UTF-8"}},
		{"control character", "ä: x\nb: 1\x01\n", []string{"2:5 «\ufffd» not YAML: the control character U+0001 | remove it, or write it as an escape inside double quotes"}},
		{"behind a mark", "\ufeffä: \x00\n", []string{"1:4 «\ufffd» not YAML: the control character U+0000 | remove it, or write it as an escape inside double quotes"}},

		{"two colons", "a: b: c\n", []string{"1:5 «:» not YAML: mapping values are not allowed in this context | " + quotes}},
		{"non-ASCII before it", "größe: 日本: c\n", []string{"1:10 «:» not YAML: mapping values are not allowed in this context | " + quotes}},
		{"indented too far", "a: 1\n  b: 2\n", []string{"2:4 «:» not YAML: mapping values are not allowed in this context | " + quotes}},
		{"indented too little", "a:\n  b: 1\n c: 2\n", []string{"3:2 «c» not YAML: did not find expected key | " + behind}},
		{"CRLF", "a: 1\r\n  b: 2\r\n", []string{"2:4 «:» not YAML: mapping values are not allowed in this context | " + quotes}},
		{"tab before a key", "\ta: 1\n", []string{"1:1 «\t» not YAML: a tab where the line is indented | indent with spaces"}},
		{"tab before an item", "a:\n\t- b\n", []string{"2:1 «\t» not YAML: a tab where the line is indented | indent with spaces"}},
		{"tab before a second key", "a: 1\n\tb: 2\n", []string{"2:1 «\t» not YAML: a tab where the line is indented | indent with spaces"}},
		{"tab in a block", "a: >\n\tb\n", []string{"2:1 «\t» not YAML: a tab where the line is indented | indent with spaces"}},
		{"no hyphen", "- a\nb: c\n", []string{"2:1 «b» not YAML: did not find expected '-' indicator"}},
		{"hyphen without space", "a:\n  - x\n  -y\n", []string{"3:3 «-» not YAML: could not find expected ':' | a key needs \": \" behind it, and a list's item a space behind its hyphen"}},
		{"key without colon", "a: 1\nb\nc: 2\n", []string{"2:1 «b» not YAML: could not find expected ':' | a key needs \": \" behind it, and a list's item a space behind its hyphen"}},
		{"list behind a key", "a: - b\n", []string{"1:4 «-» not YAML: block sequence entries are not allowed in this context"}},
		{"behind a quote", "a: 'x' y\n", []string{"1:8 «y» not YAML: did not find expected key | " + behind}},
		{"behind a bracket", "a: {x: 1}}\n", []string{"1:10 «}» not YAML: did not find expected key | " + behind}},

		{"open quote", "a: 1\nb: \"x\nc: 1\n", []string{"2:4 «\"» not YAML: this quote is never closed | close it, or write it twice inside single quotes"}},
		{"open single quote", "a: {b: 'it}\nc: d\n", []string{"1:8 «'» not YAML: this quote is never closed | close it, or write it twice inside single quotes"}},
		{"open brace", "{a: 1", []string{"1:1 «{» not YAML: this { is never closed"}},
		{"open bracket", "a: 1\nb: [1,\n  2 # three\n", []string{"2:4 «[» not YAML: this [ is never closed"}},
		{"nothing behind a bracket", "[", []string{"1:2 «» not YAML: the file ends where a value was expected"}},
		{"other bracket", "a: [b, c}\n", []string{"1:9 «}» not YAML: did not find expected ',' or ']' | is a comma missing, or a quote? The bracket opens on line 1"}},
		{"comma missing", "a: {\n  b: 1\n  c: 2\n}\n", []string{"3:4 «:» not YAML: did not find expected ',' or '}' | is a comma missing, or a quote? The bracket opens on line 1"}},
		{"closing alone", "}", []string{"1:1 «}» not YAML: did not find expected node content"}},
		{"two commas", "a: [b,, c]\n", []string{"1:7 «,» not YAML: did not find expected node content"}},
		{"unquoted reference", "a: {b: ${env:X}}\n", []string{"1:9 «{» not YAML: did not find expected ',' or '}' | inside brackets, a text with braces needs quotes"}},

		{"reserved character", "a: @b\n", []string{"1:4 «@» not YAML: a text cannot begin with '@' | put the text in quotes"}},
		{"percent", "a: %b\n", []string{"1:4 «%» not YAML: a text cannot begin with '%' | put the text in quotes"}},
		{"asterisk", "a: [b, *]\n", []string{"1:8 «*» not YAML: an alias without a name | a text that begins with * needs quotes"}},
		{"unknown anchor", "a: {b: *c}\n", []string{"1:8 «*» not YAML: unknown anchor 'c' referenced | a text that begins with * needs quotes"}},
		{"unknown escape", "a: \"\\q\"\n", []string{"1:5 «\\» not YAML: found unknown escape character"}},
		{"block header", "a: |x\n  b\n", []string{"1:5 «x» not YAML: did not find expected comment or line break"}},
		{"version", "%YAML 1.3\n---\na: 1\n", []string{"1:1 «%» not YAML: found incompatible YAML document"}},

		{"second document", "a: 1\n---\nb: 2\n", []string{"2:1 «---» a second document in one file | " + split}},
		{"second document on its line", "a: 1\n--- b\n", []string{"2:1 «---» a second document in one file | " + split}},
		{"second document with nothing", "a: 1\n---\n", []string{"2:1 «---» a second document in one file | " + split}},
		{"second document behind an end", "a: 1\n...\nb: 2\n", []string{"3:1 «b» a second document in one file | " + split}},
		{"second document that is none", "a: 1\n--- {b\n", []string{"2:5 «{» not YAML: this { is never closed"}},

		{"duplicate key", "a: 1\nb: 2\na: 3\n", []string{"3:1 «a» the key \"a\" stands twice | it is already set on line 1"}},
		{"duplicate key, quoted", "a: {\"b c\": 1, 'b c': 2}\n", []string{"1:15 «'b c'» the key \"b c\" stands twice | it is already set on line 1"}},
		{"duplicate by another type", "1: a\n\"1\": b\n", []string{"2:1 «\"1\"» the key \"1\" stands twice | it is already set on line 1"}},
		{"three times", "a: 1\na: 2\na: 3\n", []string{"2:1 «a» the key \"a\" stands twice | it is already set on line 1", "3:1 «a» the key \"a\" stands twice | it is already set on line 1"}},
		{"merge key", "x: &x {a: 1}\ny:\n  <<: *x\n", []string{"3:3 «<<» merge keys are not supported | " + merge}},
		{"merge key of several", "x: &x {a: 1}\ny: {<<: [*x, *x]}\n", []string{"2:5 «<<» merge keys are not supported | " + merge}},
		{"list for a key", "? [a]\n: b\n", []string{"1:3 «[» a key must be a single value, not a list"}},
		{"null for a key", "a: {~: b}\n", []string{"1:5 «~» a key must be a single value, not nothing"}},
		{"inside itself", "ä: &xy [1, {b: *xy}]\n", []string{"1:16 «*xy» the alias *xy stands inside its own anchor"}},
		{"tag", "a: !!int \"12\"\n", []string{"1:4 «!» the tag !!int is not supported | " + tag}},
		{"own tag", "a: !secret x\nb: !!set {c}\n", []string{"1:4 «!» the tag !secret is not supported | " + tag, "2:4 «!» the tag !!set is not supported | " + tag}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var problems document.Problems
			readInto(tt.src, &problems)
			if diff := cmp.Diff(tt.want, briefs(&problems)); diff != "" {
				t.Errorf("%q (-want +got):\n%s", tt.src, diff)
			}
		})
	}
}

func readInto(src string, problems *document.Problems) *document.Node {
	return document.Read("f.yaml", []byte(src), problems)
}

// What other tools write is read: marks, line ends of every system, explicit
// ends of documents, anchors that repeat nothing.
func TestReadAccepts(t *testing.T) {
	tests := []struct{ name, src, want string }{
		{"plain", "a: 1\nb: x y\n", `{"a":1,"b":"x y"}`},
		{"byte order mark", "\ufeffa: 1\nb: x y\n", `{"a":1,"b":"x y"}`},
		{"CRLF", "a: 1\r\nb: x y\r\n", `{"a":1,"b":"x y"}`},
		{"old line ends", "a: 1\rb: x y\r", `{"a":1,"b":"x y"}`},
		{"line separators", "a: 1\u2028b: x\n", `{"a":1,"b":"x"}`},
		{"no line end", "a: 1\nb: x y", `{"a":1,"b":"x y"}`},
		{"document marks", "---\na: 1\n...\n", `{"a":1}`},
		{"anchor and alias", "a: &x {b: 1}\nc: [*x, *x]\n", `{"a":{"b":1},"c":[{"b":1},{"b":1}]}`},
		{"an anchor twice", "a: &x 1\nb: &x 2\nc: *x\n", `{"a":1,"b":2,"c":2}`},
		{"alias for a key", "a: &x b\n*x : 1\n", `{"a":"b","b":1}`},
		{"text by tag", "a: !!str 12\n", `{"a":"12"}`},
		{"quoted merge sign", "\"<<\": 1\n", `{"\u003c\u003c":1}`},
		{"complex key of one value", "? a\n: b\n", `{"a":"b"}`},
		{"tab as space", "a:\t1\t# one\n", `{"a":1}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := read(t, tt.src).JSON()
			if err != nil || string(got) != tt.want {
				t.Errorf("got %s, %v, want %s", got, err, tt.want)
			}
		})
	}
}

// bomb is nine aliases of nine aliases of …: a thousand bytes, 9^levels values.
func bomb(levels int) string {
	var b strings.Builder
	b.WriteString("l0: &l0 [x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < levels; i++ {
		fmt.Fprintf(&b, "l%d: &l%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*l%d, ", i-1), 9), ", "))
	}
	return b.String()
}

func TestAliasBombIsBounded(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	var problems document.Problems
	n := readInto(bomb(40), &problems)
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	if n != nil {
		t.Error("there is something to walk")
	}
	want := []string{"6:15 «*l4» the aliases of this file expand to more than 200000 values | aliases that repeat each other grow without end; write the values out"}
	if diff := cmp.Diff(want, briefs(&problems)); diff != "" {
		t.Error(diff)
	}
	if took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 200<<20 {
		t.Errorf("it took %d MiB", grown>>20)
	}
}

// One long text is enough for a bomb, too.
func TestLongTextsAreCounted(t *testing.T) {
	src := "a: &a " + strings.Repeat("x", 1<<20) + "\nb: [" + strings.TrimSuffix(strings.Repeat("*a, ", 1000), ", ") + "]\n"
	var problems document.Problems
	if n := readInto(src, &problems); n != nil || problems.Len() != 1 {
		t.Errorf("got %q", briefs(&problems))
	}
}

// What a file writes out may be as large as the file: a list of everybody is.
func TestLargeFile(t *testing.T) {
	if got := len(read(t, strings.Repeat("- {a: 1, b: 2}\n", 50_000)).Items()); got != 50_000 {
		t.Errorf("got %d items", got)
	}
}

// Below the bound an alias may repeat as often as it likes.
func TestAliasesBelowTheBound(t *testing.T) {
	if got := len(read(t, bomb(4)).Fields()); got != 4 {
		t.Errorf("got %d fields", got)
	}
}

// A mistake behind an anchor is one mistake, however often the anchor is used.
func TestMistakesBehindAliasesAreToldOnce(t *testing.T) {
	var problems document.Problems
	readInto("a: &a {b: 1, b: 2, ? [c] : 3}\nd: ["+strings.TrimSuffix(strings.Repeat("*a, ", 1000), ", ")+"]\n", &problems)
	want := []string{
		"1:14 «b» the key \"b\" stands twice | it is already set on line 1",
		"1:22 «[» a key must be a single value, not a list",
	}
	if diff := cmp.Diff(want, briefs(&problems)); diff != "" {
		t.Error(diff)
	}
}

// Nesting is bounded by the YAML library; either way nothing may overflow.
func TestDeepNesting(t *testing.T) {
	for _, depth := range []int{100, 5_000, 200_000} {
		var problems document.Problems
		start := time.Now()
		n := readInto(strings.Repeat("[", depth)+strings.Repeat("]", depth), &problems)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%d levels took %v", depth, took)
		}
		if n == nil && problems.Len() == 0 {
			t.Errorf("%d levels: neither read nor refused", depth)
		}
		if n != nil {
			if _, err := n.JSON(); err != nil {
				t.Errorf("%d levels: %v", depth, err)
			}
		}
	}
}

// A file that cannot be parsed still shows one of its lines. What is written
// behind a key that sounds like a credential's is not shown with it.
func TestSyntaxErrorsShowNoCredential(t *testing.T) {
	const canary = "C4n4ry"
	for _, src := range []string{
		"a: {token: C4n4ry, b: c: d}\n",
		"a: {api_token: \"C4n4ry x\", b: c: d}\n",
		"a: {\"client_secret\": 'C4n4ry}', b: c: d}\n",
		"password: C4n4ry: x\n",
		"apiKey: C4n4ry\"x: y\n",
		"db_password: \"C4n4ry\n",
		"a: {credentials: C4n4ry]\n",
	} {
		var problems document.Problems
		readInto(src, &problems)
		err := problems.Err()
		if err == nil {
			t.Errorf("%q is read", src)
			continue
		}
		if strings.Contains(err.Error(), canary) || !strings.Contains(err.Error(), "******") {
			t.Errorf("%q:\n%v", src, err)
		}
	}
	// A reference is no credential, and helps to see what is wrong.
	var problems document.Problems
	readInto("a: {token: ${env:TOKEN}}\n", &problems)
	if err := problems.Err(); err == nil || !strings.Contains(err.Error(), "${env:TOKEN}") {
		t.Errorf("%v", err)
	}
}

// A version that the file says of itself changes nothing.
func TestVersionDirective(t *testing.T) {
	for _, text := range []string{"%YAML 1.2\n---\nname: x\n", "\ufeff%YAML 1.1 # old\n---\nname: x\n"} {
		var problems document.Problems
		root := document.Read("f.yaml", []byte(text), &problems)
		if err := problems.Err(); err != nil || root.Field("name").Text() != "x" || root.Field("name").Position() != "f.yaml:3:7" {
			t.Errorf("%q: %v", text, err)
		}
	}
}

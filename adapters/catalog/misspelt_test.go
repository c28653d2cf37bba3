package catalog_test

import (
	"os"
	"strings"
	"testing"

	"muster/adapters"
	"muster/adapters/catalog"
	"muster/config/document"
)

// word is a key of the grammar where it stands in a file.
type word struct {
	text         string
	line, column int
}

// wordsOf are the keys that the form knows in a value of it. Keys of the author's
// own are none: any of them will do.
func wordsOf(f document.Form, n *document.Node) []word {
	var words []word
	switch n.Kind() {
	case document.List:
		for _, item := range n.Items() {
			for _, part := range append(f.Either(), f) {
				if part.Items() != nil {
					words = append(words, wordsOf(*part.Items(), item)...)
				} else if part.Name == "" || part.Members() != nil {
					words = append(words, wordsOf(part, item)...)
				}
			}
		}
	case document.Mapping:
		if f.Items() != nil { // one for a list of one
			return wordsOf(*f.Items(), n)
		}
		for _, part := range append(f.Either(), f) {
			if part.Others() != nil { // a name that is misspelt is another name
				continue
			}
			for _, m := range part.Members() {
				if value := n.Field(m.Name); value != nil {
					key := value.Key()
					words = append(words, word{m.Name, key.Line(), column(key)})
					words = append(words, wordsOf(m.Form, value)...)
				}
			}
		}
	}
	return words
}

func column(n *document.Node) int {
	position := n.Position()
	at := 0
	for _, digit := range position[strings.LastIndexByte(position, ':')+1:] {
		at = at*10 + int(digit-'0')
	}
	return at
}

// TestAMisspeltKeyIsToldAtItsPlace misspells the keys of every definition, one at
// a time: the first mistake that is told stands at that very word.
func TestAMisspeltKeyIsToldAtItsPlace(t *testing.T) {
	tried := 0
	for _, name := range catalog.Names() {
		content, err := os.ReadFile(name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		var problems document.Problems
		root := document.Read(name, content, &problems)
		lines := strings.Split(string(content), "\n")
		seen := map[string]int{}
		for _, w := range wordsOf(adapters.Form(), root) {
			if seen[w.text]++; seen[w.text] > 1 { // more of the same
				continue
			}
			tried++
			misspelt := append([]string(nil), lines...)
			runes := []rune(lines[w.line-1])
			misspelt[w.line-1] = string(runes[:w.column-1]) + "x" + string(runes[w.column-1:])
			var found document.Problems
			own := document.Read(name, []byte(strings.Join(misspelt, "\n")), &found)
			among := func(wanted string) *document.Node {
				if wanted == name {
					return own
				}
				return nil
			}
			adapters.Compile(adapters.Resolve(name, among, catalog.Library(&found)))
			all := found.All()
			if len(all) == 0 {
				t.Errorf("%s:%d:%d: x%s is taken", name, w.line, w.column, w.text)
				continue
			}
			at := false
			for _, p := range all {
				at = at || p.Line == w.line && p.Column == w.column && strings.Contains(p.Message, `"x`+w.text+`"`)
			}
			if !at {
				t.Errorf("%s:%d:%d: x%s is told as %v", name, w.line, w.column, w.text, found.Err())
			}
		}
	}
	t.Logf("%d words misspelt", tried)
	if tried < 500 {
		t.Errorf("only %d words were found", tried)
	}
}

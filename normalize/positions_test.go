package normalize

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/config/document"
)

// TestPositions: where a definition maps what, also what it took from another file.
func TestPositions(t *testing.T) {
	t.Parallel()
	var problems document.Problems
	read := func(file, text string) *document.Node { return document.Read(file, []byte(text), &problems) }
	base := read("base.yaml", "\nids:\n  self: id\n  email: {path: mail, verified: assumed}\n")
	own := read("own.yaml", "profile:\n  displayName: name\n\n  emails:\n    - value: mail\n  attributes: {a: b}\n  name: {givenName: first,\n    familyName: last}\n")
	m := new(Compiler).Mapping(own.Field("profile"), base.Field("ids"))
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"displayName": "own.yaml:2", "emails": "own.yaml:4", "attributes": "own.yaml:6", "name": "own.yaml:7",
		"ids.self": "base.yaml:3", "ids.email": "base.yaml:4",
	}
	if diff := cmp.Diff(want, m.Positions()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// What is no mapping is reported, and stands nowhere.
	wrong := new(Compiler).Mapping(read("w.yaml", "profile: [a]").Field("profile"), nil)
	if len(wrong.Positions()) != 0 || problems.Len() == 0 {
		t.Errorf("positions %v of what is no mapping, %d problems", wrong.Positions(), problems.Len())
	}
}

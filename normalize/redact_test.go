package normalize_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/normalize"
)

func TestRedact(t *testing.T) {
	t.Parallel()
	const body = `{"name": "Jane", "card": {"number": 42, "valid": true}, "nothing": null,
		"homes": [{"street": "Elm", "zip": "1"}, {"street": "Oak"}], "Password": "p", "resetTokens": ["a"], "clientSecret": null,
		"deep": [{"userCredentials": {"a": 1}}], "odd.key": "x"}`
	tests := []struct {
		name  string
		paths []string
		want  string
	}{
		{"secrets by their names", nil, `{"name": "Jane", "card": {"number": 42, "valid": true}, "nothing": null,
			"homes": [{"street": "Elm", "zip": "1"}, {"street": "Oak"}], "Password": "<m>", "resetTokens": "<m>", "clientSecret": null,
			"deep": [{"userCredentials": "<m>"}], "odd.key": "x"}`},
		{"paths", []string{"card", "homes.street", `["odd.key"]`, "nothing", "absent.at.all", "homes[0].zip", "name.of"}, `{"name": "Jane", "card": "<m>", "nothing": null,
			"homes": [{"street": "<m>", "zip": "<m>"}, {"street": "<m>"}], "Password": "<m>", "resetTokens": "<m>", "clientSecret": null,
			"deep": [{"userCredentials": "<m>"}], "odd.key": "<m>"}`},
		{"one element of a list", []string{"homes[1]"}, `{"name": "Jane", "card": {"number": 42, "valid": true}, "nothing": null,
			"homes": [{"street": "Elm", "zip": "1"}, "<m>"], "Password": "<m>", "resetTokens": "<m>", "clientSecret": null,
			"deep": [{"userCredentials": "<m>"}], "odd.key": "x"}`},
		{"every value of an object, and of a list", []string{"card.*", "homes.*.zip"}, `{"name": "Jane", "card": {"number": "<m>", "valid": "<m>"}, "nothing": null,
			"homes": [{"street": "Elm", "zip": "<m>"}, {"street": "Oak"}], "Password": "<m>", "resetTokens": "<m>", "clientSecret": null,
			"deep": [{"userCredentials": "<m>"}], "odd.key": "x"}`},
		{"the whole", []string{"."}, `"<m>"`},
		{"outwards from the root is nowhere", []string{"^.name"}, `{"name": "Jane", "card": {"number": 42, "valid": true}, "nothing": null,
			"homes": [{"street": "Elm", "zip": "1"}, {"street": "Oak"}], "Password": "<m>", "resetTokens": "<m>", "clientSecret": null,
			"deep": [{"userCredentials": "<m>"}], "odd.key": "x"}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var paths []normalize.Path
			for _, text := range test.paths {
				p, err := normalize.ParsePath(text)
				if err != nil {
					t.Fatal(err)
				}
				paths = append(paths, p)
			}
			tree := parsed(t, body)
			if diff := cmp.Diff(parsed(t, test.want), normalize.Redact(tree, paths, "<m>")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(parsed(t, body), tree); diff != "" {
				t.Errorf("the tree itself is changed:\n%s", diff)
			}
		})
	}
}

func parsed(t *testing.T, text string) any {
	t.Helper()
	tree, err := normalize.ParseJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

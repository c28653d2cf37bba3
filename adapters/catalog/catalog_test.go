package catalog_test

import (
	"testing"

	"muster/adapters"
	"muster/adapters/catalog"
	"muster/config/document"
)

// TestDefinitions runs the inline tests of every definition in the catalog.
func TestDefinitions(t *testing.T) {
	for _, name := range catalog.Names() {
		t.Run(name, func(t *testing.T) {
			var problems document.Problems
			resolved := adapters.Resolve(name, catalog.Library(&problems))
			if resolved == nil {
				t.Fatalf("the definition cannot be read:\n%v", problems.Err())
			}
			definition := adapters.Compile(resolved)
			if err := problems.Err(); err != nil {
				t.Fatalf("the definition is wrong:\n%v", err)
			}
			if definition.Name != name {
				t.Errorf("the file %s.yaml defines %q", name, definition.Name)
			}
			results := definition.RunTests(t.Context())
			for _, problem := range adapters.Problems(results) {
				t.Error(problem)
			}
			if len(results) == 0 {
				t.Error("it has no test")
			}
		})
	}
}

func TestANameThatTheCatalogueHasNot(t *testing.T) {
	var problems document.Problems
	for _, name := range []string{"nobody", "", "..", "../catalog/catalog"} {
		if resolved := adapters.Resolve(name, catalog.Library(&problems)); resolved != nil {
			t.Errorf("%q is found: %v", name, resolved.Chain)
		}
	}
	if err := problems.Err(); err != nil {
		t.Error(err)
	}
}

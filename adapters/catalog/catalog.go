// Package catalog is the set of provider definitions inside the binary. Each is
// one YAML file of this folder in the grammar that users write too, with its
// tests inside; nothing here is known to Go by name.
//
// A deployment names one under `use`:
//
//	providers:
//	  - {use: NAME, with: {host: api.example.com, token: "${file:/run/secrets/token}"}}
package catalog

import (
	"embed"
	"io/fs"
	"slices"
	"strings"

	"muster/adapters"
	"muster/config/document"
)

//go:embed *.yaml
var files embed.FS

// Names lists the definitions in alphabetical order.
func Names() []string {
	entries, err := fs.Glob(files, "*.yaml")
	if err != nil {
		return nil // only a malformed pattern fails
	}
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		names = append(names, strings.TrimSuffix(entry, ".yaml"))
	}
	slices.Sort(names)
	return names
}

// Library reads definitions of the catalog; mistakes go to problems.
func Library(problems *document.Problems) adapters.Library {
	return func(name string) *document.Node {
		source, err := files.ReadFile(name + ".yaml")
		if err != nil {
			return nil
		}
		return document.Read("catalog/"+name+".yaml", source, problems)
	}
}

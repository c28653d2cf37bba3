package config_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/config"
	"muster/gateway"
)

// YAML and CSV say the same.
func TestLinks(t *testing.T) {
	jane := map[string]string{"email": "jane.doe@acme.example", "username": "jane", "numium": "256"}
	joe := map[string]string{"email": "joe@acme.example", "csp": "vmware.com:1f0c"}
	other := map[string]string{"email": "jane.doe@acme.example", "numium": "7"}
	tests := []struct {
		tenant, kind, value string
		want                map[string]string
	}{
		{"acme", "email", "jane.doe@acme.example", jane},
		{"acme", "email", "JANE.DOE@ACME.EXAMPLE", jane},
		{"acme", "username", "Jane", jane}, // any case
		{"acme", "numium", "256", jane},
		{"acme", "csp", "vmware.com:1f0c", joe},
		{"acme", "csp", "VMWARE.com:1f0c", nil}, // its very letters
		{"globex", "email", "jane.doe@acme.example", other},
		{"globex", "numium", "256", nil}, // another tenant's
		{"acme", "numium", "7", nil},
		{"acme", "email", "", nil},
		{"none", "email", "jane.doe@acme.example", nil},
	}
	for _, name := range []string{"links.yaml", "links.csv"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("MUSTER_TEST_KOBIL", "x")
			t.Setenv("MUSTER_TEST_SHIFT", "x")
			links := live(t, withLinks(t, name)).Links
			for _, tt := range tests {
				if diff := cmp.Diff(tt.want, find(t, links, tt.tenant, tt.kind, tt.value)); diff != "" {
					t.Errorf("%s: %s %s (-want +got):\n%s", tt.tenant, tt.kind, tt.value, diff)
				}
			}
		})
	}
}

func find(t *testing.T, links gateway.Links, tenant, kind, value string) map[string]string {
	t.Helper()
	ids, err := links.Find(t.Context(), tenant, kind, value)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// withLinks is the example with another file of links.
func withLinks(t *testing.T, name string) *config.File {
	t.Helper()
	return parse(t, "testdata/example/gateway.yaml", func(src string) string { return replace(t, src, "links.yaml", name) })
}

// What other programs write is read: marks, line ends, quotes, blanks.
func TestCSVOfOtherPrograms(t *testing.T) {
	for name, content := range map[string]string{
		"a spreadsheet": "\ufefftenant,email,people\r\nacme,jane@acme.example,1\r\n",
		"with blanks":   "tenant , email, people\nacme , jane@acme.example , 1\n",
		"with quotes":   "\"tenant\",\"people\",\"email\"\n\"acme\",\"1\",\"jane@acme.example\"\n",
		"empty lines":   "tenant,email,people\n\nacme,jane@acme.example,1\n\n",
		"no line end":   "tenant,email,people\nacme,jane@acme.example,1",
		"upper case":    "tenant,email,people\nacme,JANE@ACME.EXAMPLE,1\n",
		"more columns":  "people,username,tenant,email\n1,,acme,jane@acme.example\n",
	} {
		t.Run(name, func(t *testing.T) {
			dir := writeFiles(t, map[string]string{
				"gateway.yaml":          "tenants: {acme: {}}\nproviders: [{use: people}]\nidentifiers: {accept: [email, username, people], links: {file: links.csv}}\n",
				"providers/people.yaml": definition("people", "https://people.example.com/{id.email}"),
				"links.csv":             content,
			})
			got := find(t, live(t, load(t, dir)).Links, "acme", "people", "1")
			if diff := cmp.Diff(map[string]string{"email": "jane@acme.example", "people": "1"}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

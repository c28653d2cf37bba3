package config_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/config"
	"muster/gateway"
	"muster/gateway/links"
	"muster/gateway/links/linkstest"
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
		{"acme", "email", "' OR 1=1 --", nil},
		{"acme", "username", "jane\x00", nil},
		{"acme", "username", "j\u0430ne", nil}, // a Cyrillic а
		{"acme", "csp", strings.Repeat("x", 1<<20), nil},
		{"acme\x00", "numium", "256", nil},
	}
	holds := func(t *testing.T, links gateway.Links) {
		for _, tt := range tests {
			if diff := cmp.Diff(tt.want, find(t, links, tt.tenant, tt.kind, tt.value)); diff != "" {
				t.Errorf("%s: %s %.40q (-want +got):\n%s", tt.tenant, tt.kind, tt.value, diff)
			}
		}
	}
	t.Setenv("MUSTER_TEST_KOBIL", "x")
	t.Setenv("MUSTER_TEST_SHIFT", "x")
	for _, name := range []string{"links.yaml", "links.csv"} {
		t.Run(name, func(t *testing.T) { holds(t, live(t, withLinks(t, name)).Links) })
	}
	for name, address := range map[string]func(t *testing.T) string{
		"sqlite":   func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "links.db") },
		"postgres": func(t *testing.T) string { return linkstest.Start(t).Database() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("MUSTER_TEST_LINKS", address(t))
			fill(t, "testdata/example/"+map[bool]string{true: "links.csv", false: "links.yaml"}[name == "sqlite"])
			file := parse(t, "testdata/example/gateway.yaml", func(src string) string {
				return replace(t, src, "{file: links.yaml}", `{sql: {url: "${env:MUSTER_TEST_LINKS}", timeout: 5s}}`)
			})
			defer func() {
				if err := file.Close(); err != nil {
					t.Error(err)
				}
			}()
			holds(t, live(t, file).Links)
		})
	}
}

// fill puts a file of links into the table of the test.
func fill(t *testing.T, path string) {
	t.Helper()
	table, err := config.OpenLinks(os.Getenv("MUSTER_TEST_LINKS"))
	if err != nil {
		t.Fatal(err)
	}
	file, err := table.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, conflicts, err := table.Import(t.Context(), file.People, links.Import{})
	if err := errors.Join(err, table.Close()); err != nil || conflicts != nil {
		t.Fatal(err, conflicts)
	}
}

// TestReloadOfATable: a configuration goes on with the table and its connections
// where they are the same, and where they are not lookups under way still end well.
func TestReloadOfATable(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"gateway.yaml":          "tenants: {acme: {}}\nproviders: [{use: people}]\nidentifiers: {accept: [email], links: {sql: {}}}\n",
		"providers/people.yaml": definition("people", "https://people.example.com/{id.people}"),
	})
	first := load(t, dir)
	before := live(t, first).Links
	if err := first.PrepareLinks(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "links.db")); err != nil {
		t.Errorf("it is beside the gateway's file: %v", err)
	}
	second := load(t, dir)
	if after := second.Live(telemetry(t), nil, first).Links; after != before {
		t.Error("the table is the same, and another one is in use")
	}
	third := parse(t, filepath.Join(dir, "gateway.yaml"), func(src string) string { return replace(t, src, "{sql: {}}", "{sql: {timeout: 1s}}") })
	if after := third.Live(telemetry(t), nil, second).Links; after == before {
		t.Error("the timeout has changed, and the table is the same")
	}
	for _, file := range []*config.File{second, third} {
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestTableIsMasked: the address of a table is nowhere, but for an SQLite file's.
func TestTableIsMasked(t *testing.T) {
	const canary = "C4n4ry"
	for url, shown := range map[string]string{
		`"postgres://muster:C4n4ry@db.example/muster"`:   "<secret>",
		`"postgres://db.example/muster?password=C4n4ry"`: "<secret>",
		`"${env:MUSTER_TEST_LINKS}"`:                     "<secret>",
		`"sqlite:people.db"`:                             "sqlite:people.db",
	} {
		t.Setenv("MUSTER_TEST_LINKS", "postgres://muster:C4n4ry@db.example/muster")
		dir := writeFiles(t, map[string]string{
			"gateway.yaml":          "tenants: {acme: {}}\nproviders: [{use: people}]\nidentifiers: {links: {sql: {url: " + url + "}}}\n",
			"providers/people.yaml": definition("people", "https://people.example.com/{id.people}"),
		})
		file := load(t, dir)
		told, err := json.Marshal([]any{file.Show(), file.Explain(), file.Notes})
		told = []byte(strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(string(told)))
		if err != nil || strings.Contains(string(told), canary) || !strings.Contains(string(told), `"`+shown+`"`) {
			t.Errorf("%s: %v %s", url, err, told)
		}
	}
}

// TestNothingOfLinksIsQuoted: whatever is wrong with a file of links, what is told of it
// goes into a log, and has nothing of what stands there.
func TestNothingOfLinksIsQuoted(t *testing.T) {
	const person = "canary.doe@acme.example"
	for name, content := range map[string]string{
		"no columns.csv":        person + ",canary.doe,7\n",
		"a person's column.csv": "tenant,canary.doe\nacme,x\n",
		"columns twice.csv":     "tenant,canary.doe,canary.doe\n",
		"no tenant's.csv":       "tenant,email\ncanary,x@acme.example\n" + person + ",\n",
		"a line too many.csv":   "tenant,email\nacme," + person + ",canary\n",
		"a quote.csv":           "tenant,email\nacme,\"canary\n",
		"half a quote.csv":      "tenant,email\nacme,can\"ary\n",
		"linked twice.csv":      "tenant,email\nacme," + person + "\nacme," + person + "\n",
		"too long.csv":          "tenant,email\nacme," + strings.Repeat("canary", 200) + "\n",
		"latin.csv":             "tenant,email\nacme,canary\xff\n",

		"a kind.yaml":       "- {tenant: acme, ids: {canary.doe: 1}}\n",
		"a key.yaml":        "- {tenant: acme, ids: {}, canary.doe: 1}\n",
		"keys twice.yaml":   "- {tenant: acme, ids: {canary.doe: 1, canary.doe: 2}}\n",
		"a tenant.yaml":     "- {tenant: canary.doe, ids: {email: " + person + "}}\n",
		"a list.yaml":       "- {tenant: acme, ids: {email: [" + person + "]}}\n",
		"a mapping.yaml":    "- {tenant: acme, ids: {email: {canary: " + person + "}}}\n",
		"linked twice.yaml": "- {tenant: acme, ids: {email: " + person + "}}\n- {tenant: acme, ids: {email: " + person + "}}\n",
		"an anchor.yaml":    "- {tenant: acme, ids: {email: *canary.doe}}\n",
		"a tag.yaml":        "- {tenant: acme, ids: {email: !canary x@acme.example}}\n",
		"a quote.yaml":      "- {tenant: acme, ids: {email: \"" + person + "}}\n",
		"an escape.yaml":    "- {tenant: acme, ids: {email: \"canary\\q\"}}\n",
		"a colon.yaml":      "- {tenant: acme, ids: {email: canary: doe}}\n- canary: doe: x\n",
		"a directive.yaml":  "%canary\n---\n- {tenant: acme}\n",
		"two.yaml":          "- {tenant: acme}\n--- canary\n",
		"a text.yaml":       "canary\n",
		"a long text.yaml":  "'canary] doe'\n",
		"merge.yaml":        "- {tenant: acme, ids: {<<: {canary: x}}}\n",
		"control.yaml":      "- {tenant: acme, ids: {email: \"canary\\u0000\"}}\n",
		"keyed.yaml":        "- {tenant: acme, ids: {[canary]: x}}\n",
	} {
		dir := writeFiles(t, map[string]string{
			"gateway.yaml":          "tenants: {acme: {}}\nproviders: [{use: people}]\nidentifiers: {accept: [email, username], links: {file: \"" + name + "\"}}\n",
			"providers/people.yaml": definition("people", "https://people.example.com/{id.people}"),
			name:                    content,
		})
		_, err := config.Load(filepath.Join(dir, "gateway.yaml"))
		if err == nil {
			t.Errorf("%s: it is no mistake", name)
			continue
		}
		if text := strings.ReplaceAll(err.Error(), filepath.Join(dir, name), "FILE"); strings.Contains(text, "canary") || strings.Contains(text, "doe") || !strings.Contains(text, "FILE:") {
			t.Errorf("%s: %s", name, text)
		}
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

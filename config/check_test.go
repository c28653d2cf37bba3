package config_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/config"
)

func sameTree(t *testing.T, want, got string) {
	t.Helper()
	var a, b any
	if json.Unmarshal([]byte(want), &a) != nil || json.Unmarshal([]byte(got), &b) != nil {
		t.Fatalf("not JSON: %s, %s", want, got)
	}
	if diff := cmp.Diff(a, b); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// outline is what reports say, in short.
func outline(dir string, reports []config.Report) []string {
	var lines []string
	for i := range reports {
		r := &reports[i]
		line := strings.TrimPrefix(r.File, dir+"/") + " " + r.Kind
		if r.Wrong {
			line += " wrong"
		}
		if r.Err != nil {
			line += " err"
		}
		lines = append(lines, line)
		for _, p := range r.Problems {
			lines = append(lines, "  "+filepath.Base(p.File)+": "+p.Message)
		}
		for _, test := range r.Tests {
			lines = append(lines, "  test "+test.Provider+"/"+test.Name)
		}
	}
	return lines
}

// A check says what is missing on this machine, and runs the tests of every
// definition once; of the file itself it says what Load says.
func TestCheck(t *testing.T) {
	people := definition("people", "https://people.example.com/{id.email}")
	dir := writeFiles(t, map[string]string{
		"gateway.yaml": "tenants: {acme: {}}\nproviders:\n" +
			"  - {use: people, name: a, auth: {bearer: \"${env:MUSTER_TEST_NOT_SET}\"}}\n  - {use: people, name: b, auth: {bearer: \"${file:none}\"}}\n",
		"other/gateway.yaml":          "tenants: {acme: {}}\nproviders: [{use: people}, {use: broken}]\n",
		"other/providers/people.yaml": strings.Replace(people, "displayName: J}", "displayName: K}", 1),
		"other/providers/broken.yaml": strings.Replace(people, "displayName: ", "displayNam: ", 1),
		"providers/people.yaml":       people,
		"providers/wrong.yaml":        strings.Replace(definition("wrong", "https://people.example.com/{id.email}"), "displayName: J}", "displayName: K}", 1),
		"mistaken.yaml":               "tenants: {acme: {}}\nproviders: [{use: people, requird: true}]\n",
		"half.yaml":                   "provider: half\n",
		"broken.yml":                  "tenants: {",
		"charts/template.yaml":        "image: {{ .Values.image }}\n",
		"compose.yaml":                "services: {muster: {image: muster}}\nsecrets: {x: {file: y}}\n",
		"serverless.yaml":             "provider: {name: aws}\n",
		"pipeline.yaml":               "providers: [one, two]\n",
		".hidden/half.yaml":           "provider: hidden\n",
		".half.yaml":                  "provider: hidden\n",
		"notes.txt":                   "provider: half\n",
	})
	reports := config.Check(t.Context(), []string{filepath.Join(dir, "gateway.yaml")}, false)
	notes := strings.Join(reports[0].Notes, "\n")
	if diff := cmp.Diff([]string{"gateway.yaml gateway", "  test people/one"}, outline(dir, reports)); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(notes, "MUSTER_TEST_NOT_SET is not set") || !strings.Contains(notes, "secret file none") {
		t.Errorf("notes: %s", notes)
	}

	// A folder, and all that is ours in it: what a gateway's file uses is told with
	// that, and nothing twice.
	want := []string{
		"broken.yml gateway wrong", "  broken.yml: not YAML: the file ends where a value was expected",
		"gateway.yaml gateway", "  test people/one",
		"half.yaml provider wrong", `  half.yaml: the key "auth" is missing`, `  half.yaml: the key "lookup" is missing`,
		"mistaken.yaml gateway wrong", `  mistaken.yaml: unknown key "requird"`,
		"other/gateway.yaml gateway wrong", `  broken.yaml: the definition maps nothing`, `  broken.yaml: unknown member "displayNam"`, `  people.yaml: the test "one" failed`, "  test people/one",
		"providers/wrong.yaml provider wrong", `  wrong.yaml: the test "one" failed`, "  test wrong/one",
	}
	if diff := cmp.Diff(want, outline(dir, config.Check(t.Context(), []string{dir, filepath.Join(dir, "half.yaml")}, false))); diff != "" {
		t.Error(diff)
	}

	for name, says := range map[string]string{
		"none.yaml": "cannot be read", "charts": "no gateway's file and no definition here, only other YAML: " + dir + "/charts/template.yaml", "nowhere": "no such file",
	} {
		reports := config.Check(t.Context(), []string{filepath.Join(dir, name)}, false)
		if len(reports) != 1 || reports[0].Err == nil || !strings.Contains(reports[0].Err.Error(), says) {
			t.Errorf("%s: %+v", name, reports)
		}
	}
	// Whoever names a file is told what is wrong with it, whatever it is.
	if reports := config.Check(t.Context(), []string{filepath.Join(dir, "compose.yaml")}, false); !reports[0].Wrong {
		t.Errorf("%+v", reports)
	}
}

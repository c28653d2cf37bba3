package config_test

import (
	"path/filepath"
	"strings"
	"testing"

	"muster/config"
)

// A check says what is missing on this machine, and runs the tests of every
// definition once; of the file itself it says what Load says.
func TestCheck(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"gateway.yaml": "tenants: {acme: {}}\nproviders:\n" +
			"  - {use: people, name: a, auth: {bearer: \"${env:MUSTER_TEST_NOT_SET}\"}}\n  - {use: people, name: b, auth: {bearer: \"${file:none}\"}}\n",
		"providers/people.yaml": definition("people", "https://people.example.com/{id.email}"),
		"providers/wrong.yaml":  strings.Replace(definition("wrong", "https://people.example.com/{id.email}"), "displayName: J}", "displayName: K}", 1),
		"mistaken.yaml":         "tenants: {acme: {}}\nproviders: [{use: people, requird: true}]\n",
		"half.yaml":             "provider: half\n",
		"broken.yaml":           "{",
	})
	report, err := config.Check(t.Context(), filepath.Join(dir, "gateway.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	notes := strings.Join(report.Notes, "\n")
	if report.Kind != "gateway" || len(report.Tests) != 1 || len(report.Tests[0].Failures) != 0 ||
		!strings.Contains(notes, "MUSTER_TEST_NOT_SET is not set") || !strings.Contains(notes, "secret file none") {
		t.Errorf("got %+v", report)
	}

	report, err = config.Check(t.Context(), filepath.Join(dir, "providers/wrong.yaml"))
	if err != nil || report.Kind != "provider" || len(report.Tests) != 1 || len(report.Tests[0].Failures) == 0 {
		t.Errorf("got %+v, %v", report, err)
	}

	for name, want := range map[string]string{
		"mistaken.yaml": "unknown key \"requird\"", "half.yaml": "the key \"lookup\" is missing", "broken.yaml": "not YAML", "none.yaml": "cannot be read",
	} {
		if _, err := config.Check(t.Context(), filepath.Join(dir, name)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/adapters"
	"muster/config"
)

// TestOnboardingExample checks the definition in docs/onboarding.md word for word,
// alone and as a gateway's file uses it.
func TestOnboardingExample(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/onboarding.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) != 3 {
		t.Fatalf("the page has %d blocks of YAML, want the definition, its use and an assertion", len(blocks))
	}
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "providers"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"providers/badges.yaml": blocks[0][1],
		"gateway.yaml":          "tenants: {acme: {}}\n" + blocks[1][1],
	} {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// What the page shows of a mistake is what people get for it.
	mistaken := strings.Replace(blocks[0][1], "{path: until, as: epoch_s}", "until", 1)
	if err := os.WriteFile(filepath.Join(folder, "badges.yaml"), []byte(mistaken), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range config.Check(t.Context(), []string{filepath.Join(folder, "badges.yaml")}, false)[0].Problems {
		if shown := strings.Replace(p.String(), folder, "providers", 1); p.Rule == adapters.RuleShape && !strings.Contains(string(page), "```\n"+shown+"```") {
			t.Errorf("the page does not show:\n%s", shown)
		}
	}

	for _, name := range []string{"providers/badges.yaml", "gateway.yaml"} {
		report := config.Check(t.Context(), []string{filepath.Join(folder, name)}, false)[0]
		if report.Err != nil || len(report.Tests) != 3 {
			t.Errorf("%s has %d tests, and the page says 3: %v", name, len(report.Tests), report.Err)
		}
		for _, p := range report.Problems {
			t.Error(p)
		}
	}
}

// TestSecurityTable: every row of docs/security.md names tests that exist where it says,
// or says that there is none yet.
func TestSecurityTable(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[int]bool{}
	for _, row := range regexp.MustCompile(`(?m)^\| (\d+) \| (.*) \| (.*) \|$`).FindAllStringSubmatch(string(page), -1) {
		number, err := strconv.Atoi(row[1])
		if err != nil || rows[number] {
			t.Errorf("row %s stands twice", row[1])
		}
		rows[number] = true
		named := regexp.MustCompile(`\[(\w+)\]\(\.\./(\S+_test\.go)\)`).FindAllStringSubmatch(row[3], -1)
		if len(named) == 0 && !strings.HasPrefix(row[2], "not yet: ") || len(named) != strings.Count(row[3], "[") {
			t.Errorf("row %d names no test, or not as others do: %s", number, row[3])
		}
		for _, test := range named {
			file, err := os.ReadFile(filepath.Join("../..", test[2]))
			if err != nil || !regexp.MustCompile(`(?m)^func `+test[1]+`\(`).Match(file) {
				t.Errorf("row %d: there is no %s in %s", number, test[1], test[2])
			}
		}
	}
	if len(rows) < 70 {
		t.Errorf("only %d rows", len(rows))
	}
}

// TestOnboardingDraft drafts from the reply in docs/onboarding.md, and compares
// with what the page shows, word for word.
func TestOnboardingDraft(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/onboarding.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)```json\n(.*?)```.*?\\$ muster init (\\S+) --sample reply.json --url '([^\n]*)'\n(.*?)```").FindSubmatch(page)
	if found == nil {
		t.Fatal("the page has no draft")
	}
	reply := filepath.Join(t.TempDir(), "reply.json")
	if err := os.WriteFile(reply, found[1], 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	root := rootCommand()
	root.SetOut(&out)
	root.SetErr(io.Discard)
	root.SetArgs([]string{"init", string(found[2]), "--sample", reply, "--url", string(found[3])})
	if err := root.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(found[4]), out.String()); diff != "" {
		t.Errorf("the draft (-page +got):\n%s", diff)
	}
}

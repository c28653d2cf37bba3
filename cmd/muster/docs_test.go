package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

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
	if len(blocks) != 2 {
		t.Fatalf("the page has %d blocks of YAML, want the definition and its use", len(blocks))
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

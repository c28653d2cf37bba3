package config_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/config"
)

// Every file of testdata/audit is legal, and unwise by the one rule that it is
// named after; "none" is by no rule. Beside it stands the warning that people get.
func TestAudit(t *testing.T) {
	t.Setenv("MUSTER_TEST_TOKEN", "x")
	files, err := filepath.Glob("testdata/audit/*.yaml")
	if err != nil || len(files) < 30 {
		t.Fatalf("found %d files, %v", len(files), err)
	}
	rules := map[string]bool{}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		t.Run(name, func(t *testing.T) {
			rule, _, _ := strings.Cut(name, ".")
			for _, p := range config.Check(t.Context(), []string{path}, false)[0].Problems {
				t.Fatalf("without an audit: %v", p)
			}
			report := config.Check(t.Context(), []string{path}, true)[0]
			var told strings.Builder
			for _, p := range report.Problems {
				if told.WriteString(p.String()); p.Rule != rule || !p.Warning || p.Hint == "" {
					t.Errorf("found by %q: %v", p.Rule, p)
				}
			}
			if report.Err != nil || report.Wrong || (told.Len() == 0) != (rule == "none") {
				t.Errorf("wrong: %t, %v, told: %s", report.Wrong, report.Err, told.String())
			}
			if rule == "none" {
				return
			}
			rules[rule] = true
			golden := strings.TrimSuffix(path, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(told.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), told.String()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}

	// The documentation tells of every rule, and of no other.
	page, err := os.ReadFile("../docs/onboarding.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| warning \\|").FindAllStringSubmatch(string(page), -1) {
		documented[row[1]] = true
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(rules)), slices.Sorted(maps.Keys(documented))); diff != "" {
		t.Errorf("docs/onboarding.md: -rules +documented:\n%s", diff)
	}
}

// Every name by which the code warns is among the rules that have a file.
func TestEveryRuleIsShown(t *testing.T) {
	for _, path := range []string{"audit.go", "../adapters/audit.go"} {
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`, "([a-z]+-[a-z-]+)",`).FindAllStringSubmatch(string(source), -1) {
			if _, err := os.Stat("testdata/audit/" + found[1] + ".yaml"); err != nil {
				t.Errorf("%s warns by %s, and no file shows it", path, found[1])
			}
		}
	}
}

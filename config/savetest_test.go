package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"muster/config"
)

const savedItem = `- name: saved
  with: {id: {self: "1"}}
  reply: {json: {name: A}}
  expect: {outcome: ok, profile: {displayName: A}}
`

const unsaved = `provider: p
auth: {none: true}
lookup: GET https://p.example/{id.self}
profile: {displayName: name}
`

func TestAppendTest(t *testing.T) {
	t.Parallel()
	const item4 = `    - name: saved
      with: {id: {self: "1"}}
      reply: {json: {name: A}}
      expect: {outcome: ok, profile: {displayName: A}}
`
	const first = "- {name: first, with: {id: {self: \"2\"}}, reply: {http: 503}, expect: {outcome: failed, kind: unavailable}}\n"
	tests := []struct{ name, before, after, err string }{
		{name: "behind the last", before: unsaved + "tests: # all\n" + first, after: unsaved + "tests: # all\n" + first + savedItem},
		{name: "as deep as the others", before: unsaved + "tests:\n    " + first + "\n\n", after: unsaved + "tests:\n    " + first + "\n\n" + item4},
		{name: "no line end", before: unsaved + "tests:\n" + strings.TrimSuffix(first, "\n"), after: unsaved + "tests:\n" + first + savedItem},
		{name: "before the next key and its comments", before: "tests:\n" + first + "\n# what it is\n" + unsaved, after: "tests:\n" + first + savedItem + "\n# what it is\n" + unsaved},
		{name: "windows", before: strings.ReplaceAll(unsaved+"tests:\n"+first, "\n", "\r\n"), after: strings.ReplaceAll(unsaved+"tests:\n"+first+savedItem, "\n", "\r\n")},
		{name: "in brackets", before: unsaved + "tests: [" + strings.TrimPrefix(strings.TrimSpace(first), "- ") + "]\n", err: "p.yaml: its tests are not a list with hyphens that one could be added to"},
		{name: "a hyphen of its own line", before: unsaved + "tests:\n-\n  " + strings.TrimPrefix(first, "- "), err: "p.yaml: its tests are not a list with hyphens that one could be added to"},
		{name: "a text that would grow", before: unsaved + "tests:\n" + first + "about: |+\n  x\n\n", after: unsaved + "tests:\n" + first + savedItem + "about: |+\n  x\n\n"},
		{name: "the end of a document", before: unsaved + "tests:\n" + first + "...\n", err: "p.yaml: its tests are not a list with hyphens that one could be added to"},
		{name: "wrong with the test in it", before: strings.Replace(unsaved, "displayName: name", "displayName: [name, mail]", 1) + "tests:\n" + first, after: strings.Replace(unsaved, "displayName: name", "displayName: [name, mail]", 1) + "tests:\n" + first + savedItem},
		{name: "a test that fails", before: strings.Replace(unsaved, "displayName: name", "displayName: mail", 1) + "tests:\n" + first, err: `p.yaml:7:3: error: the test "saved" failed` + "\n    profile: expected {displayName: \"A\"}, got nothing"},
		{name: "not YAML", before: "a: [", err: "p.yaml:1:5: error: not YAML"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "p.yaml")
			write(t, path, test.before)
			err := config.AppendTest(t.Context(), path, savedItem)
			want := test.after
			if test.err != "" {
				want = test.before
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("the error is %v, want %s", err, test.err)
				}
			} else if err != nil {
				t.Error(err)
			}
			if got := readFile(t, path); got != want {
				t.Errorf("the file is\n%s\nwant\n%s", got, want)
			}
			left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
			hidden, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*"))
			if len(left)+len(hidden) != 1 {
				t.Errorf("left behind: %v %v", left, hidden)
			}
		})
	}
}

// TestAppendTestKeepsTheFile: its mode, and a link to it.
func TestAppendTestKeepsTheFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path, link := filepath.Join(folder, "p.yaml"), filepath.Join(folder, "link.yaml")
	write(t, path, unsaved+"tests:\n"+savedItem)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("p.yaml", link); err != nil {
		t.Fatal(err)
	}
	if err := config.AppendTest(t.Context(), link, savedItem); err != nil {
		t.Fatal(err)
	}
	if got := readFile(t, path); got != unsaved+"tests:\n"+savedItem+savedItem {
		t.Errorf("the file behind the link is\n%s", got)
	}
	info, err := os.Lstat(link)
	if err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Error("the link is one no more")
	}
	if info, err = os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the mode is %v", info.Mode())
	}
	if err := config.AppendTest(t.Context(), filepath.Join(folder, "missing.yaml"), savedItem); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a missing file: %v", err)
	}
}

func TestWriteTest(t *testing.T) {
	t.Parallel()
	const item = "- name: saved\n  with: {settings: {host: a.example}, tenant: {self: \"1\"}, id: {self: \"2\"}}\n  reply: {http: 404}\n  expect: {outcome: absent}\n"
	path := filepath.Join(t.TempDir(), "numium.test.yaml")
	if err := config.WriteTest(t.Context(), path, "numium", item); err != nil {
		t.Fatal(err)
	}
	if report := config.Check(t.Context(), []string{path}, false)[0]; report.Wrong || report.Err != nil || len(report.Tests) != 1 {
		t.Errorf("%+v", report)
	}
	if err := config.AppendTest(t.Context(), path, item); err != nil {
		t.Error(err)
	}
	if err := config.WriteTest(t.Context(), path, "numium", item); err == nil {
		t.Error("a file is overwritten")
	}
	other := filepath.Join(t.TempDir(), "other.yaml")
	if err := config.WriteTest(t.Context(), other, "numium", strings.Replace(item, "absent", "ok", 1)); err == nil {
		t.Error("a test that fails is written")
	}
	if _, err := os.Stat(other); err == nil {
		t.Error("it is there")
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

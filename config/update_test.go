package config_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/adapters"
	"muster/config"
	"muster/config/document"
)

func everyTest(adapters.TestResult) bool { return true }

// updateAlone updates one definition in a folder of its own, and returns the file.
func updateAlone(t *testing.T, name string, content []byte) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o640); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for _, u := range config.Update(t.Context(), []string{path}, everyTest) {
			if u.Err != nil || u.Problems != nil {
				t.Fatalf("%v %v", u.Err, u.Problems)
			}
		}
		for _, r := range config.Check(t.Context(), []string{path}, false) {
			for _, p := range r.Problems {
				t.Error(p)
			}
		}
		after, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(after, content) {
			content = after
			continue
		}
		return after // the second time nothing has changed
	}
	if u := config.Update(t.Context(), []string{path}, everyTest); u[0].Tests != nil {
		t.Errorf("the second time something changes: %v", u)
	}
	return content
}

// Whatever a test of the catalogue is made to expect, an update makes it expect
// what comes out, and not a byte beside that changes: comments, order and quotes
// stay, and so do anchors and what their aliases say.
func TestUpdateOfEveryTestInTheCatalogue(t *testing.T) {
	files, err := filepath.Glob("../adapters/catalog/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	wrong, err := document.FromJSON([]byte(`{"outcome":"partial","ids":{"nobody":"x"},"profile":{"roles":[{"value":"none"}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if after := updateAlone(t, name, content); !bytes.Equal(after, content) {
				t.Fatalf("all tests pass, and yet the file changes: %s", cmp.Diff(string(content), string(after)))
			}
			var problems document.Problems
			tests := len(document.Read(name, content, &problems).Field("tests").Items())
			for i := range tests {
				if i%3 != 0 && i != tests-1 {
					continue // one in three shows as much
				}
				var edits document.Edits
				edits.Set(document.Read(name, content, &problems).Field("tests").Items()[i], "expect", wrong)
				altered, err := edits.Apply()
				if err != nil {
					t.Fatal(err)
				}
				if document.Read(name, altered, new(document.Problems)) == nil {
					continue // an anchor within is used elsewhere
				}
				from := commonPrefix(content, altered)
				to := commonPrefix(reversed(content[from:]), reversed(altered[from:]))
				for to > 0 && content[len(content)-to] != '\n' { // how the value ends is the value's
					to--
				}
				path := filepath.Join(t.TempDir(), name)
				if err := os.WriteFile(path, altered, 0o600); err != nil {
					t.Fatal(err)
				}
				if u := config.Update(t.Context(), []string{path}, everyTest); u[0].Err != nil || u[0].Problems != nil {
					t.Fatalf("%v %v", u[0].Err, u[0].Problems)
				}
				after, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.HasPrefix(after, content[:from]) || !bytes.HasSuffix(after, content[len(content)-to:]) {
					t.Errorf("test %d: what is beside it has changed:\n%s", i, cmp.Diff(string(content), string(after)))
				}
				sameButErrors(t, name, content, after)
			}
		})
	}
}

var oneLineExpect = regexp.MustCompile(`(?m)^    expect: [^&*\n]*\n`)

// An engineer writes name, with and reply; the update says what comes of it.
func TestUpdateFillsInWhatIsMissing(t *testing.T) {
	files, err := filepath.Glob("../adapters/catalog/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	removed := 0
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		without := oneLineExpect.ReplaceAll(content, nil)
		removed += len(oneLineExpect.FindAll(content, -1))
		after := updateAlone(t, filepath.Base(file), without)
		sameButErrors(t, filepath.Base(file), content, after)
	}
	if removed < 100 {
		t.Errorf("only %d tests have been made to say nothing", removed)
	}
}

func commonPrefix(a, b []byte) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

func reversed(b []byte) []byte {
	r := make([]byte, len(b))
	for i := range b {
		r[len(b)-1-i] = b[i]
	}
	return r
}

// sameButErrors tells whether two definitions say the same, but for what a test
// may leave unsaid.
func sameButErrors(t *testing.T, name string, want, got []byte) {
	t.Helper()
	reduce := func(content []byte) string {
		var problems document.Problems
		root := document.Read(name, content, &problems)
		if err := problems.Err(); err != nil {
			t.Fatal(err)
		}
		root = root.With("tests", root.Field("tests").WithItems(func(test *document.Node) *document.Node {
			expect := test.Field("expect").Without("error", "retry_after")
			if expect.Field("outcome").Text() == "absent" {
				expect = expect.Without("kind")
			}
			return test.Without("expect").With("expect", expect)
		}))
		text, err := root.JSON()
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	sameTree(t, reduce(want), reduce(got))
}

const halfDone = `provider: badges   # ours
auth: {none: true}
lookup: GET https://badges.example/people/{id.self}
ids: {self: id}
profile:
  displayName: name
  createdAt: made
tests:
  - name: found        # as in the manual, page 12
    with: {id: {self: "7"}}
    request: GET https://badges.example/person/7
    reply: {json: {id: 7, name: Jane Doe}}
    expect:
      # what they call her
      profile: {displayName: 'Jane'}   # Jane!
      outcome: ok
  - {name: down, with: {id: {self: "7"}}, reply: {http: 503}, expect: {}}   # no body
  - name: not sent
    with: {id: {self: ".."}}
    expect:
  - name: untouched
    with: {id: {self: "8"}}
    reply: {json: {id: 8, name: "John"}}
    expect: &john {outcome: ok, ids: {self: "8"},
      profile: {displayName: "John"}}
  - name: untouched too
    with: {id: {self: "8"}}
    reply: {json: {id: 8, name: "John"}}
    expect: *john
  - name: no longer the same
    with: {id: {self: "8"}}
    reply: {json: {id: 8, name: "Joan"}}
    expect: *john
`

const done = `provider: badges   # ours
auth: {none: true}
lookup: GET https://badges.example/people/{id.self}
ids: {self: id}
profile:
  displayName: name
  createdAt: made
tests:
  - name: found        # as in the manual, page 12
    with: {id: {self: "7"}}
    request: GET https://badges.example/people/7
    reply: {json: {id: 7, name: Jane Doe}}
    expect:
      # what they call her
      profile: {displayName: Jane Doe}   # Jane!
      outcome: ok
      ids: {self: "7"}
  - {name: down, with: {id: {self: "7"}}, reply: {http: 503}, expect: {outcome: failed, kind: unavailable}}   # no body
  - name: not sent
    with: {id: {self: ".."}}
    expect: {outcome: failed, kind: invalid}
  - name: untouched
    with: {id: {self: "8"}}
    reply: {json: {id: 8, name: "John"}}
    expect: &john {outcome: ok, ids: {self: "8"},
      profile: {displayName: "John"}}
  - name: untouched too
    with: {id: {self: "8"}}
    reply: {json: {id: 8, name: "John"}}
    expect: *john
  - name: no longer the same
    with: {id: {self: "8"}}
    reply: {json: {id: 8, name: "Joan"}}
    expect: {outcome: ok, ids: {self: "8"}, profile: {displayName: Joan}}
`

func TestUpdateKeepsWhatPeopleWrote(t *testing.T) {
	if diff := cmp.Diff(done, string(updateAlone(t, "badges.yaml", []byte(halfDone)))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	crlf := strings.ReplaceAll(halfDone, "\n", "\r\n")
	if diff := cmp.Diff(strings.ReplaceAll(done, "\n", "\r\n"), string(updateAlone(t, "badges.yaml", []byte(crlf)))); diff != "" {
		t.Errorf("with Windows' line ends: -want +got:\n%s", diff)
	}
}

// Only what is wanted is written; the rest is as wrong as before.
func TestUpdateOfSome(t *testing.T) {
	dir := writeFiles(t, map[string]string{"badges.yaml": strings.NewReplacer("expect: {}", "expect: {outcome: ok}", "expect:\n  - name: untouched\n", "expect: {outcome: ok}\n  - name: untouched\n").Replace(halfDone)})
	path := filepath.Join(dir, "badges.yaml")
	updated := config.Update(t.Context(), []string{path}, func(r adapters.TestResult) bool { return r.Provider+"/"+r.Name == "badges/down" })
	if len(updated) != 1 || updated[0].Err != nil || len(updated[0].Tests) != 1 || updated[0].Tests[0].Name != "down" {
		t.Fatalf("%+v", updated)
	}
	failing := 0
	for _, test := range config.Check(t.Context(), []string{path}, false)[0].Tests {
		if !test.Passed() {
			failing++
		}
	}
	if failing != 3 {
		t.Errorf("%d tests fail", failing)
	}
}

// A definition with mistakes is left alone, and so is one whose samples show that
// its mapping is wrong, and a test whose reply is missing or too much.
func TestUpdateRefuses(t *testing.T) {
	for name, test := range map[string]struct{ old, new, says string }{
		"a mistake":          {"displayName: name", "displayNam: name", `unknown member "displayNam"`},
		"a mistaken mapping": {"{id: 7, name: Jane Doe}", "{id: 7, made: 12}", "createdAt: expected an instant, found a number"},
		"not YAML":           {"tests:", "tests: [", "not YAML"},
		"a mistaken test":    {"with: {id: {self: \"8\"}}", "whit: {id: {self: \"8\"}}", `unknown key "whit"`},
	} {
		t.Run(name, func(t *testing.T) {
			content := strings.Replace(halfDone, test.old, test.new, 1)
			path := filepath.Join(writeFiles(t, map[string]string{"badges.yaml": content}), "badges.yaml")
			told := ""
			for _, u := range config.Update(t.Context(), []string{path}, everyTest) {
				if u.Tests != nil || u.Err != nil {
					t.Errorf("updated: %+v", u)
				}
				for _, p := range u.Problems {
					told += p.String()
				}
			}
			for _, r := range config.Check(t.Context(), []string{path}, false) {
				for _, p := range r.Problems {
					told += p.String()
				}
			}
			if after, err := os.ReadFile(path); err != nil || string(after) != content {
				t.Errorf("the file has changed: %v\n%s", err, after)
			}
			if !strings.Contains(told, test.says) {
				t.Errorf("told: %s", told)
			}
		})
	}

	// What would leave an alias without its anchor is not written.
	anchored := strings.NewReplacer("profile: {displayName: 'Jane'}", "profile: &p {nickName: J}", "expect: {}", "expect: {outcome: ok, profile: *p}").Replace(halfDone)
	alone := filepath.Join(writeFiles(t, map[string]string{"badges.yaml": anchored}), "badges.yaml")
	refused := config.Update(t.Context(), []string{alone}, everyTest)
	if now, err := os.ReadFile(alone); err != nil || string(now) == anchored && refused[0].Err == nil || refused[0].Err != nil && string(now) != anchored {
		t.Errorf("%v, %+v", err, refused)
	}

	content := strings.NewReplacer("reply: {http: 503}, ", "", "self: \"..\"}}\n", "self: \"..\"}}\n    reply: {json: {id: 1}}\n").Replace(halfDone)
	path := filepath.Join(writeFiles(t, map[string]string{"badges.yaml": content}), "badges.yaml")
	config.Update(t.Context(), []string{path}, everyTest)
	after, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(after), "expect: {}}   # no body") || !strings.Contains(string(after), "expect:\n  - name: untouched") || !strings.Contains(string(after), "displayName: Jane Doe") {
		t.Errorf("%v\n%s", err, after)
	}
}

// The file is replaced at once, where it really stands, with the mode it has.
func TestUpdateReplacesTheFile(t *testing.T) {
	dir := writeFiles(t, map[string]string{"real/badges.yaml": halfDone, "gateway.yaml": "tenants: {acme: {}}\nproviders: [{use: badges}]\n", "providers/x": ""})
	link := filepath.Join(dir, "providers/badges.yaml")
	if err := os.Symlink("../real/badges.yaml", link); err != nil {
		t.Fatal(err)
	}
	real := filepath.Join(dir, "real/badges.yaml")
	if err := os.Chmod(real, 0o640); err != nil {
		t.Fatal(err)
	}
	updated := config.Update(t.Context(), []string{filepath.Join(dir, "gateway.yaml")}, everyTest) // which names it
	if len(updated) != 1 || updated[0].Err != nil || len(updated[0].Tests) != 4 {
		t.Fatalf("%+v", updated)
	}
	content, err := os.ReadFile(real)
	if err != nil || string(content) != done {
		t.Errorf("%v\n%s", err, content)
	}
	info, err := os.Lstat(link)
	if err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link: %v, %v", info, err)
	}
	if info, err = os.Stat(real); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the mode: %v, %v", info, err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "real", ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

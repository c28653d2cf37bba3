package config_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"muster/config"
)

const (
	watched = `
tenants: {acme: {}}
identifiers: {links: {file: links.csv}}
providers:
  - {use: people, with: {host: people.example, key: "${file:key}"}}
`
	watchedPeople = `
provider: people
settings: {host: {format: host, required: true}, key: {format: secret, required: true}}
auth: {header: {X-Key: "{settings.key}"}}
lookup: GET https://{settings.host}/people/{id.email}
profile: {displayName: name}
tests:
  - {name: found, with: {settings: {host: h.example}, id: {email: a@b.example}}, reply: {json: {name: Jane}}, expect: {outcome: ok, profile: {displayName: Jane}}}
`
)

// folder is a configuration on disk that a test changes.
type folder struct {
	t    *testing.T
	path string
}

func newFolder(t *testing.T) folder {
	f := folder{t, t.TempDir()}
	f.write("gateway.yaml", watched)
	f.write("providers/people.yaml", watchedPeople)
	f.write("links.csv", "tenant,email\nacme,jane@acme.example\n")
	f.write("key", "k-1\n")
	return f
}

func (f folder) write(name, content string) {
	f.t.Helper()
	path := filepath.Join(f.path, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func (f folder) load() *config.File {
	f.t.Helper()
	file, err := config.Load(filepath.Join(f.path, "gateway.yaml"))
	if err != nil {
		f.t.Fatal(err)
	}
	return file
}

// watch follows the folder while steps change it, and returns what was told.
func (f folder) watch(file *config.File, now <-chan struct{}, steps func()) []string {
	var told []string
	ctx, cancel := context.WithCancel(f.t.Context())
	defer cancel()
	go file.Watch(ctx, now, func(r config.Reload) {
		switch {
		case r.Err != nil:
			told = append(told, "refused: "+strings.ReplaceAll(r.Err.Error(), f.path+"/", ""))
		case r.Restart:
			told = append(told, "applied, and a restart is needed")
		default:
			told = append(told, "applied")
		}
	})
	steps()
	time.Sleep(10 * time.Second)
	synctest.Wait()
	return told
}

// TestWatch changes one file after the other, and waits for what is told.
func TestWatch(t *testing.T) {
	settle := func() { time.Sleep(5 * time.Second) }
	tests := []struct {
		name  string
		steps func(f folder)
		want  []string
	}{
		{"nothing", func(folder) {}, nil},
		{"touched", func(f folder) { f.write("gateway.yaml", watched) }, nil},
		{"the file", func(f folder) { f.write("gateway.yaml", watched+"budget: {total: 1s}\n") }, []string{"applied"}},
		{"a definition", func(f folder) {
			f.write("providers/people.yaml", strings.Replace(watchedPeople, "/people/", "/persons/", 1))
		}, []string{"applied"}},
		{"a secret", func(f folder) { f.write("key", "k-2\n") }, []string{"applied"}},
		{"links", func(f folder) { f.write("links.csv", "tenant,email\n") }, []string{"applied"}},
		{"a file that nobody reads", func(f folder) { f.write("providers/other.yaml", "nonsense") }, nil},
		{"what needs a restart", func(f folder) { f.write("gateway.yaml", watched+"cache: {size: 2MiB}\n") }, []string{"applied, and a restart is needed"}},
		{"what needs a restart, and back", func(f folder) {
			f.write("gateway.yaml", watched+"cache: {size: 2MiB}\n")
			settle()
			f.write("gateway.yaml", watched)
		}, []string{"applied, and a restart is needed", "applied"}},
		{"wrong, told once, and right again", func(f folder) {
			f.write("gateway.yaml", watched+"budgit: {}\n")
			settle()
			f.write("gateway.yaml", watched)
		}, []string{"refused: gateway.yaml:6:1: error: unknown key \"budgit\"\n    budgit: {}\n    ^^^^^^\n  hint: did you mean \"budget\"?", "applied"}},
		{"while it is written", func(f folder) {
			text := watched + "budget: {total: 1s}\n"
			time.Sleep(500 * time.Millisecond) // between two looks
			for n := range 10 {
				f.write("gateway.yaml", text[:len(text)*(n+1)/10])
				time.Sleep(time.Second)
			}
		}, []string{"applied"}},
		{"half written", func(f folder) {
			f.write("gateway.yaml", watched[:len(watched)/2])
			settle()
			f.write("gateway.yaml", watched+"budget: {total: 1s}\n")
		}, []string{"refused", "applied"}},
		{"removed", func(f folder) { _ = os.Remove(filepath.Join(f.path, "key")) }, []string{"refused"}},
		{"a test that fails", func(f folder) {
			f.write("providers/people.yaml", strings.Replace(watchedPeople, "displayName: name", "displayName: nom", 1))
		}, []string{"refused: providers/people.yaml:8:5: error: the test \"found\" failed\n    profile: expected {displayName: \"Jane\"}, got nothing"}},
		{"a test that fails, where they are not run", func(f folder) {
			f.write("providers/people.yaml", strings.Replace(watchedPeople, "displayName: name", "displayName: nom", 1))
			f.write("gateway.yaml", watched+"reload: {test: false}\n")
		}, []string{"applied"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFolder(t)
			synctest.Test(t, func(t *testing.T) {
				f.t = t
				told := f.watch(f.load(), nil, func() { test.steps(f) })
				if len(told) != len(test.want) {
					t.Fatalf("told %q, want %q", told, test.want)
				}
				for i, want := range test.want {
					if told[i] != want && (want != "refused" || !strings.HasPrefix(told[i], want)) {
						t.Errorf("told %q, want %q", told[i], want)
					}
				}
			})
		})
	}
}

// TestWatchALinkedFolder swaps the folder behind a link, as a mounted ConfigMap is.
func TestWatchALinkedFolder(t *testing.T) {
	one, other := newFolder(t), newFolder(t)
	other.write("gateway.yaml", watched+"budget: {total: 1s}\n")
	mount := folder{t, filepath.Join(t.TempDir(), "mount")}
	if err := os.Symlink(one.path, mount.path); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		mount.t = t
		told := mount.watch(mount.load(), nil, func() {
			if err := os.Symlink(other.path, mount.path+".new"); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(mount.path+".new", mount.path); err != nil {
				t.Fatal(err)
			}
		})
		if len(told) != 1 || told[0] != "applied" {
			t.Errorf("told %q", told)
		}
	})
}

// TestWatchOnDemand: without `reload.watch` a change waits for a signal.
func TestWatchOnDemand(t *testing.T) {
	f := newFolder(t)
	f.write("gateway.yaml", watched+"reload: {watch: false}\n")
	synctest.Test(t, func(t *testing.T) {
		f.t = t
		now := make(chan struct{})
		told := f.watch(f.load(), now, func() {
			f.write("key", "k-2\n")
			time.Sleep(time.Minute)
			synctest.Wait()
			now <- struct{}{}
		})
		if len(told) != 1 || told[0] != "applied" {
			t.Errorf("told %q", told)
		}
	})
}

// TestWhatAReloadKeeps: a source that is the same keeps its breaker and its
// token; one that is not has new ones.
func TestWhatAReloadKeeps(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		with func(f folder)
		keep bool
	}{
		{"the same", func(folder) {}, true},
		{"other links", func(f folder) { f.write("links.csv", "tenant,email\n") }, true},
		{"another budget", func(f folder) { f.write("gateway.yaml", watched+"budget: {total: 1s}\n") }, true},
		{"optional", func(f folder) {
			f.write("gateway.yaml", strings.Replace(watched, "use: people", "use: people, optional: true", 1))
		}, true},
		{"a comment", func(f folder) { f.write("providers/people.yaml", watchedPeople+"# more\n") }, true},
		{"another secret", func(f folder) { f.write("key", "k-2\n") }, false},
		{"another mapping", func(f folder) {
			f.write("providers/people.yaml", strings.Replace(watchedPeople, "{displayName: name}", "{displayName: name, title: title}", 1))
		}, false},
		{"another mask", func(f folder) { f.write("providers/people.yaml", watchedPeople+"redact: [ssn]\n") }, false},
		{"another limit", func(f folder) { f.write("gateway.yaml", watched+"limits: {timeout: 1s}\n") }, false},
		{"another way out", func(f folder) { f.write("gateway.yaml", watched+"egress: {private: [people.example]}\n") }, false},
		{"another name", func(f folder) {
			f.write("gateway.yaml", strings.Replace(watched, "use: people", "use: people, name: staff", 1))
		}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFolder(t)
			first := f.load()
			before := first.Live(telemetry(t), nil, nil)
			test.with(f)
			after := f.load().Live(telemetry(t), nil, first)
			if kept := before.Sources[0].Upstream == after.Sources[0].Upstream; kept != test.keep {
				t.Errorf("the source is kept: %t, want %t", kept, test.keep)
			}
		})
	}
}

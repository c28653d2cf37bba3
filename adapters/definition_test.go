package adapters_test

import (
	"errors"
	"flag"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"muster/adapters"
	"muster/config/document"
)

var update = flag.Bool("update", false, "write the messages of testdata/invalid anew")

// Each file of testdata/invalid has one mistake; what its author is told stands
// beside it, word for word.
func TestInvalidDefinitions(t *testing.T) {
	files, err := filepath.Glob("testdata/invalid/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var problems document.Problems
			n := document.Read(filepath.Base(file), source, &problems)
			adapters.Compile(&adapters.Resolved{Own: n, Merged: n, Chain: []string{"directory"}})
			if problems.Len() == 0 {
				t.Fatal("nothing is found")
			}
			if all := problems.All(); len(all) > 1 {
				t.Errorf("%d messages for one mistake", len(all))
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".txt"
			got := problems.Err().Error() + "\n"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
			expect(t, "messages", got, string(want))
		})
	}
}

// All mistakes of a file are told at once, in the order of the file.
func TestAllMistakesAtOnce(t *testing.T) {
	expect(t, "mistakes", mistakes(t, `
provider: X
auth: {bearer: "{id.self}"}
lookup: [http://h.example, "https://h.example/{id.self:guid}/{tenant.}"]
headers: {X: "{settings.none}"}
limits: {attempts: 0}
`), []string{
		`not a provider's name: "X" | lower-case letters, digits and hyphens, a letter first`,
		`{id.self} may not stand under auth | allowed here: settings`,
		`the address must begin with https:// | a test server can be reached over plain HTTP by egress.connect in the gateway's file`,
		`unknown format "guid" | known: email, int, json, label, odata, uuid`,
		`{tenant.} names no value | placeholders are written {id.KIND}, {tenant.NAME} or {settings.NAME}`,
		`no setting named "none" | declare it under ` + "`settings:`",
		`expected a whole number from 1 to 10, found "0"`,
	})
}

// library is a set of definitions by name.
func library(problems *document.Problems, definitions map[string]string) adapters.Library {
	return func(name string) *document.Node {
		text, ok := definitions[name]
		if !ok {
			return nil
		}
		return document.Read(name+".yaml", []byte(text), problems)
	}
}

// keyFiles tells of a mapping which file each of its keys comes from.
func keyFiles(n *document.Node) map[string]string {
	files := map[string]string{}
	for _, f := range n.Fields() {
		files[f.Key.Text()] = f.Value.File()
	}
	return files
}

func TestResolve(t *testing.T) {
	const directory = "provider: directory\nabout: x\nauth: {none: true}\nlookup: https://h.example/{id.self}\nids: {self: id}\nprofile: {displayName: name}\ntests: []\n"
	for _, test := range []struct {
		name     string
		folder   map[string]string // searched first
		catalog  map[string]string
		resolve  string
		chain    []string
		problems []string
		keys     map[string]string // key: file
	}{
		{
			"in the second library", nil,
			map[string]string{"directory": directory},
			"directory",
			[]string{"directory"},
			nil,
			map[string]string{"provider": "directory.yaml", "about": "directory.yaml", "auth": "directory.yaml", "lookup": "directory.yaml", "ids": "directory.yaml", "profile": "directory.yaml", "tests": "directory.yaml"},
		},
		{"nowhere", nil, map[string]string{"directory": directory}, "other", nil, nil, nil},
		{
			"made from another: keys are replaced whole, tests are not inherited",
			map[string]string{"mine": "provider: mine\nuse: directory\nprofile: {userName: login}\n"},
			map[string]string{"directory": directory},
			"mine",
			[]string{"mine", "directory"},
			nil,
			map[string]string{"provider": "mine.yaml", "use": "mine.yaml", "about": "directory.yaml", "auth": "directory.yaml", "lookup": "directory.yaml", "ids": "directory.yaml", "profile": "mine.yaml"},
		},
		{
			"a chain of three",
			map[string]string{"a": "provider: a\nuse: b\n", "b": "provider: b\nuse: directory\nids: {self: uid}\n"},
			map[string]string{"directory": directory},
			"a",
			[]string{"a", "b", "directory"},
			nil,
			map[string]string{"provider": "a.yaml", "use": "a.yaml", "about": "directory.yaml", "auth": "directory.yaml", "lookup": "directory.yaml", "ids": "b.yaml", "profile": "directory.yaml"},
		},
		{
			"its own name means the catalog's",
			map[string]string{"directory": "provider: directory\nuse: directory\nabout: y\n"},
			map[string]string{"directory": directory},
			"directory",
			[]string{"directory", "directory"},
			nil,
			map[string]string{"provider": "directory.yaml", "use": "directory.yaml", "about": "directory.yaml", "auth": "directory.yaml", "lookup": "directory.yaml", "ids": "directory.yaml", "profile": "directory.yaml"},
		},
		{
			"its own name, and no catalog has it",
			map[string]string{"directory": "provider: directory\nuse: directory\n"},
			nil, "directory",
			[]string{"directory"},
			[]string{`directory.yaml:2:6 no definition named "directory" | it is looked for in the providers folder, then in the catalog`},
			map[string]string{"provider": "directory.yaml", "use": "directory.yaml"},
		},
		{
			"nobody's name",
			map[string]string{"a": "provider: a\nuse: none\n"},
			nil, "a",
			[]string{"a"},
			[]string{`a.yaml:2:6 no definition named "none" | it is looked for in the providers folder, then in the catalog`},
			map[string]string{"provider": "a.yaml", "use": "a.yaml"},
		},
		{
			"in a circle",
			map[string]string{"a": "provider: a\nuse: b\n", "b": "provider: b\nuse: c\n", "c": "provider: c\nuse: a\n"},
			nil, "a",
			[]string{"a", "b", "c"},
			[]string{`c.yaml:2:6 the definition "a" is made from itself | `},
			map[string]string{"provider": "a.yaml", "use": "a.yaml"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var problems document.Problems
			got := adapters.Resolve(test.resolve, library(&problems, test.folder), library(&problems, test.catalog))
			var told []string
			for _, p := range problems.All() {
				told = append(told, strings.Join([]string{position(p), p.Message, "|", p.Hint}, " "))
			}
			expect(t, "problems", told, test.problems)
			if test.chain == nil {
				if got != nil {
					t.Errorf("it is found: %v", got.Chain)
				}
				return
			}
			expect(t, "chain", got.Chain, test.chain)
			expect(t, "keys", keyFiles(got.Merged), test.keys)
		})
	}
}

func position(p *document.Problem) string {
	first, _, _ := strings.Cut(p.String(), ": error")
	return first
}

// A deployment's entry replaces whole keys, and may name secrets: those are the
// only ones that must be resolved.
func TestAnEntryLaidOverADefinition(t *testing.T) {
	resolved, problems := resolve(`auth: {bearer: "{settings.token}"}`)
	entry := document.Read("gateway.yaml", []byte(`
use: directory
auth: {basic: {username: muster, password: "${file:/run/secrets/password}"}}
headers: {X-Key: "${env:KEY}"}
profile: {displayName: ignored}
limits: {attempts: 1}
`), problems)
	d := adapters.Compile(resolved.With(entry))
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	var secrets []string
	for _, n := range d.Secrets() {
		secrets = append(secrets, n.Text())
	}
	expect(t, "secrets", secrets, []string{"${file:/run/secrets/password}", "${env:KEY}"})
	expect(t, "a replaced credential is asked for no more", d.UsesSetting("token"), false)
	expect(t, "the host is", d.UsesSetting("host"), true)

	w := answers(200, `{"id": "1", "name": "Jane"}`)
	reply, err := bind(d, w, "${file:/run/secrets/password}", "pass", "${env:KEY}", "key").Fetch(t.Context(), somebody())
	expect(t, "outcome", outcome(reply, err), "ok self=1 name=Jane")
	header := w.requests()[0].Header
	expect(t, "basic", header.Get("Authorization"), "Basic bXVzdGVyOnBhc3M=")
	expect(t, "header", header.Get("X-Key"), "key")
}

func TestWhatADefinitionTells(t *testing.T) {
	d := define(t, `
about: a line
settings: {host: {format: host, required: true, about: where}, token: {format: secret}, region: {default: eu}, plain: }
auth: {api_token: {request: "POST https://{settings.host}/x", json: {k: ["{settings.token}"]}, token: t, send: {X-A: "{token}"}}}
tls: {cert: c.pem, key: /abs/k.pem, ca: sub/ca.pem, server_name: h.example, min_version: 1.3}
redact: [a.b, c]
`)
	expect(t, "name", d.Name+" "+d.About, "directory a line")
	expect(t, "members", d.Members(), []string{"displayName"})
	var got []string
	for _, s := range d.Settings() {
		got = append(got, strings.Join([]string{s.Name, s.About, s.Format, s.Default}, "|"))
	}
	expect(t, "settings", got, []string{"host|where|host|", "token||secret|", "region||text|eu", "plain||text|"})
	expect(t, "required", d.Settings()[0].Required, true)
	expect(t, "fits", []bool{d.Settings()[0].Fits("h.example"), d.Settings()[0].Fits("a b")}, []bool{true, false})
	expect(t, "TLS", d.TLS(), adapters.TLSFiles{Cert: "c.pem", Key: "/abs/k.pem", CA: filepath.Join("sub", "ca.pem"), ServerName: "h.example", MinVersion: "1.3"})
	uses := map[string]bool{}
	for _, name := range []string{"host", "token", "region", "plain", "none"} {
		uses[name] = d.UsesSetting(name)
	}
	expect(t, "uses", uses, map[string]bool{"host": true, "token": true, "region": false, "plain": false, "none": false})

	for name, keys := range map[string]string{
		"in the lookup":         `lookup: "https://{settings.region}.h.example/{id.self}"`,
		"in its query":          `lookup: "https://h.example/{id.self}?r={settings.region}"`,
		"in a query":            `query: {r: "{settings.region}"}`,
		"in a header":           `headers: {R: "{settings.region}"}`,
		"in a body":             "lookup: POST https://h.example/{id.self}\njson: [[{r: \"{settings.region}\"}]]",
		"in a comparison":       `response: {match: {r: "{settings.region}"}}`,
		"among the hits":        `response: {pick: {r: "{settings.region}"}}`,
		"in basic":              `auth: {basic: {username: a, password: "{settings.region}"}}`,
		"in a header of auth":   `auth: {header: {R: "{settings.region}"}}`,
		"in a token URL":        `auth: {client_credentials: {token_url: "https://{settings.region}/t", client_id: a, client_secret: b}}`,
		"in a client id":        `auth: {client_credentials: {token_url: "https://h.example/t", client_id: "{settings.region}", client_secret: b}}`,
		"in a scope":            `auth: {client_credentials: {token_url: "https://h.example/t", client_id: a, client_secret: b, scopes: [x, "{settings.region}"]}}`,
		"in an audience":        `auth: {client_credentials: {token_url: "https://h.example/t", client_id: a, client_secret: b, audience: "{settings.region}"}}`,
		"in a query of a token": `auth: {api_token: {request: "POST https://h.example/t", token: t, query: {r: "{settings.region}"}}}`,
		"in a header of one":    `auth: {api_token: {request: "POST https://h.example/t", token: t, headers: {R: "{settings.region}"}}}`,
	} {
		if !define(t, keys).UsesSetting("region") {
			t.Errorf("%s: the setting is not seen", name)
		}
	}
}

func TestTheHashOfADefinition(t *testing.T) {
	base := define(t, "").Hash()
	if len(base) != 16 {
		t.Fatalf("the hash is %q", base)
	}
	for name, keys := range map[string]string{
		"the same":       ``,
		"other words":    `about: other`,
		"other limits":   `limits: {attempts: 1}`,
		"what is masked": `redact: [a]`,
		"other tests":    `tests: [{name: x, expect: {outcome: failed, kind: invalid}}]`,
	} {
		expect(t, name, define(t, keys).Hash(), base)
	}
	expect(t, "quotes, comments and layout", define(t, "auth: {\"none\": true} # as before").Hash(), define(t, "auth:\n  none: true").Hash())
	seen := map[string]string{base: "the plain one"}
	for name, keys := range map[string]string{
		"another lookup":           `lookup: "https://{settings.host}/people/{id.self}"`,
		"another name":             `provider: other`,
		"another profile":          `profile: {displayName: [name, login]}`,
		"a list for a value":       `profile: {displayName: [name]}`,
		"other identifiers":        `ids: {self: id}`,
		"a query":                  `query: {v: "1"}`,
		"a number in its place":    `query: {v: 1}`,
		"a number JSON knows not":  `query: {v: 01}`,
		"another such number":      `query: {v: 0x1}`,
		"and another":              `query: {v: 0o1}`,
		"infinity":                 `query: {v: .inf}`,
		"two parameters":           `query: {v: "1", w: "1"}`,
		"two that read as one":     `query: {v: "1,w:1"}`,
		"a response":               `response: {empty: ok}`,
		"another setting's format": `settings: {host: {format: host, required: true}, token: {format: secret}, region: {format: label}}`,
	} {
		hash := define(t, keys).Hash()
		if twin, twice := seen[hash]; twice {
			t.Errorf("%s has the hash of %s", name, twin)
		}
		seen[hash] = name
	}
	if names := slices.Collect(maps.Values(seen)); len(names) != 16 {
		t.Errorf("%d hashes: %v", len(names), names)
	}
}

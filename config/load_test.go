package config_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"muster/adapters"
	"muster/adapters/guard"
	"muster/config"
	"muster/gateway"
	"muster/normalize"
)

// writeFiles makes a folder with these files, and returns it.
func writeFiles(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// load reads gateway.yaml of a folder, which has no mistake.
func load(t testing.TB, dir string) *config.File {
	t.Helper()
	file, err := config.Load(filepath.Join(dir, "gateway.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func telemetry(t testing.TB) *guard.Telemetry {
	t.Helper()
	tel, err := guard.NewTelemetry(tracenoop.NewTracerProvider(), metricnoop.NewMeterProvider(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return tel
}

func live(t testing.TB, file *config.File) *gateway.Live {
	t.Helper()
	return file.Live(telemetry(t), nil, nil)
}

func example(t testing.TB) *config.File {
	t.Helper()
	t.Setenv("MUSTER_TEST_KOBIL", "kobil's")
	t.Setenv("MUSTER_TEST_SHIFT", "shift's")
	return load(t, "testdata/example")
}

func TestExample(t *testing.T) {
	file := example(t)
	l := live(t, file)

	check := func(what string, want, got any) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	check("static", config.Static{
		Listen:     config.Listen{Address: "127.0.0.1:8080", Admin: "127.0.0.1:9090", Origins: []string{"https://app.example.com", "http://localhost:3000"}},
		Telemetry:  config.Telemetry{OTLP: "http://otel-collector:4318", Sample: 0.1},
		CacheBytes: 64 << 20,
	}, file.Static)
	check("tenants", map[string]*gateway.Tenant{
		"acme": {
			Name:              "acme",
			IDs:               map[string]string{"aveva": "0d2f6c1e-7a0b-4a55-9f0c-2f0f4c5b8a11", "kobil": "acme", "numium": "1024", "csp": "5f1c0c2e-6c8f-4a0b-9a2f-0d9b0e3c7a11"},
			DefaultIdentifier: "username",
		},
		"globex": {Name: "globex", IDs: map[string]string{"numium": "2048"}, Providers: []string{"numium"}},
	}, l.Tenants)
	check("accept", []string{"username", "email", "oid", "aveva", "itwin", "numium", "csp"}, l.Accept)
	check("budget", 2500*time.Millisecond, l.Budget)
	check("learned links", 90*time.Minute, l.LinksFor)
	check("rules", normalize.Rules{
		Order: []string{"numium", "csp", "kobil", "aveva", "itwin", "shift", "slack"}, // those left out stand behind, as configured
		Fields: map[string]normalize.FieldRule{
			"active":       {Authority: "kobil"},
			"emails":       {Prefer: "verified"},
			"phoneNumbers": {Order: []string{"csp", "*"}},
		},
	}, l.Rules)

	type source struct {
		Name               string
		Chain              []string
		Required, Optional bool
		Tenants            []string
	}
	var sources []source
	limits := map[string]adapters.Limits{}
	for _, s := range l.Sources {
		sources = append(sources, source{s.Name, s.Chain, s.Required, s.Optional, s.Tenants})
		limits[s.Name] = s.Upstream.(*adapters.Source).Limits()
		check(s.Name+" keeps", limits[s.Name].Cache, s.Keep)
	}
	check("sources", []source{
		{Name: "numium", Chain: []string{"numium"}},
		{Name: "csp", Chain: []string{"csp"}},
		{Name: "kobil", Chain: []string{"kobil"}},
		{Name: "shift", Chain: []string{"kobil-shift", "kobil"}, Tenants: []string{"acme"}},
		{Name: "aveva", Chain: []string{"aveva"}, Required: true},
		{Name: "itwin", Chain: []string{"itwin"}, Tenants: []string{"acme"}},
		{Name: "slack", Chain: []string{"slack"}, Optional: true},
	}, sources)

	// Limits merge key by key: built in, the gateway's, the definition's, the entry's.
	base := adapters.DefaultLimits()
	base.Cache.Negative = 10 * time.Second
	check("limits of kobil", base, limits["kobil"])
	withRate := base
	withRate.Rate = adapters.Rate{Calls: 20, Per: time.Second}
	withRate.Timeout = 1500 * time.Millisecond
	check("limits of csp", withRate, limits["csp"])
	own := base
	own.Timeout, own.Concurrency = 700*time.Millisecond, 8
	own.Breaker.Min, own.Breaker.Failures = 5, 0.25
	own.Cache = adapters.Lifetimes{TTL: time.Minute, Stale: 0, Negative: 10 * time.Second}
	check("limits of slack", own, limits["slack"])

	for _, key := range []string{"no `callers`", "`limits.attempts`"} {
		if !slices.ContainsFunc(file.Notes, func(note string) bool { return strings.Contains(note, key) }) {
			t.Errorf("no note tells of %s: %q", key, file.Notes)
		}
	}
}

// The least that a file may say, and what it means then.
func TestDefaults(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"gateway.yaml":          "tenants: {acme: {}}\nproviders: [{use: people}, {use: staff}]\n",
		"providers/people.yaml": definition("people", "https://people.example.com/{id.email}"),
		"providers/staff.yaml":  definition("staff", "https://staff.example.com/{id.self}"),
	})
	file := load(t, dir)
	want := config.Static{
		Listen:     config.Listen{Address: "127.0.0.1:8080", Admin: "127.0.0.1:9090"},
		Telemetry:  config.Telemetry{Sample: 1},
		CacheBytes: 256 << 20,
	}
	if diff := cmp.Diff(want, file.Static); diff != "" {
		t.Errorf("static (-want +got):\n%s", diff)
	}
	l := live(t, file)
	if diff := cmp.Diff([]string{"email", "staff"}, l.Accept); diff != "" { // what somebody needs
		t.Errorf("accept (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"people", "staff"}, l.Rules.Order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if l.Budget != 3*time.Second || l.Links != nil {
		t.Errorf("budget %v, links %v", l.Budget, l.Links)
	}
	if l.LinksFor != 24*time.Hour {
		t.Errorf("learned links are kept for %v", l.LinksFor)
	}
	if got := l.Sources[0].Upstream.(*adapters.Source).Limits(); got != adapters.DefaultLimits() {
		t.Errorf("limits %+v", got)
	}
}

// definition is the YAML of one that asks at an address, with a test as every one has.
func definition(name, lookup string) string {
	return "provider: " + name + "\nauth: {none: true}\nlookup: GET " + lookup + "\nprofile: {displayName: name}\n" +
		"tests: [{name: one, with: {id: {email: j@a.example, self: j}, tenant: {self: t}}, reply: {json: {name: J}}, expect: {outcome: ok, profile: {displayName: J}}}]\n"
}

func TestUnreadable(t *testing.T) {
	_, err := config.Load(filepath.Join(t.TempDir(), "none.yaml"))
	if !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "the configuration cannot be read: ") {
		t.Errorf("got %v", err)
	}
}

// Every form of an address of this machine is loopback.
func TestLoopback(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:1": true, "127.8.8.8:1": true, "localhost:1": true, "[::1]:1": true,
		":1": false, "0.0.0.0:1": false, "[::]:1": false, "10.0.0.1:1": false, "192.0.2.1:1": false, "muster.example:1": false,
	} {
		src := "listen: {address: \"" + address + "\"}\ntenants: {acme: {}}\nproviders: [{use: people}]\n"
		dir := writeFiles(t, map[string]string{"providers/people.yaml": definition("people", "https://people.example.com/{id.email}")})
		_, err := config.Parse(filepath.Join(dir, "gateway.yaml"), []byte(src))
		if got := err == nil; got != want {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// A "*" in the order of sources stands for all others, wherever it stands.
func TestOrder(t *testing.T) {
	for order, want := range map[string][]string{
		"[c]":           {"c", "a", "b", "d"},
		"[\"*\", b]":    {"a", "c", "d", "b"},
		"[d, \"*\", a]": {"d", "b", "c", "a"},
		"[b, \"*\"]":    {"b", "a", "c", "d"},
		"[d, c, b, a]":  {"d", "c", "b", "a"},
	} {
		dir := writeFiles(t, map[string]string{
			"gateway.yaml": "tenants: {acme: {}}\nproviders: [{use: p, name: a}, {use: p, name: b}, {use: p, name: c}, {use: p, name: d}]\n" +
				"merge: {order: " + order + "}\n",
			"providers/p.yaml": definition("p", "https://p.example.com/{id.email}"),
		})
		if diff := cmp.Diff(want, live(t, load(t, dir)).Rules.Order); diff != "" {
			t.Errorf("%s (-want +got):\n%s", order, diff)
		}
	}
}

// asked is a transport that remembers requests, and knows nobody.
type asked struct {
	mu       sync.Mutex // several sources are asked at the same time
	requests []*http.Request
}

func (a *asked) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.requests = append(a.requests, r)
	return &http.Response{StatusCode: http.StatusNotFound, Body: http.NoBody, Header: http.Header{}, Request: r}, nil
}

// ask looks somebody up in a folder's gateway, and returns what was asked of upstreams.
func ask(t *testing.T, file *config.File, tenant, user string) []*http.Request {
	t.Helper()
	var a asked
	l := file.Live(telemetry(t), func(http.RoundTripper) http.RoundTripper { return &a }, nil)
	g, err := gateway.New(l, gateway.Options{CacheBytes: 1 << 20, Tracer: tracenoop.NewTracerProvider().Tracer(""), Meter: metricnoop.NewMeterProvider().Meter("")})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if _, err := g.Lookup(context.Background(), gateway.Query{Tenant: tenant, User: user}); err != nil {
		t.Fatal(err)
	}
	return a.requests
}

func addresses(requests []*http.Request) []string {
	var all []string
	for _, r := range requests {
		all = append(all, r.URL.String())
	}
	slices.Sort(all)
	return all
}

// A tenant's value is read by the source's name, else by its definition's, else
// by that of the one it uses; a source without its tenant's value is not asked.
func TestTenantValues(t *testing.T) {
	base := definition("base", "https://base.example.com/{tenant.self}/{id.email}")
	files := map[string]string{
		"gateway.yaml": `
tenants:
  by-name: {ids: {mine: named, derived: defined, base: used}}
  by-definition: {ids: {derived: defined, base: used}}
  by-use: {ids: {base: used}}
  by-none: {ids: {}}
providers: [{use: derived, name: mine}]
`,
		"providers/base.yaml":    base,
		"providers/derived.yaml": "provider: derived\nuse: base\n",
	}
	file := load(t, writeFiles(t, files))
	for tenant, want := range map[string][]string{
		"by-name":       {"https://base.example.com/named/jane@acme.example"},
		"by-definition": {"https://base.example.com/defined/jane@acme.example"},
		"by-use":        {"https://base.example.com/used/jane@acme.example"},
	} {
		got := addresses(ask(t, file, tenant, "email:jane@acme.example"))
		for i := range got {
			got[i] = strings.ReplaceAll(got[i], "%40", "@")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tenant, diff)
		}
	}
	if described := live(t, file).Describe("by-none"); len(described) != 0 {
		t.Errorf("it is asked without its tenant's value: %+v", described)
	}
}

// A definition beside the file stands before one of the same name in the
// catalog, which it may use.
func TestOwnDefinitionsStandBeforeTheCatalog(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"gateway.yaml":         "tenants: {acme: {ids: {kobil: acme}}}\nproviders: [{use: kobil, with: {host: ssms.example.com, token: t}}]\n",
		"providers/kobil.yaml": "provider: kobil\nuse: kobil\nabout: ours\nheaders: {X-Ours: \"yes\"}\n",
	})
	file := load(t, dir)
	source := live(t, file).Sources[0]
	if diff := cmp.Diff([]string{"kobil", "kobil"}, source.Chain); diff != "" || source.About != "ours" {
		t.Errorf("about %q, chain (-want +got):\n%s", source.About, diff)
	}
	requests := ask(t, file, "acme", "username:jane")
	if len(requests) != 1 || requests[0].URL.Host != "acme.ssms.example.com" || requests[0].Header.Get("X-Ours") != "yes" {
		t.Errorf("asked %v", addresses(requests))
	}
}

// The whole keys that an entry writes replace the definition's; what is replaced
// is gone: no header, no parameter and no secret of it is left.
func TestEntriesReplaceWholeKeys(t *testing.T) {
	t.Setenv("MUSTER_TEST_TOKEN", "t0ken")
	dir := writeFiles(t, map[string]string{
		"gateway.yaml": `
tenants: {acme: {}}
providers:
  - use: people
    with: {token: "${env:MUSTER_TEST_NOT_SET}", app: "${file:none}"}   # not resolved: nothing uses them any more
    auth: {header: {X-Api-Key: "${env:MUSTER_TEST_TOKEN}"}}
    headers: {X-New: new}
    query: {new: "1"}
`,
		"providers/people.yaml": `
provider: people
settings: {token: {format: secret, required: true}, app: {format: text, required: true}}
auth: {bearer: "{settings.token}"}
lookup: GET https://people.example.com/{id.email}
headers: {X-App: "{settings.app}", X-Old: old}
query: {old: "1"}
profile: {displayName: name}
tests: [{name: one, with: {settings: {app: a}, id: {email: j@a.example}}, reply: {json: {name: J}}, expect: {outcome: ok, profile: {displayName: J}}}]
`,
	})
	requests := ask(t, load(t, dir), "acme", "email:jane@acme.example")
	if len(requests) != 1 {
		t.Fatalf("asked %v", addresses(requests))
	}
	r := requests[0]
	for name, want := range map[string]string{"X-Api-Key": "t0ken", "X-New": "new", "X-Old": "", "X-App": "", "Authorization": ""} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if r.URL.RawQuery != "new=1" {
		t.Errorf("query %q", r.URL.RawQuery)
	}
}

// What a variable or a file holds is taken word for word, and never looked into
// again; of a file the line end is left out that editors put there.
func TestSecretsAreVerbatim(t *testing.T) {
	t.Setenv("MUSTER_TEST_OTHER", "other")
	plain := "tenants: {acme: {}}\nproviders: [{use: people, with: {token: \"%s\"}}]\n"
	people := `
provider: people
settings: {token: {format: secret, required: true}, other: {default: filled}}
auth: {header: {X-Token: "<{settings.token}>"}}
lookup: GET https://people.example.com/{id.email}
profile: {displayName: name}
tests: [{name: one, with: {id: {email: j@a.example}}, reply: {json: {name: J}}, expect: {outcome: ok, profile: {displayName: J}}}]
`
	for _, tt := range []struct{ name, secret, want string }{
		{"plain", "s3cret", "s3cret"},
		{"a reference", "${env:MUSTER_TEST_OTHER}", "${env:MUSTER_TEST_OTHER}"},
		{"a placeholder", "{settings.other}", "{settings.other}"},
		{"a template", "{{.Other}} $MUSTER_TEST_OTHER %s", "{{.Other}} $MUSTER_TEST_OTHER %s"},
		{"YAML", "a: [b, *c] # d", "a: [b, *c] # d"},
		{"white space", " s3 cret ", " s3 cret "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, end := range []string{"", "\n", "\r\n", "\n\n"} {
				dir := writeFiles(t, map[string]string{
					"gateway.yaml": strings.ReplaceAll(plain, "%s", "${file:secrets/token}"), "secrets/token": tt.secret + end, "providers/people.yaml": people,
				})
				requests := ask(t, load(t, dir), "acme", "email:jane@acme.example")
				if got := requests[0].Header.Get("X-Token"); got != "<"+tt.want+">" {
					t.Errorf("from a file that ends in %q: %q", end, got)
				}
			}
			t.Setenv("MUSTER_TEST_TOKEN", tt.secret)
			dir := writeFiles(t, map[string]string{"gateway.yaml": strings.ReplaceAll(plain, "%s", "${env:MUSTER_TEST_TOKEN}"), "providers/people.yaml": people})
			requests := ask(t, load(t, dir), "acme", "email:jane@acme.example")
			if got := requests[0].Header.Get("X-Token"); got != "<"+tt.want+">" {
				t.Errorf("from a variable: %q", got)
			}
		})
	}
}

// A relative path means what the file that writes it means, wherever the
// process was started; an absolute one means itself.
func TestPaths(t *testing.T) {
	secret := filepath.Join(writeFiles(t, map[string]string{"token": "absolute"}), "token")
	dir := writeFiles(t, map[string]string{
		"etc/gateway.yaml": "tenants: {acme: {}}\nproviders:\n" +
			"  - {use: people, name: a, auth: {header: {X-Token: \"${file:../secrets/token}\"}}}\n" +
			"  - {use: people, name: b, auth: {header: {X-Token: \"${file:" + secret + "}\"}}}\n" +
			"identifiers: {accept: [email], links: {file: ../links.csv}}\n",
		"etc/providers/people.yaml": definition("people", "https://people.example.com/{id.email}"),
		"secrets/token":             "relative",
		"links.csv":                 "tenant,email\nacme,jane@acme.example\n",
	})
	t.Chdir(t.TempDir())
	file := load(t, filepath.Join(dir, "etc"))
	var tokens []string
	for _, r := range ask(t, file, "acme", "email:jane@acme.example") {
		tokens = append(tokens, r.Header.Get("X-Token"))
	}
	slices.Sort(tokens)
	if diff := cmp.Diff([]string{"absolute", "relative"}, tokens); diff != "" {
		t.Error(diff)
	}
}

// Two gateways of one file have each their own transport around them.
func TestLiveTwice(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"gateway.yaml":          "tenants: {acme: {}}\nproviders: [{use: people}]\n",
		"providers/people.yaml": definition("people", "https://people.example.com/{id.email}"),
	})
	file := load(t, dir)
	for range 2 {
		if got := len(ask(t, file, "acme", "email:jane@acme.example")); got != 1 {
			t.Errorf("asked %d times", got)
		}
	}
	var wrapped []http.RoundTripper
	for range 2 {
		file.Live(telemetry(t), func(next http.RoundTripper) http.RoundTripper {
			wrapped = append(wrapped, next)
			return &asked{}
		}, nil)
	}
	if len(wrapped) != 2 || wrapped[0] != wrapped[1] {
		t.Error("the second is wrapped in what the first was wrapped in")
	}
}

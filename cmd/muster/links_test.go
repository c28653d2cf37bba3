package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"pgregory.net/rapid"

	"muster/config"
	"muster/gateway/links"
	"muster/gateway/links/linkstest"
	"muster/normalize"
)

// musterLinks runs `muster links` on the table of the test.
func musterLinks(t testing.TB, url string, args ...string) (out, problems string, err error) {
	t.Helper()
	cmd := rootCommand()
	var stdout, stderr bytes.Buffer
	cmd.SetOut(&stdout)
	cmd.SetErr(&stderr)
	cmd.SetArgs(append(append([]string{"links"}, args...), "--url", url))
	err = cmd.ExecuteContext(t.Context())
	return stdout.String(), stderr.String(), err
}

// TestExportAndImport: what is exported and imported is what was there.
func TestExportAndImport(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	n := 0
	value := rapid.StringOfN(rapid.RuneFrom([]rune("ab@.\"',;:#&*!|>%-[]{}\\ =+\u00a0é\u0301\u2028\ufeff💃1~0")), 1, 12, -1)
	rapid.Check(t, func(r *rapid.T) {
		n++
		address := func(name string) string { return fmt.Sprintf("sqlite:%s/%d-%s.db", folder, n, name) }
		taken := map[string]bool{}
		var people []links.Person
		for range rapid.IntRange(1, 5).Draw(r, "people") {
			p := links.Person{Tenant: rapid.SampledFrom([]string{"acme", "no", "1.0", "~"}).Draw(r, "tenant"), IDs: map[string]string{}}
			for _, kind := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"email", "username", "numium", "null", "y"}), 1, 3, rapid.ID).Draw(r, "kinds") {
				text := strings.TrimSpace(value.Draw(r, kind))
				if links.Unfit(text) == "" && text == canonical(kind, text) && !taken[p.Tenant+kind+strings.ToLower(text)] {
					taken[p.Tenant+kind+strings.ToLower(text)] = true
					p.IDs[kind] = text
				}
			}
			if len(p.IDs) > 0 {
				people = append(people, p)
			}
		}
		table, err := config.OpenLinks(address("first"))
		if err != nil {
			r.Fatal(err)
		}
		_, conflicts, err := table.Import(t.Context(), people, links.Import{})
		if err != nil || conflicts != nil {
			r.Fatal(err, conflicts)
		}
		if err := table.Close(); err != nil {
			r.Fatal(err)
		}
		for _, format := range []string{"csv", "yaml"} {
			exported, _, err := musterLinks(t, address("first"), "export", "--format", format)
			if err != nil {
				r.Fatal(err)
			}
			path := filepath.Join(folder, "people."+format)
			if err := os.WriteFile(path, []byte(exported), 0o600); err != nil {
				r.Fatal(err)
			}
			if _, problems, err := musterLinks(t, address(format), "import", path, "--replace"); err != nil {
				if len(people) == 0 {
					continue
				}
				r.Fatalf("%v %s\n%s", err, problems, exported)
			}
			again, _, err := musterLinks(t, address(format), "export", "--format", format)
			if err != nil || again != exported {
				r.Fatalf("%v\n%s\nand then\n%s", err, exported, again)
			}
		}
	})
}

// TestLinksInATable: a gateway whose links are in a table finds people by them; one
// that is withdrawn is not found by the next lookup; and while the table cannot be
// asked the answers say so.
func TestLinksInATable(t *testing.T) {
	t.Parallel()
	server := linkstest.Start(t)
	url := server.Database()
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, `{"name": "Jane", "key": %q}`, strings.TrimPrefix(r.URL.Path, "/people/"))
	}))
	t.Cleanup(upstream.Close)
	folder := t.TempDir()
	for name, content := range map[string]string{
		"gateway.yaml": fmt.Sprintf(`
listen: {address: "127.0.0.1:0", admin: "127.0.0.1:0"}
tenants: {acme: {}, globex: {}}
identifiers: {accept: [email, badge], links: {sql: {url: "${file:url}", timeout: 2s}}}
providers: [{use: desk}, {use: doors}]
limits: {cache: {ttl: 0s, stale: 0s, negative: 0s}}
egress: {connect: {desk.example: {address: %[1]q, plaintext: true}, doors.example: {address: %[1]q, plaintext: true}}}
`, upstream.Listener.Addr().String()),
		"url":                  url + "\n",
		"providers/desk.yaml":  linkedDefinition("desk", "email", "displayName: name"),
		"providers/doors.yaml": linkedDefinition("doors", "badge", "nickName: key"),
		"people.csv":           "tenant,email,badge\nacme,jane@acme.example,C4n4ry-77\nacme,joe@acme.example,C4n4ry-78\n",
	} {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, problems, err := musterLinks(t, url, "import", filepath.Join(folder, "people.csv")); err != nil || out != "imported 2 people: 4 added, 0 there already\n" {
		t.Fatal(out, problems, err)
	}
	w := &world{t: t, spans: tracetest.NewSpanRecorder(), log: new(lockedBuffer), http: &http.Client{Transport: &http.Transport{}}}
	w.deploy(folder)
	jane := func(name string, status int, sources string) {
		t.Helper()
		got := w.whoIs("email:Jane@acme.example")
		if got.Status != status || got.told() != sources {
			t.Errorf("%s: %d %s, not %d %s: %s", name, got.Status, got.told(), status, sources, got.Text)
		}
	}
	ready := func(sign string) {
		t.Helper()
		got := w.ask(http.MethodGet, "http://"+w.Admin+"/readyz?verbose", "")
		if got.Status != http.StatusOK || !strings.Contains(got.Text, sign+" links can be asked") {
			t.Errorf("not %s: %d %s", sign, got.Status, got.Text)
		}
	}
	ready("[+]")
	jane("linked", 200, "desk ok, doors ok")

	if out, problems, err := musterLinks(t, url, "remove", "--tenant", "acme", "badge:C4n4ry-77"); err != nil || out != `- {tenant: "acme", ids: {"badge": "C4n4ry-77"}}`+"\n" {
		t.Fatal(out, problems, err)
	}
	jane("withdrawn", 200, "desk ok, doors unlinked")

	server.Stop()
	jane("the table is down", 207, "desk ok, doors failed unresolved, links failed unavailable")
	ready("[-]")
	if got := w.whoIs("badge:C4n4ry-78"); got.Status != 207 || got.told() != "desk failed unresolved, doors ok, links failed unavailable" {
		t.Errorf("%d %s", got.Status, got.Text)
	}
	if !strings.Contains(w.log.String(), `"msg":"the links cannot be asked"`) {
		t.Errorf("the log says nothing: %s", w.log)
	}
	for n := 0; w.whoIs("email:Jane@acme.example").told() != "desk ok, doors failed unresolved, links failed open"; n++ {
		if n == 10 {
			t.Fatal("a table that is down is asked by every lookup")
		}
	}
	ready("[-]")
	server.Resume()
	for end := time.Now().Add(5 * time.Second); w.whoIs("email:Jane@acme.example").Status != 200; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a table that is back is not asked again")
		}
	}
	jane("the table is back", 200, "desk ok, doors unlinked")
	ready("[+]")

	metrics := w.ask(http.MethodGet, "http://"+w.Admin+"/metrics", "").Text
	for _, result := range []string{"found", "failed", "open"} {
		if !strings.Contains(metrics, `muster_links_duration_seconds_count{`) || !strings.Contains(metrics, `result="`+result+`"`) {
			t.Errorf("no metric of %s", result)
		}
	}
	w.never(metrics+w.ask(http.MethodGet, "http://"+w.Admin+"/config", "").Text, "C4n4ry", "jane@acme.example", linkstest.Password)
}

// linkedDefinition asks for people by one kind of identifier.
func linkedDefinition(name, kind, profile string) string {
	return fmt.Sprintf(`
provider: %[1]s
auth: {none: true}
lookup: GET https://%[1]s.example/people/{id.%[2]s}
profile: {%[3]s}
tests: [{name: nobody, with: {id: {%[2]s: x@x.example}}, reply: {http: 404}, expect: {outcome: absent}}]
`, name, kind, profile)
}

// told is how it went with each source, and what is wrong with it.
func (r response) told() string {
	var all []string
	for _, s := range r.Sources {
		text := s.Source + " " + s.Outcome
		for _, c := range r.ChildErrors {
			if c.Source == s.Source {
				text += " " + c.Kind
			}
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

func canonical(kind, value string) string { return normalize.CanonicalID(kind, value) }

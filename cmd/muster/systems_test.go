package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"muster/adapters"
	"muster/config"
)

// Real systems, onboarded by configuration alone: what testdata/systems/*/gateway.yaml
// says is all that Muster knows of them.

const systems = "testdata/systems"

// system is a program that runs for one test, and knows people.
type system struct {
	t       *testing.T
	program string
	args    []string
	folder  string // where it runs, and keeps its data
	log     string
	base    string // of its API
	health  string
	key     string // its own credential of the test's, "" for none
	process *exec.Cmd
}

// systemProgram is where `make systems` puts the version that a system's go.mod pins.
func systemProgram(t *testing.T, name string) string {
	t.Helper()
	mod, err := os.ReadFile(filepath.Join(systems, name, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	pinned := regexp.MustCompile(`(?m)^require \S+ (v\S+)$`).FindSubmatch(mod)
	if pinned == nil {
		t.Fatalf("%s/go.mod pins nothing", name)
	}
	program := filepath.Join(toolsFolder(t), name+"-"+string(pinned[1]))
	if _, err := os.Stat(program); err != nil {
		t.Skipf("NOT TESTED against %s %s: it is not there. `make systems` builds it (a minute or two, once).", name, pinned[1])
	}
	return program
}

// toolsFolder is where `make systems` puts what it makes.
func toolsFolder(t *testing.T) string {
	t.Helper()
	cache := os.Getenv("XDG_CACHE_HOME")
	if cache == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			t.Fatal(err)
		}
		cache = filepath.Join(home, ".cache")
	}
	return filepath.Join(cache, "muster-tools")
}

// freePort is a port below those that systems give to outgoing connections, so
// that nobody takes it while a test has its owner stopped.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(20_000 + rand.IntN(12_000)) //nolint:gosec // no secret
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			return port
		}
	}
	t.Fatal("no port is free")
	return ""
}

// command makes a command of the system's program that sees nothing of ours.
func (s *system) command(args ...string) *exec.Cmd {
	c := exec.Command(s.program, args...) //nolint:gosec // built by `make systems`
	c.Dir = s.folder
	c.Env = []string{"HOME=" + s.folder, "PATH=" + os.Getenv("PATH"), "SQA_OPT_OUT=true"}
	return c
}

// once runs a command of the system's to its end.
func (s *system) once(args ...string) {
	s.t.Helper()
	if out, err := s.command(args...).CombinedOutput(); err != nil {
		s.t.Fatalf("%s: %v\n%s", args[0], err, out)
	}
}

// start runs the system until stop, or the test's end, and waits until it answers.
func (s *system) start() {
	s.t.Helper()
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	s.process = s.command(s.args...)
	s.process.Stdout, s.process.Stderr = log, log
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
	_ = log.Close() // the process has its own
	for range 600 {
		if r, err := http.Get(s.base + s.health); err == nil {
			_ = r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	told, _ := os.ReadFile(s.log)
	s.t.Fatalf("it does not answer within 30 seconds:\n%.4000s", told)
}

// stop ends the process, and waits until it has ended.
func (s *system) stop() {
	if s.process == nil {
		return
	}
	_ = s.process.Process.Signal(syscall.SIGTERM)
	slow := time.AfterFunc(10*time.Second, func() { _ = s.process.Process.Kill() })
	_ = s.process.Wait() // that it was ended is no error
	slow.Stop()
	s.process = nil
}

// call asks the system itself, and decodes what it says into a tree.
func (s *system) call(method, path, body string, want int) map[string]any {
	s.t.Helper()
	request, err := http.NewRequest(method, s.base+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", s.key)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != want {
		s.t.Fatalf("%s %s: status %d, %v: %s", method, path, response.StatusCode, err, text)
	}
	var tree map[string]any
	if len(text) > 0 {
		if err := json.Unmarshal(text, &tree); err != nil {
			s.t.Fatal(err)
		}
	}
	return tree
}

// address is where the system listens.
func (s *system) address() string { return strings.TrimPrefix(s.base, "http://") }

// fill writes files of testdata/systems into a folder, with their $NAMES filled in.
func fill(t *testing.T, folder string, names map[string]string, values ...string) {
	t.Helper()
	for to, from := range names {
		text, err := os.ReadFile(filepath.Join(systems, from))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(folder, to)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.NewReplacer(values...).Replace(string(text))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// newKratos runs an Ory Kratos of its own.
func newKratos(t *testing.T) *system {
	t.Helper()
	s := &system{t: t, program: systemProgram(t, "kratos"), folder: t.TempDir(), health: "/admin/health/ready"}
	public, admin := freePort(t), freePort(t)
	s.base, s.log, s.args = "http://127.0.0.1:"+admin, filepath.Join(s.folder, "log"), []string{"serve", "--config", "kratos.yaml"}
	fill(t, s.folder, map[string]string{"kratos.yaml": "kratos/kratos.yaml", "person.schema.json": "kratos/person.schema.json"},
		"$FOLDER", s.folder, "$PUBLIC", public, "$ADMIN", admin)
	s.once("migrate", "sql", "--yes", "sqlite://"+s.folder+"/kratos.sqlite?_fk=true")
	s.start()
	t.Cleanup(s.stop)
	return s
}

// identity creates somebody in Kratos; of their addresses those named are verified.
func (s *system) identity(state, traits string, verified ...string) person {
	s.t.Helper()
	addresses := []map[string]any{}
	for _, address := range verified {
		addresses = append(addresses, map[string]any{"value": address, "verified": true, "via": "email", "status": "completed"})
	}
	body, err := json.Marshal(map[string]any{
		"schema_id": "person", "state": state, "traits": json.RawMessage(traits), "verifiable_addresses": addresses,
		"credentials":    map[string]any{"password": map[string]any{"config": map[string]any{"password": "CANARY-f7Ae-2b"}}},
		"metadata_admin": map[string]any{"note": "CANARY"},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return person(s.call(http.MethodPost, "/admin/identities", string(body), http.StatusCreated))
}

// identifiers are those of a person's in one source, in the order that answers
// have them: by value. A mail is proved; "" is none.
func identifiers(source, id, mail string) string {
	own := fmt.Sprintf(`{"kind": %[1]q, "value": %[2]q, "source": %[1]q}`, source, id)
	if mail == "" {
		return own
	}
	proved := fmt.Sprintf(`{"kind": "email", "value": %q, "source": %q, "verified": true}`, mail, source)
	if mail < id {
		return proved + ", " + own
	}
	return own + ", " + proved
}

// person is a record as the system itself tells it.
type person map[string]any

func (p person) text(member string) string { return fmt.Sprint(p[member]) }

// time is an instant as Muster writes it.
func (p person) time(t *testing.T, member string) string {
	t.Helper()
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05Z07:00"} {
		if at, err := time.Parse(layout, p.text(member)); err == nil {
			return at.UTC().Format(time.RFC3339Nano)
		}
	}
	t.Fatalf("%s is no time: %s", member, p.text(member))
	return ""
}

// newPocketBase runs a PocketBase of its own, with Muster as a superuser.
func newPocketBase(t *testing.T) *system {
	t.Helper()
	port := freePort(t)
	s := &system{t: t, program: systemProgram(t, "pocketbase"), folder: t.TempDir(), base: "http://127.0.0.1:" + port, health: "/api/health"}
	s.log, s.args = filepath.Join(s.folder, "log"), []string{"serve", "--dir", "data", "--http", "127.0.0.1:" + port}
	for _, who := range []string{"muster@acme.example", "admin@acme.example"} {
		s.once("superuser", "upsert", who, pocketBasePassword, "--dir", "data")
	}
	s.start()
	t.Cleanup(s.stop)
	s.key = s.call(http.MethodPost, "/api/collections/_superusers/auth-with-password",
		`{"identity": "admin@acme.example", "password": "`+pocketBasePassword+`"}`, http.StatusOK)["token"].(string)
	return s
}

const pocketBasePassword = "CANARY-8d1c" //nolint:gosec // of a system that lives for a test

// account creates somebody in PocketBase.
func (s *system) account(name, email string, verified bool) person {
	s.t.Helper()
	return person(s.call(http.MethodPost, "/api/collections/users/records", fmt.Sprintf(
		`{"name": %q, "email": %q, "verified": %t, "password": "CANARY-77aa", "passwordConfirm": "CANARY-77aa"}`, name, email, verified), http.StatusOK))
}

// before runs a gateway that knows of systems what a file of testdata/systems says.
func before(t *testing.T, file string, values ...string) *world {
	t.Helper()
	folder := t.TempDir()
	fill(t, folder, map[string]string{"gateway.yaml": file, "providers/pocketbase.yaml": "pocketbase/providers/pocketbase.yaml"}, values...)
	if err := os.WriteFile(filepath.Join(folder, "password"), []byte(pocketBasePassword+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, spans: tracetest.NewSpanRecorder(), log: new(lockedBuffer), http: &http.Client{Transport: &http.Transport{}}}
	w.deploy(folder)
	return w
}

// whoIs asks for somebody of acme, and for nothing that is kept unless it fails.
func (w *world) whoIs(user string, header ...string) response {
	w.t.Helper()
	return w.ask(http.MethodGet, "http://"+w.Address+"/v1/tenants/acme/users/"+user, "", header...)
}

// holds compares an answer with the whole that is wanted, but for what no two
// answers share: the ids of the trace and of the person, and how long it took.
func (w *world) holds(name string, got response, status int, want string) {
	w.t.Helper()
	var tree, wanted map[string]any
	if err := json.Unmarshal([]byte(got.Text), &tree); err != nil {
		w.t.Fatalf("%s: %v: %s", name, err, got.Text)
	}
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		w.t.Fatalf("%s: %v: %s", name, err, want)
	}
	if _, ok := tree["operationId"].(string); !ok {
		w.t.Errorf("%s: the answer has no operationId: %s", name, got.Text)
	}
	if data, ok := tree["data"].(map[string]any); ok {
		delete(data, "id")
	}
	delete(tree, "operationId")
	for list, varying := range map[string][]string{"sources": {"took", "age"}, "childErrors": {"operationId", "retryAfter", "error", "reason", "resolution"}} {
		items, _ := tree[list].([]any)
		for _, item := range items {
			for _, member := range varying {
				delete(item.(map[string]any), member)
			}
		}
	}
	for _, prose := range []string{"error", "reason", "resolution"} { // which other tests hold
		delete(tree, prose)
	}
	if got.Status != status {
		w.t.Errorf("%s: status %d, want %d", name, got.Status, status)
	}
	if diff := cmp.Diff(wanted, tree); diff != "" {
		w.t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// one is the document of a lookup with one source.
func one(source, from, data string) string {
	return fmt.Sprintf(`{"complete": true, "sources": [{"source": %q, "outcome": "ok", "from": %q}], "data": %s}`, source, from, data)
}

// none is the document of a lookup whose one source said no more than an outcome.
func none(source, outcome string) string {
	return fmt.Sprintf(`{"childErrors": [], "sources": [{"source": %q, "outcome": %q, "from": "upstream"}]}`, source, outcome)
}

// failed is the document of a lookup whose one source failed.
func failed(source, kind string, status int) string {
	return fmt.Sprintf(`{"childErrors": [{"source": %q, "kind": %q, "statusCode": %d, "modelId": null}],
		"sources": [{"source": %q, "outcome": "failed", "from": "upstream"}]}`, source, kind, status, source)
}

// TestSystemDefinitions runs the tests inside the definitions, also where the
// systems are not.
func TestSystemDefinitions(t *testing.T) {
	t.Parallel()
	found, err := filepath.Glob(filepath.Join(systems, "*", "providers", "*.yaml"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%d definitions, %v", len(found), err)
	}
	report := config.Check(t.Context(), found, false)[0]
	if report.Err != nil {
		t.Fatal(report.Err)
	}
	if len(report.Tests) != 7 {
		t.Errorf("%d inline tests, want 7", len(report.Tests))
	}
	for _, problem := range adapters.Problems(report.Tests) {
		t.Error(problem)
	}
}

// TestKratos looks up people whom an Ory Kratos really stores.
func TestKratos(t *testing.T) {
	t.Parallel()
	kratos := newKratos(t)
	jane := kratos.identity("active", `{"email": "Jane.Doe@ACME.example", "username": "jane", "name": {"first": "Jane", "last": "Doe"}, "phone": "+16502530000"}`, "jane.doe@acme.example")
	zoe := kratos.identity("inactive", `{"email": "zoe@xn--mnchen-3ya.example", "username": "Ζωή", "name": {"first": "Zoe\u0308", "last": "Ñandú 🌵"}}`, "zoe@xn--mnchen-3ya.example")
	stranger := kratos.identity("active", `{"email": "nobody.proved@acme.example"}`)
	kratos.identity("active", `{"email": "first@acme.example", "second": "second@acme.example"}`, "first@acme.example", "second@acme.example")
	kratos.identity("active", `{"email": "mallory@evil.example", "username": "victim@acme.example"}`, "mallory@evil.example")
	gone := kratos.identity("active", `{"email": "gone@acme.example"}`, "gone@acme.example")
	late := kratos.identity("active", `{"email": "late@acme.example"}`, "late@acme.example")
	w := before(t, "kratos/gateway.yaml", "$KRATOS", kratos.address())

	// profile is what the definition makes of an identity: members are the case's own, and mail is proved.
	profile := func(p person, mail, members string) string {
		return fmt.Sprintf(`{%s, "identifiers": [%s], "createdAt": %q, "updatedAt": %q, "attributes": {"kratos": {"schema": ["person"]}}}`,
			members, identifiers("kratos", p.text("id"), mail), p.time(t, "created_at"), p.time(t, "updated_at"))
	}
	janes := profile(jane, "jane.doe@acme.example", `"userName": "jane", "name": {"givenName": "Jane", "familyName": "Doe"}, "active": true,
		"emails": [{"value": "jane.doe@acme.example", "verified": true, "primary": true, "sources": ["kratos"]}],
		"phoneNumbers": [{"value": "+16502530000", "sources": ["kratos"]}]`)
	zoes := profile(zoe, "zoe@xn--mnchen-3ya.example", `"userName": "Ζωή", "name": {"givenName": "Zoë", "familyName": "Ñandú 🌵"}, "active": false,
		"emails": [{"value": "zoe@xn--mnchen-3ya.example", "verified": true, "primary": true, "sources": ["kratos"]}]`)
	strangers := profile(stranger, "", `"active": true, "emails": [{"value": "nobody.proved@acme.example", "verified": false, "primary": true, "sources": ["kratos"]}]`)
	lates := profile(late, "late@acme.example", `"active": true, "emails": [{"value": "late@acme.example", "verified": true, "primary": true, "sources": ["kratos"]}]`)

	found, kept := one("kratos", "upstream", janes), one("kratos", "cache", janes)
	for _, test := range []struct {
		name, user string
		status     int
		want       string
	}{
		{"by address, in any case", "email:Jane.Doe@acme.EXAMPLE", 200, found},
		{"by address once more", "email:jane.doe@acme.example", 200, kept},
		{"by id", "kratos:" + jane.text("id"), 200, found},
		{"by id in capitals", "kratos:" + strings.ToUpper(jane.text("id")), 200, found},
		{"inactive, and in several scripts", "email:zoe@m%C3%BCnchen.example", 200, one("kratos", "upstream", zoes)},
		{"the same by id", "kratos:" + zoe.text("id"), 200, one("kratos", "upstream", zoes)},
		{"not verified, by id", "kratos:" + stranger.text("id"), 200, one("kratos", "upstream", strangers)},
		{"not verified, by address", "email:nobody.proved@acme.example", 502, failed("kratos", "mismatch", 409)},
		{"a user name that is somebody's address", "email:victim@acme.example", 502, failed("kratos", "mismatch", 409)},
		{"a second address, which is no trait called email", "email:second@acme.example", 502, failed("kratos", "mismatch", 409)},
		{"nobody's address", "email:nobody@acme.example", 404, none("kratos", "absent")},
		{"nobody's id", "kratos:00000000-0000-4000-8000-000000000001", 404, none("kratos", "absent")},
		{"no id of Kratos's", "kratos:..%2Fsessions", 400, `{"childErrors": []}`},
		{"an address that would list everybody", "email:%20", 400, `{"childErrors": []}`},
		{"what the system cannot be asked with", "username:jane", 424, `{"childErrors": [], "sources": [{"source": "kratos", "outcome": "unlinked", "needs": ["kratos"]}]}`},
	} {
		w.holds(test.name, w.whoIs(test.user), test.status, test.want)
	}

	kratos.call(http.MethodDelete, "/admin/identities/"+gone.text("id"), "", http.StatusNoContent)
	for _, user := range []string{"email:gone@acme.example", "kratos:" + gone.text("id")} {
		w.holds("deleted, "+user, w.whoIs(user), http.StatusNotFound, none("kratos", "absent"))
	}

	kratos.stop()
	w.holds("stopped: who was never asked for", w.whoIs("email:late@acme.example"), http.StatusServiceUnavailable, failed("kratos", "unavailable", 503))
	w.holds("stopped: who is remembered", w.whoIs("email:jane.doe@acme.example"), http.StatusOK, kept)
	w.holds("stopped: who is remembered, asked for anew", w.whoIs("email:jane.doe@acme.example", "Cache-Control", "no-cache"), http.StatusMultiStatus,
		fmt.Sprintf(`{"complete": false, "childErrors": [{"source": "kratos", "kind": "unavailable", "statusCode": 503, "modelId": null}],
			"incompleteFields": [], "sources": [{"source": "kratos", "outcome": "ok", "from": "stale"}], "data": %s}`, janes))
	kratos.start()
	w.holds("started again", w.whoIs("email:late@acme.example"), http.StatusOK, one("kratos", "upstream", lates))
	w.holds("started again, asked for anew", w.whoIs("email:jane.doe@acme.example", "Cache-Control", "no-cache"), http.StatusOK, found)
	w.silent(response{})
	w.never("", jane.text("id"), "jane.doe", "Jane", "Doe", "6502530000", "Ñandú", "Ζωή", "mallory", "victim")
}

// TestPocketBase looks up people whom a PocketBase really stores, by a
// definition that is written as a user's would be.
func TestPocketBase(t *testing.T) {
	t.Parallel()
	base := newPocketBase(t)
	jane := base.account("Jané Döe 🌵", "Jane.Doe@ACME.example", true)
	base.account("Not Jane", "jane.doe@acme.example", false)
	brien := base.account("Pat O'Brien", "pat.o'brien@acme.example", true)
	base.account("One of two", "two@acme.example", true)
	base.account("Two of two", "Two@acme.example", true)
	stranger := base.account("Mallory", "nobody.proved@acme.example", false)
	gone := base.account("Gone", "gone@acme.example", true)
	w := before(t, "pocketbase/gateway.yaml", "$POCKETBASE", base.address())

	profile := func(p person, name, mail string) string {
		return fmt.Sprintf(`{"displayName": %q, "emails": [{"value": %q, "verified": true, "primary": true, "sources": ["pocketbase"]}],
			"identifiers": [%s], "createdAt": %q, "updatedAt": %q}`, name, mail, identifiers("pocketbase", p.text("id"), mail), p.time(t, "created"), p.time(t, "updated"))
	}
	janes := profile(jane, "Jané Döe 🌵", "jane.doe@acme.example")
	briens := profile(brien, "Pat O'Brien", "pat.o'brien@acme.example")
	strangers := fmt.Sprintf(`{"displayName": "Mallory", "emails": [{"value": "nobody.proved@acme.example", "verified": false, "primary": true, "sources": ["pocketbase"]}],
		"identifiers": [%s], "createdAt": %q, "updatedAt": %q}`,
		identifiers("pocketbase", stranger.text("id"), ""), stranger.time(t, "created"), stranger.time(t, "updated"))
	found := one("pocketbase", "upstream", janes)
	for _, test := range []struct {
		name, user string
		status     int
		want       string
	}{
		{"by address, stored in another case, beside an account that is not verified", "email:jane.doe@acme.example", 200, found},
		{"by id", "pocketbase:" + jane.text("id"), 200, found},
		{"an apostrophe", "email:pat.o'brien@acme.example", 200, one("pocketbase", "upstream", briens)},
		{"not verified, by id", "pocketbase:" + stranger.text("id"), 200, one("pocketbase", "upstream", strangers)},
		{"not verified, by address", "email:nobody.proved@acme.example", 404, none("pocketbase", "absent")},
		{"two verified accounts with one address", "email:two@acme.example", 502, failed("pocketbase", "mismatch", 409)},
		{"nobody's address", "email:nobody@acme.example", 404, none("pocketbase", "absent")},
		{"nobody's id", "pocketbase:aaaaaaaaaaaaaaa", 404, none("pocketbase", "absent")},
		{"an address that would match everybody's", "email:%25@acme.example", 404, none("pocketbase", "absent")},
		{"what would end the filter", "email:a%22%7C%7Cid!=%22@acme.example", 400, `{"childErrors": []}`},
	} {
		w.holds(test.name, w.whoIs(test.user), test.status, test.want)
	}

	base.call(http.MethodDelete, "/api/collections/users/records/"+gone.text("id"), "", http.StatusNoContent)
	w.holds("deleted", w.whoIs("email:gone@acme.example"), http.StatusNotFound, none("pocketbase", "absent"))

	// All tokens of a superuser die with the password: also when it stays the same.
	asking := []string{"Cache-Control", "no-cache"}
	base.once("superuser", "upsert", "muster@acme.example", pocketBasePassword, "--dir", "data")
	w.holds("a stale token is renewed", w.whoIs("email:jane.doe@acme.example", asking...), http.StatusOK, found)
	base.once("superuser", "upsert", "muster@acme.example", "CANARY-other", "--dir", "data")
	w.holds("a wrong password", w.whoIs("email:nobody@acme.example", asking...), http.StatusBadGateway, failed("pocketbase", "unauthenticated", 502))
	base.once("superuser", "upsert", "muster@acme.example", pocketBasePassword, "--dir", "data")
	w.holds("a right password", w.whoIs("email:jane.doe@acme.example", asking...), http.StatusOK, found)
	w.silent(response{})
	w.never("", jane.text("id"), "jane.doe", "Jan", "Döe", "brien", "Mallory", "muster@acme.example")
}

// TestTwoSystems merges what an Ory Kratos and a PocketBase know of one person.
func TestTwoSystems(t *testing.T) {
	t.Parallel()
	kratos, base := newKratos(t), newPocketBase(t)
	identity := kratos.identity("active", `{"email": "jane.doe@acme.example", "username": "jane", "name": {"first": "Jane", "last": "Doe"}}`, "jane.doe@acme.example")
	account := base.account("Jane of the accounts", "Jane.Doe@acme.example", true)
	base.account("Known to one alone", "one@acme.example", true)
	w := before(t, "gateway.yaml", "$KRATOS", kratos.address(), "$POCKETBASE", base.address())
	asking := []string{"Cache-Control", "no-cache"}

	kratosIDs := identifiers("kratos", identity.text("id"), "jane.doe@acme.example")
	baseIDs := identifiers("pocketbase", account.text("id"), "jane.doe@acme.example")
	both := fmt.Sprintf(`{"userName": "jane", "displayName": "Jane of the accounts", "name": {"givenName": "Jane", "familyName": "Doe"}, "active": true,
		"emails": [{"value": "jane.doe@acme.example", "verified": true, "primary": true, "sources": ["kratos", "pocketbase"]}],
		"identifiers": [%s, %s],
		"createdAt": %q, "updatedAt": %q, "attributes": {"kratos": {"schema": ["person"]}}}`,
		kratosIDs, baseIDs, identity.time(t, "created_at"), identity.time(t, "updated_at"))
	whole := `{"complete": true, "sources": [{"source": "kratos", "outcome": "ok", "from": "upstream"}, {"source": "pocketbase", "outcome": "ok", "from": "upstream"}], "data": ` + both + `}`

	// Nothing is remembered of her yet: whoever fails is missing.
	kratos.stop()
	w.holds("one is stopped", w.whoIs("email:jane.doe@acme.example"), http.StatusMultiStatus, fmt.Sprintf(`{"complete": false,
		"childErrors": [{"source": "kratos", "kind": "unavailable", "statusCode": 503, "modelId": null}],
		"incompleteFields": ["userName", "name", "emails", "phoneNumbers", "active", "createdAt", "updatedAt", "attributes"],
		"sources": [{"source": "kratos", "outcome": "failed", "from": "upstream"}, {"source": "pocketbase", "outcome": "ok", "from": "upstream"}],
		"data": {"displayName": "Jane of the accounts", "emails": [{"value": "jane.doe@acme.example", "verified": true, "primary": true, "sources": ["pocketbase"]}],
			"identifiers": [%s], "createdAt": %q, "updatedAt": %q}}`, baseIDs, account.time(t, "created"), account.time(t, "updated")))
	base.stop()
	w.holds("both are stopped", w.whoIs("email:one@acme.example"), http.StatusServiceUnavailable, `{"childErrors": [
		{"source": "kratos", "kind": "unavailable", "statusCode": 503, "modelId": null}, {"source": "pocketbase", "kind": "unavailable", "statusCode": 503, "modelId": null}],
		"sources": [{"source": "kratos", "outcome": "failed", "from": "upstream"}, {"source": "pocketbase", "outcome": "failed", "from": "upstream"}]}`)
	kratos.start()
	base.start()
	w.holds("both are there", w.whoIs("email:jane.doe@acme.example", asking...), http.StatusOK, whole)
	w.silent(response{})
}

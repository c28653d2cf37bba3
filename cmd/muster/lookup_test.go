package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"muster/adapters"
	"muster/config"
	"muster/gateway"
	"muster/normalize"
)

// newLookupUpstream plays every upstream of the script lookup.txtar, by the host
// that is asked for. CANARY is what must never be seen.
func newLookupUpstream() *httptest.Server {
	var tokens atomic.Int64
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		say := func(status int, body string) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
		switch r.Host + r.URL.Path {
		case "badges.example/people/42":
			say(200, `{"person": {"id": 42, "display": "Jane \u001b[2J Doe", "mail": "Jane.Doe@acme.example", "mailConfirmed": true, "enabled": "Y",
				"doors": [{"name": "lab", "until": 1798761600}], "pin": "CANARY-pin", "password": "CANARY-password", "seen": "CANARY-key"}}`)
		case "badges.example/people/43":
			say(200, `{"person": {"id": 43, "display": "Joe Doe", "enabled": "N"}}`)
		case "desk.example/token":
			say(200, fmt.Sprintf(`{"access_token": "CANARY-token-%d", "expires_in": 3600}`, tokens.Add(1)))
		case "desk.example/v1/JDOE":
			token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
			if n, _ := strconv.Atoi(strings.TrimPrefix(token, "CANARY-token-")); n%2 == 1 { // the first of every two
				say(401, fmt.Sprintf(`{"error": "the token %s is refused"}`, token))
				return
			}
			say(200, `{"login": "JDOE", "name": "Jane D.", "active": false}`)
		case "busy.example/42":
			w.Header().Set("Retry-After", "17")
			say(429, `{"error": {"code": "CANARY-key", "message": "Jane must wait"}}`)
		case "slow.example/42":
			<-r.Context().Done()
		default:
			say(404, `{"error": "nobody"}`)
		}
	}))
}

// steady is the command `steady FROM TO`: copy a file, or stdout, without what
// differs from run to run.
func steady(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: steady FROM TO")
	}
	text := ts.ReadFile(args[0])
	for _, change := range []struct{ pattern, with string }{
		{`\b[0-9a-f]{32}\b`, "TRACE"},
		{`\b[0-9a-f]{16}\b`, "SPAN"},
		{`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`, "NOW"},
		{`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`, "NOW"},
		{`"took":\d+`, `"took":N`},
		{` *█+ +[\d.]+ ms`, "  ████ N ms"},
		{` *\d+(\.\d)? ms`, "  N ms"},
		{` ms +(\d+ s)`, " ms  $1"},
		{`TIME +AGE`, "TIME  AGE"}, // as wide as the longest time
		{`(?m) +$`, ""},
	} {
		text = regexp.MustCompile(change.pattern).ReplaceAllString(text, change.with)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o600))
}

// TestLookupAsTheDoor: the document is the one that HTTP answers, byte for byte but
// for what differs from one asking to the next.
func TestLookupAsTheDoor(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, user, query string
		o                 lookupOptions
		broken            bool
		code              int
	}{
		{name: "complete", user: "username:createuser", code: 0},
		{name: "fields and sources", user: "username:createuser", query: "?fields=name,emails&sources=csp,kobil", o: lookupOptions{fields: []string{"name", "emails"}, sources: []string{"csp", "kobil"}}, code: 0},
		{name: "in part", user: "username:createuser", broken: true, code: 1},
		{name: "not accepted", user: "passport:1", code: 2},
		{name: "an unknown member", user: "username:createuser", query: "?fields=nam", o: lookupOptions{fields: []string{"nam"}}, code: 2},
		{name: "unlinked", user: "email:nobody@example.com", code: 1},
	} {
		d := newDeployment(t)
		if test.broken {
			d.stubs["itwin"].says(500, "")
		}
		want := d.ask(http.MethodGet, "http://"+d.Address+"/v1/tenants/acme/users/"+test.user+test.query, "")
		test.o.config, test.o.tenant, test.o.user, test.o.output = d.path(), "acme", test.user, "json"
		var out, errOut strings.Builder
		err := runLookup(t.Context(), test.o, &out, &errOut)
		if diff := cmp.Diff(compact(want.Text), compact(out.String())); diff != "" {
			t.Errorf("%s (-HTTP +lookup):\n%s", test.name, diff)
		}
		if got := codeOf(err); got != test.code {
			t.Errorf("%s: exit code %d, want %d (%v)", test.name, got, test.code, err)
		}
		for _, secret := range []string{"CANARY", "s3cret", "t0ken"} {
			if strings.Contains(out.String()+errOut.String(), secret) {
				t.Errorf("%s: %s is told", test.name, secret)
			}
		}
	}
}

// TestLookupSavesTheSeeds makes tests of what the five documents print.
func TestLookupSavesTheSeeds(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	folder := t.TempDir()
	var out, errOut strings.Builder
	o := lookupOptions{config: d.path(), tenant: "acme", user: "username:createuser", output: "text", explain: true, bodies: true, save: folder}
	if err := runLookup(t.Context(), o, &out, &errOut); err != nil {
		t.Fatalf("%v\n%s%s", err, out.String(), errOut.String())
	}
	for _, name := range []string{"numium", "csp", "kobil", "aveva", "itwin"} {
		path := folder + "/" + name + ".test.yaml"
		if report := config.Check(t.Context(), []string{path}, false)[0]; report.Err != nil || report.Wrong || len(report.Tests) != 1 {
			t.Errorf("%s: %+v", name, report)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(content)
		for _, personal := range []string{"Casey", "Taylor", "casey", "John", "Smith", "createuser", "d3b07384", "c70c9758", "e7aee7b1", "4242", "256", "1024", "0d2f6c1e", `"o-1"`, "cloud", "muster"} {
			if strings.Contains(string(content), personal) {
				t.Errorf("%s has %q in it:\n%s", path, personal, content)
			}
		}
	}
	for _, secret := range []string{"CANARY", "s3cret", "t0ken"} {
		if strings.Contains(out.String()+errOut.String(), secret) {
			t.Errorf("%s is told:\n%s", secret, out.String())
		}
	}
}

func codeOf(err error) int {
	switch err := err.(type) { //nolint:errorlint // as run does
	case nil:
		return 0
	case exitError:
		return int(err)
	case *mistakeError:
		return exitUnreadable
	default:
		return exitWrong
	}
}

// TestLookupText lays every form of a member out.
func TestLookupText(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	age, took := 3, int64(12)
	l := &lookup{recorders: []*adapters.Recorder{{}, {}}, answer: gateway.Answer{
		Data: &normalize.Profile{
			UserName: "ja\x1bne\u202e", Name: &normalize.Name{GivenName: "Jane", FamilyName: "Doe"},
			Emails:          []normalize.Email{{Value: "a@b.example", Primary: true, Verified: &yes, Sources: []string{"one", "two"}}, {Value: "c@d.example", Type: "work", Verified: &no}},
			Active:          &no,
			Addresses:       []normalize.Address{{Locality: "Rome", Sources: []string{"one"}}},
			Roles:           []normalize.Role{{Value: "r", Permissions: []string{}, ExpiresAt: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), Expired: &no, Source: "one"}, {Value: "s", Permissions: []string{"x", "y"}}},
			Identifiers:     []normalize.Identifier{{Kind: "csp", Value: "1", Source: "one", Verified: &yes}},
			RequiredActions: []string{"VERIFY"}, CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
			Attributes: map[string]map[string][]string{"one": {"b": {"1", "2"}, "a": {"x"}}},
		},
		Sources: []gateway.SourceResult{
			{Source: "one", Outcome: gateway.OK, From: "upstream", Age: &age, Took: &took, Notes: []string{"title: expected text"}},
			{Source: "longer", Outcome: gateway.Unlinked, Needs: []string{"oid", "email"}},
		},
		IncompleteFields: []string{"emails", "roles"},
	}}
	const want = `userName           ja�ne�
name               givenName Jane, familyName Doe
emails             a@b.example  primary, verified  (one, two)
                   c@d.example  type work, not verified
addresses          locality Rome  (one)
active             false
roles              r  permissions none, expiresAt 2027-01-01T00:00:00Z, not expired  (one)
                   s  permissions x y
identifiers        csp:1  verified  (one)
requiredActions    VERIFY
createdAt          2026-01-02T03:04:05Z
attributes         one.a: x
                   one.b: 1, 2

SOURCE  OUTCOME   KIND  FROM      TIME   AGE
one     ok              upstream  12 ms  3 s  left out: title: expected text
longer  unlinked                              needs oid and email

could be incomplete: emails, roles
`
	if diff := cmp.Diff(want, l.text()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	l.paint = true
	coloured := l.text()
	if !strings.Contains(coloured, "\x1b[1muserName") || !strings.Contains(coloured, "\x1b[32mok") {
		t.Errorf("no colours: %q", coloured)
	}
	plain := regexp.MustCompile(`\x1b\[\d+m`).ReplaceAllString(coloured, "")
	if diff := cmp.Diff(strings.Fields(want), strings.Fields(plain)); diff != "" {
		t.Errorf("colours change the text (-want +got):\n%s", diff)
	}
}

// TestLookupProgress: nothing is said of a quick answer; of a slow one it is said
// who is awaited, and wiped off when all is there.
func TestLookupProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &lookup{live: &gateway.Live{}}
		var calls []adapters.Adapter
		l.add("quick", 100*time.Millisecond, &calls)
		l.add("slow", 700*time.Millisecond, &calls)
		l.add("slower", 1000*time.Millisecond, &calls)
		out := new(lockedBuffer)
		stop := l.progress(out)
		for _, call := range calls {
			go func() { _, _ = call.Fetch(t.Context(), adapters.Query{}) }()
		}
		time.Sleep(250 * time.Millisecond)
		synctest.Wait()
		if out.String() != "" {
			t.Errorf("said already: %q", out.String())
		}
		time.Sleep(time.Second)
		stop()
		const clear = "\r\x1b[K"
		if want := clear + "waiting for slow, slower" + clear + "waiting for slower" + clear; out.String() != want {
			t.Errorf("got %q, want %q", out.String(), want)
		}
	})
}

// add has a source that takes its time.
func (l *lookup) add(name string, takes time.Duration, calls *[]adapters.Adapter) {
	r := new(adapters.Recorder)
	l.live.Sources = append(l.live.Sources, &gateway.Source{Name: name})
	l.recorders = append(l.recorders, r)
	*calls = append(*calls, r.Watch(pause(takes)))
}

// pause is a source that takes its time.
func pause(takes time.Duration) adapters.Adapter {
	return adapters.AdapterFunc(func(_ context.Context, _ adapters.Query) (adapters.Reply, error) {
		time.Sleep(takes)
		return adapters.Reply{}, nil
	})
}

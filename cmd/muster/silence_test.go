package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"muster/adapters/simulator"
)

// searcher finds any of many texts, however they are written: in any case, escaped for
// an address or JSON, in hexadecimal, or in base64 wherever they begin there.
type searcher struct {
	folded, exact map[[searchWindow]byte][]sighting
}

// sighting is one way to write a text.
type sighting struct {
	written, text string
	word          bool // it counts only where no letter or digit stands around it
}

// searchWindow is the length of the shortest text that is looked for: what is shorter is
// everywhere.
const searchWindow = 6

func newSearcher() *searcher {
	return &searcher{map[[searchWindow]byte][]sighting{}, map[[searchWindow]byte][]sighting{}}
}

// add adds a text that is looked for wherever it stands; a number only where it is no part
// of another, of a duration say.
func (s *searcher) add(text string) {
	s.put(text, strings.Trim(text, "0123456789") == "")
}

// addWord adds a word that may be a part of others.
func (s *searcher) addWord(text string) { s.put(text, true) }

func (s *searcher) put(text string, word bool) {
	if len(text) < searchWindow {
		return
	}
	file := func(in map[[searchWindow]byte][]sighting, written string) {
		if len(written) < searchWindow {
			return
		}
		key := [searchWindow]byte([]byte(written))
		if at := (sighting{written, text, word}); !slices.Contains(in[key], at) {
			in[key] = append(in[key], at)
		}
	}
	quoted, _ := json.Marshal(text) // of a text, which does not fail
	var percent strings.Builder
	for _, c := range []byte(text) {
		fmt.Fprintf(&percent, "%%%02x", c)
	}
	for _, written := range []string{text, url.QueryEscape(text), url.PathEscape(text), escaped(text), strings.Trim(string(quoted), `"`), strings.Trim(strconv.QuoteToASCII(text), `"`), percent.String(), fmt.Sprintf("%x", text)} {
		file(s.folded, strings.ToLower(written))
	}
	for before := range 3 { // of what stands before depend the first characters, and of what stands behind the last
		encoded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("\x00", before) + text))
		encoded = encoded[(before*8+5)/6 : (before+len(text))*8/6]
		file(s.exact, encoded)
		file(s.exact, strings.NewReplacer("+", "-", "/", "_").Replace(encoded))
	}
}

// found are the texts that stand in another, each with what stands around it.
func (s *searcher) found(in string) map[string]string {
	all := map[string]string{}
	search := func(in string, index map[[searchWindow]byte][]sighting) {
		var begins [1 << 16]bool
		for key := range index {
			begins[int(key[0])<<8|int(key[1])] = true
		}
		for at := 0; at+searchWindow <= len(in); at++ {
			if !begins[int(in[at])<<8|int(in[at+1])] {
				continue
			}
			for _, seen := range index[[searchWindow]byte([]byte(in[at:at+searchWindow]))] {
				if end := at + len(seen.written); strings.HasPrefix(in[at:], seen.written) && (!seen.word || isolated(in, at, end)) {
					all[seen.text] = in[max(0, at-160):min(len(in), end+80)]
				}
			}
		}
	}
	search(strings.ToLower(in), s.folded)
	search(in, s.exact)
	return all
}

// isolated tells that what stands from one place to another is a word of its own.
func isolated(in string, from, to int) bool {
	before, _ := utf8.DecodeLastRuneInString(in[:from])
	after, _ := utf8.DecodeRuneInString(in[to:])
	letter := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	return !letter(before) && !letter(after)
}

// TestSearcher: a search that finds nothing would show nothing.
func TestSearcher(t *testing.T) {
	t.Parallel()
	const person = "Jane.Doe+x@acme.example"
	s := newSearcher()
	s.add(person)
	s.add("Zoë Müller")
	s.addWord("Taylor")
	b64 := base64.StdEncoding
	for _, text := range []string{
		person, "…" + strings.ToUpper(person) + "…", url.QueryEscape(person), url.PathEscape("Zoë Müller"), "zoe " + strings.ToLower("ZOË MÜLLER"), fmt.Sprintf("%x", person), fmt.Sprintf("%q", "Zoë Müller"), fmt.Sprintf("%+q", "Zoë Müller"),
		b64.EncodeToString([]byte(person)), b64.EncodeToString([]byte("x" + person + "y")), b64.EncodeToString([]byte("xy" + person)), base64.URLEncoding.EncodeToString([]byte(`{"a":"` + person + `"}`)),
		"a Taylor.", "TAYLOR",
	} {
		if len(s.found("before "+text+" behind")) != 1 {
			t.Errorf("not found: %s", text)
		}
	}
	for _, text := range []string{"", "jane", "tailored, taylored", "Taylor7", "acme.example", b64.EncodeToString([]byte("acme.example"))} {
		if got := s.found(text); len(got) != 0 {
			t.Errorf("found in %s: %v", text, got)
		}
	}
	numbers := newSearcher()
	numbers.add("1004260")
	if found := numbers.found("took 0.100426082, trace ab1004260c"); len(found) > 0 {
		t.Errorf("a part of another number is found: %q", found)
	}
	if found := numbers.found("/users/1004260/roles"); len(found) != 1 {
		t.Error("a number is not found")
	}
}

// whatIsOf adds all that systems hold of somebody and that tells who they are.
func (s *searcher) whatIsOf(p simulator.Person) {
	for _, id := range p.IDs {
		s.add(id)
	}
	names := func(given, family string) {
		s.add(strings.TrimSpace(given + " " + family))
		s.add(strings.TrimSpace(family + ", " + given))
		s.addWord(given)
		s.addWord(family)
	}
	names(p.GivenName, p.FamilyName)
	if p.Danger != nil {
		s.add(p.Danger.Mark)
		s.add(p.Danger.Address)
	}
	for _, a := range p.Accounts {
		names(a.GivenName, a.FamilyName)
		for _, text := range []string{a.Email, a.AlternativeEmail, a.Account, a.Username, a.Phone, strings.TrimPrefix(a.Phone, "+"), a.Website, a.Street, a.Password, strconv.FormatInt(a.GlobalID, 10)} {
			s.add(text)
		}
	}
}

// exported is a collector over HTTP that keeps what it is sent, byte by byte.
type exported struct {
	mu   sync.Mutex
	told map[string][]byte // by path
}

// ServeHTTP takes an export.
func (e *exported) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.told[r.URL.Path] = append(e.told[r.URL.Path], body...)
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// newExported runs one to which all telemetry goes, until the test ends. It must be called
// before the gateway starts.
func newExported(t *testing.T) *exported {
	t.Helper()
	e := &exported{told: map[string][]byte{}}
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"OTEL_TRACES_EXPORTER": "otlp", "OTEL_METRICS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_ENDPOINT": server.URL,
		"OTEL_TRACES_SAMPLER": "always_on", "OTEL_METRIC_EXPORT_INTERVAL": "1000",
	} {
		t.Setenv(name, value)
	}
	return e
}

// pages are what operators see, and what anybody does of the gateway itself.
func (w *world) pages() map[string]string {
	told := map[string]string{}
	for _, path := range []string{
		"/metrics", "/config", "/healthz", "/readyz?verbose", "/debug/pprof/", "/debug/pprof/goroutine?debug=2", "/debug/pprof/goroutine?debug=1", "/debug/pprof/cmdline",
		"/debug/pprof/heap?debug=1", "/debug/pprof/block?debug=1", "/debug/pprof/mutex?debug=1", "/debug/pprof/threadcreate?debug=1", "/debug/pprof/allocs?debug=1",
	} {
		told[path] = w.ask(http.MethodGet, "http://"+w.Admin+path, "").Text
	}
	told["/readyz of the public door"] = w.ask(http.MethodGet, "http://"+w.Address+"/readyz?verbose", "").Text
	return told
}

// ends shuts the gateway down, and gives all that it has told by then.
func (w *world) ends(e *exported, pages ...map[string]string) map[string]string {
	w.t.Helper()
	told := w.pages()
	for i, more := range pages {
		for path, text := range more {
			told[fmt.Sprint(path, " before, ", i)] = text
		}
	}
	w.ended = true
	if err := w.Shutdown(w.t.Context(), 0); err != nil {
		w.t.Error(err)
	}
	told["the log"] = w.log.String()
	e.mu.Lock()
	defer e.mu.Unlock()
	for path, body := range e.told {
		told["OTLP "+path] = string(body)
	}
	for _, path := range []string{"OTLP /v1/traces", "OTLP /v1/metrics"} {
		if len(told[path]) < 1000 {
			w.t.Errorf("%s: %d bytes: the test shows nothing", path, len(told[path]))
		}
	}
	return told
}

// nothing looks for what is in none of the texts.
func (s *searcher) nothing(t *testing.T, told map[string]string) {
	t.Helper()
	here, err := filepath.Abs("../..") // stacks have it, and somebody may call a folder as they like
	if err != nil {
		t.Fatal(err)
	}
	for where, text := range told {
		found := s.found(strings.ReplaceAll(text, here, ""))
		for i, what := range slices.Sorted(maps.Keys(found)) {
			if i == 5 {
				t.Errorf("%s tells %d more", where, len(found)-i)
				break
			}
			t.Errorf("%s tells %q: …%q…", where, what, found[what])
		}
	}
}

// TestNothingOfAPersonIsTold runs the demo with everything that may go wrong, for everybody
// and by every identifier. What it tells of itself by any way holds nothing of anybody, and
// none of its secrets.
func TestNothingOfAPersonIsTold(t *testing.T) { // alone: the exporters go by the environment
	e := newExported(t)
	w := newWorld(t, 0)
	now := w.follow()
	w.rewrite(func(text string) string {
		return text + "limits: {timeout: 400ms, breaker: {min: 1000000}, cache: {ttl: 10s}}\n"
	})
	now <- struct{}{}
	now <- struct{}{}
	s := newSearcher()
	for _, c := range w.simulation.Credentials() {
		for _, secret := range []string{c.ClientSecret, c.Token, c.APIToken} {
			s.add(secret)
		}
	}
	s.add("CANARY")
	people := w.simulation.People()
	for _, p := range people {
		s.whatIsOf(p)
	}
	accepted := []string{"email", "username", "oid", "aveva", "itwin", "numium", "csp"}
	everybody := func(people []simulator.Person, header ...string) (answers int) {
		var asking sync.WaitGroup
		turn := make(chan struct{}, 8)
		for _, p := range people {
			for _, kind := range accepted {
				if p.IDs[kind] == "" {
					continue
				}
				answers++
				turn <- struct{}{}
				asking.Go(func() { defer func() { <-turn }(); w.lookup(p, kind, header...) })
			}
		}
		asking.Wait()
		return answers
	}
	n := everybody(people)

	// Every fault, for some of all kinds of people; what holds a system off comes last.
	some := slices.Concat(people[:2], people[len(people)-2:])
	faults := simulator.FaultKinds()
	slices.SortStableFunc(faults, func(a, b simulator.FaultKind) int {
		last := []string{"limit-exceeded", "429", "429-date"}
		return slices.Index(last, a.Kind) - slices.Index(last, b.Kind)
	})
	for _, fault := range faults {
		for _, vendor := range simulator.Vendors() {
			if strings.HasPrefix(fault.Kind, "token-") && !tokenFaults()[vendor] {
				continue
			}
			if err := w.simulation.SetFault(vendor, simulator.Fault{Kind: fault.Kind, RetryAfter: "1", Latency: 20 * time.Millisecond}); err != nil {
				t.Fatal(err)
			}
		}
		whom := some
		if fault.Kind == "hang" || fault.Kind == "huge" {
			whom = some[:1]
		}
		n += everybody(whom, "Cache-Control", "no-cache", "Prefer", "handling=strict")
		for _, vendor := range simulator.Vendors() {
			w.simulation.ClearFaults(vendor)
		}
	}

	w.refusals(people[0])
	during := w.inFlight(people[1])
	told := w.ends(e, during)
	if n < 1000 || strings.Count(told["the log"], "source failed") < 500 || !strings.Contains(told["the log"], `"status":404`) {
		t.Errorf("%d lookups, and a log of %d bytes: the test shows little", n, len(told["the log"]))
	}
	s.nothing(t, told)
}

// refusals sends somebody's identifiers to wherever they do not belong.
func (w *world) refusals(p simulator.Person) {
	email, name := p.IDs["email"], p.IDs["username"]
	header := []string{
		"User-Agent", name, "Referer", "https://x.example/" + email, "Cookie", "user=" + email, "X-User", email, "X-Forwarded-For", name, "Forwarded", "for=" + name, "X-Forwarded-Host", name, "From", email,
		"Origin", "https://" + name + ".example", "If-None-Match", `"` + email + `"`, "Prefer", "handling=" + name, "Accept", "application/" + name + ", */*", "Authorization", "Bearer " + email,
		"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "tracestate", "user=" + name, "baggage", "user=" + name, "Cache-Control", name + "=" + name, "Content-Type", "application/" + name,
	}
	users := "/v1/tenants/acme/users/"
	for _, r := range [][3]string{
		{"GET", users + "passport:" + email},
		{"GET", users + email},
		{"GET", users + email + ":x"},
		{"GET", users + "numium:" + email},
		{"GET", users + "csp:../" + email},
		{"GET", users + "email:" + escaped(email) + "%00"},
		{"GET", users + "email:%" + email},
		{"GET", "/v1/tenants/" + email + "/users/email:" + email},
		{"GET", "/v1/tenants/" + name + "/users/" + name},
		{"GET", "/" + email},
		{"GET", "/v1/" + email + "/" + name},
		{"GET", users + "email:" + email + "/" + email},
		{"GET", users + "email:" + email + "?fields=" + email},
		{"GET", users + "email:" + email + "?sources=" + name},
		{"GET", users + "email:" + email + "?" + email + "=1"},
		{"GET", users + "email:" + email + "?access_token=" + email},
		{"GET", users + "email:" + email + "?provenance=" + name},
		{"GET", users + "email:" + strings.Repeat(email, 1000)},
		{"GET", "/v1/providers?tenant=" + email},
		{"GET", "/v1/me?tenant=" + email},
		{"POST", users + "email:" + email},
		{"DELETE", users + "passport:" + email + "/cache"},
		{"DELETE", users + "email:" + email + "/cache"},
		{name, users + "email:" + email},
		{"TRACE", users + email},
		{"OPTIONS", users + email},
		{"POST", "/v1/tenants/acme/lookups", `{"users":[{"email":"` + email + `"},{"passport":"` + email + `"},{"` + name + `":"x"},"` + email + `",{"numium":"` + email + `"}]}`},
		{"POST", "/v1/tenants/acme/lookups", `{"users":[{"email":"` + email},
		{"POST", "/v1/tenants/acme/lookups", email},
		{"POST", "/v1/tenants/acme/lookups", `{"` + email + `":1}`},
		{"POST", "/v1/tenants/acme/lookups", `{"users":[{"email":"` + strings.Repeat(email, 100_000) + `"}]}`},
		{"POST", "/v1/tenants/" + email + "/lookups", `{"users":[{"email":"` + email + `"}],"fields":["` + name + `"],"sources":["` + name + `"]}`},
	} {
		for _, headers := range [][]string{nil, header, append(slices.Clone(header[:20]), "Content-Type", "application/json")} {
			if r[2] != "" && headers == nil {
				headers = []string{"Content-Type", "application/json"}
			}
			w.ask(r[0], "http://"+w.Address+r[1], r[2], headers...)
		}
	}
	// Who speaks no HTTP at all.
	for _, text := range []string{email + "\r\n\r\n", "GET " + email + " HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\nHost: " + email + "\r\n" + email + "\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n" + name + " : x\r\n\r\n", "\x16\x03\x01" + email} {
		w.sends(text)
	}
}

// inFlight are the pages while somebody is looked up whose systems do not answer.
func (w *world) inFlight(p simulator.Person) map[string]string {
	for _, vendor := range simulator.Vendors() {
		if err := w.simulation.SetFault(vendor, simulator.Fault{Kind: "latency", Latency: 300 * time.Millisecond}); err != nil {
			w.t.Fatal(err)
		}
	}
	for range 20 { // a system that is held off is not asked
		var asking sync.WaitGroup
		for range 4 {
			asking.Go(func() { w.lookup(p, "email", "Cache-Control", "no-cache") })
		}
		time.Sleep(100 * time.Millisecond)
		pages := w.pages()
		asking.Wait()
		if strings.Contains(pages["/debug/pprof/goroutine?debug=2"], "gateway.(*Gateway).ask") {
			return pages
		}
		time.Sleep(500 * time.Millisecond)
	}
	w.t.Error("nobody is under way in the stacks of all goroutines")
	return nil
}

// sends writes to the public door whatever it is, and waits for its answer.
func (w *world) sends(text string) {
	w.t.Helper()
	conn, err := net.Dial("tcp", w.Address)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
	_, _ = io.WriteString(conn, text)
	_ = conn.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, conn)
}

// TestWhatUpstreamsEchoIsNotTold: systems that fail in every way, and say in every member
// of every form of an error what they were sent: whom they were asked for, and with what
// credential.
func TestWhatUpstreamsEchoIsNotTold(t *testing.T) {
	e := newExported(t)
	d := newDeployment(t, "limits: {breaker: {min: 1000000}}\n")
	s := newSearcher()
	for _, text := range []string{"casey@example.com", "createuser", "vmware.com:d3b07384", "d3b07384-d9a1-4655-a08e-df5f4f6d7d19", "e7aee7b1-4967-4f40-b220-0b1dc12c4542", "s3cret", "Bearer t0ken", "muster:s3cret", "Smith", "Casey Taylor", "John Smith", "CANARY"} {
		s.add(text)
	}
	ids := map[string][]string{ // by which each is asked
		"numium": {"256"}, "csp": {"vmware.com:d3b07384"}, "kobil": {"createuser"}, "aveva": {"d3b07384-d9a1-4655-a08e-df5f4f6d7d19"}, "itwin": {"e7aee7b1-4967-4f40-b220-0b1dc12c4542"},
	}
	asked, answers := 0, ""
	for _, status := range []int{200, 207, 302, 400, 401, 403, 404, 409, 410, 418, 429, 500, 502, 503} {
		for _, echo := range []func(id string) string{
			func(id string) string { return id },
			func(id string) string { return strings.ToUpper(id) + ":" },
			func(id string) string { return base64.StdEncoding.EncodeToString([]byte(id)) },
			func(id string) string { return "No such person: casey@example.com (" + id + "), CANARY" },
			func(string) string { return "John Smith is locked, CANARY" },
			func(string) string { return "casey@example.com" },
			func(string) string { return "Bearer s3cret" },
			func(string) string { return "s3cret-Bearer.t0ken:s3cret" },
		} {
			for name, stub := range d.stubs {
				text, _ := json.Marshal(echo(ids[name][0]))
				stub.says(status, strings.ReplaceAll(`{"isSuccess": false, "isFailure": true, "value": null, "data": null, "user": null, "UserInformation": null, "Data": null,
					"error": {"code": ECHO, "message": ECHO, "info": [ECHO], "target": ECHO, "details": [{"code": ECHO, "message": ECHO, "target": ECHO}]},
					"code": ECHO, "errorCode": ECHO, "cspErrorCode": ECHO, "moduleCode": ECHO, "requestId": ECHO, "traceId": ECHO, "status": ECHO, "message": ECHO, "metadata": ECHO,
					"OperationId": ECHO, "Error": ECHO, "Reason": ECHO, "Resolution": ECHO,
					"ChildErrors": [{"OperationId": ECHO, "Error": "x", "Reason": "x", "Resolution": "x", "StatusCode": 500, "ModelId": "x"}]}`, "ECHO", string(text)),
					"Location", "https://x.example/"+url.PathEscape(echo(ids[name][0])), "Www-Authenticate", `Bearer realm="casey@example.com"`, "Warning", `199 - "casey@example.com"`, "Set-Cookie", "user=createuser", "Retry-After", "casey@example.com", "X-Request-Id", "createuser")
			}
			r := d.look("", "Cache-Control", "no-cache")
			answers += r.Text + fmt.Sprint(r.Header)
			for _, source := range r.outcomes() {
				if strings.HasPrefix(source, "failed") || source == "absent" || source == "partial unavailable" {
					asked++
				}
			}
		}
	}
	if asked < 200 {
		t.Errorf("only %d failures: the test shows little", asked)
	}
	s.nothing(t, d.ends(e))
	secrets := newSearcher() // whom a caller has asked for is no news to them
	for _, text := range []string{"s3cret", "Bearer t0ken"} {
		secrets.add(text)
	}
	secrets.nothing(t, map[string]string{"an answer": answers})
}

// TestWhatIsSentUnaskedIsNotLogged: what an upstream sends behind its reply is quoted by
// Go's HTTP client in the log of the whole process.
func TestWhatIsSentUnaskedIsNotLogged(t *testing.T) { // alone: there is one such log
	d := newDeployment(t)
	d.stubs["kobil"].Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(kobilOK), kobilOK)
		time.Sleep(50 * time.Millisecond)
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n{\"email\": \"casey@example.com\", \"password\": \"CANARY\"}")
	})
	d.look("")
	d.until("the log tells of it", func() bool { return strings.Contains(d.log.String(), "Unsolicited response") })
	d.never("", "CANARY", "casey@example.com", "createuser")
}

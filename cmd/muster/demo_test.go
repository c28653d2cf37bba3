package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"muster/adapters/simulator"
)

// world is the demo with everything that it tells written down: the whole of the
// gateway, from the front door to the simulated upstreams, over real connections.
type world struct {
	*demo
	t     testing.TB
	spans *tracetest.SpanRecorder
	log   *lockedBuffer
	http  *http.Client
	ended bool // by the test itself
}

func newWorld(t testing.TB, people int, faults ...string) *world {
	t.Helper()
	w := &world{t: t, spans: tracetest.NewSpanRecorder(), log: new(lockedBuffer)}
	w.start(demoOptions{people: people, faults: faults}, slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}), w.spans)
	return w
}

// start runs the demo on free ports until the test ends.
func (w *world) start(o demoOptions, log slog.Handler, processor sdktrace.SpanProcessor) {
	t := w.t
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // the end of a test is no reason to end the requests in flight
	o.address, o.admin, o.seed = "127.0.0.1:0", "127.0.0.1:0", 1
	var err error
	if w.demo, err = startDemo(ctx, o, slog.New(traced{log}), processor); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 256}
	w.http = &http.Client{Transport: transport}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if !w.ended {
			if err := w.Shutdown(ctx, 0); err != nil {
				t.Error(err)
			}
		}
		w.close()
	})
}

// response is an answer as a caller reads it.
type response struct {
	Status int
	Header http.Header
	Text   string
	answer
}

// answer is what of the multi-status document these tests look at.
type answer struct {
	OperationID string `json:"operationId"`
	Complete    *bool
	Error       string
	Resolution  string
	ChildErrors []struct {
		Source, Kind string
		StatusCode   int
		RetryAfter   int
	}
	IncompleteFields []string
	Sources          []struct{ Source, Outcome, From string }
	Data             *profile
}

type profile struct {
	UserName string
	Name     *struct{ GivenName, FamilyName string }
	Emails   []struct {
		Value   string
		Sources []string
	}
	Active      *bool
	Roles       []struct{ Value, Source string }
	Identifiers []struct{ Kind, Value, Source string }
}

// ask sends a request and reads its answer.
func (w *world) ask(method, address, body string, header ...string) response {
	w.t.Helper()
	request, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	got, err := w.http.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = got.Body.Close() }()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	r := response{Status: got.StatusCode, Header: got.Header, Text: string(text)}
	_ = json.Unmarshal(text, &r.answer) // what is no document has none of its members
	return r
}

// lookup asks for somebody by an identifier.
func (w *world) lookup(p simulator.Person, kind string, header ...string) response {
	w.t.Helper()
	return w.ask(http.MethodGet, w.address(p, kind), "", header...)
}

func (w *world) address(p simulator.Person, kind string) string {
	return "http://" + w.Address + "/v1/tenants/" + p.Tenant + "/users/" + kind + ":" + escaped(p.IDs[kind])
}

// outcomes is how it went with each source, in a form that a test can state.
func (d answer) outcomes() map[string]string {
	all := map[string]string{}
	for _, s := range d.Sources {
		all[s.Source] = s.Outcome
	}
	for _, c := range d.ChildErrors {
		all[c.Source] += " " + c.Kind
	}
	return all
}

// TestWelcome does what the demo says one can do, line by line.
func TestWelcome(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	var text strings.Builder
	if err := w.welcome(&text); err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^  curl -s (?:-X (\w+) )?'?([^' \n]+)'?(?: -d '(.*)')?$`)
	var got []int
	for _, found := range line.FindAllStringSubmatch(text.String(), -1) {
		method := found[1]
		if method == "" {
			method = http.MethodGet
		}
		got = append(got, w.ask(method, found[2], found[3]).Status)
	}
	if diff := cmp.Diff([]int{200, 207, 200, 404, 400, 204, 207, 204}, got); diff != "" {
		t.Errorf("the lines answer otherwise (-want +got):\n%s\n%s", diff, text.String())
	}
	lookup := regexp.MustCompile(`(?m)^  muster lookup --config (\S+) --tenant (\S+) --explain (\S+)$`).FindStringSubmatch(text.String())
	if lookup == nil {
		t.Fatalf("no line looks up without HTTP:\n%s", text.String())
	}
	var out, errOut strings.Builder
	err := runLookup(t.Context(), lookupOptions{config: lookup[1], tenant: lookup[2], user: lookup[3], output: "text", explain: true}, &out, &errOut)
	if err != nil || !strings.Contains(out.String(), "overruled") {
		t.Errorf("%v: nobody is overruled in\n%s%s", err, out.String(), errOut.String())
	}
	for _, address := range []string{"/docs", "/v1/providers"} {
		if got := w.ask(http.MethodGet, "http://"+w.Address+address, ""); got.Status != http.StatusOK {
			t.Errorf("%s answers %d", address, got.Status)
		}
	}
}

// TestOneProfileOfFive is the main job: five systems, one person.
func TestOneProfileOfFive(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	casey := w.simulation.People()[0]
	got := w.lookup(casey, "email")
	if got.Status != http.StatusOK || *got.Complete != true {
		t.Fatalf("status %d: %s", got.Status, got.Text)
	}
	ok := withoutSearches(map[string]string{"aveva": "ok", "csp": "ok", "itwin": "ok", "kobil": "ok", "numium": "ok"})
	if diff := cmp.Diff(ok, got.outcomes()); diff != "" {
		t.Error(diff)
	}
	// By whichever identifier somebody asks, it is the same person.
	for kind := range casey.IDs {
		if kind == "kobil" { // an identifier that this gateway does not accept
			continue
		}
		if other := w.lookup(casey, kind); other.Header.Get("Etag") != got.Header.Get("Etag") {
			t.Errorf("by %s the answer is another: %s", kind, other.Text)
		}
	}
}

// TestEverybody looks up the whole population and holds the answers against the
// truth that the simulators tell.
func TestEverybody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 400)
	// Those for whom a system always fails have a test of their own: a 429 for one
	// closes the system for all. So have those who can be taken for another.
	// And so have those who are found by searches.
	people := slices.DeleteFunc(w.simulation.People(), func(p simulator.Person) bool { return p.FaultAt != "" || p.Danger != nil || p.Tenant == searched })
	var looking sync.WaitGroup
	turn := make(chan struct{}, 8)
	for _, p := range people {
		if p.IDs["email"] == "" {
			t.Fatalf("a person of %s without an address cannot be asked for", p.Tenant)
		}
		turn <- struct{}{}
		looking.Go(func() {
			defer func() { <-turn }()
			got := w.lookup(p, "email")
			if diff := cmp.Diff(expected(p), got.outcomes()); diff != "" {
				t.Errorf("%s %s %v (-want +got):\n%s", p.Tenant, p.IDs["email"], p.Traits, diff)
			}
			agrees(t, p, got)
			for _, canary := range []string{"CANARY", `"password"`} {
				if strings.Contains(got.Text, canary) {
					t.Errorf("the answer for %s has %s", p.IDs["email"], canary)
				}
			}
		})
	}
	looking.Wait()
	w.keepsSilent(people)
}

// withoutSearches adds that nobody is searched for, as where there are links.
func withoutSearches(outcomes map[string]string) map[string]string {
	for _, search := range []string{"numium-by-email", "csp-search", "kobil-search"} {
		outcomes[search] = "skipped"
	}
	return outcomes
}

// expected is how it goes with each source for somebody who has links, by what the
// systems know.
func expected(p simulator.Person) map[string]string {
	outcomes := withoutSearches(map[string]string{})
	for _, source := range []string{"numium", "csp", "kobil", "aveva", "itwin"} {
		switch _, known := p.Accounts[source]; {
		case source == "itwin" && p.Tenant != "acme":
			outcomes[source] = "skipped"
		case known:
			outcomes[source] = "ok"
		case source == "kobil" && p.IDs["username"] != "":
			outcomes[source] = "absent" // asked by a name that other systems have
		default:
			outcomes[source] = "unlinked"
		}
	}
	return outcomes
}

// TestPeopleWithFaults looks up those for whom one system always fails.
func TestPeopleWithFaults(t *testing.T) {
	t.Parallel()
	for _, p := range simulator.New(1, simulator.WithPeople(0)).People() {
		i := slices.IndexFunc(p.Traits, func(trait string) bool { return strings.HasPrefix(trait, "fault:") })
		if i < 0 {
			continue
		}
		fault := strings.TrimPrefix(p.Traits[i], "fault:")
		t.Run(p.FaultAt+" "+fault, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 0)
			want, got := expected(p), w.lookup(p, "email").outcomes()
			want[p.FaultAt] = faultOutcome(p.FaultAt, fault)
			for search := range withoutSearches(map[string]string{}) { // where the fault may be as well
				want[search] = got[search]
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// agrees holds a profile against the accounts that it was made of.
func agrees(t *testing.T, p simulator.Person, got response) {
	t.Helper()
	if got.Data == nil {
		t.Errorf("%s %v has no data: %s", p.IDs["email"], p.Traits, got.Text)
		return
	}
	for _, source := range []string{"numium", "csp", "kobil", "aveva", "itwin"} {
		account, known := p.Accounts[source]
		if !known || account.Empty {
			continue
		}
		if account.Email != "" && !hasEmail(got.Data, strings.ToLower(account.Email), source) {
			t.Errorf("%s: the address of %s is not there: %v", p.IDs["email"], source, got.Data.Emails)
		}
		for _, role := range account.Roles {
			if source != "kobil" && source != "itwin" && !hasRole(got.Data, role.Name, source) {
				t.Errorf("%s: the role %q of %s is not there", p.IDs["email"], role.Name, source)
			}
		}
	}
	if account, known := p.Accounts["kobil"]; known && (got.Data.Active == nil || *got.Data.Active != account.Enabled) {
		t.Errorf("%s: active is not what its authority says", p.IDs["email"])
	}
}

func hasEmail(p *profile, value, source string) bool {
	for _, e := range p.Emails {
		if e.Value == value && slices.Contains(e.Sources, source) {
			return true
		}
	}
	return false
}

func hasRole(p *profile, value, source string) bool {
	for _, r := range p.Roles {
		if r.Value == value && r.Source == source {
			return true
		}
	}
	return false
}

// keepsSilent searches logs, spans and metrics for anything of anybody.
func (w *world) keepsSilent(people []simulator.Person) {
	w.t.Helper()
	told := w.log.String() + w.ask(http.MethodGet, "http://"+w.Admin+"/metrics", "").Text +
		w.ask(http.MethodGet, "http://"+w.Admin+"/config", "").Text
	for _, span := range w.spans.Ended() {
		told += fmt.Sprintln(span.Name(), span.Attributes(), span.Events(), span.Status())
	}
	secrets := []string{"CANARY"}
	for _, c := range w.simulation.Credentials() {
		secrets = append(secrets, c.ClientSecret, c.Token, c.APIToken)
	}
	for _, p := range people {
		secrets = append(secrets, p.IDs["email"], p.IDs["oid"], p.IDs["csp"], p.IDs["aveva"], p.IDs["itwin"])
	}
	for _, secret := range slices.DeleteFunc(secrets, func(s string) bool { return s == "" }) {
		if at := strings.Index(told, secret); at >= 0 {
			w.t.Errorf("%q is told: …%s…", secret, told[max(0, at-200):min(len(told), at+200)])
			return
		}
	}
}

// TestFaults breaks all systems in one way after the other, and looks what is said.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, fault := range simulator.FaultKinds() {
		t.Run(fault.Kind, func(t *testing.T) {
			t.Parallel()
			var faults []string
			want := withoutSearches(map[string]string{})
			for _, source := range []string{"numium", "csp", "kobil", "aveva", "itwin"} {
				want[source] = faultOutcome(source, fault.Kind)
				if _, issues := tokenFaults()[source]; issues || !strings.HasPrefix(fault.Kind, "token-") {
					faults = append(faults, source+"="+fault.Kind)
				}
			}
			w := newWorld(t, 0, faults...)
			casey := w.simulation.People()[0]
			got := w.lookup(casey, "email")
			if diff := cmp.Diff(want, got.outcomes()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, child := range got.ChildErrors {
				if child.Kind == "rate_limited" && child.RetryAfter != 17 {
					t.Errorf("%s may be asked again in %d s, want 17", child.Source, child.RetryAfter)
				}
			}
			if strings.Contains(got.Text, "CANARY") {
				t.Error("the answer has what an upstream said of its failure")
			}
			w.keepsSilent([]simulator.Person{casey})
		})
	}
}

// tokenFaults are the sources that have their credential from a token endpoint.
func tokenFaults() map[string]bool { return map[string]bool{"aveva": true, "itwin": true, "csp": true} }

// faultOutcome is what becomes of a system's fault: the documents of the five, and
// the table of kinds.
func faultOutcome(source, fault string) string {
	special := map[string]string{
		"aveva 404":            "failed misconfigured", // seed 000: "Tenant not found"
		"aveva multi-status":   "partial unavailable",
		"aveva failure-in-200": "partial unavailable", // the same document under a 200
		"aveva absent-in-200":  "ok",                  // nobody is somebody without claims
		"aveva wrong-person":   "ok",                  // claims name nobody: it cannot be seen
		"numium absent-in-200": "absent",
		"kobil absent-in-200":  "absent",
		"numium token-401":     "ok", // no token endpoint
		"kobil token-401":      "ok",
		"numium token-500":     "ok",
		"kobil token-500":      "ok",
		"csp absent-in-200":    "failed malformed",
		"itwin absent-in-200":  "failed malformed",
		"csp failure-in-200":   "failed malformed",
		"itwin failure-in-200": "failed malformed",
	}
	if outcome, is := special[source+" "+fault]; is {
		return outcome
	}
	return map[string]string{
		"latency": "ok", "hang": "failed timeout", "reset": "failed unavailable",
		"401": "failed unauthenticated", "403": "failed denied", "404": "absent",
		"429": "failed rate_limited", "429-date": "failed rate_limited", "limit-exceeded": "failed rate_limited",
		"500": "failed unavailable", "503": "failed unavailable", "multi-status": "failed unavailable",
		"failure-in-200": "failed unavailable", "html": "failed malformed", "truncated": "failed unavailable",
		"huge": "failed malformed", "wrong-person": "failed mismatch",
		"token-401": "failed unauthenticated", "token-500": "failed unavailable",
	}[fault]
}

// TestOneCallPerSource has two hundred people ask for one at the same time.
func TestOneCallPerSource(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	sources := []string{"numium", "csp", "kobil", "aveva", "itwin"}
	for _, source := range sources {
		if err := w.simulation.SetFault(source, simulator.Fault{Kind: "latency", Latency: 300 * time.Millisecond}); err != nil {
			t.Fatal(err)
		}
	}
	casey := w.simulation.People()[0]
	etags := make([]string, 200)
	var asking sync.WaitGroup
	for i := range etags {
		asking.Go(func() { etags[i] = w.lookup(casey, "email").Header.Get("Etag") })
	}
	asking.Wait()
	if len(slices.Compact(etags)) != 1 || etags[0] == "" {
		t.Errorf("not one answer for all: %q", slices.Compact(etags))
	}
	calls := map[string]int64{}
	for _, source := range sources {
		calls[source] = w.simulation.Calls(source)
	}
	if diff := cmp.Diff(map[string]int64{"numium": 1, "csp": 1, "kobil": 1, "aveva": 1, "itwin": 1}, calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// TestBatchOfAHundred: with thirty duplicates it is seventy people's calls, and each
// has the answer of a lookup of their own.
func TestBatchOfAHundred(t *testing.T) {
	t.Parallel()
	together, alone := newWorld(t, 300), newWorld(t, 300)
	var people []simulator.Person
	for _, p := range together.simulation.People() {
		if p.Tenant == "acme" && p.IDs["email"] != "" && p.FaultAt == "" && p.Danger == nil && len(people) < 70 {
			people = append(people, p)
		}
	}
	var users []string
	for i := range 100 {
		users = append(users, fmt.Sprintf(`{"email":%q}`, people[i%70].IDs["email"]))
	}
	got := together.ask(http.MethodPost, "http://"+together.Address+"/v1/tenants/acme/lookups", `{"users":[`+strings.Join(users, ",")+`]}`, "Content-Type", "application/json")
	var document struct {
		Results []struct {
			Status int
			Data   json.RawMessage
		}
	}
	if err := json.Unmarshal([]byte(got.Text), &document); err != nil || len(document.Results) != 100 {
		t.Fatalf("%v, status %d: %.300s", err, got.Status, got.Text)
	}
	for i, r := range document.Results {
		single := alone.lookup(people[i%70], "email")
		var answer struct{ Data json.RawMessage }
		if err := json.Unmarshal([]byte(single.Text), &answer); err != nil || r.Status != single.Status || string(r.Data) != string(answer.Data) || len(r.Data) < 100 {
			t.Errorf("user %d: %d %s, alone %d %s", i, r.Status, r.Data, single.Status, answer.Data)
		}
	}
	for _, source := range []string{"numium", "csp", "kobil", "aveva", "itwin"} {
		if calls, want := together.simulation.Calls(source), alone.simulation.Calls(source); calls != want || calls < 20 {
			t.Errorf("%s was called %d times, want %d", source, calls, want)
		}
	}
}

// TestTrace follows a caller's trace through the gateway to the upstreams.
func TestTrace(t *testing.T) {
	t.Parallel()
	const id = "4bf92f3577b34da6a3ce929d0e0e4736"
	w := newWorld(t, 0, "csp=503")
	got := w.lookup(w.simulation.People()[0], "email", "traceparent", "00-"+id+"-00f067aa0ba902b7-01")
	if got.OperationID != id || got.Header.Get("Operation-Id") != id {
		t.Errorf("the operation is %s, want the caller's trace", got.OperationID)
	}
	// The answer is out a moment before the server's span has ended.
	for range 1000 {
		if slices.ContainsFunc(w.spans.Ended(), func(s sdktrace.ReadOnlySpan) bool { return strings.HasPrefix(s.Name(), "GET /v1") }) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	spans := map[string]int{}
	for _, s := range w.spans.Ended() {
		if s.SpanContext().TraceID().String() != id {
			t.Errorf("the span %q is of another trace", s.Name())
		}
		spans[s.Name()]++
		if s.Name() != "source csp" {
			continue
		}
		attributes := map[attribute.Key]any{}
		for _, a := range s.Attributes() {
			attributes[a.Key] = a.Value.AsInterface()
		}
		want := map[attribute.Key]any{
			"muster.source": "csp", "muster.outcome": "failed", "muster.kind": "unavailable", "error.type": "unavailable",
			"muster.from": "upstream", "http.response.status_code": int64(503), "muster.breaker.state": "closed",
		}
		if diff := cmp.Diff(want, attributes); diff != "" {
			t.Errorf("attributes (-want +got):\n%s", diff)
		}
	}
	want := map[string]int{"GET /v1/tenants/:tenant/users/:user": 1, "lookup": 1, "HTTP GET": 5, "HTTP POST": 3}
	for _, source := range []string{"numium", "csp", "kobil", "aveva", "itwin"} {
		want["source "+source], want["lookup "+source] = 1, 1
	}
	if diff := cmp.Diff(want, spans); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	if !strings.Contains(w.log.String(), `"msg":"source failed","source":"csp","kind":"unavailable","step":"the upstream answered 503","status":503`) ||
		!strings.Contains(w.log.String(), `"trace_id":"`+id+`"`) {
		t.Errorf("the log does not tell of it, or not in which trace:\n%s", w.log)
	}
}

// TestShutdown ends a gateway with requests in flight: readiness falls first, all
// of them finish, and then nobody is there.
func TestShutdown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	if err := w.simulation.SetFault("csp", simulator.Fault{Kind: "latency", Latency: time.Second}); err != nil {
		t.Fatal(err)
	}
	statuses := make([]int, 50)
	var asking sync.WaitGroup
	for i, p := range w.simulation.People()[:len(statuses)] {
		asking.Go(func() { statuses[i] = w.lookup(p, "email").Status })
	}
	for w.simulation.Calls("csp") < 5 {
		time.Sleep(time.Millisecond)
	}
	down := make(chan error)
	w.ended = true
	go func() { down <- w.Shutdown(context.WithoutCancel(t.Context()), 300*time.Millisecond) }()
	for w.ask(http.MethodGet, "http://"+w.Address+"/readyz", "").Status != http.StatusServiceUnavailable {
		time.Sleep(time.Millisecond)
	}
	select {
	case err := <-down:
		t.Fatalf("it was down as soon as it was not ready: %v", err)
	default:
	}
	asking.Wait()
	if err := <-down; err != nil {
		t.Error(err)
	}
	for i, status := range statuses {
		if status != http.StatusOK && status != http.StatusMultiStatus {
			t.Errorf("request %d in flight got %d", i, status)
		}
	}
	if response, err := w.http.Get("http://" + w.Address + "/healthz"); err == nil {
		t.Error("somebody still answers")
		_ = response.Body.Close()
	}
}

// TestAdminStaysInside looks for the operators' pages on the public listener.
func TestAdminStaysInside(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	got := map[string][2]int{}
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/config", "/debug/pprof/", "/debug/pprof/heap"} {
		got[path] = [2]int{
			w.ask(http.MethodGet, "http://"+w.Address+path, "").Status,
			w.ask(http.MethodGet, "http://"+w.Admin+path, "").Status,
		}
	}
	want := map[string][2]int{
		"/healthz": {200, 200}, "/readyz": {200, 200}, "/metrics": {404, 200}, "/config": {404, 200},
		"/debug/pprof/": {404, 200}, "/debug/pprof/heap": {404, 200},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if config := w.ask(http.MethodGet, "http://"+w.Admin+"/config", "").Text; strings.Count(config, `"<secret>"`) != 8 {
		t.Errorf("eight secrets are masked, in:\n%s", config)
	}
}

// TestTwoGateways run in one process, and know nothing of each other.
func TestTwoGateways(t *testing.T) {
	t.Parallel()
	one, other := newWorld(t, 0), newWorld(t, 0, "csp=503")
	casey := one.simulation.People()[0]
	got := []int{one.lookup(casey, "email").Status, other.lookup(casey, "email").Status, one.lookup(casey, "email").Status}
	if diff := cmp.Diff([]int{200, 207, 200}, got); diff != "" {
		t.Error(diff)
	}
}

// escaped is a value as one segment of a path.
func escaped(value string) string {
	var b strings.Builder
	for _, c := range []byte(value) {
		if strings.IndexByte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:@", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// lockedBuffer is a log that several write to.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

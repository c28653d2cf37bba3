package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	logs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/protobuf/proto"

	"muster/gateway/audit"
)

// beside runs another gateway before the same upstreams, whose file says more.
func (w *world) beside(more string, files map[string]string) *world {
	w.t.Helper()
	folder := w.t.TempDir()
	put := func(name, content string) {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	for _, name := range []string{"gateway.yaml", "links.csv"} {
		content, err := os.ReadFile(filepath.Join(w.folder, name))
		if err != nil {
			w.t.Fatal(err)
		}
		put(name, string(content)+map[string]string{"gateway.yaml": "\n" + more}[name])
	}
	for name, content := range files {
		put(name, content)
	}
	other := &world{t: w.t, spans: tracetest.NewSpanRecorder(), log: new(lockedBuffer), http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}}
	other.deploy(folder)
	other.simulation = w.simulation
	return other
}

const secretKey = "a secret key, of more than 32 bytes: CANARY\n"

// recordsOf are those in a file.
func recordsOf(t testing.TB, path string) []audit.Record {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var all []audit.Record
	lines := json.NewDecoder(bufio.NewReader(file))
	lines.DisallowUnknownFields()
	for {
		var r audit.Record
		switch err := lines.Decode(&r); {
		case err == io.EOF: //nolint:errorlint // the very error is promised
			return all
		case err != nil:
			t.Fatalf("record %d: %v", len(all)+1, err)
		}
		all = append(all, r)
	}
}

// TestAuditOfEverybody asks for all people of the demo by each of their identifiers, and
// looks for anything of anybody in the records, the log and the spans.
func TestAuditOfEverybody(t *testing.T) {
	t.Parallel()
	demo := newWorld(t, 40)
	w := demo.beside("audit: {file: audit.jsonl}\ntelemetry: {key: \"${file:key}\"}\n", map[string]string{"key": secretKey})
	people := w.simulation.People()
	asked := map[string]bool{} // operation ids
	want := 0
	statuses := map[int]int{}
	note := func(r response, people int) {
		if id := r.Header.Get("Operation-Id"); id != "" {
			asked[id] = true
		}
		want += people
		statuses[r.Status]++
	}
	for _, p := range people {
		for kind, value := range p.IDs {
			if !slices.Contains([]string{"email", "username", "oid", "aveva", "itwin", "numium", "csp"}, kind) || value == "" {
				continue
			}
			note(w.lookup(p, kind), 1)
		}
	}
	jane := people[0]
	note(w.ask(http.MethodDelete, w.address(jane, "email")+"/cache", ""), 1)
	note(w.ask(http.MethodPost, "http://"+w.Address+"/v1/tenants/"+jane.Tenant+"/lookups",
		fmt.Sprintf(`{"users":[{"email":%q},{"email":"nobody-CANARY@acme.example"},{"CANARY":"x"}]}`, jane.IDs["email"]), "Content-Type", "application/json"), 3)
	note(w.ask(http.MethodGet, "http://"+w.Address+"/v1/tenants/CANARY/users/email:CANARY@acme.example", ""), 1)
	note(w.ask(http.MethodGet, "http://"+w.Address+"/v1/me", ""), 1)
	if statuses[200] < len(people) || statuses[204] != 1 {
		t.Errorf("statuses %v", statuses)
	}

	path := filepath.Join(w.folder, "audit.jsonl")
	records := recordsOf(t, path)
	if len(records) != want {
		t.Errorf("%d records of %d queries", len(records), want)
	}
	for i, r := range records {
		if !asked[r.OperationID] || r.Version != 1 || r.Status < 200 || r.Caller != nil || time.Since(r.Time) > time.Hour {
			t.Fatalf("record %d: %+v", i, r)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]string{"the audit records": string(text), "the log": w.log.String(), "/config": w.ask(http.MethodGet, "http://"+w.Admin+"/config", "").Text}
	for _, span := range w.spans.Ended() {
		told["a span"] += fmt.Sprintln(span.Name(), span.Attributes(), span.Events(), span.Status())
	}
	secrets := newSearcher()
	secrets.add("CANARY")
	for _, p := range people {
		for _, value := range p.IDs {
			if len(value) > 6 { // else a number of the log may be the same
				secrets.add(value)
			}
		}
		for _, a := range p.Accounts {
			secrets.add(a.Email)
			secrets.add(a.AlternativeEmail)
		}
	}
	secrets.nothing(t, told)

	// One person is one hash: in the record, the span and the log.
	hash := records[len(records)-6].Subject[0].Hash // of the purge
	if at := slices.IndexFunc(records, func(r audit.Record) bool { return r.Action == audit.Purge }); at >= 0 {
		hash = records[at].Subject[0].Hash
	}
	found := 0
	for _, span := range w.spans.Ended() {
		for _, a := range span.Attributes() {
			if a.Key == "muster.subject" && a.Value.AsString() == hash {
				found++
			}
		}
	}
	if found < 3 || !strings.Contains(w.log.String(), `"subject":"`+hash+`"`) {
		t.Errorf("the hash %s is in %d spans, and in the log: %v", hash, found, strings.Contains(w.log.String(), hash))
	}
}

// TestKeyOfPseudonyms: a key that is written anew is in force without a restart, and two
// gateways with one key call people the same.
func TestKeyOfPseudonyms(t *testing.T) {
	t.Parallel()
	const more = "audit: {file: audit.jsonl}\ntelemetry: {key: \"${file:key}\"}\nreload: {watch: false}\n"
	demo := newWorld(t, 0)
	w, again := demo.beside(more, map[string]string{"key": secretKey}), demo.beside(more, map[string]string{"key": secretKey})
	without := demo.beside("audit: {file: audit.jsonl}\nreload: {watch: false}\n", nil)
	casey := w.simulation.People()[0]
	hash := func(w *world) string {
		t.Helper()
		w.lookup(casey, "email")
		records := recordsOf(t, filepath.Join(w.folder, "audit.jsonl"))
		return records[len(records)-1].Subject[0].Hash
	}
	reload := func(w *world, now chan<- struct{}) {
		t.Helper()
		before := strings.Count(w.log.String(), "the configuration has changed and is in force")
		now <- struct{}{}
		w.until("it is in force", func() bool {
			return strings.Count(w.log.String(), "the configuration has changed and is in force") > before
		})
	}
	one := hash(w)
	if other := hash(again); other != one {
		t.Errorf("two gateways say %q and %q", one, other)
	}
	now := w.follow()
	if err := os.WriteFile(filepath.Join(w.folder, "key"), []byte(strings.Repeat("another key ", 4)), 0o600); err != nil {
		t.Fatal(err)
	}
	reload(w, now)
	two := hash(w)
	if id, _, _ := strings.Cut(one, "."); two == one || strings.HasPrefix(two, id+".") {
		t.Errorf("after the change it is %q, and was %q", two, one)
	}
	if strings.Contains(w.log.String(), "waits for a restart") {
		t.Error("the log says that the key waits for a restart")
	}

	// A key of the process outlives a reload, and differs from every other.
	random := hash(without)
	reload(without, without.follow())
	if after := hash(without); after != random || random == one {
		t.Errorf("without a key it is %q, then %q", random, after)
	}
}

// TestAuditWhereNothingIsTaken: a disk that is full and a pipe that nobody reads, with
// records that are required and with others.
func TestAuditWhereNothingIsTaken(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("this system has no /dev/full")
	}
	demo := newWorld(t, 0)
	casey := demo.simulation.People()[0]
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	reader, err := os.OpenFile(pipe, os.O_RDONLY|syscall.O_NONBLOCK, 0) // who does not read
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	fill, err := syscall.Open(pipe, syscall.O_WRONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = syscall.Write(fill, make([]byte, 4096))
	}
	for err = nil; err == nil; {
		_, err = syscall.Write(fill, []byte{'\n'})
	}
	defer func() { _ = syscall.Close(fill) }()
	for _, file := range []string{"/dev/full", pipe} {
		for required, want := range map[bool]int{true: http.StatusServiceUnavailable, false: http.StatusOK} {
			w := demo.beside(fmt.Sprintf("audit: {file: %s, required: %v}\n", file, required), nil)
			var asking sync.WaitGroup
			for range 8 {
				asking.Go(func() {
					begin := time.Now()
					got := w.lookup(casey, "email")
					took := time.Since(begin)
					if got.Status != want || took > 10*time.Second || required && (got.Header.Get("Retry-After") != "5" || got.Data != nil) {
						t.Errorf("%s, required: %v: %d after %v, Retry-After %q: %s", file, required, got.Status, took, got.Header.Get("Retry-After"), got.Text)
					}
				})
			}
			asking.Wait()
			dropped := func() bool {
				return strings.Contains(w.ask(http.MethodGet, "http://"+w.Admin+"/metrics", "").Text, "muster_audit_dropped_total{")
			}
			w.until("the metric and the log tell", func() bool { return dropped() && strings.Contains(w.log.String(), "audit records") })
			if ready := w.ask(http.MethodGet, "http://"+w.Address+"/readyz", ""); ready.Status != http.StatusOK {
				t.Errorf("ready: %d", ready.Status)
			}
		}
	}
}

// collects is a collector of logs, which does as it is told.
type collects struct {
	*httptest.Server
	answer func(w http.ResponseWriter, r *http.Request)

	mu      sync.Mutex
	service string
	events  []string
	traces  []string
	bodies  []any
}

func newCollects(t testing.TB, answer func(http.ResponseWriter, *http.Request)) *collects {
	t.Helper()
	c := &collects{answer: answer}
	c.Server = httptest.NewServer(http.HandlerFunc(c.serve))
	t.Cleanup(c.Close)
	return c
}

func (c *collects) serve(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	var request logs.ExportLogsServiceRequest
	if r.URL.Path != "/v1/logs" || proto.Unmarshal(text, &request) != nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if c.answer != nil {
		c.answer(w, r)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range request.GetResourceLogs() {
		for _, a := range resource.GetResource().GetAttributes() {
			if a.GetKey() == "service.name" {
				c.service = a.GetValue().GetStringValue()
			}
		}
		for _, scope := range resource.GetScopeLogs() {
			for _, record := range scope.GetLogRecords() {
				c.events = append(c.events, record.GetEventName())
				c.traces = append(c.traces, fmt.Sprintf("%x", record.GetTraceId()))
				c.bodies = append(c.bodies, plainValue(record.GetBody()))
			}
		}
	}
}

// plainValue is an OTLP value as encoding/json has it.
func plainValue(v *common.AnyValue) any {
	switch v := v.GetValue().(type) {
	case *common.AnyValue_KvlistValue:
		members := map[string]any{}
		for _, member := range v.KvlistValue.GetValues() {
			members[member.GetKey()] = plainValue(member.GetValue())
		}
		return members
	case *common.AnyValue_ArrayValue:
		items := []any{}
		for _, item := range v.ArrayValue.GetValues() {
			items = append(items, plainValue(item))
		}
		return items
	case *common.AnyValue_IntValue:
		return float64(v.IntValue)
	default:
		return v.(*common.AnyValue_StringValue).StringValue
	}
}

// TestAuditToACollector: what stands in a file goes to a collector, under the same names.
func TestAuditToACollector(t *testing.T) {
	t.Parallel()
	c := newCollects(t, nil)
	demo := newWorld(t, 0)
	w := demo.beside(fmt.Sprintf("audit: {otlp: %q}\ntelemetry: {key: \"${file:key}\"}\n", c.URL+"/"), map[string]string{"key": secretKey})
	casey := w.simulation.People()[0]
	got := w.lookup(casey, "email")
	c.mu.Lock()
	defer c.mu.Unlock()
	if got.Status != http.StatusOK || len(c.bodies) != 1 || c.service != "muster" || c.events[0] != "muster.audit" || c.traces[0] != got.OperationID {
		t.Fatalf("status %d; service %q, events %q, traces %q", got.Status, c.service, c.events, c.traces)
	}
	text, err := json.Marshal(c.bodies[0])
	if err != nil {
		t.Fatal(err)
	}
	var record audit.Record
	tree := json.NewDecoder(strings.NewReader(string(text)))
	tree.DisallowUnknownFields()
	if err := tree.Decode(&record); err != nil {
		t.Fatal(err)
	}
	again, _ := json.Marshal(record)
	var back any
	_ = json.Unmarshal(again, &back)
	if diff := cmp.Diff(back, c.bodies[0]); diff != "" {
		t.Errorf("as in a file (-), to the collector (+):\n%s", diff)
	}
	if record.Status != 200 || record.Action != audit.Lookup || len(record.Sources) < 5 || len(record.Fields) < 5 || len(record.Subject) != 1 {
		t.Errorf("%s", text)
	}
}

// TestCollectorsInTrouble: one that is not there, that refuses, that takes a part, and that
// hangs.
func TestCollectorsInTrouble(t *testing.T) {
	t.Parallel()
	demo := newWorld(t, 0)
	casey := demo.simulation.People()[0]
	until := make(chan struct{})
	t.Cleanup(func() { close(until) })
	gone := httptest.NewServer(nil)
	gone.Close()
	var calls atomic.Int64
	tests := []struct {
		name   string
		answer func(http.ResponseWriter, *http.Request)
		want   int // where records are required
	}{
		{"not there", nil, 503},
		{"refuses", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }, 503},
		{"is busy", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, 503},
		{"is busy for a moment", func(w http.ResponseWriter, _ *http.Request) {
			if calls.Add(1) == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}, 200},
		{"takes a part", func(w http.ResponseWriter, _ *http.Request) {
			text, _ := proto.Marshal(&logs.ExportLogsServiceResponse{PartialSuccess: &logs.ExportLogsPartialSuccess{RejectedLogRecords: 1, ErrorMessage: "too old"}})
			w.Header().Set("Content-Type", "application/x-protobuf")
			_, _ = w.Write(text)
		}, 503},
		{"hangs", func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-until:
			case <-r.Context().Done():
			}
		}, 503},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			address := gone.URL
			if test.answer != nil {
				address = newCollects(t, test.answer).URL
			}
			own := &world{t: t, demo: demo.demo}
			for _, required := range []bool{true, false} {
				w := own.beside(fmt.Sprintf("audit: {otlp: %q, required: %v}\n", address, required), nil)
				want := http.StatusOK
				if required {
					want = test.want
				}
				begin := time.Now()
				got := w.lookup(casey, "email")
				if took := time.Since(begin); got.Status != want || took > 10*time.Second {
					t.Errorf("required: %v: %d after %v, want %d\n%s", required, got.Status, took, want, w.log)
				}
			}
		})
	}
}

// TestAuditAtTheEnd: a gateway that shuts down has written the records of all whom it has
// answered, and takes no more.
func TestAuditAtTheEnd(t *testing.T) {
	t.Parallel()
	demo := newWorld(t, 0)
	casey := demo.simulation.People()[0]
	for _, required := range []bool{true, false} {
		path := filepath.Join(t.TempDir(), "audit.jsonl")
		w := demo.beside(fmt.Sprintf("audit: {file: %s, required: %v}\n", path, required), nil)
		w.lookup(casey, "email")
		var answered atomic.Int64
		answered.Add(1)
		var asking sync.WaitGroup
		for range 4 {
			asking.Go(func() {
				for range 1000 {
					got, err := w.http.Get(w.address(casey, "email"))
					if err != nil {
						return // the listener is closed
					}
					_, _ = io.Copy(io.Discard, got.Body)
					_ = got.Body.Close()
					if got.StatusCode == http.StatusOK {
						answered.Add(1)
					}
				}
			})
		}
		time.Sleep(20 * time.Millisecond)
		w.ended = true
		if err := w.Shutdown(t.Context(), 0); err != nil {
			t.Error(err)
		}
		asking.Wait()
		if records := recordsOf(t, path); int64(len(records)) < answered.Load() {
			t.Errorf("%d records of %d answers", len(records), answered.Load())
		}
		if err := w.audit.Write(t.Context(), audit.Record{}); required && err == nil {
			t.Error("records are taken after the end")
		}
	}
}

// BenchmarkAudit is a cached lookup over HTTP, without records, with those that nobody
// waits for, and with those that are required: in turn, so that whatever else the machine
// does is the same for all. What counts is the ratio of their processor time, the
// client's half of it included.
func BenchmarkAudit(b *testing.B) {
	const turn, callers = 64, 4
	w := newBenchmark(b)
	casey := w.simulation.People()[0]
	var worlds []*world
	var requests []*http.Request
	for _, more := range []string{"", "audit: {file: audit.jsonl, required: false}\n", "audit: {file: audit.jsonl}\n"} {
		other := w.beside(more, nil)
		other.lookup(casey, "email")
		worlds, requests = append(worlds, other), append(requests, get(b, other.address(casey, "email")))
	}
	spent, took := make([]time.Duration, len(worlds)), make([]time.Duration, len(worlds))
	turns := 0
	for b.Loop() {
		turns++
		for i, other := range worlds {
			begin, before := time.Now(), cpu()
			var asking sync.WaitGroup
			for range callers {
				asking.Go(func() {
					for range turn / callers {
						other.do(b, requests[i].Clone(b.Context()), http.StatusOK)
					}
				})
			}
			asking.Wait()
			spent[i] += cpu() - before
			took[i] += time.Since(begin)
		}
	}
	each := float64(turns * turn)
	b.ReportMetric(float64(spent[0])/each, "cpu-ns/lookup")
	b.ReportMetric(float64(spent[1])/float64(spent[0]), "cpu:file/without")
	b.ReportMetric(float64(spent[2])/float64(spent[0]), "cpu:required/without")
	b.ReportMetric(float64(took[1])/float64(took[0]), "time:file/without")
	b.ReportMetric(float64(took[2])/float64(took[0]), "time:required/without")
}

// cpu is the processor time of this process so far.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

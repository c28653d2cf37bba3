package adapters_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"muster/adapters"
	"muster/adapters/catalog"
	"muster/config/document"
	"muster/normalize"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// plain is the smallest definition that says something; tests lay their own keys
// over it.
const plain = `
provider: directory
settings: {host: {format: host, required: true}, token: {format: secret}, region: {}}
auth: {none: true}
lookup: "GET https://{settings.host}/users/{id.self}"
ids: {self: {path: id, check: false}, username: {path: login, check: false}}
profile: {displayName: name}
tests:
  - {name: it is found, with: {settings: {host: h.example}, id: {self: "1"}}, reply: {json: {id: "1"}}, expect: {outcome: ok, ids: {self: "1"}}}
`

// resolve lays keys over the plain definition.
func resolve(keys string) (*adapters.Resolved, *document.Problems) {
	var problems document.Problems
	merged := document.Read("directory.yaml", []byte(plain), &problems)
	if keys != "" {
		merged = document.Overlay(merged, document.Read("directory.yaml", []byte(keys), &problems))
	}
	return &adapters.Resolved{Own: merged, Merged: merged, Chain: []string{"directory"}}, &problems
}

// define compiles the plain definition with keys laid over it.
func define(t testing.TB, keys string) *adapters.Definition {
	t.Helper()
	resolved, problems := resolve(keys)
	d := adapters.Compile(resolved)
	if err := problems.Err(); err != nil {
		t.Fatalf("the definition is wrong:\n%v", err)
	}
	return d
}

// mistakes are what is wrong with the definition, without the place.
func mistakes(t testing.TB, keys string) []string {
	t.Helper()
	resolved, problems := resolve(keys)
	adapters.Compile(resolved)
	var list []string
	for _, p := range problems.All() {
		list = append(list, strings.TrimSuffix(p.Message+" | "+p.Hint, " | "))
	}
	return list
}

// fromCatalog compiles a definition of the catalog.
func fromCatalog(t testing.TB, name string) *adapters.Definition {
	t.Helper()
	var problems document.Problems
	d := adapters.Compile(adapters.Resolve(name, catalog.Library(&problems)))
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return d
}

// settings are those of a deployment; the host is given unless it is named.
func settings(pairs ...string) adapters.Settings {
	s := adapters.Settings{"host": adapters.NewSecret("h.example")}
	for i := 0; i < len(pairs); i += 2 {
		s[pairs[i]] = adapters.NewSecret(pairs[i+1])
	}
	return s
}

// bind makes a source over a transport.
func bind(d *adapters.Definition, transport http.RoundTripper, pairs ...string) *adapters.Source {
	return d.Bind("directory", settings(pairs...), adapters.DefaultLimits(), nil, transport)
}

// ids makes a query of identifiers; a kind with "tenant." before it is the tenant's.
func ids(pairs ...string) adapters.Query {
	q := adapters.Query{IDs: map[string]string{}, Tenant: map[string]string{}}
	for i := 0; i < len(pairs); i += 2 {
		if name, ok := strings.CutPrefix(pairs[i], "tenant."); ok {
			q.Tenant[name] = pairs[i+1]
		} else {
			q.IDs[pairs[i]] = pairs[i+1]
		}
	}
	return q
}

// somebody is the person most tests ask about.
func somebody() adapters.Query { return ids("self", "1") }

// sent is a request as the upstream gets it.
type sent struct {
	Line   string // METHOD URL
	Header http.Header
	Body   string
}

// wire stands for the network: it remembers what was sent and answers.
type wire struct {
	answer func(*http.Request) (*http.Response, error)

	mu   sync.Mutex
	sent []sent
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		_ = r.Body.Close()
	}
	w.mu.Lock()
	w.sent = append(w.sent, sent{r.Method + " " + r.URL.String(), r.Header.Clone(), string(body)})
	w.mu.Unlock()
	return w.answer(r)
}

// requests are those sent so far.
func (w *wire) requests() []sent {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.sent)
}

// lines are the first lines of the requests sent so far.
func (w *wire) lines() []string {
	var lines []string
	for _, s := range w.requests() {
		lines = append(lines, s.Line)
	}
	return lines
}

// answers is a wire on which every request gets the same reply.
func answers(status int, body string, headers ...string) *wire {
	return &wire{answer: func(r *http.Request) (*http.Response, error) { return response(r, status, body, headers...), nil }}
}

// nothing is a wire on which nothing may be sent.
func nothing(t testing.TB) *wire {
	return &wire{answer: func(r *http.Request) (*http.Response, error) {
		t.Errorf("%s %s was sent", r.Method, r.URL)
		return nil, errors.New("nothing may be sent")
	}}
}

func response(r *http.Request, status int, body string, headers ...string) *http.Response {
	header := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		header.Set(headers[i], headers[i+1])
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r}
}

// silent is a body that says nothing more until its context is over.
type silent struct {
	io.Reader
	ctx    context.Context
	closed chan struct{}
	once   sync.Once
}

func newSilent(ctx context.Context, first string) *silent {
	return &silent{Reader: strings.NewReader(first), ctx: ctx, closed: make(chan struct{})}
}

func (s *silent) Read(p []byte) (int, error) {
	if n, err := s.Reader.Read(p); n > 0 || !errors.Is(err, io.EOF) {
		return n, err
	}
	select {
	case <-s.ctx.Done():
		return 0, s.ctx.Err()
	case <-s.closed:
		return 0, http.ErrBodyReadAfterClose
	}
}

func (s *silent) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

// outcome writes what came of asking in one line: the identifiers and the name,
// or the fault and when to come back.
func outcome(reply adapters.Reply, err error) string {
	if fault := adapters.FaultOf(err); fault != nil {
		text := fault.Error()
		if fault.RetryAfter != 0 {
			text += ", in " + fault.RetryAfter.String()
		}
		return text
	}
	parts := []string{"ok"}
	for _, id := range reply.Record.IDs {
		parts = append(parts, id.Kind+"="+id.Value)
	}
	if name := reply.Record.Profile.DisplayName; name != "" {
		parts = append(parts, "name="+name)
	}
	return strings.Join(parts, " ")
}

// kindOf is the kind of an error, 0 for none.
func kindOf(err error) adapters.Kind {
	if fault := adapters.FaultOf(err); fault != nil {
		return fault.Kind
	}
	return 0
}

func expect(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// tree is JSON as normalize reads it.
func tree(t testing.TB, text string) any {
	t.Helper()
	v, err := normalize.ParseJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// asJSON is a value in JSON.
func asJSON(t testing.TB, v any) string {
	t.Helper()
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(b.String())
}

// within runs f, which must end before long.
func within(t testing.TB, most time.Duration, f func()) {
	t.Helper()
	begin := time.Now()
	f()
	if took := time.Since(begin); took > most {
		t.Errorf("it took %v, want at most %v", took, most)
	}
}

func readAll(r io.ReadCloser) (string, error) {
	defer func() { _ = r.Close() }()
	content, err := io.ReadAll(r)
	return string(content), err
}

package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/adapters"
	"muster/gateway"
	"muster/gateway/audit"
	"muster/gateway/httpapi"
)

// records are a sink that keeps them, or fails.
type records struct {
	mu   sync.Mutex
	err  error
	kept []audit.Record
}

func (r *records) Write(_ context.Context, all []audit.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.kept = append(r.kept, all...)
	}
	return r.err
}

func (r *records) Close() error { return nil }

// take are the records since the last time, one to a line.
func (r *records) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := []string{}
	for _, one := range r.kept {
		text := fmt.Sprintf("%s %s", one.Action, one.Tenant)
		for _, id := range one.Subject {
			text += " " + id.Kind
		}
		all = append(all, fmt.Sprintf("%s %d %s", text, one.Status, strings.Join(one.Fields, ",")))
	}
	r.kept = nil
	return all
}

// recording is a door whose every answer needs a record.
func recording(t testing.TB, rate adapters.Rate, o httpapi.Options) (http.Handler, issuing, *records) {
	t.Helper()
	sink := new(records)
	trail, err := audit.Start(sink, audit.Options{Required: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { trail.Close(context.Background()) })
	i := newIssuing()
	o.Callers = i.callersAt(t, rate, true)
	return httpapi.New(recordingEngine(t, trail), o), i, sink
}

const (
	cacheOf = "/v1/tenants/acme/users/username:CANARY/cache"
	two     = `{"users":[{"username":"CANARY"},{"email":"CANARY@acme.example"}]}`
)

// TestRecords: whoever has come in and asks for people has a record of each, however it
// ends; who has not come in, and what is about nobody, has none.
func TestRecords(t *testing.T) {
	t.Parallel()
	h, i, sink := recording(t, adapters.Rate{}, httpapi.Options{})
	person := "/v1/tenants/acme/users/username:CANARY"
	tests := []struct {
		name, method, target, body string
		claims                     map[string]any // nil comes without a token
		status                     int
		want                       []string
	}{
		{"a lookup", "GET", person, "", map[string]any{}, 200, []string{"lookup acme username 200 userName"}},
		{"a lookup's headers", "HEAD", person, "", map[string]any{}, 200, []string{"lookup acme username 200 userName"}},
		{"nobody", "GET", "/v1/tenants/acme/users/username:nobody", "", map[string]any{}, 404, []string{"lookup acme username 404 "}},
		{"no user", "GET", "/v1/tenants/acme/users/", "", map[string]any{}, 400, []string{"lookup acme 400 "}},
		{"another parameter", "GET", person + "?CANARY=1", "", map[string]any{}, 400, []string{"lookup acme username 400 "}},
		{"another's tenant", "GET", strings.Replace(person, "acme", "globex", 1), "", map[string]any{}, 403, []string{"lookup globex username 403 "}},
		{"no tenant", "GET", strings.Replace(person, "acme", "CANARY", 1), "", map[string]any{}, 403, []string{"lookup  username 403 "}},
		{"not explained", "GET", person + "?explain=true", "", map[string]any{}, 403, []string{"lookup acme username 403 "}},
		{"oneself", "GET", "/v1/me", "", map[string]any{"email": "CANARY@acme.example"}, 200, []string{"lookup acme email 200 title"}},
		{"who does not say", "GET", "/v1/me", "", map[string]any{"email": nil, "sub": "CANARY"}, 403, []string{"lookup acme 403 "}},
		{"oneself elsewhere", "GET", "/v1/me?tenant=globex", "", map[string]any{}, 403, []string{"lookup globex 403 "}},
		{"a batch", "POST", lookupsOfAcme, two, map[string]any{}, 200, []string{"lookup acme email 200 title", "lookup acme username 200 userName"}},
		{"a batch that is none", "POST", lookupsOfAcme, "CANARY", map[string]any{}, 400, []string{"lookup acme 400 "}},
		{"a batch of nobody", "POST", lookupsOfAcme, `{"users":[]}`, map[string]any{}, 400, []string{"lookup acme 400 "}},
		{"a batch and a parameter", "POST", lookupsOfAcme + "?CANARY=1", two, map[string]any{}, 400, []string{"lookup acme 400 "}},
		{"another's batch", "POST", "/v1/tenants/globex/lookups", two, map[string]any{}, 403, []string{"lookup globex 403 "}},
		{"users who are none", "POST", lookupsOfAcme, `{"users":[{"CANARY":"x"},7,{"username":"nobody"}]}`, map[string]any{}, 207, []string{"lookup acme 400 ", "lookup acme 400 ", "lookup acme username 404 "}},
		{"a purge", "DELETE", cacheOf, "", map[string]any{"scope": "muster.purge"}, 204, []string{"purge acme username 204 "}},
		{"a purge without the right", "DELETE", cacheOf, "", map[string]any{}, 403, []string{"purge acme username 403 "}},
		{"a purge elsewhere", "DELETE", strings.Replace(cacheOf, "acme", "globex", 1), "", map[string]any{}, 403, []string{"purge globex username 403 "}},
		{"a purge and a parameter", "DELETE", cacheOf + "?CANARY=1", "", map[string]any{"scope": "muster.purge"}, 400, []string{"purge acme username 400 "}},

		{"nobody known", "GET", person, "", nil, 401, []string{}},
		{"sources", "GET", "/v1/providers", "", map[string]any{}, 200, []string{}},
		{"another method", "PUT", person, "", map[string]any{}, 405, []string{}},
		{"the document", "GET", "/openapi.yaml", "", map[string]any{}, 200, []string{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			header := []string{"traceparent", parent}
			if test.claims != nil {
				header = append(header, "Authorization", "Bearer "+i.token(t, test.claims))
			}
			r := batchRequest(t, test.target, test.body, header...)
			r.Method = test.method
			w := serve(h, r)
			got := sink.take()
			if test.name == "a batch" || test.name == "users who are none" {
				slices.Sort(got)
			}
			if w.Code != test.status {
				t.Errorf("status %d, want %d: %s", w.Code, test.status, w.Body)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if strings.Contains(fmt.Sprint(got), "CANARY") {
				t.Errorf("somebody is told: %s", got)
			}
		})
	}
}

// TestRecordsOfTooMany: what is refused for its number is no lookup, and fills no disk.
func TestRecordsOfTooMany(t *testing.T) {
	t.Parallel()
	h, i, sink := recording(t, adapters.Rate{Calls: 1, Per: time.Hour}, httpapi.Options{})
	token := "Bearer " + i.token(t, nil)
	codes := []int{}
	for range 3 {
		codes = append(codes, do(t, h, http.MethodGet, jane, "Authorization", token).Code)
	}
	expect(t, "statuses", codes, []int{200, 429, 429})
	expect(t, "records", sink.take(), []string{"lookup acme email 200 title"})
}

// TestNoRecordNoAnswer: while no record can be kept every route says so, when to come
// back, and nothing else; then all is as before.
func TestNoRecordNoAnswer(t *testing.T) {
	t.Parallel()
	h, i, sink := recording(t, adapters.Rate{}, httpapi.Options{})
	token := "Bearer " + i.token(t, map[string]any{"scope": "muster.purge", "email": "CANARY@acme.example"})
	ask := func(method, target string) (int, string, string) {
		r := batchRequest(t, target, two, "Authorization", token)
		r.Method = method
		w := serve(h, r)
		return w.Code, w.Header().Get("Retry-After"), w.Body.String()
	}
	routes := [][2]string{
		{http.MethodGet, "/v1/tenants/acme/users/username:CANARY"},
		{http.MethodGet, "/v1/tenants/acme/users/email:jane@acme.example?CANARY=1"},
		{http.MethodGet, "/v1/tenants/globex/users/email:jane@acme.example"},
		{http.MethodGet, "/v1/me"},
		{http.MethodPost, lookupsOfAcme},
		{http.MethodPost, "/v1/tenants/globex/lookups"},
		{http.MethodDelete, cacheOf},
	}
	sink.mu.Lock()
	sink.err = errors.New("no space left on device")
	sink.mu.Unlock()
	for _, route := range routes {
		code, after, text := ask(route[0], route[1])
		if code != http.StatusServiceUnavailable || after != "5" || !strings.Contains(text, `"error":"Not recorded."`) || strings.Contains(text, "CANARY") || strings.Contains(text, "device") {
			t.Errorf("%s %s: %d, Retry-After %q, %s", route[0], route[1], code, after, text)
		}
	}
	sink.mu.Lock()
	sink.err = nil
	sink.mu.Unlock()
	codes := []int{}
	for _, route := range routes {
		code, _, _ := ask(route[0], route[1])
		codes = append(codes, code)
	}
	expect(t, "statuses afterwards", codes, []int{200, 400, 403, 200, 200, 403, 204})
}

// TestWhoIsInTheLog: the line of a request about one person has their pseudonym, which is
// that of the record.
func TestWhoIsInTheLog(t *testing.T) {
	t.Parallel()
	log, logged := logTo(slog.LevelInfo)
	h, i, sink := recording(t, adapters.Rate{}, httpapi.Options{Log: log})
	token := "Bearer " + i.token(t, map[string]any{"scope": "muster.purge", "email": "Jane@acme.example"})
	do(t, h, http.MethodGet, jane, "Authorization", token)
	do(t, h, http.MethodGet, "/v1/me", "Authorization", token)
	do(t, h, http.MethodDelete, jane+"/cache", "Authorization", token)
	post(t, h, lookupsOfAcme, two, "Authorization", token)
	do(t, h, http.MethodGet, "/v1/providers", "Authorization", token)
	sink.mu.Lock()
	hash := sink.kept[0].Subject[0].Hash
	sink.mu.Unlock()
	if want := gateway.NewPseudonyms([]byte(strings.Repeat("k", 32))).Person("acme", "email", "jane@acme.example"); hash != want {
		t.Errorf("the record has %q, want %q", hash, want)
	}
	got := []any{}
	for _, line := range logged(t) {
		got = append(got, line["subject"])
	}
	expect(t, "subjects", got, []any{hash, hash, hash, nil, nil})
}

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"muster/adapters"
	"muster/cache"
	"muster/gateway"
	"muster/gateway/audit"
	"muster/gateway/httpapi"
	"muster/normalize"
)

const lookupsOfAcme = "/v1/tenants/acme/lookups"

func expect(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// batchRequest is a POST of a body; a header that is given replaces the usual one.
func batchRequest(t testing.TB, target, content string, header ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader(content))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

func post(t testing.TB, h http.Handler, target, content string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, batchRequest(t, target, content, header...))
	return w
}

// realEngine is a gateway whose sources say back whom they are asked for.
func realEngine(t testing.TB) *gateway.Gateway {
	t.Helper()
	return recordingEngine(t, nil)
}

// recordingEngine is one that keeps records of it.
func recordingEngine(t testing.TB, trail *audit.Trail) *gateway.Gateway {
	t.Helper()
	configuration := live()
	for _, source := range configuration.Sources {
		source.Hash, source.Keep = source.Name, adapters.Lifetimes{TTL: time.Minute}
		source.Adapter = adapters.AdapterFunc(func(_ context.Context, q adapters.Query) (adapters.Reply, error) {
			for _, value := range q.IDs {
				switch value {
				case "nobody":
					return adapters.Reply{}, adapters.Fail(adapters.NotFound, "a test says so", nil)
				case "down":
					return adapters.Reply{}, adapters.Fail(adapters.Unavailable, "a test says so", nil)
				}
			}
			return adapters.Reply{Record: normalize.Record{Profile: normalize.Profile{UserName: q.IDs["username"], Title: q.IDs["email"]}}}, nil
		})
	}
	configuration.Budget = time.Minute
	configuration.Pseudonyms = gateway.NewPseudonyms([]byte(strings.Repeat("k", gateway.MinPseudonymKey)))
	g, err := gateway.New(configuration, gateway.Options{Audit: trail, CacheBytes: 1 << 20, Tracer: tracenoop.NewTracerProvider().Tracer(""), Meter: metricnoop.NewMeterProvider().Meter("")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

// TestBatchRefusedAsAWhole: what is wrong with the body is told, with its place, and
// nothing that was sent is repeated.
func TestBatchRefusedAsAWhole(t *testing.T) {
	t.Parallel()
	h := httpapi.New(realEngine(t), httpapi.Options{})
	const likeThis = `For example {"users": [{"email": "jane@acme.example"}], "fields": ["emails"]}.`
	const one = `{"users":[{"username":"CANARY"}]}`
	tests := []struct {
		name, content      string
		header             []string
		status             int
		reason, resolution string
	}{
		{"nothing", "", nil, 400, "The body is empty.", likeThis},
		{"white space", " \n ", nil, 400, "The body is empty.", likeThis},
		{"a list", `[{"username":"CANARY"}]`, nil, 400, "The body is no JSON object.", likeThis},
		{"a text", `"CANARY"`, nil, 400, "The body is no JSON object.", likeThis},
		{"null", `null`, nil, 400, "The body is no JSON object.", likeThis},
		{"no JSON", "{\n  \"users\": [CANARY]}", nil, 400, "The body is not JSON: see line 2, column 13.", likeThis},
		{"a mark of byte order", "\ufeff" + one, nil, 400, "The body is not JSON: see line 1, column 1.", likeThis},
		{"cut off", `{"users":[{"username":"CANARY"`, nil, 400, "The body is not JSON: see line 1, column 31.", likeThis},
		{"a comma too many", `{"users":[{"username":"CANARY"},]}`, nil, 400, "The body is not JSON: see line 1, column 32.", likeThis},
		{"a comment", `{/* CANARY */"users":[]}`, nil, 400, "The body is not JSON: see line 1, column 2.", likeThis},
		{"no UTF-8", "{\"users\":[{\"username\":\"CANARY\xff\"}]}", nil, 400, "The body is not JSON: see line 1, column 30.", likeThis},
		{"half a character", `{"users":[{"username":"CANARY\ud800"}]}`, nil, 400, "The body is not JSON: see line 1, column 30.", likeThis},
		{"goes on", one + "{}", nil, 400, "The body goes on after its end.", "Send one JSON object and nothing else."},
		{"goes on, no JSON", one + "CANARY", nil, 400, "The body goes on after its end.", "Send one JSON object and nothing else."},
		{"another member", `{"users":[{"username":"CANARY"}],"CANARY":1}`, nil, 400, "The body has a member that is not known.", "Use: users, fields, sources."},
		{"a member in capitals", `{"Users":[]}`, nil, 400, "The body has a member that is not known.", "Use: users, fields, sources."},
		{"users twice", `{"users":[{"username":"CANARY"}],"users":[{"username":"CANARY"}]}`, nil, 400, "The body has the member users twice.", "Give it once."},
		{"fields twice", `{"fields":["emails"],"fields":["emails"],"users":[{"username":"CANARY"}]}`, nil, 400, "The body has the member fields twice.", "Give it once."},
		{"no users", `{"fields":["emails"]}`, nil, 400, "The body has no users.", likeThis},
		{"users is an object", `{"users":{"username":"CANARY"}}`, nil, 400, "users is no list.", likeThis},
		{"users is null", `{"users":null}`, nil, 400, "users is no list.", likeThis},
		{"nobody", `{"users":[]}`, nil, 400, "The batch has 0 users.", "Ask for 1 to 100 users at once."},
		{"101", `{"users":[` + strings.Repeat(`{"username":"CANARY"},`, 100) + `{}]}`, nil, 400, "The batch has 101 users.", "Ask for 1 to 100 users at once."},
		{"fields is a text", `{"users":[{"username":"CANARY"}],"fields":"emails"}`, nil, 400, "fields is no list.", likeThis},
		{"fields is null", `{"users":[{"username":"CANARY"}],"fields":null}`, nil, 400, "fields is no list.", likeThis},
		{"fields is empty", `{"users":[{"username":"CANARY"}],"fields":[]}`, nil, 400, "fields is an empty list.", "Leave it out for all."},
		{"a field is a number", `{"users":[{"username":"CANARY"}],"fields":["emails",7]}`, nil, 400, "fields[1] is no text.", "Give names as texts."},
		{"a field is empty", `{"users":[{"username":"CANARY"}],"fields":[""]}`, nil, 400, "fields[0] is empty.", "Give it a name, or leave it out."},
		{"a source is a list", `{"users":[{"username":"CANARY"}],"sources":[["directory"]]}`, nil, 400, "sources[0] is no text.", "Give names as texts."},
		{"a source", `{"users":[{"username":"CANARY"}],"sources":["moon"]}`, nil, 400, `The source "moon" in sources is not known.`, "Use: directory, badges."},
		{"a form", one, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "The body is not said to be application/json.", "Send Content-Type: application/json, and the body in UTF-8."},
		{"no type", one, []string{"Content-Type", ""}, 415, "The body is not said to be application/json.", "Send Content-Type: application/json, and the body in UTF-8."},
		{"Latin 1", one, []string{"Content-Type", "application/json; charset=iso-8859-1"}, 415, "The body is not said to be application/json.", "Send Content-Type: application/json, and the body in UTF-8."},
		{"compressed", one, []string{"Content-Encoding", "gzip"}, 415, "The body has a content coding.", "Send it without Content-Encoding."},
		{"large", one + strings.Repeat(" ", 64<<10), nil, 413, "The body has more than 64 KiB.", "Ask for fewer people at once."},
	}
	for _, test := range tests {
		w := post(t, h, lookupsOfAcme, test.content, test.header...)
		got := body(t, w)
		expect(t, test.name, fmt.Sprint(w.Code, " ", got["reason"], " ", got["resolution"]), fmt.Sprint(test.status, " ", test.reason, " ", test.resolution))
		if strings.Contains(w.Body.String(), "CANARY") {
			t.Errorf("%s: what was sent is repeated: %s", test.name, w.Body)
		}
	}
	for target, want := range map[string]string{
		lookupsOfAcme + "?fields=emails":        "400 The query has a parameter that is not known.",
		lookupsOfAcme + "?provenance=yes":       "400 The parameter provenance is neither true nor false.",
		"/v1/tenants/acne/lookups":              "404 No tenant 'acne' is configured.",
		"/v1/tenants/acne/lookups?fields=email": "404 No tenant 'acne' is configured.",
		"/v1/tenants/%61cme/lookups":            "400 The body is not JSON: see line 1, column 1.",
	} {
		w := post(t, h, target, "CANARY")
		expect(t, target, fmt.Sprint(w.Code, " ", body(t, w)["reason"]), want)
	}
	for _, typ := range []string{"application/json", "Application/JSON; charset=UTF-8", `application/json;charset="utf-8"`} {
		expect(t, typ, post(t, h, lookupsOfAcme, one, "Content-Type", typ).Code, 200)
	}
}

// TestBatchBodySizes: 64 KiB are read and not a byte more, also of a body that does not
// say how long it is.
func TestBatchBodySizes(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(httpapi.New(realEngine(t), httpapi.Options{}))
	defer server.Close()
	const one = `{"users":[{"username":"jane"}]}`
	for _, chunked := range []bool{false, true} {
		for size, want := range map[int]int{64 << 10: 200, 64<<10 + 1: 413, 1 << 20: 413} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+lookupsOfAcme, strings.NewReader(one+strings.Repeat(" ", size-len(one))))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			if chunked {
				r.ContentLength = -1
			}
			response, err := server.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			expect(t, fmt.Sprint(size, " bytes, chunked ", chunked), response.StatusCode, want)
		}
	}
}

// TestBatchResults: everybody has the status and the document that they would have
// alone, in the order asked; and one that cannot be read spoils no other.
func TestBatchResults(t *testing.T) {
	t.Parallel()
	h := httpapi.New(realEngine(t), httpapi.Options{})
	const byKind = `Call a user by kind and value, for example {"email": "jane@acme.example"}.`
	users := []struct{ user, alone, want string }{
		{`{"username":"jane"}`, "username:jane", ""},
		{`7`, "", "400 The user is no object. " + byKind},
		{`null`, "", "400 The user is no object. " + byKind},
		{`["username","CANARY"]`, "", "400 The user is no object. " + byKind},
		{`{"username":"nobody"}`, "username:nobody", ""},
		{`{}`, "", "400 The user has no identifier. Use one of: username, email."},
		{`{"username":7}`, "", "400 The user has an identifier that is no text. " + byKind},
		{`{"username":null}`, "", "400 The user has an identifier that is no text. " + byKind},
		{`{"username":["CANARY","b"]}`, "", "400 The user has an identifier that is no text. " + byKind},
		{`{"username":"a","username":"b"}`, "", "400 The user has two identifiers of one kind. Look the person up by one of them."},
		{`{"CANARY":"x"}`, "", "400 The user has a kind of identifier that is not accepted. Use one of: username, email."},
		{`{"username":"jane","fields":["emails"]}`, "", "400 The user has an identifier that is no text. " + byKind},
		{`{"email":""}`, "", "400 The email is empty. Give it a value, or leave it out."},
		{`{"username":"down"}`, "username:down", ""},
		{`{"email":"Jane@X.example"}`, "email:Jane@X.example", ""},
		{`{"username":"jane"}`, "username:jane", ""},
	}
	var all []string
	for _, u := range users {
		all = append(all, u.user)
	}
	w := post(t, h, lookupsOfAcme+"?provenance=true", `{"users":[`+strings.Join(all, ",")+`]}`, "traceparent", parent, "Prefer", "wait=9, handling=strict")
	expect(t, "status", w.Code, 207)
	for name, want := range map[string]string{
		"Cache-Control": "private, no-store", "Muster-Complete": "false", "Vary": "Authorization, Prefer", "Content-Type": "application/json",
		"Etag": "", "Age": "", "Preference-Applied": "wait=9, handling=strict",
	} {
		expect(t, name, w.Header().Get(name), want)
	}
	if strings.Contains(w.Body.String(), "CANARY") {
		t.Errorf("what was sent is repeated: %s", w.Body)
	}
	var got struct {
		OperationID string
		Results     []map[string]any
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || len(got.Results) != len(users) {
		t.Fatalf("%v: %s", err, w.Body)
	}
	for i, u := range users {
		r := got.Results[i]
		expect(t, "operation", r["operationId"], any(got.OperationID))
		if u.want != "" {
			expect(t, u.user, fmt.Sprint(r["status"], " ", r["reason"], " ", r["resolution"]), u.want)
			expect(t, u.user+": members", len(r), 6)
			continue
		}
		alone := do(t, h, http.MethodGet, "/v1/tenants/acme/users/"+u.alone+"?provenance=true", "Prefer", "handling=strict")
		document := body(t, alone)
		document["status"] = float64(alone.Code)
		expect(t, u.user+" as alone", timeless(r), timeless(document))
	}
	w = post(t, h, lookupsOfAcme, `{"users":[{"username":"jane"}],"fields":["userName"],"sources":["directory"]}`)
	expect(t, "all", fmt.Sprint(w.Code, w.Header().Get("Muster-Complete"), w.Header().Get("Cache-Control")), "200trueprivate, no-store")
	expect(t, "only what is asked for", timeless(body(t, w)["results"].([]any)[0].(map[string]any))["data"], any(map[string]any{"userName": "jane"}))
}

// timeless is a document without what differs from one asking to the next.
func timeless(document map[string]any) map[string]any {
	delete(document, "operationId")
	for _, list := range []string{"sources", "childErrors"} {
		items, _ := document[list].([]any)
		for _, item := range items {
			for _, member := range []string{"from", "age", "took", "operationId"} {
				delete(item.(map[string]any), member)
			}
		}
	}
	return document
}

// TestBatchQuery: what varies a lookup varies a batch.
func TestBatchQuery(t *testing.T) {
	t.Parallel()
	e := &engine{answer: complete()}
	h := newDoor(e, httpapi.Options{})
	begin := time.Now()
	post(t, h, lookupsOfAcme+"?provenance=true&explain=true", `{"sources":["a"],"users":[{"username":"jane","email":"j@x.example"},{"username":"joe"}],"fields":["emails","userName"]}`,
		"Cache-Control", "no-cache", "Prefer", "wait=1, handling=strict", "traceparent", parent)
	if len(e.asked) != 2 {
		t.Fatalf("asked %+v", e.asked)
	}
	for i, ids := range []map[string]string{{"username": "jane", "email": "j@x.example"}, {"username": "joe"}} {
		got := e.asked[i]
		if until := got.Want.Until; until.Before(begin.Add(time.Second)) || until.After(time.Now().Add(time.Second)) {
			t.Errorf("until %v", until)
		}
		want := gateway.Query{
			Tenant: "acme", IDs: ids, Fields: []string{"emails", "userName"}, Sources: []string{"a"}, Provenance: true, Explain: true, Strict: true,
			Want: cache.Want{NoCache: true, Until: got.Want.Until}, OperationID: traceID,
		}
		expect(t, "query", got, want)
	}
}

// failing has a result that is a mistake of our own, at two places.
type failing struct{ engine }

func (failing) Lookups(context.Context, gateway.Query, []map[string]string) ([]gateway.Result, error) {
	err := &gateway.PanicError{Type: "string", Stack: "where"}
	return []gateway.Result{{Err: err}, {Answer: complete()}, {Err: err}}, nil
}

// TestBatchOurMistake is a 500 at its place and one line in the log, and says nothing
// of what went wrong.
func TestBatchOurMistake(t *testing.T) {
	t.Parallel()
	log, lines := logTo(slog.LevelError)
	h := httpapi.New(&failing{engine{live: live()}}, httpapi.Options{Log: log})
	w := post(t, h, lookupsOfAcme, `{"users":[{"username":"a"},{"username":"b"},{"username":"a"}]}`, "traceparent", parent)
	var statuses []any
	for _, r := range body(t, w)["results"].([]any) {
		statuses = append(statuses, r.(map[string]any)["status"])
	}
	expect(t, "statuses", fmt.Sprint(w.Code, statuses), "207 [500 200 500]")
	if strings.Contains(w.Body.String(), "where") {
		t.Errorf("told: %s", w.Body)
	}
	expect(t, "log", lines(t), []map[string]any{{"level": "ERROR", "msg": "lookup failed", "error": "*gateway.PanicError", "operation_id": traceID, "panic": "string", "stack": "where"}})
}

// TestBatchCallerLeft: who has left is sent nothing.
func TestBatchCallerLeft(t *testing.T) {
	t.Parallel()
	ctx, leave := context.WithCancel(t.Context())
	leave()
	w := httptest.NewRecorder()
	newDoor(&engine{err: context.Canceled}, httpapi.Options{}).ServeHTTP(w, batchRequest(t, lookupsOfAcme, `{"users":[{"username":"a"}]}`).WithContext(ctx))
	expect(t, "status and body", fmt.Sprint(w.Code, " ", w.Body), "499 ")
}

// TestBatchIsNotCutOff: the server's limit for writing is shorter than a batch may take.
func TestBatchIsNotCutOff(t *testing.T) {
	t.Parallel()
	e := &engine{answer: complete(), live: live(), lookup: func(context.Context) { time.Sleep(300 * time.Millisecond) }}
	server := httptest.NewUnstartedServer(httpapi.New(e, httpapi.Options{}))
	server.Config.WriteTimeout = 100 * time.Millisecond
	server.Start()
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+lookupsOfAcme, strings.NewReader(`{"users":[{"username":"jane"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	expect(t, "status", response.StatusCode, 200)
}

// FuzzBatchBody sends any bytes as a body, through a real engine: it is answered as a
// whole, or everybody has a result.
func FuzzBatchBody(f *testing.F) {
	for _, content := range []string{
		"", "{", "null", `{"users":[{"username":"jane"}]}`, `{"users":[{}]}`, `{"users":[1,"a",null,[],{"username":{}}]}`, `{"users":[{"username":"a","username":"b"}]}`,
		`{"users":[{"username":"\ud800"}]}`, "\ufeff{}", `{"users":[{"email":"münchen@x.example","username":"a"}],"fields":["emails"],"sources":["badges"]}`,
		`{"users":[{"username":"nobody"},{"username":"down"}]} `, `{"users":[` + strings.Repeat("{},", 120) + `{}]}`, strings.Repeat("[", 20_000),
		`{"users":[` + strings.Repeat("[", 12_000) + strings.Repeat("]", 12_000) + `]}`, `{"fields":["\u0000"],"users":[{"username":"\u0000"}]}`,
	} {
		f.Add([]byte(content))
	}
	h := httpapi.New(realEngine(f), httpapi.Options{})
	f.Fuzz(func(t *testing.T, content []byte) {
		r := batchRequest(t, lookupsOfAcme, string(content))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if !slices.Contains([]int{200, 207, 400, 413}, w.Code) || !json.Valid(w.Body.Bytes()) || !utf8.Valid(w.Body.Bytes()) {
			t.Fatalf("%q: status %d: %q", content, w.Code, w.Body)
		}
		if w.Code >= 400 {
			return
		}
		var asked struct{ Users []json.RawMessage }
		if err := json.NewDecoder(bytes.NewReader(content)).Decode(&asked); err != nil {
			t.Fatalf("%q is answered: %v", content, err)
		}
		var got struct{ Results []struct{ Status int } }
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || len(got.Results) != len(asked.Users) {
			t.Fatalf("%q: %v, %s", content, err, w.Body)
		}
		for _, r := range got.Results {
			if w.Code == 200 && r.Status != 200 || r.Status == 500 {
				t.Errorf("%q: %d of %d", content, r.Status, w.Code)
			}
		}
	})
}

package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/gateway"
	"muster/gateway/httpapi"
)

// headers are the response's headers by name, but for those that every response
// has and that other tests look at.
func headers(w *httptest.ResponseRecorder) map[string]string {
	all := map[string]string{}
	for name := range w.Header() {
		switch name {
		case "Content-Length", "X-Content-Type-Options", "Content-Security-Policy", "Referrer-Policy": // of every answer: TestHardened
		default:
			all[name] = w.Header().Get(name)
		}
	}
	return all
}

func TestHeadersOfAProfile(t *testing.T) {
	t.Parallel()
	hit := complete()
	hit.Hit, hit.Age, hit.MaxAge = true, 112*time.Second+900*time.Millisecond, 188*time.Second+900*time.Millisecond
	tests := []struct {
		name   string
		answer gateway.Answer
		status int
		want   map[string]string
	}{
		{"complete and asked for", complete(), http.StatusOK, map[string]string{
			"Content-Type": "application/json", "Cache-Control": "private, max-age=0", "Etag": `W/"c0ffee"`, "Vary": "Authorization, Prefer",
			"Age": "0", "Cache-Status": "muster; fwd=miss", "Operation-Id": traceID, "Muster-Complete": "true",
		}},
		{"complete and kept", hit, http.StatusOK, map[string]string{
			"Content-Type": "application/json", "Cache-Control": "private, max-age=188", "Etag": `W/"c0ffee"`, "Vary": "Authorization, Prefer",
			"Age": "112", "Cache-Status": "muster; hit", "Operation-Id": traceID, "Muster-Complete": "true",
		}},
		{"partial", partial(), http.StatusMultiStatus, map[string]string{
			"Content-Type": "application/json", "Cache-Control": "private, no-store", "Etag": `W/"c0ffee"`, "Vary": "Authorization, Prefer",
			"Age": "0", "Cache-Status": "muster; fwd=miss", "Operation-Id": traceID, "Muster-Complete": "false",
		}},
	}
	e := new(engine)
	h := newDoor(e, httpapi.Options{})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e.told(test.answer, nil)
			w := do(t, h, http.MethodGet, jane, "traceparent", parent)
			if diff := cmp.Diff(test.want, headers(w)); w.Code != test.status || diff != "" {
				t.Errorf("status %d, headers (-want +got):\n%s", w.Code, diff)
			}
			answer := test.answer
			answer.OperationID = traceID
			want, err := json.Marshal(&answer)
			if err != nil {
				t.Fatal(err)
			}
			if got := w.Body.String(); got != string(want)+"\n" {
				t.Errorf("body %s\nwant %s", got, want)
			}

			head := do(t, h, http.MethodHead, jane, "traceparent", parent)
			if diff := cmp.Diff(w.Header(), head.Header()); head.Code != test.status || diff != "" {
				t.Errorf("HEAD: status %d, headers (-GET +HEAD):\n%s", head.Code, diff)
			}
		})
	}
}

func TestIfNoneMatch(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		header []string
		status int
	}{
		{"weak", []string{"If-None-Match", `W/"c0ffee"`}, 304},
		{"strong", []string{"If-None-Match", `"c0ffee"`}, 304},
		{"in a list", []string{"If-None-Match", `"a,b", W/"c0ffee"`}, 304},
		{"on a line of its own", []string{"If-None-Match", `"a"`, "If-None-Match", `W/"c0ffee"`}, 304},
		{"anything", []string{"If-None-Match", "*"}, 304},
		{"another", []string{"If-None-Match", `W/"decaf"`}, 200},
		{"within another", []string{"If-None-Match", `"x, W/"c0ffee`}, 200},
		{"without quotes", []string{"If-None-Match", "c0ffee"}, 200},
	}
	e := new(engine)
	h := newDoor(e, httpapi.Options{})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e.told(complete(), nil)
			w := do(t, h, http.MethodGet, jane, append(test.header, "traceparent", parent)...)
			if w.Code != test.status {
				t.Fatalf("status %d, want %d", w.Code, test.status)
			}
			if test.status != http.StatusNotModified {
				return
			}
			want := map[string]string{
				"Cache-Control": "private, max-age=0", "Etag": `W/"c0ffee"`, "Vary": "Authorization, Prefer",
				"Age": "0", "Cache-Status": "muster; fwd=miss", "Operation-Id": traceID, "Muster-Complete": "true",
			}
			if diff := cmp.Diff(want, headers(w)); diff != "" || w.Body.Len() > 0 {
				t.Errorf("body %q, headers (-want +got):\n%s", w.Body, diff)
			}
		})
	}
	e.told(partial(), nil)
	if w := do(t, h, http.MethodGet, jane, "If-None-Match", `W/"c0ffee"`); w.Code != http.StatusNotModified {
		t.Errorf("a 207 that has not changed: status %d, want 304", w.Code)
	}
	e.told(without(404), nil)
	if w := do(t, h, http.MethodGet, jane, "If-None-Match", "*"); w.Code != http.StatusNotFound {
		t.Errorf("nothing to match: status %d, want 404", w.Code)
	}
}

func TestAnswersWithoutData(t *testing.T) {
	t.Parallel()
	e := new(engine)
	h := newDoor(e, httpapi.Options{})
	for status, retryAfter := range map[int]string{404: "", 424: "", 429: "17", 502: "", 503: "17", 504: "17"} {
		answer := without(status, childError())
		answer.RetryAfter = 16*time.Second + time.Millisecond // told as 17: never too early
		e.told(answer, nil)
		w := do(t, h, http.MethodGet, jane, "traceparent", parent, "Prefer", "handling=strict")
		want := map[string]string{
			"Content-Type": "application/json", "Cache-Control": "private, no-store", "Vary": "Authorization, Prefer, Accept",
			"Operation-Id": traceID, "Preference-Applied": "handling=strict",
		}
		if retryAfter != "" {
			want["Retry-After"] = retryAfter
		}
		if diff := cmp.Diff(want, headers(w)); w.Code != status || diff != "" {
			t.Errorf("status %d, want %d; headers (-want +got):\n%s", w.Code, status, diff)
		}
		wantBody := map[string]any{
			"operationId": traceID, "error": "No source answered.", "reason": "Failed: badges (rate_limited).", "resolution": "Retry after 17 seconds.",
			"childErrors": []any{map[string]any{
				"source": "badges", "kind": "rate_limited", "statusCode": 429.0, "operationId": traceID, "error": "Too many requests.",
				"reason": "The upstream limits how often it may be asked.", "resolution": "Retry later.", "retryAfter": 17.0, "modelId": nil,
			}},
			"sources": []any{map[string]any{"source": "badges", "outcome": "failed", "from": "upstream", "age": 0.0, "took": 12.0}},
		}
		if diff := cmp.Diff(wantBody, body(t, w)); diff != "" {
			t.Errorf("%d: body (-want +got):\n%s", status, diff)
		}
	}
}

func TestErrorsOfTheEngine(t *testing.T) {
	t.Parallel()
	refused := &gateway.RequestError{Status: 404, Title: "Tenant not found.", Reason: "No such tenant is configured.", Resolution: "Use one of your tenants."}
	tests := []struct {
		name   string
		err    error
		status int
		want   string
	}{
		{"a refusal", refused, 404, "No such tenant is configured."},
		{"something unforeseen", errors.New("jane@acme.example"), 500, "The gateway failed on this request."},
		{"a cancellation that was not the caller's", context.Canceled, 500, "The gateway failed on this request."},
	}
	e := new(engine)
	h := newDoor(e, httpapi.Options{})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e.told(gateway.Answer{}, test.err)
			w := do(t, h, http.MethodGet, jane)
			if got := body(t, w)["reason"]; w.Code != test.status || got != test.want {
				t.Errorf("status %d, reason %q; want %d, %q", w.Code, got, test.status, test.want)
			}
		})
	}
}

func TestACallerWhoLeft(t *testing.T) {
	t.Parallel()
	ctx, leave := context.WithCancel(t.Context())
	h := newDoor(&engine{err: context.Canceled, lookup: func(context.Context) { leave() }}, httpapi.Options{})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, jane, nil))
	if w.Code != 499 || w.Body.Len() != 0 {
		t.Errorf("status %d, body %q; want 499 and none", w.Code, w.Body)
	}
}

func TestProviders(t *testing.T) {
	t.Parallel()
	directory := map[string]any{"name": "directory", "about": "The people.", "fields": []any{"userName", "emails", "identifiers"}, "needs": []any{[]any{"username"}}, "yields": []any{"directory"}, "breaker": "closed"}
	badges := map[string]any{"name": "badges", "about": "The doors.", "fields": []any{"userName", "emails", "identifiers"}, "needs": []any{[]any{"email"}}, "yields": []any{"badges"}, "breaker": "half-open"}
	h := newDoor(new(engine), httpapi.Options{})
	for query, want := range map[string][]any{"": {directory, badges}, "?tenant=acme": {directory, badges}, "?tenant=globex": {directory}} {
		w := do(t, h, http.MethodGet, "/v1/providers"+query, "traceparent", parent)
		if diff := cmp.Diff(map[string]any{"providers": want}, body(t, w)); w.Code != http.StatusOK || diff != "" {
			t.Errorf("%q: status %d (-want +got):\n%s", query, w.Code, diff)
		}
		wantHeaders := map[string]string{"Content-Type": "application/json", "Cache-Control": "private, no-store", "Vary": "Authorization, Prefer", "Operation-Id": traceID}
		if diff := cmp.Diff(wantHeaders, headers(w)); diff != "" {
			t.Errorf("headers (-want +got):\n%s", diff)
		}
	}
}

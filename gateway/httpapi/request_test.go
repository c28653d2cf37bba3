package httpapi_test

import (
	"math"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/cache"
	"muster/gateway"
	"muster/gateway/httpapi"
)

func TestWhatTheEngineIsAsked(t *testing.T) {
	t.Parallel()
	const user = "email:jane@acme.example"
	tests := []struct {
		name   string
		query  string
		header []string
		want   gateway.Query
	}{
		{"nothing more", "", nil, gateway.Query{}},
		{"one field", "fields=emails", nil, gateway.Query{Fields: []string{"emails"}}},
		{"fields by commas, and repeated", "fields=userName,name.givenName&fields=emails", nil, gateway.Query{Fields: []string{"userName", "name.givenName", "emails"}}},
		{"spaces around names", "fields=userName,+emails", nil, gateway.Query{Fields: []string{"userName", "emails"}}},
		{"sources", "sources=directory,badges", nil, gateway.Query{Sources: []string{"directory", "badges"}}},
		{"provenance", "provenance=true", nil, gateway.Query{Provenance: true}},
		{"explain", "explain=true", nil, gateway.Query{Explain: true}},
		{"no provenance", "provenance=false", nil, gateway.Query{}},

		{"strict", "", []string{"Prefer", "handling=strict"}, gateway.Query{Strict: true}},
		{"strict among others", "", []string{"Prefer", `respond-async, foo="a,b"; x=1`, "Prefer", "Handling = strict; y"}, gateway.Query{Strict: true}},
		{"strict in quotes", "", []string{"Prefer", `handling="strict"`}, gateway.Query{Strict: true}},
		{"strict within a value", "", []string{"Prefer", `foo=", handling=strict"`}, gateway.Query{}},
		{"strict behind a quoted quote", "", []string{"Prefer", `foo="a\", handling=strict, \"b"`}, gateway.Query{}},
		{"the first of two counts", "", []string{"Prefer", "handling=lenient, handling=strict"}, gateway.Query{}},

		{"no-cache", "", []string{"Cache-Control", "no-cache"}, gateway.Query{Want: cache.Want{NoCache: true}}},
		{"only-if-cached", "", []string{"Cache-Control", "Only-If-Cached"}, gateway.Query{Want: cache.Want{OnlyIfCached: true}}},
		{"max-age and max-stale", "", []string{"Cache-Control", "max-age=60, max-stale=600"}, gateway.Query{Want: cache.Want{MaxAge: ptr(time.Minute), MaxStale: ptr(10 * time.Minute)}}},
		{"any staleness", "", []string{"Cache-Control", "max-stale"}, gateway.Query{Want: cache.Want{MaxStale: ptr(time.Duration(math.MaxInt64))}}},
		{"the tightest limits", "", []string{"Cache-Control", "max-age=60, max-stale=9", "Cache-Control", `max-age="5", max-stale, max-age=70`}, gateway.Query{Want: cache.Want{MaxAge: ptr(5 * time.Second), MaxStale: ptr(9 * time.Second)}}},
		{"a limit that is none accepts nothing old", "", []string{"Cache-Control", "max-age=-1, max-stale=soon"}, gateway.Query{Want: cache.Want{MaxAge: ptr(time.Duration(0)), MaxStale: ptr(time.Duration(0))}}},
		{"a limit beyond all numbers", "", []string{"Cache-Control", "max-age=99999999999999999999"}, gateway.Query{Want: cache.Want{MaxAge: ptr(math.MaxInt32 * time.Second)}}},
		{"other directives", "", []string{"Cache-Control", "no-store, no-transform, min-fresh=3, ,x"}, gateway.Query{}},
	}
	e := new(engine)
	h := newDoor(e, httpapi.Options{})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e.told(complete(), nil)
			w := do(t, h, http.MethodGet, jane+"?"+test.query, append(test.header, "traceparent", parent)...)
			if w.Code != http.StatusOK {
				t.Fatalf("status %d: %s", w.Code, w.Body)
			}
			want := test.want
			want.Tenant, want.User, want.OperationID = "acme", user, traceID
			if diff := cmp.Diff([]gateway.Query{want}, e.asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
			applied := ""
			if want.Strict {
				applied = "handling=strict"
			}
			if got := w.Header().Get("Preference-Applied"); got != applied {
				t.Errorf("Preference-Applied %q, want %q", got, applied)
			}
		})
	}
}

// TestWait asks with a preference for an early answer: it is a point in time, so
// that all sources of a lookup share it.
func TestWait(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, prefer string
		want         time.Duration // 0: no preference
		applied      string
	}{
		{"tenths", "wait=0.3", 300 * time.Millisecond, "wait=0.3"},
		{"whole seconds", "wait=2", 2 * time.Second, "wait=2"},
		{"in quotes", `wait="1.5"`, 1500 * time.Millisecond, "wait=1.5"},
		{"with a parameter", "wait=1; x=2", time.Second, "wait=1"},
		{"and strictly", "handling=strict, wait=1", time.Second, "handling=strict, wait=1"},
		{"the first of two counts", "wait=1, wait=9", time.Second, "wait=1"},
		{"without a value", "wait", 0, ""},
		{"below zero", "wait=-1", 0, ""},
		{"no number", "wait=soon", 0, ""},
		{"two points", "wait=1.2.3", 0, ""},
		{"a number in another form", "wait=1e3", 0, ""},
		{"longer than anybody waits", "wait=9999999999", 0, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := new(engine)
				e.told(complete(), nil)
				w := do(t, newDoor(e, httpapi.Options{}), http.MethodGet, jane, "Prefer", test.prefer)
				var want time.Time
				if test.want != 0 {
					want = time.Now().Add(test.want)
				}
				if got := e.asked[0].Want.Until; !got.Equal(want) {
					t.Errorf("waits until %v, want %v", got, want)
				}
				if got := w.Header().Get("Preference-Applied"); got != test.applied {
					t.Errorf("Preference-Applied %q, want %q", got, test.applied)
				}
			})
		})
	}
}

func TestSegmentsAreDecodedOnce(t *testing.T) {
	t.Parallel()
	tests := []struct{ path, tenant, user string }{
		{"acme/users/jane", "acme", "jane"},
		{"acme/users/csp:vmware.com%3A1f0c", "acme", "csp:vmware.com:1f0c"},
		{"acme/users/csp:vmware.com:1f0c", "acme", "csp:vmware.com:1f0c"},
		{"acme/users/a%2Fb", "acme", "a/b"},
		{"acme/users/a%252Fb", "acme", "a%2Fb"},
		{"acme/users/a%25", "acme", "a%"},
		{"acme/users/email:jane+tag@acme.example", "acme", "email:jane+tag@acme.example"},
		{"acme/users/email:jane%2Btag@acme.example", "acme", "email:jane+tag@acme.example"},
		{"acme/users/a%20b", "acme", "a b"},
		{"acme/users/%C3%A4", "acme", "ä"},
		{"acme/users/%FF%00", "acme", "\xff\x00"},
		{"acme/users/..", "acme", ".."},
		{"acme/users/%2e%2e", "acme", ".."},
		{"acme/users/a%3Fb%23c;d", "acme", "a?b#c;d"},
		{"acme/users/", "acme", ""},
		{"a%2Fb/users/x", "a/b", "x"},
	}
	e := new(engine)
	h := newDoor(e, httpapi.Options{})
	for _, test := range tests {
		t.Run(test.path, func(t *testing.T) {
			e.told(complete(), nil)
			w := do(t, h, http.MethodGet, "/v1/tenants/"+test.path)
			if len(e.asked) != 1 {
				t.Fatalf("the engine was asked %d times; status %d", len(e.asked), w.Code)
			}
			if got := e.asked[0]; got.Tenant != test.tenant || got.User != test.user {
				t.Errorf("tenant %q user %q, want %q and %q", got.Tenant, got.User, test.tenant, test.user)
			}
		})
	}
}

func TestRequestsThatCannotBeUnderstood(t *testing.T) {
	t.Parallel()
	const notKnown, use = "The query has a parameter that is not known.", "Use: fields, sources, provenance, explain. A token belongs into the Authorization header."
	tests := []struct{ name, query, reason, resolution string }{
		{"an unknown parameter", "filter=x", notKnown, use},
		{"a token", "access_token=s3cr3t", notKnown, use},
		{"a parameter without a name", "=x", notKnown, use},
		{"other case", "Fields=emails", notKnown, use},
		{"no fields", "fields=", "The parameter fields has an empty name.", "Separate names by single commas, or leave the parameter out."},
		{"an empty field", "fields=emails,,userName", "The parameter fields has an empty name.", "Separate names by single commas, or leave the parameter out."},
		{"no sources", "sources", "The parameter sources has an empty name.", "Separate names by single commas, or leave the parameter out."},
		{"no boolean", "provenance=1", "The parameter provenance is neither true nor false.", "Write provenance=true or provenance=false."},
		{"an empty boolean", "provenance=", "The parameter provenance is empty, or given more than once.", "Give it once, with a value, or leave it out."},
		{"two booleans", "provenance=true&provenance=false", "The parameter provenance is empty, or given more than once.", "Give it once, with a value, or leave it out."},
		{"a semicolon", "fields=a;sources=b", "The query cannot be read.", "Percent-encode names and values; separate parameters by &."},
		{"half an escape", "fields=%4", "The query cannot be read.", "Percent-encode names and values; separate parameters by &."},
	}
	e := new(engine)
	h := newDoor(e, httpapi.Options{})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e.told(complete(), nil)
			w := do(t, h, http.MethodGet, jane+"?"+test.query, "traceparent", parent)
			want := map[string]any{"operationId": traceID, "error": "Bad request.", "reason": test.reason, "resolution": test.resolution, "childErrors": []any{}}
			if diff := cmp.Diff(want, body(t, w)); w.Code != http.StatusBadRequest || diff != "" {
				t.Errorf("status %d (-want +got):\n%s", w.Code, diff)
			}
			if len(e.asked) != 0 {
				t.Error("the engine was asked all the same")
			}
			if strings.Contains(w.Body.String(), "s3cr3t") {
				t.Error("the token is repeated")
			}
		})
	}
}

// TestProvidersParameters: the other route that has parameters reads them alike.
func TestProvidersParameters(t *testing.T) {
	t.Parallel()
	h := newDoor(new(engine), httpapi.Options{})
	for query, want := range map[string]string{
		"tenant=":              "The parameter tenant is empty, or given more than once.",
		"tenant=a&tenant=acme": "The parameter tenant is empty, or given more than once.",
		"fields=a":             "The query has a parameter that is not known.",
		"tenant=" + url.QueryEscape("\xff<script>"): "No such tenant is configured.",
	} {
		w := do(t, h, http.MethodGet, "/v1/providers?"+query)
		if got := body(t, w)["reason"]; got != want {
			t.Errorf("%s: reason %q, want %q", query, got, want)
		}
	}
}

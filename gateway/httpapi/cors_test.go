package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/gateway/httpapi"
)

func TestCORS(t *testing.T) {
	t.Parallel()
	const portal = "https://portal.example"
	configured := []string{portal, "http://localhost:3000", "null", "*", ""}
	const methods, sent = "GET, HEAD, POST, DELETE, OPTIONS", "Accept, Authorization, Cache-Control, Content-Type, If-None-Match, Prefer, traceparent, tracestate"
	const read = "Muster-Complete, Operation-Id, ETag, Age, Cache-Status, Retry-After, RateLimit, RateLimit-Policy, Preference-Applied, WWW-Authenticate"
	tests := []struct {
		name    string
		origins []string
		method  string
		path    string
		origin  string
		status  int
		want    map[string]string
		vary    []string
	}{
		{
			"a page that may", configured, "GET", jane, portal, 200,
			map[string]string{"Access-Control-Allow-Origin": portal, "Access-Control-Expose-Headers": read},
			[]string{"Origin", "Authorization, Prefer"},
		},
		{
			"an error that may be read", configured, "GET", "/v1/nothing", portal, 404,
			map[string]string{"Access-Control-Allow-Origin": portal, "Access-Control-Expose-Headers": read},
			[]string{"Origin", "Authorization, Prefer, Accept"},
		},
		{
			"its preflight", configured, "OPTIONS", jane, portal, 204,
			map[string]string{"Access-Control-Allow-Origin": portal, "Access-Control-Allow-Methods": methods, "Access-Control-Allow-Headers": sent, "Access-Control-Max-Age": "600"},
			[]string{"Origin"},
		},
		{"another page", configured, "GET", jane, "https://evil.example", 200, map[string]string{}, []string{"Origin", "Authorization, Prefer"}},
		{"another page's preflight", configured, "OPTIONS", jane, "https://evil.example", 204, map[string]string{}, []string{"Origin"}},
		{"another scheme", configured, "GET", jane, "http://portal.example", 200, map[string]string{}, []string{"Origin", "Authorization, Prefer"}},
		{"another port", configured, "GET", jane, portal + ":8443", 200, map[string]string{}, []string{"Origin", "Authorization, Prefer"}},
		{"a longer name", configured, "GET", jane, portal + ".evil.example", 200, map[string]string{}, []string{"Origin", "Authorization, Prefer"}},
		{"other case", configured, "GET", jane, "https://PORTAL.example", 200, map[string]string{}, []string{"Origin", "Authorization, Prefer"}},
		{"null, even where it is configured", configured, "GET", jane, "null", 200, map[string]string{}, []string{"Origin", "Authorization, Prefer"}},
		{"no page", configured, "GET", jane, "", 200, map[string]string{}, []string{"Origin", "Authorization, Prefer"}},
		{"nobody may", nil, "GET", jane, portal, 200, map[string]string{}, []string{"Authorization, Prefer"}},
		{"null where nobody may", []string{"null"}, "GET", jane, "null", 200, map[string]string{}, []string{"Authorization, Prefer"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := newDoor(&engine{answer: complete()}, httpapi.Options{Origins: test.origins})
			header := []string{"Access-Control-Request-Method", "GET"}
			if test.origin != "" {
				header = append(header, "Origin", test.origin)
			}
			w := do(t, h, test.method, test.path, header...)
			got := map[string]string{}
			for name := range w.Header() {
				if len(name) > 14 && name[:14] == "Access-Control" {
					got[name] = w.Header().Get(name)
				}
			}
			if diff := cmp.Diff(test.want, got); w.Code != test.status || diff != "" {
				t.Errorf("status %d, want %d; headers (-want +got):\n%s", w.Code, test.status, diff)
			}
			if diff := cmp.Diff(test.vary, w.Header().Values("Vary")); diff != "" {
				t.Errorf("Vary (-want +got):\n%s", diff)
			}
			if test.method == http.MethodOptions && w.Header().Get("Allow") != "GET, HEAD, OPTIONS" {
				t.Errorf("Allow %q", w.Header().Get("Allow"))
			}
		})
	}
}

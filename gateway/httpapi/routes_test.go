package httpapi_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/gateway/httpapi"
)

func TestPathsAndMethods(t *testing.T) {
	t.Parallel()
	const allow = "GET, HEAD, OPTIONS"
	tests := []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", jane, 200, ""},
		{"HEAD", jane, 200, ""},
		{"OPTIONS", jane, 204, allow},
		{"POST", jane, 405, allow},
		{"PUT", jane, 405, allow},
		{"DELETE", jane, 405, allow},
		{"TRACE", jane, 405, allow},
		{"BREW", jane, 405, allow},
		{"GET", "/v1/providers", 200, ""},
		{"HEAD", "/v1/providers", 200, ""},
		{"POST", "/v1/providers", 405, allow},
		{"GET", "/v1/tenants/acme/lookups", 405, "POST, OPTIONS"},
		{"HEAD", "/v1/tenants/acme/lookups", 405, "POST, OPTIONS"},
		{"OPTIONS", "/v1/tenants/acme/lookups", 204, "POST, OPTIONS"},
		{"GET", "/healthz", 200, ""},
		{"HEAD", "/healthz", 200, ""},
		{"GET", "/readyz", 200, ""},
		{"OPTIONS", "/docs", 204, allow},

		{"GET", "/", 404, ""},
		{"GET", "/v1", 404, ""},
		{"OPTIONS", "/v1", 404, ""},
		{"TRACE", "/v1", 404, ""},
		{"GET", jane + "/", 404, ""},
		{"DELETE", jane + "/cache", 204, ""},
		{"OPTIONS", jane + "/cache", 204, "DELETE, OPTIONS"},
		{"GET", jane + "/cache", 405, "DELETE, OPTIONS"},
		{"POST", jane + "/cache", 405, "DELETE, OPTIONS"},
		{"DELETE", jane + "/cache/", 404, ""},
		{"GET", "/V1/providers", 404, ""},
		{"GET", "/v1/providers/", 404, ""},
		{"GET", "//v1/providers", 404, ""},
		{"GET", "/v1/../v1/providers", 404, ""},
		{"GET", "/%761/providers", 404, ""},
		// What comes with other issues.
		// What is for operators alone.
		{"GET", "/metrics", 404, ""},
		{"GET", "/config", 404, ""},
		{"GET", "/debug/pprof/", 404, ""},
		{"GET", "/debug/pprof/cmdline", 404, ""},
	}
	ready := httpapi.NewReadiness()
	ready.Set(true)
	h := newDoor(&engine{answer: complete()}, httpapi.Options{Ready: ready})
	for _, test := range tests {
		t.Run(test.method+" "+test.path, func(t *testing.T) {
			w := do(t, h, test.method, test.path, "X-HTTP-Method-Override", "GET", "X-Forwarded-Prefix", "/x", "X-Forwarded-Uri", "/healthz")
			if w.Code != test.status || w.Header().Get("Allow") != test.allow {
				t.Errorf("status %d, Allow %q; want %d, %q", w.Code, w.Header().Get("Allow"), test.status, test.allow)
			}
			if w.Header().Get("Location") != "" {
				t.Error("it redirects")
			}
			if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(w.Header().Get("Operation-Id")) {
				t.Errorf("Operation-Id %q", w.Header().Get("Operation-Id"))
			}
			if got := w.Header().Get("X-Content-Type-Options"); got != "nosniff" {
				t.Errorf("X-Content-Type-Options %q", got)
			}
			if test.status == 204 && w.Body.Len() > 0 {
				t.Errorf("a 204 with a body: %q", w.Body)
			}
			if test.status < 400 {
				return
			}
			want := map[string]any{"operationId": w.Header().Get("Operation-Id"), "error": "Not found.", "reason": "Nothing is served at this path.", "resolution": "/docs and /openapi.yaml tell what is.", "childErrors": []any{}}
			if test.status == 405 {
				want["error"], want["reason"], want["resolution"] = "Method not allowed.", "This path does not know the method.", "Use one of: "+test.allow+"."
			}
			if diff := cmp.Diff(want, body(t, w)); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			if got := w.Header().Get("Cache-Control"); got != "private, no-store" {
				t.Errorf("Cache-Control %q", got)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("a", n) }
	uri := func(n int) string { return "/v1/tenants/acme/users/" + long(n-len("/v1/tenants/acme/users/")) }
	// Host: example.com and X: and their punctuation; see headerSize.
	header := func(n int) string { return long(n - len("Hostexample.com: \r\n") - len("X: \r\n")) }
	tests := []struct {
		name, target, x string
		status          int
		want            string
	}{
		{"8 KiB of address", uri(8 << 10), "", 200, ""},
		{"a byte more", uri(8<<10 + 1), "", 414, "The address has more than 8 KiB."},
		{"a query counts", jane + "?fields=" + long(8<<10), "", 414, "The address has more than 8 KiB."},
		{"16 KiB of header", jane, header(16 << 10), 200, ""},
		{"a byte more of it", jane, header(16<<10 + 1), 431, "The header fields have more than 16 KiB together."},
		{"where nothing is", "/" + long(9<<10), "", 414, "The address has more than 8 KiB."},
	}
	e := new(engine)
	h := newDoor(e, httpapi.Options{})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e.told(complete(), nil)
			w := do(t, h, http.MethodGet, test.target, "X", test.x)
			if w.Code != test.status {
				t.Fatalf("status %d, want %d", w.Code, test.status)
			}
			if test.status == 200 {
				return
			}
			if got := body(t, w)["reason"]; got != test.want || len(e.asked) != 0 {
				t.Errorf("reason %q, want %q; the engine was asked %d times", got, test.want, len(e.asked))
			}
		})
	}
}

package httpapi_test

import (
	"io"
	"math"
	"net/http"
	"strings"
	"testing"

	"muster/adapters"
	"muster/gateway/httpapi"
)

func TestAdmin(t *testing.T) {
	t.Parallel()
	log, lines := logTo(0)
	config := any(map[string]any{"password": adapters.NewSecret("s3cr3t"), "address": "127.0.0.1:8080"})
	h := httpapi.Admin(httpapi.AdminOptions{
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "muster_up 1\n") }),
		Config:  func() any { return config },
		Log:     log,
	})
	tests := []struct {
		method, path string
		status       int
		contains     string
	}{
		{"GET", "/metrics", 200, "muster_up 1\n"},
		{"GET", "/config", 200, "{\n  \"address\": \"127.0.0.1:8080\",\n  \"password\": \"<secret>\"\n}\n"},
		{"GET", "/debug/pprof/", 200, "heap"},
		{"GET", "/debug/pprof/goroutine?debug=1", 200, "goroutine profile"},
		{"GET", "/debug/pprof/cmdline", 200, ""},
		{"POST", "/debug/pprof/symbol", 200, "num_symbols"},
		{"POST", "/config", 405, ""},
		{"GET", "/v1/providers", 404, ""},
		{"GET", "/docs", 404, ""},
	}
	for _, test := range tests {
		w := do(t, h, test.method, test.path)
		if w.Code != test.status || !strings.Contains(w.Body.String(), test.contains) {
			t.Errorf("%s %s: status %d, body %.200q; want %d, %q", test.method, test.path, w.Code, w.Body, test.status, test.contains)
		}
	}

	config = math.NaN() // no JSON
	if w := do(t, h, http.MethodGet, "/config"); w.Code != http.StatusInternalServerError || len(lines(t)) != 1 {
		t.Errorf("status %d, log %v", w.Code, lines(t))
	}
	bare := httpapi.Admin(httpapi.AdminOptions{})
	for _, path := range []string{"/metrics", "/config"} {
		if w := do(t, bare, http.MethodGet, path); w.Code != http.StatusNotFound {
			t.Errorf("%s without one: status %d", path, w.Code)
		}
	}
}

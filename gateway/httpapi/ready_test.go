package httpapi_test

import (
	"net/http"
	"sync"
	"testing"

	"muster/gateway/httpapi"
)

func TestReadiness(t *testing.T) {
	t.Parallel()
	ready := httpapi.NewReadiness()
	public := newDoor(&engine{}, httpapi.Options{Ready: ready})
	admin := httpapi.Admin(httpapi.AdminOptions{Ready: ready})
	steps := []struct {
		name           string
		step           func()
		status         int
		short, verbose string
	}{
		{"at first", func() {}, 503, "not ready\n", "[-] serving\nnot ready\n"},
		{"serving", func() { ready.Set(true) }, 200, "ready\n", "[+] serving\nready\n"},
		{"something needed is missing", func() { ready.Require("keys", false) }, 503, "not ready\n", "[+] serving\n[-] keys\nnot ready\n"},
		{"and is there", func() { ready.Require("keys", true) }, 200, "ready\n", "[+] serving\n[+] keys\nready\n"},
		{"something else is missing", func() { ready.Tell("second cache", false) }, 200, "ready\n", "[+] serving\n[+] keys\n[-] second cache (not required)\nready\n"},
		{"and is there too", func() { ready.Tell("second cache", true) }, 200, "ready\n", "[+] serving\n[+] keys\n[+] second cache\nready\n"},
		{"shutting down", func() { ready.Set(false) }, 503, "not ready\n", "[-] serving\n[+] keys\n[+] second cache\nnot ready\n"},
	}
	for _, s := range steps {
		s.step()
		if ready.Ready() != (s.status == 200) {
			t.Errorf("%s: Ready %v", s.name, ready.Ready())
		}
		for _, h := range []http.Handler{public, admin} {
			for query, want := range map[string]string{"": s.short, "?verbose": s.verbose, "?verbose=1": s.verbose} {
				w := do(t, h, http.MethodGet, "/readyz"+query)
				if w.Code != s.status || w.Body.String() != want {
					t.Errorf("%s: %s is %d %q, want %d %q", s.name, query, w.Code, w.Body, s.status, want)
				}
				if got := w.Header().Get("Cache-Control"); got != "no-store" {
					t.Errorf("Cache-Control %q", got)
				}
			}
			if w := do(t, h, http.MethodGet, "/healthz"); w.Code != http.StatusOK || w.Body.String() != "ok\n" {
				t.Errorf("%s: /healthz is %d %q", s.name, w.Code, w.Body)
			}
		}
	}
}

// TestReadinessIsNotLost: writers at the same time do not undo each other.
func TestReadinessIsNotLost(t *testing.T) {
	t.Parallel()
	ready := httpapi.NewReadiness()
	var writers sync.WaitGroup
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		writers.Go(func() { ready.Require(name, true); ready.Ready() })
	}
	writers.Go(func() { ready.Set(true) })
	writers.Wait()
	if !ready.Ready() {
		t.Error("not ready")
	}
	ready.Require("e", false)
	if ready.Ready() {
		t.Error("ready without e")
	}
}

// TestNotReadyUnlessTold: who forgets the readiness is not sent requests.
func TestNotReadyUnlessTold(t *testing.T) {
	t.Parallel()
	for _, h := range []http.Handler{newDoor(&engine{}, httpapi.Options{}), httpapi.Admin(httpapi.AdminOptions{})} {
		if w := do(t, h, http.MethodGet, "/readyz"); w.Code != http.StatusServiceUnavailable {
			t.Errorf("status %d", w.Code)
		}
	}
}

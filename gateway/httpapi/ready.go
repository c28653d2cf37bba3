package httpapi

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// serving is the condition that Set moves.
const serving = "serving"

// Readiness tells load balancers whether to send requests here. As a handler it
// is /readyz: 200 while every required condition holds, else 503; with ?verbose
// it names them all, one to a line. It is safe for concurrent use.
type Readiness struct {
	mu         sync.Mutex // held by writers
	conditions atomic.Pointer[[]condition]
}

type condition struct {
	name     string
	holds    bool
	required bool
}

// NewReadiness is one that is not ready until Set(true).
func NewReadiness() *Readiness {
	r := new(Readiness)
	r.conditions.Store(&[]condition{{name: serving, required: true}})
	return r
}

// Set says that the gateway serves, or, when it shuts down, that it will not for long.
func (r *Readiness) Set(ready bool) { r.put(condition{serving, ready, true}) }

// Require names a condition without which the gateway is not ready, and whether
// it holds. The name is shown to the public: it holds no address and no secret.
func (r *Readiness) Require(name string, holds bool) { r.put(condition{name, holds, true}) }

// Tell names a condition that ?verbose shows and that decides nothing: the
// gateway answers without a second cache, and partially without an upstream.
func (r *Readiness) Tell(name string, holds bool) { r.put(condition{name, holds, false}) }

// Forget takes a condition away.
func (r *Readiness) Forget(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := slices.DeleteFunc(slices.Clone(*r.conditions.Load()), func(c condition) bool { return c.name == name })
	r.conditions.Store(&all)
}

// Ready tells whether every required condition holds.
func (r *Readiness) Ready() bool {
	return !slices.ContainsFunc(*r.conditions.Load(), func(c condition) bool { return c.required && !c.holds })
}

// put replaces the condition of that name, or adds it behind the others.
func (r *Readiness) put(c condition) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := slices.Clone(*r.conditions.Load())
	if i := slices.IndexFunc(all, func(other condition) bool { return other.name == c.name }); i >= 0 {
		all[i] = c
	} else {
		all = append(all, c)
	}
	r.conditions.Store(&all)
}

// ServeHTTP is /readyz.
func (r *Readiness) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	var text strings.Builder
	ready := true
	verbose := req.URL.Query().Has("verbose")
	for _, c := range *r.conditions.Load() {
		ready = ready && (c.holds || !c.required)
		if verbose {
			text.WriteString(c.line())
		}
	}
	if ready {
		say(w, http.StatusOK, text.String()+"ready\n")
	} else {
		say(w, http.StatusServiceUnavailable, text.String()+"not ready\n")
	}
}

// line is the condition as Kubernetes' own components write theirs.
func (c condition) line() string {
	switch {
	case c.holds:
		return fmt.Sprintf("[+] %s\n", c.name)
	case c.required:
		return fmt.Sprintf("[-] %s\n", c.name)
	default:
		return fmt.Sprintf("[-] %s (not required)\n", c.name)
	}
}

// healthz says that the process runs and answers. Whether requests should come
// here is for /readyz to say.
func healthz(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok\n") }

// say answers a probe, which is for the moment alone.
func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // a probe that has left needs no answer
}

package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A reply is an answer before it is written, so that a fault can still alter it.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// document is a reply of JSON, written as most servers do: without HTML escapes.
func document(status int, v any) reply {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // only a type of this package that cannot be JSON
	}
	return reply{status, http.Header{"Content-Type": {"application/json; charset=utf-8"}}, bytes.TrimSpace(b.Bytes())}
}

func text(status int, body string) reply {
	return reply{status, http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, []byte(body)}
}

func notFound() reply { return text(http.StatusNotFound, "404 page not found") }

// with adds a header; an empty value adds none.
func (r reply) with(name, value string) reply {
	if value != "" {
		r.header.Set(name, value)
	}
	return r
}

// as is the same reply under another status.
func (r reply) as(status int) reply { r.status = status; return r }

// begin writes the status line and the header of a body of the given length.
func (r reply) begin(w http.ResponseWriter, length int) {
	for name, values := range r.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(length))
	w.WriteHeader(r.status)
}

func (r reply) write(w http.ResponseWriter) {
	r.begin(w, len(r.body))
	_, _ = w.Write(r.body) // a client that left is nothing to report
}

// allowed answers 405 to any other method than the one documented.
func allowed(w http.ResponseWriter, r *http.Request, method string) bool {
	if r.Method != method {
		text(http.StatusMethodNotAllowed, "405 method not allowed").with("Allow", method).write(w)
	}
	return r.Method == method
}

// match compares a path with a pattern, segment by segment, and decodes the {named} ones exactly once. Unlike
// http.ServeMux it neither cleans nor redirects: what a client really sent is what is judged.
func match(pattern, escapedPath string) (map[string]string, bool) {
	want, have := strings.Split(pattern, "/"), strings.Split(escapedPath, "/")
	if len(want) != len(have) {
		return nil, false
	}
	segments := make(map[string]string)
	for i, w := range want {
		if !strings.HasPrefix(w, "{") {
			if w != have[i] {
				return nil, false
			}
			continue
		}
		value, err := url.PathUnescape(have[i])
		if err != nil {
			return nil, false
		}
		segments[strings.Trim(w, "{}")] = value
	}
	return segments, true
}

// hostOf is the host that a request names, without its port.
func hostOf(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.Host); err == nil {
		return host
	}
	return r.Host
}

// sleep waits, and is false when the client has left (or the simulation has closed) before the time is over.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

package draft_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"muster/adapters"
)

// rapidContext is a context for checks that have no test of their own at hand.
type rapidContext struct{}

func (rapidContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (rapidContext) Done() <-chan struct{}       { return nil }
func (rapidContext) Err() error                  { return nil }
func (rapidContext) Value(any) any               { return nil }

// canned answers every token request, and everything else with one reply.
type canned []byte

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	body := []byte(c)
	if r.Method == http.MethodPost {
		body = []byte(`{"access_token": "t", "expires_in": 60}`)
	}
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), Request: r}, nil
}

// ask gives a definition a reply for an answer about somebody whose identifiers
// are written KIND=VALUE.
func ask(t testing.TB, d *adapters.Definition, reply []byte, ids string) adapters.Reply {
	t.Helper()
	settings := adapters.Settings{}
	for _, setting := range d.Settings() {
		if setting.Default == "" {
			settings[setting.Name] = adapters.NewSecret("s.example")
		}
	}
	q := adapters.Query{IDs: map[string]string{}, Tenant: map[string]string{"self": "1024"}}
	for _, id := range strings.Fields(ids) {
		kind, value, _ := strings.Cut(id, "=")
		q.IDs[kind] = value
	}
	got, err := d.Bind(d.Name, settings, adapters.DefaultLimits(), nil, canned(reply)).Fetch(t.Context(), q)
	if err != nil {
		t.Fatalf("%s: %v", d.Name, err)
	}
	return got
}

package config_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"muster/adapters"
	"muster/adapters/guard"
	"muster/gateway"
)

// A source that is asked as whoever asks will answer nobody where nobody is known;
// that is told at the words which make it so.
func TestSourcesThatNeedCallers(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"gateway.yaml": `tenants: {acme: {}}
providers:
  - {use: people}
  - {use: oidc-userinfo, with: {host: login.example.com, audience: api}}
  - use: oidc-userinfo
    name: exchanged
    with: {host: login.example.com}
    auth: {exchange: {token_url: "https://login.example.com/token", client_id: muster, client_secret: s3cret}}
  - {use: oidc-userinfo, name: ours, with: {host: login.example.com}, auth: {bearer: s3cret}}
`,
		"providers/people.yaml": definition("people", "https://people.example.com/{id.email}"),
	})
	file := load(t, dir)
	var got []string
	for _, note := range file.Notes {
		if strings.HasPrefix(note, "the source ") {
			got = append(got, strings.ReplaceAll(note, filepath.Join(dir, "gateway.yaml"), "gateway.yaml"))
		}
	}
	note := "the source %s at gateway.yaml:%s is asked with the token of whoever asks, and no `callers` are configured: it fails with `denied`"
	if want := []string{fmt.Sprintf(note, "oidc-userinfo", "4:11"), fmt.Sprintf(note, "exchanged", "8:5")}; !slices.Equal(got, want) {
		t.Errorf("notes %q\nwant  %q", got, want)
	}
	as := map[string]bool{}
	for _, s := range live(t, file).Sources {
		as[s.Name] = s.Upstream.AsCaller()
	}
	if fmt.Sprint(as) != "map[exchanged:true oidc-userinfo:true ours:false people:false]" {
		t.Errorf("asked as the caller: %v", as)
	}
}

// TestTwoCallersOfOneFile: a token endpoint and an upstream, and two callers who
// ask after one another and at once for each other and for themselves. Each sees
// what is theirs, and nothing of their tokens is in a log or a span.
func TestTwoCallersOfOneFile(t *testing.T) {
	dir := writeFiles(t, map[string]string{"gateway.yaml": `tenants: {acme: {}}
providers:
  - {use: oidc-userinfo, name: direct, with: {host: direct.example.com, audience: api}}
  - use: oidc-userinfo
    name: exchanged
    with: {host: exchanged.example.com}
    auth: {exchange: {token_url: "https://login.example.com/token", client_id: muster, client_secret: secret-canary}}
`})
	wire := &callersWire{}
	var log bytes.Buffer
	spans := tracetest.NewInMemoryExporter()
	tracers := trace.NewTracerProvider(trace.WithSyncer(spans))
	guards, err := guard.NewTelemetry(tracers, metricnoop.NewMeterProvider(), slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	l := load(t, dir).Live(guards, func(http.RoundTripper) http.RoundTripper { return wire }, nil)
	g, err := gateway.New(l, gateway.Options{CacheBytes: 1 << 20, Tracer: tracers.Tracer(""), Meter: metricnoop.NewMeterProvider().Meter("")})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	callers := map[string]*gateway.Caller{"": nil}
	for _, name := range []string{"jane", "joan"} {
		callers[name] = &gateway.Caller{
			Caller:  adapters.Caller{Issuer: "https://login.example.com/", Subject: name + "-subject", Token: adapters.NewSecret(name + "-token-canary"), Audiences: []string{"muster", "api"}},
			Tenants: []string{"acme"},
		}
	}
	ask := func(caller, source, person string) string {
		a, err := g.Lookup(t.Context(), gateway.Query{Tenant: "acme", User: source + ":" + person, Sources: []string{source}, Caller: callers[caller]})
		if err != nil {
			return err.Error()
		}
		text, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "canary") {
			t.Errorf("the answer holds %s", text)
		}
		if a.Data != nil {
			return a.Data.DisplayName
		}
		return a.ChildErrors[0].Kind
	}
	var group sync.WaitGroup
	for range 20 {
		for _, source := range []string{"direct", "exchanged"} {
			for _, test := range []struct{ caller, person, want string }{
				{"jane", "jane", "I am jane"}, {"joan", "joan", "I am joan"}, {"jane", "joan", "mismatch"}, {"joan", "jane", "mismatch"}, {"", "jane", "denied"},
			} {
				group.Go(func() {
					if got := ask(test.caller, source, test.person); got != test.want {
						t.Errorf("%s asks %s for %s: %s, want %s", test.caller, source, test.person, got, test.want)
					}
				})
			}
		}
	}
	group.Wait()
	if n := wire.exchanges.Load(); n != 2 {
		t.Errorf("%d exchanges for two callers", n)
	}
	for _, told := range []string{log.String(), fmt.Sprintf("%+v", spans.GetSpans())} {
		if told == "" || strings.Contains(told, "canary") || strings.Contains(told, "-subject") {
			t.Errorf("it is told: %.2000s", told)
		}
	}
}

// callersWire is the token endpoint and both upstreams: each says who the token is for.
type callersWire struct{ exchanges atomic.Int64 }

func (w *callersWire) RoundTrip(r *http.Request) (*http.Response, error) {
	token, body := r.Header.Get("Authorization"), ""
	name, _, whole := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(token, "Bearer "), "made of "), "-token-canary")
	switch {
	case r.URL.Host == "login.example.com":
		w.exchanges.Add(1)
		_ = r.ParseForm()
		body = fmt.Sprintf(`{"access_token": "made of %s", "token_type": "Bearer", "expires_in": 600}`, r.PostForm.Get("subject_token"))
	case whole && strings.HasPrefix(token, "Bearer made of ") == (r.URL.Host == "exchanged.example.com"):
		body = fmt.Sprintf(`{"sub": %q, "name": "I am %s"}`, name, name)
	default:
		return nil, errors.New("not a token of this upstream")
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

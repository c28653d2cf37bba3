package httpapi_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"
	"unicode/utf8"

	metricnoop "go.opentelemetry.io/otel/metric/noop"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"muster/adapters"
	"muster/gateway"
	"muster/gateway/httpapi"
	"muster/normalize"
)

// FuzzUserSegment sends any bytes as the last segment of a lookup, as a server
// that reads them from the wire would: through a real engine, whose one source
// says back what it was asked for.
func FuzzUserSegment(f *testing.F) {
	for _, segment := range []string{
		"jane", "email:jane@acme.example", "email:", ":", "", ".", "..", "%2e%2e", "a%2Fb", "a%252Fb", "%", "%zz", "%00", "%0d%0a", "%ff%fe",
		"csp:vmware.com%3A1f0c", "username:a+b", "a?fields=emails", "a?access_token=x", "a#b", "a/b", "a//", "\xff", "ä", "email:jane@münchen.example",
		"%F0%9F%A6%8A", "username:%E2%80%AE", "<script>", `"\`, "a?fields=%ff&sources=%22",
	} {
		f.Add(segment)
	}
	configuration := live()
	for _, source := range configuration.Sources {
		source.Hash, source.Keep = source.Name, adapters.Lifetimes{TTL: time.Minute}
		source.Adapter = adapters.AdapterFunc(func(_ context.Context, q adapters.Query) (adapters.Reply, error) {
			values := slices.Sorted(maps.Values(q.IDs))
			return adapters.Reply{Record: normalize.Record{Profile: normalize.Profile{UserName: values[0]}}}, nil
		})
	}
	configuration.Budget = time.Minute
	real, err := gateway.New(configuration, gateway.Options{CacheBytes: 1 << 20, Tracer: tracenoop.NewTracerProvider().Tracer(""), Meter: metricnoop.NewMeterProvider().Meter("")})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(real.Close)
	h := httpapi.New(real, httpapi.Options{})

	f.Fuzz(func(t *testing.T, segment string) {
		target := "/v1/tenants/acme/users/" + segment
		address, err := url.ParseRequestURI(target)
		if err != nil {
			t.Skip("net/http refuses it before us")
		}
		r := (&http.Request{Method: http.MethodGet, URL: address, RequestURI: target, Host: "x", Header: http.Header{}}).WithContext(t.Context())
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusOK && (w.Code < 400 || w.Code > 499) {
			t.Errorf("%q: status %d", segment, w.Code)
		}
		if !json.Valid(w.Body.Bytes()) || !utf8.Valid(w.Body.Bytes()) {
			t.Errorf("%q: no JSON in UTF-8: %q", segment, w.Body)
		}
		for name, values := range w.Header() {
			for _, value := range values {
				if !plain(value) {
					t.Errorf("%q: header %s %q", segment, name, value)
				}
			}
		}
	})
}

// plain tells that a text may stand in a header.
func plain(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

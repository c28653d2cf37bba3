package httpapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"muster/gateway"
	"muster/gateway/httpapi"
)

// TestTooManyAtOnce: there is room for so many requests. Others are refused at once, as
// an error is, also to a page; how the gateway is, it tells; and when one has ended there
// is room again.
func TestTooManyAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const room = 4096
		end := make(chan struct{})
		reader := sdkmetric.NewManualReader()
		door := httpapi.New(waiting{end}, httpapi.Options{
			Origins: []string{"https://portal.example"}, MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)),
		})
		ask := func(path string) *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
			request.Header.Set("Origin", "https://portal.example")
			door.ServeHTTP(w, request)
			return w
		}
		const person = "/v1/tenants/acme/users/email:jane@acme.example"
		var inside sync.WaitGroup
		for range room {
			inside.Go(func() {
				if w := ask(person); w.Code != http.StatusNotFound {
					t.Errorf("status %d of one who was let in", w.Code)
				}
			})
		}
		synctest.Wait()
		w := ask(person)
		var said struct{ OperationID, Error, Reason, Resolution string }
		if err := json.Unmarshal(w.Body.Bytes(), &said); err != nil {
			t.Fatal(err)
		}
		if said.OperationID == "" || said.OperationID != w.Header().Get("Operation-Id") {
			t.Errorf("operation id %q, in the header %q", said.OperationID, w.Header().Get("Operation-Id"))
		}
		said.OperationID = ""
		got := []any{w.Code, said, w.Header().Get("Retry-After"), w.Header().Get("Cache-Control"), w.Header().Get("Access-Control-Allow-Origin"), w.Header().Get("X-Content-Type-Options")}
		want := []any{
			http.StatusServiceUnavailable, struct{ OperationID, Error, Reason, Resolution string }{
				"", "Too much to do.", "As many requests are under way as the gateway has room for.", "Retry after 1 second.",
			}, "1", "private, no-store", "https://portal.example", "nosniff",
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		if w := ask("/healthz"); w.Code != http.StatusOK {
			t.Errorf("/healthz is %d", w.Code)
		}
		if n := counted(t, reader, "muster.overload.refusals"); n != 1 {
			t.Errorf("%d refusals are counted", n)
		}
		end <- struct{}{} // one of them
		synctest.Wait()
		inside.Go(func() { ask(person) })
		synctest.Wait()
		if n := counted(t, reader, "muster.overload.refusals"); n != 1 {
			t.Errorf("where there was room again, %d refusals are counted", n)
		}
		close(end)
		inside.Wait()
	})
}

// counted is the sum of a counter.
func counted(t *testing.T, reader sdkmetric.Reader, name string) (n int64) {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if sum, is := m.Data.(metricdata.Sum[int64]); is && m.Name == name {
				for _, point := range sum.DataPoints {
					n += point.Value
				}
			}
		}
	}
	return n
}

// waiting is an engine whose lookups last until it says so.
type waiting struct{ end chan struct{} }

func (w waiting) Lookup(context.Context, gateway.Query) (gateway.Answer, error) {
	<-w.end
	return gateway.Answer{Status: http.StatusNotFound}, nil
}

func (waiting) Lookups(context.Context, gateway.Query, []map[string]string) ([]gateway.Result, error) {
	return nil, nil
}
func (waiting) Purge(context.Context, gateway.Query) error { return nil }
func (waiting) Live() *gateway.Live                        { return &gateway.Live{} }

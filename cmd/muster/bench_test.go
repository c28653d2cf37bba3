package main

import (
	"io"
	"log/slog"
	"net/http"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"muster/adapters/simulator"
)

// BenchmarkFiveUpstreams asks five systems that take 20 ms each. What a lookup
// costs is to be read against "direct", which asks one of them without a gateway:
// asked one after the other, five would take five times as long.
func BenchmarkFiveUpstreams(b *testing.B) {
	w := newBenchmark(b)
	casey := w.simulation.People()[0]
	w.lookup(casey, "email") // tokens are fetched, connections made
	for _, source := range []string{"numium", "csp", "kobil", "aveva", "itwin"} {
		if err := w.simulation.SetFault(source, simulator.Fault{Kind: "latency", Latency: 20 * time.Millisecond}); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("direct", func(b *testing.B) {
		request := get(b, "http://"+w.upstreams.Addr["numium"]+"/tenant/1024/admin/user/"+casey.IDs["numium"])
		request.Header.Set("Authorization", "Bearer "+w.simulation.Credentials()["numium"].Token)
		for b.Loop() {
			w.do(b, request, http.StatusOK)
		}
	})
	b.Run("muster", func(b *testing.B) {
		request := get(b, w.address(casey, "email"))
		request.Header.Set("Cache-Control", "no-cache")
		for b.Loop() {
			w.do(b, request, http.StatusOK)
		}
	})
}

// BenchmarkWarm asks for somebody whom the cache knows, over HTTP and with
// telemetry on. It is to be read against "probe", the least that the same server
// answers.
func BenchmarkWarm(b *testing.B) {
	w := newBenchmark(b)
	casey := w.simulation.People()[0]
	w.lookup(casey, "email")
	for name, address := range map[string]string{"probe": "http://" + w.Address + "/healthz", "lookup": w.address(casey, "email")} {
		b.Run(name, func(b *testing.B) {
			request := get(b, address)
			b.ReportAllocs()
			for b.Loop() {
				w.do(b, request, http.StatusOK)
			}
		})
	}
}

// newBenchmark is a world that logs and traces everything, as in production, to
// where nobody keeps it.
func newBenchmark(b *testing.B) *world {
	b.Helper()
	w := &world{t: b}
	w.start(demoOptions{}, slog.NewJSONHandler(io.Discard, nil), sdktrace.NewBatchSpanProcessor(tracetest.NewNoopExporter()))
	return w
}

func get(b *testing.B, address string) *http.Request {
	b.Helper()
	request, err := http.NewRequest(http.MethodGet, address, http.NoBody)
	if err != nil {
		b.Fatal(err)
	}
	return request
}

func (w *world) do(b *testing.B, request *http.Request, want int) {
	b.Helper()
	response, err := w.http.Do(request)
	if err != nil {
		b.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	if response.StatusCode != want {
		b.Fatalf("status %d, want %d", response.StatusCode, want)
	}
}

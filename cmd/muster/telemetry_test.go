package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"muster/config"
)

// collected is what a collector was sent.
type collected struct {
	collector.UnimplementedTraceServiceServer

	mu      sync.Mutex
	spans   []string
	service string
}

// Export is the collector's side of OTLP.
func (c *collected) Export(_ context.Context, r *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range r.GetResourceSpans() {
		for _, a := range resource.GetResource().GetAttributes() {
			if a.GetKey() == "service.name" {
				c.service = a.GetValue().GetStringValue()
			}
		}
		for _, scope := range resource.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				c.spans = append(c.spans, span.GetName())
			}
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

// overHTTP listens as a collector does at /v1/traces.
func (c *collected) overHTTP(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var request collector.ExportTraceServiceRequest
		if r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &request) != nil {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = c.Export(r.Context(), &request)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// overGRPC listens as a collector does.
func (c *collected) overGRPC(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	collector.RegisterTraceServiceServer(server, c)
	go func() { _ = server.Serve(l) }() // ends with Stop
	t.Cleanup(server.Stop)
	return "http://" + l.Addr().String()
}

// TestWhereSpansGo sends one span by each of the ways that there are.
func TestWhereSpansGo(t *testing.T) {
	tests := []struct {
		name string
		file func(c *collected) config.Telemetry
		env  func(c *collected) map[string]string
		want string // the service that sent the span; "" for none
	}{
		{"nowhere", nil, nil, ""},
		{"the file's collector", func(c *collected) config.Telemetry { return config.Telemetry{OTLP: c.overHTTP(t) + "/", Sample: 1} }, nil, "muster"},
		{"what is not sampled", func(c *collected) config.Telemetry { return config.Telemetry{OTLP: c.overHTTP(t), Sample: 0} }, nil, ""},
		{"by HTTP", nil, func(c *collected) map[string]string {
			return map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": c.overHTTP(t)}
		}, "muster"},
		{"by gRPC", nil, func(c *collected) map[string]string {
			return map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": c.overGRPC(t), "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
		}, "muster"},
		{"the variables before the file", func(*collected) config.Telemetry {
			return config.Telemetry{OTLP: "http://127.0.0.1:1", Sample: 0}
		}, func(c *collected) map[string]string {
			return map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": c.overHTTP(t), "OTEL_TRACES_SAMPLER": "always_on", "OTEL_SERVICE_NAME": "front"}
		}, "front"},
		{
			"switched off by a variable", func(c *collected) config.Telemetry { return config.Telemetry{OTLP: c.overHTTP(t), Sample: 1} },
			func(*collected) map[string]string { return map[string]string{"OTEL_TRACES_EXPORTER": "none"} }, "",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := new(collected)
			settings := config.Telemetry{Sample: 1}
			if test.file != nil {
				settings = test.file(c)
			}
			if test.env != nil {
				for name, value := range test.env(c) {
					t.Setenv(name, value)
				}
			}
			sdk, err := newTelemetry(t.Context(), settings, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			_, span := sdk.traces.Tracer("test").Start(t.Context(), "lookup")
			span.End()
			if err := sdk.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			if c.service != test.want || slices.Contains(c.spans, "lookup") != (test.want != "") {
				t.Errorf("%v of service %q arrived, want one of %q", c.spans, c.service, test.want)
			}
		})
	}
}

func TestVariablesThatAreWrong(t *testing.T) {
	for name, value := range map[string]string{"OTEL_TRACES_EXPORTER": "pigeon", "OTEL_METRICS_EXPORTER": "pigeon"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, value)
			_, err := newTelemetry(t.Context(), config.Telemetry{Sample: 1}, slog.New(slog.DiscardHandler))
			if err == nil || !strings.HasPrefix(err.Error(), name) {
				t.Errorf("got %v, want an error that names the variable", err)
			}
		})
	}
}

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// TestWaterfall draws a trace whose times are known.
func TestWaterfall(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	w := newWaterfall(&out)
	begin := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	span := func(id, parent byte, name string, from, to time.Duration, attributes ...attribute.KeyValue) {
		context := func(id byte) trace.SpanContext {
			return trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{id}})
		}
		stub := tracetest.SpanStub{Name: name, SpanContext: context(id), StartTime: begin.Add(from), EndTime: begin.Add(to), Attributes: attributes}
		if parent == 0 {
			stub.SpanKind = trace.SpanKindServer
		} else {
			stub.Parent = context(parent)
		}
		w.OnEnd(stub.Snapshot())
	}
	outcome := func(words ...string) []attribute.KeyValue {
		return []attribute.KeyValue{attribute.String("muster.outcome", words[0]), attribute.String("muster.from", words[1])}
	}
	span(3, 2, "source slow", 0, 32*time.Millisecond, append(outcome("failed", "upstream"), attribute.String("error.type", "timeout"))...)
	span(4, 2, "source quick", 16*time.Millisecond, 16*time.Millisecond+200*time.Microsecond, outcome("ok", "cache")...)
	span(2, 1, "lookup", 0, 32*time.Millisecond, attribute.Int("muster.status", 207))
	if out.Len() > 0 {
		t.Error("drawn before the request was done")
	}
	span(1, 0, "GET /v1/tenants/:tenant/users/:user", 0, 32*time.Millisecond, attribute.Int("http.response.status_code", 207))
	const want = `
trace 01000000000000000000000000000000
  GET /v1/tenants/:tenant/users… ████████████████████████████████    32.0 ms  207
    lookup                       ████████████████████████████████    32.0 ms  207
      source slow                ████████████████████████████████    32.0 ms  failed upstream timeout
      source quick                               █                    0.2 ms  ok cache
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
	out.Reset()
	span(1, 0, "GET /docs", 0, time.Millisecond)
	if out.Len() > 0 {
		t.Errorf("a request that looks nobody up is drawn: %s", out.String())
	}
}

package httpapi

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"slices"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/contrib/instrumentation/github.com/gin-gonic/gin/otelgin"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// operationKey is where a Gin context keeps the id of its operation.
const operationKey = "operation"

// traced opens a span for every request but probes, and measures it. The
// caller's traceparent is continued (W3C Trace Context); neither tracestate nor baggage
// is taken in, since it would go out again to the upstreams.
func traced(tracers trace.TracerProvider, meters metric.MeterProvider) gin.HandlerFunc {
	// With a port of its own the name keeps the instrumentation from taking one out
	// of the Host header, where anybody can write any: each would be a new series.
	return otelgin.Middleware("muster:80",
		otelgin.WithTracerProvider(ScrubbedTracerProvider(tracers)),
		otelgin.WithMeterProvider(meters),
		otelgin.WithPropagators(traceparent{}),
		otelgin.WithGinFilter(func(c *gin.Context) bool { return !probe(c) }))
}

// traceparent is W3C Trace Context without what a caller may write into tracestate.
type traceparent struct{ propagation.TraceContext }

// Extract continues the trace that a carrier names.
func (p traceparent) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	const name = "traceparent"
	return p.TraceContext.Extract(ctx, propagation.MapCarrier{name: carrier.Get(name)})
}

// probe tells that a machine asks how the gateway is, as it does all the time.
func probe(c *gin.Context) bool {
	return slices.Contains([]string{"/healthz", "/readyz"}, c.FullPath())
}

// identified gives every response its Operation-Id: the trace's, or a random one
// of the same form where nothing is traced.
func identified(c *gin.Context) {
	var id string
	if span := trace.SpanContextFromContext(c.Request.Context()); span.HasTraceID() {
		id = span.TraceID().String()
	} else {
		var random trace.TraceID
		_, _ = rand.Read(random[:]) // never fails
		id = hex.EncodeToString(random[:])
	}
	c.Set(operationKey, id)
	c.Header("Operation-Id", id)
	c.Header("X-Content-Type-Options", "nosniff")
}

func operationOf(c *gin.Context) string { return c.GetString(operationKey) }

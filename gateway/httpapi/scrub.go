package httpapi

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// ScrubbedTracerProvider keeps people out of the spans of a standard HTTP
// instrumentation (otelgin, otelhttp). Those record paths, queries, addresses of
// clients and the texts of errors, and a path holds an e-mail address: docs/decisions/0004.
//
// What stays is a list of what is known to be harmless (method, route, status,
// sizes, the host, the type of an error, and whatever begins with "muster."), so
// that an attribute which a later version of an instrumentation adds stays out.
func ScrubbedTracerProvider(next trace.TracerProvider) trace.TracerProvider {
	return scrubbedProvider{next}
}

func harmless(key attribute.Key) bool {
	return strings.HasPrefix(string(key), "muster.") || slices.Contains([]attribute.Key{
		"error.type",
		"http.request.body.size", "http.request.method", "http.request.resend_count",
		"http.response.body.size", "http.response.status_code", "http.route",
		"network.protocol.name", "network.protocol.version",
		"server.address", "server.port", "url.scheme",
	}, key)
}

func scrub(attributes []attribute.KeyValue) []attribute.KeyValue {
	kept := make([]attribute.KeyValue, 0, len(attributes))
	for _, a := range attributes {
		if harmless(a.Key) {
			kept = append(kept, a)
		}
	}
	return kept
}

type scrubbedProvider struct{ trace.TracerProvider }

// Tracer returns a tracer whose spans are scrubbed.
func (p scrubbedProvider) Tracer(name string, options ...trace.TracerOption) trace.Tracer {
	return scrubbedTracer{p.TracerProvider.Tracer(name, options...), p}
}

type scrubbedTracer struct {
	trace.Tracer
	provider scrubbedProvider
}

// Start begins a span without what must not be in it: a sampler does not see it either.
func (t scrubbedTracer) Start(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	asked := trace.NewSpanStartConfig(options...)
	kept := []trace.SpanStartOption{
		trace.WithAttributes(scrub(asked.Attributes())...),
		trace.WithSpanKind(asked.SpanKind()),
		trace.WithTimestamp(asked.Timestamp()),
	}
	if asked.NewRoot() {
		kept = append(kept, trace.WithNewRoot())
	}
	for _, link := range asked.Links() {
		kept = append(kept, trace.WithLinks(scrubLink(link)))
	}
	ctx, span := t.Tracer.Start(ctx, name, kept...)
	scrubbed := scrubbedSpan{span, t.provider}
	return trace.ContextWithSpan(ctx, scrubbed), scrubbed
}

type scrubbedSpan struct {
	trace.Span
	provider scrubbedProvider
}

// SetAttributes sets those that are harmless.
func (s scrubbedSpan) SetAttributes(attributes ...attribute.KeyValue) {
	s.Span.SetAttributes(scrub(attributes)...)
}

// SetStatus keeps the code; the text is an error's, and may quote a reply.
func (s scrubbedSpan) SetStatus(code codes.Code, _ string) { s.Span.SetStatus(code, "") }

// RecordError keeps the type of the error and not its text.
func (s scrubbedSpan) RecordError(err error, options ...trace.EventOption) {
	if err != nil {
		s.AddEvent("exception", append(slices.Clone(options), trace.WithAttributes(attribute.String("error.type", fmt.Sprintf("%T", err))))...)
	}
}

// End ends the span. An SDK whose End is deferred itself writes the text of a panic into
// the span: to whom it is called by, there is none.
func (s scrubbedSpan) End(options ...trace.SpanEndOption) { s.Span.End(options...) }

// AddEvent keeps of the event what is harmless.
func (s scrubbedSpan) AddEvent(name string, options ...trace.EventOption) {
	event := trace.NewEventConfig(options...)
	s.Span.AddEvent(name, trace.WithTimestamp(event.Timestamp()), trace.WithAttributes(scrub(event.Attributes())...))
}

// AddLink keeps of the link what is harmless.
func (s scrubbedSpan) AddLink(link trace.Link) { s.Span.AddLink(scrubLink(link)) }

// TracerProvider is the scrubbed one, for who makes further spans of a span.
func (s scrubbedSpan) TracerProvider() trace.TracerProvider { return s.provider }

func scrubLink(link trace.Link) trace.Link {
	return trace.Link{SpanContext: link.SpanContext, Attributes: scrub(link.Attributes)}
}

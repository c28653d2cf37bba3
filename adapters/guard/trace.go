package guard

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"muster/adapters"
)

// canceled is the error.type of a call whose caller left: it has no kind, being
// no failure of the source.
const canceled = "canceled"

// trace tells of each call: a client span and a duration. Neither holds an
// identifier, an address or a text of the upstream.
func (t *Telemetry) trace(source string) adapters.Guard {
	return func(next adapters.Adapter) adapters.Adapter {
		return adapters.AdapterFunc(func(ctx context.Context, q adapters.Query) (adapters.Reply, error) {
			begin := time.Now()
			ctx, span := t.tracer.Start(ctx, "lookup "+source, trace.WithSpanKind(trace.SpanKindClient),
				trace.WithAttributes(attribute.String("muster.source", source)))
			defer func() { span.End() }() // not "defer span.End()", which would write a panic's text into the span

			reply, err := next.Fetch(ctx, q)

			outcome, kind := classify(reply, err)
			labels := []attribute.KeyValue{attribute.String("source", source), attribute.String("outcome", outcome)}
			if kind != "" {
				labels = append(labels, attribute.String("kind", kind))
			}
			t.duration.Record(ctx, time.Since(begin).Seconds(), metric.WithAttributes(labels...))
			fault := adapters.FaultOf(err)
			if span.IsRecording() {
				describe(span, outcome, kind, reply, fault)
			}
			if outcome == "failed" && kind != canceled {
				t.report(ctx, source, fault)
			}
			return reply, err
		})
	}
}

// classify gives a call's outcome as contract.md names them, and for a failed
// one the kind of its failure.
func classify(reply adapters.Reply, err error) (outcome, kind string) {
	switch fault := adapters.FaultOf(err); {
	case fault == nil && len(reply.Children) > 0:
		return "partial", ""
	case fault == nil:
		return "ok", ""
	case adapters.Abandoned(fault):
		return "failed", canceled
	case fault.Kind == adapters.NotFound:
		return "absent", ""
	default:
		return "failed", fault.Kind.String()
	}
}

// describe writes a call's end into its span. Of the upstream's words there is
// only what has the form of a code: a text may be about the person.
func describe(span trace.Span, outcome, kind string, reply adapters.Reply, fault *adapters.Fault) {
	span.SetAttributes(attribute.String("muster.outcome", outcome))
	for _, note := range reply.Notes {
		span.AddEvent("note", trace.WithAttributes(attribute.String("muster.note", note)))
	}
	status := reply.Status
	if fault != nil {
		status = fault.Detail.Status
	}
	if status != 0 {
		span.SetAttributes(attribute.Int("http.response.status_code", status))
	}
	if fault == nil {
		return
	}
	if kind != "" {
		span.SetAttributes(attribute.String("error.type", kind))
	}
	if kind != "" && kind != canceled {
		span.SetAttributes(attribute.String("muster.kind", kind))
		span.SetStatus(codes.Error, kind)
	}
	if code := token(fault.Detail.Code, 64); code != "" {
		span.SetAttributes(attribute.String("muster.upstream.code", code))
	}
	if ref := token(fault.Detail.Ref, 128); ref != "" {
		span.SetAttributes(attribute.String("muster.upstream.ref", ref))
	}
	if fault.RetryAfter > 0 {
		span.SetAttributes(attribute.Float64("muster.retry_after", fault.RetryAfter.Seconds())) // seconds
	}
}

// report writes a failed call into the log. A call that was not let through, by
// its breaker or its throttle, says nothing new: that is for who debugs.
func (t *Telemetry) report(ctx context.Context, source string, fault *adapters.Fault) {
	level := slog.LevelWarn
	if fault.Detail.Status == 0 && (fault.Kind == adapters.Open || fault.Kind == adapters.RateLimited) {
		level = slog.LevelDebug
	}
	t.log.LogAttrs(ctx, level, "source failed", slog.String("source", source),
		slog.String("kind", fault.Kind.String()), slog.String("step", fault.Step), slog.Int("status", fault.Detail.Status),
		slog.String("code", token(fault.Detail.Code, 64)), slog.String("ref", token(fault.Detail.Ref, 128)))
}

// token gives the first characters of a word such as codes and operation ids
// are made of, and nothing of any other text: where an upstream writes a
// sentence in place of a code, it may name the person.
func token(s string, longest int) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:/+=|#"
	if strings.Trim(s, alphabet) != "" {
		return ""
	}
	return s[:min(len(s), longest)]
}

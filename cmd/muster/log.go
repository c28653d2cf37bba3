package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"

	"go.opentelemetry.io/otel/trace"
)

// newLog makes the log of a running gateway: JSON lines, each with the ids of the
// trace that it belongs to, so that one leads to the other.
func newLog(out io.Writer) *slog.Logger {
	return slog.New(traced{slog.NewJSONHandler(out, nil)})
}

// traced adds trace_id and span_id, as OpenTelemetry names them in logs that are
// not its own.
type traced struct{ slog.Handler }

// Handle adds the ids of the context's span.
func (h traced) Handle(ctx context.Context, r slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		r.AddAttrs(slog.String("trace_id", span.TraceID().String()), slog.String("span_id", span.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs keeps the ids coming.
func (h traced) WithAttrs(attrs []slog.Attr) slog.Handler { return traced{h.Handler.WithAttrs(attrs)} }

// WithGroup keeps the ids coming, within the group.
func (h traced) WithGroup(name string) slog.Handler { return traced{h.Handler.WithGroup(name)} }

// libraries writes what libraries say to the standard log, up to what they quote: the
// HTTP client quotes what an upstream sends unasked, which may be a person's record.
type libraries struct{ log *slog.Logger }

// Write takes one message.
func (l libraries) Write(message []byte) (int, error) {
	said, _, _ := bytes.Cut(bytes.TrimSpace(message), []byte{'"'})
	l.log.Warn("a library warns", "says", string(bytes.TrimSpace(said)))
	return len(message), nil
}

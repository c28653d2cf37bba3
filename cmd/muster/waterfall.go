package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// waterfall draws each trace as bars when its request is done, for the demo's
// terminal. It is a SpanProcessor like any exporter's.
type waterfall struct {
	out io.Writer

	mu     sync.Mutex
	traces map[trace.TraceID][]sdktrace.ReadOnlySpan
}

func newWaterfall(out io.Writer) *waterfall {
	return &waterfall{out: out, traces: map[trace.TraceID][]sdktrace.ReadOnlySpan{}}
}

// OnStart has nothing to do.
func (w *waterfall) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd keeps the span, and draws its trace when it was the request's own.
func (w *waterfall) OnEnd(s sdktrace.ReadOnlySpan) {
	w.mu.Lock()
	defer w.mu.Unlock()
	id := s.SpanContext().TraceID()
	w.traces[id] = append(w.traces[id], s)
	if s.SpanKind() == trace.SpanKindServer {
		w.draw(w.traces[id], s)
		delete(w.traces, id)
	}
}

// ForceFlush has nothing to do: a trace is drawn when it is complete.
func (w *waterfall) ForceFlush(context.Context) error { return nil }

// Shutdown has nothing to do.
func (w *waterfall) Shutdown(context.Context) error { return nil }

const (
	barWidth  = 32
	nameWidth = 30
)

func (w *waterfall) draw(spans []sdktrace.ReadOnlySpan, root sdktrace.ReadOnlySpan) {
	if !slices.ContainsFunc(spans, func(s sdktrace.ReadOnlySpan) bool { return s.Name() == "lookup" }) {
		return // the documentation page and the like
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\ntrace %s\n", root.SpanContext().TraceID())
	w.branch(&b, spans, root, root, 0)
	_, _ = io.WriteString(w.out, b.String())
}

func (w *waterfall) branch(b *strings.Builder, spans []sdktrace.ReadOnlySpan, root, s sdktrace.ReadOnlySpan, depth int) {
	whole := root.EndTime().Sub(root.StartTime())
	offset := barCells(s.StartTime().Sub(root.StartTime()), whole)
	length := max(1, barCells(s.EndTime().Sub(s.StartTime()), whole))
	offset = min(offset, barWidth-1)
	bar := strings.Repeat(" ", offset) + strings.Repeat("█", min(length, barWidth-offset))
	name := strings.Repeat("  ", depth) + s.Name()
	fmt.Fprintf(b, "  %-*s %-*s %7.1f ms  %s\n", nameWidth, cut(name, nameWidth), barWidth, bar,
		float64(s.EndTime().Sub(s.StartTime()).Microseconds())/1000, remarks(s))

	var children []sdktrace.ReadOnlySpan
	for _, child := range spans {
		if child.Parent().SpanID() == s.SpanContext().SpanID() {
			children = append(children, child)
		}
	}
	slices.SortStableFunc(children, func(a, b sdktrace.ReadOnlySpan) int {
		return cmp.Compare(a.StartTime().UnixNano(), b.StartTime().UnixNano())
	})
	for _, child := range children {
		w.branch(b, spans, root, child, depth+1)
	}
}

func barCells(d, whole time.Duration) int {
	if whole <= 0 {
		return 0
	}
	return int(d * barWidth / whole)
}

func cut(s string, width int) string {
	if runes := []rune(s); len(runes) > width {
		return string(runes[:width-1]) + "…"
	}
	return s
}

// remarks are the attributes that tell how it went.
func remarks(s sdktrace.ReadOnlySpan) string {
	var said []string
	for _, a := range s.Attributes() {
		switch a.Key {
		case "muster.outcome", "muster.from", "error.type":
			said = append(said, a.Value.AsString())
		case "muster.status", "http.response.status_code":
			said = append(said, fmt.Sprint(a.Value.AsInt64()))
		}
	}
	return strings.Join(said, " ")
}

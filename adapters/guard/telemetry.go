package guard

import (
	"context"
	"errors"
	"log/slog"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// Telemetry is where the guards of all sources tell what happens. It holds
// nothing of a source, and one is enough for a process.
type Telemetry struct {
	tracer      trace.Tracer
	duration    metric.Float64Histogram
	transitions metric.Int64Counter
	log         *slog.Logger
}

// NewTelemetry makes the instruments muster.source.duration and
// muster.breaker.transitions. Panics go to the logger. The error is the
// providers' own, when they refuse an instrument.
func NewTelemetry(tracers trace.TracerProvider, meters metric.MeterProvider, log *slog.Logger) (*Telemetry, error) {
	const scope = "muster/adapters/guard"
	meter := meters.Meter(scope)
	duration, durationErr := meter.Float64Histogram("muster.source.duration",
		metric.WithUnit("s"),
		metric.WithDescription("Time that a source took to answer, or its guards to refuse, by outcome."),
		metric.WithExplicitBucketBoundaries(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10))
	transitions, transitionsErr := meter.Int64Counter("muster.breaker.transitions",
		metric.WithUnit("{transition}"),
		metric.WithDescription("Changes of a source's breaker between closed, open and half-open."))
	if err := errors.Join(durationErr, transitionsErr); err != nil {
		return nil, err
	}
	return &Telemetry{tracer: tracers.Tracer(scope), duration: duration, transitions: transitions, log: log}, nil
}

// transition counts the moves of a source's breaker. It is not given a context:
// a breaker moves for all of its callers.
func (t *Telemetry) transition(source string) func(from, to string) {
	return func(from, to string) {
		t.transitions.Add(context.Background(), 1, metric.WithAttributes(
			attribute.String("source", source), attribute.String("from", from), attribute.String("to", to)))
	}
}

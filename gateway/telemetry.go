package gateway

import (
	"context"
	"errors"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"muster/adapters"
)

// telemetry is what the gateway tells of its lookups: a span for each, with one
// for each source under it, and what a dashboard is made of. Nothing of a person
// is in any of it.
type telemetry struct {
	tracer    trace.Tracer
	complete  metric.Int64Counter
	lookups   metric.Int64Counter
	conflicts metric.Int64Counter
	twoPeople metric.Int64Counter
	purges    metric.Int64Counter
	breakers  metric.Registration
}

// newTelemetry makes the instruments. The breakers are those of the configuration
// that live gives when somebody looks.
func newTelemetry(tracer trace.Tracer, meter metric.Meter, live func() *Live) (*telemetry, error) {
	t := &telemetry{tracer: tracer}
	var completeErr, lookupsErr, conflictsErr, peopleErr, purgesErr, breakersErr error
	t.complete, completeErr = meter.Int64Counter("muster.lookup.complete",
		metric.WithUnit("{lookup}"),
		metric.WithDescription("Lookups by HTTP status, and whether every source that counts had its say."))
	t.lookups, lookupsErr = meter.Int64Counter("muster.cache.lookups",
		metric.WithUnit("{lookup}"),
		metric.WithDescription("What the cache had for a source: hit, stale, shared (being asked already) or miss."))
	t.conflicts, conflictsErr = meter.Int64Counter("muster.merge.conflicts",
		metric.WithUnit("{conflict}"),
		metric.WithDescription("Sources that were overruled about a member."))
	t.twoPeople, peopleErr = meter.Int64Counter("muster.identity.contradictions",
		metric.WithUnit("{record}"),
		metric.WithDescription("Records that were dropped because what is better proved says that they are somebody else's."))
	t.purges, purgesErr = meter.Int64Counter("muster.cache.purges",
		metric.WithUnit("{purge}"),
		metric.WithDescription("People of whom all that was kept has been forgotten, known or not."))
	state, err := meter.Int64ObservableGauge("muster.breaker.state",
		metric.WithDescription("1 for the state that a source's breaker is in, 0 for the others."))
	if err := errors.Join(completeErr, lookupsErr, conflictsErr, peopleErr, purgesErr, err); err != nil {
		return nil, err
	}
	t.breakers, breakersErr = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		for _, source := range live().Sources {
			current := source.Breaker()
			for _, name := range breakerStates() {
				var is int64
				if name == current {
					is = 1
				}
				o.ObserveInt64(state, is, metric.WithAttributes(attribute.String("source", source.Name), attribute.String("state", name)))
			}
		}
		return nil
	}, state)
	return t, breakersErr
}

// breakerStates are what Source.Breaker may say.
func breakerStates() []string { return []string{"closed", "half-open", "open"} }

func (t *telemetry) close() { _ = t.breakers.Unregister() } // its only error is that it was unregistered already

// beginAbout begins a span about one person. Who that is stands in it as a pseudonym and
// not as `enduser.pseudo.id`: that is who uses the gateway.
func (t *telemetry) beginAbout(ctx context.Context, what string, l *Live, a asked) (context.Context, trace.Span) {
	ctx, span := t.tracer.Start(ctx, what, trace.WithAttributes(
		attribute.String("muster.tenant", a.tenant.Name), attribute.String("muster.identifier.kind", strings.Join(a.kinds(), ","))))
	if span.IsRecording() {
		if subject := l.subjectOf(a.tenant.Name, a.own); subject != "" {
			span.SetAttributes(attribute.String("muster.subject", subject))
		}
	}
	return ctx, span
}

func (t *telemetry) endLookup(ctx context.Context, span trace.Span, a *Answer) {
	complete := a.Complete != nil && *a.Complete
	span.SetAttributes(
		attribute.Int("muster.status", a.Status),
		attribute.Bool("muster.complete", complete),
		attribute.Int("muster.child_errors", len(a.ChildErrors)))
	t.complete.Add(ctx, 1, metric.WithAttributes(attribute.Bool("complete", complete), attribute.Int("http.response.status_code", a.Status)))
	for _, c := range a.conflicts {
		t.conflicts.Add(ctx, 1, metric.WithAttributes(
			attribute.String("field", c.Field), attribute.String("winner", c.Winner), attribute.String("loser", c.Loser)))
	}
}

func (t *telemetry) beginPurge(ctx context.Context, l *Live, a asked) (context.Context, trace.Span) {
	t.purges.Add(ctx, 1)
	return t.beginAbout(ctx, "purge", l, a)
}

func (t *telemetry) contradiction(ctx context.Context, source *Source) {
	t.twoPeople.Add(ctx, 1, metric.WithAttributes(attribute.String("source", source.Name)))
}

func (t *telemetry) beginSource(ctx context.Context, source *Source) (context.Context, trace.Span) {
	return t.tracer.Start(ctx, "source "+source.Name, trace.WithAttributes(attribute.String("muster.source", source.Name)))
}

// endSource says how it went with a source. The status and the breaker are what
// an SRE looks for first: is it them, or is it us who do not ask?
func (t *telemetry) endSource(ctx context.Context, span trace.Span, s *slot) {
	defer func() { span.End() }() // not "defer span.End()", which would write a panic's text into the span
	t.lookups.Add(ctx, 1, metric.WithAttributes(attribute.String("source", s.source.Name), attribute.String("result", cacheResult(s))))
	span.SetAttributes(
		attribute.String("muster.outcome", string(s.outcome)),
		attribute.String("muster.from", s.from),
		attribute.String("muster.breaker.state", s.source.Breaker()))
	status := 0
	if s.from == fromUpstream || s.from == fromShared {
		status = s.reply.Status
	}
	switch {
	case s.fault == nil:
	case adapters.Abandoned(s.fault):
		span.SetAttributes(attribute.String("error.type", "canceled"))
	default:
		kind := s.fault.Kind.String()
		span.SetAttributes(attribute.String("muster.kind", kind), attribute.String("error.type", kind))
		span.SetStatus(codes.Error, kind)
		status = s.fault.Detail.Status
	}
	if status != 0 {
		span.SetAttributes(attribute.Int("http.response.status_code", status))
	}
}

// cacheResult names what the cache had, in the words of a dashboard.
func cacheResult(s *slot) string {
	switch {
	case s.from == fromUpstream, s.outcome == Failed: // also where nothing is kept and nobody is to be asked
		return "miss"
	case s.from == fromCache:
		return "hit"
	default:
		return s.from
	}
}

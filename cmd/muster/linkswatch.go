package main

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"muster/adapters"
	"muster/config"
	"muster/gateway"
	"muster/gateway/httpapi"
	"muster/gateway/links"
)

// watchedLinks tells how it goes with the operator's links: a span for each time
// they are asked, a metric, a condition of /readyz?verbose, and a line in the log
// when they cannot be asked. Nothing of a person is in any of it.
type watchedLinks struct {
	gateway.Links
	ready    *httpapi.Readiness
	answered *atomic.Bool // the last time
	tracer   trace.Tracer
	duration metric.Float64Histogram
	log      *slog.Logger
}

func newWatchedLinks(ready *httpapi.Readiness, sdk *telemetry, log *slog.Logger) (watchedLinks, error) {
	duration, err := sdk.meters.Meter("muster/links").Float64Histogram("muster.links.duration", metric.WithUnit("s"),
		metric.WithDescription("Times that the operator's links were asked: found, unknown, failed, or open (not asked, for they failed too often)."),
		metric.WithExplicitBucketBoundaries(0.00001, 0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1))
	return watchedLinks{ready: ready, answered: new(atomic.Bool), tracer: sdk.traces.Tracer("muster/links"), duration: duration, log: log}, err
}

// linksAnswer is the condition that the links can be asked.
const linksAnswer = "links can be asked"

// watch puts itself around a table of links.
func (w watchedLinks) watch(l gateway.Links) gateway.Links {
	w.Links = l
	return w
}

// tell tells /readyz?verbose of a change.
func (w watchedLinks) tell(answered bool) {
	if w.answered.Swap(answered) != answered {
		w.ready.Tell(linksAnswer, answered)
	}
}

// Find asks the links.
func (w watchedLinks) Find(ctx context.Context, tenant, kind, value string) (map[string]string, error) {
	ctx, span := w.tracer.Start(ctx, "links")
	defer func() { span.End() }() // not "defer span.End()", which would write a panic's text into the span
	begin := time.Now()
	ids, err := w.Links.Find(ctx, tenant, kind, value)
	if errors.Is(err, context.Canceled) { // whoever asked went away, which says nothing of the links
		span.SetAttributes(attribute.String("error.type", "canceled"))
		return ids, err
	}
	result := "unknown"
	switch {
	case err != nil && adapters.FaultOf(err).Kind == adapters.Open: // the log has said why
		result = "open"
		span.SetStatus(codes.Error, result)
	case err != nil:
		result = "failed"
		span.SetStatus(codes.Error, result)
		w.log.ErrorContext(ctx, "the links cannot be asked", "error", err.Error())
	case ids != nil:
		result = "found"
	}
	span.SetAttributes(attribute.String("muster.links.result", result))
	w.duration.Record(ctx, time.Since(begin).Seconds(), metric.WithAttributes(attribute.String("result", result)))
	w.tell(err == nil)
	return ids, err
}

// prepare makes the table of links, if there is one. A database that is down does
// not keep the gateway from starting: its sources can be asked. A table that a
// newer program has made does: what it means is not known.
func (w watchedLinks) prepare(ctx context.Context, file *config.File) error {
	if !file.LinksInTable() {
		return nil
	}
	err := file.PrepareLinks(ctx)
	if newer := (*links.SchemaError)(nil); errors.As(err, &newer) {
		return err
	}
	w.ready.Tell(linksAnswer, err == nil)
	if w.answered.Store(err == nil); err != nil {
		w.log.ErrorContext(ctx, "the links cannot be asked, and every answer says so until they can", "error", err.Error())
	}
	return nil
}

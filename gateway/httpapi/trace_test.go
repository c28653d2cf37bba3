package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"muster/gateway/httpapi"
)

// TestAPanicIsNotInASpan: one that no handler keeps ends the span, and is not in it.
func TestAPanicIsNotInASpan(t *testing.T) {
	t.Parallel()
	spans, tracers := recorder()
	func() {
		defer func() { _ = recover() }()
		_, span := httpapi.ScrubbedTracerProvider(tracers).Tracer("test").Start(t.Context(), "GET")
		defer span.End()
		panic("canary")
	}()
	if ended := spans.Ended(); len(ended) != 1 || strings.Contains(text(ended), "canary") {
		t.Errorf("%d spans: %s", len(ended), text(ended))
	}
}

func recorder() (*tracetest.SpanRecorder, trace.TracerProvider) {
	spans := tracetest.NewSpanRecorder()
	return spans, sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
}

// text is all that a span says, attributes, events and status included.
func text(spans []sdktrace.ReadOnlySpan) string {
	var b strings.Builder
	for _, s := range spans {
		fmt.Fprintln(&b, s.Name(), s.Attributes(), s.Events(), s.Status(), s.Links())
	}
	return b.String()
}

func TestSpans(t *testing.T) {
	t.Parallel()
	spans, tracers := recorder()
	var members int
	e := &engine{answer: complete(), lookup: func(ctx context.Context) { members = baggage.FromContext(ctx).Len() }}
	h := newDoor(e, httpapi.Options{TracerProvider: tracers})
	w := do(t, h, http.MethodGet, jane+"?fields=emails", "traceparent", parent, "tracestate", "who=jane", "baggage", "who=jane", "User-Agent", "canary-agent", "X-Forwarded-For", "192.0.2.77")

	ended := spans.Ended()
	if len(ended) != 1 {
		t.Fatalf("%d spans, want 1", len(ended))
	}
	span := ended[0]
	if got := span.SpanContext().TraceID().String(); got != traceID || w.Header().Get("Operation-Id") != traceID {
		t.Errorf("trace %s, Operation-Id %s; want the caller's %s", got, w.Header().Get("Operation-Id"), traceID)
	}
	if got := span.Parent().SpanID().String(); got != "00f067aa0ba902b7" {
		t.Errorf("parent %s", got)
	}
	if span.Name() != "GET /v1/tenants/:tenant/users/:user" {
		t.Errorf("name %q", span.Name())
	}
	got := map[attribute.Key]string{}
	for _, a := range span.Attributes() {
		got[a.Key] = a.Value.String()
	}
	want := map[attribute.Key]string{
		"server.address": "muster", "http.request.method": "GET", "url.scheme": "http", "network.protocol.version": "1.1",
		"http.route": "/v1/tenants/:tenant/users/:user", "http.response.status_code": "200", "http.response.body.size": fmt.Sprint(w.Body.Len()),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	if members != 0 || span.SpanContext().TraceState().Len() != 0 || span.Parent().TraceState().Len() != 0 {
		t.Error("the caller's baggage, or the state of their trace, was taken in")
	}
}

func TestOperationIDs(t *testing.T) {
	t.Parallel()
	_, tracers := recorder()
	for name, o := range map[string]httpapi.Options{"traced": {TracerProvider: tracers}, "not traced": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newDoor(&engine{answer: complete()}, o)
			first, second := do(t, h, http.MethodGet, jane), do(t, h, http.MethodGet, jane)
			a, b := first.Header().Get("Operation-Id"), second.Header().Get("Operation-Id")
			if len(a) != 32 || a == b || a == strings.Repeat("0", 32) {
				t.Errorf("operation ids %q and %q", a, b)
			}
			if body(t, first)["operationId"] != a {
				t.Error("the body has another")
			}
			for _, broken := range []string{"00-" + strings.Repeat("0", 32) + "-00f067aa0ba902b7-01", "jane@acme.example", "ff" + parent[2:]} {
				if id := do(t, h, http.MethodGet, jane, "traceparent", broken).Header().Get("Operation-Id"); len(id) != 32 || strings.Contains(broken, id) {
					t.Errorf("traceparent %q: operation id %q", broken, id)
				}
			}
		})
	}
}

// TestProbesAreNotTraced, or traces would hold little else.
func TestProbesAreNotTraced(t *testing.T) {
	t.Parallel()
	spans, tracers := recorder()
	h := newDoor(&engine{}, httpapi.Options{TracerProvider: tracers})
	do(t, h, http.MethodGet, "/healthz")
	do(t, h, http.MethodGet, "/readyz")
	if got := text(spans.Ended()); got != "" {
		t.Errorf("traced: %s", got)
	}
}

// TestNobodyIsInTelemetry: whatever a caller sends, and whatever fails, no
// canary is in a span, a metric or a line of the log.
func TestNobodyIsInTelemetry(t *testing.T) {
	t.Parallel()
	spans, tracers := recorder()
	metrics := sdkmetric.NewManualReader()
	var log bytes.Buffer
	e := &engine{answer: complete()}
	h := newDoor(e, httpapi.Options{
		TracerProvider: tracers, MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(metrics)),
		Log: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	header := []string{
		"Authorization", "Bearer canary", "Cookie", "canary", "Referer", "https://x.example/canary", "User-Agent", "canary",
		"X-Forwarded-For", "canary", "Origin", "https://canary.example", "If-None-Match", `"canary"`, "Prefer", "handling=canary", "Accept", "application/canary, */*",
		"tracestate", "canary=canary", "baggage", "canary=canary",
	}
	do(t, h, http.MethodGet, "/v1/tenants/canary/users/email:canary@acme.example?fields=canary", header...)
	do(t, h, http.MethodGet, "/v1/tenants/acme/users/canary?access_token=canary", header...)
	do(t, h, http.MethodGet, "/canary/%63anary", header...)
	do(t, h, "CANARY", jane, header...)
	post(t, h, lookupsOfAcme, `{"users":[{"username":"canary"},{"canary":"canary"},"canary"]}`, header...)
	post(t, h, lookupsOfAcme, `{"users":[{"username":"canary`, header...)
	post(t, h, "/v1/tenants/canary/lookups", `canary`, append(header, "Content-Type", "application/canary")...)
	e.err = errors.New("canary")
	do(t, h, http.MethodGet, jane, header...)
	e.lookup = func(context.Context) { panic("canary") }
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, jane, nil)
	r.Host = "canary.example:4711"
	h.ServeHTTP(httptest.NewRecorder(), r)
	do(t, h, http.MethodGet, jane, header...)

	var told metricdata.ResourceMetrics
	if err := metrics.Collect(t.Context(), &told); err != nil {
		t.Fatal(err)
	}
	measured, err := json.Marshal(told)
	if err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd() // a stack has paths, and somebody may call a folder so
	if err != nil {
		t.Fatal(err)
	}
	for name, all := range map[string]string{"spans": text(spans.Ended()), "metrics": string(measured), "log": strings.ReplaceAll(log.String(), here, "")} {
		if len(all) < 100 {
			t.Errorf("%s say nothing: the test shows nothing", name)
		}
		if strings.Contains(all, "server.port") {
			t.Errorf("%s have the port of the Host header, of which there are as many as callers like", name)
		}
		if i := strings.Index(strings.ToLower(all), "canary"); i >= 0 {
			t.Errorf("%s have a canary: …%s", name, all[max(0, i-80):min(len(all), i+40)])
		}
	}
}

// TestScrubbedTracerProvider: every way into a span is watched, and what is
// harmless passes.
func TestScrubbedTracerProvider(t *testing.T) {
	t.Parallel()
	spans, tracers := recorder()
	attributes := trace.WithAttributes(
		attribute.String("url.full", "canary"), attribute.String("url.path", "canary"), attribute.String("url.query", "canary"),
		attribute.String("client.address", "canary"), attribute.String("network.peer.address", "canary"), attribute.String("user_agent.original", "canary"),
		attribute.String("a.later.invention", "canary"), attribute.String("http.route", "/x"), attribute.String("muster.source", "hr"))
	kept := []attribute.KeyValue{attribute.String("http.route", "/x"), attribute.String("muster.source", "hr")}

	tracer := httpapi.ScrubbedTracerProvider(tracers).Tracer("test")
	ctx, outer := tracer.Start(t.Context(), "outer")
	link := trace.Link{SpanContext: outer.SpanContext(), Attributes: []attribute.KeyValue{attribute.String("url.full", "canary"), kept[0]}}
	ctx, span := tracer.Start(ctx, "GET", attributes, trace.WithSpanKind(trace.SpanKindClient), trace.WithLinks(link))
	span.SetAttributes(attribute.String("url.full", "canary"), attribute.Int("http.response.status_code", 200))
	span.AddEvent("read", attributes)
	span.AddLink(link)
	span.RecordError(errors.New("canary"))
	span.RecordError(nil)
	span.SetStatus(codes.Error, `malformed HTTP response "canary"`)
	trace.SpanFromContext(ctx).SetAttributes(attribute.String("url.full", "canary"))
	_, inner := trace.SpanFromContext(ctx).TracerProvider().Tracer("another").Start(ctx, "inner", attributes)
	_, root := tracer.Start(ctx, "root", trace.WithNewRoot())
	root.End()
	inner.End()
	span.End()
	outer.End()

	ended := spans.Ended()
	if all := text(ended); strings.Contains(all, "canary") {
		t.Errorf("a canary came through:\n%s", all)
	}
	byName := map[string]sdktrace.ReadOnlySpan{}
	for _, s := range ended {
		byName[s.Name()] = s
	}
	got := byName["GET"]
	compare := cmp.Comparer(func(a, b attribute.KeyValue) bool { return a == b })
	if diff := cmp.Diff(append(kept, attribute.Int("http.response.status_code", 200)), got.Attributes(), compare); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	if got.SpanKind() != trace.SpanKindClient || got.Status().Code != codes.Error || got.Parent().SpanID() != outer.SpanContext().SpanID() {
		t.Errorf("kind %v, status %v, parent %v", got.SpanKind(), got.Status(), got.Parent().SpanID())
	}
	if len(got.Links()) != 2 || len(got.Links()[0].Attributes) != 1 || len(got.Links()[1].Attributes) != 1 {
		t.Errorf("links %v", got.Links())
	}
	if events := got.Events(); len(events) != 2 || events[0].Name != "read" || !cmp.Equal(kept, events[0].Attributes, compare) ||
		events[1].Name != "exception" || !cmp.Equal([]attribute.KeyValue{attribute.String("error.type", "*errors.errorString")}, events[1].Attributes, compare) {
		t.Errorf("events %v", events)
	}
	if diff := cmp.Diff(kept, byName["inner"].Attributes(), compare); diff != "" || byName["inner"].Parent().SpanID() != got.SpanContext().SpanID() {
		t.Errorf("inner: parent %v, attributes (-want +got):\n%s", byName["inner"].Parent().SpanID(), diff)
	}
	if byName["root"].Parent().IsValid() {
		t.Error("a new root has a parent")
	}
}

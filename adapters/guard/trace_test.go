package guard_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"muster/adapters"
)

// told is a span as a test can state it.
type told struct {
	Attributes map[string]any
	Status     sdktrace.Status
	Events     []string
}

func (w *world) told() told {
	w.t.Helper()
	ended := w.spans.Ended()
	if len(ended) == 0 {
		w.t.Fatal("no span has ended")
	}
	span := ended[len(ended)-1]
	got := told{Attributes: map[string]any{}, Status: span.Status()}
	for _, a := range span.Attributes() {
		got.Attributes[string(a.Key)] = a.Value.AsInterface()
	}
	for _, e := range span.Events() {
		got.Events = append(got.Events, fmt.Sprint(e.Name, " ", e.Attributes))
	}
	expect(w.t, "name", span.Name(), "lookup directory")
	expect(w.t, "span kind", span.SpanKind(), trace.SpanKindClient)
	return got
}

func TestTheSpanOfACall(t *testing.T) {
	t.Parallel()
	said := func(kind adapters.Kind, retryAfter time.Duration, d adapters.Detail) (adapters.Reply, error) {
		f := adapters.Fail(kind, "a test says so", nil)
		f.RetryAfter, f.Detail = retryAfter, d
		return adapters.Reply{}, f
	}
	failed := func(kind string) sdktrace.Status { return sdktrace.Status{Code: codes.Error, Description: kind} }
	tests := []struct {
		name string
		call func() (adapters.Reply, error)
		want told
	}{
		{"ok", func() (adapters.Reply, error) { return adapters.Reply{}, nil }, told{
			Attributes: map[string]any{"muster.source": "directory", "muster.outcome": "ok"},
		}},
		{"notes", func() (adapters.Reply, error) {
			return adapters.Reply{Notes: []string{"timezone: no IANA name", "locale: no BCP 47 tag"}}, nil
		}, told{
			Attributes: map[string]any{"muster.source": "directory", "muster.outcome": "ok"},
			Events: []string{
				fmt.Sprint("note ", []attribute.KeyValue{attribute.String("muster.note", "timezone: no IANA name")}),
				fmt.Sprint("note ", []attribute.KeyValue{attribute.String("muster.note", "locale: no BCP 47 tag")}),
			},
		}},
		{"partial", func() (adapters.Reply, error) {
			return adapters.Reply{Children: []*adapters.Fault{fault(adapters.Denied, 403, 0)}}, nil
		}, told{
			Attributes: map[string]any{"muster.source": "directory", "muster.outcome": "partial"},
		}},
		{"absent", func() (adapters.Reply, error) {
			return said(adapters.NotFound, 0, adapters.Detail{Status: 404, Code: "UserNotFound", Ref: "r-1"})
		}, told{
			Attributes: map[string]any{
				"muster.source": "directory", "muster.outcome": "absent",
				"http.response.status_code": int64(404), "muster.upstream.code": "UserNotFound", "muster.upstream.ref": "r-1",
			},
		}},
		{"failed", func() (adapters.Reply, error) {
			return said(adapters.Unavailable, 1500*time.Millisecond, adapters.Detail{
				Status: 503, Code: strings.Repeat("c", 65), Ref: strings.Repeat("r", 129),
				Message: "m", Hint: "h", Subject: "s", Details: []string{"d"},
			})
		}, told{
			Attributes: map[string]any{
				"muster.source": "directory", "muster.outcome": "failed", "error.type": "unavailable", "muster.kind": "unavailable",
				"http.response.status_code": int64(503), "muster.upstream.code": strings.Repeat("c", 64), "muster.upstream.ref": strings.Repeat("r", 128),
				"muster.retry_after": 1.5,
			},
			Status: failed("unavailable"),
		}},
		{"a sentence for a code", func() (adapters.Reply, error) {
			return said(adapters.Denied, 0, adapters.Detail{Status: 403, Code: "Jane Doe is not yours", Ref: "jane@acme.example"})
		}, told{
			Attributes: map[string]any{
				"muster.source": "directory", "muster.outcome": "failed", "error.type": "denied", "muster.kind": "denied", "http.response.status_code": int64(403),
			},
			Status: failed("denied"),
		}},
		{"the caller left", func() (adapters.Reply, error) {
			return adapters.Reply{}, adapters.Fail(adapters.Unavailable, "left", context.Canceled)
		}, told{
			Attributes: map[string]any{"muster.source": "directory", "muster.outcome": "failed", "error.type": "canceled"},
		}},
		{"panic", func() (adapters.Reply, error) { panic("at the disco") }, told{
			Attributes: map[string]any{"muster.source": "directory", "muster.outcome": "failed", "error.type": "unavailable", "muster.kind": "unavailable"},
			Status:     failed("unavailable"),
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, limits())
			adapter := adapters.AdapterFunc(func(context.Context, adapters.Query) (adapters.Reply, error) { return test.call() })
			_, _ = w.guards.Stack(adapter).Fetch(context.Background(), adapters.Query{})
			expect(t, "span", w.told(), test.want)
			expect(t, "spans", len(w.spans.Ended()), 1)
		})
	}
}

// TestTheLogOfAFailure has a line for each call that failed, with the upstream's
// code where it is one, and none of its texts.
func TestTheLogOfAFailure(t *testing.T) {
	t.Parallel()
	detail := adapters.Detail{
		Status: 503, Code: "Overloaded", Ref: "r-1", Message: "Jane Doe", Hint: "ask Jane", Subject: "jane@acme.example", Details: []string{"jane"},
	}
	failure := func(kind adapters.Kind, d adapters.Detail) error {
		f := adapters.Fail(kind, "the upstream answered 503", nil)
		f.Detail = d
		return f
	}
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"failed", failure(adapters.Unavailable, detail), `level=WARN msg="source failed" source=directory kind=unavailable step="the upstream answered 503" status=503 code=Overloaded ref=r-1` + "\n"},
		{"no reply", adapters.Fail(adapters.Timeout, "no answer", nil), `level=WARN msg="source failed" source=directory kind=timeout step="no answer" status=0 code="" ref=""` + "\n"},
		{"limited by the upstream", failure(adapters.RateLimited, adapters.Detail{Status: 429}), `level=WARN msg="source failed" source=directory kind=rate_limited step="the upstream answered 503" status=429 code="" ref=""` + "\n"},
		{"not let through", adapters.Fail(adapters.Open, "not asked", nil), ""},
		{"absent", failure(adapters.NotFound, adapters.Detail{Status: 404}), ""},
		{"the caller left", adapters.Fail(adapters.Unavailable, "left", context.Canceled), ""},
		{"fine", nil, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, limits())
			_ = w.ask(func(context.Context) error { return test.err })
			_, line, _ := strings.Cut(w.log.String(), " ") // without the time
			expect(t, "log", line, test.want)
		})
	}
}

func TestARefusedCallHasASpanToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refused := func(kind string, after float64) told {
			return told{
				Attributes: map[string]any{"muster.source": "directory", "muster.outcome": "failed", "error.type": kind, "muster.kind": kind, "muster.retry_after": after},
				Status:     sdktrace.Status{Code: codes.Error, Description: kind},
			}
		}
		w := newWorld(t, limits())
		w.send(limited(17 * time.Second))
		w.send(succeeds)
		expect(t, "throttled", w.told(), refused("rate_limited", 17))
		time.Sleep(17 * time.Second)
		w.open()
		w.send(succeeds)
		expect(t, "open", w.told(), refused("open", 15))
	})
}

func TestTheSpanIsTheCallersChildAndTheCallsParent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, limits())
	ctx, caller := w.tracer.Tracer("test").Start(context.Background(), "lookup")
	var inside trace.SpanContext
	_ = w.askIn(ctx, func(ctx context.Context) error { inside = trace.SpanContextFromContext(ctx); return nil })
	caller.End()
	span := w.spans.Ended()[0]
	expect(t, "parent", span.Parent().SpanID(), caller.SpanContext().SpanID())
	expect(t, "trace", span.SpanContext().TraceID(), caller.SpanContext().TraceID())
	expect(t, "span that the call sees", inside.SpanID(), span.SpanContext().SpanID())
}

func TestTheDurationOfCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, limits())
		takes := func(d time.Duration, a answer) answer {
			return func(ctx context.Context) error { time.Sleep(d); return a(ctx) }
		}
		w.send(takes(250*time.Millisecond, succeeds))
		w.send(takes(500*time.Millisecond, succeeds))
		w.send(takes(125*time.Millisecond, fails(adapters.NotFound, 404)))
		w.send(hangs)
		ctx, leave := context.WithTimeout(context.Background(), time.Hour)
		time.AfterFunc(time.Second, leave)
		_ = w.askIn(ctx, hangs)

		bounds := []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}
		point := func(seconds []float64, labels ...string) metricdata.HistogramDataPoint[float64] {
			p := metricdata.HistogramDataPoint[float64]{Bounds: bounds, BucketCounts: make([]uint64, len(bounds)+1)}
			set := []attribute.KeyValue{attribute.String("source", "directory")}
			for i := 0; i < len(labels); i += 2 {
				set = append(set, attribute.String(labels[i], labels[i+1]))
			}
			p.Attributes = attribute.NewSet(set...)
			p.Min, p.Max = metricdata.NewExtrema(seconds[0]), metricdata.NewExtrema(seconds[len(seconds)-1])
			for _, s := range seconds {
				p.Count++
				p.Sum += s
				bucket := 0
				for bucket < len(bounds) && s > bounds[bucket] {
					bucket++
				}
				p.BucketCounts[bucket]++
			}
			return p
		}
		want := metricdata.Metrics{
			Name: "muster.source.duration", Unit: "s",
			Description: "Time that a source took to answer, or its guards to refuse, by outcome.",
			Data: metricdata.Histogram[float64]{Temporality: metricdata.CumulativeTemporality, DataPoints: []metricdata.HistogramDataPoint[float64]{
				point([]float64{0.25, 0.5}, "outcome", "ok"),
				point([]float64{0.125}, "outcome", "absent"),
				point([]float64{2}, "outcome", "failed", "kind", "timeout"),
				point([]float64{1}, "outcome", "failed", "kind", "canceled"),
			}},
		}
		metricdatatest.AssertEqual(t, want, w.metrics()["muster.source.duration"],
			metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
	})
}

// Whatever an upstream writes, and whomever a lookup is about: none of it is
// told (cases.md 45, 46).
func TestNothingOfAPersonIsTold(t *testing.T) {
	t.Parallel()
	const canary = "canary@acme.example"
	words := adapters.Detail{Status: 500, Code: "no " + canary, Message: canary, Hint: canary, Ref: canary, Subject: canary, Details: []string{canary}}
	f := adapters.Fail(adapters.Unavailable, "asking", fmt.Errorf("https://directory.example/users/%s", canary))
	f.Detail = words
	for name, call := range map[string]func() (adapters.Reply, error){
		"failure":       func() (adapters.Reply, error) { return adapters.Reply{}, f },
		"foreign error": func() (adapters.Reply, error) { return adapters.Reply{}, fmt.Errorf("about %s", canary) },
		"panic":         func() (adapters.Reply, error) { panic(canary) },
		"partial":       func() (adapters.Reply, error) { return adapters.Reply{Children: []*adapters.Fault{f}}, nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, limits())
			adapter := adapters.AdapterFunc(func(context.Context, adapters.Query) (adapters.Reply, error) { return call() })
			query := adapters.Query{IDs: map[string]string{"email": canary}, Tenant: map[string]string{"self": canary}}
			_, _ = w.guards.Stack(adapter).Fetch(context.Background(), query)
			said := fmt.Sprintf("%+v %+v %s", w.told(), w.metrics(), w.log)
			if !strings.Contains(said, "directory") {
				t.Fatalf("the telemetry says nothing at all: %s", said)
			}
			if strings.Contains(said, "canary@") {
				t.Errorf("the telemetry names the person: %s", said)
			}
		})
	}
}

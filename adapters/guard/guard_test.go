package guard_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"

	"muster/adapters"
	"muster/adapters/guard"
	"muster/normalize"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// limits are the gateway's own, as providers.md states them.
func limits() adapters.Limits {
	return adapters.Limits{
		Timeout: 2 * time.Second,
		Breaker: adapters.Breaker{Failures: 0.5, Window: 20 * time.Second, Min: 20, Open: 15 * time.Second, Probes: 1},
	}
}

// world is one source's guards and all that they tell.
type world struct {
	t      *testing.T
	guards *guard.Guards
	spans  *tracetest.SpanRecorder
	tracer *sdktrace.TracerProvider
	meter  *sdkmetric.ManualReader
	log    *bytes.Buffer
}

func newWorld(t *testing.T, l adapters.Limits) *world {
	t.Helper()
	w := &world{t: t, spans: tracetest.NewSpanRecorder(), meter: sdkmetric.NewManualReader(), log: new(bytes.Buffer)}
	w.tracer = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(w.spans))
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(w.meter))
	tel, err := guard.NewTelemetry(w.tracer, meters, slog.New(slog.NewTextHandler(w.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	w.guards = guard.New("directory", l, tel)
	return w
}

// ask sends one call through the guards to an upstream that answers so.
func (w *world) ask(answer answer) *adapters.Fault {
	return w.askIn(context.Background(), answer)
}

func (w *world) askIn(ctx context.Context, answer answer) *adapters.Fault {
	_, err := w.guards.Stack(answer.adapter()).Fetch(ctx, adapters.Query{})
	return adapters.FaultOf(err)
}

// send is ask where it does not matter what comes of it.
func (w *world) send(answer answer) { _ = w.ask(answer) }

// asked tells whether a call reaches the upstream now; it is answered with a record.
func (w *world) asked() bool {
	reached := false
	w.send(func(context.Context) error { reached = true; return nil })
	return reached
}

// open opens the breaker with as many failures as that takes.
func (w *world) open() {
	w.t.Helper()
	for range limits().Breaker.Min {
		w.send(fails(adapters.Unavailable, 500))
	}
	w.expectState("open")
}

func (w *world) expectState(want string) {
	w.t.Helper()
	if got := w.guards.State(); got != want {
		w.t.Errorf("State() = %q, want %q", got, want)
	}
}

// metrics are all metrics so far, by name.
func (w *world) metrics() map[string]metricdata.Metrics {
	w.t.Helper()
	var data metricdata.ResourceMetrics
	if err := w.meter.Collect(context.Background(), &data); err != nil {
		w.t.Fatal(err)
	}
	metrics := map[string]metricdata.Metrics{}
	for _, scope := range data.ScopeMetrics {
		for _, m := range scope.Metrics {
			metrics[m.Name] = m
		}
	}
	return metrics
}

// transitions counts the breaker's moves so far.
func (w *world) transitions() map[string]int64 {
	w.t.Helper()
	moves := map[string]int64{}
	counter, _ := w.metrics()["muster.breaker.transitions"].Data.(metricdata.Sum[int64])
	for _, p := range counter.DataPoints {
		label := func(key attribute.Key) string { v, _ := p.Attributes.Value(key); return v.AsString() }
		moves[label("source")+": "+label("from")+" to "+label("to")] += p.Value
	}
	return moves
}

// answer is what an upstream does with a call; a nil error is a record.
type answer func(ctx context.Context) error

func (a answer) adapter() adapters.Adapter {
	return adapters.AdapterFunc(func(ctx context.Context, _ adapters.Query) (adapters.Reply, error) {
		if err := a(ctx); err != nil {
			return adapters.Reply{}, err
		}
		return adapters.Reply{Record: normalize.Record{Attributes: map[string][]string{"from": {"upstream"}}}}, nil
	})
}

func succeeds(context.Context) error { return nil }

// fails answers with a kind, and with a status where there is one.
func fails(kind adapters.Kind, status int) answer {
	return func(context.Context) error { return fault(kind, status, 0) }
}

// limited answers rate_limited with a Retry-After, 0 for none.
func limited(retryAfter time.Duration) answer {
	return func(context.Context) error { return fault(adapters.RateLimited, 429, retryAfter) }
}

func fault(kind adapters.Kind, status int, retryAfter time.Duration) *adapters.Fault {
	f := adapters.Fail(kind, "a test says so", nil)
	f.Detail.Status, f.RetryAfter = status, retryAfter
	return f
}

// hangs answers when its context is over, as an HTTP client does.
func hangs(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// crowd sends n calls at once and counts them by what came of them; "ok" for a record.
func (w *world) crowd(n int, answer answer) (outcomes map[string]int, reached int) {
	var group sync.WaitGroup
	var mu sync.Mutex
	var calls atomic.Int64
	outcomes = map[string]int{}
	for range n {
		group.Go(func() {
			f := w.ask(func(ctx context.Context) error { calls.Add(1); return answer(ctx) })
			mu.Lock()
			defer mu.Unlock()
			outcomes[describe(f)]++
		})
	}
	group.Wait()
	return outcomes, int(calls.Load())
}

// describe writes a fault as its kind and when to come back.
func describe(f *adapters.Fault) string {
	switch {
	case f == nil:
		return "ok"
	case adapters.Abandoned(f):
		return "abandoned"
	case f.RetryAfter != 0:
		return fmt.Sprintf("%s in %s", f.Kind, f.RetryAfter)
	default:
		return f.Kind.String()
	}
}

func expect(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

package guard_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	metricnoop "go.opentelemetry.io/otel/metric/noop"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"muster/adapters"
	"muster/adapters/guard"
)

// TestDo: what hangs costs its timeout a few times, then one call in a while; when it is
// well again everybody calls. Callers who do not wait, however many, prove nothing.
func TestDo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tel, err := guard.NewTelemetry(tracenoop.NewTracerProvider(), metricnoop.NewMeterProvider(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		b := guard.NewBreaker("links", adapters.Breaker{Failures: 0.5, Window: 10 * time.Second, Min: 5, Open: time.Second, Probes: 1}, tel)
		const patience = 500 * time.Millisecond
		down := true
		call := func(ctx context.Context) (what string, took time.Duration) {
			begin := time.Now()
			err := b.Do(ctx, func() error {
				if !down {
					return nil
				}
				ctx, cancel := context.WithTimeout(ctx, patience)
				defer cancel()
				<-ctx.Done()
				return fmt.Errorf("asking: %w", ctx.Err())
			})
			switch {
			case err == nil:
				what = "ok"
			case adapters.FaultOf(err).Kind == adapters.Open:
				what = "open"
			case errors.Is(err, context.DeadlineExceeded):
				what = "late"
			default:
				what = "left"
			}
			return what, time.Since(begin)
		}
		expect := func(when string, ctx context.Context, want string, took time.Duration) {
			t.Helper()
			if got, took2 := call(ctx); got != want || took2 != took {
				t.Errorf("%s: %s after %v, want %s after %v", when, got, took2, want, took)
			}
		}
		for range 20 {
			impatient, cancel := context.WithDeadlineCause(t.Context(), time.Now().Add(time.Millisecond), context.Canceled)
			expect("impatient", impatient, "late", time.Millisecond)
			cancel()
			gone, leave := context.WithTimeout(t.Context(), time.Hour)
			time.AfterFunc(time.Millisecond, leave)
			expect("gone", gone, "left", time.Millisecond)
		}
		for range 5 {
			expect("at first", t.Context(), "late", patience)
		}
		for range 100 {
			expect("then", t.Context(), "open", 0)
		}
		time.Sleep(time.Second)
		expect("it is tried", t.Context(), "late", patience)
		expect("and is not well", t.Context(), "open", 0)
		down = false
		expect("nobody has looked", t.Context(), "open", 0)
		time.Sleep(time.Second)
		for range 10 {
			expect("well again", t.Context(), "ok", 0)
		}
	})
}

// TestDoWithoutReturn: a call that panics counts, and gives its probe back.
func TestDoWithoutReturn(t *testing.T) {
	t.Parallel()
	tel, err := guard.NewTelemetry(tracenoop.NewTracerProvider(), metricnoop.NewMeterProvider(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	b := guard.NewBreaker("links", adapters.Breaker{Failures: 0.5, Window: time.Minute, Min: 1, Open: time.Millisecond, Probes: 1}, tel)
	for range 3 {
		func() {
			defer func() { _ = recover() }()
			_ = b.Do(t.Context(), func() error { panic("at the disco") })
		}()
		time.Sleep(2 * time.Millisecond)
	}
	if err := b.Do(t.Context(), func() error { return nil }); err != nil {
		t.Error(err)
	}
}

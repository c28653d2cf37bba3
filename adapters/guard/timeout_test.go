package guard_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"muster/adapters"
)

func TestTimeoutNamesWhoEndedTheCall(t *testing.T) {
	t.Parallel()
	// after answers when the call is over, with an error of the adapter's own making.
	after := func(err error) answer {
		return func(ctx context.Context) error { <-ctx.Done(); return err }
	}
	patient := func(ctx context.Context) (context.Context, context.CancelFunc) { return ctx, func() {} }
	deadline := func(d time.Duration) func(context.Context) (context.Context, context.CancelFunc) {
		return func(ctx context.Context) (context.Context, context.CancelFunc) { return context.WithTimeout(ctx, d) }
	}
	leaves := func(d time.Duration) func(context.Context) (context.Context, context.CancelFunc) {
		return func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(ctx)
			timer := time.AfterFunc(d, func() { cancel(errors.New("connection closed")) })
			return ctx, func() { timer.Stop(); cancel(nil) }
		}
	}
	const slow, left = "timeout: no answer within the source's timeout", "unavailable: the caller left"
	tests := []struct {
		name   string
		caller func(context.Context) (context.Context, context.CancelFunc)
		answer answer
		want   string
		took   time.Duration
	}{
		{"it answers in time", patient, succeeds, "ok", 0},
		{"it fails in time", patient, fails(adapters.Malformed, 200), "malformed: a test says so", 0},
		{"its own timeout passes", patient, hangs, slow, 2 * time.Second},
		{"the adapter takes it for the network", patient, after(fault(adapters.Unavailable, 0, 0)), slow, 2 * time.Second},
		{"the adapter takes it for a bad body", patient, after(fault(adapters.Malformed, 200, 0)), slow, 2 * time.Second},
		{"the adapter returns what it got", patient, after(io.ErrUnexpectedEOF), slow, 2 * time.Second},
		{"a token does not come", patient, after(adapters.Fail(adapters.Unauthenticated, "no token", context.DeadlineExceeded)), slow, 2 * time.Second},
		{"a token is no longer waited for", patient, after(adapters.Fail(adapters.Unauthenticated, "no token", context.Canceled)), slow, 2 * time.Second},
		{"a refusal at the last moment", patient, after(fault(adapters.Denied, 403, 0)), "denied: a test says so", 2 * time.Second},
		{"an absence at the last moment", patient, after(fault(adapters.NotFound, 404, 0)), "not_found: a test says so", 2 * time.Second},
		{"a record at the last moment", patient, after(nil), "ok", 2 * time.Second},
		{"the lookup's time runs out", deadline(500 * time.Millisecond), hangs, "timeout: the time for the whole lookup ran out", 500 * time.Millisecond},
		{"the lookup has more time", deadline(5 * time.Second), hangs, slow, 2 * time.Second},
		{"the caller leaves", leaves(300 * time.Millisecond), hangs, left, 300 * time.Millisecond},
		{"the caller leaves, the adapter takes it for the network", leaves(300 * time.Millisecond), after(fault(adapters.Unavailable, 0, 0)), left, 300 * time.Millisecond},
		{"the caller leaves when all is over", leaves(2*time.Second + 1), hangs, slow, 2 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, limits())
				ctx, cancel := test.caller(context.Background())
				defer cancel()
				begin := time.Now()
				f := w.askIn(ctx, test.answer)
				expect(t, "time taken", time.Since(begin), test.took)
				got := describe(f)
				if f != nil {
					got = f.Error()
				}
				expect(t, "fault", got, test.want)
				expect(t, "abandoned", f != nil && adapters.Abandoned(f), test.want == left)
			})
		})
	}
}

func TestAFailureKeepsWhatTheUpstreamSaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t, limits())
	said := fault(adapters.Unavailable, 503, 7*time.Second)
	if got := w.ask(func(context.Context) error { return said }); got != said {
		t.Errorf("the fault is %v, want the adapter's own", got)
	}
}

func TestACallIsNotSentWhenTimeIsUp(t *testing.T) {
	t.Parallel()
	over, cancel := context.WithTimeout(context.Background(), 0)
	defer cancel()
	left, leave := context.WithCancel(context.Background())
	leave()
	for _, test := range []struct {
		ctx  context.Context
		want string
	}{{over, "timeout"}, {left, "abandoned"}} {
		w := newWorld(t, limits())
		for range 1000 {
			f := w.askIn(test.ctx, func(context.Context) error { t.Error("the upstream was called"); return nil })
			expect(t, "fault", describe(f), test.want)
		}
		w.expectState("closed")
	}
}

package guard

import (
	"context"
	"errors"
	"fmt"
	"time"

	"muster/adapters"
)

// errSlow tells our own deadline from the caller's. It is a DeadlineExceeded
// because an HTTP client returns the cause and not the context's error.
var errSlow = fmt.Errorf("the source was too slow: %w", context.DeadlineExceeded)

// timeout ends a call after the limit. Whatever the adapter then calls its
// failure, the kind is decided here, by who ended the call.
func timeout(limit time.Duration) adapters.Guard {
	return func(next adapters.Adapter) adapters.Adapter {
		return adapters.AdapterFunc(func(ctx context.Context, q adapters.Query) (adapters.Reply, error) {
			ctx, cancel := context.WithTimeoutCause(ctx, limit, errSlow)
			defer cancel()
			reply, err := next.Fetch(ctx, q)
			if ctx.Err() != nil && interrupts(err) {
				return adapters.Reply{}, interrupted(ctx)
			}
			return reply, err
		})
	}
}

// interrupts tells whether a failure may come from the end of the call's
// context: a connection or a body that is cut looks like the upstream's fault.
// A "no such person" that came at the last moment stays one.
func interrupts(err error) bool {
	return err != nil && (adapters.FaultOf(err).Kind.Traits().Trips ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled))
}

// interrupted is the fault of a call whose context is over. A caller who left
// gives one that adapters.Abandoned knows; its kind is then nobody's concern.
func interrupted(ctx context.Context) *adapters.Fault {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return adapters.Fail(adapters.Unavailable, "the caller left", context.Canceled)
	case errors.Is(context.Cause(ctx), errSlow):
		return adapters.Fail(adapters.Timeout, "no answer within the source's timeout", ctx.Err())
	default:
		return adapters.Fail(adapters.Timeout, "the time for the whole lookup ran out", ctx.Err())
	}
}

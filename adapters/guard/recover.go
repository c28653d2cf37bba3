package guard

import (
	"context"
	"fmt"
	"log/slog"

	"muster/adapters"
)

// recovery makes a fault of whatever comes out of an adapter: of a panic, and
// of an error that is none. A panic is logged by its type and its place alone;
// its text may be about a person.
func recovery(source string, tel *Telemetry) adapters.Guard {
	return func(next adapters.Adapter) adapters.Adapter {
		return adapters.AdapterFunc(func(ctx context.Context, q adapters.Query) (reply adapters.Reply, err error) {
			defer func() {
				if p := recover(); p != nil {
					tel.log.LogAttrs(ctx, slog.LevelError, "source panicked", slog.String("source", source),
						slog.String("panic", fmt.Sprintf("%T", p)), slog.String("stack", adapters.PanicStack()))
					reply, err = adapters.Reply{}, adapters.Fail(adapters.Unavailable, "the source panicked", nil)
				}
			}()
			reply, err = next.Fetch(ctx, q)
			if fault := adapters.FaultOf(err); fault != nil {
				return adapters.Reply{}, fault
			}
			return reply, nil
		})
	}
}

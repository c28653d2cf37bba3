package guard_test

import (
	"context"
	"fmt"
	"log/slog"

	metric "go.opentelemetry.io/otel/metric/noop"
	trace "go.opentelemetry.io/otel/trace/noop"

	"muster/adapters"
	"muster/adapters/guard"
)

func ExampleGuards_Stack() {
	tel, err := guard.NewTelemetry(trace.NewTracerProvider(), metric.NewMeterProvider(), slog.Default())
	if err != nil {
		panic(err)
	}
	guards := guard.New("directory", adapters.DefaultLimits(), tel)
	down := guards.Stack(adapters.AdapterFunc(func(context.Context, adapters.Query) (adapters.Reply, error) {
		return adapters.Reply{}, adapters.Fail(adapters.Unavailable, "the connection was reset", nil)
	}))

	for range 20 {
		_, err = down.Fetch(context.Background(), adapters.Query{})
	}
	fmt.Println(err)
	_, err = down.Fetch(context.Background(), adapters.Query{})
	fmt.Println(err)
	fmt.Println(guards.State())
	// Output:
	// unavailable: the connection was reset
	// open: not asked: the source failed too often
	// open
}

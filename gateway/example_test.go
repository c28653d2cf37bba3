package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	metric "go.opentelemetry.io/otel/metric/noop"
	trace "go.opentelemetry.io/otel/trace/noop"

	"muster/adapters"
	"muster/gateway"
	"muster/normalize"
)

// Two sources know Jane; one of them is down. The answer has what the other
// knows, and says what is missing from it.
func Example() {
	directory := adapters.AdapterFunc(func(context.Context, adapters.Query) (adapters.Reply, error) {
		return adapters.Reply{Record: normalize.Record{Profile: normalize.Profile{DisplayName: "Jane Doe"}}}, nil
	})
	payroll := adapters.AdapterFunc(func(context.Context, adapters.Query) (adapters.Reply, error) {
		return adapters.Reply{}, adapters.Fail(adapters.Unavailable, "the connection was reset", nil)
	})
	closed := func() string { return "closed" }
	g, err := gateway.New(&gateway.Live{
		Sources: []*gateway.Source{
			{Name: "directory", Upstream: by("username"), Adapter: directory, Breaker: closed, Keep: adapters.DefaultLimits().Cache},
			{Name: "payroll", Upstream: by("username"), Adapter: payroll, Breaker: closed, Keep: adapters.DefaultLimits().Cache},
		},
		Tenants: map[string]*gateway.Tenant{"acme": {Name: "acme"}},
		Accept:  []string{"username"},
		Budget:  time.Second,
	}, gateway.Options{
		CacheBytes: 64 << 20,
		Tracer:     trace.NewTracerProvider().Tracer(""),
		Meter:      metric.NewMeterProvider().Meter(""),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer g.Close()

	answer, err := g.Lookup(context.Background(), gateway.Query{Tenant: "acme", User: "username:jane"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(answer.Status, answer.Reason)
	data, err := json.Marshal(answer.Data)
	fmt.Println(string(data), err)

	_, err = g.Lookup(context.Background(), gateway.Query{Tenant: "acme", User: "email:jane@acme.example"})
	if refused := (*gateway.RequestError)(nil); errors.As(err, &refused) {
		fmt.Println(refused.Status, refused.Reason, refused.Resolution)
	}
	// Output:
	// 207 1 of 2 sources failed: payroll (unavailable).
	// {"displayName":"Jane Doe"} <nil>
	// 400 The kind of identifier before the first colon is not accepted. Use one of: username.
}

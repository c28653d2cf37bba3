package adapters

import (
	"context"

	"muster/normalize"
)

// Adapter asks one upstream about one person. The error is always a *Fault.
type Adapter interface {
	Fetch(ctx context.Context, q Query) (Reply, error)
}

// AdapterFunc makes an Adapter of a function.
type AdapterFunc func(ctx context.Context, q Query) (Reply, error)

// Fetch calls the function.
func (f AdapterFunc) Fetch(ctx context.Context, q Query) (Reply, error) { return f(ctx, q) }

// Guard puts something around an Adapter: a limit, a breaker, a span. Guards
// live in adapters/guard, and their order is stated there once.
type Guard func(Adapter) Adapter

// Query is what is known of the person when a source is asked: identifiers by
// kind, and the tenant's own values for {tenant.NAME}. A source finds its own
// identifier under Self in both. Caller is who asks, where the source's credential
// is the caller's; nil otherwise, and where that is not known.
type Query struct {
	IDs    map[string]string
	Tenant map[string]string
	Caller *Caller
}

// Reply is a source's answer: its part of the person, and what is wrong with it.
type Reply struct {
	Record normalize.Record
	Status int // HTTP status of the upstream's reply, for the trace

	// Children are the upstream's own partial failures (seed 000: a 207 carries
	// Data and ChildErrors). The record holds what could be read.
	Children []*Fault

	// Notes say which mapped values did not fit their member and were left
	// out: member and type, nothing of the person.
	Notes []string
}

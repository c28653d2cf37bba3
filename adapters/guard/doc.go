// Package guard puts limits around an adapters.Adapter: how long a call may
// take, when a source is left alone for a while, and what is told of each call.
//
// A source whose definition was read gets its Guards once, and they live as
// long as the definition is unchanged, across reloads. Each Adapter made for
// the source is then put inside of them:
//
//	tel, err := guard.NewTelemetry(tracers, meters, log)
//	guards := guard.New("directory", source.Limits(), tel)
//	adapter := guards.Stack(source) // an adapters.Guard
//	reply, err := adapter.Fetch(ctx, query)
//
// The memory of the guards (is the breaker open, until when did the upstream
// ask for a pause) belongs to Guards, not to what Stack returns. It is about
// one source and one credential: where a source is asked with the credentials
// of several callers or tenants, each has Guards of its own.
//
// The order of the guards stands in stack.go and nowhere else. One file, one guard:
//
//   - trace.go: a span and a duration for each call, and nothing of a person in either;
//   - throttle.go: after a rate_limited, a pause as long as the upstream said;
//   - breaker.go: a source that fails too often is not asked for a while, and
//     is then tried with few calls;
//   - timeout.go: a call ends in time, and who ended it decides its kind;
//   - recover.go: a panic is a fault like any other.
//
// No guard decides by a status or a text: what a failure means to each of them
// is read from its Kind and the Kind's Traits. A caller who left
// (adapters.Abandoned) never counts against a source.
package guard

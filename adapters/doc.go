// Package adapters asks upstream systems about one person.
//
// An Adapter has one method. The one implementation for HTTP is Source: a
// Definition (a YAML file, compiled) bound to the settings of a deployment:
//
//	resolved := adapters.Resolve("directory", catalog.Library(&problems)) // with what it `use`s
//	definition := adapters.Compile(resolved)                           // mistakes are in problems
//	source := definition.Bind("directory", settings, adapters.DefaultLimits(), nil, transport)
//	reply, err := source.Fetch(ctx, adapters.Query{IDs: map[string]string{"email": "jane@acme.example"}})
//
// How a lookup passes through it reads from top to bottom in Source.Fetch:
//
//	request.go     identifiers and settings become one HTTP request, or nothing
//	               is sent because a value does not fit its place (template.go,
//	               quote.go)
//	credential.go  the request is given what the upstream wants to see: our own
//	               credential (auth.go is how it is written, assertion.go what we
//	               sign), or the caller's (caller.go, exchange.go)
//	reply.go       the reply becomes a Record, or a Fault of one of the kinds:
//	               compare.go holds it against what was asked for, nobody.go is
//	               for lookups that name nobody, retryafter.go for when to return
//
// What can go wrong is a closed set: fault.go holds the one table of kinds that
// retry, breaker, cache and answers are driven by. Everything that waits,
// repeats or refuses a call stands around the Adapter and not in it, as a Guard
// (package guard).
//
// # Tests
//
// Definitions carry their own tests (inline.go); RunTests plays them against the
// same engine, with the network replaced by the reply that the test states.
// result.go tells what came of them, and writes it into them where it is wanted.
// Their replies are the samples (samples.go) that CEL is typed from.
//
// # Looking on
//
// A Recorder (record.go) stands around a Source and its transport and keeps what
// is asked, sent and received, for whoever operates it. What is shown of it has no
// secret (mask.go), and SaveTest (save.go) makes an inline test of it that has
// nothing of the person either. Audit (audit.go) warns of what is legal and unwise.
package adapters

// Package adapters asks upstream systems about one person.
//
// An Adapter has one method. The one implementation for HTTP is Source: a
// Definition (a YAML file, compiled) bound to the settings of a deployment. How
// a lookup passes through it reads from top to bottom in Source.Fetch:
//
//	request.go     identifiers and settings become one HTTP request, or nothing
//	               is sent because a value does not fit its place
//	credential.go  the request is given what the upstream wants to see: our own
//	               credential, or the caller's (caller.go, exchange.go)
//	reply.go       the reply becomes a Record, or a Fault of one of the kinds;
//	               nobody.go is for those of whoever the credential is for
//
// What can go wrong is a closed set: fault.go holds the one table of kinds that
// retry, breaker, cache and answers are driven by. Everything that waits,
// repeats or refuses a call stands around the Adapter and not in it, as a Guard
// (package guard).
//
// Definitions carry their own tests; RunTests plays them against the same
// engine, with the network replaced by the reply that the test states.
package adapters

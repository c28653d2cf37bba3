// Package gateway is the engine: it answers who one person is, as every system
// that knows them says. It knows no HTTP server and no configuration file.
//
// A lookup reads from top to bottom in Gateway.Lookup:
//
//	query.go    what the caller asks, checked against what is configured
//	plan.go     which source can be asked, with what: a pure function
//	fanout.go   all of them at once, each in its own slot, through the cache
//	answer.go   the slots become one document: status, profile, what is missing
//
// What is kept of a person is forgotten in Gateway.Purge (purge.go, purges.go). Of
// both there is an audit record (account.go), in which people have pseudonyms
// (pseudonym.go); package audit brings it to where it is kept.
//
// A Live is everything that a reload may swap. A Gateway holds one behind an
// atomic pointer, so that a lookup sees one configuration from start to end.
package gateway

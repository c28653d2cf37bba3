// Package audit keeps the record of who asked for whom. It holds no value of anybody:
// people are keyed hashes, and of what was shown there are the names of members.
//
//	record.go  what a record says: a stable form, documented in docs/operating.md
//	trail.go   records on their way: one goroutine writes them, and whoever has asked
//	           waits for it, or does not, as the operator has chosen
//	file.go    a file of JSON Lines that a log rotation may move away
//
// A Sink elsewhere is written the same way; the one for OpenTelemetry needs its SDK
// and lives in cmd.
package audit

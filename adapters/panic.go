package adapters

import (
	"fmt"
	"runtime"
	"strings"
)

// PanicStack lists the functions that led to a panic, one to a line, for a log.
// It is called by the deferred function that recovered. Unlike debug.Stack it
// leaves out their arguments, of which a number may be an identifier.
func PanicStack() string {
	const here, deepest = 3, 64 // here: runtime.Callers, PanicStack, the deferred function
	counters := make([]uintptr, deepest)
	frames := runtime.CallersFrames(counters[:runtime.Callers(here, counters)])
	var b strings.Builder
	for more := true; more; {
		var frame runtime.Frame
		frame, more = frames.Next()
		fmt.Fprintf(&b, "%s %s:%d\n", frame.Function, frame.File, frame.Line)
	}
	return b.String()
}

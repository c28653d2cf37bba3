package guard

import "muster/adapters"

// Stack puts a source's call inside its guards. Every Adapter from the same
// Guards shares their breaker and their throttle. Its errors are *adapters.Fault.
func (g *Guards) Stack(call adapters.Adapter) adapters.Adapter {
	return compose(call,
		g.tel.trace(g.source), // sees every answer, also those of the guards inside
		// hedge: a second call when the first is slow; the loser is cancelled, which nobody counts
		// retry: outside of all that follows, so that each attempt has its own timeout and is counted
		// rate: our own limit; outside of the throttle, which would take its refusal for the upstream's
		// bulkhead: inside of hedge and retry, to count real calls; its queue never costs a call's time
		g.throttle.guard,          // a pause costs the half-open breaker none of its probes
		g.breaker.guard,           // counts what timeout and recovery make of a call
		timeout(g.limits.Timeout), // ends every call, so that a probe always reports
		recovery(g.source, g.tel), // innermost: to all the others a panic is a fault
	)
}

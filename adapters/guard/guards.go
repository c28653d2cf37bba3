package guard

import "muster/adapters"

// Guards are the guards of one source and one credential, with what they
// remember of it. They are safe for concurrent use.
type Guards struct {
	source   string
	limits   adapters.Limits
	tel      *Telemetry
	throttle *throttle
	breaker  *breaker
}

// New makes the guards of a source of that name: a closed breaker, no pause.
// The limits are those in force (adapters.Source.Limits).
func New(source string, limits adapters.Limits, tel *Telemetry) *Guards {
	return &Guards{
		source:   source,
		limits:   limits,
		tel:      tel,
		throttle: new(throttle),
		breaker:  newBreaker(limits.Breaker, tel.transition(source)),
	}
}

// State is the breaker's state: closed, half-open or open. Asking moves
// nothing; a breaker whose time is over reads as half-open although no call has
// tried the source yet.
func (g *Guards) State() string { return g.breaker.state().String() }

// compose puts the guards around a call, the first of them outermost.
func compose(call adapters.Adapter, outermostFirst ...adapters.Guard) adapters.Adapter {
	for i := len(outermostFirst) - 1; i >= 0; i-- {
		call = outermostFirst[i](call)
	}
	return call
}

package gateway

import (
	"slices"

	"muster/adapters"
)

// Outcome is how it went with one source.
type Outcome string

// The outcomes, as contract.md lists them.
const (
	OK       Outcome = "ok"
	Partial  Outcome = "partial"
	Absent   Outcome = "absent"
	Unlinked Outcome = "unlinked"
	Skipped  Outcome = "skipped"
	Failed   Outcome = "failed"
)

// state is how far a step has come.
type state uint8

const (
	waiting state = iota
	running
	settled
)

// step is what becomes of one source: it is asked with a query, or not, and why.
type step struct {
	source *Source
	state  state
	query  adapters.Query
	used   []string        // kinds of identifiers that shape the request; nil when it is not asked
	basis  []claim         // what it is asked with, and who said so
	wave   int             // in which it is asked, from 1; 0 when it is not
	skip   Outcome         // Skipped or Unlinked; "" when it is asked
	needs  []string        // with Unlinked and unresolved: what nobody yielded
	fault  *adapters.Fault // it cannot be asked: a value does not fit, or there is none

	// Once it has answered.
	failed bool
	absent bool
	leans  bool    // it was found, at whatever remove, by what an earlier lookup has learned
	lent   bool    // or by an address that another source has said: addresses are lent
	trust  Trust   // how far its record is believed to be the person's
	said   []claim // of who the person is
}

// answered tells whether the source has spoken in this lookup, be it to say that it
// knows nobody.
func (s *step) answered() bool {
	return s.absent || s.said != nil || s.wave > 0 && s.state == settled && !s.failed
}

// plan is what is asked first, with what is known before any source is asked.
func plan(l *Live, a asked, known []claim) *chain {
	c := begin(l, a, known)
	c.first = c.ready()
	return c
}

// unusable tells that the caller's own identifiers, of these kinds, cannot be what
// any source that would use them expects: the caller's mistake, and nobody's failure.
// Where another identifier is sent beside it, nobody knows which of them does not fit.
func unusable(steps []step, own []string) bool {
	users := 0
	for i := range steps {
		s := &steps[i]
		if !slices.ContainsFunc(s.source.ownKinds(s.used), func(kind string) bool { return slices.Contains(own, kind) }) {
			continue
		}
		if s.fault == nil || s.fault.Kind != adapters.Invalid {
			return false
		}
		if len(s.used) == 1 {
			users++
		}
	}
	return users > 0
}

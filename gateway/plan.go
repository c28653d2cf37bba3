package gateway

import (
	"maps"
	"slices"

	"muster/adapters"
	"muster/normalize"
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

// step is what the plan says of one source: ask it with a query, or not, and why.
type step struct {
	source *Source
	query  adapters.Query
	used   []string        // kinds of identifiers that shape the request; nil when it is not asked
	skip   Outcome         // Skipped or Unlinked; "" when it is asked
	needs  []string        // with Unlinked: what nobody yielded
	fault  *adapters.Fault // it cannot be asked: a value does not fit
}

// asks tells whether the step sends anything.
func (s *step) asks() bool { return s.skip == "" && s.fault == nil }

// plan says for every source, in the order configured, whether it is asked and
// with what. It is pure: the same facts give the same plan.
func plan(l *Live, a asked, known map[string]string) []step {
	steps := make([]step, len(l.Sources))
	for i, source := range l.Sources {
		steps[i] = planSource(source, a, known)
	}
	return steps
}

func planSource(source *Source, a asked, known map[string]string) step {
	s := step{source: source}
	wanted := a.fields == nil || slices.ContainsFunc(source.members(), a.fields.Needs)
	if !wanted || a.only != nil && !slices.Contains(a.only, source.Name) || !source.serves(a.tenant) {
		s.skip = Skipped
		return s
	}
	s.query = adapters.Query{IDs: maps.Clone(known), Tenant: source.tenantValues(a.tenant)}
	if own := known[source.Name]; own != "" {
		s.query.IDs[normalize.Self] = own
	}
	if source.Upstream.AsCaller() { // no other source is told who asks
		s.query.Caller = a.caller
	}
	used, missing := source.Upstream.Choose(s.query)
	if used == nil {
		s.skip, s.needs = Unlinked, source.ownKinds(missing)
		return s
	}
	s.used = used
	s.fault = source.Upstream.Check(s.query)
	return s
}

// unusable tells that the caller's own identifier cannot be what any source that
// would use it expects: the caller's mistake, and nobody's failure.
func unusable(steps []step, kind string) bool {
	users := 0
	for i := range steps {
		s := &steps[i]
		if s.skip != "" || !slices.Contains(s.source.ownKinds(s.used), kind) {
			continue
		}
		if s.fault == nil || s.fault.Kind != adapters.Invalid {
			return false
		}
		users++
	}
	return users > 0
}

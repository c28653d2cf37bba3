package gateway

import (
	"maps"
	"slices"

	"muster/adapters"
	"muster/normalize"
)

// chain is a lookup on its way from identifier to identifier: which sources are
// asked, with what, and what they have said of who the person is. It asks nobody
// and knows no time: what happens to it is told by settle, and the same facts give
// the same questions in whatever order they come.
//
// A source is asked as soon as nothing that is still to come could change with what
// it is asked. What is known from the start is enough for any of its lookups, in
// their order. Otherwise its lookups are tried in their order, each with the
// strongest claims; it waits for a source that may yet say what an earlier lookup
// needs, or say something stronger.
type chain struct {
	live    *Live
	asked   asked
	waves   int
	steps   []step
	claims  []claim
	initial map[string]string
	started bool
	first   []int  // what is asked first
	id      string // of the person, as learned before; "" where it is not known

	recalled group // what was kept of the person
}

// begin makes the chain of a lookup from what is known before any source is asked.
func begin(l *Live, a asked, known []claim) *chain {
	c := &chain{live: l, asked: a, waves: max(1, l.Waves), claims: known, initial: map[string]string{}}
	for _, k := range known {
		if _, said := c.initial[k.kind]; !said && k.source == beforeAll {
			c.initial[k.kind] = k.value
		}
	}
	c.steps = make([]step, len(l.Sources))
	for i, source := range l.Sources {
		c.steps[i] = step{source: source, state: waiting}
	}
	if l.Links != nil && c.initial[kindEmail] == "" && !a.linksDown {
		c.steps = append(c.steps, step{source: l.linked(a.tenant.Name), state: waiting})
	}
	c.leaveOut()
	return c
}

// leaveOut marks the sources that are not asked: those that may not be, and those
// that give nothing of what is wanted: no member, no identifier that another one
// needs, and no word of whose an address is.
func (c *chain) leaveOut() {
	allowed := make([]bool, len(c.steps))
	wanted := make([]bool, len(c.steps))
	for i := range c.steps {
		source := c.steps[i].source
		allowed[i] = source.isLinks() || source.serves(c.asked.tenant) && (c.asked.only == nil || slices.Contains(c.asked.only, source.Name))
		wanted[i] = allowed[i] && (c.asked.fields == nil || c.asked.fields.Needs("id") || source.gives(*c.asked.fields))
	}
	for changed := !slices.Equal(allowed, wanted); changed; { // else there is nobody left to lead on
		changed = false
		for i := range c.steps {
			if !wanted[i] || c.knownEnough(i) {
				continue
			}
			for j := range c.steps {
				if j != i && allowed[j] && !wanted[j] && (c.mayLead(j, i) || c.namesNobody(i) && c.knowsNames(j)) {
					wanted[j], changed = true, true
				}
			}
		}
	}
	for i := range c.steps {
		if !wanted[i] {
			c.steps[i].state, c.steps[i].skip = settled, Skipped
		}
	}
}

// knownEnough tells whether a source can be asked from the start.
func (c *chain) knownEnough(i int) bool {
	used, _ := c.steps[i].source.Upstream.Choose(c.query(i, nil))
	return used != nil
}

// mayLead tells whether one source yields what another can be asked with and what
// is not known from the start.
func (c *chain) mayLead(from, to int) bool {
	return slices.ContainsFunc(c.missing(to), func(kind string) bool { return c.mayYield(from, kind, to) })
}

// byAddress tells whether an address that another source says may lead to a source,
// straight or by one more.
func (c *chain) byAddress(i int) bool {
	if c.initial[kindEmail] != "" {
		return false
	}
	for j := range c.steps {
		if c.steps[j].source.takes(kindEmail) && (j == i || c.mayLead(j, i)) {
			return true
		}
	}
	return false
}

// namesNobody tells that an address may lead to a record of a source which does not
// say whose it is.
func (c *chain) namesNobody(i int) bool {
	source := c.steps[i].source
	return !source.isLinks() && len(source.Upstream.Members()) > 0 && !slices.Contains(source.ownKinds(source.Upstream.Yields()), kindUsername) && c.byAddress(i)
}

// knowsNames tells that a source says user names of those to whom an address leads.
func (c *chain) knowsNames(i int) bool {
	source := c.steps[i].source
	return slices.Contains(source.ownKinds(source.Upstream.Yields()), kindUsername) && c.byAddress(i)
}

// mayYield tells whether a source may yield a kind that may be used to ask another.
func (c *chain) mayYield(from int, kind string, to int) bool {
	source := c.steps[from].source
	return from != to && slices.Contains(source.ownKinds(source.Upstream.Yields()), kind) && leadsTo(kind, source, c.steps[to].source)
}

// missing are the kinds that any lookup of a source needs and that neither the
// caller nor an operator's link has said.
func (c *chain) missing(i int) []string {
	var kinds []string
	source := c.steps[i].source
	for _, set := range source.Upstream.Needs() {
		for _, kind := range source.ownKinds(set) {
			if c.initial[kind] == "" && !slices.Contains(kinds, kind) {
				kinds = append(kinds, kind)
			}
		}
	}
	return kinds
}

// query is what a source is asked with: what is known from the start, and some
// claims besides.
func (c *chain) query(i int, besides []claim) adapters.Query {
	source := c.steps[i].source
	q := adapters.Query{IDs: maps.Clone(c.initial), Tenant: source.tenantValues(c.asked.tenant)}
	for _, k := range besides {
		q.IDs[k.kind] = k.value
	}
	if own := q.IDs[source.Name]; own != "" {
		q.IDs[normalize.Self] = own
	}
	if c.asked.caller != nil && source.Upstream.AsCaller() { // no other source is told who asks
		q.Caller = &c.asked.caller.Caller
	}
	return q
}

// ready settles what can be settled and returns the steps that are to be asked now.
// They count as under way until settle is told of them.
func (c *chain) ready() []int {
	var asks []int
	for again := true; again; {
		again = false
		for i := range c.steps {
			switch {
			case c.steps[i].state != waiting:
			case c.decide(i, false):
				asks = append(asks, i)
			case c.steps[i].state == settled: // it cannot be asked, and nobody need wait for it
				again = true
			}
		}
	}
	c.started = true
	if asks != nil || c.underWay() {
		return asks
	}
	// Sources that wait for each other: the first of them goes first.
	for i := range c.steps {
		switch {
		case c.steps[i].state != waiting:
		case c.decide(i, true):
			return []int{i}
		case c.steps[i].state == settled:
			return c.ready()
		}
	}
	c.end()
	return nil
}

func (c *chain) underWay() bool {
	return slices.ContainsFunc(c.steps, func(s step) bool { return s.state == running })
}

// decide finds out whether a source is to be asked now. Not to wait for better is
// for sources that would wait for ever.
func (c *chain) decide(i int, now bool) bool {
	if !c.started && (c.try(i, nil, nil) || c.tryLearned(i)) {
		return c.steps[i].state == running
	}
	source := c.steps[i].source
	for _, set := range source.Upstream.Needs() {
		claims, wait := c.gather(i, source.ownKinds(set), now)
		if wait {
			return false
		}
		if claims != nil && c.try(i, set, claims) {
			return c.steps[i].state == running
		}
	}
	return false
}

// tryLearned decides that a source is asked with what earlier lookups have learned,
// where that is enough for any of its lookups. It does not wait for better: that has
// been waited for.
func (c *chain) tryLearned(i int) bool {
	source := c.steps[i].source
	return slices.ContainsFunc(source.Upstream.Needs(), func(set []string) bool {
		var claims []claim
		for _, kind := range source.ownKinds(set) {
			if c.initial[kind] != "" {
				continue
			}
			best, some := c.best(i, kind)
			if !some {
				return false
			}
			claims = append(claims, best)
		}
		return claims != nil && c.try(i, set, claims)
	})
}

// gather finds the strongest claims of the kinds that are not known from the start.
// They are nil where one is missing and nobody can say it any more, or where all is
// known from the start, which has been tried. Wait tells that more may come.
func (c *chain) gather(i int, kinds []string, now bool) (claims []claim, wait bool) {
	for _, kind := range kinds {
		if c.initial[kind] != "" {
			continue
		}
		best, some := c.best(i, kind)
		may := c.mayImprove(i, kind, best, some)
		if !some && (now || !may) { // and so nothing that the others could come to be matters
			return nil, false
		}
		wait = wait || may && !now
		claims = append(claims, best)
	}
	if wait {
		return nil, true
	}
	return claims, false
}

// best is the strongest claim of a kind that may be used to ask a source.
func (c *chain) best(i int, kind string) (best claim, some bool) {
	for _, k := range c.claims {
		if c.leads(k, kind, i) && (!some || k.stronger(best)) {
			best, some = k, true
		}
	}
	return best, some
}

// leads tells whether a claim is of a kind and may be used to ask a source.
func (c *chain) leads(k claim, kind string, i int) bool {
	return k.kind == kind && k.source != i && (k.source < 0 || leadsTo(kind, c.steps[k.source].source, c.steps[i].source))
}

// mayImprove tells whether a source that has not answered yet may say something
// stronger than what is known, or the first that is known at all.
func (c *chain) mayImprove(i int, kind string, best claim, some bool) bool {
	var possible []prospect
	for j := range c.steps {
		if c.steps[j].state == settled || !c.mayYield(j, kind, i) {
			continue
		}
		if possible == nil {
			possible = c.possible(i)
		}
		may := possible[j].of(c.steps[j].source, kind)
		if may.trust > unproved && (!some || (claim{trust: may.trust, wave: may.wave, source: j}).stronger(best)) {
			return true
		}
	}
	return false
}

// prospect is what may at best become known: how far it could be believed, and how soon
// it could be known. Nothing may where it is not to be believed at all.
type prospect struct {
	trust Trust
	wave  int
}

// of is the prospect of what a source yields of a kind, by that of its record.
func (p prospect) of(s *Source, kind string) prospect {
	return prospect{min(p.trust, s.most(kind)), p.wave}
}

// or is the better of two, of each kind of good.
func (p prospect) or(other prospect) prospect {
	switch {
	case other.trust == unproved:
		return p
	case p.trust == unproved:
		return other
	default:
		return prospect{max(p.trust, other.trust), min(p.wave, other.wave)}
	}
}

// possible are the prospects of the records of all sources, whatever becomes of one:
// of those under way, and of those that are waiting for what these may yield.
func (c *chain) possible(without int) []prospect {
	may := make([]prospect, len(c.steps))
	for i := range c.steps {
		if s := &c.steps[i]; s.state == running {
			may[i] = prospect{Pinned, s.wave}
			for _, k := range s.basis {
				may[i].trust = min(may[i].trust, k.trust)
			}
		}
	}
	for changed := true; changed; {
		changed = false
		for i := range c.steps {
			if i == without || c.steps[i].state != waiting {
				continue
			}
			source := c.steps[i].source
			better := may[i]
			for _, set := range source.Upstream.Needs() {
				better = better.or(c.prospectOf(i, source.ownKinds(set), may))
			}
			changed = changed || better != may[i]
			may[i] = better
		}
	}
	return may
}

// prospectOf is what becomes of a source that is asked with these kinds at their best.
func (c *chain) prospectOf(i int, kinds []string, may []prospect) prospect {
	record := prospect{trust: Pinned}
	for _, kind := range kinds {
		one := c.obtainable(i, kind, may)
		record = prospect{min(record.trust, one.trust), max(record.wave, one.wave)}
	}
	if !c.steps[i].source.isLinks() {
		record.wave++
	}
	return record
}

// obtainable is the best that a source may be asked with, of a kind.
func (c *chain) obtainable(i int, kind string, may []prospect) (best prospect) {
	if c.initial[kind] != "" {
		return prospect{trust: Pinned}
	}
	for _, k := range c.claims {
		if c.leads(k, kind, i) {
			best = best.or(prospect{k.trust, k.wave})
		}
	}
	for j := range c.steps {
		if may[j].trust > unproved && c.mayYield(j, kind, i) {
			best = best.or(may[j].of(c.steps[j].source, kind))
		}
	}
	return best
}

// try decides that a source is asked with some claims, if that is possible: then
// it is under way, or settled with a fault that no other claims would mend. The
// claims are for one of its lookups: another that they happen to be enough for has
// its own turn.
func (c *chain) try(i int, lookup []string, claims []claim) bool {
	s := &c.steps[i]
	q := c.query(i, claims)
	used, missing := s.source.Upstream.Choose(q)
	if used == nil {
		if s.needs == nil {
			s.needs = s.source.ownKinds(missing)
		}
		return false
	}
	if slices.ContainsFunc(lookup, func(kind string) bool { return !slices.Contains(used, kind) }) {
		return false
	}
	basis, wave := c.basis(s.source.ownKinds(used), claims), 0
	for _, k := range basis {
		wave = max(wave, k.wave)
	}
	fault := s.source.Upstream.Check(q)
	switch {
	case s.source.isLinks(): // no call
		wave--
	case fault == nil && wave >= c.waves:
		fault = adapters.Fail(adapters.Unresolved, "the chain of identifiers is longer than budget.waves", nil)
	case fault != nil && fault.Kind == adapters.Invalid && c.missing(i) != nil: // another lookup may fit
		if s.fault == nil {
			s.fault, s.used, s.query = fault, used, q
		}
		return false
	}
	s.query, s.used, s.fault, s.needs = q, used, fault, nil
	s.basis, s.wave = basis, wave+1
	s.state = running
	if fault != nil {
		s.state, s.failed = settled, true
	}
	return true
}

// basis are the claims of these kinds that a source is asked with.
func (c *chain) basis(kinds []string, claims []claim) []claim {
	var all []claim
	for _, kind := range kinds {
		at := slices.IndexFunc(claims, func(k claim) bool { return k.kind == kind })
		if at >= 0 {
			all = append(all, claims[at])
			continue
		}
		if at = slices.IndexFunc(c.claims, func(k claim) bool { return k.kind == kind && k.source == beforeAll }); at >= 0 {
			all = append(all, c.claims[at])
		}
	}
	return all
}

// settle tells how it went with a source that was under way, and what its record,
// where there is one, yields.
func (c *chain) settle(i int, how Outcome, ids []normalize.Identifier) {
	s := &c.steps[i]
	s.state, s.failed, s.absent = settled, how == Failed, how == Absent
	if how != OK && how != Partial {
		return
	}
	if s.trust = c.believed(s, ids); s.trust == unproved {
		s.failed = true
		return
	}
	s.leans = slices.ContainsFunc(s.basis, func(k claim) bool { return k.learned || k.source >= 0 && c.steps[k.source].leans })
	s.lent = s.leans || slices.ContainsFunc(s.basis, func(k claim) bool { return k.source >= 0 && (k.kind == kindEmail || c.steps[k.source].lent) })
	for _, id := range ids {
		if s.source.isLinks() && id.Kind == kindEmail { // by which they were asked
			continue
		}
		k := claim{kind: s.source.ownKind(id.Kind), value: id.Value, trust: trustOf(id, s.trust), source: i, wave: s.wave}
		s.said = append(s.said, k)
		c.claims = append(c.claims, k)
	}
}

// believed is how far a record is believed to be the person's: as far as the
// weakest of what it was asked with. Who was found by an address is believed no
// further than the source vouches for that address, and not at all where it would
// say that the address is verified and does not: anybody may have typed it.
func (c *chain) believed(s *step, ids []normalize.Identifier) Trust {
	trust := Pinned
	for _, k := range s.basis {
		trust = min(trust, k.trust)
		if k.kind != kindEmail || s.source.isLinks() {
			continue
		}
		at := slices.IndexFunc(ids, func(id normalize.Identifier) bool {
			return id.Kind == kindEmail && normalize.SameID(kindEmail, id.Value, k.value)
		})
		switch {
		case at >= 0:
			trust = min(trust, trustOf(ids[at], Verified))
		case s.source.Upstream.Vouches(kindEmail):
			trust = unproved
		default:
			trust = min(trust, Assumed)
		}
	}
	return trust
}

// end settles the sources that are still waiting when nobody is under way: what
// they need was said by nobody. That is a failure where one that might have said it
// has failed.
func (c *chain) end() {
	for i := range c.steps {
		if s := &c.steps[i]; s.state == waiting && s.fault != nil { // a value does not fit, and no other came
			s.state, s.failed = settled, true
		}
	}
	for changed := true; changed; {
		changed = false
		for i := range c.steps {
			if s := &c.steps[i]; s.state == waiting && c.brokenOff(i) {
				s.state, s.failed, changed = settled, true, true
				s.fault = adapters.Fail(adapters.Unresolved, "the source that would have said its identifier failed", nil)
			}
		}
	}
	for i := range c.steps {
		if s := &c.steps[i]; s.state == waiting {
			s.state, s.skip = settled, Unlinked
		}
	}
}

// brokenOff tells whether a source that failed might have led to this one, or the
// operator's links, which may lead anywhere.
func (c *chain) brokenOff(i int) bool {
	if c.asked.linksDown {
		return true
	}
	for j := range c.steps {
		if c.steps[j].failed && c.mayLead(j, i) {
			return true
		}
	}
	return false
}

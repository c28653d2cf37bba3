package gateway

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"muster/adapters"
	"muster/normalize"
)

// Policies say which members of a profile are shown to whom. What none of them shows
// is hidden, and hidden everywhere: in data, provenance, explain, child errors,
// incomplete fields and the outcomes of sources. They are applied to what comes out of
// the cache, which knows nothing of them (docs/decisions, 0019).
type Policies struct {
	All []Policy // those that hold add up
	// Known tells that whoever asks is known: nobody is refused. Without it, who is
	// not known is a caller of whom nothing is known.
	Known bool
}

// Policy shows some members to some callers. All that it wants of a caller must hold.
type Policy struct {
	Name   string
	Scopes []string            // the token has all of these
	Claims normalize.Condition // of all that the token says
	CEL    normalize.Predicate // over PolicyVariables
	Shows  normalize.Selection // less what it hides
}

// PolicyVariables are what the CEL of a policy sees: who asks, and what the person who
// is asked for is proved to be called.
func PolicyVariables() []string { return []string{variableCaller, variableTarget} }

const (
	variableCaller = "caller"
	variableTarget = "target"
)

// admits tells whether all holds that a policy wants of the caller alone. Of claims it
// wants nothing that a caller without a token could meet, were it that one is absent.
func (p *Policy) admits(who *Caller) bool {
	if who.Certificate != nil && !p.Claims.Empty() {
		return false
	}
	claims := any(who.Claims)
	if who.Claims == nil {
		claims = map[string]any{}
	}
	return !slices.ContainsFunc(p.Scopes, func(scope string) bool { return !who.Has(scope) }) &&
		p.Claims.Holds(&normalize.Scope{Body: claims, Data: claims}, normalize.At(claims))
}

// variable is the caller as CEL sees them. An absent member is a missing key, of which
// nothing is true.
func (c *Caller) variable() map[string]any {
	v := map[string]any{"scopes": anyList(c.Scopes), "tenants": anyList(c.Tenants), "claims": map[string]any{}}
	switch {
	case c.Certificate != nil: // a missing key, or !has(caller.claims.x) were true of it
		name := map[string]any{}
		for kind, text := range c.Certificate {
			name[kind] = text
		}
		v["certificate"] = name
		delete(v, "claims")
	case c.Claims != nil:
		v["claims"] = c.Claims
	}
	for name, text := range map[string]string{"issuer": c.Issuer, "subject": c.Subject} {
		if text != "" {
			v[name] = text
		}
	}
	user := make(map[string]any, len(c.Self))
	for kind, value := range c.Self {
		user[kind] = normalize.CanonicalID(kind, value)
	}
	v["user"] = user
	return v
}

func anyList(texts []string) []any {
	all := make([]any, len(texts))
	for i, text := range texts {
		all[i] = text
	}
	return all
}

// target is a person as CEL sees them: the identifiers by kind, the strongest first.
func target(ids map[string][]string) map[string]any {
	id, all := map[string]any{}, map[string]any{}
	for kind, values := range ids {
		if len(values) > 0 {
			id[kind], all[kind] = values[0], anyList(values)
		}
	}
	return map[string]any{"id": id, "ids": all}
}

// Shown is what a caller is shown of a person who is proved to be called so, the
// strongest identifier of each kind first, and by which of the policies.
func (p *Policies) Shown(who *Caller, ids map[string][]string) (normalize.Selection, []*Policy) {
	var shown normalize.Selection
	var by []*Policy
	variables := map[string]any{variableCaller: who.variable(), variableTarget: target(ids)}
	for i := range p.All {
		if one := &p.All[i]; one.admits(who) && one.CEL.Holds(variables) {
			shown, by = shown.Union(one.Shows), append(by, one)
		}
	}
	return shown, by
}

// Might is what a caller is shown of everybody, and at most, of whoever they ask for.
func (p *Policies) Might(who *Caller) (everybody, most normalize.Selection) {
	r, refused := p.of(who)
	if refused != nil {
		return everybody, most
	}
	return r.certain, r.possible
}

// rights are what a caller may see of the people of a tenant. They are immutable.
type rights struct {
	certain  normalize.Selection // of everybody
	possible normalize.Selection // of somebody
	about    []*Policy           // which depend on whom they ask for
	caller   normalize.Seen
}

// of finds out what a caller may see; nil is everything. Who may see nothing of
// anybody is refused, before anything is asked or looked at.
func (p *Policies) of(who *Caller) (*rights, *RequestError) {
	switch {
	case p == nil:
		return nil, nil
	case who == nil && p.Known:
		return nil, nothingShown()
	case who == nil:
		who = new(Caller)
	case who.Decided != nil:
		d := who.Decided.last.Load()
		if d == nil || d.by != p {
			d = &decision{by: p}
			d.rights, d.refused = p.decide(who)
			who.Decided.last.Store(d)
		}
		return d.rights, d.refused
	}
	return p.decide(who)
}

// decide is of for a caller of whom nothing has been decided yet.
func (p *Policies) decide(who *Caller) (*rights, *RequestError) {
	r := &rights{caller: normalize.See(who.variable())}
	variables := map[string]any{variableCaller: r.caller, variableTarget: target(nil)}
	for i := range p.All {
		one := &p.All[i]
		switch {
		case !one.admits(who):
		case one.CEL.Mentions(variableTarget):
			r.about = append(r.about, one)
			r.possible = r.possible.Union(one.Shows)
		case one.CEL.Holds(variables):
			r.certain = r.certain.Union(one.Shows)
		}
	}
	r.possible = r.possible.Union(r.certain)
	if r.possible.Empty() {
		return nil, nothingShown()
	}
	return r, nil
}

// nothingShown is the one refusal of who is shown nothing, whatever the reason: it says
// of nobody whether they exist.
func nothingShown() *RequestError {
	return &RequestError{
		Status: http.StatusForbidden, Title: "Forbidden.",
		Reason: "No policy shows the caller what was asked for.", Resolution: "Ask for what you may see, or come with a token that has more scopes.",
	}
}

// narrow leaves of the fields that a caller wants, nil being all, those that they might
// see.
func (r *rights) narrow(fields *normalize.Selection) (*normalize.Selection, *RequestError) {
	if r == nil {
		return fields, nil
	}
	narrow := r.possible
	if fields != nil {
		narrow = fields.Intersect(r.possible)
	}
	if narrow.Empty() {
		return nil, nothingShown()
	}
	return &narrow, nil
}

// blind tells that the caller is shown something only if the person turns out to be
// somebody of whom a policy says so. Until then nothing may tell whether they exist.
func (a *asked) blind() bool { return a.rights != nil && a.rights.certain.Intersect(*a.fields).Empty() }

// see leaves of a lookup that is over what the caller may see: the fields that are
// shown, and the slots without what is hidden. It is false where that is nothing.
func (a *asked) see(c *chain, slots []slot) ([]slot, bool) {
	if a.rights == nil {
		return slots, true
	}
	view := a.rights.view(c, slots)
	fields := a.fields.Intersect(view.all.shows)
	if fields.Empty() {
		return nil, false
	}
	less := !a.fields.Minus(view.all.shows).Empty() // than was asked for
	a.fields = &fields
	wanted := *c // as if it had been known before who the person is
	if less && len(a.rights.about) > 0 {
		wanted = *begin(c.live, *a, c.before())
	}
	rest := normalize.Everything().Minus(view.all.shows)
	found := false
	seen := slices.Clone(slots)
	for i := range seen {
		found = found || seen[i].has()
		seen[i].veil(view.of[i], view.all, rest, wanted.steps[i].skip == Skipped)
	}
	a.known = found && a.id != "" && fields.Needs("id")
	a.nameless = !view.all.shows.Needs("identifiers")
	return seen, true
}

// before are the claims that were known before any source was asked.
func (c *chain) before() []claim {
	return slices.DeleteFunc(slices.Clone(c.claims), func(k claim) bool { return k.source != beforeAll })
}

// glimpse is what is shown of one record, and how many policies about its person hold.
type glimpse struct {
	shows normalize.Selection
	hold  int
}

// view is what is shown of all slots together, and of each.
type view struct {
	all glimpse
	of  []glimpse
}

// view decides the policies that depend on the person, for each group of slots that is
// proved to be about one: what speaks of the caller in one system does not open the
// records of another that merely share an address or a user name with it.
func (r *rights) view(c *chain, slots []slot) view {
	v := view{all: glimpse{shows: r.certain}, of: slices.Repeat([]glimpse{{shows: r.certain}}, len(slots))}
	if len(r.about) == 0 {
		return v
	}
	held := make([]bool, len(r.about))
	said := evidence(slots)
	groups := c.groups(slots, said)
	of := map[int]glimpse{} // by group
	for i := range slots {
		seen, decided := of[groups[i]]
		if !decided {
			seen = r.glimpse(c.proved(slots, said, groups, groups[i]), held, &v.all)
			of[groups[i]] = seen
		}
		v.of[i] = seen
	}
	for i := range slots {
		if len(slots[i].basis) == 0 { // nobody was asked there, so that it speaks of nobody
			v.of[i] = v.all
		}
	}
	return v
}

// glimpse decides the policies that depend on the person for one who is proved to be
// called so; which of them hold of anybody is noted, and what they show to all.
func (r *rights) glimpse(ids map[string][]string, held []bool, all *glimpse) glimpse {
	g := glimpse{shows: r.certain}
	if len(ids) == 0 {
		return g
	}
	variables := map[string]any{variableCaller: r.caller, variableTarget: normalize.See(target(ids))}
	for at, policy := range r.about {
		if !policy.CEL.Holds(variables) {
			continue
		}
		g.shows = g.shows.Union(policy.Shows)
		g.hold++
		if !held[at] {
			held[at] = true
			all.shows = all.shows.Union(policy.Shows)
			all.hold++
		}
	}
	return g
}

// veil takes out of a slot what the caller does not see of it. Of a source whose members
// are hidden nothing is told but its name: that it knows the person is told by all else.
func (s *slot) veil(sees, all glimpse, rest normalize.Selection, left bool) {
	hidden := !s.source.gives(sees.shows)
	if left || hidden {
		*s = slot{step: &step{source: s.source, state: settled, skip: Skipped}, outcome: Skipped, hidden: hidden}
		return
	}
	s.nameless = !sees.shows.Needs("identifiers")
	if sees.hold < all.hold {
		s.yield(all.shows.Minus(sees.shows))
		rest = normalize.Everything().Minus(sees.shows)
	}
	if !s.source.gives(rest) {
		return
	}
	// The source's own words may be about what is hidden.
	s.reply.Notes = nil
	children := make([]*adapters.Fault, len(s.reply.Children))
	for i, child := range s.reply.Children {
		children[i] = &adapters.Fault{Kind: child.Kind, RetryAfter: child.RetryAfter}
		children[i].Detail.Status = child.Detail.Status
	}
	if len(children) > 0 {
		s.reply.Children = children
	}
}

// yield takes the members out of a record of which more is shown elsewhere: once they
// are merged, nobody could tell whose parts are whose.
func (s *slot) yield(more normalize.Selection) {
	record := s.reply.Record
	members := slices.DeleteFunc(normalize.Members(), func(member string) bool { return more.NeedsFrom(s.source.Name, member) })
	left, err := normalize.NewSelection(members)
	if err != nil { // they are members
		left = normalize.Selection{}
	}
	record.Profile = left.Keep(record.Profile)
	record.IDs = left.Keep(normalize.Profile{Identifiers: record.IDs}).Identifiers
	if !left.Needs("attributes") {
		record.Attributes = nil
	}
	s.reply.Record = record
}

// wanted are the members that the source may give and that are to be shown.
func (a asked) wanted(s *Source) []string {
	members := s.Upstream.Members()
	if a.fields == nil {
		return members
	}
	return slices.DeleteFunc(slices.Clone(members), func(member string) bool { return !a.fields.NeedsFrom(s.Name, member) })
}

// gives tells whether the source may give anything of a selection.
func (s *Source) gives(fields normalize.Selection) bool {
	return slices.ContainsFunc(s.members(), func(member string) bool { return fields.NeedsFrom(s.Name, member) })
}

// evidence is that of all slots.
func evidence(slots []slot) [][]claim {
	all := make([][]claim, len(slots))
	for i := range slots {
		all[i] = slots[i].evidence()
	}
	return all
}

// groups numbers the slots so that those which are proved to be about one person have
// the same number. Said is their evidence.
func (c *chain) groups(slots []slot, said [][]claim) []int {
	group := make([]int, len(slots)+1) // the operator's links last
	for i := range group {
		group[i] = i
	}
	join := func(a, b int) {
		from, to := group[a], group[b]
		for i := range group {
			if group[i] == from {
				group[i] = to
			}
		}
	}
	for i := range slots {
		for j := range i {
			if group[i] != group[j] && tie(slots[i].source, slots[j].source, said[i], said[j]) {
				join(i, j)
			}
		}
		if slices.ContainsFunc(said[i], c.linked) {
			join(i, len(slots))
		}
	}
	return group
}

// tie tells whether two slots have an identifier in common that proves them to be about
// one person: what their sources were asked with, and what their records say. A user name
// does so within one system alone.
func tie(a, b *Source, saidByA, saidByB []claim) bool {
	return slices.ContainsFunc(saidByA, func(k claim) bool {
		return (k.kind != kindUsername || leadsTo(kindUsername, a, b)) && slices.ContainsFunc(saidByB, k.same)
	})
}

// linked tells whether an operator's links name an identifier of the person.
func (c *chain) linked(k claim) bool {
	return k.kind != kindUsername && c.pinned() &&
		slices.ContainsFunc(c.claims, func(other claim) bool { return other.source == beforeAll && k.same(other) })
}

func (c *chain) pinned() bool {
	return slices.ContainsFunc(c.claims, func(k claim) bool { return k.source == beforeAll && k.trust == Pinned })
}

func (k claim) same(other claim) bool {
	return k.kind == other.kind && normalize.SameID(k.kind, k.value, other.value)
}

// evidence are the identifiers that the slot is proved to be about: what its source was
// asked with, and before that what its record says. A record that is merely assumed to be
// the person's is evidence of nothing.
func (s *slot) evidence() []claim {
	var all []claim
	if s.has() {
		if s.trust < Verified {
			return nil
		}
		all = append(all, s.said...)
	}
	return slices.DeleteFunc(append(all, s.basis...), func(k claim) bool { return k.trust < Verified })
}

// proved are the identifiers by kind of the person whom a group of slots is about, the
// strongest first. There are none where no record is in the group, and none where the
// caller has said several: that they are one person's is then the caller's word.
func (c *chain) proved(slots []slot, said [][]claim, groups []int, group int) map[string][]string {
	var all []claim
	record := false
	for i := range slots {
		if s := &slots[i]; groups[i] == group && s.has() {
			record = true
			all = append(all, said[i]...)
		}
	}
	if !record {
		return nil
	}
	own := 0
	for _, k := range c.claims {
		if k.source != beforeAll {
			continue
		}
		if k.trust == Own {
			own++
		}
		if groups[len(slots)] == group {
			all = append(all, k)
		}
	}
	if own > 1 {
		return nil
	}
	slices.SortStableFunc(all, func(a, b claim) int {
		switch {
		case a.source == beforeAll && b.source != beforeAll: // how a source writes it goes first
			return 1
		case b.source == beforeAll && a.source != beforeAll:
			return -1
		case a.stronger(b):
			return -1
		case b.stronger(a):
			return 1
		default:
			return 0
		}
	})
	ids := map[string][]string{}
	for _, k := range all {
		if !slices.ContainsFunc(ids[k.kind], func(value string) bool { return normalize.SameID(k.kind, value, k.value) }) {
			ids[k.kind] = append(ids[k.kind], k.value)
		}
	}
	return ids
}

// silence refuses who is shown nothing when all the time is over that the lookup might
// have taken: how long it took would tell whether the person exists.
func silence(ctx context.Context, until time.Time) error {
	var over <-chan time.Time
	if !until.IsZero() {
		timer := time.NewTimer(time.Until(until))
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-ctx.Done(): // the budget
	case <-over:
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	return nothingShown()
}

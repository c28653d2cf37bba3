package gateway

import (
	"context"
	"net/http"
	"time"

	"muster/gateway/audit"
	"muster/normalize"
)

// ScopePurge is what a caller's token needs for Purge.
const ScopePurge = "muster.purge"

// Purge forgets all that is kept of the person whom a query's Tenant and User name:
// what any source has said, be it that it knows nobody, by whatever identifier and for
// whichever caller, and what was learned of who they are. Whoever asks afterwards has
// every source asked anew; a lookup that is under way puts nothing back. It does not
// tell whether anything was known.
//
// Its error is a *RequestError: nothing was begun, or, with a status of 503, the
// operator's links could not say what else the person is called, and something may be
// left, or no record of it could be kept.
func (g *Gateway) Purge(ctx context.Context, q Query) error {
	live := g.live.Load()
	account := g.account(live, audit.Purge, q)
	defer account.panicked(ctx, g)
	err := g.purge(ctx, live, q)
	account.end(&Answer{Status: http.StatusNoContent}, err)
	return g.ended(ctx, account, err)
}

// purge is Purge without the record of it.
func (g *Gateway) purge(ctx context.Context, live *Live, q Query) error {
	if q.Caller != nil && !q.Caller.Has(ScopePurge) {
		return lacks(ScopePurge, "To purge needs the scope "+ScopePurge+".", "Come with a token that has the scope.")
	}
	asked, refused := live.purges(q)
	if refused != nil {
		return refused
	}
	ctx, span := g.tel.beginPurge(ctx, live, asked)
	defer func() { span.End() }() // not "defer span.End()", which would write a panic's text into the span
	ctx, cancel := context.WithTimeout(ctx, live.Budget)
	defer cancel()
	person := live.resolve(ctx, asked, time.Time{})
	tenant := asked.tenant.Name
	names := g.allNames(ctx, tenant, namesOf(person.known))
	g.purges.add(tenant, g.purges.marks(tenant, names), time.Now())
	for _, k := range names { // nobody would believe them any more; their memory is free at once
		g.links.Forget(groupKey(tenant, k.kind, k.value))
	}
	if person.failed != nil {
		return &RequestError{
			Status: http.StatusServiceUnavailable, Title: "Not all could be forgotten.",
			Reason:     "The operator's links could not be asked what else the person is called.",
			Resolution: "Purge again later; what is known by the identifier itself is forgotten.",
			RetryAfter: time.Second,
		}
	}
	return nil
}

// purges checks whom a query is to have forgotten. One need not see a person for that.
func (l *Live) purges(q Query) (asked, *RequestError) {
	tenant, refused := l.TenantFor(q.Caller, q.Tenant)
	if refused != nil {
		return asked{}, refused
	}
	kind, value, refused := ParseUser(q.User, l.Accept, tenant.DefaultIdentifier)
	return asked{tenant: tenant, own: []normalize.Identifier{{Kind: kind, Value: value}}, caller: q.Caller}, refused
}

// allNames are identifiers, and all by which lookups have met the same people.
func (g *Gateway) allNames(ctx context.Context, tenant string, names []name) []name {
	seen := map[name]bool{}
	for _, k := range names {
		seen[k] = true
	}
	for i := 0; i < len(names); i++ {
		met, _ := g.remembered(ctx, tenant, names[i], time.Time{})
		for _, k := range met.known {
			if !seen[k] {
				seen[k] = true
				names = append(names, k)
			}
		}
	}
	return names
}

// purged tells whether an answer has something of before the person was purged: by an
// identifier that has come to light while they were looked up.
func (g *Gateway) purged(c *chain, slots []slot) bool {
	since := g.purges.sinceOf(c.asked.tenant.Name, namesOf(c.claims))
	for i := range slots {
		if s := &slots[i]; !s.source.isLinks() && (s.has() || s.outcome == Absent) && !c.asked.upToDate(s.begun, since) {
			return true
		}
	}
	return false
}

// upToDate tells whether what was begun to be asked for then may be used in a lookup,
// of somebody who was purged at a time: when it is of after that, or the lookup itself
// has had it asked.
func (a asked) upToDate(begun, since time.Time) bool {
	return begun.After(since) || begun.After(a.begun)
}

// spread lets a purge count for all that a lookup has found the person to be called:
// who asks by another identifier next need not find that out.
func (g *Gateway) spread(c *chain, slots []slot) {
	tenant, known := c.asked.tenant.Name, c.names(slots)
	if since := g.purges.sinceOf(tenant, known); !since.IsZero() {
		g.purges.add(tenant, g.purges.marks(tenant, known), since)
	}
}

package gateway

import (
	"context"
	"maps"
	"slices"
	"time"

	"muster/adapters"
	"muster/normalize"
)

// Links knows what else a person is called, as an operator says.
type Links interface {
	// Find returns the identifiers by kind of the person whom the tenant knows
	// by this one, nil when there is none. Its error means that nobody can say,
	// and holds nothing of a person.
	Find(ctx context.Context, tenant, kind, value string) (map[string]string, error)
}

// resolved is all that is known of the person before any source is asked: what
// the caller said, and what the operator's links add to it.
type resolved struct {
	known  []claim
	links  []normalize.Identifier
	failed *adapters.Fault // why the links could not be asked
	took   time.Duration
}

// resolve asks the links, at most until the caller stops waiting.
func (l *Live) resolve(ctx context.Context, a asked, until time.Time) resolved {
	r := resolved{known: []claim{{kind: a.kind, value: a.value, trust: Own, source: beforeAll}}}
	if l.Links == nil {
		return r
	}
	if !until.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, until, context.Canceled) // which tells nothing of the links
		defer cancel()
	}
	begin := time.Now()
	linked, err := l.Links.Find(ctx, a.tenant.Name, a.kind, a.value)
	r.failed, r.took = adapters.FaultOf(err), time.Since(begin)
	for _, kind := range slices.Sorted(maps.Keys(linked)) {
		r.links = append(r.links, normalize.Identifier{Kind: kind, Value: linked[kind]})
		if kind != a.kind {
			r.known = append(r.known, claim{kind: kind, value: linked[kind], trust: Pinned, source: beforeAll})
		}
	}
	return r
}

// slots are that of the links where they failed: they are told of as a source is
// (docs/decisions, 0015).
func (r resolved) slots() []slot {
	if r.failed == nil {
		return nil
	}
	links := &step{source: &Source{Name: normalize.Links, Upstream: linksUpstream{}}, fault: r.failed}
	return []slot{{step: links, outcome: Failed, fault: r.failed, from: fromUpstream, took: r.took}}
}

// linksUpstream is what an answer has to know of the links.
type linksUpstream struct{}

func (linksUpstream) Needs() [][]string                              { return nil }
func (linksUpstream) TenantNeeds() []string                          { return nil }
func (linksUpstream) Yields() []string                               { return nil }
func (linksUpstream) Members() []string                              { return []string{"identifiers"} }
func (linksUpstream) Vouches(string) bool                            { return false }
func (linksUpstream) AsCaller() bool                                 { return false }
func (linksUpstream) Choose(adapters.Query) (used, missing []string) { return nil, nil }
func (linksUpstream) Check(adapters.Query) *adapters.Fault           { return nil }

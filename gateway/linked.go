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
	apart  bool            // the links say that the caller's identifiers are of two people
	failed *adapters.Fault // why the links could not be asked
	took   time.Duration
}

// resolve asks the links by each of the caller's identifiers, at most until the
// caller stops waiting.
func (l *Live) resolve(ctx context.Context, a asked, until time.Time) resolved {
	var r resolved
	all := map[string]string{}
	for _, id := range a.own {
		r.known = append(r.known, claim{kind: id.Kind, value: id.Value, trust: Own, source: beforeAll})
		all[id.Kind] = id.Value
	}
	if l.Links == nil {
		return r
	}
	if !until.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, until)
		defer cancel()
	}
	begin := time.Now()
	linked := map[string]string{}
	for _, id := range a.own {
		found, err := l.Links.Find(ctx, a.tenant.Name, id.Kind, id.Value)
		if r.failed = adapters.FaultOf(err); r.failed != nil {
			break
		}
		for kind, value := range found {
			r.apart = r.apart || len(a.own) > 1 && contradicts(all, kind, value)
			if linked[kind] == "" {
				linked[kind] = value
			}
			if all[kind] == "" {
				all[kind] = value
			}
		}
	}
	r.took = time.Since(begin)
	for _, kind := range slices.Sorted(maps.Keys(linked)) {
		r.links = append(r.links, normalize.Identifier{Kind: kind, Value: linked[kind]})
		if !slices.Contains(a.kinds(), kind) {
			r.known = append(r.known, claim{kind: kind, value: linked[kind], trust: Pinned, source: beforeAll})
		}
	}
	return r
}

// contradicts tells whether an identifier is another person's than those that are
// known already, by kind.
func contradicts(known map[string]string, kind, value string) bool {
	return !several(kind) && known[kind] != "" && !normalize.SameID(kind, known[kind], value)
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

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
		ctx, cancel = context.WithDeadlineCause(ctx, until, context.Canceled) // which tells nothing of the links
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

// met parts the links that a chain has met from the sources, and takes in what they
// brought.
func (r resolved) met(slots []slot) ([]slot, resolved) {
	last := len(slots) - 1
	if last < 0 || !slots[last].source.isLinks() {
		return slots, r
	}
	links := &slots[last]
	if links.from != "" && links.fault != nil { // they were asked
		r.failed, r.took = links.fault, links.took
	}
	for _, id := range links.reply.Record.IDs {
		if !slices.ContainsFunc(r.links, func(have normalize.Identifier) bool { return have.Kind == id.Kind }) {
			r.links = append(r.links, normalize.Identifier{Kind: id.Kind, Value: id.Value})
		}
	}
	return slots[:last], r
}

// linked is the links as a source of a chain: where the caller has said no address, they
// are asked by the one that a system says. They are never told of but where they fail.
func (l *Live) linked(tenant string) *Source {
	var yields []string
	for _, s := range l.Sources {
		for _, set := range s.Upstream.Needs() {
			for _, kind := range s.ownKinds(set) {
				if !several(kind) && !slices.Contains(yields, kind) {
					yields = append(yields, kind)
				}
			}
		}
	}
	return &Source{Name: normalize.Links, Upstream: linksUpstream{yields}, Adapter: linksAdapter{l.Links, tenant}}
}

func (s *Source) isLinks() bool { return s.Name == normalize.Links }

// linksAdapter asks the links by an address.
type linksAdapter struct {
	links  Links
	tenant string
}

// Fetch brings what an operator says of whom the tenant knows by the address.
func (a linksAdapter) Fetch(ctx context.Context, q adapters.Query) (adapters.Reply, error) {
	found, err := a.links.Find(ctx, a.tenant, kindEmail, q.IDs[kindEmail])
	if err != nil {
		return adapters.Reply{}, err
	}
	if len(found) == 0 {
		return adapters.Reply{}, adapters.Fail(adapters.NotFound, "no link has the address", nil)
	}
	r := adapters.Reply{}
	for _, kind := range slices.Sorted(maps.Keys(found)) {
		r.Record.IDs = append(r.Record.IDs, normalize.Identifier{Kind: kind, Value: found[kind]})
	}
	return r, nil
}

// linksUpstream is what is known of the links as a source that yields these kinds.
type linksUpstream struct{ yields []string }

// Needs is an address.
func (linksUpstream) Needs() [][]string { return [][]string{{kindEmail}} }

// TenantNeeds are none.
func (linksUpstream) TenantNeeds() []string { return nil }

// Yields are the kinds that any source is asked with.
func (u linksUpstream) Yields() []string { return u.yields }

// Members are what they add to those of the sources.
func (linksUpstream) Members() []string { return []string{"identifiers"} }

// Vouches is not so: that an address is somebody's is not theirs to say.
func (linksUpstream) Vouches(string) bool { return false }

// AsCaller is not so.
func (linksUpstream) AsCaller() bool { return false }

// Choose takes the address.
func (linksUpstream) Choose(q adapters.Query) (used, missing []string) {
	if q.IDs[kindEmail] == "" {
		return nil, []string{kindEmail}
	}
	return []string{kindEmail}, nil
}

// Check finds nothing wrong.
func (linksUpstream) Check(adapters.Query) *adapters.Fault { return nil }

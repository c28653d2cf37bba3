package gateway

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"muster/adapters"
	"muster/normalize"
)

// random is an upstream of which anything may be true.
type random struct {
	needsOfTenant, yields, members, used, missing []string
	unfit                                         bool
}

func (r random) Needs() [][]string     { return nil } // the plan asks Choose
func (r random) AsCaller() bool        { return false }
func (r random) TenantNeeds() []string { return r.needsOfTenant }
func (r random) Yields() []string      { return r.yields }
func (r random) Members() []string     { return r.members }

func (r random) Choose(adapters.Query) (used, missing []string) { return r.used, r.missing }

func (r random) Check(adapters.Query) *adapters.Fault {
	if r.unfit {
		return adapters.Fail(adapters.Invalid, "", nil)
	}
	return nil
}

// TestPlanIsPure: the same facts give the same plan, which is made of copies, and
// every source has exactly one of: a query to send, a reason not to, a fault.
func TestPlanIsPure(t *testing.T) {
	t.Parallel()
	some := func(of ...string) *rapid.Generator[[]string] {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(of), 0, len(of), rapid.ID)
	}
	values := rapid.MapOf(rapid.SampledFrom([]string{"username", "email", "badge", "a", "b"}), rapid.StringMatching(`[a-z]{0,3}`))
	sources := rapid.SliceOfNDistinct(rapid.Custom(func(r *rapid.T) *Source {
		return &Source{
			Name:    rapid.SampledFrom([]string{"a", "b", "c", "badge"}).Draw(r, "name"),
			Chain:   some("a", "b").Draw(r, "chain"),
			Tenants: rapid.SampledFrom([][]string{nil, nil, {"acme"}, {}}).Draw(r, "tenants"),
			Upstream: rapid.Custom(func(r *rapid.T) random {
				u := random{
					needsOfTenant: some("self", "a").Draw(r, "tenant needs"), yields: some(normalize.Self).Draw(r, "yields"),
					members: some("title", "roles").Draw(r, "members"), unfit: rapid.Bool().Draw(r, "unfit"),
				}
				if kinds := some("username", "badge", normalize.Self); rapid.Bool().Draw(r, "linked") {
					u.used = kinds.Draw(r, "used") // may be empty: a lookup may need nothing
				} else {
					u.missing = rapid.SliceOfN(rapid.SampledFrom([]string{"username", normalize.Self}), 1, 2).Draw(r, "missing")
				}
				return u
			}).Draw(r, "upstream"),
		}
	}), 0, 4, func(s *Source) string { return s.Name })
	opaque := cmp.Options{cmp.AllowUnexported(step{}), cmp.Comparer(func(a, b *Source) bool { return a == b }), cmp.Comparer(func(a, b *adapters.Fault) bool { return (a == nil) == (b == nil) })}

	rapid.Check(t, func(r *rapid.T) {
		l := &Live{Sources: sources.Draw(r, "sources")}
		a := asked{tenant: &Tenant{Name: "acme", IDs: values.Draw(r, "ids")}}
		if fields := some("title", "identifiers").Draw(r, "fields"); len(fields) > 0 {
			selection, err := normalize.NewSelection(fields)
			if err != nil {
				r.Fatal(err)
			}
			a.fields = &selection
		}
		known := values.Draw(r, "known")
		before, tenant := maps.Clone(known), maps.Clone(a.tenant.IDs)

		first := plan(l, a, known)
		for i := range first {
			s := &first[i]
			if s.source != l.Sources[i] {
				r.Fatalf("step %d is of another source", i)
			}
			planned := 0
			for _, is := range []bool{s.asks(), s.skip == Skipped, s.skip == Unlinked, s.fault != nil} {
				if is {
					planned++
				}
			}
			if planned != 1 || s.asks() != (s.skip == "" && s.used != nil && s.fault == nil) || (s.skip == Unlinked) != (s.needs != nil) {
				r.Fatalf("the step contradicts itself: %+v", *s)
			}
		}
		if diff := cmp.Diff(first, plan(l, a, known), opaque); diff != "" {
			r.Fatalf("the same facts give another plan:\n%s", diff)
		}
		for i := range first { // who writes into a query writes into nothing else
			if q := first[i].query; q.IDs != nil {
				q.IDs["scribble"], q.Tenant["scribble"] = "x", "x"
			}
		}
		if !maps.Equal(known, before) || !maps.Equal(a.tenant.IDs, tenant) {
			r.Fatal("to plan has changed the facts")
		}
	})
}

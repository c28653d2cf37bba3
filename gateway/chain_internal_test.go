package gateway

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"muster/adapters"
	"muster/normalize"
)

// member is a source of a small world: what it can be asked with, what it may say
// of who the person is, and what it says or how it fails.
type member struct {
	needs   [][]string
	yields  []string
	says    map[string]string // by kind; what is left out of yields
	assumed bool              // it does not vouch for addresses
	how     Outcome           // OK, Absent or Failed
	unfit   string            // a value that does not fit
	members []string
}

func (m *member) Needs() [][]string { return m.needs }
func (m *member) Yields() []string  { return m.yields }
func (m *member) Vouches(kind string) bool {
	return !m.assumed && slices.Contains(m.yields, kind)
}
func (m *member) Members() []string     { return m.members }
func (m *member) TenantNeeds() []string { return nil }
func (m *member) AsCaller() bool        { return false }

func (m *member) Choose(q adapters.Query) (used, missing []string) {
	for _, set := range m.needs {
		lacks := slices.DeleteFunc(slices.Clone(set), func(kind string) bool { return q.IDs[kind] != "" })
		if len(lacks) == 0 {
			return append([]string{}, set...), nil
		}
		if missing == nil {
			missing = lacks
		}
	}
	return nil, missing
}

func (m *member) Check(q adapters.Query) *adapters.Fault {
	used, _ := m.Choose(q)
	if m.unfit != "" && slices.ContainsFunc(used, func(kind string) bool { return q.IDs[kind] == m.unfit }) {
		return adapters.Fail(adapters.Invalid, "a value does not fit", nil)
	}
	return nil
}

func (m *member) ids() []normalize.Identifier {
	var ids []normalize.Identifier
	for _, kind := range slices.Sorted(maps.Keys(m.says)) {
		id := normalize.Identifier{Kind: kind, Value: m.says[kind]}
		if !m.assumed {
			id.Verified = new(true)
		}
		ids = append(ids, id)
	}
	return ids
}

// world is a configuration of such sources, named a, b, c and so on.
func world(waves int, members ...*member) *Live {
	l := &Live{Waves: waves, Tenants: map[string]*Tenant{"acme": {Name: "acme"}}}
	for i, m := range members {
		name := string(rune('a' + i))
		l.Sources = append(l.Sources, &Source{Name: name, Chain: []string{name}, Upstream: m})
	}
	return l
}

func caller(kind, value string) []claim {
	return []claim{{kind: kind, value: value, trust: Own, source: beforeAll}}
}

// play runs a lookup in a world; pick says which of those under way answers next.
func play(l *Live, a asked, known []claim, pick func(n int) int) (*chain, []slot) {
	c := plan(l, a, slices.Clone(known))
	underWay := slices.Clone(c.first)
	slots := make([]slot, len(c.steps))
	for len(underWay) > 0 {
		at := pick(len(underWay))
		i := underWay[at]
		underWay = slices.Delete(underWay, at, at+1)
		m := l.Sources[i].Upstream.(*member)
		slots[i].outcome = m.how
		var ids []normalize.Identifier
		if m.how == OK {
			ids = m.ids()
		}
		c.settle(i, m.how, ids)
		underWay = append(underWay, c.ready()...)
	}
	for i := range slots {
		switch s := &c.steps[i]; {
		case s.skip != "":
			slots[i].outcome = s.skip
		case s.fault != nil:
			slots[i].outcome, slots[i].fault = Failed, s.fault
		}
		slots[i].step = &c.steps[i]
	}
	c.drop(slots)
	return c, slots
}

// tellSlots says of each source what became of it.
func tellSlots(slots []slot) string {
	var all []string
	for i := range slots {
		s := &slots[i]
		text := fmt.Sprintf("%s %s", s.source.Name, s.outcome)
		if s.fault != nil {
			text += " " + s.fault.Kind.String()
		}
		if s.outcome == Unlinked {
			text += fmt.Sprint(" ", s.needs)
		}
		if s.used != nil && s.wave > 0 {
			for _, kind := range slices.Sorted(slices.Values(s.used)) {
				text += fmt.Sprintf(" %s=%s", kind, s.query.IDs[kind])
			}
			text += fmt.Sprintf(" wave %d", s.wave)
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

func firstOf(int) int { return 0 }

func needs(kinds ...string) [][]string {
	var all [][]string
	for _, kind := range kinds {
		all = append(all, strings.Fields(kind))
	}
	return all
}

// TestChain: who is asked with what, and in which wave.
func TestChain(t *testing.T) {
	t.Parallel()
	jane := caller("email", "jane@x")
	says := func(pairs ...string) map[string]string {
		all := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			all[pairs[i]] = pairs[i+1]
		}
		return all
	}
	fields := func(names ...string) *normalize.Selection {
		s, err := normalize.NewSelection(names)
		if err != nil {
			t.Fatal(err)
		}
		return &s
	}
	tests := []struct {
		name    string
		members []*member
		known   []claim
		fields  *normalize.Selection
		only    []string
		waves   int
		want    string
	}{
		{
			name: "a resolver leads on, its own identifier goes by its name",
			members: []*member{
				{needs: needs("email"), yields: []string{"b", "self"}, says: says("b", "7", "self", "1"), how: OK},
				{needs: needs("self"), how: OK},
			},
			want: "a ok email=jane@x wave 1, b ok self=7 wave 2",
		},
		{
			name: "a chain of three",
			members: []*member{
				{needs: needs("c"), how: OK},
				{needs: needs("email"), yields: []string{"oid"}, says: says("oid", "o1"), how: OK},
				{needs: needs("oid"), yields: []string{"self"}, says: says("self", "7"), how: OK},
			},
			want: "a ok c=7 wave 3, b ok email=jane@x wave 1, c ok oid=o1 wave 2",
		},
		{
			name: "longer than the budget", waves: 2,
			members: []*member{
				{needs: needs("c"), how: OK},
				{needs: needs("email"), yields: []string{"oid"}, says: says("oid", "o1"), how: OK},
				{needs: needs("oid"), yields: []string{"self"}, says: says("self", "7"), how: OK},
			},
			want: "a failed unresolved c=7 wave 3, b ok email=jane@x wave 1, c ok oid=o1 wave 2",
		},
		{
			name: "what is known is enough, though an earlier lookup may come to be possible",
			members: []*member{
				{needs: needs("oid", "email"), how: OK},
				{needs: needs("email"), yields: []string{"oid"}, says: says("oid", "o1"), how: OK},
			},
			want: "a ok email=jane@x wave 1, b ok email=jane@x wave 1",
		},
		{
			name: "of lookups that come to be possible the first",
			members: []*member{
				{needs: needs("oid", "badge"), how: OK},
				{needs: needs("email"), yields: []string{"badge"}, says: says("badge", "7"), how: OK},
				{needs: needs("email"), yields: []string{"oid"}, says: says("oid", "o1"), how: OK},
			},
			want: "a ok oid=o1 wave 2, b ok email=jane@x wave 1, c ok email=jane@x wave 1",
		},
		{
			name: "the second, where the first comes to nothing",
			members: []*member{
				{needs: needs("oid", "badge"), how: OK},
				{needs: needs("email"), yields: []string{"badge"}, says: says("badge", "7"), how: OK},
				{needs: needs("email"), yields: []string{"oid"}, how: Absent},
			},
			want: "a ok badge=7 wave 2, b ok email=jane@x wave 1, c absent email=jane@x wave 1",
		},
		{
			name: "a value that does not fit leaves the next",
			members: []*member{
				{needs: needs("oid", "badge"), how: OK, unfit: "o1"},
				{needs: needs("email"), yields: []string{"badge", "oid"}, says: says("badge", "7", "oid", "o1"), how: OK},
			},
			want: "a ok badge=7 wave 2, b ok email=jane@x wave 1",
		},
		{
			name: "and none that fits is invalid",
			members: []*member{
				{needs: needs("oid"), how: OK, unfit: "o1"},
				{needs: needs("email"), yields: []string{"oid"}, says: says("oid", "o1"), how: OK},
			},
			want: "a failed invalid, b ok email=jane@x wave 1",
		},
		{
			name: "a resolver that fails",
			members: []*member{
				{needs: needs("email"), yields: []string{"b"}, how: Failed},
				{needs: needs("self"), yields: []string{"oid"}, how: OK},
				{needs: needs("oid"), how: OK},
				{needs: needs("badge"), how: OK},
			},
			want: "a failed email=jane@x wave 1, b failed unresolved, c failed unresolved, d unlinked [badge]",
		},
		{
			name: "a resolver that knows nobody, or says nothing",
			members: []*member{
				{needs: needs("email"), yields: []string{"b"}, how: Absent},
				{needs: needs("self"), how: OK},
				{needs: needs("email"), yields: []string{"oid"}, how: OK},
				{needs: needs("oid"), how: OK},
			},
			want: "a absent email=jane@x wave 1, b unlinked [b], c ok email=jane@x wave 1, d unlinked [oid]",
		},
		{
			name: "another resolver stands in",
			members: []*member{
				{needs: needs("email"), yields: []string{"oid"}, how: Failed},
				{needs: needs("email"), yields: []string{"oid"}, says: says("oid", "o2"), how: OK},
				{needs: needs("oid"), how: OK},
			},
			want: "a failed email=jane@x wave 1, b ok email=jane@x wave 1, c ok oid=o2 wave 2",
		},
		{
			name: "two say different persons: the first in order stands, and what followed the other goes with it",
			members: []*member{
				{needs: needs("email"), yields: []string{"oid"}, says: says("oid", "o1"), how: OK},
				{needs: needs("email"), yields: []string{"oid", "badge"}, says: says("oid", "o2", "badge", "7"), how: OK},
				{needs: needs("oid"), how: OK},
				{needs: needs("badge"), how: OK},
			},
			want: "a ok email=jane@x wave 1, b failed mismatch email=jane@x wave 1, c ok oid=o1 wave 2, d failed mismatch badge=7 wave 2",
		},
		{
			name: "who vouches for the address stands before who does not",
			members: []*member{
				{needs: needs("email"), yields: []string{"oid", "email"}, says: says("oid", "o1", "email", "jane@x"), assumed: true, how: OK},
				{needs: needs("email"), yields: []string{"oid", "email"}, says: says("oid", "o2", "email", "jane@x"), how: OK},
				{needs: needs("oid"), how: OK},
			},
			want: "a failed mismatch email=jane@x wave 1, b ok email=jane@x wave 1, c ok oid=o2 wave 2",
		},
		{
			name:  "a link stands before all",
			known: append(caller("email", "jane@x"), claim{kind: "oid", value: "o3", trust: Pinned, source: beforeAll}),
			members: []*member{
				{needs: needs("email"), yields: []string{"oid"}, says: says("oid", "o1"), how: OK},
				{needs: needs("oid"), yields: []string{"oid"}, says: says("oid", "O3"), how: OK},
			},
			want: "a failed mismatch email=jane@x wave 1, b ok oid=o3 wave 1",
		},
		{
			name: "a user name leads to nobody else",
			members: []*member{
				{needs: needs("email"), yields: []string{"username"}, says: says("username", "jane"), how: OK},
				{needs: needs("username"), how: OK},
			},
			want: "a ok email=jane@x wave 1, b unlinked [username]",
		},
		{
			name: "several addresses are one person", known: caller("c", "7"),
			members: []*member{
				{needs: needs("c"), yields: []string{"email"}, says: says("email", "jane@y"), how: OK},
				{needs: needs("c"), yields: []string{"email"}, says: says("email", "jane@x"), how: OK},
				{needs: needs("email"), how: OK},
			},
			want: "a ok c=7 wave 1, b ok c=7 wave 1, c ok email=jane@y wave 2",
		},
		{
			name: "found by an address that the source would vouch for, and does not: somebody else may have typed it",
			members: []*member{
				{needs: needs("email"), yields: []string{"email", "b"}, says: says("b", "7"), how: OK},
				{needs: needs("self"), how: OK},
				{needs: needs("email"), how: OK},
			},
			want: "a failed mismatch email=jane@x wave 1, b failed unresolved, c ok email=jane@x wave 1",
		},
		{
			name: "fields: who leads to what is wanted is asked, who leads nowhere is not", fields: fields("title"),
			members: []*member{
				{needs: needs("email"), yields: []string{"b"}, says: says("b", "7"), how: OK, members: []string{"roles"}},
				{needs: needs("self"), how: OK, members: []string{"title"}},
				{needs: needs("email"), yields: []string{"d"}, says: says("d", "8"), how: OK, members: []string{"roles"}},
				{needs: needs("self"), how: OK, members: []string{"roles"}},
				{needs: needs("email"), how: OK, members: []string{"title"}},
			},
			want: "a ok email=jane@x wave 1, b ok self=7 wave 2, c skipped, d skipped, e ok email=jane@x wave 1",
		},
		{
			name: "sources: only these", only: []string{"b"},
			members: []*member{
				{needs: needs("email"), yields: []string{"b"}, says: says("b", "7"), how: OK},
				{needs: needs("self"), how: OK},
			},
			want: "a skipped, b unlinked [b]",
		},
		{
			name: "two that wait for each other are not asked, with a third they are",
			members: []*member{
				{needs: needs("b"), yields: []string{"self", "oid"}, says: says("self", "1", "oid", "o1"), how: OK},
				{needs: needs("a", "oid"), yields: []string{"self"}, says: says("self", "7"), how: OK},
				{needs: needs("email"), yields: []string{"oid"}, says: says("oid", "o1"), how: OK},
			},
			want: "a ok b=7 wave 3, b ok oid=o1 wave 2, c ok email=jane@x wave 1",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := world(max(test.waves, 3), test.members...)
			if test.waves > 0 {
				l.Waves = test.waves
			}
			known := test.known
			if known == nil {
				known = jane
			}
			_, slots := play(l, asked{tenant: l.Tenants["acme"], fields: test.fields, only: test.only}, known, firstOf)
			if diff := cmp.Diff(test.want, tellSlots(slots)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestNobodyWaitsInVain: a source that turns out not to be askable, because it stands too
// far along the chain, keeps nobody waiting, though another goes on for long.
func TestNobodyWaitsInVain(t *testing.T) {
	t.Parallel()
	l := world(2,
		&member{needs: [][]string{{"desk"}, {"oid"}}}, // waits for b: its word is for an earlier lookup than c's
		&member{needs: needs("room"), yields: []string{"desk"}},
		&member{needs: needs("email"), yields: []string{"badge", "oid"}, says: map[string]string{"badge": "7", "oid": "o1"}},
		&member{needs: needs("badge"), yields: []string{"room"}, says: map[string]string{"room": "8"}},
		&member{needs: needs("email")},
	)
	c := plan(l, asked{tenant: l.Tenants["acme"]}, caller("email", "jane@x"))
	answers := func(i int) []int {
		c.settle(i, OK, l.Sources[i].Upstream.(*member).ids())
		return c.ready()
	}
	if diff := cmp.Diff([][]int{{2, 4}, {3}, {0}}, [][]int{c.first, answers(2), answers(3)}); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

// worlds draws small worlds of everything that may be true of sources.
func worlds() *rapid.Generator[*Live] {
	kinds := []string{"email", "oid", "badge", "username", "a", "b", "c", "d"}
	some := func(r *rapid.T, most int, label string) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(kinds), 0, most, rapid.ID).Draw(r, label)
	}
	return rapid.Custom(func(r *rapid.T) *Live {
		n := rapid.IntRange(1, 6).Draw(r, "sources")
		var members []*member
		for range n {
			m := &member{
				assumed: rapid.Bool().Draw(r, "assumed"), how: rapid.SampledFrom([]Outcome{OK, OK, OK, Absent, Failed}).Draw(r, "how"),
				unfit: rapid.SampledFrom([]string{"", "", "", "1"}).Draw(r, "unfit"), members: rapid.SampledFrom([][]string{{"title"}, {"roles"}, nil}).Draw(r, "members"),
				says: map[string]string{},
			}
			for range rapid.IntRange(1, 3).Draw(r, "lookups") {
				if set := some(r, 2, "needs"); len(set) > 0 {
					m.needs = append(m.needs, set)
				}
			}
			if m.needs == nil {
				m.needs = needs("email")
			}
			m.yields = append(some(r, 3, "yields"), rapid.SampledFrom([][]string{nil, {"self"}}).Draw(r, "own")...)
			for _, kind := range m.yields {
				if rapid.IntRange(0, 3).Draw(r, "silent") > 0 {
					m.says[kind] = rapid.SampledFrom([]string{"1", "1", "1", "2"}).Draw(r, "value")
				}
			}
			members = append(members, m)
		}
		return world(rapid.IntRange(1, 4).Draw(r, "waves"), members...)
	})
}

// TestChainInAnyOrder: whatever order the sources answer in, the same is asked of
// them and the same comes of it; nobody is asked twice.
func TestChainInAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		l := worlds().Draw(r, "world")
		known := caller(rapid.SampledFrom([]string{"email", "oid", "badge", "a"}).Draw(r, "kind"), "1")
		if rapid.Bool().Draw(r, "linked") {
			known = append(known, claim{kind: "username", value: "1", trust: Pinned, source: beforeAll})
		}
		a := asked{tenant: l.Tenants["acme"]}
		_, first := play(l, a, known, firstOf)
		want := tellSlots(first)
		for i := range 5 {
			_, slots := play(l, a, known, func(n int) int { return rapid.IntRange(0, n-1).Draw(r, fmt.Sprint("answers ", i)) })
			if got := tellSlots(slots); got != want {
				r.Fatalf("in another order:\n%s\nand not\n%s", got, want)
			}
		}
	})
}

// TestChainAgainstReference holds the end of a lookup against what is said of it in
// words, evaluated slowly.
func TestChainAgainstReference(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		l := worlds().Draw(r, "world")
		l.Waves = 10
		known := caller(rapid.SampledFrom([]string{"email", "oid", "badge", "a"}).Draw(r, "kind"), "1")
		c, slots := play(l, asked{tenant: l.Tenants["acme"]}, known, func(n int) int { return rapid.IntRange(0, n-1).Draw(r, "answers") })
		for i := range slots {
			s := &slots[i]
			m := s.source.Upstream.(*member)
			// said finds who says a kind in a way that may be used to ask this source.
			said := func(kind string) bool {
				return slices.ContainsFunc(c.claims, func(k claim) bool {
					return k.kind == kind && k.source != i && (k.source == beforeAll || kind != "username")
				})
			}
			lead := slices.ContainsFunc(slots, func(other slot) bool {
				return other.step != s.step && other.failed && slices.ContainsFunc(m.needs, func(set []string) bool {
					return slices.ContainsFunc(s.source.ownKinds(set), func(kind string) bool {
						yields := other.source.ownKinds(other.source.Upstream.Yields())
						return kind != "username" && slices.Contains(yields, kind) && kind != known[0].kind
					})
				})
			})
			able := slices.ContainsFunc(m.needs, func(set []string) bool {
				return !slices.ContainsFunc(s.source.ownKinds(set), func(kind string) bool { return !said(kind) })
			})
			switch asked := s.used != nil && s.wave > 0; {
			case asked != able && !(able && s.fault != nil && s.fault.Kind == adapters.Invalid):
				r.Fatalf("%s is asked: %t, and could be: %t: %s", s.source.Name, asked, able, tellSlots(slots))
			case asked || s.fault != nil && s.fault.Kind == adapters.Invalid:
			case lead != (s.outcome == Failed && s.fault.Kind == adapters.Unresolved):
				r.Fatalf("%s: somebody who would have led here has failed: %t, and yet %s", s.source.Name, lead, tellSlots(slots))
			case !lead && s.outcome != Unlinked:
				r.Fatalf("%s is not unlinked: %s", s.source.Name, tellSlots(slots))
			}
			if s.outcome == OK { // nothing that it says, or was found by, contradicts another that stands
				for j := range slots {
					if o := &slots[j]; o.outcome == OK {
						for _, x := range append(s.said, s.basis...) {
							for _, y := range append(o.said, o.basis...) {
								if x.kind == y.kind && !several(x.kind) && x.value != y.value {
									r.Fatalf("%s and %s are two people: %s", s.source.Name, o.source.Name, tellSlots(slots))
								}
							}
						}
					}
				}
			}
		}
	})
}

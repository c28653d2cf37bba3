package gateway

import (
	"cmp"
	"slices"
	"strings"

	"muster/adapters"
	"muster/normalize"
)

// drop finds the sources whose records contradict stronger ones, and takes all that
// they said out of the slots: two people are never made one. A record that was found by
// what a dropped one said goes with it; and so does one that was found by a lent address
// and named a record that is dropped: it speaks of the same person.
func (c *chain) drop(slots []slot) (dropped []int) {
	for {
		found := c.contradicting(slots)
		if len(found) == 0 {
			break
		}
		for _, i := range found {
			for _, k := range slots[i].basis {
				if slots[i].trust != unproved && k.names() && c.steps[k.source].lent && !slices.Contains(found, k.source) && slots[k.source].has() {
					slots[k.source].contradict()
					dropped = append(dropped, k.source)
				}
			}
			slots[i].contradict()
			dropped = append(dropped, i)
		}
	}
	c.doubt(slots)
	c.withhold(slots)
	return dropped
}

// contradicting goes from the strongest record to the weakest, whatever order they came
// in.
func (c *chain) contradicting(slots []slot) (found []int) {
	said := accepted{}
	for _, k := range c.claims {
		if k.source == beforeAll {
			said.add(k)
		}
	}
	leaning := false
	for _, i := range c.byTrust(slots) {
		if slots[i].leans && !leaning {
			leaning = true
			said.remember(c.claims)
		}
		if !said.holds(slots[i].step) {
			found = append(found, i)
			continue
		}
		for _, k := range slots[i].said {
			said.add(k)
		}
	}
	return found
}

// doubt takes out the records that a lent address has led to and that name nobody, while
// a source that knows user names by addresses has not told whose the address is: it
// failed, knows somebody else by it, or was not asked.
func (c *chain) doubt(slots []slot) {
	named := c.initial[kindUsername] != "" || slices.ContainsFunc(slots, func(s slot) bool { return s.has() && s.names() })
	untold := false
	for i := range slots {
		silent := slots[i].outcome == Failed || slots[i].skip == Skipped && slots[i].source.serves(c.asked.tenant)
		untold = untold || silent && c.knowsNames(i)
	}
	if !named || !untold {
		return
	}
	anchored := make([]bool, len(slots))
	for i := range slots {
		anchored[i] = slots[i].has() && slots[i].names()
	}
	for range slots { // what leads to a record that names the person is theirs
		for i := range slots {
			for _, k := range slots[i].basis {
				if k.source >= 0 && slots[i].has() && anchored[i] {
					anchored[k.source] = true
				}
			}
		}
	}
	for i := range slots {
		if s := &slots[i]; s.has() && s.lent && !anchored[i] && !s.source.isLinks() && len(s.source.Upstream.Members()) > 0 {
			s.takeOut(adapters.Unresolved, "nothing has told whose the address is that led here")
			s.needs = []string{kindUsername}
		}
	}
}

// names tells that a record has a user name.
func (s *step) names() bool {
	return slices.ContainsFunc(s.said, func(k claim) bool { return k.kind == kindUsername })
}

// withhold shows no key that a lent address has led to while the record behind it, which
// would tell whose it is, has not been seen: its source failed, knows nobody, or was not
// asked.
func (c *chain) withhold(slots []slot) {
	for i := range slots {
		if !slots[i].lent || !slots[i].has() {
			continue
		}
		ids := slots[i].reply.Record.IDs // the cache has them as well
		slots[i].reply.Record.IDs = slices.DeleteFunc(slices.Clone(ids), func(id normalize.Identifier) bool {
			k := claim{kind: slots[i].source.ownKind(id.Kind), value: id.Value, source: i}
			return k.names() && c.unseen(slots, k)
		})
	}
}

// unseen tells that there are sources to which a key leads, and none of them has shown a
// record of it.
func (c *chain) unseen(slots []slot, k claim) bool {
	if c.initial[k.kind] != "" {
		return false
	}
	leads := false
	for i := range slots {
		s := &slots[i]
		if i == k.source || !s.source.serves(c.asked.tenant) || !s.source.takes(k.kind) || !leadsTo(k.kind, slots[k.source].source, s.source) {
			continue
		}
		leads = true
		if s.has() && slices.ContainsFunc(slices.Concat(s.basis, s.said), func(seen claim) bool { return seen.kind == k.kind && normalize.SameID(k.kind, seen.value, k.value) }) {
			return false
		}
	}
	return leads
}

// names tells that a source has said under which key another has the person. An
// address is no key.
func (k claim) names() bool { return k.source >= 0 && k.kind != kindEmail }

// has tells that there is a record.
func (s *slot) has() bool { return s.outcome == OK || s.outcome == Partial }

// contradict takes a record out that is somebody else's.
func (s *slot) contradict() {
	s.takeOut(adapters.Mismatch, "what is better proved says that it is somebody else's record")
}

// takeOut takes a record out, and says why.
func (s *slot) takeOut(kind adapters.Kind, why string) {
	s.outcome, s.reply = Failed, adapters.Reply{}
	s.fault = adapters.Fail(kind, why, nil)
	s.age, s.fresh = 0, 0
}

// byTrust are the slots that have a record, the strongest first.
func (c *chain) byTrust(slots []slot) []int {
	var order []int
	for i := range slots {
		if slots[i].has() {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(leaning(&slots[a])-leaning(&slots[b]), cmp.Compare(slots[b].trust, slots[a].trust), cmp.Compare(slots[a].wave, slots[b].wave), cmp.Compare(a, b))
	})
	return order
}

// leaning is 1 for a record that was found by what an earlier lookup has learned:
// what is said now goes before it.
func leaning(s *slot) int {
	if s.leans {
		return 1
	}
	return 0
}

// accepted are identifiers that are taken for the person's, by kind.
type accepted map[string][]string

func (a accepted) add(k claim) {
	if !a.has(k) {
		a[k.kind] = append(a[k.kind], k.value)
	}
}

// remember adds what was learned before, where nothing that is said now contradicts it.
// User names are not added: one might be that of whoever an address was lent by.
func (a accepted) remember(claims []claim) {
	for _, k := range claims {
		if k.learned && k.kind != kindUsername && (k.kind == kindEmail || len(a[k.kind]) == 0) {
			a.add(k)
		}
	}
}

func (a accepted) has(k claim) bool {
	return slices.ContainsFunc(a[k.kind], func(value string) bool { return strings.EqualFold(value, k.value) })
}

// qualified tells that a user name is one of the person's, where one of the two has the
// domain of an address of theirs behind it.
func (a accepted) qualified(k claim) bool {
	return slices.ContainsFunc(a[kindUsername], func(name string) bool {
		short, long := name, k.value
		if len(short) > len(long) {
			short, long = long, short
		}
		local, _, is := strings.Cut(long, "@")
		return is && strings.EqualFold(local, short) && a.has(claim{kind: kindEmail, value: long})
	})
}

// holds tells whether a record fits what is accepted: it was found by that, is
// proved, and contradicts neither that nor itself. Who was found by an address that
// may be lent, and has another user name than was asked for, is somebody else.
func (a accepted) holds(s *step) bool {
	if s.trust == unproved {
		return false
	}
	for _, k := range s.basis {
		if !a.has(k) && !(k.kind == kindUsername && k.learned) {
			return false
		}
	}
	own := accepted{}
	for _, k := range s.said {
		if s.lent && k.kind == kindUsername && len(a[kindUsername]) > 0 && !a.has(k) && !a.qualified(k) {
			return false
		}
		if several(k.kind) {
			continue
		}
		own.add(k)
		if len(own[k.kind]) > 1 || len(a[k.kind]) > 0 && !a.has(k) {
			return false
		}
	}
	return true
}

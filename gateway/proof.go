package gateway

import (
	"cmp"
	"slices"
	"strings"

	"muster/adapters"
)

// drop finds the sources whose records contradict stronger ones, and takes all that
// they said out of the slots: two people are never made one. It goes from the
// strongest record to the weakest, whatever order they came in. A record that was
// found by what a dropped one said goes with it.
func (c *chain) drop(slots []slot) (dropped []int) {
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
		if said.holds(slots[i].step) {
			for _, k := range slots[i].said {
				said.add(k)
			}
			continue
		}
		dropped = append(dropped, i)
		slots[i].outcome, slots[i].reply = Failed, adapters.Reply{}
		slots[i].fault = adapters.Fail(adapters.Mismatch, "what is better proved says that it is somebody else's record", nil)
		slots[i].age, slots[i].fresh = 0, 0
	}
	return dropped
}

// byTrust are the slots that have a record, the strongest first.
func (c *chain) byTrust(slots []slot) []int {
	var order []int
	for i := range slots {
		if slots[i].outcome == OK || slots[i].outcome == Partial {
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
func (a accepted) remember(claims []claim) {
	for _, k := range claims {
		if k.learned && (several(k.kind) || len(a[k.kind]) == 0) {
			a.add(k)
		}
	}
}

func (a accepted) has(k claim) bool {
	return slices.ContainsFunc(a[k.kind], func(value string) bool { return strings.EqualFold(value, k.value) })
}

// holds tells whether a record fits what is accepted: it was found by that, is
// proved, and contradicts neither that nor itself. Who was found by an address that
// may be lent, and has another user name than was asked for, is somebody else.
func (a accepted) holds(s *step) bool {
	if s.trust == unproved {
		return false
	}
	for _, k := range s.basis {
		if !a.has(k) {
			return false
		}
	}
	own := accepted{}
	for _, k := range s.said {
		if s.lent && k.kind == kindUsername && len(a[kindUsername]) > 0 && !a.has(k) {
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

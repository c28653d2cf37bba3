package normalize

import (
	"slices"
	"strings"
)

// list tells how a member that is a list of E is merged.
type list[E any] struct {
	// of is what the record says: it is shared, and only to be read.
	of func(*Record) []E
	// sign is a copy of an element as its source gives it to the profile: with
	// the source written in.
	sign func(e E, by contributor) E
	// compare is 0 where two signed elements are one; and it is the order of
	// the elements that one source adds.
	compare func(a, b E) int
	// apart tells that elements of two sources are never one.
	apart bool
	// join adds what another source says of the same element. Nil where there
	// is nothing to add.
	join func(into *E, from E)
	// says are the statements about an element on which sources can differ,
	// as text, "" where nothing is stated.
	says []func(E) string
}

// joinLists merges a member that is a list: first what the first source says,
// sorted, then what the second adds to it, and so on. Everybody who contributes
// agrees; who said something of a joined element that does not hold has lost.
func joinLists[E any](m *merging, member string, l list[E]) []E {
	parts := m.inOrder(member)
	total := 0
	for _, part := range parts {
		total += len(l.of(&part.Record))
	}
	if total == 0 {
		return nil
	}
	said := make([]E, 0, total) // by all, side by side
	all := runs[E]{elements: make([]E, 0, total), starts: m.starts[:0]}
	start, disputed := len(m.claims), false
	for _, part := range parts {
		own := said[len(said):]
		for _, e := range l.of(&part.Record) {
			own = append(own, l.sign(e, part))
		}
		if len(own) == 0 {
			continue
		}
		said = said[:len(said)+len(own)]
		slices.SortFunc(own, l.inSource)
		m.claims = append(m.claims, part.claim(slices.Clip(own)))
		disputed = all.add(own, &l) || disputed
	}
	decision := Decision{Agreeing: slices.Clip(m.claims[start:])}
	if disputed {
		decision.Losing = l.overruled(&all, decision.Agreeing)
	}
	m.provenance[member] = decision
	return all.elements
}

// inSource is the order within one source. Statements break ties so that a
// source that contradicts itself does so in the same way every time.
func (l *list[E]) inSource(a, b E) int {
	order := l.compare(a, b)
	for i := 0; order == 0 && i < len(l.says); i++ {
		order = strings.Compare(l.says[i](a), l.says[i](b))
	}
	return order
}

// disputed tells whether two sources state different things of one element.
func (l *list[E]) disputed(a, b E) bool {
	return slices.ContainsFunc(l.says, func(says func(E) string) bool {
		return !compatible(says(a), says(b))
	})
}

// overruled collects the elements of which a source stated what does not hold
// in the joined list, by that source and the one that prevailed.
func (l *list[E]) overruled(all *runs[E], claims []Claim) []Claim {
	var losing []Claim
	for _, claim := range claims {
		own, _ := claim.Value.([]E)
		for _, e := range own {
			holds := all.find(e, l)
			by := []string{claim.Source} // nobody is overruled by themselves, or twice by one source
			for _, says := range l.says {
				if compatible(says(e), says(*holds)) {
					continue
				}
				if author := l.author(claims, *holds, says); !slices.Contains(by, author) {
					by = append(by, author)
					losing = lose(losing, claim, author, e)
				}
			}
		}
	}
	return losing
}

// author is the first source that states what holds of an element.
func (l *list[E]) author(claims []Claim, holds E, says func(E) string) string {
	for _, claim := range claims {
		own, _ := claim.Value.([]E)
		for i, _ := slices.BinarySearchFunc(own, holds, l.compare); i < len(own) && l.compare(own[i], holds) == 0; i++ {
			if says(own[i]) == says(holds) {
				return claim.Source
			}
		}
	}
	return ""
}

// lose adds an element to the losing claim of one source against another.
func lose[E any](losing []Claim, claim Claim, by string, e E) []Claim {
	for i := range losing {
		if losing[i].Source == claim.Source && losing[i].By == by {
			said, _ := losing[i].Value.([]E)
			losing[i].Value = append(said, e)
			return losing
		}
	}
	claim.By, claim.Value = by, []E{e}
	return append(losing, claim)
}

// runs is a list made of one sorted run per source, so that an element is found
// without a key or a map.
type runs[E any] struct {
	elements []E
	starts   []int
}

// add appends the next source's run: what it says less what is there already.
// It tells whether any of that is disputed.
func (r *runs[E]) add(own []E, l *list[E]) (disputed bool) {
	r.starts = append(r.starts, len(r.elements))
	for _, e := range own {
		into := r.find(e, l)
		if into == nil {
			r.elements = append(r.elements, e)
			continue
		}
		disputed = disputed || l.disputed(*into, e)
		if l.join != nil {
			l.join(into, e)
		}
	}
	return disputed
}

// find is the element that is one with e, or nil.
func (r *runs[E]) find(e E, l *list[E]) *E {
	first := 0
	if l.apart {
		first = len(r.starts) - 1
	}
	for i := first; i < len(r.starts); i++ {
		start, end := r.starts[i], len(r.elements)
		if i+1 < len(r.starts) {
			end = r.starts[i+1]
		}
		if at, ok := slices.BinarySearchFunc(r.elements[start:end], e, l.compare); ok {
			return &r.elements[start+at]
		}
	}
	return nil
}

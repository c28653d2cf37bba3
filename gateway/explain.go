package gateway

import (
	"cmp"
	"reflect"
	"slices"

	"muster/normalize"
)

// ScopeExplain is what a caller's token needs for Query.Explain.
const ScopeExplain = "muster.explain"

// Explanation tells how an answer came about: who was asked, in which wave, with
// which kinds of identifiers, and what each of them proved. It has kinds and members
// and no value of them: those stand in data and provenance, where policy has been
// applied.
type Explanation struct {
	Waves       int                   `json:"waves"` // that it took; 0 when nobody was asked
	Sources     []ExplainedSource     `json:"sources"`
	Identifiers []ExplainedIdentifier `json:"identifiers"`
}

// ExplainedSource is what became of one source.
type ExplainedSource struct {
	Source  string   `json:"source"`
	Outcome Outcome  `json:"outcome"`
	Wave    int      `json:"wave,omitempty"`  // in which it was asked, from 1
	Asked   []string `json:"asked,omitempty"` // with these kinds of identifiers
	Needs   []string `json:"needs,omitempty"` // kinds that nobody yielded
	From    string   `json:"from,omitempty"`  // upstream, cache, stale or shared
	Took    *int64   `json:"took,omitempty"`  // milliseconds
	Gave    []string `json:"gave,omitempty"`  // members of the profile, whoever won them
	Trust   string   `json:"trust,omitempty"` // how far its record is believed to be the person's
	Breaker string   `json:"breaker,omitempty"`
}

// ExplainedIdentifier is one identifier that led on or might have, and its evidence.
type ExplainedIdentifier struct {
	Kind    string   `json:"kind"`
	Said    string   `json:"said"` // by: caller, links, or a source
	Trust   string   `json:"trust"`
	Asked   []string `json:"asked,omitempty"` // the kinds by which that source had been asked
	Wave    int      `json:"wave"`            // in which it became known; 0 before any source was asked
	Learned bool     `json:"learned,omitempty"`
}

// explain tells of a lookup that is over, within what may be seen of it.
func (c *chain) explain(slots []slot, a asked) *Explanation {
	e := &Explanation{Sources: []ExplainedSource{}, Identifiers: []ExplainedIdentifier{}}
	for i := range slots {
		s := &slots[i]
		if s.source.isLinks() { // they are told of by what they have said
			continue
		}
		x := ExplainedSource{Source: s.source.Name, Outcome: s.outcome, Needs: s.needs, From: s.from, Breaker: s.source.Breaker()}
		if s.from != "" {
			took := s.took.Milliseconds()
			x.Took, x.Wave, x.Asked = &took, s.wave, s.source.ownKinds(s.used)
		}
		if s.outcome == OK || s.outcome == Partial {
			x.Gave, x.Trust = given(s.reply.Record.Profile, a.fields), s.trust.String()
		}
		e.Waves = max(e.Waves, x.Wave)
		e.Sources = append(e.Sources, x)
	}
	for _, k := range slices.SortedStableFunc(slices.Values(c.claims), byOrigin) {
		x := ExplainedIdentifier{Kind: k.kind, Trust: k.trust.String(), Wave: k.wave, Learned: k.learned}
		switch {
		case a.nameless && (k.source != beforeAll || k.trust == Pinned):
			continue
		case k.source != beforeAll:
			from := &slots[k.source]
			if from.hidden || from.nameless || from.outcome != OK && from.outcome != Partial && !k.learned {
				continue // not the caller's, or dropped: nothing of it is told
			}
			x.Said = from.source.Name
			if !k.learned {
				x.Asked = from.source.ownKinds(from.used)
			}
		case k.trust == Pinned:
			x.Said = normalize.Links
		default:
			x.Said = "caller"
		}
		e.Identifiers = append(e.Identifiers, x)
	}
	return e
}

// byOrigin orders claims by the wave in which they became known and then by their
// source: not by who was faster.
func byOrigin(a, b claim) int {
	return cmp.Or(cmp.Compare(a.wave, b.wave), cmp.Compare(a.source, b.source))
}

// given are the members that a profile has, of those that may be seen.
func given(p normalize.Profile, seen *normalize.Selection) []string {
	var members []string
	v := reflect.ValueOf(p)
	for i, member := range normalize.Members() {
		if !v.Field(i).IsZero() && (seen == nil || seen.Needs(member)) {
			members = append(members, member)
		}
	}
	return members
}

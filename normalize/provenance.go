package normalize

import (
	"slices"
	"strings"
	"time"
)

// membersUsual is how many members a profile usually has; a hint for sizes. A map
// of up to 14 takes half the room of one of 15.
const membersUsual = 14

// Provenance tells of every member that has a value who said what of it, by
// the member's JSON name. Its values belong to it and to the profile that Merge
// returned with it: they are only to be read.
type Provenance map[string]Decision

// Decision tells how one member came to its value. A list has no winner:
// everybody who contributes agrees, and who stated of an element what does not
// hold has lost as well. Claims stand in the order of the sources.
type Decision struct {
	Winner   *Claim  `json:"winner,omitempty"`
	Agreeing []Claim `json:"agreeing,omitempty"`
	Losing   []Claim `json:"losing,omitempty"`
}

// Claim is what one source says of a member.
type Claim struct {
	Source string `json:"source"`
	// Value is a string, bool, time.Time or Name; the elements that the source
	// gives to a list, and of a losing claim those that were overruled; or the
	// source's attributes by name.
	Value any `json:"value"`
	Age   int `json:"age"` // whole seconds
	// By is the source that overruled a losing claim about a list.
	By string `json:"by,omitempty"`
}

// Conflict is a source that was overruled by another.
type Conflict struct {
	Field, Winner, Loser string
}

// Conflicts lists who was overruled by whom, by field and then in the order of
// the sources, each pair of sources once per field.
func (p Provenance) Conflicts() []Conflict {
	var conflicts []Conflict
	for field, d := range p {
		for _, loser := range d.Losing {
			winner := loser.By
			if d.Winner != nil {
				winner = d.Winner.Source
			}
			conflicts = append(conflicts, Conflict{Field: field, Winner: winner, Loser: loser.Source})
		}
	}
	slices.SortStableFunc(conflicts, func(a, b Conflict) int { return strings.Compare(a.Field, b.Field) })
	return conflicts
}

// claim is what the part says of a member.
func (p *Part) claim(value any) Claim {
	return Claim{Source: p.Source, Value: value, Age: int(max(0, p.Age) / time.Second)}
}

// decide lets the first of the claims win over the others. It uses their array.
func decide(claims []Claim) Decision {
	d := Decision{Winner: &claims[0]}
	agreeing := claims[1:1]
	for _, claim := range claims[1:] {
		if agree(d.Winner.Value, claim.Value) {
			agreeing = append(agreeing, claim)
		} else {
			d.Losing = append(d.Losing, claim)
		}
	}
	if len(agreeing) > 0 {
		d.Agreeing = slices.Clip(agreeing)
	}
	return d
}

// agree tells whether two values of one member are the same. Names agree
// unless a part that both have differs: to say less is no contradiction.
func agree(a, b any) bool {
	switch a := a.(type) {
	case time.Time:
		b, ok := b.(time.Time)
		return ok && a.Equal(b)
	case Name:
		b, ok := b.(Name)
		return ok &&
			compatible(a.GivenName, b.GivenName) &&
			compatible(a.FamilyName, b.FamilyName) &&
			compatible(a.MiddleName, b.MiddleName) &&
			compatible(a.HonorificPrefix, b.HonorificPrefix) &&
			compatible(a.Formatted, b.Formatted)
	default:
		return a == b
	}
}

func compatible(a, b string) bool { return a == "" || b == "" || a == b }

package gateway

import (
	"cmp"
	"slices"
	"time"

	"muster/normalize"
)

// Trust is how far an identifier is believed to be the person's. It is a closed
// order (contract.md, "Who is who"): what is less than another gives way to it.
type Trust uint8

// The order of trust.
const (
	unproved Trust = iota // a record that may be anybody's: nothing of it is used
	Assumed               // an address that its source does not vouch for
	Verified              // what a source says of its own record, an address that it has verified
	Own                   // what the caller asked with
	Pinned                // what an operator's link says
)

// String is the trust as explain shows it.
func (t Trust) String() string {
	return []string{"unproved", "assumed", "verified", "own", "pinned"}[t]
}

// Before any source is asked, the caller and the operator's links have said
// something; they stand before every source.
const beforeAll = -1

// claim is one identifier of the person, and who says so.
type claim struct {
	kind, value string
	trust       Trust
	source      int  // its index, or beforeAll
	wave        int  // in which it became known; 0 before any source was asked
	learned     bool // in an earlier lookup

	at time.Time // with learned: when
}

// name is one identifier of a person, whoever says so.
type name struct{ kind, value string }

func namesOf(claims []claim) []name {
	names := make([]name, len(claims))
	for i, k := range claims {
		names[i] = name{k.kind, k.value}
	}
	return names
}

// stronger tells whether a claim goes before another: by its trust, then by the wave in
// which it became known, then by the order of the sources. It does not matter which came
// first.
func (c claim) stronger(than claim) bool {
	return cmp.Or(cmp.Compare(than.trust, c.trust), cmp.Compare(c.wave, than.wave), cmp.Compare(c.source, than.source)) < 0
}

// several tells whether a person may well have more than one identifier of a kind:
// addresses, and names to sign in with. Of any other kind two are two people.
func several(kind string) bool { return kind == kindEmail || kind == kindUsername }

const (
	kindEmail    = "email"
	kindUsername = "username"
)

// leadsTo tells whether what one source yields of a kind may be used to ask
// another. A user name is somebody's within one system alone: elsewhere it may be
// anybody's, so it leads only to a source that was made from the same definition.
func leadsTo(kind string, from, to *Source) bool {
	return kind != kindUsername || slices.ContainsFunc(from.Chain, func(name string) bool { return slices.Contains(to.Chain, name) })
}

// most is the trust that what a source yields of a kind may have at most.
func (s *Source) most(kind string) Trust {
	if kind == kindEmail && !s.Upstream.Vouches(kind) {
		return Assumed
	}
	return Verified
}

// trustOf is how far an identifier that a source yields is believed, of a record
// that is itself believed so far.
func trustOf(id normalize.Identifier, record Trust) Trust {
	if id.Kind == kindEmail && (id.Verified == nil || !*id.Verified) {
		return Assumed
	}
	return min(record, Verified)
}

package normalize

import (
	"cmp"
	"slices"
	"strings"
)

// list tells how a member that is a list of E is merged.
type list[E any] struct {
	// of is what the record says: it is shared, and only to be read.
	of func(*Record) []E
	// sign is a copy of an element as its source gives it to the profile: with
	// the source written in.
	sign func(e E, by *contributor) E
	// compare is 0 where two signed elements are one; and it is the order of
	// the elements that one source adds.
	compare func(a, b E) int
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
	start := len(m.claims)
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
		all.add(own, l)
	}
	decision := Decision{Agreeing: slices.Clip(m.claims[start:])}
	if len(all.elements) < total && l.says != nil {
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

// overruled collects the elements of which a source stated what does not hold
// in the joined list, by that source and the one that prevailed.
func (l *list[E]) overruled(all *runs[E], claims []Claim) []Claim {
	var losing []Claim
	for _, claim := range claims {
		own, _ := claim.Value.([]E)
		for _, e := range own {
			holds := all.find(e, l.compare)
			for _, says := range l.says {
				if said := says(e); said == "" || said == says(*holds) {
					continue
				}
				if by := l.author(claims, *holds, says); by != claim.Source {
					losing = lose(losing, claim, by, e)
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
func (r *runs[E]) add(own []E, l list[E]) {
	r.starts = append(r.starts, len(r.elements))
	for _, e := range own {
		switch into := r.find(e, l.compare); {
		case into == nil:
			r.elements = append(r.elements, e)
		case l.join != nil:
			l.join(into, e)
		}
	}
}

func (r *runs[E]) find(e E, compare func(a, b E) int) *E {
	end := len(r.elements)
	for _, start := range slices.Backward(r.starts) {
		if i, ok := slices.BinarySearchFunc(r.elements[start:end], e, compare); ok {
			return &r.elements[start+i]
		}
		end = start
	}
	return nil
}

func emailList() list[Email] {
	return list[Email]{
		of:   func(r *Record) []Email { return r.Profile.Emails },
		sign: func(e Email, by *contributor) Email { e.Sources = by.sources; return e },
		compare: func(a, b Email) int {
			return strings.Compare(strings.ToLower(a.Value), strings.ToLower(b.Value))
		},
		join: func(into *Email, from Email) {
			into.Type = cmp.Or(into.Type, from.Type)
			into.Primary = into.Primary || from.Primary
			into.Verified = eitherTrue(into.Verified, from.Verified)
			into.Sources = union(into.Sources, from.Sources)
		},
		says: []func(Email) string{
			func(e Email) string { return e.Type },
			func(e Email) string { return boolText(e.Verified) },
		},
	}
}

// choosePrimary leaves exactly one address primary: the first that a source
// calls so, else the first. Where verified ones are preferred they come first,
// and one of them is primary if there is any.
func choosePrimary(emails []Email, prefer string) []Email {
	candidates := emails
	if prefer == preferVerified {
		slices.SortStableFunc(emails, func(a, b Email) int { return cmp.Compare(unverified(a), unverified(b)) })
		if n := slices.IndexFunc(emails, func(e Email) bool { return unverified(e) == 1 }); n > 0 {
			candidates = emails[:n]
		}
	}
	primary := max(0, slices.IndexFunc(candidates, func(e Email) bool { return e.Primary }))
	for i := range emails {
		emails[i].Primary = i == primary
	}
	return emails
}

// unverified is 0 of a verified address and 1 of any other.
func unverified(e Email) int {
	if e.Verified != nil && *e.Verified {
		return 0
	}
	return 1
}

func phoneList() list[Phone] {
	return list[Phone]{
		of:      func(r *Record) []Phone { return r.Profile.PhoneNumbers },
		sign:    func(e Phone, by *contributor) Phone { e.Sources = by.sources; return e },
		compare: func(a, b Phone) int { return strings.Compare(a.Value, b.Value) },
		join: func(into *Phone, from Phone) {
			into.Type = cmp.Or(into.Type, from.Type)
			into.Sources = union(into.Sources, from.Sources)
		},
		says: []func(Phone) string{func(e Phone) string { return e.Type }},
	}
}

func addressList() list[Address] {
	return list[Address]{
		of:   func(r *Record) []Address { return r.Profile.Addresses },
		sign: func(e Address, by *contributor) Address { e.Sources = by.sources; return e },
		compare: func(a, b Address) int {
			return cmp.Or(
				strings.Compare(a.StreetAddress, b.StreetAddress),
				strings.Compare(a.Locality, b.Locality),
				strings.Compare(a.Region, b.Region),
				strings.Compare(a.PostalCode, b.PostalCode),
				strings.Compare(a.Country, b.Country),
				strings.Compare(a.Type, b.Type),
			)
		},
		join: func(into *Address, from Address) { into.Sources = union(into.Sources, from.Sources) },
	}
}

func organizationList() list[Organization] {
	return list[Organization]{
		of:      func(r *Record) []Organization { return r.Profile.Organizations },
		sign:    func(e Organization, by *contributor) Organization { e.Sources = by.sources; return e },
		compare: func(a, b Organization) int { return strings.Compare(a.Value, b.Value) },
		join: func(into *Organization, from Organization) {
			into.Display = cmp.Or(into.Display, from.Display)
			into.Sources = union(into.Sources, from.Sources)
		},
		says: []func(Organization) string{func(e Organization) string { return e.Display }},
	}
}

// linkList serves the two members that are lists of links.
func linkList(of func(*Record) []Link) list[Link] {
	return list[Link]{
		of:      of,
		sign:    func(e Link, by *contributor) Link { e.Sources = by.sources; return e },
		compare: func(a, b Link) int { return strings.Compare(a.Value, b.Value) },
		join: func(into *Link, from Link) {
			into.Type = cmp.Or(into.Type, from.Type)
			into.Sources = union(into.Sources, from.Sources)
		},
		says: []func(Link) string{func(e Link) string { return e.Type }},
	}
}

// groupList compares the source too: like-named groups of two sources stay two.
func groupList() list[Group] {
	return list[Group]{
		of:   func(r *Record) []Group { return r.Profile.Groups },
		sign: func(e Group, by *contributor) Group { e.Source = by.Source; return e },
		compare: func(a, b Group) int {
			return cmp.Or(strings.Compare(a.Value, b.Value), strings.Compare(a.Display, b.Display), strings.Compare(a.Source, b.Source))
		},
	}
}

// roleList compares everything: a source may grant one role in two scopes, or
// twice for two terms, and those are two.
func roleList() list[Role] {
	return list[Role]{
		of: func(r *Record) []Role { return r.Profile.Roles },
		sign: func(e Role, by *contributor) Role {
			e.Source, e.Permissions = by.Source, sorted(e.Permissions)
			return e
		},
		compare: func(a, b Role) int {
			return cmp.Or(
				strings.Compare(a.Value, b.Value),
				strings.Compare(a.Scope, b.Scope),
				strings.Compare(a.Type, b.Type),
				strings.Compare(a.Display, b.Display),
				a.ExpiresAt.Compare(b.ExpiresAt),
				slices.Compare(a.Permissions, b.Permissions),
				strings.Compare(a.Source, b.Source),
			)
		},
	}
}

// identifierList compares the source too: it shows what each system calls the
// person, even where two say the same.
func identifierList() list[Identifier] {
	return list[Identifier]{
		of: func(r *Record) []Identifier { return r.IDs },
		sign: func(e Identifier, by *contributor) Identifier {
			if e.Kind == Self {
				e.Kind = by.Source
			}
			e.Source = by.Source
			return e
		},
		compare: func(a, b Identifier) int {
			return cmp.Or(strings.Compare(a.Value, b.Value), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Source, b.Source))
		},
		join: func(into *Identifier, from Identifier) { into.Verified = eitherTrue(into.Verified, from.Verified) },
	}
}

func actionList() list[string] {
	return list[string]{
		of:      func(r *Record) []string { return r.Profile.RequiredActions },
		sign:    func(action string, _ *contributor) string { return action },
		compare: strings.Compare,
	}
}

// eitherTrue is true if one says true, false if one says false and none true,
// else nil.
func eitherTrue(a, b *bool) *bool {
	if a == nil || b != nil && *b {
		return b
	}
	return a
}

// boolText is "" of nil.
func boolText(b *bool) string {
	switch {
	case b == nil:
		return ""
	case *b:
		return "true"
	default:
		return "false"
	}
}

// union adds what is missing, in order.
func union(into, from []string) []string {
	for _, s := range from {
		if !slices.Contains(into, s) {
			into = append(into, s)
		}
	}
	return into
}

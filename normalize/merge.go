package normalize

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Part is one source's record on its way into the merge.
type Part struct {
	Source string
	Record Record
	Age    time.Duration // since the source said so; told in the provenance
}

// Links is the source under which the operator's known links come into the
// merge: a Part whose Record holds IDs alone. It stands behind every source
// that Rules do not name.
const Links = "links"

// Rules say who wins. They are the gateway's `merge`, and immutable once made.
type Rules struct {
	// Order lists the sources, first wins. Those it leaves out stand behind
	// those it names, by name.
	Order []string
	// Fields are the rules of single members, by JSON name.
	Fields map[string]FieldRule
}

// FieldRule is the rule of one member of the profile.
type FieldRule struct {
	// Authority is the source that decides alone wherever it knows; of `active`
	// only.
	Authority string
	// Prefer is "verified" to put verified e-mail addresses first.
	Prefer string
	// Order is the member's own order. "*" stands for every source it does not
	// name, in Rules.Order; without it they stand at the end.
	Order []string
}

const (
	everyOther     = "*"        // in FieldRule.Order
	preferVerified = "verified" // as FieldRule.Prefer

	// Members with rules of their own.
	memberActive     = "active"
	memberAttributes = "attributes"
	memberEmails     = "emails"
)

// Merge joins what several sources say about one person. It is pure: the parts
// in any order, or one of them twice, give the same profile, and a source that
// says nothing of a member takes nothing away. The records are only read, and
// the profile shares no list with them. Of several parts of one source the
// youngest counts. The profile's ID is not merged: whoever knows it sets it.
//
// A role is expired as of now.
func Merge(rules Rules, parts []Part, now time.Time) (Profile, Provenance) {
	m := newMerging(rules, parts)
	profile := Profile{
		UserName:    m.text("userName", func(p *Profile) string { return p.UserName }),
		DisplayName: m.text("displayName", func(p *Profile) string { return p.DisplayName }),
		NickName:    m.text("nickName", func(p *Profile) string { return p.NickName }),
		Title:       m.text("title", func(p *Profile) string { return p.Title }),
		UserType:    m.text("userType", func(p *Profile) string { return p.UserType }),

		Name: m.name(),

		Emails:       choosePrimary(joinLists(m, memberEmails, emailList()), rules.Fields[memberEmails].Prefer),
		PhoneNumbers: joinLists(m, "phoneNumbers", phoneList()),
		Addresses:    joinLists(m, "addresses", addressList()),

		Locale:            m.text("locale", func(p *Profile) string { return p.Locale }),
		PreferredLanguage: m.text("preferredLanguage", func(p *Profile) string { return p.PreferredLanguage }),
		Timezone:          m.text("timezone", func(p *Profile) string { return p.Timezone }),

		Active: m.active(),

		Organizations:  joinLists(m, "organizations", organizationList()),
		Department:     m.text("department", func(p *Profile) string { return p.Department }),
		Organization:   m.text("organization", func(p *Profile) string { return p.Organization }),
		EmployeeNumber: m.text("employeeNumber", func(p *Profile) string { return p.EmployeeNumber }),
		Manager:        m.text("manager", func(p *Profile) string { return p.Manager }),

		Groups: joinLists(m, "groups", groupList()),
		Roles:  joinLists(m, "roles", roleList()),

		URLs:   joinLists(m, "urls", linkList(func(r *Record) []Link { return r.Profile.URLs })),
		Photos: joinLists(m, "photos", linkList(func(r *Record) []Link { return r.Profile.Photos })),

		Identifiers: joinLists(m, "identifiers", identifierList()),

		RequiredActions: joinLists(m, "requiredActions", actionList()),

		CreatedAt:   m.instant("createdAt", func(p *Profile) time.Time { return p.CreatedAt }),
		UpdatedAt:   m.instant("updatedAt", func(p *Profile) time.Time { return p.UpdatedAt }),
		LastLoginAt: m.instant("lastLoginAt", func(p *Profile) time.Time { return p.LastLoginAt }),

		Attributes: m.attributes(),
	}
	profile.Expire(now)
	return profile, m.provenance
}

// IncompleteFields names the members that a failed source maps and could have
// changed: a list always; any other only where nothing has won, or where the
// failed source could have said something that stands before the winner. The
// failed sources come with the top-level members they map; p is what Merge
// returned of the others, before any policy. The names come in the profile's
// order.
func (r Rules) IncompleteFields(p Provenance, failed map[string][]string) []string {
	var names []string
	for _, member := range Members() {
		for source, maps := range failed {
			if slices.Contains(maps, member) && r.couldWin(member, source, p[member].Winner) {
				names = append(names, member)
				break
			}
		}
	}
	return names
}

// couldWin tells whether the best that a source might say of a member would
// stand before the winner. Lists have no winner: everything said is added.
func (r Rules) couldWin(member, source string, winner *Claim) bool {
	if winner == nil {
		return true
	}
	best := 0
	if member == memberActive {
		best = r.standing(source, false)
	}
	return cmp.Or(
		cmp.Compare(best, r.standing(winner.Source, winner.Value)),
		r.compare(member, source, winner.Source),
	) < 0
}

// standing is how a claim ranks by what it says, before the order of sources
// is asked; the lowest wins. It is 0 for all but two members. A name with both
// given and family name stands before one with either. `active` is false when
// one says false, unless its authority knows better.
func (r Rules) standing(source string, value any) int {
	switch v := value.(type) {
	case Name:
		switch {
		case v.GivenName != "" && v.FamilyName != "":
			return 0
		case v.GivenName != "" || v.FamilyName != "":
			return 1
		default:
			return 2
		}
	case bool:
		switch {
		case source == r.Fields[memberActive].Authority:
			return 0
		case !v:
			return 1
		default:
			return 2
		}
	default:
		return 0
	}
}

// compare orders two sources for one member: by its own order, the general
// order, the name.
func (r Rules) compare(member, a, b string) int {
	rule := r.Fields[member]
	return cmp.Or(
		cmp.Compare(rule.place(a), rule.place(b)),
		cmp.Compare(r.place(a), r.place(b)),
		strings.Compare(a, b),
	)
}

// place is where the member's own rule puts a source.
func (f FieldRule) place(source string) int {
	if i := slices.Index(f.Order, source); i >= 0 {
		return i
	}
	if i := slices.Index(f.Order, everyOther); i >= 0 {
		return i
	}
	return len(f.Order)
}

// place is where the general order puts a source.
func (r Rules) place(source string) int {
	if i := slices.Index(r.Order, source); i >= 0 {
		return i
	}
	if source == Links {
		return len(r.Order) + 1
	}
	return len(r.Order)
}

// merging is one run of Merge.
type merging struct {
	rules      Rules
	parts      []contributor // one per source, in the general order
	provenance Provenance
	claims     []Claim // of all members, side by side
	starts     []int   // used again for every list
}

// contributor is a part and what its elements in the profile share.
type contributor struct {
	*Part
	sources []string // itself alone
}

func newMerging(rules Rules, parts []Part) *merging {
	m := &merging{
		rules:      rules,
		parts:      make([]contributor, len(parts)),
		provenance: make(Provenance, membersUsual),
		claims:     make([]Claim, 0, membersUsual*len(parts)),
		starts:     make([]int, 0, len(parts)),
	}
	names := make([]string, len(parts))
	for i := range parts {
		names[i] = parts[i].Source
		m.parts[i] = contributor{Part: &parts[i], sources: names[i : i+1 : i+1]}
	}
	slices.SortFunc(m.parts, func(a, b contributor) int {
		return cmp.Or(rules.compare("", a.Source, b.Source), cmp.Compare(a.Age, b.Age), b.Record.AsOf.Compare(a.Record.AsOf))
	})
	m.parts = slices.CompactFunc(m.parts, func(a, b contributor) bool { return a.Source == b.Source })
	return m
}

// inOrder is the parts in a member's own order.
func (m *merging) inOrder(member string) []contributor {
	if m.rules.Fields[member].Order == nil {
		return m.parts
	}
	parts := slices.Clone(m.parts)
	slices.SortFunc(parts, func(a, b contributor) int { return m.rules.compare(member, a.Source, b.Source) })
	return parts
}

// text merges a member that is one text.
func (m *merging) text(member string, said func(*Profile) string) string {
	won, _ := winner(m, member, func(p *Profile) (string, bool) {
		text := said(p)
		return text, text != ""
	})
	return won
}

// instant merges a member that is one instant.
func (m *merging) instant(member string, said func(*Profile) time.Time) time.Time {
	won, _ := winner(m, member, func(p *Profile) (time.Time, bool) {
		at := said(p)
		return at, !at.IsZero()
	})
	return won
}

// name merges the name: its parts belong together and come from one source.
func (m *merging) name() *Name {
	won, ok := winner(m, "name", func(p *Profile) (Name, bool) {
		if p.Name == nil {
			return Name{}, false
		}
		return *p.Name, *p.Name != Name{}
	})
	if !ok {
		return nil
	}
	return &won
}

// active merges whether the person is active.
func (m *merging) active() *bool {
	won, ok := winner(m, memberActive, func(p *Profile) (bool, bool) {
		if p.Active == nil {
			return false, false
		}
		return *p.Active, true
	})
	if !ok {
		return nil
	}
	return &won
}

// winner merges a member that has one value: of the claims that stand highest
// the first in order wins, the others agree or lose.
func winner[T any](m *merging, member string, said func(*Profile) (T, bool)) (won T, ok bool) {
	start := len(m.claims)
	for _, part := range m.inOrder(member) {
		if value, ok := said(&part.Record.Profile); ok {
			m.claims = append(m.claims, part.claim(value))
		}
	}
	claims := m.claims[start:]
	if len(claims) == 0 {
		return won, false
	}
	slices.SortStableFunc(claims, func(a, b Claim) int {
		return cmp.Compare(m.rules.standing(a.Source, a.Value), m.rules.standing(b.Source, b.Value))
	})
	m.provenance[member] = decide(claims)
	won, ok = claims[0].Value.(T)
	return won, ok
}

// attributes files every source's attributes under its name: they cannot
// conflict.
func (m *merging) attributes() map[string]map[string][]string {
	var all map[string]map[string][]string
	start := len(m.claims)
	for _, part := range m.parts {
		if len(part.Record.Attributes) == 0 {
			continue
		}
		own := make(map[string][]string, len(part.Record.Attributes))
		for name, values := range part.Record.Attributes {
			own[name] = sorted(values)
		}
		if all == nil {
			all = make(map[string]map[string][]string, len(m.parts))
		}
		all[part.Source] = own
		m.claims = append(m.claims, part.claim(own))
	}
	if all != nil {
		m.provenance[memberAttributes] = Decision{Agreeing: slices.Clip(m.claims[start:])}
	}
	return all
}

// sorted is a sorted copy. An upstream's order says nothing, and the same facts
// must give the same bytes.
func sorted(texts []string) []string {
	texts = slices.Clone(texts)
	slices.Sort(texts)
	return texts
}

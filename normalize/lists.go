package normalize

import (
	"cmp"
	"slices"
	"strings"
)

// The lists of the profile, one after the other: what makes two of their
// elements one, and what becomes of the rest that is said of it.

func emailList() list[Email] {
	return list[Email]{
		of: func(r *Record) []Email { return r.Profile.Emails },
		sign: func(e Email, by contributor) Email {
			e.Value, e.Sources = strings.ToLower(e.Value), by.sources
			return e
		},
		compare: func(a, b Email) int { return strings.Compare(a.Value, b.Value) },
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
		sign:    func(e Phone, by contributor) Phone { e.Sources = by.sources; return e },
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
		sign: func(e Address, by contributor) Address { e.Sources = by.sources; return e },
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
		sign:    func(e Organization, by contributor) Organization { e.Sources = by.sources; return e },
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
		sign:    func(e Link, by contributor) Link { e.Sources = by.sources; return e },
		compare: func(a, b Link) int { return strings.Compare(a.Value, b.Value) },
		join: func(into *Link, from Link) {
			into.Type = cmp.Or(into.Type, from.Type)
			into.Sources = union(into.Sources, from.Sources)
		},
		says: []func(Link) string{func(e Link) string { return e.Type }},
	}
}

// groupList keeps like-named groups of two sources two.
func groupList() list[Group] {
	return list[Group]{
		of:   func(r *Record) []Group { return r.Profile.Groups },
		sign: func(e Group, by contributor) Group { e.Source = by.Source; return e },
		compare: func(a, b Group) int {
			return cmp.Or(strings.Compare(a.Value, b.Value), strings.Compare(a.Display, b.Display))
		},
		apart: true,
	}
}

// roleList keeps like-named roles of two sources two. One source may grant a
// role in two scopes, or for two terms, and those are two as well.
func roleList() list[Role] {
	return list[Role]{
		of: func(r *Record) []Role { return r.Profile.Roles },
		sign: func(e Role, by contributor) Role {
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
			)
		},
		apart: true,
	}
}

// identifierList shows what each system calls the person, even where two say
// the same.
func identifierList() list[Identifier] {
	return list[Identifier]{
		of: func(r *Record) []Identifier { return r.IDs },
		sign: func(e Identifier, by contributor) Identifier {
			if e.Kind == Self {
				e.Kind = by.Source
			}
			e.Source = by.Source
			return e
		},
		compare: func(a, b Identifier) int {
			return cmp.Or(strings.Compare(a.Value, b.Value), strings.Compare(a.Kind, b.Kind))
		},
		apart: true,
		join:  func(into *Identifier, from Identifier) { into.Verified = eitherTrue(into.Verified, from.Verified) },
	}
}

func actionList() list[string] {
	return list[string]{
		of:      func(r *Record) []string { return r.Profile.RequiredActions },
		sign:    func(action string, _ contributor) string { return action },
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

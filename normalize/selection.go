package normalize

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Selection is a set of members of the profile, written as paths: "userName",
// "emails", "name.givenName", "emails.value", "attributes.SOURCE",
// "attributes.SOURCE.NAME", or "*" for everything. It serves a caller's fields
// and a policy's show and hide alike. It is immutable; its zero value selects
// nothing.
//
// The source of a list's element comes along with its other members, unless
// that is taken away by name.
type Selection struct {
	root  choice
	needs []string // the top-level members of which something is selected
}

// UnknownMemberError tells that a path names no member of the profile.
type UnknownMemberError struct {
	Path  string
	Known []string // the paths that would do in its place
}

// Error names the path and what would do.
func (e *UnknownMemberError) Error() string {
	return fmt.Sprintf("unknown member %q: known are %s", e.Path, strings.Join(e.Known, ", "))
}

// NewSelection selects the members at the paths. Its error joins an
// *UnknownMemberError for every path that names no member.
func NewSelection(paths []string) (Selection, error) {
	var all choice
	var errs []error
	for _, path := range paths {
		one, err := choose(profileType(), path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = combine(profileType(), all, one, either)
	}
	if errs != nil {
		return Selection{}, errors.Join(errs...)
	}
	return newSelection(all), nil
}

func newSelection(root choice) Selection {
	s := Selection{root: root}
	for i, member := range members() {
		if root.field(i).any() {
			s.needs = append(s.needs, member)
		}
	}
	return s
}

// Everything selects all there is, as "*" does.
func Everything() Selection { return newSelection(choice{mark: chosen}) }

// Members are the JSON names of the profile's members, in its order.
func Members() []string {
	all := members()
	return all[:]
}

// members are Members without a look at the type: that was a part of what each lookup costs.
func members() [29]string {
	return [...]string{
		"id", "userName", "displayName", "nickName", "title", "userType", "name", "emails", "phoneNumbers",
		"addresses", "locale", "preferredLanguage", "timezone", "active", "organizations", "department",
		"organization", "employeeNumber", "manager", "groups", "roles", "urls", "photos", "identifiers",
		"requiredActions", "createdAt", "updatedAt", "lastLoginAt", "attributes",
	}
}

// Union selects what either selects.
func (s Selection) Union(other Selection) Selection {
	switch {
	case s.everything(), other.Empty():
		return s
	case other.everything(), s.Empty():
		return other
	}
	return s.combine(other, either)
}

// Intersect selects what both select.
func (s Selection) Intersect(other Selection) Selection {
	switch {
	case other.everything(), s.Empty():
		return s
	case s.everything(), other.Empty():
		return other
	}
	return s.combine(other, both)
}

func (s Selection) everything() bool { return s.root.uniform() && s.root.mark == chosen }

// Minus selects what s selects and other does not.
func (s Selection) Minus(other Selection) Selection {
	switch {
	case other.Empty():
		return s
	case other.everything():
		return Selection{}
	}
	return s.combine(other, without)
}

func (s Selection) combine(other Selection, op func(a, b mark) mark) Selection {
	return newSelection(combine(profileType(), s.root, other.root, op))
}

// Keep is a copy of the profile with only what is selected. An element of a
// list of which only the source would be left goes, unless only the source is
// selected. The copy shares with p what it takes over whole.
func (s Selection) Keep(p Profile) Profile {
	var kept Profile
	s.root.keep(reflect.ValueOf(&kept).Elem(), reflect.ValueOf(&p).Elem())
	return kept
}

// Drop is a copy of the profile without what is selected, as Keep with the rest.
func (s Selection) Drop(p Profile) Profile { return Everything().Minus(s).Keep(p) }

// KeepProvenance is a copy with only what is selected of every claim. Claims
// and members of which nothing is left are gone.
func (s Selection) KeepProvenance(p Provenance) Provenance {
	if s.everything() {
		return p
	}
	kept := make(Provenance, len(p))
	for i, member := range Members() {
		d := s.root.field(i).keepDecision(p[member], member == memberAttributes)
		if d.Winner != nil || d.Agreeing != nil || d.Losing != nil {
			kept[member] = d
		}
	}
	return kept
}

// DropProvenance is a copy without what is selected.
func (s Selection) DropProvenance(p Provenance) Provenance {
	return Everything().Minus(s).KeepProvenance(p)
}

// Needs tells whether anything of a top-level member is selected.
func (s Selection) Needs(member string) bool { return slices.Contains(s.needs, member) }

// NeedsFrom tells whether anything is selected of what one source may give of a
// top-level member: of attributes its own alone.
func (s Selection) NeedsFrom(source, member string) bool {
	if member != memberAttributes {
		return s.Needs(member)
	}
	return s.root.field(slices.Index(Members(), memberAttributes)).key(source).any()
}

// Empty tells that nothing is selected.
func (s Selection) Empty() bool { return len(s.needs) == 0 }

// choose selects what stands at a path within a type.
func choose(typ reflect.Type, path string) (choice, error) {
	if path == "*" {
		return choice{mark: chosen}, nil
	}
	c, known := chooseWithin(typ, "", path)
	if known != nil {
		return choice{}, &UnknownMemberError{Path: path, Known: known}
	}
	return c, nil
}

// chooseWithin selects the rest of a path; where it names nothing, the paths
// that would do are returned.
func chooseWithin(typ reflect.Type, walked, rest string) (_ choice, known []string) {
	switch typ = element(typ); {
	case typ.Kind() == reflect.Struct && typ != reflect.TypeFor[time.Time]():
		return chooseField(typ, walked, rest)
	case typ.Kind() == reflect.Map && rest != "":
		return chooseKey(typ, walked, rest)
	default:
		return choice{}, []string{strings.TrimSuffix(walked, ".")}
	}
}

func chooseField(typ reflect.Type, walked, rest string) (_ choice, known []string) {
	name, below, deeper := strings.Cut(rest, ".")
	names := jsonNames(typ)
	i := slices.Index(names, name)
	if i < 0 {
		for _, name := range names {
			known = append(known, walked+name)
		}
		return choice{}, known
	}
	c := choice{fields: make([]choice, len(names))}
	if at := slices.IndexFunc(names, isOrigin); at >= 0 {
		c.fields[at].mark = along
	}
	c.fields[i] = choice{mark: chosen}
	if deeper {
		c.fields[i], known = chooseWithin(typ.Field(i).Type, walked+name+".", below)
	}
	return c, known
}

// chooseKey selects attributes by source and name. The last name is whatever
// the source calls it, dots and all.
func chooseKey(typ reflect.Type, walked, rest string) (_ choice, known []string) {
	name, below, deeper := strings.Cut(rest, ".")
	if typ.Elem().Kind() != reflect.Map {
		name, deeper = rest, false
	}
	c := choice{mark: chosen}
	if deeper {
		c, known = chooseWithin(typ.Elem(), walked+name+".", below)
	}
	return choice{keys: map[string]choice{name: c}}, known
}

// SelectionPattern matches the paths that NewSelection takes (ECMA 262).
func SelectionPattern() string { return "^([*]|" + pathPattern(profileType()) + ")$" }

// pathPattern matches what may stand behind the path of a value of a type; "" where
// nothing may.
func pathPattern(typ reflect.Type) string {
	switch typ = element(typ); {
	case typ.Kind() == reflect.Struct && typ != reflect.TypeFor[time.Time]():
		names := jsonNames(typ)
		for i := range names {
			if below := pathPattern(typ.Field(i).Type); below != "" {
				names[i] += "([.]" + below + ")?"
			}
		}
		return "(" + strings.Join(names, "|") + ")"
	case typ.Kind() == reflect.Map && element(typ.Elem()).Kind() == reflect.Map:
		return "[^.]*([.].+)?"
	default:
		return ""
	}
}

func profileType() reflect.Type { return reflect.TypeFor[Profile]() }

// jsonNames are the JSON names of a struct's fields, by index.
func jsonNames(typ reflect.Type) []string {
	names := make([]string, typ.NumField())
	for i := range names {
		names[i] = jsonName(typ.Field(i))
	}
	return names
}

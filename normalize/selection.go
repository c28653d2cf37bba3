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
type Selection struct{ root choice }

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
	var s Selection
	var errs []error
	for _, path := range paths {
		one, err := choose(profileType(), path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		s = s.Union(Selection{one})
	}
	if errs != nil {
		return Selection{}, errors.Join(errs...)
	}
	return s, nil
}

// Everything selects all there is, as "*" does.
func Everything() Selection { return Selection{choice{mark: chosen}} }

// Members are the JSON names of the profile's members, in its order.
func Members() []string { return jsonNames(profileType()) }

// Union selects what either selects.
func (s Selection) Union(other Selection) Selection {
	return Selection{combine(profileType(), s.root, other.root, func(a, b mark) mark { return max(a, b) })}
}

// Intersect selects what both select.
func (s Selection) Intersect(other Selection) Selection {
	return Selection{combine(profileType(), s.root, other.root, func(a, b mark) mark { return min(a, b) })}
}

// Minus selects what s selects and other does not.
func (s Selection) Minus(other Selection) Selection {
	return Selection{combine(profileType(), s.root, other.root, func(a, b mark) mark {
		if b == chosen {
			return left
		}
		return a
	})}
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
func (s Selection) Needs(member string) bool {
	i := slices.Index(Members(), member)
	return i >= 0 && s.root.field(i).any()
}

// mark tells whether a value is selected.
type mark uint8

const (
	left   mark = iota // not selected
	along              // a source that is shown with the element it belongs to
	chosen             // selected
)

// choice is the part of a selection for one value. Without fields and keys its
// mark holds for everything within the value.
type choice struct {
	mark   mark              // of what has no choice of its own below
	fields []choice          // of a struct, by its field's index
	keys   map[string]choice // of a map
}

func (c choice) uniform() bool { return c.fields == nil && c.keys == nil }

func (c choice) field(i int) choice {
	if c.fields == nil {
		return choice{mark: c.mark}
	}
	return c.fields[i]
}

func (c choice) key(name string) choice {
	if below, ok := c.keys[name]; ok {
		return below
	}
	return choice{mark: c.mark}
}

// any tells whether anything is selected.
func (c choice) any() bool {
	if c.fields == nil && c.mark == chosen || slices.ContainsFunc(c.fields, choice.any) {
		return true
	}
	for _, below := range c.keys {
		if below.any() {
			return true
		}
	}
	return false
}

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
	typ = element(typ)
	name, below, deeper := strings.Cut(rest, ".")
	var within reflect.Type
	var i int
	switch {
	case typ.Kind() == reflect.Struct && typ != reflect.TypeFor[time.Time]():
		names := jsonNames(typ)
		if i = slices.Index(names, name); i < 0 {
			return choice{}, prefixed(walked, names)
		}
		within = typ.Field(i).Type
	case typ.Kind() == reflect.Map && name != "":
		within = typ.Elem()
		if within.Kind() != reflect.Map { // the last name is whatever the source calls it, dots and all
			name, deeper = rest, false
		}
	default:
		return choice{}, []string{strings.TrimSuffix(walked, ".")}
	}
	c := choice{mark: chosen}
	if deeper {
		if c, known = chooseWithin(within, walked+name+".", below); known != nil {
			return choice{}, known
		}
	}
	if typ.Kind() == reflect.Map {
		return choice{keys: map[string]choice{name: c}}, nil
	}
	fields := make([]choice, typ.NumField())
	if at := origin(typ); at >= 0 {
		fields[at].mark = along
	}
	fields[i] = c
	return choice{fields: fields}, nil
}

func prefixed(prefix string, names []string) []string {
	for i := range names {
		names[i] = prefix + names[i]
	}
	return names
}

// combine joins two choices for a value of a type, mark by mark.
func combine(typ reflect.Type, a, b choice, op func(a, b mark) mark) choice {
	c := choice{mark: op(a.mark, b.mark)}
	if a.uniform() && b.uniform() {
		return c
	}
	switch typ = element(typ); typ.Kind() {
	case reflect.Struct:
		c.fields = make([]choice, typ.NumField())
		for i := range c.fields {
			c.fields[i] = combine(typ.Field(i).Type, a.field(i), b.field(i), op)
		}
	case reflect.Map:
		c.keys = make(map[string]choice, len(a.keys)+len(b.keys))
		for _, keys := range []map[string]choice{a.keys, b.keys} {
			for key := range keys {
				c.keys[key] = combine(typ.Elem(), a.key(key), b.key(key), op)
			}
		}
	}
	return c
}

// keep sets dst, which is zero, to what is selected of src and tells whether
// that is anything.
func (c choice) keep(dst, src reflect.Value) bool {
	if c.uniform() {
		if c.mark != chosen || src.IsZero() {
			return false
		}
		dst.Set(src)
		return true
	}
	switch src.Kind() {
	case reflect.Pointer:
		return c.keepObject(dst, src)
	case reflect.Slice:
		return c.keepList(dst, src)
	case reflect.Map:
		return c.keepMap(dst, src)
	default:
		return c.keepFields(dst, src, -1)
	}
}

// keepFields keeps the fields of a struct but one.
func (c choice) keepFields(dst, src reflect.Value, except int) bool {
	kept := false
	for i := range c.fields {
		kept = i != except && c.fields[i].keep(dst.Field(i), src.Field(i)) || kept
	}
	return kept
}

func (c choice) keepObject(dst, src reflect.Value) bool {
	if src.IsNil() {
		return false
	}
	object := reflect.New(src.Type().Elem())
	if !c.keep(object.Elem(), src.Elem()) {
		return false
	}
	dst.Set(object)
	return true
}

func (c choice) keepList(dst, src reflect.Value) bool {
	at := origin(src.Type().Elem())
	list := reflect.MakeSlice(src.Type(), src.Len(), src.Len())
	n := 0
	for i := range src.Len() {
		if c.keepElement(list.Index(n), src.Index(i), at) {
			n++
		}
	}
	if n == 0 {
		return false
	}
	dst.Set(list.Slice(0, n))
	return true
}

// keepElement keeps an element of a list with its source, which stands in the
// field at, if anything else of it is kept or nothing else is asked for.
func (c choice) keepElement(dst, src reflect.Value, at int) bool {
	kept := c.keepFields(dst, src, at)
	if at < 0 || c.fields[at].mark == left {
		return kept
	}
	if kept || c.onlyField(at) && !src.Field(at).IsZero() {
		dst.Field(at).Set(src.Field(at))
		return true
	}
	return false
}

// onlyField tells whether a field is the only one that is selected.
func (c choice) onlyField(at int) bool {
	for i := range c.fields {
		if c.fields[i].any() != (i == at) {
			return false
		}
	}
	return true
}

func (c choice) keepMap(dst, src reflect.Value) bool {
	kept := reflect.MakeMap(src.Type())
	for items := src.MapRange(); items.Next(); {
		value := reflect.New(src.Type().Elem()).Elem()
		if c.key(items.Key().String()).keep(value, items.Value()) {
			kept.SetMapIndex(items.Key(), value)
		}
	}
	if kept.Len() == 0 {
		return false
	}
	dst.Set(kept)
	return true
}

// keepDecision keeps what is selected of every claim. Attributes are filed
// under their source in the profile, and so is the choice of them.
func (c choice) keepDecision(d Decision, bySource bool) Decision {
	keep := func(claims []Claim) (kept []Claim) {
		for _, claim := range claims {
			of := c
			if bySource {
				of = c.key(claim.Source)
			}
			if value, some := of.keepValue(claim.Value); some {
				claim.Value = value
				kept = append(kept, claim)
			}
		}
		return kept
	}
	kept := Decision{Agreeing: keep(d.Agreeing), Losing: keep(d.Losing)}
	if d.Winner != nil {
		if winner := keep([]Claim{*d.Winner}); winner != nil {
			kept.Winner = &winner[0]
		}
	}
	return kept
}

// keepValue is keep for the value of a claim, where false is a value as well.
func (c choice) keepValue(value any) (any, bool) {
	if c.uniform() {
		return value, c.mark == chosen
	}
	src := reflect.ValueOf(value)
	dst := reflect.New(src.Type()).Elem()
	kept := c.keep(dst, src)
	return dst.Interface(), kept
}

func profileType() reflect.Type { return reflect.TypeFor[Profile]() }

// element is what a list or a pointer is of.
func element(typ reflect.Type) reflect.Type {
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
		typ = typ.Elem()
	}
	return typ
}

// jsonNames are the JSON names of a struct's fields, by index.
func jsonNames(typ reflect.Type) []string {
	names := make([]string, typ.NumField())
	for i := range names {
		names[i] = jsonName(typ.Field(i))
	}
	return names
}

// origin is the index of the field that says where a list's element comes from,
// else -1.
func origin(typ reflect.Type) int {
	return slices.IndexFunc(jsonNames(typ), func(name string) bool { return name == "source" || name == "sources" })
}

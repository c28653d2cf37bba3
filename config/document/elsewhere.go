package document

import (
	"slices"
	"strings"
)

// Where a key stands that was written in the wrong place. A file of nothing but
// mistakes is not to cost more than they are worth: after manyLost of them nothing
// is looked for, and what is found in more than fewPlaces is no help.
const (
	manyLost  = 50
	fewPlaces = 3
)

// IsA says what the file of this node is written as, so that a key in a wrong place
// can be told its right one.
func (n *Node) IsA(form Form) {
	if n != nil {
		n.file.form, n.file.root = &form, n
	}
}

// elsewhere says where a key that is not known where it stands does belong: deeper
// within the same mapping, else anywhere in the file; "" where nobody can tell.
// What inline tests state, and what a person has, are names of their own: of a key of
// another mapping they say nothing.
func elsewhere(key *Node, within []Member) string {
	f := key.file
	if f.lost++; f.lost > manyLost {
		return ""
	}
	places := placesOf(key.text, within, nil)
	if places == nil && f.form != nil && f.root.fieldAround(key) != "tests" {
		members := f.form.Members()
		if slices.ContainsFunc(members, func(m Member) bool { return m.Name == key.text }) {
			return "`" + key.text + "` stands at the top of the file"
		}
		places = placesOf(key.text, slices.DeleteFunc(members, func(m Member) bool { return m.Name == "profile" || m.Name == "ids" }), nil)
	}
	if places == nil || len(places) > fewPlaces {
		return ""
	}
	return "`" + key.text + "` stands under `" + strings.Join(places, "` or `") + "`"
}

// fieldAround is the name of the last field that begins before another node of the
// same file.
func (n *Node) fieldAround(other *Node) (name string) {
	for _, f := range n.fields {
		if f.Key.line < other.line || f.Key.line == other.line && f.Key.column < other.column {
			name = f.Key.text
		}
	}
	return name
}

// placesOf are the mappings nearest to these members that have a key of a name,
// written with dots.
func placesOf(name string, members []Member, seen []string) (nearest []string) {
	depth := func(place string) int { return strings.Count(place, ".") }
	add := func(place string) {
		if nearest != nil && depth(place) < depth(nearest[0]) {
			nearest = nil
		}
		if (nearest == nil || depth(place) == depth(nearest[0])) && !slices.Contains(nearest, place) {
			nearest = append(nearest, place)
		}
	}
	for _, m := range members {
		if m.Name == "tests" {
			continue
		}
		inside, path := m.Form.mapping(m.Name)
		if inside.Name != "" && slices.Contains(seen, inside.Name) {
			continue // a form that may stand within itself
		}
		around := append(slices.Clone(seen), inside.Name)
		under := inside.Members()
		if slices.ContainsFunc(under, func(u Member) bool { return u.Name == name }) {
			add(path)
			continue
		}
		for _, place := range placesOf(name, under, around) {
			add(path + "." + place)
		}
	}
	return nearest
}

// mapping is the form of the mapping that a value of this form is, or holds as a
// list's items or under names of the author's own; path is how one gets there.
func (f Form) mapping(path string) (Form, string) {
	switch {
	case f.keys != nil:
		return f, path
	case f.items != nil:
		return f.items.mapping(path)
	case f.others != nil:
		return f.others.mapping(path + ".NAME")
	}
	for _, one := range f.either {
		if found, way := one.mapping(path); found.keys != nil {
			return found, way
		}
	}
	return Form{}, path
}

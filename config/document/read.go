package document

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Key is one key that a mapping may hold: its name, what it means, how its
// value looks and how it is read into T. Whatever tells of the mapping comes from
// the same table that reads it.
type Key[T any] struct {
	Name     string
	About    string // one line for people
	Required bool
	Unless   string // the key without which a file needs this one
	Default  string // what holds where the key is not written, as one would write it
	Form     Form
	Read     func(into *T, value *Node)

	fill func(into *T) // the defaults within the value
}

// A Type is how a value looks and how it is read.
type Type[V any] struct {
	Form
	Read func(into *V, value *Node)

	fill func(into *V)
}

// With is the type with a look at what was read, which may report what is wrong
// with it.
func (t Type[V]) With(check func(v V, n *Node)) Type[V] {
	read := t.Read
	t.Read = func(into *V, n *Node) {
		read(into, n)
		check(*into, n)
	}
	return t
}

// Like is the type with an example of how it is written.
func (t Type[V]) Like(example string) Type[V] {
	t.Example = example
	return t
}

// Of is a key whose value has a type and goes to a member of T.
func Of[T, V any](name, about string, typ Type[V], member func(*T) *V) Key[T] {
	k := Key[T]{Name: name, About: about, Form: typ.Form, Read: func(into *T, n *Node) { typ.Read(member(into), n) }}
	if typ.fill != nil {
		k.fill = func(into *T) { typ.fill(member(into)) }
	}
	return k
}

// Within is a key of a part of T, as a key of T.
func Within[T, V any](k Key[V], part func(*T) *V) Key[T] {
	whole := Of(k.Name, k.About, Type[V]{Form: k.Form, Read: k.Read, fill: k.fill}, part)
	whole.Required, whole.Default = k.Required, k.Default
	return whole
}

// Must is the key, required.
func (k Key[T]) Must() Key[T] {
	k.Required = true
	return k
}

// UnlessGiven is the key, which a file needs unless another is written in it: what is
// read may come from elsewhere.
func (k Key[T]) UnlessGiven(other string) Key[T] {
	k.Unless = other
	return k
}

// Or is the key with what holds where it is not written.
func (k Key[T]) Or(value string) Key[T] {
	k.Default = value
	return k
}

// Defaults reads the defaults of a table, and of the tables within it. It panics
// where a default is none that the key would take: that is a mistake of the table.
func Defaults[T any](into *T, keys []Key[T]) {
	for _, k := range keys {
		if k.fill != nil {
			k.fill(into)
		}
		if k.Default == "" {
			continue
		}
		var problems Problems
		if n := Read("default", []byte(k.Default), &problems); n != nil {
			k.Read(into, n)
		}
		if err := problems.Err(); err != nil {
			panic(fmt.Sprintf("the default of %q: %v", k.Name, err))
		}
	}
}

// Decode reads a mapping by its table of keys. Unknown keys, keys left empty
// and required keys that are missing are reported; keys are read in the order
// of the table, so that one may rely on what an earlier one has read.
func Decode[T any](n *Node, into *T, keys []Key[T]) {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.Name
	}
	if n == nil {
		return
	}
	if n.kind != Mapping {
		n.Errorf("expected %v, found %v", Mapping, n.kind).Suggest("its keys are: %s", strings.Join(names, ", "))
		return
	}
	var meant []string // by keys that are written otherwise
	for _, f := range n.fields {
		if !slices.Contains(names, f.Key.text) {
			UnknownMember(f.Key, "key", Members(keys))
			meant = append(meant, Closest(f.Key.text, names))
		}
	}
	for _, k := range keys {
		value := n.Field(k.Name)
		switch {
		case value == nil && k.Required && !slices.Contains(meant, k.Name):
			hint := k.About
			if k.Form.Example != "" {
				hint += ", for example " + k.Form.Example
			}
			n.Errorf("the key %q is missing", k.Name).Suggest("%s", hint)
		case value == nil:
		case value.kind == Null:
			value.Errorf("the key %q is written but has no value", k.Name).Suggest("give it a value or remove the line")
		default:
			k.Read(into, value)
		}
	}
}

// UnknownMember reports a name that is not among the keys of a mapping, and proposes
// the one that was probably meant or the place where it belongs.
func UnknownMember(n *Node, what string, members []Member) {
	names := make([]string, len(members))
	for i, m := range members {
		names[i] = m.Name
	}
	p := UnknownName(n, what, names)
	if Closest(n.text, names) == "" {
		if place := elsewhere(n, members); place != "" {
			p.Suggest("%s; %s", place, p.Hint)
		}
	}
}

// UnknownName reports a name that is not among those known, and proposes the
// one that was probably meant.
func UnknownName(n *Node, what string, known []string) *Problem {
	return n.Errorf("unknown %s %q", what, n.text).SuggestKnown(n.text, known)
}

// SuggestKnown adds what would do in place of a word: the one of those known that
// was probably meant, else all of them.
func (p *Problem) SuggestKnown(word string, known []string) *Problem {
	if near := Closest(word, known); near != "" {
		return p.Suggest("did you mean %q?", near)
	}
	if len(known) == 0 {
		return p.Suggest("there is none")
	}
	sorted := slices.Clone(known)
	slices.Sort(sorted)
	return p.Suggest("known: %s", strings.Join(sorted, ", "))
}

// Text is a scalar exactly as it was written: 1024, true and "1024" are all text.
func (n *Node) Text() string {
	if !n.expect(Scalar) {
		return ""
	}
	return n.text
}

// IsText tells whether the node is a scalar that YAML takes for text rather
// than for a number, a boolean or null.
func (n *Node) IsText() bool { return n.Kind() == Scalar && n.tag == "!!str" }

// Texts is a list of scalars, or one scalar for a list of one.
func (n *Node) Texts() []string {
	var texts []string
	for _, item := range n.OneOrMore() {
		texts = append(texts, item.Text())
	}
	return texts
}

// Bool reads true or false.
func (n *Node) Bool() bool {
	if !n.expect(Scalar) {
		return false
	}
	if n.tag != "!!bool" {
		p := n.Errorf("expected true or false, found %q", n.text)
		if n.quoted {
			p.Suggest("write it without quotes")
		}
		return false
	}
	return strings.EqualFold(n.text, "true")
}

// Int reads a whole number from low to high.
func (n *Node) Int(low, high int64) int64 {
	if !n.expect(Scalar) {
		return low
	}
	v, err := strconv.ParseInt(n.text, 10, 64)
	if err != nil || v < low || v > high {
		if high >= math.MaxInt32 && (err != nil || v < low) {
			n.Errorf("expected a whole number of at least %d, found %q", low, n.text)
		} else {
			n.Errorf("expected a whole number from %d to %d, found %q", low, high, n.text)
		}
		return low
	}
	return v
}

// Duration reads a time span such as 250ms, 3s, 5m or 1h30m; none is negative.
func (n *Node) Duration() time.Duration {
	if !n.expect(Scalar) {
		return 0
	}
	d, err := time.ParseDuration(n.text)
	if err != nil || d < 0 {
		n.Errorf("expected a time span, found %q", n.text).Suggest("for example 250ms, 3s, 5m or 1h")
		return 0
	}
	return d
}

// Bytes reads a size such as 512KiB, 1MiB or 256MiB.
func (n *Node) Bytes() int64 {
	if !n.expect(Scalar) {
		return 0
	}
	digits := strings.TrimRight(n.text, "KMGiB ")
	unit, known := map[string]int64{"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}[strings.TrimSpace(n.text[len(digits):])]
	v, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || !known || v < 0 || v > math.MaxInt64/unit {
		n.Errorf("expected a size, found %q", n.text).Suggest("for example 512KiB, 1MiB or 256MiB")
		return 0
	}
	return v * unit
}

// Percent reads a share such as 50% as a fraction of one.
func (n *Node) Percent() float64 {
	if !n.expect(Scalar) {
		return 0
	}
	digits, isPercent := strings.CutSuffix(n.text, "%")
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil || !isPercent || !(v >= 0 && v <= 100) {
		n.Errorf("expected a share from 0%% to 100%%, found %q", n.text).Suggest("for example 10%%")
		return 0
	}
	return v / 100
}

// OneOf reads one of the given words.
func (n *Node) OneOf(words ...string) string {
	if !n.expect(Scalar) {
		return ""
	}
	if !slices.Contains(words, n.text) {
		UnknownName(n, "value", words)
		return ""
	}
	return n.text
}

package normalize

import (
	"reflect"
	"slices"
)

// mark tells whether a value is selected.
type mark uint8

const (
	left   mark = iota // not selected
	along              // a source that is shown with the element it belongs to
	chosen             // selected
)

func either(a, b mark) mark { return max(a, b) }

func both(a, b mark) mark { return min(a, b) }

// without takes nothing away from a source that only came along with b.
func without(a, b mark) mark {
	if b == chosen {
		return left
	}
	return a
}

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
			if a, b := a.field(i), b.field(i); a.uniform() && b.uniform() {
				c.fields[i].mark = op(a.mark, b.mark)
			} else {
				c.fields[i] = combine(typ.Field(i).Type, a, b, op)
			}
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

// element is what a list or a pointer is of.
func element(typ reflect.Type) reflect.Type {
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
		typ = typ.Elem()
	}
	return typ
}

// origin is the index of the field that says where a list's element comes from,
// else -1.
func origin(typ reflect.Type) int { return slices.IndexFunc(jsonNames(typ), isOrigin) }

func isOrigin(name string) bool { return name == "source" || name == "sources" }

package normalize

import (
	"fmt"
	"reflect"
	"slices"
)

// Lists have no repeats, and a reply says how long they are: beyond a few
// elements each is looked for by what it is, and not among all of the others.

const (
	fewElements = 16 // up to which looking at each is the fastest
	// mostAlike bounds the items with one value that another one with it is held
	// against. A reply with more of them that contradict each other may repeat itself.
	mostAlike = 64
)

// textSet is a list of texts without repeats.
type textSet struct {
	list []string
	seen map[string]struct{} // nil while they are few
}

// add adds a text that is there not yet. The empty text is none.
func (t *textSet) add(text string) {
	if text == "" || t.has(text) {
		return
	}
	t.list = append(t.list, text)
	switch {
	case t.seen != nil:
		t.seen[text] = struct{}{}
	case len(t.list) > fewElements:
		t.seen = make(map[string]struct{}, 2*len(t.list))
		for _, text := range t.list {
			t.seen[text] = struct{}{}
		}
	}
}

func (t *textSet) has(text string) bool {
	if t.seen == nil {
		return slices.Contains(t.list, text)
	}
	_, seen := t.seen[text]
	return seen
}

// items is a list of objects without repeats.
type items struct {
	list reflect.Value
	at   map[string][]int // where those of one value stand; nil while they are few
}

// add adds an item unless the list has it. Two items with one value are one if
// neither contradicts the other: what one leaves out, the other fills in.
func (l *items) add(item reflect.Value) {
	n := l.list.Len()
	if n <= fewElements {
		for i := range n {
			if absorb(l.list.Index(i), item) {
				return
			}
		}
		l.list.Set(reflect.Append(l.list, item))
		return
	}
	if l.at == nil {
		l.at = make(map[string][]int, 2*n)
		for i := range n {
			value := valueOf(l.list.Index(i))
			l.at[value] = append(l.at[value], i)
		}
	}
	value := valueOf(item)
	alike := l.at[value]
	for _, i := range alike[:min(len(alike), mostAlike)] {
		if absorb(l.list.Index(i), item) {
			return
		}
	}
	l.at[value] = append(alike, n)
	l.list.Set(reflect.Append(l.list, item))
}

// valueOf is what an item is known by: its value, or the whole of an address.
func valueOf(item reflect.Value) string {
	if value := item.FieldByName("Value"); value.IsValid() {
		return value.String()
	}
	return fmt.Sprintf("%#v", item.Interface())
}

func absorb(into, item reflect.Value) bool {
	value := into.FieldByName("Value")
	if !value.IsValid() { // nothing names an address but the whole of it
		return reflect.DeepEqual(into.Interface(), item.Interface())
	}
	if value.String() != item.FieldByName("Value").String() {
		return false
	}
	for i := range into.NumField() {
		a, b := into.Field(i), item.Field(i)
		if !a.IsZero() && !b.IsZero() && !reflect.DeepEqual(a.Interface(), b.Interface()) {
			return false
		}
	}
	for i := range into.NumField() {
		if into.Field(i).IsZero() {
			into.Field(i).Set(item.Field(i))
		}
	}
	return true
}

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

// items is a list of objects without repeats. An item is made at the end of the list
// and stays there if it is kept.
type items struct {
	list  reflect.Value
	value int              // index of the field that an item is known by, -1 where that is the whole of it
	at    map[string][]int // where those of one value stand; nil while they are few
}

// next is one more item, empty.
func (l *items) next() reflect.Value {
	n := l.list.Len()
	l.list.Grow(1)
	l.list.SetLen(n + 1)
	item := l.list.Index(n)
	item.SetZero()
	return item
}

// drop takes the last item away.
func (l *items) drop() { l.list.SetLen(l.list.Len() - 1) }

// keep keeps the last item unless the list has it. Two items with one value are one
// if neither contradicts the other: what one leaves out, the other fills in.
func (l *items) keep() {
	n := l.list.Len() - 1
	item := l.list.Index(n)
	if n <= fewElements {
		for i := range n {
			if l.absorb(l.list.Index(i), item) {
				l.drop()
				return
			}
		}
		return
	}
	if l.at == nil {
		l.at = make(map[string][]int, 2*n)
		for i := range n {
			value := l.known(l.list.Index(i))
			l.at[value] = append(l.at[value], i)
		}
	}
	value := l.known(item)
	alike := l.at[value]
	for _, i := range alike[:min(len(alike), mostAlike)] {
		if l.absorb(l.list.Index(i), item) {
			l.drop()
			return
		}
	}
	l.at[value] = append(alike, n)
}

// known is what an item is known by: its value, or the whole of an address.
func (l *items) known(item reflect.Value) string {
	if l.value >= 0 {
		return item.Field(l.value).String()
	}
	return fmt.Sprintf("%#v", item.Interface())
}

func (l *items) absorb(into, item reflect.Value) bool {
	if l.value < 0 { // nothing names an address but the whole of it
		return reflect.DeepEqual(into.Interface(), item.Interface())
	}
	if into.Field(l.value).String() != item.Field(l.value).String() {
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

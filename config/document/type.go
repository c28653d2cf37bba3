package document

import (
	"fmt"
	"math"
	"time"
)

// Text is any single value, exactly as it is written.
func Text() Type[string] {
	return Type[string]{Form: AnyValue("text"), Read: func(into *string, n *Node) { *into = n.Text() }}
}

// Texts is a list of texts, or one text.
func Texts() Type[[]string] {
	return Type[[]string]{Form: OneOrMoreOf(AnyValue("text")), Read: func(into *[]string, n *Node) { *into = n.Texts() }}
}

// Switch is true or false.
func Switch() Type[bool] {
	form := Form{About: "true or false", scalar: map[string]any{"type": "boolean"}}
	return Type[bool]{Form: form, Read: func(into *bool, n *Node) { *into = n.Bool() }}
}

// Whole is a whole number from low to high; a high of math.MaxInt32 or more is
// none that anybody would meet.
func Whole(low, high int) Type[int] {
	schema := map[string]any{"type": "integer", "minimum": low}
	about := fmt.Sprintf("a whole number from %d", low)
	if high < math.MaxInt32 {
		schema["maximum"] = high
		about += fmt.Sprintf(" to %d", high)
	}
	return Type[int]{Form: Form{About: about, scalar: schema}, Read: func(into *int, n *Node) { *into = int(n.Int(int64(low), int64(high))) }}
}

// Span is a time span.
func Span() Type[time.Duration] {
	form := Form{About: "a time span", Example: "250ms", scalar: map[string]any{"anyOf": []any{
		map[string]any{"type": "string", "pattern": `^[+]?(0|(([0-9]+[.]?[0-9]*|[.][0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$`},
		map[string]any{"const": 0},
	}}}
	return Type[time.Duration]{Form: form, Read: func(into *time.Duration, n *Node) { *into = n.Duration() }}
}

// Size is a number of bytes.
func Size() Type[int64] {
	form := Form{About: "a size", Example: "256MiB", scalar: map[string]any{"anyOf": []any{
		map[string]any{"type": "string", "pattern": `^[0-9]+ *([KMG]i)?B? *$`},
		map[string]any{"type": "integer", "minimum": 0},
	}}}
	return Type[int64]{Form: form, Read: func(into *int64, n *Node) { *into = n.Bytes() }}
}

// Share is a part of the whole, as a fraction of one.
func Share() Type[float64] {
	return Type[float64]{Form: Matching("a share", `^[+]?0*(100([.]0*)?|[0-9]{1,2}([.][0-9]*)?|[.][0-9]+)%$`).Like("10%"), Read: func(into *float64, n *Node) { *into = n.Percent() }}
}

// OneOf is one of some words.
func OneOf(words ...string) Type[string] {
	form := Form{About: "one of the words", words: words}
	return Type[string]{Form: form, Read: func(into *string, n *Node) { *into = n.OneOf(words...) }}
}

// Itself is the node, for what is read later.
func Itself(form Form) Type[*Node] {
	return Type[*Node]{Form: form, Read: func(into **Node, n *Node) { *into = n }}
}

// Object is a mapping under the keys of a table. It is read over what is there:
// a key that is not written changes nothing.
func Object[V any](keys func() []Key[V]) Type[V] {
	return Type[V]{
		Form: KeysOf(func() []Member { return Members(keys()) }),
		Read: func(into *V, n *Node) { Decode(n, into, keys()) },
		fill: func(into *V) { Defaults(into, keys()) },
	}
}

// Pointer is a value that is made, with its defaults, when its key is written.
func Pointer[V any](typ Type[V]) Type[*V] {
	typ.alone = true
	return Type[*V]{Form: typ.Form, Read: func(into **V, n *Node) {
		*into = new(V)
		if typ.fill != nil {
			typ.fill(*into)
		}
		typ.Read(*into, n)
	}}
}

// Items is a list of values of one type.
func Items[V any](typ Type[V]) Type[[]V] {
	return Type[[]V]{Form: ListOf(typ.Form), Read: func(into *[]V, n *Node) { readItems(into, typ, n.Items()) }}
}

// OneOrMore is a list of values of one type, or one of them.
func OneOrMore[V any](typ Type[V]) Type[[]V] {
	return Type[[]V]{Form: OneOrMoreOf(typ.Form), Read: func(into *[]V, n *Node) { readItems(into, typ, n.OneOrMore()) }}
}

func readItems[V any](into *[]V, typ Type[V], items []*Node) {
	for _, item := range items {
		var v V
		if typ.fill != nil {
			typ.fill(&v)
		}
		typ.Read(&v, item)
		*into = append(*into, v)
	}
}

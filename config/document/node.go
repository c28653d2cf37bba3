package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// Kind is the form of a node.
type Kind uint8

// The forms of a node. An explicit null is a form of its own: a key that was
// written and left empty is not a key that was not written.
const (
	Null Kind = iota
	Scalar
	List
	Mapping
)

// String names the form as an error message does.
func (k Kind) String() string {
	switch k {
	case Scalar:
		return "a single value"
	case List:
		return "a list"
	case Mapping:
		return "a mapping"
	default:
		return "nothing"
	}
}

// maxRepeated bounds what the aliases of one file may repeat, each time counted:
// a few lines of nested aliases otherwise grow without end. What a file writes
// out is bounded by its own size. A long text counts as several values.
const (
	maxRepeated = 200_000
	longText    = 256
)

// A Node is one value of a file and knows where it stands. Its readers report
// what does not fit and go on, so that one run shows every mistake.
type Node struct {
	kind     Kind
	text     string // of a scalar: its value
	tag      string // of a scalar: the YAML type it resolved to, e.g. "!!int"
	quoted   bool
	block    bool
	fields   []Field
	items    []*Node
	line     int
	column   int
	key      *Node  // of a mapping's value
	alias    *place // where *NAME stands, of what an alias repeats
	file     *file
	problems *Problems
}

// A Field is one key of a mapping with its value.
type Field struct{ Key, Value *Node }

// builder turns the YAML library's nodes into ours.
type builder struct {
	file     *file
	problems *Problems
	open     map[*yaml.Node]bool // the nodes around the one at hand
	left     int                 // of maxRepeated
	via      *yaml.Node          // the outermost alias that is being followed
}

func (b *builder) build(y *yaml.Node) *Node {
	if y.Kind == yaml.AliasNode {
		return b.follow(y)
	}
	n := &Node{file: b.file, problems: b.problems, line: y.Line, column: y.Column}
	if b.via != nil && !b.afford(1+len(y.Value)/longText) {
		return n
	}
	if (y.Anchor != "" || y.Style&yaml.TaggedStyle != 0) && (y.Kind != yaml.ScalarNode || y.Value != "" || y.Style&^yaml.TaggedStyle != 0) {
		n.line, n.column = b.file.behindProperties(n.line, n.column)
	}
	if y.Style&yaml.TaggedStyle != 0 && (y.Kind != yaml.ScalarNode || y.ShortTag() != "!!str") {
		b.problems.add(b.file, y.Line, y.Column, 1, "the tag "+y.ShortTag()+" is not supported").
			Suggest("remove it; only !!str is known, and quotes say the same")
	}
	b.open[y] = true
	switch y.Kind {
	case yaml.ScalarNode:
		n.tag, n.text = y.ShortTag(), y.Value
		n.quoted = y.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0
		n.block = y.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0
		if n.tag != "!!null" {
			n.kind = Scalar
		}
	case yaml.SequenceNode:
		n.kind = List
		for _, item := range y.Content {
			n.items = append(n.items, b.build(item))
		}
	case yaml.MappingNode:
		n.kind = Mapping
		b.buildFields(n, y)
	}
	delete(b.open, y)
	return n
}

func (b *builder) follow(alias *yaml.Node) *Node {
	if b.open[alias.Alias] {
		b.problems.add(b.file, alias.Line, alias.Column, len("*"+alias.Value), "the alias *"+alias.Value+" stands inside its own anchor")
		return &Node{file: b.file, problems: b.problems, line: alias.Line, column: alias.Column}
	}
	if b.via == nil {
		b.via = alias
		defer func() { b.via = nil }()
	}
	n := b.build(alias.Alias)
	n.alias = &place{alias.Line, alias.Column, utf8.RuneCountInString("*" + alias.Value)}
	return n
}

// afford takes from what may yet be repeated, and reports the alias that is one
// too many.
func (b *builder) afford(values int) bool {
	before := b.left
	if b.left -= values; before >= 0 && b.left < 0 {
		b.problems.add(b.file, b.via.Line, b.via.Column, len("*"+b.via.Value), fmt.Sprintf("the aliases of this file expand to more than %d values", maxRepeated)).
			Suggest("aliases that repeat each other grow without end; write the values out")
	}
	return b.left >= 0
}

func (b *builder) buildFields(n *Node, y *yaml.Node) {
	seen := map[string]*Node{}
	for i := 0; i+1 < len(y.Content); i += 2 {
		key, value := b.build(y.Content[i]), b.build(y.Content[i+1])
		if b.left < 0 {
			return // they are not what was written
		}
		switch first, twice := seen[key.text]; {
		case key.tag == "!!merge":
			key.Errorf("merge keys are not supported").Suggest("write the keys out, or use `use:` to start from another definition")
			continue
		case key.kind != Scalar:
			key.Errorf("a key must be a single value, not %v", key.kind)
			continue
		case twice:
			key.Errorf("the key %q stands twice", key.text).Suggest("it is already set on line %d", first.line)
			continue
		}
		seen[key.text] = key
		value.key = key
		n.fields = append(n.fields, Field{Key: key, Value: value})
	}
}

// Kind tells the node's form. A nil node has the form Null.
func (n *Node) Kind() Kind {
	if n == nil {
		return Null
	}
	return n.kind
}

// Position is "file:line:column", as an editor can open it.
func (n *Node) Position() string {
	return fmt.Sprintf("%s:%d:%d", n.file.name, n.line, n.column)
}

// Line is the line that the node stands on, from 1.
func (n *Node) Line() int { return n.line }

// Column is the character of its line that the node begins with, from 1.
func (n *Node) Column() int { return n.column }

// Key is the key that the node is the value of; the node itself where it is none.
func (n *Node) Key() *Node {
	if n.key == nil {
		return n
	}
	return n.key
}

// File is the name of the file the node stands in.
func (n *Node) File() string { return n.file.name }

// Errorf reports a mistake at the node and underlines the whole of it.
func (n *Node) Errorf(format string, args ...any) *Problem {
	at := n.whole()
	return n.problems.add(n.file, at.line, at.column, at.width, fmt.Sprintf(format, args...))
}

// ErrorfAt reports a mistake at width bytes from offset of a scalar's text, for
// values that are a small language of their own.
func (n *Node) ErrorfAt(offset, width int, format string, args ...any) *Problem {
	offset = max(offset, 0)
	at, ok := n.locate(offset, offset+max(width, 0))
	if !ok {
		return n.Errorf(format, args...)
	}
	return n.problems.add(n.file, at.line, at.column, at.width, fmt.Sprintf(format, args...))
}

// Field returns the value of a mapping's key, or nil.
func (n *Node) Field(name string) *Node {
	if n == nil {
		return nil
	}
	for _, f := range n.fields {
		if f.Key.text == name {
			return f.Value
		}
	}
	return nil
}

// Fields returns a mapping's keys in the order they were written; anything
// else is reported.
func (n *Node) Fields() []Field {
	if n.expect(Mapping) {
		return n.fields
	}
	return nil
}

// Items returns a list's items; anything else is reported.
func (n *Node) Items() []*Node {
	if n.expect(List) {
		return n.items
	}
	return nil
}

// OneOrMore returns a list's items, or the node itself where a single value
// stands for a list of one. A nil node has none.
func (n *Node) OneOrMore() []*Node {
	switch {
	case n == nil:
		return nil
	case n.kind == List:
		return n.items
	default:
		return []*Node{n}
	}
}

func (n *Node) expect(want Kind) bool {
	if n.kind == want {
		return true
	}
	p := n.Errorf("expected %v, found %v", want, n.kind)
	switch {
	case n.kind == Null && n.key != nil:
		p.Suggest("give it a value or remove the line")
	case want == Scalar && n.kind == Mapping && len(n.fields) == 1 && n.fields[0].Value.kind == Null:
		p.Suggest("a text that begins with a brace needs quotes: \"{%s}\"", n.fields[0].Key.text)
	case want == List && n.kind == Scalar:
		p.Suggest("a list of one is written [%s]", n.text)
	}
	return false
}

// Overlay is the mapping base with every key that over writes replaced as a
// whole. Each value keeps its own position. A nil node counts as an empty mapping.
func Overlay(base, over *Node) *Node {
	if base == nil {
		return over
	}
	if over == nil || len(over.fields) == 0 {
		return base
	}
	merged := *over
	merged.fields = nil
	for _, f := range base.fields {
		if over.Field(f.Key.text) == nil {
			merged.fields = append(merged.fields, f)
		}
	}
	merged.fields = append(merged.fields, over.fields...)
	return &merged
}

// Without is the mapping less the named keys.
func (n *Node) Without(names ...string) *Node {
	return n.filter(func(key string) bool { return !slices.Contains(names, key) })
}

// With is the mapping with the value of one key replaced, or added behind the others.
func (n *Node) With(name string, value *Node) *Node {
	changed := *n
	changed.fields = slices.Clone(n.fields)
	for i, f := range changed.fields {
		if f.Key.text == name {
			changed.fields[i].Value = value
			return &changed
		}
	}
	key := &Node{kind: Scalar, tag: "!!str", text: name, file: n.file, problems: n.problems, line: n.line, column: n.column}
	changed.fields = append(changed.fields, Field{key, value})
	return &changed
}

// WithItems is the list with every item replaced by what becomes of it.
func (n *Node) WithItems(become func(item *Node) *Node) *Node {
	changed := *n
	changed.items = nil
	for _, item := range n.items {
		changed.items = append(changed.items, become(item))
	}
	return &changed
}

// HasAlias tells whether the node, or anything within it, is written as an alias of
// another.
func (n *Node) HasAlias() bool {
	return n != nil && (n.alias != nil || slices.ContainsFunc(n.items, (*Node).HasAlias) ||
		slices.ContainsFunc(n.fields, func(f Field) bool { return f.Value.HasAlias() }))
}

// Only is the mapping with no other than the named keys.
func (n *Node) Only(names ...string) *Node {
	return n.filter(func(key string) bool { return slices.Contains(names, key) })
}

func (n *Node) filter(keep func(key string) bool) *Node {
	if n == nil {
		return nil
	}
	rest := *n
	rest.fields = nil
	for _, f := range n.fields {
		if keep(f.Key.text) {
			rest.fields = append(rest.fields, f)
		}
	}
	return &rest
}

// JSON renders the node as the JSON text that YAML readers take it for:
// numbers keep their digits, so 64-bit identifiers stay exact.
func (n *Node) JSON() ([]byte, error) {
	var b bytes.Buffer
	err := n.writeJSON(&b)
	return b.Bytes(), err
}

var jsonNumber = regexp.MustCompile(`^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$`)

var errNoJSON = errors.New("not a number that JSON can hold")

func (n *Node) writeJSON(b *bytes.Buffer) error {
	switch n.Kind() {
	case Null:
		b.WriteString("null")
	case Scalar:
		switch n.tag {
		case "!!bool":
			b.WriteString(strings.ToLower(n.text))
		case "!!int", "!!float":
			if !jsonNumber.MatchString(n.text) {
				return errNoJSON
			}
			b.WriteString(n.text)
		default:
			quoted, err := json.Marshal(n.text)
			if err != nil {
				return err
			}
			b.Write(quoted)
		}
	case List:
		b.WriteByte('[')
		for i, item := range n.items {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := item.writeJSON(b); err != nil {
				return err
			}
		}
		b.WriteByte(']')
	case Mapping:
		b.WriteByte('{')
		for i, f := range n.fields {
			if i > 0 {
				b.WriteByte(',')
			}
			key, err := json.Marshal(f.Key.text)
			if err != nil {
				return err
			}
			b.Write(key)
			b.WriteByte(':')
			if err := f.Value.writeJSON(b); err != nil {
				return err
			}
		}
		b.WriteByte('}')
	}
	return nil
}

// WalkText visits every text within the node, depth first.
func (n *Node) WalkText(visit func(*Node)) {
	switch {
	case n == nil:
	case n.IsText():
		visit(n)
	default:
		for _, item := range n.items {
			item.WalkText(visit)
		}
		for _, f := range n.fields {
			f.Value.WalkText(visit)
		}
	}
}

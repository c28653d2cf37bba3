package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
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

// maxNodes bounds what one file may expand to, aliases counted each time they
// are used: a few lines of nested aliases otherwise grow without end.
const maxNodes = 200_000

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
	file     *file
	problems *Problems
}

// A Field is one key of a mapping with its value.
type Field struct{ Key, Value *Node }

type file struct {
	name  string
	lines []string
}

func (f *file) line(n int) string {
	if n < 1 || n > len(f.lines) {
		return ""
	}
	return strings.TrimRight(f.lines[n-1], "\r")
}

// Read parses one YAML document. Mistakes of syntax, duplicate keys and merge
// keys are reported to problems; the result is nil when there is nothing to walk.
func Read(name string, src []byte, problems *Problems) *Node {
	f := &file{name: name, lines: strings.Split(string(src), "\n")}
	if !utf8.Valid(src) {
		problems.add(f, 1, 1, 1, "the file is not UTF-8 text")
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(src))
	var root yaml.Node
	if err := decoder.Decode(&root); err != nil {
		reportSyntax(f, problems, err)
		return nil
	}
	var more yaml.Node
	if decoder.Decode(&more) == nil && len(more.Content) > 0 {
		problems.add(f, more.Content[0].Line, more.Content[0].Column, 1, "a second document in one file").
			Suggest("one file holds one document: remove the \"---\" or split the file")
		return nil
	}
	if len(root.Content) == 0 {
		problems.add(f, 1, 1, 1, "the file is empty")
		return nil
	}
	budget := maxNodes
	return build(f, problems, root.Content[0], nil, &budget)
}

var positionInSyntaxError = regexp.MustCompile(`line (\d+)(?:, column (\d+))?:?\s*`)

func reportSyntax(f *file, problems *Problems, err error) {
	line, column, message := 1, 1, strings.TrimPrefix(err.Error(), "yaml: ")
	if strings.Contains(message, "EOF") && len(strings.TrimSpace(strings.Join(f.lines, ""))) == 0 {
		message = "the file is empty"
	}
	if at := positionInSyntaxError.FindStringSubmatchIndex(message); at != nil {
		line, _ = strconv.Atoi(message[at[2]:at[3]])
		if at[4] >= 0 {
			column, _ = strconv.Atoi(message[at[4]:at[5]])
		}
		message = message[:at[0]] + message[at[1]:]
	}
	line = min(max(line, 1), len(f.lines))
	if column <= 1 {
		text := f.line(line)
		column = 1 + len(text) - len(strings.TrimLeft(text, " \t"))
	}
	problems.add(f, line, column, 1, "not YAML: "+strings.TrimSpace(message))
}

func build(f *file, problems *Problems, y *yaml.Node, open []*yaml.Node, budget *int) *Node {
	for y.Kind == yaml.AliasNode {
		for _, ancestor := range open {
			if ancestor == y.Alias {
				problems.add(f, y.Line, y.Column, 1+len(y.Value), "the alias *"+y.Value+" stands inside its own anchor")
				return &Node{file: f, problems: problems, line: y.Line, column: y.Column}
			}
		}
		y = y.Alias
	}
	n := &Node{file: f, problems: problems, line: y.Line, column: y.Column}
	if *budget--; *budget < 0 {
		if *budget == -1 {
			problems.add(f, y.Line, y.Column, 1, fmt.Sprintf("the file expands to more than %d values", maxNodes)).
				Suggest("aliases that repeat each other grow without end; write the values out")
		}
		return n
	}
	open = append(open, y)
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
			n.items = append(n.items, build(f, problems, item, open, budget))
		}
	case yaml.MappingNode:
		n.kind = Mapping
		n.buildFields(y, open, budget)
	}
	return n
}

func (n *Node) buildFields(y *yaml.Node, open []*yaml.Node, budget *int) {
	seen := map[string]*Node{}
	for i := 0; i+1 < len(y.Content); i += 2 {
		key := build(n.file, n.problems, y.Content[i], open, budget)
		value := build(n.file, n.problems, y.Content[i+1], open, budget)
		switch first, twice := seen[key.text]; {
		case key.tag == "!!merge":
			key.Errorf("merge keys are not supported").Suggest("write the keys out, or use `use:` to start from another definition")
			continue
		case key.kind > Scalar:
			key.Errorf("a key must be a single value, not %v", key.kind)
			continue
		case twice:
			key.Errorf("the key %q stands twice", key.text).Suggest("it is already set on line %d", first.line)
			continue
		}
		seen[key.text] = key
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

// File is the name of the file the node stands in.
func (n *Node) File() string { return n.file.name }

// Errorf reports a mistake at the node and underlines the whole of it.
func (n *Node) Errorf(format string, args ...any) *Problem {
	return n.problems.add(n.file, n.line, n.column, n.width(), fmt.Sprintf(format, args...))
}

// ErrorfAt reports a mistake at width bytes from offset of a scalar's text, for
// values that are a small language of their own.
func (n *Node) ErrorfAt(offset, width int, format string, args ...any) *Problem {
	offset = min(max(offset, 0), len(n.text))
	end := min(offset+max(width, 0), len(n.text))
	before, marked := utf8.RuneCountInString(n.text[:offset]), utf8.RuneCountInString(n.text[offset:end])
	if n.block || n.kind != Scalar {
		return n.Errorf(format, args...)
	}
	if n.quoted {
		before++
	}
	return n.problems.add(n.file, n.line, n.column+before, marked, fmt.Sprintf(format, args...))
}

func (n *Node) width() int {
	if n.kind != Scalar || n.block {
		return 1
	}
	width := utf8.RuneCountInString(n.text)
	if n.quoted {
		width += 2
	}
	rest := utf8.RuneCountInString(n.file.line(n.line)) - n.column + 1
	return max(1, min(width, rest))
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
// stands for a list of one.
func (n *Node) OneOrMore() []*Node {
	if n.Kind() == List {
		return n.items
	}
	return []*Node{n}
}

func (n *Node) expect(want Kind) bool {
	if n.kind != want {
		n.Errorf("expected %v, found %v", want, n.kind)
	}
	return n.kind == want
}

// Overlay is the mapping base with every key that over writes replaced as a
// whole. Each value keeps its own position. A nil node counts as an empty mapping.
func Overlay(base, over *Node) *Node {
	if base == nil {
		return over
	}
	if over == nil {
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

package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// FromJSON makes a node of a JSON text, to be written into a file by Edits. It
// stands nowhere: nothing can be reported at it. Members keep their order, and
// numbers their digits.
func FromJSON(text []byte) (*Node, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	n, err := decodeJSON(decoder)
	if err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return n, nil
}

func decodeJSON(d *json.Decoder) (*Node, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch v := token.(type) {
	case json.Delim:
		return decodeJSONWithin(d, v)
	case string:
		return &Node{kind: Scalar, tag: "!!str", text: v}, nil
	case json.Number:
		return &Node{kind: Scalar, tag: "!!float", text: v.String()}, nil
	case bool:
		return &Node{kind: Scalar, tag: "!!bool", text: fmt.Sprint(v)}, nil
	default:
		return &Node{tag: "!!null", text: "null"}, nil
	}
}

func decodeJSONWithin(d *json.Decoder, open json.Delim) (*Node, error) {
	n := &Node{kind: Mapping}
	if open == '[' {
		n.kind = List
	}
	for d.More() {
		value, err := decodeJSON(d)
		if err != nil {
			return nil, err
		}
		if n.kind == List {
			n.items = append(n.items, value)
			continue
		}
		key := value
		if value, err = decodeJSON(d); err != nil {
			return nil, err
		}
		value.key = key
		n.fields = append(n.fields, Field{key, value})
	}
	_, err := d.Token() // the closing bracket
	return n, err
}

// lineWidth is how long a line may be before what it holds is written in several.
const lineWidth = 120

// flow writes a node on one line, as it may stand anywhere.
func flow(n *Node) string {
	var b strings.Builder
	switch n.Kind() {
	case List:
		for i, item := range n.items {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(flow(item))
		}
		return "[" + b.String() + "]"
	case Mapping:
		for i, f := range n.fields {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(scalar(f.Key) + ": " + flow(f.Value))
		}
		return "{" + b.String() + "}"
	default:
		return scalar(n)
	}
}

// blockField writes a key and its value as lines of a block mapping, the first
// without its indentation: on one line where it has room there.
func blockField(key string, n *Node, indent int, newline string) string {
	line := key + ": " + flow(n)
	if n.Kind() == Scalar || n.Kind() == Null || indent+utf8.RuneCountInString(line) <= lineWidth || isEmpty(n) {
		return line
	}
	return key + ":" + newline + strings.Repeat(" ", indent+2) + block(n, indent+2, newline)
}

// block writes a list or a mapping as lines, the first without its indentation.
func block(n *Node, indent int, newline string) string {
	lines := make([]string, 0, len(n.fields)+len(n.items))
	for _, f := range n.fields {
		lines = append(lines, blockField(scalar(f.Key), f.Value, indent, newline))
	}
	for _, item := range n.items {
		lines = append(lines, "- "+blockItem(item, indent+2, newline))
	}
	return strings.Join(lines, newline+strings.Repeat(" ", indent))
}

// blockItem writes an item of a block list, without its hyphen.
func blockItem(n *Node, indent int, newline string) string {
	line := flow(n)
	if n.Kind() == Scalar || n.Kind() == Null || indent+utf8.RuneCountInString(line) <= lineWidth || isEmpty(n) {
		return line
	}
	return block(n, indent, newline)
}

func isEmpty(n *Node) bool { return len(n.fields) == 0 && len(n.items) == 0 }

// plainText is what needs no quotes, if YAML takes it for text at all.
var plainText = regexp.MustCompile(`^[\pL\pN_./(][\pL\pN_./@()+' -]*$`)

// otherWords are no text to other readers of YAML (YAML 1.1).
func otherWords() []string { return []string{"y", "n", "yes", "no", "on", "off"} }

// scalar writes a single value: without quotes where it needs none.
func scalar(n *Node) string {
	if n.Kind() != Scalar {
		return "null"
	}
	if n.tag != "!!str" {
		return n.text
	}
	if plainText.MatchString(n.text) && readsAs(n.text) {
		return n.text
	}
	return Quote(n.text)
}

// unquoted is what may go without quotes where none have been.
var unquoted = regexp.MustCompile(`^[\pL\pN_./(][^\pZ\pC,#"'\\[\]{}]*( [^\pZ\pC,#"'\\[\]{}]+)*$`)

// readsAs tells whether a text without quotes reads as that text, even in brackets.
func readsAs(text string) bool {
	if strings.HasSuffix(text, " ") || slices.Contains(otherWords(), strings.ToLower(text)) {
		return false
	}
	var problems Problems
	read := Read("", []byte("["+text+"]"), &problems)
	return problems.Len() == 0 && read.Kind() == List && len(read.items) == 1 && read.items[0].IsText() && read.items[0].text == text
}

// Quote writes a text in double quotes. What nobody sees is escaped, so that it is
// YAML whatever is in it.
func Quote(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

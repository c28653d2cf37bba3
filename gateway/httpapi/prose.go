package httpapi

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// prose is a description: the part of CommonMark that openapi.yaml uses, which
// is paragraphs, lists with "- ", `code` and **strong**.
type prose []block

// block is a paragraph, or a list when it has items.
type block struct {
	Spans []span
	Items [][]span
}

type span struct {
	Text         string
	Code, Strong bool
}

// UnmarshalYAML reads a description.
func (p *prose) UnmarshalYAML(n *yaml.Node) error {
	*p = readProse(n.Value)
	return nil
}

func readProse(text string) prose {
	var blocks prose
	for paragraph := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		items, list := strings.CutPrefix(paragraph, "- ")
		if !list {
			blocks = append(blocks, block{Spans: readSpans(paragraph)})
			continue
		}
		var b block
		for item := range strings.SplitSeq(items, "\n- ") {
			b.Items = append(b.Items, readSpans(item))
		}
		blocks = append(blocks, b)
	}
	return blocks
}

// readSpans takes the text apart at its marks: every second part lies between two.
func readSpans(text string) []span {
	var spans []span
	text = strings.Join(strings.Fields(text), " ")
	for i, strong := range strings.Split(text, "**") {
		for j, part := range strings.Split(strong, "`") {
			if part != "" {
				spans = append(spans, span{Text: part, Strong: i%2 == 1, Code: j%2 == 1})
			}
		}
	}
	return spans
}

// lineWidth is how long a line of an example may be, in characters.
const lineWidth = 86

// pretty writes an example as JSON, for reading: what fits into a line stays in
// one. A text alone is written as it is.
func pretty(n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode {
		return n.Value
	}
	var b strings.Builder
	writePretty(&b, n, "")
	return b.String()
}

func writePretty(b *strings.Builder, n *yaml.Node, indent string) {
	line := oneLine(n)
	if n.Kind == yaml.ScalarNode || len(n.Content) == 0 || utf8.RuneCountInString(indent+line) <= lineWidth {
		b.WriteString(line)
		return
	}
	begin, end, step := "[", "]", 1
	if n.Kind == yaml.MappingNode {
		begin, end, step = "{", "}", 2
	}
	b.WriteString(begin)
	for i := 0; i < len(n.Content); i += step {
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString("\n" + indent + "  ")
		if step == 2 {
			b.WriteString(oneLine(n.Content[i]) + ": ")
		}
		writePretty(b, n.Content[i+step-1], indent+"  ")
	}
	b.WriteString("\n" + indent + end)
}

func oneLine(n *yaml.Node) string {
	parts := make([]string, 0, len(n.Content))
	switch n.Kind {
	case yaml.SequenceNode:
		for _, item := range n.Content {
			parts = append(parts, oneLine(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			parts = append(parts, oneLine(n.Content[i])+": "+oneLine(n.Content[i+1]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	default:
		if n.ShortTag() == "!!str" {
			return strconv.Quote(n.Value)
		}
		return n.Value
	}
}

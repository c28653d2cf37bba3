package document

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// Read parses one YAML document. Mistakes of syntax, duplicate keys, merge keys
// and tags are reported to problems; the result is nil when there is nothing to
// walk.
func Read(name string, src []byte, problems *Problems) *Node {
	f := newFile(name, src)
	if at := invalidUTF8(src); at >= 0 {
		line, column := f.positionOf(at)
		p := problems.add(f, line, column, 1, notUTF8)
		if bytes.HasPrefix(src, []byte("\xff\xfe")) || bytes.HasPrefix(src, []byte("\xfe\xff")) {
			p.Suggest("it looks like UTF-16; save it as UTF-8")
		}
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(versionDirective.ReplaceAll(src, []byte("$1#$2"))))
	var root, more yaml.Node
	switch err := decoder.Decode(&root); {
	case errors.Is(err, io.EOF), err == nil && isNothing(&root):
		problems.add(f, 1, 1, 1, "the file is empty")
		return nil
	case err != nil:
		reportSyntax(f, problems, err)
		return nil
	}
	switch err := decoder.Decode(&more); {
	case errors.Is(err, io.EOF):
	case err != nil:
		reportSyntax(f, problems, err)
		return nil
	default:
		line, column, width := more.Line, more.Column, 1
		if strings.HasPrefix(f.line(line), "---") {
			width = len("---")
		}
		problems.add(f, line, column, width, "a second document in one file").
			Suggest("one file holds one document: remove the \"---\" or split the file")
		return nil
	}
	b := builder{file: f, problems: problems, open: map[*yaml.Node]bool{}, left: maxRepeated}
	node := b.build(root.Content[0])
	if b.left < 0 {
		return nil // what is missing from it is not what its author left out
	}
	return node
}

// versionDirective says what the file would be without it, and what the YAML
// library takes for a promise that it cannot keep.
var versionDirective = regexp.MustCompile(`^(\x{FEFF}?)%(YAML 1\.[12]\s)`)

const notUTF8 = "the file is not UTF-8 text"

// isNothing tells whether a document was begun and nothing written into it.
func isNothing(y *yaml.Node) bool {
	return len(y.Content) == 0 || y.Content[0].Kind == yaml.ScalarNode && y.Content[0].ShortTag() == "!!null"
}

func invalidUTF8(src []byte) int {
	for at := 0; at < len(src); {
		r, size := utf8.DecodeRune(src[at:])
		if r == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
	return -1
}

// reportSyntax says what the YAML library found, at the place where a person
// would look for it, and what is mostly meant by it.
func reportSyntax(f *file, problems *Problems, err error) {
	var found *yaml.LoadError
	if !errors.As(err, &found) {
		problems.add(f, 1, 1, 1, "not YAML: "+strings.TrimPrefix(err.Error(), "yaml: "))
		return
	}
	mark, message, hint := found.Mark, "not YAML: "+found.Message, ""
	context := found.ContextMark
	if found.Stage == yaml.ReaderStage && mark.Line == 0 { // it counts bytes, and no lines
		mark.Line, mark.Column = f.positionOf(mark.Index)
	}
	there, opened := f.at(mark.Line, mark.Column), f.at(context.Line, context.Column)
	switch {
	case strings.Contains(found.ContextMsg, "quoted scalar") && strings.Contains(found.Message, "end of stream"):
		mark, message, hint = context, "not YAML: this quote is never closed", "close it, or write it twice inside single quotes"
	case there == '\t' && strings.Contains(found.Message, "tab"), there == '\t' && strings.Contains(found.Message, "cannot start"):
		message, hint = "not YAML: a tab where the line is indented", "indent with spaces"
	case strings.Contains(found.Message, "cannot start any token"):
		message, hint = fmt.Sprintf("not YAML: a text cannot begin with %q", there), "put the text in quotes"
	case strings.Contains(found.ContextMsg, "an alias"):
		mark, message, hint = context, "not YAML: an alias without a name", "a text that begins with * needs quotes"
	case strings.Contains(found.Message, "unknown anchor"):
		hint = "a text that begins with * needs quotes"
	case strings.Contains(found.Message, "node content") && f.isOver(mark.Line, mark.Column):
		message = "not YAML: the file ends where a value was expected"
	case strings.Contains(found.Message, "expected ',' or"):
		switch {
		case strings.ContainsRune("“”„‘’", f.at(mark.Line, mark.Column-1)) && there == '{':
			hint = `typographic quotes are none to YAML: write "…"`
		case there == '{':
			hint = "inside brackets, a text with braces needs quotes"
		case f.isOver(mark.Line, mark.Column) && (opened == '{' || opened == '['):
			mark, message = context, fmt.Sprintf("not YAML: this %c is never closed", opened)
		default:
			hint = fmt.Sprintf("is a comma missing, or a quote? The bracket opens on line %d", context.Line)
		}
	case strings.Contains(found.Message, "mapping values are not allowed"):
		hint = "a text with \": \" in it needs quotes; for a key, compare the indentation with the lines above"
	case strings.Contains(found.Message, "could not find expected ':'"):
		mark, hint = context, "a key needs \": \" behind it, and a list's item a space behind its hyphen"
	case found.Message == "did not find expected key":
		hint = "is the indentation other than that of the keys above, or does something stand behind a closing quote or bracket?"
	case strings.Contains(found.Message, "control characters"):
		message, hint = fmt.Sprintf("not YAML: the control character %U", there), "remove it, or write it as an escape inside double quotes"
	}
	p := problems.add(f, mark.Line, mark.Column, 1, message)
	p.Hint = hint
	f.concealBySound(p.Line)
}

// soundsSecret finds what is written behind keys that sound like a credential's,
// for files that are not YAML enough to tell.
var soundsSecret = regexp.MustCompile(`(?i)[\w-]*(?:password|secret|token|credential|api_?key)[\w-]*["']?\s*:\s*(?:"([^"$\\{][^"]*)"?|'([^'${][^']*)'?|([^\s"'${&*,}\]][^\s,}\]]*))`)

func (f *file) concealBySound(line int) {
	text := f.line(line)
	for _, found := range soundsSecret.FindAllStringSubmatchIndex(text, -1) {
		for i := 2; i < len(found); i += 2 {
			if found[i] >= 0 {
				from := utf8.RuneCountInString(text[:found[i]])
				f.conceal(place{line, from + 1, utf8.RuneCountInString(text[found[i]:found[i+1]])})
			}
		}
	}
}

package draft

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"muster/adapters"
	"muster/config/document"
)

// yaml is a value on its way into a file. It is written as the definitions of
// the catalog are: small mappings in one line, comments behind them.
type yaml struct {
	scalar string // as it is written
	pairs  []pair
	items  []yaml
	form   form
	block  bool // never in one line
}

type form uint8

const (
	asScalar form = iota
	asMapping
	asList
)

type pair struct {
	key     string // as it is written
	value   yaml
	comment string   // behind the value
	above   []string // lines of comment above the key
}

func text(s string) yaml               { return yaml{scalar: scalarText(s)} }
func mapping(pairs ...pair) yaml       { return yaml{form: asMapping, pairs: pairs} }
func list(items ...yaml) yaml          { return yaml{form: asList, items: items} }
func at(key string, v yaml) pair       { return pair{key: scalarText(key), value: v} }
func (p pair) because(why string) pair { p.comment = why; return p }

// get is the value of a key, nil where there is none.
func (y *yaml) get(key string) *yaml {
	for i := range y.pairs {
		if y.pairs[i].key == key {
			return &y.pairs[i].value
		}
	}
	return nil
}

func (y *yaml) remove(key string) {
	y.pairs = slices.DeleteFunc(y.pairs, func(p pair) bool { return p.key == key })
}

// lineWidth is how long a line of values gets, and widest one with its comment;
// comments begin at a column of their own.
const (
	lineWidth     = 100
	widest        = 118
	commentColumn = 56
)

// flow writes a value in one line.
func (y yaml) flow() string {
	var parts []string
	switch y.form {
	case asMapping:
		for _, p := range y.pairs {
			parts = append(parts, p.key+": "+p.value.flow())
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case asList:
		for _, item := range y.items {
			parts = append(parts, item.flow())
		}
		return "[" + strings.Join(parts, ", ") + "]"
	default:
		return y.scalar
	}
}

// inLine tells whether a value may stand in one line at all.
func (y yaml) inLine() bool {
	if y.block && len(y.pairs)+len(y.items) > 0 {
		return false
	}
	for _, p := range y.pairs {
		if p.comment != "" || p.above != nil || !p.value.inLine() {
			return false
		}
	}
	return !slices.ContainsFunc(y.items, func(item yaml) bool { return !item.inLine() })
}

// write writes a mapping's keys, each on a line of its own.
func (y yaml) write(b *strings.Builder, indent int) {
	margin := strings.Repeat(" ", indent)
	for i, p := range y.pairs {
		if i > 0 || indent == 0 {
			b.WriteString(margin)
		}
		p.write(b, indent)
	}
}

func (p pair) write(b *strings.Builder, indent int) {
	margin := strings.Repeat(" ", indent)
	line := p.key + ": " + p.value.flow()
	oneLine := p.value.form == asScalar || p.value.inLine() && indent+width(line) <= lineWidth
	if !oneLine {
		line = p.key + ":"
	}
	behind := ""
	above := p.above
	if p.comment != "" {
		pad := max(2, commentColumn-indent-width(line))
		behind = strings.Repeat(" ", pad) + "# " + p.comment
		if indent+width(line)+width(behind) > widest {
			behind, above = "", append(slices.Clone(above), p.comment)
		}
	}
	for _, comment := range above {
		for _, wrapped := range wrap(comment, lineWidth-indent-2) {
			b.WriteString("# " + wrapped + "\n" + margin)
		}
	}
	b.WriteString(line + behind + "\n")
	if oneLine {
		return
	}
	if p.value.form == asList {
		p.value.writeItems(b, indent+2)
		return
	}
	b.WriteString(margin + "  ")
	p.value.write(b, indent+2)
}

// writeAt writes a pair that begins a line.
func (p pair) writeAt(b *strings.Builder, indent int) {
	b.WriteString(strings.Repeat(" ", indent))
	p.write(b, indent)
}

func (y yaml) writeItems(b *strings.Builder, indent int) {
	margin := strings.Repeat(" ", indent)
	for _, item := range y.items {
		b.WriteString(margin + "- ")
		line := item.flow()
		switch {
		case item.form == asScalar, item.inLine() && indent+2+width(line) <= lineWidth, len(item.pairs)+len(item.items) == 0:
			b.WriteString(line + "\n")
		case item.form == asMapping:
			item.write(b, indent+2)
		default:
			b.WriteString("\n")
			item.writeItems(b, indent+2)
		}
	}
}

func width(s string) int { return utf8.RuneCountInString(s) }

// wrap breaks a comment at its spaces.
func wrap(s string, limit int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		if line != "" && width(line)+1+width(word) > limit {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}

// scalarText writes a text so that YAML reads it as that text.
func scalarText(s string) string {
	switch {
	case s == ".", plainText.MatchString(s) && !reservedWord.MatchString(s), adapters.Fits("uuid", s), plainRequest.MatchString(s):
		return s
	case !strings.ContainsFunc(s, unwritable) && !strings.Contains(s, "'") && strings.Contains(s, `"`):
		return "'" + s + "'"
	default:
		return document.Quote(s)
	}
}

var (
	plainText    = regexp.MustCompile(`^\^?([A-Za-z_]|\.[A-Za-z_])[A-Za-z0-9_./@-]*( [A-Za-z0-9_./@(-][A-Za-z0-9_./@)-]*)*$`)
	plainRequest = regexp.MustCompile(`^(GET|POST) https://[A-Za-z0-9._:/?&=%~+-]+$`)
	reservedWord = regexp.MustCompile(`(?i)^(true|false|null|yes|no|on|off|y|n|\.inf|\.nan|\.+)$`)
)

// unwritable are the characters that YAML does not allow as such, and those that
// nobody sees.
func unwritable(r rune) bool {
	return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r == '\ufeff' || r == '\ufffe' || r == '\uffff' ||
		unicode.Is(unicode.Cf, r) || r > 0xffff && r&0xfffe == 0xfffe
}

// treeYAML is a tree of what is expected, with the keys of its objects in the
// order given, then in that of the alphabet.
func treeYAML(v any, order map[string]int) yaml {
	switch v := v.(type) {
	case map[string]any:
		m := mapping()
		for _, name := range namesOf(v, order) {
			m.pairs = append(m.pairs, at(name, treeYAML(v[name], order)))
		}
		return m
	case []any:
		l := list()
		for _, item := range v {
			l.items = append(l.items, treeYAML(item, order))
		}
		return l
	case string:
		return text(v)
	default:
		return yaml{scalar: scalarJSON(v)}
	}
}

// bodyText writes a reply's body: JSON, which is YAML but for its escapes.
type bodyText struct {
	order map[string]int      // of the names of its objects
	quote func(string) string // document.Quote for YAML, quotedJSON for a file of its own
}

// text is the body over several lines, the first without its indentation.
func (t bodyText) text(v any, indent int) string {
	var b strings.Builder
	t.write(&b, v, indent)
	return b.String()
}

// flow is the body in one line.
func (t bodyText) flow(v any) string {
	var parts []string
	switch v := v.(type) {
	case map[string]any:
		for _, name := range namesOf(v, t.order) {
			parts = append(parts, t.quote(name)+": "+t.flow(v[name]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		for _, item := range v {
			parts = append(parts, t.flow(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case string:
		return t.quote(v)
	default:
		return scalarJSON(v)
	}
}

func (t bodyText) write(b *strings.Builder, v any, indent int) {
	line := t.flow(v)
	object, isObject := v.(map[string]any)
	items, isList := v.([]any)
	if indent+width(line) < lineWidth && (indent > shortBody || !isObject) || !isObject && !isList || len(object)+len(items) == 0 {
		b.WriteString(line)
		return
	}
	margin := "\n" + strings.Repeat(" ", indent+2)
	open, shut := "[", "]"
	if isObject {
		open, shut = "{", "}"
	}
	b.WriteString(open)
	for i, name := range namesOf(object, t.order) {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(margin + t.quote(name) + ": ")
		t.write(b, object[name], indent+2)
	}
	for i, item := range items {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(margin)
		t.write(b, item, indent+2)
	}
	b.WriteString(margin[:len(margin)-2] + shut)
}

// shortBody is the indentation of a body's outermost object, whose members have
// a line each unless all of it is short (see Definition).
const shortBody = 8

// scalarJSON writes a number, true, false or null.
func scalarJSON(v any) string {
	written, err := json.Marshal(v)
	if err != nil {
		panic("what was read as JSON is written as JSON: " + err.Error())
	}
	return string(written)
}

// pathText writes a path (normalize.Path) that steps through these names.
func pathText(names ...string) string {
	if len(names) == 0 {
		return "."
	}
	var b strings.Builder
	for i, name := range names {
		switch {
		case name == everyName && i > 0:
			b.WriteString(".*")
		case name == everyName:
			b.WriteString("*")
		case name == "" || name == "*" || name == "$" || strings.HasPrefix(name, "/") || strings.ContainsFunc(name, func(r rune) bool {
			return strings.ContainsRune(`.[]^"`, r) || unicode.IsSpace(r) || unwritable(r) || r == utf8.RuneError
		}):
			b.WriteString("[" + quotedJSON(name) + "]")
		case i > 0:
			b.WriteString("." + name)
		default:
			b.WriteString(name)
		}
	}
	return b.String()
}

// quotedJSON is a JSON string of characters that everybody sees.
func quotedJSON(name string) string {
	var b strings.Builder
	for _, r := range name {
		if a, z := utf16.EncodeRune(r); a != unicode.ReplacementChar && !unicode.IsPrint(r) {
			fmt.Fprintf(&b, `\u%04x\u%04x`, a, z)
		} else {
			inner := document.Quote(string(r))
			b.WriteString(inner[1 : len(inner)-1])
		}
	}
	return `"` + b.String() + `"`
}

// conditionKey is a path as a key of CONDITIONS, where http and cel mean
// something else.
func conditionKey(path string) string {
	if path == "http" || path == "cel" {
		return `["` + path + `"]`
	}
	return path
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

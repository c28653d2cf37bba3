package document

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"
)

// Edits change a file's text where its nodes stand, and nothing beside it:
// comments, layout, order and quotes stay as they are. The zero value is ready
// to use; all nodes must be of one file.
type Edits struct {
	file  *file
	list  []edit
	wrong bool // a place could not be found
}

// edit replaces the bytes from one offset to another.
type edit struct {
	from, to int
	text     string
}

var (
	errNoPlace = errors.New("the value cannot be replaced where it stands")
	errOverlap = errors.New("two changes meet in one place")
)

// Replace writes a value in place of another: as little of it as differs, in lines
// where the old one stands in lines, else in flow style. Through an alias it writes the value
// out where the alias stands; what it is an alias of stays as it is.
func (e *Edits) Replace(old, want *Node) {
	switch {
	case Same(old, want):
	case old.alias != nil:
		e.put(old.file, *old.alias, place{old.alias.line, old.alias.behind(), 0}, flow(want))
	case old.Kind() == Mapping && want.Kind() == Mapping && len(old.fields) > 0 && e.mapping(old, want):
	case old.Kind() == List && want.Kind() == List && len(old.items) > 0 && e.items(old, want):
	default:
		e.whole(old, want)
	}
}

// Set writes a value under a key of a mapping that may have the key or not.
func (e *Edits) Set(mapping *Node, key string, want *Node) {
	last := len(mapping.fields) - 1
	switch old := mapping.Field(key); {
	case old.Kind() != Null, old != nil && (old.alias != nil || want.Kind() == Null):
		e.Replace(old, want)
	case old != nil: // a key without a value, or null
		after := old.key.after()
		at, ok := old.file.colonBehind(after)
		if !ok {
			e.wrong = true
			return
		}
		to := at
		if old.text != "" {
			to = old.end()
		}
		text := key + ": " + flow(want)
		if !mapping.isFlow() {
			text = blockField(key, want, mapping.column-1, old.file.newline())
		}
		e.put(old.file, at, to, strings.TrimPrefix(text, key+":"))
	case last < 0 || mapping.alias != nil:
		e.wrong = true
	case mapping.isFlow():
		e.put(mapping.file, mapping.lastEnd(), mapping.lastEnd(), ", "+key+": "+flow(want))
	default:
		e.insertBehind(mapping.file, mapping.lastEnd().line, mapping.column-1, func(newline string) string {
			return blockField(key, want, mapping.column-1, newline)
		})
	}
}

// Apply is the file's text with all changes made.
func (e *Edits) Apply() ([]byte, error) {
	if e.wrong {
		return nil, errNoPlace
	}
	if e.file == nil {
		return nil, nil
	}
	slices.SortStableFunc(e.list, func(a, b edit) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	var b strings.Builder
	at := 0
	for _, edit := range e.list {
		if edit.from < at {
			return nil, errOverlap
		}
		b.WriteString(e.file.text[at:edit.from])
		b.WriteString(edit.text)
		at = edit.to
	}
	b.WriteString(e.file.text[at:])
	return []byte(b.String()), nil
}

// Len is the number of changes.
func (e *Edits) Len() int { return len(e.list) }

// Same tells whether two nodes say the same, whatever the order of their keys and
// however it is written.
func Same(a, b *Node) bool {
	if a.Kind() != b.Kind() || len(a.fields) != len(b.fields) || len(a.items) != len(b.items) {
		return false
	}
	if a.Kind() == Scalar {
		x, err := a.JSON()
		y, other := b.JSON()
		if err != nil || other != nil { // such as .inf
			return a.text == b.text && a.IsText() == b.IsText()
		}
		return string(x) == string(y)
	}
	for i := range a.items {
		if !Same(a.items[i], b.items[i]) {
			return false
		}
	}
	for _, f := range a.fields {
		if other := b.Field(f.Key.text); other == nil || !Same(f.Value, other) {
			return false
		}
	}
	return true
}

// mapping changes what differs between two mappings, and reports false where that
// cannot be done key by key.
func (e *Edits) mapping(old, want *Node) bool {
	var gone, stay []Field
	for _, f := range old.fields {
		if want.Field(f.Key.text) == nil {
			gone = append(gone, f)
		} else {
			stay = append(stay, f)
		}
	}
	if len(gone) > 0 && (len(stay) == 0 || old.isFlow() || !old.standsInLines()) {
		return false
	}
	for _, f := range stay {
		e.Set(old, f.Key.text, want.Field(f.Key.text))
	}
	for _, f := range gone {
		e.removeLines(old.file, f.Key.line, f.end().line)
	}
	var added []Field
	for _, f := range want.fields {
		if old.Field(f.Key.text) == nil {
			added = append(added, f)
		}
	}
	if old.isFlow() {
		for _, f := range added {
			e.put(old.file, old.lastEnd(), old.lastEnd(), ", "+scalar(f.Key)+": "+flow(f.Value))
		}
		return true
	}
	for _, f := range added {
		e.insertBehind(old.file, stay[len(stay)-1].end().line, old.column-1, func(newline string) string {
			return blockField(scalar(f.Key), f.Value, old.column-1, newline)
		})
	}
	return true
}

// items changes what differs between two lists. Of a list in lines, what both
// begin and end with stays; any other list whose length changes is replaced.
func (e *Edits) items(old, want *Node) bool {
	have, wanted := old.items, want.items
	if len(have) != len(wanted) && (old.isFlow() || len(wanted) == 0 || !old.standsInLines()) {
		return false
	}
	for len(have) != len(wanted) && len(have) > 0 && len(wanted) > 0 && Same(have[0], wanted[0]) {
		have, wanted = have[1:], wanted[1:]
	}
	for len(have) != len(wanted) && len(have) > 0 && len(wanted) > 0 && Same(have[len(have)-1], wanted[len(wanted)-1]) {
		have, wanted = have[:len(have)-1], wanted[:len(wanted)-1]
	}
	both := min(len(have), len(wanted))
	for i := range both {
		e.Replace(have[i], wanted[i])
	}
	for _, item := range have[both:] {
		e.removeLines(old.file, item.start().line, item.end().line)
	}
	if len(wanted) > both {
		e.insertItems(old, slices.Index(want.items, wanted[both]), wanted[both:])
	}
	return true
}

// insertItems adds items to a block list, from an index on.
func (e *Edits) insertItems(old *Node, at int, added []*Node) {
	line := old.line - 1 // before the first
	if at > 0 {
		line = old.items[at-1].end().line
	}
	for _, item := range added {
		e.insertBehind(old.file, line, old.column-1, func(newline string) string {
			return "- " + blockItem(item, old.column+1, newline)
		})
	}
}

// whole replaces all of a value.
func (e *Edits) whole(old, want *Node) {
	if old.Kind() == Null && old.text == "" {
		e.wrong = true
		return
	}
	text := flow(want)
	inLines := (old.Kind() == Mapping || old.Kind() == List && want.Kind() == List) && !isEmpty(old) && !old.isFlow()
	if inLines && !isEmpty(want) {
		text = block(want, old.column-1, old.file.newline())
	}
	if old.Kind() == Scalar && !old.quoted && !old.block && want.IsText() && unquoted.MatchString(want.text) && readsAs(want.text) {
		text = want.text // such as an address, which elsewhere would have quotes
	}
	e.put(old.file, place{old.line, old.column, 0}, old.end(), text)
}

func (e *Edits) put(f *file, from, to place, text string) {
	if e.file == nil {
		e.file = f
	}
	start, end := f.offsetOf(from), f.offsetOf(to)
	if e.file != f || start < 0 || end < start {
		e.wrong = true
		return
	}
	e.list = append(e.list, edit{start, end, text})
}

// insertBehind puts lines behind one, the last of what has gone before.
func (e *Edits) insertBehind(f *file, line, indent int, text func(newline string) string) {
	newline := f.newline()
	if line == 0 { // nothing has gone before
		e.put(f, place{1, 1, 0}, place{1, 1, 0}, strings.Repeat(" ", indent)+text(newline)+newline)
		return
	}
	e.put(f, f.lineEnd(line), f.lineEnd(line), newline+strings.Repeat(" ", indent)+text(newline))
}

// newline is how the file ends its lines.
func (f *file) newline() string {
	if strings.Contains(f.text, "\r\n") {
		return "\r\n"
	}
	return "\n"
}

// removeLines takes whole lines out, with the line end before them: something may
// be put behind them.
func (e *Edits) removeLines(f *file, from, to int) {
	start, end := f.lineEnd(from-1), f.lineEnd(to)
	if from == 1 {
		start = place{1, 1, 0}
		if to < len(f.lines) {
			end = place{to + 1, 1, 0}
		}
	}
	e.put(f, start, end, "")
}

// lineEnd is the position behind the last character of a line.
func (f *file) lineEnd(line int) place {
	return place{line, 1 + utf8.RuneCountInString(f.line(line)), 0}
}

// isFlow tells that a list or a mapping is written in brackets.
func (n *Node) isFlow() bool {
	opening := n.file.at(n.line, n.column)
	return (n.kind == List || n.kind == Mapping) && (opening == '[' || opening == '{')
}

// start is where a value begins, which of an alias is the alias.
func (n *Node) start() place {
	if n.alias != nil {
		return *n.alias
	}
	return place{n.line, n.column, 0}
}

// end is the position behind a value.
func (n *Node) end() place {
	switch {
	case n.alias != nil:
		return place{n.alias.line, n.alias.behind(), 0}
	case n.kind == Null:
		return place{n.line, n.column + utf8.RuneCountInString(n.text), 0}
	case n.kind == Scalar:
		return n.after()
	case n.isFlow():
		return n.file.closing(n.line, n.column)
	case n.kind == List && len(n.items) > 0:
		return n.items[len(n.items)-1].end()
	case n.kind == Mapping && len(n.fields) > 0:
		return n.fields[len(n.fields)-1].end()
	default:
		return place{}
	}
}

// end is the position behind a field.
func (f Field) end() place {
	if f.Value.Kind() == Null && f.Value.text == "" && f.Value.alias == nil {
		at, _ := f.Key.file.colonBehind(f.Key.after())
		return at
	}
	return f.Value.end()
}

// lastEnd is the position behind the last field of a mapping.
func (n *Node) lastEnd() place { return n.fields[len(n.fields)-1].end() }

// after is the position behind a scalar.
func (n *Node) after() place {
	spelled, ok := n.spell()
	if !ok {
		return place{}
	}
	last := spelled[len(spelled)-1]
	if n.quoted {
		last.column++
	}
	if n.block && len(n.text) == 0 {
		last = n.file.restOf(n.line, n.column)
		last.column = last.behind()
	}
	return place{last.line, last.column, 0}
}

// standsInLines tells that every field or item of a block begins a line of its own
// and shares none, so that lines can be taken out.
func (n *Node) standsInLines() bool {
	before := 0
	each := func(start, end place) bool {
		text := []rune(n.file.line(start.line))
		lead := strings.TrimLeft(string(text[:min(start.column-1, len(text))]), " ")
		ok := start.line > before && (lead == "" || n.kind == List && strings.TrimRight(lead, " ") == "-")
		before = end.line
		return ok && end.line > 0
	}
	for _, f := range n.fields {
		if !each(f.Key.start(), f.end()) {
			return false
		}
	}
	for _, item := range n.items {
		if !each(item.start(), item.end()) {
			return false
		}
	}
	return true
}

// colonBehind is the position behind the colon that follows a key.
func (f *file) colonBehind(after place) (place, bool) {
	c := f.cursor(after.line, after.column)
	c.skipBlank()
	return place{c.line, c.column + 1, 0}, after.line > 0 && c.peek() == ':'
}

// closing is the position behind the bracket that closes the one at a position.
func (f *file) closing(line, column int) place {
	c := f.cursor(line, column)
	depth, value := 0, true // value: a quote here opens a text
	for !c.fileEnds() {
		r := c.peek()
		switch {
		case c.lineEnds(), r == '#' && (c.column == 1 || isBlank(c.text[c.column-2])):
			c.nextLine()
			continue
		case value && (r == '"' || r == '\''):
			c.skipQuoted(r)
			value = false
			continue
		case value && (r == '&' || r == '!'): // a quote may come behind it
			for !c.lineEnds() && !isBlank(c.peek()) {
				c.column++
			}
			continue
		case r == '{' || r == '[':
			depth++
			value = true
		case r == '}' || r == ']':
			if depth--; depth == 0 {
				return place{c.line, c.column + 1, 0}
			}
			value = false
		case r == ',', r == ':' && c.endsKey():
			value = true
		case !isBlank(r):
			value = false
		}
		c.column++
	}
	return place{}
}

// endsKey tells whether the colon at hand is not one within a text.
func (c *cursor) endsKey() bool {
	if c.column == len(c.text) || strings.ContainsRune(" \t,[]{}", c.text[c.column]) {
		return true
	}
	return c.column > 1 && (c.text[c.column-2] == '"' || c.text[c.column-2] == '\'') // as JSON has it
}

// skipQuoted steps behind the quote that closes the one at hand.
func (c *cursor) skipQuoted(quote rune) {
	for c.column++; !c.fileEnds(); c.column++ {
		switch {
		case c.lineEnds():
			c.nextLine()
			c.column-- // the loop steps onto the first character
		case quote == '"' && c.peek() == '\\':
			c.column++
		case c.peek() == quote && quote == '\'' && c.column < len(c.text) && c.text[c.column] == quote:
			c.column++
		case c.peek() == quote:
			c.column++
			return
		}
	}
}

// offsetOf is the byte at a position, -1 where there is none.
func (f *file) offsetOf(p place) int {
	if p.line < 1 || p.line > len(f.lines) || p.column < 1 {
		return -1
	}
	text, offset := f.text, 0
	if strings.HasPrefix(text, byteOrderMark) {
		offset = len(byteOrderMark)
	}
	for i := range p.line - 1 {
		offset += len(f.lines[i])
		if strings.HasPrefix(text[offset:], "\r\n") {
			offset++
		}
		_, size := utf8.DecodeRuneInString(text[offset:])
		offset += size
	}
	for range p.column - 1 {
		_, size := utf8.DecodeRuneInString(text[offset:])
		if size == 0 {
			return -1
		}
		offset += size
	}
	return offset
}

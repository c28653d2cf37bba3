package document

import (
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// place is where some characters of a line stand: line and column from 1, the
// column and the width in characters.
type place struct{ line, column, width int }

// behind is the column after the place.
func (p place) behind() int { return p.column + p.width }

// file is a file's text by lines, as YAML counts them.
type file struct {
	name      string
	text      string
	lines     []string
	long      map[int][]rune // the characters of long lines: a file in one line has all of its nodes there
	concealed []place        // what no message shows

	form *Form // what it is written as; nil where nobody has said
	root *Node // of what was read as that
	lost int   // keys in a wrong place so far
}

// A line of more than longLine characters is told in part, ahead of them from
// before the column on: a file in one line may have as many mistakes as words.
const (
	longLine = 400
	ahead    = 120
)

const byteOrderMark = "\ufeff"

func newFile(name string, src []byte) *file {
	text := string(src)
	f := &file{name: name, text: text, lines: splitLines(text), long: map[int][]rune{}}
	for i, line := range f.lines {
		if len(line) > longLine {
			f.long[i+1] = []rune(line)
		}
	}
	return f
}

// splitLines splits at whatever YAML takes for the end of a line, which is more
// than a line feed. The byte order mark is in no line.
func splitLines(text string) []string {
	var lines []string
	for text = strings.TrimPrefix(text, byteOrderMark); ; {
		at := strings.IndexAny(text, "\r\n\u0085\u2028\u2029")
		if at < 0 {
			return append(lines, text)
		}
		lines = append(lines, text[:at])
		if strings.HasPrefix(text[at:], "\r\n") {
			at++
		}
		_, size := utf8.DecodeRuneInString(text[at:])
		text = text[at+size:]
	}
}

func (f *file) line(n int) string {
	if n < 1 || n > len(f.lines) {
		return ""
	}
	return f.lines[n-1]
}

// characters are those of a line; whoever changes them changes a clone.
func (f *file) characters(n int) []rune {
	if long, ok := f.long[n]; ok {
		return long
	}
	return []rune(f.line(n))
}

// at is the character at a position, 0 where there is none.
func (f *file) at(line, column int) rune {
	c := f.cursor(line, column)
	return c.peek()
}

// positionOf is the position of a byte of the file.
func (f *file) positionOf(offset int) (line, column int) {
	before := splitLines(f.text[:min(max(offset, 0), len(f.text))])
	return len(before), 1 + utf8.RuneCountInString(before[len(before)-1])
}

// within is the position that the file has nearest to one that it may not have:
// what has read the last line stands behind it.
func (f *file) within(line, column int) (int, int) {
	if line > len(f.lines) {
		line, column = len(f.lines), math.MaxInt
	}
	line = max(line, 1)
	return line, min(max(column, 1), 1+len(f.characters(line)))
}

// isOver tells whether nothing is written from a position on.
func (f *file) isOver(line, column int) bool {
	c := f.cursor(line, column)
	c.skipVoid()
	return c.fileEnds()
}

// restOf is the place from a position to the end of what its line says.
func (f *file) restOf(line, column int) place {
	text := strings.TrimRight(f.line(line), " \t")
	return place{line, column, max(1, utf8.RuneCountInString(text)-column+1)}
}

// conceal keeps a place out of every message.
func (f *file) conceal(p place) { f.concealed = append(f.concealed, p) }

// shown is a line as messages show it: asterisks stand for what is concealed,
// and a mark for what a terminal would obey. Of a long line it is what stands
// around a column; skipped is how many characters stand before that.
func (f *file) shown(n, column int) (text string, skipped int) {
	all := f.characters(n)
	from, to := 0, len(all)
	if to > longLine {
		from = max(0, min(column-1-ahead, to-longLine))
		to = from + longLine
	}
	part := slices.Clone(all[from:to])
	for i, r := range part {
		if unicode.IsControl(r) && r != '\t' {
			part[i] = utf8.RuneError
		}
	}
	for _, p := range f.concealed {
		if p.line == n {
			for i := max(p.column-1, from); i < min(p.behind()-1, to); i++ {
				part[i-from] = '*'
			}
		}
	}
	text, skipped = string(part), from
	if from > 0 {
		text, skipped = "…"+text, skipped-1
	}
	if to < len(all) {
		text += "…"
	}
	return text, skipped
}

// A cursor steps through a file character by character.
type cursor struct {
	file   *file
	line   int
	column int
	text   []rune // the line
}

func (f *file) cursor(line, column int) cursor {
	return cursor{file: f, line: line, column: max(1, column), text: f.characters(line)}
}

// peek is the character at hand, 0 at the end of a line.
func (c *cursor) peek() rune {
	if c.column > len(c.text) {
		return 0
	}
	return c.text[c.column-1]
}

// follows tells whether an ASCII text stands at the cursor, in this line.
func (c *cursor) follows(text string) bool {
	for i := range len(text) {
		if at := c.column - 1 + i; at >= len(c.text) || c.text[at] != rune(text[i]) {
			return false
		}
	}
	return true
}

func (c *cursor) lineEnds() bool { return c.column > len(c.text) }
func (c *cursor) fileEnds() bool { return c.line > len(c.file.lines) }

func (c *cursor) nextLine() { *c = c.file.cursor(c.line+1, 1) }

func (c *cursor) skipBlank() {
	for isBlank(c.peek()) {
		c.column++
	}
}

// skipVoid steps over white space, line ends and comments.
func (c *cursor) skipVoid() {
	for {
		c.skipBlank()
		if !c.lineEnds() && c.peek() != '#' || c.fileEnds() {
			return
		}
		c.nextLine()
	}
}

func isBlank(r rune) bool { return r == ' ' || r == '\t' }

// isWhite tells what the folding of lines may have changed.
func isWhite(r rune) bool { return isBlank(r) || strings.ContainsRune("\r\n\u0085\u2028\u2029", r) }

// behindProperties steps over the anchor and the tag that a value may begin with.
func (f *file) behindProperties(line, column int) (int, int) {
	c := f.cursor(line, column)
	for c.peek() == '&' || c.peek() == '!' {
		verbatim := c.follows("!<")
		for !c.lineEnds() && !isBlank(c.peek()) && (verbatim || !strings.ContainsRune(",[]{}", c.peek())) {
			c.column++
		}
		c.skipVoid()
	}
	return c.line, c.column
}

// whole is the place of all that the node writes on its first line; of a list or
// a mapping it is the first character.
func (n *Node) whole() place {
	if n.kind != Scalar || n.block {
		return place{n.line, n.column, 1}
	}
	spelled, ok := n.spell()
	if !ok {
		rest := n.file.restOf(n.line, n.column)
		rest.width = min(rest.width, max(1, utf8.RuneCountInString(n.text)))
		return rest
	}
	last := spelled[len(spelled)-1] // behind the text, or the closing quote
	if last.line != n.line {
		return n.file.restOf(n.line, n.column)
	}
	if n.quoted {
		last.column++
	}
	return place{n.line, n.column, max(1, last.column-n.column)}
}

// locate finds the bytes of a scalar's text from start to end where the file
// spells them; of a span of several lines, the part on the first.
func (n *Node) locate(start, end int) (place, bool) {
	if n.kind != Scalar {
		return place{}, false
	}
	spelled, ok := n.spell()
	if !ok {
		return place{}, false
	}
	start, end = min(start, len(n.text)), min(end, len(n.text))
	from, to := utf8.RuneCountInString(n.text[:start]), utf8.RuneCountInString(n.text[:end])
	at := spelled[from]
	if to > from {
		if last := spelled[to-1]; last.line == at.line {
			at.width = last.behind() - at.column
		} else {
			at = n.file.restOf(at.line, at.column)
		}
	}
	return at, true
}

// letter is one character of a scalar as the file spells it.
type letter struct {
	place
	r       rune
	escaped bool // r is not what it stands for
	folds   bool // the end of a line, which folding may have changed
}

// spell says where the file spells each character of the node's text, and, as
// one more, where the text ends: quotes, escapes and folded lines make that
// other than counting. It reports false where the two cannot be brought
// together.
func (n *Node) spell() ([]place, bool) {
	text := []rune(n.text)
	spelled := make([]place, 0, len(text)+1)
	next, closing := n.letters()
	var white []letter // read and not yet matched
	match := func() bool {
		if !slices.ContainsFunc(white, func(l letter) bool { return l.folds }) {
			for _, l := range white {
				if len(spelled) == len(text) || text[len(spelled)] != l.r {
					return false
				}
				spelled = append(spelled, l.place)
			}
		} else { // white space around a line's end becomes one blank, or several line ends, or none
			for len(spelled) < len(text) && isWhite(text[len(spelled)]) {
				spelled = append(spelled, white[0].place)
			}
		}
		white = white[:0]
		return true
	}
	for len(spelled) < len(text) {
		l, ok := next()
		if ok && !l.escaped && (l.folds || isBlank(l.r)) {
			white = append(white, l)
			continue
		}
		if !match() {
			return nil, false
		}
		if len(spelled) == len(text) {
			break
		}
		if !ok || !l.escaped && l.r != text[len(spelled)] {
			return nil, false
		}
		spelled = append(spelled, l.place)
	}
	return append(spelled, closing(spelled)), true
}

// letters reads a scalar where the file spells it, up to its closing quote;
// without quotes, on and on. The second function says where a text ends whose
// characters were found.
func (n *Node) letters() (next func() (letter, bool), closing func([]place) place) {
	c := n.file.cursor(n.line, n.column)
	quote := rune(0)
	switch {
	case n.quoted:
		quote = c.peek()
		c.column++
	case n.block:
		c.column = len(c.text) + 1 // the header says nothing of the text
	}
	next = func() (letter, bool) {
		for {
			l := letter{place: place{c.line, c.column, 1}, r: c.peek()}
			switch {
			case c.fileEnds():
				return l, false
			case c.lineEnds():
				l.folds, l.width = true, 0
				c.nextLine()
				return l, true
			case quote == '\'' && c.follows("''"):
				l.width, l.escaped = 2, true
			case quote != 0 && l.r == quote:
				return l, false
			case quote == '"' && l.r == '\\' && c.column == len(c.text):
				c.nextLine() // an escaped line end, and the blanks behind it, are nothing
				c.skipBlank()
				continue
			case quote == '"' && l.r == '\\':
				l.width, l.escaped = escapeWidth(c.text[c.column]), true
			}
			c.column += l.width
			return l, true
		}
	}
	closing = func(spelled []place) place {
		for quote != 0 {
			if l, ok := next(); !ok {
				return l.place
			}
		}
		if len(spelled) == 0 {
			return place{n.line, n.column, 1}
		}
		last := spelled[len(spelled)-1]
		return place{last.line, last.behind(), 1}
	}
	return next, closing
}

// escapeWidth is how many characters an escape takes, by the one behind its backslash.
func escapeWidth(r rune) int {
	switch r {
	case 'x':
		return len(`\x00`)
	case 'u':
		return len(`\u0000`)
	case 'U':
		return len(`\U00000000`)
	default:
		return len(`\n`)
	}
}

// Conceal keeps the node's text out of every message: where its lines are shown,
// asterisks stand in its place. It is for credentials that a file writes out.
func (n *Node) Conceal() {
	if n.Kind() != Scalar {
		return
	}
	spelled, ok := n.spell()
	if !ok {
		n.file.conceal(n.file.restOf(n.line, n.column))
		return
	}
	for _, p := range spelled[:len(spelled)-1] {
		n.file.conceal(p)
	}
}

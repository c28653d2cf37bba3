package document

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	eastasian "golang.org/x/text/width"
)

// A Problem is one mistake in a file: where it stands, what it is, and what
// would do instead.
type Problem struct {
	Warning bool   // legal, and unwise: no mistake
	Rule    string // the name of the kind of problem, under which the documentation tells of it; "" for most mistakes

	File   string // name as it was given to Read
	Line   int    // from 1
	Column int    // from 1, in characters
	Width  int    // characters that the caret underlines, at least 1
	Source string // the text of that line; of a long one, what stands around the column

	Skipped int // characters of the line that stand before Source; 0 for all but a long line

	Message string
	Details []string // what is to be said in lines of their own, in place of the line of the file
	Hint    string   // what would do; may be empty

	file *file
}

// Suggest sets the hint and returns the problem, so that a report reads as one sentence.
func (p *Problem) Suggest(format string, args ...any) *Problem {
	p.Hint = fmt.Sprintf(format, args...)
	return p
}

// String renders the problem as compilers do: position, message, line, caret, hint.
func (p *Problem) String() string {
	var b strings.Builder
	if p.Warning {
		fmt.Fprintf(&b, "%s:%d:%d: warning: %s (%s)\n", p.File, p.Line, p.Column, p.Message, p.Rule)
	} else {
		fmt.Fprintf(&b, "%s:%d:%d: error: %s\n", p.File, p.Line, p.Column, p.Message)
	}
	for _, line := range p.Details {
		fmt.Fprintf(&b, "    %s\n", line)
	}
	if p.Source != "" && p.Details == nil {
		fmt.Fprintf(&b, "    %s\n    %s\n", p.Source, underline(p.Source, p.Column-p.Skipped, p.Width))
	}
	if p.Hint != "" {
		fmt.Fprintf(&b, "  hint: %s\n", p.Hint)
	}
	return b.String()
}

// underline puts carets under the characters of a line from a column on. Tabs
// stay tabs, so that it lines up whatever a terminal makes of them; what a
// terminal draws twice as wide, or on top of its neighbour, counts so.
func underline(line string, column, width int) string {
	var b strings.Builder
	carets := 0
	for _, r := range line {
		switch column--; {
		case column > 0 && r == '\t':
			b.WriteRune('\t')
		case column > 0:
			b.WriteString(strings.Repeat(" ", cells(r)))
		case column > -width:
			carets += cells(r)
		}
	}
	return b.String() + strings.Repeat("^", max(1, carets))
}

// cells is how many columns of a terminal a character takes.
func cells(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case slices.Contains([]eastasian.Kind{eastasian.EastAsianWide, eastasian.EastAsianFullwidth}, eastasian.LookupRune(r).Kind()):
		return 2
	default:
		return 1
	}
}

// Problems collects the mistakes of any number of files. The zero value is
// ready to use. It is not safe for concurrent use.
type Problems struct {
	list  []*Problem
	quiet map[string][]string // by file
}

// Quiet has nothing quoted of a file whose text is about people: no line of it is shown,
// and of what messages quote only these words are. The position of a mistake will do.
func (ps *Problems) Quiet(file string, words ...string) {
	if ps.quiet == nil {
		ps.quiet = map[string][]string{}
	}
	ps.quiet[file] = append(ps.quiet[file], words...)
}

// quotations are what a message may have of a file: between double quotes as %q writes
// it, between single ones as the YAML library does with what is more than a sign, a tag,
// or what should be a list.
var quotations = regexp.MustCompile(`(?s)"(?:[^"\\]|\\.)*"|'[^']{4,}'|![^!\s]\S*|\[.*\]`)

// quotesNothing is a message without what it quotes, but for some words.
func quotesNothing(message string, words []string) string {
	return quotations.ReplaceAllStringFunc(message, func(quoted string) string {
		if slices.Contains(words, quoted[1:len(quoted)-1]) {
			return quoted
		}
		return "…"
	})
}

// Len is the number of mistakes found so far.
func (ps *Problems) Len() int { return len(ps.list) }

// All returns the mistakes in the order of their files and positions, each
// position and message once.
func (ps *Problems) All() []*Problem {
	sorted := slices.Clone(ps.list)
	for _, p := range sorted { // only now is it known what a line conceals
		p.Source, p.Skipped = p.file.shown(p.Line, p.Column)
		if words, quiet := ps.quiet[p.File]; quiet {
			p.Source, p.Skipped = "", 0
			p.Message, p.Hint = quotesNothing(p.Message, words), quotesNothing(p.Hint, words)
		}
	}
	slices.SortStableFunc(sorted, func(a, b *Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	type mistake struct {
		file         string
		line, column int
		message      string
	}
	seen := map[mistake]bool{}
	return slices.DeleteFunc(sorted, func(p *Problem) bool {
		m := mistake{p.File, p.Line, p.Column, p.Message}
		again := seen[m]
		seen[m] = true
		return again
	})
}

// Err is nil when nothing was found, else an error whose text is every mistake.
func (ps *Problems) Err() error {
	if len(ps.list) == 0 {
		return nil
	}
	return &Error{Problems: ps.All()}
}

// Error is the error form of a set of mistakes.
type Error struct{ Problems []*Problem }

// Error lists every mistake, one block each.
func (e *Error) Error() string {
	var b strings.Builder
	for _, p := range e.Problems {
		b.WriteString(p.String())
	}
	return strings.TrimRight(b.String(), "\n")
}

// Errorf reports a mistake at a node that is found only after its file was read,
// and underlines the whole of it.
func (ps *Problems) Errorf(n *Node, format string, args ...any) *Problem {
	at := n.whole()
	return ps.add(n.file, at.line, at.column, at.width, fmt.Sprintf(format, args...))
}

// Warnf is Errorf for what is legal and unwise, by the rule that finds it so.
func (ps *Problems) Warnf(n *Node, rule, format string, args ...any) *Problem {
	p := ps.Errorf(n, format, args...)
	p.Warning, p.Rule = true, rule
	return p
}

// WarnfAt is Warnf at width bytes from offset of a scalar's text.
func (ps *Problems) WarnfAt(n *Node, offset, width int, rule, format string, args ...any) *Problem {
	at, ok := n.locate(offset, offset+width)
	if !ok {
		return ps.Warnf(n, rule, format, args...)
	}
	p := ps.add(n.file, at.line, at.column, at.width, fmt.Sprintf(format, args...))
	p.Warning, p.Rule = true, rule
	return p
}

func (ps *Problems) add(f *file, line, column, width int, message string) *Problem {
	line, column = f.within(line, column)
	p := &Problem{File: f.name, Line: line, Column: column, Width: max(1, width), Message: message, file: f}
	p.Source, p.Skipped = f.shown(line, column)
	ps.list = append(ps.list, p)
	return p
}

// Closest returns the candidate most like word, or "" when none is near enough
// to be what was meant.
func Closest(word string, candidates []string) string {
	best, distance := "", 1+max(1, utf8.RuneCountInString(word)/3)
	for _, c := range candidates {
		if d := edits(strings.ToLower(word), strings.ToLower(c)); d < distance {
			best, distance = c, d
		}
	}
	return best
}

// edits is the Levenshtein distance, with a swap of neighbours counted as one edit.
func edits(a, b string) int {
	s, t := []rune(a), []rune(b)
	rows := [3][]int{make([]int, len(t)+1), make([]int, len(t)+1), make([]int, len(t)+1)}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := 1; i <= len(s); i++ {
		before, last, now := rows[(i+2)%3], rows[i%3], rows[(i+1)%3]
		now[0] = i
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}
			now[j] = min(last[j]+1, now[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				now[j] = min(now[j], before[j-2]+1)
			}
		}
	}
	return rows[(len(s)+1)%3][len(t)]
}

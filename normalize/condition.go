package normalize

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"muster/config/document"
)

// A Condition is a closed question about a reply, compiled from CONDITIONS of
// the grammar: a map of which every entry must hold. Its keys are `http`, `cel`
// or a path; its values a literal, a list of literals (any will do), null
// (absent or null), or a text with * (in any case). The zero value always holds.
type Condition struct {
	tests []func(s *Scope, at *Cursor) bool
}

// Holds tells whether every entry holds of what is at the cursor.
func (c Condition) Holds(s *Scope, at *Cursor) bool {
	for _, test := range c.tests {
		if !test(s, at) {
			return false
		}
	}
	return true
}

// Empty tells that the condition asks nothing.
func (c Condition) Empty() bool { return len(c.tests) == 0 }

// Condition compiles CONDITIONS; mistakes are reported at their words.
func (c *Compiler) Condition(n *document.Node) Condition {
	var compiled Condition
	for _, f := range n.Fields() {
		switch key := f.Key.Text(); key {
		case "http":
			if test := compileStatuses(f.Value); test != nil {
				compiled.tests = append(compiled.tests, func(s *Scope, _ *Cursor) bool { return test(s.Status) })
			}
		case "cel":
			if program := c.cel(f.Value); program != nil {
				compiled.tests = append(compiled.tests, func(s *Scope, _ *Cursor) bool { return program.holds(s) })
			}
		default:
			path, ok := c.path(f.Key)
			literals := compileLiterals(f.Value)
			if ok && literals != nil {
				compiled.tests = append(compiled.tests, func(_ *Scope, at *Cursor) bool { return literals.match(path, at) })
			}
		}
	}
	return compiled
}

var (
	statusCode  = regexp.MustCompile(`^[1-5]\d\d$`)
	statusClass = regexp.MustCompile(`^[1-5]xx$`)
)

func compileStatuses(n *document.Node) func(int) bool {
	var codes, classes []int
	for _, item := range n.OneOrMore() {
		switch text := item.Text(); {
		case statusCode.MatchString(text):
			code, _ := strconv.Atoi(text)
			codes = append(codes, code)
		case statusClass.MatchString(text):
			classes = append(classes, int(text[0]-'0'))
		default:
			item.Errorf("not an HTTP status: %q", text).Suggest("write 404, [404, 410] or 5xx")
		}
	}
	return func(status int) bool {
		return slices.Contains(codes, status) || slices.Contains(classes, status/100)
	}
}

// literals are the values that a path may have for its entry to hold.
type literals struct {
	absent   bool
	exact    []any
	patterns []*regexp.Regexp
}

func compileLiterals(n *document.Node) *literals {
	var l literals
	for _, item := range n.OneOrMore() {
		switch item.Kind() {
		case document.Null:
			l.absent = true
		case document.Scalar:
			if item.IsText() && strings.Contains(item.Text(), "*") {
				l.patterns = append(l.patterns, wildcard(item.Text()))
				continue
			}
			if value, ok := literal(item); ok {
				l.exact = append(l.exact, value)
			}
		default:
			item.Errorf("expected a literal, found %v", item.Kind()).Suggest("write one value, a list of values, or null for absent")
		}
	}
	return &l
}

// wildcard compiles a text in which * stands for anything, in any case.
func wildcard(text string) *regexp.Regexp {
	parts := strings.Split(text, "*")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile(`(?is)^` + strings.Join(parts, ".*") + `$`)
}

// literal is a scalar as the JSON value that YAML takes it for.
func literal(n *document.Node) (any, bool) {
	text, err := n.JSON()
	if err != nil {
		n.Errorf("%q is not a value that JSON knows", n.Text())
		return nil, false
	}
	value, err := ParseJSON(text)
	if err != nil {
		n.Errorf("%q is not a value that JSON knows", n.Text())
		return nil, false
	}
	return value, true
}

func (l *literals) match(path Path, at *Cursor) bool {
	found := false
	for value := range path.Values(at) {
		found = true
		if slices.ContainsFunc(l.exact, func(want any) bool { return equalJSON(want, value) }) {
			return true
		}
		if text, ok := value.(string); ok && slices.ContainsFunc(l.patterns, func(p *regexp.Regexp) bool { return p.MatchString(text) }) {
			return true
		}
	}
	return !found && l.absent
}

// equalJSON compares two scalars as JSON does: 1 and 1.0 are one number, "1" is none.
func equalJSON(a, b any) bool {
	x, isNumber := a.(Number)
	y, alsoNumber := b.(Number)
	if !isNumber || !alsoNumber {
		return a == b && !isContainer(a)
	}
	if x == y {
		return true
	}
	_, errX := strconv.ParseInt(string(x), 10, 64)
	_, errY := strconv.ParseInt(string(y), 10, 64)
	if errX == nil && errY == nil {
		return false // two integers written differently (but for -0) are two
	}
	f, errF := strconv.ParseFloat(string(x), 64)
	g, errG := strconv.ParseFloat(string(y), 64)
	return errF == nil && errG == nil && f == g
}

func isContainer(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return true
	default:
		return false
	}
}

package normalize

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"muster/config/document"
)

// A Condition is a closed question about a reply, compiled from CONDITIONS of
// the grammar: a map of which every entry must hold. Its keys are `http`, `header`,
// `cel` or a path; its values a literal, a list of literals (any will do), null
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

// ConditionType is how conditions are written.
func (c *Compiler) ConditionType() document.Type[Condition] {
	status := document.OneOrMoreOf(document.AnyOf("an HTTP status or a class of them",
		document.Whole(100, 599).Form, document.Matching("a class of statuses", "^[1-5]xx$")))
	wanted := document.AnyOf("a literal, null for absent, or a text with *", document.AnyValue("a literal"), document.Empty())
	form := document.KeysOf(func() []document.Member {
		return []document.Member{
			{Name: "http", About: "the HTTP status: 404, [404, 410] or 5xx", Form: status},
			{Name: "header", About: "headers of the reply, their names in any case", Form: document.NamesOf(document.OneOrMoreOf(wanted)).Like(`{Link: '*rel="next"*'}`)},
			{Name: "cel", About: "a CEL expression that is true", Form: c.celType().Form},
		}
	}).And(document.OneOrMoreOf(wanted)).Called("conditions", "a mapping of which every entry must hold; beside its keys, paths and what must stand there: a literal, a list of which any will do, null for absent, or a text with * in any case").
		Like(`{status: active, email: "*@acme.example"}`)
	return document.Type[Condition]{Form: form, Read: func(into *Condition, n *document.Node) { *into = c.Condition(n) }}
}

// Condition compiles CONDITIONS; mistakes are reported at their words.
func (c *Compiler) Condition(n *document.Node) Condition {
	var compiled Condition
	for _, f := range n.Fields() {
		switch key := f.Key.Text(); key {
		case "http":
			test := compileStatuses(f.Value)
			compiled.tests = append(compiled.tests, func(s *Scope, _ *Cursor) bool { return test(s.Status) })
		case "header":
			compiled.tests = append(compiled.tests, compileHeaders(f.Value)...)
		case "cel":
			if program := c.cel(f.Value); program != nil {
				compiled.tests = append(compiled.tests, func(s *Scope, _ *Cursor) bool { return program.holds(s) })
			}
		default:
			literals := compileLiterals(f.Value)
			if path, ok := c.path(f.Key); ok {
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
		case item.Kind() != document.Scalar: // as Text has reported
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

// HeaderName tells whether a text can be the name of a header: a token (RFC 9110,
// 5.6.2).
func HeaderName(text string) bool { return headerName.MatchString(text) }

var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

// compileHeaders compiles names of headers with what each may say: their names in
// any case (RFC 9110, 5.1), and of a header that stands several times any will do.
func compileHeaders(n *document.Node) []func(*Scope, *Cursor) bool {
	var tests []func(*Scope, *Cursor) bool
	if n.Kind() == document.Mapping && len(n.Fields()) == 0 {
		n.Errorf("a header is missing here").Suggest("write {NAME: VALUE}")
	}
	for _, f := range n.Fields() {
		name, literals := f.Key.Text(), compileLiterals(f.Value)
		if !HeaderName(name) {
			f.Key.Errorf("not a header's name: %q", name).Suggest("letters, digits and hyphens")
		}
		tests = append(tests, func(s *Scope, _ *Cursor) bool {
			found := false
			for header, values := range s.Header {
				if !strings.EqualFold(header, name) {
					continue
				}
				for _, value := range values {
					found = found || value != ""
					if literals.matchText(value) {
						return true
					}
				}
			}
			return !found && literals.absent
		})
	}
	return tests
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
			value, ok := literal(item)
			switch {
			case ok && Absent(value): // "" says what null says
				l.absent = true
			case ok:
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
	if err == nil {
		var value any
		if value, err = ParseJSON(text); err == nil {
			return value, true
		}
	}
	n.Errorf("%q is not a value that JSON knows", n.Text())
	return nil, false
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

// matchText tells whether a text that has no type, as of a header, is one of the
// literals: 0 is what reads 0.
func (l *literals) matchText(value string) bool {
	return slices.ContainsFunc(l.patterns, func(p *regexp.Regexp) bool { return p.MatchString(value) }) ||
		slices.ContainsFunc(l.exact, func(want any) bool {
			text, ok := ScalarText(want)
			return ok && text == value
		})
}

// equalJSON compares a literal with a value as JSON does: 1 and 1.0 are one
// number, "1" is none.
func equalJSON(literal, value any) bool {
	x, isNumber := literal.(Number)
	y, alsoNumber := value.(Number)
	if isNumber && alsoNumber {
		return x == y || plainNumber(x) == plainNumber(y)
	}
	return literal == value // false, and no panic, where value is a list or an object
}

// plainNumber writes a number in the one way that all its forms share: its
// digits without zeros around them, and a power of ten. No float is as exact.
func plainNumber(n Number) string {
	parts := decimal.FindStringSubmatch(string(n))
	if parts == nil {
		return string(n)
	}
	digits := strings.TrimLeft(parts[2]+parts[3], "0")
	if digits == "" {
		return "0"
	}
	exponent := 0
	if parts[4] != "" {
		var err error
		if exponent, err = strconv.Atoi(parts[4]); err != nil || max(exponent, -exponent) > maxExponent {
			return string(n)
		}
	}
	significant := strings.TrimRight(digits, "0")
	exponent += len(digits) - len(significant) - len(parts[3])
	return parts[1] + significant + "e" + strconv.Itoa(exponent)
}

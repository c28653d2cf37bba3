package normalize

import (
	"fmt"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Path leads from a record to values within it.
//
//	a.b             the member b of the member a
//	a[0].b          of the first element of the list a
//	a.*             every value of the object a, whatever its names, or element of the list a
//	["odd.key"].c   a name with . [ ] ^ " or white space, or that is *, as a JSON string
//	.               the record itself
//	^.a             within an item: a of the object around it
//	^.^.a           of the object around the list around it
//
// A path steps through lists by itself: roles.permissions.name is the name of
// every permission of every role. Where there is nothing to step into, a path
// yields nothing; that is absence, not an error.
//
// What ^ stands for is decided by the reply: the objects that lie between the
// item and the next list further out, the element of that list (or the record)
// included. ^.a takes a from the innermost of them that has such a member, be it
// null; ^ alone is the innermost itself. So for the items of attributes.email the
// flag ^.emailVerified is found beside attributes as well as within it, and for
// the items of services.roles the text ^.name is the service's and never that of
// what the services are listed in.
//
// An object whose names are data (a record under its number, say) is gone through
// with * as if it were the list of its values, in the order of the names.
//
// A Path is immutable and safe for concurrent use. Its zero value is the path
// of the record itself.
type Path struct {
	text    string
	outward int // how many ^ it begins with
	steps   []step
}

// step is a member's name or, where index is not negative, a list's element, or
// every value of an object or a list.
type step struct {
	name  string
	index int
	every bool
}

// everyValue is what * stands for.
func everyValue() step { return step{index: -1, every: true} }

// String returns the text that the path was compiled from.
func (p Path) String() string { return p.text }

// Climbs tells whether the path begins with ^ and so says something only where
// something is around.
func (p Path) Climbs() bool { return p.outward > 0 }

// Join is the path that leads on from where this one ends. A path that climbs
// begins nowhere else: it is returned as it is.
func (p Path) Join(next Path) Path {
	if next.outward > 0 {
		return next
	}
	return Path{text: p.text + "." + next.text, outward: p.outward, steps: slices.Concat(p.steps, next.steps)}
}

// Cursor is a value and the way that led to it.
type Cursor struct {
	Value any

	parent  *Cursor // of the object around; nil around the record
	element bool    // of a list
}

// At returns the cursor of a record, around which there is nothing.
func At(record any) *Cursor { return &Cursor{Value: record} }

// Each yields a cursor for every value at the path. Lists on the way, and at the
// end, are gone through item by item; null is skipped. An Ambiguous member, at
// the end or on the way, is yielded as such.
func (p Path) Each(at *Cursor) iter.Seq[*Cursor] {
	return func(yield func(*Cursor) bool) {
		if from := p.origin(at); from != nil {
			from.each(p.steps, yield)
		}
	}
}

// Values yields the values that Each does, in the same order, less those that
// are absent: "", [] and {}. It allocates nothing, unless the path has a *.
func (p Path) Values(at *Cursor) iter.Seq[any] {
	return func(yield func(any) bool) {
		if from := p.origin(at); from != nil {
			reach(from.Value, p.steps, func(v any) bool { return present(v, yield) })
		}
	}
}

// Value returns the value at the path, a list left whole. Where lists on the way
// lead to several it is the first that is not null; ok is false where there is none.
func (p Path) Value(at *Cursor) (value any, ok bool) {
	if from := p.origin(at); from != nil {
		reach(from.Value, p.steps, func(v any) bool {
			value = v
			return v == nil
		})
	}
	return value, value != nil
}

// EmptyList tells whether a list on the path or at its end is there and has no
// items: for permissions.name that is one at permissions. It is how a source
// says none, where absence would say nothing.
func (p Path) EmptyList(at *Cursor) bool {
	from := p.origin(at)
	if from == nil {
		return false
	}
	for n := range len(p.steps) + 1 {
		empty := false
		reach(from.Value, p.steps[:n], func(v any) bool {
			list, isList := v.([]any)
			empty = isList && len(list) == 0
			return !empty
		})
		if empty {
			return true
		}
	}
	return false
}

// origin is where the steps of the path begin, nil where nothing is around.
func (p Path) origin(at *Cursor) *Cursor {
	if p.outward == 0 {
		return at
	}
	object := at.parent
	for range p.outward - 1 {
		for object != nil && !object.element {
			object = object.parent
		}
		if object == nil {
			return nil
		}
		object = object.parent
	}
	if len(p.steps) == 0 {
		return object
	}
	for object != nil && !p.steps[0].every && !object.has(p.steps[0].name) {
		if object.element {
			return nil
		}
		object = object.parent
	}
	return object
}

func (c *Cursor) has(name string) bool {
	members, _ := c.Value.(map[string]any)
	_, ok := members[name]
	return ok
}

// each follows the steps and remembers the way. It returns false when yield did.
func (c *Cursor) each(steps []step, yield func(*Cursor) bool) bool {
	switch value := c.Value.(type) {
	case nil:
		return true
	case []any:
		if len(steps) > 0 && steps[0].index >= 0 {
			if steps[0].index >= len(value) {
				return true
			}
			return c.item(value[steps[0].index]).each(steps[1:], yield)
		}
		if len(steps) > 0 && steps[0].every {
			steps = steps[1:] // of each element
		}
		for _, item := range value {
			if !c.item(item).each(steps, yield) {
				return false
			}
		}
		return true
	case map[string]any:
		if len(steps) == 0 {
			return yield(c)
		}
		if steps[0].every {
			for _, item := range valuesOf(value) {
				if !c.item(item).each(steps[1:], yield) {
					return false
				}
			}
			return true
		}
		member, ok := steps[0].member(value)
		if !ok {
			return true
		}
		return (&Cursor{Value: member, parent: c}).each(steps[1:], yield)
	case Ambiguous:
		return yield(c)
	default:
		return len(steps) > 0 || yield(c)
	}
}

// item is the cursor of an element of the list at c, or of a value of the object
// that is taken for one. The list itself is not on the way: around an element lies
// the object that has the list.
func (c *Cursor) item(v any) *Cursor {
	return &Cursor{Value: v, parent: c.parent, element: true}
}

func (s step) member(of map[string]any) (any, bool) {
	if s.index >= 0 {
		return nil, false
	}
	member, ok := of[s.name]
	return member, ok
}

// single is the one value at the path, nil where there is none; ok is false where
// that takes a closer look, because of a list or of what is around. Most paths lead
// from member to member, and most of them in any one reply to nothing.
func (p Path) single(at *Cursor) (v any, ok bool) {
	if p.outward > 0 {
		return nil, false
	}
	v = at.Value
	for i := range p.steps {
		if p.steps[i].every {
			return nil, false
		}
		switch value := v.(type) {
		case map[string]any:
			if v, ok = p.steps[i].member(value); !ok {
				return nil, true
			}
		case []any, Ambiguous:
			return nil, false
		default:
			return nil, true
		}
	}
	_, isList := v.([]any)
	return v, !isList
}

// reach follows the steps without remembering the way, and yields what stands at
// the end of them as it is, null and lists included. It returns false when yield did.
func reach(v any, steps []step, yield func(any) bool) bool {
	for i, s := range steps {
		switch value := v.(type) {
		case map[string]any:
			if s.every {
				return reachEvery(valuesOf(value), steps[i+1:], yield)
			}
			member, ok := s.member(value)
			if !ok {
				return true
			}
			v = member
		case []any:
			if s.every {
				return reachEvery(value, steps[i+1:], yield)
			}
			if s.index < 0 {
				for _, item := range value {
					if !reach(item, steps[i:], yield) {
						return false
					}
				}
				return true
			}
			if s.index >= len(value) {
				return true
			}
			v = value[s.index]
		case Ambiguous:
			return yield(value)
		default:
			return true
		}
	}
	return yield(v)
}

// reachEvery follows the steps from each of the values; where there are none left,
// the values are a list that is left whole.
func reachEvery(values []any, steps []step, yield func(any) bool) bool {
	if len(steps) == 0 {
		return yield(values)
	}
	for _, v := range values {
		if !reach(v, steps, yield) {
			return false
		}
	}
	return true
}

// valuesOf are the values of an object, in the order of their names.
func valuesOf(object map[string]any) []any {
	values := make([]any, 0, len(object))
	for _, name := range slices.Sorted(maps.Keys(object)) {
		values = append(values, object[name])
	}
	return values
}

// present yields v, or its items where it is a list, unless there is nothing to it.
func present(v any, yield func(any) bool) bool {
	switch value := v.(type) {
	case nil:
		return true
	case string:
		return value == "" || yield(v)
	case map[string]any:
		return len(value) == 0 || yield(v)
	case []any:
		for _, item := range value {
			if !present(item, yield) {
				return false
			}
		}
		return true
	default:
		return yield(v)
	}
}

// SyntaxError is a mistake in the text of a path, with the characters that are
// wrong: Width bytes from Offset.
type SyntaxError struct {
	Offset, Width int
	Message       string
	Hint          string // what to write instead; may be empty
}

// Error returns the message and the place.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s, at byte %d", e.Message, e.Offset)
}

// ParsePath compiles a path. Its error is a *SyntaxError.
func ParsePath(text string) (Path, error) {
	if text == "." {
		return Path{text: text}, nil
	}
	p := pathParser{rest: text, path: Path{text: text}}
	if err := p.parse(); err != nil {
		return Path{}, err
	}
	return p.path, nil
}

// pathParser reads a path from left to right.
type pathParser struct {
	rest string // not read yet
	path Path
}

// parse reads elements with dots between them. Its errors, and those of all that
// it calls, are *SyntaxErrors.
func (p *pathParser) parse() error {
	for {
		if err := p.element(); err != nil {
			return err
		}
		for strings.HasPrefix(p.rest, "[") {
			if err := p.bracket(); err != nil {
				return err
			}
		}
		switch {
		case p.rest == "":
			return nil
		case p.rest == ".":
			return p.wrong(1, "a name is missing after this dot", "")
		case p.rest[0] != '.':
			return p.misplaced()
		}
		p.rest = p.rest[1:]
	}
}

// element reads ^ or a name. A path may begin with a bracket instead.
func (p *pathParser) element() error {
	first := len(p.rest) == len(p.path.text)
	switch {
	case p.rest == "":
		return p.wrong(0, "a path is missing here", "write . for the record itself")
	case p.rest[0] == '^' && len(p.path.steps) == 0:
		p.path.outward++
		p.rest = p.rest[1:]
		return nil
	case p.rest[0] == '^':
		return p.wrong(1, "^ stands only at the beginning of a path", `a member of that name is written ["^"]`)
	case p.rest[0] == '[' && first:
		return nil
	case p.rest[0] == '[':
		return p.wrong(1, "a bracket follows a name without a dot", "write a[0] or a[\"name\"]")
	case first && jsonPath.MatchString(p.rest):
		return p.wrong(1, "a path does not begin with $", `write a.b, or . alone for the record itself; a member of that name is written ["$"]`)
	case first && p.rest[0] == '/':
		return p.wrong(1, "a path has dots and no slashes", `write a.b; a name that begins with one is quoted: ["/a"]`)
	case p.rest[0] == '.' && first:
		return p.wrong(1, "a path does not begin with a dot", "write a.b, or . alone for the record itself")
	case p.rest[0] == '.':
		return p.wrong(1, "a name is missing before this dot", "")
	}
	end := strings.IndexFunc(p.rest, func(r rune) bool { return !inBareName(r) })
	if end < 0 {
		end = len(p.rest)
	}
	if end == 0 {
		return p.misplaced()
	}
	if p.rest[:end] == "*" {
		p.step(everyValue(), end)
		return nil
	}
	p.step(step{name: p.rest[:end], index: -1}, end)
	return nil
}

// jsonPath finds what is written as JSONPath (RFC 9535) has it.
var jsonPath = regexp.MustCompile(`^\$($|[.[])`)

// inBareName tells whether a name needs no quotes for the character's sake.
func inBareName(r rune) bool {
	return !strings.ContainsRune(`.[]^"`, r) && !unicode.IsSpace(r) && r != utf8.RuneError
}

// bracket reads [n] or ["name"].
func (p *pathParser) bracket() error {
	if strings.HasPrefix(p.rest, `["`) {
		return p.quoted()
	}
	digits := len(p.rest[1:]) - len(strings.TrimLeft(p.rest[1:], "0123456789"))
	end := 1 + digits
	switch {
	case !strings.HasPrefix(p.rest[end:], "]"):
		width := strings.IndexByte(p.rest, ']') + 1
		if width == 0 {
			return p.wrong(len(p.rest), "this bracket is not closed", "")
		}
		hint := `write [0], counted from the first, or ["name"]`
		if p.rest[:width] == "[*]" {
			hint = "a path steps through a list by itself: write a.b for b of every element; a.* is every value of an object"
		}
		return p.wrong(width, "neither a position nor a quoted name", hint)
	case digits == 0:
		return p.wrong(2, "a position is missing in these brackets", "a path steps through a list by itself: write a.b for b of every element")
	case digits > 1 && p.rest[1] == '0':
		return p.wrong(end+1, "a position is written without leading zeros", "")
	case p.path.outward > 0 && len(p.path.steps) == 0:
		return p.wrong(end+1, "what is around an item is an object and has no positions", "write ^.name")
	}
	index, err := strconv.ParseInt(p.rest[1:end], 10, 32)
	if err != nil {
		return p.wrong(end+1, "no list is that long", "")
	}
	p.step(step{index: int(index)}, end+1)
	return nil
}

// quoted reads ["name"], where the name is a JSON string.
func (p *pathParser) quoted() error {
	end := 2
	for end < len(p.rest) && p.rest[end] != '"' {
		if p.rest[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(p.rest) {
		return p.wrong(len(p.rest), "this quote is not closed", "")
	}
	end++
	name, err := jsontext.AppendUnquote(nil, p.rest[1:end])
	if err != nil {
		return p.wrong(end, "not a JSON string", `write \" and \\ within quotes`)
	}
	if !strings.HasPrefix(p.rest[end:], "]") {
		return p.wrong(end, "this bracket is not closed", `write ["name"]`)
	}
	p.step(step{name: string(name), index: -1}, end+1)
	return nil
}

func (p *pathParser) step(s step, width int) {
	p.path.steps = append(p.path.steps, s)
	p.rest = p.rest[width:]
}

// misplaced reports the next character, which can neither go on with a path nor
// begin a name.
func (p *pathParser) misplaced() error {
	r, width := utf8.DecodeRuneInString(p.rest)
	switch {
	case r == utf8.RuneError:
		return p.wrong(width, "not a character", "a path is UTF-8")
	case unicode.IsSpace(r):
		return p.wrong(width, "white space in a path", `quote a name that has it: ["first name"]`)
	case r == '^' && len(p.path.steps) == 0:
		return p.wrong(width, "a dot is missing before this ^", "write ^.^.name")
	case r == '^':
		return p.wrong(width, "^ stands only at the beginning of a path", `a name that has it is quoted: ["a^b"]`)
	case r == ']':
		return p.wrong(width, "this bracket closes nothing", "")
	case r == '"':
		return p.wrong(width, "quotes stand only within brackets", `write ["name"]`)
	default:
		return p.wrong(width, "a dot is missing before this name", "")
	}
}

// wrong reports the next width bytes.
func (p *pathParser) wrong(width int, message, hint string) error {
	return &SyntaxError{Offset: len(p.path.text) - len(p.rest), Width: width, Message: message, Hint: hint}
}

package draft

import (
	"slices"
	"strings"

	"muster/normalize"
)

// shape is what a sample shows at one path. The items of a list are laid over
// each other, since a path steps through lists by itself.
type shape struct {
	name    string   // the member's name, as the reply has it
	word    string   // the name as synonyms are compared
	path    []string // from the record
	parent  *shape
	members []*shape
	values  []any // texts, numbers and booleans that stand there
	object  bool
	list    bool
	inList  bool // a list lies on the way, so that there may be several

	used string // the member of the profile that takes it, "" for none
	why  string // why none does
}

// shapeOf lays a record out. The names of its objects come in the given order.
func shapeOf(record any, order map[string]int) *shape {
	s := &shape{}
	s.add(record, order)
	return s
}

func (s *shape) add(v any, order map[string]int) {
	switch v := v.(type) {
	case nil:
	case []any:
		s.list = true
		for _, item := range v {
			s.add(item, order)
		}
	case map[string]any:
		s.object = true
		for _, name := range namesOf(v, order) {
			if !isValueName(name) { // a value has no place in a path
				s.member(name).add(v[name], order)
			} else {
				s.why = "its members are called by values, which no path can name"
			}
		}
	default:
		s.values = append(s.values, v)
	}
}

func (s *shape) member(name string) *shape {
	for _, m := range s.members {
		if m.name == name {
			return m
		}
	}
	m := &shape{name: name, word: fold(name), path: append(slices.Clone(s.path), name), parent: s, inList: s.inList || s.list}
	s.members = append(s.members, m)
	return m
}

// text is the shape's path.
func (s *shape) text() string { return pathText(s.path...) }

// within is its path from a shape around it.
func (s *shape) within(around *shape) string { return pathText(s.path[len(around.path):]...) }

// says tells whether the sample has anything there.
func (s *shape) says() bool {
	return len(s.members) > 0 || slices.ContainsFunc(s.values, func(v any) bool { return !normalize.Absent(v) })
}

// every tells whether there are values, and each passes.
func (s *shape) every(test func(v any) bool) bool {
	return len(s.values) > 0 && !slices.ContainsFunc(s.values, func(v any) bool { return !test(v) })
}

// scalar tells whether a single value, or a list of such, stands there or could.
func (s *shape) scalar() bool { return !s.object }

// first is the first value as text.
func (s *shape) first() string {
	for _, v := range s.values {
		if text, ok := normalize.ScalarText(v); ok && text != "" {
			return text
		}
	}
	return ""
}

// child finds a member by the first of the words that any is called.
func (s *shape) child(words string) *shape {
	for _, word := range strings.Fields(words) {
		for _, m := range s.members {
			if m.word == word && !secretName(m.name) {
				return m
			}
		}
	}
	return nil
}

// walk visits the shapes within, depth first, as long as visit says so.
func (s *shape) walk(visit func(*shape) bool) {
	for _, m := range s.members {
		if visit(m) {
			m.walk(visit)
		}
	}
}

// take notes which member of the profile has it.
func (s *shape) take(member string) *shape {
	s.used = member
	return s
}

func isText(v any) bool   { _, ok := v.(string); return ok }
func isBool(v any) bool   { _, ok := v.(bool); return ok }
func isNumber(v any) bool { _, ok := v.(normalize.Number); return ok }

func isTextual(v any) bool { return isText(v) || isNumber(v) }

func looksLikeMail(v any) bool {
	text, ok := v.(string)
	return ok && (text == "" || mailbox.MatchString(strings.TrimSpace(text)))
}

func looksLikeLink(v any) bool {
	text, ok := v.(string)
	return ok && (strings.HasPrefix(strings.ToLower(text), "https://") || strings.HasPrefix(strings.ToLower(text), "http://"))
}

// stateOf reads a word for a state: whether who has it is active. known is false
// of words that say neither.
func stateOf(v any) (active, known bool) {
	text, _ := normalize.ScalarText(v)
	switch strings.ToLower(text) {
	case "active", "enabled", "activated", "employed", "current":
		return true, true
	case "inactive", "disabled", "suspended", "deleted", "deactivated", "deprovisioned", "blocked", "terminated", "archived", "retired", "revoked", "removed":
		return false, true
	default:
		return false, false
	}
}

// flagOf reads what systems write for true and false where they do not write that.
func flagOf(v any) (flag, known bool) {
	text, _ := normalize.ScalarText(v)
	switch strings.ToLower(text) {
	case "true", "yes", "y", "1", "t":
		return true, true
	case "false", "no", "n", "0", "f":
		return false, true
	default:
		return false, false
	}
}

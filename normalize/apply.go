package normalize

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Apply maps the record within a reply. The notes name members whose value did
// not fit: they are left out, never guessed. An error means that the reply
// contradicts itself or costs too much to read: nothing of it is used.
func (m *Mapping) Apply(s *Scope, asOf time.Time) (Record, []Note, error) {
	// What was asked of the scope before may have been asked of other data.
	run := &applying{
		scope: Scope{Status: s.Status, Header: s.Header, Body: s.Body, Data: s.Data, Asked: s.Asked},
		at:    Cursor{Value: s.Data}, record: Record{AsOf: asOf},
	}
	run.fill(reflect.ValueOf(&run.record.Profile).Elem(), m.members, &run.at)
	run.record.Attributes = run.attributes(m, &run.at)
	run.identify(m.ids)
	if run.err != nil {
		return Record{}, nil, run.err
	}
	return run.record, run.notes, nil
}

// applying is one run of a mapping over one reply.
type applying struct {
	scope  Scope
	at     Cursor // of the record within the reply
	record Record
	notes  []Note
	err    error // the first; it ends the run
}

// fail ends the run; the first error counts.
func (r *applying) fail(member string, err error) {
	if r.err == nil {
		r.err = fmt.Errorf("%s: %w", member, err)
	}
}

// fill sets members of a struct and tells whether any was set to what the reply
// says, and not just to constants.
func (r *applying) fill(into reflect.Value, members []setter, at *Cursor) bool {
	any := false
	for i := range members {
		s := &members[i]
		field := into.Field(s.index)
		switch {
		case s.parts != nil:
			object := reflect.New(field.Type().Elem())
			if r.fill(object.Elem(), s.parts, at) {
				field.Set(object)
				any = true
			}
		case s.items != nil:
			r.list(field, s.items, at)
			if field.Len() > 0 {
				any = true
			} else {
				field.SetZero() // a list that was begun is none
			}
		case s.holds == holdsTexts:
			any = r.texts(field, s, at) || any
		default:
			any = r.scalar(field, s, at) || any
		}
		if r.err != nil {
			return false
		}
	}
	return any
}

// scalar sets the first value that fits, and tells whether the reply says it.
func (r *applying) scalar(field reflect.Value, s *setter, at *Cursor) bool {
	for f, err := range s.expr.values(&r.scope, at) {
		if err != nil {
			r.fail(s.name, err)
			return false
		}
		set, misfit := s.set(field, f)
		if misfit != "" {
			r.note(s.name, misfit, f.from)
			continue
		}
		if set {
			return !f.from.constantly()
		}
	}
	return false
}

// texts sets a list of texts. A list that is there and empty stays apart from
// one that is absent: at a role's permissions it means none.
func (r *applying) texts(field reflect.Value, s *setter, at *Cursor) bool {
	var said bool
	var all textSet
	for f, err := range s.expr.values(&r.scope, at) {
		if err != nil {
			r.fail(s.name, err)
			return false
		}
		text, misfit := textIn(f, s.form)
		if misfit != "" {
			r.note(s.name, misfit, f.from)
			continue
		}
		said = said || text != "" && !f.from.constantly()
		all.add(text)
	}
	list := all.list
	if list == nil && s.expr.emptyList(&r.scope, at) {
		list = []string{}
	}
	if list == nil {
		return false
	}
	*field.Addr().Interface().(*[]string) = list
	return said
}

// emptyList tells whether a path leads to a list that is there and has nothing
// in it, or CEL makes one. For `permissions.name` that is the list at `permissions`.
func (e expr) emptyList(s *Scope, at *Cursor) bool {
	for _, a := range e {
		if a.when.Holds(s, at) && (a.path != nil && a.path.EmptyList(at) || a.cel != nil && a.cel.emptyList(s)) {
			return true
		}
	}
	return false
}

// list sets a list of objects, without repeats.
func (r *applying) list(field reflect.Value, blocks []block, at *Cursor) {
	all := items{list: field, value: blocks[0].value}
	for i := range blocks {
		b := &blocks[i]
		switch {
		case b.spread:
			r.spread(&all, b, at)
		case b.each == nil:
			r.item(&all, b, at)
		default:
			for _, each := range b.each {
				for item := range each.Each(at) {
					if r.item(&all, b, item); r.err != nil {
						return
					}
				}
			}
		}
	}
}

// spread makes an item of every value of a plain path.
func (r *applying) spread(all *items, b *block, at *Cursor) {
	s := &b.members[0]
	for f, err := range s.expr.values(&r.scope, at) {
		if err != nil {
			r.fail(s.name, err)
			return
		}
		if f.from.constantly() {
			continue // an item that holds only constants
		}
		set, misfit := s.set(all.next().Field(s.index), f)
		if misfit != "" {
			r.note(s.name, misfit, f.from)
		}
		if set {
			all.keep()
		} else {
			all.drop()
		}
	}
}

// item makes one item of a block. An item that holds only constants, or has no
// value, is nothing that the source said.
func (r *applying) item(all *items, b *block, at *Cursor) {
	item := all.next()
	said := r.fill(item, b.members, at)
	if r.err != nil || !said || b.value >= 0 && item.Field(b.value).IsZero() {
		all.drop()
		return
	}
	all.keep()
}

func (r *applying) attributes(m *Mapping, at *Cursor) map[string][]string {
	if m.attributes == nil && m.object == nil {
		return nil
	}
	out := make(map[string][]string, len(m.attributes))
	for _, a := range m.attributes {
		var all textSet
		for f, err := range a.expr.values(&r.scope, at) {
			if err != nil {
				r.fail("attributes."+a.name, err)
				return nil
			}
			text, ok := ScalarText(f.value)
			if !ok {
				r.note("attributes."+a.name, "expected text, found "+formOf(f.value), f.from)
				continue
			}
			all.add(Form("").Text(text))
		}
		if all.list != nil {
			out[a.name] = all.list
		}
	}
	if m.object != nil {
		r.object(m.object, at, out)
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// object carries the members of an object as attributes: scalars and lists of
// scalars, less the ones named as exceptions and whatever is called like a secret.
func (r *applying) object(rule *objectRule, at *Cursor, out map[string][]string) {
	value, _ := rule.path.Value(at)
	object, isObject := value.(map[string]any)
	if _, twice := value.(Ambiguous); twice {
		r.fail(memberAttributes, errAmbiguous)
	} else if !isObject && !Absent(value) {
		r.note(memberAttributes, "expected an object, found "+formOf(value), &alternative{node: rule.node})
	}
	for name, member := range object {
		if slices.Contains(rule.except, name) || SecretName(name) {
			continue
		}
		if _, twice := member.(Ambiguous); twice {
			r.fail(memberAttributes, errAmbiguous)
			return
		}
		var all textSet
		if items, isList := member.([]any); isList {
			for _, item := range items {
				if text, ok := ScalarText(item); ok {
					all.add(FormText.Text(text))
				}
			}
		} else if text, ok := ScalarText(member); ok {
			all.add(FormText.Text(text))
		}
		if all.list != nil {
			out[name] = all.list
		}
	}
}

// SecretName tells whether a member is called like a secret. Such a member is
// never carried along with a whole object and is masked wherever a reply is shown.
func SecretName(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"password", "secret", "token", "credential"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

func (r *applying) identify(rules []IDRule) {
	if len(rules) == 0 {
		return
	}
	ids := make([]Identifier, 0, len(rules))
	for i := range rules {
		if id, ok := r.id(&rules[i], &r.at); ok {
			ids = append(ids, id)
		}
	}
	if len(ids) > 0 {
		r.record.IDs = ids
	}
}

// id is the identifier of a rule: of several values the one that was asked for, if
// it is among them, else the first.
func (r *applying) id(rule *IDRule, at *Cursor) (Identifier, bool) {
	var asked func(value string) bool
	if r.scope.Asked != nil {
		asked = r.scope.Asked(rule.Kind)
	}
	first, some := Identifier{}, false
	for f, err := range rule.expr.values(&r.scope, at) {
		if err != nil {
			r.fail("ids."+rule.Kind, err)
			return Identifier{}, false
		}
		id, ok := r.identifier(rule.Kind, f)
		if !ok {
			continue
		}
		if asked == nil || asked(id.Value) {
			return id, true
		}
		if !some {
			first, some = id, true
		}
	}
	return first, some
}

func (r *applying) identifier(kind string, f found) (Identifier, bool) {
	text, ok := textOf(f.value)
	if !ok {
		r.note("ids."+kind, "expected text, found "+formOf(f.value), f.from)
		return Identifier{}, false
	}
	text = CanonicalID(kind, text)
	if text == "" || kind == "email" && !isMailbox(text) { // what is no address identifies nobody
		return Identifier{}, false
	}
	id := Identifier{Kind: kind, Value: text}
	if f.from.asks {
		id.Verified = new(true)
	}
	return id, true
}

func (r *applying) note(member, misfit string, from *alternative) {
	if note := (Note{Member: member, Misfit: misfit, from: from}); !slices.ContainsFunc(r.notes, note.says) {
		r.notes = append(r.notes, note)
	}
}

// set brings a value to the member's type, and sets the member if that says
// something: false does, a text of nothing but white space and a count of 0 for an
// instant do not. The misfit says what was expected and what kind of value came,
// never the value.
func (s *setter) set(field reflect.Value, f found) (set bool, misfit string) {
	switch s.holds {
	case holdsFlag, holdsMaybe:
		flag, ok := f.value.(bool)
		switch {
		case !ok:
			return false, "expected true or false, found " + formOf(f.value)
		case s.holds == holdsFlag:
			field.SetBool(flag)
		default:
			field.Set(reflect.ValueOf(&flag))
		}
		return true, ""
	case holdsInstant:
		at, misfit := instant(f)
		if misfit != "" || at.IsZero() {
			return false, misfit
		}
		*field.Addr().Interface().(*time.Time) = at //nolint:forcetypeassert // as holdsOf has seen
		return true, ""
	default:
		text, misfit := textIn(f, s.form)
		if misfit != "" || text == "" {
			return false, misfit
		}
		field.SetString(text)
		return true, ""
	}
}

// textIn is a value as a text in a form.
func textIn(f found, form Form) (text, misfit string) {
	text, ok := textOf(f.value)
	if !ok {
		return "", "expected text, found " + formOf(f.value)
	}
	return form.Text(text), ""
}

// textOf is a text or a number as text. A boolean is neither: no name and no
// identifier reads "true".
func textOf(v any) (string, bool) {
	if _, isBool := v.(bool); isBool {
		return "", false
	}
	return ScalarText(v)
}

// instant reads a text as an instant; a number only where the definition says
// its unit, because nobody can see from a number what it counts.
func instant(f found) (at time.Time, misfit string) {
	if f.from.as != "" {
		digits, _ := ScalarText(f.value)
		at, some, err := f.from.as.Time(Number(digits))
		if err != nil {
			return time.Time{}, "expected an instant as " + string(f.from.as) + ", found " + formOf(f.value)
		}
		if !some {
			return time.Time{}, ""
		}
		return at, ""
	}
	if text, isText := f.value.(string); isText {
		if at, ok := ParseInstant(text); ok {
			return at, ""
		}
	}
	return time.Time{}, "expected an instant, found " + formOf(f.value)
}

// formOf names the form of a JSON value, for messages.
func formOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case Number:
		return "a number"
	case string:
		return "a text that is none"
	case []any:
		return "a list"
	case Ambiguous:
		return "a member that is said twice"
	default:
		return "an object"
	}
}

package document

// A Form says what a value looks like: the schema, the pages of reference and
// whatever explains a file are made from it. Its zero value is anything at all.
type Form struct {
	// Name is that of a form which is described once and referred to, such as
	// "value"; a form that may stand within itself needs one.
	Name string
	// About is what people call it: "a time span".
	About string
	// Example is how one is written.
	Example string

	scalar map[string]any  // of a single value: its JSON Schema
	words  []string        // of a single value: all that it may be
	items  *Form           // of a list
	single bool            // of a list: one item may stand for a list of one
	keys   func() []Member // of a mapping: the keys that are ours
	others *Form           // of a mapping: the values under names that are the author's own
	barred []string        // of a mapping: names that are not the author's to give
	either []Form          // any of these
	alone  bool            // nothing of it holds where it is not written
}

// A Member is one key of a mapping, without how it is read.
type Member struct {
	Name     string
	About    string
	Default  string // as one would write it, "" for none
	Required bool
	Unless   string // the key without which a file needs this one
	Form     Form
}

// Members are the keys of a table, without how they are read.
func Members[T any](keys []Key[T]) []Member {
	members := make([]Member, len(keys))
	for i, k := range keys {
		members[i] = Member{k.Name, k.About, k.Default, k.Required, k.Unless, k.Form}
	}
	return members
}

// Members are the keys that a mapping of this form may have, but for those of
// the author's own.
func (f Form) Members() []Member {
	if f.keys == nil {
		return nil
	}
	return f.keys()
}

// Others is the form of the values under names of the author's own, nil where
// a mapping of this form has none.
func (f Form) Others() *Form { return f.others }

// Items is the form of a list's items, nil for what is no list.
func (f Form) Items() *Form { return f.items }

// Either are the forms of which the value has one.
func (f Form) Either() []Form { return f.either }

// Saying is the form with what people call it.
func (f Form) Saying(about string) Form {
	f.About = about
	return f
}

// Called is the form with a name of its own and what people call it.
func (f Form) Called(name, about string) Form {
	f.Name, f.About = name, about
	return f
}

// Like is the form with an example.
func (f Form) Like(example string) Form {
	f.Example = example
	return f
}

// AnyValue is the form of a single value, whatever it says. YAML takes some texts
// for numbers: 1024 and "1024" are the same text.
func AnyValue(about string) Form {
	return Form{About: about, scalar: map[string]any{"type": []string{"string", "number", "boolean"}}}
}

// Matching is the form of a text that a pattern describes (ECMA 262, as JSON
// Schema has it).
func Matching(about, pattern string) Form {
	return Form{About: about, scalar: map[string]any{"type": "string", "pattern": pattern}}
}

// Yes is the form of a switch that can only be switched on.
func Yes() Form { return Form{About: "true", scalar: map[string]any{"const": true}} }

// Never is the form of what may not be written.
func Never(about string) Form {
	return Form{About: about, scalar: map[string]any{"not": map[string]any{}}}
}

// Empty is the form of null, written out.
func Empty() Form { return Form{About: "null", scalar: map[string]any{"type": "null"}} }

// Word is the form of a word that must be written just so.
func Word(word string) Form { return Form{About: word, words: []string{word}} }

// AnyOf is the form of a value that has one of several forms.
func AnyOf(about string, forms ...Form) Form { return Form{About: about, either: forms} }

// ListOf is the form of a list of items.
func ListOf(items Form) Form { return Form{About: "a list", items: &items} }

// OneOrMoreOf is the form of a list, or of one item in its stead.
func OneOrMoreOf(items Form) Form {
	return Form{About: items.About + ", or a list", Example: items.Example, items: &items, single: true}
}

// NamesOf is the form of a mapping under names of the author's own.
func NamesOf(values Form) Form { return Form{About: "a mapping", others: &values} }

// KeysOf is the form of a mapping under keys of ours. They are asked for when the
// form is looked at: it may stand within itself.
func KeysOf(members func() []Member) Form { return Form{About: "a mapping", keys: members} }

// And is a mapping that, beside keys of ours, has names of the author's own.
func (f Form) And(others Form) Form {
	f.others = &others
	return f
}

// Without is a mapping whose author gives no such names.
func (f Form) Without(names ...string) Form {
	f.barred = names
	return f
}

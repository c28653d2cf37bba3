package normalize

import (
	"errors"
	"iter"

	"cel.dev/cel-go/cel"

	"muster/config/document"
)

// Scope is a reply as the parts of a definition see it. It is for one goroutine.
type Scope struct {
	Status int                 // HTTP status
	Header map[string][]string // of the reply; names in any case
	Body   any                 // the whole reply, as ParseJSON returns it
	Data   any                 // the record within it

	// Asked tells, for a kind of identifier that the reply was asked with, which
	// value is the one that was asked for; nil for other kinds. May be nil.
	Asked func(kind string) func(value string) bool

	variables map[string]any          // for CEL, made on first use
	results   map[*program]celOutcome // of what was evaluated before
}

// Compiler compiles the small languages of one definition. It may be used for
// one definition only, by one goroutine.
type Compiler struct {
	env         *cel.Env // made on first use: most definitions need none
	expressions []celExpression
}

// path compiles a path; a mistake is reported at its character.
func (c *Compiler) path(n *document.Node) (Path, bool) {
	text := n.Text()
	if n.Kind() != document.Scalar {
		return Path{}, false // as Text has reported
	}
	path, err := ParsePath(text)
	var syntax *SyntaxError
	if errors.As(err, &syntax) {
		p := n.ErrorfAt(syntax.Offset, syntax.Width, "%s", syntax.Message)
		if syntax.Hint != "" {
			p.Suggest("%s", syntax.Hint)
		}
		return Path{}, false
	}
	return path, true
}

// Path compiles one path.
func (c *Compiler) Path(n *document.Node) Path {
	path, _ := c.path(n)
	return path
}

// Paths compiles one path or a list of paths, of which the first that has a
// value counts.
func (c *Compiler) Paths(n *document.Node) Paths {
	var paths Paths
	items := n.OneOrMore()
	if len(items) == 0 {
		n.Errorf("a path is missing here").Suggest("write a path or a list of paths")
	}
	for _, item := range items {
		if path, ok := c.path(item); ok {
			paths = append(paths, path)
		}
	}
	return paths
}

// Paths are alternatives: the first that has a value counts.
type Paths []Path

// First is the value of the first path that has one; what is Absent is none.
func (ps Paths) First(at *Cursor) (any, bool) {
	for _, p := range ps {
		if v, ok := p.Value(at); ok && !Absent(v) {
			return v, true
		}
	}
	return nil, false
}

// EmptyList tells whether any of the paths leads to a list with no items.
func (ps Paths) EmptyList(at *Cursor) bool {
	for _, p := range ps {
		if p.EmptyList(at) {
			return true
		}
	}
	return false
}

// Text is the text form of the first scalar that any of the paths has.
func (ps Paths) Text(at *Cursor) string {
	for _, p := range ps {
		for v := range p.Values(at) {
			if text, ok := ScalarText(v); ok {
				return text
			}
		}
	}
	return ""
}

// Texts are the text forms of all scalars at the first path that has any.
func (ps Paths) Texts(at *Cursor) []string {
	for _, p := range ps {
		var texts []string
		for v := range p.Values(at) {
			if text, ok := ScalarText(v); ok {
				texts = append(texts, text)
			}
		}
		if texts != nil {
			return texts
		}
	}
	return nil
}

// expr is a value of the grammar: alternatives, of which a scalar member takes
// the first that has a value and a list member takes all.
type expr []alternative

type alternative struct {
	node     *document.Node // the word that says where the value comes from
	path     *Path
	cel      *program
	constant any // with neither path nor cel

	table map[string]any // `map`; nil for none
	as    Epoch
	when  Condition
	asks  bool // when asks something

	// Of an identifier.
	assumed   bool // `verified: assumed`
	unchecked bool // `check: false`
	anyCase   bool // `case: any`
}

// constantly tells that the alternative is a constant: the definition says it, of
// everybody.
func (a *alternative) constantly() bool { return a.path == nil && a.cel == nil }

// found is a value on its way into a member.
type found struct {
	value any
	from  *alternative
}

// values yields every value that is not absent, in order; an error (an
// ambiguous member, a CEL program that costs too much) ends it.
func (e expr) values(s *Scope, at *Cursor) iter.Seq2[found, error] {
	return func(yield func(found, error) bool) {
		for i := range e {
			if !e[i].yield(s, at, yield) {
				return
			}
		}
	}
}

func (a *alternative) yield(s *Scope, at *Cursor, yield func(found, error) bool) bool {
	if !a.when.Holds(s, at) {
		return true
	}
	emit := func(v any) bool {
		if _, twice := v.(Ambiguous); twice {
			return yield(found{from: a}, errAmbiguous)
		}
		if v = a.translate(v); Absent(v) {
			return true
		}
		return yield(found{v, a}, nil)
	}
	switch {
	case a.path != nil:
		if v, ok := a.path.single(at); ok {
			return Absent(v) || emit(v)
		}
		for v := range a.path.Values(at) {
			if !emit(v) {
				return false
			}
		}
		return true
	case a.cel != nil:
		v, err := a.cel.value(s)
		if err != nil {
			return yield(found{from: a}, err)
		}
		items, isList := v.([]any)
		if !isList {
			return emit(v)
		}
		for _, item := range items {
			if !emit(item) {
				return false
			}
		}
		return true
	default:
		return emit(a.constant)
	}
}

var errAmbiguous = errors.New("a mapped member is said twice with different values")

// translate looks the value up in `map`, if there is one.
func (a *alternative) translate(v any) any {
	if a.table == nil {
		return v
	}
	text, ok := ScalarText(v)
	if !ok {
		return nil
	}
	if to, ok := a.table[text]; ok {
		return to
	}
	return a.table["*"]
}

// expr compiles PATH, a list of values, or the long form.
func (c *Compiler) expr(n *document.Node) expr { return c.values(n, c.valueKeys()) }

// values is expr with the keys that the long form has here.
func (c *Compiler) values(n *document.Node, keys []document.Key[alternative]) expr {
	switch {
	case n.Kind() == document.Scalar:
		if path, ok := c.path(n); ok {
			return expr{{path: &path, node: n}}
		}
		return nil
	case n.Kind() == document.List && len(n.Items()) > 0:
		var all expr
		for _, item := range n.Items() {
			all = append(all, c.values(item, keys)...)
		}
		return all
	case n.Kind() == document.Mapping:
		var a alternative
		document.Decode(n, &a, keys)
		return c.single(n, a)
	default:
		n.Errorf("a value is missing here").Suggest("write a path, a list of paths, or {path: …}, {cel: …} or {value: …}")
		return nil
	}
}

// single checks that the long form says where its value comes from, once.
func (c *Compiler) single(n *document.Node, a alternative) expr {
	origins := 0
	for _, key := range []string{"path", "cel", "value"} {
		if origin := n.Field(key); origin != nil {
			a.node = origin
			origins++
		}
	}
	if origins != 1 {
		n.Errorf("exactly one of path, cel and value is needed here").Suggest("write {path: …}, {cel: …} or {value: …}")
		return nil
	}
	return expr{a}
}

// valueForm is how a value of the grammar is written. It stands within itself.
func (c *Compiler) valueForm() document.Form {
	long := document.KeysOf(func() []document.Member { return document.Members(c.valueKeys()) })
	return document.AnyOf("a path, a list of values, or the long form", pathForm(), document.ListOf(document.Form{Name: "value"}), long).
		Called("value", "a path, a list of values, or {path, cel or value, map, as, when}")
}

// valueKeys is the table of the long form's keys.
func (c *Compiler) valueKeys() []document.Key[alternative] {
	return []document.Key[alternative]{
		document.Of("path", "where the value stands", document.Pointer(c.PathType()), func(a *alternative) **Path { return &a.path }),
		document.Of("cel", "a CEL expression over data, body and http", c.celType(), func(a *alternative) **program { return &a.cel }),
		document.Of("value", "a constant", constant(), func(a *alternative) *any { return &a.constant }),
		document.Of("map", "values on the left become those on the right; \"*\" is any other; no entry is absence", table(), func(a *alternative) *map[string]any { return &a.table }),
		document.Of("as", "the unit of a number that is an instant", epoch(), func(a *alternative) *Epoch { return &a.as }),
		{Name: "when", About: "conditions under which the value counts, relative to the record", Form: c.ConditionType().Form, Read: func(a *alternative, n *document.Node) {
			a.when = c.Condition(n)
			a.asks = n.Kind() == document.Mapping && len(n.Fields()) > 0
		}},
	}
}

func pathForm() document.Form {
	return document.AnyValue("a path").Called("path", "where a value stands in a reply: a.b, a[0].b, [\"odd.key\"].c, a.* for every value of an object, . for all of it, ^ for the object around").Like("user.email")
}

// PathType is how a path is written.
func (c *Compiler) PathType() document.Type[Path] {
	return document.Type[Path]{Form: pathForm(), Read: func(into *Path, n *document.Node) { *into = c.Path(n) }}
}

// PathsType is how paths are written of which the first that has a value counts.
func (c *Compiler) PathsType() document.Type[Paths] {
	form := document.OneOrMoreOf(pathForm())
	form.About = "a path, or a list: the first that has a value"
	return document.Type[Paths]{Form: form, Read: func(into *Paths, n *document.Node) { *into = c.Paths(n) }}
}

func (c *Compiler) celType() document.Type[*program] {
	form := document.AnyValue("a CEL expression").Like("data.first + ' ' + data.last")
	return document.Type[*program]{Form: form, Read: func(into **program, n *document.Node) { *into = c.cel(n) }}
}

// constant is a single value with the type that JSON gives it.
func constant() document.Type[any] {
	return document.Type[any]{Form: document.AnyValue("a constant"), Read: func(into *any, n *document.Node) {
		if n.Kind() != document.Scalar {
			n.Errorf("a constant is a single value, not %v", n.Kind())
			return
		}
		*into, _ = literal(n)
	}}
}

// table is what values are translated by.
func table() document.Type[map[string]any] {
	form := document.NamesOf(document.AnyOf("a constant, or null for absent", document.AnyValue("a constant"), document.Empty())).Like(`{ACTIVE: true, "*": false}`)
	return document.Type[map[string]any]{Form: form, Read: func(into *map[string]any, n *document.Node) {
		*into = map[string]any{}
		for _, f := range n.Fields() {
			switch f.Value.Kind() {
			case document.Null:
				(*into)[f.Key.Text()] = nil // absent, and not what "*" says
			case document.Scalar:
				(*into)[f.Key.Text()], _ = literal(f.Value)
			default:
				f.Value.Errorf("a value is mapped to a single value, not to %v", f.Value.Kind())
			}
		}
	}}
}

func epoch() document.Type[Epoch] {
	words := document.OneOf(string(EpochSeconds), string(EpochMillis))
	return document.Type[Epoch]{Form: words.Form, Read: func(into *Epoch, n *document.Node) {
		var word string
		words.Read(&word, n)
		*into = Epoch(word)
	}}
}

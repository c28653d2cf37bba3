package normalize

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"muster/config/document"
)

// Mapping is what a definition says under `profile` and `ids`, compiled. It is
// an allow-list: what it does not name does not exist for Muster. A Mapping is
// immutable and safe for concurrent use.
type Mapping struct {
	members    []setter    // of Profile
	attributes []attribute // named, or
	object     *objectRule // a whole object
	ids        []IDRule    // in the order written
	names      []string    // of the members it can give
	positions  map[string]string
}

// IDRule is one entry under `ids`.
type IDRule struct {
	Kind string
	// Verified tells that the source vouches for every value by a `when`;
	// without one an e-mail address is taken as the definition assumes it.
	Verified bool
	// Check asks that the value equals the identifier that was asked for.
	Check bool
	// AnyCase tells that the source takes two spellings in different case for one
	// identifier.
	AnyCase bool

	expr expr
}

// attribute is one named entry under `attributes`.
type attribute struct {
	name string
	expr expr
}

// objectRule carries a whole object as attributes.
type objectRule struct {
	node   *document.Node // of the path
	path   Path
	except []string
}

// setter fills one member of a struct from a reply.
type setter struct {
	name  string // with those around it: roles.expiresAt
	index int
	holds holding
	form  Form
	expr  expr     // of a scalar, or of a list of texts
	parts []setter // of an object such as name
	items []block  // of a list of objects
}

// block makes the items of one list: one for every element at each, or one of
// the record itself.
type block struct {
	each    Paths
	members []setter
	value   int  // index of the item's field Value, -1 where it has none
	spread  bool // a plain path: an item for every value of it
}

// holding is what a member holds, found out once.
type holding uint8

const (
	holdsText holding = iota
	holdsTexts
	holdsFlag
	holdsMaybe // a flag that may be unknown
	holdsInstant
	holdsOther
)

func holdsOf(typ reflect.Type) holding {
	switch typ {
	case reflect.TypeFor[string]():
		return holdsText
	case reflect.TypeFor[[]string]():
		return holdsTexts
	case reflect.TypeFor[bool]():
		return holdsFlag
	case reflect.TypeFor[*bool]():
		return holdsMaybe
	case reflect.TypeFor[time.Time]():
		return holdsInstant
	default:
		return holdsOther
	}
}

// valueIndex is the index of an item's field Value, -1 where it has none.
func valueIndex(typ reflect.Type) int {
	if field, ok := typ.FieldByName("Value"); ok {
		return field.Index[0]
	}
	return -1
}

// Members are the top-level members of the profile that the mapping can give.
func (m *Mapping) Members() []string { return m.names }

// Positions says where each top-level member stands in the definition, as
// file:line by the member's name; an identifier as "ids." and its kind. The map is
// only to be read.
func (m *Mapping) Positions() map[string]string { return m.positions }

// IDs are the rules of the identifiers that the mapping yields.
func (m *Mapping) IDs() []IDRule { return m.ids }

// Mapping compiles `profile` and `ids`; either node may be nil.
func (c *Compiler) Mapping(profile, ids *document.Node) *Mapping {
	m := &Mapping{positions: map[string]string{}}
	if profile != nil {
		c.profile(m, profile)
		m.locate("", profile)
	}
	if ids != nil {
		for _, f := range ids.Fields() {
			m.ids = append(m.ids, c.id(f.Key, f.Value))
		}
		m.locate("ids.", ids)
	}
	return m
}

// locate writes down where each key of a mapping stands.
func (m *Mapping) locate(prefix string, n *document.Node) {
	if n.Kind() != document.Mapping {
		return // which has been reported
	}
	for _, f := range n.Fields() {
		m.positions[prefix+f.Key.Text()] = f.Key.File() + ":" + strconv.Itoa(f.Key.Line())
	}
}

func (c *Compiler) profile(m *Mapping, n *document.Node) {
	m.members = c.setters(n.Without("attributes"), reflect.TypeFor[Profile](), "", "attributes")
	if attributes := n.Field("attributes"); attributes != nil {
		c.attributes(m, attributes)
	}
	for _, s := range m.members {
		m.names = append(m.names, s.name)
	}
	if m.attributes != nil || m.object != nil {
		m.names = append(m.names, "attributes")
	}
}

func (c *Compiler) attributes(m *Mapping, n *document.Node) {
	if n.Field("path") == nil && n.Field("except") == nil {
		for _, f := range n.Fields() {
			m.attributes = append(m.attributes, attribute{f.Key.Text(), c.expr(f.Value)})
		}
		return
	}
	rule := &objectRule{}
	document.Decode(n, rule, c.objectKeys())
	m.object = rule
}

func (c *Compiler) objectKeys() []document.Key[objectRule] {
	return []document.Key[objectRule]{
		{Name: "path", About: "the object whose members become attributes", Required: true, Form: pathForm(), Read: func(r *objectRule, n *document.Node) { r.path, r.node = c.Path(n), n }},
		document.Of("except", "members of it that are left out", document.Texts(), func(r *objectRule) *[]string { return &r.except }),
	}
}

// idKeys is the table of an identifier's long form: that of any value, and what
// only an identifier knows.
func (c *Compiler) idKeys() []document.Key[alternative] {
	return append(c.valueKeys(),
		document.Key[alternative]{Name: "verified", About: "assumed: this source's addresses are taken as proved", Form: document.Word("assumed"), Read: func(a *alternative, n *document.Node) {
			a.assumed = n.OneOf("assumed") != ""
		}},
		document.Key[alternative]{Name: "check", About: "false: need not equal the identifier that was asked for", Default: "true", Form: document.Switch().Form, Read: func(a *alternative, n *document.Node) { a.unchecked = !n.Bool() }},
		document.Key[alternative]{Name: "case", About: "any: the source tells two spellings in different case not apart", Form: document.Word("any"), Read: func(a *alternative, n *document.Node) { a.anyCase = n.OneOf("any") != "" }},
	)
}

// IDsForm is how identifiers are written: their kinds, and the value of each.
func (c *Compiler) IDsForm() document.Form {
	long := document.KeysOf(func() []document.Member { return document.Members(c.idKeys()) })
	id := document.AnyOf("a path, a list, or the long form", pathForm(), document.ListOf(document.Form{Name: "identifier"}), long).
		Called("identifier", "a value as under `profile`; its long form also has verified and check")
	return document.NamesOf(id).Like("{self: id}")
}

// ProfileForm is how the members of a profile are written.
func (c *Compiler) ProfileForm() document.Form { return c.membersForm(reflect.TypeFor[Profile]()) }

func (c *Compiler) membersForm(typ reflect.Type) document.Form {
	return document.KeysOf(func() []document.Member {
		var members []document.Member
		for i := range typ.NumField() {
			if field := typ.Field(i); field.Tag.Get("form") != "-" {
				members = append(members, document.Member{Name: jsonName(field), About: field.Tag.Get("about"), Form: c.memberForm(field)})
			}
		}
		if typ == reflect.TypeFor[Profile]() {
			members = append(members, document.Member{Name: memberAttributes, About: "whatever else is worth carrying, under names of the definition's own", Form: c.attributesForm()})
		}
		return members
	})
}

// memberForm follows setter: what it takes for each type of member.
func (c *Compiler) memberForm(field reflect.StructField) document.Form {
	switch typ := field.Type; {
	case typ == reflect.TypeFor[time.Time](), typ == reflect.TypeFor[[]string]():
		return c.valueForm()
	case typ.Kind() == reflect.Slice:
		return c.blocksForm(typ.Elem())
	case typ.Kind() == reflect.Pointer && typ.Elem().Kind() == reflect.Struct:
		return c.membersForm(typ.Elem())
	default:
		return c.valueForm()
	}
}

func (c *Compiler) blocksForm(typ reflect.Type) document.Form {
	block := document.KeysOf(func() []document.Member {
		each := document.Member{Name: "each", About: "the list of which every element makes an item; without it the record makes one", Form: c.PathsType().Form}
		return append([]document.Member{each}, c.membersForm(typ).Members()...)
	})
	if _, ok := fieldByName(typ, "value"); !ok {
		return document.OneOrMoreOf(block).Saying("{each: PATH, MEMBER: value, …}, or a list")
	}
	item := document.AnyOf("", c.valueForm(), block)
	return document.OneOrMoreOf(item).Saying("{each: PATH, MEMBER: value, …}, a path that stands for `value`, or a list of them")
}

func (c *Compiler) attributesForm() document.Form {
	whole := document.KeysOf(func() []document.Member { return document.Members(c.objectKeys()) })
	return document.AnyOf("named values, or {path, except} for a whole object", whole, document.NamesOf(c.valueForm()).Without("path", "except"))
}

func (c *Compiler) id(key, n *document.Node) IDRule {
	rule := IDRule{Kind: key.Text(), Verified: true, Check: true, expr: c.values(n, c.idKeys())}
	proved := true
	for _, a := range rule.expr {
		rule.Verified = rule.Verified && a.asks
		rule.Check = rule.Check && !a.unchecked
		rule.AnyCase = rule.AnyCase || a.anyCase
		proved = proved && (a.asks || a.assumed)
	}
	if rule.Kind == "email" && !proved && !meantAsProof(n) {
		key.Errorf("an e-mail address identifies a person only when it is verified").
			Suggest("add `when: {PATH: true}` on a verified flag, or `verified: assumed`")
	}
	return rule
}

// meantAsProof tells whether a proof is written that could not be read, which has
// been reported.
func meantAsProof(n *document.Node) bool {
	return slices.ContainsFunc(n.OneOrMore(), func(item *document.Node) bool {
		if item.Kind() != document.Mapping {
			return false
		}
		for _, f := range item.Fields() {
			if near := document.Closest(f.Key.Text(), []string{"when", "verified"}); near != "" && near != f.Key.Text() {
				return true
			}
		}
		when, verified := item.Field("when"), item.Field("verified")
		return when != nil && when.Kind() != document.Mapping || verified.Kind() == document.Scalar && verified.Text() != "assumed"
	})
}

// setters compiles the members of one struct type that n names.
func (c *Compiler) setters(n *document.Node, typ reflect.Type, within string, also ...string) []setter {
	known := append(memberNames(typ), also...)
	var all []setter
	for _, f := range n.Fields() {
		field, ok := fieldByName(typ, f.Key.Text())
		switch {
		case ok && f.Value.Kind() == document.Null:
			f.Value.Errorf("the member %q is written but has no value", f.Key.Text()).Suggest("give it a path or remove the line")
		case ok:
			all = append(all, c.setter(field, f.Value, within))
		case f.Key.Text() == "identifiers":
			f.Key.Errorf("identifiers stand under `ids`, not under `profile`")
		case typ == reflect.TypeFor[Profile]():
			document.UnknownMember(f.Key, "member", c.ProfileForm().Members())
		default:
			document.UnknownName(f.Key, "member", known)
		}
	}
	// In the order of the struct, so that the same reply makes the same record
	// however a definition is sorted.
	slices.SortStableFunc(all, func(a, b setter) int { return a.index - b.index })
	return all
}

func (c *Compiler) setter(field reflect.StructField, n *document.Node, within string) setter {
	s := setter{name: within + jsonName(field), index: field.Index[0], form: Form(field.Tag.Get("form")), holds: holdsOf(field.Type)}
	switch typ := field.Type; {
	case typ == reflect.TypeFor[time.Time](), typ == reflect.TypeFor[[]string]():
		s.expr = c.expr(n)
	case typ.Kind() == reflect.Slice:
		s.items = c.blocks(n, typ.Elem(), s.name+".")
	case typ.Kind() == reflect.Pointer && typ.Elem().Kind() == reflect.Struct:
		s.parts = c.setters(n, typ.Elem(), s.name+".")
	default:
		s.expr = c.expr(n)
	}
	return s
}

// blocks compiles the value of a list of objects: blocks, or plain paths that
// stand for `value`.
func (c *Compiler) blocks(n *document.Node, typ reflect.Type, within string) []block {
	var blocks []block
	for _, item := range n.OneOrMore() {
		if item.Kind() == document.Mapping && item.Field("path") == nil && item.Field("cel") == nil {
			blocks = append(blocks, c.block(item, typ, within))
			continue
		}
		field, ok := fieldByName(typ, "value")
		if !ok {
			item.Errorf("a plain path stands for `value`, and this member has none").
				Suggest("write a block: {%s: PATH, …}", memberNames(typ)[0])
			continue
		}
		blocks = append(blocks, block{members: []setter{c.setter(field, item, within)}, spread: true, value: valueIndex(typ)})
	}
	return blocks
}

func (c *Compiler) block(n *document.Node, typ reflect.Type, within string) block {
	b := block{value: valueIndex(typ)}
	if each := n.Field("each"); each != nil {
		b.each = c.Paths(each)
	}
	b.members = c.setters(n.Without("each"), typ, within, "each")
	if _, ok := fieldByName(typ, "value"); ok && n.Field("value") == nil {
		n.Errorf("the key \"value\" is missing").Suggest("every item needs a value: what it is called")
	}
	return b
}

// fieldByName finds a struct field that a definition may write, by its JSON name.
func fieldByName(typ reflect.Type, name string) (reflect.StructField, bool) {
	for i := range typ.NumField() {
		if field := typ.Field(i); jsonName(field) == name && field.Tag.Get("form") != "-" {
			return field, true
		}
	}
	return reflect.StructField{}, false
}

// memberNames are the JSON names that a definition may write in a struct type.
func memberNames(typ reflect.Type) []string {
	var names []string
	for i := range typ.NumField() {
		if field := typ.Field(i); field.Tag.Get("form") != "-" {
			names = append(names, jsonName(field))
		}
	}
	return names
}

func jsonName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return name
}

package adapters

import (
	"errors"
	"slices"
	"strings"

	"muster/config/document"
	"muster/normalize"
)

// comparison asks that what stands at a path is what was asked for. Where several
// values stand there, one of them must be: who has three addresses has each.
type comparison struct {
	path normalize.Path
	want template
}

func comparisonsType(c *normalize.Compiler) document.Type[[]comparison] {
	form := document.NamesOf(inComparison().form()).Like(`{email: "{id.email}"}`)
	form.About = "PATH: what was asked for"
	return document.Type[[]comparison]{Form: form, Read: func(into *[]comparison, n *document.Node) {
		for _, f := range n.Fields() {
			*into = append(*into, comparison{c.Path(f.Key), parseTemplate(f.Value, f.Value.Text(), 0, inComparison())})
		}
	}}
}

// kind is the kind of identifier that the comparison is about, "" for another value.
func (c *comparison) kind() string {
	if ids := c.want.refs("id"); len(ids) == 1 && len(c.want) == 1 {
		return ids[0]
	}
	return ""
}

// verdict is what a record says to a comparison.
type verdict int

const (
	unasked verdict = iota // nobody gave the identifier or setting to compare with
	unsaid                 // the record has no value at the path
	equal
	different
)

// compare compares what the record says with what was asked for. A tenant's value
// is always asked for: without it the record may be another tenant's.
func (d *Definition) compare(c comparison, at *normalize.Cursor, v *values) verdict {
	want, err := c.want.render(v, clean)
	if missing := (absentError{}); errors.As(err, &missing) && missing.ref.space != "tenant" {
		return unasked
	}
	if err != nil {
		return different
	}
	said := unsaid
	for found := range c.path.Values(at) {
		if _, twice := found.(normalize.Ambiguous); twice {
			return different
		}
		text, ok := normalize.ScalarText(found)
		switch {
		case ok && d.same(c.kind(), text, want):
			said = equal
		case said == unsaid:
			said = different
		}
	}
	return said
}

// same compares identifiers as their kind asks; GUIDs in any case (RFC 9562, 4),
// and what the definition says that its source takes in any case.
func (d *Definition) same(kind, a, b string) bool {
	if d.anyCase(kind) {
		kind = "username" // which compares in any case, and as carefully
	}
	return normalize.SameID(kind, a, b) || uuid.MatchString(a) && uuid.MatchString(b) && strings.EqualFold(a, b)
}

// anyCase tells whether the definition says so of the kind.
func (d *Definition) anyCase(kind string) bool {
	return slices.ContainsFunc(d.mapping.IDs(), func(rule normalize.IDRule) bool { return rule.Kind == kind && rule.AnyCase })
}

// allEqual tells whether nothing that the record says differs from what was asked
// for. What it leaves out does not differ.
func (d *Definition) allEqual(wanted []comparison, at *normalize.Cursor, v *values) bool {
	return !slices.ContainsFunc(wanted, func(c comparison) bool { return d.compare(c, at, v) == different })
}

// allSaid tells whether the record says all that was asked for.
func (d *Definition) allSaid(wanted []comparison, at *normalize.Cursor, v *values) bool {
	return !slices.ContainsFunc(wanted, func(c comparison) bool { return d.compare(c, at, v) != equal })
}

// picked keeps the hits that say what was asked for: a search that answers with
// what merely resembles it has not found it. What counts is what the lookup was
// sent with. An identifier that was at hand besides decides between several hits,
// and where none of them agrees with it, contradicted is true: they are other
// people. With nothing to pick by, the data stays as it is.
func (d *Definition) picked(data any, lookup *Lookup, v *values) (picked any, contradicted bool) {
	asked := d.askedWith(lookup, v)
	sent := func(kinds []string) bool { // which without any is sent to be picked from
		return asked == nil || !slices.ContainsFunc(kinds, func(kind string) bool { return !slices.Contains(asked, kind) })
	}
	var used, besides []comparison
	for _, c := range d.response.pick {
		switch {
		case d.compare(c, normalize.At(nil), v) == unasked:
		case sent(c.want.refs("id")):
			used = append(used, c)
		default:
			besides = append(besides, c)
		}
	}
	if used == nil && besides == nil {
		return data, false
	}
	items, isList := data.([]any)
	if !isList {
		items = []any{data}
	}
	keep := func(items []any, test func(at *normalize.Cursor) bool) []any {
		return slices.DeleteFunc(slices.Clone(items), func(item any) bool {
			_, isObject := item.(map[string]any)
			return !isObject && !d.response.list || !test(normalize.At(item))
		})
	}
	hits := keep(items, func(at *normalize.Cursor) bool { return d.allSaid(used, at, v) })
	agreeing := keep(hits, func(at *normalize.Cursor) bool {
		if len(hits) == 1 && !d.response.list { // the one that was found need not say more
			return d.allEqual(besides, at, v)
		}
		return d.allSaid(besides, at, v)
	})
	return agreeing, len(hits) > 0 && len(agreeing) == 0 && !d.response.list
}

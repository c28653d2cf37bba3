package adapters

import (
	"regexp"
	"slices"
	"strings"

	"muster/config/document"
	"muster/normalize"
)

// A lookup that names nobody, such as GET /userinfo, is sent without an identifier:
// its record is whoever the credential is for. It is sent only where that can be
// compared with the person asked for, by an identifier under `pick` or `match`, and
// believed only when it has been.

// ways are the sets of identifiers that a lookup can be sent with: those in its
// address and body. Where it has none there, each that `query` or `headers` add, and
// each that its record can be compared by.
func (d *Definition) ways(l *Lookup) [][]string {
	if kinds := d.identifiersOf(l); kinds != nil {
		return [][]string{kinds}
	}
	templates := parameterTemplates(d.headers, d.query)
	for _, c := range d.comparisons() {
		templates = append(templates, c.want)
	}
	var ways [][]string
	for _, t := range templates {
		way := t.refs("id")
		if way != nil && !slices.ContainsFunc(ways, func(other []string) bool { return slices.Equal(way, other) }) {
			ways = append(ways, way)
		}
	}
	return ways
}

// askedWith are the kinds of identifiers that the lookup is sent with. Of those that
// `query` and `headers` add, what has no value is left out.
func (d *Definition) askedWith(l *Lookup, v *values) []string {
	kinds := d.identifiersOf(l)
	for _, t := range parameterTemplates(d.headers, d.query) {
		if v.known(t) {
			kinds = append(kinds, t.refs("id")...)
		}
	}
	return kinds
}

// known tells whether the template has identifiers, all of them at hand.
func (v *values) known(t template) bool {
	kinds := t.refs("id")
	return kinds != nil && !slices.ContainsFunc(kinds, func(kind string) bool { return v.query.IDs[kind] == "" })
}

func (d *Definition) comparisons() []comparison {
	return slices.Concat(d.response.match, d.response.pick)
}

// way is the first set of identifiers that are all at hand, nil when there is
// none; missing is then what the first set lacks.
func (d *Definition) way(l *Lookup, q Query) (way, missing []string) {
	for _, way := range d.ways(l) {
		lacks := slices.DeleteFunc(slices.Clone(way), func(kind string) bool { return q.IDs[kind] != "" })
		if len(lacks) == 0 {
			return way, nil
		}
		if missing == nil {
			missing = lacks
		}
	}
	return nil, missing
}

// compared tells whether the record of a lookup that names nobody is that of the
// person asked for: whether one of the identifiers at hand stands in it (that
// none differs has been seen to), and the source stands by it. An e-mail address
// that it has not verified, and so does not yield, is anybody's who typed it.
func (d *Definition) compared(data any, record normalize.Record, v *values) bool {
	_, isList := data.([]any)
	if isList && slices.ContainsFunc(d.response.pick, func(c comparison) bool { return v.known(c.want) }) {
		return true // every element of the list has been
	}
	at := normalize.At(data)
	return slices.ContainsFunc(d.comparisons(), func(c comparison) bool {
		return v.known(c.want) && d.compare(c, at, v) == equal && d.standsBy(record, c.kind(), v)
	})
}

// standsBy tells whether a source that yields a kind of identifier yields the one
// asked for. Of a kind that it does not yield, what its record says must do.
func (d *Definition) standsBy(record normalize.Record, kind string, v *values) bool {
	yields := slices.ContainsFunc(d.mapping.IDs(), func(rule normalize.IDRule) bool { return rule.Kind == kind })
	return !yields || slices.ContainsFunc(record.IDs, func(id normalize.Identifier) bool {
		return id.Kind == kind && d.same(kind, id.Value, v.query.IDs[kind])
	})
}

// checkNobody reports lookups that name nobody and whose record could not be
// compared with anybody.
func (d *Definition) checkNobody(n *document.Node) {
	response := n.Field("response")
	for _, place := range []*document.Node{n.Field("json"), n.Field("form"), n.Field("query"), n.Field("headers"), response.Field("match"), response.Field("pick")} {
		if mayName(place) {
			return
		}
	}
	for i, item := range n.Field("lookup").OneOrMore() {
		if d.lookups[i].host != nil && !mayName(item) {
			item.Errorf("the lookup names nobody, and nothing tells whose record it brings").
				Suggest("write {id.KIND} into the address, or compare the record under response: {match: {PATH: \"{id.KIND}\"}}")
		}
	}
}

// mayName tells whether there is a placeholder that may mean a person: one that is
// wrong has been reported.
func mayName(n *document.Node) (found bool) {
	n.WalkText(func(text *document.Node) {
		found = found || strings.ContainsAny(nobodys.ReplaceAllString(text.Text(), ""), "{}")
	})
	return found
}

// nobodys are the placeholders that stand for no person.
var nobodys = regexp.MustCompile(`\{(settings|tenant)\.[^{}]*\}`)

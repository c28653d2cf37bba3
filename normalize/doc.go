// Package normalize turns what upstream systems say about a person into one
// canonical form, and many such parts into one profile.
//
// It is pure: no network, no clock, no configuration files. What happens to a
// reply reads from top to bottom like this:
//
//	tree, err := normalize.ParseJSON(body)            // exact numbers, no ambiguity
//	record, notes, err := mapping.Apply(scope, now)   // a Record: one source's part
//	profile, provenance := normalize.Merge(rules, parts, now)
//
// The words:
//
//   - a Path walks into a reply and steps through lists by itself (path.go);
//   - a Mapping is compiled once per definition from its `profile` and `ids`
//     (mapping.go, value.go) and then applied to every reply (apply.go);
//   - a conversion brings a value into its canonical form: e-mail, BCP 47,
//     ISO 3166, E.164, RFC 3339 (convert.go);
//   - a Condition is a closed question about a reply (condition.go), and CEL is
//     the way out for what a path cannot say (cel.go, celtext.go);
//   - Merge joins the parts by rules, never by order of arrival (merge.go), and
//     says in its Provenance who won, who agreed and who was overruled.
//
// Absence never removes a value: null, "", [], {} and [null] all mean that the
// source says nothing.
package normalize

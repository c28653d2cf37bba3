package adapters

import (
	"slices"
	"strings"
	"time"

	"muster/config/document"
)

// Audit warns of what is legal and unwise in a definition, at the words that its
// own file writes. What it inherits is told of the file that says it.
func (d *Definition) Audit(r *Resolved, warn *document.Problems) {
	own := r.Own
	d.auditIdentifiers(own.Field("ids"), warn)
	d.auditComparisons(own.Field("lookup"), warn)
	d.auditAddresses(own, warn)
	if path := own.Field("profile").Field("attributes").Field("path"); path != nil {
		warn.Warnf(path, "whole-object", "whatever the upstream puts into %q is carried along, today and later", path.Text()).
			Suggest("name what is wanted: attributes: {NAME: PATH, …}")
	}
	if none := own.Field("auth").Field("none"); none != nil && d.tls.Cert == "" {
		warn.Warnf(none, "no-credential", "the upstream answers whoever asks").
			Suggest("is that so? An upstream that knows people should ask who wants to know; a client certificate goes under `tls`")
	}
	if tests := own.Field("tests"); tests != nil && !slices.ContainsFunc(d.tests, func(t inlineTest) bool { return t.expect.outcome == "absent" }) {
		warn.Warnf(tests.Key(), "absence-untested", "no test shows how the upstream says that it knows no such person").
			Suggest("add one with `expect: {outcome: absent}`: what is taken for a failure instead opens the breaker, or is asked again")
	}
	if limits := own.Field("limits"); limits != nil {
		effective := DefaultLimits()
		ReadLimits(&effective, limits)
		AuditLimits(effective, func(key, within string) *document.Node { return LimitAt(limits, key, within) }, warn)
	}
}

// LimitAt is the word at which limits say something, nil where they do not.
func LimitAt(limits *document.Node, key, within string) *document.Node {
	if within == "" {
		return limits.Field(key)
	}
	return limits.Field(key).Field(within)
}

// keptLong is how long what was known of a person may stand in before a reviewer
// should have heard of it.
const keptLong = 24 * time.Hour

// AuditLimits warns of limits that are legal and unwise. At finds the word that
// says one, by its key and the key within, nil where nobody wrote it.
func AuditLimits(l Limits, at func(key, within string) *document.Node, warn *document.Problems) {
	if n := at("cache", "ttl"); n != nil && l.Cache.TTL == 0 {
		warn.Warnf(n, "cache-off", "every lookup asks the upstream: nothing is kept").
			Suggest("even a few seconds spare it whoever asks twice: ttl: 10s")
	}
	for _, key := range []string{"ttl", "stale"} {
		if n := at("cache", key); n != nil && l.Cache.TTL+l.Cache.Stale > keptLong {
			warn.Warnf(n, "kept-long", "a person may be shown as they were %s ago", span(l.Cache.TTL+l.Cache.Stale)).
				Suggest("who has lost a role or has left is still shown with it; keep `ttl` and `stale` together within %s", span(keptLong))
			break
		}
	}
	if n := at("breaker", "failures"); n != nil && l.Breaker.Failures >= 1 {
		warn.Warnf(n, "breaker-blind", "the breaker opens only when every single call within %v fails", l.Breaker.Window).
			Suggest("one success keeps it closed; for example 50%%")
	}
	if l.Rate.Calls > 0 {
		most := float64(l.Rate.Calls) * l.Breaker.Window.Seconds() / l.Rate.Per.Seconds()
		for _, place := range [][2]string{{"breaker", "min"}, {"breaker", "window"}, {"rate", ""}} {
			if n := at(place[0], place[1]); n != nil && most < float64(l.Breaker.Min) {
				warn.Warnf(n, "breaker-blind", "the breaker never opens: it waits for %d calls within %v, and the rate allows %d", l.Breaker.Min, l.Breaker.Window, int(most)).
					Suggest("a smaller breaker.min, or a longer breaker.window")
				break
			}
		}
	}
}

// span is a time span without the units that are zero: 24h, not 24h0m0s.
func span(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// auditIdentifiers looks at how well identifiers are proved.
func (d *Definition) auditIdentifiers(ids *document.Node, warn *document.Problems) {
	if ids.Kind() != document.Mapping {
		return
	}
	for _, f := range ids.Fields() {
		for _, value := range f.Value.OneOrMore() {
			if assumed := value.Field("verified"); assumed != nil {
				warn.Warnf(assumed, "email-assumed", "whoever may change this address there becomes whoever has it elsewhere").
					Suggest("where the upstream has a flag: {path: …, when: {FLAG: true}}; else be sure that nobody edits their own address there")
			}
			if check := value.Field("check"); check != nil && check.Text() == "false" {
				warn.Warnf(check, "check-off", "a record may have another identifier (%s) than was asked for", f.Key.Text()).
					Suggest("leave `check` out, unless the upstream is known to answer with another form of the same")
			}
		}
	}
}

// auditComparisons looks for lookups whose reply is believed whoever it is about.
func (d *Definition) auditComparisons(lookup *document.Node, warn *document.Problems) {
	if lookup == nil {
		return
	}
	var compared []string
	for _, rule := range d.mapping.IDs() {
		if rule.Check {
			compared = append(compared, rule.Kind)
		}
	}
	for _, c := range slices.Concat(d.response.match, d.response.pick) {
		compared = append(compared, c.want.refs("id")...)
	}
	for i, item := range lookup.OneOrMore() {
		asked := d.identifiersOf(&d.lookups[i])
		if !slices.ContainsFunc(append(asked, d.optionalIdentifiers()...), func(kind string) bool { return slices.Contains(compared, kind) }) {
			warn.Warnf(item, "record-unchecked", "nothing compares the record with the person who was asked for").
				Suggest("yield the identifier under `ids`, or write response.match: {PATH: \"{id.KIND}\"}: a wrong record is then a mismatch")
		}
	}
}

// auditAddresses looks for secrets where logs would have them.
func (d *Definition) auditAddresses(own *document.Node, warn *document.Problems) {
	for _, key := range []string{"lookup", "query"} {
		own.Field(key).WalkText(func(text *document.Node) {
			for _, found := range settingPlaceholder.FindAllStringSubmatchIndex(text.Text(), -1) {
				name := text.Text()[found[2]:found[3]]
				if slices.ContainsFunc(d.settings, func(s Setting) bool { return s.Name == name && s.Format == "secret" }) {
					warn.WarnfAt(text, found[0], found[1]-found[0], "secret-in-address", "addresses stand in the logs of everything that they pass, and this one has a secret in it").
						Suggest("send it as a header, if the upstream has one for it: auth: {header: {NAME: \"{settings.%s}\"}}", name)
				}
			}
		})
	}
}

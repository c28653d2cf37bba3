package httpapi

import (
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"muster/cache"
	"muster/gateway"
)

// readLookup makes the engine's query of a request. The path's segments come as
// they were sent.
func readLookup(r *http.Request, tenant, user string) (gateway.Query, *gateway.RequestError) {
	p := readParameters(r.URL.RawQuery, "fields", "sources", "provenance")
	q := gateway.Query{
		Tenant:     p.segment(tenant),
		User:       p.segment(user),
		Fields:     p.list("fields"),
		Sources:    p.list("sources"),
		Provenance: p.flag("provenance"),
		Strict:     strict(r.Header.Values("Prefer")),
		Want:       want(r.Header.Values("Cache-Control")),
	}
	return q, p.refused
}

// parameters reads the parts of an address. The first that cannot be read is
// told in refused; nothing that the caller sent is repeated there, for it may be
// a token or a person.
type parameters struct {
	values  url.Values
	refused *gateway.RequestError
}

// readParameters reads a query that may have these parameters and no others: a
// misspelt one would otherwise be an answer to another question.
func readParameters(query string, known ...string) *parameters {
	p := new(parameters)
	var err error
	if p.values, err = url.ParseQuery(query); err != nil {
		p.refuse("The query cannot be read.", "Percent-encode names and values; separate parameters by &.")
		return p
	}
	for name := range p.values {
		if !slices.Contains(known, name) {
			p.refuse("The query has a parameter that is not known.", "Use: "+strings.Join(known, ", ")+". A token belongs into the Authorization header.")
		}
	}
	return p
}

func (p *parameters) refuse(reason, resolution string) {
	if p.refused == nil {
		p.refused = &gateway.RequestError{Status: http.StatusBadRequest, Title: "Bad request.", Reason: reason, Resolution: resolution}
	}
}

// segment decodes a segment of the path, once. A "+" stays one.
func (p *parameters) segment(text string) string {
	decoded, err := url.PathUnescape(text)
	if err != nil {
		p.refuse("The path cannot be read.", "Percent-encode the identifier.")
	}
	return decoded
}

// list reads names that are separated by commas or given one by one; nil when
// the parameter is not there.
func (p *parameters) list(name string) []string {
	var names []string
	for _, value := range p.values[name] {
		for item := range strings.SplitSeq(value, ",") {
			if item = strings.TrimSpace(item); item == "" {
				p.refuse("The parameter "+name+" has an empty name.", "Separate names by single commas, or leave the parameter out.")
			}
			names = append(names, item)
		}
	}
	return names
}

// one reads a parameter that may be given once; "" when it is not there.
func (p *parameters) one(name string) string {
	switch values := p.values[name]; {
	case len(values) == 0:
		return ""
	case len(values) > 1 || values[0] == "":
		p.refuse("The parameter "+name+" is empty, or given more than once.", "Give it once, with a value, or leave it out.")
		return ""
	default:
		return values[0]
	}
}

func (p *parameters) flag(name string) bool {
	switch p.one(name) {
	case "true":
		return true
	case "", "false":
		return false
	default:
		p.refuse("The parameter "+name+" is neither true nor false.", "Write "+name+"=true or "+name+"=false.")
		return false
	}
}

// want reads the Cache-Control of a request (RFC 9111 section 5.2.1). Of several
// limits the strictest holds; directives of other kinds are ignored.
func want(lines []string) cache.Want {
	var w cache.Want
	for _, directive := range elements(lines, ',') {
		switch name, value := pair(directive); name {
		case "no-cache":
			w.NoCache = true
		case "only-if-cached":
			w.OnlyIfCached = true
		case "max-age":
			w.MaxAge = tighter(w.MaxAge, deltaSeconds(value))
		case "max-stale":
			limit := deltaSeconds(value)
			if value == "" {
				limit = math.MaxInt64
			}
			w.MaxStale = tighter(w.MaxStale, limit)
		}
	}
	return w
}

func tighter(limit *time.Duration, other time.Duration) *time.Duration {
	if limit != nil && *limit < other {
		return limit
	}
	return &other
}

// handlingStrict is the one preference that is honoured, as it is echoed.
const handlingStrict = "handling=strict"

// strict tells whether a Prefer header (RFC 7240) has handling=strict. Of one
// preference given twice the first counts (section 2).
func strict(lines []string) bool {
	for _, preference := range elements(lines, ',') {
		name, value := pair(elements([]string{preference}, ';')[0])
		if name == "handling" {
			return strings.EqualFold(value, "strict")
		}
	}
	return false
}

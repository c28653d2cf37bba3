package httpapi

import (
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"muster/cache"
	"muster/gateway"
)

// readLookup makes the engine's query of a request, all but its preferences. The
// path's segments come as they were sent.
func readLookup(r *http.Request, tenant, user string) (gateway.Query, *gateway.RequestError) {
	p := readParameters(r.URL.RawQuery, lookupParameters()...)
	q := readQuery(r, p)
	q.Tenant, q.User = p.segment(tenant), p.segment(user)
	return q, p.refused
}

// lookupParameters are those that vary what is answered about a person.
func lookupParameters() []string { return []string{"fields", "sources", "provenance", "explain"} }

// readQuery reads of a request what varies an answer, whomever it is about.
func readQuery(r *http.Request, p *parameters) gateway.Query {
	return gateway.Query{
		Fields:     p.list("fields"),
		Sources:    p.list("sources"),
		Provenance: p.flag("provenance"),
		Explain:    p.flag("explain"),
		Want:       want(r.Header.Values("Cache-Control")),
	}
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
	use := "Leave it out."
	if known != nil {
		use = "Use: " + strings.Join(known, ", ") + "."
	}
	for name := range p.values {
		if !slices.Contains(known, name) {
			p.refuse("The query has a parameter that is not known.", use+" A token belongs into the Authorization header.")
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

// preferences are what of a Prefer header (RFC 7240) is honoured.
type preferences struct {
	strict  bool           // handling=strict: a partial answer is an error
	wait    *time.Duration // wait: answer by then with what is there
	applied []string       // as Preference-Applied echoes them
}

// readPreferences reads a Prefer header. Of one preference given twice the first
// counts (section 2); one that is not known, or has no value that makes sense, is
// ignored.
func readPreferences(lines []string) preferences {
	var p preferences
	seen := map[string]bool{}
	for _, preference := range elements(lines, ',') {
		name, value := pair(elements([]string{preference}, ';')[0])
		if seen[name] {
			continue
		}
		seen[name] = true
		switch name {
		case "handling":
			if p.strict = strings.EqualFold(value, "strict"); p.strict {
				p.applied = append(p.applied, "handling=strict")
			}
		case "wait":
			if wait, ok := decimalSeconds(value); ok {
				p.wait = &wait
				p.applied = append(p.applied, "wait="+value)
			}
		}
	}
	return p
}

// decimalSeconds reads seconds with or without a fraction: RFC 7240 has whole
// ones, and a page that wants to show something soon thinks in tenths.
func decimalSeconds(text string) (time.Duration, bool) {
	if len(text) > 9 || strings.Trim(text, "0123456789.") != "" {
		return 0, false
	}
	seconds, err := strconv.ParseFloat(text, 64)
	return time.Duration(seconds * float64(time.Second)), err == nil
}

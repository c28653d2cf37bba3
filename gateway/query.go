package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"muster/cache"
	"muster/normalize"
)

// Query is what a caller asks.
type Query struct {
	Tenant string
	User   string // KIND:VALUE, or a value of the tenant's default kind
	// IDs are what the person is called, by kind of identifier, in place of User.
	// Several are the caller's word that they are one person's.
	IDs         map[string]string
	Fields      []string // only these members; nil for all
	Sources     []string // only these sources; nil for all
	Provenance  bool     // also who won, who agreed and who was overruled
	Explain     bool     // also how the answer came about; needs the scope muster.explain
	Strict      bool     // RFC 7240 handling=strict: a partial answer is an error
	Want        cache.Want
	OperationID string // of the trace, and of the answer

	// Caller is who asks; nil where nobody is known. Sources whose credential is
	// the caller's fail without one.
	Caller *Caller
}

// RequestError is why a lookup could not begin. Its texts are for the caller.
type RequestError struct {
	Status                    int
	Title, Reason, Resolution string
	Scope                     string        // that the caller's token lacks; "" where that is not why
	RetryAfter                time.Duration // when asking again may help; 0 where that is not known
}

// lacks refuses a caller without a scope.
func lacks(scope, reason, resolution string) *RequestError {
	return &RequestError{Status: http.StatusForbidden, Title: "Forbidden.", Reason: reason, Resolution: resolution, Scope: scope}
}

// Error is the reason.
func (e *RequestError) Error() string { return e.Reason }

func badRequest(resolution, reason string, args ...any) *RequestError {
	return &RequestError{Status: http.StatusBadRequest, Title: "Bad request.", Reason: fmt.Sprintf(reason, args...), Resolution: resolution}
}

// ParseUser splits a {user} at its first colon. A text without one is of the
// default kind. The value comes back in its canonical form.
func ParseUser(text string, accept []string, defaultKind string) (kind, value string, err *RequestError) {
	accepted := "Use one of: " + strings.Join(accept, ", ") + "."
	kind, value, named := strings.Cut(text, ":")
	switch {
	case !named && defaultKind == "":
		return "", "", badRequest(accepted, "The user names no kind of identifier, and the tenant has no default.")
	case !named:
		kind, value = defaultKind, text
	case !slices.Contains(accept, kind):
		return "", "", badRequest(accepted, "The kind of identifier before the first colon is not accepted.")
	}
	if value, err = canonical("identifier", "Write KIND:VALUE, for example email:jane@acme.example.", kind, value); err != nil {
		return "", "", err
	}
	return kind, value, nil
}

// canonical is an identifier's value in its canonical form. A refusal calls it by
// a name that is not the caller's, and has a word for those that are empty.
func canonical(name, empty, kind, value string) (string, *RequestError) {
	tooLong := badRequest(fmt.Sprintf("Use at most %d bytes.", normalize.MaxIdentifier), "The %s is too long.", name)
	switch {
	case !utf8.ValidString(value):
		return "", badRequest("Percent-encode the identifier as UTF-8.", "The %s is not UTF-8 text.", name)
	case strings.ContainsFunc(value, unicode.IsControl):
		return "", badRequest("Remove them.", "The %s has control characters.", name)
	case len(value) > normalize.MaxIdentifier:
		return "", tooLong
	}
	switch value = normalize.CanonicalID(kind, value); {
	case value == "":
		return "", badRequest(empty, "The %s is empty.", name)
	case len(value) > normalize.MaxIdentifier: // NFC and IDNA can make it longer
		return "", tooLong
	}
	return value, nil
}

// readIDs checks what a person is called, in the order in which kinds are accepted.
func readIDs(ids map[string]string, accept []string) ([]normalize.Identifier, *RequestError) {
	accepted := "Use one of: " + strings.Join(accept, ", ") + "."
	if len(ids) == 0 {
		return nil, badRequest(accepted, "The user has no identifier.")
	}
	own := make([]normalize.Identifier, 0, len(ids))
	for _, kind := range accept {
		value, given := ids[kind]
		if !given || slices.ContainsFunc(own, func(id normalize.Identifier) bool { return id.Kind == kind }) {
			continue
		}
		value, refused := canonical(kind, "Give it a value, or leave it out.", kind, value)
		if refused != nil {
			return nil, refused
		}
		own = append(own, normalize.Identifier{Kind: kind, Value: value})
	}
	if len(own) < len(ids) {
		return nil, badRequest(accepted, "The user has a kind of identifier that is not accepted.")
	}
	return own, nil
}

// asked is a query that has been checked against a configuration.
type asked struct {
	tenant *Tenant
	own    []normalize.Identifier // what the caller calls the person; at least one, each of another kind
	fields *normalize.Selection   // nil for all
	only   []string               // sources; nil for all
	caller *Caller                // nil where nobody is known
	rights *rights                // of the caller; nil is everything
	id     string                 // of the person, once that is known
	begun  time.Time              // to be looked up
	known  bool                   // the caller may be told of the person, if only the id

	nameless bool // identifiers are hidden from the caller

	linksDown bool // the operator's links, which may know better, could not be asked

	account *account // for the audit
}

// kinds are those of the caller's own identifiers.
func (a asked) kinds() []string {
	kinds := make([]string, len(a.own))
	for i, id := range a.own {
		kinds[i] = id.Kind
	}
	return kinds
}

// TenantFor finds the tenant for whoever asks; nil where nobody is known. A tenant
// that is not theirs and one that does not exist are the same refusal.
func (l *Live) TenantFor(who *Caller, name string) (*Tenant, *RequestError) {
	if refused := who.Admit(name); refused != nil {
		return nil, refused
	}
	tenant, ok := l.Tenants[name]
	if !ok {
		return nil, UnknownTenant(name)
	}
	return tenant, nil
}

// UnknownTenant refuses a tenant that is not configured. It is called by its name
// where that can be a tenant's: anything else may be a person, put in the wrong place.
func UnknownTenant(name string) *RequestError {
	reason := "No such tenant is configured."
	if tenantLike.MatchString(name) {
		reason = "No tenant '" + name + "' is configured."
	}
	return &RequestError{Status: http.StatusNotFound, Title: "Tenant not found.", Reason: reason, Resolution: "Use one of your tenants."}
}

var tenantLike = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$`)

func (l *Live) check(q Query) (asked, *RequestError) {
	a, refused := l.scope(q)
	if refused != nil {
		return asked{}, refused
	}
	if q.IDs != nil {
		a.own, refused = readIDs(q.IDs, l.Accept)
		return a, refused
	}
	kind, value, refused := ParseUser(q.User, l.Accept, a.tenant.DefaultIdentifier)
	a.own = []normalize.Identifier{{Kind: kind, Value: value}}
	return a, refused
}

// scope checks all of a query but the person.
func (l *Live) scope(q Query) (asked, *RequestError) {
	tenant, refused := l.TenantFor(q.Caller, q.Tenant)
	if refused != nil {
		return asked{}, refused
	}
	rights, refused := l.Policies.of(q.Caller)
	if refused != nil {
		return asked{}, refused
	}
	if q.Explain && q.Caller != nil && !q.Caller.Has(ScopeExplain) {
		return asked{}, lacks(ScopeExplain, "To explain needs the scope "+ScopeExplain+".", "Leave explain out, or come with a token that has the scope.")
	}
	a := asked{tenant: tenant, only: q.Sources, caller: q.Caller, rights: rights}
	if q.Fields != nil {
		selection, err := normalize.NewSelection(q.Fields)
		if unknown := (*normalize.UnknownMemberError)(nil); errors.As(err, &unknown) {
			return asked{}, badRequest("Use: "+strings.Join(unknown.Known, ", ")+".", "The member %.64q in fields is not known.", unknown.Path)
		}
		a.fields = &selection
	}
	if a.fields, refused = rights.narrow(a.fields); refused != nil {
		return asked{}, refused
	}
	for _, name := range q.Sources {
		if !slices.ContainsFunc(l.Sources, func(s *Source) bool { return s.Name == name }) {
			return asked{}, badRequest("Use: "+strings.Join(l.sourceNames(), ", ")+".", "The source %.64q in sources is not known.", name)
		}
	}
	return a, nil
}

func (l *Live) sourceNames() []string {
	names := make([]string, len(l.Sources))
	for i, s := range l.Sources {
		names[i] = s.Name
	}
	return names
}

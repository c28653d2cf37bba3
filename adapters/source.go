package adapters

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"muster/config/document"
	"muster/normalize"
)

// Source is a Definition bound to one deployment: its name, its settings, its
// limits and the connection it uses. It is an Adapter and safe for concurrent use.
type Source struct {
	name       string
	definition *Definition
	limits     Limits
	settings   Settings
	credential *credential
	transport  http.RoundTripper
	now        func() time.Time
	noted      func([]normalize.Note) // of an inline test, which asks whose fault they are; else nil
}

// Bind makes a Source. The settings must be complete (see Definition.Settings);
// limits are the gateway's defaults, over which the definition's and then the
// deployment's own are laid, key by key. The transport must not follow
// redirects, which an http.RoundTripper never does.
func (d *Definition) Bind(name string, settings Settings, defaults Limits, own *document.Node, transport http.RoundTripper) *Source {
	for _, layer := range []*document.Node{d.limits, own} {
		if layer != nil {
			ReadLimits(&defaults, layer)
		}
	}
	filled := d.filled(settings)
	return &Source{
		name: name, definition: d, limits: defaults, settings: filled, transport: transport, now: time.Now,
		credential: newCredential(d.auth, filled, transport),
	}
}

// filled are the settings that the definition uses, with its defaults.
func (d *Definition) filled(settings Settings) Settings {
	filled := Settings{}
	for _, reference := range d.secrets {
		filled[reference.Text()] = settings[reference.Text()]
	}
	for _, s := range d.settings {
		if value, ok := settings[s.Name]; ok {
			filled[s.Name] = value
		} else if s.Default != "" {
			filled[s.Name] = NewSecret(s.Default)
		}
	}
	return filled
}

// Members are the profile's top-level members that the source can give.
func (s *Source) Members() []string { return s.definition.Members() }

// Name is what the deployment calls the source.
func (s *Source) Name() string { return s.name }

// Definition is what the source was made from.
func (s *Source) Definition() *Definition { return s.definition }

// Limits are those in force for the source.
func (s *Source) Limits() Limits { return s.limits }

// Hash changes when what the source asks or maps changes: its definition, or a
// setting. Records kept under another hash are another source's.
func (s *Source) Hash() string {
	sum := sha256.New()
	sum.Write([]byte(s.definition.hash))
	for _, name := range slices.Sorted(maps.Keys(s.settings)) {
		value := s.settings[name].Reveal()
		_, _ = fmt.Fprintf(sum, "%d:%s%d:%s", len(name), name, len(value), value)
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

// Needs are the kinds of identifiers that the source can be asked with: one set
// for each lookup, in order, or for each identifier that the record of a lookup
// which names nobody is compared by. Self is the source's own kind.
func (s *Source) Needs() [][]string {
	needs := make([][]string, 0, len(s.definition.lookups))
	for i := range s.definition.lookups {
		needs = append(needs, s.definition.ways(&s.definition.lookups[i])...)
	}
	return needs
}

// TenantNeeds are the tenant's values that any lookup or comparison names. For a
// tenant that lacks one the source is skipped (providers.md, "tenants").
func (s *Source) TenantNeeds() []string {
	var needs []string
	for i := range s.definition.lookups {
		for _, t := range s.definition.required(&s.definition.lookups[i]) {
			for _, name := range t.refs("tenant") {
				if !slices.Contains(needs, name) {
					needs = append(needs, name)
				}
			}
		}
	}
	return needs
}

// Yields are the kinds of identifiers that the source gives; Self is its own.
func (s *Source) Yields() []string {
	var kinds []string
	for _, rule := range s.definition.mapping.IDs() {
		kinds = append(kinds, rule.Kind)
	}
	return kinds
}

// Vouches tells whether the source yields a kind of identifier, and every value of
// it under a condition: an address then that it has verified.
func (s *Source) Vouches(kind string) bool {
	yields := false
	for _, rule := range s.definition.mapping.IDs() {
		if rule.Kind == kind {
			yields = true
			if !rule.Verified {
				return false
			}
		}
	}
	return yields
}

// Choose returns the kinds of identifiers that shape the lookup that is sent with
// what is known: the first whose identifiers are at hand and fit their places.
// Where none of them fits, used is what the first of them would take, and Check
// says why it is not sent. When none is at hand, missing has what the first lookup
// lacks.
func (s *Source) Choose(q Query) (used, missing []string) {
	_, lookup, _ := s.prepare(q)
	if lookup == nil {
		_, missing = s.definition.way(&s.definition.lookups[0], q)
		return nil, missing
	}
	used, _ = s.definition.way(lookup, q)
	used = slices.Clone(used)
	for _, kind := range s.definition.optionalIdentifiers() {
		if q.IDs[kind] != "" && !slices.Contains(used, kind) {
			used = append(used, kind)
		}
	}
	return used, nil
}

// Check tells whether the query's values fit their places in a lookup, before
// anything is sent: a Fault of kind invalid when they fit in none whose
// identifiers are at hand.
// With a credential that is the caller's it tells as well that nothing can be
// asked for this one: denied, before what another token of theirs has brought is
// looked for.
func (s *Source) Check(q Query) *Fault {
	if _, _, err := s.prepare(q); err != nil {
		return FaultOf(err)
	}
	return s.credential.admit(q.Caller)
}

// Fetch asks the upstream. A token that is refused is replaced once, if it is one
// that we have fetched: a caller has no other.
func (s *Source) Fetch(ctx context.Context, q Query) (Reply, error) {
	reply, used, err := s.ask(ctx, q)
	if err != nil && FaultOf(err).Kind == Unauthenticated && used != "" && s.credential.renewable() {
		s.credential.forget(q.Caller, used)
		reply, _, err = s.ask(ctx, q)
	}
	return reply, err
}

// prepare builds the request for the first lookup whose identifiers are at hand
// and fit their places. Where they fit in none, the fault and the lookup are those
// of the first that has them; where no lookup has them, the lookup is nil.
func (s *Source) prepare(q Query) (*http.Request, *Lookup, error) {
	v := values{query: q, settings: s.settings}
	var unfit *Lookup
	var fault error
	for i := range s.definition.lookups {
		lookup := &s.definition.lookups[i]
		if way, _ := s.definition.way(lookup, q); way == nil {
			continue
		}
		request, err := s.definition.request(lookup, &v)
		if err == nil {
			return request, lookup, nil
		}
		if unfit != nil {
			continue
		}
		unfit, fault = lookup, Fail(Invalid, err.Error(), err)
		if missing := (absentError{}); errors.As(err, &missing) && missing.ref.space == "settings" {
			fault = Fail(Misconfigured, err.Error(), err)
		}
	}
	if unfit == nil {
		return nil, nil, Fail(Invalid, "no lookup can be sent with the identifiers at hand", nil)
	}
	return nil, unfit, fault
}

// ask sends one request and returns the token that it carried, if any.
func (s *Source) ask(ctx context.Context, q Query) (Reply, string, error) {
	request, lookup, err := s.prepare(q)
	if err != nil {
		return Reply{}, "", err
	}
	request = request.WithContext(ctx)
	used, err := s.credential.authorize(ctx, request, q.Caller)
	if err != nil {
		return Reply{}, "", err
	}
	response, err := s.transport.RoundTrip(request) //nolint:bodyclose // receive closes it
	if err != nil {
		return Reply{}, used, transportFault(ctx, err, "asking")
	}
	got, err := receive(ctx, response, s.limits.MaxBytes)
	if err != nil {
		return Reply{}, used, err
	}
	reply, notes, err := s.definition.interpret(got, lookup, &values{query: q, settings: s.settings}, s.now().UTC())
	if s.noted != nil {
		s.noted(notes)
	}
	s.conceal(q, request, used, append(reply.Children, FaultOf(err))...)
	return reply, used, err
}

// SelfKind gives the kinds that a source calls its own the name by which the
// rest of Muster knows them: the source's.
func (s *Source) SelfKind(kind string) string {
	if kind == normalize.Self {
		return s.name
	}
	return kind
}

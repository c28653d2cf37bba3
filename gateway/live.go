package gateway

import (
	"maps"
	"slices"
	"time"

	"muster/adapters"
	"muster/normalize"
)

// Live is one configuration, ready to be asked. It is immutable.
type Live struct {
	Sources []*Source // as configured: the order of answers
	Tenants map[string]*Tenant
	Accept  []string // kinds of identifiers that a caller may send
	Rules   normalize.Rules
	Links   Links
	Budget  time.Duration // for a whole lookup

	// Pseudonyms are what people are called in spans, the log and audit records; nil
	// leaves them out.
	Pseudonyms *Pseudonyms

	// Policies say who sees what; nil is everybody everything.
	Policies *Policies
	Waves    int // how far a chain of identifiers is followed; 0 and 1 not at all

	// LinksFor is how long it is kept what sources have said of who is who; 0 for not
	// at all.
	LinksFor time.Duration
}

// Tenant is a customer of the gateway and what the upstreams call it.
type Tenant struct {
	Name              string
	IDs               map[string]string // {tenant.NAME} in definitions
	DefaultIdentifier string            // the kind of a {user} that names none
	Providers         []string          // when given, only these sources
	Rate              adapters.Rate     // of people that its callers may ask for together; zero for any
}

// Source is one upstream as the gateway sees it.
type Source struct {
	Name     string
	About    string
	Chain    []string // its definition's name and those it was made from
	Hash     string   // of what it asks and maps; part of every cache key
	Required bool     // its failure is the lookup's
	Optional bool     // its failure is told, and never makes an answer partial
	Tenants  []string // when given, only for these
	Keep     adapters.Lifetimes

	Upstream Upstream         // what can be asked
	Adapter  adapters.Adapter // asks, through the guards
	Breaker  func() string    // "closed", "half-open" or "open"
}

// Upstream is what the planner must know of a source. An adapters.Source is one.
type Upstream interface {
	// Needs are the kinds of identifiers it can be asked with, one set a lookup.
	Needs() [][]string
	// TenantNeeds are the tenant's values it cannot be asked without.
	TenantNeeds() []string
	// Yields are the kinds of identifiers it gives.
	Yields() []string
	// Vouches tells whether all that it yields of a kind of identifier is verified.
	Vouches(kind string) bool
	// Members are the profile's top-level members it can give.
	Members() []string
	// AsCaller tells that it is asked with the credential of whoever asks: what it
	// answers one caller is never given to another.
	AsCaller() bool
	// Choose returns the kinds of identifiers that would shape the request, or
	// those that are missing for any.
	Choose(q adapters.Query) (used, missing []string)
	// Check tells, before anything is sent or looked for in the cache, that a value
	// does not fit, or that it cannot be asked for the caller.
	Check(q adapters.Query) *adapters.Fault
}

// tenantValues are the tenant's values as one source sees them: its own under Self.
func (s *Source) tenantValues(t *Tenant) map[string]string {
	v := maps.Clone(t.IDs)
	if v == nil {
		v = map[string]string{}
	}
	for _, name := range append([]string{s.Name}, s.Chain...) {
		if own, ok := t.IDs[name]; ok {
			v[normalize.Self] = own
			break
		}
	}
	return v
}

// serves tells whether the source may be asked for the tenant at all.
func (s *Source) serves(t *Tenant) bool {
	if s.Tenants != nil && !slices.Contains(s.Tenants, t.Name) {
		return false
	}
	if t.Providers != nil && !slices.Contains(t.Providers, s.Name) {
		return false
	}
	values := s.tenantValues(t)
	return !slices.ContainsFunc(s.Upstream.TenantNeeds(), func(name string) bool { return values[name] == "" })
}

// ownKind names a source's own identifier as the rest of the gateway does.
func (s *Source) ownKind(kind string) string {
	if kind == normalize.Self {
		return s.Name
	}
	return kind
}

func (s *Source) ownKinds(kinds []string) []string {
	named := make([]string, len(kinds))
	for i, kind := range kinds {
		named[i] = s.ownKind(kind)
	}
	return named
}

// takes tells whether the source can be asked with a kind of identifier.
func (s *Source) takes(kind string) bool {
	return slices.ContainsFunc(s.Upstream.Needs(), func(set []string) bool { return slices.Contains(s.ownKinds(set), kind) })
}

// members are what the source can give of a profile, identifiers included.
func (s *Source) members() []string {
	members := s.Upstream.Members()
	if len(s.Upstream.Yields()) > 0 {
		members = append(slices.Clone(members), "identifiers")
	}
	return members
}

// Description is what a caller may know of a source.
type Description struct {
	Name    string     `json:"name"`
	About   string     `json:"about"`
	Fields  []string   `json:"fields"`
	Needs   [][]string `json:"needs"`
	Yields  []string   `json:"yields"`
	Breaker string     `json:"breaker"`
}

// Describe lists the sources that may be asked for one of the tenants; without any
// tenant, all of them.
func (l *Live) Describe(tenants ...string) []Description {
	descriptions := []Description{}
	for _, s := range l.Sources {
		served := func(name string) bool { return l.Tenants[name] != nil && s.serves(l.Tenants[name]) }
		if len(tenants) > 0 && !slices.ContainsFunc(tenants, served) {
			continue
		}
		d := Description{Name: s.Name, About: s.About, Fields: s.members(), Needs: [][]string{}, Yields: s.ownKinds(s.Upstream.Yields()), Breaker: s.Breaker()}
		for _, set := range s.Upstream.Needs() {
			d.Needs = append(d.Needs, s.ownKinds(set))
		}
		descriptions = append(descriptions, d)
	}
	return descriptions
}

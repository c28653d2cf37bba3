package simulator

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"
)

// Simulation is the five vendors, their people and their faults. It is safe for concurrent use.
type Simulation struct {
	clock      func() time.Time
	ports      map[string]int
	size       int
	latency    time.Duration
	population *population
	creds      map[string]Credential
	faults     *faults
	vendors    map[string]*vendor
}

// Option alters a simulation while New makes it.
type Option func(*Simulation)

// WithClock sets what "now" is, for the lifetime of access tokens and for the expiry of roles. The default is time.Now.
func WithClock(now func() time.Time) Option { return func(s *Simulation) { s.clock = now } }

// WithPeople sets how many people there are in all three tenants together; the default is 1200. The named people, the
// showcases of each trait and the dangerous are always there, so that a small n makes a population of those alone. A
// person does not depend on n: a larger population continues a smaller one, and the dangerous are the last of each.
func WithPeople(n int) Option { return func(s *Simulation) { s.size = n } }

// WithPorts makes Start listen on given ports, by vendor or "control"; 0, or no entry, is any free port.
func WithPorts(ports map[string]int) Option { return func(s *Simulation) { s.ports = ports } }

// WithLatency makes every lookup take about as long as d, as over a real network: between half of it and one and a half,
// and the same each time that a simulation of this seed is asked the same. The default is none.
func WithLatency(d time.Duration) Option { return func(s *Simulation) { s.latency = d } }

// New makes a simulation of all five vendors with a population generated from seed.
func New(seed uint64, opts ...Option) *Simulation {
	s := &Simulation{clock: time.Now, size: 1200, faults: newFaults()}
	for _, opt := range opts {
		opt(s)
	}
	s.population = populate(seed, s.size, s.clock())
	s.creds = credentials(seed)

	tokens := make(map[string]*tokens)
	for _, name := range Vendors() {
		tokens[name] = newTokens(fmt.Sprint(seed, name), s.clock, s.creds[name].Token)
	}
	dialects := map[string]dialect{
		"aveva":  aveva{oauth{client: s.creds["aveva"], tokens: tokens["aveva"]}},
		"itwin":  itwin{oauth{client: s.creds["itwin"], tokens: tokens["itwin"], basicOnly: true, scope: "itwin-platform"}},
		"kobil":  kobil{},
		"numium": numium{},
		"csp":    csp{apiToken: s.creds["csp"].APIToken, tokens: tokens["csp"]},
	}
	s.vendors = make(map[string]*vendor)
	for name, d := range dialects {
		s.vendors[name] = &vendor{
			name: name, seed: seed, dialect: d, tokens: tokens[name], clock: s.clock, latency: s.latency,
			directory: s.population.directory(name), faults: s.faults,
		}
	}
	return s
}

// Vendors are the names of the five, in the order of the seed documents.
func Vendors() []string { return []string{"aveva", "itwin", "kobil", "numium", "csp"} }

// Handler serves every vendor, chosen by the host that the request names (see Hosts); any other host is 421.
func (s *Simulation) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range Vendors() {
			for _, pattern := range s.vendors[name].dialect.hosts() {
				if hostMatches(pattern, hostOf(r)) {
					s.vendors[name].ServeHTTP(w, r)
					return
				}
			}
		}
		text(http.StatusMisdirectedRequest, "no vendor is simulated at this host").write(w)
	})
}

// Vendor serves one vendor alone, whatever host the request names. It panics on a name that is not one of the five:
// that is a mistake in the program.
func (s *Simulation) Vendor(name string) http.Handler { return s.vendor(name) }

// Hosts are the host names that Handler knows, by vendor. "*." stands for one label.
func (s *Simulation) Hosts() map[string][]string {
	hosts := make(map[string][]string)
	for name, v := range s.vendors {
		hosts[name] = v.dialect.hosts()
	}
	return hosts
}

// Credential is what a client must present to one vendor; the members that the vendor has no use for are empty.
type Credential struct {
	ClientID     string // OAuth 2.0 client credentials
	ClientSecret string
	Token        string // a bearer token that never expires
	APIToken     string // a long-lived token that is exchanged for access tokens
}

// Credentials are what a client must present, by vendor.
func (s *Simulation) Credentials() map[string]Credential { return maps.Clone(s.creds) }

func credentials(seed uint64) map[string]Credential {
	secret := func(name string) string { return digest(fmt.Sprint(seed, name, "credential"))[:40] }
	return map[string]Credential{
		"aveva": {ClientID: guid(fmt.Sprint(seed, "aveva client")), ClientSecret: secret("aveva")},
		// A secret with "+" and "/" in it: RFC 6749 section 2.3.1 has it form-encoded before it goes into Basic.
		"itwin":  {ClientID: "service-" + secret("itwin id")[:12], ClientSecret: secret("itwin") + "+/=="},
		"kobil":  {Token: secret("kobil")},
		"numium": {Token: secret("numium")},
		"csp":    {APIToken: secret("csp")},
	}
}

// Tenants are the three tenants: acme, globex and initech.
func (s *Simulation) Tenants() []Tenant { return slices.Clone(s.population.tenants) }

// People are the truth that the vendors' answers are made from, in a fixed order that begins with acme's Casey Taylor.
// Their maps and slices are shared with the simulation: read them only.
func (s *Simulation) People() []Person {
	people := make([]Person, len(s.population.people))
	for i, p := range s.population.people {
		people[i] = *p
	}
	return people
}

// WithTrait finds the person who shows a trait most plainly: with the fewest others, and the first of several.
func (s *Simulation) WithTrait(trait string) (Person, bool) {
	var best *Person
	for _, p := range s.population.people {
		if p.Has(trait) && (best == nil || len(p.Traits) < len(best.Traits)) {
			best = p
		}
	}
	if best == nil {
		return Person{}, false
	}
	return *best, true
}

// Calls counts the requests for user information that a vendor received, whatever it answered; token requests are not
// among them. Like Vendor, it panics on a name that is not one of the five.
func (s *Simulation) Calls(vendor string) int64 { return s.vendor(vendor).calls.Load() }

// Searches counts the requests to find people that a vendor received; they are not among its Calls.
func (s *Simulation) Searches(vendor string) int64 { return s.vendor(vendor).searches.Load() }

// TokenCalls counts the requests that a vendor's token endpoint received.
func (s *Simulation) TokenCalls(vendor string) int64 { return s.vendor(vendor).tokenCalls.Load() }

// SetFault makes a vendor fail until the fault is spent or cleared. It takes the place of an earlier fault for the same
// person (or for everybody); one for a person goes before one for everybody. The error names what is accepted.
func (s *Simulation) SetFault(vendor string, f Fault) error {
	v, ok := s.vendors[vendor]
	if !ok {
		return fmt.Errorf("no vendor %q: the vendors are %q", vendor, Vendors())
	}
	f, err := f.checked(v)
	if err != nil {
		return err
	}
	s.faults.set(vendor, f)
	return nil
}

// ClearFaults ends the faults of one vendor, or of all when vendor is empty. People with a trait "fault:…" keep theirs.
func (s *Simulation) ClearFaults(vendor string) { s.faults.clear(vendor) }

func (s *Simulation) vendor(name string) *vendor {
	v, ok := s.vendors[name]
	if !ok {
		panic(fmt.Sprintf("simulator: no vendor %q: the vendors are %q", name, Vendors()))
	}
	return v
}

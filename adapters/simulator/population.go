package simulator

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Tenant is one customer organization, and what each vendor calls it.
type Tenant struct {
	Name    string            // acme, globex, initech
	Display string            // "Acme Corp"
	Domain  string            // of its people's mail addresses
	IDs     map[string]string // by vendor: aveva GUID, kobil DNS label, numium int64, csp GUID. iTwin's is implied by the credential: acme
}

// Person is one human being and the truth about what the systems hold of them.
type Person struct {
	Tenant                string
	GivenName, FamilyName string             // as most systems have it
	IDs                   map[string]string  // email, username, oid, and by vendor; only those that some system knows
	Traits                []string           // what is awkward about this person; see Traits
	FaultAt               string             // the vendor that always fails for this person, as the trait "fault:KIND" says
	Accounts              map[string]Account // by vendor; only those that know this person
	Danger                *Danger            // nil: nobody is easily taken for this person

	fault Fault
}

// Has tells whether a person has a trait.
func (p *Person) Has(trait string) bool { return slices.Contains(p.Traits, trait) }

// Account is what one system holds about a person. Members that the system does not have are not sent; an empty text is
// sent in the way in which that system says nothing: null, [null], or not at all.
type Account struct {
	Username, Account       string // CSP has both: a user name and an account, which is a mail address
	GivenName, FamilyName   string
	Email, AlternativeEmail string
	EmailVerified, Enabled  bool
	Phone                   string
	Locale, Language        string
	Company, Website        string
	Street, City            string
	State, Zip, Country     string
	Roles                   []Role
	Admin, Federated        bool
	RequiredActions         []string
	Attributes              map[string][]string // KOBIL: attributes that the customer added
	TopLevelNames           bool                // KOBIL: names beside attributes rather than in them
	Empty                   bool                // AVEVA: UserInformation is null
	Deleted                 bool                // iTwin: what is not there is null, not left out
	Password                string              // CSP: a canary
	GlobalID                int64               // Numium: userId, as opposed to the id within the tenant
}

// Role is a role in one system.
type Role struct {
	Name, Display string   // Display of a role in a service is the service's
	Permissions   []string // Numium; nil: not told
	Service       string   // CSP: the service that the role is in; empty: the organization
	Custom        bool     // CSP: a custom role
	Resource      string   // CSP
	Membership    string   // CSP: DIRECT, GROUP or NESTED
	Expires       int64    // CSP: epoch seconds; 0: never
}

func roleNames(roles []Role) []string {
	var names []string
	for _, r := range roles {
		names = append(names, r.Name)
	}
	return names
}

// population is everybody, with an index by vendor, tenant and id.
type population struct {
	tenants []Tenant
	people  []*Person
	index   map[string]directory
}

// populate makes the named people, the showcases, the crowd and the dangerous, in this order. Person number i is drawn
// from the seed and i alone, so that the order of drawing does not matter to anybody else.
func populate(seed uint64, size int, now time.Time) *population {
	g := &generator{
		seed: seed, day: now.UTC().Truncate(24 * time.Hour).Unix(), taken: make(map[string]int), counts: make(map[string]int),
		tenants: tenants(seed), strange: strangeNames(), awkward: awkwardnesses(),
	}
	g.named()
	g.showcases()
	dangerous := &generator{seed: seed, day: g.day, tenants: g.tenants}
	dangerous.endanger()
	for len(g.people)+len(dangerous.people) < size {
		g.crowd()
	}
	g.people = append(g.people, dangerous.people...)
	p := &population{tenants: g.tenants, people: g.people, index: make(map[string]directory)}
	for _, vendor := range Vendors() {
		p.index[vendor] = newDirectory(vendor, p)
	}
	return p
}

func (p *population) directory(vendor string) directory { return p.index[vendor] }

func tenants(seed uint64) []Tenant {
	tenant := func(name, display, numium string) Tenant {
		return Tenant{Name: name, Display: display, Domain: name + ".example", IDs: map[string]string{
			"aveva": guid(fmt.Sprint(seed, name, "aveva")), "kobil": name, "numium": numium, "csp": guid(fmt.Sprint(seed, name, "csp")),
		}}
	}
	return []Tenant{
		tenant("acme", "Acme Corp", "1024"),
		tenant("globex", "Globex Corporation", "2048"),
		tenant("initech", "Initech", "9007199254740993"), // 2^53+1: no float64 holds it
	}
}

// A generator draws people. A draft is a person being drawn.
type generator struct {
	seed    uint64
	day     int64          // midnight of the clock's day, epoch seconds, so that a run gives the same bytes all day
	taken   map[string]int // how often a local part of a mail address was wanted in a tenant
	counts  map[string]int // people by tenant
	tenants []Tenant
	strange []naming
	awkward []awkwardness
	people  []*Person
	marks   int // how many are marked: see endanger
}

type draft struct {
	*Person
	*rand.Rand
	tenant  Tenant
	day     int64
	number  int  // within the tenant
	strange bool // the name itself is awkward
}

// draw makes a person whom everybody knows who can, well-formed in each system.
func (g *generator) draw(tenant string, n naming) *draft {
	t := g.tenants[slices.IndexFunc(g.tenants, func(t Tenant) bool { return t.Name == tenant })]
	d := &draft{
		Person: &Person{Tenant: tenant, GivenName: n.given, FamilyName: n.family},
		Rand:   g.rand(0),
		tenant: t, day: g.day, number: g.counts[tenant], strange: n.trait != "",
	}
	g.counts[tenant]++
	g.people = append(g.people, d.Person)
	if n.trait != "" {
		d.Traits = append(d.Traits, n.trait)
	}
	local := n.local
	if wanted := tenant + "/" + local; g.taken[wanted] > 0 {
		local += strconv.Itoa(g.taken[wanted] + 1)
	}
	g.taken[tenant+"/"+n.local]++

	d.identify(local, g.first(t))
	return d
}

// first is the least global id that Numium gives to anybody of a tenant.
func (g *generator) first(t Tenant) int64 {
	at := slices.IndexFunc(g.tenants, func(other Tenant) bool { return other.Name == t.Name })
	return 4242 + 10_000_000*int64(at)
}

// identify gives the person ids everywhere, and the accounts that go with them.
func (d *draft) identify(local string, first int64) {
	email, oid := local+"@"+d.tenant.Domain, d.guid()
	domain := "vmwareid" // CSP's ids name the identity provider that a tenant federates with
	if d.Tenant == "acme" {
		domain = "vmware.com"
	}
	d.IDs = map[string]string{
		"email": email, "username": local, "oid": oid, "aveva": d.guid(), "kobil": d.guid(),
		"numium": strconv.Itoa(256 + d.number), "csp": domain + ":" + d.guid(),
	}
	if d.Tenant == "acme" {
		d.IDs["itwin"] = d.guid()
	}
	d.accounts(email, local, first+int64(d.number))
}

// accounts opens an account in every system that has an id for the person.
func (d *draft) accounts(email, username string, global int64) {
	home := pick(d, homes())
	base := Account{
		Username: username, Account: email, GivenName: d.GivenName, FamilyName: d.FamilyName, Email: email, EmailVerified: true, Enabled: true,
		Phone: home.phone + fmt.Sprintf("%04d", d.IntN(10000)), Locale: home.locale, Language: home.locale[:2], Company: d.tenant.Display,
		Street: strconv.Itoa(1+d.IntN(200)) + " " + home.street, City: home.city, State: home.state, Zip: home.zip, Country: home.country,
		Website: "https://people." + d.tenant.Domain + "/" + username, Federated: true, GlobalID: global,
	}
	d.Accounts = make(map[string]Account)
	for _, vendor := range Vendors() {
		if d.IDs[vendor] != "" {
			a := base
			a.Roles = d.roles(vendor)
			d.Accounts[vendor] = a
		}
	}
	d.alter("aveva", func(a *Account) { a.Locale = strings.ReplaceAll(a.Locale, "_", "-") })
	d.alter("kobil", func(a *Account) { a.Attributes = map[string][]string{"department": {pick(d, departments())}} })
}

// alter changes what one system holds, and is false where the system does not know the person.
func (d *draft) alter(vendor string, change func(*Account)) bool {
	a, ok := d.Accounts[vendor]
	if ok {
		change(&a)
		d.Accounts[vendor] = a
	}
	return ok
}

// forget makes a system not know the person; ids that no remaining system tells go with it.
func (d *draft) forget(vendor string) bool {
	if len(d.Accounts) < 2 || d.IDs[vendor] == "" {
		return false
	}
	delete(d.Accounts, vendor)
	delete(d.IDs, vendor)
	knows := func(vendors ...string) bool {
		return slices.ContainsFunc(vendors, func(v string) bool { return d.IDs[v] != "" })
	}
	if !knows("numium", "aveva") {
		delete(d.IDs, "oid")
	}
	if !knows("kobil", "csp", "aveva") {
		delete(d.IDs, "username")
	}
	return true
}

// roles are a few of those that a system has.
func (d *draft) roles(vendor string) []Role {
	all := roles(vendor)
	d.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	all = all[:min(len(all), 1+d.IntN(3))]
	slices.SortStableFunc(all, func(a, b Role) int { return strings.Compare(a.Service, b.Service) })
	return all
}

func (d *draft) guid() string { return guid(fmt.Sprint(d.Uint64(), d.Uint64())) }

// days is midnight some days from today, in epoch seconds.
func (d *draft) days(n int64) int64 { return d.day + n*24*60*60 }

func pick[T any](d *draft, of []T) T { return of[d.IntN(len(of))] }

// named draws the people that documents and demonstrations call by name.
func (g *generator) named() {
	casey := g.draw("acme", naming{"showcase", "Casey", "Taylor", "casey.taylor"})
	for vendor := range casey.Accounts {
		casey.alter(vendor, func(a *Account) {
			a.Phone, a.Locale, a.Language = "+12065550142", "en_US", "en"
			a.Street, a.City, a.State, a.Zip, a.Country = "410 Terry Avenue North", "Seattle", "WA", "98109", "US"
		})
	}
	casey.alter("aveva", func(a *Account) {
		a.Locale, a.Roles = "en-US", []Role{{Name: "Account Member"}, {Name: "Data Steward"}}
	})
	casey.alter("kobil", func(a *Account) {
		a.Admin, a.Attributes = true, map[string][]string{"department": {"Grid Operations"}, "costCenter": {"4711"}, "badge": {"blue", "green"}}
	})
	casey.alter("numium", func(a *Account) {
		a.Roles = []Role{{
			Name: "TenantAdministrator", Display: "Grants full tenant administration capabilities.",
			Permissions: []string{"ManageUsers", "ManageRoles", "ViewReports"},
		}}
	})
	casey.alter("csp", func(a *Account) {
		a.AlternativeEmail = "casey@taylor.example"
		a.Roles = []Role{
			{Name: "org_owner", Display: "Organization Owner"},
			{Name: "billing_auditor", Custom: true, Membership: "GROUP", Expires: casey.days(400)},
			{Name: "vmc-user:full", Service: "vmc", Display: "VMware Cloud", Membership: "DIRECT", Expires: 3609941597},
		}
	})

	jordan := g.draw("acme", naming{"disagreeing", "Jordan", "Rivera", "jordan.rivera"})
	for _, a := range g.awkward {
		if slices.Contains([]string{"surname-differs", "email-case", "disabled:kobil", "unverified:kobil", "country-lower-case"}, a.trait) {
			jordan.show(a)
		}
	}
	jordan.alter("aveva", func(a *Account) { a.GivenName, a.Locale = "Jo", "fr-CA" })
	jordan.alter("itwin", func(a *Account) { a.Company = "ACME Corporation (Engineering)" })
	jordan.alter("csp", func(a *Account) { a.Locale, a.Company = "en_GB", "Acme Corp Ltd." })

	g.draw("globex", naming{"namesake", "Casey", "Taylor", "casey.taylor"})
}

// showcases draws, of each awkwardness, somebody who has it alone.
func (g *generator) showcases() {
	for _, n := range g.strange {
		g.draw("acme", n)
	}
	for _, a := range g.awkward {
		g.draw("acme", g.plainName()).show(a)
	}
	for _, f := range standingFaults() {
		d := g.draw("initech", g.plainName())
		d.Traits, d.FaultAt, d.fault = append(d.Traits, "fault:"+f.fault.Kind), f.vendor, f.fault
	}
}

// crowd draws one more person: half of them acme's, one in five with a strange name, and as awkward as it comes.
func (g *generator) crowd() {
	name := g.plainName()
	if len(g.people)%5 == 0 {
		name = g.strange[len(g.people)/5%len(g.strange)]
	}
	d := g.draw([]string{"acme", "globex", "acme", "initech", "acme", "globex", "acme", "globex", "acme", "initech"}[len(g.people)%10], name)
	for _, a := range g.awkward {
		if d.IntN(a.every) == 0 {
			d.show(a)
		}
	}
}

// rand is one of the next person's sources of chance.
func (g *generator) rand(which int) *rand.Rand {
	return rand.New(rand.NewPCG(g.seed, uint64(2*len(g.people)+which))) //nolint:gosec // chance that can be repeated is the point
}

// plainName is drawn for the next person.
func (g *generator) plainName() naming {
	r := g.rand(1)
	given, family := givenNames(), familyNames()
	first, last := given[r.IntN(len(given))], family[r.IntN(len(family))]
	return naming{"", first, last, strings.ToLower(first + "." + last)}
}

// show applies an awkwardness; where it cannot apply to this person, nothing happens.
func (d *draft) show(a awkwardness) {
	if a.apply(d) {
		d.Traits = append(d.Traits, a.trait)
	}
}

// Sought are the kinds of identifiers, of a person's IDs, that searches by an address tell:
// who is asked for by such a one need not be known to anybody else.
func Sought() []string { return []string{"username", "csp"} }

package simulator

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// Danger is in what way a person can be taken for another, or another for them. The people of one case, where there are
// two, name each other by it.
type Danger struct {
	Kind    string // one of DangerKinds
	Case    string // "acme/shared-address/kobil"
	Part    string // "victim", "attacker" and the like; see DangerKinds
	At      string // the vendor whose record is dangerous
	Address string // at this person in that vendor, and not theirs (alone); empty: none is

	// Mark is a canary of this person's own: it is in the names, roles, companies and streets that systems hold of them
	// (never in an address, a user name or an id), and nowhere else. Where it appears, this person's record was taken.
	Mark string
}

// DangerKind is one kind of danger, and who is in it.
type DangerKind struct{ Kind, About string }

// DangerKinds are all that Dangerous finds.
func DangerKinds() []DangerKind {
	return []DangerKind{
		{"shared-address", "two with one address in one system: a mailbox of both (sharer), or the owner's own, lent to a borrower"},
		{"unverified-address", "an attacker wrote a victim's address into one system, which never verified it"},
		{"recycled-username", "a leaver's user name was given to a joiner; one system still has the leaver under it"},
		{"changed-address", "a mover, whose address was changed in one system only"},
		{"deleted", "a ghost was deleted: null for the address, names and all; an heir has the address now"},
		{"contained-address", "the address of the inner is contained in that of the outer, and one system knows the outer alone"},
	}
}

// Dangerous are those of one kind of danger, or of all when kind is empty, in the order of People: they are its last.
func (s *Simulation) Dangerous(kind string) []Person {
	return slices.DeleteFunc(s.People(), func(p Person) bool { return p.Danger == nil || kind != "" && p.Danger.Kind != kind })
}

// Owner is whose record a vendor has under an id of its own (KOBIL: user name; CSP: user id or account): the truth that
// an answer is held against.
func (s *Simulation) Owner(vendor, tenant, id string) (Person, bool) {
	if p := s.vendor(vendor).directory.people[tenant][strings.ToLower(id)]; p != nil {
		return *p, true
	}
	return Person{}, false
}

// Holders are those of a tenant whose address it is, whichever system has it at them: nobody where it is a mailbox of
// several, and never who merely wrote it somewhere. Case does not matter.
func (s *Simulation) Holders(tenant, address string) []Person {
	return slices.DeleteFunc(s.People(), func(p Person) bool {
		if p.Tenant != tenant || p.Danger != nil && strings.EqualFold(p.Danger.Address, address) {
			return true
		}
		for _, a := range p.Accounts {
			if strings.EqualFold(a.Email, address) || strings.EqualFold(a.AlternativeEmail, address) {
				return false
			}
		}
		return true
	})
}

// endanger draws the dangerous people of every tenant. Like everybody they are drawn from the seed and their number
// among their own kind, so that they are the same beside however many others.
func (g *generator) endanger() {
	for _, t := range g.tenants {
		systems := []string{"kobil", "csp"}
		if t.Name == "acme" {
			systems = append(systems, "itwin")
		}
		for _, at := range systems {
			g.mailbox(t, at)
			g.contained(t, at)
		}
		g.borrowed(t)
		for _, at := range []string{"kobil", "csp"} {
			g.unverified(t, at, at, false)
			g.unverified(t, at, at+"-both", true)
			g.recycled(t, at)
		}
		g.second(t)
		for _, at := range []string{"kobil", "csp", "numium"} {
			g.changed(t, at)
		}
		g.deleted(t, "known")
		g.deleted(t, "unknown")
	}
}

// marked draws somebody who is known to these vendors, or to all where none is given, and marks what they hold.
func (g *generator) marked(t Tenant, danger Danger, variant string, vendors ...string) *draft {
	number := g.marks
	g.marks++
	r := rand.New(rand.NewPCG(g.seed, 1<<40+uint64(number))) //nolint:gosec // chance that can be repeated is the point
	given, family := givenNames(), familyNames()
	first, last := given[r.IntN(len(given))], family[r.IntN(len(family))]
	local := fmt.Sprintf("%s.%s.d%03d", strings.ToLower(first), strings.ToLower(last), number)

	danger.Case = t.Name + "/" + danger.Kind + "/" + variant
	danger.Mark = "w" + digest(fmt.Sprint(g.seed, "mark", number))[:12] // w is no hexadecimal digit: in no id
	d := &draft{
		Person: &Person{Tenant: t.Name, GivenName: first, FamilyName: last + " " + danger.Mark, Danger: &danger},
		Rand:   r, tenant: t, day: g.day, number: 1_000_000 + number,
	}
	g.people = append(g.people, d.Person)
	d.identify(local, g.first(t))
	for _, vendor := range Vendors() {
		if len(vendors) > 0 && !slices.Contains(vendors, vendor) {
			d.forget(vendor)
		}
		d.alter(vendor, func(a *Account) {
			a.Company += " " + danger.Mark
			a.Street += " " + danger.Mark
			a.Attributes = map[string][]string{"department": {danger.Mark}}
			a.Roles = append(a.Roles, Role{Name: "role-" + danger.Mark, Permissions: []string{"permit-" + danger.Mark}})
		})
	}
	return d
}

// without is every vendor but one.
func without(vendor string) []string {
	return slices.DeleteFunc(Vendors(), func(v string) bool { return v == vendor })
}

// mailbox: the address of a desk stands at two who work there.
func (g *generator) mailbox(t Tenant, at string) {
	address := fmt.Sprintf("desk.d%03d@%s", g.marks, t.Domain)
	for range 2 {
		d := g.marked(t, Danger{Kind: "shared-address", Part: "sharer", At: at, Address: address}, at)
		d.alter(at, func(a *Account) { a.Email = address })
	}
}

// borrowed: KOBIL verified the owner's own address for a borrower as well, as where one answers the other's mail.
func (g *generator) borrowed(t Tenant) {
	danger := Danger{Kind: "shared-address", At: "kobil"}
	danger.Part = "owner"
	owner := g.marked(t, danger, "kobil-borrowed", "kobil", "csp", "aveva", "itwin")
	danger.Part, danger.Address = "borrower", owner.IDs["email"]
	borrower := g.marked(t, danger, "kobil-borrowed", "kobil", "aveva")
	borrower.alter("kobil", func(a *Account) { a.Email = danger.Address })
}

// unverified: the victim is unknown to the system where the attacker is, or known there too.
func (g *generator) unverified(t Tenant, at, variant string, both bool) {
	known := without(at)
	if both {
		known = nil
	}
	danger := Danger{Kind: "unverified-address", At: at}
	danger.Part = "victim"
	victim := g.marked(t, danger, variant, known...)
	danger.Part, danger.Address = "attacker", victim.IDs["email"]
	attacker := g.marked(t, danger, variant)
	attacker.alter(at, func(a *Account) { a.Email, a.EmailVerified = danger.Address, false })
}

// second: the flag is of the attacker's first address, and the victim's stands second.
func (g *generator) second(t Tenant) {
	danger := Danger{Kind: "unverified-address", At: "kobil"}
	danger.Part = "victim"
	victim := g.marked(t, danger, "kobil-second", without("kobil")...)
	danger.Part, danger.Address = "attacker", victim.IDs["email"]
	g.marked(t, danger, "kobil-second").alter("kobil", func(a *Account) { a.AlternativeEmail = danger.Address })
}

// recycled: where KOBIL still has the leaver, the user name is the leaver's there; else it is the joiner's.
func (g *generator) recycled(t Tenant, at string) {
	danger, elsewhere := Danger{Kind: "recycled-username", At: at}, "kobil"
	if at == "kobil" {
		elsewhere = "csp"
	}
	danger.Part = "leaver"
	leaver := g.marked(t, danger, at, at, "numium", "aveva")
	danger.Part = "joiner"
	joiner := g.marked(t, danger, at, elsewhere, "numium", "aveva", "itwin")
	name, owner := joiner.IDs["username"], joiner
	if at == "kobil" {
		owner = leaver
	}
	for _, d := range []*draft{leaver, joiner} {
		delete(d.IDs, "username")
		for vendor := range d.Accounts {
			d.alter(vendor, func(a *Account) { a.Username = name })
		}
	}
	owner.IDs["username"] = name
}

// changed: the old address stays in all other systems, and as the account in CSP.
func (g *generator) changed(t Tenant, at string) {
	d := g.marked(t, Danger{Kind: "changed-address", Part: "mover", At: at}, at)
	d.alter(at, func(a *Account) { a.Email = "moved." + a.Email })
}

// deleted: nobody is left but the ids. CSP still names the account, which contains the address of the heir, whom CSP
// does or does not know.
func (g *generator) deleted(t Tenant, heirs string) {
	danger := Danger{Kind: "deleted", At: "csp"}
	danger.Part = "ghost"
	ghost := g.marked(t, danger, heirs)
	address := ghost.IDs["email"]
	delete(ghost.IDs, "email")
	for vendor := range ghost.Accounts {
		ghost.alter(vendor, func(a *Account) {
			*a = Account{
				Username: a.Username, Account: "deleted." + address, Roles: a.Roles, GlobalID: a.GlobalID, Attributes: a.Attributes,
				Deleted: true, Empty: true, EmailVerified: true, // of an address that is no more
			}
		})
	}
	danger.Part = "heir"
	var known []string
	if heirs == "unknown" {
		known = without("csp")
	}
	heir := g.marked(t, danger, heirs, known...)
	heir.rename(address)
}

// contained: joann.lee@ contains ann.lee@.
func (g *generator) contained(t Tenant, at string) {
	danger := Danger{Kind: "contained-address", At: at}
	danger.Part = "inner"
	inner := g.marked(t, danger, at, without(at)...)
	danger.Part = "outer"
	g.marked(t, danger, at).rename("jo" + inner.IDs["email"])
}

// rename gives a person another address in every system.
func (d *draft) rename(address string) {
	d.IDs["email"] = address
	for vendor := range d.Accounts {
		d.alter(vendor, func(a *Account) { a.Email, a.Account = address, address })
	}
}

package simulator

import "strings"

// A directory is what one vendor can find: its tenants, and the people in each.
type directory struct {
	tenants map[string]*Tenant            // by the vendor's id, in lower case
	people  map[string]map[string]*Person // by tenant name, then by the vendor's id
	order   map[string][]*Person          // by tenant name
	all     []*Person                     // of all tenants, in order
	implied *Tenant                       // for the vendor that needs no tenant id
}

func newDirectory(vendor string, p *population) directory {
	dir := directory{
		tenants: make(map[string]*Tenant), people: make(map[string]map[string]*Person), order: make(map[string][]*Person),
	}
	for i := range p.tenants {
		t := &p.tenants[i]
		dir.people[t.Name] = make(map[string]*Person)
		dir.tenants[t.IDs[vendor]] = t
	}
	if vendor == "itwin" {
		dir.implied = &p.tenants[0]
	}
	for _, person := range p.people {
		account, ok := person.Accounts[vendor]
		if !ok {
			continue
		}
		for _, id := range addresses(vendor, person, account) {
			dir.people[person.Tenant][strings.ToLower(id)] = person
		}
		dir.order[person.Tenant] = append(dir.order[person.Tenant], person)
		dir.all = append(dir.all, person)
	}
	return dir
}

// addresses are the ids by which a vendor is asked for a person. CSP's document allows "the userId or user account
// identifier".
func addresses(vendor string, p *Person, a Account) []string {
	switch vendor {
	case "kobil":
		return []string{a.Username}
	case "csp":
		return []string{p.IDs["csp"], a.Account}
	}
	return []string{p.IDs[vendor]}
}

func (d directory) tenant(id string) *Tenant {
	if d.implied != nil {
		return d.implied
	}
	return d.tenants[strings.ToLower(id)]
}

func (d directory) person(tenant, id string) *Person {
	t := d.tenant(tenant)
	if t == nil {
		return nil
	}
	return d.people[t.Name][strings.ToLower(id)]
}

// neighbour is somebody else of the same tenant; nil where there is nobody else.
func (d directory) neighbour(t *Tenant, p *Person) *Person {
	if t == nil {
		return nil
	}
	for _, other := range d.order[t.Name] {
		if other != p {
			return other
		}
	}
	return nil
}

// everybody are the people of a tenant; of all tenants where none is named.
func (d directory) everybody(t *Tenant) []*Person {
	if t == nil {
		return d.all
	}
	return d.order[t.Name]
}

// named is the tenant of a name of ours.
func (d directory) named(name string) *Tenant {
	for _, t := range d.tenants {
		if t.Name == name {
			return t
		}
	}
	return nil
}

package simulator

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// A searchDialect is the dialect of a vendor that finds people by what it holds of them.
type searchDialect interface {
	// searches are the addresses of the search, with {tenant} as in those of user information.
	searches() []string
	// sought tells who is a hit, and puts what is searched for into the call's user. It is nil where list refuses the
	// call whoever is found.
	sought(c *call) func(p *Person) bool
	// list checks the credential and the call, and shows the hits.
	list(c *call) reply
}

func (v *vendor) serveSearch(w http.ResponseWriter, r *http.Request, d searchDialect, segments map[string]string) {
	c := v.call(r, segments)
	c.search, c.operation = d, guid(fmt.Sprint(v.seed, v.name, "search", v.searches.Add(1)))
	if hit := d.sought(c); hit != nil {
		c.hits = slices.DeleteFunc(slices.Clone(v.directory.everybody(c.realm)), func(p *Person) bool { return !hit(p) })
	}
	// A fault for one person shows where they are searched for: where the address is theirs, else where they come first.
	if at := slices.IndexFunc(c.hits, func(p *Person) bool { return strings.EqualFold(p.Accounts[v.name].Email, c.user) }); at >= 0 {
		c.person = c.hits[at]
	} else if len(c.hits) > 0 {
		c.person = c.hits[0]
	}
	if c.realm == nil && c.person != nil { // a search across tenants
		c.realm = v.directory.named(c.person.Tenant)
	}
	v.serve(r.Context(), w, c)
}

// answer is what the vendor says when nothing is wrong with it.
func (v *vendor) answer(c *call) reply {
	if c.search != nil {
		return c.search.list(c)
	}
	return v.dialect.answer(c)
}

// about is the same call with somebody else in the place of whoever it is about, or with nobody.
func (c *call) about(p *Person) *call {
	other := *c
	other.person, other.hits = p, nil
	if p != nil {
		other.hits = []*Person{p}
	}
	return &other
}

// containing tells whether one of the texts contains what is searched for, in any case.
func containing(what string, texts ...string) bool {
	what = strings.ToLower(what)
	return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(strings.ToLower(text), what) })
}

package config

import (
	"net"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"muster/adapters"
	"muster/config/document"
	"muster/gateway"
	"muster/gateway/httpapi/bearer"
	"muster/normalize"
)

// caller is one item under `callers`: an issuer whose tokens are believed.
type caller struct {
	bearer.Issuer
	node    *document.Node
	issuer  *document.Node
	tenant  *document.Node
	tenants []*document.Node
}

func callerType() document.Type[caller] {
	typ := document.Object(callerKeys).Called("caller", "an issuer whose tokens are believed, and what is wanted of them")
	return document.Type[caller]{Form: typ, Read: func(into *caller, n *document.Node) {
		into.node = n
		document.Defaults(into, callerKeys())
		document.Decode(n, into, callerKeys())
	}}
}

func callerKeys() []document.Key[caller] {
	c := new(normalize.Compiler)
	return []document.Key[caller]{
		document.Of("issuer", "its `iss`, to the letter; its keys are found by OpenID Connect Discovery", issuerType(), func(c *caller) **document.Node { return &c.issuer }).Must(),
		document.Of("audiences", "of which a token must be for one", namesType("what the issuer calls this gateway", "muster"), func(c *caller) *[]string { return &c.Audiences }).Must(),
		document.Of("clients", "who may have asked for a token that is for several audiences, beside the audiences themselves", namesType("a client's id", "portal"), func(c *caller) *[]string { return &c.Clients }),
		document.Of("types", "of which a token must be one; JWT is also a token that does not say", namesType("a `typ`", "at+jwt"), func(c *caller) *[]string { return &c.Types }).Or("[at+jwt]"),
		document.Of("leeway", "how wrong clocks may be, on exp, nbf and iat", document.Span().With(func(leeway time.Duration, n *document.Node) {
			if leeway > maxLeeway {
				n.Errorf("a token would be believed for %v after it has expired", leeway).Suggest("write %v or less; the clocks of servers are seconds apart", maxLeeway)
			}
		}), func(c *caller) *time.Duration { return &c.Leeway }).Or("30s"),
		document.Of("claims", "where a token says who somebody is", document.Object(func() []document.Key[bearer.Claims] { return claimKeys(c) }), func(c *caller) *bearer.Claims { return &c.Claims }),
		document.Of("require", "conditions that the token's claims must meet", requireType(c), func(c *caller) *normalize.Condition { return &c.Require }),
		document.Of("rate", "how many people each of these callers may ask for; as many at once", adapters.RateType(), func(c *caller) *adapters.Rate { return &c.Rate }).Or("none"),
		document.Of("tenant", "the one tenant that these callers may ask for", nameOf("a tenant"), func(c *caller) **document.Node { return &c.tenant }),
		document.Of("tenants", "the tenants that these callers may ask for; \"*\" is all", someOf(nameOf("a tenant, or \"*\" for all")), func(c *caller) *[]*document.Node { return &c.tenants }),
	}
}

// maxLeeway is how wrong a clock may be that is still called one.
const maxLeeway = 5 * time.Minute

func claimKeys(c *normalize.Compiler) []document.Key[bearer.Claims] {
	path := document.Pointer(c.PathType().With(func(p normalize.Path, n *document.Node) {
		if p.Climbs() {
			n.Errorf("there is nothing around a token's claims").Suggest("write a path from the claims themselves, for example org.id")
		}
	}))
	users := document.Type[map[string]*normalize.Path]{
		Form: document.NamesOf(path.Form).Like("{email: email}"),
		Read: func(into *map[string]*normalize.Path, n *document.Node) {
			*into = map[string]*normalize.Path{}
			for _, f := range n.Fields() {
				var p *normalize.Path
				path.Read(&p, f.Value)
				(*into)[f.Key.Text()] = p
			}
		},
	}
	return []document.Key[bearer.Claims]{
		document.Of("subject", "who it is", path, func(c *bearer.Claims) **normalize.Path { return &c.Subject }).Or("sub"),
		document.Of("tenant", "the one tenant that they may ask for; what is not one text is none", path, func(c *bearer.Claims) **normalize.Path { return &c.Tenant }),
		document.Of("scopes", "what they may, a list or with spaces between", path, func(c *bearer.Claims) **normalize.Path { return &c.Scopes }).Or("scope"),
		document.Of("user", "what they are called themselves, by kind of identifier; for /v1/me", users, func(c *bearer.Claims) *map[string]*normalize.Path { return &c.User }),
	}
}

func requireType(c *normalize.Compiler) document.Type[normalize.Condition] {
	return tokenConditions("token conditions", c, "http", "header").Like("{email_verified: [true, null]}")
}

// tokenConditions are the conditions of a definition, less what a token does not have.
func tokenConditions(called string, c *normalize.Compiler, lacks ...string) document.Type[normalize.Condition] {
	typ := c.ConditionType()
	form := document.KeysOf(func() []document.Member {
		return slices.DeleteFunc(typ.Members(), func(m document.Member) bool { return slices.Contains(lacks, m.Name) })
	}).And(*typ.Others()).Without(lacks...).Called(called, typ.About)
	return document.Type[normalize.Condition]{Form: form, Read: func(into *normalize.Condition, n *document.Node) {
		for _, f := range n.Fields() {
			name := f.Key.Text()
			switch {
			case !slices.Contains(lacks, name):
			case name == "cel":
				f.Key.Errorf("an expression stands beside `claims`").Suggest("write cel there; it sees claims as caller.claims")
				return
			default:
				f.Key.Errorf("a token has no `%s`", name).Suggest("write the path of a claim; one of that name is written [%q]", name)
				return
			}
		}
		typ.Read(into, n)
	}}
}

// namesType is a name or several, none of them empty: an empty audience is one that
// everybody has.
func namesType(about, example string) document.Type[[]string] {
	form := document.OneOrMoreOf(document.AnyValue(about).Like(example))
	return document.Type[[]string]{Form: form, Read: func(into *[]string, n *document.Node) {
		items := n.OneOrMore()
		if n.Kind() == document.List && len(items) == 0 {
			n.Errorf("the list is empty").Suggest("write %s", about)
		}
		*into = nil
		for _, item := range items {
			if item.Kind() == document.Scalar && strings.TrimSpace(item.Text()) == "" {
				item.Errorf("this is empty").Suggest("write %s", about)
			}
			*into = append(*into, item.Text())
		}
	}}
}

func issuerType() document.Type[*document.Node] {
	form := document.Matching("an address", "^https?://[^?#]+$").Like("https://login.example.com/")
	return document.Type[*document.Node]{Form: form, Read: func(into **document.Node, n *document.Node) {
		text := n.Text()
		u, err := url.Parse(text)
		switch {
		case n.Kind() != document.Scalar:
			return
		case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
			n.Errorf("not an issuer's address: %q", text).Suggest("what its tokens have as `iss`, for example https://login.example.com/")
			return
		case u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(text, "?#"):
			n.Errorf("an issuer's address has no user, query or fragment").Suggest("what its tokens have as `iss`, for example https://login.example.com/")
			return
		}
		*into = n
	}}
}

// bindCallers checks callers against the tenants, the identifiers and the egress.
func (f *File) bindCallers() {
	var tenants []string
	for _, t := range f.dynamic.tenants {
		tenants = append(tenants, t.name.Text())
	}
	seen := map[string]*document.Node{}
	for _, c := range f.dynamic.callers {
		f.bindIssuer(c, seen)
		c.bindTenants(tenants)
		if users := c.node.Field("claims").Field("user"); users.Kind() == document.Mapping && (f.certain() || f.dynamic.accept != nil) {
			for _, user := range users.Fields() {
				oneOf(user.Key, "kind of identifier", f.accept)
			}
		}
	}
}

func (f *File) bindIssuer(c *caller, seen map[string]*document.Node) {
	if c.issuer == nil {
		return
	}
	c.Name = c.issuer.Text()
	if first := seen[c.Name]; first != nil {
		c.issuer.Errorf("there are two entries for this issuer").Suggest("the other stands at %s; one entry may have several audiences", first.Position())
	}
	seen[c.Name] = c.issuer
	// As an address it is well-formed, as has been seen.
	if u, err := url.Parse(c.Name); err == nil && u.Scheme == "http" && !f.dynamic.egress.Plaintext(hostAndPort(u)) {
		c.issuer.Errorf("whoever is on the way could give this issuer keys of their own").
			Suggest("write https; or name %s under egress.connect, with plaintext: true", u.Host)
	}
}

// hostAndPort is what a connection for plain HTTP is made to.
func hostAndPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// bindTenants finds out what these callers may ask for. It is said in one way: of two,
// it would have to be guessed which is meant.
func (c *caller) bindTenants(known []string) {
	claim := c.node.Field("claims").Field("tenant")
	var ways []*document.Node
	for _, n := range []*document.Node{claim, c.node.Field("tenant"), c.node.Field("tenants")} {
		if n != nil {
			ways = append(ways, n)
		}
	}
	switch {
	case len(ways) == 0 && c.node.Kind() == document.Mapping:
		c.node.Errorf("these callers may ask for no tenant").Suggest("write claims: {tenant: PATH}, or tenant: NAME, or tenants: [NAME, …]")
	case len(ways) > 1:
		ways[1].Key().Errorf("what these callers may ask for is said twice").Suggest("keep one of claims.tenant, tenant and tenants; the other stands at %s", ways[0].Position())
	}
	if c.tenant != nil {
		c.Tenants = []string{oneOf(c.tenant, "tenant", known)}
	}
	for _, n := range c.tenants {
		if n.Text() != gateway.EveryTenant {
			oneOf(n, "tenant", known)
		}
		c.Tenants = append(c.Tenants, n.Text())
	}
	if slices.Contains(c.Tenants, gateway.EveryTenant) && len(c.Tenants) > 1 {
		c.node.Field("tenants").Errorf("\"*\" is all tenants").Suggest("write [\"*\"] alone, or the names without it")
	}
}

// Callers makes the verifier of callers' tokens; nil where the file has no `callers`.
// The wrap, when not nil, goes around the transport that brings the issuers' keys. Of
// the file before, when not nil, an issuer that is the same keeps its keys. The
// verifier is whoever's who asked for it to close.
func (f *File) Callers(wrap func(http.RoundTripper) http.RoundTripper, before *File) (*bearer.Verifier, error) {
	if f.dynamic.callers == nil {
		return nil, nil //nolint:nilnil // nobody's tokens are to be verified
	}
	o := bearer.Options{}
	if before != nil && before.verifier != nil && reflect.DeepEqual(f.dynamic.egress, before.dynamic.egress) {
		o.Before, f.issuers = before.verifier, before.issuers
	} else {
		transport, err := adapters.NewTransport(&f.dynamic.egress, adapters.TLSFiles{})
		if err != nil {
			return nil, err
		}
		if f.issuers = http.RoundTripper(transport); wrap != nil {
			f.issuers = wrap(transport)
		}
	}
	o.Transport = f.issuers
	for _, c := range f.dynamic.callers {
		o.Issuers = append(o.Issuers, c.Issuer)
	}
	var err error
	f.verifier, err = bearer.New(o)
	return f.verifier, err
}

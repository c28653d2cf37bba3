package config

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"muster/adapters"
	"muster/config/document"
	"muster/gateway"
	"muster/gateway/httpapi/bearer"
	"muster/gateway/httpapi/clientcert"
	"muster/normalize"
)

// caller is one item under `callers`: an issuer whose tokens are believed, or the name
// in a certificate of somebody who comes without a token.
type caller struct {
	bearer.Issuer
	node        *document.Node
	issuer      *document.Node
	certificate *certificate // nil where there is an issuer
	scopes      []string     // of who comes with the certificate
	tls         adapters.TLSFiles
	tenant      *document.Node
	tenants     []*document.Node

	transport http.RoundTripper // that brings the issuer's keys
}

// certificate is the one name by which a caller is known.
type certificate struct {
	node     *document.Node
	uri, dns string
}

func (c *certificate) name() clientcert.Name {
	if c.uri != "" {
		return clientcert.Name{Kind: clientcert.URI, Text: c.uri}
	}
	return clientcert.Name{Kind: clientcert.DNS, Text: c.dns}
}

func callerType() document.Type[caller] {
	typ := document.Object(callerKeys).Called("caller", "an issuer whose tokens are believed, and what is wanted of them; or the name in a certificate, and what goes with it")
	return document.Type[caller]{Form: typ, Read: func(into *caller, n *document.Node) {
		into.node = n
		document.Defaults(into, callerKeys())
		document.Decode(n, into, callerKeys())
		into.checkWay()
	}}
}

// checkWay holds an entry to the keys of the way in that it is about.
func (c *caller) checkWay() {
	n := c.node
	if n.Kind() != document.Mapping {
		return
	}
	certificate := n.Field("certificate")
	if certificate == nil {
		for _, wanted := range [][2]string{
			{"issuer", "its `iss`, to the letter; its keys are found by OpenID Connect Discovery, for example https://login.example.com/; or certificate: {uri: …} for who comes without a token"},
			{"audiences", "of which a token must be for one, for example muster"},
		} {
			if name, hint := wanted[0], wanted[1]; n.Field(name) == nil && !misspelt(n, name) {
				n.Errorf("the key %q is missing", name).Suggest("%s", hint)
			}
		}
		if scopes := n.Field("scopes"); scopes != nil {
			scopes.Key().Errorf("a token says itself what it is good for").Suggest("claims: {scopes: PATH} is where; scopes are given to callers by `certificate`")
		}
		return
	}
	for _, name := range []string{"issuer", "audiences", "clients", "types", "leeway", "claims", "require", "tls"} {
		if other := n.Field(name); other != nil {
			other.Key().Errorf("a certificate has no `%s`", name).Suggest("an entry with `certificate` knows tenant, tenants, scopes and rate; who comes with a token has an entry of their own")
		}
	}
}

// misspelt tells whether a key of the entry is told to be another.
func misspelt(n *document.Node, name string) bool {
	return slices.ContainsFunc(n.Fields(), func(f document.Field) bool {
		known := document.Members(callerKeys())
		names := make([]string, len(known))
		for i, m := range known {
			names[i] = m.Name
		}
		return !slices.Contains(names, f.Key.Text()) && document.Closest(f.Key.Text(), names) == name
	})
}

func callerKeys() []document.Key[caller] {
	c := new(normalize.Compiler)
	return []document.Key[caller]{
		document.Of("issuer", "its `iss`, to the letter; its keys are found by OpenID Connect Discovery", issuerType(), func(c *caller) **document.Node { return &c.issuer }).UnlessGiven("certificate"),
		document.Of("audiences", "of which a token must be for one", namesType("what the issuer calls this gateway", "muster"), func(c *caller) *[]string { return &c.Audiences }).UnlessGiven("certificate"),
		document.Of("certificate", "in place of an issuer: who comes without a token, on a connection whose certificate has this name and is vouched for by listen.tls.client_ca", document.Pointer(certificateType()), func(c *caller) **certificate { return &c.certificate }),
		document.Of("scopes", "what who comes with the certificate may", namesType("a scope", "profile.basic").With(oneWordEach), func(c *caller) *[]string { return &c.scopes }),
		document.Of("tls", "certificates and names of the connection to the issuer", adapters.TLSType(), func(c *caller) *adapters.TLSFiles { return &c.tls }),
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

func certificateType() document.Type[certificate] {
	typ := document.Object(certificateKeys).With(func(c certificate, n *document.Node) {
		switch uri, dns := n.Field("uri"), n.Field("dns"); {
		case n.Kind() != document.Mapping:
		case uri == nil && dns == nil && len(n.Fields()) == 0:
			n.Errorf("any certificate would be this caller's").Suggest("write uri: the name, for example spiffe://acme.example/frontend, or dns: the name")
		case uri != nil && dns != nil:
			dns.Key().Errorf("a caller is known by one name").Suggest("keep one of uri and dns; another name is another entry")
		}
	})
	return document.Type[certificate]{Form: typ.Form, Read: func(into *certificate, n *document.Node) {
		into.node = n
		typ.Read(into, n)
	}}
}

func certificateKeys() []document.Key[certificate] {
	uri := document.Type[string]{Form: document.Matching("a URI", "^[A-Za-z][A-Za-z0-9+.-]*:[!-)+-~]+$").Like("spiffe://acme.example/frontend"), Read: func(into *string, n *document.Node) {
		switch text := n.Text(); {
		case n.Kind() != document.Scalar:
		case strings.Contains(text, "*"):
			n.Errorf("a name is compared to the letter: * stands for nothing").Suggest("write an entry for each caller")
		case !certificateURI.MatchString(text):
			n.Errorf("not a URI: %q", text).Suggest("as the certificate has it, for example spiffe://acme.example/frontend")
		default:
			*into = text
		}
	}}
	dns := document.Type[string]{Form: document.Matching("a host's name", "^[a-z0-9_-]+([.][a-z0-9_-]+)*$").Like("frontend.acme.example"), Read: func(into *string, n *document.Node) {
		switch text := n.Text(); {
		case n.Kind() != document.Scalar:
		case strings.Contains(text, "*"):
			n.Errorf("a name is compared to the letter: * stands for nothing").Suggest("write an entry for each caller")
		case !certificateDNS.MatchString(text) || net.ParseIP(text) != nil:
			n.Errorf("not a host's name: %q", text).Suggest("in lower case, without a port, for example frontend.acme.example")
		default:
			*into = text
		}
	}}
	return []document.Key[certificate]{
		document.Of("uri", "its subject alternative name, to the letter", uri, func(c *certificate) *string { return &c.uri }),
		document.Of("dns", "or the one that is a host's", dns, func(c *certificate) *string { return &c.dns }),
	}
}

var (
	certificateURI = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:[!-~]+$`)
	certificateDNS = regexp.MustCompile(`^[a-z0-9_-]+([.][a-z0-9_-]+)*$`)
)

// oneWordEach refuses scopes that could be none of a token's.
func oneWordEach(_ []string, n *document.Node) {
	for _, item := range n.OneOrMore() {
		if strings.ContainsAny(item.Text(), " \t") && strings.TrimSpace(item.Text()) != "" {
			item.Errorf("no scope has a space in it").Suggest("write [%s] for all of these", strings.Join(strings.Fields(item.Text()), ", "))
		}
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
	named := map[clientcert.Name]*document.Node{}
	for _, c := range f.dynamic.callers {
		if c.certificate != nil {
			f.bindCertificate(c.certificate, named)
		} else {
			f.bindIssuer(c, seen)
		}
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
		return
	}
	f.bindTransport(c)
}

// bindCertificate checks that the name is one caller's, and that somebody vouches for it.
func (f *File) bindCertificate(c *certificate, named map[clientcert.Name]*document.Node) {
	if f.Static.Listen.TLS.ClientCA == "" && f.root.Field("listen").Field("tls").Field("client_ca") == nil {
		c.node.Key().Errorf("nobody vouches for clients: who comes with a certificate is not known").
			Suggest("add listen: {tls: {client_ca: PATH}}, the certificates of who issues these callers theirs")
	}
	if len(named) == 0 && f.Static.Listen.adminTakesCallers() {
		f.root.Field("listen").Field("admin").Errorf("who has a caller's certificate would have the admin listener as well").
			Suggest("listen on loopback, or name under listen.tls.admin_ca who vouches for operators; the callers' certificates are at %s", c.node.Position())
	}
	name := c.name()
	if name.Text == "" {
		return // which has been reported
	}
	if first := named[name]; first != nil {
		c.node.Errorf("there are two entries for this name").Suggest("the other stands at %s; one entry may have several tenants and scopes", first.Position())
		return
	}
	named[name] = c.node
}

// adminTakesCallers tells whether who has a certificate for the public listener may use the
// admin listener with it.
func (l Listen) adminTakesCallers() bool {
	return l.Admin != "" && !Loopback(l.Admin) && l.TLS.AdminCA == "" && l.TLS.ClientCA != ""
}

func (f *File) hasCertificates() bool {
	return slices.ContainsFunc(f.dynamic.callers, func(c *caller) bool { return c.certificate != nil })
}

// bindTransport makes what brings an issuer's keys. On another machine than the
// gateway's, its files may be missing.
func (f *File) bindTransport(c *caller) {
	n := c.node.Field("tls")
	for _, path := range c.tls.Paths() {
		_, _ = f.files.read(path) // what is wrong with it is told below
	}
	if n != nil && strings.HasPrefix(c.Name, "http://") {
		n.Key().Errorf("nothing is encrypted on the way to this issuer").Suggest("remove `tls`, or write https")
		return
	}
	transport, err := adapters.NewTransport(&f.dynamic.egress, c.tls)
	switch {
	case err == nil:
		c.transport = transport
	case f.secrets.elsewhere != nil && errors.Is(err, fs.ErrNotExist):
		*f.secrets.elsewhere = append(*f.secrets.elsewhere, err.Error())
	default:
		n.Errorf("%v", err)
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
		hint := "write claims: {tenant: PATH}, or tenant: NAME, or tenants: [NAME, …]"
		if c.node.Field("certificate") != nil {
			hint = "write tenant: NAME, or tenants: [NAME, …]"
		}
		c.node.Errorf("these callers may ask for no tenant").Suggest("%s", hint)
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

// CallersOptions are what the verifiers of callers need besides the file.
type CallersOptions struct {
	Wrap    func(http.RoundTripper) http.RoundTripper // around what brings the issuers' keys; nil for nothing
	Before  *File                                     // of which an issuer that is the same keeps its keys; nil for none
	Fetched func(issuer string, outcome bearer.Fetch) // see bearer.Options
	Vouches func(authority *x509.Certificate) bool    // see clientcert.Options; nil where nobody does
}

// Callers are who may ask. Without any, everybody may.
type Callers struct {
	Tokens       *bearer.Verifier // nil where no token is believed; whoever's who asked for it, to close
	Places       []string         // where the file has the issuers of the tokens: callers[0]
	Certificates *clientcert.Verifier
}

// Callers makes the verifiers of those who come with a token or a certificate; nil where
// the file has no `callers`.
func (f *File) Callers(o CallersOptions) (*Callers, error) {
	if f.dynamic.callers == nil {
		return nil, nil //nolint:nilnil // nobody is to be verified
	}
	var all Callers
	tokens := bearer.Options{Fetched: o.Fetched}
	var holders []clientcert.Holder
	for i, c := range f.dynamic.callers {
		if c.certificate != nil {
			holders = append(holders, clientcert.Holder{Name: c.certificate.name(), Scopes: c.scopes, Tenants: c.Tenants, Rate: c.Rate})
			continue
		}
		c.Transport = c.transport
		if o.Wrap != nil {
			c.Transport = o.Wrap(c.transport)
		}
		if same := o.Before.sameIssuer(f, c); same != nil {
			c.Transport, tokens.Before = same.Transport, o.Before.verifier
		}
		tokens.Issuers = append(tokens.Issuers, c.Issuer)
		all.Places = append(all.Places, fmt.Sprintf("callers[%d]", i))
	}
	var err error
	if tokens.Issuers != nil {
		if all.Tokens, err = bearer.New(tokens); err != nil {
			return nil, err
		}
		f.verifier = all.Tokens
	}
	if holders != nil {
		if o.Vouches == nil {
			o.Vouches = func(*x509.Certificate) bool { return false }
		}
		if all.Certificates, err = clientcert.New(clientcert.Options{Holders: holders, Vouches: o.Vouches}); err != nil {
			return nil, err
		}
	}
	return &all, nil
}

// sameIssuer finds what an issuer of another file is in this one, if its connections go to
// the same places under the same certificates.
func (f *File) sameIssuer(other *File, c *caller) *caller {
	if f == nil || f.verifier == nil || !reflect.DeepEqual(f.dynamic.egress, other.dynamic.egress) {
		return nil
	}
	for _, old := range f.dynamic.callers {
		if old.certificate == nil && old.Name == c.Name && old.tls == c.tls &&
			!slices.ContainsFunc(c.tls.Paths(), func(path string) bool { return f.files.digest(path) != other.files.digest(path) }) {
			return old
		}
	}
	return nil
}

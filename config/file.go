package config

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"muster/adapters"
	"muster/config/document"
	"muster/gateway/httpapi/edge"
	"muster/normalize"
)

// Static is the part of the file that a running process cannot change.
type Static struct {
	Listen     Listen
	Telemetry  Telemetry
	Audit      *Audit // nil keeps no records
	CacheBytes int64
}

// Listen is where the gateway answers.
type Listen struct {
	Address string   // of the public listener, host:port
	Admin   string   // of the admin listener
	Origins []string // of pages that may call it from a browser

	TLS            edge.Files     // the zero Files for plaintext
	TrustedProxies []netip.Prefix // whose forwarding headers are believed
}

// Telemetry is where traces go.
type Telemetry struct {
	OTLP   string  // base address of an OTLP/HTTP collector; "" for none
	Sample float64 // share of lookups that are traced
}

// Audit is where records go of who asked for whom.
type Audit struct {
	File     string // a path; "" where they go to OTLP
	OTLP     string // base address of an OTLP/HTTP collector; "" where they go to a file
	Required bool   // nobody is answered whose record is not written
}

// dynamic is the rest of the file, read but not yet bound to anything.
type dynamic struct {
	callers   []*caller
	tenants   []*tenant
	accept    []*document.Node
	links     linksFrom
	providers []*entry
	limits    adapters.Limits
	budget    budget
	order     []*document.Node
	fields    []fieldRule
	policies  []*policy
	egress    adapters.Egress
	reload    reload
	learned   time.Duration  // how long links are kept
	key       *document.Node // of pseudonyms
}

// reload is what happens when files change.
type reload struct{ watch, test bool }

type budget struct {
	total time.Duration
	waves int
}

type tenant struct {
	name              *document.Node
	ids               []document.Field
	defaultIdentifier *document.Node
	providers         []*document.Node
	rate              adapters.Rate
}

// entry is one item under `providers`: a definition and what this deployment
// says of it.
type entry struct {
	node     *document.Node
	use      *document.Node
	name     *document.Node
	with     *document.Node
	required bool
	optional bool
	tenants  []*document.Node
}

type fieldRule struct {
	member    *document.Node
	authority *document.Node
	prefer    *document.Node
	order     []*document.Node
}

// fileParts is what the decoder fills.
type fileParts struct {
	static  Static
	dynamic dynamic
	notes   []string // what was read and is not in force yet
}

// Form is how a gateway's file is written.
func Form() document.Form {
	return document.KeysOf(func() []document.Member { return document.Members(fileKeys()) })
}

func fileKeys() []document.Key[fileParts] {
	dyn := func(f *fileParts) *dynamic { return &f.dynamic }
	return []document.Key[fileParts]{
		document.Of("listen", "where the gateway answers", document.Object(listenKeys), func(f *fileParts) *Listen { return &f.static.Listen }),
		document.Of("callers", "who may ask: whose tokens are believed, chosen by their `iss`", someOf(document.Pointer(callerType())), func(f *fileParts) *[]*caller { return &f.dynamic.callers }),
		document.Of("tenants", "customers by name, and what the upstreams call them", tenantsType(), func(f *fileParts) *[]*tenant { return &f.dynamic.tenants }).Must(),
		document.Of("identifiers", "what a caller may send", document.Object(identifierKeys), dyn),
		document.Of("providers", "the sources, in the order of answers", someOf(document.Pointer(entryType())), func(f *fileParts) *[]*entry { return &f.dynamic.providers }).Must(),
		document.Of("limits", "defaults for every provider", adapters.LimitsType(), func(f *fileParts) *adapters.Limits { return &f.dynamic.limits }),
		document.Of("budget", "bounds of a whole lookup", document.Object(budgetKeys), func(f *fileParts) *budget { return &f.dynamic.budget }),
		document.Of("merge", "who wins", document.Object(mergeKeys), dyn),
		document.Of("policies", "which members of a profile a caller is shown; what none of them shows is hidden, and all that hold add up", someOf(document.Pointer(policyType())), func(f *fileParts) *[]*policy { return &f.dynamic.policies }),
		document.Of("egress", "where connections may go", document.Object(egressKeys), func(f *fileParts) *adapters.Egress { return &f.dynamic.egress }),
		document.Of("cache", "how much is remembered, and how long", document.Object(cacheKeys), func(f *fileParts) *fileParts { return f }),
		document.Of("secrets", "how often secret files are read again", document.Object(secretsKeys), func(f *fileParts) *struct{} { return &struct{}{} }),
		document.Of("reload", "what happens when files change", document.Object(reloadKeys), func(f *fileParts) *reload { return &f.dynamic.reload }),
		document.Of("telemetry", "where traces go, and what people are called in them", document.Object(telemetryKeys), func(f *fileParts) *fileParts { return f }),
		document.Of("audit", "a record of each lookup: who asked for whom, and what they were shown; without it none are kept", document.Pointer(auditType()), func(f *fileParts) **Audit { return &f.static.Audit }),
	}
}

func tenantsType() document.Type[[]*tenant] {
	one := document.Object(tenantKeys)
	form := document.NamesOf(one.Form).Like("{acme: {}}")
	return document.Type[[]*tenant]{Form: form, Read: func(into *[]*tenant, n *document.Node) {
		if n.Kind() == document.Mapping && len(n.Fields()) == 0 {
			n.Errorf("no tenant is named").Suggest("for example %s", form.Example)
		}
		for _, field := range n.Fields() {
			t := &tenant{name: field.Key}
			one.Read(t, field.Value)
			*into = append(*into, t)
		}
	}}
}

func budgetKeys() []document.Key[budget] {
	return []document.Key[budget]{
		document.Of("total", "its time", document.Span().With(func(total time.Duration, n *document.Node) {
			if total == 0 && isZero(n) {
				n.Errorf("a lookup needs some time").Suggest("for example 3s")
			}
		}), func(b *budget) *time.Duration { return &b.total }).Or("3s"),
		document.Of("waves", "how far a chain of identifiers is followed", document.Whole(1, 10), func(b *budget) *int { return &b.waves }).Or("3"),
	}
}

// secretsKeys asks for nothing that is kept: all files are looked at more often
// than anybody may ask for.
func secretsKeys() []document.Key[struct{}] {
	return []document.Key[struct{}]{{Name: "refresh", About: "at most so long after a change", Form: document.Span().Form, Read: func(_ *struct{}, n *document.Node) {
		if span := n.Duration(); span > 0 && span < lookEvery {
			n.Errorf("files are looked at every %v", lookEvery).Suggest("write %v or more", lookEvery)
		}
	}}}
}

func reloadKeys() []document.Key[reload] {
	return []document.Key[reload]{
		document.Of("watch", "look for changes; without, SIGHUP alone reloads", document.Switch(), func(r *reload) *bool { return &r.watch }).Or("true"),
		document.Of("test", "run the inline tests first", document.Switch(), func(r *reload) *bool { return &r.test }).Or("true"),
	}
}

// notBuilt is a key that decides who sees what and that this version does not
// have: to ignore it would be to open what somebody meant to close.
func notBuilt[T any](name, about, what, instead string) document.Key[T] {
	return document.Key[T]{Name: name, About: about, Form: document.Never("not part of this version"), Read: func(_ *T, n *document.Node) {
		n.Key().Errorf("%s are not part of this version", what).Suggest("%s", instead)
	}}
}

// limitsNotInForce says which limits somebody wrote that this version checks and
// does not act on.
func limitsNotInForce(root *document.Node) []string {
	places := []*document.Node{root.Field("limits")}
	if n := root.Field("providers"); n.Kind() == document.List {
		for _, item := range n.Items() {
			places = append(places, item.Field("limits"))
		}
	}
	var notes []string
	for _, name := range []string{"attempts", "hedge", "concurrency", "rate"} {
		if slices.ContainsFunc(places, func(n *document.Node) bool { return n.Field(name) != nil }) {
			notes = append(notes, "`limits."+name+"` is read and checked, but not in force in this version")
		}
	}
	return notes
}

func listenKeys() []document.Key[Listen] {
	return []document.Key[Listen]{
		document.Of("address", "the public listener", addressType(), func(l *Listen) *string { return &l.Address }).Or("127.0.0.1:8080"),
		document.Of("admin", "the admin listener", addressType(), func(l *Listen) *string { return &l.Admin }).Or("127.0.0.1:9090"),
		document.Of("tls", "certificate of the public listener, and of an admin listener beyond this machine", document.Object(tlsKeys), func(l *Listen) *edge.Files { return &l.TLS }),
		document.Of("trusted_proxies", "whose X-Forwarded-For and X-Forwarded-Proto are believed", document.OneOrMore(networkType()), func(l *Listen) *[]netip.Prefix { return &l.TrustedProxies }),
		document.Of("cors", "pages that may call from a browser", document.Object(corsKeys), func(l *Listen) *Listen { return l }),
	}
}

func tlsKeys() []document.Key[edge.Files] {
	path := document.Type[string]{Form: document.AnyValue("a path"), Read: func(into *string, n *document.Node) {
		if *into = n.Text(); *into != "" {
			*into = relative(n.File(), *into)
		} else if n.Kind() == document.Scalar {
			n.Errorf("no file is named").Suggest("for example /etc/muster/tls.crt; a path is relative to this file")
		}
	}}
	return []document.Key[edge.Files]{
		document.Of("cert", "PEM: the server's own certificate, then those that vouch for it; read again when it changes", path, func(f *edge.Files) *string { return &f.Cert }).Must(),
		document.Of("key", "PEM: its private key", path, func(f *edge.Files) *string { return &f.Key }).Must(),
		document.Of("client_ca", "PEM: who vouches for clients. On the admin listener they must show a certificate; on the public one they may", path, func(f *edge.Files) *string { return &f.ClientCA }),
		document.Of("admin_ca", "PEM: who vouches for those of the admin listener, in place of client_ca", path, func(f *edge.Files) *string { return &f.AdminCA }),
	}
}

// networkType is a network, or one address.
func networkType() document.Type[netip.Prefix] {
	form := document.Matching("a network, or an address", "^[0-9A-Fa-f:.]+(/[0-9]+)?$").Like("10.0.0.0/8")
	return document.Type[netip.Prefix]{Form: form, Read: func(into *netip.Prefix, n *document.Node) {
		text := n.Text()
		if n.Kind() != document.Scalar {
			return
		}
		network, err := netip.ParsePrefix(text)
		if address, single := netip.ParseAddr(text); single == nil && address.Zone() == "" {
			network, err = netip.PrefixFrom(address, address.BitLen()), nil
		}
		switch {
		case err != nil:
			n.Errorf("not a network: %q", text).Suggest("the proxies' own addresses, for example 10.0.0.0/8 or 192.0.2.7")
		case network.Bits() == 0:
			n.Errorf("everybody would be believed about where they come from").Suggest("the proxies' own addresses, for example 10.0.0.0/8 or 192.0.2.7")
		case network != network.Masked():
			n.Errorf("%s is an address within a network", text).Suggest("write %s for the network, or %s for the one address", network.Masked(), network.Addr())
		case network.Addr().Is4In6():
			n.Errorf("an IPv4 address in the form of IPv6").Suggest("write it as IPv4")
		default:
			*into = network
		}
	}}
}

func corsKeys() []document.Key[Listen] {
	form := document.OneOrMoreOf(document.Matching("an origin", "^https?://[^/]+$").Like("https://app.example.com"))
	return []document.Key[Listen]{{Name: "origins", About: "their exact origins", Form: form, Read: func(l *Listen, n *document.Node) {
		for _, item := range n.OneOrMore() {
			if origin := item.Text(); item.Kind() == document.Scalar && !isOrigin(origin) {
				item.Errorf("not an origin: %q", origin).Suggest("scheme, host and port as browsers write them, for example https://app.example.com")
			} else {
				l.Origins = append(l.Origins, origin)
			}
		}
	}}}
}

// addressType is an address to listen on.
func addressType() document.Type[string] {
	form := document.Matching("host:port", ":[0-9]+$").Like("127.0.0.1:8080")
	return document.Type[string]{Form: form, Read: func(into *string, n *document.Node) { *into = hostPort(n) }}
}

// hostPort reads an address to listen on, "" when it is none.
func hostPort(n *document.Node) string {
	text := n.Text()
	if n.Kind() == document.Scalar && !isAddress(text) {
		n.Errorf("not an address to listen on: %q", text).Suggest("for example \"127.0.0.1:8080\"")
		return ""
	}
	return text
}

// isAddress tells whether a text is host:port, the host perhaps left out. Whether
// there is such a port is for the system to say.
func isAddress(text string) bool {
	_, port, err := net.SplitHostPort(text)
	_, numeric := strconv.ParseUint(port, 10, 64)
	return err == nil && numeric == nil
}

// isOrigin tells whether a text is what a browser sends as its origin.
func isOrigin(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && text == strings.ToLower(u.Scheme+"://"+u.Host)
}

// isBaseAddress tells whether a text is an address that paths can be put behind.
func isBaseAddress(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.RawQuery == "" && u.Fragment == ""
}

// isHostPattern tells whether a text is a host, perhaps with its port, or *.suffix.
func isHostPattern(text string) bool {
	return net.ParseIP(text) != nil || adapters.Fits("host", strings.TrimPrefix(text, "*."))
}

// isZero tells whether a time span or a size is of nothing; what is neither has
// been reported.
func isZero(n *document.Node) bool {
	span, err := time.ParseDuration(n.Text())
	return err == nil && span == 0 || zeroBytes.MatchString(n.Text())
}

var zeroBytes = regexp.MustCompile(`^0+ ?([KMG]i)?B?$`)

// some are the items of a list that must have one. An empty list of those who
// may would read as nobody to one and as everybody to another.
func some(n *document.Node) []*document.Node {
	items := n.Items()
	if n.Kind() == document.List && len(items) == 0 {
		n.Errorf("the list is empty").Suggest("write at least one, or remove the key")
	}
	return items
}

// someOf is a list that must have an item.
func someOf[V any](typ document.Type[V]) document.Type[[]V] {
	return document.Type[[]V]{Form: document.ListOf(typ.Form), Read: func(into *[]V, n *document.Node) {
		for _, item := range some(n) {
			var v V
			typ.Read(&v, item)
			*into = append(*into, v)
		}
	}}
}

// nameOf is the name of something, which is looked for once all names are known.
func nameOf(what string) document.Type[*document.Node] {
	return document.Itself(document.AnyValue(what))
}

func tenantKeys() []document.Key[tenant] {
	return []document.Key[tenant]{
		{Name: "ids", About: "{tenant.NAME} in definitions: what each source calls this tenant", Form: document.NamesOf(document.AnyValue("text")), Read: func(t *tenant, n *document.Node) { t.ids = n.Fields() }},
		{Name: "default_identifier", About: "the kind of a {user} that names none", Form: document.AnyValue("a kind of identifier"), Read: func(t *tenant, n *document.Node) {
			if n.Text() != "" {
				t.defaultIdentifier = n
			}
		}},
		document.Of("providers", "when given, only these sources", someOf(nameOf("a source")), func(t *tenant) *[]*document.Node { return &t.providers }),
		document.Of("rate", "how many people its callers may ask for together; as many at once", adapters.RateType(), func(t *tenant) *adapters.Rate { return &t.rate }).Or("none"),
	}
}

func identifierKeys() []document.Key[dynamic] {
	return []document.Key[dynamic]{
		document.Of("accept", "kinds that a caller may send; without it, all that a lookup needs", someOf(nameOf("a kind of identifier")), func(d *dynamic) *[]*document.Node { return &d.accept }),
		document.Of("links", "known links between identifiers, in a file or in a table", linksType(), func(d *dynamic) *linksFrom { return &d.links }),
	}
}

// linksFrom is where the operator's links are.
type linksFrom struct {
	file  *document.Node
	table *linksTable
}

// linksTable is a table of links as the file writes it.
type linksTable struct {
	url     *document.Node
	timeout time.Duration
}

func linksType() document.Type[linksFrom] {
	return document.Object(linksKeys).With(func(l linksFrom, n *document.Node) {
		switch {
		case n.Kind() != document.Mapping:
		case l.file != nil && l.table != nil:
			n.Field("sql").Key().Errorf("the links are in a file already").
				Suggest("keep one of the two: `muster links import` puts the file into the table, and a link is then withdrawn in one place")
		case n.Field("file") == nil && n.Field("sql") == nil && len(n.Fields()) == 0:
			n.Errorf("the links are nowhere").Suggest("write file: a path, or sql: {url: a table}")
		}
	})
}

func linksKeys() []document.Key[linksFrom] {
	return []document.Key[linksFrom]{
		document.Of("file", "YAML or CSV, relative to this file", nameOf("a path"), func(l *linksFrom) **document.Node { return &l.file }),
		document.Of("sql", "a table, which `muster links` fills", document.Pointer(document.Object(linksTableKeys)), func(l *linksFrom) **linksTable { return &l.table }),
	}
}

func linksTableKeys() []document.Key[linksTable] {
	return []document.Key[linksTable]{
		document.Of("url", "sqlite:PATH relative to this file, or the URL of a PostgreSQL; or ${env:NAME} or ${file:PATH} for the whole of it",
			nameOf("an address"), func(t *linksTable) **document.Node { return &t.url }).Or("sqlite:links.db"),
		document.Of("timeout", "for each time it is asked", document.Span().With(func(timeout time.Duration, n *document.Node) {
			if timeout == 0 && isZero(n) {
				n.Errorf("the table needs some time").Suggest("for example 500ms")
			}
		}), func(t *linksTable) *time.Duration { return &t.timeout }).Or("500ms"),
	}
}

func entryType() document.Type[entry] {
	typ := document.Object(entryKeys)
	return document.Type[entry]{Form: typ.Form, Read: func(into *entry, n *document.Node) {
		into.node = n
		typ.Read(into, n)
	}}
}

func entryKeys() []document.Key[entry] {
	definition := adapters.Form().Members()
	// whole is a key that is laid over the definition's own.
	whole := func(name string) document.Key[entry] {
		i := slices.IndexFunc(definition, func(m document.Member) bool { return m.Name == name })
		return document.Key[entry]{Name: name, About: "in place of the definition's", Form: definition[i].Form, Read: func(*entry, *document.Node) {}}
	}
	return []document.Key[entry]{
		document.Of("use", "the definition: in ./providers, then in the catalog", nameOf("a definition's name").Like("scim"), func(e *entry) **document.Node { return &e.use }).Must(),
		document.Of("name", "what this deployment calls the source; without it, the definition's name", nameOf("a name"), func(e *entry) **document.Node { return &e.name }),
		document.Of("with", "the definition's settings", document.Itself(document.NamesOf(document.AnyValue("a value, or ${env:NAME} or ${file:PATH} for a secret"))), func(e *entry) **document.Node { return &e.with }),
		document.Of("required", "its failure is the lookup's", document.Switch(), func(e *entry) *bool { return &e.required }).Or("false"),
		{Name: "optional", About: "its failure never makes an answer partial", Default: "false", Form: document.Switch().Form, Read: func(e *entry, n *document.Node) {
			if e.optional = n.Bool(); e.optional && e.required {
				n.Key().Errorf("a source cannot be both required and optional").Suggest("remove one of them")
			}
		}},
		document.Of("tenants", "when given, only for these", someOf(nameOf("a tenant")), func(e *entry) *[]*document.Node { return &e.tenants }),
		{Name: "limits", About: "over the definition's, key by key", Form: adapters.LimitsType().Form, Read: func(_ *entry, n *document.Node) {
			scratch := adapters.DefaultLimits()
			adapters.ReadLimits(&scratch, n)
		}},
		whole("auth"), whole("tls"), whole("headers"), whole("query"),
	}
}

func mergeKeys() []document.Key[dynamic] {
	return []document.Key[dynamic]{
		document.Of("order", "sources, first wins; without it, as they stand under providers", someOf(nameOf("a source, or \"*\" for all others")), func(d *dynamic) *[]*document.Node { return &d.order }),
		document.Of("fields", "rules of single members", fieldRules(), func(d *dynamic) *[]fieldRule { return &d.fields }),
	}
}

func fieldRules() document.Type[[]fieldRule] {
	rule := document.Object(fieldRuleKeys)
	form := document.KeysOf(func() []document.Member {
		var members []document.Member
		for _, name := range normalize.Members() {
			members = append(members, document.Member{Name: name, About: "the rule of " + name, Form: rule.Called("rule", "who wins a member")})
		}
		return members
	})
	return document.Type[[]fieldRule]{Form: form, Read: func(into *[]fieldRule, n *document.Node) {
		for _, f := range n.Fields() {
			if !slices.Contains(normalize.Members(), f.Key.Text()) {
				document.UnknownName(f.Key, "member", normalize.Members())
				continue
			}
			r := fieldRule{member: f.Key}
			rule.Read(&r, f.Value)
			*into = append(*into, r)
		}
	}}
}

func fieldRuleKeys() []document.Key[fieldRule] {
	only := func(r *fieldRule, n *document.Node, rule, member string) bool {
		if r.member.Text() != member {
			n.Errorf("only %s has the rule `%s`", member, rule).Suggest("the rule of %s is its `order` of sources", r.member.Text())
		}
		return r.member.Text() == member
	}
	return []document.Key[fieldRule]{
		{Name: "authority", About: "the source that decides (of active)", Form: document.AnyValue("a source"), Read: func(r *fieldRule, n *document.Node) {
			if only(r, n, "authority", "active") {
				r.authority = n
			}
		}},
		{Name: "prefer", About: "verified (of emails)", Form: document.Word("verified"), Read: func(r *fieldRule, n *document.Node) {
			if only(r, n, "prefer", "emails") && n.OneOf("verified") != "" {
				r.prefer = n
			}
		}},
		document.Of("order", "the member's own order; \"*\" is all others", someOf(nameOf("a source, or \"*\" for all others")), func(r *fieldRule) *[]*document.Node { return &r.order }),
	}
}

func egressKeys() []document.Key[adapters.Egress] {
	return []document.Key[adapters.Egress]{
		document.Of("private", "hosts that may have private addresses", document.OneOrMore(hostPatternType()), func(e *adapters.Egress) *[]string { return &e.Private }),
		document.Of("connect", "where a host's connections really go", connections(), func(e *adapters.Egress) *[]adapters.Connect { return &e.Connect }),
	}
}

func hostPatternType() document.Type[string] {
	form := document.AnyValue("a host, or *.SUFFIX").Like(`"*.example.com"`)
	return document.Type[string]{Form: form, Read: func(into *string, n *document.Node) { *into = hostPattern(n) }}
}

// connectEntry is one value under egress.connect.
type connectEntry struct {
	adapters.Connect
	insecure bool
}

func connections() document.Type[[]adapters.Connect] {
	one := document.Object(connectKeys)
	return document.Type[[]adapters.Connect]{Form: document.NamesOf(one.Form).Like(`{"*.acme.example": {address: "127.0.0.1:9003", plaintext: true}}`), Read: func(into *[]adapters.Connect, n *document.Node) {
		for _, f := range n.Fields() {
			c := connectEntry{Connect: adapters.Connect{Host: hostPattern(f.Key)}}
			one.Read(&c, f.Value)
			*into = append(*into, c.Connect)
		}
	}}
}

func connectKeys() []document.Key[connectEntry] {
	return []document.Key[connectEntry]{
		{Name: "address", About: "where to connect to", Required: true, Form: addressType().Form.Like("127.0.0.1:9003"), Read: func(c *connectEntry, n *document.Node) {
			if c.Address = n.Text(); n.Kind() == document.Scalar && (!isAddress(c.Address) || strings.HasPrefix(c.Address, ":")) {
				n.Errorf("not host:port: %q", c.Address).Suggest("for example 127.0.0.1:9003")
				c.Address = ""
			}
		}},
		document.Of("insecure", "true: plaintext also beyond this machine", document.Switch(), func(c *connectEntry) *bool { return &c.insecure }).Or("false"),
		{Name: "plaintext", About: "true: no TLS on the way; only to loopback", Default: "false", Form: document.Switch().Form, Read: func(c *connectEntry, n *document.Node) {
			if c.Plaintext = n.Bool(); c.Plaintext && !c.insecure && c.Address != "" && !Loopback(c.Address) {
				n.Errorf("credentials and personal data would leave this machine unencrypted").
					Suggest("use an address on loopback, TLS, or say insecure: true aloud")
			}
		}},
	}
}

func hostPattern(n *document.Node) string {
	text := n.Text()
	if n.Kind() == document.Scalar && !isHostPattern(text) {
		n.Errorf("not a host: %q", text).Suggest("an exact host, or *.example.com")
	}
	return text
}

// Loopback tells whether an address to dial or to listen on is this machine alone.
func Loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func cacheKeys() []document.Key[fileParts] {
	return []document.Key[fileParts]{
		document.Of("size", "memory for records", document.Size().With(func(size int64, n *document.Node) {
			if size < 1<<20 && (size > 0 || isZero(n)) {
				n.Errorf("the cache needs at least 1MiB")
			}
		}), func(f *fileParts) *int64 { return &f.static.CacheBytes }).Or("256MiB"),
		document.Of("links", "how long it is remembered who is who, after a source has said so; 0s: not at all", document.Span(), func(f *fileParts) *time.Duration { return &f.dynamic.learned }).Or("24h"),
		notBuilt[fileParts]("redis", "a second tier for many replicas", "Redis caches", "remove the key: records are kept in memory alone"),
	}
}

func telemetryKeys() []document.Key[fileParts] {
	return []document.Key[fileParts]{
		{Name: "otlp", About: "base address of an OTLP/HTTP collector", Form: collectorForm(), Read: func(f *fileParts, n *document.Node) {
			f.static.Telemetry.OTLP = collector(n)
		}},
		document.Of("sample", "share of lookups that are traced", document.Share(), func(f *fileParts) *float64 { return &f.static.Telemetry.Sample }).Or("100%"),
		document.Of("identifiers", "in traces, the log and audit records a person is a keyed hash of their identifier, never the identifier", document.OneOf("hashed"), func(*fileParts) *string { return new(string) }).Or("hashed"),
		document.Of("key", "of that hash: 32 bytes or more, as ${file:PATH} or ${env:NAME}; read again when it changes. Without it, one of this process, which ends with it",
			nameOf("a key").Like("${file:/run/secrets/telemetry}"), func(f *fileParts) **document.Node { return &f.dynamic.key }),
	}
}

func collectorForm() document.Form {
	return document.Matching("an address", "^https?://").Like("http://otel-collector:4318")
}

func collector(n *document.Node) string {
	address := n.Text()
	if n.Kind() == document.Scalar && !isBaseAddress(address) {
		n.Errorf("not a collector's address: %q", address).Suggest("for example http://otel-collector:4318")
	}
	return address
}

func auditType() document.Type[Audit] {
	return document.Object(auditKeys).With(func(_ Audit, n *document.Node) {
		if n.Kind() != document.Mapping {
			return
		}
		switch file, otlp := n.Field("file"), n.Field("otlp"); {
		case file != nil && otlp != nil:
			otlp.Key().Errorf("the records go to a file already").Suggest("keep one of the two: a collector can read the file, too")
		case file == nil && otlp == nil && !slices.ContainsFunc(n.Fields(), func(f document.Field) bool { return f.Key.Text() != "required" }): // else another word is meant, and is told
			n.Errorf("the records go nowhere").Suggest("write file: a path, or otlp: a collector's address")
		}
	})
}

func auditKeys() []document.Key[Audit] {
	path := document.Type[string]{Form: document.AnyValue("a path").Like("/var/log/muster/audit.jsonl"), Read: func(into *string, n *document.Node) {
		if *into = n.Text(); *into != "" {
			*into = relative(n.File(), *into)
		} else if n.Kind() == document.Scalar {
			n.Errorf("no file is named").Suggest("for example /var/log/muster/audit.jsonl; a path is relative to this file")
		}
	}}
	return []document.Key[Audit]{
		document.Of("file", "JSON Lines, appended; the owner's alone if it is made; it may be moved away, and a new one is then begun", path, func(a *Audit) *string { return &a.File }),
		{Name: "otlp", About: "base address of an OTLP/HTTP collector that takes logs", Form: collectorForm(), Read: func(a *Audit, n *document.Node) { a.OTLP = collector(n) }},
		document.Of("required", "nobody is answered before their record is written, and everybody is refused while none can be; with false, nobody waits and records may be lost", document.Switch(), func(a *Audit) *bool { return &a.Required }).Or("true"),
	}
}

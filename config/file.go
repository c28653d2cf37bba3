package config

import (
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"muster/adapters"
	"muster/config/document"
	"muster/normalize"
)

// Static is the part of the file that a running process cannot change.
type Static struct {
	Listen     Listen
	Telemetry  Telemetry
	CacheBytes int64
}

// Listen is where the gateway answers.
type Listen struct {
	Address string   // of the public listener, host:port
	Admin   string   // of the admin listener
	Origins []string // of pages that may call it from a browser
}

// Telemetry is where traces go.
type Telemetry struct {
	OTLP   string  // base address of an OTLP/HTTP collector; "" for none
	Sample float64 // share of lookups that are traced
}

// dynamic is the rest of the file, read but not yet bound to anything.
type dynamic struct {
	tenants   []*tenant
	accept    []*document.Node
	links     *document.Node
	providers []*entry
	limits    adapters.Limits
	budget    budget
	order     []*document.Node
	fields    []fieldRule
	egress    adapters.Egress
	reload    reload
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
	listen  *document.Node
	notes   []string // what was read and is not in force yet
}

func fileKeys() []document.Key[fileParts] {
	return []document.Key[fileParts]{
		{Name: "listen", About: "where the gateway answers", Read: func(f *fileParts, n *document.Node) {
			f.listen = n
			document.Decode(n, &f.static.Listen, listenKeys())
		}},
		{Name: "callers", About: "who may ask", Read: notBuilt[fileParts]("callers' tokens", "remove the key, and let nobody but this machine reach the listeners")},
		{Name: "tenants", About: "customers, and what the upstreams call them", Required: true, Read: func(f *fileParts, n *document.Node) {
			if n.Kind() == document.Mapping && len(n.Fields()) == 0 {
				n.Errorf("no tenant is named").Suggest("for example {acme: {}}")
			}
			for _, field := range n.Fields() {
				t := &tenant{name: field.Key}
				document.Decode(field.Value, t, tenantKeys())
				f.dynamic.tenants = append(f.dynamic.tenants, t)
			}
		}},
		{Name: "identifiers", About: "what a caller may send", Read: func(f *fileParts, n *document.Node) { document.Decode(n, &f.dynamic, identifierKeys()) }},
		{Name: "providers", About: "the sources, in the order of answers", Required: true, Read: func(f *fileParts, n *document.Node) {
			for _, item := range some(n) {
				e := &entry{node: item}
				document.Decode(item, e, entryKeys())
				f.dynamic.providers = append(f.dynamic.providers, e)
			}
		}},
		{Name: "limits", About: "defaults for every provider", Read: func(f *fileParts, n *document.Node) { adapters.ReadLimits(&f.dynamic.limits, n) }},
		{Name: "budget", About: "bounds of a whole lookup", Read: func(f *fileParts, n *document.Node) {
			document.Decode(n, &f.dynamic.budget, []document.Key[budget]{
				{Name: "total", About: "its time", Read: func(b *budget, n *document.Node) {
					if b.total = n.Duration(); b.total == 0 && isZero(n) {
						n.Errorf("a lookup needs some time").Suggest("for example 3s")
					}
				}},
				{Name: "waves", About: "how far a chain of identifiers is followed", Read: func(b *budget, n *document.Node) { b.waves = int(n.Int(1, 10)) }},
			})
		}},
		{Name: "merge", About: "who wins", Read: func(f *fileParts, n *document.Node) { document.Decode(n, &f.dynamic, mergeKeys()) }},
		{Name: "policies", About: "which members a caller sees", Read: notBuilt[fileParts]("policies", "remove the key: whoever reaches the listeners sees everything, so they are held to loopback")},
		{Name: "egress", About: "where connections may go", Read: func(f *fileParts, n *document.Node) { document.Decode(n, &f.dynamic.egress, egressKeys()) }},
		{Name: "cache", About: "how much is remembered", Read: func(f *fileParts, n *document.Node) { document.Decode(n, &f.static, cacheKeys()) }},
		{Name: "secrets", About: "how often secret files are read again", Read: func(_ *fileParts, n *document.Node) {
			// All files are looked at more often than anybody may ask for.
			document.Decode(n, &struct{}{}, []document.Key[struct{}]{{Name: "refresh", About: "at most so long after a change", Read: func(_ *struct{}, n *document.Node) {
				if span := n.Duration(); span > 0 && span < lookEvery {
					n.Errorf("files are looked at every %v", lookEvery).Suggest("write %v or more", lookEvery)
				}
			}}})
		}},
		{Name: "reload", About: "what happens when files change", Read: func(f *fileParts, n *document.Node) {
			document.Decode(n, &f.dynamic.reload, []document.Key[reload]{
				{Name: "watch", About: "look for changes; without, SIGHUP alone reloads", Read: func(r *reload, n *document.Node) { r.watch = n.Bool() }},
				{Name: "test", About: "run the inline tests first", Read: func(r *reload, n *document.Node) { r.test = n.Bool() }},
			})
		}},
		{Name: "telemetry", About: "where traces go", Read: func(f *fileParts, n *document.Node) { document.Decode(n, &f.static.Telemetry, telemetryKeys()) }},
	}
}

// notBuilt refuses a key that decides who sees what and that this version does
// not have: to ignore it would be to open what somebody meant to close.
func notBuilt[T any](what, instead string) func(*T, *document.Node) {
	return func(_ *T, n *document.Node) {
		n.Key().Errorf("%s are not part of this version", what).Suggest("%s", instead)
	}
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
	if root.Field("budget").Field("waves") != nil {
		notes = append(notes, "`budget.waves` is read and checked, but not in force in this version: a source is asked with what the caller says and the links know")
	}
	return notes
}

func listenKeys() []document.Key[Listen] {
	return []document.Key[Listen]{
		{Name: "address", About: "the public listener", Read: func(l *Listen, n *document.Node) { l.Address = hostPort(n) }},
		{Name: "admin", About: "the admin listener", Read: func(l *Listen, n *document.Node) { l.Admin = hostPort(n) }},
		{Name: "tls", About: "certificate of the public listener", Read: notBuilt[Listen]("TLS listeners", "remove the key, and listen on loopback")},
		{Name: "trusted_proxies", About: "whose forwarding headers are believed", Read: func(_ *Listen, n *document.Node) {
			if len(n.Items()) > 0 {
				n.Key().Errorf("trusted proxies are not part of this version").Suggest("remove the key: forwarding headers are never believed")
			}
		}},
		{Name: "cors", About: "pages that may call from a browser", Read: func(l *Listen, n *document.Node) {
			document.Decode(n, l, []document.Key[Listen]{{Name: "origins", About: "exact origins", Read: func(l *Listen, n *document.Node) {
				for _, item := range n.OneOrMore() {
					if origin := item.Text(); item.Kind() == document.Scalar && !isOrigin(origin) {
						item.Errorf("not an origin: %q", origin).Suggest("scheme, host and port as browsers write them, for example https://app.example.com")
					} else {
						l.Origins = append(l.Origins, origin)
					}
				}
			}}})
		}},
	}
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
	return net.ParseIP(text) != nil || adapters.Setting{Format: "host"}.Fits(strings.TrimPrefix(text, "*."))
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

func tenantKeys() []document.Key[tenant] {
	return []document.Key[tenant]{
		{Name: "ids", About: "{tenant.NAME} in definitions: what each source calls this tenant", Read: func(t *tenant, n *document.Node) { t.ids = n.Fields() }},
		{Name: "default_identifier", About: "the kind of a {user} that names none", Read: func(t *tenant, n *document.Node) {
			if n.Text() != "" {
				t.defaultIdentifier = n
			}
		}},
		{Name: "providers", About: "when given, only these sources", Read: func(t *tenant, n *document.Node) { t.providers = some(n) }},
	}
}

func identifierKeys() []document.Key[dynamic] {
	return []document.Key[dynamic]{
		{Name: "accept", About: "kinds that a caller may send", Read: func(d *dynamic, n *document.Node) { d.accept = some(n) }},
		{Name: "links", About: "known links between identifiers", Read: func(d *dynamic, n *document.Node) {
			document.Decode(n, d, []document.Key[dynamic]{{Name: "file", About: "YAML or CSV, relative to this file", Required: true, Read: func(d *dynamic, n *document.Node) { d.links = n }}})
		}},
	}
}

func entryKeys() []document.Key[entry] {
	whole := func(*entry, *document.Node) {} // laid over the definition's own
	return []document.Key[entry]{
		{Name: "use", About: "the definition: in ./providers, then in the catalog", Required: true, Read: func(e *entry, n *document.Node) { e.use = n }},
		{Name: "name", About: "what this deployment calls the source", Read: func(e *entry, n *document.Node) { e.name = n }},
		{Name: "with", About: "the definition's settings", Read: func(e *entry, n *document.Node) { e.with = n }},
		{Name: "required", About: "its failure is the lookup's", Read: func(e *entry, n *document.Node) { e.required = n.Bool() }},
		{Name: "optional", About: "its failure never makes an answer partial", Read: func(e *entry, n *document.Node) {
			if e.optional = n.Bool(); e.optional && e.required {
				n.Key().Errorf("a source cannot be both required and optional").Suggest("remove one of them")
			}
		}},
		{Name: "tenants", About: "when given, only for these", Read: func(e *entry, n *document.Node) { e.tenants = some(n) }},
		{Name: "limits", About: "over the definition's, key by key", Read: func(_ *entry, n *document.Node) {
			scratch := adapters.DefaultLimits()
			adapters.ReadLimits(&scratch, n)
		}},
		{Name: "auth", About: "in place of the definition's", Read: whole},
		{Name: "tls", About: "in place of the definition's", Read: whole},
		{Name: "headers", About: "in place of the definition's", Read: whole},
		{Name: "query", About: "in place of the definition's", Read: whole},
	}
}

func mergeKeys() []document.Key[dynamic] {
	return []document.Key[dynamic]{
		{Name: "order", About: "sources, first wins", Read: func(d *dynamic, n *document.Node) { d.order = some(n) }},
		{Name: "fields", About: "rules of single members", Read: func(d *dynamic, n *document.Node) {
			for _, f := range n.Fields() {
				rule := fieldRule{member: f.Key}
				if !slices.Contains(normalize.Members(), f.Key.Text()) {
					document.UnknownName(f.Key, "member", normalize.Members())
					continue
				}
				document.Decode(f.Value, &rule, fieldRuleKeys())
				d.fields = append(d.fields, rule)
			}
		}},
	}
}

func fieldRuleKeys() []document.Key[fieldRule] {
	only := func(r *fieldRule, n *document.Node, rule, member string) bool {
		if r.member.Text() != member {
			n.Errorf("only %s has the rule `%s`", member, rule).Suggest("the rule of %s is its `order` of sources", r.member.Text())
		}
		return r.member.Text() == member
	}
	return []document.Key[fieldRule]{
		{Name: "authority", About: "the source that decides (of active)", Read: func(r *fieldRule, n *document.Node) {
			if only(r, n, "authority", "active") {
				r.authority = n
			}
		}},
		{Name: "prefer", About: "verified (of emails)", Read: func(r *fieldRule, n *document.Node) {
			if only(r, n, "prefer", "emails") && n.OneOf("verified") != "" {
				r.prefer = n
			}
		}},
		{Name: "order", About: "the member's own order; \"*\" is all others", Read: func(r *fieldRule, n *document.Node) { r.order = some(n) }},
	}
}

func egressKeys() []document.Key[adapters.Egress] {
	return []document.Key[adapters.Egress]{
		{Name: "private", About: "hosts that may have private addresses", Read: func(e *adapters.Egress, n *document.Node) {
			for _, item := range n.OneOrMore() {
				e.Private = append(e.Private, hostPattern(item))
			}
		}},
		{Name: "connect", About: "where a host's connections really go", Read: func(e *adapters.Egress, n *document.Node) {
			for _, f := range n.Fields() {
				e.Connect = append(e.Connect, readConnect(f))
			}
		}},
	}
}

// connectEntry is one value under egress.connect.
type connectEntry struct {
	adapters.Connect
	insecure bool
}

func readConnect(f document.Field) adapters.Connect {
	c := connectEntry{Connect: adapters.Connect{Host: hostPattern(f.Key)}}
	document.Decode(f.Value, &c, []document.Key[connectEntry]{
		{Name: "address", About: "host:port", Required: true, Read: func(c *connectEntry, n *document.Node) {
			if c.Address = n.Text(); n.Kind() == document.Scalar && (!isAddress(c.Address) || strings.HasPrefix(c.Address, ":")) {
				n.Errorf("not host:port: %q", c.Address).Suggest("for example 127.0.0.1:9003")
				c.Address = ""
			}
		}},
		{Name: "insecure", About: "true: plaintext also beyond this machine", Read: func(c *connectEntry, n *document.Node) { c.insecure = n.Bool() }},
		{Name: "plaintext", About: "true: no TLS on the way; only to loopback", Read: func(c *connectEntry, n *document.Node) {
			if c.Plaintext = n.Bool(); c.Plaintext && !c.insecure && c.Address != "" && !loopback(c.Address) {
				n.Errorf("credentials and personal data would leave this machine unencrypted").
					Suggest("use an address on loopback, TLS, or say insecure: true aloud")
			}
		}},
	})
	return c.Connect
}

func hostPattern(n *document.Node) string {
	text := n.Text()
	if n.Kind() == document.Scalar && !isHostPattern(text) {
		n.Errorf("not a host: %q", text).Suggest("an exact host, or *.example.com")
	}
	return text
}

// loopback tells whether an address to dial or to listen on is this machine alone.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func cacheKeys() []document.Key[Static] {
	return []document.Key[Static]{
		{Name: "size", About: "memory for records", Read: func(s *Static, n *document.Node) {
			if s.CacheBytes = n.Bytes(); s.CacheBytes < 1<<20 && (s.CacheBytes > 0 || isZero(n)) {
				n.Errorf("the cache needs at least 1MiB")
			}
		}},
		{Name: "redis", About: "a second tier for many replicas", Read: notBuilt[Static]("Redis caches", "remove the key: records are kept in memory alone")},
	}
}

func telemetryKeys() []document.Key[Telemetry] {
	return []document.Key[Telemetry]{
		{Name: "otlp", About: "base address of an OTLP/HTTP collector", Read: func(t *Telemetry, n *document.Node) {
			if t.OTLP = n.Text(); n.Kind() == document.Scalar && !isBaseAddress(t.OTLP) {
				n.Errorf("not a collector's address: %q", t.OTLP).Suggest("for example http://otel-collector:4318")
			}
		}},
		{Name: "sample", About: "share of lookups that are traced", Read: func(t *Telemetry, n *document.Node) { t.Sample = n.Percent() }},
		{Name: "identifiers", About: "hashed: a person's identifiers never appear in the clear", Read: func(_ *Telemetry, n *document.Node) { n.OneOf("hashed") }},
	}
}

package config

import (
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"muster/adapters"
	"muster/config/document"
	"muster/normalize"
)

// audit warns of what is legal and unwise in a file that has no mistake, and in
// the definitions that it names.
func (f *File) audit(warn *document.Problems) {
	audited := map[string]bool{}
	for _, s := range f.sources {
		if name := s.entry.use.Text(); !audited[name] {
			audited[name] = true
			s.own().Audit(s.plain, warn)
		}
		f.auditSecrets(s, warn)
		f.auditLimits(s, warn)
		f.auditTenants(s, warn)
	}
	f.auditTable(warn)
	f.auditKey(warn)
	f.auditReach(warn)
	f.auditAuthority(warn)
	f.auditIdentifiers(warn)
	f.auditEgress(warn)
	f.auditListen(warn)
	if test := f.root.Field("reload").Field("test"); test != nil && !f.dynamic.reload.test {
		warn.Warnf(test, "reload-untested", "a changed definition is put in force though its own tests fail").
			Suggest("leave `reload.test` out: the tests take no time and connect to nothing")
	}
}

// longBudget is longer than whoever waits for an answer will wait.
const longBudget = 30 * time.Second

func (f *File) auditLimits(s *source, warn *document.Problems) {
	limits, budget := f.bind(s).Limits(), f.dynamic.budget.total
	written := func(key, within string) *document.Node {
		for _, place := range []*document.Node{s.entry.node.Field("limits"), s.plain.Merged.Field("limits"), f.root.Field("limits")} {
			if n := adapters.LimitAt(place, key, within); n != nil {
				return n
			}
		}
		return nil
	}
	adapters.AuditLimits(limits, written, warn)

	total := f.root.Field("budget").Field("total")
	if budget > longBudget {
		warn.Warnf(total, "budget-long", "a lookup may take %v", budget).
			Suggest("whoever waits for the answer gives up before; an answer in time that lacks something is worth more")
	}
	at := written("timeout", "")
	if at == nil {
		if at = total; at == nil {
			at = s.entry.use
		}
	}
	switch {
	case limits.Timeout >= budget:
		warn.Warnf(at, "timeout-over-budget", "a timeout of %v, and a whole lookup has %v", limits.Timeout, budget).
			Suggest("a source that hangs then takes the whole of budget.total; give it less")
	case s.entry.required && 3*limits.Timeout > 2*budget:
		warn.Warnf(at, "required-slow", "the required source %s may take %v of the %v that a lookup has", s.name, limits.Timeout, budget).
			Suggest("nobody gets an answer before a required source has said something: a shorter limits.timeout, or not `required`")
	}
}

// auditSecrets looks for credentials that are written out.
func (f *File) auditSecrets(s *source, warn *document.Problems) {
	inline := func(n *document.Node) {
		if n.Kind() == document.Scalar && !strings.ContainsAny(n.Text(), "{}") {
			warn.Warnf(n, "secret-inline", "a secret is written out here").
				Suggest("whoever reads the file has it, and so has every copy of it: write ${file:PATH} or ${env:NAME}")
		}
	}
	for _, setting := range s.definition.Settings() {
		if setting.Format == "secret" && s.entry.with != nil {
			inline(s.entry.with.Field(setting.Name))
		}
	}
	for _, key := range []string{"auth", "headers", "query"} {
		s.entry.node.Field(key).WalkText(func(n *document.Node) {
			if soundsSecret.MatchString(n.Key().Text()) && !strings.Contains(n.Text(), "://") {
				inline(n)
			}
		})
	}
}

// auditTable looks for a password in the address of the table of links.
func (f *File) auditTable(warn *document.Problems) {
	if n := tableURL(f.root); isLiteralURL(n) {
		u, err := url.Parse(n.Text())
		if err != nil {
			return
		}
		if _, secret := u.User.Password(); secret || u.Query().Has("password") {
			warn.Warnf(n, "secret-inline", "a secret is written out here").
				Suggest("whoever reads the file has it, and so has every copy of it: write ${file:PATH} or ${env:NAME}")
		}
	}
}

// auditKey looks for a key of pseudonyms that is written out.
func (f *File) auditKey(warn *document.Problems) {
	if n := f.dynamic.key; n != nil && !isReference(n) {
		warn.Warnf(n, "secret-inline", "a secret is written out here").
			Suggest("whoever reads the file has it, and so has every copy of it: write ${file:PATH} or ${env:NAME}")
	}
}

// auditTenants looks for sources that show one customer's people to another.
func (f *File) auditTenants(s *source, warn *document.Problems) {
	serves := 0
	for _, t := range f.dynamic.tenants {
		if f.mayUse(s, t) {
			serves++
		}
	}
	if serves > 1 && len(s.definition.TenantNames()) == 0 {
		warn.Warnf(s.entry.use, "tenant-shared", "nothing of a tenant goes into what %s is asked: %d tenants see the same people", s.name, serves).
			Suggest("write `tenants: [T]` if its credential is one customer's; else be sure that these people may be shown to all of them")
	}
}

// mayUse tells whether lists let a tenant use a source.
func (f *File) mayUse(s *source, t *tenant) bool {
	names := func(nodes []*document.Node, name string) bool {
		return nodes == nil || slices.ContainsFunc(nodes, func(n *document.Node) bool { return n.Text() == name })
	}
	return names(s.entry.tenants, t.name.Text()) && names(t.providers, s.name)
}

// lacks is a tenant's value that a source cannot be asked without, "" for none.
func (f *File) lacks(s *source, bound *adapters.Source, t *tenant) string {
	ids := f.tenants[t.name.Text()].IDs
	for _, name := range bound.TenantNeeds() {
		names := []string{name}
		if name == normalize.Self {
			names = append([]string{s.name}, s.definition.Chain...)
		}
		if !slices.ContainsFunc(names, func(name string) bool { return ids[name] != "" }) {
			return names[0]
		}
	}
	return ""
}

// auditReach looks for sources that nobody can ever reach, and tenants that reach none.
func (f *File) auditReach(warn *document.Problems) {
	type state struct {
		allowed, valued, reached bool
		lacks                    string
		needs                    []string
	}
	states := make([]state, len(f.sources))
	bound := make([]*adapters.Source, len(f.sources))
	for i, s := range f.sources {
		bound[i] = f.bind(s)
	}
	linked := f.linkedKinds()
	for _, t := range f.dynamic.tenants {
		known := maps.Clone(linked[t.name.Text()])
		if known == nil {
			known = map[string]bool{}
		}
		for _, kind := range f.accept { // which a caller may send
			known[kind] = true
		}
		var open []int // sources that the tenant may use, not reached so far
		for i, s := range f.sources {
			if !f.mayUse(s, t) {
				continue
			}
			states[i].allowed = true
			if lacks := f.lacks(s, bound[i], t); lacks != "" {
				states[i].lacks = lacks
				continue
			}
			states[i].valued = true
			open = append(open, i)
		}
		if open == nil {
			warn.Warnf(t.name, "tenant-idle", "no source can be asked for the tenant %s", t.name.Text()).
				Suggest("give it under `ids` what the sources call it, or let it use a source")
		}
		for more := true; more; { // what one yields may be what another needs
			more = false
			open = slices.DeleteFunc(open, func(i int) bool {
				missing := unmet(bound[i], known)
				if missing != nil {
					states[i].needs = missing
					return false
				}
				for _, kind := range bound[i].Yields() {
					known[bound[i].SelfKind(kind)] = true
				}
				states[i].reached, more = true, true
				return true
			})
		}
	}
	for i, s := range f.sources {
		p := func(format string, args ...any) *document.Problem {
			return warn.Warnf(s.entry.use, "source-unreachable", format, args...)
		}
		switch st := states[i]; {
		case st.reached:
		case !st.allowed:
			p("no tenant may use %s", s.name).Suggest("`tenants` here and `providers` of the tenants leave none; write one in both, or remove the entry")
		case !st.valued:
			p("no tenant that may use %s has the value %q", s.name, st.lacks).Suggest("add it under tenants.T.ids: {%s: …}", st.lacks)
		default:
			p("nobody can say the %s that %s needs", strings.Join(st.needs, " and "), s.name).
				Suggest("accept it under identifiers.accept, link it under identifiers.links, or add a source that yields it")
		}
	}
}

// linkedKinds are the kinds of identifiers that links know, by tenant.
func (f *File) linkedKinds() map[string]map[string]bool {
	linked := map[string]map[string]bool{}
	if f.dynamic.links.table != nil { // which may know any
		_, all := f.kinds()
		for _, t := range f.dynamic.tenants {
			known := map[string]bool{}
			for _, kind := range all {
				known[kind] = true
			}
			linked[t.name.Text()] = known
		}
	}
	if f.links == nil {
		return linked
	}
	for key := range f.links.byIdentifier {
		if linked[key.tenant] == nil {
			linked[key.tenant] = map[string]bool{}
		}
		linked[key.tenant][key.kind] = true
	}
	return linked
}

// unmet are the kinds that the first lookup of a source lacks, nil when any of its
// lookups can be sent.
func unmet(bound *adapters.Source, known map[string]bool) []string {
	var first []string
	for _, set := range bound.Needs() {
		var missing []string
		for _, kind := range set {
			if kind = bound.SelfKind(kind); !known[kind] {
				missing = append(missing, kind)
			}
		}
		if missing == nil {
			return nil
		}
		if first == nil {
			first = missing
		}
	}
	return first
}

// auditAuthority looks at who decides whether a person is active.
func (f *File) auditAuthority(warn *document.Problems) {
	for _, rule := range f.dynamic.fields {
		if rule.authority == nil {
			continue
		}
		for _, s := range f.sources {
			switch {
			case s.name != rule.authority.Text():
			case !slices.Contains(s.definition.Members(), rule.member.Text()):
				warn.Warnf(rule.authority, "authority-silent", "%s says nothing of `%s`, and so decides nothing", s.name, rule.member.Text()).
					Suggest("name a source that maps `%s`", rule.member.Text())
			case s.entry.optional:
				warn.Warnf(rule.authority, "authority-optional", "when %s fails, others decide on `%s`, and the answer does not say that it is partial", s.name, rule.member.Text()).
					Suggest("remove `optional: true` from its entry")
			}
		}
	}
}

// auditIdentifiers looks for kinds that a caller may send in vain.
func (f *File) auditIdentifiers(warn *document.Problems) {
	needed, _ := f.kinds()
	linked := map[string]bool{}
	for _, kinds := range f.linkedKinds() {
		maps.Copy(linked, kinds)
	}
	for _, n := range f.dynamic.accept {
		if kind := n.Text(); !slices.Contains(needed, kind) && !linked[kind] && f.dynamic.links.table == nil {
			warn.Warnf(n, "identifier-useless", "no source can be asked with %s, and no link leads on from it", kind).
				Suggest("whoever sends it is answered 424; remove it, or add links or a source that needs it")
		}
	}
}

func (f *File) auditEgress(warn *document.Problems) {
	egress := f.root.Field("egress")
	for _, n := range egress.Field("private").OneOrMore() {
		if strings.HasPrefix(n.Text(), "*.") {
			warn.Warnf(n, "private-wide", "any name below %s may lead into the private network", strings.TrimPrefix(n.Text(), "*.")).
				Suggest("name the hosts that are meant, one by one")
		}
	}
	connect := egress.Field("connect")
	if connect == nil {
		return
	}
	for _, c := range connect.Fields() {
		plaintext, insecure, address := c.Value.Field("plaintext"), c.Value.Field("insecure"), c.Value.Field("address")
		to, err := netip.ParseAddrPort(address.Text())
		switch {
		case insecure != nil && insecure.Bool() && plaintext != nil && plaintext.Bool() && !Loopback(address.Text()):
			warn.Warnf(insecure, "plaintext-egress", "credentials and personal data go to %s unencrypted", address.Text()).
				Suggest("end TLS there, or put what ends it on this machine")
		case err == nil && (to.Addr().IsPrivate() || to.Addr().IsLinkLocalUnicast()):
			warn.Warnf(address, "private-redirect", "what is sent to %s goes into the private network", c.Key.Text()).
				Suggest("its credential and what it says of people go with it: be sure that %s is what is meant", to.Addr())
		}
	}
}

func (f *File) auditListen(warn *document.Problems) {
	if proxies := f.root.Field("listen").Field("trusted_proxies"); len(f.Static.Listen.TrustedProxies) > 0 {
		for _, c := range f.dynamic.callers {
			if c.certificate != nil {
				warn.Warnf(proxies, "proxy-certificate", "behind a proxy that ends TLS, the certificate of a connection is the proxy's own").
					Suggest("whoever comes through it is the caller whose name it has, and nobody who has none: let TLS through to here for callers with certificates, as at %s", c.node.Position())
				break
			}
		}
	}
	origins := f.root.Field("listen").Field("cors").Field("origins")
	for _, n := range origins.OneOrMore() {
		if host, plain := strings.CutPrefix(n.Text(), "http://"); plain && host != "localhost" && !strings.HasPrefix(host, "localhost:") && !Loopback(host) && !Loopback(host+":0") {
			warn.Warnf(n, "origin-plaintext", "a page that came unencrypted may be anybody's, and may read what people ask for").
				Suggest("https:// alone, but for pages of this machine")
		}
	}
}

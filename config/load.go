package config

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"muster/adapters"
	"muster/adapters/catalog"
	"muster/adapters/guard"
	"muster/config/document"
	"muster/gateway"
	"muster/normalize"
)

// File is a gateway's file that has no mistake.
type File struct {
	Static Static
	// Notes are what an operator should know of the file at start.
	Notes []string

	root    *document.Node
	secrets secrets
	dynamic dynamic
	sources []*source
	tenants map[string]*gateway.Tenant
	accept  []string
	rules   normalize.Rules
	links   *links
}

// source is one entry under `providers`, with all that it names found and compiled.
type source struct {
	entry      *entry
	name       string
	definition *adapters.Definition
	settings   adapters.Settings
	transport  http.RoundTripper
	tenants    []string
}

// Load reads and checks a gateway's file and all that it names. Its error lists
// every mistake of every file (*document.Error), or says why the file cannot be
// read at all.
func Load(path string) (*File, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, unreadable(err)
	}
	return Parse(path, content)
}

// Parse is Load for a file whose content is at hand; relative paths in it are
// relative to where its name says it is.
func Parse(path string, content []byte) (*File, error) {
	var problems document.Problems
	root := document.Read(path, content, &problems)
	if root == nil {
		return nil, problems.Err()
	}
	return read(root, &problems, secrets{})
}

// read makes a File of a file's root, to whose problems every mistake goes.
func read(root *document.Node, problems *document.Problems, values secrets) (*File, error) {
	parts := fileParts{
		static:  Static{Telemetry: Telemetry{Sample: 1}, CacheBytes: 256 << 20},
		dynamic: dynamic{limits: adapters.DefaultLimits(), budget: budget{total: 3 * time.Second, waves: 3}},
	}
	document.Decode(root, &parts, fileKeys())
	parts.notes = append(parts.notes, limitsNotInForce(root)...)

	file := &File{Static: parts.static, Notes: parts.notes, root: root, secrets: values, dynamic: parts.dynamic}
	file.checkListen(parts.listen)
	file.bindSources(filepath.Dir(root.File()), problems)
	file.bindTenants()
	file.bindIdentifiers(problems)
	file.bindMerge()
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return file, nil
}

// checkListen holds a gateway without callers to loopback: whoever can reach it
// can ask it everything.
func (f *File) checkListen(n *document.Node) {
	listen := &f.Static.Listen
	for _, l := range []struct {
		key     string
		address *string
		usual   string
	}{{"address", &listen.Address, "127.0.0.1:8080"}, {"admin", &listen.Admin, "127.0.0.1:9090"}} {
		switch {
		case *l.address == "":
			*l.address = l.usual
		case !loopback(*l.address):
			if at := n.Field(l.key); at != nil {
				at.Errorf("without `callers` everybody who reaches %s may ask for everybody", *l.address).Suggest("listen on loopback, for example %q", l.usual)
			}
		}
	}
	f.Notes = append(f.Notes, "no `callers` are configured: whoever reaches the listeners may look up everybody; they are held to loopback")
}

// bindSources finds and compiles the definition of every entry.
func (f *File) bindSources(folder string, problems *document.Problems) {
	libraries := libraries(filepath.Join(folder, "providers"), problems)
	seen := map[string]*document.Node{}
	for _, e := range f.dynamic.providers {
		if e.use == nil {
			continue
		}
		s := f.bindSource(e, libraries)
		if s == nil {
			continue
		}
		at := e.use
		if e.name != nil {
			at = e.name
		}
		if s.name == normalize.Links || s.name == normalize.Self || !sourceName(s.name) {
			at.Errorf("not a source's name: %q", s.name).Suggest("lower-case letters, digits and hyphens; not links nor self")
		}
		if first, twice := seen[s.name]; twice {
			at.Errorf("two sources are named %q", s.name).Suggest("the other stands at %s; give one of them a `name`", first.Position())
		}
		seen[s.name] = at
		f.sources = append(f.sources, s)
	}
}

func sourceName(name string) bool {
	ok := name != "" && name[0] >= 'a' && name[0] <= 'z'
	return ok && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
	})
}

// libraries are where a definition is looked for: a folder, then the catalog.
func libraries(folder string, problems *document.Problems) []adapters.Library {
	return []adapters.Library{folderLibrary(folder, problems), catalog.Library(problems)}
}

// folderLibrary reads definitions from a folder.
func folderLibrary(folder string, problems *document.Problems) adapters.Library {
	return func(name string) *document.Node {
		if !sourceName(name) {
			return nil
		}
		path := filepath.Join(folder, name+".yaml")
		content, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		return document.Read(path, content, problems)
	}
}

func (f *File) bindSource(e *entry, libraries []adapters.Library) *source {
	name := e.use.Text()
	resolved := adapters.Resolve(name, libraries...)
	if resolved == nil {
		p := e.use.Errorf("no definition named %q", name)
		if near := document.Closest(name, catalog.Names()); near != "" {
			p.Suggest("did you mean %q?", near)
		} else {
			p.Suggest("it is looked for in ./providers beside this file, then in the catalog: %s", strings.Join(catalog.Names(), ", "))
		}
		return nil
	}
	s := &source{entry: e, name: name, definition: adapters.Compile(resolved.With(e.node)), settings: adapters.Settings{}}
	if e.name != nil {
		s.name = e.name.Text()
	}
	f.fill(s)
	transport, err := adapters.NewTransport(&f.dynamic.egress, s.definition.TLS())
	if err != nil {
		e.node.Errorf("%v", err)
		return nil
	}
	s.transport = transport
	return s
}

// fill reads the settings of a source, and says which are unknown, unfit or missing.
func (f *File) fill(s *source) {
	known := make([]string, 0, len(s.definition.Settings()))
	for _, setting := range s.definition.Settings() {
		known = append(known, setting.Name)
	}
	var given []document.Field
	if s.entry.with != nil {
		given = s.entry.with.Fields()
	}
	for _, field := range given {
		i := slices.Index(known, field.Key.Text())
		if i < 0 {
			document.UnknownName(field.Key, "setting", known)
			continue
		}
		setting := s.definition.Settings()[i]
		if !s.definition.UsesSetting(setting.Name) {
			continue // what is not used is not resolved either
		}
		value, ok := f.secrets.resolve(field.Value)
		if ok && !setting.Fits(value.Reveal()) {
			field.Value.Errorf("the setting %q is not of the form %s", setting.Name, setting.Format)
		}
		s.settings[setting.Name] = value
	}
	for _, setting := range s.definition.Settings() {
		if _, ok := s.settings[setting.Name]; !ok && setting.Required && setting.Default == "" && s.definition.UsesSetting(setting.Name) {
			s.entry.node.Errorf("the setting %q of %s is missing", setting.Name, s.name).Suggest("add it under with: %s", about(setting))
		}
	}
	for _, reference := range s.definition.Secrets() {
		s.settings[reference.Text()], _ = f.secrets.resolve(reference)
	}
}

func about(s adapters.Setting) string {
	if s.About != "" {
		return s.Name + ", " + s.About
	}
	return s.Name + ", " + s.Format
}

// bindTenants checks tenants against the sources, and sources against the tenants.
func (f *File) bindTenants() {
	f.tenants = map[string]*gateway.Tenant{}
	var tenantNames []string
	for _, t := range f.dynamic.tenants {
		tenantNames = append(tenantNames, t.name.Text())
		f.tenants[t.name.Text()] = f.bindTenant(t)
	}
	for _, s := range f.sources {
		for _, n := range s.entry.tenants {
			if !slices.Contains(tenantNames, n.Text()) {
				document.UnknownName(n, "tenant", tenantNames)
			}
			s.tenants = append(s.tenants, n.Text())
		}
	}
}

func (f *File) bindTenant(t *tenant) *gateway.Tenant {
	bound := &gateway.Tenant{Name: t.name.Text(), IDs: map[string]string{}}
	known := f.tenantValueNames()
	for _, field := range t.ids {
		if !slices.Contains(known, field.Key.Text()) {
			document.UnknownName(field.Key, "source or {tenant.NAME}", known)
		}
		bound.IDs[field.Key.Text()] = field.Value.Text()
	}
	if t.defaultIdentifier != nil {
		bound.DefaultIdentifier = t.defaultIdentifier.Text()
	}
	for _, n := range t.providers {
		if !slices.Contains(f.sourceNames(), n.Text()) {
			document.UnknownName(n, "source", f.sourceNames())
		}
		bound.Providers = append(bound.Providers, n.Text())
	}
	return bound
}

// tenantValueNames are the names under which a tenant's values are looked for.
func (f *File) tenantValueNames() []string {
	var names []string
	for _, s := range f.sources {
		names = append(names, s.name)
		names = append(names, s.definition.Chain...)
		for _, name := range s.definition.TenantNames() {
			if name != normalize.Self {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (f *File) sourceNames() []string {
	names := make([]string, len(f.sources))
	for i, s := range f.sources {
		names[i] = s.name
	}
	return names
}

// kinds are all kinds of identifiers that anybody needs, yields or accepts.
func (f *File) kinds() (needed, all []string) {
	for _, s := range f.sources {
		bound := f.bind(s)
		for _, set := range bound.Needs() {
			for _, kind := range set {
				needed = append(needed, bound.SelfKind(kind))
			}
		}
		for _, kind := range bound.Yields() {
			all = append(all, bound.SelfKind(kind))
		}
		all = append(all, s.name)
	}
	slices.Sort(needed)
	needed = slices.Compact(needed)
	all = append(all, needed...)
	slices.Sort(all)
	return needed, slices.Compact(all)
}

// bindIdentifiers checks what a caller may send, and reads the links.
func (f *File) bindIdentifiers(problems *document.Problems) {
	if problems.Len() > 0 {
		return // definitions that are wrong would make every kind look unknown
	}
	needed, all := f.kinds()
	f.accept = needed
	if f.dynamic.accept != nil {
		f.accept = nil
	}
	for _, n := range f.dynamic.accept {
		if !slices.Contains(all, n.Text()) && n.Text() != "email" && n.Text() != "username" {
			document.UnknownName(n, "kind of identifier", all)
		}
		f.accept = append(f.accept, n.Text())
	}
	for _, t := range f.dynamic.tenants {
		if n := t.defaultIdentifier; n != nil && !slices.Contains(f.accept, n.Text()) {
			n.Errorf("the default identifier %q is not accepted", n.Text()).Suggest("identifiers.accept has: %s", strings.Join(f.accept, ", "))
		}
	}
	if f.dynamic.links != nil {
		all = append(all, f.accept...)
		tenants := make([]string, 0, len(f.dynamic.tenants))
		for _, t := range f.dynamic.tenants {
			tenants = append(tenants, t.name.Text())
		}
		f.links = readLinks(f.dynamic.links, tenants, all, problems)
	}
}

// bindMerge checks the order of sources, everywhere that one is given.
func (f *File) bindMerge() {
	names := f.sourceNames()
	f.rules = normalize.Rules{Order: names, Fields: map[string]normalize.FieldRule{}}
	read := func(nodes []*document.Node) []string {
		var order []string
		for _, n := range nodes {
			if !slices.Contains(names, n.Text()) && n.Text() != "*" {
				document.UnknownName(n, "source", names)
			}
			order = append(order, n.Text())
		}
		return order
	}
	if f.dynamic.order != nil {
		f.rules.Order = slices.DeleteFunc(read(f.dynamic.order), func(name string) bool { return name == "*" })
		for _, name := range names { // those left out stand behind, as configured
			if !slices.Contains(f.rules.Order, name) {
				f.rules.Order = append(f.rules.Order, name)
			}
		}
	}
	for _, r := range f.dynamic.fields {
		rule := normalize.FieldRule{Order: read(r.order)}
		if r.authority != nil {
			rule.Authority = read([]*document.Node{r.authority})[0]
		}
		if r.prefer != nil {
			rule.Prefer = r.prefer.Text()
		}
		f.rules.Fields[r.member.Text()] = rule
	}
}

// bind makes the source of an entry.
func (f *File) bind(s *source) *adapters.Source {
	return s.definition.Bind(s.name, s.settings, f.dynamic.limits, s.entry.node.Field("limits"), s.transport)
}

// Live makes a configuration that a gateway can answer by. Every call makes
// breakers and pools of its own. The wrap, when not nil, goes around each
// source's transport.
func (f *File) Live(telemetry *guard.Telemetry, wrap func(http.RoundTripper) http.RoundTripper) *gateway.Live {
	live := &gateway.Live{Tenants: f.tenants, Accept: f.accept, Rules: f.rules, Budget: f.dynamic.budget.total}
	if f.links != nil {
		live.Links = f.links
	}
	for _, s := range f.sources {
		if wrap != nil {
			s.transport = wrap(s.transport)
		}
		bound := f.bind(s)
		guards := guard.New(s.name, bound.Limits(), telemetry)
		live.Sources = append(live.Sources, &gateway.Source{
			Name: s.name, About: s.definition.About, Chain: s.definition.Chain, Hash: bound.Hash(),
			Required: s.entry.required, Optional: s.entry.optional, Tenants: s.tenants,
			Keep: bound.Limits().Cache, Upstream: bound, Adapter: guards.Stack(bound), Breaker: guards.State,
		})
	}
	return live
}

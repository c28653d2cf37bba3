package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"muster/adapters"
	"muster/adapters/catalog"
	"muster/adapters/guard"
	"muster/config/document"
	"muster/gateway"
	"muster/gateway/httpapi/bearer"
	"muster/gateway/httpapi/edge"
	"muster/gateway/links"
	"muster/normalize"
)

// File is a gateway's file that has no mistake.
type File struct {
	Static Static
	// Notes are what an operator should know of the file at start.
	Notes []string
	// Identity is the listeners' certificate; nil where they have none, or where it is
	// not on this machine.
	Identity *edge.Identity

	root    *document.Node
	files   *files
	secrets secrets
	dynamic dynamic
	sources []*source
	unbound []string // names of entries without a definition
	unnamed bool     // some entries have no name that could be read
	tenants map[string]*gateway.Tenant
	accept  []string
	rules   normalize.Rules
	links   *linkIndex // of a file

	pseudonyms *gateway.Pseudonyms // by the file's key, or by one that Live makes
	// What links may be about.
	linkable linkable
	table    *links.Store   // nil where there is none, or its address is not on this machine
	breaker  *guard.Breaker // of the table

	cases []PolicyResult // nil where the file has mistakes, or none

	verifier *bearer.Verifier // that Callers has made
}

// source is one entry under `providers`, with all that it names found and compiled.
type source struct {
	entry      *entry
	name       string
	plain      *adapters.Resolved          // as the definition's own file has it
	own        func() *adapters.Definition // plain, compiled; for its tests, which know nothing of the entry
	definition *adapters.Definition
	settings   adapters.Settings
	transport  http.RoundTripper
	tenants    []string
	wrong      bool // its definition has mistakes

	// What Live makes of it.
	bound  *adapters.Source
	guards *guard.Guards
}

// Load reads and checks a gateway's file and all that it names. Its error lists
// every mistake of every file (*document.Error), or says why the file cannot be
// read at all.
func Load(path string) (*File, error) {
	return load(path, newFiles())
}

// load is Load that remembers all that it read, also when there are mistakes.
func load(path string, files *files) (*File, error) {
	content, err := files.read(path)
	if err != nil {
		return nil, unreadable(err)
	}
	return parse(path, content, new(document.Problems), secrets{files: files})
}

// loadElsewhere is Load where the secrets need not be on this machine. Mistakes are
// in problems as well, where more may be found out later.
func loadElsewhere(path string, problems *document.Problems) (*File, error) {
	files := newFiles()
	content, err := files.read(path)
	if err != nil {
		return nil, unreadable(err)
	}
	return parse(path, content, problems, secrets{elsewhere: new([]string), files: files})
}

// Parse is Load for a file whose content is at hand; relative paths in it are
// relative to where its name says it is.
func Parse(path string, content []byte) (*File, error) {
	return parse(path, content, new(document.Problems), secrets{files: newFiles()})
}

func parse(path string, content []byte, problems *document.Problems, values secrets) (*File, error) {
	root := document.Read(path, content, problems)
	if root == nil {
		return nil, problems.Err()
	}
	return read(root, problems, values)
}

// read makes a File of a file's root, to whose problems every mistake goes.
func read(root *document.Node, problems *document.Problems, values secrets) (*File, error) {
	file := build(root, problems, values)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return file, nil
}

// build is read that also returns a file with mistakes, of which only what is
// written can be asked.
func build(root *document.Node, problems *document.Problems, values secrets) *File {
	var parts fileParts
	document.Defaults(&parts, fileKeys())
	root.IsA(Form())
	concealBySound(root)
	concealTable(root)
	concealKey(root)
	document.Decode(root, &parts, fileKeys())
	parts.notes = append(parts.notes, limitsNotInForce(root)...)

	file := &File{Static: parts.static, Notes: parts.notes, root: root, files: values.files, secrets: values, dynamic: parts.dynamic}
	file.checkListen(root.Field("listen"))
	file.bindSources(filepath.Dir(root.File()), problems)
	file.bindTenants()
	file.bindIdentifiers(problems)
	file.bindMerge()
	file.bindKey()
	file.bindCallers()
	file.noteCallers()
	file.bindPolicies()
	if problems.Len() == 0 {
		file.cases = file.testPolicies()
	}
	return file
}

// checkListen holds a gateway without callers to loopback: whoever can reach it
// can ask it everything.
func (f *File) checkListen(n *document.Node) {
	usual := Listen{}
	document.Defaults(&usual, listenKeys())
	for _, l := range []struct{ key, address, usual string }{
		{"address", f.Static.Listen.Address, usual.Address},
		{"admin", f.Static.Listen.Admin, usual.Admin},
	} {
		if at := n.Field(l.key); at != nil && f.root.Field("callers") == nil && l.address != "" && !Loopback(l.address) {
			at.Errorf("without `callers` everybody who reaches %s may ask for everybody", l.address).Suggest("listen on loopback, for example %q", l.usual)
		}
	}
	if at := n.Field("admin"); at != nil && f.Static.Listen.Admin == f.Static.Listen.Address && !strings.HasSuffix(f.Static.Listen.Admin, ":0") {
		at.Errorf("both listeners have the address %s", f.Static.Listen.Admin).Suggest("give the admin listener a port of its own, for example %q", usual.Admin)
	}
	f.readIdentity(n.Field("tls"))
	if f.root.Field("callers") != nil {
		if l := f.Static.Listen; l.Address != "" && !Loopback(l.Address) && l.TLS == (edge.Files{}) && l.TrustedProxies == nil {
			f.Notes = append(f.Notes, "`listen.address` is reached from beyond this machine without TLS: what callers send and are told can be read on the way, unless a proxy in front encrypts it (`listen.trusted_proxies`)")
		}
		return
	}
	f.Notes = append(f.Notes, "no `callers` are configured: whoever reaches the listeners may look up everybody; they are held to loopback")
}

// readIdentity reads the listeners' certificate. On another machine than the gateway's
// it may be missing.
func (f *File) readIdentity(n *document.Node) {
	files := f.Static.Listen.TLS
	if files.Cert == "" || files.Key == "" {
		return
	}
	identity, err := edge.Load(files, document.ReadFile)
	if wrong := (*edge.FileError)(nil); errors.As(err, &wrong) {
		at := n.Field(wrong.Key)
		if wrong.Missing && f.secrets.elsewhere != nil {
			*f.secrets.elsewhere = append(*f.secrets.elsewhere, "the file "+at.Text()+": "+wrong.Reason)
			return
		}
		problem := at.Errorf("%s: %s", at.Text(), wrong.Reason)
		if wrong.Resolution != "" {
			problem.Suggest("%s", wrong.Resolution)
		}
		return
	}
	f.Identity = identity
	const day = "2006-01-02 15:04 MST"
	switch from, until := identity.Validity(); {
	case time.Now().After(until):
		f.Notes = append(f.Notes, fmt.Sprintf("the certificate at %s has expired on %s: clients refuse it", n.Field("cert").Position(), until.UTC().Format(day)))
	case time.Now().Before(from):
		f.Notes = append(f.Notes, fmt.Sprintf("the certificate at %s begins to hold on %s: until then clients refuse it", n.Field("cert").Position(), from.UTC().Format(day)))
	}
}

// noteCallers tells of sources that are asked as whoever asks, where nobody is
// known: they will answer nobody.
func (f *File) noteCallers() {
	if f.root.Field("callers") != nil {
		return
	}
	for _, s := range f.sources {
		if !s.definition.AsCaller() {
			continue
		}
		at := s.entry.use
		if own := s.entry.node.Field("auth"); own != nil {
			at = own.Key()
		}
		f.Notes = append(f.Notes, fmt.Sprintf("the source %s at %s is asked with the token of whoever asks, and no `callers` are configured: it fails with `denied`", s.name, at.Position()))
	}
}

// bindSources finds and compiles the definition of every entry.
func (f *File) bindSources(folder string, problems *document.Problems) {
	f.unnamed = len(f.dynamic.providers) == 0 // which has been reported
	libraries := libraries(filepath.Join(folder, "providers"), f.files, problems)
	seen := map[string]*document.Node{}
	for _, e := range f.dynamic.providers {
		at := e.use
		if e.name != nil {
			at = e.name
		}
		s := f.bindSource(e, libraries, problems)
		if s == nil {
			e.conceal(nil)
			if at != nil && at.Kind() == document.Scalar {
				f.unbound = append(f.unbound, at.Text())
			} else {
				f.unnamed = true
			}
			continue
		}
		f.sources = append(f.sources, s)
		if at.Kind() != document.Scalar {
			f.unnamed = true
			continue
		}
		if s.name == normalize.Links || s.name == normalize.Self || !adapters.IsName(s.name) {
			at.Errorf("not a source's name: %q", s.name).Suggest("lower-case letters, digits and hyphens, a letter first; not links nor self")
		}
		if first, twice := seen[s.name]; twice {
			at.Errorf("two sources are named %q", s.name).Suggest("the other stands at %s; give one of them a `name`", first.Position())
			continue
		}
		seen[s.name] = at
	}
}

// libraries are where a definition is looked for: a folder, then the catalog.
func libraries(folder string, files *files, problems *document.Problems) []adapters.Library {
	return []adapters.Library{folderLibrary(folder, files, problems), catalog.Library(problems)}
}

// folderLibrary reads definitions from a folder. One that is there and cannot be
// read is a mistake: the next library may have another of the same name.
func folderLibrary(folder string, files *files, problems *document.Problems) adapters.Library {
	return func(name string) *document.Node {
		if !adapters.IsName(name) {
			return nil
		}
		path := filepath.Join(folder, name+".yaml")
		content, err := files.read(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			document.ReadPlain(path, nil, problems).Errorf(1, 1, 1, "the definition cannot be read: %v", reason(err))
			return nil
		}
		return document.Read(path, content, problems)
	}
}

// definitionNames are the definitions that an entry may use.
func definitionNames(folder string) []string {
	names := catalog.Names()
	own, _ := filepath.Glob(filepath.Join(folder, "*.yaml")) // only a malformed pattern fails
	for _, path := range own {
		names = append(names, strings.TrimSuffix(filepath.Base(path), ".yaml"))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// bindSource is nil when the entry has no definition.
func (f *File) bindSource(e *entry, libraries []adapters.Library, problems *document.Problems) *source {
	if e.use == nil {
		return nil
	}
	name, before := e.use.Text(), problems.Len()
	resolved := adapters.Resolve(name, libraries...)
	if resolved == nil {
		if e.use.Kind() == document.Scalar && problems.Len() == before {
			f.noDefinition(e.use)
		}
		return nil
	}
	s := &source{entry: e, name: name, plain: resolved, settings: adapters.Settings{}}
	resolved = resolved.With(e.node)
	s.definition = adapters.Compile(resolved)
	s.own = sync.OnceValue(func() *adapters.Definition {
		if resolved.Merged == s.plain.Merged { // the entry writes nothing over it
			return s.definition
		}
		return adapters.Compile(s.plain)
	})
	if e.name != nil {
		s.name = e.name.Text()
	}
	s.wrong = problems.Len() > before
	e.conceal(s.definition)
	f.fill(s)
	for _, path := range s.definition.TLS().Paths() {
		_, _ = f.files.read(path) // what is wrong with it is told below
	}
	transport, err := adapters.NewTransport(&f.dynamic.egress, s.definition.TLS())
	if err != nil {
		resolved.Merged.Field("tls").Errorf("%v", err)
		return s
	}
	s.transport = transport
	return s
}

func (f *File) noDefinition(use *document.Node) {
	names := definitionNames(filepath.Join(filepath.Dir(use.File()), "providers"))
	p := use.Errorf("no definition named %q", use.Text())
	if near := document.Closest(use.Text(), names); near != "" {
		p.Suggest("did you mean %q?", near)
		return
	}
	p.Suggest("it is looked for in ./providers beside this file, then in the catalog, which `muster providers` lists")
}

// certain tells whether all is known that definitions say. Where it is not, what
// else depends on them is no mistake of its own.
func (f *File) certain() bool {
	return !f.unnamed && len(f.unbound) == 0 && !slices.ContainsFunc(f.sources, func(s *source) bool { return s.wrong })
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
	var meant []string // by settings that are written otherwise
	for _, field := range given {
		i := slices.Index(known, field.Key.Text())
		if i < 0 {
			document.UnknownName(field.Key, "setting", known)
			meant = append(meant, document.Closest(field.Key.Text(), known))
			continue
		}
		setting := s.definition.Settings()[i]
		if !s.definition.UsesSetting(setting.Name) {
			continue // what is not used is not resolved either
		}
		value, ok := f.secrets.resolve(field.Value)
		if ok && !setting.Fits(value.Reveal()) {
			field.Value.Errorf("the setting %q is not of the form %s", setting.Name, setting.Format).Suggest("%s", forms()[setting.Format])
		}
		s.settings[setting.Name] = value
	}
	for _, setting := range s.definition.Settings() {
		if s.entry.with != nil && s.entry.with.Kind() != document.Mapping || slices.Contains(meant, setting.Name) {
			continue // it is there, and wrong
		}
		if _, ok := s.settings[setting.Name]; !ok && setting.Required && setting.Default == "" && s.definition.UsesSetting(setting.Name) {
			s.entry.node.Errorf("the setting %q of %s is missing", setting.Name, s.name).Suggest("add it under with: %s", about(setting))
		}
	}
	for _, reference := range s.definition.Secrets() {
		s.settings[reference.Text()], _ = f.secrets.resolve(reference)
	}
	s.checkKey()
}

// checkKey reports a private key or a certificate that signs no assertion, where
// the file names it.
func (s *source) checkKey() {
	unfit := s.definition.CheckKey(s.settings)
	if unfit == nil || s.wrong {
		return
	}
	at := s.entry.with.Field(unfit.Name)
	for _, reference := range s.definition.Secrets() {
		if reference.Text() == unfit.Name {
			at = reference
		}
	}
	if at != nil { // else it is a default of the definition's own, which is told when it is used
		at.Errorf("%v", unfit).Suggest("%s", unfit.Hint)
	}
}

// forms says of each format of a setting what fits.
func forms() map[string]string {
	return map[string]string{
		"host":  "a host and perhaps a port, for example api.example.com: no scheme, no path",
		"int":   "a whole number from 0, without leading zeros",
		"uuid":  "for example 0d2f6c1e-7a0b-4a55-9f0c-2f0f4c5b8a11",
		"label": "one part of a host's name: letters, digits and hyphens",
		"email": "for example jane@acme.example",
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
			s.tenants = append(s.tenants, oneOf(n, "tenant", tenantNames))
		}
	}
}

func (f *File) bindTenant(t *tenant) *gateway.Tenant {
	bound := &gateway.Tenant{Name: t.name.Text(), IDs: map[string]string{}, Rate: t.rate}
	known := f.tenantValueNames()
	for _, field := range t.ids {
		if f.certain() {
			oneOf(field.Key, "source or {tenant.NAME}", known)
		}
		bound.IDs[field.Key.Text()] = field.Value.Text()
	}
	if t.defaultIdentifier != nil {
		bound.DefaultIdentifier = t.defaultIdentifier.Text()
	}
	for _, n := range t.providers {
		bound.Providers = append(bound.Providers, f.oneSource(n))
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

// oneOf reads a name that must be among those known. Where none is, that has been
// reported already.
func oneOf(n *document.Node, what string, known []string) string {
	name := n.Text()
	if n.Kind() == document.Scalar && len(known) > 0 && !slices.Contains(known, name) {
		document.UnknownName(n, what, known)
	}
	return name
}

// oneSource reads the name of a source.
func (f *File) oneSource(n *document.Node) string {
	if f.unnamed {
		return n.Text()
	}
	return oneOf(n, "source", f.sourceNames())
}

func (f *File) sourceNames() []string {
	names := make([]string, len(f.sources))
	for i, s := range f.sources {
		names[i] = s.name
	}
	return append(names, f.unbound...)
}

// kinds are all kinds of identifiers that anybody needs, yields or accepts.
func (f *File) kinds() (needed, all []string) {
	for _, s := range f.sources {
		if s.wrong {
			continue
		}
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
	needed, kinds := f.kinds()
	f.accept = needed
	if f.dynamic.accept != nil {
		f.accept = nil
	}
	for _, n := range f.dynamic.accept {
		if f.certain() && n.Text() != "email" && n.Text() != "username" {
			oneOf(n, "kind of identifier", kinds)
		}
		f.accept = append(f.accept, n.Text())
	}
	for _, t := range f.dynamic.tenants {
		n := t.defaultIdentifier
		if n != nil && (f.dynamic.accept != nil || f.certain()) && !slices.Contains(f.accept, n.Text()) {
			n.Errorf("the default identifier %q is not accepted", n.Text()).Suggest("accepted are: %s", strings.Join(f.accept, ", "))
		}
	}
	if from := f.dynamic.links; from.table != nil {
		f.bindTable(from.table)
	} else if from.file == nil {
		return
	}
	kinds = append(kinds, f.accept...)
	slices.Sort(kinds)
	kinds = slices.Compact(kinds)
	if !f.certain() {
		kinds = nil
	}
	tenants := make([]string, 0, len(f.dynamic.tenants))
	for _, t := range f.dynamic.tenants {
		tenants = append(tenants, t.name.Text())
	}
	f.linkable = linkable{tenants, kinds}
	if file := f.dynamic.links.file; file != nil {
		f.links = readLinks(file, f.files, f.linkable, problems)
	}
}

// everyOther stands, in an order of sources, for all that it does not name.
const everyOther = "*"

// bindMerge checks the order of sources, everywhere that one is given.
func (f *File) bindMerge() {
	names := f.sourceNames()
	f.rules = normalize.Rules{Order: names, Fields: map[string]normalize.FieldRule{}}
	read := func(nodes []*document.Node) []string {
		var order []string
		for _, n := range nodes {
			if n.Text() != everyOther {
				f.oneSource(n)
			}
			if slices.Contains(order, n.Text()) && n.Kind() == document.Scalar {
				n.Errorf("%q stands twice in this order", n.Text())
			}
			order = append(order, n.Text())
		}
		return order
	}
	if order := read(f.dynamic.order); order != nil {
		var others []string // as configured
		for _, name := range names {
			if !slices.Contains(order, name) {
				others = append(others, name)
			}
		}
		if at := slices.Index(order, everyOther); at >= 0 {
			f.rules.Order = slices.Concat(order[:at], others, order[at+1:])
		} else {
			f.rules.Order = slices.Concat(order, others)
		}
	}
	for _, r := range f.dynamic.fields {
		rule := normalize.FieldRule{Order: read(r.order)}
		if r.authority != nil {
			rule.Authority = f.oneSource(r.authority)
		}
		if r.prefer != nil {
			rule.Prefer = r.prefer.Text()
		}
		f.rules.Fields[r.member.Text()] = rule
	}
}

// bind makes the source of an entry.
func (f *File) bind(s *source) *adapters.Source {
	own := s.entry.node.Field("limits")
	if own.Kind() == document.Null {
		own = nil // written and left empty, which has been reported
	}
	return s.definition.Bind(s.name, s.settings, f.dynamic.limits, own, s.transport)
}

// Live makes a configuration that a gateway can answer by. The wrap, when not
// nil, goes around each source's transport, in the order of the sources. Of the
// file before, when not nil, a source that is the same keeps its breaker, its
// pause, its token and its connections.
func (f *File) Live(telemetry *guard.Telemetry, wrap func(http.RoundTripper) http.RoundTripper, before *File) *gateway.Live {
	f.goOnWith(before)
	live := &gateway.Live{Pseudonyms: f.pseudonyms, Tenants: f.tenants, Accept: f.accept, Rules: f.rules, Budget: f.dynamic.budget.total, Waves: f.dynamic.budget.waves, LinksFor: f.dynamic.learned, Policies: f.policies()}
	switch {
	case f.links != nil:
		live.Links = f.links
	case f.table != nil:
		if before != nil && f.sameTable(before) {
			f.table, f.breaker = before.table, before.breaker // and its connections
		} else {
			f.breaker = guard.NewBreaker(normalize.Links, tablePause(), telemetry)
		}
		live.Links = guardedTable{f.table, f.breaker}
	}
	for _, s := range f.sources {
		wrapped := *s
		if wrap != nil {
			wrapped.transport = wrap(s.transport)
		}
		s.bound = f.bind(&wrapped)
		if same := before.same(f, s); same != nil {
			s.transport, s.bound, s.guards = same.transport, same.bound, same.guards
		} else {
			s.guards = guard.New(s.name, s.bound.Limits(), telemetry)
		}
		live.Sources = append(live.Sources, &gateway.Source{
			Name: s.name, About: s.definition.About, Chain: s.definition.Chain, Hash: s.bound.Hash(),
			Required: s.entry.required, Optional: s.entry.optional, Tenants: s.tenants,
			Keep: s.bound.Limits().Cache, Upstream: s.bound, Adapter: s.guards.Stack(s.bound), Breaker: s.guards.State,
		})
	}
	return live
}

// same finds the source of this file that is what s is in another: it has the
// name, asks and maps the same with the same settings under the same limits, and
// its connections go to the same places under the same certificates.
func (f *File) same(other *File, s *source) *source {
	if f == nil || !reflect.DeepEqual(f.dynamic.egress, other.dynamic.egress) {
		return nil
	}
	i := slices.IndexFunc(f.sources, func(old *source) bool {
		return old.name == s.name && old.bound != nil && old.bound.Hash() == s.bound.Hash() && old.bound.Limits() == s.bound.Limits() && old.definition.RedactsAs(s.definition)
	})
	if i < 0 {
		return nil
	}
	for _, path := range s.definition.TLS().Paths() {
		if f.files.digest(path) != other.files.digest(path) {
			return nil
		}
	}
	return f.sources[i]
}

package adapters

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"muster/config/document"
	"muster/normalize"
)

// Definition is one provider's YAML, compiled: how to ask it, what its replies
// mean, what of them is the person. It is immutable; an invalid one cannot exist.
type Definition struct {
	Name  string // as its file says
	About string
	Chain []string // its name, then the names of those it was made from by `use`

	settings []Setting
	auth     auth
	tls      TLSFiles
	lookups  []Lookup
	headers  []parameter
	query    []parameter
	body     *body
	response response
	mapping  *normalize.Mapping
	redact   []normalize.Path
	limits   *document.Node
	tests    []inlineTest
	secrets  []*document.Node
	hash     string
}

// Setting is what a deployment fills in.
type Setting struct {
	Name     string
	About    string
	Format   string // one of formats; "text" by default
	Required bool
	Default  string
	node     *document.Node
}

// Fits tells whether a value has the form that the setting asks for.
func (s Setting) Fits(value string) bool { return fits(s.Format, value) }

// TLSFiles are the files and names of the connection to an upstream; empty
// members mean the system's.
type TLSFiles struct {
	Cert, Key, CA, ServerName, MinVersion string
}

// Paths are the files among them.
func (f TLSFiles) Paths() []string {
	return slices.DeleteFunc([]string{f.Cert, f.Key, f.CA}, func(path string) bool { return path == "" })
}

// Library finds the YAML of a definition by its name, nil when it has none.
type Library func(name string) *document.Node

// Resolved is a definition's YAML with the one it names under `use` laid under it.
type Resolved struct {
	Own    *document.Node // what its own file writes
	Merged *document.Node // with what it inherits
	Chain  []string       // its name, then the names of those it was made from

	inherited  []*document.Node // the tests of those it was made from: samples alone
	deployment string           // the file of the entry laid over it, "" for none
}

// With lays the keys that a deployment's entry writes over the definition's, as
// whole keys.
func (r *Resolved) With(entry *document.Node) *Resolved {
	over := entry.Only("auth", "tls", "headers", "query")
	return &Resolved{r.Own, document.Overlay(r.Merged, over), r.Chain, r.inherited, entry.File()}
}

// Resolve finds a definition in the first library that has it, and what it is
// made from. A definition that uses its own name means the one in a later
// library. It is nil when no library has the name; mistakes along the way are
// reported at the word `use`.
func Resolve(name string, libraries ...Library) *Resolved {
	return resolve(name, libraries, nil)
}

func resolve(name string, libraries []Library, trail []string) *Resolved {
	for i, library := range libraries {
		own := library(name)
		if own == nil {
			continue
		}
		trail = append(trail, name)
		use := own.Field("use")
		if use == nil {
			return &Resolved{Own: own, Merged: own, Chain: []string{name}}
		}
		rest, used := libraries, use.Text()
		if used == name {
			rest = libraries[i+1:]
		} else if slices.Contains(trail, used) {
			use.Errorf("the definition %q is made from itself", used)
			return &Resolved{Own: own, Merged: own, Chain: []string{name}}
		}
		base := resolve(used, rest, trail)
		if base == nil {
			use.Errorf("no definition named %q", used).Suggest("it is looked for in the providers folder, then in the catalog")
			return &Resolved{Own: own, Merged: own, Chain: []string{name}}
		}
		merged := document.Overlay(base.Merged.Without("tests", "provider", "use"), own)
		inherited := base.inherited
		if tests := base.Own.Field("tests"); tests.Kind() == document.List {
			inherited = append([]*document.Node{tests}, inherited...)
		}
		return &Resolved{Own: own, Merged: merged, Chain: append([]string{name}, base.Chain...), inherited: inherited}
	}
	return nil
}

// Compile makes a Definition. Mistakes are reported to the nodes' problems; the
// result is of use only when there were none.
func Compile(r *Resolved) *Definition {
	n := r.Merged
	d := &Definition{Chain: r.Chain}
	c := &normalize.Compiler{}
	d.response = response{data: mustPaths("."), empty: "malformed"}
	document.Decode(n, d, definitionKeys(c))
	if n.Field("lookup") != nil && n.Kind() == document.Mapping {
		d.mapping = c.Mapping(n.Field("profile"), n.Field("ids"))
		d.check(r)
		c.CheckCEL(r.Own.File(), d.samples(r))
	}
	content := sha256.New()
	writeContent(content, n.Without("tests", "about", "limits", "redact"))
	d.hash = hex.EncodeToString(content.Sum(nil)[:8])
	return d
}

// writeContent writes what a node says, so that no two that say something else
// read the same. Comments, quotes and layout are not written.
func writeContent(w io.Writer, n *document.Node) {
	switch n.Kind() {
	case document.Scalar:
		_, _ = fmt.Fprintf(w, "%t%d:%s", n.IsText(), len(n.Text()), n.Text())
	case document.List:
		_, _ = fmt.Fprintf(w, "list%d:", len(n.Items()))
		for _, item := range n.Items() {
			writeContent(w, item)
		}
	case document.Mapping:
		_, _ = fmt.Fprintf(w, "mapping%d:", len(n.Fields()))
		for _, f := range n.Fields() {
			writeContent(w, f.Key)
			writeContent(w, f.Value)
		}
	default:
		_, _ = io.WriteString(w, "null")
	}
}

var providerName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

func definitionKeys(c *normalize.Compiler) []document.Key[Definition] {
	return []document.Key[Definition]{
		{Name: "provider", About: "the definition's name, [a-z][a-z0-9-]*", Required: true, Read: func(d *Definition, n *document.Node) {
			if d.Name = n.Text(); !providerName.MatchString(d.Name) {
				n.Errorf("not a provider's name: %q", d.Name).Suggest("lower-case letters, digits and hyphens, a letter first")
			}
		}},
		{Name: "about", About: "one line, with the document it was written from", Read: func(d *Definition, n *document.Node) { d.About = n.Text() }},
		{Name: "use", About: "start from that definition's keys", Read: func(_ *Definition, n *document.Node) { n.Text() }},
		{Name: "settings", About: "what a deployment fills in", Read: func(d *Definition, n *document.Node) {
			for _, f := range n.Fields() {
				s := Setting{Name: f.Key.Text(), Format: "text", node: f.Key}
				if f.Value.Kind() != document.Null {
					document.Decode(f.Value, &s, settingKeys())
				}
				d.settings = append(d.settings, s)
			}
		}},
		{Name: "auth", About: "what the upstream wants to see; exactly one kind", Required: true, Read: func(d *Definition, n *document.Node) {
			document.Decode(n, &d.auth, authKeys(c))
			if n.Kind() == document.Mapping && len(n.Fields()) != 1 {
				n.Errorf("exactly one auth kind is needed here, found %d", len(n.Fields()))
			}
		}},
		{Name: "tls", About: "certificates and names of the connection", Read: func(d *Definition, n *document.Node) { document.Decode(n, &d.tls, tlsKeys()) }},
		{Name: "lookup", About: "METHOD https://…, or a list of which the first feasible is sent", Required: true, Read: func(d *Definition, n *document.Node) {
			for _, item := range n.OneOrMore() {
				d.lookups = append(d.lookups, parseEndpoint(item, inRequest(), inHost()))
			}
		}},
		{Name: "headers", About: "added to every lookup", Read: func(d *Definition, n *document.Node) { d.headers = parseHeaders(n, inRequest()) }},
		{Name: "query", About: "added to every lookup", Read: func(d *Definition, n *document.Node) { d.query = parseParameters(n, inRequest()) }},
		{Name: "json", About: "body of a POST lookup", Read: func(d *Definition, n *document.Node) {
			b := parseBody(n, inRequest())
			d.body = &b
		}},
		{Name: "response", About: "what is success, where the record is, what errors mean", Read: func(d *Definition, n *document.Node) { document.Decode(n, &d.response, responseKeys(c)) }},
		{Name: "ids", About: "identifiers this source yields", Read: func(*Definition, *document.Node) {}},
		{Name: "profile", About: "the canonical profile's own members", Read: func(*Definition, *document.Node) {}},
		{Name: "redact", About: "paths masked in traces and logs", Read: func(d *Definition, n *document.Node) { d.redact = c.Paths(n) }},
		{Name: "limits", About: "how it is asked", Read: func(d *Definition, n *document.Node) {
			scratch := DefaultLimits()
			ReadLimits(&scratch, n)
			d.limits = n
		}},
		{Name: "tests", About: "inline tests, which are also samples of the replies", Read: func(d *Definition, n *document.Node) {
			for _, item := range n.Items() {
				d.tests = append(d.tests, readInlineTest(item))
			}
		}},
	}
}

func settingKeys() []document.Key[Setting] {
	return []document.Key[Setting]{
		{Name: "about", About: "what to write here", Read: func(s *Setting, n *document.Node) { s.About = n.Text() }},
		{Name: "format", About: "what its value looks like", Read: func(s *Setting, n *document.Node) { s.Format = n.OneOf(formats()...) }},
		{Name: "required", About: "whether a deployment must fill it in", Read: func(s *Setting, n *document.Node) { s.Required = n.Bool() }},
		{Name: "default", About: "its value where a deployment says nothing", Read: func(s *Setting, n *document.Node) {
			if s.Default = n.Text(); !fits(s.Format, s.Default) {
				n.Errorf("the default is not of the format %s", s.Format)
			}
		}},
	}
}

func tlsKeys() []document.Key[TLSFiles] {
	return []document.Key[TLSFiles]{
		{Name: "cert", About: "file of our certificate", Read: func(t *TLSFiles, n *document.Node) { t.Cert = beside(n) }},
		{Name: "key", About: "file of its key", Read: func(t *TLSFiles, n *document.Node) { t.Key = beside(n) }},
		{Name: "ca", About: "file of the authorities that the upstream's certificate must come from", Read: func(t *TLSFiles, n *document.Node) { t.CA = beside(n) }},
		{Name: "server_name", About: "the name its certificate must bear", Read: func(t *TLSFiles, n *document.Node) { t.ServerName = n.Text() }},
		{Name: "min_version", About: "1.2 or 1.3", Read: func(t *TLSFiles, n *document.Node) { t.MinVersion = n.OneOf("1.2", "1.3") }},
	}
}

// beside is the path that a node writes, as the node's own file means it.
func beside(n *document.Node) string {
	path := filepath.FromSlash(n.Text())
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(n.File()), path)
}

// check finds what only the whole definition shows.
func (d *Definition) check(r *Resolved) {
	n := r.Merged
	if len(d.mapping.Members()) == 0 && len(d.mapping.IDs()) == 0 {
		n.Errorf("the definition maps nothing").Suggest("write `profile:`, or `ids:` for a source that only yields identifiers")
	}
	if isEmptyList(n.Field("lookup")) {
		n.Field("lookup").Errorf("a lookup is missing here").Suggest("write METHOD https://…")
	}
	if isEmptyList(r.Own.Field("tests")) {
		r.Own.Field("tests").Errorf("a test is missing here").Suggest("write {name, with, request, reply, expect}")
	}
	writes := func(key string) bool { return r.Own.Field(key) != nil }
	if !writes("tests") && (!writes("use") || slices.ContainsFunc([]string{"lookup", "response", "ids", "profile"}, writes)) {
		n.Errorf("the key \"tests\" is missing").Suggest("a definition carries at least one test: {name, with, request, reply, expect}")
	}
	if d.body != nil {
		for i := range d.lookups {
			if d.lookups[i].method == "GET" {
				n.Field("json").Errorf("a GET carries no JSON body").Suggest("write lookup: POST https://…")
			}
		}
	}
	d.checkSettings(n)
	d.checkSecrets(r)
}

func isEmptyList(n *document.Node) bool { return n.Kind() == document.List && len(n.Items()) == 0 }

// checkSecrets finds references to secrets. A definition names no file and no
// variable of a deployment: it would carry one deployment's paths to all.
func (d *Definition) checkSecrets(r *Resolved) {
	for _, key := range []string{"auth", "lookup", "headers", "query", "json", "response"} {
		r.Merged.Field(key).WalkText(func(text *document.Node) {
			switch {
			case !strings.Contains(text.Text(), "${"):
			case text.File() != r.deployment:
				text.Errorf("a definition names no file and no variable of a deployment").
					Suggest("declare a setting with `format: secret` and write {settings.NAME}")
			default:
				d.secrets = append(d.secrets, text)
			}
		})
	}
}

// checkSettings reports placeholders of settings that nobody declared.
func (d *Definition) checkSettings(n *document.Node) {
	declared := make([]string, 0, len(d.settings))
	for _, s := range d.settings {
		declared = append(declared, s.Name)
	}
	for _, key := range []string{"auth", "lookup", "headers", "query", "json", "response"} {
		n.Field(key).WalkText(func(text *document.Node) {
			for _, found := range settingPlaceholder.FindAllStringSubmatchIndex(text.Text(), -1) {
				name := text.Text()[found[2]:found[3]]
				if slices.Contains(declared, name) {
					continue
				}
				p := text.ErrorfAt(found[0], found[1]-found[0], "no setting named %q", name)
				if near := document.Closest(name, declared); near != "" {
					p.Suggest("did you mean %q?", near)
				} else {
					p.Suggest("declare it under `settings:`")
				}
			}
		})
	}
}

var settingPlaceholder = regexp.MustCompile(`\{settings\.([A-Za-z0-9_-]+)(?::[a-z]+)?\}`)

// templates are all templates of a lookup and of what goes with it.
func (d *Definition) templates(l *Lookup) []template {
	return slices.Concat(d.required(l), d.auth.templates(), parameterTemplates(d.headers, d.query))
}

// required are the templates without whose values a lookup is not sent, or its
// reply not believed: a record that cannot be compared with what was asked for
// may be anybody's. Of the identifiers in a comparison one lookup of several has
// some, so these are not among what identifiersOf requires.
func (d *Definition) required(l *Lookup) []template {
	all := d.sent(l)
	for _, c := range slices.Concat(d.response.match, d.response.pick) {
		all = append(all, c.want)
	}
	return all
}

// sent are the templates of a lookup's address and body.
func (d *Definition) sent(l *Lookup) []template {
	all := l.templates()
	if d.body != nil {
		all = append(all, d.body.templates()...)
	}
	return all
}

// identifiersOf are the kinds of identifiers without which the lookup cannot be sent.
func (d *Definition) identifiersOf(l *Lookup) []string {
	var kinds []string
	for _, t := range d.sent(l) {
		for _, kind := range t.refs("id") {
			if !slices.Contains(kinds, kind) {
				kinds = append(kinds, kind)
			}
		}
	}
	return kinds
}

// optionalIdentifiers are the kinds that shape a request where they are at hand,
// and without which it is sent all the same.
func (d *Definition) optionalIdentifiers() []string {
	var kinds []string
	for _, t := range parameterTemplates(d.headers, d.query) {
		kinds = append(kinds, t.refs("id")...)
	}
	for _, c := range slices.Concat(d.response.match, d.response.pick) {
		kinds = append(kinds, c.want.refs("id")...)
	}
	return kinds
}

// Members are the profile's top-level members that the definition maps.
func (d *Definition) Members() []string { return d.mapping.Members() }

// Settings are what a deployment fills in.
func (d *Definition) Settings() []Setting { return d.settings }

// TLS are the files and names of the connection.
func (d *Definition) TLS() TLSFiles { return d.tls }

// UsesSetting tells whether anything that is sent or compared names the setting:
// only then must a deployment fill it in.
func (d *Definition) UsesSetting(name string) bool {
	for i := range d.lookups {
		for _, t := range d.templates(&d.lookups[i]) {
			if contains(t.refs("settings"), name) {
				return true
			}
		}
	}
	return false
}

func parameterTemplates(lists ...[]parameter) []template {
	var all []template
	for _, p := range slices.Concat(lists...) {
		all = append(all, p.value)
	}
	return all
}

// TenantNames are the names of the tenant's values that the definition uses.
func (d *Definition) TenantNames() []string {
	var names []string
	for i := range d.lookups {
		for _, t := range d.templates(&d.lookups[i]) {
			names = append(names, t.refs("tenant")...)
		}
	}
	return names
}

// Secrets are the references to secrets that the deployment's entry wrote in
// place of the definition's own keys. Bind expects what they stand for among the
// settings, each under the reference as it is written.
func (d *Definition) Secrets() []*document.Node { return d.secrets }

// Hash changes when what the definition asks or maps changes, and not when its
// tests, limits or description do.
func (d *Definition) Hash() string { return d.hash }

func contains(list []string, word string) bool { return slices.Contains(list, word) }

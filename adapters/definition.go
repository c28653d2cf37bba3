package adapters

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path/filepath"
	"reflect"
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
	form     []parameter
	response response
	mapping  *normalize.Mapping
	redact   normalize.Paths
	limits   *document.Node
	tests    []inlineTest
	secrets  []*document.Node
	hash     string
	node     *document.Node // what it was compiled from
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
func (s Setting) Fits(value string) bool { return Fits(s.Format, value) }

// Position is where the setting is declared, file:line.
func (s Setting) Position() string { return fmt.Sprintf("%s:%d", s.node.File(), s.node.Line()) }

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
	d := &Definition{Chain: r.Chain, node: r.Merged}
	c := &normalize.Compiler{}
	r.Own.IsA(Form())
	document.Defaults(&d.response, responseKeys(c))
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

// Form is how a definition's file is written.
func Form() document.Form {
	return document.KeysOf(func() []document.Member { return document.Members(definitionKeys(&normalize.Compiler{})) })
}

func definitionKeys(c *normalize.Compiler) []document.Key[Definition] {
	return []document.Key[Definition]{
		document.Of("provider", "the definition's name", name(), func(d *Definition) *string { return &d.Name }).Must(),
		document.Of("about", "one line, with the document it was written from", document.Text(), func(d *Definition) *string { return &d.About }),
		{Name: "use", About: "start from that definition's keys; a key written here replaces the whole inherited one; tests are not inherited", Form: name().Form, Read: func(_ *Definition, n *document.Node) { n.Text() }},
		document.Of("settings", "what a deployment fills in, used as {settings.NAME}", settingsType(), func(d *Definition) *[]Setting { return &d.settings }),
		document.Of("auth", "what the upstream wants to see; exactly one kind", authType(c), func(d *Definition) *auth { return &d.auth }).Must().UnlessGiven("use"),
		document.Of("tls", "certificates and names of the connection", TLSType(), func(d *Definition) *TLSFiles { return &d.tls }),
		document.Of("lookup", "the call, or a list of which the first whose identifiers are at hand is sent", document.OneOrMore(endpointType(inRequest(), inHost())), func(d *Definition) *[]Lookup { return &d.lookups }).Must().UnlessGiven("use"),
		document.Of("headers", "added to every lookup; one whose value is absent is left out", headers(inRequest()), func(d *Definition) *[]parameter { return &d.headers }),
		document.Of("query", "added to every lookup; one whose value is absent is left out", parameters(inRequest()), func(d *Definition) *[]parameter { return &d.query }),
		document.Of("json", "body of a POST lookup, with placeholders inside its texts", document.Pointer(jsonBody(inRequest())), func(d *Definition) **body { return &d.body }),
		document.Of("form", "parameters of a POST lookup's body, where that is a form", parameters(inRequest()), func(d *Definition) *[]parameter { return &d.form }),
		document.Of("response", "what is success, where the record is, what errors mean", document.Object(func() []document.Key[response] { return responseKeys(c) }), func(d *Definition) *response { return &d.response }),
		{Name: "ids", About: "identifiers this source yields, by kind; self is the source's own", Form: c.IDsForm(), Read: func(*Definition, *document.Node) {}},
		{Name: "profile", About: "the canonical profile's own members", Form: c.ProfileForm(), Read: func(*Definition, *document.Node) {}},
		document.Of("redact", "paths masked in `lookup --explain`, traces and logs, besides names such as password, secret and token", c.PathsType(), func(d *Definition) *normalize.Paths { return &d.redact }),
		{Name: "limits", About: "how it is asked; over the gateway's, key by key", Form: LimitsType().Form, Read: func(d *Definition, n *document.Node) {
			scratch := DefaultLimits()
			ReadLimits(&scratch, n)
			d.limits = n
		}},
		document.Of("tests", "inline tests, which are also samples of the replies", document.Items(inlineTestType()), func(d *Definition) *[]inlineTest { return &d.tests }).UnlessGiven("use"),
	}
}

// IsName tells whether a definition or a source can be called so.
func IsName(text string) bool { return providerName.MatchString(text) }

// name is what a definition is called.
func name() document.Type[string] {
	form := document.Matching("lower-case letters, digits and hyphens, a letter first", providerName.String()).Like("acme-hr")
	return document.Type[string]{Form: form, Read: func(into *string, n *document.Node) {
		if *into = n.Text(); !IsName(*into) {
			n.Errorf("not a provider's name: %q", *into).Suggest("lower-case letters, digits and hyphens, a letter first")
		}
	}}
}

func settingsType() document.Type[[]Setting] {
	setting := document.Object(settingKeys)
	form := document.NamesOf(document.AnyOf("what the setting is, or nothing", setting.Form, document.Empty())).Like("{host: {format: host, required: true}}")
	return document.Type[[]Setting]{Form: form, Read: func(into *[]Setting, n *document.Node) {
		for _, f := range n.Fields() {
			s := Setting{Name: f.Key.Text(), node: f.Key}
			document.Defaults(&s, settingKeys())
			if f.Value.Kind() != document.Null {
				setting.Read(&s, f.Value)
			}
			*into = append(*into, s)
		}
	}}
}

func settingKeys() []document.Key[Setting] {
	return []document.Key[Setting]{
		document.Of("about", "what to write here", document.Text(), func(s *Setting) *string { return &s.About }),
		document.Of("format", "what its value looks like", document.OneOf(formats()...), func(s *Setting) *string { return &s.Format }).Or("text"),
		document.Of("required", "whether a deployment must fill it in", document.Switch(), func(s *Setting) *bool { return &s.Required }).Or("false"),
		{Name: "default", About: "its value where a deployment says nothing", Form: document.Text().Form, Read: func(s *Setting, n *document.Node) {
			if s.Default = n.Text(); !Fits(s.Format, s.Default) {
				n.Errorf("the default is not of the format %s", s.Format)
			}
		}},
	}
}

// TLSType is how the files and names of a connection are written.
func TLSType() document.Type[TLSFiles] { return document.Object(tlsKeys) }

func tlsKeys() []document.Key[TLSFiles] {
	return []document.Key[TLSFiles]{
		document.Of("cert", "file of our certificate", file(), func(t *TLSFiles) *string { return &t.Cert }),
		document.Of("key", "file of its key", file(), func(t *TLSFiles) *string { return &t.Key }),
		document.Of("ca", "file of the authorities that the upstream's certificate must come from", file(), func(t *TLSFiles) *string { return &t.CA }),
		document.Of("server_name", "the name its certificate must bear", document.Text(), func(t *TLSFiles) *string { return &t.ServerName }),
		document.Of("min_version", "the oldest TLS that will do", document.OneOf("1.2", "1.3"), func(t *TLSFiles) *string { return &t.MinVersion }).Or("1.2"),
	}
}

// file is a path, as the file that writes it means it.
func file() document.Type[string] {
	return document.Type[string]{Form: document.AnyValue("a path, relative to this file"), Read: func(into *string, n *document.Node) { *into = beside(n) }}
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
	d.checkBody(n)
	d.checkNobody(n)
	d.checkSettings(r)
	d.checkAssertion(n)
	d.checkSecrets(r)
}

// checkBody finds a body that no request carries, or two for one.
func (d *Definition) checkBody(n *document.Node) {
	if d.body != nil && d.form != nil {
		n.Field("form").Errorf("a lookup has one body: json or form").Suggest("remove one of them")
	}
	get := slices.ContainsFunc(d.lookups, func(l Lookup) bool { return l.method == "GET" })
	for key, what := range map[string]string{"json": "JSON body", "form": "form"} {
		if written := n.Field(key); written != nil && get {
			written.Errorf("a GET carries no %s", what).Suggest("write lookup: POST https://…")
		}
	}
}

func isEmptyList(n *document.Node) bool { return n.Kind() == document.List && len(n.Items()) == 0 }

// dollarPlaceholder is a placeholder as other template languages have it.
var dollarPlaceholder = regexp.MustCompile(`\$(\{(?:id|tenant|settings)\.[A-Za-z0-9_-]+(?::[a-z]+)?\})`)

// checkSecrets finds references to secrets. A definition names no file and no
// variable of a deployment: it would carry one deployment's paths to all.
func (d *Definition) checkSecrets(r *Resolved) {
	for _, key := range []string{"auth", "lookup", "headers", "query", "json", "form", "response"} {
		r.Merged.Field(key).WalkText(func(text *document.Node) {
			switch {
			case !strings.Contains(text.Text(), "${"):
			case dollarPlaceholder.MatchString(text.Text()):
				at := dollarPlaceholder.FindStringSubmatchIndex(text.Text())
				text.ErrorfAt(at[0], at[1]-at[0], "a placeholder has no $ before it").Suggest("write %s", text.Text()[at[2]:at[3]])
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
func (d *Definition) checkSettings(r *Resolved) {
	n := r.Merged
	if given := n.Field("settings"); given != nil && given.Kind() != document.Mapping {
		return // which has been reported
	}
	declared := make([]string, 0, len(d.settings))
	for _, s := range d.settings {
		declared = append(declared, s.Name)
	}
	d.checkTestSettings(declared)
	for _, key := range []string{"auth", "lookup", "headers", "query", "json", "form", "response"} {
		n.Field(key).WalkText(func(text *document.Node) {
			for _, found := range settingPlaceholder.FindAllStringSubmatchIndex(text.Text(), -1) {
				name := text.Text()[found[2]:found[3]]
				if slices.Contains(declared, name) {
					continue
				}
				p := text.ErrorfAt(found[0], found[1]-found[0], "no setting named %q", name)
				switch near := document.Closest(name, declared); {
				case near != "":
					p.Suggest("did you mean %q?", near)
				case text.File() == r.deployment:
					p.Suggest("the definition has: %s", strings.Join(declared, ", "))
				default:
					p.Suggest("declare it under `settings:`")
				}
			}
		})
	}
}

// checkTestSettings reports settings that a test fills in and nobody declared.
func (d *Definition) checkTestSettings(declared []string) {
	for i := range d.tests {
		settings := d.tests[i].node.Field("with").Field("settings")
		if settings.Kind() != document.Mapping {
			continue
		}
		for _, f := range settings.Fields() {
			if !slices.Contains(declared, f.Key.Text()) {
				document.UnknownName(f.Key, "setting", declared)
			}
		}
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
	for _, c := range d.comparisons() {
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
	return append(all, parameterTemplates(d.form)...)
}

// identifiersOf are the kinds of identifiers in the lookup's address and body,
// without which it cannot be sent; nil for one that names nobody (see ways).
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
	for _, c := range d.comparisons() {
		kinds = append(kinds, c.want.refs("id")...)
	}
	return kinds
}

// RedactsAs tells whether both mask the same, which changes nothing of what is
// asked and mapped, and so not the hash of a source.
func (d *Definition) RedactsAs(other *Definition) bool {
	return reflect.DeepEqual(d.redact, other.redact)
}

// Members are the profile's top-level members that the definition maps.
func (d *Definition) Members() []string { return d.mapping.Members() }

// Positions says where the definition maps each member of the profile ("ids." and
// the kind for an identifier), as file:line. The map is only to be read.
func (d *Definition) Positions() map[string]string { return d.mapping.Positions() }

// Settings are what a deployment fills in.
func (d *Definition) Settings() []Setting { return d.settings }

// TLS are the files and names of the connection.
func (d *Definition) TLS() TLSFiles { return d.tls }

// UsesSetting tells whether anything that is sent or compared names the setting:
// only then must a deployment fill it in.
func (d *Definition) UsesSetting(name string) bool {
	for i := range d.lookups {
		for _, t := range d.templates(&d.lookups[i]) {
			if slices.Contains(t.refs("settings"), name) {
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

package draft

import (
	"regexp"
	"slices"
	"strings"

	"muster/adapters"
	"muster/config/document"
	"muster/normalize"
)

// write makes the file. Without results the tests expect anything.
func (w *writer) write(results []adapters.TestResult) (content, sample []byte) {
	top := mapping(
		at("provider", text(w.Provider)),
		at("about", text(w.Provider+" as drafted from a reply")).because("write what is asked, and the document that says so"),
		at("settings", w.settings()),
		w.auth(),
		w.lookup(),
	)
	if response := w.response(); len(response.pairs) > 0 {
		top.pairs = append(top.pairs, at("response", response))
	}
	top.pairs = append(top.pairs, w.identifiers()...)
	profile := mapping(w.guess.members...)
	profile.block = true
	top.pairs = append(top.pairs, at("profile", profile))
	if secrets := w.secrets(); len(secrets.items) > 0 {
		top.pairs = append(top.pairs, at("redact", secrets))
	}
	var b strings.Builder
	b.WriteString("# Drafted by muster init from one reply. What is called guessed here, somebody who knows the system\n# has to confirm; what the reply did not show, it cannot know.\n")
	top.write(&b, 0)
	if left := w.left(); len(left) > 0 {
		writeLeft(&b, left)
	}
	b.WriteString("tests:\n")
	sample = w.test(&b, results, 0, "found", w.Sample, w.body)
	if w.Error != nil {
		b.WriteString("\n")
		w.test(&b, results, 1, "a failure", *w.Error, w.failure)
	}
	return []byte(b.String()), sample
}

func (w *writer) settings() yaml {
	settings := mapping()
	settings.block = true
	if strings.Contains(w.asking.lookup, "{settings.host}") {
		about := "where it is asked"
		if w.asking.host != "" {
			about = "e.g. " + w.asking.host
		}
		settings.pairs = append(settings.pairs, at("host", mapping(at("about", text(about)), at("format", text("host")), at("required", yaml{scalar: "true"}))))
	}
	for _, name := range w.otherSettings() {
		settings.pairs = append(settings.pairs, at(name, mapping(at("required", yaml{scalar: "true"}))))
	}
	settings.pairs = append(settings.pairs, at("token", mapping(at("format", text("secret")), at("required", yaml{scalar: "true"}))))
	return settings
}

var settingWithin = regexp.MustCompile(`\{settings\.([A-Za-z0-9_-]+)`)

// otherSettings are those that the address was given with.
func (w *writer) otherSettings() []string {
	var names []string
	for _, found := range settingWithin.FindAllStringSubmatch(w.asking.lookup, -1) {
		if name := found[1]; name != "host" && name != "token" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func (w *writer) auth() pair {
	if w.asking.token {
		return at("auth", mapping(at("none", yaml{scalar: "true"}))).because("the address carries the token")
	}
	return at("auth", mapping(at("bearer", text("{settings.token}")))).because("guessed: a reply does not show how one asks")
}

func (w *writer) lookup() pair {
	lookup := w.asking.method + " " + w.asking.lookup
	value := yaml{scalar: lookup}
	if !plainLookup.MatchString(lookup) {
		value.scalar = document.Quote(lookup)
	}
	p := at("lookup", value)
	switch {
	case w.URL == "":
		p.above = []string{"guessed: write the address that the reply came from (or give it with --url)"}
	case len(w.asking.kinds) == 0:
		p.above = []string{"nothing in the address says whom it asks about: write {id.self}, {id.email} or {id.username} where it does"}
	}
	for _, kind := range w.asking.kinds {
		if !slices.Contains([]string{"self", "email", "username", "oid"}, kind) {
			p.above = append(p.above, "guessed: callers must be allowed to send "+kind+" (identifiers.accept), or a source must yield it")
		}
	}
	return p
}

var plainLookup = regexp.MustCompile(`^(GET|POST) https://[A-Za-z0-9{}._:/?&=%$~@!+*,;()-]+$`)

func (w *writer) response() yaml {
	response := mapping()
	response.block = true
	if ok := success(w.where.around, w.Sample.order); len(ok) > 0 {
		response.pairs = append(response.pairs, at("ok", mapping(ok...)).because("guessed: else the source is unavailable"))
	}
	if len(w.where.path) > 0 {
		response.pairs = append(response.pairs, at("data", text(pathText(w.where.path...))))
	}
	if len(w.pick) > 0 {
		response.pairs = append(response.pairs, at("pick", mapping(w.pick...)))
	}
	if w.where.hits > 0 {
		response.pairs = append(response.pairs, at("empty", text("not_found")).because("guessed: a search that finds nobody is an empty list"))
	}
	if len(w.match) > 0 {
		response.pairs = append(response.pairs, at("match", mapping(w.match...)))
	}
	if w.Error != nil {
		paths, code := detail(w.Error.Body, w.Error.order)
		if len(paths.pairs) > 0 {
			response.pairs = append(response.pairs, at("error", paths))
		}
		if code != nil && notFound(code.first()) {
			rule := mapping(at("if", mapping(at(conditionKey(code.text()), text(code.first())))), at("as", text("not_found")))
			errors := list(rule)
			errors.block = true
			response.pairs = append(response.pairs, at("errors", errors))
		}
	}
	return response
}

// identifiers are the ids, and above them why one is not there.
func (w *writer) identifiers() []pair {
	g := w.guess
	var above []string
	if g.email != nil && !g.proved {
		path := g.email.text()
		above = append(above, "email is left out: nothing beside "+path+" says that the address is verified, and one that anybody may have typed identifies nobody. With a flag, write email: {path: …, when: {FLAG: true}}")
	}
	if has := func(p pair) bool { return p.key == "username" }; g.user != nil && !slices.ContainsFunc(g.ids, has) {
		above = append(above, "username is left out: only where the logins of this system are those of the tenant, write username: "+g.user.text())
	}
	if len(g.ids) == 0 {
		return nil
	}
	ids := at("ids", mapping(g.ids...))
	ids.above = above
	return []pair{ids}
}

// secrets are the paths that no trace may show, beyond those that the engine masks
// by their names.
func (w *writer) secrets() yaml {
	secrets := list()
	w.guess.root.walk(func(s *shape) bool {
		if !secretName(s.name) {
			return true
		}
		if !normalize.SecretName(s.name) {
			secrets.items = append(secrets.items, text(pathText(slices.Concat(w.where.path, s.path)...)))
		}
		return false
	})
	return secrets
}

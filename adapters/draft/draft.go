package draft

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"muster/adapters"
	"muster/config/document"
	"muster/normalize"
)

// Options are what a draft is made of. Provider and Sample are needed.
type Options struct {
	Provider string  // the definition's name
	Sample   Sample  // a reply that found the person
	Error    *Sample // a reply that tells of a failure
	URL      string  // METHOD https://… that the sample answered, "" where it is not known
	// Pick is PATH=VALUE, where the sample holds several hits: the path within a
	// hit, and what stands there in the one that counts.
	Pick string
	// KeepValues leaves the sample in the test as it is, but for secrets.
	KeepValues bool
	// File is the name of a file beside the definition that the test may read the
	// sample from. With it, a sample of more than some forty lines is not written
	// into the definition, and stands in Draft.Sample.
	File string
}

// Draft is a definition that compiles and passes its tests.
type Draft struct {
	YAML   []byte
	Sample []byte   // content of Options.File; nil when the sample stands in YAML
	Left   []Left   // what found no place, in the order of the reply
	Notes  []string // what somebody has to know or confirm besides
}

// Left is a path of the reply that the definition does not use, and why.
type Left struct{ Path, Why string }

// Definition drafts a definition. Its errors say what another sample, or another
// option, would have to be; they hold no value of the sample.
func Definition(ctx context.Context, o Options) (Draft, error) {
	if !providerName.MatchString(o.Provider) {
		return Draft{}, fmt.Errorf("not a provider's name: %q: lower-case letters, digits and hyphens, a letter first", o.Provider)
	}
	if status := o.Sample.Status; status != 0 && (status < 200 || status > 299) {
		return Draft{}, fmt.Errorf("the sample is a reply with the status %d: --sample takes one that found somebody, --error-sample one like this", status)
	}
	var chosen pick
	if o.Pick != "" {
		var err error
		if chosen, err = parsePick(o.Pick); err != nil {
			return Draft{}, err
		}
	}
	where, err := findRecord(o.Sample.Body, chosen, wantedOf(o.URL))
	if err != nil {
		return Draft{}, err
	}
	w := &writer{Options: o, where: where, guess: guessed(shapeOf(where.record, o.Sample.order))}
	if len(w.guess.members)+len(w.guess.ids) == 0 {
		return Draft{}, fmt.Errorf("nothing in the sample's record%s is called like anything of a person: is it a reply about one?", atPath(where.path))
	}
	if w.asking, err = w.guess.ask(o.URL, w.guess.kindAt(where.pick.path)); err != nil {
		return Draft{}, err
	}
	w.disguise()
	w.bind()
	return w.settle(ctx)
}

var providerName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// writer puts a draft together.
type writer struct {
	Options
	where  found
	guess  *guess
	asking *asking

	body, failure any // the bodies of the tests
	conceal       func(string) string
	match, pick   []pair
	asText        bool // the body cannot be written as YAML, and stands as text
}

// disguise makes the bodies of the tests, and what becomes of a value in them.
func (w *writer) disguise() {
	if w.KeepValues {
		w.conceal = func(v string) string { return v }
		w.body = Conceal(w.Sample.Body)
		if w.Error != nil {
			w.failure = Conceal(w.Error.Body)
		}
		return
	}
	f := newFaker()
	f.learn(w.Sample.Body, "")
	w.body = f.tree(w.Sample.Body, "")
	w.conceal = f.value
	if w.Error != nil {
		f.learn(w.Error.Body, "")
		w.failure = f.tree(w.Error.Body, "")
	}
}

// bind adds what ties the reply to what was asked: identifiers that must come
// back, and the hit that counts.
func (w *writer) bind() {
	g, a := w.guess, w.asking
	for _, kind := range a.kinds {
		s := w.identified(kind)
		if s == nil || s.inList || a.made[kind] {
			continue
		}
		if condition := at(s.text(), text("{id."+kind+"}")); w.where.hits > 0 {
			w.pick = append(w.pick, condition)
		} else if kind == "email" && !s.list { // of several addresses all would have to be the one
			w.match = append(w.match, condition)
		}
		if kind != "email" && !slices.ContainsFunc(g.ids, func(p pair) bool { return p.key == kind }) {
			g.ids = append(g.ids, at(kind, text(s.text())))
			if s.used == "" {
				s.take("ids." + kind)
			}
		}
	}
	if w.where.pick.path != "" && len(w.pick) == 0 {
		kind := cmp.Or(g.kindAt(w.where.pick.path), "key")
		a.ids[kind], a.made[kind] = w.where.pick.value, false
		w.pick = append(w.pick, at(w.where.pick.path, text("{id."+kind+"}")))
	}
	w.bindNobody()
	for _, t := range g.tenants {
		if a.tenant["self"] != "" && !a.made["tenant.self"] && t.used == "" && same(t, a.tenant["self"]) {
			w.match = append(w.match, at(t.text(), text("{tenant.self}")))
			t.take("match")
			break
		}
	}
}

// bindNobody sees to an address that names nobody, such as /users/me: the record is
// compared with whoever is asked for, by the source's own identifier.
func (w *writer) bindNobody() {
	g, a := w.guess, w.asking
	if len(a.kinds) > 0 || len(w.pick) > 0 || len(w.match) > 0 {
		return
	}
	for _, p := range g.ids {
		if s := w.identified(p.key); s != nil && !s.inList {
			w.match = append(w.match, at(s.text(), text("{id."+p.key+"}")))
			a.ids[p.key], a.made[p.key] = s.first(), false
			return
		}
	}
}

// kindAt is the kind of the identifier that a path of the record leads to, "" where
// it is none.
func (g *guess) kindAt(path string) string {
	for _, kind := range []string{"self", "email", "username", "oid"} {
		if s := g.identifier(kind); s != nil && s.text() == path {
			return kind
		}
	}
	return ""
}

// settle writes, compiles and tests the draft until the engine takes it: what it
// does not take is left out.
func (w *writer) settle(ctx context.Context) (Draft, error) {
	var results []adapters.TestResult
	for range 40 {
		content, _ := w.inline(nil)
		var problems document.Problems
		definition := compiled(w.Provider, content, &problems)
		if !w.asText && !w.faithful(content) {
			w.asText = true
			continue
		}
		if problems.Len() > 0 {
			return Draft{}, fmt.Errorf("no definition can be drafted from this sample: %s", problems.All()[0].Message)
		}
		results = definition.RunTests(ctx)
		if len(results[0].Misfits) == 0 {
			break
		}
		for _, note := range results[0].Misfits {
			if !w.guess.drop(note.Member, "it does not fit "+note.String()) {
				return Draft{}, fmt.Errorf("no definition can be drafted from this sample: %s", note)
			}
		}
		if len(w.guess.members)+len(w.guess.ids) == 0 {
			return Draft{}, errors.New("nothing in the sample fits the members of a profile")
		}
	}
	if outcome := results[0].Got["outcome"]; outcome != "ok" && w.URL != "" {
		return Draft{}, fmt.Errorf("the sample is no answer to the address: the engine calls it %v (%v)", outcome, results[0].Got["kind"])
	} else if outcome != "ok" {
		return Draft{}, fmt.Errorf("no definition can be drafted from this sample: the engine calls its reply %v (%v)", outcome, results[0].Got["kind"])
	}
	content, sample := w.write(results)
	var problems document.Problems
	inline, _ := w.inline(results)
	definition := compiled(w.Provider, inline, &problems)
	if err := problems.Err(); err != nil {
		return Draft{}, fmt.Errorf("no definition can be drafted from this sample: %s", problems.All()[0].Message)
	}
	for _, result := range definition.RunTests(ctx) {
		if !result.Passed() {
			return Draft{}, errors.New("no definition can be drafted from this sample: its test does not say what the reply says")
		}
	}
	return Draft{YAML: content, Sample: sample, Left: w.left(), Notes: w.notes()}, nil
}

// inline is what write makes, with the sample inside.
func (w *writer) inline(results []adapters.TestResult) ([]byte, []byte) {
	without := *w
	without.File = ""
	return without.write(results)
}

func compiled(name string, content []byte, problems *document.Problems) *adapters.Definition {
	root := document.Read(name+".yaml", content, problems)
	if root == nil {
		return nil
	}
	return adapters.Compile(adapters.Resolve(name, func(wanted string) *document.Node {
		if wanted != name {
			return nil
		}
		return root
	}))
}

// faithful tells whether the bodies in a draft, read as YAML, are what they were.
func (w *writer) faithful(content []byte) bool {
	var problems document.Problems
	root := document.Read("", content, &problems)
	tests := root.Field("tests")
	if tests.Kind() != document.List {
		return false
	}
	for i, body := range []any{w.body, w.failure} {
		if i >= len(tests.Items()) {
			break
		}
		written := tests.Items()[i].Field("reply").Field("json")
		if written == nil {
			return false
		}
		encoded, err := written.JSON()
		if err != nil {
			return false
		}
		if tree, err := normalize.ParseJSON(encoded); err != nil || !reflect.DeepEqual(tree, body) {
			return false
		}
	}
	return true
}

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

// writeLeft lists the paths that found no place, reason by reason.
func writeLeft(b *strings.Builder, left []Left) {
	b.WriteString("# Not placed, and so not there for Muster:\n")
	var told []string
	for _, l := range left {
		if slices.Contains(told, l.Why) {
			continue
		}
		told = append(told, l.Why)
		var paths []string
		for _, other := range left {
			if other.Why == l.Why {
				paths = append(paths, other.Path)
			}
		}
		for i, line := range wrap(l.Why+": "+strings.Join(paths, ", "), lineWidth-6) {
			if i == 0 {
				b.WriteString("#   " + line + "\n")
			} else {
				b.WriteString("#     " + line + "\n")
			}
		}
	}
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

// otherSettings are those that the address was given with.
func (w *writer) otherSettings() []string {
	var names []string
	for _, found := range regexp.MustCompile(`\{settings\.([A-Za-z0-9_-]+)`).FindAllStringSubmatch(w.asking.lookup, -1) {
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
		value.scalar = quoted(lookup)
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
		if !SecretName(s.name) {
			return true
		}
		if !normalize.SecretName(s.name) {
			secrets.items = append(secrets.items, text(pathText(slices.Concat(w.where.path, s.path)...)))
		}
		return false
	})
	return secrets
}

// test writes one inline test. With Options.File a long body goes there.
func (w *writer) test(b *strings.Builder, results []adapters.TestResult, i int, name string, s Sample, body any) (sample []byte) {
	a := w.asking
	with, settings, ids, tenant := mapping(), mapping(), mapping(), mapping()
	if strings.Contains(a.lookup, "{settings.host}") {
		settings.pairs = append(settings.pairs, at("host", text(w.testHost())))
	}
	for _, other := range w.otherSettings() {
		settings.pairs = append(settings.pairs, at(other, text("s")))
	}
	for _, kind := range sortedKeys(a.ids) {
		ids.pairs = append(ids.pairs, at(kind, text(w.shown(w.identified(kind), a.ids[kind], a.made[kind]))))
	}
	for _, called := range sortedKeys(a.tenant) {
		tenant.pairs = append(tenant.pairs, at(called, text(w.shown(w.tenantAt(called), a.tenant[called], a.made["tenant."+called]))))
	}
	for _, p := range []pair{at("settings", settings), at("tenant", tenant), at("id", ids)} {
		if len(p.value.pairs) > 0 {
			with.pairs = append(with.pairs, p)
		}
	}
	b.WriteString("  - name: " + name + "\n")
	at("with", with).writeAt(b, 4)
	if results != nil && results[i].Sent != "" {
		at("request", text(results[i].Sent)).writeAt(b, 4)
	}
	b.WriteString("    reply:\n")
	status := s.Status
	if i == 1 && status == 0 {
		status = statusOf(s.Body)
	}
	if status != 0 && status != http.StatusOK {
		b.WriteString("      http: " + strconv.Itoa(status) + "\n")
	}
	headers := mapping()
	for _, header := range sortedKeys(s.Headers) {
		if header != "Content-Type" && len(s.Headers[header]) > 0 {
			headers.pairs = append(headers.pairs, at(header, text(s.Headers[header][0])))
		}
	}
	if len(headers.pairs) > 0 {
		at("headers", headers).writeAt(b, 6)
	}
	written := bodyYAML(body, s.order, 8)
	switch {
	case w.asText:
		b.WriteString("      text: " + quoted(compactJSON(body)) + "\n")
	case i == 0 && w.File != "" && strings.Count(written, "\n") > longBody:
		b.WriteString("      file: " + scalarText(w.File) + "\n")
		sample = []byte(bodyYAML(body, s.order, 0) + "\n")
	case len("      json: ")+width(flowBody(body, s.order)) <= lineWidth:
		b.WriteString("      json: " + flowBody(body, s.order) + "\n")
	default:
		b.WriteString("      json:\n        " + written + "\n")
	}
	expect := mapping(at("outcome", text("ok")))
	if results != nil {
		expect = treeYAML(results[i].Got, expectOrder())
	}
	expect.block = len(expect.pairs) > 2
	for j := range expect.pairs {
		expect.pairs[j].value.block = expect.pairs[j].key == "profile"
	}
	at("expect", expect).writeAt(b, 4)
	return sample
}

// longBody is how many lines of a body a definition holds without getting unreadable.
const longBody = 40

func (p pair) writeAt(b *strings.Builder, indent int) {
	b.WriteString(strings.Repeat(" ", indent))
	p.write(b, indent)
}

// shown is a value in a test: what stands in the test's reply where the sample has
// it, if it has.
func (w *writer) shown(s *shape, value string, made bool) string {
	if made {
		return value
	}
	if s != nil && same(s, value) {
		path, err := normalize.ParsePath(s.text())
		if err == nil {
			for v := range path.Values(normalize.At(w.where.in(w.body))) {
				if text, ok := normalize.ScalarText(v); ok {
					return strings.TrimSpace(text)
				}
			}
		}
	}
	return w.conceal(value)
}

// identified is where the record has the identifier of a kind that was asked with.
func (w *writer) identified(kind string) *shape {
	if s := w.guess.identifier(kind); s != nil {
		return s
	}
	for _, l := range w.guess.leaves {
		if kebab(l.name) == kind && same(l.shape, w.asking.ids[kind]) {
			return l.shape
		}
	}
	return nil
}

func (w *writer) tenantAt(called string) *shape {
	for _, t := range w.guess.tenants {
		if same(t, w.asking.tenant[called]) {
			return t
		}
	}
	return nil
}

func (w *writer) testHost() string { return w.Provider + ".example" }

// statusOf is the status under which a failure came: what its body says, or 404.
func statusOf(body any) int {
	found := http.StatusNotFound
	object, _ := body.(map[string]any)
	for _, name := range sortedKeys(object) {
		text, _ := normalize.ScalarText(object[name])
		word := fold(name)
		status, err := strconv.Atoi(text)
		switch {
		case err == nil && status >= 400 && status < 600 && isStatusName(word):
			return status
		case object[name] == false && successWord.MatchString(word):
			found = http.StatusOK
		}
	}
	return found
}

func compactJSON(v any) string {
	switch v := v.(type) {
	case map[string]any:
		var parts []string
		for _, name := range sortedKeys(v) {
			parts = append(parts, compactJSON(name)+":"+compactJSON(v[name]))
		}
		return "{" + strings.Join(parts, ",") + "}"
	case []any:
		var parts []string
		for _, item := range v {
			parts = append(parts, compactJSON(item))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case normalize.Number:
		return string(v)
	default:
		written, err := json.Marshal(v)
		if err != nil {
			return "null"
		}
		return string(written)
	}
}

// expectOrder is the order in which a test states what it expects.
func expectOrder() map[string]int {
	order := map[string]int{}
	for i, name := range strings.Fields(`outcome kind ids profile error warnings retry_after self oid username email
		userName displayName nickName title userType name givenName familyName middleName honorificPrefix formatted
		emails value display type scope permissions primary verified expiresAt phoneNumbers addresses streetAddress locality region postalCode country
		locale preferredLanguage timezone active organizations department organization employeeNumber manager groups roles urls photos
		requiredActions createdAt updatedAt lastLoginAt code message ref hint subject details`) {
		order[name] = i
	}
	return order
}

// left lists what found no place.
func (w *writer) left() []Left {
	var all []Left
	add := func(path []string, why string) {
		all = append(all, Left{pathText(path...), why})
	}
	conditions := success(w.where.around, w.Sample.order)
	for _, e := range w.where.around {
		for _, name := range namesOf(e.object, w.Sample.order) {
			path := append(slices.Clone(e.path), name)
			used := slices.ContainsFunc(conditions, func(p pair) bool { return p.key == scalarText(conditionKey(pathText(path...))) })
			if name != e.next && !used && !isValueName(name) {
				add(path, "of the reply, beside the person's record")
			}
		}
	}
	w.guess.root.walk(func(s *shape) bool {
		path := slices.Concat(w.where.path, s.path)
		inside := false
		s.walk(func(m *shape) bool { inside = inside || m.used != ""; return !inside })
		switch {
		case SecretName(s.name):
			add(path, "called like a secret: never mapped, and left out of the test")
			return false
		case inside && s.object:
			return true
		case s.used != "":
			return false
		case s.why != "":
			add(path, s.why)
		case foreignWord.MatchString(s.word):
			add(path, "not of the person, by its name")
		case !s.says():
			add(path, "nothing in the sample shows what it is")
		case s.object && s.list:
			add(path, "a list of objects that no member of the profile is called like")
		case s.object:
			return true
		case s.inList:
			add(path, "within a list, and no part of the item that is known")
		default:
			add(path, "no member of the profile is called so; under attributes it could be carried")
		}
		return false
	})
	return all
}

// notes are what somebody has to know besides.
func (w *writer) notes() []string {
	notes := slices.Clone(w.asking.notes)
	if len(w.Sample.Dropped) > 0 {
		notes = append(notes, "these headers of the sample are left out of the test: "+strings.Join(w.Sample.Dropped, ", "))
	}
	if w.URL != "" && len(w.asking.kinds) == 0 {
		notes = append(notes, "nothing in the address says whom it asks about: it answers whoever the credential is for, and is compared with whoever is asked for")
	}
	if w.asking.method == "POST" {
		notes = append(notes, "a POST mostly has a body: write it under json")
	}
	if w.KeepValues {
		notes = append(notes, "the test holds the values of the sample, less its secrets: a real person's do not belong into a repository")
	}
	return notes
}

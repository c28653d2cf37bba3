package draft

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

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
	if !adapters.IsName(o.Provider) {
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

// writer puts a draft together.
type writer struct {
	Options
	where  found
	guess  *guess
	asking *asking

	body, failure any // the bodies of the tests
	fake          func(string) string
	match, pick   []pair
	asText        bool // the body cannot be written as YAML, and stands as text
}

// disguise makes the bodies of the tests, and what becomes of a value in them.
func (w *writer) disguise() {
	if w.KeepValues {
		w.fake = func(v string) string { return v }
		w.body = conceal(w.Sample.Body)
		if w.Error != nil {
			w.failure = conceal(w.Error.Body)
		}
		return
	}
	f := newFaker()
	f.learn(w.Sample.Body, "")
	w.body = f.tree(w.Sample.Body, "")
	w.fake = f.value
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

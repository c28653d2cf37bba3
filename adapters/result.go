package adapters

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"muster/config/document"
	"muster/normalize"
)

// TestResult is what came of one inline test.
type TestResult struct {
	Provider string // the definition's name
	Name     string
	Position string // file:line:column of the test
	// Differences are where what came out is not what the test states.
	Differences []Difference
	// Misfits are values of its sample that do not fit their member.
	Misfits []normalize.Note
	Sent    string         // METHOD URL of what was sent, "" for nothing
	Got     map[string]any // what came of the reply, as `expect` would have it
	// Why is why the source failed, in our words, where the test states something else.
	Why string

	test *inlineTest
}

// Difference is one place at which a test states something else than came out.
type Difference struct {
	Path      string // e.g. profile.emails[0].value
	Want, Got string // as they would be written; "nothing" for what is absent
}

// String is the difference on one line.
func (d Difference) String() string { return d.Path + ": expected " + d.Want + ", got " + d.Got }

func (r *TestResult) differ(path, want, got string) {
	r.Differences = append(r.Differences, Difference{path, want, got})
}

// Where is the place of the test, line and column from 1.
func (r *TestResult) Where() (file string, line, column int) {
	return r.test.node.File(), r.test.node.Line(), r.test.node.Column()
}

// Passed tells whether all came out as the test states it.
func (r *TestResult) Passed() bool { return len(r.Differences) == 0 && len(r.Misfits) == 0 }

// The rules that inline tests hold a definition to.
const (
	RuleTest  = "test"  // an inline test fails
	RuleShape = "shape" // a value of a test's sample does not fit its member
)

// Problems words the failures of inline tests: each test at its own place, with
// what differs in lines of their own, and each value of a sample that does not
// fit at the word of the mapping that led to it. At run time such a value is left
// out with a note; a sample is what the upstream's document says, so that there
// the mapping is wrong.
func Problems(results []TestResult) []*document.Problem {
	var problems document.Problems
	for i := range results {
		r := &results[i]
		for _, note := range r.Misfits {
			p := problems.Errorf(note.At(), "%s", note.String())
			p.Rule = RuleShape
			p.Hint = note.Hint()
		}
		if len(r.Differences) == 0 {
			continue
		}
		p := problems.Errorf(r.test.node, "the test %q failed", r.Name)
		p.Rule = RuleTest
		for _, d := range r.Differences {
			p.Details = append(p.Details, d.String())
		}
		if r.Why != "" {
			p.Details = append(p.Details, "it failed as "+r.Why)
		}
	}
	all := problems.All()
	for _, p := range all {
		if p.Rule == RuleShape {
			p.Details = nil
			p.Message += shownBy(results, p)
		}
	}
	return all
}

// shownBy names the tests whose samples show a value that does not fit.
func shownBy(results []TestResult, p *document.Problem) string {
	var names []string
	for i := range results {
		for _, note := range results[i].Misfits {
			if at := fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column); note.String() == p.Message && note.At().Position() == at && !slices.Contains(names, results[i].Name) {
				names = append(names, results[i].Name)
			}
		}
	}
	switch len(names) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf(", as the test %q shows", names[0])
	default:
		return fmt.Sprintf(", as the test %q and %d more show", names[0], len(names)-1)
	}
}

// Mistaken tells whether the test shows that the mapping itself is wrong.
func (r *TestResult) Mistaken() bool { return len(r.Misfits) > 0 }

// Untold tells whether a test's YAML has yet to say what it expects.
func Untold(test *document.Node) bool {
	expect := test.Field("expect")
	return expect.Kind() == document.Null || expect.Kind() == document.Mapping && len(expect.Fields()) == 0
}

// Placeholder is a test that has yet to say what it expects with something in its
// place, so that it can be run.
func Placeholder(test *document.Node) *document.Node {
	return test.With("expect", inOrder(map[string]any{"outcome": "ok"}, nil))
}

// Update writes what came out into the YAML of the test: under `expect`, and
// under `request` where that stands. Differences then are to what was written
// there, if anything. It reports false where a test cannot be made
// to pass so: its `reply` is missing or too much, or its sample shows a mistake of
// the mapping.
func (r *TestResult) Update(edits *document.Edits, test *document.Node) bool {
	if r.Mistaken() || (r.Sent == "") != (r.test.reply == nil) {
		return false
	}
	got := maps.Clone(r.Got)
	if Untold(test) {
		r.Differences = difference("", map[string]any{}, got)
	} else {
		before := r.test.expect.tree()
		for _, key := range []string{"error", "retry_after"} { // which a test may leave unsaid
			if before[key] == nil {
				delete(got, key)
			}
		}
	}
	edits.Set(test, "expect", inOrder(got, reflect.TypeFor[stated]()))
	if r.test.request != "" && r.Sent != "" && !sameRequest(r.test.request, r.Sent) {
		edits.Set(test, "request", inOrder(r.Sent, nil))
	}
	return true
}

// stated is the order in which `expect` says things.
type stated struct {
	Outcome    string            `json:"outcome"`
	Kind       string            `json:"kind"`
	RetryAfter int               `json:"retry_after"`
	IDs        map[string]string `json:"ids"`
	Profile    normalize.Profile `json:"profile"`
	Error      any               `json:"error"`
	Warnings   any               `json:"warnings"`
}

// inOrder is a tree as a node whose members stand in the order of a type's.
func inOrder(v any, typ reflect.Type) *document.Node {
	var b bytes.Buffer
	writeInOrder(&b, v, typ)
	n, err := document.FromJSON(b.Bytes())
	if err != nil {
		panic("what is written as JSON is read as JSON: " + err.Error())
	}
	return n
}

func writeInOrder(b *bytes.Buffer, v any, typ reflect.Type) {
	for typ != nil && (typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice) {
		typ = typ.Elem()
	}
	switch v := v.(type) {
	case map[string]any:
		names, types := membersOf(typ)
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if !slices.Contains(names, key) {
				names = append(names, key)
			}
		}
		comma := byte('{')
		for _, key := range names {
			if member, ok := v[key]; ok {
				b.WriteByte(comma)
				writeInOrder(b, key, nil)
				b.WriteByte(':')
				writeInOrder(b, member, types[key])
				comma = ','
			}
		}
		if comma == '{' {
			b.WriteByte('{')
		}
		b.WriteByte('}')
	case []any:
		b.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			writeInOrder(b, item, typ)
		}
		b.WriteByte(']')
	default:
		text, err := json.Marshal(v)
		if err != nil {
			panic("a scalar is JSON: " + err.Error())
		}
		b.Write(text)
	}
}

// membersOf are the JSON names of a struct's members, and their types.
func membersOf(typ reflect.Type) (names []string, types map[string]reflect.Type) {
	types = map[string]reflect.Type{}
	if typ == nil || typ.Kind() != reflect.Struct {
		return nil, types
	}
	for i := range typ.NumField() {
		name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		names, types[name] = append(names, name), typ.Field(i).Type
	}
	return names, types
}

package config

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"muster/adapters"
	"muster/config/document"
)

// Report is what was found out about one file.
type Report struct {
	// File is its name, as it was given or found.
	File string
	// Kind is what the file is: "gateway" or "provider"; "" when it cannot be read.
	Kind string
	// Problems are the mistakes of the file and of all that it names, failed tests
	// among them, and what an audit warns of; each is told of one file alone.
	Problems []*document.Problem
	// Wrong tells that the file has mistakes, though they be told of another.
	Wrong bool
	// Notes are what is no mistake and ought to be known: a secret that is not on
	// this machine, a key that this version does not act on.
	Notes []string
	// Tests are the results of the inline tests of the definition, or of all
	// definitions that the gateway's file names; each is told of one file alone.
	Tests []adapters.TestResult
	// Tested is how many tests were run, those told of another file among them.
	Tested int
	// Err tells why there is nothing to report on: it cannot be read, or a folder
	// has nothing of ours.
	Err error

	used []string // files of definitions that a gateway's file names
}

// Check reads files as the gateway would, each a gateway's file with all that it
// names or the definition of a provider, and runs the inline tests. Of a folder it
// reads all that it and the folders in it have of these; a definition that a
// gateway's file among them uses is checked as part of that. It needs no secret
// and connects to nothing. With audit it warns of what is legal and unwise, too.
func Check(ctx context.Context, paths []string, audit bool) []Report {
	found := find(paths)
	used := map[string]bool{}
	for i := range found {
		if r := &found[i]; r.root != nil && r.Kind == "gateway" {
			r.checkGateway(ctx, audit)
			for _, path := range r.used {
				used[absolute(path)] = true
			}
		}
	}
	var reports []Report
	told := toldOf{problems: map[string]bool{}, tests: map[string]bool{}}
	for i := range found {
		r := &found[i]
		if r.root != nil && r.Kind == "provider" {
			if used[absolute(r.File)] {
				continue
			}
			r.checkDefinition(ctx, audit)
		}
		r.Wrong = r.Wrong || slices.ContainsFunc(r.Problems, func(p *document.Problem) bool { return !p.Warning })
		r.Tested = len(r.Tests)
		reports = append(reports, told.once(r.Report))
	}
	return reports
}

// toldOf remembers what has been told of another file.
type toldOf struct{ problems, tests map[string]bool }

func (t toldOf) once(r Report) Report {
	first := func(told map[string]bool, what string) bool {
		again := told[what]
		told[what] = true
		return !again
	}
	r.Problems = slices.DeleteFunc(r.Problems, func(p *document.Problem) bool {
		return !first(t.problems, fmt.Sprintf("%s:%d:%d %s", filepath.Clean(p.File), p.Line, p.Column, p.Message))
	})
	r.Tests = slices.DeleteFunc(r.Tests, func(test adapters.TestResult) bool { return !first(t.tests, filepath.Clean(test.Position)) })
	return r
}

// checking is a file that is being checked.
type checking struct {
	Report
	files    *files
	problems *document.Problems
	root     *document.Node // nil when there is nothing more to find out
}

// find reads all files at the paths, each once.
func find(paths []string) []checking {
	var all []checking
	seen := map[string]bool{}
	add := func(path string, named bool) bool {
		if seen[absolute(path)] {
			return true
		}
		c, ours := open(path, named)
		if ours {
			seen[absolute(path)] = true
			all = append(all, c)
		}
		return ours
	}
	for _, path := range paths {
		if info, err := os.Stat(path); err != nil || !info.IsDir() {
			add(path, true)
			continue
		}
		ours, others := 0, []string(nil)
		err := eachYAML(path, func(file string) {
			if add(file, false) {
				ours++
			} else {
				others = append(others, file)
			}
		})
		if err == nil && ours == 0 {
			err = nothingIn(path, others)
		}
		if err != nil {
			all = append(all, checking{Report: Report{File: path, Err: err}})
		}
	}
	return all
}

func nothingIn(folder string, others []string) error {
	if others == nil {
		return fmt.Errorf("%s: there is no gateway's file and no definition here", folder)
	}
	return fmt.Errorf("%s: there is no gateway's file and no definition here, only other YAML: %s", folder, strings.Join(others, ", "))
}

// eachYAML visits the YAML files of a folder and of the folders in it, but for
// hidden ones: those are a tool's, or the other side of a mounted folder's links.
func eachYAML(folder string, visit func(path string)) error {
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		hidden := path != folder && strings.HasPrefix(entry.Name(), ".")
		switch {
		case err != nil:
			return err
		case entry.IsDir() && hidden:
			return filepath.SkipDir
		case hidden || !slices.Contains([]string{".yaml", ".yml"}, strings.ToLower(filepath.Ext(path))):
			return nil
		}
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() { // also at the end of a link
			visit(path)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s: the folder cannot be read: %s", folder, reason(err))
	}
	return nil
}

// open reads a file. One that nobody named is ours only when it looks like it.
func open(path string, named bool) (_ checking, ours bool) {
	c := checking{Report: Report{File: path}, files: newFiles(), problems: new(document.Problems)}
	content, err := c.files.read(path)
	if err != nil {
		c.Err = unreadable(err)
		return c, true
	}
	return opened(c, content, named)
}

// opened is open with the content at hand.
func opened(c checking, content []byte, named bool) (_ checking, ours bool) {
	c.root = document.Read(c.File, content, c.problems)
	c.Kind = "gateway"
	switch kind := kindOf(c.root); {
	case c.root == nil && !named && !looksOurs.Match(content), c.root != nil && !named && kind == "":
		return c, false
	case c.root == nil && looksLikeDefinition.Match(content), kind == "provider":
		c.Kind = "provider"
	}
	c.Problems = c.problems.All()
	return c, true
}

// looksOurs and looksLikeDefinition judge files that are not YAML enough to tell.
var (
	looksOurs           = regexp.MustCompile(`(?m)^(provider|lookup|tenants|providers):`)
	looksLikeDefinition = regexp.MustCompile(`(?m)^(provider|lookup):`)
)

// kindOf tells what a file is by its keys, "" for what is not ours.
func kindOf(root *document.Node) string {
	provider := root.Field("provider")
	switch {
	case provider.Kind() == document.Scalar:
		return "provider"
	case root.Field("tenants").Kind() == document.Mapping && root.Field("providers") != nil, usesDefinitions(root.Field("providers")):
		return "gateway"
	case root.Field("lookup") != nil:
		return "provider"
	default:
		return ""
	}
}

func usesDefinitions(n *document.Node) bool {
	return n.Kind() == document.List && slices.ContainsFunc(n.Items(), func(item *document.Node) bool { return item.Field("use") != nil })
}

func absolute(path string) string {
	if whole, err := filepath.Abs(path); err == nil {
		return whole
	}
	return path
}

// checkDefinition checks a definition by the name it gives itself, among the
// definitions beside it.
func (c *checking) checkDefinition(ctx context.Context, audit bool) {
	resolved := beside(c.root, c.files, c.problems)
	definition := adapters.Compile(resolved)
	if c.Problems = c.problems.All(); c.Problems != nil {
		return
	}
	c.Tests = definition.RunTests(ctx)
	c.Problems = adapters.Problems(c.Tests)
	if audit {
		c.audit(func(warn *document.Problems) { definition.Audit(resolved, warn) })
	}
}

// beside is a definition by the name it gives itself, among those beside it.
func beside(root *document.Node, files *files, problems *document.Problems) *adapters.Resolved {
	name := ""
	if n := root.Field("provider"); n.Kind() == document.Scalar {
		name = n.Text()
	}
	itself := func(wanted string) *document.Node {
		if wanted != name {
			return nil
		}
		return root
	}
	return adapters.Resolve(name, append([]adapters.Library{itself}, libraries(filepath.Dir(root.File()), files, problems)...)...)
}

func (c *checking) checkGateway(ctx context.Context, audit bool) {
	file := build(c.root, c.problems, secrets{elsewhere: &c.Notes, files: c.files})
	for i, missing := range c.Notes {
		c.Notes[i] = missing + ": it is needed where the gateway runs"
	}
	c.Problems = c.problems.All()
	sound := c.Problems == nil
	if sound {
		c.Notes = append(c.Notes, file.Notes...)
	}
	for _, s := range file.sources {
		if path := s.plain.Own.File(); c.files.has(path) { // and not one of the catalog
			c.used = append(c.used, path)
		}
	}
	c.Tests = file.test(ctx)
	c.Problems = append(c.Problems, adapters.Problems(c.Tests)...)
	if sound && audit {
		c.audit(file.audit)
	}
}

func (c *checking) audit(find func(*document.Problems)) {
	var warnings document.Problems
	find(&warnings)
	c.Problems = append(c.Problems, warnings.All()...)
}

// test runs the inline tests of the definitions that the file names and that have
// no mistake. Each is taken as its own file has it: a test knows nothing of what an
// entry writes over it.
func (f *File) test(ctx context.Context) []adapters.TestResult {
	var results []adapters.TestResult
	var tested []string
	for _, s := range f.sources {
		if name := s.entry.use.Text(); !s.wrong && !slices.Contains(tested, name) {
			tested = append(tested, name)
			results = append(results, s.own().RunTests(ctx)...)
		}
	}
	return results
}

// unreadable says that a file cannot be read at all.
func unreadable(err error) error { return fmt.Errorf("the configuration cannot be read: %w", err) }

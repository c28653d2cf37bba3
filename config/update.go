package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"muster/adapters"
	"muster/config/document"
)

// Updated is what became of one definition's file.
type Updated struct {
	File string
	// Tests are those that now state what came out, with how that differs from what
	// they stated before. Nil when the file is as it was.
	Tests []adapters.TestResult
	// Problems are the mistakes for which the file is left as it is.
	Problems []*document.Problem
	// Err tells why the file cannot be read or written.
	Err error
}

// Update writes into the inline tests of definitions what comes out of them, where
// that differs from what they state and the test is wanted. The files are those of
// Check: of a gateway's file, the definitions in its providers folder. Beside
// `expect` and `request` nothing in a file changes; a definition with mistakes is
// left alone, and so is a test that lacks a `reply`, or has one too many. A file
// is replaced as a whole, after what is to be written was read and run again.
func Update(ctx context.Context, paths []string, wanted func(test adapters.TestResult) bool) []Updated {
	var all []Updated
	done := map[string]bool{}
	update := func(path string) {
		if !done[absolute(path)] {
			done[absolute(path)] = true
			all = append(all, updateFile(ctx, path, wanted))
		}
	}
	for _, c := range find(paths) {
		switch {
		case c.root == nil: // which Check tells
		case c.Kind == "provider":
			update(c.File)
		default:
			c.checkGateway(ctx, false)
			for _, path := range c.used {
				update(path)
			}
		}
	}
	return all
}

func updateFile(ctx context.Context, path string, wanted func(adapters.TestResult) bool) Updated {
	updated := Updated{File: path}
	before, err := document.ReadFile(path)
	if err != nil {
		updated.Err = unreadable(err)
		return updated
	}
	content := before
	for n := range maxRounds {
		round := rewrite(ctx, path, content, wanted)
		if n > 0 && round.problems != nil { // of what is not in the file
			break
		}
		if round.problems != nil || round.err != nil {
			updated.Tests, updated.Problems, updated.Err = nil, round.problems, round.err
			return updated
		}
		if round.content == nil { // all is written, and was run as it is written
			if updated.Tests != nil {
				updated.Err = replaceFile(path, before, content)
			}
			return updated
		}
		content = round.content
		updated.Tests = append(updated.Tests, round.tests...)
	}
	updated.Tests, updated.Err = nil, fmt.Errorf("%s: what came out cannot be written so that the rest of the file still holds, since an anchor or alias (& or *) is in the way; the file is as it was", path)
	return updated
}

// maxRounds bounds how often a file is rewritten: what an anchor says changes
// first, then what its aliases say that should say otherwise, then nothing.
const maxRounds = 4

// round is one pass over a definition's text.
type round struct {
	content  []byte // nil when nothing is to be written
	tests    []adapters.TestResult
	problems []*document.Problem
	err      error
}

func rewrite(ctx context.Context, path string, content []byte, wanted func(adapters.TestResult) bool) round {
	var problems document.Problems
	root := document.Read(path, content, &problems)
	if root == nil {
		return round{problems: problems.All()}
	}
	definition := adapters.Compile(beside(withPlaceholders(root, wanted), newFiles(), &problems))
	if found := problems.All(); found != nil {
		return round{problems: found}
	}
	results := definition.RunTests(ctx)
	var items []*document.Node
	if tests := root.Field("tests"); tests != nil {
		items = tests.Items()
	}
	mistaken := slices.DeleteFunc(adapters.Problems(results), func(p *document.Problem) bool { return p.Rule != adapters.RuleShape })
	if len(mistaken) > 0 {
		return round{problems: mistaken}
	}
	var edits document.Edits
	var changed, through []int // through aliases
	for i := range results {
		if r := &results[i]; wanted(*r) && (!r.Passed() || adapters.Untold(items[i])) {
			if items[i].Field("expect").HasAlias() {
				through = append(through, i)
			} else if r.Update(&edits, items[i]) {
				changed = append(changed, i)
			}
		}
	}
	if changed == nil {
		for _, i := range through {
			if results[i].Update(&edits, items[i]) {
				changed = append(changed, i)
			}
		}
	}
	if changed == nil {
		return round{}
	}
	r := round{}
	for _, i := range changed {
		r.tests = append(r.tests, results[i])
	}
	if r.content, r.err = edits.Apply(); r.err != nil {
		r.err = fmt.Errorf("%s: %w: write it by hand", path, r.err)
	}
	return r
}

// withPlaceholders is a definition whose wanted tests all say what they expect.
func withPlaceholders(root *document.Node, wanted func(adapters.TestResult) bool) *document.Node {
	tests := root.Field("tests")
	if tests.Kind() != document.List {
		return root
	}
	provider := ""
	if n := root.Field("provider"); n.Kind() == document.Scalar {
		provider = n.Text()
	}
	return root.With("tests", tests.WithItems(func(test *document.Node) *document.Node {
		name := test.Field("name")
		if test.Kind() == document.Mapping && name.Kind() == document.Scalar && adapters.Untold(test) && wanted(adapters.TestResult{Provider: provider, Name: name.Text()}) {
			return adapters.Placeholder(test)
		}
		return test
	}))
}

var errMeanwhile = errors.New("the file has changed meanwhile, and is left as it is")

// replaceFile puts a file's new content in its place at once, with its mode. The
// file at the end of a link is replaced, and the link stays.
func replaceFile(link string, before, content []byte) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", link, err)
		}
	}()
	path, err := filepath.EvalSymlinks(link)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temporary.Name())
		}
	}()
	_, err = temporary.Write(content)
	err = errors.Join(err, temporary.Chmod(info.Mode().Perm()), temporary.Sync(), temporary.Close())
	if err != nil {
		return err
	}
	if now, err := document.ReadFile(path); err != nil || !bytes.Equal(now, before) {
		return errors.Join(err, errMeanwhile)
	}
	return os.Rename(temporary.Name(), path)
}

package config

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"muster/adapters"
	"muster/config/document"
)

// Report is what Check found out about a file that has no mistake.
type Report struct {
	// Kind is what the file is: "gateway" or "provider".
	Kind string
	// Notes are what is no mistake and ought to be known: a secret that is not on
	// this machine, a key that this version does not act on.
	Notes []string
	// Tests are the results of the inline tests of the definition, or of all
	// definitions that the gateway's file names.
	Tests []adapters.TestResult
}

// Check reads a gateway's file or a provider's definition as the gateway would,
// and runs the inline tests. It needs no secret, and connects to nothing. Its
// error is the one of Load.
func Check(ctx context.Context, path string) (Report, error) {
	files := newFiles()
	content, err := files.read(path)
	if err != nil {
		return Report{}, unreadable(err)
	}
	return check(ctx, path, content, files)
}

// check is Check for content that is at hand.
func check(ctx context.Context, path string, content []byte, files *files) (Report, error) {
	var problems document.Problems
	root := document.Read(path, content, &problems)
	if root == nil {
		return Report{}, problems.Err()
	}
	if root.Field("provider") != nil || root.Field("lookup") != nil {
		return checkDefinition(ctx, root, files, &problems)
	}
	return checkGateway(ctx, root, files, &problems)
}

// checkDefinition checks a definition by the name it gives itself, among the
// definitions beside it.
func checkDefinition(ctx context.Context, root *document.Node, files *files, problems *document.Problems) (Report, error) {
	name := ""
	if n := root.Field("provider"); n != nil {
		name = n.Text()
	}
	itself := func(wanted string) *document.Node {
		if wanted != name {
			return nil
		}
		return root
	}
	among := append([]adapters.Library{itself}, libraries(filepath.Dir(root.File()), files, problems)...)
	definition := adapters.Compile(adapters.Resolve(name, among...))
	if err := problems.Err(); err != nil {
		return Report{}, err
	}
	return Report{Kind: "provider", Tests: definition.RunTests(ctx)}, nil
}

func checkGateway(ctx context.Context, root *document.Node, files *files, problems *document.Problems) (Report, error) {
	report := Report{Kind: "gateway"}
	file, err := read(root, problems, secrets{elsewhere: &report.Notes, files: files})
	if err != nil {
		return Report{}, err
	}
	for i, missing := range report.Notes {
		report.Notes[i] = missing + ": it is needed where the gateway runs"
	}
	report.Notes = append(report.Notes, file.Notes...)
	report.Tests = file.test(ctx)
	return report, nil
}

// test runs the inline tests of the definitions that the file names. Each is
// taken as its own file has it: a test knows nothing of what an entry writes over it.
func (f *File) test(ctx context.Context) []adapters.TestResult {
	var results []adapters.TestResult
	var tested []string
	for _, s := range f.sources {
		if name := s.entry.use.Text(); !slices.Contains(tested, name) {
			tested = append(tested, name)
			results = append(results, adapters.Compile(s.plain).RunTests(ctx)...)
		}
	}
	return results
}

// unreadable says that a file cannot be read at all.
func unreadable(err error) error { return fmt.Errorf("the configuration cannot be read: %w", err) }

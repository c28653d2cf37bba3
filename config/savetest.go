package config

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"muster/adapters"
	"muster/config/document"
)

// Definition is the definition of a source as its own file has it, and that file.
// Own tells that the file is the deployment's; the catalog's are inside the
// program. It is nil where no source has the name.
func (f *File) Definition(name string) (d *adapters.Definition, path string, own bool) {
	i := slices.IndexFunc(f.sources, func(s *source) bool { return s.name == name })
	if i < 0 {
		return nil, "", false
	}
	s := f.sources[i]
	path = s.plain.Own.File()
	return s.own(), path, path == filepath.Join(filepath.Dir(f.root.File()), "providers", s.entry.use.Text()+".yaml")
}

// AppendTest writes an inline test (one item under `tests`, without indentation)
// behind those that a definition's file has. Every other byte of the file stays.
// The file is replaced at once and as a whole, and only if it then reads as before
// with one more test, and has no mistake; otherwise the error says why, and nothing
// is written.
func AppendTest(ctx context.Context, path, item string) error {
	before, err := document.ReadFile(path)
	if err != nil {
		return err
	}
	var problems document.Problems
	root := document.Read(path, before, &problems)
	if root == nil {
		return problems.Err()
	}
	content, ok := insertTest(root, string(before), item)
	if !ok || !hasOneMore(root, document.Read(path, []byte(content), new(document.Problems))) {
		return fmt.Errorf("%s: its tests are not a list with hyphens that one could be added to", path)
	}
	if err := sound(ctx, path, content); err != nil {
		return fmt.Errorf("with the test in it, the file would be wrong; nothing is written:\n%w", err)
	}
	return replaceFile(path, before, []byte(content))
}

// WriteTest makes a file of an inline test for a definition that is inside the
// program: one that uses it, and that `muster check` reads.
func WriteTest(ctx context.Context, path, definition, item string) error {
	content := TestFile(definition, item)
	if err := sound(ctx, path, content); err != nil {
		return fmt.Errorf("the file would be wrong; nothing is written:\n%w", err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(content)
	return errors.Join(err, file.Close())
}

// sound is what is wrong with a definition's file of this content, and its tests.
func sound(ctx context.Context, path, content string) error {
	c, _ := opened(checking{Report: Report{File: path}, files: newFiles(), problems: new(document.Problems)}, []byte(content), true)
	if c.Problems == nil {
		c.checkDefinition(ctx, false)
	}
	if c.Problems != nil {
		return &document.Error{Problems: c.Problems}
	}
	return nil
}

// TestFile is the content of such a file.
func TestFile(definition, item string) string {
	return "provider: " + definition + "\nuse: " + definition + "\ntests:\n" + indented(item, "  ")
}

func indented(text, by string) string {
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	return by + strings.Join(lines, by) + "\n"
}

var hyphen = regexp.MustCompile(`^( *)-( |$)`)

// insertTest puts the item behind the last test, or a first one at the end of the
// file. It is false where the file is written otherwise than people write it.
func insertTest(root *document.Node, content, item string) (string, bool) {
	lines := strings.SplitAfter(content, "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	} else {
		lines[len(lines)-1] += "\n"
	}
	tests, at := root.Field("tests"), len(lines)
	switch {
	case tests == nil:
		item = "tests:\n" + indented(item, "  ")
	case tests.Kind() != document.List || len(tests.Items()) == 0:
		return "", false
	default:
		first := tests.Items()[0].Line()
		if first > len(lines) {
			return "", false
		}
		found := hyphen.FindStringSubmatch(lines[first-1])
		if found == nil {
			return "", false
		}
		item = indented(item, found[1])
		at = behindTests(root, tests, lines)
	}
	if strings.Contains(content, "\r\n") {
		item = strings.ReplaceAll(item, "\n", "\r\n")
	}
	return strings.Join(slices.Insert(lines, at, item), ""), true
}

// behindTests is the index of the line before which one more test goes: where the
// next key begins, with the comments above it.
func behindTests(root, tests *document.Node, lines []string) int {
	next := len(lines) + 1
	for _, f := range root.Fields() {
		if line := f.Key.Line(); line > tests.Key().Line() {
			next = min(next, line)
		}
	}
	at := next - 1
	if at < len(lines) {
		for at > 0 && (strings.TrimSpace(lines[at-1]) == "" || strings.HasPrefix(lines[at-1], "#")) {
			at--
		}
	}
	return at
}

// hasOneMore tells whether after says all that before does, and one more test.
func hasOneMore(before, after *document.Node) bool {
	if after == nil || after.Kind() != document.Mapping || !document.Same(before.Without("tests"), after.Without("tests")) {
		return false
	}
	var had []*document.Node
	if tests := before.Field("tests"); tests != nil {
		had = tests.Items()
	}
	tests := after.Field("tests")
	if tests.Kind() != document.List || len(tests.Items()) != len(had)+1 {
		return false
	}
	return slices.EqualFunc(had, tests.Items()[:len(had)], document.Same)
}

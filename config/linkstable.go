package config

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"muster/adapters"
	"muster/adapters/guard"
	"muster/config/document"
	"muster/gateway/links"
)

// bindTable finds out where the table of links is. It connects to nothing.
func (f *File) bindTable(t *linksTable) {
	if t.url == nil {
		return
	}
	text, ok := f.secrets.resolve(t.url)
	if !ok {
		return
	}
	address, err := links.ParseAddress(text.Reveal(), filepath.Dir(f.root.File()))
	if err == nil && f.secrets.elsewhere == nil { // certificates are looked for where they are needed
		f.table, err = links.New(address, t.timeout)
	}
	if wrong := (*links.AddressError)(nil); errors.As(err, &wrong) {
		t.url.Errorf("%s", wrong.Message).Suggest("%s", wrong.Hint)
	}
}

// sameTable tells whether the table of links is that of another file.
func (f *File) sameTable(other *File) bool {
	return other.table.Is(f.table.Address(), f.dynamic.links.table.timeout)
}

// guardedTable is a table that is left alone while it fails: what all lookups wait for
// must not cost each of them its whole timeout.
type guardedTable struct {
	table   *links.Store
	breaker *guard.Breaker
}

// Find asks the table, or returns a fault of the kind Open.
func (t guardedTable) Find(ctx context.Context, tenant, kind, value string) (ids map[string]string, err error) {
	err = t.breaker.Do(ctx, func() error {
		ids, err = t.table.Find(ctx, tenant, kind, value)
		return err
	})
	return ids, err
}

// tablePause is when a table is left alone, and for how long. Nothing can stand in for
// it, so it is tried again soon: one lookup a second waits.
func tablePause() adapters.Breaker {
	return adapters.Breaker{Failures: 0.5, Window: 10 * time.Second, Min: 5, Open: time.Second, Probes: 1}
}

// concealTable keeps the address of a table out of every message, where it is
// written out and may have a password in it.
func concealTable(root *document.Node) {
	if n := tableURL(root); isLiteralURL(n) {
		n.Conceal()
	}
}

func tableURL(root *document.Node) *document.Node {
	return root.Field("identifiers").Field("links").Field("sql").Field("url")
}

func isLiteralURL(n *document.Node) bool {
	return n.Kind() == document.Scalar && !anyReference.MatchString(n.Text()) && !strings.HasPrefix(n.Text(), "sqlite:")
}

// secretNodes are what of the file may be a secret, wherever it stands.
func (f *File) secretNodes() []*document.Node {
	var nodes []*document.Node
	for _, s := range f.sources {
		nodes = append(nodes, s.secretNodes()...)
	}
	if n := tableURL(f.root); isLiteralURL(n) {
		nodes = append(nodes, n)
	}
	if n := telemetryKey(f.root); n != nil {
		nodes = append(nodes, n)
	}
	return nodes
}

// prepareWithin is how long the start waits for the table of links.
const prepareWithin = 5 * time.Second

// LinksInTable tells whether the operator's links are in a table.
func (f *File) LinksInTable() bool { return f.table != nil }

// PrepareLinks connects to the table of links, if there is one, and makes it or
// brings it to the form that this program knows. Its error wraps a
// *links.SchemaError where a newer program has made the table; any other may pass
// by itself, and the lookups say so until then.
func (f *File) PrepareLinks(ctx context.Context) error {
	if f.table == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, prepareWithin)
	defer cancel()
	return f.table.Prepare(ctx)
}

// Close gives back what the file's Live holds, once nobody asks it any more.
func (f *File) Close() error {
	if f.table == nil {
		return nil
	}
	return f.table.Close()
}

// retireTable closes the table of links that the next file does not go on with.
// Lookups under way have no more time than their budget.
func (f *File) retireTable(next *File) {
	if f.table != nil && f.table != next.table {
		time.AfterFunc(f.dynamic.budget.total, func() { _ = f.table.Close() }) // nobody is left to be told
	}
}

// LinksTable is the table of links of a gateway's file, for whoever changes it.
type LinksTable struct {
	*links.Store
	about linkable
}

// ErrNoLinksTable is that a gateway's file has its links in no table.
var ErrNoLinksTable = errors.New("the file names no table of links")

// LoadLinks reads a gateway's file for its table of links alone: of all secrets
// only the table's address must be on this machine. Its error is the one of Load,
// or wraps ErrNoLinksTable.
func LoadLinks(path string) (*LinksTable, error) {
	var problems document.Problems
	file, err := loadElsewhere(path, &problems)
	if err != nil {
		return nil, err
	}
	if file.dynamic.links.table == nil {
		return nil, fmt.Errorf("%s: %w", path, ErrNoLinksTable)
	}
	file.secrets.elsewhere = nil
	file.bindTable(file.dynamic.links.table)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return &LinksTable{file.table, file.linkable}, nil
}

// OpenLinks is the table of links at an address, which may be about anything. Its
// error is a *links.AddressError.
func OpenLinks(address string) (*LinksTable, error) {
	a, err := links.ParseAddress(address, "")
	if err != nil {
		return nil, err
	}
	store, err := links.New(a, time.Minute)
	if err != nil {
		return nil, err
	}
	return &LinksTable{Store: store}, nil
}

// Tenants are those that links may be about; nil for any.
func (t *LinksTable) Tenants() []string { return t.about.tenants }

// Kinds are those of identifiers that links may be about; nil for any.
func (t *LinksTable) Kinds() []string { return t.about.kinds }

// LinksFile is a file of links that has no mistake of its own.
type LinksFile struct {
	People   []links.Person
	found    []linkedPerson
	problems *document.Problems
}

// ReadFile reads a file of links, YAML or CSV as its name says, to be put into the
// table. Its error lists every mistake (*document.Error), or says why the file
// cannot be read.
func (t *LinksTable) ReadFile(path string) (*LinksFile, error) {
	content, err := newFiles().read(path)
	if err != nil {
		return nil, fmt.Errorf("the links cannot be read: %w", err)
	}
	f := &LinksFile{problems: new(document.Problems)}
	f.found = readPeople(path, content, t.about, f.problems).people
	if err := f.problems.Err(); err != nil {
		return nil, err
	}
	for _, p := range f.found {
		f.People = append(f.People, p.Person)
	}
	return f, nil
}

// Conflicts is an error that tells each at its place in the file.
func (f *LinksFile) Conflicts(conflicts []links.Conflict) error {
	for _, c := range conflicts {
		p := f.found[c.Person]
		if c.Two {
			p.report(c.Kind, "the table links this %s to another person", c.Kind).
				Suggest("`muster links remove` withdraws it there first; --replace puts this file in place of all that the tenant has")
		} else {
			p.report(c.Kind, "the table knows this person by another %s", c.Kind).
				Suggest("`muster links remove` withdraws that one first; --replace puts this file in place of all that the tenant has")
		}
	}
	return f.problems.Err()
}

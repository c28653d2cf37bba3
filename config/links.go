package config

import (
	"context"
	"encoding/csv"
	"errors"
	"io"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"muster/config/document"
	"muster/gateway/links"
	"muster/normalize"
)

// linkIndex is a file of links. It is immutable once read.
type linkIndex struct{ byIdentifier map[linkKey]map[string]string }

type linkKey struct{ tenant, kind, value string }

// Find returns the identifiers of the person whom the tenant knows by this one.
// It never fails.
func (l *linkIndex) Find(_ context.Context, tenant, kind, value string) (map[string]string, error) {
	return l.byIdentifier[linkKeyOf(tenant, kind, value)], nil
}

func linkKeyOf(tenant, kind, value string) linkKey {
	return linkKey{tenant, kind, normalize.IDKey(kind, value)}
}

// linkable is what links may be about. Without tenants any will do, and so will
// any kind without kinds.
type linkable struct{ tenants, kinds []string }

// linksReader reads a file of links.
type linksReader struct {
	linkable
	lines  map[linkKey]int // where an identifier stands
	people []linkedPerson
}

// linkedPerson is one person in a file.
type linkedPerson struct {
	links.Person
	report func(kind, format string, args ...any) *document.Problem // a mistake of an identifier
}

// index is what was read, to look people up in.
func (r *linksReader) index() *linkIndex {
	l := &linkIndex{byIdentifier: make(map[linkKey]map[string]string, len(r.lines))}
	for _, p := range r.people {
		for kind, value := range p.IDs {
			l.byIdentifier[linkKeyOf(p.Tenant, kind, value)] = p.IDs
		}
	}
	return l
}

// linkRow is one person in the file.
type linkRow struct {
	tenant *document.Node
	ids    []document.Field
}

// readLinks reads the file that the node names.
func readLinks(n *document.Node, files *files, about linkable, problems *document.Problems) *linkIndex {
	if n.Kind() != document.Scalar {
		return nil
	}
	path := relative(n.File(), n.Text())
	content, err := files.read(path)
	if err != nil {
		n.Errorf("the links file cannot be read: %s", reason(err)).Suggest("a relative path is relative to this file")
		return nil
	}
	return readPeople(path, content, about, problems).index()
}

// readPeople reads a file of links: YAML, or CSV with a tenant column and a column
// per kind.
func readPeople(path string, content []byte, about linkable, problems *document.Problems) *linksReader {
	problems.Quiet(path, slices.Concat(about.tenants, about.kinds, []string{tenantColumn, "ids", ": "})...)
	r := &linksReader{linkable: about, lines: map[linkKey]int{}}
	if strings.EqualFold(filepath.Ext(path), ".csv") {
		if file := document.ReadPlain(path, content, problems); file != nil {
			r.readCSV(file)
		}
		return r
	}
	root := document.Read(path, content, problems)
	if root == nil {
		return r
	}
	for _, item := range root.Items() {
		var row linkRow
		document.Decode(item, &row, linkKeys())
		r.addRow(row)
	}
	return r
}

func linkKeys() []document.Key[linkRow] {
	return []document.Key[linkRow]{
		document.Of("tenant", "whose person it is", nameOf("a tenant"), func(r *linkRow) **document.Node { return &r.tenant }).Must(),
		{Name: "ids", About: "{KIND: value, …}", Required: true, Form: document.NamesOf(document.AnyValue("text")), Read: func(r *linkRow, n *document.Node) { r.ids = n.Fields() }},
	}
}

func (l linkable) knows(kind string) bool {
	return l.kinds == nil || slices.Contains(l.kinds, kind)
}

// kindLike is what a kind looks like where none is known.
var kindLike = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,63}$`)

// noKind tells that a name can be no kind, also where any may be.
func noKind(name string) bool { return name == tenantColumn || !kindLike.MatchString(name) }

const tenantColumn = "tenant"

// unfit reports a value that identifies nobody, on the problem at its place.
func unfit(value string, report func(format string, args ...any) *document.Problem) bool {
	why := links.Unfit(value)
	switch {
	case why == "":
		return false
	case strings.TrimSpace(value) == "":
		report("%s", why).Suggest("leave the kind out")
	case len(value) > normalize.MaxIdentifier:
		report("%s", why).Suggest("at most %d bytes", normalize.MaxIdentifier)
	default:
		report("%s", why).Suggest("remove them")
	}
	return true
}

func (r *linksReader) addRow(row linkRow) {
	ids, at := map[string]string{}, map[string]*document.Node{}
	for _, f := range row.ids {
		kind, value := f.Key.Text(), normalize.CanonicalID(f.Key.Text(), f.Value.Text())
		switch {
		case !r.knows(kind):
			document.UnknownName(f.Key, "kind of identifier", r.kinds)
		case noKind(kind):
			f.Key.Errorf("not a kind of identifier: %q", kind).Suggest("letters, digits, hyphens, underscores and dots, a letter first; not tenant")
		case f.Value.Kind() != document.Scalar:
		case !unfit(value, f.Value.Errorf):
			ids[kind], at[kind] = value, f.Value
		}
	}
	if row.tenant == nil {
		return
	}
	tenant := oneOf(row.tenant, "tenant", r.tenants)
	if row.tenant.Kind() != document.Scalar || len(r.tenants) == 0 && unfitTenant(tenant, row.tenant.Errorf) {
		return
	}
	person := linkedPerson{links.Person{Tenant: tenant, IDs: ids}, func(kind, format string, args ...any) *document.Problem {
		return at[kind].Errorf(format, args...)
	}}
	r.add(person, func(kind string) int { return at[kind].Line() })
}

func unfitTenant(name string, report func(format string, args ...any) *document.Problem) bool {
	if links.Unfit(name) == "" {
		return false
	}
	report("not a tenant's name").Suggest("name the tenant whose person it is")
	return true
}

// add files a person under each of their identifiers, unless one is another
// person's already.
func (r *linksReader) add(p linkedPerson, line func(kind string) int) {
	for _, kind := range slices.Sorted(maps.Keys(p.IDs)) {
		if taken, ok := r.lines[linkKeyOf(p.Tenant, kind, p.IDs[kind])]; ok {
			p.report(kind, "this %s is linked to another person already", kind).Suggest("one identifier names one person; the other stands on line %d", taken)
			return
		}
	}
	for kind, value := range p.IDs {
		r.lines[linkKeyOf(p.Tenant, kind, value)] = line(kind)
	}
	r.people = append(r.people, p)
}

func (r *linksReader) readCSV(file *document.Plain) {
	rows := csv.NewReader(strings.NewReader(file.Text()))
	rows.TrimLeadingSpace = true
	header, err := rows.Read()
	if err != nil || !r.headerIsRight(file, rows, header) {
		if err != nil {
			notCSV(file, err)
		}
		return
	}
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			notCSV(file, err)
			return
		}
		r.addCSV(file, rows, header, row)
	}
}

func notCSV(file *document.Plain, err error) {
	if errors.Is(err, io.EOF) {
		file.Errorf(1, 1, 1, "the file is empty").Suggest("its first line names the columns: tenant and kinds of identifiers")
		return
	}
	line, column, what := 1, 1, err
	if found := (*csv.ParseError)(nil); errors.As(err, &found) {
		line, column, what = found.Line, found.Column, found.Err
	}
	p := file.Errorf(line, column, 1, "not CSV: %v", what)
	if errors.Is(what, csv.ErrFieldCount) {
		p.Suggest("every line has as many as the first, which names the columns")
	}
}

// headerIsRight checks the columns. Their names are trimmed on the way.
func (r *linksReader) headerIsRight(file *document.Plain, rows *csv.Reader, header []string) bool {
	right := true
	for i, column := range header {
		header[i] = strings.TrimSpace(column)
		line, at := rows.FieldPos(i)
		switch {
		case slices.Contains(header[:i], header[i]):
			file.Errorf(line, at, len(column), "the column %q stands twice", header[i])
		case header[i] != tenantColumn && (!r.knows(header[i]) || noKind(header[i])):
			p := file.Errorf(line, at, len(column), "the column %q is no kind of identifier", header[i])
			if near := document.Closest(header[i], append(slices.Clone(r.kinds), tenantColumn)); near != "" {
				p.Suggest("did you mean %q?", near)
			} else if r.kinds == nil {
				p.Suggest("columns are separated by commas; a kind has letters, digits, hyphens, underscores and dots, a letter first")
			} else {
				p.Suggest("columns are separated by commas; known: tenant, %s", strings.Join(r.kinds, ", "))
			}
		default:
			continue
		}
		right = false
	}
	if right && !slices.Contains(header, tenantColumn) {
		file.Errorf(1, 1, 1, "there is no column tenant").Suggest("the first line names the columns: tenant and kinds of identifiers")
		right = false
	}
	return right
}

func (r *linksReader) addCSV(file *document.Plain, rows *csv.Reader, header, row []string) {
	tenant, ids := "", map[string]string{}
	lines, columns := make([]int, len(row)), make([]int, len(row))
	for i := range row {
		lines[i], columns[i] = rows.FieldPos(i)
	}
	report := func(column, format string, args ...any) *document.Problem {
		i := slices.Index(header, column)
		return file.Errorf(lines[i], columns[i], len(row[i]), format, args...)
	}
	right := true
	for i, column := range header {
		value := strings.TrimSpace(row[i])
		switch {
		case column == tenantColumn:
			tenant = value
		case value != "":
			at := func(format string, args ...any) *document.Problem { return report(column, format, args...) }
			ids[column] = normalize.CanonicalID(column, value)
			right = !unfit(ids[column], at) && right
		}
	}
	switch {
	case len(r.tenants) > 0 && !slices.Contains(r.tenants, tenant):
		report(tenantColumn, "unknown tenant %q", tenant).SuggestKnown(tenant, r.tenants)
	case unfitTenant(tenant, func(format string, args ...any) *document.Problem { return report(tenantColumn, format, args...) }):
	case right:
		r.add(linkedPerson{links.Person{Tenant: tenant, IDs: ids}, report}, func(kind string) int { return lines[slices.Index(header, kind)] })
	}
}

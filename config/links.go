package config

import (
	"encoding/csv"
	"errors"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"muster/config/document"
	"muster/normalize"
)

// links is the operator's table of who is who. It is immutable once read.
type links struct {
	byIdentifier map[linkKey]map[string]string
}

type linkKey struct{ tenant, kind, value string }

// Find returns the identifiers of the person whom the tenant knows by this one.
func (l *links) Find(tenant, kind, value string) map[string]string {
	return l.byIdentifier[linkKeyOf(tenant, kind, value)]
}

// linkKeyOf folds what compares without regard to case (e-mail, user names).
func linkKeyOf(tenant, kind, value string) linkKey {
	value = normalize.CanonicalID(kind, value)
	if folded := strings.ToLower(value); normalize.SameID(kind, folded, strings.ToUpper(value)) {
		value = folded
	}
	return linkKey{tenant, kind, value}
}

// linksReader reads the file that `identifiers.links` names.
type linksReader struct {
	links   *links
	tenants []string
	kinds   []string        // nil for any
	lines   map[linkKey]int // where an identifier stands
}

// linkRow is one person in the file.
type linkRow struct {
	tenant *document.Node
	ids    []document.Field
}

// readLinks reads the file that the node names: YAML, or CSV with a tenant
// column and a column per kind. Without kinds, any will do.
func readLinks(n *document.Node, files *files, tenants, kinds []string, problems *document.Problems) *links {
	name := n.Text()
	if n.Kind() != document.Scalar {
		return nil
	}
	path := relative(n.File(), name)
	content, err := files.read(path)
	if err != nil {
		n.Errorf("the links file cannot be read: %s", reason(err)).Suggest("a relative path is relative to this file")
		return nil
	}
	r := linksReader{&links{byIdentifier: map[linkKey]map[string]string{}}, tenants, kinds, map[linkKey]int{}}
	if strings.EqualFold(filepath.Ext(path), ".csv") {
		if file := document.ReadPlain(path, content, problems); file != nil {
			r.readCSV(file)
		}
		return r.links
	}
	root := document.Read(path, content, problems)
	if root == nil {
		return nil
	}
	for _, item := range root.Items() {
		var row linkRow
		document.Decode(item, &row, linkKeys())
		r.addRow(row)
	}
	return r.links
}

func linkKeys() []document.Key[linkRow] {
	return []document.Key[linkRow]{
		document.Of("tenant", "whose person it is", nameOf("a tenant"), func(r *linkRow) **document.Node { return &r.tenant }).Must(),
		{Name: "ids", About: "{KIND: value, …}", Required: true, Form: document.NamesOf(document.AnyValue("text")), Read: func(r *linkRow, n *document.Node) { r.ids = n.Fields() }},
	}
}

func (r *linksReader) knows(kind string) bool {
	return r.kinds == nil || slices.Contains(r.kinds, kind)
}

func (r *linksReader) addRow(row linkRow) {
	ids, at := map[string]string{}, map[string]*document.Node{}
	for _, f := range row.ids {
		kind, value := f.Key.Text(), f.Value.Text()
		switch {
		case !r.knows(kind):
			document.UnknownName(f.Key, "kind of identifier", r.kinds)
		case f.Value.Kind() != document.Scalar:
		case strings.TrimSpace(value) == "":
			f.Value.Errorf("the identifier is empty").Suggest("leave the kind out")
		default:
			ids[kind], at[kind] = normalize.CanonicalID(kind, value), f.Value
		}
	}
	if row.tenant == nil || oneOf(row.tenant, "tenant", r.tenants) == "" {
		return
	}
	if kind, line := r.add(row.tenant.Text(), ids, func(kind string) int { return at[kind].Line() }); kind != "" {
		at[kind].Errorf("this %s is linked to another person already", kind).Suggest("one identifier names one person; the other stands on line %d", line)
	}
}

// add files a person under each of their identifiers, and returns the kind of
// one that is another person's already, and the line of that.
func (r *linksReader) add(tenant string, ids map[string]string, line func(kind string) int) (string, int) {
	for _, kind := range slices.Sorted(maps.Keys(ids)) {
		if taken, ok := r.lines[linkKeyOf(tenant, kind, ids[kind])]; ok {
			return kind, taken
		}
	}
	for kind, value := range ids {
		key := linkKeyOf(tenant, kind, value)
		r.links.byIdentifier[key], r.lines[key] = ids, line(kind)
	}
	return "", 0
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
		case header[i] != "tenant" && !r.knows(header[i]):
			p := file.Errorf(line, at, len(column), "the column %q is no kind of identifier", header[i])
			if near := document.Closest(header[i], append(slices.Clone(r.kinds), "tenant")); near != "" {
				p.Suggest("did you mean %q?", near)
			} else {
				p.Suggest("columns are separated by commas; known: tenant, %s", strings.Join(r.kinds, ", "))
			}
		default:
			continue
		}
		right = false
	}
	if right && !slices.Contains(header, "tenant") {
		file.Errorf(1, 1, 1, "there is no column tenant").Suggest("the first line names the columns: tenant and kinds of identifiers")
		right = false
	}
	return right
}

func (r *linksReader) addCSV(file *document.Plain, rows *csv.Reader, header, row []string) {
	tenant, ids := "", map[string]string{}
	report := func(column, format string, args ...any) *document.Problem {
		i := slices.Index(header, column)
		line, at := rows.FieldPos(i)
		return file.Errorf(line, at, len(row[i]), format, args...)
	}
	for i, column := range header {
		if value := strings.TrimSpace(row[i]); column == "tenant" {
			tenant = value
		} else if value != "" {
			ids[column] = normalize.CanonicalID(column, value)
		}
	}
	if len(r.tenants) > 0 && !slices.Contains(r.tenants, tenant) {
		p := report("tenant", "unknown tenant %q", tenant)
		if near := document.Closest(tenant, r.tenants); near != "" {
			p.Suggest("did you mean %q?", near)
		} else {
			p.Suggest("known: %s", strings.Join(r.tenants, ", "))
		}
		return
	}
	line, _ := rows.FieldPos(0)
	if kind, other := r.add(tenant, ids, func(string) int { return line }); kind != "" {
		report(kind, "this %s is linked to another person already", kind).Suggest("one identifier names one person; the other stands on line %d", other)
	}
}

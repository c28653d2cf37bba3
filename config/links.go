package config

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"maps"
	"os"
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

// linkRow is one person in the file, with where to point when it is wrong.
type linkRow struct {
	tenant *document.Node
	ids    []document.Field
	node   *document.Node
}

// readLinks reads the file that the node names: YAML, or CSV with a tenant
// column and a column per kind.
func readLinks(n *document.Node, tenants, kinds []string, problems *document.Problems) *links {
	path := relative(n.File(), n.Text())
	content, err := os.ReadFile(path)
	if err != nil {
		n.Errorf("the links file %q cannot be read", n.Text())
		return nil
	}
	l := &links{byIdentifier: map[linkKey]map[string]string{}}
	if strings.EqualFold(filepath.Ext(path), ".csv") {
		l.readCSV(n, content, tenants, kinds)
		return l
	}
	root := document.Read(path, content, problems)
	if root == nil {
		return nil
	}
	for _, item := range root.Items() {
		var row linkRow
		row.node = item
		document.Decode(item, &row, []document.Key[linkRow]{
			{Name: "tenant", About: "whose person it is", Required: true, Read: func(r *linkRow, n *document.Node) { r.tenant = n }},
			{Name: "ids", About: "{KIND: value, …}", Required: true, Read: func(r *linkRow, n *document.Node) { r.ids = n.Fields() }},
		})
		l.addRow(row, tenants, kinds)
	}
	return l
}

func (l *links) addRow(row linkRow, tenants, kinds []string) {
	if row.tenant == nil {
		return
	}
	tenant := row.tenant.Text()
	if !slices.Contains(tenants, tenant) {
		document.UnknownName(row.tenant, "tenant", tenants)
		return
	}
	ids := map[string]string{}
	for _, f := range row.ids {
		if !slices.Contains(kinds, f.Key.Text()) {
			document.UnknownName(f.Key, "kind of identifier", kinds)
			continue
		}
		ids[f.Key.Text()] = normalize.CanonicalID(f.Key.Text(), f.Value.Text())
	}
	if kind := l.add(tenant, ids); kind != "" {
		row.node.Errorf("this %s is linked to another person already", kind).Suggest("one identifier names one person")
	}
}

// add files a person under each of their identifiers, and returns the kind of
// one that is another person's already.
func (l *links) add(tenant string, ids map[string]string) string {
	for _, kind := range slices.Sorted(maps.Keys(ids)) {
		if _, taken := l.byIdentifier[linkKeyOf(tenant, kind, ids[kind])]; taken {
			return kind
		}
	}
	for kind, value := range ids {
		l.byIdentifier[linkKeyOf(tenant, kind, value)] = ids
	}
	return ""
}

func (l *links) readCSV(n *document.Node, content []byte, tenants, kinds []string) {
	rows := csv.NewReader(bytes.NewReader(content))
	header, err := rows.Read()
	if err != nil || !slices.Contains(header, "tenant") {
		n.Errorf("the links file %q has no column tenant", n.Text()).Suggest("its first line names the columns: tenant and kinds of identifiers")
		return
	}
	for _, column := range header {
		if column != "tenant" && !slices.Contains(kinds, column) {
			n.Errorf("the links file %q has a column %q, which is no kind of identifier", n.Text(), column).Suggest("known: %s", strings.Join(kinds, ", "))
			return
		}
	}
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		line, _ := rows.FieldPos(0)
		if err != nil {
			n.Errorf("the links file %q, line %d: not CSV", n.Text(), line)
			return
		}
		tenant, ids := "", map[string]string{}
		for i, column := range header {
			if value := strings.TrimSpace(row[i]); column == "tenant" {
				tenant = value
			} else if value != "" {
				ids[column] = normalize.CanonicalID(column, value)
			}
		}
		if !slices.Contains(tenants, tenant) {
			n.Errorf("the links file %q, line %d: unknown tenant %q", n.Text(), line, tenant).Suggest("known: %s", strings.Join(tenants, ", "))
		} else if kind := l.add(tenant, ids); kind != "" {
			n.Errorf("the links file %q, line %d: this %s is linked to another person already", n.Text(), line, kind)
		}
	}
}

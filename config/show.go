package config

import (
	"encoding/json"
	"slices"
	"strings"

	"muster/adapters"
	"muster/config/document"
)

// Show is the file as it is in force, as a tree to write as JSON. Whatever is a
// secret, or stands where one may, reads <secret>.
func (f *File) Show() any {
	return show(f.root, f.secretNodes(), false)
}

// secretNodes are what of an entry may be a secret: settings that the definition
// calls so, and all that goes into a request as it is written.
func (s *source) secretNodes() []*document.Node {
	var nodes []*document.Node
	for _, setting := range s.definition.Settings() {
		if setting.Format == "secret" {
			nodes = append(nodes, s.entry.with.Field(setting.Name))
		}
	}
	for _, key := range []string{"auth", "headers", "query"} {
		nodes = append(nodes, s.entry.node.Field(key))
	}
	return nodes
}

// asJSON is a scalar with the type that it has in the file.
func asJSON(n *document.Node) any {
	text, err := n.JSON()
	if err != nil {
		return n.Text() // a number that JSON cannot hold
	}
	return json.RawMessage(text)
}

// show makes a tree of a node; all of it is masked if it stands within a secret one.
func show(n *document.Node, secret []*document.Node, masked bool) any {
	masked = masked || slices.Contains(secret, n)
	switch n.Kind() {
	case document.List:
		list := []any{}
		for _, item := range n.Items() {
			list = append(list, show(item, secret, masked))
		}
		return list
	case document.Mapping:
		members := map[string]any{}
		for _, field := range n.Fields() {
			members[field.Key.Text()] = show(field.Value, secret, masked)
		}
		return members
	case document.Scalar:
		if masked || strings.Contains(n.Text(), "${") {
			return adapters.Secret{}
		}
		return asJSON(n)
	default:
		return nil
	}
}

package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"muster/adapters"
	"muster/config/document"
)

// Explained is what holds under one key of the gateway's file, and why.
type Explained struct {
	Key   string `json:"key"`   // a.b.c; sources by their names
	Value string `json:"value"` // as it is written in YAML; secrets are masked
	From  string `json:"from"`  // file:line, or what it follows from
}

const byDefault = "default"

// Explain reads a gateway's file as Check does, and tells every value in force.
// Its error is the one of Load.
func Explain(path string) ([]Explained, error) {
	file, err := loadElsewhere(path, new(document.Problems))
	if err != nil {
		return nil, err
	}
	return file.Explain(), nil
}

// Explain tells every value that is in force: what the file writes, what the
// definitions that it names write, and what holds because nobody says otherwise.
func (f *File) Explain() []Explained {
	e := explaining{secret: f.secretNodes()}
	for _, m := range Form().Members() {
		if m.Name == "providers" {
			for _, s := range f.sources {
				e.source(f, s)
			}
			continue
		}
		e.add(document.KeysOf(func() []document.Member { return []document.Member{m} }).Effective("", f.root))
	}
	if f.root.Field("identifiers").Field("accept") == nil {
		e.all = append(e.all, Explained{"identifiers.accept", flow(texts(f.accept)), "what the lookups of the sources need"})
	}
	if f.root.Field("merge").Field("order") == nil {
		e.all = append(e.all, Explained{"merge.order", flow(texts(f.rules.Order)), "the order under providers"})
	}
	return e.all
}

// explaining is an explanation on its way.
type explaining struct {
	secret []*document.Node
	all    []Explained
}

func (e *explaining) add(values []document.Effective) {
	for _, v := range values {
		if v.Value == nil {
			e.all = append(e.all, Explained{v.Key, v.Default, byDefault})
			continue
		}
		e.all = append(e.all, Explained{v.Key, flow(show(v.Value, e.secret, false)), line(v.Value)})
	}
}

// source tells of one entry: what it writes, the settings that its definition
// gives a default, and its limits, which merge key by key.
func (e *explaining) source(f *File, s *source) {
	path := "providers." + s.name
	for _, m := range entryType().Members() {
		own := s.entry.node.Field(m.Name)
		switch m.Name {
		case "with":
			e.add(document.KeysOf(func() []document.Member { return []document.Member{m} }).Effective(path, s.entry.node))
			e.settings(path, s)
		case "limits":
			e.add(m.Form.Effective(path+".limits", own, s.plain.Merged.Field("limits"), f.root.Field("limits")))
		case "auth", "tls", "headers", "query":
			if own == nil {
				continue // the definition's own are told by `muster providers`
			}
			fallthrough
		default:
			e.add(document.KeysOf(func() []document.Member { return []document.Member{m} }).Effective(path, s.entry.node))
		}
	}
}

func (e *explaining) settings(path string, s *source) {
	for _, setting := range s.definition.Settings() {
		if s.entry.with.Field(setting.Name) == nil && setting.Default != "" {
			e.all = append(e.all, Explained{path + ".with." + setting.Name, setting.Default, setting.Position()})
		}
	}
}

// line is where a node stands, without the column.
func line(n *document.Node) string { return fmt.Sprintf("%s:%d", n.File(), n.Line()) }

func texts(list []string) []any {
	all := make([]any, len(list))
	for i, text := range list {
		all[i] = json.RawMessage(strconv.Quote(text))
	}
	return all
}

// flow writes a tree that show made in the flow style of YAML.
func flow(tree any) string {
	switch tree := tree.(type) {
	case json.RawMessage:
		var text string
		if json.Unmarshal(tree, &text) == nil && plain(text) {
			return text
		}
		return string(tree)
	case map[string]any:
		var parts []string
		for _, key := range slices.Sorted(maps.Keys(tree)) {
			parts = append(parts, key+": "+flow(tree[key]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		var parts []string
		for _, item := range tree {
			parts = append(parts, flow(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case adapters.Secret:
		return tree.String()
	case nil:
		return "null"
	default:
		return fmt.Sprint(tree)
	}
}

// plain tells whether a text can stand in YAML without quotes, and is a text then.
func plain(text string) bool {
	if text == "" || strings.TrimSpace(text) != text || strings.ContainsAny(text, "\n\t\"'#{}[],&*!|>%@`") || strings.Contains(text, ": ") {
		return false
	}
	var problems document.Problems
	n := document.Read("", []byte(text), &problems)
	return n != nil && n.IsText()
}

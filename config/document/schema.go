package document

import (
	"encoding/json"
	"strings"
)

// Schema is the JSON Schema (draft 2020-12) of a file of this form, for editors.
// What only the whole file shows, such as a name that nothing has, is left to the
// reader: a file that it takes is one that the schema takes, not the reverse.
func (f Form) Schema(title string) ([]byte, error) {
	s := schema{definitions: map[string]any{}}
	root := s.of(f)
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = title
	if len(s.definitions) > 0 {
		root["$defs"] = s.definitions
	}
	text, err := json.MarshalIndent(root, "", "  ")
	return append(text, '\n'), err
}

// schema collects the forms that have a name of their own.
type schema struct{ definitions map[string]any }

func (s *schema) of(f Form) map[string]any {
	if f.Name == "" {
		return s.written(f)
	}
	if _, known := s.definitions[f.Name]; !known && !f.refers() {
		s.definitions[f.Name] = nil // while it is being described
		described := s.written(f)
		described["description"] = f.About
		s.definitions[f.Name] = described
	}
	return map[string]any{"$ref": "#/$defs/" + f.Name}
}

// refers tells that the form is but the name of one that stands around it.
func (f Form) refers() bool {
	return f.scalar == nil && f.words == nil && f.items == nil && f.keys == nil && f.others == nil && f.either == nil
}

func (s *schema) written(f Form) map[string]any {
	switch {
	case f.either != nil:
		return map[string]any{"anyOf": s.all(f.either)}
	case f.items != nil:
		list := map[string]any{"type": "array", "items": s.of(*f.items)}
		if f.single {
			return map[string]any{"anyOf": []any{s.of(*f.items), list}}
		}
		return list
	case f.keys != nil || f.others != nil:
		return s.mapping(f)
	case f.words != nil:
		return map[string]any{"enum": f.words}
	default:
		out := map[string]any{}
		for key, value := range f.scalar {
			out[key] = value
		}
		return out
	}
}

func (s *schema) all(forms []Form) []any {
	list := make([]any, len(forms))
	for i, f := range forms {
		list[i] = s.of(f)
	}
	return list
}

func (s *schema) mapping(f Form) map[string]any {
	out := map[string]any{"type": "object", "additionalProperties": false}
	if f.others != nil {
		out["additionalProperties"] = s.of(*f.others)
	}
	if f.barred != nil {
		out["propertyNames"] = map[string]any{"not": map[string]any{"enum": f.barred}}
	}
	properties := map[string]any{}
	var required, unless []string
	for _, m := range f.Members() {
		property := s.of(m.Form)
		property["description"] = m.describe()
		if m.Default != "" {
			property["default"] = m.Default
		}
		properties[m.Name] = property
		switch {
		case m.Unless != "":
			unless = append(unless, m.Name)
			out["anyOf"] = []any{map[string]any{"required": []string{m.Unless}}, map[string]any{"required": unless}}
		case m.Required:
			required = append(required, m.Name)
		}
	}
	if len(properties) > 0 {
		out["properties"] = properties
	}
	if required != nil {
		out["required"] = required
	}
	return out
}

// describe says what a key means and how its value looks.
func (m Member) describe() string {
	text := m.About
	if about := m.Form.About; about != "" && m.Form.keys == nil && m.Form.others == nil {
		text += ": " + about
	}
	if m.Form.Example != "" {
		text += ", for example " + strings.Trim(m.Form.Example, `"`)
	}
	return text
}

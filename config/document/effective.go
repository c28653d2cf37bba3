package document

// Effective is what holds under a key, and where that is said.
type Effective struct {
	Key     string // a.b.c
	Value   *Node  // nil where nothing is written and the default holds
	Default string
}

// Effective tells what holds under every key of a mapping of this form that is
// written in one of the layers or has a default. Of the layers the first that
// writes a key decides; any of them may be nil. Below names of the author's own
// only the first layer that has any counts.
func (f Form) Effective(path string, layers ...*Node) []Effective {
	var all []Effective
	for _, m := range f.Members() {
		all = append(all, m.Form.effective(join(path, m.Name), m.Default, fields(layers, m.Name))...)
	}
	if f.others == nil {
		return all
	}
	for _, layer := range layers {
		if layer.Kind() != Mapping {
			continue
		}
		for _, field := range layer.fields {
			if !f.has(field.Key.text) {
				all = append(all, f.others.effective(join(path, field.Key.text), "", []*Node{field.Value})...)
			}
		}
		break
	}
	return all
}

func (f Form) effective(key, value string, written []*Node) []Effective {
	if len(written) == 0 && f.alone {
		return nil
	}
	if (f.keys != nil || f.others != nil) && (len(written) == 0 || written[0].Kind() == Mapping && (f.keys != nil || len(written[0].fields) > 0)) {
		return f.Effective(key, written...)
	}
	if len(written) > 0 {
		return []Effective{{Key: key, Value: written[0]}}
	}
	if value != "" {
		return []Effective{{Key: key, Default: value}}
	}
	return nil
}

func (f Form) has(name string) bool {
	for _, m := range f.Members() {
		if m.Name == name {
			return true
		}
	}
	return false
}

// fields are what the layers write under a key.
func fields(layers []*Node, name string) []*Node {
	var written []*Node
	for _, layer := range layers {
		if n := layer.Field(name); n != nil {
			written = append(written, n)
		}
	}
	return written
}

package document

import (
	"fmt"
	"slices"
	"strings"
)

// Reference is a page in Markdown about a file of this form: a table of keys for
// each mapping within it, and what the forms with a name of their own are.
func (f Form) Reference(title, about string) string {
	p := page{}
	fmt.Fprintf(&p.text, "# %s\n\n%s\n", title, about)
	p.section("", f)
	for len(p.named) > 0 {
		next := p.named[0]
		p.named = p.named[1:]
		p.form(next)
	}
	return p.text.String()
}

// page is a reference on its way.
type page struct {
	text  strings.Builder
	named []Form   // that are yet to be told of
	known []string // names of those that are told of, or will be
}

// section tells of the mappings that a form has, under the path that leads to it.
func (p *page) section(path string, f Form) {
	for _, mapping := range f.mappings() {
		p.table(path, mapping)
		for _, m := range mapping.Members() {
			p.below(join(path, m.Name), m.Form)
		}
		if mapping.others != nil {
			p.below(join(path, "NAME"), *mapping.others)
		}
	}
}

// below tells of what stands within the value at a path.
func (p *page) below(path string, f Form) {
	switch {
	case f.Name != "":
		p.mention(f)
	case len(f.mappings()) > 0:
		p.section(path, f)
	default:
		for _, part := range f.parts() {
			p.below(path, part)
		}
	}
}

// mention sees to it that a form with a name of its own is told of.
func (p *page) mention(f Form) {
	if !f.refers() && !slices.Contains(p.known, f.Name) {
		p.known = append(p.known, f.Name)
		p.named = append(p.named, f)
	}
}

// form tells of a form with a name of its own.
func (p *page) form(f Form) {
	fmt.Fprintf(&p.text, "\n## %s\n\n%s.\n", upperFirst(f.Name), upperFirst(f.About))
	if f.Example != "" {
		fmt.Fprintf(&p.text, "For example `%s`.\n", f.Example)
	}
	own := f // is told of here
	own.Name = ""
	for _, mapping := range own.mappings() {
		p.rows(f.Name, mapping)
		for _, m := range mapping.Members() {
			p.below(f.Name+"."+m.Name, m.Form)
		}
		if mapping.others != nil {
			p.below(f.Name+".NAME", *mapping.others)
		}
	}
}

func (p *page) table(path string, mapping Form) {
	if len(mapping.Members()) == 0 {
		return
	}
	if path != "" {
		fmt.Fprintf(&p.text, "\n## `%s`\n", path)
	}
	p.rows(path, mapping)
}

func (p *page) rows(path string, mapping Form) {
	if len(mapping.Members()) == 0 {
		return
	}
	p.text.WriteString("\n| key | what it means | what it looks like | without it |\n| --- | --- | --- | --- |\n")
	for _, m := range mapping.Members() {
		fmt.Fprintf(&p.text, "| `%s` | %s | %s | %s |\n", m.Name, cell(m.About), looks(join(path, m.Name), m.Form), m.without())
	}
}

// without says what holds where the key is not written.
func (m Member) without() string {
	switch {
	case m.Unless != "":
		return "**required**, unless `" + m.Unless + "`"
	case m.Required:
		return "**required**"
	case m.Default != "":
		return "`" + m.Default + "`"
	default:
		return ""
	}
}

// looks is what the value at a path looks like, in a cell of a table.
func looks(path string, f Form) string {
	var text string
	switch {
	case f.Name != "":
		return fmt.Sprintf("[%s](#%s)", f.Name, anchor(f.Name))
	case f.words != nil:
		return "`" + strings.Join(f.words, "` \\| `") + "`"
	case f.items != nil && f.single && f.items.Name != "":
		return looks(path, *f.items) + ", or a list: the first that has a value"
	case f.items != nil && !f.single:
		text = "a list of: " + looks(path, *f.items)
	case f.keys != nil:
		text = fmt.Sprintf("[a mapping](#%s)", anchor(path))
	case f.others != nil:
		text = "a mapping NAME: " + looks(join(path, "NAME"), *f.others)
	case len(f.mappings()) > 0:
		text = fmt.Sprintf("[%s](#%s)", cell(f.About), anchor(path))
	default:
		text = cell(f.About)
	}
	if f.Example != "" {
		text += ", for example `" + cell(f.Example) + "`"
	}
	return text
}

// anchor is what a heading is linked to by.
func anchor(heading string) string {
	return strings.ToLower(strings.NewReplacer(".", "", "`", "", " ", "-").Replace(heading))
}

// mappings are the forms within this one that have keys, where it is one itself,
// a list of one, or a choice of which one is.
func (f Form) mappings() []Form {
	if f.Name != "" {
		return nil
	}
	if f.keys != nil || f.others != nil {
		return []Form{f}
	}
	var all []Form
	for _, part := range f.parts() {
		all = append(all, part.mappings()...)
	}
	return all
}

// parts are the forms that a list or a choice is made of.
func (f Form) parts() []Form {
	if f.items != nil {
		return []Form{*f.items}
	}
	return f.either
}

func join(path, name string) string { return strings.TrimPrefix(path+"."+name, ".") }

func cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }

func upperFirst(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

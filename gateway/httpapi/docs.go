package httpapi

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"muster/adapters"
)

// The parts of the page at /docs. Style and script are put into it, so that the
// page loads nothing.
var (
	//go:embed docs/page.html
	pageHTML string
	//go:embed docs/page.css
	pageCSS string
	//go:embed docs/page.js
	pageJS string
)

// documentation is the page, made of the contract. It panics when the contract
// does not read as the page needs it, which a test would have seen.
func documentation() file {
	d, err := describe(openAPI)
	if err != nil {
		panic(err)
	}
	content, err := render(d)
	if err != nil {
		panic(err)
	}
	f := newFile("text/html; charset=utf-8", content)
	f.header = map[string]string{
		"Content-Security-Policy": strings.Join([]string{
			"default-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
			"connect-src 'self'", "img-src data:", "script-src " + hashed(pageJS), "style-src " + hashed(pageCSS),
		}, "; "),
		"Referrer-Policy": "no-referrer",
	}
	return f
}

// hashed allows one inline text, and no other.
func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// page is what the template is given: the contract, and what is taken from
// elsewhere or put together for showing.
type page struct {
	*description
	Answer  []annotated // the document, member by member
	Kinds   []kind
	Schemas []named[schema] // those that have members and are not shown as Answer
	Style   template.CSS
	Script  template.JS
}

// annotated is a member of the document with an example of it.
type annotated struct {
	Name        string
	Example     string
	Description prose
}

// kind is a row of the table of kinds.
type kind struct {
	adapters.Traits
	Meaning prose
}

func render(d *description) ([]byte, error) {
	schemas := d.Components.Schemas
	p := page{
		description: d,
		Style:       template.CSS(pageCSS), //nolint:gosec // ours, and verbatim: the policy holds its hash
		Script:      template.JS(pageJS),   //nolint:gosec // likewise
	}
	example := d.Components.Examples.At("partial").Value
	for _, property := range schemas.At("PartialAnswer").Properties {
		value := member(&example, property.Name)
		if value == nil {
			continue // provenance, which has an example of its own
		}
		p.Answer = append(p.Answer, annotated{property.Name, strconv.Quote(property.Name) + ": " + snippet(value), property.Value.Description})
	}
	meanings := schemas.At("Kind").EnumDescriptions
	for _, k := range adapters.Kinds() {
		p.Kinds = append(p.Kinds, kind{k.Traits(), meanings.At(k.String())})
	}
	for _, s := range schemas {
		if len(s.Value.Properties) > 0 && !slices.Contains([]string{"CompleteAnswer", "PartialAnswer"}, s.Name) {
			p.Schemas = append(p.Schemas, s)
		}
	}
	t, err := template.New("page").Funcs(template.FuncMap{
		"pretty": func(n yaml.Node) string { return pretty(&n) },
		"upper":  strings.ToUpper,
		"has":    func(names []string, name string) bool { return slices.Contains(names, name) },
	}).Parse(pageHTML)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, p)
	return b.Bytes(), err
}

// snippet is an example as it stands behind its name.
func snippet(n *yaml.Node) string {
	var b strings.Builder
	writePretty(&b, n, "")
	return b.String()
}

// Values are what may be given for the parameter, as examples.
func (p parameter) Values() []string {
	var values []string
	if !p.Example.IsZero() {
		values = append(values, list(&p.Example))
	}
	for _, e := range p.Examples {
		values = append(values, list(&e.Value.Value))
	}
	return values
}

// list writes a parameter's value as it stands in an address: items by commas.
func list(n *yaml.Node) string {
	if n.Kind != yaml.SequenceNode {
		return n.Value
	}
	items := make([]string, len(n.Content))
	for i, item := range n.Content {
		items[i] = item.Value
	}
	return strings.Join(items, ",")
}

// form is a type in words: "list of " Email. The name is one of another schema's.
type form struct{ Words, Name string }

// Form is the schema's type in words.
func (s schema) Form() form {
	named := len(s.Properties) > 0
	switch {
	case named && s.Name != "":
		return form{Name: s.Name}
	case s.Items != nil:
		item := s.Items.Form()
		return form{"list of " + item.Words, item.Name}
	case s.AdditionalProperties != nil:
		item := s.AdditionalProperties.Form()
		return form{"map of " + item.Words, item.Name}
	case !s.Const.IsZero():
		return form{Words: s.Const.Value}
	case len(s.Enum) > 0:
		return form{Words: strings.Join(s.Enum, " | ")}
	case s.Format != "":
		return form{Words: s.Format}
	case s.Type.Kind == yaml.SequenceNode:
		return form{Words: strings.ReplaceAll(list(&s.Type), ",", " or ")}
	case s.Type.Value != "":
		return form{Words: s.Type.Value}
	default:
		return form{Words: "anything"}
	}
}

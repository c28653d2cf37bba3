package httpapi

import (
	_ "embed"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

//go:embed openapi.yaml
var openAPI string

// specification is the contract, as it is served.
func specification() file {
	return newFile("application/yaml", []byte(openAPI)) // RFC 9512
}

// description is what the page says of the contract: the parts of an OpenAPI
// document that it shows, in the order in which they were written.
type description struct {
	Info struct {
		Title       string
		Version     string
		Summary     string
		Description prose
	}
	Paths      ordered[ordered[operation]] // by path, then by method
	Components struct {
		Headers  ordered[header]
		Schemas  ordered[schema]
		Examples ordered[example]
	}
}

type operation struct {
	ID          string `yaml:"operationId"`
	Summary     string
	Description prose
	Parameters  []parameter
	RequestBody struct {
		Description prose
		Content     ordered[body]
	} `yaml:"requestBody"`
	Responses ordered[response]
}

type body struct {
	Schema   schema
	Examples ordered[example]
}

type parameter struct {
	Name        string
	In          string
	Required    bool
	Description prose
	Schema      schema
	Example     yaml.Node
	Examples    ordered[example]
}

type response struct {
	Description prose
	Headers     ordered[header]
	Content     ordered[struct{ Examples ordered[example] }] // by media type
}

type header struct{ Description prose }

type example struct {
	Summary string
	Value   yaml.Node
}

// schema is the part of JSON Schema that openapi.yaml uses.
type schema struct {
	Name                 string `yaml:"x-name"` // in components/schemas; see inline
	Type                 yaml.Node
	Format               string
	Description          prose
	Const                yaml.Node
	Enum                 []string
	EnumDescriptions     ordered[prose] `yaml:"x-enumDescriptions"`
	Items                *schema
	Required             []string
	Properties           ordered[schema]
	AdditionalProperties *schema `yaml:"additionalProperties"`
}

// ordered is a mapping in the order of the document.
type ordered[T any] []named[T]

type named[T any] struct {
	Name  string
	Value T
}

// UnmarshalYAML decodes a mapping entry by entry.
func (o *ordered[T]) UnmarshalYAML(n *yaml.Node) error {
	for i := 0; i+1 < len(n.Content); i += 2 {
		entry := named[T]{Name: n.Content[i].Value}
		if err := n.Content[i+1].Decode(&entry.Value); err != nil {
			return fmt.Errorf("%s: %w", entry.Name, err)
		}
		*o = append(*o, entry)
	}
	return nil
}

// At is the entry of that name; its zero value when there is none.
func (o ordered[T]) At(name string) T {
	for _, entry := range o {
		if entry.Name == name {
			return entry.Value
		}
	}
	var none T
	return none
}

// describe reads the contract, its references resolved.
func describe(text string) (*description, error) {
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(text), &root); err != nil {
		return nil, err
	}
	resolved, err := inline(&root, root.Content[0])
	if err != nil {
		return nil, err
	}
	d := new(description)
	return d, resolved.Decode(d)
}

// inline copies a node with what its references point to in their place, under
// what stands beside a reference. Of a schema the name stays, as x-name. There
// are no circles in the contract.
func inline(n, root *yaml.Node) (*yaml.Node, error) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	flat := *n
	flat.Content = make([]*yaml.Node, len(n.Content))
	for i, child := range n.Content {
		var err error
		if flat.Content[i], err = inline(child, root); err != nil {
			return nil, err
		}
	}
	reference := member(n, "$ref")
	if n.Kind != yaml.MappingNode || reference == nil {
		return &flat, nil
	}
	target, err := find(root, reference.Value)
	if err != nil {
		return nil, err
	}
	if target, err = inline(target, root); err != nil {
		return nil, err
	}
	if name, is := strings.CutPrefix(reference.Value, "#/components/schemas/"); is {
		flat.Content = append(flat.Content, text("x-name"), text(name))
	}
	for i := 0; i+1 < len(target.Content); i += 2 {
		if member(&flat, target.Content[i].Value) == nil {
			flat.Content = append(flat.Content, target.Content[i], target.Content[i+1])
		}
	}
	return &flat, nil
}

func text(value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
}

// find follows a reference within the document.
func find(root *yaml.Node, reference string) (*yaml.Node, error) {
	at := root
	for step := range strings.SplitSeq(strings.TrimPrefix(reference, "#/"), "/") {
		if at = member(at, step); at == nil {
			return nil, fmt.Errorf("%s leads nowhere", reference)
		}
	}
	return at, nil
}

func member(n *yaml.Node, name string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

package httpapi

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"
)

func TestReadProse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]prose{
		"One\nline with `code`.":   {{Spans: []span{{Text: "One line with "}, {Text: "code", Code: true}, {Text: "."}}}},
		"First.\n\n**Second** one": {{Spans: []span{{Text: "First."}}}, {Spans: []span{{Text: "Second", Strong: true}, {Text: " one"}}}},
		"- **A** b\n  c\n- `d`":    {{Items: [][]span{{{Text: "A", Strong: true}, {Text: " b c"}}, {{Text: "d", Code: true}}}}},
		"<b>&amp;":                 {{Spans: []span{{Text: "<b>&amp;"}}}},
	} {
		if diff := cmp.Diff(want, readProse(text)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestPretty(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", lineWidth)
	for text, want := range map[string]string{
		"just a text":                  "just a text",
		"{a: 1, b: [x, true, null]}":   `{"a": 1, "b": ["x", true, null]}`,
		`{a: "1", b: 'say "x"'}`:       `{"a": "1", "b": "say \"x\""}`,
		"[]":                           "[]",
		"{}":                           "{}",
		"{a: {b: 1}, c: " + long + "}": "{\n  \"a\": {\"b\": 1},\n  \"c\": \"" + long + "\"\n}",
		"[1, [" + long + "]]":          "[\n  1,\n  [\n    \"" + long + "\"\n  ]\n]",
	} {
		var n yaml.Node
		if err := yaml.Unmarshal([]byte(text), &n); err != nil {
			t.Fatal(err)
		}
		if got := pretty(n.Content[0]); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", text, got, want)
		}
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	const text = `
info: {title: T, description: &d one}
paths:
  /b: {get: {summary: second, description: *d}}
  /a: {get: {responses: {'200': {$ref: '#/components/responses/R'}}}}
components:
  responses:
    R: {description: r, headers: {X: {description: x}}}
  schemas:
    S: {type: object, properties: {t: {description: mine, $ref: '#/components/schemas/T'}, u: {$ref: '#/components/schemas/T'}}}
    T: {type: string, description: theirs}
`
	d, err := describe(text)
	if err != nil {
		t.Fatal(err)
	}
	if d.Paths[0].Name != "/b" || d.Paths[1].Name != "/a" {
		t.Errorf("paths %v: not in their order", d.Paths)
	}
	one := readProse("one")
	if diff := cmp.Diff(one, d.Paths.At("/b").At("get").Description); diff != "" {
		t.Errorf("an alias (-want +got):\n%s", diff)
	}
	r := d.Paths.At("/a").At("get").Responses.At("200")
	if diff := cmp.Diff(readProse("r"), r.Description); diff != "" || len(r.Headers) != 1 {
		t.Errorf("a reference: headers %v (-want +got):\n%s", r.Headers, diff)
	}
	properties := d.Components.Schemas.At("S").Properties
	if diff := cmp.Diff(readProse("mine"), properties.At("t").Description); diff != "" || properties.At("t").Name != "T" {
		t.Errorf("a reference with its own description: name %q (-want +got):\n%s", properties.At("t").Name, diff)
	}
	if diff := cmp.Diff(readProse("theirs"), properties.At("u").Description); diff != "" {
		t.Errorf("a reference without one (-want +got):\n%s", diff)
	}

	for text, want := range map[string]string{
		"paths: {/a: {get: {$ref: '#/components/nothing'}}}": "#/components/nothing leads nowhere",
		"paths: {/a: {get: {parameters: 7}}}":                "cannot construct",
		"paths: [":                                           "",
	} {
		if _, err := describe(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}
}

func TestForms(t *testing.T) {
	t.Parallel()
	d, err := describe(openAPI)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]form{
		"Profile.userName":          {Words: "string"},
		"Profile.name":              {Name: "Name"},
		"Profile.emails":            {"list of ", "Email"},
		"Profile.createdAt":         {Words: "date-time"},
		"Profile.attributes":        {Words: "map of map of list of string"},
		"PartialAnswer.complete":    {Words: "false"},
		"PartialAnswer.sources":     {"list of ", "SourceResult"},
		"ChildError.modelId":        {Words: "string or null"},
		"Provider.needs":            {Words: "list of list of string"},
		"Provider.breaker":          {Words: "closed | half-open | open"},
		"CompleteAnswer.provenance": {"map of ", "Decision"},
		"Claim.value":               {Words: "anything"},
	} {
		schema, member, _ := strings.Cut(path, ".")
		if got := d.Components.Schemas.At(schema).Properties.At(member).Form(); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
}

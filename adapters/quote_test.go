package adapters

import (
	"encoding/json"
	"io"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestQuotes(t *testing.T) {
	for _, test := range []struct{ format, value, want string }{
		{"json", "jane", `"jane"`},
		{"json", `a"b\c`, `"a\"b\\c"`},
		{"json", "<o'hara&é>", `"<o'hara&é>"`},
		{"json", "{id.self}", `"{id.self}"`},
		{"odata", "jane", `'jane'`},
		{"odata", `O'Neil`, `'O''Neil'`},
		{"odata", `'`, `''''`},
		{"odata", `a"b\c`, `'a"b\c'`},
		{"int", "1", "1"},
		{"", `a"b`, `a"b`},
	} {
		if got := quoted(test.format, test.value); got != test.want {
			t.Errorf("%s of %s is %s, want %s", test.format, test.value, got, test.want)
		}
	}
}

// literals reads the literal that a text begins with, and what is behind it.
func literals(format, text string) (value, rest string, ok bool) {
	if format == "json" {
		decoder := json.NewDecoder(strings.NewReader(text))
		if err := decoder.Decode(&value); err != nil {
			return "", "", false
		}
		behind, _ := io.ReadAll(decoder.Buffered())
		return value, string(behind), true
	}
	text, ok = strings.CutPrefix(text, "'")
	for ok {
		before, after, found := strings.Cut(text, "'")
		if !found {
			return "", "", false
		}
		value += before
		if !strings.HasPrefix(after, "'") {
			return value, after, true
		}
		value, text = value+"'", after[1:]
	}
	return "", "", false
}

// No value leaves its literal, wherever the literal stands: read as the language
// reads it, it is the value, and what its author wrote follows.
func TestNoValueLeavesItsLiteral(t *testing.T) {
	const behind = ` and active eq true`
	rapid.Check(t, func(t *rapid.T) {
		format := rapid.SampledFrom(quotingFormats()).Draw(t, "format")
		value := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.SampledFrom([]rune(`'"\%&=+/u0027 {}é`))), rapid.SampledFrom(awkward())).Draw(t, "value")
		v := &values{query: Query{IDs: map[string]string{"x": value}}}
		places := map[string]func() (string, error){
			"a query": func() (string, error) {
				lookup, _ := endpoint("GET https://h.example/?q=x eq {id.x:" + format + "}" + behind)
				address, err := lookup.url(v, nil)
				if err != nil {
					return "", err
				}
				query, err := url.ParseQuery(address.RawQuery)
				return query.Get("q"), err
			},
			"a path": func() (string, error) {
				lookup, _ := endpoint("GET https://h.example/x%20eq%20{id.x:" + format + "}" + strings.ReplaceAll(behind, " ", "%20"))
				address, err := lookup.url(v, nil)
				if err != nil {
					return "", err
				}
				return url.PathUnescape(strings.TrimPrefix(address.EscapedPath(), "/"))
			},
			"a header": func() (string, error) {
				all, _ := parsed("x eq {id.x:"+format+"}"+behind, inRequest())
				return all.render(v, clean)
			},
		}
		for place, render := range places {
			text, err := render()
			if _, refused := clean(value); refused != nil || value == "" {
				if err == nil && text != "" { // a parameter without a value is left out
					t.Fatalf("%s: %q was taken: %s", place, value, text)
				}
				continue
			}
			if err != nil {
				t.Fatalf("%s: %q: %v", place, value, err)
			}
			literal, isThere := strings.CutPrefix(text, "x eq ")
			got, rest, ok := literals(format, literal)
			if !isThere || !ok || got != value || rest != behind {
				t.Fatalf("%s: %q stands as %q, and reads as %q, then %q", place, value, text, got, rest)
			}
		}
	})
}

func TestQuotesThatAnAuthorWrote(t *testing.T) {
	could := func(ref string) string { return "a value of {" + ref + "} could end the quotes around it" }
	for _, test := range []struct{ text, message, hint string }{
		{`eq {id.x:json} and "a" eq {id.y:odata}`, "", ""},
		{`eq "{id.x:email}" and '{id.x:int}' and '{tenant.x:uuid}' and "{id.x:label}"`, "", ""},
		{`eq "{settings.x}"`, "", ""},
		{`"a" eq {id.x}`, "", ""},
		{`eq "{id.x}"`, could("id.x"), "write {id.x:json} without the quotes"},
		{`eq "before {id.x} behind"`, could("id.x"), "write {id.x:json} without the quotes"},
		{`eq %22{tenant.x}%22`, could("tenant.x"), "write {tenant.x:json} without the quotes"},
		{`eq '{id.x}'`, could("id.x"), "write {id.x:odata} without the quotes"},
		{`eq '{id.x:email}'`, could("id.x"), "write {id.x:odata} without the quotes"},
		{`"a" eq "{id.y:int}{id.x}"`, could("id.x"), "write {id.x:json} without the quotes"},
		{`eq "{id.x:json}"`, "the format json writes its quotes itself", "remove those around {id.x:json}"},
		{`eq %27{settings.x:odata}%27`, "the format odata writes its quotes itself", "remove those around {settings.x:odata}"},
	} {
		_, problems := parsed(test.text, inRequest())
		if test.message == "" {
			if len(problems) > 0 {
				t.Errorf("%s: %v", test.text, problems[0])
			}
			continue
		}
		if len(problems) != 1 || problems[0].Message != test.message || problems[0].Hint != test.hint {
			t.Errorf("%s: %v", test.text, problems)
		}
	}
	for in, want := range map[string]string{
		"{id.x:json}":        "the format json puts quotes around a value, which may not stand in a comparison",
		"{settings.x:odata}": "the format odata puts quotes around a value, which may not stand in a comparison",
	} {
		if _, problems := parsed(in, inComparison()); len(problems) != 1 || problems[0].Message != want {
			t.Errorf("%s: %v", in, problems)
		}
	}
	if _, problems := parsed("{settings.x:json}.example", inHost()); len(problems) != 1 {
		t.Errorf("in a host: %v", problems)
	}
}

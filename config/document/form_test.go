package document_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/config/document"
)

// A small table that has a key of every sort.
type shop struct {
	name   string
	open   bool
	hours  int
	wait   time.Duration
	room   int64
	rebate float64
	mood   string
	till   till
	goods  []good
	owner  *till
	notes  map[string]string
}

type till struct{ drawer, currency string }

type good struct {
	title string
	tags  []string
}

func shopKeys() []document.Key[shop] {
	return []document.Key[shop]{
		document.Of("name", "what it is called", document.Text().Like("Corner"), func(s *shop) *string { return &s.name }).Must(),
		document.Of("open", "whether it is open", document.Switch(), func(s *shop) *bool { return &s.open }).Or("true"),
		document.Of("hours", "a day", document.Whole(1, 24), func(s *shop) *int { return &s.hours }).Or("8"),
		document.Of("wait", "at most", document.Span(), func(s *shop) *time.Duration { return &s.wait }).Or("5m"),
		document.Of("room", "of its store", document.Size(), func(s *shop) *int64 { return &s.room }).Or("2KiB"),
		document.Of("rebate", "for friends", document.Share(), func(s *shop) *float64 { return &s.rebate }).Or("10%"),
		document.Of("mood", "of its keeper", document.OneOf("good", "bad"), func(s *shop) *string { return &s.mood }).Or("good"),
		document.Of("till", "where money goes", document.Object(tillKeys), func(s *shop) *till { return &s.till }),
		document.Of("goods", "what is sold", document.OneOrMore(document.Object(goodKeys)), func(s *shop) *[]good { return &s.goods }).UnlessGiven("owner"),
		document.Of("owner", "another till", document.Pointer(document.Object(tillKeys)), func(s *shop) **till { return &s.owner }),
		{Name: "notes", About: "whatever else", Form: document.NamesOf(document.AnyOf("a text, or null", document.AnyValue("text"), document.Empty())), Read: func(s *shop, n *document.Node) {
			s.notes = map[string]string{}
			for _, f := range n.Fields() {
				s.notes[f.Key.Text()] = f.Value.Text()
			}
		}},
	}
}

func tillKeys() []document.Key[till] {
	return []document.Key[till]{
		document.Of("drawer", "its drawer", document.Text(), func(t *till) *string { return &t.drawer }),
		document.Of("currency", "of its money", document.OneOf("EUR", "USD"), func(t *till) *string { return &t.currency }).Or("EUR"),
	}
}

func goodKeys() []document.Key[good] {
	return []document.Key[good]{
		document.Of("title", "its title", document.Text(), func(g *good) *string { return &g.title }).Must(),
		document.Of("tags", "its tags", document.Texts(), func(g *good) *[]string { return &g.tags }),
	}
}

func shopForm() document.Form {
	return document.KeysOf(func() []document.Member { return document.Members(shopKeys()) })
}

func readShop(t *testing.T, text string) (shop, error) {
	t.Helper()
	var s shop
	document.Defaults(&s, shopKeys())
	var problems document.Problems
	document.Decode(document.Read("shop.yaml", []byte(text), &problems), &s, shopKeys())
	return s, problems.Err()
}

func TestDefaultsComeFromTheTable(t *testing.T) {
	got, err := readShop(t, "name: Corner")
	if err != nil {
		t.Fatal(err)
	}
	want := shop{name: "Corner", open: true, hours: 8, wait: 5 * time.Minute, room: 2048, rebate: 0.1, mood: "good", till: till{currency: "EUR"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(shop{}, till{}, good{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What is written replaces a default; a mapping that a key makes has its own.
func TestTypesRead(t *testing.T) {
	got, err := readShop(t, `
name: 7
open: false
hours: 24
wait: 1h30m
room: 1MiB
rebate: 0%
mood: bad
till: {drawer: left}
goods: {title: bread, tags: fresh}
owner: {drawer: right}
notes: {a: b}
`)
	if err != nil {
		t.Fatal(err)
	}
	want := shop{
		name: "7", hours: 24, wait: 90 * time.Minute, room: 1 << 20, mood: "bad", till: till{"left", "EUR"},
		goods: []good{{"bread", []string{"fresh"}}}, owner: &till{"right", "EUR"}, notes: map[string]string{"a": "b"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(shop{}, till{}, good{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A default that its own key would not take is a mistake of the table.
func TestDefaultThatIsNone(t *testing.T) {
	defer func() {
		if got, want := recover(), `the default of "hours": default:1:1: error: expected a whole number from 1 to 24, found "25"`; !strings.HasPrefix(got.(string), want) {
			t.Errorf("panic %q, want %q", got, want)
		}
	}()
	document.Defaults(&shop{}, []document.Key[shop]{
		document.Of("hours", "a day", document.Whole(1, 24), func(s *shop) *int { return &s.hours }).Or("25"),
	})
}

// A key that is missing proposes what it would look like.
func TestMissingKeyHint(t *testing.T) {
	_, err := readShop(t, "open: true")
	const want = `shop.yaml:1:1: error: the key "name" is missing
    open: true
    ^
  hint: what it is called, for example Corner`
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestSchema(t *testing.T) {
	text, err := shopForm().Schema("A shop")
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	const want = `{
"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A shop", "type": "object", "additionalProperties": false,
"required": ["name"], "anyOf": [{"required": ["owner"]}, {"required": ["goods"]}],
"properties": {
 "name": {"type": ["string", "number", "boolean"], "description": "what it is called: text, for example Corner"},
 "open": {"type": "boolean", "default": "true", "description": "whether it is open: true or false"},
 "hours": {"type": "integer", "minimum": 1, "maximum": 24, "default": "8", "description": "a day: a whole number from 1 to 24"},
 "wait": {"anyOf": [{"type": "string", "pattern": "^[+]?(0|(([0-9]+[.]?[0-9]*|[.][0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$"}, {"const": 0}], "default": "5m", "description": "at most: a time span, for example 250ms"},
 "room": {"anyOf": [{"type": "string", "pattern": "^[0-9]+ *([KMG]i)?B? *$"}, {"type": "integer", "minimum": 0}], "default": "2KiB", "description": "of its store: a size, for example 256MiB"},
 "rebate": {"type": "string", "pattern": "^[+]?0*(100([.]0*)?|[0-9]{1,2}([.][0-9]*)?|[.][0-9]+)%$", "default": "10%", "description": "for friends: a share, for example 10%"},
 "mood": {"enum": ["good", "bad"], "default": "good", "description": "of its keeper: one of the words"},
 "till": {"$ref": "#/$defs/T"}, "owner": {"$ref": "#/$defs/T"},
 "goods": {"anyOf": [{"$ref": "#/$defs/G"}, {"type": "array", "items": {"$ref": "#/$defs/G"}}], "description": "what is sold: a mapping, or a list"},
 "notes": {"type": "object", "additionalProperties": {"anyOf": [{"type": ["string", "number", "boolean"]}, {"type": "null"}]}, "description": "whatever else"}}}`
	var expected map[string]any
	if err := json.Unmarshal([]byte(want), &expected); err != nil {
		t.Fatal(err)
	}
	text1 := map[string]any{"type": []any{"string", "number", "boolean"}}
	describe := func(form map[string]any, about string) map[string]any {
		out := map[string]any{"description": about}
		for k, v := range form {
			out[k] = v
		}
		return out
	}
	tillSchema := map[string]any{"type": "object", "additionalProperties": false, "properties": map[string]any{
		"drawer":   describe(text1, "its drawer: text"),
		"currency": map[string]any{"enum": []any{"EUR", "USD"}, "default": "EUR", "description": "of its money: one of the words"},
	}}
	goodSchema := map[string]any{"type": "object", "additionalProperties": false, "required": []any{"title"}, "properties": map[string]any{
		"title": describe(text1, "its title: text"),
		"tags":  map[string]any{"anyOf": []any{text1, map[string]any{"type": "array", "items": text1}}, "description": "its tags: text, or a list"},
	}}
	properties := expected["properties"].(map[string]any)
	properties["till"] = describe(tillSchema, "where money goes")
	properties["owner"] = describe(tillSchema, "another till")
	goods := properties["goods"].(map[string]any)
	goods["anyOf"] = []any{goodSchema, map[string]any{"type": "array", "items": goodSchema}}
	if diff := cmp.Diff(expected, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A form with a name of its own is described once, also where it stands within itself.
func TestSchemaOfAFormWithinItself(t *testing.T) {
	tree := document.AnyOf("a leaf or branches", document.AnyValue("a leaf"), document.ListOf(document.Form{Name: "tree"})).Called("tree", "a leaf, or a list of trees")
	root := document.KeysOf(func() []document.Member {
		return []document.Member{{Name: "left", About: "one side", Form: tree}, {Name: "right", About: "the other", Form: tree}}
	})
	text, err := root.Schema("A wood")
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A wood", "type": "object", "additionalProperties": false,
"properties": {"left": {"$ref": "#/$defs/tree", "description": "one side: a leaf, or a list of trees"}, "right": {"$ref": "#/$defs/tree", "description": "the other: a leaf, or a list of trees"}},
"$defs": {"tree": {"description": "a leaf, or a list of trees", "anyOf": [{"type": ["string", "number", "boolean"]}, {"type": "array", "items": {"$ref": "#/$defs/tree"}}]}}}`
	var got, expected any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &expected); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(expected, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReference(t *testing.T) {
	const want = "# A shop\n\nHow a shop is written.\n\n" +
		"| key | what it means | what it looks like | without it |\n| --- | --- | --- | --- |\n" +
		"| `name` | what it is called | text, for example `Corner` | **required** |\n" +
		"| `open` | whether it is open | true or false | `true` |\n" +
		"| `hours` | a day | a whole number from 1 to 24 | `8` |\n" +
		"| `wait` | at most | a time span, for example `250ms` | `5m` |\n" +
		"| `room` | of its store | a size, for example `256MiB` | `2KiB` |\n" +
		"| `rebate` | for friends | a share, for example `10%` | `10%` |\n" +
		"| `mood` | of its keeper | `good` \\| `bad` | `good` |\n" +
		"| `till` | where money goes | [a mapping](#till) |  |\n" +
		"| `goods` | what is sold | [a mapping, or a list](#goods) | **required**, unless `owner` |\n" +
		"| `owner` | another till | [a mapping](#owner) |  |\n" +
		"| `notes` | whatever else | a mapping NAME: a text, or null |  |\n" +
		"\n## `till`\n\n| key | what it means | what it looks like | without it |\n| --- | --- | --- | --- |\n" +
		"| `drawer` | its drawer | text |  |\n| `currency` | of its money | `EUR` \\| `USD` | `EUR` |\n" +
		"\n## `goods`\n\n| key | what it means | what it looks like | without it |\n| --- | --- | --- | --- |\n" +
		"| `title` | its title | text | **required** |\n| `tags` | its tags | text, or a list |  |\n" +
		"\n## `owner`\n\n| key | what it means | what it looks like | without it |\n| --- | --- | --- | --- |\n" +
		"| `drawer` | its drawer | text |  |\n| `currency` | of its money | `EUR` \\| `USD` | `EUR` |\n"
	if diff := cmp.Diff(want, shopForm().Reference("A shop", "How a shop is written.")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The first layer that writes a key decides it, key by key down to single values.
func TestEffective(t *testing.T) {
	var problems document.Problems
	own := document.Read("own.yaml", []byte("till: {drawer: left}\nnotes: {a: b}\n"), &problems)
	base := document.Read("base.yaml", []byte("name: Corner\ntill:\n  drawer: right\n  currency: USD\nnotes: {a: c, d: e}\nhours: 3\n"), &problems)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range shopForm().Effective("shop", own, nil, base) {
		if v.Value == nil {
			got = append(got, v.Key+" = "+v.Default+" by default")
			continue
		}
		got = append(got, v.Key+" = "+v.Value.Text()+" at "+v.Value.Position())
	}
	want := []string{
		"shop.name = Corner at base.yaml:1:7",
		"shop.open = true by default",
		"shop.hours = 3 at base.yaml:6:8",
		"shop.wait = 5m by default",
		"shop.room = 2KiB by default",
		"shop.rebate = 10% by default",
		"shop.mood = good by default",
		"shop.till.drawer = left at own.yaml:1:16",
		"shop.till.currency = USD at base.yaml:4:13",
		"shop.notes.a = b at own.yaml:2:12",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

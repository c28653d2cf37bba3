package normalize

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func mustParse(t testing.TB, text string) any {
	t.Helper()
	value, err := ParseJSON([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return value
}

func mustPath(t testing.TB, text string) Path {
	t.Helper()
	path, err := ParsePath(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return path
}

func each(path Path, at *Cursor) []any {
	var all []any
	for c := range path.Each(at) {
		all = append(all, c.Value)
	}
	return all
}

func TestPathFromTheRecord(t *testing.T) {
	const record = `{
		"a": {"b": "deep", "n": 0, "f": false, "null": null, "empty": "", "list": [], "object": {}},
		"list": [{"x": 1}, null, {"x": null}, {"y": 9}, "scalar", {"x": [2, [3, null, [4]], []]}],
		"matrix": [[1, 2], [3]],
		"roles": [{"permissions": [{"name": "p1"}, {"name": "p2"}]}, {"permissions": []}, {"permissions": {"name": "p3"}}],
		"odd.key": {"c": "odd"}, "first name": "quoted", "": "unnamed", "^": "hat", "q\"q": "quote", "名前": "unicode", "$ref": "dollar", "a-b_c:d/e@f": "bare", "*": "star",
		"keyed": {"4711": {"id": 4711, "tags": ["t"]}, "12": {"id": 12}, "none": null}, "php": [{"id": 7}],
		"twice": 1, "twice": 2
	}`
	for _, test := range []struct {
		path         string
		values, each string // JSON lists
		value        string // JSON, or empty for none
	}{
		{"a.b", `["deep"]`, `["deep"]`, `"deep"`},
		{"a.n", `[0]`, `[0]`, `0`},
		{"a.f", `[false]`, `[false]`, `false`},
		{"a.null", `[]`, `[]`, ``},
		{"a.empty", `[]`, `[""]`, `""`},
		{"a.list", `[]`, `[]`, `[]`},
		{"a.object", `[]`, `[{}]`, `{}`},
		{"a.missing", `[]`, `[]`, ``},
		{"a.b.c", `[]`, `[]`, ``},
		{"a.n.c", `[]`, `[]`, ``},
		{"a.null.c", `[]`, `[]`, ``},
		{"a[0]", `[]`, `[]`, ``},
		{"a.b[0]", `[]`, `[]`, ``},
		{"list.x", `[1,2,3,4]`, `[1,2,3,4]`, `1`},
		{"list.y", `[9]`, `[9]`, `9`},
		{"list[0].x", `[1]`, `[1]`, `1`},
		{"list[1]", `[]`, `[]`, ``},
		{"list[2].x", `[]`, `[]`, ``},
		{"list[5].x", `[2,3,4]`, `[2,3,4]`, `[2,[3,null,[4]],[]]`},
		{"list[5].x[1]", `[3,4]`, `[3,4]`, `[3,null,[4]]`},
		{"list[5].x[1][0]", `[3]`, `[3]`, `3`},
		{"list[6]", `[]`, `[]`, ``},
		{"list[2147483647]", `[]`, `[]`, ``},
		{"list.x[0]", `[2]`, `[2]`, `2`},
		{"matrix", `[1,2,3]`, `[1,2,3]`, `[[1,2],[3]]`},
		{"matrix[1]", `[3]`, `[3]`, `[3]`},
		{"matrix[0][1]", `[2]`, `[2]`, `2`},
		{"roles.permissions.name", `["p1","p2","p3"]`, `["p1","p2","p3"]`, `"p1"`},
		{"roles[1].permissions", `[]`, `[]`, `[]`},
		{`["odd.key"].c`, `["odd"]`, `["odd"]`, `"odd"`},
		{`["odd.key"]["c"]`, `["odd"]`, `["odd"]`, `"odd"`},
		{`a["b"]`, `["deep"]`, `["deep"]`, `"deep"`},
		{`["first name"]`, `["quoted"]`, `["quoted"]`, `"quoted"`},
		{`[""]`, `["unnamed"]`, `["unnamed"]`, `"unnamed"`},
		{`["^"]`, `["hat"]`, `["hat"]`, `"hat"`},
		{`["q\"q"]`, `["quote"]`, `["quote"]`, `"quote"`},
		{`["\u540d前"]`, `["unicode"]`, `["unicode"]`, `"unicode"`},
		{"名前", `["unicode"]`, `["unicode"]`, `"unicode"`},
		{"$ref", `["dollar"]`, `["dollar"]`, `"dollar"`},
		{"a-b_c:d/e@f", `["bare"]`, `["bare"]`, `"bare"`},
		{"keyed.*.id", `[12,4711]`, `[12,4711]`, `12`},
		{"keyed.*", `[{"id":12},{"id":4711,"tags":["t"]}]`, `[{"id":12},{"id":4711,"tags":["t"]}]`, `[{"id":12},{"id":4711,"tags":["t"]},null]`},
		{"keyed.*[0].id", `[]`, `[]`, ``},
		{"keyed.*.*", `[12,4711,"t"]`, `[12,4711,"t"]`, `[12]`},
		{"keyed.*.tags.*", `["t"]`, `["t"]`, `["t"]`},
		{"php.*.id", `[7]`, `[7]`, `7`},
		{"a.object.*", `[]`, `[]`, `[]`},
		{"a.b.*", `[]`, `[]`, ``},
		{"matrix.*", `[1,2,3]`, `[1,2,3]`, `[[1,2],[3]]`},
		{`["*"]`, `["star"]`, `["star"]`, `"star"`},
		{"^", `[]`, `[]`, ``},
		{"^.a", `[]`, `[]`, ``},
		{"^.^.a", `[]`, `[]`, ``},
	} {
		t.Run(test.path, func(t *testing.T) {
			at, path := At(mustParse(t, record)), mustPath(t, test.path)
			if diff := cmp.Diff(mustParse(t, test.values), any(append([]any{}, slices.Collect(path.Values(at))...))); diff != "" {
				t.Errorf("Values: -want +got:\n%s", diff)
			}
			if diff := cmp.Diff(mustParse(t, test.each), any(append([]any{}, each(path, at)...))); diff != "" {
				t.Errorf("Each: -want +got:\n%s", diff)
			}
			value, ok := path.Value(at)
			if ok != (test.value != "") {
				t.Fatalf("Value: %v, %t", value, ok)
			}
			if ok {
				if diff := cmp.Diff(mustParse(t, test.value), value); diff != "" {
					t.Errorf("Value: -want +got:\n%s", diff)
				}
			}
		})
	}
}

func TestPathOfTheRecordItself(t *testing.T) {
	for _, path := range []Path{mustPath(t, "."), {}} {
		for _, test := range []struct{ record, values, value string }{
			{`{"a":1}`, `[{"a":1}]`, `{"a":1}`},
			{`[1,[2,null],""]`, `[1,2]`, `[1,[2,null],""]`},
			{`"text"`, `["text"]`, `"text"`},
			{`null`, `[]`, ``},
			{`{}`, `[]`, `{}`},
		} {
			at := At(mustParse(t, test.record))
			if diff := cmp.Diff(mustParse(t, test.values), any(append([]any{}, slices.Collect(path.Values(at))...))); diff != "" {
				t.Errorf("%s: Values: -want +got:\n%s", test.record, diff)
			}
			value, ok := path.Value(at)
			if ok != (test.value != "") || ok && !cmp.Equal(value, mustParse(t, test.value)) {
				t.Errorf("%s: Value: %v, %t", test.record, value, ok)
			}
		}
	}
	at := At(mustParse(t, `[{"x":1},{"x":2}]`)) // a record may be a list
	if got := slices.Collect(mustPath(t, "x").Values(at)); !cmp.Equal(got, []any{Number("1"), Number("2")}) {
		t.Errorf("x: %v", got)
	}
	if got, _ := mustPath(t, "[1].x").Value(at); got != Number("2") {
		t.Errorf("[1].x: %v", got)
	}
}

func TestPathAmbiguous(t *testing.T) {
	at := At(mustParse(t, `{"a":{"x":1},"a":{"x":2},"list":[{"b":1},{"b":1,"b":2}]}`))
	for path, want := range map[string][]any{
		"a":        {Ambiguous{}},
		"a.x":      {Ambiguous{}},
		"a[0].x.y": {Ambiguous{}},
		"list.b":   {Number("1"), Ambiguous{}},
		"list.c":   nil, // what is not used harms nobody
	} {
		path := mustPath(t, path)
		if diff := cmp.Diff(want, slices.Collect(path.Values(at))); diff != "" {
			t.Errorf("%v: Values: -want +got:\n%s", path, diff)
		}
		if diff := cmp.Diff(want, each(path, at)); diff != "" {
			t.Errorf("%v: Each: -want +got:\n%s", path, diff)
		}
	}
	around := At(mustParse(t, `{"flag":true,"in":{"flag":false,"flag":true,"items":[1]}}`))
	for item := range mustPath(t, "in.items").Each(around) {
		if got, _ := mustPath(t, "^.flag").Value(item); got != (Ambiguous{}) {
			t.Errorf("^.flag: %v; the outer flag stands in for the ambiguous one", got)
		}
	}
}

// The rows name what a path with ^ finds from each item in turn.
func TestPathAround(t *testing.T) {
	const (
		flat = `{"emailVerified":true,"attributes":{"email":["a@b.example","c@d.example"],"own":1}}`
		orgs = `{"displayName":"record","userOrgInfo":[
			{"name":"org1","serviceName":"never","servicesDef":[{"serviceName":"s1","serviceRoles":["r1","r2"]},{"serviceRoles":["r3"]}]},
			{"name":"org2","servicesDef":[{"serviceName":"s4","serviceRoles":["r4"]}]}]}`
		flipped = `{"displayName":"record","userOrgInfo":{"name":"org1","servicesDef":{"serviceName":"s1","serviceRoles":"r1"}}}`
		nested  = `{"name":"record","a":[[{"name":"a1","b":[[["x"]],["y"]]}],{"name":"a2","b":["z"]}]}`
	)
	for _, test := range []struct {
		record, each, path string
		want               string // JSON list of lists
	}{
		{flat, "attributes.email", "^.emailVerified", `[[true],[true]]`},
		{flat, "attributes.email", "^.own", `[[1],[1]]`},
		{flat, "attributes.email", "^.own.further", `[[],[]]`},
		{flat, "attributes.email", `^["own"]`, `[[1],[1]]`},
		{flat, "attributes.email", "^.missing", `[[],[]]`},
		{flat, "attributes.email", "^.^.emailVerified", `[[],[]]`},
		{flat, "attributes.email", "^.attributes.own", `[[1],[1]]`},
		{flat, "attributes", "^.emailVerified", `[[true]]`},
		{flat, "attributes.own", "^.emailVerified", `[[true]]`},
		{flat, ".", "^.emailVerified", `[[]]`},
		{orgs, "userOrgInfo.servicesDef.serviceRoles", ".", `[["r1"],["r2"],["r3"],["r4"]]`},
		{orgs, "userOrgInfo.servicesDef.serviceRoles", "^.serviceName", `[["s1"],["s1"],[],["s4"]]`},
		{orgs, "userOrgInfo.servicesDef.serviceRoles", "^.name", `[[],[],[],[]]`},
		{orgs, "userOrgInfo.servicesDef.serviceRoles", "^.^.name", `[["org1"],["org1"],["org1"],["org2"]]`},
		{orgs, "userOrgInfo.servicesDef.serviceRoles", "^.^.displayName", `[[],[],[],[]]`},
		{orgs, "userOrgInfo.servicesDef.serviceRoles", "^.^.^.displayName", `[["record"],["record"],["record"],["record"]]`},
		{orgs, "userOrgInfo.servicesDef.serviceRoles", "^.^.^.^.displayName", `[[],[],[],[]]`},
		{orgs, "userOrgInfo.servicesDef", "^.name", `[["org1"],["org1"],["org2"]]`},
		{orgs, "userOrgInfo[0].servicesDef[0].serviceRoles[1]", "^.serviceName", `[["s1"]]`},
		{orgs, "userOrgInfo[0].servicesDef[1].serviceRoles", "^.serviceName", `[[]]`},
		{flipped, "userOrgInfo.servicesDef.serviceRoles", "^.serviceName", `[["s1"]]`},
		{flipped, "userOrgInfo.servicesDef.serviceRoles", "^.name", `[["org1"]]`},
		{flipped, "userOrgInfo.servicesDef.serviceRoles", "^.displayName", `[["record"]]`},
		{nested, "a.b", "^.name", `[["a1"],["a1"],["a2"]]`},
		{nested, "a.b", "^.^.name", `[["record"],["record"],["record"]]`},
		{`{"name":"record","a":{"name":null,"b":[1]}}`, "a.b", "^.name", `[[]]`}, // it has the member
		{`{"x":1,"b":[1]}`, "b", "^", `[[{"x":1,"b":[1]}]]`},
		{`{"a":{"x":1,"b":[1]}}`, "a.b", "^", `[[{"x":1,"b":[1]}]]`},
		{`{"a":[{"x":1,"b":[{"c":[5]}]}]}`, "a.b.c", "^.^", `[[{"x":1,"b":[{"c":[5]}]}]]`},
		{`[{"x":1}]`, ".", "^", `[[]]`},
		{`[{"x":1}]`, "x", "^.x", `[[1]]`},
	} {
		t.Run(test.each+" "+test.path, func(t *testing.T) {
			got := []any{}
			path := mustPath(t, test.path)
			for item := range mustPath(t, test.each).Each(At(mustParse(t, test.record))) {
				values := append([]any{}, slices.Collect(path.Values(item))...)
				if diff := cmp.Diff(values, append([]any{}, each(path, item)...)); diff != "" {
					t.Errorf("-Values +Each:\n%s", diff)
				}
				if value, ok := path.Value(item); ok != (len(values) > 0) || ok && !cmp.Equal(value, values[0]) {
					t.Errorf("Value %v, Values %v", value, values)
				}
				got = append(got, values)
			}
			if diff := cmp.Diff(mustParse(t, test.want), any(got)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// A path with ^ leads to cursors too, from which the next one goes on.
func TestPathEachGoesOnFromAround(t *testing.T) {
	record := At(mustParse(t, `{"id":"r","orgs":[{"id":"o1","tags":["t1","t2"],"units":[{"id":"u1"}]}]}`))
	var got []string
	for unit := range mustPath(t, "orgs.units").Each(record) {
		for tag := range mustPath(t, "^.tags").Each(unit) {
			own, _ := mustPath(t, "^.id").Value(tag)
			outer, _ := mustPath(t, "^.^.id").Value(tag)
			got = append(got, fmt.Sprint(tag.Value, own, outer))
		}
	}
	if diff := cmp.Diff([]string{"t1o1r", "t2o1r"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestPathStops(t *testing.T) {
	at := At(mustParse(t, `{"a":[[1,2],{"b":[3]},[4]],"c":[{"d":[1,[2]]},{"d":3}]}`))
	for _, text := range []string{"a", "c.d"} {
		path := mustPath(t, text)
		for stop := 1; stop <= 3; stop++ {
			var values, items int
			for range path.Values(at) {
				if values++; values == stop {
					break
				}
			}
			for range path.Each(at) {
				if items++; items == stop {
					break
				}
			}
			if values != stop || items != stop {
				t.Errorf("%s: broke off after %d, got %d values and %d items", text, stop, values, items)
			}
		}
	}
}

func TestPathEmptyList(t *testing.T) {
	for _, test := range []struct {
		record, path string
		want         bool
	}{
		{`{"permissions":[]}`, "permissions", true},
		{`{"permissions":[]}`, "permissions.name", true},
		{`{"permissions":[]}`, "permissions[0].name", true},
		{`{"permissions":[{"name":"x"}]}`, "permissions.name", false},
		{`{"permissions":[null]}`, "permissions.name", false},
		{`{"permissions":null}`, "permissions.name", false},
		{`{"permissions":{}}`, "permissions.name", false},
		{`{}`, "permissions", false},
		{`{"other":[]}`, "permissions", false},
		{`{"a":[{"b":[1]},{"b":[]}]}`, "a.b", true},
		{`[]`, ".", true},
		{`{}`, "^.permissions", false},
	} {
		if got := mustPath(t, test.path).EmptyList(At(mustParse(t, test.record))); got != test.want {
			t.Errorf("%s of %s: %t", test.path, test.record, got)
		}
	}
	for item := range mustPath(t, "items").Each(At(mustParse(t, `{"items":[1],"permissions":[]}`))) {
		if !mustPath(t, "^.permissions").EmptyList(item) {
			t.Error("an empty list around the item is not seen")
		}
	}
}

func TestParsePathErrors(t *testing.T) {
	for _, test := range []struct {
		text          string
		offset, width int
		message, hint string
	}{
		{"", 0, 0, "a path is missing here", "write . for the record itself"},
		{".a", 0, 1, "a path does not begin with a dot", "write a.b, or . alone for the record itself"},
		{".[0]", 0, 1, "a path does not begin with a dot", "write a.b, or . alone for the record itself"},
		{"..", 0, 1, "a path does not begin with a dot", "write a.b, or . alone for the record itself"},
		{"/a/b", 0, 1, "a path has dots and no slashes", `write a.b; a name that begins with one is quoted: ["/a"]`},
		{"$.a", 0, 1, "a path does not begin with $", `write a.b, or . alone for the record itself; a member of that name is written ["$"]`},
		{"$", 0, 1, "a path does not begin with $", `write a.b, or . alone for the record itself; a member of that name is written ["$"]`},
		{"$[0]", 0, 1, "a path does not begin with $", `write a.b, or . alone for the record itself; a member of that name is written ["$"]`},
		{"a[*].b", 1, 3, "neither a position nor a quoted name", "a path steps through a list by itself: write a.b for b of every element; a.* is every value of an object"},
		{"a.", 1, 1, "a name is missing after this dot", ""},
		{"^.", 1, 1, "a name is missing after this dot", ""},
		{"a..b", 2, 1, "a name is missing before this dot", ""},
		{"a.[0]", 2, 1, "a bracket follows a name without a dot", `write a[0] or a["name"]`},
		{"first name", 5, 1, "white space in a path", `quote a name that has it: ["first name"]`},
		{"é\u00a0b", 2, 2, "white space in a path", `quote a name that has it: ["first name"]`},
		{" a", 0, 1, "white space in a path", `quote a name that has it: ["first name"]`},
		{"a. b", 2, 1, "white space in a path", `quote a name that has it: ["first name"]`},
		{"a\xff", 1, 1, "not a character", "a path is UTF-8"},
		{"a.\xff", 2, 1, "not a character", "a path is UTF-8"},
		{"^^.a", 1, 1, "a dot is missing before this ^", "write ^.^.name"},
		{"^a", 1, 1, "a dot is missing before this name", ""},
		{"a[0]b", 4, 1, "a dot is missing before this name", ""},
		{`["a"]é`, 5, 2, "a dot is missing before this name", ""},
		{"a.^.b", 2, 1, "^ stands only at the beginning of a path", `a member of that name is written ["^"]`},
		{"^.a.^", 4, 1, "^ stands only at the beginning of a path", `a member of that name is written ["^"]`},
		{"[0].^", 4, 1, "^ stands only at the beginning of a path", `a member of that name is written ["^"]`},
		{"a^b", 1, 1, "^ stands only at the beginning of a path", `a name that has it is quoted: ["a^b"]`},
		{"a]", 1, 1, "this bracket closes nothing", ""},
		{"]", 0, 1, "this bracket closes nothing", ""},
		{`a"b"`, 1, 1, "quotes stand only within brackets", `write ["name"]`},
		{`"a b"`, 0, 1, "quotes stand only within brackets", `write ["name"]`},
		{"a[", 1, 1, "this bracket is not closed", ""},
		{"a[0", 1, 2, "this bracket is not closed", ""},
		{"a[]", 1, 2, "a position is missing in these brackets", "a path steps through a list by itself: write a.b for b of every element"},
		{"a[b].c", 1, 3, "neither a position nor a quoted name", `write [0], counted from the first, or ["name"]`},
		{"a[-1]", 1, 4, "neither a position nor a quoted name", `write [0], counted from the first, or ["name"]`},
		{"a['b']", 1, 5, "neither a position nor a quoted name", `write [0], counted from the first, or ["name"]`},
		{"a[01]", 1, 4, "a position is written without leading zeros", ""},
		{"a[2147483648]", 1, 12, "no list is that long", ""},
		{"a[99999999999999999999]", 1, 22, "no list is that long", ""},
		{"^[0].a", 1, 3, "what is around an item is an object and has no positions", "write ^.name"},
		{`a["b`, 1, 3, "this quote is not closed", ""},
		{`a["b\"]`, 1, 6, "this quote is not closed", ""},
		{`a["b\`, 1, 4, "this quote is not closed", ""},
		{`a["b"`, 1, 4, "this bracket is not closed", `write ["name"]`},
		{`a["b"c]`, 1, 4, "this bracket is not closed", `write ["name"]`},
		{`a["\x"]`, 1, 5, "not a JSON string", `write \" and \\ within quotes`},
		{`a["\ud800"]`, 1, 9, "not a JSON string", `write \" and \\ within quotes`},
		{"a[\"\xff\"]", 1, 4, "not a JSON string", `write \" and \\ within quotes`},
	} {
		t.Run(test.text, func(t *testing.T) {
			path, err := ParsePath(test.text)
			var got *SyntaxError
			if !errors.As(err, &got) {
				t.Fatalf("accepted as %v (%v)", path, err)
			}
			if diff := cmp.Diff(&SyntaxError{test.offset, test.width, test.message, test.hint}, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if want := fmt.Sprintf("%s, at byte %d", test.message, test.offset); err.Error() != want {
				t.Errorf("%q, want %q", err, want)
			}
		})
	}
}

func TestPathClimbs(t *testing.T) {
	for text, want := range map[string]bool{"^": true, "^.a": true, "^.^": true, "a": false, ".": false, `["^"]`: false} {
		if got := mustPath(t, text).Climbs(); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
}

// pathOf writes steps as a path: names quoted where they must be, or always.
func pathOf(outward int, steps []step, quote bool) string {
	text := strings.TrimSuffix(strings.Repeat("^.", outward), ".")
	for _, s := range steps {
		switch {
		case s.index >= 0:
			text += fmt.Sprintf("[%d]", s.index)
		case s.every && text == "":
			text = "*"
		case s.every:
			text += ".*"
		case quote || s.name == "" || s.name == "*" || strings.ContainsFunc(s.name, func(r rune) bool { return !inBareName(r) }):
			text += `["` + strings.NewReplacer(`"`, `\"`, `\`, `\\`, "\n", `\n`, "\t", `\t`).Replace(s.name) + `"]`
		case text == "":
			text += s.name
		default:
			text += "." + s.name
		}
	}
	if text == "" {
		return "."
	}
	return text
}

func steps(names *rapid.Generator[string]) *rapid.Generator[[]step] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		case 0:
			return step{index: rapid.IntRange(0, 3).Draw(t, "index")}
		case 1:
			return everyValue()
		}
		return step{name: names.Draw(t, "name"), index: -1}
	}), 0, 5)
}

func TestPathTextRoundTrips(t *testing.T) {
	names := rapid.StringMatching(`[a-z.^*\[\]" \\é名\n\t]{0,4}`)
	rapid.Check(t, func(t *rapid.T) {
		want := Path{outward: rapid.IntRange(0, 3).Draw(t, "outward"), steps: steps(names).Draw(t, "steps")}
		if want.outward > 0 && len(want.steps) > 0 {
			want.steps[0] = step{name: "a", index: -1}
		}
		want.text = pathOf(want.outward, want.steps, rapid.Bool().Draw(t, "quote"))
		got, err := ParsePath(want.text)
		if err != nil {
			t.Fatalf("%s: %v", want.text, err)
		}
		if got.String() != want.text || got.outward != want.outward || !slices.Equal(got.steps, want.steps) {
			t.Fatalf("%s became %+v, want %+v", want.text, got, want)
		}
		if again, err := ParsePath(got.String()); err != nil || !cmp.Equal(got, again, cmp.AllowUnexported(Path{}, step{})) {
			t.Fatalf("%s became %+v, then %+v (%v)", want.text, got, again, err)
		}
	})
}

// trees draws JSON values with few names, so that paths often find something.
func trees(depth int) *rapid.Generator[any] {
	scalar := rapid.OneOf(rapid.Just[any](nil), rapid.Just[any](""), rapid.Just[any]("x"), rapid.Just[any](Number("0")), rapid.Just[any](false), rapid.Just[any](Ambiguous{}))
	if depth == 0 {
		return scalar
	}
	return rapid.Custom(func(t *rapid.T) any {
		switch rapid.IntRange(0, 5).Draw(t, "form") {
		case 0:
			return scalar.Draw(t, "scalar")
		case 1, 2:
			return append([]any{}, rapid.SliceOfN(trees(depth-1), 0, 3).Draw(t, "list")...)
		default:
			return rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "c"}), trees(depth-1), 0, 3).Draw(t, "object")
		}
	})
}

// placed is a value and the objects around it, a group for each list between
// them: the words about paths written down without any thought of speed.
type placed struct {
	value   any
	element bool
	around  [][]any // innermost first
}

// enter goes from an object to a member. An element is the last of a group.
func (p placed) enter(member any) placed {
	if p.element || len(p.around) == 0 {
		return placed{value: member, around: append([][]any{{p.value}}, p.around...)}
	}
	group := append([]any{p.value}, p.around[0]...)
	return placed{value: member, around: append([][]any{group}, p.around[1:]...)}
}

func (p placed) follow(steps []step) []placed {
	if list, ok := p.value.([]any); ok {
		var all []placed
		for i, item := range list {
			item := placed{item, true, p.around}
			switch {
			case len(steps) > 0 && steps[0].every:
				all = append(all, item.follow(steps[1:])...)
			case len(steps) == 0 || steps[0].index < 0:
				all = append(all, item.follow(steps)...)
			case steps[0].index == i:
				all = append(all, item.follow(steps[1:])...)
			}
		}
		return all
	}
	_, twice := p.value.(Ambiguous)
	object, _ := p.value.(map[string]any)
	switch {
	case p.value == nil:
		return nil
	case twice || len(steps) == 0:
		return []placed{p}
	case steps[0].every && object != nil:
		var all []placed
		for _, name := range slices.Sorted(maps.Keys(object)) {
			all = append(all, placed{object[name], true, p.around}.follow(steps[1:])...)
		}
		return all
	}
	member, ok := object[steps[0].name]
	if !ok || steps[0].index >= 0 {
		return nil
	}
	return p.enter(member).follow(steps[1:])
}

// climb finds the object from which a path with ^ goes on.
func (p placed) climb(outward int, steps []step) []placed {
	if outward > len(p.around) {
		return nil
	}
	group := p.around[outward-1]
	for i, object := range group {
		members, _ := object.(map[string]any)
		if _, ok := members[steps[0].name]; ok {
			// The last object of a group is an element, unless it is the record.
			around := p.around[outward:]
			if i < len(group)-1 {
				around = append([][]any{group[i+1:]}, around...)
			}
			last := i == len(group)-1
			return placed{object, last, around}.follow(steps)
		}
	}
	return nil
}

func plain(found []placed) []any {
	all := []any{}
	for _, p := range found {
		all = append(all, p.value)
	}
	return all
}

func TestPathDoesWhatItsWordsSay(t *testing.T) {
	names := rapid.SampledFrom([]string{"a", "b", "c"})
	rapid.Check(t, func(t *rapid.T) {
		tree := trees(5).Draw(t, "tree")
		path := Path{steps: steps(names).Draw(t, "each")}
		outer := Path{
			outward: rapid.IntRange(1, 3).Draw(t, "outward"),
			steps:   append([]step{{name: names.Draw(t, "first"), index: -1}}, steps(names).Draw(t, "outer")...),
		}

		want := placed{value: tree}.follow(path.steps)
		if diff := cmp.Diff(plain(want), append([]any{}, each(path, At(tree))...)); diff != "" {
			t.Fatalf("Each: -want +got:\n%s", diff)
		}
		i := 0
		for item := range path.Each(At(tree)) {
			around := want[i].climb(outer.outward, outer.steps)
			if diff := cmp.Diff(plain(around), append([]any{}, each(outer, item)...)); diff != "" {
				t.Fatalf("%s from item %d: -want +got:\n%s", pathOf(outer.outward, outer.steps, false), i, diff)
			}
			i++
		}

		present := []any{}
		for _, v := range plain(want) {
			if !Absent(v) {
				present = append(present, v)
			}
		}
		values := append([]any{}, slices.Collect(path.Values(At(tree)))...)
		if diff := cmp.Diff(present, values); diff != "" {
			t.Fatalf("Values: -want +got:\n%s", diff)
		}
		if _, ok := path.Value(At(tree)); !ok && len(values) > 0 {
			t.Fatal("Values, but no Value")
		}
	})
}

// What a path costs is bounded by what it walks over, however it is written.
func TestPathValuesAllocatesNothing(t *testing.T) {
	at := At(mustParse(t, `{"a":[{"b":["x","y"]},{"b":"z"}],"flag":true}`))
	var item *Cursor
	for item = range mustPath(t, "a.b").Each(at) {
		break
	}
	for _, test := range []struct {
		at    *Cursor
		path  Path
		count int
	}{{at, mustPath(t, "a.b"), 3}, {item, mustPath(t, "^.^.flag"), 1}, {item, mustPath(t, "."), 1}} {
		count := 0
		if n := testing.AllocsPerRun(100, func() {
			count = 0
			for range test.path.Values(test.at) {
				count++
			}
			_, _ = test.path.Value(test.at)
		}); n != 0 || count != test.count {
			t.Errorf("%v: %v allocations for %d values, want none for %d", test.path, n, count, test.count)
		}
	}
}

func FuzzParsePath(f *testing.F) {
	for _, seed := range []string{".", "a.b", "*", "a.*.b", "$.a", "/a", "a[0].b", `["odd.key"].c`, "^.^.a", `^["a\"b"]`, "a[", "^[0]", "a..b", "\xff", `a["\ud800"]`, "first name"} {
		f.Add(seed)
	}
	record := At(map[string]any{"a": []any{map[string]any{"b": Number("1")}, nil}, "c": map[string]any{"a": "x"}})
	f.Fuzz(func(t *testing.T, text string) {
		path, err := ParsePath(text)
		if err != nil {
			var syntax *SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("%T is not a *SyntaxError", err)
			}
			end := syntax.Offset + syntax.Width
			if syntax.Offset < 0 || end > len(text) || syntax.Width < 1 && text != "" {
				t.Fatalf("%q is said to be wrong from %d to %d", text, syntax.Offset, end)
			}
			if utf8.ValidString(text) && !utf8.ValidString(text[syntax.Offset:end]) {
				t.Fatalf("%q is marked within a character", text)
			}
			return
		}
		if path.String() != text {
			t.Fatalf("%q became %q", text, path)
		}
		again, err := ParsePath(pathOf(path.outward, quotable(path.steps), true))
		if err != nil || again.outward != path.outward || len(again.steps) != len(path.steps) {
			t.Fatalf("%q became %q (%v)", text, again, err)
		}
		for item := range path.Each(record) {
			for range path.Values(item) {
				continue
			}
		}
		path.EmptyList(record)
	})
}

// quotable leaves out characters that a JSON string must escape.
func quotable(all []step) []step {
	all = slices.Clone(all)
	for i := range all {
		all[i].name = strings.Map(func(r rune) rune {
			if r < ' ' {
				return -1
			}
			return r
		}, all[i].name)
	}
	return all
}

func BenchmarkPath(b *testing.B) {
	at := At(mustParse(b, `{"user":{"userOrgInfo":[{"name":"o","servicesDef":[{"serviceName":"s","serviceRoles":["r1","r2","r3"]}]}]}}`))
	path, around := mustPath(b, "user.userOrgInfo.servicesDef.serviceRoles"), mustPath(b, "^.serviceName")
	b.Run("Values", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for range path.Values(at) {
				continue
			}
		}
	})
	b.Run("Each", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for item := range path.Each(at) {
				_, _ = around.Value(item)
			}
		}
	})
}

// TestSingleIsWhatValuesYields: the short way to a value says what the long way does.
func TestSingleIsWhatValuesYields(t *testing.T) {
	t.Parallel()
	record, err := ParseJSON([]byte(`{"a": {"b": 1, "*": 2, "c": [{"d": 3}, {"d": 4}], "e": "", "f": null, "g": {}, "h": []}, "n": {"x": {"y": 5}, "z": {"y": 6}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"a.b", "a.*", `a["*"]`, "a.c.d", "a.c[1].d", "a.e", "a.f", "a.g", "a.h", "a.x", "x.y.z", "n.*.y", "n.x.y", ".", "a.b.c", "*", "a.e.x"} {
		path, err := ParsePath(text)
		if err != nil {
			t.Fatal(err)
		}
		v, ok := path.single(At(record))
		if !ok {
			continue
		}
		var want []any
		for value := range path.Values(At(record)) {
			want = append(want, value)
		}
		if Absent(v) != (want == nil) || want != nil && (len(want) != 1 || !reflect.DeepEqual(want[0], v)) {
			t.Errorf("%s: %v, and %v the long way", text, v, want)
		}
	}
}

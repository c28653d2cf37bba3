package normalize

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestParseJSON(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       any
	}{
		{"null", `null`, nil},
		{"booleans", `[true,false]`, []any{true, false}},
		{"text", ` "Zo\u00eb \ud83d\ude00 \u0000" `, "Zoë 😀 \x00"},
		{"empty containers", `[{},[],""]`, []any{map[string]any{}, []any{}, ""}},
		{
			"numbers stay as written",
			`[9007199254740993,18446744073709551616,1e400,1E3,-0,1.0,0.10]`,
			[]any{Number("9007199254740993"), Number("18446744073709551616"), Number("1e400"), Number("1E3"), Number("-0"), Number("1.0"), Number("0.10")},
		},
		{"members", `{"a":{"b":[1]},"":null}`, map[string]any{"a": map[string]any{"b": []any{Number("1")}}, "": nil}},
		{"equal duplicates are one", `{"a":{"b":[1,null]},"a":{"b":[1,null]},"c":2}`, map[string]any{"a": map[string]any{"b": []any{Number("1"), nil}}, "c": Number("2")}},
		{"equal once unescaped", `{"a":1,"\u0061":1}`, map[string]any{"a": Number("1")}},
		{"different duplicates", `{"a":1,"b":true,"a":2}`, map[string]any{"a": Ambiguous{}, "b": true}},
		{"a text is not a number", `{"a":"1","a":1}`, map[string]any{"a": Ambiguous{}}},
		{"null is not nothing", `{"a":null,"a":1}`, map[string]any{"a": Ambiguous{}}},
		{"a third one settles nothing", `{"a":1,"a":2,"a":2}`, map[string]any{"a": Ambiguous{}}},
		{"ambiguity stays where it is", `{"a":{"b":1,"b":2},"c":[{"d":1,"d":1}]}`, map[string]any{"a": map[string]any{"b": Ambiguous{}}, "c": []any{map[string]any{"d": Number("1")}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseJSON([]byte(test.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestParseJSONRefuses(t *testing.T) {
	nested := func(open, end string, n int) string { return strings.Repeat(open, n) + strings.Repeat(end, n) }
	for _, test := range []struct{ name, text, want string }{
		{"nothing", "", "not JSON: it is empty"},
		{"white space", " \n", "not JSON: it is empty"},
		{"a page", "<html>canary</html>", "not JSON: wrong after byte 0"},
		{"cut short", `{"canary":"can`, "not JSON: it ends too early, after byte 14"},
		{"cut between tokens", `{"canary":[1,`, "not JSON: it ends too early, after byte 13"},
		{"a value missing", `{"canary":}`, "not JSON: wrong after byte 10"},
		{"a comma too many", `{"canary":[1,]}`, "not JSON: wrong after byte 12"},
		{"a bracket of the other kind", `{"canary":[1}}`, "not JSON: wrong after byte 12"},
		{"a stray bracket", `]`, "not JSON: wrong after byte 0"},
		{"a name that is no text", `{1:"canary"}`, "not JSON: wrong after byte 1"},
		{"NaN", `NaN`, "not JSON: wrong after byte 0"},
		{"a second value", `{} "canary"`, "not JSON: something follows the value, after byte 11"},
		{"rubbish behind the value", `{}canary`, "not JSON: something follows the value, after byte 2"},
		{"a byte-order mark", "\ufeff{}", "not JSON: it begins with a byte-order mark"},
		{"UTF-16", "\xff\xfe{\x00}\x00", "not JSON: it is not UTF-8"},
		{"invalid UTF-8", "[\"canary\xff\"]", "not JSON: it is not UTF-8"},
		{"a surrogate in UTF-8", "[\"\xed\xa0\x80\"]", "not JSON: it is not UTF-8"},
		{"half a surrogate pair", `["canary\ud83d"]`, "not JSON: wrong after byte 8"},
		{"the halves exchanged", `["\ude00\ud83d"]`, "not JSON: wrong after byte 2"},
		{"half a pair as a name", `{"\udead":1}`, "not JSON: wrong after byte 2"},
		{"lists too deep", nested("[", "]", MaxDepth+1), "the JSON is nested deeper than 512"},
		{"objects too deep", strings.Repeat(`{"a":`, MaxDepth+1) + "1" + strings.Repeat("}", MaxDepth+1), "the JSON is nested deeper than 512"},
		{"100000 deep", strings.Repeat("[", 100_000), "the JSON is nested deeper than 512"},
		{"100000 deep, objects", strings.Repeat(`{"a":[`, 100_000), "the JSON is nested deeper than 512"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseJSON([]byte(test.text))
			if err == nil {
				t.Fatalf("accepted as %v", got)
			}
			if err.Error() != test.want {
				t.Errorf("error %q, want %q", err, test.want)
			}
			if got != nil {
				t.Errorf("value %v beside an error", got)
			}
		})
	}
	if _, err := ParseJSON([]byte(nested("[", "]", MaxDepth))); err != nil {
		t.Errorf("refused at the greatest depth allowed: %v", err)
	}
}

// The reply's buffer is used again for the next reply.
func TestParseJSONKeepsNoneOfItsInput(t *testing.T) {
	body := []byte(`{"name":["text",12345]}`)
	before := bytes.Clone(body)
	got, err := ParseJSON(body)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(body, before) {
		t.Errorf("the input has become %s", body)
	}
	for i := range body {
		body[i] = '#'
	}
	want := map[string]any{"name": []any{"text", Number("12345")}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// implementationDefined is what RFC 8259 leaves to the parser: true is accepted.
// Numbers of any size stay as written; whatever is not UTF-8 is refused.
func implementationDefined() map[string]bool {
	return map[string]bool{
		"i_number_double_huge_neg_exp.json":                   true,
		"i_number_huge_exp.json":                              true,
		"i_number_neg_int_huge_exp.json":                      true,
		"i_number_pos_double_huge_exp.json":                   true,
		"i_number_real_neg_overflow.json":                     true,
		"i_number_real_pos_overflow.json":                     true,
		"i_number_real_underflow.json":                        true,
		"i_number_too_big_neg_int.json":                       true,
		"i_number_too_big_pos_int.json":                       true,
		"i_number_very_big_negative_int.json":                 true,
		"i_object_key_lone_2nd_surrogate.json":                false,
		"i_string_1st_surrogate_but_2nd_missing.json":         false,
		"i_string_1st_valid_surrogate_2nd_invalid.json":       false,
		"i_string_UTF-16LE_with_BOM.json":                     false,
		"i_string_UTF-8_invalid_sequence.json":                false,
		"i_string_UTF8_surrogate_U+D800.json":                 false,
		"i_string_incomplete_surrogate_and_escape_valid.json": false,
		"i_string_incomplete_surrogate_pair.json":             false,
		"i_string_incomplete_surrogates_escape_valid.json":    false,
		"i_string_invalid_lonely_surrogate.json":              false,
		"i_string_invalid_surrogate.json":                     false,
		"i_string_invalid_utf-8.json":                         false,
		"i_string_inverted_surrogates_U+1D11E.json":           false,
		"i_string_iso_latin_1.json":                           false,
		"i_string_lone_second_surrogate.json":                 false,
		"i_string_lone_utf8_continuation_byte.json":           false,
		"i_string_not_in_unicode_range.json":                  false,
		"i_string_overlong_sequence_2_bytes.json":             false,
		"i_string_overlong_sequence_6_bytes.json":             false,
		"i_string_overlong_sequence_6_bytes_null.json":        false,
		"i_string_truncated-utf-8.json":                       false,
		"i_string_utf16BE_no_BOM.json":                        false,
		"i_string_utf16LE_no_BOM.json":                        false,
		"i_structure_500_nested_arrays.json":                  true,
		"i_structure_UTF-8_BOM_empty_object.json":             false,
	}
}

func TestJSONTestSuite(t *testing.T) {
	dir := os.Getenv("MUSTER_SUITES")
	if dir == "" {
		dir = filepath.Join("..", "shared", "suites")
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join("..", dir) // from the root of the checkout
	}
	files, err := filepath.Glob(filepath.Join(dir, "JSONTestSuite", "test_parsing", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("NOT TESTED against JSONTestSuite: it is not there. Set MUSTER_SUITES to the folder that holds it.")
	}
	pinned, counts := implementationDefined(), map[string]int{}
	for _, file := range files {
		name := filepath.Base(file)
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		value, err := ParseJSON(body)
		counts[name[:2]]++
		switch want, known := pinned[name]; {
		case name[:2] == "y_" && err != nil:
			t.Errorf("%s is JSON, yet refused: %v", name, err)
		case name[:2] == "n_" && err == nil:
			t.Errorf("%s is not JSON, yet accepted as %.80v", name, value)
		case name[:2] == "i_" && !known:
			t.Errorf("%s has no pinned outcome; it was accepted: %t", name, err == nil)
		case name[:2] == "i_" && want != (err == nil):
			t.Errorf("%s: accepted %t, want %t (%v)", name, err == nil, want, err)
		}
		if err != nil && len(body) > 8 && strings.Contains(err.Error(), string(body)) {
			t.Errorf("%s: the error repeats the input: %v", name, err)
		}
	}
	if want := map[string]int{"y_": 95, "n_": 188, "i_": 35}; !cmp.Equal(counts, want) {
		t.Errorf("the suite has %v, want %v", counts, want)
	}
}

// FuzzParseJSON compares with encoding/json, which differs in duplicate members
// and in what it does about invalid texts and depth.
func FuzzParseJSON(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,2.50,-0,1e400],"b":null,"c":"\ud83d\ude00"}`, `{"a":1,"a":1}`, `{"a":1,"a":2}`, `{"a":{"b":1,"b":2}}`,
		`[[[[]]]]`, `"\ud800"`, "\ufeff[]", `[] []`, `{"a"`, "\"\xff\"", `123`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := ParseJSON(body)
		if err != nil {
			if json.Valid(body) && utf8.Valid(body) && !bytes.Contains(body, []byte(`\u`)) && bytes.Count(body, []byte("["))+bytes.Count(body, []byte("{")) <= MaxDepth {
				t.Fatalf("refused: %v", err)
			}
			return
		}
		decoder := json.NewDecoder(bytes.NewReader(body))
		decoder.UseNumber()
		var want any
		if err := decoder.Decode(&want); err != nil {
			t.Fatalf("accepted what encoding/json does not: %v", err)
		}
		if diff := cmp.Diff(asStandard(want, got), asStandard(got, got)); diff != "" {
			t.Fatalf("-encoding/json +ParseJSON:\n%s", diff)
		}
	})
}

// asStandard gives v the number type of encoding/json, and forgets whatever is
// ambiguous in like: there encoding/json keeps the last.
func asStandard(v, like any) any {
	if _, twice := like.(Ambiguous); twice {
		return Ambiguous{}
	}
	switch v := v.(type) {
	case Number:
		return json.Number(v)
	case []any:
		likes, ok := like.([]any)
		if !ok || len(likes) != len(v) {
			return v
		}
		out := make([]any, len(v))
		for i := range v {
			out[i] = asStandard(v[i], likes[i])
		}
		return out
	case map[string]any:
		likes, ok := like.(map[string]any)
		if !ok {
			return v
		}
		out := map[string]any{}
		for name := range v {
			out[name] = asStandard(v[name], likes[name])
		}
		return out
	default:
		return v
	}
}

// BenchmarkParseJSON reports its time as a multiple of encoding/json's for the
// same reply.
func BenchmarkParseJSON(b *testing.B) {
	body := []byte(`{"isSuccess":true,"value":{"id":9007199254740993,"userId":4242,"tenantId":1024,"principalOid":"d3b07384-d9a1-4655-a08e-df5f4f6d7d19",` +
		`"firstName":"Casey","lastName":"Taylor","email":"casey.taylor@example.com","isEnabled":true,"roles":[` +
		strings.TrimSuffix(strings.Repeat(`{"id":12,"name":"TenantAdministrator","description":"Grants full capabilities.","permissions":[{"id":101,"name":"ManageUsers"},{"id":102,"name":"ReadUsers"}]},`, 4), ",") + `]}}`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseJSON(body); err != nil {
			b.Fatal(err)
		}
	}
	took := b.Elapsed()
	b.StopTimer()
	start := time.Now()
	for range b.N {
		decoder := json.NewDecoder(bytes.NewReader(body))
		decoder.UseNumber()
		var v any
		if err := decoder.Decode(&v); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(took)/float64(time.Since(start)), "x-encoding/json")
}

package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"muster/normalize"
)

// TestFake: the form of each text, and the same by the same.
func TestFake(t *testing.T) {
	t.Parallel()
	tree, err := normalize.ParseJSON([]byte(`{
		"id": 4242, "idAgain": "4242", "big": 9223372036854775807, "one": 7, "half": -2.25,
		"mail": "Jane.Doe@acme.example", "mailAgain": "jane.doe@ACME.example", "other": "joe@acme.example",
		"oid": "D3B07384-d9a1-4655-a08e-df5f4f6d7d19", "name": "Jane Doe", "list": ["jane doe", "", null, true, "Joe"],
		"born": "1980-02-03", "since": "2020-01-02T03:04:05.678Z", "home": "https://jane.example/x?y", "phone": "+49 (30) 12345-6",
		"locale": "de_DE", "country": "DE", "zone": "Europe/Rome"}`))
	if err != nil {
		t.Fatal(err)
	}
	number := func(s string) normalize.Number { return normalize.Number(s) }
	want := map[string]any{
		"id": number("1001"), "idAgain": "1001", "big": number("1000000000000000001"), "one": number("1"), "half": number("1.5"),
		"mail": "person-1@example.com", "mailAgain": "person-1@example.com", "other": "person-2@example.com",
		"oid": "00000000-0000-4000-8000-000000000001", "name": "text-1", "list": []any{"text-1", "", nil, true, "text-2"},
		"born": "2026-01-02", "since": "2026-01-01T01:00:00Z", "home": "https://example.com/1", "phone": "+12025550101",
		"locale": "en_GB", "country": "GB", "zone": "Europe/Paris",
	}
	got, _ := fake(tree).(map[string]any)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestFakeLaws: no text survives, and equal ones stay equal.
func TestFakeLaws(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(rapid.StringMatching(`[A-Za-z0-9@.+:/ _-]{4,20}`), 1, 8).Draw(t, "texts")
		var list []any
		for _, text := range texts {
			list = append(list, text, strings.ToUpper(text))
		}
		faked, _ := fake(map[string]any{"list": list, "again": list}).(map[string]any)
		if !cmp.Equal(faked["list"], faked["again"]) {
			t.Fatalf("the same list is faked otherwise: %v", faked)
		}
		items, _ := faked["list"].([]any)
		said, _ := json.Marshal(faked)
		for i := 0; i < len(items); i += 2 {
			if items[i] != items[i+1] {
				t.Fatalf("%q and %q are told apart", list[i], list[i+1])
			}
			if text, _ := list[i].(string); strings.ContainsAny(text, "zqZQ") && strings.Contains(string(said), text) {
				t.Fatalf("%q is still there: %s", text, said)
			}
		}
	})
}

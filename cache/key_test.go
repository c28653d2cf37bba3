package cache_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"muster/cache"
)

func TestKeysThatLookAlike(t *testing.T) {
	tests := []struct{ a, b []string }{
		{[]string{"a:b", "c"}, []string{"a", "b:c"}},
		{[]string{"ab", "c"}, []string{"a", "bc"}},
		{[]string{"abc"}, []string{"a", "b", "c"}},
		{[]string{"a"}, []string{"a", ""}},
		{[]string{"", "a"}, []string{"a", ""}},
		{nil, []string{""}},
		{[]string{"\x01a"}, []string{"", "a"}},
		{[]string{"\x01a"}, []string{"a"}},
		{[]string{strings.Repeat("x", 127)}, []string{strings.Repeat("x", 128)}},
		{[]string{strings.Repeat("x", 70_000), "y"}, []string{strings.Repeat("x", 70_000) + "y"}},
	}
	for _, tt := range tests {
		if cache.NewKey(tt.a...) == cache.NewKey(tt.b...) {
			t.Errorf("%.20q and %.20q are one key", tt.a, tt.b)
		}
		if cache.NewKey(tt.a...) != cache.NewKey(slices.Clone(tt.a)...) {
			t.Errorf("%.20q is not its own key", tt.a)
		}
	}
}

// Two keys are equal exactly when their parts are. The alphabet is small, and has
// the bytes that lengths are written in, so that near misses are drawn often.
func TestKeyLaw(t *testing.T) {
	part := rapid.StringOfN(rapid.SampledFrom([]rune{'a', ':', 0, 1, 2, 3}), 0, 4, -1)
	parts := rapid.SliceOfN(part, 0, 4)
	rapid.Check(t, func(t *rapid.T) {
		a, b := parts.Draw(t, "a"), parts.Draw(t, "b")
		if got, want := cache.NewKey(a...) == cache.NewKey(b...), slices.Equal(a, b); got != want {
			t.Fatalf("keys of %q and %q: equal %t, want %t", a, b, got, want)
		}
	})
}

func TestKeyPrintsNothing(t *testing.T) {
	k := cache.NewKey("jane@acme.example", "42")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		if got := fmt.Sprintf(verb, k); got != "<key>" {
			t.Errorf("%s prints %s", verb, got)
		}
	}
	if got := fmt.Sprintf("%+v", struct{ K cache.Key }{k}); got != "{K:<key>}" {
		t.Errorf("inside a struct it prints %s", got)
	}
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).Info("m", "key", k)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("m", "key", k)
	if strings.Contains(b.String(), "jane") {
		t.Errorf("slog prints %s", b.String())
	}
}

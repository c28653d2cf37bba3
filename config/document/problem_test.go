package document_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/config/document"
)

func TestProblemPrints(t *testing.T) {
	tests := []struct {
		name string
		p    document.Problem
		want string
	}{
		{
			"all of it",
			document.Problem{File: "f.yaml", Line: 3, Column: 6, Width: 2, Source: "  a: 10", Message: "too much", Hint: "take 9"},
			"f.yaml:3:6: error: too much\n      a: 10\n         ^^\n  hint: take 9\n",
		},
		{"no hint", document.Problem{File: "f.yaml", Line: 1, Column: 1, Width: 1, Source: "a", Message: "m"}, "f.yaml:1:1: error: m\n    a\n    ^\n"},
		{"no line", document.Problem{File: "f.yaml", Line: 1, Column: 1, Width: 1, Message: "m", Hint: "h"}, "f.yaml:1:1: error: m\n  hint: h\n"},
		{"no width", document.Problem{File: "f", Line: 1, Column: 2, Source: "abc", Message: "m"}, "f:1:2: error: m\n    abc\n     ^\n"},
		{"wider than the line", document.Problem{File: "f", Line: 1, Column: 2, Width: 9, Source: "abc", Message: "m"}, "f:1:2: error: m\n    abc\n     ^^\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.p.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Mistakes are told by file and position, whatever the order in which they were
// found; two at one place in the order in which they were found; each once.
func TestProblemsAreOrdered(t *testing.T) {
	var problems document.Problems
	if problems.Err() != nil || problems.Len() != 0 || len(problems.All()) != 0 {
		t.Error("no file has a mistake")
	}
	b := document.Read("b.yaml", []byte("k: v\n"), &problems)
	a := document.Read("a.yaml", []byte("k: v\nl: {m: w, n: w}\n"), &problems)
	b.Field("k").Errorf("one")
	for range 2 { // as where a node is read twice
		a.Field("l").Field("n").Errorf("two")
		a.Field("l").Field("m").Errorf("zwei")
		a.Field("l").Field("m").Errorf("three").Suggest("give %d", 3)
	}
	a.Field("k").Errorf("four")

	const want = `a.yaml:1:4: error: four
    k: v
       ^
a.yaml:2:8: error: zwei
    l: {m: w, n: w}
           ^
a.yaml:2:8: error: three
    l: {m: w, n: w}
           ^
  hint: give 3
a.yaml:2:14: error: two
    l: {m: w, n: w}
                 ^
b.yaml:1:4: error: one
    k: v
       ^`
	err := problems.Err()
	var listed *document.Error
	if !errors.As(err, &listed) || len(listed.Problems) != 5 {
		t.Fatalf("got %T: %v", err, err)
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
	if problems.Len() != 8 { // as found, before what is the same is told once
		t.Errorf("found %d", problems.Len())
	}
}

func TestClosest(t *testing.T) {
	candidates := []string{"timeout", "attempts", "hedge", "cache", "ids", "überall"}
	tests := []struct{ word, want string }{
		{"timeout", "timeout"},
		{"time_out", "timeout"},
		{"Timeout", "timeout"},
		{"tiemout", "timeout"}, // a swap of neighbours is one mistake
		{"timeuot", "timeout"},
		{"attempt", "attempts"},
		{"retries", ""},
		{"cahce", "cache"},
		{"cach", "cache"},
		{"id", "ids"},
		{"isd", "ids"},
		{"is", "ids"},
		{"x", ""},
		{"", ""},
		{"uberall", "überall"},
		{"überal", "überall"},
		{strings.Repeat("x", 100), ""},
	}
	for _, tt := range tests {
		if got := document.Closest(tt.word, candidates); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.word, got, tt.want)
		}
	}
	if got := document.Closest("x", nil); got != "" {
		t.Errorf("among none: %q", got)
	}
	if got := document.Closest("ac", []string{"ab", "ad"}); got != "ab" {
		t.Errorf("of two as near: %q, not the first", got)
	}
}

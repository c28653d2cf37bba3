package normalize_test

import (
	"strings"
	"testing"

	"muster/config/document"
	"muster/normalize"
)

// predicate compiles an expression over caller and target, and tells its mistakes.
func predicate(t *testing.T, text string) (normalize.Predicate, string) {
	t.Helper()
	if _, err := normalize.ParsePredicate(text, "caller", "target"); err != nil && !strings.Contains(err.Error(), "expression:1:") {
		t.Errorf("%s: %v", text, err)
	}
	var problems document.Problems
	root := document.Read("test.yaml", []byte("cel: '"+strings.ReplaceAll(text, "'", "''")+"'\n"), &problems)
	var p normalize.Predicate
	normalize.PredicateType("caller", "target").Read(&p, root.Field("cel"))
	if err := problems.Err(); err != nil {
		return p, err.Error()
	}
	return p, ""
}

// TestPredicate: what is not true is false, be it absent, of another type or too
// costly to find out.
func TestPredicate(t *testing.T) {
	const me = "7d1f2c0a"
	variables := map[string]any{
		"caller": map[string]any{"subject": me, "scopes": []any{"a", "b"}, "claims": map[string]any{"level": normalize.Number("3"), "big": normalize.Number("9007199254740993")}},
		"target": map[string]any{"id": map[string]any{"oid": me, "username": ""}},
	}
	for text, want := range map[string]bool{
		"caller.subject == target.id.oid":                  true,
		"caller.subject == target.id.csp":                  false, // nobody said
		"caller.subject != target.id.csp":                  false,
		"caller.nobody == target.nobody":                   false,
		"caller.subject == target.id.username":             false,
		"'b' in caller.scopes":                             true,
		"'c' in caller.scopes":                             false,
		"caller.claims.level >= 3":                         true,
		"caller.claims.big == 9007199254740992":            false, // exact, beyond what a double holds
		"caller.claims.level":                              false, // not a boolean
		"true":                                             true,
		"caller.scopes.all(x, caller.scopes.all(y, true))": true,
	} {
		p, mistakes := predicate(t, text)
		if mistakes != "" {
			t.Errorf("%s: %s", text, mistakes)
		}
		if got := p.Holds(variables); got != want {
			t.Errorf("%s: %t, want %t", text, got, want)
		}
		if got, want := p.Mentions("target"), strings.Contains(text, "target"); got != want {
			t.Errorf("%s mentions the target: %t, want %t", text, got, want)
		}
	}
	if !(normalize.Predicate{}).Holds(nil) {
		t.Error("one that asks nothing does not hold")
	}
}

// TestPredicateCost: an expression that would go on for ever is not true.
func TestPredicateCost(t *testing.T) {
	many := make([]any, 2000)
	for i := range many {
		many[i] = "x"
	}
	p, mistakes := predicate(t, "caller.scopes.all(x, caller.scopes.all(y, x == y))")
	if mistakes != "" {
		t.Fatal(mistakes)
	}
	if p.Holds(map[string]any{"caller": map[string]any{"scopes": many}}) {
		t.Error("four million steps were made")
	}
}

// TestPredicateMistakes: a mistake is told at its character, and never holds.
func TestPredicateMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "test.yaml:1:6: error: a CEL expression is missing here",
		"caller.subject == nobody": "test.yaml:1:25: error: CEL: undeclared reference to 'nobody'",
		"caller.subject ==":        "CEL: Syntax error",
		"'text'":                   "test.yaml:1:6: error: the expression is never true: it makes a string",
	} {
		p, mistakes := predicate(t, text)
		if !strings.Contains(mistakes, want) {
			t.Errorf("%s: %s, want %s", text, mistakes, want)
		}
		if p.Holds(map[string]any{"caller": map[string]any{}, "target": map[string]any{}}) {
			t.Errorf("%s holds", text)
		}
	}
}

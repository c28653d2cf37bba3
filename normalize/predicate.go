package normalize

import (
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"

	"muster/config/document"
)

// A Predicate is a question in CEL over variables that its owner names, each a map.
// It is bounded in cost like every expression. The zero value always holds.
type Predicate struct {
	run      cel.Program // nil where nothing is asked
	mentions map[string]bool
	wrong    bool // a mistake has been reported: it never holds
}

// PredicateType is how a predicate over such variables is written.
func PredicateType(variables ...string) document.Type[Predicate] {
	sees := "the expression sees " + strings.Join(variables, " and ")
	form := document.AnyValue("a CEL expression that is true; it sees " + strings.Join(variables, " and "))
	return document.Type[Predicate]{Form: form, Read: func(into *Predicate, n *document.Node) { *into = compilePredicate(n, sees, variables) }}
}

// ParsePredicate compiles an expression that stands in no file.
func ParsePredicate(text string, variables ...string) (Predicate, error) {
	var problems document.Problems
	var p Predicate
	n := document.Read("expression", []byte(document.Quote(text)), &problems)
	if n != nil {
		PredicateType(variables...).Read(&p, n)
	}
	return p, problems.Err()
}

// compilePredicate reports mistakes where CEL finds them. What is not compiled
// never holds.
func compilePredicate(n *document.Node, sees string, variables []string) Predicate {
	never := Predicate{wrong: true}
	options := make([]cel.EnvOption, len(variables))
	for i, name := range variables {
		options[i] = cel.Variable(name, cel.MapType(cel.StringType, cel.DynType))
	}
	env, err := newCELEnvironment(options...)
	if err != nil {
		n.Errorf("CEL is not available: %v", err)
		return never
	}
	checked, run := compileCEL(env, n, sees)
	if run == nil {
		return never
	}
	if kind := checked.OutputType(); !kind.IsExactType(cel.BoolType) && !kind.IsExactType(cel.DynType) {
		n.Errorf("the expression is never true: it makes a %s", kind).Suggest("compare something, for example caller.subject == target.id.oid")
		return never
	}
	p := Predicate{run: run, mentions: map[string]bool{}}
	ast.PreOrderVisit(ast.NavigateAST(checked.NativeRep()), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() == ast.IdentKind {
			p.mentions[e.AsIdent()] = true
		}
	}))
	return p
}

// Mentions tells whether the answer depends on a variable.
func (p Predicate) Mentions(variable string) bool { return p.mentions[variable] }

// Seen is a variable as expressions see it, made once for many of them. It is immutable.
type Seen struct{ value any }

// See makes one of a map in the forms of ParseJSON, which must not be changed any more.
func See(variable map[string]any) Seen { return Seen{toCEL(variable)} }

// Holds tells whether the expression is true of the variables, which are Seen or maps in
// the forms of ParseJSON. Whatever is not true is false: a missing key, an error, too high
// a cost.
func (p Predicate) Holds(variables map[string]any) bool {
	if p.run == nil {
		return !p.wrong
	}
	seen := make(map[string]any, len(variables))
	for name, value := range variables {
		if ready, is := value.(Seen); is {
			seen[name] = ready.value
		} else {
			seen[name] = toCEL(value)
		}
	}
	out, _, err := p.run.Eval(seen)
	return err == nil && out.Value() == true
}

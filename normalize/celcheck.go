package normalize

import (
	"regexp"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"

	"muster/config/document"
)

// Samples are documented replies: each as a whole, and the record of each that
// has one.
type Samples struct {
	Bodies, Records []any
}

// celExpression is an expression that compiled, for CheckCEL.
type celExpression struct {
	node *document.Node
	text string
}

// CheckCEL reports what the samples show to be a mistake in the CEL expressions
// that were compiled so far and stand in the file: a member that no sample has, a
// text compared with a number. It changes nothing of what runs: a reply may yet
// be other than every sample, and CEL then decides by what is there.
func (c *Compiler) CheckCEL(file string, samples Samples) {
	var body, data shape
	for _, v := range samples.Bodies {
		body.learn(v)
	}
	for _, v := range samples.Records {
		data.learn(v)
	}
	if body.forms == 0 && data.forms == 0 {
		return
	}
	var checker *celChecker
	for _, e := range c.expressions {
		if e.node.File() != file {
			continue // it was checked where it is written
		}
		if checker == nil {
			var err error
			if checker, err = newCELChecker(&body, &data); err != nil {
				e.node.Errorf("CEL is not available: %v", err)
				return
			}
		}
		checker.check(e)
	}
}

// celChecker is an environment in which data and body have the types of the samples.
type celChecker struct {
	env   *cel.Env
	types *shapeTypes
}

// These functions stand in for what CEL does with any value when it runs, and
// takes for a mistake when it checks types. Only the checker knows them.
const (
	eitherFunction  = "@either"  // a ? b : c, whatever the types of b and c
	plusFunction    = "@plus"    // a + b, lists of different items included
	equalFunction   = "@equal"   // a == b, numbers of different types included
	unequalFunction = "@unequal" //
	isNullFunction  = "@is_null" // a == null, null in a: any may be or have it
	amongFunction   = "@among"   // a in b, objects included
	itemsFunction   = "@items"   // what a macro goes through, objects included
)

// written is what an author wrote where a checker's function stands.
func written(function string) string {
	switch function {
	case eitherFunction:
		return "?"
	case plusFunction:
		return "+"
	case equalFunction:
		return "=="
	case unequalFunction:
		return "!="
	case amongFunction:
		return "in"
	}
	if operator, ok := operators.FindReverse(function); ok && operator != "" {
		return operator
	}
	if function == operators.Index {
		return "["
	}
	return function
}

func newCELChecker(body, data *shape) (*celChecker, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	known := &shapeTypes{Provider: registry, members: map[string]map[string]*types.Type{}, missing: map[string]string{}}
	// No identifier begins with @: a type is never taken for one.
	options := []cel.EnvOption{
		cel.CustomTypeProvider(known), cel.CrossTypeNumericComparisons(true), ext.Strings(),
		cel.Variable("data", known.typeOf(data, "@data")),
		cel.Variable("body", known.typeOf(body, "@body")),
		cel.Variable("http", cel.IntType),
	}
	plain, err := cel.NewEnv()
	if err != nil {
		return nil, err
	}
	var plus []*cel.Type
	for _, o := range plain.Functions()[operators.Add].OverloadDecls() {
		if args := o.ArgTypes(); args[0].Kind() != types.ListKind {
			plus = append(plus, args[0], args[1], o.ResultType())
		}
	}
	env, err := plain.Extend(append(options, known.functions(plus)...)...)
	if err != nil {
		return nil, err
	}
	return &celChecker{env: env, types: known}, nil
}

// functions declares what the checker's functions take.
func (t *shapeTypes) functions(plus []*cel.Type) []cel.EnvOption {
	a, b := cel.TypeParamType("A"), cel.TypeParamType("B")
	listOfA, listOfB, mapOfAny := cel.ListType(a), cel.ListType(b), cel.MapType(cel.DynType, cel.DynType)
	overloads := map[string][]cel.FunctionOpt{}
	declare := func(function string, result *cel.Type, args ...*cel.Type) {
		id := function + "_" + strconv.Itoa(len(overloads[function]))
		overloads[function] = append(overloads[function], cel.Overload(id, args, result))
	}
	compare := func(x, y *cel.Type) {
		declare(equalFunction, cel.BoolType, x, y)
		declare(unequalFunction, cel.BoolType, x, y)
		declare(amongFunction, cel.BoolType, x, cel.ListType(y))
	}
	declare(eitherFunction, cel.DynType, cel.BoolType, a, b)
	declare(isNullFunction, cel.BoolType, a)
	for i := 0; i < len(plus); i += 3 {
		declare(plusFunction, plus[i+2], plus[i], plus[i+1])
	}
	declare(plusFunction, cel.ListType(cel.DynType), listOfA, listOfB)
	for _, same := range []*cel.Type{cel.StringType, cel.BoolType, cel.BytesType, cel.TimestampType, cel.DurationType, cel.TypeType} {
		compare(same, same)
	}
	numbers := []*cel.Type{cel.IntType, cel.UintType, cel.DoubleType}
	for _, x := range numbers {
		for _, y := range numbers {
			compare(x, y)
		}
	}
	compare(listOfA, listOfB)
	compare(mapOfAny, mapOfAny)
	declare(amongFunction, cel.BoolType, a, cel.MapType(a, b))
	declare(itemsFunction, listOfA, listOfA)
	declare(itemsFunction, cel.MapType(a, b), cel.MapType(a, b))
	for _, name := range t.names {
		object := types.NewObjectType(name)
		compare(object, cel.DynType)
		compare(mapOfAny, object)
		declare(amongFunction, cel.BoolType, cel.StringType, object)
		declare(itemsFunction, cel.MapType(cel.StringType, cel.DynType), object)
		declare(operators.Index, cel.DynType, object, cel.StringType)
		declare("size", cel.IntType, object)
		overloads["size"] = append(overloads["size"], cel.MemberOverload("size_of_"+name, []*cel.Type{object}, cel.IntType))
	}
	var options []cel.EnvOption
	for function, all := range overloads {
		options = append(options, cel.Function(function, all...))
	}
	return options
}

// check reports the mistakes of one expression.
func (k *celChecker) check(e celExpression) {
	parsed, issues := k.env.Parse(e.text)
	if issues.Err() != nil {
		return // the environment that it runs in has said so
	}
	rewriting := rewriting{ast: parsed.NativeRep(), factory: ast.NewExprFactory()}
	rewriting.next = ast.MaxID(rewriting.ast)
	rewriting.visit(rewriting.ast.Expr())
	clear(k.types.missing)
	_, issues = k.env.Check(parsed)
	if issues.Err() == nil {
		return
	}
	for _, mistake := range issues.Errors() {
		k.report(e, mistake.Message, byteAt(e.text, mistake.Location.Line(), mistake.Location.Column()))
	}
}

// rewriting puts the checker's functions into a parsed expression. What macros
// have made of it stays as they made it, so that the type of an item is known to
// whatever stands behind them.
type rewriting struct {
	ast     *ast.AST
	factory ast.ExprFactory
	next    int64 // the highest id so far
}

func (r *rewriting) visit(e ast.Expr) {
	switch e.Kind() {
	case ast.SelectKind:
		r.visit(e.AsSelect().Operand())
	case ast.CallKind:
		r.call(e)
	case ast.ListKind:
		for _, item := range e.AsList().Elements() {
			r.visit(item)
		}
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			r.visit(entry.AsMapEntry().Key())
			r.visit(entry.AsMapEntry().Value())
		}
	case ast.ComprehensionKind:
		r.comprehension(e)
	}
}

func (r *rewriting) call(e ast.Expr) {
	call := e.AsCall()
	if call.IsMemberFunction() {
		r.visit(call.Target())
	}
	args := call.Args()
	for _, arg := range args {
		r.visit(arg)
	}
	name := call.FunctionName()
	switch {
	case (name == operators.Equals || name == operators.NotEquals) && isNull(args[1]):
		e.SetKindCase(r.factory.NewCall(e.ID(), isNullFunction, args[0]))
	case (name == operators.Equals || name == operators.NotEquals) && isNull(args[0]):
		e.SetKindCase(r.factory.NewCall(e.ID(), isNullFunction, args[1]))
	case name == operators.In && isNull(args[0]):
		e.SetKindCase(r.factory.NewCall(e.ID(), isNullFunction, args[1]))
	case name == operators.Index && isText(args[1]):
		e.SetKindCase(r.factory.NewSelect(e.ID(), args[0], string(args[1].AsLiteral().(types.String))))
	default:
		for from, to := range map[string]string{operators.Conditional: eitherFunction, operators.Add: plusFunction, operators.Equals: equalFunction, operators.NotEquals: unequalFunction, operators.In: amongFunction} {
			if name == from {
				e.SetKindCase(r.factory.NewCall(e.ID(), to, args...))
			}
		}
	}
}

// comprehension visits what an author wrote of a macro: what it goes through, and
// what it does with each item.
func (r *rewriting) comprehension(e ast.Expr) {
	c := e.AsComprehension()
	r.visit(c.IterRange())
	r.step(c.LoopStep(), c.AccuVar())
	r.next++
	at, _ := r.ast.SourceInfo().GetOffsetRange(c.IterRange().ID())
	r.ast.SourceInfo().SetOffsetRange(r.next, at)
	items := r.factory.NewCall(r.next, itemsFunction, c.IterRange())
	e.SetKindCase(r.factory.NewComprehension(e.ID(), items, c.IterVar(), c.AccuVar(), c.AccuInit(), c.LoopCondition(), c.LoopStep(), c.Result()))
}

// step visits a macro's step, less the calls that the macro put around what its
// author wrote: those have the accumulator among their arguments.
func (r *rewriting) step(e ast.Expr, accu string) {
	if e.Kind() != ast.CallKind || !mentions(e, accu) {
		if e.Kind() == ast.ListKind { // of the one item that map and filter add
			for _, item := range e.AsList().Elements() {
				r.visit(item)
			}
			return
		}
		r.visit(e)
		return
	}
	for _, arg := range e.AsCall().Args() {
		r.step(arg, accu)
	}
}

// mentions tells whether a macro's own accumulator stands in the expression: no
// author can write its name.
func mentions(e ast.Expr, accu string) bool {
	found := false
	ast.PostOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) {
		found = found || e.Kind() == ast.IdentKind && e.AsIdent() == accu
	}))
	return found
}

func isNull(e ast.Expr) bool {
	return e.Kind() == ast.LiteralKind && e.AsLiteral() == ref.Val(types.NullValue)
}

func isText(e ast.Expr) bool {
	if e.Kind() != ast.LiteralKind {
		return false
	}
	_, text := e.AsLiteral().(types.String)
	return text
}

var (
	undefinedField = regexp.MustCompile(`^undefined field '(.*)'$`)
	noOverload     = regexp.MustCompile(`^found no matching overload for '(.*)' applied to '(.*)'$`)
	noSelection    = regexp.MustCompile(`^type '(.*)' does not support field selection$`)
	otherType      = regexp.MustCompile(`^expected type '(.*)' but found '(.*)'$`)
)

// report says a mistake of CEL's checker in the words of the samples, at the very
// word. CEL places a member at its dot, and a call at its parenthesis.
func (k *celChecker) report(e celExpression, message string, at int) {
	const samples = "types and members are those of the samples: the replies of the inline tests"
	if found := undefinedField.FindStringSubmatch(message); found != nil {
		name := found[1]
		start, width := memberAt(e.text, name, at)
		problem := e.node.ErrorfAt(start, width, "CEL: no sample has the member %q", name)
		members, _ := k.types.FindStructFieldNames(k.types.missing[name])
		if near := document.Closest(name, members); near != "" {
			problem.Suggest("did you mean %q?", near)
			return
		}
		problem.Suggest("known here: %s; the samples are the replies of the inline tests", strings.Join(members, ", "))
		return
	}
	if found := noOverload.FindStringSubmatch(message); found != nil {
		if found[1] == itemsFunction {
			start, width := wordAfter(e.text, at)
			e.node.ErrorfAt(start, width, "CEL: %s has no items", argumentsInWords(found[2])).Suggest(samples)
			return
		}
		name, start := written(found[1]), at
		if before := strings.TrimRight(e.text[:at], " \t\r\n"); strings.HasSuffix(before, name) {
			start = len(before) - len(name)
		}
		e.node.ErrorfAt(start, len(name), "CEL: %s does not take %s", name, argumentsInWords(found[2])).Suggest(samples)
		return
	}
	if found := noSelection.FindStringSubmatch(message); found != nil {
		start, width := wordAfter(e.text, at)
		e.node.ErrorfAt(start, width, "CEL: %s has no members", typeInWords(found[1])).Suggest(samples)
		return
	}
	if found := otherType.FindStringSubmatch(message); found != nil {
		start, width := wordAfter(e.text, at)
		e.node.ErrorfAt(start, width, "CEL: expected %s, found %s", typeInWords(found[1]), typeInWords(found[2])).Suggest(samples)
		return
	}
	e.node.ErrorfAt(at, 1, "CEL: %s", firstLine(message)).Suggest(samples)
}

// memberAt finds the first place from at on where the member is asked for: after
// a dot, or as a text within brackets. Of has(a.b.b), which CEL places at its
// parenthesis, it is the last word.
func memberAt(text, name string, at int) (start, width int) {
	quoted, end := regexp.QuoteMeta(name), `(?:\W|$)`
	if at < len(text) && text[at] == '(' {
		end = `\s*\)`
	}
	place := regexp.MustCompile(`\.\s*(` + quoted + `)` + end + `|\[\s*(["']` + quoted + `["'])\s*\]`)
	found := place.FindStringSubmatchIndex(text[min(at, len(text)):])
	switch {
	case found == nil:
		return at, 1
	case found[2] >= 0:
		return at + found[2], found[3] - found[2]
	default:
		return at + found[4], found[5] - found[4]
	}
}

var memberWord = regexp.MustCompile(`\w+`)

// wordAfter is the first word from at on.
func wordAfter(text string, at int) (start, width int) {
	found := memberWord.FindStringIndex(text[min(at, len(text)):])
	if found == nil {
		return at, 1
	}
	return at + found[0], found[1] - found[0]
}

// argumentsInWords says what CEL writes as (A, B), or as T.(A) of a method.
func argumentsInWords(signature string) string {
	receiver, arguments, isMethod := strings.Cut(signature, ".(")
	var all []string
	if isMethod {
		all = append(all, typeInWords(receiver))
	} else {
		arguments = strings.TrimPrefix(signature, "(")
	}
	depth, begin := 0, 0
	arguments = strings.TrimSuffix(arguments, ")")
	for i, c := range arguments + "," {
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ',' && depth == 0:
			if argument := strings.TrimSpace(arguments[begin:i]); argument != "" {
				all = append(all, typeInWords(argument))
			}
			begin = i + 1
		}
	}
	return strings.Join(all, " and ")
}

// typeInWords says a CEL type as the rest of the grammar calls values.
func typeInWords(celType string) string {
	celType = strings.TrimSuffix(strings.TrimPrefix(celType, "wrapper("), ")")
	switch {
	case celType == "string":
		return "a text"
	case celType == "bool":
		return "true or false"
	case celType == "int", celType == "uint", celType == "double":
		return "a number"
	case strings.HasPrefix(celType, "list"):
		return "a list"
	case strings.HasPrefix(celType, "map"), strings.HasPrefix(celType, "@"):
		return "an object"
	default:
		return celType
	}
}

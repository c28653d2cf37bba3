package normalize

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/ext"

	"muster/config/document"
)

// celCostLimit bounds one evaluation: a program that loops over a reply of a
// megabyte stays far below it, one that loops over it twice inside itself does
// not. It bounds a result as well: the values in it and the bytes of its texts.
const celCostLimit = 1_000_000

var errCostly = fmt.Errorf("the CEL expression costs more than %d steps", celCostLimit)

// program is a compiled CEL expression. It sees `data` (the record), `body`
// (the whole reply) and `http` (the status).
type program struct {
	run cel.Program
}

// newCELEnvironment has the functions of every expression, and its variables.
func newCELEnvironment(variables ...cel.EnvOption) (*cel.Env, error) {
	format, err := originalFormat()
	if err != nil {
		return nil, err
	}
	return cel.NewEnv(append(append(variables, ext.Strings()), growingFunctions(format)...)...)
}

// cel compiles an expression; its mistakes are reported where CEL finds them.
func (c *Compiler) cel(n *document.Node) *program {
	const sees = "the expression sees data, body and http"
	if c.env == nil {
		env, err := newCELEnvironment(cel.Variable("data", cel.DynType), cel.Variable("body", cel.DynType), cel.Variable("http", cel.IntType))
		if err != nil {
			n.Errorf("CEL is not available: %v", err)
			return nil
		}
		c.env = env
	}
	_, run := compileCEL(c.env, n, sees)
	if run == nil {
		return nil
	}
	c.expressions = append(c.expressions, celExpression{n, n.Text()})
	return &program{run: run}
}

// compileCEL compiles an expression within an environment. The program is nil where
// it has a mistake, which is reported with what it sees.
func compileCEL(env *cel.Env, n *document.Node, sees string) (*cel.Ast, cel.Program) {
	text := n.Text()
	if strings.TrimSpace(text) == "" {
		if n.Kind() == document.Scalar { // else Text has reported it
			n.Errorf("a CEL expression is missing here").Suggest("%s", sees)
		}
		return nil, nil
	}
	checked, issues := env.Compile(text)
	if issues.Err() != nil {
		for _, e := range issues.Errors() {
			n.ErrorfAt(byteAt(text, e.Location.Line(), e.Location.Column()), 1, "CEL: %s", firstLine(e.Message)).Suggest("%s", sees)
		}
		return nil, nil
	}
	run, err := env.Program(checked, cel.CostLimit(celCostLimit), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		n.Errorf("CEL: %s", firstLine(err.Error()))
		return nil, nil
	}
	return checked, run
}

// byteAt is the byte of a text at a line, from 1, and a column in characters,
// from 0, as CEL counts.
func byteAt(text string, line, column int) int {
	offset := 0
	for ; line > 1; line-- {
		end := strings.IndexByte(text[offset:], '\n')
		if end < 0 {
			break
		}
		offset += end + 1
	}
	for at := range text[offset:] {
		if column--; column < 0 {
			return offset + at
		}
	}
	return len(text)
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// celOutcome is what a program came to.
type celOutcome struct {
	value any
	err   error
}

// value evaluates the program, once for each scope: it sees the reply and not the
// item at hand, and asked of every item it would cost its limit for each. A
// missing key, or any other error of evaluation, is absence; an ambiguous member
// and what costs more than the limit are errors.
func (p *program) value(s *Scope) (any, error) {
	out, known := s.results[p]
	if !known {
		out.value, out.err = p.evaluate(s)
		if s.results == nil {
			s.results = map[*program]celOutcome{}
		}
		s.results[p] = out
	}
	return out.value, out.err
}

func (p *program) evaluate(s *Scope) (any, error) {
	out, _, err := p.run.Eval(s.celVariables())
	switch {
	case err == nil:
		result := celResult{left: celCostLimit}
		return result.read(out, 0)
	case errors.Is(err, errAmbiguous):
		return nil, errAmbiguous
	case errors.Is(err, errCostly), strings.Contains(err.Error(), "cost limit exceeded"):
		return nil, errCostly
	default:
		return nil, nil //nolint:nilerr // the grammar: a missing key is absence
	}
}

// holds evaluates the program as a condition: whatever is not true is false.
func (p *program) holds(s *Scope) bool {
	value, err := p.value(s)
	return err == nil && value == true
}

// emptyList tells whether the program makes a list with no items.
func (p *program) emptyList(s *Scope) bool {
	value, err := p.value(s)
	list, isList := value.([]any)
	return err == nil && isList && len(list) == 0
}

func (s *Scope) celVariables() map[string]any {
	if s.variables == nil {
		s.variables = map[string]any{"data": toCEL(s.Data), "body": toCEL(s.Body), "http": s.Status}
	}
	return s.variables
}

// toCEL gives numbers the types that CEL computes with: int where the digits
// are a whole 64-bit number, uint where only that holds it, else double.
func toCEL(v any) any {
	switch v := v.(type) {
	case Number:
		if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
			return n
		}
		if n, err := strconv.ParseUint(string(v), 10, 64); err == nil {
			return n
		}
		f, _ := strconv.ParseFloat(string(v), 64)
		return f
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = toCEL(item)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			out[key] = toCEL(item)
		}
		return sortedMap{types.NewStringInterfaceMap(types.DefaultTypeAdapter, out)}
	case Ambiguous:
		return types.WrapErr(errAmbiguous)
	default:
		return v
	}
}

// sortedMap is a map that CEL goes through in the order of its keys: the same
// reply gives the same result.
type sortedMap struct{ traits.Mapper }

// Iterator goes through the keys in their order.
func (m sortedMap) Iterator() traits.Iterator {
	var keys []string
	for it := m.Mapper.Iterator(); it.HasNext() == types.True; {
		if key, ok := it.Next().(types.String); ok {
			keys = append(keys, string(key))
		}
	}
	slices.Sort(keys)
	return types.NewStringList(types.DefaultTypeAdapter, keys).Iterator()
}

// celResult brings a result back to the forms of ParseJSON. A few steps make a
// list of a thousand times the same list, which is small only while it is shared.
type celResult struct {
	left int // of celCostLimit
}

func (r *celResult) read(v ref.Val, depth int) (any, error) {
	if depth > MaxDepth {
		return nil, fmt.Errorf("the CEL result is nested deeper than %d", MaxDepth)
	}
	text, _ := v.(types.String)
	if r.left -= 1 + len(text); r.left < 0 {
		return nil, errCostly
	}
	switch v := v.(type) {
	case types.Null:
		return nil, nil
	case types.Bool:
		return bool(v), nil
	case types.String:
		return string(v), nil
	case types.Int:
		return Number(strconv.FormatInt(int64(v), 10)), nil
	case types.Uint:
		return Number(strconv.FormatUint(uint64(v), 10)), nil
	case types.Double:
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, nil // JSON has no such number, and no member
		}
		return Number(strconv.FormatFloat(float64(v), 'g', -1, 64)), nil
	case types.Timestamp:
		return v.UTC().Format(time.RFC3339Nano), nil
	case *types.Err:
		return nil, errAmbiguous // nothing else is an error within a value
	case traits.Mapper:
		out := map[string]any{}
		for it := v.Iterator(); it.HasNext() == types.True; {
			key := it.Next()
			item, err := r.read(v.Get(key), depth+1)
			if err != nil {
				return nil, err
			}
			out[fmt.Sprint(key.Value())] = item
		}
		return out, nil
	case traits.Lister:
		var out []any
		for it := v.Iterator(); it.HasNext() == types.True; {
			item, err := r.read(it.Next(), depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, item)
		}
		return out, nil
	default:
		return nil, fmt.Errorf("a CEL result of type %s fits no member", v.Type().TypeName())
	}
}

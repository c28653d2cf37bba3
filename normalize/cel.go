package normalize

import (
	"fmt"
	"math"
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
// megabyte stays far below it, one that loops over it twice inside itself does not.
const celCostLimit = 1_000_000

// program is a compiled CEL expression. It sees `data` (the record), `body`
// (the whole reply) and `http` (the status).
type program struct {
	run cel.Program
}

func newCELEnvironment() (*cel.Env, error) {
	return cel.NewEnv(
		cel.Variable("data", cel.DynType),
		cel.Variable("body", cel.DynType),
		cel.Variable("http", cel.IntType),
		ext.Strings(),
	)
}

// cel compiles an expression; its mistakes are reported where CEL finds them.
func (c *Compiler) cel(n *document.Node) *program {
	text := n.Text()
	if text == "" {
		return nil
	}
	if c.env == nil {
		env, err := newCELEnvironment()
		if err != nil {
			n.Errorf("CEL is not available: %v", err)
			return nil
		}
		c.env = env
	}
	ast, issues := c.env.Compile(text)
	if issues.Err() != nil {
		for _, e := range issues.Errors() {
			offset := e.Location.Column()
			n.ErrorfAt(offset, 1, "CEL: %s", firstLine(e.Message)).Suggest("the expression sees data, body and http")
		}
		return nil
	}
	run, err := c.env.Program(ast, cel.CostLimit(celCostLimit), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		n.Errorf("CEL: %s", firstLine(err.Error()))
		return nil
	}
	return &program{run: run}
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// value evaluates the program. A missing key, or any other error of evaluation,
// is absence; what costs more than the limit is an error.
func (p *program) value(s *Scope) (any, error) {
	out, _, err := p.run.Eval(s.celVariables())
	switch {
	case err == nil:
		return fromCEL(out, 0)
	case strings.Contains(err.Error(), "cost limit exceeded"):
		return nil, fmt.Errorf("the CEL expression costs more than %d steps", celCostLimit)
	default:
		return nil, nil //nolint:nilerr // the grammar: a missing key is absence
	}
}

// holds evaluates the program as a condition: whatever is not true is false.
func (p *program) holds(s *Scope) bool {
	value, err := p.value(s)
	return err == nil && value == true
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
			if _, twice := item.(Ambiguous); !twice { // said twice is as good as not said
				out[key] = toCEL(item)
			}
		}
		return out
	default:
		return v
	}
}

// fromCEL brings a result back to the forms of ParseJSON.
func fromCEL(v ref.Val, depth int) (any, error) {
	if depth > MaxDepth {
		return nil, fmt.Errorf("the CEL result is nested deeper than %d", MaxDepth)
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
	case traits.Mapper:
		out := map[string]any{}
		for it := v.Iterator(); it.HasNext() == types.True; {
			key := it.Next()
			item, err := fromCEL(v.Get(key), depth+1)
			if err != nil {
				return nil, err
			}
			out[fmt.Sprint(key.Value())] = item
		}
		return out, nil
	case traits.Lister:
		var out []any
		for it := v.Iterator(); it.HasNext() == types.True; {
			item, err := fromCEL(it.Next(), depth+1)
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

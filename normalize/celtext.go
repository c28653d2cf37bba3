package normalize

import (
	"errors"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/functions"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/ext"
)

// growingFunctions stand in for those functions on texts whose result may be a
// great deal larger than what they are given. CEL counts what a call costs when
// it is done; a separator of half a megabyte between fifty thousand texts would
// have taken all memory by then.
func growingFunctions(format functions.FunctionOp) []cel.EnvOption {
	text, texts := cel.StringType, cel.ListType(cel.StringType)
	return []cel.EnvOption{
		cel.Function("replace",
			cel.MemberOverload("string_replace_string_string", []*cel.Type{text, text, text}, text, cel.FunctionBinding(replaceText)),
			cel.MemberOverload("string_replace_string_string_int", []*cel.Type{text, text, text, cel.IntType}, text, cel.FunctionBinding(replaceText)),
		),
		cel.Function("join",
			cel.MemberOverload("list_join", []*cel.Type{texts}, text, cel.UnaryBinding(func(list ref.Val) ref.Val { return joinTexts(list, types.String("")) })),
			cel.MemberOverload("list_join_string", []*cel.Type{texts, text}, text, cel.BinaryBinding(joinTexts)),
		),
		cel.Function("format",
			cel.MemberOverload("string_format", []*cel.Type{text, cel.ListType(cel.DynType)}, text, cel.FunctionBinding(boundedFormat(format))),
		),
	}
}

// originalFormat is text.format(list) as CEL's library has it.
func originalFormat() (functions.FunctionOp, error) {
	env, err := cel.NewCustomEnv(ext.Strings())
	if err != nil {
		return nil, err
	}
	bindings, err := env.Functions()["format"].Bindings()
	if err != nil {
		return nil, err
	}
	for _, b := range bindings {
		if b.Operator == "string_format" && b.Function != nil {
			return b.Function, nil
		}
	}
	return nil, errors.New("CEL's library has no format")
}

// boundedFormat is text.format(list), if what goes into it is within the limit: a
// value stands in the list as often as it is used.
func boundedFormat(format functions.FunctionOp) functions.FunctionOp {
	return func(args ...ref.Val) ref.Val {
		text, _ := args[0].(types.String)
		left := celCostLimit - len(text)
		if err := weigh(args[1], &left, 0); err != nil {
			return types.WrapErr(err)
		}
		return format(args...)
	}
}

// weigh takes the size of a value's text from what is left; it fails where that
// is not enough.
func weigh(v ref.Val, left *int, depth int) error {
	const number = 32 // and not much more, but for the largest of doubles
	if *left -= number; *left < 0 || depth > MaxDepth {
		return errCostly
	}
	switch v := v.(type) {
	case types.String:
		*left -= len(v)
	case types.Bytes:
		*left -= 2 * len(v) // in hexadecimal
	case *types.Err:
		return errAmbiguous // nothing else is an error within a value
	case traits.Mapper:
		for it := v.Iterator(); it.HasNext() == types.True; {
			key := it.Next()
			if err := errors.Join(weigh(key, left, depth+1), weigh(v.Get(key), left, depth+1)); err != nil {
				return err
			}
		}
	case traits.Lister:
		for it := v.Iterator(); it.HasNext() == types.True; {
			if err := weigh(it.Next(), left, depth+1); err != nil {
				return err
			}
		}
	}
	if *left < 0 {
		return errCostly
	}
	return nil
}

// replaceText is text.replace(from, to) and text.replace(from, to, times).
func replaceText(args ...ref.Val) ref.Val {
	text, from, to := string(args[0].(types.String)), string(args[1].(types.String)), string(args[2].(types.String))
	times := strings.Count(text, from)
	if len(args) > 3 {
		if most := args[3].(types.Int); most >= 0 && most < types.Int(times) {
			times = int(most)
		}
	}
	if len(text)+times*(len(to)-len(from)) > celCostLimit {
		return types.WrapErr(errCostly)
	}
	return types.String(strings.Replace(text, from, to, times))
}

// joinTexts is list.join() and list.join(separator).
func joinTexts(list, separator ref.Val) ref.Val {
	var joined strings.Builder
	for it := list.(traits.Lister).Iterator(); it.HasNext() == types.True; {
		item := it.Next()
		text, isText := item.(types.String)
		if !isText {
			return types.MaybeNoSuchOverloadErr(item)
		}
		if joined.Len()+len(text)+len(separator.(types.String)) > celCostLimit {
			return types.WrapErr(errCostly)
		}
		joined.WriteString(string(text))
		if it.HasNext() == types.True {
			joined.WriteString(string(separator.(types.String)))
		}
	}
	return types.String(joined.String())
}

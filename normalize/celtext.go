package normalize

import (
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// growingFunctions stand in for those functions on texts whose result may be a
// great deal larger than what they are given. CEL counts what a call costs when
// it is done; a separator of half a megabyte between fifty thousand texts would
// have taken all memory by then.
func growingFunctions() []cel.EnvOption {
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
	}
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

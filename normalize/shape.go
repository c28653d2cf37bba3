package normalize

import (
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/common/types"
)

// shape is what values at one place of the samples have in common: what CEL is
// typed from. null says nothing of it.
type shape struct {
	forms   formSet
	items   *shape            // of lists
	members map[string]*shape // of objects
}

// formSet is the forms that a place has had, together.
type formSet uint8

const (
	aText formSet = 1 << iota
	aBoolean
	aWhole    // a number that CEL computes with as int
	aFraction // any other number
	aList
	anObject
)

// learn adds a value of a sample.
func (s *shape) learn(v any) {
	switch v := v.(type) {
	case string:
		s.forms |= aText
	case bool:
		s.forms |= aBoolean
	case Number:
		if _, whole := toCEL(v).(int64); whole {
			s.forms |= aWhole
		} else {
			s.forms |= aFraction
		}
	case []any:
		s.forms |= aList
		if s.items == nil {
			s.items = &shape{}
		}
		for _, item := range v {
			s.items.learn(item)
		}
	case map[string]any:
		s.forms |= anObject
		if s.members == nil {
			s.members = map[string]*shape{}
		}
		for name, member := range v {
			if s.members[name] == nil {
				s.members[name] = &shape{}
			}
			s.members[name].learn(member)
		}
	}
}

// maxMembers is how many members the objects of one place may have before their
// names are taken for data: no sample has all of those.
const maxMembers = 200

// dataKey is a member's name that is somebody's or something's identifier.
var dataKey = regexp.MustCompile(`^(\d+|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[^@\s]+@[^@\s.]+\.[^@\s]+)$`)

// closed tells that the members of an object are those of the samples, and that
// another is a mistake.
func (s *shape) closed() bool {
	if len(s.members) == 0 || len(s.members) > maxMembers {
		return false
	}
	for name := range s.members {
		if dataKey.MatchString(name) {
			return false
		}
	}
	return true
}

// shapeTypes are the CEL types made from shapes: an object has a type of its
// own, named by its place. They are a types.Provider besides.
type shapeTypes struct {
	types.Provider // for whatever is no object of a sample

	members map[string]map[string]*types.Type // of each type, by name
	names   []string                          // of the types, in the order made
	missing map[string]string                 // a member that no sample has: where it was looked for
}

// typeOf is the CEL type of a shape. Whatever the samples leave open is dyn.
// Every member may be null, so that a scalar's type is one that takes null.
func (t *shapeTypes) typeOf(s *shape, place string) *types.Type {
	switch s.forms {
	case aText:
		return types.NewNullableType(types.StringType)
	case aBoolean:
		return types.NewNullableType(types.BoolType)
	case aWhole:
		return types.NewNullableType(types.IntType)
	case aFraction:
		return types.NewNullableType(types.DoubleType)
	case aList:
		return types.NewListType(t.typeOf(s.items, place+"[]"))
	case anObject:
		if !s.closed() {
			return types.DynType
		}
		t.names = append(t.names, place)
		t.members[place] = map[string]*types.Type{}
		for name, member := range s.members {
			t.members[place][name] = t.typeOf(member, place+"."+name)
		}
		return types.NewObjectType(place)
	default:
		return types.DynType
	}
}

// FindStructType finds the type of an object of the samples.
func (t *shapeTypes) FindStructType(name string) (*types.Type, bool) {
	if _, ours := t.members[name]; ours {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return t.Provider.FindStructType(name)
}

// FindStructFieldNames are the members of an object of the samples.
func (t *shapeTypes) FindStructFieldNames(name string) ([]string, bool) {
	members, ours := t.members[name]
	if !ours {
		return t.Provider.FindStructFieldNames(name)
	}
	names := make([]string, 0, len(members))
	for member := range members {
		names = append(names, member)
	}
	slices.SortFunc(names, strings.Compare)
	return names, true
}

// FindStructFieldType is the type of a member, and remembers one that is missing.
func (t *shapeTypes) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	members, ours := t.members[name]
	if !ours {
		return t.Provider.FindStructFieldType(name, field)
	}
	if member, ok := members[field]; ok {
		return &types.FieldType{Type: member}, true
	}
	t.missing[field] = name
	return nil, false
}

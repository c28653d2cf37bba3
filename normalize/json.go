package normalize

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxDepth is how deep objects and lists of a reply may be nested. Nobody
// describes a person deeper; what walks a reply may therefore recurse.
const MaxDepth = 512

// Number is a JSON number exactly as it was written: no identifier of 64 bits
// and no 1e400 is ever rounded.
type Number string

// MarshalJSON writes the number as it was written, so that encoding/json writes a
// tree of ParseJSON as it was read.
func (n Number) MarshalJSON() ([]byte, error) { return []byte(n), nil }

// Ambiguous stands where an object says the same member twice with different
// values. Which of the two an upstream meant nobody can know (RFC 8259, section
// 4), and two readers that choose differently are a way to be somebody else.
// Using it is an error; not using it harms nobody.
type Ambiguous struct{}

// ParseJSON reads one JSON text (RFC 8259): an object as map[string]any, an
// array as []any, a number as Number, and string, bool or nil. A member that is
// said twice with equal values is said once, with different ones it is Ambiguous.
//
// It refuses whatever is not exactly one JSON text: a byte-order mark, anything
// after the value, invalid UTF-8 and escaped surrogates without their other half
// (so that every text it returns is valid UTF-8), and nesting beyond MaxDepth.
// The text of an error holds a place, never any of the input.
func ParseJSON(body []byte) (any, error) {
	// Duplicate names are looked for here, where both values can be compared.
	r := jsonReader{jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true))}
	value, err := r.value(0)
	if err != nil {
		return nil, explain(body, err)
	}
	if _, err := r.tokens.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("not JSON: something follows the value, after byte %d", r.tokens.InputOffset())
	}
	return value, nil
}

var errTooDeep = fmt.Errorf("the JSON is nested deeper than %d", MaxDepth)

type jsonReader struct{ tokens *jsontext.Decoder }

// value reads one value that is depth containers deep.
func (r jsonReader) value(depth int) (any, error) {
	token, err := r.tokens.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case jsontext.KindString:
		return token.String(), nil
	case jsontext.KindNumber:
		return Number(token.String()), nil
	case jsontext.KindTrue, jsontext.KindFalse:
		return token.Bool(), nil
	case jsontext.KindBeginObject:
		return r.object(depth + 1)
	case jsontext.KindBeginArray:
		return r.list(depth + 1)
	default:
		return nil, nil // null: a closing bracket that closes nothing is an error above
	}
}

func (r jsonReader) object(depth int) (any, error) {
	if depth > MaxDepth {
		return nil, errTooDeep
	}
	members := map[string]any{}
	for r.tokens.PeekKind() != jsontext.KindEndObject {
		token, err := r.tokens.ReadToken()
		if err != nil {
			return nil, err
		}
		name := token.String()
		value, err := r.value(depth)
		if err != nil {
			return nil, err
		}
		if earlier, twice := members[name]; twice && !reflect.DeepEqual(earlier, value) {
			value = Ambiguous{}
		}
		members[name] = value
	}
	_, err := r.tokens.ReadToken()
	return members, err
}

func (r jsonReader) list(depth int) (any, error) {
	if depth > MaxDepth {
		return nil, errTooDeep
	}
	items := []any{}
	for r.tokens.PeekKind() != jsontext.KindEndArray {
		item, err := r.value(depth)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	_, err := r.tokens.ReadToken()
	return items, err
}

// explain says what is wrong without repeating any of the input: the decoder's
// own words name members and characters of the reply.
func explain(body []byte, err error) error {
	var syntax *jsontext.SyntacticError
	switch {
	case errors.Is(err, errTooDeep):
		return err
	case bytes.HasPrefix(body, []byte("\ufeff")):
		return errors.New("not JSON: it begins with a byte-order mark")
	case !utf8.Valid(body):
		return errors.New("not JSON: it is not UTF-8")
	case errors.Is(err, io.EOF):
		return errors.New("not JSON: it is empty")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("not JSON: it ends too early, after byte %d", len(body))
	case errors.As(err, &syntax):
		return fmt.Errorf("not JSON: wrong after byte %d", syntax.ByteOffset)
	default:
		return errors.New("not JSON")
	}
}

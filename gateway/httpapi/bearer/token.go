package bearer

import (
	"encoding/base64"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"muster/normalize"
)

// MaxToken is how long a token may be, in bytes. A longer one is refused before
// anything of it is read.
const MaxToken = 8 << 10

// candidate is a token on its way through the checks.
type candidate struct {
	raw     string
	now     time.Time
	header  map[string]any
	claims  map[string]any // nil when the payload is no JSON object
	payload []byte

	issuer *issuer // once it is known
	set    *keySet // the issuer's keys
	keys   []*key  // those of them that may verify it
}

// The checks that come before the token can be read.
const (
	checkSize    = "size"
	checkForm    = "form"
	checkHeader  = "header"
	checkPayload = "payload"
)

// parse reads a token that consists of three parts (RFC 7515, 7.1): no JSON
// serialization, no encryption, and no second way to write the same token.
func parse(raw string, now time.Time) (*candidate, *Refusal) {
	if len(raw) > MaxToken {
		return nil, refuse(checkSize, "The token has more than 8 KiB.")
	}
	const form = "The token is not three parts of base64url with dots between them."
	header, rest, _ := strings.Cut(raw, ".")
	payload, signature, three := strings.Cut(rest, ".")
	if !three {
		return nil, refuse(checkForm, form)
	}
	headerText, ok1 := decode(header)
	payloadText, ok2 := decode(payload)
	if _, ok3 := decode(signature); !ok1 || !ok2 || !ok3 {
		return nil, refuse(checkForm, form)
	}
	c := &candidate{raw: raw, now: now, payload: payloadText}
	if c.header = object(headerText); c.header == nil {
		return nil, refuse(checkHeader, "The token's header is not a JSON object that says each thing once.")
	}
	c.claims = object(payloadText)
	return c, nil
}

// decode reads a part: without padding, line breaks and stray bits at the end, so
// that no two texts are the same part.
func decode(part string) ([]byte, bool) {
	if part == "" || strings.ContainsAny(part, "\r\n") { // which encoding/base64 reads over
		return nil, false
	}
	content, err := base64.RawURLEncoding.Strict().DecodeString(part)
	return content, err == nil
}

// object reads a JSON object in which nothing is said twice, at any depth: of two
// readers one takes the first and the other the last. Nil when it is none.
func object(text []byte) map[string]any {
	if !jsontext.Value(text).IsValid() {
		return nil
	}
	tree, err := normalize.ParseJSON(text)
	if err != nil {
		return nil
	}
	members, _ := tree.(map[string]any)
	return members
}

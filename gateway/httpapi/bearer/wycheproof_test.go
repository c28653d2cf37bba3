package bearer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// vectors is a file of Project Wycheproof, in which somebody has written down what
// verifiers got wrong.
type vectors struct {
	TestGroups []struct {
		Comment         string
		Public, Private json.RawMessage // a key, or a set of keys
		Tests           []struct {
			ID      int `json:"tcId"`
			Comment string
			JWS     json.RawMessage // a text in compact form; else the JSON serialization
			Result  string
			Flags   []string
		}
	}
}

// TestWycheproof: 7. The payloads of the vectors are no claims, so they are put to what
// stands before the claims. None that is invalid is accepted; of the valid ones, those
// are not that are signed by a shared secret, or of nothing, or by a key that says it is
// for another algorithm or for one that is none.
func TestWycheproof(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("MUSTER_SUITES")
	if dir == "" {
		dir = filepath.Join("..", "shared", "suites")
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join("..", "..", "..", dir) // from the root of the checkout
	}
	type counts struct{ Accepted, Refused, RefusedThoughValid int }
	for name, want := range map[string]counts{
		"json_web_signature_test.json": {26, 355, 20},
		"json_web_key_test.json":       {1, 21, 4},
		"json_web_crypto_test.json":    {2, 45, 2},
	} {
		content, err := os.ReadFile(filepath.Join(dir, "wycheproof", "testvectors_v1", name))
		if os.IsNotExist(err) {
			t.Skip("NOT TESTED against Wycheproof: it is not there. Set MUSTER_SUITES to the folder that holds it.")
		}
		var file vectors
		if err := json.Unmarshal(content, &file); err != nil {
			t.Fatal(err)
		}
		var got counts
		for _, group := range file.TestGroups {
			set := keysOf(t, group.Public, group.Private)
			for _, test := range group.Tests {
				if test.JWS == nil { // encryption
					continue
				}
				token := string(test.JWS)
				_ = json.Unmarshal(test.JWS, &token)
				refusal := verifySignature(t, set, token)
				switch {
				case refusal == nil && test.Result == "valid":
					got.Accepted++
				case refusal != nil && test.Result == "valid":
					got.RefusedThoughValid++
				case refusal != nil:
					got.Refused++
				default:
					t.Errorf("%s %d, %s %q %v: accepted, and is %s", name, test.ID, group.Comment, test.Comment, test.Flags, test.Result)
				}
			}
		}
		if !cmp.Equal(got, want) {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}

// keysOf reads a group's keys as an issuer would publish them.
func keysOf(t *testing.T, public, private json.RawMessage) *keySet {
	t.Helper()
	text := public
	if text == nil {
		text = private
	}
	var many struct{ Keys []map[string]any }
	var one map[string]any
	if err := json.Unmarshal(text, &many); err != nil {
		t.Fatal(err)
	}
	if many.Keys == nil {
		if err := json.Unmarshal(text, &one); err != nil {
			t.Fatal(err)
		}
		many.Keys = []map[string]any{one}
	}
	for _, key := range many.Keys {
		for _, secret := range []string{"d", "p", "q", "dp", "dq", "qi"} {
			delete(key, secret)
		}
	}
	text, err := json.Marshal(map[string]any{"keys": many.Keys})
	if err != nil {
		t.Fatal(err)
	}
	set, err := parseKeys(text)
	if err != nil {
		return &keySet{} // no key that may verify
	}
	return set
}

// verifySignature makes the checks that do not need claims.
func verifySignature(t *testing.T, set *keySet, token string) *Refusal {
	t.Helper()
	c, refusal := parse(token, time.Now())
	if refusal != nil {
		return refusal
	}
	c.issuer = &issuer{keys: &source{counted: time.Now()}}
	c.issuer.keys.set.Store(set)
	for _, check := range new(Verifier).checks() {
		if slices.Contains([]string{"algorithm", "extensions", "key", "signature"}, check.name) {
			if refusal := check.test(t.Context(), c); refusal != nil {
				return refusal
			}
		}
	}
	return nil
}

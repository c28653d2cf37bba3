package bearer

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	_ "crypto/sha512" // of the 384 and 512 algorithms
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// algorithms are those whose verifying key need not be secret. A shared secret
// would be one that every verifier could sign with.
func algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
		jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
	}
}

// key is a public key that may verify signatures.
type key struct {
	id     string // its kid, "" where it has none
	alg    string // the one algorithm it says it is for, "" where it does not say
	public crypto.PublicKey
}

// keySet is a JWK Set (RFC 7517) less the keys that may not verify. It is immutable.
type keySet struct {
	keys   []*key
	digest [sha256.Size]byte // of the document
}

const (
	// maxKeys is how many keys a set may have: a token that names no key is tried
	// with each that fits.
	maxKeys    = 64
	minRSABits = 2048
	maxRSABits = 8192 // a longer one costs milliseconds a token
)

var (
	errNoSet   = errors.New("the key set is not a JSON object with `keys`")
	errNoKey   = errors.New("the key set has no key that may verify a signature")
	errTooMany = errors.New("the key set has more than 64 keys")
)

// parseKeys reads a JWK Set. Keys that are unknown, weak, for something else or
// private are left out; where none is left, that is an error.
func parseKeys(document []byte) (*keySet, error) {
	list, ok := object(document)["keys"].([]any)
	if !ok {
		return nil, errNoSet
	}
	if len(list) > maxKeys {
		return nil, errTooMany
	}
	set := &keySet{digest: sha256.Sum256(document)}
	for _, item := range list {
		if k := parseKey(item); k != nil {
			set.keys = append(set.keys, k)
		}
	}
	if set.keys == nil {
		return nil, errNoKey
	}
	return set, nil
}

// parseKey is nil for a key that may not verify.
func parseKey(item any) *key {
	members, _ := item.(map[string]any)
	id, ok1 := optional(members, "kid")
	alg, ok2 := optional(members, "alg")
	use, ok3 := optional(members, "use")
	if !ok1 || !ok2 || !ok3 || use != "" && use != "sig" || !mayVerify(members) {
		return nil
	}
	if _, private := members["d"]; private {
		return nil // whoever has read it can sign with it
	}
	// Certificates and addresses of a key are not read: what they add is trust in
	// somebody else.
	plain := map[string]any{}
	for _, name := range []string{"kty", "crv", "n", "e", "x", "y"} {
		if value, ok := members[name]; ok {
			plain[name] = value
		}
	}
	text, err := json.Marshal(plain)
	if err != nil {
		return nil
	}
	var parsed jose.JSONWebKey
	if parsed.UnmarshalJSON(text) != nil || !strong(parsed.Key) {
		return nil
	}
	return &key{id: id, alg: alg, public: parsed.Key}
}

// optional is a member that is a text or not there; ok is false when it is neither.
func optional(members map[string]any, name string) (text string, ok bool) {
	value, there := members[name]
	if !there {
		return "", true
	}
	text, ok = value.(string)
	return text, ok && text != ""
}

func mayVerify(members map[string]any) bool {
	operations, there := members["key_ops"]
	if !there {
		return true
	}
	list, _ := operations.([]any)
	return slices.Contains(list, any("verify"))
}

// strong tells whether a key is public and worth something.
func strong(public any) bool {
	switch k := public.(type) {
	case *rsa.PublicKey:
		bits := k.N.BitLen()
		return bits >= minRSABits && bits <= maxRSABits && k.E >= 3 && k.E%2 == 1 && !roca(k.N)
	case *ecdsa.PublicKey:
		return slices.Contains([]elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()}, k.Curve)
	case ed25519.PublicKey:
		return len(k) == ed25519.PublicKeySize
	default:
		return false
	}
}

// roca tells whether an RSA modulus is of the kind that can be factored
// (CVE-2017-15361): of every small prime it leaves a power of 65537.
func roca(n *big.Int) bool {
	for _, p := range []int64{3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167} {
		rest, power := new(big.Int).Mod(n, big.NewInt(p)).Int64(), int64(1)
		for ; power != rest; power = power * 65537 % p {
			if power*65537%p == 1 { // all have been seen
				return false
			}
		}
	}
	return true
}

// fits tells whether a key may verify what is signed by an algorithm: ES256 is the
// curve as well as the hash (RFC 7518, 3.4).
func (k *key) fits(alg string) bool {
	if k.alg != "" && k.alg != alg {
		return false
	}
	switch public := k.public.(type) {
	case *rsa.PublicKey:
		return strings.HasPrefix(alg, "RS") || strings.HasPrefix(alg, "PS")
	case *ecdsa.PublicKey:
		return map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}[alg] == public.Curve
	case ed25519.PublicKey:
		return alg == "EdDSA"
	default:
		return false
	}
}

// choose finds the keys that may verify a token: the one that it names, or all that
// fit where it names none. Two keys of one name are none.
func (s *keySet) choose(alg, id string) []*key {
	var chosen []*key
	for _, k := range s.keys {
		if k.fits(alg) && (id == "" || k.id == id) {
			chosen = append(chosen, k)
		}
	}
	if id != "" && len(chosen) > 1 {
		return nil
	}
	return chosen
}

var errSignature = errors.New("no key verifies the signature")

// chosen are the keys that may verify a token.
type chosen []*key

// VerifySignature returns what is signed, if one of the keys has signed it.
func (keys chosen) VerifySignature(_ context.Context, token string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(token, algorithms())
	if err != nil {
		return nil, errSignature
	}
	for _, k := range keys {
		payload, err := jws.Verify(k.public)
		if err == nil && exactSalt(k.public, jws.Signatures[0].Header.Algorithm, token) {
			return payload, nil
		}
	}
	return nil, errSignature
}

// exactSalt holds a PS signature to a salt as long as the hash (RFC 7518, 3.5), which
// go-jose leaves open. Signatures of other algorithms have none.
func exactSalt(public crypto.PublicKey, alg, token string) bool {
	hash, pss := map[string]crypto.Hash{"PS256": crypto.SHA256, "PS384": crypto.SHA384, "PS512": crypto.SHA512}[alg]
	if !pss {
		return true
	}
	end := strings.LastIndexByte(token, '.')
	signature, err := base64.RawURLEncoding.DecodeString(token[end+1:])
	modulus, ok := public.(*rsa.PublicKey)
	if err != nil || !ok {
		return false
	}
	digest := hash.New()
	digest.Write([]byte(token[:end]))
	return rsa.VerifyPSS(modulus, hash, digest.Sum(nil), signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
}

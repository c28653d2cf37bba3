package adapters

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// algorithms are those that an assertion may be signed with. All have a public key
// that the token endpoint verifies by: a shared secret is sent, and signs nothing.
func algorithms() []string {
	return []string{string(jose.RS256), string(jose.PS256), string(jose.ES256), string(jose.EdDSA)}
}

// minRSABits is the least that RFC 7518, 3.3 and 3.5 allow.
const minRSABits = 2048

// signingKey is a private key that assertions are signed with.
type signingKey struct {
	private   crypto.Signer
	kind      string   // as people call it
	able      []string // the algorithms it is made for, its own first
	id        string   // the JWK's kid
	said      string   // the JWK's alg
	algorithm jose.SignatureAlgorithm
}

const keyForms = "PEM of a private key (PKCS#8, PKCS#1 or SEC 1), or a JWK"

func unfitKey(hint, why string, args ...any) *UnfitKey {
	return &UnfitKey{Why: fmt.Sprintf(why, args...), Hint: hint}
}

func publicAlone() *UnfitKey {
	return unfitKey("an assertion is signed with the private key that belongs to it", "holds a public key alone")
}

func encrypted() *UnfitKey {
	return unfitKey("nobody is there to type a passphrase: write it without one, `openssl pkey -in FILE -out FILE`", "holds a private key that is encrypted")
}

func broken() *UnfitKey { return unfitKey(keyForms, "holds a private key that cannot be read") }

// readKey reads a private key in PEM or as a JWK. No error of a parser is told: it
// may repeat what it has read.
func readKey(text string) (*signingKey, *UnfitKey) {
	switch {
	case strings.Contains(text, "-----BEGIN "):
		return readPEM(text)
	case strings.HasPrefix(strings.TrimSpace(text), "{"):
		return readJWK(strings.TrimSpace(text))
	default:
		return nil, unfitKey(keyForms, "holds no private key")
	}
}

func readPEM(text string) (*signingKey, *UnfitKey) {
	var private *pem.Block
	public, blocks := false, 0
	for rest := []byte(text); ; blocks++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		switch {
		case block.Type == "CERTIFICATE", strings.HasSuffix(block.Type, "PUBLIC KEY"):
			public = true
		case !strings.HasSuffix(block.Type, "PRIVATE KEY"): // such as EC PARAMETERS
		case private != nil:
			return nil, unfitKey("leave the one that signs", "holds several private keys")
		default:
			private = block
		}
	}
	switch {
	case private == nil && blocks == 0 && strings.Contains(text, `\n`):
		return nil, unfitKey("write line ends as such, as in the file that it came in", `holds PEM whose line ends are written \n`)
	case private == nil && blocks == 0:
		return nil, unfitKey(keyForms, "holds PEM that is broken")
	case private == nil && public:
		return nil, publicAlone()
	case private == nil:
		return nil, unfitKey(keyForms, "holds no private key")
	}
	var key any
	err := error(nil)
	switch {
	case private.Type == "ENCRYPTED PRIVATE KEY", strings.Contains(private.Headers["Proc-Type"], "ENCRYPTED"):
		return nil, encrypted()
	case private.Type == "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(private.Bytes)
	case private.Type == "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(private.Bytes)
	case private.Type == "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(private.Bytes)
	case private.Type == "OPENSSH PRIVATE KEY":
		return nil, unfitKey("write it in PKCS#8: `ssh-keygen -p -m PKCS8 -N '' -f FILE`", "holds a private key in OpenSSH's own form")
	default:
		return nil, unfitKey(keyForms, "holds a private key of another form")
	}
	if err != nil {
		return nil, broken()
	}
	return classify(key)
}

func readJWK(text string) (*signingKey, *UnfitKey) {
	var outline struct {
		Type *string           `json:"kty"`
		Keys []json.RawMessage `json:"keys"`
	}
	err := json.Unmarshal([]byte(text), &outline)
	switch {
	case err != nil:
		return nil, unfitKey(keyForms, "holds JSON that is broken")
	case outline.Keys != nil:
		return nil, unfitKey("write the one key of it that signs", "holds a set of keys")
	case outline.Type == nil:
		return nil, unfitKey("where a member of it is the key in PEM, write that text alone, for example `jq -r .private_key FILE`", "holds JSON that is no JWK")
	case *outline.Type == "oct":
		return nil, unfitKey("an assertion is signed with a private key; a shared secret is a client_secret", "holds a shared secret")
	}
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON([]byte(text)); err != nil {
		return nil, broken()
	}
	if jwk.IsPublic() {
		return nil, publicAlone()
	}
	key, unfit := classify(jwk.Key)
	if unfit == nil {
		key.id, key.said = jwk.KeyID, jwk.Algorithm
	}
	return key, unfit
}

// classify says what a private key is good for.
func classify(private any) (*signingKey, *UnfitKey) {
	switch private := private.(type) {
	case *rsa.PrivateKey:
		if bits := private.N.BitLen(); bits < minRSABits {
			return nil, unfitKey(fmt.Sprintf("%d bits are the least", minRSABits), "holds an RSA key of %d bits, which is too weak", bits)
		}
		return &signingKey{private: private, kind: "an RSA key", able: []string{string(jose.RS256), string(jose.PS256)}}, nil
	case *ecdsa.PrivateKey:
		if private.Curve != elliptic.P256() {
			return nil, unfitKey("ES256 wants one on the curve P-256", "holds a key on the curve %s", private.Curve.Params().Name)
		}
		return &signingKey{private: private, kind: "a key on the curve P-256", able: []string{string(jose.ES256)}}, nil
	case ed25519.PrivateKey:
		return &signingKey{private: private, kind: "an Ed25519 key", able: []string{string(jose.EdDSA)}}, nil
	default:
		return nil, unfitKey("an RSA key, one on the curve P-256, or an Ed25519 key would do", "holds a private key that does not sign")
	}
}

// choose settles the algorithm: the one that is asked for, or the key's own.
func (k *signingKey) choose(asked string) *UnfitKey {
	switch {
	case asked != "" && !slices.Contains(k.able, asked):
		return unfitKey("leave `algorithm` out, or write "+strings.Join(k.able, " or "), "holds %s, which does not sign with %s", k.kind, asked)
	case asked == "" && slices.Contains(k.able, k.said):
		asked = k.said
	case asked == "":
		asked = k.able[0]
	}
	k.algorithm = jose.SignatureAlgorithm(asked)
	return nil
}

// signs tells whether what the key signs, its own public part verifies: the parts
// of a JWK are written one by one.
func (k *signingKey) signs(signer jose.Signer) bool {
	object, err := signer.Sign(nil)
	if err != nil {
		return false
	}
	_, err = object.Verify(k.private.Public())
	return err == nil
}

// thumbprint is x5t#S256 of the key's certificate (RFC 7515, 4.1.8).
func (k *signingKey) thumbprint(text string) (string, *UnfitKey) {
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return "", unfitKey("the certificate of the key, in PEM", "holds no certificate")
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return "", unfitKey("the certificate of the key, in PEM", "holds a certificate that cannot be read")
		}
		public, ok := k.private.Public().(interface{ Equal(crypto.PublicKey) bool })
		if !ok || !public.Equal(certificate.PublicKey) { // the first is the key's own; the others are those above it
			return "", unfitKey("write the one that was made for this key, before any others", "holds a certificate of another key")
		}
		sum := sha256.Sum256(certificate.Raw)
		return base64.RawURLEncoding.EncodeToString(sum[:]), nil
	}
}

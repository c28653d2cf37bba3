package bearer_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"go.uber.org/goleak"

	"muster/gateway/httpapi/bearer"
	"muster/normalize"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const issuerName = "https://login.example.com/"

// claims are a token's, or what a test changes of them; nil takes one away.
type claims map[string]any

// idp is an issuer without a network: a transport that answers.
type idp struct {
	mu      sync.Mutex
	answers map[string]func() (*http.Response, error) // by address
	asked   map[string]int
	keySet  []byte
}

const (
	discoveryAt = issuerName + ".well-known/openid-configuration"
	keysAt      = issuerName + "keys"
)

func newIDP(keys ...any) *idp {
	i := &idp{asked: map[string]int{}, answers: map[string]func() (*http.Response, error){}}
	i.publish(keys...)
	i.answers[discoveryAt] = func() (*http.Response, error) {
		return answer(200, "application/json", `{"issuer": "`+issuerName+`", "jwks_uri": "`+keysAt+`"}`)
	}
	i.answers[keysAt] = i.keys
	return i
}

func (i *idp) keys() (*http.Response, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return answer(200, "application/json", string(i.keySet))
}

func answer(status int, mediaType, body string) (*http.Response, error) {
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {mediaType}}, Body: io.NopCloser(bytes.NewReader([]byte(body)))}, nil
}

// publish replaces the key set: jwk values, or whatever else is meant to stand there.
func (i *idp) publish(keys ...any) {
	if keys == nil {
		keys = []any{}
	}
	text, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		panic(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keySet = text
}

func (i *idp) tell(address string, f func() (*http.Response, error)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answers[address] = f
}

func (i *idp) times(address string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked[address]
}

func (i *idp) RoundTrip(r *http.Request) (*http.Response, error) {
	address := r.URL.String()
	i.mu.Lock()
	i.asked[address]++
	f, known := i.answers[address]
	i.mu.Unlock()
	if known && f == nil { // it does not answer; a transport gives up when its request does
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	if f == nil {
		f = func() (*http.Response, error) { return answer(404, "text/plain", "no") }
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	response, err := f()
	if err == nil && r.Context().Err() != nil { // as a connection would notice
		return nil, r.Context().Err()
	}
	return response, err
}

// signingKey is a key of an issuer's.
type signingKey struct {
	id      string
	alg     jose.SignatureAlgorithm
	private crypto.Signer
}

func (k signingKey) jwk(changes claims) map[string]any {
	text, err := jose.JSONWebKey{Key: k.private.Public(), KeyID: k.id, Algorithm: string(k.alg), Use: "sig"}.MarshalJSON()
	if err != nil {
		panic(err)
	}
	var members map[string]any
	if err := json.Unmarshal(text, &members); err != nil {
		panic(err)
	}
	return changed(members, changes)
}

func changed(members map[string]any, changes claims) map[string]any {
	members = maps.Clone(members)
	for name, value := range changes {
		if members[name] = value; value == nil {
			delete(members, name)
		}
	}
	return members
}

// sign signs whatever text is given for a header and a payload.
func (k signingKey) sign(t testing.TB, header, payload string) string {
	t.Helper()
	signed := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	return signed + "." + base64.RawURLEncoding.EncodeToString(k.signature(t, signed, rsa.PSSSaltLengthEqualsHash))
}

func (k signingKey) signature(t testing.TB, signed string, salt int) []byte {
	t.Helper()
	hash := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[string(k.alg[2:])]
	digest := []byte(signed)
	if hash != 0 {
		h := hash.New()
		h.Write(digest)
		digest = h.Sum(nil)
	}
	var signature []byte
	var err error
	switch private := k.private.(type) {
	case *rsa.PrivateKey:
		if k.alg[0] == 'P' {
			signature, err = rsa.SignPSS(rand.Reader, private, hash, digest, &rsa.PSSOptions{SaltLength: salt})
		} else {
			signature, err = rsa.SignPKCS1v15(nil, private, hash, digest)
		}
	case *ecdsa.PrivateKey:
		r, s, failed := ecdsa.Sign(rand.Reader, private, digest)
		size := (private.Curve.Params().BitSize + 7) / 8
		if err = failed; err == nil {
			signature = append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
		}
	case ed25519.PrivateKey:
		signature = ed25519.Sign(private, digest)
	}
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

// keyring are keys of every algorithm; making RSA keys is slow, so they are made once.
type keyring struct {
	rs, ps, es, ed  signingKey
	other, stranger signingKey // of the name of es
	weak            *rsa.PrivateKey
}

var ring = sync.OnceValue(func() keyring {
	rsaKey := func(bits int) *rsa.PrivateKey {
		k, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			panic(err)
		}
		return k
	}
	ecKey := func(curve elliptic.Curve) *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			panic(err)
		}
		return k
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		panic(err)
	}
	return keyring{
		rs: signingKey{"rs", jose.RS256, rsaKey(2048)}, ps: signingKey{"ps", jose.PS256, rsaKey(2048)},
		es: signingKey{"es", jose.ES256, ecKey(elliptic.P256())}, ed: signingKey{"ed", jose.EdDSA, ed},
		other: signingKey{"es", jose.ES256, ecKey(elliptic.P256())}, stranger: signingKey{"es", jose.ES256, ecKey(elliptic.P256())}, weak: weak,
	}
})

func (r keyring) all() []any {
	return []any{r.rs.jwk(nil), r.ps.jwk(nil), r.es.jwk(nil), r.ed.jwk(nil)}
}

func goodClaims(now time.Time) claims {
	return claims{
		"iss": issuerName, "aud": "muster", "sub": "jane-subject", "client_id": "portal", "jti": "j1",
		"iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "scope": "profile.basic profile.roles", "org": "acme", "email": "jane@acme.example",
	}
}

// token is a good one, but for the changes.
func (k signingKey) token(t testing.TB, header, changes claims) string {
	t.Helper()
	return k.sign(t, text(t, changed(claims{"alg": string(k.alg), "typ": "at+jwt", "kid": k.id}, header)), text(t, changed(goodClaims(time.Now()), changes)))
}

func text(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func path(text string) *normalize.Path {
	p, err := normalize.ParsePath(text)
	if err != nil {
		panic(err)
	}
	return &p
}

func issuer() bearer.Issuer {
	return bearer.Issuer{
		Name: issuerName, Audiences: []string{"muster"}, Clients: []string{"portal"}, Types: []string{"at+jwt"}, Leeway: 30 * time.Second,
		Claims: bearer.Claims{Subject: path("sub"), Tenant: path("org"), Scopes: path("scope"), User: map[string]*normalize.Path{"email": path("email")}},
	}
}

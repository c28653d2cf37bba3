package adapters_test

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"muster/adapters"
)

// Keys of tests are made once, and in no file.
var (
	rsaKey = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	ecKey  = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	edKey  = sync.OnceValue(func() ed25519.PrivateKey { return ed25519.NewKeyFromSeed([]byte("a seed of a test, 32 bytes of it")) })
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func inPEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func pkcs8(key any) string { return inPEM("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key))) }

func pkcs1(key *rsa.PrivateKey) string {
	return inPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
}

func sec1(key *ecdsa.PrivateKey) string {
	return inPEM("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(key)))
}

func publicPEM(key crypto.Signer) string {
	return inPEM("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(key.Public())))
}

func certificate(key crypto.Signer) string {
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	return inPEM("CERTIFICATE", must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)))
}

// asJWK writes a key member by member (RFC 7518, 6), with others beside them.
func asJWK(key any, others string) string {
	b := func(bytes []byte) string { return base64.RawURLEncoding.EncodeToString(bytes) }
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return fmt.Sprintf(`{"kty":"RSA","n":%q,"e":"AQAB","d":%q,"p":%q,"q":%q%s}`, b(key.N.Bytes()), b(key.D.Bytes()), b(key.Primes[0].Bytes()), b(key.Primes[1].Bytes()), others)
	case *ecdsa.PrivateKey:
		point := must(key.PublicKey.Bytes())
		return fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":%q,"y":%q,"d":%q%s}`, b(point[1:33]), b(point[33:]), b(must(key.Bytes())), others)
	case ed25519.PrivateKey:
		return fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","x":%q,"d":%q%s}`, b(key[32:]), b(key.Seed()), others)
	}
	panic("no key")
}

// verifier is a token endpoint that gives a token for an assertion which is signed
// with a key, is valid now, is for it and has never come before. It verifies with
// the standard library alone.
type verifier struct {
	public    crypto.PublicKey
	algorithm string
	audience  string
	parameter string // that has the assertion

	mu      sync.Mutex
	forms   []url.Values
	headers []map[string]any
	claims  []map[string]any
	seen    map[any]bool
	refused []string
}

func (v *verifier) token(r *http.Request) (*http.Response, error) {
	body, _ := r.GetBody()
	content, err := readAll(body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(content)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	header, claims, err := v.verify(form.Get(v.parameter))
	form.Set(v.parameter, "the assertion")
	v.forms, v.headers, v.claims = append(v.forms, form), append(v.headers, header), append(v.claims, claims)
	if err != nil {
		v.refused = append(v.refused, err.Error())
		return response(r, 400, `{"error": "invalid_grant"}`), nil
	}
	return response(r, 200, fmt.Sprintf(`{"access_token": "t-%d", "expires_in": 3600}`, len(v.forms))), nil
}

func (v *verifier) verify(assertion string) (header, claims map[string]any, err error) {
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		return nil, nil, errors.New("no JWT")
	}
	var raw [3][]byte
	for i, part := range parts {
		if raw[i], err = base64.RawURLEncoding.DecodeString(part); err != nil {
			return nil, nil, errors.New("not base64url")
		}
	}
	if err := errors.Join(json.Unmarshal(raw[0], &header), json.Unmarshal(raw[1], &claims)); err != nil {
		return nil, nil, err
	}
	if header["alg"] != v.algorithm {
		return header, claims, fmt.Errorf("signed with %v", header["alg"])
	}
	signed := []byte(parts[0] + "." + parts[1])
	digest := sha256.Sum256(signed)
	good := false
	switch public := v.public.(type) {
	case *rsa.PublicKey:
		if v.algorithm == "PS256" {
			good = rsa.VerifyPSS(public, crypto.SHA256, digest[:], raw[2], &rsa.PSSOptions{SaltLength: 32}) == nil
		} else {
			good = rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], raw[2]) == nil
		}
	case *ecdsa.PublicKey:
		good = len(raw[2]) == 64 && ecdsa.Verify(public, digest[:], new(big.Int).SetBytes(raw[2][:32]), new(big.Int).SetBytes(raw[2][32:]))
	case ed25519.PublicKey:
		good = ed25519.Verify(public, signed, raw[2])
	}
	now := float64(time.Now().Unix())
	issued, _ := claims["iat"].(float64)
	expires, _ := claims["exp"].(float64)
	id, _ := claims["jti"].(string)
	switch {
	case !good:
		return header, claims, errors.New("another key's signature")
	case claims["aud"] != v.audience:
		return header, claims, errors.New("for another audience")
	case issued > now || expires <= now || expires-issued > 3600:
		return header, claims, errors.New("not valid now")
	case len(id) < 22 || v.seen[id]:
		return header, claims, errors.New("replayed")
	}
	if v.seen == nil {
		v.seen = map[any]bool{}
	}
	v.seen[id] = true
	return header, claims, nil
}

const (
	tokenURL     = "https://login.example/token"
	typeOfJWT    = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	grantOfJWT   = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	withSettings = "settings: {host: {format: host, required: true}, token: {format: secret}, cert: {}, kid: {}, sub: {}}\n"
)

// proof is a client that proves itself by an assertion; bearer is an assertion that
// is the grant.
func proof(keys string) string {
	return withSettings + `auth: {client_credentials: {token_url: "` + tokenURL + `", client_id: muster, assertion: {key: "{settings.token}"` + keys + `}}}`
}

func bearer(keys string) string {
	return withSettings + `auth: {jwt_bearer: {token_url: "` + tokenURL + `", assertion: {key: "{settings.token}", claims: {iss: robot@acme.example, sub: "{settings.sub}"}` + keys + `}}}`
}

// Every form of key signs with its algorithms, as a client's proof and as a grant.
func TestAssertions(t *testing.T) {
	chained := sec1(ecKey())
	for _, test := range []struct {
		name, key, keys string
		public          crypto.PublicKey
		algorithm       string
		header          map[string]any // beside alg and typ
	}{
		{"PKCS#8", pkcs8(rsaKey()), ``, rsaKey().Public(), "RS256", nil},
		{"PKCS#1", pkcs1(rsaKey()), `, algorithm: RS256`, rsaKey().Public(), "RS256", nil},
		{"PSS", pkcs8(rsaKey()), `, algorithm: PS256`, rsaKey().Public(), "PS256", nil},
		{"a JWK", asJWK(rsaKey(), `,"kid":"k1"`), ``, rsaKey().Public(), "RS256", map[string]any{"kid": "k1"}},
		{"a JWK that says how", asJWK(rsaKey(), `,"alg":"PS256"`), ``, rsaKey().Public(), "PS256", nil},
		{"a JWK, overruled", asJWK(rsaKey(), `,"alg":"PS256","kid":"k1"`), `, algorithm: RS256, key_id: "{settings.kid}"`, rsaKey().Public(), "RS256", map[string]any{"kid": "of the settings"}},
		{"a JWK for something else", asJWK(rsaKey(), `,"alg":"RSA-OAEP"`), ``, rsaKey().Public(), "RS256", nil},
		{"on a curve", pkcs8(ecKey()), ``, ecKey().Public(), "ES256", nil},
		{"SEC 1, as openssl writes it", "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" + chained, ``, ecKey().Public(), "ES256", nil},
		{"SEC 1, with line ends of another system", strings.ReplaceAll(chained, "\n", "\r\n"), ``, ecKey().Public(), "ES256", nil},
		{"SEC 1, without the last line end", strings.TrimRight(chained, "\n"), ``, ecKey().Public(), "ES256", nil},
		{"a JWK on a curve", "\n " + asJWK(ecKey(), ""), `, algorithm: ES256`, ecKey().Public(), "ES256", nil},
		{"Ed25519", pkcs8(edKey()), `, algorithm: EdDSA`, edKey().Public(), "EdDSA", nil},
		{"a JWK of Ed25519", asJWK(edKey(), ""), ``, edKey().Public(), "EdDSA", nil},
		{"a key with its certificate", certificate(ecKey()) + chained, `, key_id: fixed`, ecKey().Public(), "ES256", map[string]any{"kid": "fixed"}},
	} {
		for _, way := range []string{"a client's proof", "a grant"} {
			t.Run(test.name+"/"+way, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					now := float64(time.Now().Unix())
					v := &verifier{public: test.public, algorithm: test.algorithm, audience: tokenURL}
					keys, claims := proof(test.keys), map[string]any{"iss": "muster", "sub": "muster"}
					form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"muster"}, "client_assertion_type": {typeOfJWT}, "client_assertion": {"the assertion"}}
					v.parameter = "client_assertion"
					if way == "a grant" {
						keys, claims = bearer(test.keys), map[string]any{"iss": "robot@acme.example", "sub": "admin@acme.example"}
						form = url.Values{"grant_type": {grantOfJWT}, "assertion": {"the assertion"}}
						v.parameter = "assertion"
					}
					w := upstream(v.token, shows)
					d := define(t, keys)
					pairs := []string{"token", test.key, "kid", "of the settings", "sub", "admin@acme.example"}
					reply, err := bind(d, w, pairs...).Fetch(t.Context(), somebody())
					expect(t, "outcome", outcome(reply, err), "ok self=1 name=Bearer t-1")
					expect(t, "refusals", v.refused, []string(nil))
					expect(t, "forms", v.forms, []url.Values{form})
					header := map[string]any{"alg": test.algorithm, "typ": "JWT"}
					maps.Copy(header, test.header)
					expect(t, "header", v.headers[0], header)
					delete(v.claims[0], "jti") // which the verifier looks at
					maps.Copy(claims, map[string]any{"aud": tokenURL, "iat": now, "exp": now + 300})
					expect(t, "claims", v.claims[0], claims)
					expect(t, "authorization of the token request", w.requests()[0].Header.Get("Authorization"), "")
					if unfit := d.CheckKey(settings(pairs...)); unfit != nil {
						t.Errorf("%v", unfit)
					}
				})
			})
		}
	}
}

// What a definition may say of an assertion, as it is sent.
func TestAssertionsAsDefined(t *testing.T) {
	thumbprint := func(text string) string {
		block, _ := pem.Decode([]byte(text))
		sum := sha256.Sum256(block.Bytes)
		return base64.RawURLEncoding.EncodeToString(sum[:])
	}
	cert := certificate(rsaKey())
	key := `key: "{settings.token}"`
	for _, test := range []struct {
		name, auth string
		parameter  string
		audience   any
		form       url.Values
		header     map[string]any
		claims     map[string]any
		lifetime   float64
	}{
		{
			"a certificate", `client_credentials: {token_url: "https://login.example/{settings.sub}/token?v=2", client_id: app, scopes: [a, b], assertion: {` + key + `, algorithm: PS256, certificate: "{settings.cert}", lifetime: 10m}}`,
			"client_assertion", "https://login.example/tenant/token?v=2",
			url.Values{"grant_type": {"client_credentials"}, "client_id": {"app"}, "client_assertion_type": {typeOfJWT}, "scope": {"a b"}},
			map[string]any{"alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint(cert)},
			map[string]any{"iss": "app", "sub": "app"},
			600,
		},
		{
			"a password", `password: {token_url: "` + tokenURL + `", client_id: app, username: u, password: p, assertion: {` + key + `, lifetime: 1s}}`,
			"client_assertion", tokenURL,
			url.Values{"grant_type": {"password"}, "client_id": {"app"}, "client_assertion_type": {typeOfJWT}, "username": {"u"}, "password": {"p"}},
			map[string]any{"alg": "RS256", "typ": "JWT"},
			map[string]any{"iss": "app", "sub": "app"},
			1,
		},
		{
			"claims of all kinds", `jwt_bearer: {token_url: "` + tokenURL + `", client_id: app, client_secret: s, style: post, params: {tenant: t}, assertion: {` + key + `, lifetime: 1h, key_id: "{settings.kid}", claims: {sub: "{settings.sub}", aud: "https://aud.example", box_sub_type: enterprise, "https://acme.example/n": [1, true, {a: "x{settings.sub}"}]}}}`,
			"assertion", "https://aud.example",
			url.Values{"grant_type": {grantOfJWT}, "client_id": {"app"}, "client_secret": {"s"}, "tenant": {"t"}},
			map[string]any{"alg": "RS256", "typ": "JWT"}, // the key_id has no value
			map[string]any{"iss": "app", "sub": "tenant", "box_sub_type": "enterprise", "https://acme.example/n": []any{1.0, true, map[string]any{"a": "xtenant"}}},
			3600,
		},
		{
			"no subject", `jwt_bearer: {token_url: "` + tokenURL + `", assertion: {` + key + `, claims: {iss: robot}}}`,
			"assertion", tokenURL,
			url.Values{"grant_type": {grantOfJWT}},
			map[string]any{"alg": "RS256", "typ": "JWT"},
			map[string]any{"iss": "robot"},
			300,
		},
		{
			"an exchange", `exchange: {token_url: "` + tokenURL + `", client_id: app, assertion: {` + key + `}}`,
			"client_assertion", tokenURL,
			url.Values{"grant_type": {grantOfExchange}, "client_id": {"app"}, "client_assertion_type": {typeOfJWT}, "subject_token": {"jane's"}, "subject_token_type": {typeOfToken + "access_token"}},
			map[string]any{"alg": "RS256", "typ": "JWT"},
			map[string]any{"iss": "app", "sub": "app"},
			300,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				now := float64(time.Now().Unix())
				audience, _ := test.audience.(string)
				v := &verifier{public: rsaKey().Public(), algorithm: test.header["alg"].(string), audience: audience, parameter: test.parameter}
				d := define(t, withSettings+"auth: {"+test.auth+"}")
				source := bind(d, upstream(v.token, shows), "token", pkcs8(rsaKey()), "cert", cert, "sub", "tenant")
				reply, err := source.Fetch(t.Context(), askedBy(jane(with("jane", "jane's"))))
				expect(t, "outcome", outcome(reply, err), "ok self=1 name=Bearer t-1")
				expect(t, "refusals", v.refused, []string(nil))
				test.form.Set(test.parameter, "the assertion")
				expect(t, "forms", v.forms, []url.Values{test.form})
				expect(t, "header", v.headers[0], test.header)
				delete(v.claims[0], "jti")
				maps.Copy(test.claims, map[string]any{"aud": test.audience, "iat": now, "exp": now + test.lifetime})
				expect(t, "claims", v.claims[0], test.claims)
				expect(t, "its settings are used", []bool{d.UsesSetting("token"), d.UsesSetting("cert")}, []bool{true, strings.Contains(test.auth, "settings.cert")})
			})
		})
	}
}

// A token endpoint that does not believe an assertion is one that refuses us.
func TestAssertionsRefused(t *testing.T) {
	const refused = "unauthenticated: the token endpoint refused"
	for _, test := range []struct{ name, keys, key, told string }{
		{"another key", "", pkcs8(must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))), "another key's signature"},
		{"another algorithm", "", pkcs8(rsaKey()), "signed with RS256"},
		{"another audience", `, claims: {aud: "https://other.example"}`, pkcs8(ecKey()), "for another audience"},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := &verifier{public: ecKey().Public(), algorithm: "ES256", audience: tokenURL, parameter: "client_assertion"}
			w := upstream(v.token, shows)
			_, err := bind(define(t, proof(test.keys)), w, "token", test.key).Fetch(t.Context(), somebody())
			expect(t, "fault", adapters.FaultOf(err).Error(), refused)
			expect(t, "told", v.refused, []string{test.told})
			expect(t, "requests", w.lines(), []string{"POST " + tokenURL})
		})
	}
}

// A token is kept as any other, and each request for one has an assertion of its
// own, valid from then on: the verifier takes none twice.
func TestEachTokenRequestHasItsAssertion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &verifier{public: ecKey().Public(), algorithm: "ES256", audience: tokenURL, parameter: "assertion"}
		revoked := ""
		w := upstream(func(r *http.Request) (*http.Response, error) { time.Sleep(time.Second); return v.token(r) }, func(r *http.Request) (*http.Response, error) {
			if r.Header.Get("Authorization") == revoked {
				return response(r, 401, ""), nil
			}
			return shows(r)
		})
		source := bind(define(t, bearer("")), w, "token", sec1(ecKey()), "sub", "admin")
		ask := func() string {
			reply, err := source.Fetch(t.Context(), somebody())
			return outcome(reply, err)
		}
		var group sync.WaitGroup
		for range 100 {
			group.Go(func() { expect(t, "all at once", ask(), "ok self=1 name=Bearer t-1") })
		}
		group.Wait()
		time.Sleep(time.Hour - 32*time.Second)
		expect(t, "kept", ask(), "ok self=1 name=Bearer t-1")
		time.Sleep(2 * time.Second)
		expect(t, "renewed", ask(), "ok self=1 name=Bearer t-2")
		revoked = "Bearer t-2"
		expect(t, "refused, and renewed", ask(), "ok self=1 name=Bearer t-3")
		expect(t, "refusals", v.refused, []string(nil))
		ids := map[any]bool{}
		for _, claims := range v.claims {
			ids[claims["jti"]] = true
		}
		expect(t, "assertions", []int{len(v.claims), len(ids)}, []int{3, 3})
	})
}

// unfit are keys that sign nothing here, and what is said of them.
func unfitKeys() []struct{ name, key, keys, why, hint string } {
	const forms = "PEM of a private key (PKCS#8, PKCS#1 or SEC 1), or a JWK"
	const forPublic = "an assertion is signed with the private key that belongs to it"
	const passphrase = "nobody is there to type a passphrase: write it without one, `openssl pkey -in FILE -out FILE`"
	rsa1024, p384 := must(rsa.GenerateKey(rand.Reader, 1024)), must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	agreeing := must(ecdh.X25519().GenerateKey(rand.Reader))
	mixed := asJWK(must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), "")
	mixed = strings.Replace(asJWK(ecKey(), ""), member(asJWK(ecKey(), ""), "d"), member(mixed, "d"), 1)
	legacy := strings.Replace(pkcs1(rsaKey()), "\n", "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n", 1)
	return []struct{ name, key, keys, why, hint string }{
		{"a word", "CANARY-secret", "", "holds no private key", forms},
		{"a public key", publicPEM(rsaKey()), "", "holds a public key alone", forPublic},
		{"a certificate", certificate(ecKey()), "", "holds a public key alone", forPublic},
		{"a public JWK", strings.Replace(asJWK(ecKey(), ""), `,"d":"`+member(asJWK(ecKey(), ""), "d")+`"`, "", 1), "", "holds a public key alone", forPublic},
		{"another PEM", inPEM("X509 CRL", []byte("x")), "", "holds no private key", forms},
		{"cut", pkcs8(rsaKey())[:900], "", "holds PEM that is broken", forms},
		{"its line ends written", strings.ReplaceAll(pkcs8(rsaKey()), "\n", `\n`), "", `holds PEM whose line ends are written \n`, "write line ends as such, as in the file that it came in"},
		{"what is no key", inPEM("PRIVATE KEY", []byte("CANARY")), "", "holds a private key that cannot be read", forms},
		{"of another kind than it says", inPEM("EC PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey())), "", "holds a private key that cannot be read", forms},
		{"encrypted", inPEM("ENCRYPTED PRIVATE KEY", []byte("x")), "", "holds a private key that is encrypted", passphrase},
		{"encrypted, of old", legacy, "", "holds a private key that is encrypted", passphrase},
		{"of OpenSSH", inPEM("OPENSSH PRIVATE KEY", []byte("x")), "", "holds a private key in OpenSSH's own form", "write it in PKCS#8: `ssh-keygen -p -m PKCS8 -N '' -f FILE`"},
		{"of nobody", inPEM("MY PRIVATE KEY", []byte("x")), "", "holds a private key of another form", forms},
		{"two", pkcs8(rsaKey()) + sec1(ecKey()), "", "holds several private keys", "leave the one that signs"},
		{"weak", pkcs8(rsa1024), "", "holds an RSA key of 1024 bits, which is too weak", "2048 bits are the least"},
		{"a weak JWK", asJWK(rsa1024, ""), "", "holds an RSA key of 1024 bits, which is too weak", "2048 bits are the least"},
		{"on another curve", sec1(p384), "", "holds a key on the curve P-384", "ES256 wants one on the curve P-256"},
		{"that agrees on keys", inPEM("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(agreeing))), "", "holds a private key that does not sign", "an RSA key, one on the curve P-256, or an Ed25519 key would do"},
		{"for RSA", pkcs8(ecKey()), ", algorithm: RS256", "holds a key on the curve P-256, which does not sign with RS256", "leave `algorithm` out, or write ES256"},
		{"for a curve", pkcs8(rsaKey()), ", algorithm: ES256", "holds an RSA key, which does not sign with ES256", "leave `algorithm` out, or write RS256 or PS256"},
		{"for another curve", pkcs8(edKey()), ", algorithm: PS256", "holds an Ed25519 key, which does not sign with PS256", "leave `algorithm` out, or write EdDSA"},
		{"broken JSON", `{"kty":"EC","d":"CANARY`, "", "holds JSON that is broken", forms},
		{"JSON of a vendor", `{"type":"service_account","private_key":"CANARY"}`, "", "holds JSON that is no JWK", "where a member of it is the key in PEM, write that text alone, for example `jq -r .private_key FILE`"},
		{"a set", `{"keys":[` + asJWK(ecKey(), "") + `]}`, "", "holds a set of keys", "write the one key of it that signs"},
		{"shared", `{"kty":"oct","k":"CANARY"}`, "", "holds a shared secret", "an assertion is signed with a private key; a shared secret is a client_secret"},
		{"a JWK of no kind", `{"kty":"CANARY"}`, "", "holds a private key that cannot be read", forms},
		{"a JWK of two keys", mixed, "", "holds a private key that cannot be read", forms},
		{"a JWK of two Ed25519 keys", strings.Replace(asJWK(edKey(), ""), member(asJWK(edKey(), ""), "d"), base64.RawURLEncoding.EncodeToString(make([]byte, 32)), 1), "", "holds a private key that cannot be read", forms},
		{"RSA without its primes", fmt.Sprintf(`{"kty":"RSA","n":%q,"e":"AQAB","d":%q}`, member(asJWK(rsaKey(), ""), "n"), member(asJWK(rsaKey(), ""), "d")), "", "holds a private key that cannot be read", forms},
	}
}

// member is a text of a JSON object.
func member(object, name string) string {
	var members map[string]any
	if err := json.Unmarshal([]byte(object), &members); err != nil {
		panic(err)
	}
	return members[name].(string)
}

// A key that signs nothing is told before it is needed, and when it is; nothing is
// sent, and nothing of the key is told.
func TestUnfitKeys(t *testing.T) {
	for _, test := range unfitKeys() {
		t.Run(test.name, func(t *testing.T) {
			d := define(t, proof(test.keys))
			expect(t, "unfit", d.CheckKey(settings("token", test.key)), &adapters.UnfitKey{Name: "token", Why: test.why, Hint: test.hint})
			_, err := bind(d, nothing(t), "token", test.key).Fetch(t.Context(), somebody())
			expect(t, "fault", adapters.FaultOf(err).Error(), `misconfigured: an assertion cannot be signed: the setting "token" `+test.why)
			expectNothingOf(t, test.key, fmt.Sprintf("%v %+v %#v", err, err, errors.Unwrap(err)))
		})
	}
	for _, test := range []struct{ name, cert, why, hint string }{
		{"of another key", certificate(ecKey()), "holds a certificate of another key", "write the one that was made for this key, before any others"},
		{"of the key, but second", certificate(ecKey()) + certificate(rsaKey()), "holds a certificate of another key", "write the one that was made for this key, before any others"},
		{"no certificate", publicPEM(rsaKey()), "holds no certificate", "the certificate of the key, in PEM"},
		{"a word", "CANARY", "holds no certificate", "the certificate of the key, in PEM"},
		{"broken", inPEM("CERTIFICATE", []byte("CANARY")), "holds a certificate that cannot be read", "the certificate of the key, in PEM"},
	} {
		t.Run("a certificate: "+test.name, func(t *testing.T) {
			d := define(t, proof(`, certificate: "{settings.cert}"`))
			pairs := []string{"token", pkcs8(rsaKey()), "cert", test.cert}
			expect(t, "unfit", d.CheckKey(settings(pairs...)), &adapters.UnfitKey{Name: "cert", Why: test.why, Hint: test.hint})
			_, err := bind(d, nothing(t), pairs...).Fetch(t.Context(), somebody())
			expect(t, "fault", adapters.FaultOf(err).Error(), `misconfigured: an assertion cannot be signed: the setting "cert" `+test.why)
		})
	}
	for name, test := range map[string]struct{ keys, want string }{
		"no key":            {proof(""), "no value for {settings.token}"},
		"no certificate":    {proof(`, certificate: "{settings.cert}"`), "no value for {settings.cert}"},
		"no claim":          {bearer(""), "no value for {settings.sub}"},
		"no name":           {strings.Replace(proof(""), "client_id: muster", `client_id: "{settings.sub}"`, 1), "no value for {settings.sub}"},
		"a claim of lines":  {proof(`, claims: {x: "{settings.kid}"}`), "the value of {settings.kid} has control characters"},
		"a key id of lines": {proof(`, key_id: "{settings.kid}"`), "the value of {settings.kid} has control characters"},
	} {
		t.Run(name, func(t *testing.T) {
			d, key := define(t, test.keys), pkcs8(ecKey())
			if name == "no key" {
				key = ""
			}
			_, err := bind(d, nothing(t), "token", key, "kid", "a\nb").Fetch(t.Context(), somebody())
			expect(t, "fault", adapters.FaultOf(err).Error(), "misconfigured: an assertion cannot be signed: "+test.want)
			expect(t, "at load", d.CheckKey(settings("token", key, "kid", "a b")), (*adapters.UnfitKey)(nil))
		})
	}
	expect(t, "without an assertion", define(t, clientCredentials).CheckKey(settings("token", "x")), (*adapters.UnfitKey)(nil))
}

// expectNothingOf finds lines and members of a key in what is told.
func expectNothingOf(t *testing.T, key, told string) {
	t.Helper()
	for part := range strings.FieldsFuncSeq(key, func(r rune) bool { return strings.ContainsRune("\r\n\"{},:", r) }) {
		if part = strings.TrimSpace(part); len(part) > 8 && !strings.HasPrefix(part, "-----") && !strings.HasPrefix(part, "private_key") && strings.Contains(told, part) {
			t.Errorf("it tells %q:\n%s", part, told)
		}
	}
	if strings.Contains(told, "CANARY") {
		t.Errorf("it tells a canary:\n%s", told)
	}
}

// Neither key nor assertion is in what `lookup --explain` shows, in a fault or in a
// log, whatever the token endpoint and the upstream repeat.
func TestNoAssertionIsShown(t *testing.T) {
	for name, keys := range map[string]string{"a client's proof": proof(""), "a grant": bearer(`, certificate: "{settings.cert}"`)} {
		for kind, key := range map[string]string{"PEM": pkcs8(rsaKey()), "a JWK": asJWK(rsaKey(), "")} {
			for _, status := range []int{200, 400, 401, 429, 500} {
				t.Run(fmt.Sprint(name, kind, status), func(t *testing.T) {
					var assertion string
					d := define(t, keys+"\nresponse: {error: {code: code, message: message}}")
					s, r := recorded(t, d, upstream(func(r *http.Request) (*http.Response, error) {
						body, _ := r.GetBody()
						content, _ := readAll(body)
						form, _ := url.ParseQuery(content)
						assertion = form.Get("assertion") + form.Get("client_assertion")
						said, _ := json.Marshal(map[string]any{"access_token": "t-1", "error": assertion, "error_description": content, "key": key})
						return response(r, status, string(said), "X-Seen", assertion, "Retry-After", "1"), nil
					}, func(r *http.Request) (*http.Response, error) {
						said, _ := json.Marshal(map[string]any{"code": assertion, "message": key, "id": "1"})
						return response(r, 500, string(said)), nil
					}), somebody(), "token", key, "sub", "admin", "cert", certificate(rsaKey()))
					if strings.Count(assertion, ".") != 2 {
						t.Fatalf("no assertion is sent: %q", assertion)
					}
					_, err := s.Fetch(t.Context(), somebody())
					told := fmt.Sprintf("%+v %s %v %+v", s.Exchanges(r), s.Why(r), err, errors.Unwrap(err))
					if status != 200 { // an upstream's own words are the log's, and never a caller's
						told += fmt.Sprintf("%+v", adapters.FaultOf(err).Detail)
					}
					expectNothingOf(t, key, told)
					for part := range strings.SplitSeq(assertion, ".") {
						if strings.Contains(told, part) {
							t.Errorf("it tells of the assertion:\n%s", told)
						}
					}
				})
			}
		}
	}
}

// What a definition writes in a key's place is in no message, whatever is wrong.
func TestAKeyWrittenOutIsNotShown(t *testing.T) {
	for _, key := range []string{
		`'{"kty":"oct","k":"CANARY"}'`, `{"kty":"oct","k":"CANARY"}`, `[CANARY, {a: CANARY}]`, "CANARY", `"-----BEGIN PRIVATE KEY-----\nCANARY\n-----END PRIVATE KEY-----"`,
		`"{settings.token}CANARY"`, `"CANARY{settings.token}"`, `"{settings.CANARY x}"`,
	} {
		for _, name := range []string{"key", "certificate"} {
			keys := strings.Replace(proof(`, wrong: x, certificate: "{settings.cert}"`), map[string]string{"key": `"{settings.token}"`, "certificate": `"{settings.cert}"`}[name], key, 1)
			resolved, problems := resolve(keys)
			adapters.Compile(resolved)
			if err := problems.Err(); err == nil || strings.Contains(err.Error(), "CANARY") {
				t.Errorf("%s: %v", key, err)
			}
		}
	}
}

// One key signs for many callers at once.
func TestManyAssertionsAtOnce(t *testing.T) {
	v := &verifier{public: rsaKey().Public(), algorithm: "RS256", audience: tokenURL, parameter: "client_assertion"}
	d := define(t, withSettings+`auth: {exchange: {token_url: "`+tokenURL+`", client_id: app, assertion: {key: "{settings.token}"}}}`)
	source := bind(d, upstream(v.token, found), "token", pkcs1(rsaKey()))
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			reply, err := source.Fetch(t.Context(), askedBy(jane(with("jane", fmt.Sprint("token ", i)))))
			expect(t, "outcome", outcome(reply, err), "ok self=1")
		})
	}
	group.Wait()
	expect(t, "refusals", v.refused, []string(nil))
	expect(t, "assertions", len(v.claims), 20)
}

// The hash of a source changes with its key: what another has brought is another's.
func TestAnotherKeyIsAnotherSource(t *testing.T) {
	d := define(t, proof(""))
	hashes := []string{bind(d, nil, "token", pkcs8(rsaKey())).Hash(), bind(d, nil, "token", pkcs1(rsaKey())).Hash()}
	expect(t, "hashes", len(slices.Compact(hashes)), 2)
}

package bearer_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"muster/gateway"
	"muster/gateway/httpapi/bearer"
	"muster/normalize"
)

// running is a verifier that knows its issuers' keys.
func running(t testing.TB, transport http.RoundTripper, issuers ...bearer.Issuer) *bearer.Verifier {
	t.Helper()
	v, err := bearer.New(bearer.Options{Issuers: issuers, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	follow(t, v)
	return v
}

// follow runs a verifier to the end of the test, and returns once its keys are known.
func follow(t testing.TB, v *bearer.Verifier) {
	t.Helper()
	told := make(chan error, 100)
	ctx, done := t.Context(), make(chan struct{})
	go func() {
		defer close(done)
		v.Run(ctx, func(_ int, err error) {
			select {
			case told <- err:
			default:
			}
		})
	}()
	t.Cleanup(func() { <-done; v.Close() })
	for slices.Contains(v.Known(), false) {
		select {
		case err := <-told:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("the keys are not known after ten seconds")
		}
	}
}

// refusedBy is the check that a token does not pass, "" when it is believed.
func refusedBy(t testing.TB, v *bearer.Verifier, token string) string {
	t.Helper()
	caller, refusal := v.Verify(t.Context(), token)
	if (caller == nil) == (refusal == nil) {
		t.Fatalf("a caller %v and a refusal %v", caller, refusal)
	}
	if refusal == nil {
		return ""
	}
	if refusal.Unready {
		return "unready"
	}
	if strings.ContainsAny(refusal.Reason, "\"\\") || strings.Contains(refusal.Reason, "jane") {
		t.Errorf("the reason cannot stand in a header, or quotes the token: %q", refusal.Reason)
	}
	return refusal.Check
}

// TestTokens: each row takes one thing away from a good token, or adds one. The
// numbers are those of the situations that this must hold in.
func TestTokens(t *testing.T) {
	t.Parallel()
	r := ring()
	weak := signingKey{"weak", jose.RS256, r.weak}
	enc := signingKey{"enc", jose.ES256, r.other.private}
	ops := signingKey{"ops", jose.ES256, r.other.private}
	another := signingKey{"another", jose.ES256, r.other.private}
	leaked := signingKey{"leaked", jose.ES256, r.other.private}
	twin := signingKey{"twin", jose.ES256, r.other.private}
	leakedText, err := jose.JSONWebKey{Key: leaked.private, KeyID: "leaked", Algorithm: "ES256"}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	issuerKeys := newIDP(append(r.all(),
		weak.jwk(nil), enc.jwk(claims{"use": "enc"}), ops.jwk(claims{"use": nil, "key_ops": []string{"encrypt"}}),
		another.jwk(claims{"alg": "ES384"}), decoded(t, leakedText), twin.jwk(nil), twin.jwk(claims{"use": nil}),
		map[string]any{"kty": "oct", "kid": "oct", "k": base64.RawURLEncoding.EncodeToString([]byte("a shared secret of many bytes ..")), "alg": "HS256"},
		map[string]any{"kty": "unheard of"}, "no key at all", nil)...)
	v := running(t, issuerKeys, issuer())

	der, err := x509.MarshalPKIXPublicKey(r.rs.private.Public())
	if err != nil {
		t.Fatal(err)
	}
	modulus, err := jose.JSONWebKey{Key: r.rs.private.Public()}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	hmac := func(alg jose.SignatureAlgorithm, secret []byte, id string) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: secret}, (&jose.SignerOptions{}).WithType("at+jwt").WithHeader("kid", id))
		if err != nil {
			t.Fatal(err)
		}
		jws, err := signer.Sign([]byte(text(t, goodClaims(time.Now()))))
		if err != nil {
			t.Fatal(err)
		}
		compact, err := jws.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return compact
	}
	unsigned := func(alg, signature string) string {
		encode := base64.RawURLEncoding.EncodeToString
		return encode([]byte(`{"alg":"`+alg+`","typ":"at+jwt"}`)) + "." + encode([]byte(text(t, goodClaims(time.Now())))) + "." + signature
	}
	good := r.es.token(t, nil, nil)
	parts := strings.Split(good, ".")
	header, payload := `{"alg":"ES256","typ":"at+jwt","kid":"es"}`, text(t, goodClaims(time.Now()))
	now := time.Now()
	in := func(d time.Duration) int64 { return now.Add(d).Unix() }

	tests := []struct{ name, token, refusedBy string }{
		{"RS256", r.rs.token(t, nil, nil), ""},
		{"PS256", r.ps.token(t, nil, nil), ""},
		{"ES256", good, ""},
		{"EdDSA", r.ed.token(t, nil, nil), ""},

		{"1 none", unsigned("none", ""), "form"},
		{"1 none with a signature", unsigned("none", parts[2]), "algorithm"},
		{"1 None", unsigned("None", parts[2]), "algorithm"},
		{"1 nOnE", unsigned("nOnE", parts[2]), "algorithm"},
		{"1 no alg", r.es.token(t, claims{"alg": nil}, nil), "algorithm"},
		{"1 alg is a list", r.es.token(t, claims{"alg": []string{"ES256"}}, nil), "algorithm"},
		{"1 alg in another case", r.es.token(t, claims{"alg": "es256"}, nil), "algorithm"},
		{"2 HS256 by the RSA key as PEM", hmac(jose.HS256, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), "rs"), "algorithm"},
		{"2 HS256 by the RSA key as DER", hmac(jose.HS256, der, "rs"), "algorithm"},
		{"2 HS512 by the RSA key as JWK", hmac(jose.HS512, modulus, "rs"), "algorithm"},
		{"2 HS256 by a secret of the set", hmac(jose.HS256, []byte("a shared secret of many bytes .."), "oct"), "algorithm"},
		{"3 jwk", r.stranger.token(t, claims{"kid": nil, "jwk": r.stranger.jwk(nil)}, nil), "extensions"},
		{"3 jwk beside a good key", r.es.token(t, claims{"jwk": r.es.jwk(nil)}, nil), "extensions"},
		{"4 jku", r.es.token(t, claims{"jku": keysAt}, nil), "extensions"},
		{"4 x5u", r.es.token(t, claims{"x5u": keysAt}, nil), "extensions"},
		{"4 x5c", r.es.token(t, claims{"x5c": []string{}}, nil), "extensions"},
		{"6 crit", r.es.token(t, claims{"crit": []string{"exp"}, "exp": 1}, nil), "extensions"},
		{"6 b64", r.es.token(t, claims{"b64": false}, nil), "extensions"},
		{"6 zip", r.es.token(t, claims{"zip": "DEF"}, nil), "extensions"},
		{"8 a key for encryption", enc.token(t, nil, nil), "key"},
		{"8 a key whose key_ops do not verify", ops.token(t, nil, nil), "key"},
		{"8 a key for another algorithm", another.token(t, nil, nil), "key"},
		{"8 a key for RS256 used as PS256", r.rs.token(t, claims{"alg": "PS256"}, nil), "key"},
		{"8 RSA of 1024 bits", weak.token(t, nil, nil), "key"},
		{"8 a private key in the set", leaked.token(t, nil, nil), "key"},
		{"8 two keys of one name", twin.token(t, nil, nil), "key"},
		{"8 a key of another curve", r.es.token(t, claims{"alg": "ES384"}, nil), "key"},
		{"8 a key of another kind", r.es.token(t, claims{"kid": "rs"}, nil), "key"},
		{"unknown key", r.other.token(t, claims{"kid": "other"}, nil), "key"},
		{"kid is a number", r.es.token(t, claims{"kid": 1}, nil), "key"},
		{"kid is empty", r.es.token(t, claims{"kid": ""}, nil), "key"},
		{"no kid", r.es.token(t, claims{"kid": nil}, nil), ""},
		{"no kid, and nobody's key", r.stranger.token(t, claims{"kid": nil}, nil), "signature"},
		{"another's key under a known name", r.stranger.token(t, nil, nil), "signature"},
		{"7 PSS with a short salt", func() string {
			signed := strings.Join(strings.Split(r.ps.token(t, nil, nil), ".")[:2], ".")
			return signed + "." + base64.RawURLEncoding.EncodeToString(r.ps.signature(t, signed, 20))
		}(), "signature"},

		{"10 an ID token", r.es.token(t, claims{"typ": "JWT"}, claims{"nonce": "n"}), "type"},
		{"10 no typ", r.es.token(t, claims{"typ": nil}, nil), "type"},
		{"10 typ is a list", r.es.token(t, claims{"typ": []string{"at+jwt"}}, nil), "type"},
		{"10 a logout token", r.es.token(t, claims{"typ": "logout+jwt"}, nil), "type"},
		{"10 application/at+jwt", r.es.token(t, claims{"typ": "application/at+jwt"}, nil), ""},
		{"10 AT+JWT", r.es.token(t, claims{"typ": "AT+JWT"}, nil), ""},

		{"11 expired", r.es.token(t, nil, claims{"exp": in(-31 * time.Second)}), "expiry"},
		{"11 expired within the leeway", r.es.token(t, nil, claims{"exp": in(-20 * time.Second)}), ""},
		{"11 no exp", r.es.token(t, nil, claims{"exp": nil}), "expiry"},
		{"11 exp is a text", r.es.token(t, nil, claims{"exp": "4102444800"}), "expiry"},
		{"11 exp is 1e300", r.es.sign(t, header, strings.Replace(payload, `"exp":`, `"exp":1e300,"x":`, 1)), "expiry"},
		{"11 exp is 1e400", r.es.sign(t, header, strings.Replace(payload, `"exp":`, `"exp":1e400,"x":`, 1)), "expiry"},
		{"11 exp is null", r.es.sign(t, header, strings.Replace(payload, `"exp":`, `"exp":null,"x":`, 1)), "expiry"},
		{"11 exp in milliseconds", r.es.token(t, nil, claims{"exp": in(time.Hour) * 1000}), "expiry"},
		{"11 exp with a fraction", r.es.token(t, nil, claims{"exp": float64(in(time.Hour)) + 0.5}), ""},
		{"12 nbf ahead", r.es.token(t, nil, claims{"nbf": in(33 * time.Second)}), "not before"},
		{"12 nbf ahead within the leeway", r.es.token(t, nil, claims{"nbf": in(20 * time.Second)}), ""},
		{"12 nbf is a text", r.es.token(t, nil, claims{"nbf": "0"}), "not before"},
		{"12 iat ahead", r.es.token(t, nil, claims{"iat": in(33 * time.Second)}), "issued at"},
		{"12 iat ahead within the leeway", r.es.token(t, nil, claims{"iat": in(20 * time.Second)}), ""},
		{"12 no iat", r.es.token(t, nil, claims{"iat": nil}), "issued at"},
		{"12 iat is a text", r.es.token(t, nil, claims{"iat": "0"}), "issued at"},

		{"13 the issuer without its slash", r.es.token(t, nil, claims{"iss": strings.TrimSuffix(issuerName, "/")}), "issuer"},
		{"13 the issuer with a slash more", r.es.token(t, nil, claims{"iss": issuerName + "/"}), "issuer"},
		{"13 the issuer in another case", r.es.token(t, nil, claims{"iss": "https://LOGIN.example.com/"}), "issuer"},
		{"13 the issuer's other tenant", r.es.token(t, nil, claims{"iss": issuerName + "globex"}), "issuer"},
		{"13 the issuer behind plain HTTP", r.es.token(t, nil, claims{"iss": "http://login.example.com/"}), "issuer"},
		{"13 no issuer", r.es.token(t, nil, claims{"iss": nil}), "issuer"},
		{"13 an empty issuer", r.es.token(t, nil, claims{"iss": ""}), "issuer"},
		{"13 a list of issuers", r.es.token(t, nil, claims{"iss": []string{issuerName}}), "issuer"},

		{"14 no audience", r.es.token(t, nil, claims{"aud": nil}), "audience"},
		{"14 another audience", r.es.token(t, nil, claims{"aud": "billing"}), "audience"},
		{"14 a prefix of the audience", r.es.token(t, nil, claims{"aud": "must"}), "audience"},
		{"14 more than the audience", r.es.token(t, nil, claims{"aud": "muster2"}), "audience"},
		{"14 the audience in another case", r.es.token(t, nil, claims{"aud": "Muster"}), "audience"},
		{"14 an empty audience", r.es.token(t, nil, claims{"aud": ""}), "audience"},
		{"14 no audience in the list", r.es.token(t, nil, claims{"aud": []string{}}), "audience"},
		{"14 an empty audience beside a good one", r.es.token(t, nil, claims{"aud": []string{"", "muster"}}), "audience"},
		{"14 a number beside a good one", r.es.token(t, nil, claims{"aud": []any{1, "muster"}}), "audience"},
		{"14 an object", r.es.token(t, nil, claims{"aud": claims{"muster": true}}), "audience"},
		{"14 a list of one", r.es.token(t, nil, claims{"aud": []string{"muster"}}), ""},
		{"14 two audiences, for a client that is accepted", r.es.token(t, nil, claims{"aud": []string{"billing", "muster"}}), ""},
		{"14 two audiences, for another client", r.es.token(t, nil, claims{"aud": []string{"billing", "muster"}, "client_id": "billing"}), "presenter"},
		{"14 two audiences, azp of the gateway itself", r.es.token(t, nil, claims{"aud": []string{"billing", "muster"}, "client_id": "billing", "azp": "muster"}), ""},
		{"14 the same audience twice", r.es.token(t, nil, claims{"aud": []string{"muster", "muster"}, "client_id": "billing"}), ""},

		{"17 no sub", r.es.token(t, nil, claims{"sub": nil}), "subject"},
		{"17 an empty sub", r.es.token(t, nil, claims{"sub": ""}), "subject"},
		{"17 sub is a number", r.es.token(t, nil, claims{"sub": 7}), "subject"},
		{"17 no client_id", r.es.token(t, nil, claims{"client_id": nil}), "access token"},
		{"17 an empty client_id", r.es.token(t, nil, claims{"client_id": ""}), "access token"},
		{"17 no jti", r.es.token(t, nil, claims{"jti": nil}), "access token"},
		{"17 an empty jti", r.es.token(t, nil, claims{"jti": ""}), "access token"},
		{"17 jti is a number", r.es.token(t, nil, claims{"jti": 7}), "access token"},

		{"21 JWE", "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.OKOawDo13gRp2ojaHV7LFpZcgV7T6DVZKTyKOMTYUmKoTCVJRgckCL9kiMT03JGe.48V1_ALb6US04U3b.5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX_EFShS8iB7j6ji.XFBoMYUZodetZdvTiFvSkQ", "form"},
		{"21 JSON serialization", `{"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`, "form"},
		{"21 dots", strings.Repeat(".", 8<<10), "form"},
		{"21 a mebibyte of dots", strings.Repeat(".", 1<<20), "size"},
		{"22 more than 8 KiB", r.es.token(t, nil, claims{"pad": strings.Repeat("a", 8<<10)}), "size"},
		{"22 nearly 8 KiB", r.es.token(t, nil, claims{"pad": strings.Repeat("a", 5<<10)}), ""},
		{"no token", "", "form"},
		{"two parts", parts[0] + "." + parts[1], "form"},
		{"four parts", good + ".e30", "form"},
		{"no header", "." + parts[1] + "." + parts[2], "form"},
		{"no payload", parts[0] + ".." + parts[2], "form"},
		{"padding", parts[0] + "." + parts[1] + "." + parts[2] + "==", "form"},
		{"a line break", parts[0] + "." + parts[1] + "." + parts[2][:4] + "\n" + parts[2][4:], "form"},
		{"a carriage return behind", good + "\r", "form"},
		{"a space before", " " + good, "form"},
		{"the other alphabet", "+/" + good[2:], "form"},
		{"header said twice", r.es.sign(t, `{"alg":"none","typ":"at+jwt","kid":"es","alg":"ES256"}`, payload), "header"},
		{"header is a list", r.es.sign(t, `["ES256"]`, payload), "header"},
		{"header is followed by more", r.es.sign(t, header+"{}", payload), "header"},
		{"claim said twice", r.es.sign(t, header, strings.Replace(payload, "{", `{"sub":"joan-subject",`, 1)), "payload"},
		{"claim said twice within another", r.es.sign(t, header, strings.Replace(payload, "{", `{"a":{"b":1,"b":1},`, 1)), "payload"},
		{"claims in invalid UTF-8", r.es.sign(t, header, strings.Replace(payload, "{", "{\"a\":\"\xff\",", 1)), "payload"},
		{"half a surrogate", r.es.sign(t, header, strings.Replace(payload, "{", `{"a":"\ud800",`, 1)), "payload"},
		{"claims are a text", r.es.sign(t, header, `"jane"`), "payload"},
		{"claims behind a byte-order mark", r.es.sign(t, header, "\ufeff"+payload), "payload"},
	}
	for _, test := range tests {
		if got := refusedBy(t, v, test.token); got != test.refusedBy {
			t.Errorf("%s: refused by %q, want %q", test.name, got, test.refusedBy)
		}
	}
	if n := len(issuerKeys.asked); n != 2 {
		t.Errorf("other addresses were asked: %v", slices.Collect(maps.Keys(issuerKeys.asked)))
	}
}

func decoded(t testing.TB, text []byte) any {
	t.Helper()
	tree, err := normalize.ParseJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// TestPlainJWT: an operator may accept tokens that do not say what they are for; those
// that say they are for something else are refused all the same.
func TestPlainJWT(t *testing.T) {
	t.Parallel()
	r, i := ring(), issuer()
	i.Types = []string{"at+jwt", "JWT"}
	v := running(t, newIDP(r.all()...), i)
	for _, test := range []struct {
		name            string
		header, changes claims
		refusedBy       string
	}{
		{"only what a JWT needs", claims{"typ": "JWT"}, claims{"client_id": nil, "jti": nil, "iat": nil}, ""},
		{"no typ", claims{"typ": nil}, claims{"client_id": nil}, ""},
		{"jwt", claims{"typ": "jwt"}, nil, ""},
		{"iat is a text", claims{"typ": "JWT"}, claims{"iat": "0"}, "issued at"},
		{"an ID token of the code flow", claims{"typ": "JWT"}, claims{"at_hash": "x"}, "access token"},
		{"an ID token of the hybrid flow", claims{"typ": nil}, claims{"c_hash": "x"}, "access token"},
		{"a logout", claims{"typ": "JWT"}, claims{"events": claims{}}, "access token"},
		{"an access token that lacks something", nil, claims{"jti": nil}, "access token"},
		{"a logout that says so", claims{"typ": "logout+jwt"}, nil, "type"},
	} {
		if got := refusedBy(t, v, r.es.token(t, test.header, test.changes)); got != test.refusedBy {
			t.Errorf("%s: refused by %q, want %q", test.name, got, test.refusedBy)
		}
	}
}

// TestCallers: what a token says becomes a caller, and what it does not say clearly
// becomes less of one.
func TestCallers(t *testing.T) {
	t.Parallel()
	r := ring()
	pinned, several := issuer(), issuer()
	pinned.Tenants, several.Tenants = []string{"acme"}, []string{gateway.EveryTenant}
	for _, test := range []struct {
		name    string
		issuer  bearer.Issuer
		changes claims
		tenants []string
		scopes  []string
		self    map[string]string
	}{
		{"all", issuer(), nil, []string{"acme"}, []string{"profile.basic", "profile.roles"}, map[string]string{"email": "jane@acme.example"}},
		{"35 no tenant", issuer(), claims{"org": nil, "scope": nil, "email": nil}, nil, nil, nil},
		{"35 every tenant", issuer(), claims{"org": "*", "scope": "", "email": ""}, nil, []string{}, nil},
		{"35 a list of tenants", issuer(), claims{"org": []string{"acme"}, "scope": []string{"a", "b"}}, nil, []string{"a", "b"}, map[string]string{"email": "jane@acme.example"}},
		{"35 two tenants", issuer(), claims{"org": []string{"acme", "globex"}, "scope": 7}, nil, nil, map[string]string{"email": "jane@acme.example"}},
		{"35 a number", issuer(), claims{"org": 7, "scope": []any{"a", 7}, "email": 7}, nil, nil, map[string]string{"email": "7"}},
		{"35 an object", issuer(), claims{"org": claims{"a": "acme"}, "scope": claims{}, "email": []string{"a@b.example", "c@d.example"}}, nil, nil, nil},
		{"35 an empty text", issuer(), claims{"org": ""}, nil, []string{"profile.basic", "profile.roles"}, map[string]string{"email": "jane@acme.example"}},
		{"pinned", pinned, claims{"org": "globex", "scope": "a"}, []string{"acme"}, []string{"a"}, map[string]string{"email": "jane@acme.example"}},
		{"several", several, claims{"org": nil, "scope": "a"}, []string{"*"}, []string{"a"}, map[string]string{"email": "jane@acme.example"}},
	} {
		token := r.es.token(t, nil, test.changes)
		caller, refusal := running(t, newIDP(r.all()...), test.issuer).Verify(t.Context(), token)
		if refusal != nil {
			t.Errorf("%s: %v", test.name, *refusal)
			continue
		}
		got := []any{caller.Tenants, caller.Scopes, caller.Self}
		if want := []any{test.tenants, test.scopes, test.self}; !cmp.Equal(got, want) {
			t.Errorf("%s: %s", test.name, cmp.Diff(want, got))
		}
		if caller.Issuer != issuerName || caller.Subject != "jane-subject" || caller.Token.Reveal() != token || !cmp.Equal(caller.Audiences, []string{"muster"}) ||
			time.Until(caller.Expires) > 5*time.Minute || time.Until(caller.Expires) < 4*time.Minute || caller.Claims["jti"] != "j1" {
			t.Errorf("%s: %+v", test.name, caller)
		}
	}
}

// TestSeveralTenantsAreNone: 35. A path that leads to several texts leads to none, in
// whatever order they stand.
func TestSeveralTenantsAreNone(t *testing.T) {
	t.Parallel()
	r, i := ring(), issuer()
	i.Claims.Tenant = path("orgs.id")
	v := running(t, newIDP(r.all()...), i)
	for _, test := range []struct {
		orgs any
		want []string
	}{
		{claims{"id": "acme"}, []string{"acme"}},
		{[]any{claims{"id": "acme"}, claims{"id": "globex"}}, nil},
		{[]any{claims{"id": 1}, claims{"id": "acme"}}, nil},
		{claims{"id": []string{"acme"}}, nil},
		{"acme", nil},
	} {
		caller, refusal := v.Verify(t.Context(), r.es.token(t, nil, claims{"orgs": test.orgs}))
		if refusal != nil || !cmp.Equal(caller.Tenants, test.want) {
			t.Errorf("%v: %+v", test.orgs, caller)
		}
	}
}

func TestSubjectElsewhere(t *testing.T) {
	t.Parallel()
	r, i := ring(), issuer()
	i.Claims.Subject = path("client_id")
	v := running(t, newIDP(r.all()...), i)
	if caller, refusal := v.Verify(t.Context(), r.es.token(t, nil, nil)); refusal != nil || caller.Subject != "portal" {
		t.Errorf("%+v, %v", caller, refusal)
	}
	if got := refusedBy(t, v, r.es.token(t, nil, claims{"sub": ""})); got != "subject" {
		t.Errorf("a token without a sub, whatever is taken for the subject: refused by %q", got)
	}
	i.Claims.Subject = path("act.sub")
	if got := refusedBy(t, running(t, newIDP(r.all()...), i), r.es.token(t, nil, nil)); got != "subject" {
		t.Errorf("a token without the subject that is wanted: refused by %q", got)
	}
}

// TestIssuersAreNotMixed: each token is judged by the rules and the keys of its own issuer.
func TestIssuersAreNotMixed(t *testing.T) {
	t.Parallel()
	r := ring()
	const second = "https://second.example.com"
	keys := newIDP(r.es.jwk(nil))
	keys.tell(second+"/.well-known/openid-configuration", func() (*http.Response, error) {
		return answer(200, "application/json", `{"issuer":"`+second+`","jwks_uri":"`+second+`/keys"}`)
	})
	keys.tell(second+"/keys", func() (*http.Response, error) {
		return answer(200, "application/json", text(t, claims{"keys": []any{r.other.jwk(nil)}}))
	})
	other := issuer()
	other.Name, other.Tenants = second, []string{"globex"}
	v := running(t, keys, issuer(), other)
	for _, test := range []struct {
		key    signingKey
		issuer string
		tenant string // "" when refused
	}{{r.es, issuerName, "acme"}, {r.other, second, "globex"}, {r.es, second, ""}, {r.other, issuerName, ""}} {
		for range 2 { // the second time from what is kept
			caller, refusal := v.Verify(t.Context(), test.key.token(t, nil, claims{"iss": test.issuer}))
			switch {
			case refusal != nil && (test.tenant != "" || refusal.Check != "signature"):
				t.Errorf("%s: %v", test.issuer, *refusal)
			case refusal == nil && !cmp.Equal(caller.Tenants, []string{test.tenant}):
				t.Errorf("%s: %v", test.issuer, caller.Tenants)
			}
		}
	}
}

// TestEveryTruncationAndFlip: 20. No text but the token itself is believed, also when
// the token was a moment ago.
func TestEveryTruncationAndFlip(t *testing.T) {
	t.Parallel()
	r := ring()
	v := running(t, newIDP(r.ed.jwk(nil)), issuer())
	token := r.ed.token(t, nil, nil)
	if got := refusedBy(t, v, token); got != "" {
		t.Fatalf("the token itself is refused by %q", got)
	}
	for n := range len(token) {
		if refusedBy(t, v, token[:n]) == "" || refusedBy(t, v, token[n+1:]) == "" {
			t.Errorf("cut at %d it is believed", n)
		}
		for bit := range 8 {
			flipped := []byte(token)
			flipped[n] ^= 1 << bit
			if refusedBy(t, v, string(flipped)) == "" {
				t.Errorf("with bit %d of byte %d flipped it is believed", bit, n)
			}
		}
	}
}

// TestAtOnce has many callers come with good and bad tokens at the same time.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	r := ring()
	v := running(t, newIDP(r.all()...), issuer())
	good, bad := r.es.token(t, nil, nil), r.es.token(t, nil, claims{"aud": "x"})
	unknown := r.es.token(t, claims{"kid": "x"}, nil)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 50 {
				if got := []string{refusedBy(t, v, good), refusedBy(t, v, bad), refusedBy(t, v, unknown)}; !slices.Equal(got, []string{"", "audience", "key"}) {
					t.Errorf("refused by %q", got)
				}
			}
		})
	}
	group.Wait()
}

// TestNoVerifier: 15. Options that would believe anybody make no verifier.
func TestNoVerifier(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*bearer.Options){
		"no name":           func(o *bearer.Options) { o.Issuers[0].Name = "" },
		"no audience":       func(o *bearer.Options) { o.Issuers[0].Audiences = nil },
		"an empty audience": func(o *bearer.Options) { o.Issuers[0].Audiences = []string{"muster", ""} },
		"no type":           func(o *bearer.Options) { o.Issuers[0].Types = nil },
		"no subject":        func(o *bearer.Options) { o.Issuers[0].Claims.Subject = nil },
		"a negative leeway": func(o *bearer.Options) { o.Issuers[0].Leeway = -1 },
		"one issuer twice":  func(o *bearer.Options) { o.Issuers = append(o.Issuers, o.Issuers[0]) },
		"no issuer":         func(o *bearer.Options) { o.Issuers = nil },
		"no transport":      func(o *bearer.Options) { o.Transport = nil },
	} {
		o := bearer.Options{Issuers: []bearer.Issuer{issuer()}, Transport: newIDP()}
		spoil(&o)
		if v, err := bearer.New(o); err == nil {
			v.Close()
			t.Errorf("%s: a verifier is made", name)
		}
	}
}

var errDown = errors.New("connection refused")

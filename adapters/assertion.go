package adapters

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"muster/config/document"
)

// The names of RFC 7523, 2.1 and 2.2.
const (
	jwtBearer          = "urn:ietf:params:oauth:grant-type:jwt-bearer" //nolint:gosec // a name, and no credential
	clientAssertionJWT = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// assertion is a JWT that we sign (RFC 7523): a client's proof in place of its
// secret, or what the grant `jwt_bearer` consists of.
type assertion struct {
	key         template // one placeholder: what it stands for has several lines
	certificate template // likewise; nil for none
	keyID       template
	algorithm   string // "" for what the key is made for
	claims      body
	lifetime    time.Duration

	issuer, subject template // the claims iss and sub where `claims` has none; nil for none
}

// signed is where an assertion goes in a token request.
func signed() template { return template{{ref: reference{space: "assertion"}}} }

// maxAssertionLifetime is what the strictest of the large token endpoints takes at
// most, but for those that want less still.
const maxAssertionLifetime = time.Hour

func assertionKeys() []document.Key[assertion] {
	lifetime := document.Span().With(func(span time.Duration, n *document.Node) {
		if _, err := time.ParseDuration(n.Text()); err == nil && (span < time.Second || span > maxAssertionLifetime) { // else it has been reported
			n.Errorf("an assertion is valid for a second at least, and for an hour at most").Suggest("for example 5m")
		}
	})
	return []document.Key[assertion]{
		document.Of("key", "the private key, in PEM (PKCS#8, PKCS#1, SEC 1) or as a JWK: {settings.NAME} of a secret setting", onePlaceholder("private key"), func(a *assertion) *template { return &a.key }).Must(),
		document.Of("algorithm", "how it signs; without it what the JWK says, else RS256, ES256 or EdDSA, as the key is", document.OneOf(algorithms()...), func(a *assertion) *string { return &a.algorithm }),
		document.Of("key_id", "the name that the token endpoint has for the key (kid); without it, or its value, the JWK's", authTemplate(), func(a *assertion) *template { return &a.keyID }),
		document.Of("certificate", "the key's certificate in PEM, for a token endpoint that knows the key by it (x5t#S256)", onePlaceholder("certificate"), func(a *assertion) *template { return &a.certificate }),
		document.Of("claims", "what the assertion says; iss and aud are client_id and token_url where they are not written, and so is sub of a client's proof", claimsType(), func(a *assertion) *body { return &a.claims }),
		document.Of("lifetime", "how long an assertion is valid, at most 1h; each token request has a new one", lifetime, func(a *assertion) *time.Duration { return &a.lifetime }).Or("5m"),
	}
}

// onePlaceholder is a value that stands for the whole of a setting. What else is
// written there may be the key itself, so no message shows it.
func onePlaceholder(what string) document.Type[template] {
	form := document.AnyValue("{settings.NAME}")
	return document.Type[template]{Form: form, Read: func(into *template, n *document.Node) {
		text := n.Text()
		if settingAlone.MatchString(text) || secretReference.MatchString(text) {
			*into = parseTemplate(n, text, 0, inAuth())
			return
		}
		n.WalkText((*document.Node).Conceal)
		if n.Kind() == document.Scalar { // anything else has been reported
			n.Errorf("the %s is a setting of its own, and nothing stands beside it", what).
				Suggest("declare one under `settings:` and write {settings.NAME}; a deployment's file may also write ${file:PATH}")
		}
	}}
}

var settingAlone = regexp.MustCompile(`^\{settings\.[A-Za-z0-9][A-Za-z0-9_-]*\}$`)

// claimsType is `claims`: whatever JSON holds, by the claim's name.
func claimsType() document.Type[body] {
	typ := jsonBody(inAuth())
	form := document.NamesOf(typ.Form).Like("{sub: admin@acme.example}")
	return document.Type[body]{Form: form, Read: func(into *body, n *document.Node) {
		for _, f := range n.Fields() { // which reports what is no mapping
			if name := f.Key.Text(); slices.Contains([]string{"iat", "exp", "jti"}, name) {
				f.Key.Errorf("every assertion has a claim %q of its own", name).Suggest("remove it here; `lifetime` says how long an assertion is valid")
			}
		}
		if n.Kind() == document.Mapping {
			typ.Read(into, n)
		}
	}}
}

// jwtBearerKey is `jwt_bearer`, a grant that consists of an assertion.
func jwtBearerKey() document.Key[auth] {
	return grantKey("jwt_bearer", jwtBearer, "a token for an assertion that we sign (RFC 7523, 2.1), as for service accounts that speak for an administrator", func() []document.Key[grant] {
		id := clientIDKey()
		id.About = "our name at the token endpoint, where it wants one; the assertion's iss, unless its claims say another"
		secret := clientSecretKey()
		secret.About = "how we prove it, where the token endpoint wants that beside the assertion"
		return append(grantKeys(), id, secret, styleKey(), assertionKey().Must())
	})
}

func assertionKey() document.Key[grant] {
	return document.Of("assertion", "a JWT that we sign (RFC 7523)", document.Pointer(document.Object(assertionKeys)), func(g *grant) **assertion { return &g.assertion })
}

// checkClient reports a client that does not prove itself, or in two ways.
func (g *grant) checkClient(n *document.Node, grantType string) {
	if n.Kind() != document.Mapping { // which has been reported
		return
	}
	written := func(key string) *document.Node { return n.Field(key) }
	secret, proof := written("client_secret"), written("assertion")
	if grantType == jwtBearer {
		switch {
		case written("client_id") != nil || g.assertion == nil:
		case secret != nil:
			secret.Key().Errorf("nothing says whose secret it is").Suggest("write client_id beside it")
		case !g.assertion.claims.has("iss"):
			proof.Errorf("the assertion does not say whose it is").Suggest("write claims: {iss: …}, or client_id beside the assertion")
		}
		return
	}
	switch {
	case secret != nil && proof != nil:
		proof.Key().Errorf("a client proves itself in one way: client_secret or assertion").Suggest("remove one of them")
	case proof != nil && written("style") != nil:
		written("style").Key().Errorf("the style says how a secret is sent, and there is none").Suggest("remove it: an assertion is sent in the form")
	case secret == nil && proof == nil && grantType != "password": // which public clients may use
		if !slices.ContainsFunc(n.Fields(), misspelt) { // which is told there
			n.Errorf("the key %q is missing", "client_secret").Suggest("how we prove who we are; or write `assertion`, which is signed with a private key")
		}
	}
}

func misspelt(f document.Field) bool {
	return document.Closest(f.Key.Text(), []string{"client_secret", "assertion"}) != ""
}

// checkAssertionParams reports parameters that would take the assertion's place.
func checkAssertionParams(params *document.Node) {
	if params.Kind() != document.Mapping {
		return
	}
	for _, f := range params.Fields() {
		if name := f.Key.Text(); name == "assertion" || name == "client_assertion" {
			f.Key.Errorf("the token request sends the parameter %q by itself", name).Suggest("remove it here")
		}
	}
}

// checkAssertion reports a key that is not kept as a secret is.
func (d *Definition) checkAssertion(n *document.Node) {
	fetch := d.auth.fetch
	if fetch == nil || fetch.assertion == nil {
		return
	}
	for _, f := range n.Field("auth").Fields() {
		key := f.Value.Field("assertion").Field("key")
		for _, name := range fetch.assertion.key.refs("settings") {
			i := slices.IndexFunc(d.settings, func(s Setting) bool { return s.Name == name })
			if key != nil && i >= 0 && d.settings[i].Format != "secret" {
				key.Errorf("the setting %q is no secret, and a private key is one", name).Suggest("declare it with `format: secret`")
			}
		}
	}
}

// templates are all templates within the assertion.
func (a *assertion) templates() []template {
	return append([]template{a.key, a.certificate, a.keyID, a.issuer, a.subject}, a.claims.templates()...)
}

// has tells whether an object has a member of that name.
func (b *body) has(name string) bool {
	return slices.ContainsFunc(b.fields, func(f bodyField) bool { return f.name == name })
}

// sign makes a new assertion for the token endpoint at an address.
func (a *assertion) sign(signer jose.Signer, v *values, address string) (string, error) {
	claims := map[string]any{"aud": address}
	for name, value := range map[string]template{"iss": a.issuer, "sub": a.subject} {
		if value == nil || a.claims.has(name) {
			continue
		}
		text, err := value.render(v, clean)
		if err != nil {
			return "", err
		}
		claims[name] = text
	}
	for i := range a.claims.fields {
		var value bytes.Buffer
		f := &a.claims.fields[i]
		if err := f.value.render(&value, v); err != nil {
			return "", err
		}
		claims[f.name] = json.RawMessage(value.Bytes())
	}
	now := time.Now()
	claims["iat"], claims["exp"], claims["jti"] = now.Unix(), now.Add(a.lifetime).Unix(), rand.Text()
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", errUnsigned
	}
	object, err := signer.Sign(payload)
	if err != nil {
		return "", errUnsigned
	}
	text, err := object.CompactSerialize()
	if err != nil {
		return "", errUnsigned
	}
	return text, nil
}

// errUnsigned hides the library's own error: what is in it, nobody promises.
var errUnsigned = errors.New("the key signs nothing")

// signer is the assertion's key as it signs. Its error is an *UnfitKey, or says
// which setting has no value.
func (a *assertion) signer(settings Settings) (jose.Signer, error) {
	v := values{settings: settings}
	text, ok := v.lookup(a.key[0].ref)
	if !ok {
		return nil, absentError{a.key[0].ref}
	}
	key, unfit := readKey(text)
	if unfit == nil {
		unfit = key.choose(a.algorithm)
	}
	if unfit != nil {
		return nil, unfit.of(a.key[0].ref)
	}
	if id, err := a.keyID.render(&v, clean); err == nil && id != "" {
		key.id = id
	} else if unfit := (unfitError{}); errors.As(err, &unfit) {
		return nil, unfit
	}
	options := (&jose.SignerOptions{}).WithType("JWT")
	if key.id != "" {
		options = options.WithHeader("kid", key.id)
	}
	if a.certificate != nil {
		ref := a.certificate[0].ref
		text, ok := v.lookup(ref)
		if !ok {
			return nil, absentError{ref}
		}
		thumbprint, unfit := key.thumbprint(text)
		if unfit != nil {
			return nil, unfit.of(ref)
		}
		options = options.WithHeader("x5t#S256", thumbprint)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: key.algorithm, Key: key.private}, options)
	if err != nil || !key.signs(signer) {
		return nil, broken().of(a.key[0].ref)
	}
	return signer, nil
}

// UnfitKey is why what a deployment filled in cannot sign an assertion. Nothing of
// the key is in it.
type UnfitKey struct {
	Name string // the setting, or the reference to a secret as it is written
	Why  string // what is wrong with it
	Hint string // what would do
}

// Error says which setting it is and what is wrong with it.
func (u *UnfitKey) Error() string {
	if strings.HasPrefix(u.Name, "${") {
		return "the secret " + u.Why
	}
	return fmt.Sprintf("the setting %q %s", u.Name, u.Why)
}

func (u *UnfitKey) of(r reference) *UnfitKey {
	u.Name = r.name
	return u
}

// CheckKey tells whether the assertions of the definition can be signed with a
// deployment's settings; nil when they can, when there are none, and when a value
// is not there, which is told elsewhere.
func (d *Definition) CheckKey(settings Settings) *UnfitKey {
	fetch := d.auth.fetch
	if fetch == nil || fetch.assertion == nil || fetch.assertion.key == nil {
		return nil
	}
	var unfit *UnfitKey
	_, err := fetch.assertion.signer(d.filled(settings))
	_ = errors.As(err, &unfit)
	return unfit
}

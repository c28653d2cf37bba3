package adapters

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"

	"muster/config/document"
	"muster/normalize"
)

// auth is what a definition says under `auth`: headers that are always the
// same, or a token that is fetched first.
type auth struct {
	send   []parameter // headers; {token} in them is what fetch brings, or the caller's
	basic  *basicAuth
	fetch  *tokenRequest
	caller *callerAuth // the credential is the caller's
}

type basicAuth struct{ username, password template }

// tokenRequest is how a short-lived token is had.
type tokenRequest struct {
	endpoint  Lookup
	basic     *basicAuth  // client_secret_basic (RFC 6749, 2.3.1)
	form      []parameter // one of form, query and json
	query     []parameter
	json      *body
	headers   []parameter
	token     normalize.Paths
	expiresIn normalize.Paths
	exchange  *exchange  // the caller's token is its subject
	assertion *assertion // what we sign for it
}

// tokenless is how long a token is kept whose reply states no lifetime.
const tokenless = 5 * time.Minute

// maxTokenLifetime caps what a token endpoint may claim: a wrong unit must not
// keep a token for years.
const maxTokenLifetime = 24 * time.Hour

// credential is an auth bound to a deployment's settings. It is safe for
// concurrent use.
type credential struct {
	auth      auth
	settings  Settings
	transport http.RoundTripper
	signer    func() (jose.Signer, error) // of the assertions, where there are any

	flight singleflight.Group
	mu     sync.Mutex
	kept   map[string]*token // by whose they are: one caller's are never another's
}

func newCredential(a auth, settings Settings, transport http.RoundTripper) *credential {
	c := &credential{auth: a, settings: settings, transport: transport}
	if a.fetch != nil && a.fetch.assertion != nil {
		c.signer = sync.OnceValues(func() (jose.Signer, error) { return a.fetch.assertion.signer(settings) })
	}
	return c
}

type token struct {
	text    string
	expires time.Time
	used    time.Time
}

// ours is the owner of the tokens that no caller's token is exchanged for.
const ours = ""

// maxTokens bounds how many tokens are kept of one source's callers. Of more, the
// one that has not been used for longest goes.
const maxTokens = 1024

// authorize gives a request what the upstream wants to see, and returns the
// token it used, "" for none.
func (c *credential) authorize(ctx context.Context, r *http.Request, caller *Caller) (string, error) {
	if fault := c.admit(caller); fault != nil {
		return "", fault
	}
	v := values{settings: c.settings}
	switch {
	case c.auth.fetch != nil:
		text, err := c.token(ctx, caller)
		if err != nil {
			return "", err
		}
		v.token = text
	case c.auth.caller != nil:
		v.token = caller.Token.Reveal()
	}
	if c.auth.basic != nil {
		if err := c.auth.basic.set(r, &v, false); err != nil {
			return "", Fail(Misconfigured, "the credential is incomplete", err)
		}
	}
	for _, p := range c.auth.send {
		text, err := p.value.render(&v, clean)
		if err != nil {
			return "", Fail(Misconfigured, "the credential is incomplete", err)
		}
		r.Header.Set(p.name, text)
	}
	return v.token, nil
}

func (b *basicAuth) set(r *http.Request, v *values, formEncoded bool) error {
	username, err := b.username.render(v, clean)
	if err != nil {
		return err
	}
	password, err := b.password.render(v, clean)
	if err != nil {
		return err
	}
	if formEncoded { // RFC 6749, 2.3.1: both are form-encoded before they are joined
		username, password = url.QueryEscape(username), url.QueryEscape(password)
	}
	r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(username+":"+password)))
	return nil
}

// token is the one kept, or a new one. All who wait share one fetch, which goes
// on when the first of them leaves.
func (c *credential) token(ctx context.Context, caller *Caller) (string, error) {
	owner := c.owner(caller)
	if kept := c.current(owner); kept != "" {
		return kept, nil
	}
	fetched := c.flight.DoChan(owner, func() (any, error) {
		if kept := c.current(owner); kept != "" {
			return kept, nil
		}
		detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), tokenTimeout)
		defer cancel()
		return c.fetch(detached, caller)
	})
	select {
	case <-ctx.Done():
		return "", transportFault(ctx, ctx.Err(), "waiting for a token")
	case result := <-fetched:
		text, _ := result.Val.(string)
		return text, result.Err
	}
}

// tokenTimeout bounds a fetch that nobody may be waiting for any more.
const tokenTimeout = 10 * time.Second

// owner is whose the token is that a caller is served with.
func (c *credential) owner(caller *Caller) string {
	if c.auth.caller == nil {
		return ours
	}
	return caller.owner()
}

func (c *credential) current(owner string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, kept := time.Now(), c.kept[owner]
	if kept == nil || !now.Before(kept.expires) {
		return ""
	}
	kept.used = now
	return kept.text
}

// keep remembers a token, and makes room for it.
func (c *credential) keep(owner string, fresh *token) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.kept, func(_ string, t *token) bool { return !fresh.used.Before(t.expires) })
	if _, known := c.kept[owner]; !known && len(c.kept) >= maxTokens {
		delete(c.kept, slices.MinFunc(slices.Collect(maps.Keys(c.kept)), func(a, b string) int {
			return c.kept[a].used.Compare(c.kept[b].used)
		}))
	}
	if c.kept == nil {
		c.kept = map[string]*token{}
	}
	c.kept[owner] = fresh
}

// renewable tells whether a token that was refused can be replaced.
func (c *credential) renewable() bool { return c.auth.fetch != nil }

// forget drops a token that was refused, unless somebody has replaced it already.
func (c *credential) forget(caller *Caller, refused string) {
	owner := c.owner(caller)
	c.mu.Lock()
	defer c.mu.Unlock()
	if kept := c.kept[owner]; kept != nil && kept.text == refused {
		delete(c.kept, owner)
	}
}

func (c *credential) fetch(ctx context.Context, caller *Caller) (string, error) {
	v := values{query: Query{Caller: caller}, settings: c.settings}
	if c.auth.fetch.assertion != nil {
		if err := c.assert(&v); err != nil {
			return "", Fail(Misconfigured, "an assertion cannot be signed: "+err.Error(), err)
		}
	}
	request, err := c.tokenRequest(markToken(ctx), &v)
	if err != nil {
		return "", Fail(Misconfigured, "the token request is incomplete", err)
	}
	response, err := c.transport.RoundTrip(request)
	if err != nil {
		return "", transportFault(ctx, err, "fetching a token")
	}
	defer func() { _ = response.Body.Close() }()
	const maxTokenReply = 64 << 10
	content, err := io.ReadAll(io.LimitReader(response.Body, maxTokenReply))
	if err != nil {
		return "", transportFault(ctx, err, "reading a token")
	}
	exchange := c.auth.fetch.exchange
	if fault := tokenFault(response); fault != nil {
		if exchange != nil {
			exchange.classify(fault, content)
		}
		return "", fault
	}
	tree, err := normalize.ParseJSON(content)
	if err != nil {
		return "", Fail(Malformed, "the token reply is not JSON", err)
	}
	at := normalize.At(tree)
	text := c.auth.fetch.token.Text(at)
	if text == "" {
		return "", Fail(Malformed, "the token reply has no token", nil)
	}
	now := time.Now()
	expires := now.Add(tokenLifetime(c.auth.fetch.expiresIn.Text(at)))
	if exchange != nil {
		if exchange.unfit(at) {
			return "", Fail(Malformed, "the token reply's token is no bearer token of the type asked for", nil)
		}
		if ends := caller.Expires; !ends.IsZero() && ends.Before(expires) { // what is made of a token does not outlive it
			expires = ends
		}
	}
	c.keep(c.owner(caller), &token{text, expires, now})
	return text, nil
}

// tokenFault classifies a token endpoint's refusal. That our credential is
// refused is told by a 400 here (RFC 6749, 5.2) as well as by 401 and 403.
func tokenFault(response *http.Response) *Fault {
	kind := KindOfStatus(response.StatusCode)
	switch kind {
	case 0:
		return nil
	case Invalid, Denied, Unauthenticated:
		kind = Unauthenticated
	case NotFound:
		kind = Misconfigured
	}
	fault := Fail(kind, "the token endpoint refused", nil)
	fault.Detail.Status = response.StatusCode
	fault.RetryAfter = retryAfterHeader(response.Header.Get("Retry-After"), time.Now())
	return fault
}

// tokenLifetime is how long a token is used: until shortly before it expires,
// so that it does not die on the way.
func tokenLifetime(expiresIn string) time.Duration {
	lifetime, ok := secondsOf(expiresIn, maxTokenLifetime)
	if !ok || lifetime == 0 {
		return tokenless
	}
	return lifetime - min(30*time.Second, lifetime/10)
}

// assert signs the assertion of one token request.
func (c *credential) assert(v *values) error {
	signer, err := c.signer()
	if err != nil {
		return err
	}
	address, err := c.auth.fetch.endpoint.url(v, nil)
	if err != nil {
		return err
	}
	v.assertion, err = c.auth.fetch.assertion.sign(signer, v, address.String())
	return err
}

func (c *credential) tokenRequest(ctx context.Context, v *values) (*http.Request, error) {
	t := c.auth.fetch
	address, err := t.endpoint.url(v, t.query)
	if err != nil {
		return nil, err
	}
	request := (&http.Request{
		Method: t.endpoint.method, URL: address, Host: address.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Accept": {"application/json"}, "User-Agent": {"muster"}},
	}).WithContext(ctx)
	switch {
	case t.form != nil:
		form, err := renderQuery(v, t.form)
		if err != nil {
			return nil, err
		}
		setBody(request, []byte(form), mediaForm)
	case t.json != nil:
		var content bytes.Buffer
		if err := t.json.render(&content, v); err != nil {
			return nil, err
		}
		setBody(request, content.Bytes(), mediaJSON)
	}
	if t.basic != nil {
		if err := t.basic.set(request, v, true); err != nil {
			return nil, err
		}
	}
	for _, h := range t.headers {
		text, err := h.value.render(v, clean)
		if err != nil {
			return nil, err
		}
		request.Header.Set(h.name, text)
	}
	return request, nil
}

// AuthType is how a credential is written: exactly one kind.
func AuthType(c *normalize.Compiler) document.Type[auth] {
	return document.Object(func() []document.Key[auth] { return authKeys(c) }).With(func(_ auth, n *document.Node) {
		var known, found []string
		for _, k := range authKeys(c) {
			if known = append(known, k.Name); n.Kind() == document.Mapping && n.Field(k.Name) != nil {
				found = append(found, k.Name)
			}
		}
		switch {
		case n.Kind() != document.Mapping:
		case len(found) > 1:
			n.Errorf("exactly one auth kind is needed here, found %d", len(found)).Suggest("keep one of: %s", strings.Join(found, ", "))
		case len(n.Fields()) == 0:
			n.Errorf("exactly one auth kind is needed here, found 0").Suggest("one of: %s", strings.Join(known, ", "))
		}
	})
}

// conceal takes a token out of what an upstream says of a failure: one that
// repeats what it was sent must not bring it into a log, or before a caller.
func conceal(token string, faults ...*Fault) {
	const aWord = 8 // what is shorter may stand in any text
	if len(token) < aWord {
		return
	}
	for _, f := range faults {
		if f == nil {
			continue
		}
		f.Detail.Details = slices.Clone(f.Detail.Details)
		texts := []*string{&f.Detail.Code, &f.Detail.Message, &f.Detail.Hint, &f.Detail.Ref, &f.Detail.Subject}
		for i := range f.Detail.Details {
			texts = append(texts, &f.Detail.Details[i])
		}
		for _, text := range texts {
			*text = strings.ReplaceAll(*text, token, masked)
		}
	}
}

// authKeys is the table of the auth kinds; a definition has exactly one.
func authKeys(c *normalize.Compiler) []document.Key[auth] {
	return []document.Key[auth]{
		{Name: "none", About: "true: the upstream asks for no credential", Form: document.Yes(), Read: func(_ *auth, n *document.Node) {
			if !n.Bool() && strings.EqualFold(n.Text(), "false") { // anything else has been reported
				n.Errorf("none: false says nothing").Suggest("name the auth kind instead")
			}
		}},
		{Name: "bearer", About: "a token that does not change", Form: inAuth().form(), Read: func(a *auth, n *document.Node) {
			t := append(template{{literal: "Bearer "}}, authText(n)...)
			a.send = []parameter{{"Authorization", t}}
		}},
		document.Of("header", "headers of the upstream's own", headers(inAuth()), func(a *auth) *[]parameter { return &a.send }),
		document.Of("basic", "user name and password (RFC 7617)", document.Pointer(document.Object(basicKeys)), func(a *auth) **basicAuth { return &a.basic }),
		grantKey("client_credentials", "client_credentials", "OAuth 2.0 client credentials (RFC 6749, 4.4)", func() []document.Key[grant] {
			return append(grantKeys(), clientKeys(clientSecretKey().UnlessGiven("assertion"))...)
		}),
		grantKey("password", "password", "OAuth 2.0 resource owner password credentials (RFC 6749, 4.3), for upstreams that offer nothing better", func() []document.Key[grant] {
			return append(append(grantKeys(), clientKeys(clientSecretKey())...), // which a public client has not
				document.Of("username", "of the account that looks people up", authTemplate(), func(g *grant) *template { return &g.username }).Must(),
				document.Of("password", "of that account", authTemplate(), func(g *grant) *template { return &g.password }).Must(),
			)
		}),
		jwtBearerKey(),
		callerKey(),
		exchangeKey(),
		apiTokenKey(c),
	}
}

func basicKeys() []document.Key[basicAuth] {
	return []document.Key[basicAuth]{
		document.Of("username", "who we are", authTemplate(), func(b *basicAuth) *template { return &b.username }).Must(),
		document.Of("password", "how we prove it", authTemplate(), func(b *basicAuth) *template { return &b.password }).Must(),
	}
}

// grantKey is an auth kind that asks a token endpoint by an OAuth 2.0 grant.
func grantKey(name, grantType, about string, keys func() []document.Key[grant]) document.Key[auth] {
	typ := document.Object(keys)
	return document.Key[auth]{Name: name, About: about, Form: typ.Form, Read: func(a *auth, n *document.Node) {
		var g grant
		typ.Read(&g, n)
		g.checkClient(n, grantType)
		a.fetch, a.send = g.request(grantType), sendBearer()
		if params := n.Field("params"); g.assertion != nil {
			checkAssertionParams(params)
		}
		for _, p := range g.params {
			a.fetch.form = replaced(a.fetch.form, p)
		}
	}}
}

func authText(n *document.Node) template { return parseTemplate(n, n.Text(), 0, inAuth()) }

func authTemplate() document.Type[template] { return text(inAuth()) }

func sendBearer() []parameter {
	return []parameter{{"Authorization", template{{literal: "Bearer "}, {ref: reference{space: "token"}}}}}
}

// grant is what an OAuth 2.0 grant says.
type grant struct {
	endpoint                         Lookup
	clientID, clientSecret, audience template
	scopes                           []template
	username, password               template
	style                            string
	params                           []parameter
	exchange                         exchange
	assertion                        *assertion
}

func grantKeys() []document.Key[grant] {
	return []document.Key[grant]{
		{Name: "token_url", About: "the token endpoint", Required: true, Form: document.Matching("https://…", "^https://"), Read: func(g *grant, n *document.Node) {
			g.endpoint = parseEndpoint(n, inAuth(), inAuth())
			g.endpoint.method = http.MethodPost
		}},
		document.Of("scopes", "scopes to ask for", document.OneOrMore(authTemplate()), func(g *grant) *[]template { return &g.scopes }),
		document.Of("audience", "the API that the token is for", authTemplate(), func(g *grant) *template { return &g.audience }),
		document.Of("params", "further form parameters; one of a name that stands already, such as grant_type, replaces it", parameters(inAuth()), func(g *grant) *[]parameter { return &g.params }),
	}
}

// clientKeys are how a client says who it is: by a secret, or an assertion.
func clientKeys(secret document.Key[grant]) []document.Key[grant] {
	proof := assertionKey()
	proof.About = "how we prove it in place of a secret: a JWT that we sign (RFC 7523, 2.2; private_key_jwt)"
	return []document.Key[grant]{clientIDKey().Must(), secret, styleKey(), proof}
}

func clientIDKey() document.Key[grant] {
	return document.Of("client_id", "our name at the token endpoint", authTemplate(), func(g *grant) *template { return &g.clientID })
}

func clientSecretKey() document.Key[grant] {
	return document.Of("client_secret", "how we prove it", authTemplate(), func(g *grant) *template { return &g.clientSecret })
}

func styleKey() document.Key[grant] {
	return document.Of("style", "how a client shows its secret: basic (a header) or post (the form)", document.OneOf("basic", "post"), func(g *grant) *string { return &g.style }).Or("basic")
}

// request is the token request of a grant type, without further parameters.
func (g *grant) request(grantType string) *tokenRequest {
	t := &tokenRequest{
		endpoint:  g.endpoint,
		form:      []parameter{{"grant_type", template{{literal: grantType}}}},
		token:     mustPaths("access_token"),
		expiresIn: mustPaths("expires_in"),
	}
	if g.username != nil {
		t.form = append(t.form, parameter{"username", g.username}, parameter{"password", g.password})
	}
	if g.assertion != nil {
		t.assertion, g.assertion.issuer = g.assertion, g.clientID
	}
	switch {
	case g.assertion != nil && grantType == jwtBearer:
		t.form = append(t.form, parameter{"assertion", signed()})
	case g.assertion != nil:
		g.assertion.subject = g.clientID
		t.form = append(t.form, parameter{"client_assertion_type", template{{literal: clientAssertionJWT}}}, parameter{"client_assertion", signed()})
	}
	switch {
	case g.clientSecret == nil && g.clientID == nil:
	case g.clientSecret == nil:
		t.form = append(t.form, parameter{"client_id", g.clientID})
	case g.style == "post":
		t.form = append(t.form, parameter{"client_id", g.clientID}, parameter{"client_secret", g.clientSecret})
	default:
		t.basic = &basicAuth{g.clientID, g.clientSecret}
	}
	if len(g.scopes) > 0 {
		t.form = append(t.form, parameter{"scope", joined(g.scopes, " ")})
	}
	if g.audience != nil {
		t.form = append(t.form, parameter{"audience", g.audience})
	}
	return t
}

// replaced is a form with a parameter in place of the one that has its name, or
// at the end.
func replaced(form []parameter, p parameter) []parameter {
	for i := range form {
		if form[i].name == p.name {
			form[i] = p
			return form
		}
	}
	return append(form, p)
}

// mustPaths compiles a path that this package wrote itself.
func mustPaths(text string) normalize.Paths {
	path, err := normalize.ParsePath(text)
	if err != nil {
		panic(err)
	}
	return normalize.Paths{path}
}

// joined is one template of several.
func joined(all []template, by string) template {
	var one template
	for i, t := range all {
		if i > 0 {
			one = append(one, templatePart{literal: by})
		}
		one = append(one, t...)
	}
	return one
}

// apiTokenKey is the auth kind of upstreams with a token service of their own.
func apiTokenKey(c *normalize.Compiler) document.Key[auth] {
	typ := document.Object(func() []document.Key[auth] { return apiTokenKeys(c) })
	return document.Key[auth]{Name: "api_token", About: "a long-lived token is exchanged for a short-lived one", Form: typ.Form, Read: func(a *auth, n *document.Node) {
		a.fetch, a.send = &tokenRequest{}, sendBearer()
		typ.Read(a, n)
		if n.Field("form") != nil && n.Field("json") != nil {
			n.Field("json").Errorf("an exchange has one body: form or json").Suggest("remove one of them")
		}
	}}
}

func apiTokenKeys(c *normalize.Compiler) []document.Key[auth] {
	return []document.Key[auth]{
		document.Of("request", "METHOD https://… of the exchange", endpointType(inAuth(), inAuth()), func(a *auth) *Lookup { return &a.fetch.endpoint }).Must(),
		document.Of("form", "form parameters of the exchange", parameters(inAuth()), func(a *auth) *[]parameter { return &a.fetch.form }),
		document.Of("json", "JSON body of the exchange", document.Pointer(jsonBody(inAuth())), func(a *auth) **body { return &a.fetch.json }),
		document.Of("query", "query parameters of the exchange", parameters(inAuth()), func(a *auth) *[]parameter { return &a.fetch.query }),
		document.Of("headers", "headers of the exchange", headers(inAuth()), func(a *auth) *[]parameter { return &a.fetch.headers }),
		document.Of("token", "path of the token in the reply", c.PathsType(), func(a *auth) *normalize.Paths { return &a.fetch.token }).Must(),
		document.Of("expires_in", "path of its lifetime in seconds; without one it is kept for five minutes", c.PathsType(), func(a *auth) *normalize.Paths { return &a.fetch.expiresIn }),
		document.Of("send", "headers that carry it; without it Authorization: Bearer {token}", headers(inSend()), func(a *auth) *[]parameter { return &a.send }),
	}
}

// templates are all templates within the auth.
func (a *auth) templates() []template {
	var all []template
	add := func(parameters []parameter) {
		for _, p := range parameters {
			all = append(all, p.value)
		}
	}
	add(a.send)
	basics := []*basicAuth{a.basic}
	if t := a.fetch; t != nil {
		all = append(all, t.endpoint.templates()...)
		add(t.form)
		add(t.query)
		add(t.headers)
		basics = append(basics, t.basic)
		if t.assertion != nil {
			all = append(all, t.assertion.templates()...)
		}
		if t.json != nil {
			all = append(all, t.json.templates()...)
		}
	}
	for _, b := range basics {
		if b != nil {
			all = append(all, b.username, b.password)
		}
	}
	if a.caller != nil {
		all = append(all, a.caller.audience)
	}
	return all
}

type readCloser = io.ReadCloser

func newBody(content []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(content)) }

// transportFault classifies what kept a reply from coming. Go's own error holds
// the address, and with it a person's identifier: only the step is told.
func transportFault(ctx context.Context, err error, step string) *Fault {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, errPrivate): // a wrong address: asking again does not help
		return Fail(Misconfigured, errPrivate.Error(), errPrivate)
	case errors.Is(err, context.Canceled):
		return Fail(Unavailable, "abandoned while "+step, context.Canceled)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return Fail(Timeout, "no answer while "+step, context.DeadlineExceeded)
	default:
		return Fail(Unavailable, "the connection failed while "+step, nil)
	}
}

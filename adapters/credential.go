package adapters

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"muster/config/document"
	"muster/normalize"
)

// auth is what a definition says under `auth`: headers that are always the
// same, or a token that is fetched first.
type auth struct {
	send  []parameter // headers; {token} in them is what fetch brings
	basic *basicAuth
	fetch *tokenRequest
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

	flight singleflight.Group
	mu     sync.Mutex
	kept   token
}

type token struct {
	text    string
	expires time.Time
}

// authorize gives a request what the upstream wants to see, and returns the
// token it used, "" for none.
func (c *credential) authorize(ctx context.Context, r *http.Request) (string, error) {
	v := values{settings: c.settings}
	if c.auth.fetch != nil {
		text, err := c.token(ctx)
		if err != nil {
			return "", err
		}
		v.token = text
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
func (c *credential) token(ctx context.Context) (string, error) {
	if kept := c.current(); kept != "" {
		return kept, nil
	}
	fetched := c.flight.DoChan("", func() (any, error) {
		if kept := c.current(); kept != "" {
			return kept, nil
		}
		detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), tokenTimeout)
		defer cancel()
		return c.fetch(detached)
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

func (c *credential) current() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Now().Before(c.kept.expires) {
		return c.kept.text
	}
	return ""
}

// renewable tells whether a token that was refused can be replaced.
func (c *credential) renewable() bool { return c.auth.fetch != nil }

// forget drops a token that was refused, unless somebody has replaced it already.
func (c *credential) forget(refused string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept.text == refused {
		c.kept = token{}
	}
}

func (c *credential) fetch(ctx context.Context) (string, error) {
	request, err := c.tokenRequest(markToken(ctx))
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
	if fault := tokenFault(response); fault != nil {
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
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept = token{text, time.Now().Add(tokenLifetime(c.auth.fetch.expiresIn.Text(at)))}
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

func (c *credential) tokenRequest(ctx context.Context) (*http.Request, error) {
	v := values{settings: c.settings}
	t := c.auth.fetch
	address, err := t.endpoint.url(&v, t.query)
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
		form, err := renderQuery(&v, t.form)
		if err != nil {
			return nil, err
		}
		setBody(request, []byte(form), "application/x-www-form-urlencoded")
	case t.json != nil:
		var content bytes.Buffer
		if err := t.json.render(&content, &v); err != nil {
			return nil, err
		}
		setBody(request, content.Bytes(), "application/json")
	}
	if t.basic != nil {
		if err := t.basic.set(request, &v, true); err != nil {
			return nil, err
		}
	}
	for _, h := range t.headers {
		text, err := h.value.render(&v, clean)
		if err != nil {
			return nil, err
		}
		request.Header.Set(h.name, text)
	}
	return request, nil
}

// authKeys is the table of the auth kinds; a definition has exactly one.
func authKeys(c *normalize.Compiler) []document.Key[auth] {
	return []document.Key[auth]{
		{Name: "none", About: "true: the upstream asks for no credential", Read: func(_ *auth, n *document.Node) {
			if !n.Bool() && strings.EqualFold(n.Text(), "false") { // anything else has been reported
				n.Errorf("none: false says nothing").Suggest("name the auth kind instead")
			}
		}},
		{Name: "bearer", About: "a token that does not change", Read: func(a *auth, n *document.Node) {
			t := append(template{{literal: "Bearer "}}, parseTemplate(n, n.Text(), 0, inAuth())...)
			a.send = []parameter{{"Authorization", t}}
		}},
		{Name: "header", About: "{NAME: value}: headers of the upstream's own", Read: func(a *auth, n *document.Node) { a.send = parseHeaders(n, inAuth()) }},
		{Name: "basic", About: "{username, password}", Read: func(a *auth, n *document.Node) {
			a.basic = &basicAuth{}
			document.Decode(n, a.basic, []document.Key[basicAuth]{
				{Name: "username", About: "who we are", Required: true, Read: func(b *basicAuth, n *document.Node) { b.username = authText(n) }},
				{Name: "password", About: "how we prove it", Required: true, Read: func(b *basicAuth, n *document.Node) { b.password = authText(n) }},
			})
		}},
		{Name: "client_credentials", About: "OAuth 2.0 client credentials (RFC 6749, 4.4)", Read: func(a *auth, n *document.Node) {
			var g grant
			document.Decode(n, &g, append(grantKeys(), clientSecretKey(true)))
			a.fetch, a.send = g.request("client_credentials"), sendBearer()
		}},
		{Name: "password", About: "OAuth 2.0 resource owner password credentials (RFC 6749, 4.3), for upstreams that offer nothing better", Read: func(a *auth, n *document.Node) {
			var g grant
			document.Decode(n, &g, append(grantKeys(), clientSecretKey(false), // a public client has none
				document.Key[grant]{Name: "username", About: "of the account that looks people up", Required: true, Read: func(g *grant, n *document.Node) { g.username = authText(n) }},
				document.Key[grant]{Name: "password", About: "of that account", Required: true, Read: func(g *grant, n *document.Node) { g.password = authText(n) }},
			))
			a.fetch, a.send = g.request("password"), sendBearer()
		}},
		{Name: "api_token", About: "a long-lived token is exchanged for a short-lived one", Read: func(a *auth, n *document.Node) {
			a.fetch, a.send = &tokenRequest{}, sendBearer()
			document.Decode(n, a, apiTokenKeys(c))
			if n.Field("form") != nil && n.Field("json") != nil {
				n.Field("json").Errorf("an exchange has one body: form or json").Suggest("remove one of them")
			}
		}},
	}
}

func authText(n *document.Node) template { return parseTemplate(n, n.Text(), 0, inAuth()) }

func sendBearer() []parameter {
	return []parameter{{"Authorization", template{{literal: "Bearer "}, {ref: reference{space: "token"}}}}}
}

// grant is what an OAuth 2.0 grant says.
type grant struct {
	endpoint                                 Lookup
	clientID, clientSecret, scopes, audience template
	username, password                       template
	style                                    string
	params                                   []parameter
}

func grantKeys() []document.Key[grant] {
	return []document.Key[grant]{
		{Name: "token_url", About: "the token endpoint", Required: true, Read: func(g *grant, n *document.Node) {
			g.endpoint = parseEndpoint(n, inAuth(), inAuth())
			g.endpoint.method = http.MethodPost
		}},
		{Name: "client_id", About: "our name at the token endpoint", Required: true, Read: func(g *grant, n *document.Node) { g.clientID = authText(n) }},
		{Name: "scopes", About: "scopes to ask for", Read: func(g *grant, n *document.Node) {
			for i, item := range n.OneOrMore() {
				if i > 0 {
					g.scopes = append(g.scopes, templatePart{literal: " "})
				}
				g.scopes = append(g.scopes, authText(item)...)
			}
		}},
		{Name: "audience", About: "the API that the token is for", Read: func(g *grant, n *document.Node) { g.audience = authText(n) }},
		{Name: "style", About: "how the client proves itself: basic (a header) or post (the form)", Read: func(g *grant, n *document.Node) { g.style = n.OneOf("basic", "post") }},
		{Name: "params", About: "further form parameters", Read: func(g *grant, n *document.Node) { g.params = parseParameters(n, inAuth()) }},
	}
}

func clientSecretKey(required bool) document.Key[grant] {
	return document.Key[grant]{Name: "client_secret", About: "how we prove it", Required: required, Read: func(g *grant, n *document.Node) { g.clientSecret = authText(n) }}
}

// request is the token request of a grant type.
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
	switch {
	case g.clientSecret == nil:
		t.form = append(t.form, parameter{"client_id", g.clientID})
	case g.style == "post":
		t.form = append(t.form, parameter{"client_id", g.clientID}, parameter{"client_secret", g.clientSecret})
	default:
		t.basic = &basicAuth{g.clientID, g.clientSecret}
	}
	if g.scopes != nil {
		t.form = append(t.form, parameter{"scope", g.scopes})
	}
	if g.audience != nil {
		t.form = append(t.form, parameter{"audience", g.audience})
	}
	t.form = append(t.form, g.params...)
	return t
}

// mustPaths compiles a path that this package wrote itself.
func mustPaths(text string) normalize.Paths {
	path, err := normalize.ParsePath(text)
	if err != nil {
		panic(err)
	}
	return normalize.Paths{path}
}

func apiTokenKeys(c *normalize.Compiler) []document.Key[auth] {
	return []document.Key[auth]{
		{Name: "request", About: "METHOD https://… of the exchange", Required: true, Read: func(a *auth, n *document.Node) { a.fetch.endpoint = parseEndpoint(n, inAuth(), inAuth()) }},
		{Name: "form", About: "form parameters of the exchange", Read: func(a *auth, n *document.Node) { a.fetch.form = parseParameters(n, inAuth()) }},
		{Name: "json", About: "JSON body of the exchange", Read: func(a *auth, n *document.Node) {
			b := parseBody(n, inAuth())
			a.fetch.json = &b
		}},
		{Name: "query", About: "query parameters of the exchange", Read: func(a *auth, n *document.Node) { a.fetch.query = parseParameters(n, inAuth()) }},
		{Name: "headers", About: "headers of the exchange", Read: func(a *auth, n *document.Node) { a.fetch.headers = parseHeaders(n, inAuth()) }},
		{Name: "token", About: "path of the token in the reply", Required: true, Read: func(a *auth, n *document.Node) { a.fetch.token = c.Paths(n) }},
		{Name: "expires_in", About: "path of its lifetime in seconds", Read: func(a *auth, n *document.Node) { a.fetch.expiresIn = c.Paths(n) }},
		{Name: "send", About: "headers that carry it; default {Authorization: \"Bearer {token}\"}", Read: func(a *auth, n *document.Node) { a.send = parseHeaders(n, inSend()) }},
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
		if t.json != nil {
			all = append(all, t.json.templates()...)
		}
	}
	for _, b := range basics {
		if b != nil {
			all = append(all, b.username, b.password)
		}
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

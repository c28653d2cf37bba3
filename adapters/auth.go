package adapters

import (
	"net/http"
	"slices"
	"strings"

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

// authType is how a credential is written: exactly one kind.
func authType(c *normalize.Compiler) document.Type[auth] {
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
	all := parameterTemplates(a.send)
	basics := []*basicAuth{a.basic}
	if t := a.fetch; t != nil {
		all = slices.Concat(all, t.endpoint.templates(), parameterTemplates(t.form, t.query, t.headers))
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

package adapters

import (
	"regexp"
	"slices"
	"strings"

	"muster/config/document"
	"muster/normalize"
)

// The names of RFC 8693, 2.1 and 3.
const (
	tokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange" //nolint:gosec // a name, and no credential
	tokenTypes    = "urn:ietf:params:oauth:token-type:"               //nolint:gosec // as above
	accessToken   = tokenTypes + "access_token"
	jwtToken      = tokenTypes + "jwt"
)

// exchange is what a grant says of itself when the caller's token is exchanged
// for one that the upstream takes (RFC 8693).
type exchange struct {
	resources                  []template
	subjectType, requestedType string
}

// exchangeKey is `exchange`, a grant whose subject is the caller.
func exchangeKey() document.Key[auth] {
	typ := document.Object(func() []document.Key[grant] {
		return slices.Concat(grantKeys(), clientKeys(clientSecretKey().UnlessGiven("assertion")), exchangeKeys())
	})
	return document.Key[auth]{Name: "exchange", About: "the caller's token is exchanged for one that the upstream takes (RFC 8693)", Form: typ.Form, Read: func(a *auth, n *document.Node) {
		var g grant
		document.Defaults(&g, exchangeKeys())
		typ.Read(&g, n)
		g.checkClient(n, tokenExchange)
		a.caller = &callerAuth{}
		a.fetch, a.send = g.request(tokenExchange), sendBearer()
		a.fetch.exchange = &g.exchange
		if params := n.Field("params"); params.Kind() == document.Mapping {
			checkParams(params, a.fetch.form)
		}
		a.fetch.form = slices.Concat(a.fetch.form, g.params, g.exchange.form())
	}}
}

func exchangeKeys() []document.Key[grant] {
	resource := authTemplate().With(func(_ template, n *document.Node) {
		checkURI(n, anyPlaceholder.ReplaceAllString(n.Text(), "x:x"), "for example https://api.example.com/")
	})
	return []document.Key[grant]{
		document.Of("resource", "URI of the API that the token is for", document.OneOrMore(resource), func(g *grant) *[]template { return &g.exchange.resources }),
		document.Of("subject_token_type", "what the caller's token is", tokenType(), func(g *grant) *string { return &g.exchange.subjectType }).Or(accessToken),
		document.Of("requested_token_type", "what is wanted for it", tokenType(), func(g *grant) *string { return &g.exchange.requestedType }),
	}
}

// tokenType is the identifier of a kind of token (RFC 8693, 3).
func tokenType() document.Type[string] {
	return document.Text().Like(accessToken).With(func(text string, n *document.Node) {
		checkURI(n, text, "for example "+accessToken)
	})
}

// checkURI reports what is no absolute URI, or has a fragment (RFC 8693, 2.1).
func checkURI(n *document.Node, text, hint string) {
	if n.Kind() != document.Scalar { // which has been reported
		return
	}
	if !absoluteURI.MatchString(text) {
		n.Errorf("not an absolute URI: %q", n.Text()).Suggest("%s", hint)
	}
}

// absoluteURI is a scheme and something behind it (RFC 3986, 4.3).
var absoluteURI = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~:/?@!$&'()*+,;=%\[\]-]+$`)

// checkParams reports further parameters that the exchange sends by itself: a
// parameter is not sent twice (RFC 6749, 3.2), but for the two that RFC 8693
// lets stand for several targets.
func checkParams(params *document.Node, sent []parameter) {
	own := []string{"subject_token", "subject_token_type", "requested_token_type"}
	for _, p := range sent {
		own = append(own, p.name)
	}
	for _, f := range params.Fields() {
		if name := f.Key.Text(); name != "audience" && slices.Contains(own, name) {
			f.Key.Errorf("the exchange sends the parameter %q by itself", name).Suggest("remove it here")
		}
	}
}

// form are the parameters of RFC 8693, 2.1, beside those that every grant has.
func (x *exchange) form() []parameter {
	form := []parameter{
		{"subject_token", template{{ref: reference{space: "subject_token"}}}},
		{"subject_token_type", template{{literal: x.subjectType}}},
	}
	if x.requestedType != "" {
		form = append(form, parameter{"requested_token_type", template{{literal: x.requestedType}}})
	}
	for _, resource := range x.resources {
		form = append(form, parameter{"resource", resource})
	}
	return form
}

// classify says whose refusal it was, by the error code of RFC 6749, 5.2 and
// RFC 8693, 2.2.2: that of the caller's token, of what the definition asks for,
// or, as it was, of our own credential. The code itself is told only where it is
// one of these: a token endpoint may repeat anything in its place.
func (x *exchange) classify(fault *Fault, content []byte) {
	tree, err := normalize.ParseJSON(content)
	if err != nil || fault.Kind != Unauthenticated {
		return
	}
	code := mustPaths("error").Text(normalize.At(tree))
	switch code {
	case "invalid_request", "invalid_grant", "invalid_token", "access_denied":
		fault.Kind, fault.Step = Denied, "the token endpoint does not exchange this caller's token"
	case "invalid_target", "invalid_scope", "unsupported_grant_type", "unsupported_token_type":
		fault.Kind, fault.Step = Misconfigured, "the token endpoint gives no token for what is asked"
	case "invalid_client", "unauthorized_client":
	default:
		return
	}
	fault.Detail.Code = code
}

// unfit tells that the token which came cannot be sent as a bearer token: that
// it is none, or not what was asked for (RFC 8693, 2.2.1). What the reply leaves
// out says nothing against it.
func (x *exchange) unfit(at *normalize.Cursor) bool {
	if usage := mustPaths("token_type").Text(at); usage != "" && !strings.EqualFold(usage, "Bearer") {
		return true
	}
	issued := mustPaths("issued_token_type").Text(at)
	switch {
	case issued == "":
		return false
	case x.requestedType != "":
		return issued != x.requestedType
	default: // a refresh token, say, must never reach an upstream; what is not the RFC's own is the vendor's to know
		return strings.HasPrefix(issued, tokenTypes) && issued != accessToken && issued != jwtToken
	}
}

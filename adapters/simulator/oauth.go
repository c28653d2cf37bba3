package simulator

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// oauth is a token endpoint for client credentials, as RFC 6749 sections 2.3.1, 4.4 and 5 have it.
type oauth struct {
	client    Credential
	tokens    *tokens
	basicOnly bool   // credentials in the form do not do
	scope     string // demanded, unless empty
}

// accessToken is the answer of RFC 6749 section 5.1.
type accessToken struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	ExpiresIn    int    `json:"expires_in"` // seconds
	TokenType    string `json:"token_type"`
	Scope        string `json:"scope,omitempty"`
}

func (o oauth) token(c *call) reply {
	if c.r.ParseForm() != nil {
		return oauthError(http.StatusBadRequest, "invalid_request")
	}
	form := c.r.PostForm
	id, secret, basic := c.r.BasicAuth()
	if basic { // both are form-encoded before they go into Basic
		id, secret = formDecoded(id), formDecoded(secret)
	} else if !o.basicOnly {
		id, secret = form.Get("client_id"), form.Get("client_secret")
	}
	switch {
	case form.Get("grant_type") != "client_credentials":
		return oauthError(http.StatusBadRequest, "unsupported_grant_type")
	case id != o.client.ClientID || secret != o.client.ClientSecret:
		return o.invalidClient(basic)
	case o.scope != "" && !slices.Contains(strings.Fields(form.Get("scope")), o.scope):
		return oauthError(http.StatusBadRequest, "invalid_scope")
	}
	return granted(accessToken{AccessToken: o.tokens.issue(time.Hour), ExpiresIn: 3600, TokenType: "Bearer", Scope: o.scope})
}

func (o oauth) refuseToken(_ *call, status int) reply {
	if status == http.StatusUnauthorized {
		return o.invalidClient(true)
	}
	return oauthError(status, "server_error")
}

// invalidClient is 401 with a challenge for Basic, else 400, as section 5.2 demands.
func (oauth) invalidClient(basic bool) reply {
	if basic {
		return oauthError(http.StatusUnauthorized, "invalid_client").with("WWW-Authenticate", `Basic realm="token"`)
	}
	return oauthError(http.StatusBadRequest, "invalid_client")
}

// formDecoded is "" for what is not form-encoded, which is nobody's credential.
func formDecoded(s string) string {
	decoded, err := url.QueryUnescape(s)
	if err != nil {
		return ""
	}
	return decoded
}

func oauthError(status int, code string) reply {
	return document(status, map[string]string{"error": code}).with("Cache-Control", "no-store")
}

func granted(t accessToken) reply {
	return document(http.StatusOK, t).with("Cache-Control", "no-store")
}

package adapters

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"muster/config/document"
)

// Caller is on whose behalf a source is asked, as the front door has verified it.
// It is given to those sources alone whose credential is the caller's own (see
// Source.AsCaller), and is not changed while a lookup is under way.
type Caller struct {
	Issuer    string    // who says so; a subject is one person's only within it
	Subject   string    // who it is
	Token     Secret    // the access token that the caller came with
	Audiences []string  // its aud: whom it is for
	Expires   time.Time // when it ends; zero where that is not known
}

// known tells whether there is a caller who can be told from every other. What
// is kept for one who cannot would be kept for all of them.
func (c *Caller) known() bool {
	return c != nil && c.Issuer != "" && c.Subject != "" && c.Token.Reveal() != ""
}

// owner names a caller together with the token: two tokens of one caller may
// have been given different rights. It can be kept, being neither of them.
func (c *Caller) owner() string {
	sum := sha256.New()
	for _, part := range []string{c.Issuer, c.Subject, c.Token.Reveal()} {
		_, _ = fmt.Fprintf(sum, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// callerAuth is an auth whose credential is the caller's own token, or made of it.
type callerAuth struct {
	audience template // that the token must be for; nil where the exchange decides
}

// callerKey is `caller`, the caller's own token.
func callerKey() document.Key[auth] {
	typ := document.Object(callerKeys)
	return document.Key[auth]{Name: "caller", About: "the caller's own token, if it is for that audience", Form: typ.Form, Read: func(a *auth, n *document.Node) {
		a.caller, a.send = &callerAuth{}, sendBearer()
		typ.Read(a.caller, n)
	}}
}

func callerKeys() []document.Key[callerAuth] {
	return []document.Key[callerAuth]{
		document.Of("audience", "what the caller's token must be for, as its `aud` writes it", authTemplate().With(func(_ template, n *document.Node) {
			if n.Kind() == document.Scalar && n.Text() == "" {
				n.Errorf("the audience is empty").Suggest("a token goes only to whom it is for: write what its `aud` holds")
			}
		}), func(c *callerAuth) *template { return &c.audience }).Must(),
	}
}

// AsCaller tells whether the source is asked with the credential of whoever asks:
// then what it answers is for that caller alone.
func (s *Source) AsCaller() bool { return s.definition.AsCaller() }

// AsCaller tells whether the definition's credential is the caller's own token
// (auth: caller) or made of it (auth: exchange).
func (d *Definition) AsCaller() bool { return d.auth.caller != nil }

// admit says why nothing may be sent for this caller; nil when it may. It is
// `denied` and not `unauthenticated`: no upstream has refused a credential of
// ours, there is nothing that an operator or a new token could renew, and it is
// this caller alone who may not.
func (c *credential) admit(caller *Caller) *Fault {
	use := c.auth.caller
	switch {
	case use == nil:
		return nil
	case !caller.known():
		return Fail(Denied, "the source is asked with the caller's token, and there is none", nil)
	case !caller.Expires.IsZero() && !time.Now().Before(caller.Expires):
		return Fail(Denied, "the caller's token has expired", nil)
	case use.audience == nil:
		return nil
	}
	audience, err := use.audience.render(&values{settings: c.settings}, clean)
	switch {
	case err != nil:
		return Fail(Misconfigured, "the credential is incomplete", err)
	case !slices.Contains(caller.Audiences, audience):
		return Fail(Denied, "the caller's token is not for this audience", nil)
	}
	return nil
}

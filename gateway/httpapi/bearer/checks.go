package bearer

import (
	"context"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"muster/normalize"
)

// check is one thing that must hold of a token that can be read. They are made in
// the order in which they stand; all but the first few are independent of each other.
type check struct {
	name string
	test func(ctx context.Context, c *candidate) *Refusal
}

// accessToken is the type of RFC 9068.
const accessToken = "at+jwt"

func (v *Verifier) checks() []check {
	return []check{
		// Which rules hold is decided by what nobody has signed yet; that it was this
		// issuer is what the signature then says.
		{"payload", func(_ context.Context, c *candidate) *Refusal {
			if c.claims == nil {
				return refuse(checkPayload, "The token's payload is not a JSON object that says each thing once.")
			}
			return nil
		}},
		{"algorithm", algorithm},
		{"extensions", extensions},
		{"issuer", v.issued},
		{"type", typed},
		{"key", known},
		{"signature", signed},
		{"audience", func(_ context.Context, c *candidate) *Refusal {
			if len(c.issuer.Audiences) > 0 && !c.isFor(c.issuer.Audiences) {
				return refuse("audience", "The token is not for this audience.")
			}
			return nil
		}},
		{"presenter", presented},
		{"expiry", func(_ context.Context, c *candidate) *Refusal {
			ends, ok := instant(c.claims, "exp")
			switch {
			case !ok:
				return refuse("expiry", "The token does not say when it expires.")
			case !c.now.Before(ends.Add(c.issuer.Leeway)):
				return refuse("expiry", "The token has expired.")
			}
			return nil
		}},
		{"not before", func(_ context.Context, c *candidate) *Refusal {
			return c.notAhead("not before", "nbf", false, "The token is not valid yet.")
		}},
		{"issued at", func(_ context.Context, c *candidate) *Refusal {
			return c.notAhead("issued at", "iat", c.isAccessToken(), "The token was issued in the future.")
		}},
		{"subject", func(_ context.Context, c *candidate) *Refusal {
			if sub, _ := c.claims["sub"].(string); sub == "" || textAt(c.issuer.Claims.Subject, c.claims) == "" {
				return refuse("subject", "The token does not say who its subject is.")
			}
			return nil
		}},
		{"access token", accessTokenOnly},
		{"agreement", agreed},
		{"required", func(_ context.Context, c *candidate) *Refusal {
			if !c.issuer.Require.Holds(&normalize.Scope{Body: any(c.claims), Data: any(c.claims)}, normalize.At(any(c.claims))) {
				return refuse("required", "The token does not have what is required of it.")
			}
			return nil
		}},
	}
}

func algorithm(_ context.Context, c *candidate) *Refusal {
	alg, _ := c.header["alg"].(string)
	if !slices.Contains(algorithms(), jose.SignatureAlgorithm(alg)) {
		return refuse("algorithm", "The token is not signed by an algorithm that is accepted.")
	}
	return nil
}

// extensions refuses headers that change how a token is read (RFC 7515, 4.1.11; RFC
// 7797), or that say with which key to verify it: whoever can write a token can
// write those. Nothing that they name is looked at.
func extensions(_ context.Context, c *candidate) *Refusal {
	for _, name := range []string{"crit", "b64", "jwk", "jku", "x5u", "x5c", "enc", "zip"} {
		if _, there := c.header[name]; there {
			return refuse("extensions", "The token's header has a member that is not accepted.")
		}
	}
	return nil
}

func (v *Verifier) issued(_ context.Context, c *candidate) *Refusal {
	iss, _ := c.claims["iss"].(string)
	i := slices.IndexFunc(v.issuers, func(i *issuer) bool { return iss != "" && (i.Name == iss || i.Name == "") })
	if i < 0 {
		return refuse("issuer", "The token's issuer is not one of those accepted.")
	}
	c.issuer = v.issuers[i]
	return nil
}

// mediaType is a `typ` as RFC 7515 (4.1.9) compares it. A token without one is a JWT.
func mediaType(typ any) string {
	text, ok := typ.(string)
	if !ok && typ == nil {
		text = "JWT"
	}
	return strings.TrimPrefix(strings.ToLower(text), "application/")
}

func (c *candidate) isAccessToken() bool { return mediaType(c.header["typ"]) == accessToken }

func typed(_ context.Context, c *candidate) *Refusal {
	typ := mediaType(c.header["typ"])
	if !slices.ContainsFunc(c.issuer.Types, func(accepted string) bool { return mediaType(accepted) == typ }) {
		return refuse("type", "The token is not of a type that is accepted.")
	}
	return nil
}

// known finds the keys that may verify the token. One that is not known may be new.
func known(ctx context.Context, c *candidate) *Refusal {
	id, ok := optional(c.header, "kid")
	if !ok {
		return refuse("key", "The token names its key by something that is no name.")
	}
	alg, _ := c.header["alg"].(string)
	if c.set = c.issuer.keys.set.Load(); c.set == nil {
		return &Refusal{Check: "key", Reason: "The keys of the token's issuer are not known yet.", Unready: true}
	}
	if c.keys = c.set.choose(alg, id); c.keys == nil {
		c.issuer.keys.missed(ctx)
		c.set = c.issuer.keys.set.Load()
		c.keys = c.set.choose(alg, id)
	}
	if c.keys == nil {
		return refuse("key", "The token's key is not one that its issuer has for signatures.")
	}
	return nil
}

func signed(ctx context.Context, c *candidate) *Refusal {
	_, err := chosen(c.keys).VerifySignature(ctx, c.raw)
	if _, named := c.header["kid"]; err != nil && !named { // a token that names no key may be of a new one
		c.issuer.keys.missed(ctx)
		if set := c.issuer.keys.set.Load(); set != c.set {
			alg, _ := c.header["alg"].(string)
			c.set, c.keys = set, set.choose(alg, "")
			_, err = chosen(c.keys).VerifySignature(ctx, c.raw)
		}
	}
	if err != nil {
		return refuse("signature", "The token's signature is not its issuer's.")
	}
	return nil
}

// verified is the oidc.KeySet of a token whose signature has been verified already.
type verified struct{ token *candidate }

// VerifySignature returns what is signed.
func (v verified) VerifySignature(context.Context, string) ([]byte, error) {
	return v.token.payload, nil
}

// agreed lets go-oidc read the token as well: what the two do not read alike is not
// believed. What it is told to skip is checked above, and more strictly.
func agreed(ctx context.Context, c *candidate) *Refusal {
	alg, _ := c.header["alg"].(string)
	verifier := oidc.NewVerifier(c.issuer.Name, verified{c}, &oidc.Config{
		SupportedSigningAlgs: []string{alg}, SkipClientIDCheck: true, SkipExpiryCheck: true,
		SkipIssuerCheck: c.issuer.Name == "", // a token that is explained by keys alone
	})
	if _, err := verifier.Verify(ctx, c.raw); err != nil {
		return refuse("agreement", "The token can be read in more than one way.")
	}
	return nil
}

// presented holds a token that is for several to who asked for it: each of the others
// could else come with it as its own (RFC 7523 knows why; OpenID Connect Core, 3.1.3.7).
func presented(_ context.Context, c *candidate) *Refusal {
	all := c.audiences()
	slices.Sort(all)
	if len(slices.Compact(all)) < 2 || len(c.issuer.Audiences) == 0 {
		return nil
	}
	for _, name := range []string{"azp", "client_id"} {
		if by, _ := c.claims[name].(string); by != "" && (slices.Contains(c.issuer.Audiences, by) || slices.Contains(c.issuer.Clients, by)) {
			return nil
		}
	}
	return refuse("presenter", "The token is for several audiences, and for a client that is not accepted.")
}

// notAhead refuses an instant that is still to come.
func (c *candidate) notAhead(check, name string, required bool, reason string) *Refusal {
	_, there := c.claims[name]
	at, ok := instant(c.claims, name)
	switch {
	case !there && required:
		return refuse(check, "The token does not say when it was issued.")
	case !there:
		return nil
	case !ok:
		return refuse(check, "The token has an instant that is not one.")
	case c.now.Before(at.Add(-c.issuer.Leeway)):
		return refuse(check, reason)
	}
	return nil
}

// accessTokenOnly wants of an access token what RFC 9068 (2.2) does, and refuses,
// among tokens that do not say what they are, those that are for somebody else: ID
// tokens (OpenID Connect Core, 3.1.3.6 and 3.3.2.11) and security events, logouts
// among them (RFC 8417).
func accessTokenOnly(_ context.Context, c *candidate) *Refusal {
	if c.isAccessToken() {
		for _, name := range []string{"client_id", "jti"} {
			if text, _ := c.claims[name].(string); text == "" {
				return refuse("access token", "The token lacks a claim that an access token must have.")
			}
		}
		return nil
	}
	for _, name := range []string{"at_hash", "c_hash", "s_hash", "events"} {
		if _, there := c.claims[name]; there {
			return refuse("access token", "The token is not an access token.")
		}
	}
	return nil
}

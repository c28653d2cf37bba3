// Package bearer believes, or does not believe, the JSON Web Tokens that callers
// come with (RFC 6750, RFC 7519, RFC 9068). It decides who somebody is and nothing
// about what they may see.
//
//	verifier, err := bearer.New(bearer.Options{Issuers: issuers, Transport: transport})
//	go verifier.Run(ctx, func(issuer int, err error) { … }) // keys, from now on
//	caller, refusal := verifier.Verify(ctx, token)
//
// A token passes these files in this order:
//
//	verifier.go  what was believed a moment ago is not looked at again
//	token.go     three parts of base64url, two JSON objects, nothing said twice
//	checks.go    every check, one after the other; explain.go shows them to people
//	keys.go      which keys of a set may verify it, and whether one does
//	fetch.go     where the keys come from, and how rarely they are asked for
//	claims.go    what the token says becomes a gateway.Caller
//
// Signatures are go-jose's, discovery and the last look at a token go-oidc's. What
// stands here is what those leave to others (docs/decisions/0018).
package bearer

package bearer

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"muster/gateway"
)

// Finding is what one check found of a token.
type Finding struct {
	Check string
	OK    bool
	Text  string // what was looked at, or why it is not accepted; never the token or its subject
}

// By is what a token is explained by.
type By struct {
	Issuer    Issuer            // as in Options; without a Name or Audiences, any will do
	KeySet    []byte            // a JWK Set; nil to ask the issuer for its own
	Transport http.RoundTripper // that asks
	Signature bool              // the signature alone, whatever is signed
}

// Explain makes every check that can be made of a token, also after one has failed.
// Its error is about the keys: they cannot be read or had.
func Explain(ctx context.Context, by By, token string) ([]Finding, error) {
	v := newVerifier(Options{Issuers: []Issuer{by.Issuer}, Transport: by.Transport})
	keys := v.issuers[0].keys
	if by.KeySet != nil {
		set, err := parseKeys(by.KeySet)
		if err != nil {
			return nil, err
		}
		keys.set.Store(set)
		keys.counted = time.Now().Add(time.Hour) // there is nobody to ask again
	} else if err := keys.refresh(ctx); err != nil {
		return nil, err
	}
	e := explaining{}
	c, refusal := parse(token, time.Now())
	for _, first := range []string{checkSize, checkForm, checkHeader} {
		if refusal != nil && refusal.Check == first {
			e.found(first, refusal, nil)
			return e.findings, nil
		}
		e.found(first, nil, nil)
	}
	c.issuer = v.issuers[0]
	failed := map[string]bool{}
	needs := map[string][]string{"key": {"algorithm"}, "signature": {"algorithm", "key"}, "agreement": {"algorithm", "issuer"}}
	for _, check := range v.all {
		if slices.ContainsFunc(needs[check.name], func(other string) bool { return failed[other] }) ||
			by.Signature && !slices.Contains([]string{"algorithm", "extensions", "key", "signature"}, check.name) {
			continue
		}
		refusal := check.test(ctx, c)
		failed[check.name] = refusal != nil
		e.found(check.name, refusal, c)
		if check.name == checkPayload && refusal != nil {
			break
		}
	}
	return e.findings, nil
}

// Unverified is who a token says has come, whoever may have written it: for the questions of
// an operator, and for nothing else. The refusal is about its form, or its issuer.
func Unverified(issuers []Issuer, token string) (*gateway.Caller, *Refusal) {
	c, refusal := parse(token, time.Now())
	if refusal != nil {
		return nil, refusal
	}
	if c.claims == nil {
		return nil, refuse(checkPayload, "The token's payload is not a JSON object that says each thing once.")
	}
	if refusal := newVerifier(Options{Issuers: issuers}).issued(context.Background(), c); refusal != nil {
		return nil, refusal
	}
	return c.caller(), nil
}

type explaining struct{ findings []Finding }

func (e *explaining) found(check string, refusal *Refusal, c *candidate) {
	if refusal != nil {
		e.findings = append(e.findings, Finding{check, false, refusal.Reason})
		return
	}
	text := ""
	if c != nil {
		text = c.told(check)
	}
	e.findings = append(e.findings, Finding{check, true, text})
}

// told is what a check that has passed looked at.
func (c *candidate) told(check string) string {
	text := func(value any) string {
		if s, ok := value.(string); ok {
			return fmt.Sprintf("%.128q", s)
		}
		return "none"
	}
	when := func(name string) string {
		at, ok := instant(c.claims, name)
		if !ok {
			return "none"
		}
		return at.UTC().Format(time.RFC3339) + ", " + distance(at.Sub(c.now))
	}
	switch check {
	case "algorithm":
		return text(c.header["alg"])
	case "type":
		return text(c.header["typ"])
	case "key":
		return text(c.header["kid"])
	case "issuer":
		return text(c.claims["iss"]) + unless(c.issuer.Name != "")
	case "audience":
		var all []string
		for _, audience := range c.audiences() {
			all = append(all, text(audience))
		}
		return strings.Join(all, ", ") + unless(len(c.issuer.Audiences) > 0)
	case "expiry":
		return when("exp")
	case "not before":
		return when("nbf")
	case "issued at":
		return when("iat")
	default:
		return ""
	}
}

// unless says that nothing was compared.
func unless(compared bool) string {
	if compared {
		return ""
	}
	return " (not compared)"
}

func distance(d time.Duration) string {
	if d = d.Round(time.Second); d < 0 {
		return (-d).String() + " ago"
	}
	return "in " + d.String()
}

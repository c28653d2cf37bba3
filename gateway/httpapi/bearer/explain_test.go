package bearer_test

import (
	"strings"
	"testing"
	"time"

	"muster/gateway/httpapi/bearer"
)

func explained(t *testing.T, by bearer.By, token string) map[string]string {
	t.Helper()
	findings, err := bearer.Explain(t.Context(), by, token)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, f := range findings {
		mark := "no: "
		if f.OK {
			mark = "yes: "
		}
		all[f.Check] = mark + f.Text
		if strings.Contains(f.Text, "jane") || token != "" && strings.Contains(f.Text, token) {
			t.Errorf("%s tells of the person or the token: %s", f.Check, f.Text)
		}
	}
	return all
}

// TestExplain: who looks at a token sees every check, also behind one that fails.
func TestExplain(t *testing.T) {
	t.Parallel()
	r := ring()
	keys := newIDP(r.all()...)
	token := r.es.token(t, nil, claims{"aud": "billing", "exp": time.Now().Add(-time.Hour).Unix()})
	for _, by := range []bearer.By{{Issuer: issuer(), KeySet: keys.keySet}, {Issuer: issuer(), Transport: keys}} {
		got := explained(t, by, token)
		for check, want := range map[string]string{
			"size": "yes: ", "form": "yes: ", "header": "yes: ", "payload": "yes: ", "algorithm": `yes: "ES256"`, "extensions": "yes: ", "issuer": `yes: "https://login.example.com/"`,
			"type": `yes: "at+jwt"`, "key": `yes: "es"`, "signature": "yes: ", "audience": "no: The token is not for this audience.", "presenter": "yes: ",
			"expiry": "no: The token has expired.", "not before": "yes: none", "subject": "yes: ", "access token": "yes: ", "agreement": "yes: ", "required": "yes: ",
		} {
			if got[check] != want {
				t.Errorf("%s: %q, want %q", check, got[check], want)
			}
		}
		if !strings.HasPrefix(got["issued at"], "yes: 20") || len(got) != 19 {
			t.Errorf("issued at %q, and %d checks", got["issued at"], len(got))
		}
	}
	for name, test := range map[string]struct {
		by     bearer.By
		token  string
		check  string
		want   string
		behind string // a check that is not made any more
	}{
		"another algorithm": {bearer.By{Issuer: issuer(), KeySet: keys.keySet}, r.es.token(t, claims{"alg": "HS256"}, nil), "algorithm", "no: The token is not signed by an algorithm that is accepted.", "signature"},
		"another key":       {bearer.By{Issuer: issuer(), KeySet: keys.keySet}, r.es.token(t, claims{"kid": "x"}, nil), "key", "no: The token's key is not one that its issuer has for signatures.", "signature"},
		"no token":          {bearer.By{Issuer: issuer(), KeySet: keys.keySet}, "", "form", "no: The token is not three parts of base64url with dots between them.", "header"},
		"no claims":         {bearer.By{Issuer: issuer(), KeySet: keys.keySet}, r.es.sign(t, `{"alg":"ES256","kid":"es"}`, "foo"), "payload", "no: The token's payload is not a JSON object that says each thing once.", "subject"},
		"the signature":     {bearer.By{Issuer: issuer(), KeySet: keys.keySet, Signature: true}, r.es.sign(t, `{"alg":"ES256","kid":"es"}`, "foo"), "signature", "yes: ", "subject"},
		"a wrong signature": {bearer.By{Issuer: issuer(), KeySet: keys.keySet, Signature: true}, r.stranger.sign(t, `{"alg":"ES256","kid":"es"}`, "foo"), "signature", "no: The token's signature is not its issuer's.", "subject"},
	} {
		got := explained(t, test.by, test.token)
		if _, made := got[test.behind]; got[test.check] != test.want || made {
			t.Errorf("%s: %q, want %q; %s made: %v", name, got[test.check], test.want, test.behind, made)
		}
	}
	if _, err := bearer.Explain(t.Context(), bearer.By{Issuer: issuer(), KeySet: []byte("{}")}, token); err == nil || err.Error() != "the key set is not a JSON object with `keys`" {
		t.Errorf("without keys: %v", err)
	}
}

// TestExplainWithoutRules: by keys alone, whose token it is and whom it is for are shown
// and not compared.
func TestExplainWithoutRules(t *testing.T) {
	t.Parallel()
	r, rules := ring(), issuer()
	rules.Name, rules.Audiences = "", nil
	for check, text := range explained(t, bearer.By{Issuer: rules, KeySet: newIDP(r.all()...).keySet}, r.es.token(t, nil, claims{"iss": "https://another.example", "aud": []string{"a", "b"}})) {
		if !strings.HasPrefix(text, "yes: ") {
			t.Errorf("%s: %s", check, text)
		}
	}
}

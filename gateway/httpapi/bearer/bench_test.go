package bearer_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

// BenchmarkVerify is what a caller costs: with a token that has been seen, and with one
// that has not.
func BenchmarkVerify(b *testing.B) {
	r := ring()
	v := running(b, newIDP(r.all()...), issuer())
	b.Run("seen", func(b *testing.B) {
		token := r.rs.token(b, nil, nil)
		for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); { // until it is kept
			refusedBy(b, v, token)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, refusal := v.Verify(b.Context(), token); refusal != nil {
				b.Fatal(refusal)
			}
		}
	})
	b.Run("new", func(b *testing.B) {
		tokens := make([]string, 256)
		for n := range tokens {
			tokens[n] = r.rs.token(b, nil, claims{"jti": strings.Repeat("x", n+1)})
		}
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			if n%len(tokens) == 0 {
				b.StopTimer()
				v = running(b, newIDP(r.all()...), issuer())
				b.StartTimer()
			}
			if _, refusal := v.Verify(b.Context(), tokens[n%len(tokens)]); refusal != nil {
				b.Fatal(refusal)
			}
		}
	})
}

// FuzzVerify: nothing but what the issuer has signed is believed, and nothing makes the
// verifier panic or say what the token holds.
func FuzzVerify(f *testing.F) {
	r := ring()
	v := running(f, newIDP(r.ed.jwk(nil)), issuer())
	good := r.ed.token(f, nil, nil)
	parts := strings.Split(good, ".")
	for _, seed := range []string{good, parts[0] + "." + parts[1] + ".", "..", "a.b.c", `{"payload":""}`, strings.Repeat(".", 9000)} {
		f.Add(seed, "", "")
	}
	f.Add("", `{"alg":"EdDSA","typ":"at+jwt","kid":"ed"}`, `{"iss":"`+issuerName+`","aud":"muster","exp":99999999999}`)
	f.Add("", `{"alg":"none"}`, `{}`)
	f.Fuzz(func(t *testing.T, token, header, payload string) {
		if caller, refusal := v.Verify(t.Context(), token); refusal == nil && token != good && caller != nil {
			t.Errorf("believed: %q", token)
		}
		encode := base64.RawURLEncoding.EncodeToString
		if caller, _ := v.Verify(t.Context(), encode([]byte(header))+"."+encode([]byte(payload))+"."+parts[2]); caller != nil && caller.Token.Reveal() != good {
			t.Errorf("believed by another's signature: %q %q", header, payload)
		}
		// What the issuer signs may be believed or not, and must be read without harm.
		_, _ = v.Verify(t.Context(), r.ed.sign(t, header, payload))
	})
}

// TestSeenTokensAreKept: 33. A token that is come with again is not verified again.
func TestSeenTokensAreKept(t *testing.T) {
	r := ring()
	v := running(t, newIDP(r.all()...), issuer())
	token := r.rs.token(t, nil, nil)
	before, _ := v.Verify(t.Context(), token)
	for range 100 { // what is kept is kept a moment later
		now, _ := v.Verify(t.Context(), token)
		if now == before {
			return
		}
		before = now
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the same token is verified each time")
}

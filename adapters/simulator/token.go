package simulator

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// tokens are the access tokens that one vendor honours.
type tokens struct {
	secret string
	clock  func() time.Time

	mu     sync.Mutex
	issued int
	ends   map[string]time.Time // zero: never
}

// newTokens honours the standing token, if there is one, for ever.
func newTokens(secret string, clock func() time.Time, standing string) *tokens {
	t := &tokens{secret: secret, clock: clock, ends: make(map[string]time.Time)}
	if standing != "" {
		t.ends[standing] = time.Time{}
	}
	return t
}

// issue makes a token that looks random and follows from the seed and a counter.
func (t *tokens) issue(lifetime time.Duration) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock()
	for token, end := range t.ends {
		if !end.IsZero() && now.After(end) {
			delete(t.ends, token)
		}
	}
	t.issued++
	token := digest(fmt.Sprint(t.secret, "access token", t.issued))
	t.ends[token] = now.Add(lifetime)
	return token
}

func (t *tokens) valid(token string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	end, ok := t.ends[token]
	return ok && (end.IsZero() || t.clock().Before(end))
}

// bearer is the token of an Authorization header (RFC 6750 section 2.1; the scheme's name in any case), else "".
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return token
}

// digest makes 64 hexadecimal digits of a text.
func digest(of string) string {
	sum := sha256.Sum256([]byte(of))
	return hex.EncodeToString(sum[:])
}

// guid makes a version 4 UUID (RFC 9562) of a text.
func guid(of string) string {
	d := []byte(digest(of)[:32])
	d[12], d[16] = '4', '8'
	return fmt.Sprintf("%s-%s-%s-%s-%s", d[:8], d[8:12], d[12:16], d[16:20], d[20:32])
}

// isGUID tells whether a text has the form 8-4-4-4-12 of hexadecimal digits.
func isGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range s {
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (c == '-') {
			return false
		} else if !dash && !strings.ContainsRune("0123456789abcdefABCDEF", c) {
			return false
		}
	}
	return true
}

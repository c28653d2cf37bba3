package httpapi

import (
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"muster/gateway"
	"muster/gateway/httpapi/bearer"
)

// Callers is who may ask, which changes with the configuration. The zero Callers lets
// everybody in as nobody. It is safe for concurrent use.
type Callers struct {
	verifier atomic.Pointer[bearer.Verifier]
}

// Set puts a verifier in force: from now on nobody comes in without a token that it
// believes. Nil lets everybody in.
func (c *Callers) Set(v *bearer.Verifier) { c.verifier.Store(v) }

// callerKey is where a Gin context keeps who asks.
const callerKey = "caller"

// callerOf is who asks; nil where nobody is known.
func callerOf(c *gin.Context) *gateway.Caller {
	caller, _ := c.Value(callerKey).(*gateway.Caller)
	return caller
}

// unready is after what time a caller may come again whose issuer is not known yet.
const unready = 5 * time.Second

// admitted lets in who comes with a token that is believed (RFC 6750). It stands
// before everything that is about people.
func (d *door) admitted(c *gin.Context) {
	verifier := d.callers.verifier.Load()
	if verifier == nil {
		return
	}
	token, challenge, refused := credential(c.Request)
	if refused == nil {
		caller, refusal, after := d.verify(c.Request, verifier, token)
		switch {
		case after > 0:
			tooOften(c, after, "Too many tokens that are not believed have come from this address.")
			return
		case refusal == nil:
			c.Set(callerKey, caller)
			return
		case refusal.Unready:
			c.Header("Retry-After", wholeSeconds(unready))
			refuse(c, &gateway.RequestError{
				Status: http.StatusServiceUnavailable, Title: "Not ready.",
				Reason: refusal.Reason, Resolution: "Ask again in a moment.",
			})
			return
		}
		challenge = `Bearer error="invalid_token", error_description="` + refusal.Reason + `"`
		refused = unauthorized(refusal.Reason, "Come with a token that was issued for this gateway and has not expired.")
	}
	c.Header("WWW-Authenticate", challenge)
	refuse(c, refused)
}

// verify tells who has come, or why the token is not believed; or after what time it
// will be looked at, where too many others from there were not.
func (d *door) verify(r *http.Request, verifier *bearer.Verifier, token string) (*gateway.Caller, *bearer.Refusal, time.Duration) {
	if caller := verifier.Remembered(r.Context(), token); caller != nil {
		return caller, nil, 0
	}
	from := d.stranger(r)
	if from != "" {
		if at := d.limits.strangers.take(from, strangers(), 0); at.left == 0 {
			return nil, nil, strangers().Per / time.Duration(strangers().Calls)
		}
	}
	caller, refusal := verifier.Verify(r.Context(), token)
	if refusal != nil && !refusal.Unready && from != "" {
		d.limits.strangers.take(from, strangers(), 1)
	}
	return caller, refusal, 0
}

func unauthorized(reason, resolution string) *gateway.RequestError {
	return &gateway.RequestError{Status: http.StatusUnauthorized, Title: "Unauthorized.", Reason: reason, Resolution: resolution}
}

// credential is the token of a request; or how to challenge whoever sent it, and why.
// A token in the address is refused even if it is good: addresses are written down
// everywhere (RFC 9700, 4.3.2).
func credential(r *http.Request) (token, challenge string, refused *gateway.RequestError) {
	const twice = `Bearer error="invalid_request", error_description="One token is sent, in the Authorization header."`
	lines := r.Header.Values("Authorization")
	query, _ := url.ParseQuery(r.URL.RawQuery) // what cannot be read is refused later
	switch {
	case query.Has("access_token"):
		return "", twice, unauthorized("A token stands in the address.", "Send it in the Authorization header, and have it revoked: addresses are logged on the way.")
	case len(lines) > 1:
		return "", twice, unauthorized("There is more than one Authorization header.", "Send one, with one token.")
	case len(lines) == 1:
		scheme, rest, _ := strings.Cut(lines[0], " ")
		if token = strings.TrimLeft(rest, " "); strings.EqualFold(scheme, "Bearer") && token != "" {
			return token, "", nil
		}
	}
	// RFC 6750, 3.1: who has sent no token is told how, and of no error.
	return "", `Bearer realm="muster"`, unauthorized("There is no bearer token.", "Send one as Authorization: Bearer TOKEN.")
}

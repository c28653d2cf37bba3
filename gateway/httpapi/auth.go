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
	"muster/gateway/httpapi/clientcert"
)

// Callers is who may ask, which changes with the configuration. The zero Callers lets
// everybody in as nobody. It is safe for concurrent use.
type Callers struct {
	by atomic.Pointer[ways]
}

// ways are how callers come in. One of them is there.
type ways struct {
	tokens       *bearer.Verifier
	certificates *clientcert.Verifier
}

// Set puts verifiers in force, of which one may be nil: from now on nobody comes in
// without a token or a certificate that is believed. Two that are nil let everybody in.
func (c *Callers) Set(tokens *bearer.Verifier, certificates *clientcert.Verifier) {
	if tokens == nil && certificates == nil {
		c.by.Store(nil)
		return
	}
	c.by.Store(&ways{tokens, certificates})
}

// callerKey is where a Gin context keeps who asks.
const callerKey = "caller"

// callerOf is who asks; nil where nobody is known.
func callerOf(c *gin.Context) *gateway.Caller {
	caller, _ := c.Value(callerKey).(*gateway.Caller)
	return caller
}

// unready is after what time a caller may come again whose issuer is not known yet.
const unready = 5 * time.Second

// admitted lets in who comes with a token that is believed (RFC 6750), or, without any
// credential in the request, on a connection whose certificate is. It stands before
// everything that is about people.
func (d *door) admitted(c *gin.Context) {
	by := d.callers.by.Load()
	switch {
	case by == nil:
		return
	case by.certificates != nil && clientcert.Shown(c.Request.TLS) && !presents(c.Request):
		caller, refused := by.certificates.Verify(c.Request.TLS, time.Now())
		if refused != "" {
			c.Header("WWW-Authenticate", by.challenge())
			refuse(c, unauthorized(refused, "Connect with a certificate that is valid and has a caller's name."))
			return
		}
		c.Set(callerKey, caller)
	default:
		d.admittedByToken(c, by)
	}
}

func (d *door) admittedByToken(c *gin.Context, by *ways) {
	token, challenge, refused := by.credential(c.Request)
	if refused == nil {
		caller, refusal, after := d.verify(c.Request, by.tokens, token)
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

// presents tells whether a request has a credential in itself, be it one that is good or
// not. Then the connection's certificate says nothing of who asks: who sends a token wants
// to be held to it.
func presents(r *http.Request) bool {
	query, _ := url.ParseQuery(r.URL.RawQuery)
	return len(r.Header.Values("Authorization")) > 0 || query.Has("access_token")
}

// challenge is for who has not come in, and says of no error (RFC 6750, 3.1). For
// certificates no scheme is registered; this is the name that one was proposed by
// (draft-thomson-httpbis-cant), since a 401 has to have one (RFC 9110, 15.5.2).
func (w *ways) challenge() string {
	if w.tokens == nil {
		return `ClientCertificate realm="muster"`
	}
	return `Bearer realm="muster"`
}

// credential is the token of a request; or how to challenge whoever sent it, and why.
// A token in the address is refused even if it is good: addresses are written down
// everywhere (RFC 9700, 4.3.2).
func (w *ways) credential(r *http.Request) (token, challenge string, refused *gateway.RequestError) {
	const twice = `Bearer error="invalid_request", error_description="One token is sent, in the Authorization header."`
	lines := r.Header.Values("Authorization")
	query, _ := url.ParseQuery(r.URL.RawQuery) // what cannot be read is refused later
	switch {
	case query.Has("access_token"):
		return "", twice, unauthorized("A token stands in the address.", "Send it in the Authorization header, and have it revoked: addresses are logged on the way.")
	case w.tokens == nil && len(lines) > 0:
		return "", w.challenge(), unauthorized("No token is believed here.", "Connect with a certificate that has a caller's name, and send no Authorization.")
	case w.tokens == nil:
		return "", w.challenge(), unauthorized("There is no certificate.", "Connect with one that has a caller's name.")
	case len(lines) > 1:
		return "", twice, unauthorized("There is more than one Authorization header.", "Send one, with one token.")
	case len(lines) == 1:
		scheme, rest, _ := strings.Cut(lines[0], " ")
		if token = strings.TrimLeft(rest, " "); strings.EqualFold(scheme, "Bearer") && token != "" {
			return token, "", nil
		}
	}
	resolution := "Send one as Authorization: Bearer TOKEN."
	if w.certificates != nil {
		resolution = "Send one as Authorization: Bearer TOKEN, or connect with a certificate that has a caller's name."
	}
	return "", w.challenge(), unauthorized("There is no bearer token.", resolution)
}

// insufficient tells a caller which scope the token lacks (RFC 6750, 3.1).
func insufficient(c *gin.Context, r *gateway.RequestError) {
	if who := callerOf(c); r.Scope != "" && who != nil && who.Certificate == nil {
		c.Header("WWW-Authenticate", `Bearer error="insufficient_scope", error_description="`+r.Reason+`", scope="`+r.Scope+`"`)
	}
}

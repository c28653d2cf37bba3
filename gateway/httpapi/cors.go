package httpapi

import (
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"
)

// What pages of other origins may send, and what they may read besides the body.
const (
	corsMethods = "GET, HEAD, POST, DELETE, OPTIONS"
	corsSent    = "Accept, Authorization, Cache-Control, Content-Type, If-None-Match, Prefer, traceparent, tracestate"
	corsRead    = "Muster-Complete, Operation-Id, ETag, Age, Cache-Status, Retry-After, RateLimit, RateLimit-Policy, Preference-Applied, WWW-Authenticate"
)

// cors lets the pages of these origins, and no others, read what the gateway
// answers. "null" is every sandboxed page's origin and therefore nobody's; there
// is no "*", and no credentials but those that a page sends by itself.
func cors(origins []string) gin.HandlerFunc {
	allowed := slices.DeleteFunc(slices.Clone(origins), func(o string) bool { return o == "" || o == "null" })
	return func(c *gin.Context) {
		if len(allowed) == 0 {
			return
		}
		c.Writer.Header().Add("Vary", "Origin")
		origin := c.GetHeader("Origin")
		if !slices.Contains(allowed, origin) {
			return
		}
		c.Header("Access-Control-Allow-Origin", origin)
		if c.Request.Method == http.MethodOptions { // a preflight; noMethod ends it with 204
			c.Header("Access-Control-Allow-Methods", corsMethods)
			c.Header("Access-Control-Allow-Headers", corsSent)
			c.Header("Access-Control-Max-Age", "600")
			return
		}
		c.Header("Access-Control-Expose-Headers", corsRead)
	}
}

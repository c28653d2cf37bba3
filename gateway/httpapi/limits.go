package httpapi

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"muster/gateway"
)

// What a request may weigh, in bytes. The server's own limit (MaxHeaderBytes)
// must be higher than both together: it answers without a document.
const (
	maxURI     = 8 << 10
	maxHeaders = 16 << 10
	maxBody    = 64 << 10
)

// bounded refuses requests whose address, header or body is too long. A body that does
// not say its length ends there.
func bounded(c *gin.Context) {
	switch {
	case len(c.Request.RequestURI) > maxURI:
		refuse(c, &gateway.RequestError{
			Status: http.StatusRequestURITooLong, Title: "URI too long.",
			Reason: "The address has more than 8 KiB.", Resolution: "Ask for fewer fields or sources.",
		})
	case headerSize(c.Request) > maxHeaders:
		refuse(c, &gateway.RequestError{
			Status: http.StatusRequestHeaderFieldsTooLarge, Title: "Header too large.",
			Reason: "The header fields have more than 16 KiB together.", Resolution: "Send fewer or shorter header fields.",
		})
	case c.Request.ContentLength > maxBody:
		refuse(c, tooLarge())
	case len(c.Request.TransferEncoding) > 0 && c.Request.Method != http.MethodPost:
		// Whoever smuggles hides behind it; it has no meaning here (RFC 9110, 9.3.1).
		refuse(c, &gateway.RequestError{
			Status: http.StatusBadRequest, Title: "Bad request.",
			Reason: "The method has no body, and one comes in chunks.", Resolution: "Leave Transfer-Encoding out.",
		})
	}
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, maxBody)
}

// tooLarge refuses a body of more than 64 KiB.
func tooLarge() *gateway.RequestError {
	return &gateway.RequestError{
		Status: http.StatusRequestEntityTooLarge, Title: "Body too large.",
		Reason: "The body has more than 64 KiB.", Resolution: "Ask for fewer people at once.",
	}
}

// hardened tells browsers to trust nothing that an answer could be taken for.
func (d *door) hardened(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'") // the page at /docs has its own
	h.Set("Referrer-Policy", "no-referrer")                                        // an address may hold a person's
	if d.proxies.encrypted(c.Request) {
		h.Set("Strict-Transport-Security", "max-age=31536000") // a year; subdomains are not ours to speak for
	}
}

// sending is how long an answer may take to send, once there is one.
const sending = 20 * time.Second

// allow lets an answer take as long as its budget, whatever the server's own limits:
// those are of clients who are slow.
func allow(c *gin.Context, budget time.Duration) {
	_ = http.NewResponseController(c.Writer).SetWriteDeadline(time.Now().Add(budget + sending)) // where there is a connection
}

// headerSize is about what the header took on the wire.
func headerSize(r *http.Request) int {
	const punctuation = len(": \r\n")
	size := len("Host") + len(r.Host) + punctuation
	for name, values := range r.Header {
		for _, value := range values {
			size += len(name) + len(value) + punctuation
		}
	}
	return size
}

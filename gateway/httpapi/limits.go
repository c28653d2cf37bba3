package httpapi

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"muster/gateway"
)

// What a request may weigh, in bytes. The server's own limit (MaxHeaderBytes)
// must be higher than both together: it answers without a document.
const (
	maxURI     = 8 << 10
	maxHeaders = 16 << 10
)

// bounded refuses requests whose address or header is too long.
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
	}
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

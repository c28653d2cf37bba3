package httpapi

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"muster/gateway"
)

const (
	mediaJSON    = "application/json"
	mediaProblem = "application/problem+json"

	// noStore is the Cache-Control of whatever must not be kept: every refusal,
	// and every answer in which something is missing.
	noStore = "private, no-store"
	// varies are the request's headers that decide about an answer.
	varies = "Authorization, Prefer"
)

// sendProfile sends an answer that has data: 200, 207, or 304 to who has it already.
func sendProfile(c *gin.Context, answer *gateway.Answer) {
	h := c.Writer.Header()
	h.Add("Vary", varies)
	h.Set("Cache-Control", noStore)
	if answer.Status == http.StatusOK {
		h.Set("Cache-Control", "private, max-age="+strconv.FormatInt(int64(max(0, answer.MaxAge)/time.Second), 10))
	}
	h.Set("Muster-Complete", strconv.FormatBool(answer.Status == http.StatusOK))
	h.Set("Age", strconv.FormatInt(int64(max(0, answer.Age)/time.Second), 10))
	h.Set("Cache-Status", "muster; fwd=miss") // RFC 9211
	if answer.Hit {
		h.Set("Cache-Status", "muster; hit")
	}
	if answer.ETag != "" {
		// Weak: the same answer again has another operationId and other ages.
		h.Set("ETag", `W/"`+answer.ETag+`"`)
		if matches(c.Request.Header.Values("If-None-Match"), answer.ETag) {
			c.Status(http.StatusNotModified)
			c.Writer.WriteHeaderNow()
			return
		}
	}
	send(c, answer.Status, mediaJSON, answer)
}

// matches compares weakly, as RFC 9110 section 13.1.2 says of If-None-Match.
func matches(lines []string, tag string) bool {
	for _, element := range elements(lines, ',') {
		if element == "*" || strings.TrimPrefix(element, "W/") == `"`+tag+`"` {
			return true
		}
	}
	return false
}

// send writes a document as JSON. A HEAD gets the headers of the GET; the server
// leaves the body out.
func send(c *gin.Context, status int, mediaType string, document any) {
	body := content(document)
	c.Header("Content-Length", strconv.Itoa(len(body)))
	c.Data(status, mediaType, body)
}

// content is a document as it is sent.
func content(document any) []byte {
	body, err := json.Marshal(document)
	if err != nil {
		panic(err) // of types that cannot fail to marshal: recovered answers 500
	}
	return append(body, '\n')
}

// Document is what the front door sends for an answer: its body, byte for byte.
func Document(a *gateway.Answer) []byte {
	if a.Data == nil {
		return content(refusalOfAnswer(a).of(a.OperationID))
	}
	return content(a)
}

// RefusalDocument is what it sends where a lookup could not begin.
func RefusalDocument(operation string, r *gateway.RequestError) []byte {
	return content(refusalOf(r).of(operation))
}

// wholeSeconds rounds up: who comes back a moment too early was told wrong.
func wholeSeconds(d time.Duration) string {
	return strconv.FormatInt(int64(math.Ceil(d.Seconds())), 10)
}

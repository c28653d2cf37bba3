package httpapi

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"muster/gateway"
)

// refusal is the body of every error: the four members of seed 000, always.
type refusal struct {
	OperationID string                 `json:"operationId"`
	Error       string                 `json:"error"`
	Reason      string                 `json:"reason"`
	Resolution  string                 `json:"resolution"`
	ChildErrors []gateway.ChildError   `json:"childErrors"`
	Sources     []gateway.SourceResult `json:"sources,omitempty"` // only where sources were looked at
	Explain     *gateway.Explanation   `json:"explain,omitempty"`
}

// of is the refusal of an operation.
func (r refusal) of(operation string) refusal {
	r.OperationID = operation
	if r.ChildErrors == nil {
		r.ChildErrors = []gateway.ChildError{} // an empty list, never null
	}
	return r
}

// problem is the same for who asks for RFC 9457. The type is about:blank, since
// what differs is said by the members of the refusal.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	refusal
}

// refuse ends a request that could not begin.
func refuse(c *gin.Context, r *gateway.RequestError) {
	insufficient(c, r)
	if r.RetryAfter > 0 {
		c.Header("Retry-After", wholeSeconds(r.RetryAfter))
	}
	sendRefusal(c, r.Status, refusalOf(r))
}

// refuseAnswer ends a lookup that found nothing to show.
func refuseAnswer(c *gin.Context, a *gateway.Answer) {
	switch a.Status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		if a.RetryAfter > 0 {
			c.Header("Retry-After", wholeSeconds(a.RetryAfter))
		}
	}
	sendRefusal(c, a.Status, refusalOfAnswer(a))
}

func refusalOf(r *gateway.RequestError) refusal {
	return refusal{Error: r.Title, Reason: r.Reason, Resolution: r.Resolution}
}

func refusalOfAnswer(a *gateway.Answer) refusal {
	return refusal{Error: a.Error, Reason: a.Reason, Resolution: a.Resolution, ChildErrors: a.ChildErrors, Sources: a.Sources, Explain: a.Explain}
}

// sendRefusal is the one place that writes an error, in the form that the caller
// asked for.
func sendRefusal(c *gin.Context, status int, r refusal) {
	c.Abort()
	r = r.of(operationOf(c))
	c.Header("Cache-Control", noStore)
	c.Writer.Header().Add("Vary", varies+", Accept")
	if prefersProblem(c.Request) {
		send(c, status, mediaProblem, problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: r.Reason, refusal: r})
		return
	}
	send(c, status, mediaJSON, r)
}

// prefersProblem tells that problem+json is asked for by name, and no less than
// application/json.
func prefersProblem(r *http.Request) bool {
	accept := r.Header.Values("Accept")
	asProblem, named := quality(accept, mediaProblem)
	asJSON, _ := quality(accept, mediaJSON)
	return named && asProblem > 0 && asProblem >= asJSON
}

// acceptable refuses who takes neither JSON nor, for errors, problem+json.
func acceptable(c *gin.Context) {
	accept := c.Request.Header.Values("Accept")
	asJSON, _ := quality(accept, mediaJSON)
	asProblem, _ := quality(accept, mediaProblem)
	if asJSON == 0 && asProblem == 0 {
		refuse(c, &gateway.RequestError{
			Status: http.StatusNotAcceptable, Title: "Not acceptable.",
			Reason: "Answers are application/json; errors can be application/problem+json too.", Resolution: "Accept one of them.",
		})
	}
}

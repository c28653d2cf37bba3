package httpapi

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"muster/gateway"
)

// statusLeft is what the log says of a caller who did not wait for his answer.
// No client ever sees it; the number is nginx's.
const statusLeft = 499

// lookup serves one person.
func (d *door) lookup(c *gin.Context) {
	q, refused := readLookup(c.Request, c.Param("tenant"), c.Param("user"))
	if foreign := callerOf(c).Admit(q.Tenant); foreign != nil { // before whatever else is wrong
		refused = foreign
	}
	if refused != nil {
		refuse(c, refused)
		return
	}
	d.answer(c, q)
}

// answer asks the engine for one person, and sends what it says.
func (d *door) answer(c *gin.Context, q gateway.Query) {
	preferred := readPreferences(c.Request.Header.Values("Prefer"))
	if q.Strict = preferred.strict; preferred.wait != nil {
		q.Want.Until = time.Now().Add(*preferred.wait)
	}
	q.OperationID, q.Caller = operationOf(c), callerOf(c)
	var refused *gateway.RequestError
	allow(c, d.engine.Live().Budget)
	answer, err := d.engine.Lookup(c.Request.Context(), q)
	switch {
	case errors.As(err, &refused):
		refuse(c, refused)
	case err != nil && c.Request.Context().Err() != nil:
		c.AbortWithStatus(statusLeft)
	case err != nil:
		d.log.LogAttrs(c.Request.Context(), slog.LevelError, "lookup failed",
			slog.String("error", fmt.Sprintf("%T", err)), slog.String("operation_id", q.OperationID))
		refuse(c, internal())
	default:
		if preferred.applied != nil {
			c.Header("Preference-Applied", strings.Join(preferred.applied, ", "))
		}
		respond(c, &answer)
	}
}

// respond sends an answer: a profile, or why there is none.
func respond(c *gin.Context, answer *gateway.Answer) {
	if answer.Data == nil {
		refuseAnswer(c, answer)
		return
	}
	sendProfile(c, answer)
}

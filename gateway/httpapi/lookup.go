package httpapi

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"muster/gateway"
	"muster/gateway/audit"
)

// lookup serves one person.
func (d *door) lookup(c *gin.Context) {
	q, refused := readLookup(c.Request, c.Param("tenant"), c.Param("user"))
	if foreign := callerOf(c).Admit(q.Tenant); foreign != nil { // before whatever else is wrong
		refused = foreign
	}
	if refused != nil {
		d.turnAway(c, audit.Lookup, q, refused)
		return
	}
	d.answer(c, q)
}

// turnAway refuses a query that does not come to the engine. That somebody has asked is
// recorded all the same.
func (d *door) turnAway(c *gin.Context, action audit.Action, q gateway.Query, refused *gateway.RequestError) {
	q.OperationID, q.Caller = operationOf(c), callerOf(c)
	d.fail(c, d.engine.Refuse(c.Request.Context(), action, q, refused))
}

// answer asks the engine for one person, and sends what it says.
func (d *door) answer(c *gin.Context, q gateway.Query) {
	preferred := prefer(c, &q)
	q.OperationID, q.Caller = operationOf(c), callerOf(c)
	d.about(c, q)
	allow(c, d.engine.Live().Budget)
	answer, err := d.engine.Lookup(c.Request.Context(), q)
	if err != nil {
		d.fail(c, err)
		return
	}
	preferred.echo(c)
	respond(c, &answer)
}

// about has the line in the log tell whom a request is about, by pseudonyms.
func (d *door) about(c *gin.Context, q gateway.Query) {
	names := []string{}
	for _, id := range d.engine.Live().Subject(q) {
		if id.Hash != "" {
			names = append(names, id.Hash)
		}
	}
	c.Set(subjectKey, strings.Join(names, ","))
}

// prefer puts what the caller prefers into the query.
func prefer(c *gin.Context, q *gateway.Query) preferences {
	preferred := readPreferences(c.Request.Header.Values("Prefer"))
	if q.Strict = preferred.strict; preferred.wait != nil {
		q.Want.Until = time.Now().Add(*preferred.wait)
	}
	return preferred
}

// echo says which preferences were honoured.
func (p preferences) echo(c *gin.Context) {
	if p.applied != nil {
		c.Header("Preference-Applied", strings.Join(p.applied, ", "))
	}
}

// fail ends a request that got no answer: it was refused, or the caller has left.
func (d *door) fail(c *gin.Context, err error) {
	refused := (*gateway.RequestError)(nil)
	switch {
	case errors.As(err, &refused):
		refuse(c, refused)
	case c.Request.Context().Err() != nil:
		c.AbortWithStatus(audit.StatusLeft)
	default:
		d.logFailure(c, err)
		refuse(c, internal())
	}
}

// logFailure logs a mistake of our own. Its text may be about a person.
func (d *door) logFailure(c *gin.Context, err error) {
	attributes := []slog.Attr{slog.String("error", fmt.Sprintf("%T", err)), slog.String("operation_id", operationOf(c))}
	if panicked := (*gateway.PanicError)(nil); errors.As(err, &panicked) {
		attributes = append(attributes, slog.String("panic", panicked.Type), slog.String("stack", panicked.Stack))
	}
	d.log.LogAttrs(c.Request.Context(), slog.LevelError, "lookup failed", attributes...)
}

// respond sends an answer: a profile, or why there is none.
func respond(c *gin.Context, answer *gateway.Answer) {
	if answer.Data == nil {
		refuseAnswer(c, answer)
		return
	}
	sendProfile(c, answer)
}

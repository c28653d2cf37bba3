package httpapi

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"muster/gateway"
	"muster/gateway/audit"
)

// purge has all forgotten that is kept of one person. Whether there was anything is
// told nobody.
func (d *door) purge(c *gin.Context) {
	p := readParameters(c.Request.URL.RawQuery)
	q := gateway.Query{Tenant: p.segment(c.Param("tenant")), User: p.segment(c.Param("user")), OperationID: operationOf(c), Caller: callerOf(c)}
	if foreign := q.Caller.Admit(q.Tenant); foreign != nil { // before whatever else is wrong
		p.refused = foreign
	}
	if p.refused != nil {
		d.turnAway(c, audit.Purge, q, p.refused)
		return
	}
	d.about(c, q)
	if err := d.engine.Purge(c.Request.Context(), q); err != nil {
		d.fail(c, err)
		return
	}
	c.Header("Cache-Control", noStore)
	c.Status(http.StatusNoContent)
	c.Writer.WriteHeaderNow()
}

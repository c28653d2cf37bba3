package httpapi

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/gin-gonic/gin"

	"muster/gateway"
)

// purge has all forgotten that is kept of one person. Whether there was anything is
// told nobody.
func (d *door) purge(c *gin.Context) {
	p := readParameters(c.Request.URL.RawQuery)
	q := gateway.Query{Tenant: p.segment(c.Param("tenant")), User: p.segment(c.Param("user")), OperationID: operationOf(c)}
	if p.refused != nil {
		refuse(c, p.refused)
		return
	}
	err := d.engine.Purge(c.Request.Context(), q)
	refused := (*gateway.RequestError)(nil)
	switch {
	case errors.As(err, &refused):
		refuse(c, refused)
	case err != nil:
		d.log.LogAttrs(c.Request.Context(), slog.LevelError, "purge failed",
			slog.String("error", fmt.Sprintf("%T", err)), slog.String("operation_id", q.OperationID))
		refuse(c, internal())
	default:
		c.Header("Cache-Control", noStore)
		c.Status(http.StatusNoContent)
		c.Writer.WriteHeaderNow()
	}
}

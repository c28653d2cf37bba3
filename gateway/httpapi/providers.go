package httpapi

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"muster/gateway"
)

// providers tells which sources may be asked: for one tenant, or for all that are the
// caller's.
func (d *door) providers(c *gin.Context) {
	p := readParameters(c.Request.URL.RawQuery, "tenant")
	tenant := p.one("tenant")
	if p.refused != nil {
		refuse(c, p.refused)
		return
	}
	live, caller := d.engine.Live(), callerOf(c)
	names := ownTenants(caller)
	if tenant != "" {
		names = []string{tenant}
	}
	for _, name := range names {
		if refused := caller.Admit(name); refused != nil {
			refuse(c, refused)
			return
		}
	}
	if _, known := live.Tenants[tenant]; tenant != "" && !known {
		refuse(c, gateway.UnknownTenant(tenant))
		return
	}
	c.Header("Cache-Control", noStore) // a breaker may move at any time
	c.Writer.Header().Add("Vary", varies)
	send(c, http.StatusOK, mediaJSON, struct {
		Providers []gateway.Description `json:"providers"`
	}{live.Describe(names...)})
}

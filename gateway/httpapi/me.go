package httpapi

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"muster/gateway"
	"muster/gateway/audit"
)

// me serves whoever asks their own profile, by what their token calls them.
func (d *door) me(c *gin.Context) {
	p := readParameters(c.Request.URL.RawQuery, append(lookupParameters(), "tenant")...)
	q := readQuery(c.Request, p)
	q.Tenant = p.one("tenant")
	refused := d.self(callerOf(c), &q)
	if p.refused != nil && (refused == nil || refused.Status != http.StatusForbidden) {
		refused = p.refused
	}
	if refused != nil {
		d.turnAway(c, audit.Lookup, q, refused)
		return
	}
	d.answer(c, q)
}

// self asks for the caller, in the one tenant that they have or have named.
func (d *door) self(caller *gateway.Caller, q *gateway.Query) *gateway.RequestError {
	if caller == nil {
		return noSelf("Nobody is known: this gateway has no callers.")
	}
	if q.Tenant == "" && len(caller.Tenants) == 1 && caller.Tenants[0] != gateway.EveryTenant {
		q.Tenant = caller.Tenants[0]
	}
	if q.Tenant == "" && len(caller.Tenants) > 0 {
		return &gateway.RequestError{
			Status: http.StatusBadRequest, Title: "Bad request.",
			Reason: "The token is for several tenants.", Resolution: "Say which one you mean: ?tenant=NAME.",
		}
	}
	if refused := caller.Admit(q.Tenant); refused != nil {
		return refused
	}
	for _, kind := range d.engine.Live().Accept { // the first that the operator accepts
		if value := caller.Self[kind]; value != "" {
			q.User = kind + ":" + value
			return nil
		}
	}
	if caller.Certificate != nil {
		return noSelf("A certificate does not say which person you are.")
	}
	return noSelf("The token does not say which person you are.")
}

func noSelf(reason string) *gateway.RequestError {
	return &gateway.RequestError{
		Status: http.StatusForbidden, Title: "Forbidden.", Reason: reason,
		Resolution: "An operator says under callers, in claims.user, where a token has it; else ask for a person by name.",
	}
}

// ownTenants are the tenants that a caller may be told of: none are named where that
// is all of them. Who has none is told of the tenant "", which is nobody's.
func ownTenants(caller *gateway.Caller) []string {
	switch {
	case caller == nil || caller.MayAsk(gateway.EveryTenant):
		return nil
	case len(caller.Tenants) == 0:
		return []string{""}
	default:
		return caller.Tenants
	}
}

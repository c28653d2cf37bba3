package gateway

import (
	"net/http"
	"slices"
	"sync/atomic"

	"muster/adapters"
)

// Caller is who asks, as the front door has verified it. It is not changed while a
// lookup is under way.
type Caller struct {
	adapters.Caller // as sources are told of them, where their credential is the caller's

	Scopes  []string          // what the token is good for, one by one
	Claims  map[string]any    // all that the token says, as JSON has it; for policies
	Tenants []string          // that they may ask for; EveryTenant alone for all
	Self    map[string]string // what they are called themselves, by kind of identifier; for /v1/me
	Rate    adapters.Rate     // of people that they may ask for; zero for any

	// Certificate is, of a caller who came with a certificate in place of a token, the
	// name in it by which an operator knows them: uri or dns, and the name. Such a caller
	// has no Issuer, no Token and no Claims.
	Certificate map[string]string

	// Decided keeps what policies have decided of this caller for as long as there is the
	// caller; nil to decide anew for each lookup.
	Decided *Decided
}

// Decided is what the policies in force have decided of one caller. Nothing of it depends
// on the time, nor on who is asked for. Its zero value has decided nothing yet; it is safe
// for concurrent use.
type Decided struct{ last atomic.Pointer[decision] }

type decision struct {
	by      *Policies // of another configuration nothing is kept
	rights  *rights
	refused *RequestError
}

// EveryTenant among a caller's Tenants grants all that are configured. Only an
// operator's file can say so: no token does.
const EveryTenant = "*"

// Has tells whether the caller's token has a scope, or an operator has given it to them.
func (c *Caller) Has(scope string) bool { return slices.Contains(c.Scopes, scope) }

// MayAsk tells whether the caller may ask for a tenant.
func (c *Caller) MayAsk(tenant string) bool {
	return slices.Contains(c.Tenants, tenant) || slices.Contains(c.Tenants, EveryTenant)
}

// Admit refuses a tenant that is not the caller's; nil where it is, and where nobody
// is known. One that does not exist is refused in the same words.
func (c *Caller) Admit(tenant string) *RequestError {
	if c == nil || c.MayAsk(tenant) {
		return nil
	}
	return &RequestError{
		Status: http.StatusForbidden, Title: "Forbidden.",
		Reason: "The tenant is not the caller's.", Resolution: "Ask for a tenant that your token is for.",
	}
}

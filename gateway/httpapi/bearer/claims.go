package bearer

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"muster/adapters"
	"muster/gateway"
	"muster/normalize"
)

// Claims are where in a token stands what the gateway wants to know of a caller. A
// nil path stands nowhere.
type Claims struct {
	Subject *normalize.Path
	Tenant  *normalize.Path            // one text; anything else is no tenant
	Scopes  *normalize.Path            // texts, or one with spaces between them
	User    map[string]*normalize.Path // what they are called, by kind of identifier
}

// caller is who has come with the token.
func (c *candidate) caller() *gateway.Caller {
	ends, _ := instant(c.claims, "exp")
	caller := &gateway.Caller{
		Caller: adapters.Caller{
			Issuer: c.issuer.Name, Subject: textAt(c.issuer.Claims.Subject, c.claims),
			Token: adapters.NewSecret(c.raw), Audiences: c.audiences(), Expires: ends,
		},
		Scopes: scopesAt(c.issuer.Claims.Scopes, c.claims), Claims: c.claims, Tenants: c.issuer.Tenants, Rate: c.issuer.Rate,
		Decided: new(gateway.Decided),
	}
	if caller.Tenants == nil {
		// The token may name one tenant; that it may ask for all is the operator's to say.
		if tenant := textAt(c.issuer.Claims.Tenant, c.claims); tenant != "" && tenant != gateway.EveryTenant {
			caller.Tenants = []string{tenant}
		}
	}
	for kind, path := range c.issuer.Claims.User {
		if value := identifierAt(path, c.claims); value != "" {
			if caller.Self == nil {
				caller.Self = map[string]string{}
			}
			caller.Self[kind] = value
		}
	}
	return caller
}

// textAt is the one text at a path; "" where there is none, where it is no text, and
// where there are several: who may choose chooses wrong.
func textAt(path *normalize.Path, claims map[string]any) string {
	value, _ := one(path, claims).(string)
	return value
}

// identifierAt is the one text or number at a path.
func identifierAt(path *normalize.Path, claims map[string]any) string {
	switch value := one(path, claims).(type) {
	case string:
		return value
	case normalize.Number:
		return string(value)
	default:
		return ""
	}
}

func one(path *normalize.Path, claims map[string]any) any {
	if path == nil {
		return nil
	}
	at, found := normalize.At(any(claims)), 0
	for range path.Each(at) {
		found++
	}
	value, _ := path.Value(at) // a list is left whole, and is no text
	if found != 1 {
		return nil
	}
	return value
}

func scopesAt(path *normalize.Path, claims map[string]any) []string {
	if path == nil {
		return nil
	}
	value, _ := path.Value(normalize.At(any(claims)))
	switch value := value.(type) {
	case string:
		return strings.Fields(value)
	case []any:
		scopes, ok := texts(value)
		if !ok {
			return nil
		}
		return scopes
	default:
		return nil
	}
}

// texts is a list of texts, none of them empty.
func texts(list []any) ([]string, bool) {
	all := make([]string, len(list))
	for i, item := range list {
		text, ok := item.(string)
		if !ok || text == "" {
			return nil, false
		}
		all[i] = text
	}
	return all, true
}

// audiences are whom the token is for; nil when it does not say so as RFC 7519 (4.1.3)
// wants it said.
func (c *candidate) audiences() []string {
	switch aud := c.claims["aud"].(type) {
	case string:
		if aud != "" {
			return []string{aud}
		}
	case []any:
		if all, ok := texts(aud); ok {
			return all
		}
	}
	return nil
}

// isFor tells whether one of the token's audiences is among those of the gateway.
func (c *candidate) isFor(audiences []string) bool {
	return slices.ContainsFunc(c.audiences(), func(a string) bool { return slices.Contains(audiences, a) })
}

// instant reads a NumericDate (RFC 7519, 2). Beyond the year 5138 it is none: that is
// milliseconds, or somebody who tries what a float becomes.
func instant(claims map[string]any, name string) (time.Time, bool) {
	number, ok := claims[name].(normalize.Number)
	if !ok {
		return time.Time{}, false
	}
	seconds, err := strconv.ParseFloat(string(number), 64)
	if err != nil || seconds < 0 || seconds > 1e11 {
		return time.Time{}, false
	}
	whole, part := math.Modf(seconds)
	return time.Unix(int64(whole), int64(part*1e9)), true
}

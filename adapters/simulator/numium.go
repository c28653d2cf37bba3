package simulator

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// numium is seed 003: GetTenantUser at the address of its reference; the address of its prose example
// (/api/tenant/…/users/…) is not served. Beside it stands GetTenantUserByEmail (docs.numium.com), which asks across
// tenants.
type numium struct{}

type numiumResult struct {
	IsSuccess bool         `json:"isSuccess"`
	IsFailure bool         `json:"isFailure"`
	Error     *numiumError `json:"error"`
	Value     any          `json:"value"`
}

// numiumExample is the envelope of the document's prose example.
type numiumExample struct {
	Data      any  `json:"data"`
	IsSuccess bool `json:"isSuccess"`
}

type numiumError struct {
	Code    string   `json:"code"`
	Message string   `json:"message"`
	Info    []string `json:"info"`
}

type numiumUser struct {
	ID           json.Number  `json:"id"`
	UserID       int64        `json:"userId"`
	TenantID     json.Number  `json:"tenantId"`
	PrincipalOID *string      `json:"principalOid"`
	FirstName    *string      `json:"firstName"`
	LastName     *string      `json:"lastName"`
	Email        *string      `json:"email"`
	IsEnabled    bool         `json:"isEnabled"`
	Roles        []numiumRole `json:"roles"`
}

type numiumRole struct {
	ID          int                `json:"id"`
	Name        string             `json:"name"`
	Description string             `json:"description"`
	Permissions []numiumPermission `json:"permissions,omitzero"` // nil is unknown and left out; empty is none
}

type numiumPermission struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
}

func (numium) hosts() []string   { return []string{"api.example.com"} }
func (numium) lookups() []string { return []string{"/tenant/{tenant}/admin/user/{user}"} }

func (n numium) answer(c *call) reply {
	_, tenantErr := strconv.ParseInt(c.tenant, 10, 64)
	_, userErr := strconv.ParseInt(c.user, 10, 64)
	switch {
	case !c.authorized:
		return n.refuse(c, http.StatusUnauthorized)
	case tenantErr != nil || userErr != nil:
		return n.refuse(c, http.StatusBadRequest)
	case c.person == nil: // also the user of another tenant: "User must belong to the specified tenant"
		return n.refuse(c, http.StatusNotFound)
	}
	return n.result(c, n.user(c))
}

// result is the envelope of the reference, and for globex the one of the prose example.
func (numium) result(c *call, value any) reply {
	if c.realm.Name == "globex" {
		return document(http.StatusOK, numiumExample{value, true})
	}
	return document(http.StatusOK, numiumResult{IsSuccess: true, Value: value})
}

// numiumMemberships is who has an address, whatever their tenant.
type numiumMemberships struct {
	Tenants     []numiumMembership `json:"tenants"`
	Invitations []struct{}         `json:"invitations"`
	TenantID    json.Number        `json:"tenantId"`
	UserID      int64              `json:"userId"`
	UserName    string             `json:"userName"`
}

type numiumMembership struct {
	ID            json.Number `json:"id"`
	Name          string      `json:"name"`
	IsUserEnabled bool        `json:"isUserEnabled"`
}

func (numium) searches() []string { return []string{"/tenant/admin/user/by_email"} }

// sought: the whole address, in any case (assumed), in every tenant: the address of the call names none.
func (numium) sought(c *call) func(p *Person) bool {
	c.realm, c.user = nil, c.r.URL.Query().Get("email")
	return func(p *Person) bool { return c.user != "" && strings.EqualFold(p.Accounts["numium"].Email, c.user) }
}

func (n numium) list(c *call) reply {
	switch {
	case !c.authorized:
		return n.refuse(c, http.StatusUnauthorized)
	case !strings.Contains(c.user, "@"):
		return n.fail(http.StatusBadRequest, "ValidationError", "The request parameters failed validation.", "The Email field is required.")
	case len(c.hits) == 0:
		return n.fail(http.StatusNotFound, "UserNotFound", "No user exists for the supplied email address")
	}
	account, tenant := c.hits[0].Accounts["numium"], json.Number(c.realm.IDs["numium"])
	return n.result(c, numiumMemberships{
		Tenants: []numiumMembership{{tenant, c.realm.Display, account.Enabled}}, Invitations: []struct{}{},
		TenantID: tenant, UserID: account.GlobalID, UserName: account.Email,
	})
}

func (numium) user(c *call) *numiumUser {
	a := c.person.Accounts["numium"]
	u := &numiumUser{
		ID: json.Number(c.person.IDs["numium"]), UserID: a.GlobalID, TenantID: json.Number(c.realm.IDs["numium"]),
		PrincipalOID: nullable(c.person.IDs["oid"]),
		FirstName:    nullable(a.GivenName), LastName: nullable(a.FamilyName), Email: nullable(a.Email), IsEnabled: a.Enabled,
	}
	for i, r := range a.Roles {
		role := numiumRole{ID: 12 + i, Name: r.Name, Description: r.Display}
		if r.Permissions != nil {
			role.Permissions = []numiumPermission{}
		}
		for j, name := range r.Permissions {
			role.Permissions = append(role.Permissions, numiumPermission{101 + j, name})
		}
		u.Roles = append(u.Roles, role)
	}
	return u
}

// nullable is nil, JSON's null, for an empty text.
func nullable(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// refuse is a Result that failed, with the documented texts; the codes other than ValidationError are not documented.
func (n numium) refuse(_ *call, status int) reply {
	says := map[int][3]string{
		http.StatusBadRequest:          {"ValidationError", "The request parameters failed validation.", "Invalid tenant or user identifier format"},
		http.StatusUnauthorized:        {"Unauthorized", "Authentication credentials are missing or invalid"},
		http.StatusForbidden:           {"Forbidden", "User lacks permission to view tenant users"},
		http.StatusNotFound:            {"TenantUserNotFound", "Tenant user does not exist"},
		http.StatusTooManyRequests:     {"TooManyRequests", "Too many requests"},
		http.StatusInternalServerError: {"InternalServerError", "Unexpected server error occurred during retrieval", marked("error-numium")},
		http.StatusServiceUnavailable:  {"ServiceUnavailable", "The service is not available"},
	}[status]
	if says[2] == "" {
		return n.fail(status, says[0], says[1])
	}
	return n.fail(status, says[0], says[1], says[2])
}

func (numium) fail(status int, code, message string, info ...string) reply {
	return document(status, numiumResult{IsFailure: true, Error: &numiumError{Code: code, Message: message, Info: append([]string{}, info...)}})
}

package simulator

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// numium is seed 003: GetTenantUser at the address of its reference; the address of its prose example
// (/api/tenant/…/users/…) is not served.
type numium struct{}

type numiumResult struct {
	IsSuccess bool         `json:"isSuccess"`
	IsFailure bool         `json:"isFailure"`
	Error     *numiumError `json:"error"`
	Value     *numiumUser  `json:"value"`
}

// numiumExample is the envelope of the document's prose example.
type numiumExample struct {
	Data      *numiumUser `json:"data"`
	IsSuccess bool        `json:"isSuccess"`
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
	user := n.user(c)
	if c.realm.Name == "globex" {
		return document(http.StatusOK, numiumExample{user, true})
	}
	return document(http.StatusOK, numiumResult{IsSuccess: true, Value: user})
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
func (numium) refuse(_ *call, status int) reply {
	says := map[int][3]string{
		http.StatusBadRequest:          {"ValidationError", "The request parameters failed validation.", "Invalid tenant or user identifier format"},
		http.StatusUnauthorized:        {"Unauthorized", "Authentication credentials are missing or invalid"},
		http.StatusForbidden:           {"Forbidden", "User lacks permission to view tenant users"},
		http.StatusNotFound:            {"TenantUserNotFound", "Tenant user does not exist"},
		http.StatusTooManyRequests:     {"TooManyRequests", "Too many requests"},
		http.StatusInternalServerError: {"InternalServerError", "Unexpected server error occurred during retrieval", canary("error-numium")},
		http.StatusServiceUnavailable:  {"ServiceUnavailable", "The service is not available"},
	}[status]
	e := &numiumError{Code: says[0], Message: says[1], Info: []string{}}
	if says[2] != "" {
		e.Info = append(e.Info, says[2])
	}
	return document(status, numiumResult{IsFailure: true, Error: e})
}

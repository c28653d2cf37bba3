package simulator

import (
	"net/http"
	"slices"
	"strings"
)

// aveva is seed 000: AVEVA/OSIsoft Identity, user information for token refresh.
type aveva struct{ oauth }

type avevaError struct {
	OperationID string `json:"OperationId"`
	Error       string
	Reason      string
	Resolution  string
}

type avevaChildError struct {
	avevaError
	StatusCode int
	ModelID    *string `json:"ModelId"`
}

type avevaInformation struct {
	UserInformation map[string][]string
}

type avevaMultiStatus struct {
	OperationID string `json:"OperationId"`
	Error       string
	Reason      string
	ChildErrors []avevaChildError
	Data        avevaInformation
}

func (aveva) hosts() []string { return []string{"uswe.datahub.example"} }

func (aveva) lookups() []string {
	return []string{"/api/v1/tenants/{tenant}/users/{user}/UserInformation"}
}

func (aveva) tokenPath() string { return "/identity/connect/token" }

// answer: the document knows 404 as "Tenant not found" alone and names no answer for an unknown user of a known tenant.
// UserInformation is nullable, and the call is about the claims of a token: so an unknown user has no claims, a 200.
func (a aveva) answer(c *call) reply {
	switch {
	case !c.authorized:
		return a.refuse(c, http.StatusUnauthorized)
	case !isGUID(c.tenant) || !isGUID(c.user):
		return a.refuse(c, http.StatusBadRequest)
	case c.realm == nil:
		return a.refuse(c, http.StatusNotFound)
	}
	return document(http.StatusOK, avevaInformation{a.claims(c)}).with("Operation-Id", c.operation)
}

// claims are nil for a person who has none. The document names no claim; those of acme and globex are OpenID
// Connect's, those of initech are WS-Federation's, as Active Directory has them.
func (aveva) claims(c *call) map[string][]string {
	if c.person == nil || c.person.Accounts["aveva"].Empty {
		return nil
	}
	a := c.person.Accounts["aveva"]
	names := claimNames(c.realm.Name)
	claims := make(map[string][]string)
	set := func(name string, values ...string) {
		if values = slices.DeleteFunc(values, func(v string) bool { return v == "" }); len(values) > 0 {
			claims[names[name]] = values
		}
	}
	set("email", a.Email, a.AlternativeEmail)
	set("given_name", a.GivenName)
	set("family_name", a.FamilyName)
	set("name", strings.TrimSpace(a.GivenName+" "+a.FamilyName))
	set("preferred_username", a.Username)
	set("phone_number", a.Phone)
	set("locale", a.Locale)
	set("oid", c.person.IDs["oid"])
	set("role", roleNames(a.Roles)...)
	return only(claims, c.r.URL.Query()["claimTypes"])
}

func claimNames(tenant string) map[string]string {
	names := make(map[string]string)
	for _, n := range []string{"email", "given_name", "family_name", "name", "preferred_username", "phone_number", "locale", "oid", "role"} {
		names[n] = n
	}
	if tenant == "initech" {
		const soap, microsoft = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/", "http://schemas.microsoft.com/"
		names["email"], names["given_name"], names["family_name"] = soap+"emailaddress", soap+"givenname", soap+"surname"
		names["name"], names["preferred_username"] = soap+"name", soap+"upn"
		names["role"] = microsoft + "ws/2008/06/identity/claims/role"
		names["oid"] = microsoft + "identity/claims/objectidentifier"
	}
	return names
}

// only keeps the claim types asked for. The document has one string "claimTypes" and no place for it: it is taken from
// the query, repeated or with commas; empty means all.
func only(claims map[string][]string, types []string) map[string][]string {
	wanted := strings.FieldsFunc(strings.Join(types, ","), func(r rune) bool { return r == ',' })
	if len(wanted) == 0 {
		return claims
	}
	kept := make(map[string][]string)
	for _, name := range wanted {
		if values, ok := claims[name]; ok {
			kept[name] = values
		}
	}
	return kept
}

// multiStatus is the 207 of a directory whose groups could not be read: claims without the roles.
func (a aveva) multiStatus(c *call, status int) reply {
	claims := a.claims(c)
	delete(claims, claimNames(c.realm.Name)["role"])
	model := "groups"
	return document(status, avevaMultiStatus{
		OperationID: c.operation,
		Error:       "Some claims could not be resolved.",
		Reason:      "Partial failure.",
		ChildErrors: []avevaChildError{{
			avevaError: avevaError{
				OperationID: guid(c.operation), Error: "Dependency failure.",
				Reason: "The directory did not answer.", Resolution: "Try again later.",
			},
			StatusCode: http.StatusServiceUnavailable, ModelID: &model,
		}},
		Data: avevaInformation{claims},
	}).with("Operation-Id", c.operation)
}

// limitExceeded: the document has no 429; "Missing or invalid inputs, or Client limit exceeded" is a 400.
func (a aveva) limitExceeded(c *call) reply {
	return a.fail(c, http.StatusBadRequest, "Client limit exceeded.", "Too many requests from this client.", "Wait, then try again.")
}

func (a aveva) refuse(c *call, status int) reply {
	says := map[int][3]string{
		http.StatusBadRequest:          {"Missing or invalid inputs.", "An id is not a GUID.", "Give ids as GUIDs."},
		http.StatusUnauthorized:        {"Unauthorized.", "The access token is missing, expired or invalid.", "Get a new access token."},
		http.StatusForbidden:           {"Forbidden.", "The client lacks the role Account Administrator.", "Ask an administrator for the role."},
		http.StatusNotFound:            {"Tenant not found.", "No tenant has this id.", "Check the tenant id."},
		http.StatusTooManyRequests:     {"Too many requests.", "Too many requests from this client.", "Wait, then try again."},
		http.StatusInternalServerError: {"Internal server error.", marked("error-aveva"), "Try again later."},
		http.StatusServiceUnavailable:  {"Dependency service not available.", "A service behind this one is down.", "Try again later."},
	}[status]
	return a.fail(c, status, says[0], says[1], says[2])
}

func (aveva) fail(c *call, status int, what, reason, resolution string) reply {
	return document(status, avevaError{c.operation, what, reason, resolution}).with("Operation-Id", c.operation)
}

package simulator

import (
	"mime"
	"net/http"
	"strings"
)

// kobil is seed 002: Digitanium get user info, at its SSMS address (tenant in the host) and its SHIFT address (tenant
// in the path).
type kobil struct{}

type kobilEnvelope struct {
	Message   string `json:"message"`
	Status    string `json:"status"`
	SubSystem int    `json:"subSystem"`
	Data      any    `json:"data,omitempty"`
}

type kobilUser struct {
	Username        string               `json:"username"`
	ID              string               `json:"id"`
	FirstName       string               `json:"firstName,omitempty"`
	LastName        string               `json:"lastName,omitempty"`
	Enabled         bool                 `json:"enabled"`
	EmailVerified   bool                 `json:"emailVerified"`
	Attributes      map[string][]*string `json:"attributes"`
	RequiredActions []string             `json:"requiredActions"`
	Admin           bool                 `json:"admin"`
}

func (kobil) hosts() []string { return []string{"*.ssms.example.com", "shift.example.com"} }

func (kobil) lookups() []string {
	return []string{"/digitanium/v4/users/{user}/profile", "/auth/realms/{tenant}/v3_user/{user}"}
}

// answer: the document demands Content-Type: application/json of a GET, and does not say what happens without; here it
// is a 415 in the words of its 401.
func (k kobil) answer(c *call) reply {
	contentType, _, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	switch {
	case !c.authorized:
		return k.refuse(c, http.StatusUnauthorized)
	case contentType != "application/json":
		return text(http.StatusUnsupportedMediaType, "HTTP 415 Unsupported Media Type")
	case c.realm == nil: // as Keycloak says it, which this is built on
		return document(http.StatusNotFound, map[string]string{"error": "Realm does not exist"})
	case strings.TrimSpace(c.user) == "":
		return k.refuse(c, http.StatusBadRequest)
	case c.person == nil:
		return k.refuse(c, http.StatusNotFound)
	}
	envelope := kobilEnvelope{Message: "User info fetched successfully", Status: "Success", SubSystem: 5}
	user := k.user(c.person)
	envelope.Data = user
	switch c.realm.Name {
	case "globex": // other operations of this API say OK
		envelope.Status = "OK"
	case "initech": // the table of the document has an Array where its sample has an object
		envelope.Data = []kobilUser{user}
	}
	return document(http.StatusOK, envelope)
}

func (kobil) user(p *Person) kobilUser {
	a := p.Accounts["kobil"]
	u := kobilUser{
		Username: a.Username, ID: p.IDs["kobil"], Enabled: a.Enabled, EmailVerified: a.EmailVerified, Admin: a.Admin,
		Attributes: map[string][]*string{
			"firstName": list(a.GivenName), "lastName": list(a.FamilyName), "email": list(a.Email), "username": list(a.Username),
		},
		RequiredActions: append([]string{}, a.RequiredActions...),
	}
	if a.TopLevelNames { // where the document's table has them
		u.FirstName, u.LastName = a.GivenName, a.FamilyName
		delete(u.Attributes, "firstName")
		delete(u.Attributes, "lastName")
	}
	for name, values := range a.Attributes {
		u.Attributes[name] = list(values...)
	}
	return u
}

// list is KOBIL's form of values: an empty one is a null inside the list.
func list(values ...string) []*string {
	l := make([]*string, len(values))
	for i, v := range values {
		if v != "" {
			l[i] = &v
		}
	}
	return l
}

// refuse: the 401 is taken to be plain text, since the document gives it the message of a server that never came as far
// as the application.
func (kobil) refuse(_ *call, status int) reply {
	if status == http.StatusUnauthorized {
		return text(status, "HTTP 401 Unauthorized")
	}
	says := map[int][2]string{
		http.StatusBadRequest:          {"BAD_REQUEST", "UserID should not be null or empty"},
		http.StatusForbidden:           {"FORBIDDEN", "Access denied"},
		http.StatusNotFound:            {"USER_NOT_FOUND", "User does not exist"},
		http.StatusTooManyRequests:     {"TOO_MANY_REQUESTS", "Too many requests"},
		http.StatusInternalServerError: {"INTERNAL_SERVER_ERROR", canary("error-kobil")},
		http.StatusServiceUnavailable:  {"SERVICE_UNAVAILABLE", "Service unavailable"},
	}[status]
	return document(status, kobilEnvelope{Status: says[0], Message: says[1], SubSystem: 5})
}

package simulator

import (
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// kobil is seed 002: Digitanium get user info, at its SSMS address (tenant in the host) and its SHIFT address (tenant
// in the path), and the list of users beside it (developer.kobil.com, listusers), which is the search.
type kobil struct{}

type kobilEnvelope struct {
	Message   string `json:"message"`
	Status    string `json:"status"`
	SubSystem int    `json:"subSystem"`
	Data      any    `json:"data,omitempty"`
}

type kobilUser struct {
	Username        string               `json:"username"`
	ID              string               `json:"id,omitempty"` // not in a row of a list
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

// admit: the document demands Content-Type: application/json of a GET, and does not say what happens without; here it
// is a 415 in the words of its 401.
func (k kobil) admit(c *call) (refusal reply, refused bool) {
	contentType, _, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	switch {
	case !c.authorized:
		return k.refuse(c, http.StatusUnauthorized), true
	case contentType != "application/json":
		return text(http.StatusUnsupportedMediaType, "HTTP 415 Unsupported Media Type"), true
	case c.realm == nil: // as Keycloak says it, which this is built on
		return document(http.StatusNotFound, map[string]string{"error": "Realm does not exist"}), true
	}
	return reply{}, false
}

func (k kobil) answer(c *call) reply {
	if refusal, refused := k.admit(c); refused {
		return refusal
	}
	switch {
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
	if a.AlternativeEmail != "" {
		u.Attributes["email"] = list(a.Email, a.AlternativeEmail)
	}
	for name, values := range a.Attributes {
		u.Attributes[name] = list(values...)
	}
	return u
}

func (kobil) searches() []string {
	return []string{"/digitanium/v4/users", "/auth/realms/{tenant}/v3_user/getusers/"}
}

// kobilMember is where a filter of the list looks.
func kobilMember(a Account, name string) []string {
	switch name {
	case "email":
		return []string{a.Email, a.AlternativeEmail}
	case "firstName":
		return []string{a.GivenName}
	}
	return []string{a.FamilyName}
}

// sought: whoever has all that is given; without anything it is everybody. That a part of a text is enough, in any case,
// is assumed: Keycloak, on which this is built, does so.
func (k kobil) sought(c *call) func(p *Person) bool {
	query := c.r.URL.Query()
	if c.user = query.Get("email"); c.realm == nil {
		return nil
	}
	return func(p *Person) bool {
		return !slices.ContainsFunc([]string{"email", "firstName", "lastName"}, func(name string) bool {
			return query.Get(name) != "" && !containing(query.Get(name), kobilMember(p.Accounts["kobil"], name)...)
		})
	}
}

// list shows one page, the first with twenty rows unless told otherwise. What stands under page is not known: the
// stored copy of the document ends there.
func (k kobil) list(c *call) reply {
	if refusal, refused := k.admit(c); refused {
		return refusal
	}
	page, ok := positive(c.r.URL.Query().Get("pageNumber"), 1)
	limit, fine := positive(c.r.URL.Query().Get("limit"), 20)
	if !ok || !fine {
		return document(http.StatusBadRequest, kobilEnvelope{Status: "BAD_REQUEST", Message: "Invalid page", SubSystem: 5})
	}
	rows := []kobilUser{}
	for i, p := range c.hits {
		if i/limit+1 == page {
			row := k.user(p)
			row.ID = ""
			rows = append(rows, row)
		}
	}
	envelope := kobilEnvelope{Message: "Users fetched successfully", Status: "Success", SubSystem: 5}
	if c.realm.Name == "globex" {
		envelope.Status = "OK"
	}
	envelope.Data = map[string]any{"userList": rows, "page": struct{}{}}
	return document(http.StatusOK, envelope)
}

// positive is a whole number above zero; empty is what it is unless told otherwise.
func positive(text string, otherwise int) (n int, ok bool) {
	if text == "" {
		return otherwise, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n > 0
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
		http.StatusInternalServerError: {"INTERNAL_SERVER_ERROR", marked("error-kobil")},
		http.StatusServiceUnavailable:  {"SERVICE_UNAVAILABLE", "Service unavailable"},
	}[status]
	return document(status, kobilEnvelope{Status: says[0], Message: says[1], SubSystem: 5})
}

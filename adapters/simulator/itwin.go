package simulator

import (
	"encoding/json"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

const itwinMediaType = "application/vnd.bentley.itwin-platform.v1+json"

// itwin is seed 001: Bentley iTwin Platform, get user. Its credential belongs to acme's organization, and only the
// people of that one are visible: everybody else is "not available", as if they did not exist. Beside it stands its
// search (developer.bentley.com, get-users), which finds what contains a text and has no pages.
type itwin struct{ oauth }

type itwinError struct {
	Error struct {
		Code    string        `json:"code"`
		Message string        `json:"message"`
		Target  *string       `json:"target,omitempty"`
		Details []itwinDetail `json:"details,omitempty"`
	} `json:"error"`
}

type itwinDetail struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Target  string `json:"target"`
}

type itwinUser struct {
	ID               string `json:"id"`
	Email            any    `json:"email,omitempty"`
	GivenName        any    `json:"givenName,omitempty"`
	Surname          any    `json:"surname,omitempty"`
	OrganizationName any    `json:"organizationName,omitempty"`
}

func (itwin) hosts() []string   { return []string{"api.bentley.com", "ims.bentley.com"} }
func (itwin) lookups() []string { return []string{"/users/{user}"} }
func (itwin) tokenPath() string { return "/connect/token" }

// token is on a host of its own; a server that is called by another name plays both.
func (t itwin) token(c *call) reply {
	if strings.EqualFold(hostOf(c.r), "api.bentley.com") {
		return notFound()
	}
	return t.oauth.token(c)
}

func (t itwin) answer(c *call) reply {
	if refusal, refused := t.admit(c); refused {
		return refusal
	}
	if c.person == nil {
		return t.refuse(c, http.StatusNotFound)
	}
	return document(http.StatusOK, map[string]itwinUser{"user": t.user(c.person)})
}

// admit refuses a call that comes to the wrong host, or without what every call must have.
func (t itwin) admit(c *call) (refusal reply, refused bool) {
	switch {
	case strings.EqualFold(hostOf(c.r), "ims.bentley.com"):
		return notFound(), true
	case c.r.Header.Get("Authorization") == "":
		return t.fail(http.StatusUnauthorized, "HeaderNotFound", "Header Authorization was not found in the request. Access denied."), true
	case !c.authorized:
		return t.refuse(c, http.StatusUnauthorized), true
	case !t.acceptable(c.r.Header.Values("Accept")):
		return t.fail(http.StatusNotAcceptable, "NotAcceptable", "Accept must allow "+itwinMediaType+"."), true
	}
	return reply{}, false
}

// user is a profile, and the row of a search: what is not held is left out, and what was deleted is null.
func (itwin) user(p *Person) itwinUser {
	a := p.Accounts["itwin"]
	said := func(text string) any {
		switch {
		case text != "":
			return text
		case a.Deleted:
			return json.RawMessage("null")
		}
		return nil
	}
	return itwinUser{
		ID: p.IDs["itwin"], Email: said(a.Email), GivenName: said(a.GivenName), Surname: said(a.FamilyName), OrganizationName: said(a.Company),
	}
}

func (itwin) searches() []string { return []string{"/users/"} }

// sought: names and addresses that contain the text. The document does not say in which case; any is assumed.
func (t itwin) sought(c *call) func(p *Person) bool {
	if c.user = c.r.URL.Query().Get("$search"); !t.searchable(c.user) {
		return nil
	}
	return func(p *Person) bool {
		a := p.Accounts["itwin"]
		return containing(c.user, a.Email, a.GivenName, a.FamilyName)
	}
}

func (itwin) searchable(text string) bool {
	n := utf8.RuneCountInString(text)
	return n >= 3 && n <= 200
}

// list shows a thousand rows at most. The refusal is the one that the list by ids documents.
func (t itwin) list(c *call) reply {
	if refusal, refused := t.admit(c); refused {
		return refusal
	}
	if !t.searchable(c.user) {
		var e itwinError
		e.Error.Code, e.Error.Message = "InvalidUsersRequest", "Cannot query users."
		e.Error.Details = []itwinDetail{{"InvalidValue", "The search text must have 3 to 200 characters.", "$search"}}
		return document(http.StatusUnprocessableEntity, e)
	}
	rows := []itwinUser{}
	for _, p := range c.hits[:min(len(c.hits), 1000)] {
		rows = append(rows, t.user(p))
	}
	return document(http.StatusOK, map[string][]itwinUser{"users": rows})
}

// acceptable: the versioned media type is "recommended", so none at all, JSON and anything will do; another version
// will not.
func (itwin) acceptable(accept []string) bool {
	if len(accept) == 0 {
		return true
	}
	return slices.ContainsFunc(strings.Split(strings.Join(accept, ","), ","), func(one string) bool {
		name, _, err := mime.ParseMediaType(one)
		return err == nil && slices.Contains([]string{itwinMediaType, "application/json", "application/*", "*/*"}, name)
	})
}

func (t itwin) refuse(_ *call, status int) reply {
	says := map[int][2]string{
		http.StatusUnauthorized:        {"InvalidToken", "Access token is not valid. Access denied."},
		http.StatusForbidden:           {"InsufficientPermissions", "The user has insufficient permissions for the requested operation."},
		http.StatusNotFound:            {"UserNotFound", "Requested user is not available."},
		http.StatusTooManyRequests:     {"RateLimitExceeded", "The client sent more requests than allowed by this API for the current tier of the client."},
		http.StatusInternalServerError: {"InternalServerError", marked("error-itwin")},
		http.StatusServiceUnavailable:  {"ServiceUnavailable", "The service is not available."},
	}[status]
	return t.fail(status, says[0], says[1])
}

func (itwin) fail(status int, code, message string) reply {
	var e itwinError
	e.Error.Code, e.Error.Message = code, message
	return document(status, e)
}

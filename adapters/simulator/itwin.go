package simulator

import (
	"mime"
	"net/http"
	"slices"
	"strings"
)

const itwinMediaType = "application/vnd.bentley.itwin-platform.v1+json"

// itwin is seed 001: Bentley iTwin Platform, get user. Its credential belongs to acme's organization, and only the
// people of that one are visible: everybody else is "not available", as if they did not exist.
type itwin struct{ oauth }

type itwinError struct {
	Error struct {
		Code    string  `json:"code"`
		Message string  `json:"message"`
		Target  *string `json:"target,omitempty"`
	} `json:"error"`
}

type itwinUser struct {
	ID               string `json:"id"`
	Email            string `json:"email,omitempty"`
	GivenName        string `json:"givenName,omitempty"`
	Surname          string `json:"surname,omitempty"`
	OrganizationName string `json:"organizationName,omitempty"`
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
	switch {
	case strings.EqualFold(hostOf(c.r), "ims.bentley.com"):
		return notFound()
	case c.r.Header.Get("Authorization") == "":
		return t.fail(http.StatusUnauthorized, "HeaderNotFound", "Header Authorization was not found in the request. Access denied.")
	case !c.authorized:
		return t.refuse(c, http.StatusUnauthorized)
	case !t.acceptable(c.r.Header.Values("Accept")):
		return t.fail(http.StatusNotAcceptable, "NotAcceptable", "Accept must allow "+itwinMediaType+".")
	case c.person == nil:
		return t.refuse(c, http.StatusNotFound)
	}
	a := c.person.Accounts["itwin"]
	return document(http.StatusOK, map[string]itwinUser{
		"user": {ID: c.person.IDs["itwin"], Email: a.Email, GivenName: a.GivenName, Surname: a.FamilyName, OrganizationName: a.Company},
	})
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
		http.StatusInternalServerError: {"InternalServerError", canary("error-itwin")},
		http.StatusServiceUnavailable:  {"ServiceUnavailable", "The service is not available."},
	}[status]
	return t.fail(status, says[0], says[1])
}

func (itwin) fail(status int, code, message string) reply {
	var e itwinError
	e.Error.Code, e.Error.Message = code, message
	return document(status, e)
}

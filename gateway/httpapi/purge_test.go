package httpapi_test

import (
	"fmt"
	"net/http"
	"testing"

	"muster/gateway"
	"muster/gateway/httpapi"
)

// TestPurge: whom the path names is whom the engine is told to forget, and nothing is
// told of them.
func TestPurge(t *testing.T) {
	t.Parallel()
	e := &engine{}
	h := newDoor(e, httpapi.Options{})
	const surplus = "The query has a parameter that is not known. Leave it out. A token belongs into the Authorization header."
	tests := []struct {
		target string
		err    error
		status int
		asked  string
		told   string
	}{
		{"/v1/tenants/acme/users/email:jane%2Bx+y@acme.example/cache", nil, 204, "acme email:jane+x+y@acme.example", ""},
		{"/v1/tenants/a%2Fb/users/csp%3Aa%2Fb%3A%25/cache", nil, 204, "a/b csp:a/b:%", ""},
		{"/v1/tenants/acme/users/cache/cache", nil, 204, "acme cache", ""},
		{jane + "/cache", &gateway.RequestError{Status: 403, Title: "Forbidden.", Reason: "r", Resolution: "s"}, 403, "acme email:jane@acme.example", "r s"},
		{jane + "/cache?force=true", nil, 400, "", surplus},
	}
	for _, tt := range tests {
		e.told(gateway.Answer{}, tt.err)
		w := do(t, h, http.MethodDelete, tt.target)
		asked := ""
		for _, q := range e.asked {
			asked = q.Tenant + " " + q.User
		}
		if w.Code != tt.status || asked != tt.asked || w.Header().Get("Cache-Control") != "private, no-store" {
			t.Errorf("%s: status %d, Cache-Control %q, asked %q", tt.target, w.Code, w.Header().Get("Cache-Control"), asked)
		}
		switch {
		case tt.told == "" && w.Body.Len() > 0:
			t.Errorf("%s: a body: %s", tt.target, w.Body)
		case tt.told != "":
			if got := body(t, w); fmt.Sprint(got["reason"], " ", got["resolution"]) != tt.told {
				t.Errorf("%s: %v", tt.target, got)
			}
		}
	}
}

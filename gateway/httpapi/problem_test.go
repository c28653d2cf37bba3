package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/gateway"
	"muster/gateway/httpapi"
)

func TestTheFormOfAnError(t *testing.T) {
	t.Parallel()
	const plain, problem = "application/json", "application/problem+json"
	tests := []struct {
		name   string
		accept []string
		status int
		want   string
	}{
		{"no Accept", nil, 404, plain},
		{"an empty Accept", []string{""}, 404, plain},
		{"anything", []string{"*/*"}, 404, plain},
		{"any application", []string{"application/*"}, 404, plain},
		{"JSON", []string{"application/json"}, 404, plain},
		{"JSON with a parameter, in capitals", []string{"Application/JSON;charset=utf-8;q=0.4"}, 404, plain},
		{"what a browser sends", []string{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}, 404, plain},
		{"problem", []string{"application/problem+json"}, 404, problem},
		{"both", []string{"application/json, application/problem+json"}, 404, problem},
		{"both, on two lines", []string{"application/json", "application/problem+json"}, 404, problem},
		{"rather problem", []string{"application/problem+json, application/json;q=0.9"}, 404, problem},
		{"rather JSON", []string{"application/problem+json;q=0.8, application/json;q=0.9"}, 404, plain},
		{"rather anything", []string{"application/problem+json;q=0.8, */*"}, 404, plain},
		{"problem or something", []string{"application/problem+json, */*;q=0.1"}, 404, problem},
		{"anything but problem", []string{"application/problem+json;q=0, */*"}, 404, plain},
		{"a weight that is none", []string{"application/problem+json;q=high"}, 404, problem},
		{"anything but JSON", []string{"application/json;q=0, application/problem+json"}, 404, problem},

		{"something else", []string{"text/html"}, 406, plain},
		{"another application", []string{"application/xml, application/jsonp"}, 406, plain},
		{"no application", []string{"application/*;q=0, text/*"}, 406, plain},
		{"neither of the two", []string{"application/json;q=0, application/problem+json;q=0.0, */*"}, 406, plain},
	}
	e := new(engine)
	h := newDoor(e, httpapi.Options{})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e.told(gateway.Answer{}, &gateway.RequestError{Status: 404, Title: "Tenant not found.", Reason: "No such tenant is configured.", Resolution: "Use one of your tenants."})
			header := []string{"traceparent", parent}
			for _, line := range test.accept {
				header = append(header, "Accept", line)
			}
			w := do(t, h, http.MethodGet, jane, header...)
			if w.Code != test.status || w.Header().Get("Content-Type") != test.want {
				t.Errorf("status %d, %s; want %d, %s", w.Code, w.Header().Get("Content-Type"), test.status, test.want)
			}
			if (len(e.asked) > 0) != (test.status == 404) {
				t.Errorf("the engine was asked %d times", len(e.asked))
			}
			want := map[string]any{
				"operationId": traceID, "error": "Tenant not found.", "reason": "No such tenant is configured.", "resolution": "Use one of your tenants.", "childErrors": []any{},
			}
			if test.status == 406 {
				want["error"], want["reason"], want["resolution"] = "Not acceptable.", "Answers are application/json; errors can be application/problem+json too.", "Accept one of them."
			}
			if test.want == problem {
				want["type"], want["title"], want["status"], want["detail"] = "about:blank", "Not Found", 404.0, "No such tenant is configured."
			}
			if diff := cmp.Diff(want, body(t, w)); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAProblemKeepsTheChildren: the form changes, and what is told does not.
func TestAProblemKeepsTheChildren(t *testing.T) {
	t.Parallel()
	h := newDoor(&engine{answer: without(502, childError())}, httpapi.Options{})
	plain := body(t, do(t, h, http.MethodGet, jane, "traceparent", parent))
	problem := body(t, do(t, h, http.MethodGet, jane, "traceparent", parent, "Accept", "application/problem+json"))
	for name, value := range plain {
		if diff := cmp.Diff(value, problem[name]); diff != "" {
			t.Errorf("%s differs:\n%s", name, diff)
		}
	}
	if len(plain) != 6 || len(problem) != 10 {
		t.Errorf("%d and %d members, want 6 and 10", len(plain), len(problem))
	}
}

// TestAPageIsServedToWhoWantsJSON: only what is negotiated can be refused.
func TestAPageIsServedToWhoWantsJSON(t *testing.T) {
	t.Parallel()
	h := newDoor(&engine{}, httpapi.Options{})
	for _, path := range []string{"/docs", "/openapi.yaml", "/healthz"} {
		if w := do(t, h, http.MethodGet, path, "Accept", "application/json"); w.Code != http.StatusOK {
			t.Errorf("%s: status %d", path, w.Code)
		}
	}
}

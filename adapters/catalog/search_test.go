package catalog_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"muster/adapters"
	"muster/adapters/catalog"
	"muster/config/document"
)

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestAFullList: the longest list that itwin-search is given may lack a second one who has the address; no inline test
// can show it.
func TestAFullList(t *testing.T) {
	var problems document.Problems
	resolved := adapters.Resolve("itwin-search", catalog.Library(&problems))
	definition := adapters.Compile(resolved)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	for others, want := range map[int]string{998: "found", 999: "mismatch"} {
		rows := `{"id": "1", "email": "jane@acme.example"}` + strings.Repeat(`, {"id": "2", "email": "not.jane@acme.example"}`, others)
		upstream := roundTrip(func(r *http.Request) (*http.Response, error) {
			body := `{"users": [` + rows + `]}`
			if r.Method == http.MethodPost {
				body = `{"access_token": "t", "expires_in": 60}`
			}
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
		})
		settings := adapters.Settings{"client_id": adapters.NewSecret("id"), "client_secret": adapters.NewSecret("secret")}
		source := definition.Bind("itwin-search", settings, adapters.DefaultLimits(), nil, upstream)
		got := "found"
		if _, err := source.Fetch(t.Context(), adapters.Query{IDs: map[string]string{"email": "jane@acme.example"}}); err != nil {
			got = adapters.FaultOf(err).Kind.String()
		}
		if got != want {
			t.Errorf("one beside %d others is %s, want %s", others, got, want)
		}
	}
}

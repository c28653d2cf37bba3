package config_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A source that is asked as whoever asks will answer nobody where nobody is known;
// that is told at the words which make it so.
func TestSourcesThatNeedCallers(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"gateway.yaml": `tenants: {acme: {}}
providers:
  - {use: people}
  - {use: oidc-userinfo, with: {host: login.example.com, audience: api}}
  - use: oidc-userinfo
    name: exchanged
    with: {host: login.example.com}
    auth: {exchange: {token_url: "https://login.example.com/token", client_id: muster, client_secret: s3cret}}
  - {use: oidc-userinfo, name: ours, with: {host: login.example.com}, auth: {bearer: s3cret}}
`,
		"providers/people.yaml": definition("people", "https://people.example.com/{id.email}"),
	})
	file := load(t, dir)
	var got []string
	for _, note := range file.Notes {
		if strings.HasPrefix(note, "the source ") {
			got = append(got, strings.ReplaceAll(note, filepath.Join(dir, "gateway.yaml"), "gateway.yaml"))
		}
	}
	note := "the source %s at gateway.yaml:%s is asked with the token of whoever asks, and no `callers` are configured: it fails with `denied`"
	if want := []string{fmt.Sprintf(note, "oidc-userinfo", "4:11"), fmt.Sprintf(note, "exchanged", "8:5")}; !slices.Equal(got, want) {
		t.Errorf("notes %q\nwant  %q", got, want)
	}
	as := map[string]bool{}
	for _, s := range live(t, file).Sources {
		as[s.Name] = s.Upstream.AsCaller()
	}
	if fmt.Sprint(as) != "map[exchanged:true oidc-userinfo:true ours:false people:false]" {
		t.Errorf("asked as the caller: %v", as)
	}
}

package config_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"muster/config"
)

// parse reads a file as it would be with a change.
func parse(t testing.TB, path string, change func(string) string) *config.File {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := config.Parse(path, []byte(change(string(content))))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func replace(t testing.TB, src, old, with string) string {
	t.Helper()
	if !strings.Contains(src, old) {
		t.Fatalf("no %q in the file", old)
	}
	return strings.ReplaceAll(src, old, with)
}

// No secret is in an error's text, whatever is wrong: not what a variable or a
// file holds, nor what the file itself writes where a secret is meant.
func TestErrorsShowNoSecret(t *testing.T) {
	const canary = "C4n4ry"
	t.Setenv("MUSTER_TEST_CANARY", "not of any form: "+canary)
	dir := writeFiles(t, map[string]string{
		"secret": "neither / is " + canary,
		"providers/people.yaml": `
provider: people
settings: {host: {format: host}, shard: {format: int}, app: {format: uuid}, realm: {format: label}, mail: {format: email}, pw: {format: secret}}
auth: {basic: {username: "{settings.realm}", password: "{settings.pw}"}}
lookup: GET https://{settings.host}/{id.email}
headers: {X-App: "{settings.app}", X-Shard: "{settings.shard}", From: "{settings.mail}"}
profile: {displayName: name}
tests: [{name: one, with: {settings: {host: p.example, app: a, shard: "1", mail: j@a.example}, id: {email: j@a.example}}, reply: {json: {name: J}}, expect: {outcome: ok, profile: {displayName: J}}}]
`,
	})
	providers := func(entry string) string { return "tenants: {acme: {}}\nproviders: [{" + entry + "}]\n" }
	var sources []string
	for _, setting := range []string{"host", "shard", "app", "realm", "mail"} {
		for _, reference := range []string{"${env:MUSTER_TEST_CANARY}", "${file:secret}"} {
			sources = append(sources, providers(fmt.Sprintf("use: people, with: {%s: \"%s\"}", setting, reference)))
		}
	}
	sources = append(sources,
		// Written out, and something else wrong on the line.
		providers("use: people, with: {pw: C4n4ry, shard: x}"),
		providers("use: people, with: {pw: C4n4ry, shard: \"${env:MUSTER_TEST_NOT_SET}\"}"),
		providers("use: people, with: {\"pw\": \"C4n4ry\"}, requird: true"),
		providers("use: people, with: {wp: C4n4ry}"),
		providers("use: people, with: {pw: \"https://{C4n4ry}\", shard: x}"),
		providers("use: poeple, with: {pw: C4n4ry}"),
		providers("name: people, with: {pw: C4n4ry}"),
		providers("use: [people], with: {pw: C4n4ry}"),
		providers("use: people, auth: {bearer: C4n4ry, none: true}"),
		providers("use: people, auth: {basic: {username: j, password: C4n4ry, x: y}}"),
		providers("use: people, auth: {header: {X-Mine: C4n4ry, X-Yours: \"{settings.none}\"}}"),
		providers("use: people, headers: {Authorization: C4n4ry, X-Yours: \"{settings.none}\"}"),
		providers("use: people, with: {pw: &p C4n4ry, shard: *p}"),
		// A key, of which no definition says where it stands.
		providers(`use: poeple, auth: {client_credentials: {assertion: {key: '{"k":"C4n4ry"}'}}}`),
		providers(`use: poeple, auth: {client_credentials: {assertion: {key: {"k":"C4n4ry"}}}}`),
		providers(`use: poeple, with: {key: {"kty":"oct","k":"C4n4ry"}}`),
		providers(`use: people, with: {pw: [{"k":"C4n4ry"}], shard: x}`),
		"tenants: {acme: {}}\nproviders: {use: people, with: {token: C4n4ry}}\n",
		"providers: [{use: people, with: {client_secret: 'C4n4ry'}}]\n",
		// Not even YAML.
		"tenants: {acme: {}}\nproviders: [{use: people, with: {token: C4n4ry, host: ${env:HOST}}}]\n",
		"tenants: {acme: {}}\nproviders: [{use: people, with: {api_token: \"C4n4ry}}]\n",
		"tenants: {acme: {}}\nproviders:\n  - use: people\n    with:\n      password: C4n4ry: x\n",
	)
	for _, src := range sources {
		_, err := config.Parse(dir+"/gateway.yaml", []byte(src))
		if err == nil {
			t.Errorf("it has no mistake:\n%s", src)
		} else if strings.Contains(err.Error(), canary) {
			t.Errorf("%v", err)
		}
	}
}

// Nor is one in what File shows of itself, or in how it prints.
func TestShowHasNoSecret(t *testing.T) {
	const canary = "C4n4ry"
	t.Setenv("MUSTER_TEST_KOBIL", canary)
	t.Setenv("MUSTER_TEST_SHIFT", canary)
	file := parse(t, "testdata/example/gateway.yaml", func(src string) string {
		src = replace(t, src, "${file:secrets/numium}", canary) // written out
		return replace(t, src, "{use: slack,", "{use: slack, auth: {bearer: C4n4ry}, headers: {X-Key: C4n4ry},")
	})
	shown, err := json.Marshal(file.Show())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"Show": string(shown), "%v": fmt.Sprintf("%v", file), "%+v": fmt.Sprintf("%+v", file), "Live": fmt.Sprintf("%+v", live(t, file)),
		"Notes": strings.Join(file.Notes, "\n"),
	} {
		if strings.Contains(text, canary) {
			t.Errorf("%s has a secret", name)
		}
	}
	if !strings.Contains(string(shown), `"host":"admin.example.com"`) || strings.Count(string(shown), `"\u003csecret\u003e"`) < 8 {
		t.Errorf("it shows %s", shown)
	}
}

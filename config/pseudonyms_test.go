package config_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/config"
	"muster/gateway"
)

// pseudonymous writes a gateway's file that says more, and loads it.
func pseudonymous(t *testing.T, more string) *config.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gateway.yaml")
	for name, content := range map[string]string{
		"gateway.yaml": "tenants: {acme: {}}\nproviders: [{use: scim, with: {host: people.example.com, token: x}}]\n" + more,
		"key":          strings.Repeat("CANARY--", 4) + "\n",
	} {
		name = filepath.Join(filepath.Dir(path), name)
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// TestWhereRecordsGo, and what holds where nothing is said.
func TestWhereRecordsGo(t *testing.T) {
	t.Parallel()
	for more, want := range map[string]*config.Audit{
		"":                                   nil,
		"audit: {file: logs/audit.jsonl}":    {File: "logs/audit.jsonl", Required: true},
		"audit: {file: /a, required: false}": {File: "/a"},
		"audit: {otlp: \"http://otel:4318\", required: true}": {OTLP: "http://otel:4318", Required: true},
	} {
		file := pseudonymous(t, more)
		got := file.Static.Audit
		if want != nil && want.File != "" && !filepath.IsAbs(want.File) {
			relative := *want
			relative.File, want = got.File, &relative
			if !filepath.IsAbs(got.File) || !strings.HasSuffix(got.File, "/logs/audit.jsonl") {
				t.Errorf("the file is %s", got.File)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", more, diff)
		}
	}
}

// TestKeyIsNotTold, neither where it is written out nor where it is referred to.
func TestKeyIsNotTold(t *testing.T) {
	t.Parallel()
	written := pseudonymous(t, "telemetry: {key: CANARY--CANARY--CANARY--CANARY--}\n")
	referred := pseudonymous(t, "telemetry: {key: \"${file:key}\"}\n")
	for _, file := range []*config.File{written, referred} {
		told, err := json.Marshal([]any{file.Show(), file.Explain(), file.Notes, file.Static})
		if err != nil || strings.Contains(string(told), "CANARY") {
			t.Errorf("%s, %v", told, err)
		}
	}
	one, other := written.Live(telemetry(t), nil, nil), referred.Live(telemetry(t), nil, nil)
	if one.Pseudonyms.KeyID() != other.Pseudonyms.KeyID() { // without the end of its line
		t.Errorf("keys %s and %s", one.Pseudonyms.KeyID(), other.Pseudonyms.KeyID())
	}
	if want := gateway.NewPseudonyms([]byte(strings.Repeat("CANARY--", 4))).KeyID(); one.Pseudonyms.KeyID() != want {
		t.Errorf("key %s, want %s", one.Pseudonyms.KeyID(), want)
	}
}

// TestKeyOfTheProcess: without a key there is one that outlives every reload, and that is
// told where it matters.
func TestKeyOfTheProcess(t *testing.T) {
	t.Parallel()
	const note = "without `telemetry.key` people have other hashes"
	tells := func(f *config.File) bool {
		return slices.ContainsFunc(f.Notes, func(n string) bool { return strings.HasPrefix(n, note) })
	}
	for more, want := range map[string]bool{
		"": false, "telemetry: {otlp: \"http://otel:4318\"}": true, "audit: {file: a}": true,
		"audit: {file: a}\ntelemetry: {key: \"${file:key}\"}": false,
	} {
		if got := tells(pseudonymous(t, more)); got != want {
			t.Errorf("%q is told: %v", more, got)
		}
	}
	first, second, keyed := pseudonymous(t, ""), pseudonymous(t, ""), pseudonymous(t, "telemetry: {key: \"${file:key}\"}")
	id := func(f, before *config.File) string { return f.Live(telemetry(t), nil, before).Pseudonyms.KeyID() }
	one := id(first, nil)
	if again := id(second, first); again != one {
		t.Errorf("after a reload %s, before %s", again, one)
	}
	own := id(keyed, second)
	third := pseudonymous(t, "")
	if now := id(third, keyed); own == one || now == one || now == own {
		t.Errorf("a key that is gone goes on: %s, %s, %s", one, own, now)
	}
	if fresh := id(pseudonymous(t, ""), nil); fresh == one {
		t.Error("two processes have one key")
	}
}

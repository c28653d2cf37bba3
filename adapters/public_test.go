package adapters_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"muster/adapters"
	"muster/config/document"
)

// Each file of testdata/public teaches an API that the program has never heard
// of, from the samples in that API's own documents, by configuration alone.
func TestPublicAPIs(t *testing.T) {
	files, err := filepath.Glob("testdata/public/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var problems document.Problems
			n := document.Read(file, source, &problems)
			if err := problems.Err(); err != nil {
				t.Fatal(err)
			}
			d := adapters.Compile(&adapters.Resolved{Own: n, Merged: n, Chain: []string{name}})
			if err := problems.Err(); err != nil {
				t.Fatal(err)
			}
			expect(t, "name", d.Name, name)
			results := d.RunTests(t.Context())
			if len(results) == 0 {
				t.Error("it has no tests")
			}
			for _, problem := range adapters.Problems(results) {
				t.Error(problem)
			}
		})
	}
}

// A simple API is taught in fifteen lines, its test included, and each can be
// read at once.
func TestASimpleAPIIsShort(t *testing.T) {
	source, err := os.ReadFile("testdata/public/jsonplaceholder.yaml")
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSuffix(source, []byte("\n")), []byte("\n"))
	if len(lines) > 15 {
		t.Errorf("%d lines", len(lines))
	}
	for i, line := range lines {
		if len(line) > 120 {
			t.Errorf("line %d has %d characters", i+1, len(line))
		}
	}
}

// What an instant looks like, or a list, is the upstream's affair: what no path
// reads, CEL does.
func TestWhatOnlyADefinitionKnows(t *testing.T) {
	const keys = `
profile:
  createdAt: {cel: "data.hired.split('/')[2] + '-' + data.hired.split('/')[0] + '-' + data.hired.split('/')[1]"}
  updatedAt: {cel: "data.changed.substring(6, data.changed.indexOf(')'))", as: epoch_ms}
  lastLoginAt: {cel: "data.seen.startsWith('1970-') ? '' : data.seen"}
  active: {path: on, map: {"true": true, "false": false}}
  roles: {cel: "data.roles.split(',')"}
`
	got := failures(t, keys, `with: {settings: {host: h.example}, id: {self: "1"}},
    reply: {json: {id: 1, hired: 01/02/2024, changed: "/Date(1467331200000)/", seen: 1970-01-01T00:00:00Z, on: "false", roles: "a,b"}},
    expect: {outcome: ok, ids: {self: "1"}, profile: {createdAt: "2024-01-02T00:00:00Z", updatedAt: "2016-07-01T00:00:00Z", active: false, roles: [{value: a}, {value: b}]}}`)
	expect(t, "failures", got, []string(nil))
	got = failures(t, keys, `with: {settings: {host: h.example}, id: {self: "1"}}, reply: {json: {id: 1, hired: null, changed: null, seen: null, roles: null}}, expect: {outcome: ok, ids: {self: "1"}}`)
	expect(t, "of a record that has none of them", got, []string(nil))
}

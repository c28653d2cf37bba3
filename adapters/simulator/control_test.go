package simulator_test

import (
	"strings"
	"testing"
)

// TestControlFaults: set, shown, felt, cleared.
func TestControlFaults(t *testing.T) {
	sim := newSimulation()
	srv, client := serve(t, sim.Control())
	d := open(t, sim, "csp")
	casey := witness(t, sim, "showcase")

	put := ask(t, client, "PUT", srv.URL+"/faults/csp", `{"kind":"429","retryAfter":"17","person":"","latency":"5ms","times":3}`)
	if put.status != 204 {
		t.Fatalf("PUT: %d %s", put.status, put.body)
	}
	if got := d.lookup(casey); got.status != 429 || got.header.Get("Retry-After") != "17" {
		t.Errorf("felt: %d, Retry-After %q", got.status, got.header.Get("Retry-After"))
	}
	sameJSON(t, ask(t, client, "GET", srv.URL+"/faults", "").body, `{"aveva": [], "itwin": [], "kobil": [], "numium": [],
		"csp": [{"kind": "429", "person": "", "latency": "5ms", "retryAfter": "17", "times": 2}]}`)
	if got := ask(t, client, "DELETE", srv.URL+"/faults/csp", ""); got.status != 204 || d.lookup(casey).status != 200 {
		t.Errorf("DELETE: %d", got.status)
	}
	ask(t, client, "PUT", srv.URL+"/faults/csp", `{"kind":"503"}`)
	if got := ask(t, client, "DELETE", srv.URL+"/faults", ""); got.status != 204 || d.lookup(casey).status != 200 {
		t.Errorf("DELETE of all: %d", got.status)
	}
	sameJSON(t, ask(t, client, "GET", srv.URL+"/calls", "").body, `{"csp": {"lookups": 3, "searches": 0, "tokens": 1},
		"aveva": {"lookups": 0, "searches": 0, "tokens": 0}, "itwin": {"lookups": 0, "searches": 0, "tokens": 0},
		"kobil": {"lookups": 0, "searches": 0, "tokens": 0}, "numium": {"lookups": 0, "searches": 0, "tokens": 0}}`)
}

// TestControlPeople: chosen by tenant and trait, counted beyond the limit.
func TestControlPeople(t *testing.T) {
	sim := newSimulation()
	srv, client := serve(t, sim.Control())
	casey := witness(t, sim, "showcase")
	got := parsed(t, ask(t, client, "GET", srv.URL+"/people?tenant=acme&limit=1", "").body).(map[string]any)
	people := got["people"].([]any)
	first := people[0].(map[string]any)
	if len(people) != 1 || first["tenant"] != "acme" || first["ids"].(map[string]any)["csp"] != casey.IDs["csp"] || first["traits"].([]any)[0] != "showcase" {
		t.Errorf("got %v", got)
	}
	if strings.Contains(ask(t, client, "GET", srv.URL+"/people?limit=5000", "").body, "CANARY") {
		t.Error("people tell a canary")
	}
	found := parsed(t, ask(t, client, "GET", srv.URL+"/people?trait=fault:hang", "").body).(map[string]any)
	if len(found["people"].([]any)) != 1 || found["people"].([]any)[0].(map[string]any)["faultAt"] != "csp" {
		t.Errorf("got %v", found)
	}
}

// TestControlRefuses: each mistake is JSON that names what is accepted.
func TestControlRefuses(t *testing.T) {
	srv, client := serve(t, newSimulation().Control())
	for _, tc := range []struct {
		method, path, body string
		status             int
		accepts            string
	}{
		{"PUT", "/faults/okta", `{"kind":"503"}`, 400, "numium"},
		{"PUT", "/faults/csp", `{"kind":"504"}`, 400, "failure-in-200"},
		{"PUT", "/faults/csp", `{"knd":"503"}`, 400, "kind: one of"},
		{"PUT", "/faults/csp", `503`, 400, "kind: one of"},
		{"PUT", "/faults/csp", `{"kind":"503","latency":"soon"}`, 400, "250ms"},
		{"DELETE", "/faults/okta", "", 400, "numium"},
		{"GET", "/people?tenant=hooli", "", 400, "initech"},
		{"GET", "/people?trait=tall", "", 400, "null-names"},
		{"GET", "/people?danger=tall", "", 400, "shared-address"},
		{"GET", "/people?limit=0", "", 400, "above zero"},
		{"POST", "/faults/csp", "", 404, "PUT /faults/{vendor}"},
		{"GET", "/", "", 404, "GET /calls"},
	} {
		t.Run(tc.method+" "+tc.path+" "+tc.body, func(t *testing.T) {
			got := ask(t, client, tc.method, srv.URL+tc.path, tc.body)
			body := parsed(t, got.body).(map[string]any)
			if got.status != tc.status || body["error"] == "" || !strings.Contains(got.body, tc.accepts) {
				t.Errorf("got %d %s", got.status, got.body)
			}
		})
	}
}

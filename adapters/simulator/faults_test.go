package simulator_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"muster/adapters/simulator"
)

func set(t *testing.T, sim *simulator.Simulation, vendor string, f simulator.Fault) {
	t.Helper()
	if err := sim.SetFault(vendor, f); err != nil {
		t.Fatal(err)
	}
}

func vendors() []string { return []string{"aveva", "itwin", "kobil", "numium", "csp"} }

// TestFaultsByStatus: status, Retry-After and a word of the vendor's own body, for every vendor.
func TestFaultsByStatus(t *testing.T) {
	const date = "Fri, 17 May 2030 12:00:17 GMT"
	for _, tc := range []struct {
		fault  simulator.Fault
		status map[string]int // "" is all others
		retry  string
		body   map[string]string
	}{
		{
			simulator.Fault{Kind: "401"},
			map[string]int{"": 401},
			"",
			map[string]string{"aveva": `"Unauthorized."`, "itwin": "InvalidToken", "kobil": "HTTP 401 Unauthorized", "numium": `"isFailure":true`, "csp": `"statusCode":401`},
		},
		{
			simulator.Fault{Kind: "403"},
			map[string]int{"": 403},
			"",
			map[string]string{"aveva": `"Forbidden."`, "itwin": "InsufficientPermissions", "kobil": "FORBIDDEN", "numium": "Forbidden", "csp": "forbidden"},
		},
		{
			simulator.Fault{Kind: "404"},
			map[string]int{"": 404},
			"",
			map[string]string{"aveva": "Tenant not found.", "itwin": "UserNotFound", "kobil": "USER_NOT_FOUND", "numium": "TenantUserNotFound", "csp": "User not found"},
		},
		{
			simulator.Fault{Kind: "429", RetryAfter: "17"},
			map[string]int{"": 429},
			"17",
			map[string]string{"aveva": "Too many requests.", "itwin": "RateLimitExceeded", "kobil": "TOO_MANY_REQUESTS", "numium": "TooManyRequests", "csp": "too many requests"},
		},
		{simulator.Fault{Kind: "429"}, map[string]int{"": 429}, "", nil},
		{simulator.Fault{Kind: "429-date", RetryAfter: "17"}, map[string]int{"": 429}, date, nil},
		{
			simulator.Fault{Kind: "500"},
			map[string]int{"": 500},
			"",
			map[string]string{"aveva": "CANARY-error-aveva", "itwin": "CANARY-error-itwin", "kobil": "CANARY-error-kobil", "numium": "CANARY-error-numium", "csp": "CANARY-error-csp"},
		},
		{
			simulator.Fault{Kind: "503", RetryAfter: "9"},
			map[string]int{"": 503},
			"9",
			map[string]string{"aveva": "Dependency service not available.", "itwin": "ServiceUnavailable", "kobil": "SERVICE_UNAVAILABLE", "numium": "ServiceUnavailable", "csp": "not available"},
		},
		{
			simulator.Fault{Kind: "limit-exceeded", RetryAfter: "3"},
			map[string]int{"aveva": 400, "": 429},
			"3",
			map[string]string{"aveva": "Client limit exceeded.", "itwin": "RateLimitExceeded"},
		},
		{
			simulator.Fault{Kind: "multi-status"},
			map[string]int{"aveva": 207, "": 503},
			"",
			map[string]string{"aveva": `"ChildErrors":[{"OperationId":`},
		},
		{
			simulator.Fault{Kind: "failure-in-200"},
			map[string]int{"": 200},
			"",
			map[string]string{"aveva": `"ChildErrors":[{`, "itwin": `{"error":{"code":"InternalServerError"`, "kobil": "INTERNAL_SERVER_ERROR", "numium": `"isSuccess":false`, "csp": `"statusCode":500`},
		},
		{
			simulator.Fault{Kind: "absent-in-200"},
			map[string]int{"": 200},
			"",
			map[string]string{"aveva": `{"UserInformation":null}`, "itwin": "UserNotFound", "kobil": "USER_NOT_FOUND", "numium": "TenantUserNotFound", "csp": "User not found"},
		},
	} {
		t.Run(tc.fault.Kind+" "+tc.fault.RetryAfter, func(t *testing.T) {
			sim := newSimulation()
			for _, vendor := range vendors() {
				d := open(t, sim, vendor)
				set(t, sim, vendor, tc.fault)
				got := d.lookup(witness(t, sim, "showcase"))
				want, ok := tc.status[vendor]
				if !ok {
					want = tc.status[""]
				}
				if got.status != want || got.header.Get("Retry-After") != tc.retry || !strings.Contains(got.body, tc.body[vendor]) {
					t.Errorf("%s: %d, Retry-After %q: %s", vendor, got.status, got.header.Get("Retry-After"), got.body)
				}
			}
		})
	}
}

// TestFaultMultiStatus holds AVEVA's 207 against the document: child errors, and the claims but for the roles.
func TestFaultMultiStatus(t *testing.T) {
	sim := newSimulation()
	d := open(t, sim, "aveva")
	set(t, sim, "aveva", simulator.Fault{Kind: "multi-status"})
	casey := witness(t, sim, "showcase")
	got := d.lookup(casey)
	body := parsed(t, got.body).(map[string]any)
	child := body["ChildErrors"].([]any)[0].(map[string]any)
	if child["OperationId"] == body["OperationId"] {
		t.Error("the child has the operation id of the whole")
	}
	for _, m := range []map[string]any{body, child} {
		delete(m, "OperationId")
	}
	rest, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, string(rest), `{"Error": "Some claims could not be resolved.", "Reason": "Partial failure.",
		"ChildErrors": [{"Error": "Dependency failure.", "Reason": "The directory did not answer.", "Resolution": "Try again later.",
			"StatusCode": 503, "ModelId": "groups"}],
		"Data": {"UserInformation": {"email": ["casey.taylor@acme.example"], "given_name": ["Casey"], "family_name": ["Taylor"],
			"name": ["Casey Taylor"], "preferred_username": ["casey.taylor"], "phone_number": ["+12065550142"], "locale": ["en-US"],
			"oid": ["`+casey.IDs["oid"]+`"]}}}`)
}

// TestFaultBodies: the 200s that are not what they seem.
func TestFaultBodies(t *testing.T) {
	sim := newSimulation()
	casey := witness(t, sim, "showcase")
	for _, vendor := range vendors() {
		d := open(t, sim, vendor)
		plain := d.lookup(casey)

		set(t, sim, vendor, simulator.Fault{Kind: "html"})
		if got := d.lookup(casey); got.status != 200 || got.header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(got.body, "Sign in") {
			t.Errorf("%s html: %d %s", vendor, got.status, got.body)
		}
		set(t, sim, vendor, simulator.Fault{Kind: "huge"})
		got := d.lookup(casey)
		if len(got.body) <= 8<<20 || !strings.HasPrefix(got.body, `{"padding":"xx`) || !strings.HasSuffix(got.body, `xx",`+plain.body[1:]) {
			t.Errorf("%s huge: %d bytes", vendor, len(got.body))
		}

		set(t, sim, vendor, simulator.Fault{Kind: "wrong-person"})
		if got := d.lookup(casey); got.status != 200 || strings.Contains(got.body, casey.IDs["email"]) || !strings.Contains(got.body, "Jordan") && vendor != "aveva" {
			t.Errorf("%s wrong-person: %d %s", vendor, got.status, got.body)
		}

		set(t, sim, vendor, simulator.Fault{Kind: "truncated"})
		path, header := lookup(t, sim, vendor, casey, d.token)
		var err error
		got, err = try(d.client, "GET", d.server+path, "", header...)
		if !errors.Is(err, io.ErrUnexpectedEOF) || got.status != 200 || got.body != plain.body[:len(plain.body)/2] ||
			got.header.Get("Content-Length") != strconv.Itoa(len(plain.body)) {
			t.Errorf("%s truncated: %v, %d of %d bytes", vendor, err, len(got.body), len(plain.body))
		}

		set(t, sim, vendor, simulator.Fault{Kind: "reset"})
		if _, err := try(d.client, "GET", d.server+path, "", header...); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s reset: %v", vendor, err)
		}
		sim.ClearFaults(vendor)
		if got := d.lookup(casey); got.body != plain.body {
			t.Errorf("%s, cleared: %s", vendor, got.body)
		}
	}
}

// TestFaultHang: nothing comes until the client leaves, and the server's side ends with it.
func TestFaultHang(t *testing.T) {
	sim := newSimulation()
	d := open(t, sim, "numium")
	set(t, sim, "numium", simulator.Fault{Kind: "hang"})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	path, header := lookup(t, sim, "numium", witness(t, sim, "showcase"), d.token)
	req, err := http.NewRequestWithContext(ctx, "GET", d.server+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(header[0], header[1])
	res, err := d.client.Do(req)
	if err == nil {
		_ = res.Body.Close()
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, %v", res, err)
	}
}

// TestFaultLatency: before the plain answer, and before any other fault.
func TestFaultLatency(t *testing.T) {
	sim := newSimulation()
	d := open(t, sim, "numium")
	for kind, status := range map[string]int{"": 200, "503": 503} {
		set(t, sim, "numium", simulator.Fault{Kind: kind, Latency: 60 * time.Millisecond})
		start := time.Now()
		if got := d.lookup(witness(t, sim, "showcase")); got.status != status || time.Since(start) < 60*time.Millisecond {
			t.Errorf("%q: %d after %v", kind, got.status, time.Since(start))
		}
	}
}

// TestFaultsOfOnePerson: theirs alone, before those for everybody, by any name the vendor has, and as often as set.
func TestFaultsOfOnePerson(t *testing.T) {
	sim := newSimulation()
	casey, jordan := witness(t, sim, "showcase"), witness(t, sim, "disagreeing")
	d := open(t, sim, "kobil")
	statuses := func(p simulator.Person, n int) (all []int) {
		for range n {
			all = append(all, d.lookup(p).status)
		}
		return all
	}
	check := func(what string, got []int, want ...int) {
		t.Helper()
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s: %v, want %v", what, got, want)
				return
			}
		}
	}
	set(t, sim, "kobil", simulator.Fault{Kind: "503"})
	set(t, sim, "kobil", simulator.Fault{Kind: "403", Person: strings.ToUpper(casey.IDs["kobil"]), Times: 2})
	check("Casey by id, twice, then as everybody", statuses(casey, 4), 403, 403, 503, 503)
	check("Jordan as everybody", statuses(jordan, 1), 503)
	set(t, sim, "kobil", simulator.Fault{Kind: "500", Times: 1})
	check("the later fault in place of the earlier, once", statuses(jordan, 2), 500, 200)
	set(t, sim, "kobil", simulator.Fault{Kind: "401", Person: "jordan.rivera"})
	check("Jordan by user name", statuses(jordan, 2), 401, 401)
	check("and nobody else", statuses(casey, 1), 200)
	sim.ClearFaults("")
	check("cleared", statuses(jordan, 1), 200)
}

// TestFaultsOfTokens: the endpoint alone; a token already given stays good.
func TestFaultsOfTokens(t *testing.T) {
	sim := newSimulation()
	casey := witness(t, sim, "showcase")
	paths := map[string]string{"aveva": "/identity/connect/token", "itwin": "/connect/token", "csp": "/csp/gateway/am/api/auth/api-tokens/authorize"}
	for vendor, path := range paths {
		d := open(t, sim, vendor)
		set(t, sim, vendor, simulator.Fault{Kind: "503", Times: 1}) // stands beside a fault of the endpoint
		for kind, status := range map[string]int{"token-401": 401, "token-500": 500} {
			set(t, sim, vendor, simulator.Fault{Kind: kind, Times: 1})
			if got := ask(t, d.client, "POST", d.server+path, ""); got.status != status {
				t.Errorf("%s %s: %d %s", vendor, kind, got.status, got.body)
			}
			if got := d.lookup(casey); got.status != 200 && sim.Calls(vendor) > 1 || got.status != 503 && sim.Calls(vendor) == 1 {
				t.Errorf("%s %s: lookup %d", vendor, kind, got.status)
			}
		}
		token(t, sim, vendor, d.server, d.client) // spent: granted again
		if n, lookups := sim.TokenCalls(vendor), sim.Calls(vendor); n != 4 || lookups != 2 {
			t.Errorf("%s counted %d token calls and %d lookups", vendor, n, lookups)
		}
	}
}

// TestStandingFaults: what the people of initech are for.
func TestStandingFaults(t *testing.T) {
	sim := newSimulation()
	want := map[string]int{
		"503": 503, "500": 500, "429": 429, "403": 403, "multi-status": 207, "limit-exceeded": 400, "failure-in-200": 200,
		"absent-in-200": 200, "html": 200, "wrong-person": 200,
	}
	for kind, status := range want {
		p := witness(t, sim, "fault:"+kind)
		if p.Tenant != "initech" || p.FaultAt == "" {
			t.Fatalf("fault:%s: %s, %q", kind, p.Tenant, p.FaultAt)
		}
		for vendor := range p.Accounts {
			sees := 200
			if vendor == p.FaultAt {
				sees = status
			}
			if got := open(t, sim, vendor).lookup(p); got.status != sees {
				t.Errorf("fault:%s at %s: %s answers %d, want %d", kind, p.FaultAt, vendor, got.status, sees)
			}
		}
	}
}

// TestFaultsRefused: every mistake is told with what would do.
func TestFaultsRefused(t *testing.T) {
	sim := newSimulation()
	for _, tc := range []struct {
		vendor string
		fault  simulator.Fault
		tells  string
	}{
		{"okta", simulator.Fault{Kind: "503"}, `"numium"`},
		{"csp", simulator.Fault{Kind: "504"}, `"failure-in-200"`},
		{"csp", simulator.Fault{}, `"latency"`},
		{"csp", simulator.Fault{Kind: "latency"}, "250ms"},
		{"csp", simulator.Fault{Kind: "503", Times: -1}, "negative"},
		{"csp", simulator.Fault{Kind: "429-date", RetryAfter: "soon"}, "seconds"},
		{"numium", simulator.Fault{Kind: "token-401"}, "no token endpoint"},
		{"csp", simulator.Fault{Kind: "token-401", Person: "x"}, "empty"},
	} {
		if err := sim.SetFault(tc.vendor, tc.fault); err == nil || !strings.Contains(err.Error(), tc.tells) {
			t.Errorf("%s %+v: %v, want a word of %s", tc.vendor, tc.fault, err, tc.tells)
		}
	}
}

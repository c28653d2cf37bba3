package simulator_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/adapters/simulator"
)

// TestSameSeedSameBytes: the answers to one sequence of requests, tokens and operation ids included.
func TestSameSeedSameBytes(t *testing.T) {
	transcript := func(seed uint64) string {
		var all strings.Builder
		sim := simulator.New(seed, simulator.WithClock(noon), simulator.WithPeople(300))
		record := func(method, host, path, body string, header http.Header) string {
			r := httptest.NewRequest(method, "http://"+host+path, strings.NewReader(body))
			r.Header = header
			w := httptest.NewRecorder()
			sim.Handler().ServeHTTP(w, r)
			fmt.Fprintln(&all, w.Code, w.Header(), w.Body)
			return w.Body.String()
		}
		hosts := map[string]string{"aveva": "uswe.datahub.example", "itwin": "api.bentley.com", "numium": "api.example.com", "csp": "console.cloud.example"}
		record("POST", "console.cloud.example", "/csp/gateway/am/api/auth/api-tokens/authorize?api_token="+sim.Credentials()["csp"].APIToken, "", nil)
		for _, p := range sim.People() {
			if p.FaultAt != "" { // some of them hang
				continue
			}
			for _, vendor := range vendors() {
				if _, known := p.Accounts[vendor]; !known {
					continue
				}
				path, list := lookup(t, sim, vendor, p, sim.Credentials()[vendor].Token)
				header, host := http.Header{}, hosts[vendor]
				for i := 0; i < len(list); i += 2 {
					header.Set(list[i], list[i+1])
				}
				if vendor == "kobil" {
					host = header.Get("Host")
				}
				record("GET", host, path, "", header)
			}
		}
		return all.String()
	}
	one := transcript(7)
	if n := strings.Count(one, "\n"); n < 500 || strings.Count(one, "\n200 ") < 100 {
		t.Fatalf("the transcript is too poor: %d lines", n)
	}
	if diff := cmp.Diff(one, transcript(7)); diff != "" {
		t.Error(diff)
	}
	if one == transcript(8) {
		t.Error("another seed gives the same bytes")
	}
}

// TestHandlerChoosesByHost: in any case, with a port; a stranger's host is 421.
func TestHandlerChoosesByHost(t *testing.T) {
	sim := newSimulation()
	srv, client := serve(t, sim.Handler())
	for host, path := range map[string]string{
		"uswe.datahub.example":  "/api/v1/tenants/x/users/y/UserInformation",
		"API.bentley.com:443":   "/users/x",
		"acme.ssms.example.com": "/digitanium/v4/users/x/profile",
		"shift.example.com":     "/auth/realms/acme/v3_user/x",
		"api.example.com":       "/tenant/1/admin/user/1",
		"console.cloud.example": "/csp/gateway/am/api/v2/users/x/orgs/y/info",
	} {
		if got := ask(t, client, "GET", srv.URL+path, "", "Host", host); got.status != 401 {
			t.Errorf("%s: %d, want its 401", host, got.status)
		}
	}
	for _, host := range []string{"ssms.example.com", "a.b.ssms.example.com", "evil.example", "127.0.0.1"} {
		if got := ask(t, client, "GET", srv.URL+"/users/x", "", "Host", host); got.status != 421 {
			t.Errorf("%s: %d, want 421", host, got.status)
		}
	}
	for vendor, hosts := range sim.Hosts() {
		if len(hosts) == 0 {
			t.Errorf("%s lives nowhere", vendor)
		}
	}
}

// TestConcurrency: lookups, tokens, faults and counters at once; meant for the race detector. Every answer is one of
// the two that are possible, and every call is counted.
func TestConcurrency(t *testing.T) {
	sim := newSimulation()
	casey := witness(t, sim, "showcase")
	const callers, rounds = 8, 20
	var wg sync.WaitGroup
	for _, vendor := range vendors() {
		d := open(t, sim, vendor)
		for range callers {
			wg.Go(func() {
				for i := range rounds {
					path, header := lookup(t, sim, vendor, casey, d.token)
					got, err := try(d.client, "GET", d.server+path, "", header...)
					if err != nil || got.status != 200 && got.status != 503 {
						t.Errorf("%s: %v", vendor, err)
						return
					}
					switch i % 5 {
					case 0:
						if err := sim.SetFault(vendor, simulator.Fault{Kind: "503", Times: 2}); err != nil {
							t.Error(err)
						}
					case 3:
						sim.ClearFaults(vendor)
					case 4:
						sim.People()
						sim.Calls(vendor)
					}
				}
			})
		}
	}
	wg.Wait()
	for _, vendor := range vendors() {
		if n := sim.Calls(vendor); n != callers*rounds {
			t.Errorf("%s counted %d of %d", vendor, n, callers*rounds)
		}
	}
}

// TestStart: one address per vendor and one for control; Close ends calls that hang, twice is once, ports are free again.
func TestStart(t *testing.T) {
	sim := newSimulation()
	run, err := sim.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(run.Addr) != 5 {
		t.Errorf("addresses: %v", run.Addr)
	}
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	casey := witness(t, sim, "showcase")
	for vendor, addr := range run.Addr {
		server := "http://" + addr
		path, header := lookup(t, sim, vendor, casey, token(t, sim, vendor, server, client))
		if got := ask(t, client, "GET", server+path, "", header...); got.status != 200 {
			t.Errorf("%s: %d %s", vendor, got.status, got.body)
		}
	}
	if got := ask(t, client, "GET", "http://"+run.Control+"/calls", ""); got.status != 200 {
		t.Errorf("control: %d %s", got.status, got.body)
	}

	set(t, sim, "numium", simulator.Fault{Kind: "hang"})
	hung := make(chan error)
	go func() {
		path, header := lookup(t, sim, "numium", casey, sim.Credentials()["numium"].Token)
		_, err := try(client, "GET", "http://"+run.Addr["numium"]+path, "", header...)
		hung <- err
	}()
	for sim.Calls("numium") < 2 {
		time.Sleep(time.Millisecond)
	}
	start := time.Now()
	for range 2 {
		if err := run.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := <-hung; err == nil || time.Since(start) > 5*time.Second {
		t.Errorf("the hanging call ended with %v after %v", err, time.Since(start))
	}

	_, port, _ := net.SplitHostPort(run.Addr["csp"])
	var n int
	if _, err := fmt.Sscan(port, &n); err != nil {
		t.Fatal(err)
	}
	fixed := newSimulation(simulator.WithPorts(map[string]int{"csp": n}))
	ctx, cancel := context.WithCancel(t.Context())
	again, err := fixed.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if again.Addr["csp"] != run.Addr["csp"] {
		t.Errorf("csp at %s, want port %d", again.Addr["csp"], n)
	}
	if _, err := fixed.Start(ctx); err == nil || !strings.Contains(err.Error(), "simulate csp") {
		t.Errorf("a taken port: %v", err)
	}
	cancel() // is Close
	if err := again.Close(); err != nil {
		t.Error(err)
	}
	if _, err := net.DialTimeout("tcp", again.Control, time.Second); err == nil {
		t.Error("control still listens")
	}
}

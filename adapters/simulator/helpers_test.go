package simulator_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"muster/adapters/simulator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noon is when the tests take place.
func noon() time.Time { return time.Date(2030, 5, 17, 12, 0, 0, 0, time.UTC) }

func newSimulation(opts ...simulator.Option) *simulator.Simulation {
	return simulator.New(1, append([]simulator.Option{simulator.WithClock(noon), simulator.WithPeople(0)}, opts...)...)
}

// serve gives one vendor a real server; the host that a request names is chosen per request.
func serve(t *testing.T, h http.Handler) (*httptest.Server, *http.Client) {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	client := &http.Client{
		Transport:     &http.Transport{},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(client.CloseIdleConnections)
	return srv, client
}

type answer struct {
	status int
	header http.Header
	body   string
}

// ask sends one request; header is name, value, name, value …; "Host" sets the host.
func ask(t *testing.T, c *http.Client, method, address, body string, header ...string) answer {
	t.Helper()
	got, err := try(c, method, address, body, header...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, address, err)
	}
	return got
}

func try(c *http.Client, method, address, body string, header ...string) (answer, error) {
	req, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		} else {
			req.Header.Add(header[i], header[i+1])
		}
	}
	res, err := c.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(b)}, err
}

// sameJSON compares a body with the JSON wanted, by value; numbers are compared as they are written.
func sameJSON(t *testing.T, got, want string) {
	t.Helper()
	if diff := cmp.Diff(parsed(t, want), parsed(t, got)); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

func parsed(t *testing.T, s string) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("not JSON: %v in %.200s", err, s)
	}
	return v
}

func witness(t *testing.T, sim *simulator.Simulation, trait string) simulator.Person {
	t.Helper()
	p, ok := sim.WithTrait(trait)
	if !ok {
		t.Fatalf("nobody has the trait %s", trait)
	}
	return p
}

func tenant(t *testing.T, sim *simulator.Simulation, name string) simulator.Tenant {
	t.Helper()
	for _, one := range sim.Tenants() {
		if one.Name == name {
			return one
		}
	}
	t.Fatalf("no tenant %s", name)
	return simulator.Tenant{}
}

// lookup is a well-formed request for a person at one vendor: path, then headers.
func lookup(t *testing.T, sim *simulator.Simulation, vendor string, p simulator.Person, token string) (path string, header []string) {
	t.Helper()
	ids, authorization := tenant(t, sim, p.Tenant).IDs, []string{"Authorization", "Bearer " + token}
	switch vendor {
	case "aveva":
		return "/api/v1/tenants/" + ids["aveva"] + "/users/" + p.IDs["aveva"] + "/UserInformation", authorization
	case "itwin":
		return "/users/" + p.IDs["itwin"], authorization
	case "kobil":
		path = "/digitanium/v4/users/" + url.PathEscape(p.IDs["username"]) + "/profile"
		return path, append(authorization, "Content-Type", "application/json", "Host", ids["kobil"]+".ssms.example.com")
	case "numium":
		return "/tenant/" + ids["numium"] + "/admin/user/" + p.IDs["numium"], authorization
	case "csp":
		return "/csp/gateway/am/api/v2/users/" + url.PathEscape(p.IDs["csp"]) + "/orgs/" + ids["csp"] + "/info", authorization
	}
	t.Fatalf("no vendor %s", vendor)
	return "", nil
}

// token gets an access token as the vendor's document says, or is the standing one.
func token(t *testing.T, sim *simulator.Simulation, vendor, server string, c *http.Client) string {
	t.Helper()
	creds := sim.Credentials()[vendor]
	var got answer
	switch vendor {
	case "aveva":
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {creds.ClientID}, "client_secret": {creds.ClientSecret}}
		got = ask(t, c, "POST", server+"/identity/connect/token", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	case "itwin":
		got = ask(t, c, "POST", server+"/connect/token", "grant_type=client_credentials&scope=itwin-platform",
			"Content-Type", "application/x-www-form-urlencoded", "Authorization", basic(creds.ClientID, creds.ClientSecret))
	case "csp":
		got = ask(t, c, "POST", server+"/csp/gateway/am/api/auth/api-tokens/authorize", url.Values{"api_token": {creds.APIToken}}.Encode(),
			"Content-Type", "application/x-www-form-urlencoded")
	default:
		return creds.Token
	}
	var reply struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(got.body), &reply); err != nil || got.status != 200 || reply.AccessToken == "" {
		t.Fatalf("%s token: %d %s", vendor, got.status, got.body)
	}
	return reply.AccessToken
}

func basic(id, secret string) string {
	r := &http.Request{Header: http.Header{}}
	r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
	return r.Header.Get("Authorization")
}

// door is one vendor ready to be asked.
type door struct {
	t      *testing.T
	sim    *simulator.Simulation
	vendor string
	server string
	client *http.Client
	token  string
}

func open(t *testing.T, sim *simulator.Simulation, vendor string) door {
	t.Helper()
	srv, client := serve(t, sim.Vendor(vendor))
	return door{t, sim, vendor, srv.URL, client, token(t, sim, vendor, srv.URL, client)}
}

func (d door) lookup(p simulator.Person) answer {
	d.t.Helper()
	path, header := lookup(d.t, d.sim, d.vendor, p, d.token)
	return ask(d.t, d.client, "GET", d.server+path, "", header...)
}

func (d door) get(path string, header ...string) answer {
	d.t.Helper()
	return ask(d.t, d.client, "GET", d.server+path, "", header...)
}

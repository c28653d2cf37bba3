package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"muster/config"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The five payloads as the vendors' documents print them (seeds 000 to 004), and
// what else those documents say may come.
const (
	avevaOK      = `{"UserInformation": {"property1": ["string"], "property2": ["string"]}}`
	avevaPartial = `{"OperationId": "string", "Error": "string", "Reason": "string",
		"ChildErrors": [{"OperationId": "op-1", "Error": "Directory timeout.", "Reason": "Groups could not be read.",
			"Resolution": "Try again.", "StatusCode": 503, "ModelId": "groups", "property1": null, "property2": null}],
		"Data": {"UserInformation": {"property1": ["string"]}}}`
	itwinOK = `{ "user": { "id": "e7aee7b1-4967-4f40-b220-0b1dc12c4542", "email": "John.Smith@example.com", "givenName": "John",
		"surname": "Smith", "organizationName": "Example Organization" } }`
	itwin429 = `{ "error": { "code": "RateLimitExceeded", "message": "The client sent more requests than allowed by this API for the current tier of the client." } }`
	kobilOK  = `{"message": "User info fetched successfully", "status": "Success", "subSystem": 5, "data": {"username": "createuser",
		"id": "c70c9758-fd76-43a7-8b37-b21280c9369e", "enabled": false, "emailVerified": false,
		"attributes": {"firstName": [null], "lastName": [null], "email": [null], "username": ["createuser"]},
		"requiredActions": [], "admin": false}}`
	numiumOK = `{"data": {"id": 256, "userId": 4242, "tenantId": 1024, "principalOid": "d3b07384-d9a1-4655-a08e-df5f4f6d7d19",
		"firstName": "Casey", "lastName": "Taylor", "email": "casey.taylor@example.com", "isEnabled": true,
		"roles": [{"id": 12, "name": "TenantAdministrator", "description": "Grants full tenant administration capabilities.",
			"permissions": [{"id": 101, "name": "ManageUsers"}]}]}, "isSuccess": true}`
	numiumFailed = `{"isSuccess": false, "isFailure": true, "error": {"code": "ServerBusy", "message": "Try CANARY later.", "info": []}, "value": null}`
	numiumOther  = `{"isSuccess": true, "isFailure": false, "error": null, "value": {"id": 256, "tenantId": 2048, "firstName": "CANARY"}}`
	cspOK        = `{"user": {"acct": "string", "city": "string", "email": "casey@example.com", "emailVerified": true, "firstName": "Casey",
		"lastName": "Taylor", "password": "CANARY", "userId": "vmware.com:d3b07384", "userProfile": {"locale": "en_US", "isFederated": false},
		"username": "casey"},
		"userOrgInfo": [{"customRoles": [{"expiresAt": 3609941597, "membershipType": "DIRECT", "name": "custom", "resource": "string"}],
			"displayName": "Example", "name": "o-1", "orgRoles": [{"displayName": "Owner", "expiresAt": 0, "name": "org_owner"}],
			"servicesDef": [{"roles": [{"expiresAt": 3609941597, "name": "service-role"}], "serviceName": "svc", "serviceRoles": ["service-role", "other"]}]}]}`
	csp404 = `{"cspErrorCode": "csp.x", "errorCode": "404.1", "message": "Organization not found", "moduleCode": 540, "requestId": "r-1", "statusCode": 404}`
)

// stub plays an upstream with one reply, and any token that is asked for.
type stub struct {
	*httptest.Server

	mu    sync.Mutex
	reply func(w http.ResponseWriter)
	seen  []*http.Request
}

func newStub(t *testing.T) *stub {
	s := new(stub)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodPost {
			_, _ = fmt.Fprint(w, `{"access_token": "t0ken", "expires_in": 3600, "token_type": "Bearer"}`)
			return
		}
		s.seen = append(s.seen, r)
		s.reply(w)
	}))
	t.Cleanup(s.Close)
	return s
}

// says is what a stub replies from now on.
func (s *stub) says(status int, body string, header ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reply = func(w http.ResponseWriter) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, body)
	}
}

// gatewayFile is written from the grammar, as a deployment would.
const gatewayFile = `
listen: {address: "127.0.0.1:0", admin: "127.0.0.1:0"}
tenants:
  acme:
    ids: {aveva: 0d2f6c1e-7a0b-4a55-9f0c-2f0f4c5b8a11, kobil: acme, numium: 1024, csp: o-1}
    default_identifier: username
  globex:
    ids: {numium: 2048}
    providers: [numium]
identifiers:
  accept: [username, email, aveva, itwin, numium, csp]
  links: {file: links.yaml}
providers:
  - {use: numium, with: {host: admin.example.com, token: "${file:numium.secret}"}}
  - {use: csp, with: {host: console.cloud.example, api_token: s3cret}}
  - {use: kobil, with: {host: ssms.example.com, token: s3cret}}
  - {use: aveva, with: {host: eu.datahub.example, client_id: muster, client_secret: s3cret}}
  - {use: itwin, with: {client_id: muster, client_secret: s3cret}, tenants: [acme]}
merge:
  order: [numium, csp, kobil, aveva, itwin]
  fields:
    active: {authority: kobil}
egress:
  connect:
    admin.example.com: {address: "%[1]s", plaintext: true}
    console.cloud.example: {address: "%[2]s", plaintext: true}
    "*.ssms.example.com": {address: "%[3]s", plaintext: true}
    eu.datahub.example: {address: "%[4]s", plaintext: true}
    api.bentley.com: {address: "%[5]s", plaintext: true}
    ims.bentley.com: {address: "%[5]s", plaintext: true}
`

const linksFile = `
- tenant: acme
  ids:
    email: casey@example.com
    username: createuser
    numium: 256
    csp: "vmware.com:d3b07384"
    aveva: d3b07384-d9a1-4655-a08e-df5f4f6d7d19
    itwin: e7aee7b1-4967-4f40-b220-0b1dc12c4542
`

// deployment is a gateway before five stubs, each of which says what its document does.
type deployment struct {
	world
	stubs map[string]*stub
}

// newDeployment is one whose file may say more than gatewayFile, behind its egress.
func newDeployment(t *testing.T, more ...string) *deployment {
	t.Helper()
	d := &deployment{world: world{t: t, spans: tracetest.NewSpanRecorder(), log: new(lockedBuffer), http: &http.Client{Transport: &http.Transport{}}}, stubs: map[string]*stub{}}
	var addresses []any
	for _, name := range []string{"numium", "csp", "kobil", "aveva", "itwin"} {
		d.stubs[name] = newStub(t)
		addresses = append(addresses, d.stubs[name].Listener.Addr().String())
	}
	d.stubs["numium"].says(200, numiumOK)
	d.stubs["csp"].says(200, cspOK)
	d.stubs["kobil"].says(200, kobilOK)
	d.stubs["aveva"].says(200, avevaOK)
	d.stubs["itwin"].says(200, itwinOK)

	folder := t.TempDir()
	for name, content := range map[string]string{"gateway.yaml": fmt.Sprintf(gatewayFile, addresses...) + strings.Join(more, ""), "links.yaml": linksFile, "numium.secret": "s3cret\n"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d.deploy(folder)
	return d
}

// deploy runs the gateway of a folder until the test ends.
func (w *world) deploy(folder string) {
	t := w.t
	t.Helper()
	file, err := config.Load(filepath.Join(folder, "gateway.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.WithoutCancel(t.Context())
	log := slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	sdk, err := newTelemetry(ctx, file.Static.Telemetry, log, w.spans)
	if err != nil {
		t.Fatal(err)
	}
	server, err := startServer(ctx, file, sdk, log)
	if err != nil {
		t.Fatal(err)
	}
	w.demo = &demo{server: server, folder: folder}
	t.Cleanup(func() {
		w.http.CloseIdleConnections()
		if w.ended {
			return
		}
		if err := server.Shutdown(ctx, 0); err != nil {
			t.Error(err)
		}
	})
}

// look asks for the one person of acme.
func (d *deployment) look(query string, header ...string) response {
	d.t.Helper()
	return d.ask(http.MethodGet, "http://"+d.Address+"/v1/tenants/acme/users/username:createuser"+query, "", header...)
}

// silent looks for what must never be told anywhere.
func (w *world) silent(r response) {
	w.t.Helper()
	w.never(r.Text+w.ask(http.MethodGet, "http://"+w.Admin+"/config", "").Text, "CANARY", "s3cret", "t0ken")
}

// never looks for texts in the log, in the spans, and in what else is told.
func (w *world) never(told string, texts ...string) {
	w.t.Helper()
	told += w.log.String()
	for _, span := range w.spans.Ended() {
		told += fmt.Sprintln(span.Name(), span.Attributes(), span.Events(), span.Status())
	}
	for _, text := range texts {
		if strings.Contains(told, text) {
			w.t.Errorf("%s is told", text)
		}
	}
}

// TestTheDocumentedPayloads merges what the five documents print.
func TestTheDocumentedPayloads(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	got := d.look("")
	if got.Status != http.StatusOK {
		t.Fatalf("status %d: %s", got.Status, got.Text)
	}
	var whole struct{ Data json.RawMessage }
	if err := json.Unmarshal([]byte(got.Text), &whole); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/seeds.json", whole.Data)
	d.silent(got)
}

// golden compares JSON with a file.
func golden(t *testing.T, path string, got json.RawMessage) {
	t.Helper()
	var tree any
	if err := json.Unmarshal(got, &tree); err != nil {
		t.Fatal(err)
	}
	laidOut, err := json.MarshalIndent(tree, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	laidOut = append(laidOut, '\n')
	if *update {
		if err := os.WriteFile(path, laidOut, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(laidOut)); diff != "" {
		t.Errorf("%s (-want +got; -update writes it anew):\n%s", path, diff)
	}
}

// TestWhatElseTheDocumentsSay breaks one of the five at a time.
func TestWhatElseTheDocumentsSay(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, source string
		status       int
		body         string
		header       []string
		outcome      string
		child        string // of the answer, without what is the kind's own
		incomplete   []string
	}{
		{
			"a multi-status of its own", "aveva", 207, avevaPartial, nil, "partial unavailable",
			`{"source":"aveva","kind":"unavailable","statusCode":503,"operationId":"op-1","error":"Directory timeout.","reason":"Groups could not be read.","resolution":"Try again.","modelId":"groups"}`,
			[]string{"displayName", "emails", "phoneNumbers", "groups", "roles", "attributes"},
		},
		{
			"too many requests", "itwin", 429, itwin429,
			[]string{"Retry-After", "17"},
			"failed rate_limited",
			`"kind":"rate_limited","statusCode":429`,
			[]string{"emails", "organization"},
		},
		{
			"a failure inside a 200", "numium", 200, numiumFailed, nil, "failed unavailable",
			`"kind":"unavailable","statusCode":503`,
			[]string{"name", "emails", "roles"},
		},
		{
			"a record of another tenant", "numium", 200, numiumOther, nil, "failed mismatch",
			`"kind":"mismatch","statusCode":409`,
			[]string{"name", "emails", "roles"},
		},
		{
			"an organization that is unknown", "csp", 404, csp404, nil, "failed misconfigured",
			`"kind":"misconfigured","statusCode":502,"operationId":"r-1"`,
			[]string{"userName", "emails", "phoneNumbers", "addresses", "locale", "preferredLanguage", "organizations", "organization", "roles", "urls", "attributes"},
		},
		{
			"a tenant that is unknown", "aveva", 404, `{"OperationId": "op-2", "Error": "Tenant not found.", "Reason": "CANARY", "Resolution": "s3cret"}`, nil, "failed misconfigured",
			`"kind":"misconfigured","statusCode":502,"operationId":"op-2"`,
			[]string{"displayName", "emails", "phoneNumbers", "groups", "roles", "attributes"},
		},
		{"somebody unknown", "kobil", 404, `{"status": "USER_NOT_FOUND", "message": "User does not exist"}`, nil, "absent", "", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := newDeployment(t)
			d.stubs[test.source].says(test.status, test.body, test.header...)
			got := d.look("")
			want := map[string]string{"numium": "ok", "csp": "ok", "kobil": "ok", "aveva": "ok", "itwin": "ok"}
			want[test.source] = test.outcome
			if diff := cmp.Diff(want, got.outcomes()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			status := http.StatusMultiStatus
			if test.child == "" {
				status = http.StatusOK
			}
			if got.Status != status || !strings.Contains(got.Text, test.child) {
				t.Errorf("status %d, and the answer lacks %s: %s", got.Status, test.child, got.Text)
			}
			if diff := cmp.Diff(test.incomplete, got.IncompleteFields); diff != "" {
				t.Errorf("incompleteFields (-want +got):\n%s", diff)
			}
			d.silent(got)
		})
	}
}

// TestWhatUpstreamsSee: a request as the document has it, with the trace and
// without anything else of the caller's.
func TestWhatUpstreamsSee(t *testing.T) {
	t.Parallel()
	const id = "4bf92f3577b34da6a3ce929d0e0e4736"
	d := newDeployment(t)
	d.look("", "traceparent", "00-"+id+"-00f067aa0ba902b7-01", "baggage", "user=CANARY", "Cookie", "a=CANARY", "X-User", "CANARY", "Authorization", "Bearer CANARY", "X-Forwarded-For", "10.0.0.1")
	want := map[string][3]string{ // host, path, credential
		"numium": {"admin.example.com", "/tenant/1024/admin/user/256", "Bearer s3cret"},
		"csp":    {"console.cloud.example", "/csp/gateway/am/api/v2/users/vmware.com%3Ad3b07384/orgs/o-1/info", "Bearer t0ken"},
		"kobil":  {"acme.ssms.example.com", "/digitanium/v4/users/createuser/profile", "Bearer s3cret"},
		"aveva":  {"eu.datahub.example", "/api/v1/tenants/0d2f6c1e-7a0b-4a55-9f0c-2f0f4c5b8a11/users/d3b07384-d9a1-4655-a08e-df5f4f6d7d19/UserInformation", "Bearer t0ken"},
		"itwin":  {"api.bentley.com", "/users/e7aee7b1-4967-4f40-b220-0b1dc12c4542", "Bearer t0ken"},
	}
	got := map[string][3]string{}
	for name, s := range d.stubs {
		for _, r := range s.seen {
			got[name] = [3]string{r.Host, r.URL.EscapedPath(), r.Header.Get("Authorization")}
			if !strings.HasPrefix(r.Header.Get("traceparent"), "00-"+id+"-") {
				t.Errorf("%s: the trace is not continued: %q", name, r.Header.Get("traceparent"))
			}
			if text := fmt.Sprint(r.Header); strings.Contains(text, "CANARY") || strings.Contains(text, "10.0.0.1") {
				t.Errorf("%s sees what is the caller's: %s", name, text)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"muster/config"
)

var crossings = flag.Int("crossings", 2_000, "how many lookups hunt for another tenant's data")

// crossingsFile is a gateway of two tenants whose people have the same identifiers. Some
// sources are asked for both of them, some have a host and a credential for each, and one
// is asked as the caller.
const crossingsFile = `
listen: {address: "127.0.0.1:0", admin: "127.0.0.1:0"}
tenants:
  acme: {ids: {shared: "x:y", pair: "x:y", search: "x:y", hr: "x:y", desk: "x:y", selfie: acme}, default_identifier: username}
  globex: {ids: {shared: x, pair: x, search: x, hr: x, desk: x, selfie: globex}, default_identifier: username}
identifiers:
  accept: [email, username, oid]
  links: {file: links.yaml}
callers:
  - issuer: "%[2]s"
    audiences: muster
    clients: [portal]
    claims: {tenant: org, user: {email: email}}
policies:
  - {for: {scopes: profile.basic}, show: [displayName, emails]}
  - {for: {scopes: profile.full}, show: "*"}
  - {for: {cel: "caller.claims.email == target.id.email"}, show: department}
providers:
  - {use: shared, with: {host: shared.example, token: secret-shared}}
  - {use: pair, with: {host: pair.example, token: secret-pair}}
  - {use: search, with: {host: search.example, token: secret-search}}
  - {use: hr, with: {host: hr.example, token: secret-hr}}
  - {use: desk, with: {host: desk.example, token: secret-desk}}
  - {use: own, name: own-acme, with: {host: acme.own.example, token: secret-own-acme}, tenants: [acme]}
  - {use: own, name: own-globex, with: {host: globex.own.example, token: secret-own-globex}, tenants: [globex]}
  - {use: issued, name: issued-acme, with: {host: acme.issued.example, secret: secret-client-acme}, tenants: [acme]}
  - {use: issued, name: issued-globex, with: {host: globex.issued.example, secret: secret-client-globex}, tenants: [globex]}
  - {use: selfie, with: {host: selfie.example}}
limits: {cache: {ttl: 300ms, stale: 300ms, negative: 100ms}}
egress:
  connect:
    "127.0.0.1": {address: "%[3]s", plaintext: true}
    "*.example": {address: "%[1]s", plaintext: true}
`

// crossingsSources are their definitions, but for what all of them say.
var crossingsSources = map[string]string{
	"shared": `
auth: {bearer: "{settings.token}"}
lookup: ["https://{settings.host}/{tenant.self}/{id.email}", "https://{settings.host}/{tenant.self}/{id.username}"]
ids: {email: {path: email, when: {verified: true}}, username: name}
profile: {displayName: basic, title: full, emails: [{value: email}], attributes: {note: note}}`,
	"pair": `
auth: {bearer: "{settings.token}"}
lookup: GET https://{settings.host}/{tenant.self}/{id.username}/{id.oid}
ids: {username: {path: name, check: false}}
profile: {nickName: full}`,
	"search": `
auth: {bearer: "{settings.token}"}
lookup: GET https://{settings.host}/{tenant.self}?email={id.email}
ids: {hr: hr, email: {path: email, verified: assumed}}`,
	"hr": `
auth: {bearer: "{settings.token}"}
lookup: GET https://{settings.host}/{tenant.self}/{id.hr}
ids: {self: hr}
profile: {userType: full, roles: [{value: full}]}`,
	"desk": `
auth: {bearer: "{settings.token}"}
lookup: GET https://{settings.host}/{tenant.self}/{id.badge}
ids: {badge: badge}
profile: {department: desk}`,
	"own": `
auth: {header: {X-Api-Key: "{settings.token}"}}
lookup: GET https://{settings.host}/{id.email}
ids: {email: {path: email, verified: assumed}}
profile: {groups: full}`,
	"issued": `
auth: {client_credentials: {token_url: "https://{settings.host}/token", client_id: muster, client_secret: "{settings.secret}"}}
lookup: GET https://{settings.host}/{id.username}
ids: {username: name}
profile: {employeeNumber: full}`,
	"selfie": `
auth: {caller: {audience: upstream}}
lookup: GET https://{settings.host}/{tenant.self}/{id.email}
ids: {email: {path: email, verified: assumed}}
profile: {manager: full, attributes: {asked: subject}}`,
}

// crossing is both tenants' systems, and what went wrong at them.
type crossing struct {
	t       *testing.T
	address string            // of the gateway
	tokens  map[string]string // by tenant, scope and person
	people  []string
	desks   atomic.Int64 // times that what only a link leads to was shown
	pairs   [][2]string  // of a user name and an oid
}

var canary = regexp.MustCompile(`cnry-([a-z]+)-([a-z]+)-([0-9a-z]+)`)

// who is a person in a canary: a word that is another one for other identifiers.
func who(ids ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(ids, "\x00")))
	return hex.EncodeToString(sum[:6])
}

func (c *crossing) email(person string) string { return person + "@shared.example" }

// upstream answers for every host, and looks who comes there with what.
func (c *crossing) upstream(w http.ResponseWriter, r *http.Request) {
	time.Sleep(time.Duration(rand.IntN(1000)) * time.Microsecond) //nolint:gosec // chance will do
	complain := func(format string, args ...any) { c.t.Errorf("at %s: "+format, append([]any{r.Host}, args...)...) }
	credential := r.Header.Get("Authorization") + r.Header.Get("X-Api-Key")
	first, _, _ := strings.Cut(r.Host, ".")
	var segments []string
	for part := range strings.SplitSeq(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/") {
		plain, err := url.PathUnescape(part)
		if err != nil {
			complain("%v", err)
		}
		segments = append(segments, plain)
	}
	tenant, want := map[string]string{"x:y": "acme", "x": "globex"}[segments[0]], "Bearer secret-"+first
	ids := segments[1:]
	switch {
	case r.Host == "selfie.example":
		tenant = segments[0]
		payload, _ := base64.RawURLEncoding.DecodeString(strings.Split(credential+"..", ".")[1])
		var claims struct{ Org, Sub string }
		if err := json.Unmarshal(payload, &claims); err != nil || claims.Org != tenant {
			complain("a caller's token of %q is used for %s", claims.Org, tenant)
		}
		c.reply(w, tenant, map[string]string{"full": who(strings.TrimSuffix(ids[0], "@shared.example"))}, map[string]string{"email": ids[0], "subject": "asked by " + claims.Sub})
		return
	case strings.HasSuffix(r.Host, ".own.example"):
		tenant, want, ids = first, "secret-own-"+first, segments
	case strings.HasSuffix(r.Host, ".issued.example") && segments[0] == "token":
		_, secret, _ := r.BasicAuth()
		if body, _ := io.ReadAll(r.Body); secret != "secret-client-"+first && !strings.Contains(string(body), "secret-client-"+first) {
			complain("a token is wanted with another's secret")
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"access_token": "issued-for-%s", "token_type": "Bearer", "expires_in": 3600}`, first)
		return
	case strings.HasSuffix(r.Host, ".issued.example"):
		tenant, want, ids = first, "Bearer issued-for-"+first, segments
	}
	if credential != want {
		complain("the credential %q comes, want %q", credential, want)
	}
	for name, values := range r.Header {
		for _, token := range c.tokens {
			if strings.Contains(strings.Join(values, " "), token) {
				complain("a caller's token comes in %s", name)
			}
		}
	}
	record, plain := map[string]string{}, map[string]string{}
	person := who(ids...)
	switch first {
	case "search":
		plain["email"] = r.URL.Query().Get("email")
		plain["hr"] = strings.TrimSuffix(plain["email"], "@shared.example") + "-hr"
		c.reply(w, tenant, record, plain)
		return
	case "hr":
		plain["hr"] = ids[0]
		person = who(strings.TrimSuffix(ids[0], "-hr"))
	case "desk":
		owner, at, _ := strings.Cut(ids[0], " of ")
		plain["badge"] = ids[0]
		if person = who(owner); at != tenant {
			complain("%s's badge %q is asked for", tenant, ids[0])
		}
	case "pair":
		plain["name"] = ids[0]
	default:
		name := strings.TrimSuffix(ids[0], "@shared.example")
		person, plain["email"], plain["name"], plain["verified"] = who(name), c.email(name), name, "true"
	}
	record["basic"], record["full"], record["desk"], record["note"] = person, person, person, person
	c.reply(w, tenant, record, plain)
}

// reply writes a record: members that carry their tenant's canary, and plain ones.
func (c *crossing) reply(w http.ResponseWriter, tenant string, record, plain map[string]string) {
	all := map[string]any{}
	for member, person := range record {
		kind := "full"
		if member == "basic" || member == "desk" {
			kind = member
		}
		all[member] = "cnry-" + tenant + "-" + kind + "-" + person
	}
	for member, value := range plain {
		all[member] = value
	}
	if all["verified"] == "true" {
		all["verified"] = true
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(all)
}

// newCrossing runs the gateway and both tenants' systems.
func newCrossing(t *testing.T) *crossing {
	t.Helper()
	c := &crossing{t: t, tokens: map[string]string{}, people: []string{"z", "y:z"}, pairs: [][2]string{{"a:b", "c"}, {"a", "b:c"}, {"a", "b"}, {"a:b:c", "d"}, {"a/b", "c"}, {"a", "b/c"}, {"q:id:username:x", "c"}, {"x", "c:id:username:q"}}}
	for n := range 10 {
		c.people = append(c.people, fmt.Sprintf("p%02d", n))
	}
	upstream := httptest.NewServer(http.HandlerFunc(c.upstream))
	t.Cleanup(upstream.Close)
	i := newIssuer(t)
	folder := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(folder, "providers"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, definition := range crossingsSources {
		secret := map[string]string{"issued": "secret", "selfie": ""}
		setting, other := secret[name]
		if !other {
			setting = "token"
		}
		settings := "settings:\n  host: {format: host, required: true}\n"
		if setting != "" {
			settings += "  " + setting + ": {format: secret, required: true}\n"
		}
		write("providers/"+name+".yaml", "provider: "+name+"\n"+settings+strings.TrimPrefix(definition, "\n")+
			"\ntests: [{name: nobody, with: {settings: {host: h.example}, tenant: {self: t}, id: {email: a@b.example, username: a, oid: o, hr: h, badge: b}"+
			map[bool]string{true: ", caller: {audiences: [upstream]}", false: ""}[name == "selfie"]+"}, reply: {http: 404}, expect: {outcome: absent}}]\n")
	}
	var links strings.Builder
	for _, tenant := range []string{"acme", "globex"} {
		for _, person := range c.people {
			fmt.Fprintf(&links, "- {tenant: %s, ids: {email: %q, badge: %q}}\n", tenant, c.email(person), person+" of "+tenant)
			for scopes, scope := range map[string]string{"low": "profile.basic", "high": "profile.full profile.basic muster.explain muster.purge"} {
				c.tokens[tenant+" "+scopes+" "+person] = i.token(t, map[string]any{
					"org": tenant, "scope": scope, "email": c.email(person), "sub": tenant + "-" + person, "aud": []string{"muster", "upstream"},
				})
			}
		}
	}
	write("links.yaml", links.String())
	write("gateway.yaml", fmt.Sprintf(crossingsFile, upstream.Listener.Addr(), i.URL, i.Listener.Addr()))

	file, err := config.Load(filepath.Join(folder, "gateway.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.WithoutCancel(t.Context())
	log := slog.New(slog.DiscardHandler)
	sdk, err := newTelemetry(ctx, file.Static.Telemetry, log)
	if err != nil {
		t.Fatal(err)
	}
	server, err := startServer(ctx, file, sdk, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Shutdown(ctx, 0); err != nil {
			t.Error(err)
		}
	})
	c.address = "http://" + server.Address
	for range 2000 {
		response, err := http.Get(c.address + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode == http.StatusOK {
			return c
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("it is never ready")
	return nil
}

// a question is one request, and whom it is about: what else there is, is another's.
type question struct {
	method, path, body string
	header             []string
	tenant             string // of the caller
	scopes             string // low or high
	people             []string
	subject            string
	status             []int
}

// any makes up a question.
func (c *crossing) any(r *rand.Rand) question {
	of := func(list []string) string { return list[r.IntN(len(list))] }
	tenants := []string{"acme", "globex"}
	q := question{method: http.MethodGet, tenant: of(tenants), scopes: of([]string{"low", "high"}), status: []int{200}}
	caller, person, at := of(c.people), of(c.people), q.tenant
	q.subject = q.tenant + "-" + caller
	q.header = []string{"Authorization", "Bearer " + c.tokens[q.tenant+" "+q.scopes+" "+caller]}
	q.people = []string{who(person)}
	switch r.IntN(12) {
	case 0: // somewhere else
		at = tenants[1-slices.Index(tenants, q.tenant)]
		q.status, q.people = []int{403}, nil
	case 1:
		q.header = append(q.header, "Cache-Control", "no-cache")
	case 2:
		q.header = append(q.header, "Cache-Control", "only-if-cached")
		q.status = []int{200, 207, 503, 504}
	}
	user := "email:" + c.email(person)
	if r.IntN(2) == 0 {
		user = "username:" + person
	}
	q.path = "/v1/tenants/" + at + "/users/" + escaped(user)
	parameters := url.Values{}
	switch r.IntN(10) {
	case 0:
		parameters.Set("provenance", "true")
	case 1:
		if parameters.Set("explain", "true"); q.scopes == "low" {
			q.status = []int{403}
		}
	case 2: // of what one may not see, nothing is shown, and who may see nothing of what they ask is refused
		parameters.Set("fields", of([]string{"displayName", "title", "userType,displayName", "attributes", "groups,emails"}))
		q.status = append(q.status, 403)
	case 3:
		parameters.Set("sources", of([]string{"shared", "search,hr", "selfie", "own-" + q.tenant, "own-acme,own-globex"}))
		q.status = append(q.status, 207, 404, 424, 503)
	case 4:
		q.path = "/v1/me"
		q.people = []string{who(caller)}
		if at != q.tenant {
			q.status = []int{200}
		}
	case 5:
		q.method, q.path = http.MethodDelete, q.path+"/cache"
		q.people = nil
		q.status = map[bool][]int{true: {204}, false: {403}}[q.scopes == "high" && at == q.tenant]
	case 6, 7: // several, with keys that look alike
		q.method, q.path, q.people = http.MethodPost, "/v1/tenants/"+at+"/lookups", nil
		var users []string
		for range 1 + r.IntN(6) {
			if r.IntN(2) == 0 {
				pair := c.pairs[r.IntN(len(c.pairs))]
				users = append(users, fmt.Sprintf(`{"username":%q,"oid":%q}`, pair[0], pair[1]))
				q.people = append(q.people, who(pair[0])+" "+who(pair[0], pair[1]))
				continue
			}
			person = of(c.people)
			users = append(users, fmt.Sprintf(`{"email":%q}`, c.email(person)))
			q.people = append(q.people, who(person))
		}
		q.body = `{"users":[` + strings.Join(users, ",") + `]}`
		q.header = append(q.header, "Content-Type", "application/json")
		if at == q.tenant {
			q.status = append(q.status, 207)
		}
	}
	if len(parameters) > 0 {
		q.path += "?" + parameters.Encode()
	}
	return q
}

// ask sends a question, and whether all that comes is its caller's to see. It tells
// whether a canary came.
func (c *crossing) ask(client *http.Client, q question, patience time.Duration) bool {
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, q.method, c.address+q.path, strings.NewReader(q.body))
	if err != nil {
		c.t.Error(err)
		return false
	}
	for i := 0; i+1 < len(q.header); i += 2 {
		request.Header.Set(q.header[i], q.header[i+1])
	}
	response, err := client.Do(request)
	if err != nil {
		if ctx.Err() == nil {
			c.t.Error(err)
		}
		return false
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err == nil && !slices.Contains(q.status, response.StatusCode) {
		c.t.Errorf("%s %s %s by a caller of %s (%s): status %d, want %v: %s", q.method, q.path, q.body, q.tenant, q.scopes, response.StatusCode, q.status, text)
	}
	c.holds(q, fmt.Sprint(response.Header), q.people)
	if q.method != http.MethodPost || err != nil || response.StatusCode/100 != 2 {
		return c.holds(q, string(text), q.people)
	}
	var document struct{ Results []json.RawMessage }
	if err := json.Unmarshal(text, &document); err != nil || len(document.Results) != len(q.people) {
		c.t.Errorf("%d results of %d: %v", len(document.Results), len(q.people), err)
		return false
	}
	for i, result := range document.Results {
		c.holds(q, string(result), strings.Fields(q.people[i]))
	}
	return true
}

// holds tells whether a text has a canary, all of which are to be the caller's own.
func (c *crossing) holds(q question, text string, people []string) bool {
	found := canary.FindAllStringSubmatch(text, -1)
	if strings.Contains(text, "-desk-") {
		c.desks.Add(1)
	}
	for _, f := range found {
		what := ""
		switch {
		case f[1] != q.tenant:
			what = "another tenant's"
		case q.scopes == "low" && f[2] != "basic" && (f[2] != "desk" || f[3] != who(strings.TrimPrefix(q.subject, q.tenant+"-"))):
			what = "hidden from the caller"
		case !slices.Contains(strings.Fields(strings.Join(people, " ")), f[3]):
			what = "another person's"
		default:
			continue
		}
		c.t.Errorf("%s %s %s by %s (%s): %s is %s, in %.800s", q.method, q.path, q.body, q.subject, q.scopes, f[0], what, text)
		return true
	}
	if _, asked, ok := strings.Cut(text, "asked by "); ok && !strings.HasPrefix(asked, q.subject+`"`) {
		c.t.Errorf("%s by %s: what another caller was told, in %s", q.path, q.subject, text)
	}
	return len(found) > 0
}

// TestNothingCrossesTenants has callers of two tenants, whose people have the same
// identifiers in the same systems, ask in every way at the same time, and some of them
// leave: nothing of one tenant comes to the other, nothing of one person to who asked for
// another, nothing to whom a policy does not show it, and no credential to another's host.
func TestNothingCrossesTenants(t *testing.T) {
	t.Parallel()
	c := newCrossing(t)
	seed := uint64(time.Now().UnixNano()) //nolint:gosec // any number will do
	t.Logf("seed %d", seed)
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	var begun, answered atomic.Int64
	var asking sync.WaitGroup
	for worker := range uint64(8) {
		asking.Go(func() {
			r := rand.New(rand.NewPCG(seed, worker))
			for begun.Add(1) <= int64(*crossings) && !t.Failed() {
				patience := time.Minute
				if r.IntN(10) == 0 {
					patience = time.Duration(r.IntN(3000)) * time.Microsecond
				}
				if c.ask(client, c.any(r), patience) {
					answered.Add(1)
				}
			}
		})
	}
	asking.Wait()
	t.Logf("%d lookups, %d with a canary", *crossings, answered.Load())
	if answered.Load() < int64(*crossings)/3 || c.desks.Load() < int64(*crossings)/10 {
		t.Errorf("of %d lookups only %d have a canary, and %d that of a link: the test shows little", *crossings, answered.Load(), c.desks.Load())
	}
}

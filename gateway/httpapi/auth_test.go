package httpapi_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/adapters"
	"muster/gateway"
	"muster/gateway/httpapi"
	"muster/gateway/httpapi/bearer"
	"muster/gateway/httpapi/clientcert"
	"muster/normalize"
)

const login = "https://login.example.com"

// issuing is an issuer whose key everybody knows, and a transport that answers for it.
type issuing struct{ key ed25519.PrivateKey }

func newIssuing() issuing { return issuing{ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))} }

func (i issuing) RoundTrip(r *http.Request) (*http.Response, error) {
	content := `{"issuer":"` + login + `","jwks_uri":"` + login + `/keys"}`
	if r.URL.Path == "/keys" {
		content = `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"` + base64.RawURLEncoding.EncodeToString(i.key.Public().(ed25519.PublicKey)) + `"}]}`
	}
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(content))}, nil
}

// token is Jane's, but for the changes; nil takes a claim away.
func (i issuing) token(t testing.TB, changes map[string]any) string {
	t.Helper()
	claims := map[string]any{
		"iss": login, "aud": "muster", "sub": "jane-subject", "client_id": "portal", "jti": "j", "org": "acme", "email": "jane@acme.example",
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(), "scope": "profile.basic",
	}
	for name, value := range changes {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"EdDSA","typ":"at+jwt"}`)) + "." + encode(text)
	return signed + "." + encode(ed25519.Sign(i.key, []byte(signed)))
}

func at(t testing.TB, text string) *normalize.Path {
	t.Helper()
	p, err := normalize.ParsePath(text)
	if err != nil {
		t.Fatal(err)
	}
	return &p
}

// callers believe the issuer; its keys are known when that is wanted.
func (i issuing) callers(t testing.TB, known bool, tenants ...string) *httpapi.Callers {
	t.Helper()
	return i.callersAt(t, adapters.Rate{}, known, tenants...)
}

// callersAt may ask for so many people in a time.
func (i issuing) callersAt(t testing.TB, rate adapters.Rate, known bool, tenants ...string) *httpapi.Callers {
	t.Helper()
	callers := new(httpapi.Callers)
	callers.Set(i.verifier(t, rate, known, tenants...), nil)
	return callers
}

// into lets the issuer's callers in, beside those with certificates.
func (i issuing) into(t testing.TB, callers *httpapi.Callers, certificates *clientcert.Verifier) {
	t.Helper()
	callers.Set(i.verifier(t, adapters.Rate{}, true), certificates)
}

func (i issuing) verifier(t testing.TB, rate adapters.Rate, known bool, tenants ...string) *bearer.Verifier {
	t.Helper()
	v, err := bearer.New(bearer.Options{Transport: i, Issuers: []bearer.Issuer{{
		Name: login, Audiences: []string{"muster"}, Types: []string{"at+jwt"}, Leeway: 30 * time.Second, Tenants: tenants, Rate: rate,
		Claims: bearer.Claims{Subject: at(t, "sub"), Tenant: at(t, "org"), Scopes: at(t, "scope"), User: map[string]*normalize.Path{"email": at(t, "email"), "oid": at(t, "sub")}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	told := make(chan error, 1)
	if known {
		ctx := t.Context()
		running.Go(func() { v.Run(ctx, func(_ int, err error) { told <- err }) })
		if err := <-told; err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { running.Wait(); v.Close() })
	return v
}

// TestWhoComesIn: 23, 25 and 26, and how each is told.
func TestWhoComesIn(t *testing.T) {
	t.Parallel()
	i := newIssuing()
	e := &engine{}
	h := newDoor(e, httpapi.Options{Callers: i.callers(t, true)})
	good := i.token(t, nil)
	const none, twice = `Bearer realm="muster"`, `Bearer error="invalid_request", error_description="One token is sent, in the Authorization header."`
	invalid := func(why string) string { return `Bearer error="invalid_token", error_description="` + why + `"` }
	const form = "The token is not three parts of base64url with dots between them."
	for _, test := range []struct {
		name, target string
		header       []string
		status       int
		challenge    string
	}{
		{"a token", jane, []string{"Authorization", "Bearer " + good}, 200, ""},
		{"in lower case", jane, []string{"Authorization", "bearer " + good}, 200, ""},
		{"in upper case", jane, []string{"Authorization", "BEARER " + good}, 200, ""},
		{"two spaces", jane, []string{"Authorization", "Bearer  " + good}, 200, ""},
		{"nothing", jane, nil, 401, none},
		{"an empty header", jane, []string{"Authorization", ""}, 401, none},
		{"the scheme alone", jane, []string{"Authorization", "Bearer"}, 401, none},
		{"the scheme and a space", jane, []string{"Authorization", "Bearer "}, 401, none},
		{"the token alone", jane, []string{"Authorization", good}, 401, none},
		{"Basic", jane, []string{"Authorization", "Basic amFuZTpzM2NyZXQ="}, 401, none},
		{"Basic with a token", jane, []string{"Authorization", "Basic " + good}, 401, none},
		{"a tab", jane, []string{"Authorization", "Bearer\t" + good}, 401, none},
		{"two headers", jane, []string{"Authorization", "Bearer " + good, "Authorization", "Bearer " + good}, 401, twice},
		{"two schemes", jane, []string{"Authorization", "Basic amFuZTpzM2NyZXQ=", "Authorization", "Bearer " + good}, 401, twice},
		{"two tokens in one", jane, []string{"Authorization", "Bearer " + good + ", Bearer " + good}, 401, invalid(form)},
		{"a space behind", jane, []string{"Authorization", "Bearer " + good + " x"}, 401, invalid(form)},
		{"rubbish", jane, []string{"Authorization", "Bearer x"}, 401, invalid(form)},
		{"expired", jane, []string{"Authorization", "Bearer " + i.token(t, map[string]any{"exp": time.Now().Add(-time.Hour).Unix()})}, 401, invalid("The token has expired.")},
		{"in the address", jane + "?access_token=" + good, nil, 401, twice},
		{"in the address as well", jane + "?access_token=" + good, []string{"Authorization", "Bearer " + good}, 401, twice},
		{"in the address, encoded", jane + "?%61ccess_token=" + good, []string{"Authorization", "Bearer " + good}, 401, twice},
		{"in a cookie", jane, []string{"Cookie", "access_token=" + good}, 401, none},

		{"no user", "/v1/tenants/acme/users/", nil, 401, none},
		{"the sources", "/v1/providers", nil, 401, none},
		{"oneself", "/v1/me", nil, 401, none},
		{"something wrong besides", jane + "?x=1", []string{"Accept", "text/html"}, 401, none},
		{"a proxy's address", jane, []string{"X-Forwarded-Uri", "/healthz", "X-Original-Url", "/healthz", "X-Rewrite-Url", "/healthz"}, 401, none},
		{"a probe's name", jane, []string{"User-Agent", "kube-probe/1.33"}, 401, none},
		{"a proxy's user", jane, []string{"X-Forwarded-User", "jane", "X-Remote-User", "jane", "Forwarded", "for=127.0.0.1"}, 401, none},
		{"an address behind another", jane + "?/healthz", nil, 401, none},
		{"an address with a number sign", jane + "%23healthz", nil, 401, none},
		{"an address with a number sign and a path", jane + "%23/healthz", nil, 404, ""},
		{"an address with a question mark", "/v1/tenants/acme/users/%3F/../../healthz", nil, 404, ""},
		{"dots", "/healthz/../v1/providers", nil, 404, ""},

		{"the contract", "/openapi.yaml", nil, 200, ""},
		{"the page", "/docs", nil, 200, ""},
		{"alive", "/healthz", nil, 200, ""},
		{"ready", "/readyz", nil, 503, ""},
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			e.told(complete(), nil)
			w := do(t, h, method, test.target, test.header...)
			if w.Code != test.status || w.Header().Get("WWW-Authenticate") != test.challenge {
				t.Errorf("%s: %d %s; want %d %s", test.name, w.Code, w.Header().Get("WWW-Authenticate"), test.status, test.challenge)
			}
			if (test.status == 200 && strings.HasPrefix(test.target, jane)) != (len(e.asked) == 1) {
				t.Errorf("%s: the engine was asked %d times", test.name, len(e.asked))
			}
			if strings.Contains(w.Body.String(), good) || strings.Contains(w.Body.String(), "-subject") {
				t.Errorf("%s: the answer holds the token", test.name)
			}
			if test.status != 401 {
				continue
			}
			if members := body(t, w); members["error"] != "Unauthorized." || members["reason"] == "" || members["resolution"] == "" || w.Header().Get("Cache-Control") != "private, no-store" {
				t.Errorf("%s: %v, %v", test.name, members, w.Header())
			}
		}
	}
}

// TestUntilKeysAreKnown: who comes too early is asked to come again.
func TestUntilKeysAreKnown(t *testing.T) {
	t.Parallel()
	i := newIssuing()
	e := &engine{}
	h := newDoor(e, httpapi.Options{Callers: i.callers(t, false)})
	w := do(t, h, http.MethodGet, jane, "Authorization", "Bearer "+i.token(t, nil))
	if w.Code != 503 || w.Header().Get("Retry-After") != "5" || w.Header().Get("WWW-Authenticate") != "" || len(e.asked) != 0 {
		t.Errorf("%d, %v, asked %d times", w.Code, w.Header(), len(e.asked))
	}
	if w := do(t, h, http.MethodGet, jane, "Authorization", "Bearer "+i.token(t, map[string]any{"iss": "https://evil.example"})); w.Code != 401 {
		t.Errorf("another issuer's token: %d", w.Code)
	}
}

// TestCallersAreAsked: who asks is known to the engine, and their tenant is looked at
// before anything else is (34 and 35).
func TestCallersAreAsked(t *testing.T) {
	t.Parallel()
	i := newIssuing()
	e := &engine{}
	h := newDoor(e, httpapi.Options{Callers: i.callers(t, true)})
	e.told(complete(), nil)
	if w := do(t, h, http.MethodGet, jane, "Authorization", "Bearer "+i.token(t, nil)); w.Code != 200 || e.asked[0].Caller == nil || e.asked[0].Caller.Subject != "jane-subject" ||
		!e.asked[0].Caller.Has("profile.basic") || !e.asked[0].Caller.MayAsk("acme") || e.asked[0].Caller.MayAsk("globex") {
		t.Errorf("%d, asked %+v", w.Code, e.asked)
	}
	forbidden := map[string]any{"error": "Forbidden.", "reason": "The tenant is not the caller's.", "resolution": "Ask for a tenant that your token is for.", "childErrors": []any{}}
	for _, test := range []struct {
		name, target string
		changes      map[string]any
	}{
		{"another tenant", "/v1/tenants/globex/users/jane", nil},
		{"one that does not exist", "/v1/tenants/nowhere/users/jane", nil},
		{"another tenant, and something wrong", "/v1/tenants/globex/users/jane?x=1", nil},
		{"another case", "/v1/tenants/ACME/users/jane", nil},
		{"no tenant", jane, map[string]any{"org": nil}},
		{"a list of tenants", jane, map[string]any{"org": []string{"acme"}}},
		{"a number", jane, map[string]any{"org": 1}},
		{"every tenant", jane, map[string]any{"org": "*"}},
		{"every tenant, literally", "/v1/tenants/*/users/jane", map[string]any{"org": "*"}},
		{"the sources of another", "/v1/providers?tenant=globex", nil},
		{"the sources of nobody", "/v1/providers", map[string]any{"org": nil}},
		{"oneself in another", "/v1/me?tenant=globex", nil},
		{"oneself in another, and something wrong", "/v1/me?tenant=globex&x=1", nil},
		{"oneself nowhere", "/v1/me", map[string]any{"org": nil}},
	} {
		e.told(complete(), nil)
		w := do(t, h, http.MethodGet, test.target, "Authorization", "Bearer "+i.token(t, test.changes))
		members := body(t, w)
		delete(members, "operationId")
		if w.Code != 403 || len(e.asked) != 0 || !cmp.Equal(members, forbidden) {
			t.Errorf("%s: %d, asked %d times, %v", test.name, w.Code, len(e.asked), members)
		}
	}
}

// TestProvidersOfCallers: a caller is told of the sources of their tenants.
func TestProvidersOfCallers(t *testing.T) {
	t.Parallel()
	i := newIssuing()
	for _, test := range []struct {
		tenants []string // that the operator grants
		changes map[string]any
		query   string
		want    string
	}{
		{nil, nil, "", "directory badges"},
		{nil, map[string]any{"org": "globex"}, "", "directory"},
		{nil, map[string]any{"org": "gone"}, "", ""},
		{[]string{"acme", "globex"}, nil, "", "directory badges"},
		{[]string{"acme", "globex"}, nil, "?tenant=globex", "directory"},
		{[]string{gateway.EveryTenant}, nil, "", "directory badges"},
		{[]string{gateway.EveryTenant}, nil, "?tenant=globex", "directory"},
	} {
		w := do(t, newDoor(&engine{}, httpapi.Options{Callers: i.callers(t, true, test.tenants...)}), http.MethodGet, "/v1/providers"+test.query, "Authorization", "Bearer "+i.token(t, test.changes))
		var answer struct{ Providers []struct{ Name string } }
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != 200 {
			t.Fatalf("%d, %v", w.Code, err)
		}
		var names []string
		for _, p := range answer.Providers {
			names = append(names, p.Name)
		}
		if got := strings.Join(names, " "); got != test.want {
			t.Errorf("%v %v%s: %q, want %q", test.tenants, test.changes, test.query, got, test.want)
		}
	}
}

// TestMe: whoever asks is looked up by what their token calls them.
func TestMe(t *testing.T) {
	t.Parallel()
	i := newIssuing()
	for _, test := range []struct {
		name    string
		tenants []string
		changes map[string]any
		query   string
		status  int
		asked   string
		reason  string
	}{
		{"oneself", nil, nil, "", 200, "acme email:jane@acme.example", ""},
		{"oneself in one's tenant", nil, nil, "?tenant=acme&fields=emails&provenance=true", 200, "acme email:jane@acme.example", ""},
		{"with a colon", nil, map[string]any{"email": "a:b"}, "", 200, "acme email:a:b", ""},
		{"pinned", []string{"globex"}, nil, "", 200, "globex email:jane@acme.example", ""},
		{"several", []string{"acme", "globex"}, nil, "", 400, "", "The token is for several tenants."},
		{"every", []string{"*"}, nil, "", 400, "", "The token is for several tenants."},
		{"several, and one meant", []string{"acme", "globex"}, nil, "?tenant=globex", 200, "globex email:jane@acme.example", ""},
		{"every, and one meant", []string{"*"}, nil, "?tenant=globex", 200, "globex email:jane@acme.example", ""},
		{"nobody", nil, map[string]any{"email": nil}, "", 403, "", "The token does not say which person you are."},
		{"two people", nil, map[string]any{"email": []string{"a@b.example", "c@d.example"}}, "", 403, "", "The token does not say which person you are."},
		{"a parameter too many", nil, nil, "?user=joan", 400, "", "The query has a parameter that is not known."},
	} {
		e := &engine{answer: complete()}
		w := do(t, newDoor(e, httpapi.Options{Callers: i.callers(t, true, test.tenants...)}), http.MethodGet, "/v1/me"+test.query, "Authorization", "Bearer "+i.token(t, test.changes))
		asked := ""
		for _, q := range e.asked {
			asked += q.Tenant + " " + q.User
		}
		if w.Code != test.status || asked != test.asked {
			t.Errorf("%s: %d, asked %q; want %d, %q", test.name, w.Code, asked, test.status, test.asked)
		}
		if test.reason != "" && body(t, w)["reason"] != test.reason {
			t.Errorf("%s: %v", test.name, body(t, w))
		}
	}
	w := do(t, newDoor(&engine{}, httpapi.Options{}), http.MethodGet, "/v1/me")
	if w.Code != 403 || body(t, w)["reason"] != "Nobody is known: this gateway has no callers." {
		t.Errorf("without callers: %d %s", w.Code, w.Body)
	}
}

// TestCallersChange: from the moment that a verifier is in force nobody comes in without
// a token, and they do again once it is not.
func TestCallersChange(t *testing.T) {
	t.Parallel()
	i := newIssuing()
	callers := new(httpapi.Callers)
	e := &engine{answer: complete()}
	h := newDoor(e, httpapi.Options{Callers: callers})
	status := func() int { return do(t, h, http.MethodGet, jane).Code }
	open := status()
	v, err := bearer.New(bearer.Options{Transport: i, Issuers: []bearer.Issuer{{Name: login, Audiences: []string{"a"}, Types: []string{"JWT"}, Claims: bearer.Claims{Subject: at(t, "sub")}}}})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	callers.Set(v, nil)
	closed := status()
	callers.Set(nil, nil)
	if got := []int{open, closed, status()}; !cmp.Equal(got, []int{200, 401, 200}) {
		t.Errorf("statuses %v", got)
	}
}

// TestNoTokenIsLogged: neither a token nor a caller, whichever way they came.
func TestNoTokenIsLogged(t *testing.T) {
	t.Parallel()
	i := newIssuing()
	var log bytes.Buffer
	e := &engine{answer: complete()}
	h := newDoor(e, httpapi.Options{Callers: i.callers(t, true), Log: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	good, bad := i.token(t, nil), i.token(t, map[string]any{"exp": 1})
	do(t, h, http.MethodGet, jane, "Authorization", "Bearer "+good)
	do(t, h, http.MethodGet, jane, "Authorization", "Bearer "+bad)
	do(t, h, http.MethodGet, jane+"?access_token="+good)
	do(t, h, http.MethodGet, "/v1/me", "Authorization", "Bearer "+good)
	text := log.String()
	for _, canary := range []string{good, bad, strings.Split(good, ".")[1], "jane", "portal", "access_token"} {
		if strings.Contains(text, canary) {
			t.Errorf("the log holds %.20q:\n%s", canary, text)
		}
	}
	if strings.Count(text, "\n") != 4 {
		t.Errorf("the log:\n%s", text)
	}
}

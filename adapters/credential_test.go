package adapters_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"muster/adapters"
)

// upstream answers lookups to the host h.example, and token requests to any other.
func upstream(token func(*http.Request) (*http.Response, error), lookup func(*http.Request) (*http.Response, error)) *wire {
	return &wire{answer: func(r *http.Request) (*http.Response, error) {
		if r.URL.Host == "h.example" {
			return lookup(r)
		}
		return token(r)
	}}
}

// found answers a lookup.
func found(r *http.Request) (*http.Response, error) { return response(r, 200, `{"id": "1"}`), nil }

// issues answers a token request with tokens t-1, t-2, …
func issues(members string) func(*http.Request) (*http.Response, error) {
	var count atomic.Int64
	return func(r *http.Request) (*http.Response, error) {
		return response(r, 200, fmt.Sprintf(`{"access_token": "t-%d"%s}`, count.Add(1), members)), nil
	}
}

// says answers always the same.
func says(status int, body string, headers ...string) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) { return response(r, status, body, headers...), nil }
}

const (
	clientCredentials = `auth: {client_credentials: {token_url: "https://login.example/token", client_id: muster, client_secret: "{settings.token}"}}`
	apiToken          = `auth: {api_token: {request: POST https://login.example/exchange, form: {api_token: "{settings.token}"}, token: access_token, expires_in: expires_in}}`
)

func TestAuthKinds(t *testing.T) {
	basic := func(username, password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(username+":"+password))
	}
	const form = "application/x-www-form-urlencoded"
	for _, test := range []struct {
		name, auth string
		token      *sent             // that is to be asked for first
		lookup     map[string]string // headers of the lookup, beside the usual ones
	}{
		{"none", `{none: true}`, nil, map[string]string{}},
		{"bearer", `{bearer: "{settings.token}"}`, nil, map[string]string{"Authorization": "Bearer s3cr:t é&"}},
		{"header", `{header: {X-Api-Key: "{settings.token}", X-Client: "muster {settings.region}"}}`, nil, map[string]string{"X-Api-Key": "s3cr:t é&", "X-Client": "muster eu 1"}},
		{"basic", `{basic: {username: "{settings.region}", password: "{settings.token}"}}`, nil, map[string]string{"Authorization": basic("eu 1", "s3cr:t é&")}},
		{
			"client credentials, form-encoded before they are joined (RFC 6749, 2.3.1)",
			`{client_credentials: {token_url: "https://{settings.region}.login.example/a/token?x=1", client_id: "my: id", client_secret: "{settings.token}", scopes: [a, "b {settings.token}"], audience: "api://x", params: {resource: "r&s"}}}`,
			&sent{
				"POST https://eu.login.example/a/token?x=1",
				http.Header{"Authorization": {basic("my%3A+id", "s3cr%3At+%C3%A9%26")}, "Content-Type": {form}},
				"grant_type=client_credentials&scope=a+b+s3cr%3At+%C3%A9%26&audience=api%3A%2F%2Fx&resource=r%26s",
			},
			map[string]string{"Authorization": "Bearer t-1"},
		},
		{
			"a grant type of the upstream's own, in place of ours",
			`{client_credentials: {token_url: "https://login.example/token", client_id: muster, client_secret: "{settings.token}", style: post, params: {grant_type: account_credentials, account_id: "7"}}}`,
			&sent{"POST https://login.example/token", http.Header{"Content-Type": {form}}, "grant_type=account_credentials&client_id=muster&client_secret=s3cr%3At+%C3%A9%26&account_id=7"},
			map[string]string{"Authorization": "Bearer t-1"},
		},
		{
			"client credentials, in the form",
			`{client_credentials: {token_url: "https://login.example/token", client_id: muster, client_secret: "{settings.token}", style: post, scopes: a}}`,
			&sent{"POST https://login.example/token", http.Header{"Content-Type": {form}}, "grant_type=client_credentials&client_id=muster&client_secret=s3cr%3At+%C3%A9%26&scope=a"},
			map[string]string{"Authorization": "Bearer t-1"},
		},
		{
			"a password, of a public client",
			`{password: {token_url: "https://login.example/token", username: "{settings.region}", password: "{settings.token}", client_id: muster}}`,
			&sent{"POST https://login.example/token", http.Header{"Content-Type": {form}}, "grant_type=password&username=eu+1&password=s3cr%3At+%C3%A9%26&client_id=muster"},
			map[string]string{"Authorization": "Bearer t-1"},
		},
		{
			"a password, of a client that proves itself",
			`{password: {token_url: "https://login.example/token", username: u, password: "{settings.token}", client_id: muster, client_secret: "{settings.region}", scopes: openid}}`,
			&sent{"POST https://login.example/token", http.Header{"Authorization": {basic("muster", "eu+1")}, "Content-Type": {form}}, "grant_type=password&username=u&password=s3cr%3At+%C3%A9%26&scope=openid"},
			map[string]string{"Authorization": "Bearer t-1"},
		},
		{
			"an exchange by a form",
			`{api_token: {request: POST https://login.example/x, form: {api_token: "{settings.token}"}, query: {v: "2"}, headers: {X-Client: muster}, token: access_token}}`,
			&sent{"POST https://login.example/x?v=2", http.Header{"Content-Type": {form}, "X-Client": {"muster"}}, "api_token=s3cr%3At+%C3%A9%26"},
			map[string]string{"Authorization": "Bearer t-1"},
		},
		{
			"an exchange by JSON, sent by headers of the upstream's own",
			`{api_token: {request: POST https://login.example/x, json: {key: "{settings.token}", ttl: 60}, token: access_token, send: {X-Auth: "{token}", X-Client: "{settings.region}"}}}`,
			&sent{"POST https://login.example/x", http.Header{"Content-Type": {"application/json"}}, `{"key":"s3cr:t é\u0026","ttl":60}`},
			map[string]string{"X-Auth": "t-1", "X-Client": "eu 1"},
		},
		{
			"an exchange by a query",
			`{api_token: {request: GET https://login.example/x, query: {key: "{settings.token}", none: "{settings.host}"}, headers: {X-Key: "{settings.token}"}, token: [none, access_token]}}`,
			&sent{"GET https://login.example/x?key=s3cr%3At+%C3%A9%26&none=h.example", http.Header{"X-Key": {"s3cr:t é&"}}, ""},
			map[string]string{"Authorization": "Bearer t-1"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			region := "eu 1"
			if strings.Contains(test.auth, "{settings.region}.login") {
				region = "eu"
			}
			w := upstream(issues(""), found)
			reply, err := bind(define(t, "auth: "+test.auth), w, "token", "s3cr:t é&", "region", region).Fetch(t.Context(), somebody())
			expect(t, "outcome", outcome(reply, err), "ok self=1")
			requests := w.requests()
			if test.token != nil {
				got := requests[0]
				test.token.Header.Set("Accept", "application/json")
				test.token.Header.Set("User-Agent", "muster")
				expect(t, "token request", got, *test.token)
				requests = requests[1:]
			}
			if len(requests) != 1 {
				t.Fatalf("%d lookups were sent", len(requests))
			}
			headers := map[string]string{}
			for name := range requests[0].Header {
				headers[name] = requests[0].Header.Get(name)
			}
			test.lookup["Accept"], test.lookup["User-Agent"] = "application/json", "muster"
			expect(t, "headers", headers, test.lookup)
		})
	}
}

func TestACredentialThatDoesNotFit(t *testing.T) {
	const incomplete, request = "misconfigured: the credential is incomplete", "misconfigured: the token request is incomplete"
	for _, test := range []struct{ name, auth, token, want string }{
		{"no bearer", `{bearer: "{settings.token}"}`, "", incomplete},
		{"a bearer of two lines", `{bearer: "{settings.token}"}`, "a\nb", incomplete},
		{"no password", `{basic: {username: a, password: "{settings.token}"}}`, "", incomplete},
		{"no username", `{basic: {username: "{settings.token}", password: a}}`, "", incomplete},
		{"no header", `{header: {X-Key: "{settings.token}"}}`, "", incomplete},
		{"no client secret", strings.TrimPrefix(clientCredentials, "auth: "), "", request},
		{"no client secret in the form", `{client_credentials: {token_url: "https://login.example/token", client_id: a, client_secret: "{settings.token}", style: post}}`, "", "unauthenticated: the token endpoint refused"},
		{"no host", `{client_credentials: {token_url: "https://{settings.token}/token", client_id: a, client_secret: b}}`, "a/b", request},
		{"no JSON member", `{api_token: {request: POST https://login.example/x, json: {a: "{settings.token}"}, token: t}}`, "", request},
		{"no header of the exchange", `{api_token: {request: POST https://login.example/x, headers: {X-Key: "{settings.token}"}, token: t}}`, "", request},
		{"a form parameter with control characters", `{api_token: {request: POST https://login.example/x, form: {a: "{settings.token}"}, token: t}}`, "a\x00", request},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := upstream(says(401, ""), found)
			_, err := bind(define(t, "auth: "+test.auth), w, "token", test.token).Fetch(t.Context(), somebody())
			expect(t, "fault", adapters.FaultOf(err).Error(), test.want)
			for _, line := range w.lines() {
				if strings.Contains(line, "h.example/") {
					t.Errorf("%s was sent", line)
				}
			}
		})
	}
}

func TestTokenReplies(t *testing.T) {
	for _, test := range []struct {
		name    string
		status  int
		body    string
		headers []string
		want    string
	}{
		{"a token", 200, `{"access_token": "t"}`, nil, "ok self=1"},
		{"a token, created", 201, `{"access_token": "t"}`, nil, "ok self=1"},
		{"a page", 200, `<html>canary</html>`, nil, "malformed: the token reply is not JSON"},
		{"nothing", 200, ``, nil, "malformed: the token reply is not JSON"},
		{"cut short", 200, `{"access_token": "t`, nil, "malformed: the token reply is not JSON"},
		{"too large", 200, `{"x": "` + strings.Repeat("x", 64<<10) + `", "access_token": "t"}`, nil, "malformed: the token reply is not JSON"},
		{"no token", 200, `{"token": "t"}`, nil, "malformed: the token reply has no token"},
		{"an empty token", 200, `{"access_token": ""}`, nil, "malformed: the token reply has no token"},
		{"a token that is an object", 200, `{"access_token": {"canary": "t"}}`, nil, "malformed: the token reply has no token"},
		{"a list", 200, `[]`, nil, "malformed: the token reply has no token"},
		{"said twice", 200, `{"access_token": "a", "access_token": "b"}`, nil, "malformed: the token reply has no token"},
		{"a token of two lines", 200, `{"access_token": "a\r\nX-Evil: 1"}`, nil, "misconfigured: the credential is incomplete"},
		{"refused (RFC 6749, 5.2)", 400, `{"error": "invalid_client"}`, nil, "unauthenticated: the token endpoint refused"},
		{"refused by 401", 401, ``, nil, "unauthenticated: the token endpoint refused"},
		{"refused by 403", 403, ``, nil, "unauthenticated: the token endpoint refused"},
		{"no such address", 404, ``, nil, "misconfigured: the token endpoint refused"},
		{"elsewhere", 302, ``, []string{"Location", "https://evil.example/"}, "misconfigured: the token endpoint refused"},
		{"limited", 429, ``, []string{"Retry-After", "7"}, "rate_limited: the token endpoint refused, in 7s"},
		{"down", 503, `<html>`, []string{"Retry-After", "1e9"}, "unavailable: the token endpoint refused, in 1h0m0s"},
	} {
		for _, auth := range []string{clientCredentials, apiToken} {
			t.Run(test.name, func(t *testing.T) {
				w := upstream(says(test.status, test.body, test.headers...), found)
				reply, err := bind(define(t, auth), w, "token", "s").Fetch(t.Context(), somebody())
				expect(t, "outcome", outcome(reply, err), test.want)
				if fault := adapters.FaultOf(err); fault != nil && fault.Detail.Status != 0 {
					expect(t, "status", fault.Detail.Status, test.status)
				}
			})
		}
	}
}

func TestATokenEndpointThatDoesNotAnswer(t *testing.T) {
	w := upstream(func(*http.Request) (*http.Response, error) { return nil, errors.New("dial login.example: refused") }, found)
	_, err := bind(define(t, clientCredentials), w, "token", "s").Fetch(t.Context(), somebody())
	expect(t, "refused", adapters.FaultOf(err).Error(), "unavailable: the connection failed while fetching a token")

	w = upstream(func(r *http.Request) (*http.Response, error) {
		got := response(r, 200, "")
		got.Body = struct {
			broken
			noClose
		}{}
		return got, nil
	}, found)
	_, err = bind(define(t, clientCredentials), w, "token", "s").Fetch(t.Context(), somebody())
	expect(t, "broken off", adapters.FaultOf(err).Error(), "unavailable: the connection failed while reading a token")

	body := &endless{}
	w = upstream(func(r *http.Request) (*http.Response, error) {
		got := response(r, 200, "")
		got.Body = body
		return got, nil
	}, found)
	_, err = bind(define(t, clientCredentials), w, "token", "s").Fetch(t.Context(), somebody())
	expect(t, "endless", adapters.FaultOf(err).Error(), "malformed: the token reply is not JSON")
	expect(t, "read, and closed", []any{body.read, body.closed}, []any{64 << 10, true})

	// Nobody waits for ever, even where the caller would.
	synctest.Test(t, func(t *testing.T) {
		w := upstream(func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() }, found)
		begin := time.Now()
		_, err := bind(define(t, clientCredentials), w, "token", "s").Fetch(t.Context(), somebody())
		expect(t, "silent", adapters.FaultOf(err).Error(), "timeout: no answer while fetching a token")
		expect(t, "took", time.Since(begin), 10*time.Second)
	})
}

type noClose struct{}

func (noClose) Close() error { return nil }

// A token is used until shortly before it expires, and never for ever.
func TestTokenLifetimes(t *testing.T) {
	for _, test := range []struct {
		members string
		want    time.Duration // for how long it is used
	}{
		{``, 5 * time.Minute},
		{`, "expires_in": null`, 5 * time.Minute},
		{`, "expires_in": 0`, 5 * time.Minute},
		{`, "expires_in": -60`, 5 * time.Minute},
		{`, "expires_in": "soon"`, 5 * time.Minute},
		{`, "expires_in": "NaN"`, 5 * time.Minute},
		{`, "expires_in": "5m"`, 5 * time.Minute}, // not five milliseconds
		{`, "expires_in": "1h5"`, 5 * time.Minute},
		{`, "expires_in": {"seconds": 60}`, 5 * time.Minute},
		{`, "expires_in": 60`, 54 * time.Second},
		{`, "expires_in": "60"`, 54 * time.Second},
		{`, "expires_in": 1`, 900 * time.Millisecond},
		{`, "expires_in": 300`, 270 * time.Second},
		{`, "expires_in": 3600`, time.Hour - 30*time.Second},
		{`, "expires_in": 3599.5`, time.Hour - 30500*time.Millisecond},
		{`, "expires_in": 3.6e3`, time.Hour - 30*time.Second},
		{`, "expires_in": 86401`, 24*time.Hour - 30*time.Second},
		{`, "expires_in": 31536000`, 24*time.Hour - 30*time.Second},
		{`, "expires_in": 1e300`, 24*time.Hour - 30*time.Second},
		{`, "expires_in": 1e400`, 24*time.Hour - 30*time.Second},
		{`, "expires_in": 99999999999999999999999`, 24*time.Hour - 30*time.Second},
	} {
		t.Run(test.members, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := upstream(issues(test.members), found)
				source := bind(define(t, apiToken), w, "token", "s")
				tokens := func() int { return strings.Count(strings.Join(w.lines(), "\n"), "/exchange") }
				ask := func(want int) {
					t.Helper()
					if _, err := source.Fetch(t.Context(), somebody()); err != nil {
						t.Fatal(err)
					}
					expect(t, "tokens fetched", tokens(), want)
				}
				ask(1)
				time.Sleep(test.want - time.Nanosecond)
				ask(1)
				time.Sleep(time.Nanosecond)
				ask(2)
			})
		})
	}
}

// All who wait for a token share one fetch.
func TestAThousandWaitersFetchOneToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issue := issues(`, "expires_in": 3600`)
		w := upstream(func(r *http.Request) (*http.Response, error) { time.Sleep(time.Second); return issue(r) }, found)
		source := bind(define(t, clientCredentials), w, "token", "s")
		var group sync.WaitGroup
		var ok atomic.Int64
		for range 1000 {
			group.Go(func() {
				if reply, err := source.Fetch(t.Context(), somebody()); outcome(reply, err) == "ok self=1" {
					ok.Add(1)
				}
			})
		}
		group.Wait()
		expect(t, "answered", ok.Load(), int64(1000))
		tokens := 0
		for _, s := range w.requests() {
			if strings.Contains(s.Line, "/token") {
				tokens++
				continue
			}
			expect(t, "authorization", s.Header.Get("Authorization"), "Bearer t-1")
		}
		expect(t, "token requests", tokens, 1)
		expect(t, "requests", len(w.requests()), 1001)
	})
}

// The one whose call fetches the token leaves; the fetch goes on for the others.
func TestAnAbandonedFetchGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issue := issues("")
		w := upstream(func(r *http.Request) (*http.Response, error) {
			select {
			case <-time.After(3 * time.Second):
				return issue(r)
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		}, found)
		source := bind(define(t, clientCredentials), w, "token", "s")
		first, leave := context.WithCancel(t.Context())
		short, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		outcomes := make([]string, 3)
		faults := make([]error, 3)
		var group sync.WaitGroup
		for i, ctx := range []context.Context{first, short, t.Context()} {
			group.Go(func() {
				reply, err := source.Fetch(ctx, somebody())
				outcomes[i], faults[i] = outcome(reply, err), err
			})
			synctest.Wait()
		}
		leave()
		group.Wait()
		expect(t, "outcomes", outcomes, []string{"unavailable: abandoned while waiting for a token", "timeout: no answer while waiting for a token", "ok self=1"})
		expect(t, "abandoned", []bool{adapters.Abandoned(faults[0]), adapters.Abandoned(faults[1])}, []bool{true, false})
		expect(t, "requests", w.lines(), []string{"POST https://login.example/token", "GET https://h.example/users/1"})
	})
}

// A token that the upstream refuses is replaced once: not never, not for ever.
func TestARefusedTokenIsRenewedOnce(t *testing.T) {
	for _, test := range []struct {
		name, auth string
		accepts    string // the token that the upstream accepts
		want       string
		tokens     int
		lookups    int
	}{
		{"the second is good", clientCredentials, "t-2", "ok self=1", 2, 2},
		{"none is", clientCredentials, "", "unauthenticated: the upstream answered 401", 2, 2},
		{"an exchange", apiToken, "t-2", "ok self=1", 2, 2},
		{"one that does not change", `auth: {bearer: "{settings.token}"}`, "t-2", "unauthenticated: the upstream answered 401", 0, 1},
		{"by basic", `auth: {basic: {username: a, password: "{settings.token}"}}`, "t-2", "unauthenticated: the upstream answered 401", 0, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := upstream(issues(`, "expires_in": 3600`), func(r *http.Request) (*http.Response, error) {
				if r.Header.Get("Authorization") != "Bearer "+test.accepts {
					return response(r, 401, ""), nil
				}
				return found(r)
			})
			source := bind(define(t, test.auth), w, "token", "s")
			reply, err := source.Fetch(t.Context(), somebody())
			expect(t, "outcome", outcome(reply, err), test.want)
			lookups := strings.Count(strings.Join(w.lines(), "\n"), "h.example/users")
			expect(t, "lookups", lookups, test.lookups)
			expect(t, "tokens", len(w.lines())-lookups, test.tokens)
		})
	}
}

// A thousand calls have one token refused at once: one new token is fetched.
func TestOneRefusalOfManyRenewsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issue := issues(`, "expires_in": 3600`)
		var revoked atomic.Bool
		w := upstream(func(r *http.Request) (*http.Response, error) { time.Sleep(time.Second); return issue(r) }, func(r *http.Request) (*http.Response, error) {
			time.Sleep(2500 * time.Millisecond)
			if revoked.Load() && r.Header.Get("Authorization") == "Bearer t-1" {
				return response(r, 401, ""), nil
			}
			return found(r)
		})
		source := bind(define(t, clientCredentials), w, "token", "s")
		if _, err := source.Fetch(t.Context(), somebody()); err != nil {
			t.Fatal(err)
		}
		revoked.Store(true)
		var group sync.WaitGroup
		var ok atomic.Int64
		for i := range 1000 {
			group.Go(func() {
				time.Sleep(time.Duration(2*i) * time.Millisecond) // so half are refused when the new one is there already
				if reply, err := source.Fetch(t.Context(), somebody()); outcome(reply, err) == "ok self=1" {
					ok.Add(1)
				}
			})
		}
		group.Wait()
		expect(t, "answered", ok.Load(), int64(1000))
		expect(t, "tokens", strings.Count(strings.Join(w.lines(), "\n"), "/token"), 2)
	})
}

// A token endpoint that refuses us has nothing to renew: it is asked once a call.
func TestARefusedCredentialIsNotTriedAgain(t *testing.T) {
	w := upstream(says(401, ""), found)
	_, err := bind(define(t, clientCredentials), w, "token", "s").Fetch(t.Context(), somebody())
	expect(t, "fault", adapters.FaultOf(err).Error(), "unauthenticated: the token endpoint refused")
	expect(t, "requests", w.lines(), []string{"POST https://login.example/token"})
}

// A token endpoint that fails is asked again by the next call.
func TestAFailedFetchIsNotKept(t *testing.T) {
	issue := issues("")
	down := true
	w := upstream(func(r *http.Request) (*http.Response, error) {
		if down {
			return response(r, 503, ""), nil
		}
		return issue(r)
	}, found)
	source := bind(define(t, clientCredentials), w, "token", "s")
	_, err := source.Fetch(t.Context(), somebody())
	expect(t, "down", kindOf(err), adapters.Unavailable)
	down = false
	reply, err := source.Fetch(t.Context(), somebody())
	expect(t, "up again", outcome(reply, err), "ok self=1")
}

// TestAFetchThatPanics is a failure of all who wait for the token, and of nobody else.
func TestAFetchThatPanics(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	d := define(t, `auth: {client_credentials: {token_url: "https://h.example/token", client_id: a, client_secret: b}}`)
	source := bind(d, roundTrip(func(*http.Request) (*http.Response, error) {
		calls.Add(1)
		panic("CANARY")
	}))
	var waiting sync.WaitGroup
	for range 10 {
		waiting.Go(func() {
			_, err := source.Fetch(t.Context(), somebody())
			expect(t, "fault", adapters.FaultOf(err).Error(), "unavailable: fetching a token panicked with a string")
		})
	}
	waiting.Wait()
	if calls.Load() == 0 {
		t.Error("nobody asked for a token")
	}
}

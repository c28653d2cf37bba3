package adapters_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"muster/adapters"
)

const exchange = `auth: {exchange: {token_url: "https://login.example/token", client_id: muster, client_secret: "{settings.token}"}}`

const (
	grantOfExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
	typeOfToken     = "urn:ietf:params:oauth:token-type:"
)

// securityTokens is a token endpoint as RFC 8693 describes it, on a real
// connection. A token that it issues names the subject token that it was for.
type securityTokens struct {
	url string

	mu      sync.Mutex
	forms   []url.Values
	headers []http.Header
	answer  func(w http.ResponseWriter, form url.Values, n int)
}

func newSecurityTokens(t *testing.T) *securityTokens {
	s := &securityTokens{answer: func(w http.ResponseWriter, form url.Values, n int) {
		_, _ = fmt.Fprintf(w, `{"access_token": "for %s, %d", "issued_token_type": %q, "token_type": "Bearer", "expires_in": 3600}`,
			form.Get("subject_token"), n, typeOfToken+"access_token")
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		form, err := url.ParseQuery(string(body))
		if err != nil || r.Method != http.MethodPost || r.URL.Path != "/token" || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
			http.Error(w, "not a token request", http.StatusTeapot)
			return
		}
		s.mu.Lock()
		s.forms, s.headers = append(s.forms, form), append(s.headers, r.Header)
		n := len(s.forms)
		s.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		s.answer(w, form, n)
	}))
	t.Cleanup(server.Close)
	s.url = server.Listener.Addr().String()
	return s
}

func (s *securityTokens) asked() []url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.forms)
}

// transport reaches the token endpoint over the network, and an upstream that
// answers with the token it is given.
func (s *securityTokens) transport(t *testing.T, lookup func(*http.Request) (*http.Response, error)) http.RoundTripper {
	real, err := adapters.NewTransport(&adapters.Egress{Connect: []adapters.Connect{{Host: "login.example", Address: s.url, Plaintext: true}}}, adapters.TLSFiles{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(real.CloseIdleConnections)
	return upstream(func(r *http.Request) (*http.Response, error) {
		again := r.Clone(r.Context()) // the wire has read the body
		again.Body, _ = r.GetBody()
		return real.RoundTrip(again)
	}, lookup)
}

// shows answers a lookup with the token that it came with.
func shows(r *http.Request) (*http.Response, error) {
	return response(r, 200, fmt.Sprintf(`{"id": "1", "name": %q}`, r.Header.Get("Authorization"))), nil
}

func with(subject, token string) func(*adapters.Caller) {
	return func(c *adapters.Caller) { c.Subject, c.Token = subject, adapters.NewSecret(token) }
}

// What goes over the wire, parameter by parameter (RFC 8693, 2.1).
func TestExchangeOnTheWire(t *testing.T) {
	form := func(pairs ...string) url.Values {
		f := url.Values{"grant_type": {grantOfExchange}, "subject_token": {"a.b-c_d+/=é&"}, "subject_token_type": {typeOfToken + "access_token"}}
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i+1] == "" {
				f.Del(pairs[i])
			} else if pairs[i] == "resource" || pairs[i] == "audience" {
				f.Add(pairs[i], pairs[i+1])
			} else {
				f.Set(pairs[i], pairs[i+1])
			}
		}
		return f
	}
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("muster:s3cr%3At+%26"))
	for _, test := range []struct {
		name, keys    string
		form          url.Values
		authorization string
	}{
		{"the least", ``, form(), basic},
		{"in a header", `, style: basic`, form(), basic},
		{"in the form", `, style: post`, form("client_id", "muster", "client_secret", "s3cr:t &"), ""},
		{
			"all of it", `, scopes: [read, "of {settings.region}"], audience: "api://{settings.region}", resource: ["https://{settings.host}/a", "urn:b"], subject_token_type: "` + typeOfToken + `jwt", requested_token_type: "` + typeOfToken + `access_token", params: {audience: second, actor: x}`,
			form("scope", "read of eu", "audience", "api://eu", "audience", "second", "actor", "x", "subject_token_type", typeOfToken+"jwt", "requested_token_type", typeOfToken+"access_token", "resource", "https://h.example/a", "resource", "urn:b"), basic,
		},
		{"one resource", `, resource: "https://{settings.host}/"`, form("resource", "https://h.example/"), basic},
		{"what is optional, and not filled in", `, audience: "{settings.none}"`, form(), basic},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSecurityTokens(t)
			d := define(t, `settings: {host: {format: host, required: true}, token: {format: secret}, region: {}, none: {}}`+"\n"+strings.TrimSuffix(exchange, "}}")+test.keys+"}}")
			source := bind(d, s.transport(t, shows), "token", "s3cr:t &", "region", "eu")
			reply, err := source.Fetch(t.Context(), askedBy(jane(with("jane", "a.b-c_d+/=é&"))))
			expect(t, "outcome", outcome(reply, err), "ok self=1 name=Bearer for a.b-c_d+/=é&, 1")
			expect(t, "forms", s.asked(), []url.Values{test.form})
			expect(t, "authorization", s.headers[0].Get("Authorization"), test.authorization)
			expect(t, "accept", s.headers[0].Get("Accept"), "application/json")
		})
	}
}

// Whose refusal it was decides the kind (RFC 6749, 5.2; RFC 8693, 2.2.2); nothing
// of what the token endpoint says beside its code is told.
func TestExchangeRefused(t *testing.T) {
	const theCallers = "denied: the token endpoint does not exchange this caller's token"
	const ours = "unauthenticated: the token endpoint refused"
	const asked = "misconfigured: the token endpoint gives no token for what is asked"
	for _, test := range []struct {
		status     int
		body       string
		want, code string
	}{
		{400, `{"error": "invalid_request", "error_description": "token-canary"}`, theCallers, "invalid_request"},
		{400, `{"error": "invalid_grant"}`, theCallers, "invalid_grant"},
		{401, `{"error": "invalid_token"}`, theCallers, "invalid_token"},
		{403, `{"error": "access_denied"}`, theCallers, "access_denied"},
		{400, `{"error": "invalid_target", "error_uri": "https://login.example/token-canary"}`, asked, "invalid_target"},
		{400, `{"error": "invalid_scope"}`, asked, "invalid_scope"},
		{400, `{"error": "unsupported_grant_type"}`, asked, "unsupported_grant_type"},
		{400, `{"error": "unsupported_token_type"}`, asked, "unsupported_token_type"},
		{401, `{"error": "invalid_client"}`, ours, "invalid_client"},
		{400, `{"error": "unauthorized_client"}`, ours, "unauthorized_client"},
		{400, `{"error": "token-canary"}`, ours, ""},
		{400, `{"error": {"code": "token-canary"}}`, ours, ""},
		{400, `token-canary`, ours, ""},
		{401, ``, ours, ""},
		{404, `{"error": "invalid_grant"}`, "misconfigured: the token endpoint refused", ""},
		{429, `{"error": "invalid_grant"}`, "rate_limited: the token endpoint refused", ""},
		{503, `{"error": "invalid_grant"}`, "unavailable: the token endpoint refused", ""},
	} {
		t.Run(fmt.Sprint(test.status, test.body), func(t *testing.T) {
			s := newSecurityTokens(t)
			s.answer = func(w http.ResponseWriter, _ url.Values, _ int) {
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			}
			source := bind(define(t, exchange), s.transport(t, func(r *http.Request) (*http.Response, error) {
				t.Error("the upstream is asked")
				return shows(r)
			}), "token", "secret-canary")
			_, err := source.Fetch(t.Context(), askedBy(jane()))
			expect(t, "fault", adapters.FaultOf(err).Error(), test.want)
			expect(t, "detail", adapters.FaultOf(err).Detail, adapters.Detail{Status: test.status, Code: test.code})
			expect(t, "token requests", len(s.asked()), 1)
			expectNoCanary(t, "the fault", err)
		})
	}
}

// A token that is no bearer token must not be sent as one (RFC 8693, 2.2.1).
func TestExchangeRepliesOfAnotherType(t *testing.T) {
	const unfit = "malformed: the token reply's token is no bearer token of the type asked for"
	const ok = "ok self=1 name=Bearer t"
	for _, test := range []struct{ requested, members, want string }{
		{"", ``, ok},
		{"", `, "token_type": "Bearer"`, ok},
		{"", `, "token_type": "bearer", "issued_token_type": "` + typeOfToken + `access_token"`, ok},
		{"", `, "token_type": "BEARER", "issued_token_type": "` + typeOfToken + `jwt"`, ok},
		{"", `, "issued_token_type": "urn:vendor:token"`, ok},
		{"", `, "token_type": "N_A"`, unfit},
		{"", `, "token_type": "DPoP"`, unfit},
		{"", `, "issued_token_type": "` + typeOfToken + `refresh_token"`, unfit},
		{"", `, "issued_token_type": "` + typeOfToken + `id_token"`, unfit},
		{"", `, "issued_token_type": "` + typeOfToken + `saml2"`, unfit},
		{typeOfToken + "jwt", `, "issued_token_type": "` + typeOfToken + `jwt"`, ok},
		{typeOfToken + "jwt", ``, ok},
		{typeOfToken + "jwt", `, "issued_token_type": "` + typeOfToken + `access_token"`, unfit},
		{typeOfToken + "id_token", `, "issued_token_type": "` + typeOfToken + `id_token", "token_type": "Bearer"`, ok},
		{typeOfToken + "id_token", `, "issued_token_type": "` + typeOfToken + `id_token", "token_type": "N_A"`, unfit},
	} {
		t.Run(test.requested+test.members, func(t *testing.T) {
			keys := exchange
			if test.requested != "" {
				keys = strings.TrimSuffix(exchange, "}}") + `, requested_token_type: "` + test.requested + `"}}`
			}
			w := upstream(says(200, `{"access_token": "t"`+test.members+`}`), shows)
			reply, err := bind(define(t, keys), w, "token", "s").Fetch(t.Context(), askedBy(jane()))
			expect(t, "outcome", outcome(reply, err), test.want)
		})
	}
}

// Without a caller not even the token endpoint is asked.
func TestExchangeWithoutACaller(t *testing.T) {
	source := bind(define(t, exchange), nothing(t), "token", "s")
	_, err := source.Fetch(t.Context(), somebody())
	expect(t, "fault", adapters.FaultOf(err).Error(), "denied: the source is asked with the caller's token, and there is none")
	// The audience is asked of the token endpoint, which is to say whether it gives a token for it.
	w := upstream(issues(""), shows)
	keys := strings.TrimSuffix(exchange, "}}") + `, audience: "api://eu"}}`
	reply, err := bind(define(t, keys), w, "token", "s").Fetch(t.Context(), askedBy(jane(aud("muster"))))
	expect(t, "outcome", outcome(reply, err), "ok self=1 name=Bearer t-1")
}

// Every caller is answered with the token made of their own, whoever comes first,
// and each token is fetched once.
func TestExchangedTokensAreNeverAnothers(t *testing.T) {
	s := newSecurityTokens(t)
	source := bind(define(t, exchange), s.transport(t, shows), "token", "s")
	var callers []*adapters.Caller
	for i := range 4 {
		for j := range 3 { // one caller's tokens are three, and the same text may be of two
			callers = append(callers,
				jane(with(fmt.Sprint("sub", i), fmt.Sprintf("t%d.%d", i, j))),
				jane(with(fmt.Sprint("sub", i), fmt.Sprintf("t%d.%d", i, j)), func(c *adapters.Caller) { c.Issuer = "https://other.example/" }))
		}
	}
	var group sync.WaitGroup
	for range 20 {
		for _, who := range callers {
			group.Go(func() {
				reply, err := source.Fetch(t.Context(), askedBy(who))
				if got, want := outcome(reply, err), "ok self=1 name=Bearer for "+who.Token.Reveal()+", "; !strings.HasPrefix(got, want) {
					t.Errorf("%s: %s", who.Token.Reveal(), got)
				}
			})
		}
	}
	group.Wait()
	count := map[string]int{}
	for _, form := range s.asked() {
		count[form.Get("subject_token")]++
	}
	expect(t, "subjects", len(count), 12)
	for token, n := range count {
		expect(t, token, n, 2) // one for each issuer
	}
}

// The parts of an owner do not run into one another.
func TestOwnersRunTogether(t *testing.T) {
	w := upstream(issues(`, "expires_in": 3600`), shows)
	source := bind(define(t, exchange), w, "token", "s")
	seen := map[string]bool{}
	for _, c := range []*adapters.Caller{
		{Issuer: "a", Subject: "bc", Token: adapters.NewSecret("d")},
		{Issuer: "ab", Subject: "c", Token: adapters.NewSecret("d")},
		{Issuer: "a", Subject: "b", Token: adapters.NewSecret("cd")},
		{Issuer: "a", Subject: "1:b1:c", Token: adapters.NewSecret("d")},
		{Issuer: "a1:1", Subject: "b1:c", Token: adapters.NewSecret("d")},
	} {
		reply, err := source.Fetch(t.Context(), askedBy(c))
		if seen[outcome(reply, err)] {
			t.Errorf("%+v is given another's token", *c)
		}
		seen[outcome(reply, err)] = true
	}
}

// All who come with one token share one exchange; each other token has its own.
// The one whose call makes it leaves, and it goes on for the others.
func TestExchangesAreSharedByCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var under, most atomic.Int64
		issue := issues(`, "expires_in": 3600`)
		w := upstream(func(r *http.Request) (*http.Response, error) {
			most.Store(max(most.Load(), under.Add(1)))
			defer under.Add(-1)
			select {
			case <-time.After(3 * time.Second):
				return issue(r)
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		}, shows)
		source := bind(define(t, exchange), w, "token", "s")
		first, leave := context.WithCancel(t.Context())
		var group sync.WaitGroup
		group.Go(func() {
			_, err := source.Fetch(first, askedBy(jane(with("jane", "a"))))
			expect(t, "who left", adapters.FaultOf(err).Error(), "unavailable: abandoned while waiting for a token")
			expect(t, "abandoned", adapters.Abandoned(err), true)
		})
		synctest.Wait()
		var mu sync.Mutex
		outcomes := map[string]map[string]int{}
		for _, who := range []*adapters.Caller{jane(with("jane", "a")), jane(with("jane", "b")), jane(with("joan", "a"))} {
			for range 100 {
				group.Go(func() {
					reply, err := source.Fetch(t.Context(), askedBy(who))
					mu.Lock()
					defer mu.Unlock()
					owner := who.Subject + " " + who.Token.Reveal()
					if outcomes[owner] == nil {
						outcomes[owner] = map[string]int{}
					}
					outcomes[owner][outcome(reply, err)]++
				})
			}
		}
		synctest.Wait()
		leave()
		group.Wait()
		tokens := map[string]bool{}
		for owner, got := range outcomes {
			expect(t, owner, slices.Collect(maps.Values(got)), []int{100})
			for text := range got {
				tokens[text] = true
			}
		}
		expect(t, "tokens", len(tokens), 3)
		expect(t, "at once", most.Load(), int64(3))
	})
}

// A token is used until shortly before its end, and not beyond that of the token
// that it was made of.
func TestExchangedTokensEnd(t *testing.T) {
	for _, test := range []struct {
		name, members string
		callers       time.Duration // how long the caller's token still lives; 0: nobody knows
		want          time.Duration
	}{
		{"its own", `, "expires_in": 300`, time.Hour, 270 * time.Second},
		{"the caller's", `, "expires_in": 3600`, time.Minute, time.Minute},
		{"the caller's, where it states none", ``, time.Minute, time.Minute},
		{"nobody knows", `, "expires_in": 300`, 0, 270 * time.Second},
		{"nobody says", ``, 0, 5 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := upstream(issues(test.members), shows)
				source := bind(define(t, exchange), w, "token", "s")
				who := jane()
				if test.callers != 0 {
					who.Expires = time.Now().Add(test.callers)
				}
				ask := func() string {
					reply, err := source.Fetch(t.Context(), askedBy(who))
					return outcome(reply, err)
				}
				expect(t, "at first", ask(), "ok self=1 name=Bearer t-1")
				time.Sleep(test.want - time.Nanosecond)
				expect(t, "just before", ask(), "ok self=1 name=Bearer t-1")
				time.Sleep(time.Nanosecond)
				want := "ok self=1 name=Bearer t-2"
				if test.callers == test.want {
					want = "denied: the caller's token has expired"
				}
				expect(t, "then", ask(), want)
				who.Expires = time.Time{} // whatever is said of the token now, what was made of it is gone
				expect(t, "without an end", ask(), "ok self=1 name=Bearer t-2")
			})
		})
	}
}

// However many come, so many tokens are kept; the one that has not been used for
// longest goes.
func TestExchangedTokensAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := upstream(issues(`, "expires_in": 3600`), shows)
		source := bind(define(t, exchange), w, "token", "s")
		exchanges := 0
		ask := func(n int) (fetched bool) {
			t.Helper()
			if _, err := source.Fetch(t.Context(), askedBy(jane(with(fmt.Sprint("sub", n), fmt.Sprint("token", n))))); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
			before := exchanges
			exchanges = strings.Count(strings.Join(w.lines(), "\n"), "/token")
			return exchanges > before
		}
		for n := range 1024 {
			ask(n)
		}
		expect(t, "the first is kept", ask(0), false)
		expect(t, "one more", ask(1024), true)
		expect(t, "the first, used since", ask(0), false)
		expect(t, "the last", ask(1023), false)
		expect(t, "the one that made room", ask(1), true)
		expect(t, "the next", ask(2), true)
		time.Sleep(time.Hour) // those that have ended make room first
		for n := range 1023 {
			ask(5000 + n)
		}
		expect(t, "one of them", ask(5000), false)
	})
}

// A token that the upstream refuses is made anew once, for its caller alone.
func TestARefusedExchangedTokenIsRenewedOnce(t *testing.T) {
	for _, test := range []struct {
		name    string
		accepts string
		want    string
		lookups int
	}{
		{"the second is good", "Bearer for a, 3", "ok self=1 name=Bearer for a, 3", 2},
		{"none is", "", "unauthenticated: the upstream answered 401", 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSecurityTokens(t)
			var refuse atomic.Bool
			var lookups atomic.Int64
			source := bind(define(t, exchange), s.transport(t, func(r *http.Request) (*http.Response, error) {
				lookups.Add(1)
				if got := r.Header.Get("Authorization"); refuse.Load() && strings.HasPrefix(got, "Bearer for a,") && got != test.accepts {
					return response(r, 401, ""), nil
				}
				return shows(r)
			}), "token", "s")
			ask := func(subject, token string) string {
				reply, err := source.Fetch(t.Context(), askedBy(jane(with(subject, token))))
				return outcome(reply, err)
			}
			expect(t, "jane", ask("jane", "a"), "ok self=1 name=Bearer for a, 1")
			expect(t, "joan", ask("joan", "b"), "ok self=1 name=Bearer for b, 2")
			refuse.Store(true)
			before := lookups.Load()
			expect(t, "jane, refused", ask("jane", "a"), test.want)
			expect(t, "lookups", lookups.Load()-before, int64(test.lookups))
			expect(t, "exchanges", len(s.asked()), 3)
			expect(t, "joan keeps hers", ask("joan", "b"), "ok self=1 name=Bearer for b, 2")
		})
	}
}

// The tokens, the caller and our secret are in nothing that is told or logged.
func TestAnExchangeLeaksNothing(t *testing.T) {
	for _, answer := range []func(*http.Request) (*http.Response, error){
		says(200, `{"access_token": "issued-canary\r\nX: y"}`),
		says(200, `{"access_token": {"x": "issued-canary"}}`),
		says(200, `issued-canary`),
		says(302, ``, "Location", "https://evil.example/?t=token-canary"),
		says(500, `token-canary secret-canary`),
		func(r *http.Request) (*http.Response, error) {
			body, _ := io.ReadAll(r.Body)
			return nil, &url.Error{Op: "Post", URL: r.URL.String() + string(body), Err: errors.New("token-canary")}
		},
		func(r *http.Request) (*http.Response, error) {
			return response(r, 400, `{"error": "token-canary", "error_description": "secret-canary"}`), nil
		},
		issues(""),
	} {
		w := upstream(answer, says(401, `{"error": "for issued-canary"}`))
		_, err := bind(define(t, exchange), w, "token", "secret-canary").Fetch(t.Context(), askedBy(jane()))
		if err == nil {
			t.Fatal("no error")
		}
		expectNoCanary(t, "the fault", err)
	}
}

func containsToken(text string) bool { return strings.Contains(text, "token-canary") }

// expectNoCanary prints and logs a value, and all that an error wraps, in every way.
func expectNoCanary(t *testing.T, what string, v any) {
	t.Helper()
	check := func(v any) {
		var log strings.Builder
		slog.New(slog.NewJSONHandler(&log, nil)).Error("it failed", "value", v)
		slog.New(slog.NewTextHandler(&log, nil)).Error("it failed", "value", v)
		if text := fmt.Sprintf("%v %+v %#v %q %s", v, v, v, v, log.String()); strings.Contains(text, "canary") {
			t.Errorf("%s tells %s", what, text)
		}
	}
	check(v)
	if err, ok := v.(error); ok {
		for ; err != nil; err = errors.Unwrap(err) {
			check(err)
			if fault := (*adapters.Fault)(nil); errors.As(err, &fault) {
				check(*fault)
				check(fault.Detail)
			}
		}
	}
}

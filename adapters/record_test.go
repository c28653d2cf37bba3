package adapters_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"muster/adapters"
)

// recorded binds a definition to a wire with a recorder around both, and asks.
func recorded(t *testing.T, d *adapters.Definition, w http.RoundTripper, q adapters.Query, pairs ...string) (*adapters.Source, *adapters.Recorder) {
	t.Helper()
	r := new(adapters.Recorder)
	s := bind(d, r.Wrap(w), pairs...)
	_, _ = r.Watch(s).Fetch(t.Context(), q)
	return s, r
}

// TestNoSecretIsShown puts a secret wherever one can be sent, and has the upstream
// send it back.
func TestNoSecretIsShown(t *testing.T) {
	t.Parallel()
	const secret = `CANARY/ö +&"x`
	const token = "TOKEN-CANARY~1"
	// echo sends back what the request carried, and what else calls itself secret.
	echo := func(r *http.Request) (*http.Response, error) {
		seen := []any{r.URL.String(), r.URL.Path, r.URL.Query(), r.Header}
		if r.Body != nil {
			body, _ := r.GetBody()
			content, _ := io.ReadAll(body)
			seen = append(seen, string(content))
		}
		members := map[string]any{"id": "1", "seen": seen, "sessionToken": "CANARY-of-another", "password": map[string]any{"CANARY": 1}}
		for _, values := range r.Header {
			members[values[0]] = 1
		}
		body, err := json.Marshal(members)
		return response(r, 200, string(body)), err
	}
	issue := func(r *http.Request) (*http.Response, error) {
		return response(r, 200, fmt.Sprintf(`{"access_token": %q, "refresh_token": "CANARY-refresh"}`, token)), nil
	}
	for name, keys := range map[string]string{
		"a bearer":           `auth: {bearer: "{settings.token}"}`,
		"a header":           `auth: {header: {X-Door: "{settings.token}"}}`,
		"basic":              `auth: {basic: {username: muster, password: "{settings.token}"}}`,
		"basic, a username":  `auth: {basic: {username: "{settings.token}", password: "{settings.token}"}}`,
		"a grant":            clientCredentials,
		"a grant, in a form": `auth: {client_credentials: {token_url: "https://login.example/token", client_id: muster, client_secret: "{settings.token}", style: post}}`,
		"in a token address": `auth: {api_token: {request: "POST https://login.example/{settings.token}/x", token: access_token, send: {X-Door: "{token}"}}}`,
		"a token query":      `auth: {api_token: {request: "POST https://login.example/x?a={settings.token}", query: {b: "{settings.token}"}, token: access_token}}`,
		"a token header":     `auth: {api_token: {request: POST https://login.example/x, headers: {X-Any: "{settings.token}"}, token: access_token}}`,
		"a token body":       `auth: {api_token: {request: POST https://login.example/x, json: {any: "{settings.token}"}, token: access_token}}`,
		"in the path":        `lookup: "GET https://{settings.host}/{settings.token}/{id.self}"`,
		"in the query":       `lookup: "GET https://{settings.host}/users/{id.self}?a={settings.token}"`,
		"under query":        `query: {a: "{settings.token}", api_key: CANARY-literal}`,
		"under headers":      `headers: {X-Any: "a {settings.token} b", X-Api-Key: CANARY-literal}`,
		"in a body":          "lookup: \"POST https://{settings.host}/users/{id.self}\"\njson: {a: \"{settings.token}\", secret: \"{settings.token}\"}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := upstream(issue, echo)
			sent := secret
			if strings.Contains(keys, "header") { // which cannot carry them
				sent = "CANARY/ö +&x"
			}
			s, r := recorded(t, define(t, keys), w, somebody(), "token", sent)
			if len(w.requests()) == 0 {
				t.Fatal("nothing was sent")
			}
			shown := s.Exchanges(r)
			if len(shown) != len(w.requests()) {
				t.Fatalf("%d of %d requests are shown", len(shown), len(w.requests()))
			}
			all := fmt.Sprintf("%+v", shown)
			for _, form := range []string{"CANARY", base64.StdEncoding.EncodeToString([]byte(sent))} {
				if strings.Contains(all, form) {
					t.Errorf("it is shown: %s", all)
				}
			}
			if !strings.Contains(all, "<secret>") {
				t.Errorf("no mask stands where it was: %s", all)
			}
		})
	}
}

// TestExchanges are what an operator sees of a token that is refused and renewed.
func TestExchanges(t *testing.T) {
	t.Parallel()
	refused := false
	w := upstream(issues(""), func(r *http.Request) (*http.Response, error) {
		if !refused {
			refused = true
			return response(r, 401, "<html>"), nil
		}
		return response(r, 200, `{"id": 1, "pin": 1234, "name": "Jane & <Joe>", "deep": [{"pin": null, "x": 9007199254740993}], "id": 1}`), nil
	})
	s, r := recorded(t, define(t, clientCredentials+"\nredact: [pin, deep.pin, absent]"), w, somebody(), "token", "s3cret")
	got := s.Exchanges(r)
	for i := range got {
		if got[i].Took <= 0 {
			t.Errorf("the request %d took %v", i, got[i].Took)
		}
		got[i].Took = 0
	}
	lookup := adapters.Exchange{
		Method: "GET", URL: "https://h.example/users/1",
		Header: []string{"Accept: application/json", "Authorization: Bearer <secret>", "User-Agent: muster"},
	}
	token := adapters.Exchange{
		Token: true, Method: "POST", URL: "https://login.example/token", Status: 200, Bytes: 23,
		Header: []string{"Accept: application/json", "Authorization: Basic <secret>", "Content-Type: application/x-www-form-urlencoded", "User-Agent: muster"},
	}
	first, second := lookup, lookup
	first.Status, first.Bytes = 401, 6
	second.Status, second.Bytes = 200, 103
	second.Body = `{
  "deep": [
    {
      "pin": null,
      "x": 9007199254740993
    }
  ],
  "id": 1,
  "name": "Jane & <Joe>",
  "pin": "<secret>"
}`
	expect(t, "the exchanges", got, []adapters.Exchange{token, first, token, second})
	if r.Awaited() || r.Fault() != nil || s.Why(r) != "" {
		t.Error("it was answered, and nothing failed")
	}
	expect(t, "the query", r.Query(), somebody())
}

// A form is shown as an object, without what is called like a credential and without
// any secret.
func TestExchangeOfAForm(t *testing.T) {
	s, r := recorded(t, define(t, "lookup: POST https://h.example/api\nform: {api_key: k, x: '{settings.token}', user: '{id.self}'}"), answers(200, `{"id": "1"}`), somebody(), "token", "s3cret")
	expect(t, "the body", s.Exchanges(r)[0].Sent, "{\n  \"api_key\": \"<secret>\",\n  \"user\": \"1\",\n  \"x\": \"<secret>\"\n}")
}

// TestRedactWithinTheRecord: a path is looked for in the whole reply and in the
// record.
func TestRedactWithinTheRecord(t *testing.T) {
	t.Parallel()
	s, r := recorded(t, define(t, "response: {data: [value, other]}\nredact: [pin, card.number]"),
		answers(200, `{"value": {"id": "1", "pin": "CANARY", "card": {"number": ["CANARY"], "kind": "x"}}, "pin": "CANARY", "other": {"pin": "CANARY"}}`), somebody())
	expect(t, "the body", s.Exchanges(r)[0].Body, `{
  "other": {
    "pin": "<secret>"
  },
  "pin": "<secret>",
  "value": {
    "card": {
      "kind": "x",
      "number": "<secret>"
    },
    "id": "1",
    "pin": "<secret>"
  }
}`)
}

// TestRedactInFaults: what a definition masks goes neither to the trace nor to the log.
func TestRedactInFaults(t *testing.T) {
	t.Parallel()
	const keys = "response: {error: {code: error.code, message: error.about, ref: error.id}}\n"
	const body = `{"error": {"code": "Busy", "about": "CANARY", "id": "CANARY"}}`
	for redact, want := range map[string]adapters.Detail{
		"":                                {Status: 503, Code: "Busy", Message: "CANARY", Ref: "CANARY"},
		"redact: [error.about, error.id]": {Status: 503, Code: "Busy", Message: "<secret>", Ref: "<secret>"},
		"redact: [error]":                 {Status: 503},
	} {
		_, err := bind(define(t, keys+redact), answers(503, body)).Fetch(t.Context(), somebody())
		expect(t, redact, adapters.FaultOf(err).Detail, want)
	}
}

// TestRecorderOfWhatFails: a reply that never came, one that breaks off, one that
// is still awaited.
func TestRecorderOfWhatFails(t *testing.T) {
	t.Parallel()
	s, r := recorded(t, define(t, ""), &wire{answer: func(*http.Request) (*http.Response, error) {
		return nil, errors.New("dial tcp: s3cret refused")
	}}, somebody(), "token", "s3cret")
	got := s.Exchanges(r)
	if len(got) != 1 || got[0].Failed != "dial tcp: <secret> refused" || got[0].Status != 0 {
		t.Errorf("a connection that failed is shown as %+v", got)
	}
	expect(t, "why", s.Why(r), "unavailable: the connection failed while asking")
	if _, err := define(t, "").SaveTest(t.Context(), "x", s, r, nil); !errors.Is(err, adapters.ErrNoReply) {
		t.Errorf("it is saved: %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	r = new(adapters.Recorder)
	s = bind(define(t, ""), r.Wrap(&wire{answer: func(q *http.Request) (*http.Response, error) {
		reply := response(q, 200, "")
		reply.Body = newSilent(ctx, `{"id": `)
		cancelSoon := r.Awaited()
		if !cancelSoon {
			t.Error("nobody is awaited")
		}
		go cancel()
		return reply, nil
	}}))
	_, _ = r.Watch(s).Fetch(ctx, somebody())
	got = s.Exchanges(r)
	if len(got) != 1 || got[0].Status != 200 || got[0].Bytes != 7 || got[0].Body != "" {
		t.Errorf("a reply that breaks off is shown as %+v", got)
	}
	if _, err := define(t, "").SaveTest(t.Context(), "x", s, r, nil); !errors.Is(err, adapters.ErrNoReply) {
		t.Errorf("it is saved: %v", err)
	}
}

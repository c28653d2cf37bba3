package adapters_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"muster/adapters"
)

const caller = `auth: {caller: {audience: "api://{settings.region}"}}`

// jane is a caller whose token is for the audience that the tests' definition names.
func jane(changes ...func(*adapters.Caller)) *adapters.Caller {
	c := &adapters.Caller{
		Issuer: "https://login.example/", Subject: "jane-canary", Token: adapters.NewSecret("token-canary"),
		Audiences: []string{"muster", "api://eu"},
	}
	for _, change := range changes {
		change(c)
	}
	return c
}

// askedBy is the query for somebody on behalf of a caller.
func askedBy(c *adapters.Caller) adapters.Query {
	q := somebody()
	q.Caller = c
	return q
}

func aud(audiences ...string) func(*adapters.Caller) {
	return func(c *adapters.Caller) { c.Audiences = audiences }
}

// The caller's token goes only to whom it is for; otherwise nothing is sent, and
// Check has said so before.
func TestTheCallersToken(t *testing.T) {
	const none = "denied: the source is asked with the caller's token, and there is none"
	const foreign = "denied: the caller's token is not for this audience"
	for _, test := range []struct {
		name   string
		caller *adapters.Caller
		region string
		want   string
	}{
		{"one of its audiences", jane(), "eu", "ok self=1"},
		{"its only audience", jane(aud("api://eu")), "eu", "ok self=1"},
		{"it ends later", jane(func(c *adapters.Caller) { c.Expires = time.Now().Add(time.Minute) }), "eu", "ok self=1"},
		{"no caller", nil, "eu", none},
		{"no token", jane(func(c *adapters.Caller) { c.Token = adapters.Secret{} }), "eu", none},
		{"no subject", jane(func(c *adapters.Caller) { c.Subject = "" }), "eu", none},
		{"no issuer", jane(func(c *adapters.Caller) { c.Issuer = "" }), "eu", none},
		{"no audience", jane(aud()), "eu", foreign},
		{"another audience", jane(), "us", foreign},
		{"a longer audience", jane(aud("api://eu/")), "eu", foreign},
		{"a shorter audience", jane(aud("api://e", "")), "eu", foreign},
		{"another case", jane(aud("API://EU")), "eu", foreign},
		{"several in one text", jane(aud("muster api://eu")), "eu", foreign},
		{"a star", jane(aud("*")), "eu", foreign},
		{"it has ended", jane(func(c *adapters.Caller) { c.Expires = time.Now() }), "eu", "denied: the caller's token has expired"},
		{"no such setting", jane(aud("", "api://", "api://{settings.region}")), "", "misconfigured: the credential is incomplete"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := answers(200, `{"id": "1"}`)
			source := bind(define(t, caller), w, "region", test.region)
			checked := source.Check(askedBy(test.caller))
			reply, err := source.Fetch(t.Context(), askedBy(test.caller))
			expect(t, "outcome", outcome(reply, err), test.want)
			if err != nil {
				expect(t, "Check", checked.Error(), test.want)
				expect(t, "sent", w.lines(), []string(nil))
				expect(t, "status", adapters.FaultOf(err).Detail.Status, 0)
				return
			}
			if checked != nil {
				t.Errorf("Check: %v", checked)
			}
			expect(t, "sent", w.requests(), []sent{{"GET https://h.example/users/1", http.Header{
				"Accept": {"application/json"}, "User-Agent": {"muster"}, "Authorization": {"Bearer token-canary"},
			}, ""}})
		})
	}
}

// A value that does not fit its place is told first: it is the caller's mistake.
func TestAnIdentifierThatDoesNotFitIsToldFirst(t *testing.T) {
	source := bind(define(t, caller+"\nlookup: 'https://h.example/{id.self:int}'"), nothing(t), "region", "eu")
	expect(t, "fault", source.Check(ids("self", "x")).Error(), "invalid: the value of {id.self} is not of the form int")
}

// A caller has no other token: one that is refused is not sent again.
func TestACallersTokenIsNotRenewed(t *testing.T) {
	w := answers(401, "", "WWW-Authenticate", `Bearer error="invalid_token"`)
	_, err := bind(define(t, caller), w, "region", "eu").Fetch(t.Context(), askedBy(jane()))
	expect(t, "fault", adapters.FaultOf(err).Error(), "unauthenticated: the upstream answered 401")
	expect(t, "sent", w.lines(), []string{"GET https://h.example/users/1"})
}

// An upstream that repeats the token it was sent brings it nowhere.
func TestATokenThatIsRepeatedIsNotTold(t *testing.T) {
	const keys = `
response:
  error: {code: error, message: text, hint: text, ref: ref, subject: ref, details: list}
  partial: {each: errors, code: error, message: text, hint: text, ref: ref, subject: ref}
`
	const said = `"error": "token-canary", "text": "Bearer token-canary is refused: token-canary", "ref": "x.token-canary", "list": ["a", "token-canary"]`
	for _, auth := range []string{
		caller, exchange, clientCredentials, `auth: {bearer: "{settings.token}"}`, `auth: {header: {X-Api-Key: "{settings.token}"}}`, `auth: {basic: {username: a, password: "{settings.token}"}}`,
		"auth: {none: true}\nquery: {key: \"{settings.token}\"}",
	} {
		for _, status := range []int{207, 401, 403, 503} {
			w := upstream(says(200, `{"access_token": "token-canary"}`), says(status, `{"id": "1", `+said+`, "errors": [{`+said+`}]}`))
			reply, err := bind(define(t, auth+keys), w, "region", "eu", "token", "token-canary").Fetch(t.Context(), askedBy(jane()))
			got := adapters.FaultOf(err)
			if status == 207 {
				got = reply.Children[0]
			}
			expect(t, auth, []string{got.Detail.Code, got.Detail.Message, got.Detail.Hint, got.Detail.Ref, got.Detail.Subject},
				[]string{"<secret>", "Bearer <secret> is refused: <secret>", "Bearer <secret> is refused: <secret>", "x.<secret>", "x.<secret>"})
			expectNoCanary(t, auth, error(got))
		}
	}
}

// What HTTP makes of a password is as good as the password.
func TestAHeaderThatIsRepeatedIsNotTold(t *testing.T) {
	w := answers(403, `{"text": "Basic YTpwYXNzd29yZC1vbmU= may not, nor may password-one"}`)
	d := define(t, "auth: {basic: {username: a, password: \"{settings.token}\"}}\nresponse: {error: {message: text}}")
	_, err := bind(d, w, "token", "password-one").Fetch(t.Context(), somebody())
	expect(t, "message", adapters.FaultOf(err).Detail.Message, "Basic <secret> may not, nor may <secret>")
}

// Only a source whose credential is the caller's is told of the caller, and no
// other sends anything of them.
func TestOtherAuthKindsKnowNoCaller(t *testing.T) {
	for _, auth := range []string{`auth: {none: true}`, `auth: {bearer: "{settings.token}"}`, `auth: {basic: {username: a, password: b}}`, `auth: {header: {X: a}}`, clientCredentials, apiToken} {
		w := upstream(issues(""), found)
		source := bind(define(t, auth), w, "token", "s")
		expect(t, auth, source.AsCaller(), false)
		for range 2 {
			reply, err := source.Fetch(t.Context(), askedBy(jane()))
			expect(t, auth, outcome(reply, err), "ok self=1")
		}
		expectNoCanary(t, auth, w.requests())
	}
	for _, auth := range []string{caller, exchange} {
		expect(t, auth, bind(define(t, auth), nothing(t)).AsCaller(), true)
	}
}

// A caller's end is looked at when it is asked, not when the token came in.
func TestATokenEndsWhileItIsInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := bind(define(t, caller), answers(200, `{"id": "1"}`), "region", "eu")
		who := jane(func(c *adapters.Caller) { c.Expires = time.Now().Add(time.Minute) })
		time.Sleep(time.Minute - time.Nanosecond)
		reply, err := source.Fetch(t.Context(), askedBy(who))
		expect(t, "just before", outcome(reply, err), "ok self=1")
		time.Sleep(time.Nanosecond)
		reply, err = source.Fetch(t.Context(), askedBy(who))
		expect(t, "then", outcome(reply, err), "denied: the caller's token has expired")
	})
}

// However a query is printed, the token is not.
func TestACallersTokenDoesNotPrint(t *testing.T) {
	q := askedBy(jane())
	inJSON, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s", *q.Caller, *q.Caller, *q.Caller, q.Caller.Token), fmt.Sprintf("%+v", q), string(inJSON)} {
		if containsToken(text) {
			t.Error(text)
		}
	}
}

// Of a credential, an inline test states only whose token it would be: without a
// caller, or with another's audience, nothing is sent.
func TestInlineTestsStateTheCaller(t *testing.T) {
	const keys = "settings: {region: {default: eu}, token: {format: secret}}\nlookup: 'https://h.example/{id.self}'\n"
	const reply, found = `reply: {json: {id: "1"}}, `, `expect: {outcome: ok, ids: {self: "1"}}`
	const denied = `expect: {outcome: failed, kind: denied}`
	for _, test := range []struct {
		name, auth, with string
		want             []string
	}{
		{"for its audience", caller, `caller: {audiences: [x, "api://eu"]}}, ` + reply + found, nil},
		{"for its only audience", caller, `caller: {audiences: "api://eu"}}, ` + reply + found, nil},
		{"nobody", caller, `id: {self: "1"}}, ` + denied, nil},
		{"nobody, and yet a reply", caller, `id: {self: "1"}}, ` + reply + denied, []string{"reply: expected something sent, since the test has a reply, got nothing sent"}},
		{"for another", caller, `caller: {audiences: "api://us"}}, ` + denied, nil},
		{"for none", caller, `caller: {}}, ` + denied, nil},
		{"an exchange", exchange, `caller: {}}, ` + reply + found, nil},
		{"an exchange of nobody's", exchange, `id: {self: "1"}}, ` + denied, nil},
		{"sent, though the test says nothing is", exchange, `caller: {}}, ` + denied, []string{"reply: expected nothing sent, since the test has no reply, got GET https://h.example/1", `kind: expected "denied", got "unavailable"`}},
		{"another auth", `auth: {none: true}`, `id: {self: "1"}}, ` + reply + found, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			with := "with: {id: {self: '1'}, "
			if test.with[0] == 'i' {
				with = "with: {"
			}
			expect(t, "failures", failures(t, keys+test.auth, with+test.with), test.want)
		})
	}
}

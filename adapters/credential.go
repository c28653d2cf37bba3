package adapters

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"

	"muster/normalize"
)

// tokenless is how long a token is kept whose reply states no lifetime.
const tokenless = 5 * time.Minute

// maxTokenLifetime caps what a token endpoint may claim: a wrong unit must not
// keep a token for years.
const maxTokenLifetime = 24 * time.Hour

// credential is an auth bound to a deployment's settings. It is safe for
// concurrent use.
type credential struct {
	auth      auth
	settings  Settings
	transport http.RoundTripper
	signer    func() (jose.Signer, error) // of the assertions, where there are any

	flight singleflight.Group
	mu     sync.Mutex
	kept   map[string]*token // by whose they are: one caller's are never another's
}

func newCredential(a auth, settings Settings, transport http.RoundTripper) *credential {
	c := &credential{auth: a, settings: settings, transport: transport}
	if a.fetch != nil && a.fetch.assertion != nil {
		c.signer = sync.OnceValues(func() (jose.Signer, error) { return a.fetch.assertion.signer(settings) })
	}
	return c
}

type token struct {
	text    string
	expires time.Time
	used    time.Time
}

// ours is the owner of the tokens that no caller's token is exchanged for.
const ours = ""

// maxTokens bounds how many tokens are kept of one source's callers. Of more, the
// one that has not been used for longest goes.
const maxTokens = 1024

// authorize gives a request what the upstream wants to see, and returns the
// token it used, "" for none.
func (c *credential) authorize(ctx context.Context, r *http.Request, caller *Caller) (string, error) {
	if fault := c.admit(caller); fault != nil {
		return "", fault
	}
	v := values{settings: c.settings}
	switch {
	case c.auth.fetch != nil:
		text, err := c.token(ctx, caller)
		if err != nil {
			return "", err
		}
		v.token = text
	case c.auth.caller != nil:
		v.token = caller.Token.Reveal()
	}
	if c.auth.basic != nil {
		if err := c.auth.basic.set(r, &v, false); err != nil {
			return "", Fail(Misconfigured, "the credential is incomplete", err)
		}
	}
	for _, p := range c.auth.send {
		text, err := p.value.render(&v, clean)
		if err != nil {
			return "", Fail(Misconfigured, "the credential is incomplete", err)
		}
		r.Header.Set(p.name, text)
	}
	return v.token, nil
}

func (b *basicAuth) set(r *http.Request, v *values, formEncoded bool) error {
	username, err := b.username.render(v, clean)
	if err != nil {
		return err
	}
	password, err := b.password.render(v, clean)
	if err != nil {
		return err
	}
	if formEncoded { // RFC 6749, 2.3.1: both are form-encoded before they are joined
		username, password = url.QueryEscape(username), url.QueryEscape(password)
	}
	r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(username+":"+password)))
	return nil
}

// token is the one kept, or a new one. All who wait share one fetch, which goes
// on when the first of them leaves.
func (c *credential) token(ctx context.Context, caller *Caller) (string, error) {
	owner := c.owner(caller)
	if kept := c.current(owner); kept != "" {
		return kept, nil
	}
	fetched := c.flight.DoChan(owner, func() (any, error) {
		if kept := c.current(owner); kept != "" {
			return kept, nil
		}
		detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), tokenTimeout)
		defer cancel()
		return c.fetched(detached, caller)
	})
	select {
	case <-ctx.Done():
		return "", transportFault(ctx, ctx.Err(), "waiting for a token")
	case result := <-fetched:
		text, _ := result.Val.(string)
		return text, result.Err
	}
}

// tokenTimeout bounds a fetch that nobody may be waiting for any more.
const tokenTimeout = 10 * time.Second

// owner is whose the token is that a caller is served with.
func (c *credential) owner(caller *Caller) string {
	if c.auth.caller == nil {
		return ours
	}
	return caller.owner()
}

func (c *credential) current(owner string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, kept := time.Now(), c.kept[owner]
	if kept == nil || !now.Before(kept.expires) {
		return ""
	}
	kept.used = now
	return kept.text
}

// keep remembers a token, and makes room for it.
func (c *credential) keep(owner string, fresh *token) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.kept, func(_ string, t *token) bool { return !fresh.used.Before(t.expires) })
	if _, known := c.kept[owner]; !known && len(c.kept) >= maxTokens {
		delete(c.kept, slices.MinFunc(slices.Collect(maps.Keys(c.kept)), func(a, b string) int {
			return c.kept[a].used.Compare(c.kept[b].used)
		}))
	}
	if c.kept == nil {
		c.kept = map[string]*token{}
	}
	c.kept[owner] = fresh
}

// renewable tells whether a token that was refused can be replaced.
func (c *credential) renewable() bool { return c.auth.fetch != nil }

// forget drops a token that was refused, unless somebody has replaced it already.
func (c *credential) forget(caller *Caller, refused string) {
	owner := c.owner(caller)
	c.mu.Lock()
	defer c.mu.Unlock()
	if kept := c.kept[owner]; kept != nil && kept.text == refused {
		delete(c.kept, owner)
	}
}

// fetched is fetch, whose panics are faults: singleflight would end the process. Only
// its type is told; a text may hold a token.
func (c *credential) fetched(ctx context.Context, caller *Caller) (text string, err error) {
	defer func() {
		if p := recover(); p != nil {
			text, err = "", Fail(Unavailable, fmt.Sprintf("fetching a token panicked with a %T", p), nil)
		}
	}()
	return c.fetch(ctx, caller)
}

func (c *credential) fetch(ctx context.Context, caller *Caller) (string, error) {
	v := values{query: Query{Caller: caller}, settings: c.settings}
	if c.auth.fetch.assertion != nil {
		if err := c.assert(&v); err != nil {
			return "", Fail(Misconfigured, "an assertion cannot be signed: "+err.Error(), err)
		}
	}
	request, err := c.tokenRequest(markToken(ctx), &v)
	if err != nil {
		return "", Fail(Misconfigured, "the token request is incomplete", err)
	}
	response, err := c.transport.RoundTrip(request)
	if err != nil {
		return "", transportFault(ctx, err, "fetching a token")
	}
	defer func() { _ = response.Body.Close() }()
	const maxTokenReply = 64 << 10
	content, err := io.ReadAll(io.LimitReader(response.Body, maxTokenReply))
	if err != nil {
		return "", transportFault(ctx, err, "reading a token")
	}
	exchange := c.auth.fetch.exchange
	if fault := tokenFault(response); fault != nil {
		if exchange != nil {
			exchange.classify(fault, content)
		}
		return "", fault
	}
	tree, err := normalize.ParseJSON(content)
	if err != nil {
		return "", Fail(Malformed, "the token reply is not JSON", err)
	}
	at := normalize.At(tree)
	text := c.auth.fetch.token.Text(at)
	if text == "" {
		return "", Fail(Malformed, "the token reply has no token", nil)
	}
	now := time.Now()
	expires := now.Add(tokenLifetime(c.auth.fetch.expiresIn.Text(at)))
	if exchange != nil {
		if exchange.unfit(at) {
			return "", Fail(Malformed, "the token reply's token is no bearer token of the type asked for", nil)
		}
		if ends := caller.Expires; !ends.IsZero() && ends.Before(expires) { // what is made of a token does not outlive it
			expires = ends
		}
	}
	c.keep(c.owner(caller), &token{text, expires, now})
	return text, nil
}

// tokenFault classifies a token endpoint's refusal. That our credential is
// refused is told by a 400 here (RFC 6749, 5.2) as well as by 401 and 403.
func tokenFault(response *http.Response) *Fault {
	kind := KindOfStatus(response.StatusCode)
	switch kind {
	case 0:
		return nil
	case Invalid, Denied, Unauthenticated:
		kind = Unauthenticated
	case NotFound:
		kind = Misconfigured
	}
	fault := Fail(kind, "the token endpoint refused", nil)
	fault.Detail.Status = response.StatusCode
	fault.RetryAfter = retryAfterHeader(response.Header.Get("Retry-After"), time.Now())
	return fault
}

// tokenLifetime is how long a token is used: until shortly before it expires,
// so that it does not die on the way.
func tokenLifetime(expiresIn string) time.Duration {
	lifetime, ok := secondsOf(expiresIn, maxTokenLifetime)
	if !ok || lifetime == 0 {
		return tokenless
	}
	return lifetime - min(30*time.Second, lifetime/10)
}

// assert signs the assertion of one token request.
func (c *credential) assert(v *values) error {
	signer, err := c.signer()
	if err != nil {
		return err
	}
	address, err := c.auth.fetch.endpoint.url(v, nil)
	if err != nil {
		return err
	}
	v.assertion, err = c.auth.fetch.assertion.sign(signer, v, address.String())
	return err
}

func (c *credential) tokenRequest(ctx context.Context, v *values) (*http.Request, error) {
	t := c.auth.fetch
	address, err := t.endpoint.url(v, t.query)
	if err != nil {
		return nil, err
	}
	request := newRequest(t.endpoint.method, address).WithContext(ctx)
	switch {
	case t.form != nil:
		form, err := renderQuery(v, t.form)
		if err != nil {
			return nil, err
		}
		setBody(request, []byte(form), mediaForm)
	case t.json != nil:
		var content bytes.Buffer
		if err := t.json.render(&content, v); err != nil {
			return nil, err
		}
		setBody(request, content.Bytes(), mediaJSON)
	}
	if t.basic != nil {
		if err := t.basic.set(request, v, true); err != nil {
			return nil, err
		}
	}
	for _, h := range t.headers {
		text, err := h.value.render(v, clean)
		if err != nil {
			return nil, err
		}
		request.Header.Set(h.name, text)
	}
	return request, nil
}

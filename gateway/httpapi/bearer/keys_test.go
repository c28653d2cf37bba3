package bearer_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"muster/gateway/httpapi/bearer"
)

// inTime runs a test in a bubble whose time moves when everybody waits, with a
// verifier that asks the issuer; told are the attempts that failed.
func inTime(t *testing.T, keys *idp, test func(t *testing.T, v *bearer.Verifier, told func() []string)) {
	t.Helper()
	ring() // made outside: it takes real time
	synctest.Test(t, func(t *testing.T) {
		v, err := bearer.New(bearer.Options{Issuers: []bearer.Issuer{issuer()}, Transport: keys})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var mu sync.Mutex
		var texts []string
		done := make(chan struct{})
		go func() {
			defer close(done)
			v.Run(ctx, func(_ int, err error) {
				mu.Lock()
				defer mu.Unlock()
				texts = append(texts, fmt.Sprint(err))
			})
		}()
		synctest.Wait()
		test(t, v, func() []string {
			mu.Lock()
			defer mu.Unlock()
			all := texts
			texts = nil
			return all
		})
		cancel()
		<-done
		v.Close()
		time.Sleep(time.Minute) // whatever was under way ends
	})
}

// lasting is a token that outlives the test.
func (k signingKey) lasting(t *testing.T, header claims) string {
	t.Helper()
	return k.token(t, header, claims{"exp": time.Now().Add(240 * time.Hour).Unix()})
}

// TestUnknownKeys: 28. Five hundred tokens of unknown keys within a minute ask for the
// keys twice at most, and callers with good tokens do not notice.
func TestUnknownKeys(t *testing.T) {
	r, keys := ring(), newIDP(ring().all()...)
	inTime(t, keys, func(t *testing.T, v *bearer.Verifier, _ func() []string) {
		good := r.es.lasting(t, nil)
		before := keys.times(keysAt)
		for n := range 500 {
			if got := refusedBy(t, v, r.other.token(t, claims{"kid": fmt.Sprintf("unknown-%d", n)}, nil)); got != "key" {
				t.Fatalf("an unknown key: refused by %q", got)
			}
			if got := refusedBy(t, v, good); got != "" {
				t.Fatalf("a good token beside: refused by %q", got)
			}
			time.Sleep(119 * time.Millisecond)
		}
		if n := keys.times(keysAt) - before; n != 2 {
			t.Errorf("the keys were asked for %d times in a minute", n)
		}
	})
}

// TestUnknownKeysAtOnce: those who come together share one question, and wait for it.
func TestUnknownKeysAtOnce(t *testing.T) {
	r, keys := ring(), newIDP(ring().ed.jwk(nil))
	inTime(t, keys, func(t *testing.T, v *bearer.Verifier, _ func() []string) {
		keys.publish(r.all()...)
		keys.tell(keysAt, func() (*http.Response, error) {
			time.Sleep(time.Second)
			return keys.keys()
		})
		before := keys.times(keysAt)
		var group sync.WaitGroup
		for range 20 {
			group.Go(func() {
				if got := refusedBy(t, v, r.es.token(t, nil, nil)); got != "" {
					t.Errorf("a token of a new key: refused by %q", got)
				}
			})
		}
		group.Wait()
		if n := keys.times(keysAt) - before; n != 1 {
			t.Errorf("the keys were asked for %d times", n)
		}
	})
}

// TestRotation: 29. A new key works at once; one that is taken back stops working
// within five minutes, also for tokens that were believed before.
func TestRotation(t *testing.T) {
	r, keys := ring(), newIDP(ring().es.jwk(nil))
	inTime(t, keys, func(t *testing.T, v *bearer.Verifier, _ func() []string) {
		was := r.es.lasting(t, nil)
		if got := refusedBy(t, v, was); got != "" {
			t.Fatalf("before: refused by %q", got)
		}
		keys.publish(r.es.jwk(nil), r.ed.jwk(nil))
		if got := refusedBy(t, v, r.ed.lasting(t, nil)); got != "" {
			t.Errorf("a new key: refused by %q", got)
		}
		keys.publish(r.ed.jwk(nil))
		time.Sleep(5 * time.Minute)
		if got := refusedBy(t, v, was); got != "key" {
			t.Errorf("a key that was taken back: refused by %q", got)
		}
		if got := refusedBy(t, v, r.ed.lasting(t, nil)); got != "" {
			t.Errorf("the key that is left: refused by %q", got)
		}
	})
}

// TestRotationWithoutNames: a new key is found for a token that names none.
func TestRotationWithoutNames(t *testing.T) {
	r, keys := ring(), newIDP(ring().es.jwk(claims{"kid": nil}))
	inTime(t, keys, func(t *testing.T, v *bearer.Verifier, _ func() []string) {
		keys.publish(r.other.jwk(claims{"kid": nil}))
		if got := refusedBy(t, v, r.other.lasting(t, claims{"kid": nil})); got != "" {
			t.Errorf("a new key without a name: refused by %q", got)
		}
	})
}

// TestOutage: 30 and 32. Whatever the issuer answers once its keys are known, they go
// on to work, an unknown key is refused in bounded time, and all is well afterwards.
func TestOutage(t *testing.T) {
	r := ring()
	for name, outage := range map[string]struct {
		answer func() (*http.Response, error)
		told   string
	}{
		"down":          {func() (*http.Response, error) { return nil, errDown }, `Get "https://login.example.com/keys": connection refused`},
		"500":           {func() (*http.Response, error) { return answer(500, "text/plain", "canary") }, "the status is 500"},
		"HTML":          {func() (*http.Response, error) { return answer(200, "text/html", "<html>canary") }, "the key set is not a JSON object with `keys`"},
		"nothing":       {func() (*http.Response, error) { return answer(200, "application/json", "") }, "the key set is not a JSON object with `keys`"},
		"no keys":       {func() (*http.Response, error) { return answer(200, "application/json", `{"keys":[]}`) }, "the key set has no key that may verify a signature"},
		"keys are null": {func() (*http.Response, error) { return answer(200, "application/json", `{"keys":null}`) }, "the key set is not a JSON object with `keys`"},
		"said twice":    {func() (*http.Response, error) { return answer(200, "application/json", `{"keys":[],"keys":[{}]}`) }, "the key set is not a JSON object with `keys`"},
		"too many": {func() (*http.Response, error) {
			return answer(200, "application/json", `{"keys":[`+strings.Repeat("{},", 64)+`{}]}`)
		}, "the key set has more than 64 keys"},
		"huge": {func() (*http.Response, error) {
			return answer(200, "application/json", `{"keys":[`+strings.Repeat(" ", 1<<20)+`]}`)
		}, "it has more than 1 MiB"},
		"a redirect": {func() (*http.Response, error) {
			response, err := answer(302, "text/plain", "")
			response.Header.Set("Location", "https://evil.example/keys")
			return response, err
		}, "it is a redirect, which is not followed"},
		"slow": {nil, "context deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			keys := newIDP(r.es.jwk(nil))
			inTime(t, keys, func(t *testing.T, v *bearer.Verifier, told func() []string) {
				told()
				good := r.es.lasting(t, nil)
				keys.tell(keysAt, outage.answer)
				for range 12 {
					begin := time.Now()
					if got := refusedBy(t, v, r.other.token(t, claims{"kid": "unknown"}, nil)); got != "key" || time.Since(begin) > 3*time.Second {
						t.Errorf("an unknown key: refused by %q after %v", got, time.Since(begin))
					}
					if got := refusedBy(t, v, good); got != "" {
						t.Errorf("a key that was known: refused by %q", got)
					}
					time.Sleep(time.Minute)
				}
				texts := strings.Join(told(), "\n")
				if !strings.Contains(texts, outage.told) || strings.Contains(texts, "canary") || texts == "" || strings.Contains(texts, "<nil>") {
					t.Errorf("told:\n%s\nwant %q", texts, outage.told)
				}
				keys.publish(r.es.jwk(nil), r.ed.jwk(nil))
				keys.tell(keysAt, keys.keys)
				time.Sleep(time.Minute)
				if got := refusedBy(t, v, r.ed.lasting(t, nil)); got != "" {
					t.Errorf("after the outage: refused by %q", got)
				}
				if keys.times("https://evil.example/keys") != 0 {
					t.Error("a redirect was followed")
				}
			})
		})
	}
}

// TestStart: 31 and 32. Until the keys were known once nobody is believed and nobody
// refused for good; the issuer is asked again, not too often, and it ends by itself.
func TestStart(t *testing.T) {
	r := ring()
	discovery := func(status int, document string) func() (*http.Response, error) {
		return func() (*http.Response, error) { return answer(status, "application/json", document) }
	}
	for name, start := range map[string]struct {
		answer func() (*http.Response, error)
		told   string
	}{
		"down":                  {func() (*http.Response, error) { return nil, errDown }, `the discovery document cannot be had: Get "https://login.example.com/.well-known/openid-configuration": connection refused`},
		"503":                   {discovery(503, "canary"), "the status is 503"},
		"another issuer":        {discovery(200, `{"issuer":"https://login.example.com","jwks_uri":"`+keysAt+`"}`), "the discovery document is another issuer's"},
		"no issuer":             {discovery(200, `{"jwks_uri":"`+keysAt+`"}`), "the discovery document is another issuer's"},
		"not JSON":              {discovery(200, "canary"), "the discovery document is not one"},
		"no keys":               {discovery(200, `{"issuer":"`+issuerName+`"}`), "the discovery document has no `jwks_uri` that is an https address"},
		"keys over plain HTTP":  {discovery(200, `{"issuer":"`+issuerName+`","jwks_uri":"http://login.example.com/keys"}`), "the discovery document has no `jwks_uri` that is an https address"},
		"keys of a file":        {discovery(200, `{"issuer":"`+issuerName+`","jwks_uri":"file:///etc/passwd"}`), "the discovery document has no `jwks_uri` that is an https address"},
		"keys with credentials": {discovery(200, `{"issuer":"`+issuerName+`","jwks_uri":"https://a:b@login.example.com/keys"}`), "the discovery document has no `jwks_uri` that is an https address"},
		"huge":                  {discovery(200, `{"issuer":"`+issuerName+`",`+strings.Repeat(" ", 1<<20)+`}`), "it has more than 1 MiB"},
		"a redirect":            {discovery(301, ""), "it is a redirect, which is not followed"},
	} {
		t.Run(name, func(t *testing.T) {
			keys := newIDP(r.es.jwk(nil))
			whole := keys.answers[discoveryAt]
			keys.tell(discoveryAt, start.answer)
			inTime(t, keys, func(t *testing.T, v *bearer.Verifier, told func() []string) {
				token := r.es.lasting(t, nil)
				time.Sleep(10 * time.Minute)
				if got := refusedBy(t, v, token); got != "unready" || v.Known()[0] {
					t.Errorf("before anything is known: refused by %q, known %v", got, v.Known())
				}
				if texts := strings.Join(told(), "\n"); !strings.Contains(texts, start.told) || strings.Contains(texts, "canary") {
					t.Errorf("told:\n%.500s\nwant %q", texts, start.told)
				}
				if n := keys.times(discoveryAt); n < 120 || n > 140 {
					t.Errorf("asked %d times in ten minutes", n)
				}
				if n := keys.times("http://login.example.com/keys") + keys.times("file:///etc/passwd"); n != 0 {
					t.Errorf("another address was asked %d times", n)
				}
				keys.tell(discoveryAt, whole)
				time.Sleep(6 * time.Second)
				if got := refusedBy(t, v, token); got != "" || !v.Known()[0] {
					t.Errorf("once the issuer answers: refused by %q, known %v", got, v.Known())
				}
			})
		})
	}
}

// TestAskingPanics: an issuer whose answer brings a panic about is one that cannot be
// asked; the process lives, and asks again.
func TestAskingPanics(t *testing.T) {
	keys := newIDP(ring().es.jwk(nil))
	inTime(t, keys, func(t *testing.T, v *bearer.Verifier, told func() []string) {
		token := ring().es.lasting(t, nil)
		told()
		keys.tell(keysAt, func() (*http.Response, error) { panic("CANARY") })
		time.Sleep(4 * time.Minute)
		if got := told(); len(got) == 0 || got[0] != "asking panicked with a string" {
			t.Errorf("told %q", got)
		}
		if got := refusedBy(t, v, token); got != "" {
			t.Errorf("refused by %q meanwhile", got)
		}
		keys.tell(keysAt, keys.keys)
		time.Sleep(4 * time.Minute)
		if got := told(); len(got) == 0 || got[len(got)-1] != "<nil>" {
			t.Errorf("afterwards told %q", got)
		}
	})
}

// TestLeeway: the limits are exact to the nanosecond: RFC 7519 (4.1.4) says on or after.
func TestLeeway(t *testing.T) {
	for _, leeway := range []time.Duration{0, 30 * time.Second} {
		keys := newIDP(ring().ed.jwk(nil))
		ring()
		synctest.Test(t, func(t *testing.T) {
			i := issuer()
			i.Leeway = leeway
			v := running(t, keys, i)
			time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
			ends, begins := time.Now().Add(time.Hour), time.Now().Add(10*time.Minute)
			token := ring().ed.token(t, nil, claims{"exp": ends.Unix(), "nbf": begins.Unix(), "iat": begins.Unix()})
			at := func(when time.Time, want string) {
				t.Helper()
				time.Sleep(time.Until(when))
				if got := refusedBy(t, v, token); got != want {
					t.Errorf("leeway %v, at %v: refused by %q, want %q", leeway, when, got, want)
				}
			}
			at(begins.Add(-leeway-1), "not before")
			at(begins.Add(-leeway), "")
			at(ends.Add(leeway-1), "") // this one from what is kept
			at(ends.Add(leeway), "expiry")
			other := ring().ed.token(t, nil, claims{"exp": ends.Unix()})
			if got := refusedBy(t, v, other); got != "expiry" {
				t.Errorf("one that was never believed: refused by %q", got)
			}
		})
	}
}

// TestKeysAreGoneOnWith: a verifier that comes after another knows what that knew, and
// nothing that it asked of somebody else.
func TestKeysAreGoneOnWith(t *testing.T) {
	t.Parallel()
	r, keys := ring(), newIDP(ring().all()...)
	before := running(t, keys, issuer())
	other := issuer()
	other.Name = "https://second.example.com"
	next, err := bearer.New(bearer.Options{Issuers: []bearer.Issuer{other, issuer()}, Transport: keys, Before: before})
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	if known := fmt.Sprint(next.Known()); known != "[false true]" {
		t.Errorf("known: %s", known)
	}
	if got := refusedBy(t, next, r.es.token(t, nil, nil)); got != "" {
		t.Errorf("refused by %q", got)
	}
	elsewhere, err := bearer.New(bearer.Options{Issuers: []bearer.Issuer{issuer()}, Transport: newIDP(), Before: before})
	if err != nil {
		t.Fatal(err)
	}
	defer elsewhere.Close()
	if elsewhere.Known()[0] {
		t.Error("keys that came another way are gone on with")
	}
}

package bearer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"muster/adapters"
	"muster/cache"
	"muster/gateway"
	"muster/normalize"
)

// Issuer is somebody whose tokens are believed, and what is wanted of them.
type Issuer struct {
	Name      string        // its `iss`, to the letter; and, with /.well-known/openid-configuration behind it, where its keys are told
	Audiences []string      // of which a token must be for one; at least one
	Clients   []string      // who may have asked for a token that is for several, beside the audiences themselves
	Types     []string      // of which a token must be one, as `typ` writes it; a token without one is a JWT
	Leeway    time.Duration // how wrong clocks may be: on exp, nbf and iat, exactly
	Claims    Claims
	Require   normalize.Condition // of the token's claims
	Tenants   []string            // that its callers may ask for, gateway.EveryTenant for all; nil for the one that the token names
	Rate      adapters.Rate       // of people that each of its callers may ask for; zero for any

	// Transport brings its keys; nil for the one of all. It is comparable.
	Transport http.RoundTripper
}

// Options are what a Verifier needs.
type Options struct {
	Issuers   []Issuer          // of different names
	Transport http.RoundTripper // that brings their keys

	// Before is a verifier whose keys are gone on with where an issuer is the same and
	// its transport too; nil for none.
	Before *Verifier

	// Fetched is told each time that an issuer was asked for its keys, from several
	// goroutines; nil for nobody. Keys that are gone on with go on telling whom they told.
	Fetched func(issuer string, outcome Fetch)
}

// Fetch is what came of asking an issuer for its keys.
type Fetch string

// All that may come of it.
const (
	FetchNew    Fetch = "new"    // other keys than before
	FetchSame   Fetch = "same"   // those that were known
	FetchFailed Fetch = "failed" // none: those of before are gone on with
)

// Verifier tells who has come with a token. It is safe for concurrent use; Close it
// when done.
type Verifier struct {
	issuers  []*issuer
	all      []check
	believed *cache.Cache[verdict]
}

type issuer struct {
	Issuer
	keys *source
}

// verdict is what was found out about a token that is believed.
type verdict struct {
	caller *gateway.Caller
	issuer *issuer
	set    *keySet   // that has its key
	ends   time.Time // with the leeway
	size   int
}

// maxBelieved bounds what is kept of tokens, in bytes.
const maxBelieved = 16 << 20

// New makes a verifier, which knows no keys before Run. Its error is about the
// options: an issuer without a name or an audience would be anybody.
func New(o Options) (*Verifier, error) {
	for i, issuer := range o.Issuers {
		switch {
		case issuer.Name == "" || slices.ContainsFunc(o.Issuers[:i], func(other Issuer) bool { return other.Name == issuer.Name }):
			return nil, fmt.Errorf("bearer: issuer %d has no name of its own", i)
		case len(issuer.Audiences) == 0 || slices.Contains(issuer.Audiences, ""):
			return nil, fmt.Errorf("bearer: issuer %d has an empty audience, or none", i)
		case len(issuer.Types) == 0 || issuer.Claims.Subject == nil:
			return nil, fmt.Errorf("bearer: issuer %d has no types, or no subject", i)
		case issuer.Leeway < 0:
			return nil, fmt.Errorf("bearer: issuer %d has a negative leeway", i)
		case issuer.Transport == nil && o.Transport == nil:
			return nil, fmt.Errorf("bearer: issuer %d has no transport", i)
		}
	}
	if len(o.Issuers) == 0 {
		return nil, errors.New("bearer: there is no issuer")
	}
	v := newVerifier(o)
	var err error
	v.believed, err = cache.New(cache.Options[verdict]{MaxBytes: maxBelieved, Cost: func(kept verdict) int64 { return int64(kept.size) }})
	return v, err
}

func newVerifier(o Options) *Verifier {
	v := &Verifier{}
	v.all = v.checks()
	for _, i := range o.Issuers {
		if i.Transport == nil {
			i.Transport = o.Transport
		}
		keys := o.Before.source(i)
		if keys == nil {
			keys = newSource(i.Name, i.Transport, o.Fetched)
		}
		v.issuers = append(v.issuers, &issuer{Issuer: i, keys: keys})
	}
	return v
}

// source is the one that this verifier has for an issuer, nil for none.
func (v *Verifier) source(same Issuer) *source {
	if v == nil {
		return nil
	}
	for _, i := range v.issuers {
		if i.Name == same.Name && i.Transport == same.Transport {
			return i.keys
		}
	}
	return nil
}

// Close gives back what is kept of tokens. Tokens can be verified all the same.
func (v *Verifier) Close() { v.believed.Close() }

// Run asks for the keys of every issuer, again and again until the context ends. It
// tells, for the issuer at that place of the options, how each attempt went: nil when
// its keys are known and new, else why they could not be had; those of before are
// then gone on with. Tell is called from several goroutines.
func (v *Verifier) Run(ctx context.Context, tell func(issuer int, err error)) {
	var all sync.WaitGroup
	for n, i := range v.issuers {
		all.Go(func() { i.keys.follow(ctx, func(err error) { tell(n, err) }) })
	}
	all.Wait()
}

// Known tells, for each issuer, whether its keys were known once.
func (v *Verifier) Known() []bool {
	known := make([]bool, len(v.issuers))
	for n, i := range v.issuers {
		known[n] = i.keys.set.Load() != nil
	}
	return known
}

// Remembered tells who has come with a token that was believed before, and still is; nil
// where that is not known. It costs next to nothing.
func (v *Verifier) Remembered(ctx context.Context, token string) *gateway.Caller {
	if len(token) > MaxToken { // before anything is done with it, hashing included
		return nil
	}
	hit, err := v.believed.Get(ctx, rememberedAs(token), cache.Want{OnlyIfCached: true}, nil)
	if err != nil || !hit.Value.holds(time.Now()) {
		return nil
	}
	return hit.Value.caller
}

func rememberedAs(token string) cache.Key {
	sum := sha256.Sum256([]byte(token))
	return cache.NewKey(string(sum[:]))
}

// Verify tells who has come with a token, which the caller must not change; or why it
// is not believed. It waits for an issuer's keys where they may have changed, for
// three seconds at most.
func (v *Verifier) Verify(ctx context.Context, token string) (*gateway.Caller, *Refusal) {
	if caller := v.Remembered(ctx, token); caller != nil {
		return caller, nil
	}
	now := time.Now()
	c, refusal := parse(token, now)
	if refusal != nil {
		return nil, refusal
	}
	for _, check := range v.all {
		if refusal := check.test(ctx, c); refusal != nil {
			return nil, refusal
		}
	}
	caller := c.caller()
	ends := caller.Expires.Add(c.issuer.Leeway)
	v.believed.Put(rememberedAs(token), verdict{caller, c.issuer, c.set, ends, 8 * len(token)}, cache.Lifetime{Fresh: ends.Sub(now)})
	return caller, nil
}

// holds tells whether a verdict is still one: the token has not expired, and the
// issuer has not changed its keys. What is kept ends with the token as well, by a
// clock that does not see when somebody sets the time.
func (v verdict) holds(now time.Time) bool {
	return now.Before(v.ends) && v.issuer.keys.set.Load() == v.set
}

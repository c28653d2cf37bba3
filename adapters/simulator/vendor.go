package simulator

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// A dialect is what differs between the vendors: where they live, what they check, and the shape of their answers.
type dialect interface {
	hosts() []string
	// lookups are the addresses of user information, with {tenant} and {user}; without {tenant} the tenant is the
	// first label of the host, or implied by the credential.
	lookups() []string
	// answer checks the credential and the call, and says what the vendor knows of the person.
	answer(c *call) reply
	// refuse is the vendor's own body for an HTTP status.
	refuse(c *call, status int) reply
}

// A tokenDialect is the dialect of a vendor that issues access tokens.
type tokenDialect interface {
	tokenPath() string
	token(c *call) reply
	refuseToken(c *call, status int) reply
}

// A selfReporter has answers of its own for failures that other vendors tell by HTTP status alone.
type selfReporter interface {
	multiStatus(c *call, status int) reply
	limitExceeded(c *call) reply
}

// A vendor is one upstream: a dialect with its people, its tokens and its faults.
type vendor struct {
	name      string
	seed      uint64
	dialect   dialect
	tokens    *tokens
	clock     func() time.Time
	latency   time.Duration
	directory directory
	faults    *faults

	calls, searches, tokenCalls atomic.Int64
}

// A call is one request on its way to an answer.
type call struct {
	r          *http.Request
	tenant     string  // as the request names it, decoded once
	user       string  // as the request names it, decoded once; of a search, what is searched for
	realm      *Tenant // nil: there is no such tenant
	person     *Person // nil: the tenant has no such person; of a search, the hit that it is about
	authorized bool    // by a bearer token of this vendor
	operation  string  // a GUID of its own for every call

	search searchDialect // nil: it is a lookup
	hits   []*Person     // of a search, in the order of the population
}

// ServeHTTP finds out what is asked. Addresses that a vendor's document does not name are 404, methods 405.
func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if t, ok := v.dialect.(tokenDialect); ok && r.URL.EscapedPath() == t.tokenPath() {
		if allowed(w, r, http.MethodPost) {
			v.serveToken(w, r, t)
		}
		return
	}
	if d, ok := v.dialect.(searchDialect); ok {
		for _, pattern := range d.searches() {
			if segments, ok := match(pattern, r.URL.EscapedPath()); ok {
				if allowed(w, r, http.MethodGet) {
					v.serveSearch(w, r, d, segments)
				}
				return
			}
		}
	}
	for _, pattern := range v.dialect.lookups() {
		if segments, ok := match(pattern, r.URL.EscapedPath()); ok {
			if allowed(w, r, http.MethodGet) {
				v.serveLookup(w, r, segments)
			}
			return
		}
	}
	notFound().write(w)
}

func (v *vendor) serveToken(w http.ResponseWriter, r *http.Request, t tokenDialect) {
	c := &call{r: r, operation: guid(fmt.Sprint(v.seed, v.name, "token call", v.tokenCalls.Add(1)))}
	f, _ := v.faults.take(v.name, func(f Fault) bool { return f.onTokens() })
	if !sleep(r.Context(), f.Latency) {
		return
	}
	switch f.Kind {
	case "token-401":
		t.refuseToken(c, http.StatusUnauthorized).write(w)
	case "token-500":
		t.refuseToken(c, http.StatusInternalServerError).write(w)
	default:
		t.token(c).write(w)
	}
}

func (v *vendor) serveLookup(w http.ResponseWriter, r *http.Request, segments map[string]string) {
	c := v.call(r, segments)
	c.person, c.operation = v.directory.person(c.tenant, c.user), guid(fmt.Sprint(v.seed, v.name, "call", v.calls.Add(1)))
	v.serve(r.Context(), w, c)
}

// call reads what a request names.
func (v *vendor) call(r *http.Request, segments map[string]string) *call {
	tenant, inPath := segments["tenant"]
	if !inPath {
		tenant, _, _ = strings.Cut(hostOf(r), ".")
	}
	return &call{r: r, tenant: tenant, user: segments["user"], realm: v.directory.tenant(tenant), authorized: v.tokens.valid(bearer(r))}
}

// serve answers a call, as faults have it.
func (v *vendor) serve(ctx context.Context, w http.ResponseWriter, c *call) {
	f, ok := v.faults.take(v.name, func(f Fault) bool { return !f.onTokens() && f.concerns(v.name, c) })
	if !ok && c.person != nil && c.person.FaultAt == v.name {
		f = c.person.fault
	}
	if sleep(ctx, v.usual(c)+f.Latency) {
		v.effect(f.Kind)(w, c, f)
	}
}

// usual is how long a call takes when nothing is wrong.
func (v *vendor) usual(c *call) time.Duration {
	if v.latency == 0 {
		return 0
	}
	spread, _ := strconv.ParseUint(digest(c.operation)[:4], 16, 16) // hexadecimal digits are a number
	return v.latency/2 + v.latency*time.Duration(spread)>>16
}

// hostMatches compares host names in any case; "*." in a pattern stands for exactly one label.
func hostMatches(pattern, host string) bool {
	if suffix, ok := strings.CutPrefix(pattern, "*."); ok {
		_, host, ok = strings.Cut(host, ".")
		return ok && strings.EqualFold(suffix, host)
	}
	return strings.EqualFold(pattern, host)
}

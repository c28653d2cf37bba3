package gateway_test

import (
	"context"
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
	"muster/gateway"
	"muster/normalize"
)

// asCaller makes a source one that is asked with the caller's credential.
func asCaller(s *gateway.Source) {
	u := by("username")
	u.caller = true
	s.Upstream = u
}

func callerOf(issuer, subject, token string) *gateway.Caller {
	return &gateway.Caller{
		Caller:  adapters.Caller{Issuer: issuer, Subject: subject, Token: adapters.NewSecret(token)},
		Tenants: []string{gateway.EveryTenant},
	}
}

// canary answers with the caller that it was asked for.
func canary(_ context.Context, q adapters.Query) (adapters.Reply, error) {
	return adapters.Reply{Record: normalize.Record{Profile: named(whose(q.Caller))}, Status: http.StatusOK}, nil
}

func whose(c *adapters.Caller) string {
	if c == nil {
		return "nobody's"
	}
	return "of " + c.Issuer + " " + c.Subject
}

// callers are told from one another by issuer and subject together.
func callers() []*gateway.Caller {
	return []*gateway.Caller{callerOf("a", "bc", "1"), callerOf("ab", "c", "2"), callerOf("a", "b", "3"), callerOf("b", "b", "4")}
}

// TestNobodyIsGivenWhatAnotherMaySee: callers who ask for the same person one
// after the other and at once, while records are fresh, stale, negative and
// being fetched.
func TestNobodyIsGivenWhatAnotherMaySee(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var calls atomic.Int64
		g := open(t, live(source("userinfo", counted(&calls, after(10*time.Millisecond, canary)), asCaller)))
		check := func(who *gateway.Caller, from string) {
			t.Helper()
			a := ask(t, g, gateway.Query{Caller: who})
			expect(t, "answer", tell(a), "200: userinfo ok "+from)
			expect(t, "data", *a.Data, named(whose(&who.Caller)))
		}
		for _, from := range []string{"upstream", "cache"} {
			for _, who := range callers() {
				check(who, from)
			}
		}
		expect(t, "calls", calls.Load(), int64(4))

		time.Sleep(2 * time.Minute) // stale, and asked anew behind their backs
		for _, who := range callers() {
			check(who, "stale")
		}
		time.Sleep(time.Second)
		for _, who := range callers() {
			check(who, "cache")
		}
		expect(t, "calls", calls.Load(), int64(8))

		time.Sleep(2 * time.Hour) // nothing is left: all at once
		var group sync.WaitGroup
		for range 50 {
			for _, who := range callers() {
				group.Go(func() {
					a := ask(t, g, gateway.Query{Caller: who})
					expect(t, "data", *a.Data, named(whose(&who.Caller)))
				})
			}
		}
		group.Wait()
		expect(t, "calls", calls.Load(), int64(12))
	})
}

// TestAnothersTokenBringsTheSame: what a caller may see is kept for that caller,
// whichever token they come with.
func TestAnothersTokenBringsTheSame(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := open(t, live(source("userinfo", canary, asCaller)))
		expect(t, "one", tell(ask(t, g, gateway.Query{Caller: callerOf("a", "b", "1")})), "200: userinfo ok upstream")
		expect(t, "the next", tell(ask(t, g, gateway.Query{Caller: callerOf("a", "b", "2")})), "200: userinfo ok cache")
	})
}

// TestWhatOneMayNotSeeIsNotKeptFromAnother: that a source knows nobody, or fails,
// for one caller says nothing to another, and takes nothing away.
func TestWhatOneMayNotSeeIsNotKeptFromAnother(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var kind atomic.Int64 // of the failure for the second caller
		one, other := callerOf("a", "one", "1"), callerOf("a", "other", "2")
		g := open(t, live(source("userinfo", func(ctx context.Context, q adapters.Query) (adapters.Reply, error) {
			time.Sleep(10 * time.Millisecond)
			if q.Caller.Subject == other.Subject {
				return adapters.Reply{}, adapters.Fail(adapters.Kind(kind.Load()), "a test says so", nil)
			}
			return canary(ctx, q)
		}, asCaller)))
		for k, want := range map[adapters.Kind]string{
			adapters.NotFound:    "404: userinfo absent upstream",
			adapters.Denied:      "502: userinfo failed upstream; userinfo denied 403",
			adapters.Unavailable: "503: userinfo failed upstream; userinfo unavailable 503",
		} {
			time.Sleep(3 * time.Hour)
			kind.Store(int64(k))
			var group sync.WaitGroup
			group.Go(func() { expect(t, "the other", tell(ask(t, g, gateway.Query{Caller: other})), want) })
			synctest.Wait() // the other's call is under way
			group.Go(func() {
				expect(t, "one", tell(ask(t, g, gateway.Query{Caller: one})), "200: userinfo ok upstream")
			})
			group.Wait()
			if k == adapters.NotFound {
				expect(t, "kept", tell(ask(t, g, gateway.Query{Caller: other})), "404: userinfo absent cache")
			}
			expect(t, "one, again", tell(ask(t, g, gateway.Query{Caller: one})), "200: userinfo ok cache")
			// While the source fails for the other, one's stale record stands in for one alone.
			time.Sleep(2 * time.Minute)
			expect(t, "the other, later", strings.Contains(tell(ask(t, g, gateway.Query{Caller: other})), " ok "), false)
			expect(t, "one, later", tell(ask(t, g, gateway.Query{Caller: one})), "200: userinfo ok stale")
		}
	})
}

// TestOtherSourcesAreShared: a source with a credential of its own is told of no
// caller, and its record is kept for all of them.
func TestOtherSourcesAreShared(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := open(t, live(source("a", canary), source("userinfo", canary, asCaller)))
		for i, who := range callers() {
			a := ask(t, g, gateway.Query{Caller: who, Provenance: true})
			expect(t, "answer", tell(a), fmt.Sprintf("200: a ok %s, userinfo ok upstream", map[bool]string{true: "upstream", false: "cache"}[i == 0]))
			expect(t, "of a", *a.Data, named("nobody's"))
		}
	})
}

// TestWhoMayNotAskIsNotAnsweredFromTheCache: what a better token of the same
// caller has brought is not given for one that is not for the source.
func TestWhoMayNotAskIsNotAnsweredFromTheCache(t *testing.T) {
	bubble(t, func(t *testing.T) {
		u := refusing{by("username")}
		u.caller = true
		g := open(t, live(source("userinfo", canary, func(s *gateway.Source) { s.Upstream = u })))
		expect(t, "the right one", tell(ask(t, g, gateway.Query{Caller: callerOf("a", "b", "right")})), "200: userinfo ok upstream")
		for _, who := range []*gateway.Caller{nil, callerOf("a", "b", "wrong")} {
			expect(t, "another", tell(ask(t, g, gateway.Query{Caller: who})), "502: userinfo failed; userinfo denied 403")
		}
	})
}

// refusing is an upstream that admits one token.
type refusing struct{ upstream }

func (refusing) Check(q adapters.Query) *adapters.Fault {
	if q.Caller == nil || q.Caller.Token.Reveal() != "right" {
		return adapters.Fail(adapters.Denied, "a test says so", nil)
	}
	return nil
}

// TestTenantsOfCallers: a tenant that is not the caller's and one that does not
// exist are the same refusal, before any source is asked and before the
// identifier is looked at. Only an operator's grant of all tells them apart.
func TestTenantsOfCallers(t *testing.T) {
	var calls atomic.Int64
	g := open(t, live(source("a", counted(&calls, canary))))
	refusal := func(tenants []string, tenant string) string {
		who := callerOf("a", "b", "1")
		who.Tenants = tenants
		_, err := g.Lookup(t.Context(), gateway.Query{Caller: who, Tenant: tenant, User: "no such kind:x"})
		refused, _ := errors.AsType[*gateway.RequestError](err)
		return fmt.Sprint(refused.Status, " ", refused.Reason)
	}
	const foreign = "403 The tenant is not the caller's."
	for _, test := range []struct {
		tenants      []string
		tenant, want string
	}{
		{nil, "acme", foreign},
		{[]string{""}, "acme", foreign},
		{[]string{"globex"}, "acme", foreign},
		{[]string{"ACME", "acme ", "acm", "acmee"}, "acme", foreign},
		{[]string{"acme"}, "nowhere", foreign},
		{[]string{"acme"}, "*", foreign},
		{[]string{"globex", "acme"}, "acme", "400 The kind of identifier before the first colon is not accepted."},
		{[]string{gateway.EveryTenant}, "acme", "400 The kind of identifier before the first colon is not accepted."},
		{[]string{gateway.EveryTenant}, "nowhere", "404 No tenant 'nowhere' is configured."},
	} {
		expect(t, fmt.Sprintf("%q asks for %s", test.tenants, test.tenant), refusal(test.tenants, test.tenant), test.want)
	}
	expect(t, "calls", calls.Load(), int64(0))
}

package httpapi

import (
	"fmt"
	"net/http"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/adapters"
)

// TestBuckets: a bucket holds what may be done at once, and fills with time.
func TestBuckets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, r := newBuckets(10), adapters.Rate{Calls: 10, Per: time.Second}
		check := func(what string, got, want level) {
			t.Helper()
			if got != want {
				t.Errorf("%s: %+v, want %+v", what, got, want)
			}
		}
		check("some", b.take("jane", r, 8), level{ok: true, left: 2, full: 800 * time.Millisecond, after: 600 * time.Millisecond})
		check("too many take nothing", b.take("jane", r, 3), level{left: 2, full: 800 * time.Millisecond, after: 100 * time.Millisecond})
		check("another's is full", b.take("joan", r, 10), level{ok: true, full: time.Second, after: time.Second})
		time.Sleep(100 * time.Millisecond)
		check("after a while", b.take("jane", r, 3), level{ok: true, full: time.Second, after: 300 * time.Millisecond})
		time.Sleep(time.Minute)
		check("more than it holds is all of it", b.take("jane", r, 100), level{ok: true, full: time.Second, after: time.Second})
		check("a reload allows less", b.take("jane", adapters.Rate{Calls: 1, Per: time.Hour}, 1), level{full: time.Hour, after: time.Hour})
	})
}

// TestBucketsAreBounded: no flood of others gives back what somebody has used up, and
// memory does not grow with it. Who comes meanwhile shares; who is done is forgotten.
func TestBucketsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, r := newBuckets(100), adapters.Rate{Calls: 2, Per: time.Minute}
		b.take("jane", r, 2)
		let := 0
		for n := range 10_000 {
			if b.take(fmt.Sprint(n), r, 1).ok {
				let++
			}
		}
		if b.take("jane", r, 1).ok {
			t.Error("a flood of others gave back what was used up")
		}
		if len(b.all) != 100 || let != 99+2 {
			t.Errorf("%d are remembered, and %d were let in", len(b.all), let)
		}
		time.Sleep(2 * time.Minute)
		if !b.take("new", r, 2).ok || len(b.all) != 1 {
			t.Errorf("who may do all again is still remembered: %d", len(b.all))
		}
	})
}

// TestOrigin: who a request comes from is what trusted proxies say, and nobody else.
func TestOrigin(t *testing.T) {
	t.Parallel()
	trusted := proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	type origin struct {
		address   string
		encrypted bool
	}
	for _, test := range []struct {
		by     proxies
		peer   string
		header http.Header
		want   origin
	}{
		{nil, "192.0.2.1:99", http.Header{"X-Forwarded-For": {"198.51.100.7"}, "X-Forwarded-Proto": {"https"}}, origin{"192.0.2.1", false}},
		{trusted, "192.0.2.1:99", http.Header{"X-Forwarded-For": {"198.51.100.7"}, "X-Forwarded-Proto": {"https"}}, origin{"192.0.2.1", false}},
		{trusted, "10.0.0.1:99", nil, origin{"10.0.0.1", false}},
		{trusted, "10.0.0.1:99", http.Header{"X-Forwarded-For": {"198.51.100.7"}, "X-Forwarded-Proto": {"https"}}, origin{"198.51.100.7", true}},
		{trusted, "10.0.0.1:99", http.Header{"X-Forwarded-For": {"203.0.113.9, 198.51.100.7, 10.1.1.1"}, "X-Forwarded-Proto": {"https, http"}}, origin{"198.51.100.7", false}},
		{trusted, "10.0.0.1:99", http.Header{"X-Forwarded-For": {"203.0.113.9", "198.51.100.7"}}, origin{"198.51.100.7", false}}, // a line that the proxy added
		{trusted, "10.0.0.1:99", http.Header{"X-Forwarded-For": {"203.0.113.9, unknown"}}, origin{"10.0.0.1", false}},
		{trusted, "10.0.0.1:99", http.Header{"X-Forwarded-For": {"10.0.0.3, 10.0.0.2"}}, origin{"10.0.0.3", false}},
		{trusted, "[::ffff:10.0.0.1]:99", http.Header{"X-Forwarded-For": {"198.51.100.7:4711"}}, origin{"198.51.100.7", false}},
		{trusted, "[2001:db8::1]:99", http.Header{"X-Forwarded-For": {"[2a00::7]:4711"}}, origin{"2a00::7", false}},
		{trusted, "10.0.0.1:99", http.Header{"X-Real-Ip": {"198.51.100.7"}, "Forwarded": {"for=198.51.100.7"}}, origin{"10.0.0.1", false}},
	} {
		r := &http.Request{RemoteAddr: test.peer, Header: test.header}
		if diff := cmp.Diff(test.want, origin{test.by.client(r).String(), test.by.encrypted(r)}, cmp.AllowUnexported(origin{})); diff != "" {
			t.Errorf("%s %v: %s", test.peer, test.header, diff)
		}
	}
}

// TestStrangers: of IPv6 a whole network is one, and this machine is nobody.
func TestStrangers(t *testing.T) {
	t.Parallel()
	for peer, want := range map[string]string{
		"192.0.2.1:99": "192.0.2.1/32", "[2a00:1:2:3:4::5]:99": "2a00:1:2:3::/64", "127.0.0.1:99": "", "[::1]:99": "", "@": "",
	} {
		if got := new(door).stranger(&http.Request{RemoteAddr: peer}); got != want {
			t.Errorf("%s: %q", peer, got)
		}
	}
}

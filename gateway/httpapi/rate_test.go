package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/adapters"
	"muster/gateway/httpapi"
	"muster/gateway/httpapi/edge"
)

// TestTenantsAreFair: what one tenant's callers ask for too often is refused to them
// alone, and whoever asks for another's tenant uses up nothing of it.
func TestTenantsAreFair(t *testing.T) {
	t.Parallel()
	l := live()
	for _, tenant := range l.Tenants {
		tenant.Rate = adapters.Rate{Calls: 3, Per: time.Hour}
	}
	i := newIssuing()
	e := &engine{live: l, answer: complete()}
	h := newDoor(e, httpapi.Options{Callers: i.callers(t, true)})
	ask := func(org, path string) (int, http.Header) {
		w := do(t, h, http.MethodGet, path, "Authorization", "Bearer "+i.token(t, map[string]any{"org": org}))
		if w.Code == http.StatusTooManyRequests {
			got := body(t, w)
			want := map[string]any{
				"operationId": got["operationId"], "error": "Too many requests.", "reason": "The tenant's callers ask for more people in a time than an operator allows.",
				"resolution": "Retry after 1200 seconds.", "childErrors": []any{},
			}
			if diff := cmp.Diff(want, got); diff != "" || w.Header().Get("Retry-After") != "1200" {
				t.Errorf("%s, header %v", diff, w.Header())
			}
		}
		return w.Code, w.Header()
	}
	var got []int
	for range 5 {
		status, _ := ask("globex", jane)
		got = append(got, status)
	}
	for range 5 {
		status, header := ask("acme", jane)
		got = append(got, status)
		if header.Get("RateLimit-Policy") != `"tenant";q=3;w=3600` || status == 200 && len(got) == 6 && header.Get("RateLimit") != `"tenant";r=2;t=1200` {
			t.Errorf("header %v", header)
		}
	}
	status, _ := ask("globex", strings.ReplaceAll(jane, "acme/", "globex/"))
	if diff := cmp.Diff([]int{403, 403, 403, 403, 403, 200, 200, 200, 429, 429, 200}, append(got, status)); diff != "" {
		t.Error(diff)
	}
	if len(e.asked) != 4 {
		t.Errorf("%d were asked for", len(e.asked))
	}
}

// TestStrangersAreHeldOff: who sends token after token that is not believed is no longer
// listened to; everybody else is, and so is who has come from there before.
func TestStrangersAreHeldOff(t *testing.T) {
	t.Parallel()
	i := newIssuing()
	h := newDoor(&engine{answer: complete()}, httpapi.Options{Callers: i.callers(t, true), TrustedProxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	known := i.token(t, nil)
	ask := func(from, token string) int {
		return do(t, h, http.MethodGet, jane, "X-Forwarded-For", from, "Authorization", "Bearer "+token).Code
	}
	got := map[string]int{"known": ask("203.0.113.7", known)}
	before := 0
	for range 4000 {
		if ask("203.0.113.7", "a.b.c") == http.StatusUnauthorized {
			before++
		}
	}
	if before < 3000 || before > 3900 {
		t.Errorf("%d tokens were looked at", before)
	}
	got["bad"] = ask("203.0.113.7", "a.b.c")
	got["known, again"] = ask("203.0.113.7", known)
	got["bad, from elsewhere"] = ask("203.0.113.8", "a.b.c")
	if diff := cmp.Diff(map[string]int{"known": 200, "bad": 429, "known, again": 200, "bad, from elsewhere": 401}, got); diff != "" {
		t.Error(diff)
	}
}

// TestTheBudgetOutlastsTheServer: an answer may take as long as its budget, though the
// server gives clients less. Without a budget it is the server's.
func TestTheBudgetOutlastsTheServer(t *testing.T) {
	t.Parallel()
	l := live()
	l.Budget = 2 * time.Second
	limits := edge.DefaultLimits()
	limits.Request, limits.Response = 200*time.Millisecond, 300*time.Millisecond
	e := &engine{live: l, answer: complete(), lookup: func(ctx context.Context) {
		select {
		case <-ctx.Done():
			t.Error("the lookup was given up")
		case <-time.After(700 * time.Millisecond):
		}
	}}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := edge.NewServer(newDoor(e, httpapi.Options{}), limits, nil, slog.New(slog.DiscardHandler))
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	defer func() { _ = server.Close(); serving.Wait() }()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listener.Addr().String()+jane, nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if text, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(text), "jane") {
		t.Errorf("%d %s, %v", response.StatusCode, text, err)
	}
}

// TestHardened: what browsers are told, and who may say that it came over TLS.
func TestHardened(t *testing.T) {
	t.Parallel()
	h := newDoor(&engine{answer: complete()}, httpapi.Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	for _, path := range []string{jane, "/v1/providers", "/docs", "/openapi.yaml", "/nothing"} {
		header := do(t, h, http.MethodGet, path).Header()
		if csp := header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") ||
			header.Get("X-Content-Type-Options") != "nosniff" || header.Get("Referrer-Policy") != "no-referrer" || header.Get("Strict-Transport-Security") != "" {
			t.Errorf("%s: %v", path, header)
		}
		header = do(t, h, http.MethodGet, path, "X-Forwarded-Proto", "https").Header()
		if header.Get("Strict-Transport-Security") != "max-age=31536000" {
			t.Errorf("%s over TLS: %v", path, header)
		}
	}
	// Where somebody comes from, and what he calls us, is nowhere in an answer.
	for _, header := range [][2]string{{"X-Forwarded-Prefix", "/canary"}, {"X-Forwarded-Host", "canary.example"}, {"X-HTTP-Method-Override", "DELETE"}, {"X-Original-URL", "/canary"}} {
		w := do(t, h, http.MethodGet, jane+"/", header[0], header[1])
		if w.Code != http.StatusNotFound || w.Header().Get("Location") != "" || strings.Contains(w.Body.String(), "canary") {
			t.Errorf("%v: %d %v", header, w.Code, w.Header())
		}
	}
}

// TestPeopleAreCounted by caller.
func TestPeopleAreCounted(t *testing.T) {
	t.Parallel()
	i := newIssuing()
	h := newDoor(&engine{answer: complete()}, httpapi.Options{Callers: i.callersAt(t, adapters.Rate{Calls: 2, Per: time.Minute}, true)})
	var got []int
	for _, subject := range []string{"jane", "jane", "jane", "joan", "jane"} {
		w := do(t, h, http.MethodGet, jane, "Authorization", "Bearer "+i.token(t, map[string]any{"sub": subject, "jti": fmt.Sprint(len(got))}))
		got = append(got, w.Code)
		if w.Header().Get("RateLimit-Policy") != `"caller";q=2;w=60` {
			t.Errorf("header %v", w.Header())
		}
	}
	if diff := cmp.Diff([]int{200, 200, 429, 200, 429}, got); diff != "" {
		t.Error(diff)
	}
}

// TestABatchIsItsPeople: a batch counts as many people as it asks for, before any is
// looked up.
func TestABatchIsItsPeople(t *testing.T) {
	t.Parallel()
	l := live()
	l.Tenants["acme"].Rate = adapters.Rate{Calls: 5, Per: time.Hour}
	e := &engine{live: l, answer: complete()}
	h := newDoor(e, httpapi.Options{})
	var got []string
	for _, people := range []int{3, 3, 2, 1} {
		w := post(t, h, lookupsOfAcme, `{"users":[{"username":"jane"}`+strings.Repeat(`,{"username":"joe"}`, people-1)+`]}`)
		got = append(got, fmt.Sprint(w.Code, " ", w.Header().Get("RateLimit")))
	}
	// The second has three where one was left over for it; the first of them was taken.
	want := []string{`200 "tenant";r=2;t=2160`, `429 "tenant";r=1;t=2880`, `429 "tenant";r=0;t=3600`, `429 "tenant";r=0;t=3600`}
	if diff := cmp.Diff(want, got); diff != "" || len(e.asked) != 3 {
		t.Errorf("%d were asked for (-want +got):\n%s", len(e.asked), diff)
	}
}

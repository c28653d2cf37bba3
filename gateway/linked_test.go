package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"muster/adapters"
	"muster/cache"
	"muster/gateway"
)

// broken are links that cannot be asked.
type broken func(ctx context.Context) error

func (b broken) Find(ctx context.Context, _, _, _ string) (map[string]string, error) {
	return nil, b(ctx)
}

// TestLinksFail: who could be asked is asked, and the answer is none that is whole:
// a link may have known better.
func TestLinksFail(t *testing.T) {
	t.Parallel()
	down := broken(func(context.Context) error { return errors.New("connection refused") })
	late := broken(func(context.Context) error { return fmt.Errorf("asking: %w", context.DeadlineExceeded) })
	name, mail := source("names", says(named("Jane"))), source("mails", says(named("Jane")), from(by("email")))
	nobody := source("names", fails(adapters.NotFound))
	tests := []struct {
		name    string
		links   gateway.Links
		sources []*gateway.Source
		q       gateway.Query
		want    string
	}{
		{"a source needs no link", down, []*gateway.Source{name}, gateway.Query{}, "207: names ok upstream, links failed upstream; links unavailable 503"},
		{"another needs one", late, []*gateway.Source{name, mail}, gateway.Query{}, "207: names ok upstream, mails failed [email], links failed upstream; mails unresolved 424, links timeout 504"},
		{"all need one", down, []*gateway.Source{mail}, gateway.Query{}, "503: mails failed [email], links failed upstream; mails unresolved 424, links unavailable 503"},
		{"nobody is known, it seems", down, []*gateway.Source{nobody}, gateway.Query{}, "503: names absent upstream, links failed upstream; links unavailable 503"},
		{"strictly", late, []*gateway.Source{name}, gateway.Query{Strict: true}, "504: names ok upstream, links failed upstream; links timeout 504"},
		{"one is not asked for", down, []*gateway.Source{name, mail}, gateway.Query{Sources: []string{"names"}}, "207: names ok upstream, mails skipped, links failed upstream; links unavailable 503"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := live(tt.sources...)
			l.Links = tt.links
			a := ask(t, open(t, l), tt.q)
			expect(t, "answer", tell(a), tt.want)
			if a.MaxAge != 0 {
				t.Errorf("it may be kept for %v", a.MaxAge)
			}
			if a.Data != nil {
				expect(t, "identifiers are incomplete", a.IncompleteFields[0], map[bool]string{true: "emails", false: "identifiers"}[len(a.ChildErrors) > 1])
			}
		})
	}
}

// TestLinksHang: they have no more time than the whole lookup, or than the caller
// waits.
func TestLinksHang(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := live(source("names", hangs))
		l.Links = broken(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		g := open(t, l)

		begin := time.Now()
		a := ask(t, g, gateway.Query{})
		expect(t, "answer", tell(a), "504: names failed upstream, links failed upstream; names timeout 504, links timeout 504")
		expect(t, "took", time.Since(begin), l.Budget)

		begin = time.Now()
		ask(t, g, gateway.Query{Want: cache.Want{Until: begin.Add(300 * time.Millisecond)}})
		expect(t, "took", time.Since(begin), 300*time.Millisecond)
	})
}

package gateway

import (
	"fmt"
	"testing"
	"time"

	metricnoop "go.opentelemetry.io/otel/metric/noop"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
	"pgregory.net/rapid"

	"muster/cache"
)

// TestPurges: whatever has been crowded out, no purge is forgotten: what is told of an
// identifier is its last purge or later, never later than the last of its tenant, and
// exact as long as there is room. Memory stays within its bounds.
func TestPurges(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 8).Draw(t, "limit")
		most := rapid.IntRange(0, 9).Draw(t, "people") // where they are few, the same are purged again
		p := newPurges(limit)
		begin := time.Now()
		last := map[[2]string]time.Time{}
		newest := map[string]time.Time{}
		for i := range rapid.IntRange(0, 40).Draw(t, "purges") {
			tenant := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "tenant")
			who := fmt.Sprint(rapid.IntRange(0, most).Draw(t, "who"))
			at := begin.Add(time.Duration(i+1) * time.Second)
			p.add(tenant, p.marks(tenant, []name{{"oid", who}}), at)
			last[[2]string{tenant, who}], newest[tenant] = at, at
			if len(p.young)+len(p.old) > 2*limit {
				t.Fatalf("%d and %d are kept, and the limit is %d", len(p.young), len(p.old), limit)
			}
		}
		for _, tenant := range []string{"a", "b", "c"} {
			for n := range 11 {
				who := fmt.Sprint(n)
				got, least := p.sinceOf(tenant, []name{{"oid", who}}), last[[2]string{tenant, who}]
				if got.Before(least) || got.After(newest[tenant]) {
					t.Fatalf("%s of %s was purged at %v, and it is said at %v", who, tenant, least, got)
				}
				if len(last) <= limit && !got.Equal(least) {
					t.Fatalf("%s of %s was purged at %v, and with all that room it is said at %v", who, tenant, least, got)
				}
			}
		}
	})
}

// TestPurgesFold: an identifier is purged in whatever case it is written.
func TestPurgesFold(t *testing.T) {
	t.Parallel()
	p := newPurges(1)
	now := time.Now()
	p.add("acme", p.marks("acme", []name{{"email", "Jane@X.example"}}), now)
	for value, want := range map[string]time.Time{"jane@x.EXAMPLE": now, "joe@x.example": {}} {
		if got := p.sinceOf("acme", []name{{"oid", "1"}, {"email", value}}); !got.Equal(want) {
			t.Errorf("%s was purged at %v, want %v", value, got, want)
		}
	}
}

// TestRememberedUntilPurged: what was learned is not believed once the person was purged
// by any identifier that they were met by.
func TestRememberedUntilPurged(t *testing.T) {
	t.Parallel()
	g, err := New(&Live{}, Options{CacheBytes: 1 << 20, Tracer: tracenoop.NewTracerProvider().Tracer(""), Meter: metricnoop.NewMeterProvider().Meter("")})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	now, jane := time.Now(), name{"oid", "1"}
	g.links.Put(groupKey("acme", jane.kind, jane.value), group{id: "x", begun: now, known: []name{jane, {"email", "jane@x.example"}}}, cache.Lifetime{Fresh: time.Hour})
	remembers := func(what string, since time.Time, want bool) {
		t.Helper()
		if _, got := g.remembered(t.Context(), "acme", jane, since); got != want {
			t.Errorf("%s: remembered %t", what, got)
		}
	}
	remembers("as learned", time.Time{}, true)
	remembers("since before", now.Add(-1), true)
	remembers("since then", now, false)
	g.purges.add("globex", g.purges.marks("globex", []name{{"email", "jane@x.example"}}), now)
	g.purges.add("acme", g.purges.marks("acme", []name{{"email", "joe@x.example"}}), now)
	remembers("others were purged", time.Time{}, true)
	g.purges.add("acme", g.purges.marks("acme", []name{{"email", "Jane@x.example"}}), now)
	remembers("purged", time.Time{}, false)
}

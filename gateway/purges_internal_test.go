package gateway

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestPurges: whatever has been crowded out, no purge is forgotten: what is told of an
// identifier is its last purge or later, never later than the last of its tenant, and
// exact as long as there is room. Memory stays within its bounds.
func TestPurges(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 8).Draw(t, "limit")
		p := newPurges(limit)
		begin := time.Now()
		last := map[[2]string]time.Time{}
		newest := map[string]time.Time{}
		for i := range rapid.IntRange(0, 40).Draw(t, "purges") {
			tenant := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "tenant")
			who := fmt.Sprint(rapid.IntRange(0, 9).Draw(t, "who"))
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

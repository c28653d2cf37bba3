package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// sized makes a cache of texts that cost their length.
func sized(t interface{ Fatal(...any) }, maxBytes int64) *Cache[string] {
	c, err := New(Options[string]{MaxBytes: maxBytes, Cost: func(s string) int64 { return int64(len(s)) }})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func holds(s string) Fill[string] {
	return func(context.Context) (string, Lifetime, error) { return s, Lifetime{Fresh: time.Hour}, nil }
}

// Keys that ristretto takes for one, wholly or in their first half, never share a
// value: after any history a Get answers its own key's value.
func TestCollidingKeysNeverShare(t *testing.T) {
	hashes := map[string]func(string) (uint64, uint64){
		"both halves":    func(string) (uint64, uint64) { return 1, 1 },
		"first half":     func(s string) (uint64, uint64) { return 1, uint64(len(s)) },
		"no second half": func(string) (uint64, uint64) { return 1, 0 },
	}
	for name, hash := range hashes {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				c := sized(t, 1<<20)
				defer c.Close()
				c.memory.close()
				m, err := newMemory[string](1<<20, hash)
				if err != nil {
					t.Fatal(err)
				}
				c.memory = m
				for range rapid.IntRange(1, 20).Draw(t, "steps") {
					name := rapid.StringMatching(`a{1,4}`).Draw(t, "key")
					switch rapid.SampledFrom([]string{"get", "renew", "forget"}).Draw(t, "do") {
					case "forget":
						c.Forget(NewKey(name))
					case "renew":
						_, _ = c.Get(t.Context(), NewKey(name), Want{NoCache: true}, holds(name))
					case "get":
						hit, err := c.Get(t.Context(), NewKey(name), Want{}, holds(name))
						if err != nil || hit.Value != name {
							t.Fatalf("key %s: value %s, error %v", name, hit.Value, err)
						}
					}
				}
			})
		})
	}
}

// kept sums up what the keys 0 to n-1 cost that are kept.
func kept(t *testing.T, c *Cache[string], n int) (entries, bytes int64) {
	t.Helper()
	for i := range n {
		k := NewKey(fmt.Sprint(i))
		hit, err := c.Get(t.Context(), k, Want{OnlyIfCached: true}, nil)
		switch {
		case err == nil:
			entries++
			bytes += int64(len(hit.Value)+len(k.parts)) + entryOverhead
		case !errors.Is(err, ErrNotCached):
			t.Fatal(err)
		}
	}
	return entries, bytes
}

func TestBudget(t *testing.T) {
	const budget, keys = 256 << 10, 1000
	text := func(n int) string { return string(make([]byte, n)) }
	tests := []struct {
		name        string
		rounds      []int // the size of every value, round by round
		least, most int64 // how many are kept in the end
	}{
		{"all that fit", []int{10}, 840, 868}, // 256 KiB / (10 + 4 + 288)
		{"some fit", []int{1000}, 150, 203},
		{"they grow", []int{10, 1000}, 20, 203},
		{"they shrink", []int{1000, 10}, 150, 868},
		{"none fits", []int{budget}, 0, 0},
		{"they grow too large", []int{1000, budget}, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := sized(t, budget)
			defer c.Close()
			for _, size := range tt.rounds {
				for i := range keys {
					if _, err := c.Get(t.Context(), NewKey(fmt.Sprint(i)), Want{NoCache: true}, holds(text(size))); err != nil {
						t.Fatal(err)
					}
				}
			}
			entries, bytes := kept(t, c, keys)
			if bytes > budget {
				t.Errorf("%d bytes kept of a budget of %d", bytes, budget)
			}
			if entries < tt.least || entries > tt.most {
				t.Errorf("%d entries kept, want %d to %d", entries, tt.least, tt.most)
			}
		})
	}
}

// What an entry takes beside its key and value is about what it is charged.
func TestEntryOverhead(t *testing.T) {
	const n = 20_000
	c := sized(t, 1<<30)
	defer c.Close()
	before := heap()
	for i := range n {
		if _, err := c.Get(t.Context(), NewKey(fmt.Sprintf("%08d", i)), Want{}, holds("")); err != nil {
			t.Fatal(err)
		}
	}
	each := (heap()-before)/n - 16 // the key's bytes, as allocated
	runtime.KeepAlive(c)
	t.Logf("%d bytes each", each)
	if each < entryOverhead*6/10 || each > entryOverhead*12/10 {
		t.Errorf("an entry takes %d bytes, and is charged %d", each, entryOverhead)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Shortening is fair (both spans by one share), stays within its bounds, and what
// was made normal stays a Duration.
func TestLifetimeLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		jitter := rapid.Float64Range(0, 0.99).Draw(t, "jitter")
		in := Lifetime{
			Fresh: time.Duration(rapid.Int64().Draw(t, "fresh")),
			Stale: time.Duration(rapid.Int64().Draw(t, "stale")),
		}.normal()
		if in.Fresh < 0 || in.Stale < 0 || in.Fresh+in.Stale < 0 {
			t.Fatalf("normal: %v", in)
		}
		if diff := cmp.Diff(in, in.shortened(0)); diff != "" {
			t.Fatal(diff)
		}
		out := in.shortened(jitter)
		within := func(in, out time.Duration) bool {
			least := float64(in) * (1 - jitter)
			return out <= in && float64(out) >= least-1-least/1e9
		}
		if !within(in.Fresh, out.Fresh) || !within(in.Stale, out.Stale) {
			t.Fatalf("%v became %v", in, out)
		}
		if in.Fresh > 1e9 && in.Stale > 1e9 {
			a, b := float64(out.Fresh)/float64(in.Fresh), float64(out.Stale)/float64(in.Stale)
			if d := a - b; d > 1e-6 || d < -1e-6 {
				t.Fatalf("shares %v and %v", a, b)
			}
		}
	})
}

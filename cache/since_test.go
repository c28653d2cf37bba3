package cache_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"muster/cache"
)

// getting gets the one value, with a Since that long after the test began, or none where
// it is negative, and a fill that takes so long and fails so.
type getting func(since, takes time.Duration, fail error, w cache.Want) string

// TestSince: what was begun to be asked for by then is neither given nor joined, does
// not stand in, and does not come back; what was begun later is as good as ever.
func TestSince(t *testing.T) {
	t.Parallel()
	const s = time.Second
	k := cache.NewKey("jane")
	tests := []struct {
		name string
		do   func(get getting) []string
		want []string
	}{
		{"a fresh value", func(get getting) []string {
			return []string{get(-1, s, nil, cache.Want{}), get(1*s, s, nil, cache.Want{}), get(0, s, nil, cache.Want{})}
		}, []string{"filled 1", "filled 2", "memory 2"}},
		{"nobody is to be asked", func(get getting) []string {
			return []string{get(-1, s, nil, cache.Want{}), get(0, s, nil, cache.Want{OnlyIfCached: true})}
		}, []string{"filled 1", "error: cache: nothing acceptable is kept"}},
		{"begun at that time", func(get getting) []string {
			return []string{get(-1, s, nil, cache.Want{}), get(0, s, nil, cache.Want{})}
		}, []string{"filled 1", "filled 2"}},
		{"begun before and landed after", func(get getting) []string {
			return []string{get(-1, 4*s, nil, cache.Want{}), get(1*s, s, nil, cache.Want{})}
		}, []string{"filled 1", "filled 2"}},
		{"nothing stands in for a failure, then or later", func(get getting) []string {
			got := []string{get(-1, s, nil, cache.Want{})}
			return append(got, get(2*s, s, errDown, cache.Want{}), get(-1, s, errDown, cache.Want{}), get(-1, s, nil, cache.Want{}))
		}, []string{"filled 1", "error: down", "error: down", "filled 4"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := open(t, options[int]())
				begin, calls := time.Now(), 0
				got := tt.do(func(since, takes time.Duration, fail error, w cache.Want) string {
					if since >= 0 {
						w.Since = begin.Add(since)
					}
					hit, err := c.Get(t.Context(), k, w, func(context.Context) (int, cache.Lifetime, error) {
						calls++
						n := calls
						time.Sleep(takes)
						return n, cache.Lifetime{Fresh: 10 * s, Stale: 20 * s}, fail
					})
					if err != nil {
						return "error: " + err.Error()
					}
					return fmt.Sprint(hit.From, " ", hit.Value)
				})
				if fmt.Sprint(got) != fmt.Sprint(tt.want) {
					t.Errorf("got %v, want %v", got, tt.want)
				}
			})
		})
	}
}

// TestSinceUnderWay: a fill that was under way at the time is not joined, what it
// brings goes to those who wait for it alone, and the later one is kept.
func TestSinceUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := open(t, options[int]())
		k := cache.NewKey("jane")
		get := func(n int, takes time.Duration, w cache.Want) string {
			hit, err := c.Get(t.Context(), k, w, func(context.Context) (int, cache.Lifetime, error) {
				time.Sleep(takes)
				return n, cache.Lifetime{Fresh: time.Minute}, nil
			})
			return fmt.Sprint(hit.From, " ", hit.Value, " ", err)
		}
		first := make(chan string, 1)
		go func() { first <- get(1, 5*time.Second, cache.Want{}) }()
		time.Sleep(time.Second)
		since := cache.Want{Since: time.Now()}
		time.Sleep(time.Second)
		second, third := make(chan string, 1), make(chan string, 1)
		go func() { second <- get(2, 2*time.Second, since) }()
		synctest.Wait()
		go func() { third <- get(3, time.Second, since) }()
		for i, got := range []string{<-first, <-second, <-third, get(4, time.Second, cache.Want{})} {
			if want := []string{"filled 1 <nil>", "filled 2 <nil>", "shared 2 <nil>", "memory 2 <nil>"}[i]; got != want {
				t.Errorf("%d: got %s, want %s", i, got, want)
			}
		}
	})
}

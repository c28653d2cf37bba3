package cache_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"muster/cache"
)

// A value is asked for once, and kept. When a caller insists and the source is
// down, the kept value stands in, with the reason beside it.
func Example() {
	errUnavailable := errors.New("the source is unavailable")
	c, err := cache.New(cache.Options[string]{
		MaxBytes: 64 << 20,
		Cost:     func(s string) int64 { return int64(len(s)) },
		Forgive:  func(err error) bool { return errors.Is(err, errUnavailable) },
		Jitter:   0.1,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	var down error
	ask := func(context.Context) (string, cache.Lifetime, error) {
		return "Jane", cache.Lifetime{Fresh: 5 * time.Minute, Stale: time.Hour}, down
	}
	show := func(w cache.Want) {
		hit, err := c.Get(context.Background(), cache.NewKey("acme", "directory", "42"), w, ask)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(hit.From, hit.Value, hit.Err)
	}
	show(cache.Want{})
	show(cache.Want{})
	down = errUnavailable
	show(cache.Want{NoCache: true})
	c.Forget(cache.NewKey("acme", "directory", "42"))
	show(cache.Want{OnlyIfCached: true})
	show(cache.Want{})

	// Output:
	// filled Jane <nil>
	// memory Jane <nil>
	// stale Jane the source is unavailable
	// cache: nothing acceptable is kept
	// the source is unavailable
}

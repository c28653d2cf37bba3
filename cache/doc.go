// Package cache keeps what was costly to ask for, and lets one caller ask where
// many want to know.
//
// A Cache is built around the three things it has to be told about its values:
// how much memory they may take, how many bytes one takes, and which failures an
// old value may stand in for.
//
//	c, err := cache.New(cache.Options[*Profile]{
//		MaxBytes: 256 << 20,
//		Cost:     func(p *Profile) int64 { return p.Size() },
//		Forgive:  func(err error) bool { return errors.Is(err, errUnavailable) },
//		Jitter:   0.1,
//	})
//	defer c.Close()
//
// Reading and filling are one call. The Fill is called where the cache does not
// know, and says how long its answer holds:
//
//	hit, err := c.Get(ctx, cache.NewKey(tenant, source, id), cache.Want{},
//		func(ctx context.Context) (*Profile, cache.Lifetime, error) {
//			p, err := ask(ctx, id)
//			return p, cache.Lifetime{Fresh: 5 * time.Minute, Stale: time.Hour}, err
//		})
//
// A value has three ages:
//
//	fill                 Fresh                       Fresh+Stale
//	 │  answers by itself  │ stands in: is asked again   │ is gone
//	 ├─────────────────────┼─────────────────────────────┼────────►
//	    From: Memory            From: Stale                 From: Filled
//
// While it is stale, callers get it at once and one refill runs behind their
// backs (stale-while-revalidate, RFC 5861 section 3). When that refill fails and
// Forgive allows it, callers are given the value with the failure beside it in
// Hit.Err, and each starts the next attempt (stale-if-error, section 4). When
// Forgive refuses, the failure is the truth about the value (it is gone, or not
// ours to see any more) and the value is dropped. A Want carries what one caller
// accepts, in the terms of RFC 9111.
//
// Whoever misses while the same key is being filled waits for that fill. It
// belongs to none of them: it goes on when its first caller has left, and what
// it brings is kept even if nobody waits for it any more.
//
// The files: key.go names values, want.go is what a caller accepts, hit.go what
// he gets, entry.go a value with its ages, flight.go one fill and those who wait
// for it, memory.go where entries are kept, cache.go brings them together. A
// second tier will stand behind memory.go; nothing else knows where entries are.
package cache

package cache

import (
	"math"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// Lifetime says how long a value may be used: Fresh, and then for Stale longer,
// during which it may stand in while it is asked again or asking fails. A value
// without a Fresh above 0 is given to those who wait for it and not kept; it
// displaces an older one all the same, which it has made untrue.
type Lifetime struct{ Fresh, Stale time.Duration }

// shortened cuts both spans by the same random share, at most by jitter.
func (l Lifetime) shortened(jitter float64) Lifetime {
	share := jitter * rand.Float64() //nolint:gosec // it spreads load, it keeps no secret
	cut := func(d time.Duration) time.Duration { return d - time.Duration(float64(d)*share) }
	return Lifetime{Fresh: cut(l.Fresh), Stale: cut(l.Stale)}
}

// normal has no negative span, and a sum that is a Duration.
func (l Lifetime) normal() Lifetime {
	l.Fresh = max(l.Fresh, 0)
	l.Stale = min(max(l.Stale, 0), math.MaxInt64-l.Fresh)
	return l
}

// entry is a value with its ages. All but the failure is fixed: a refill makes a
// new entry, and so clears it.
type entry[V any] struct {
	key   Key
	value V
	cost  int64
	begun time.Time // to be asked for
	born  time.Time
	life  Lifetime

	// failure is why the last refill of a stale value brought nothing.
	failure atomic.Pointer[error]
}

func (e *entry[V]) kept() bool                      { return e.life.Fresh > 0 }
func (e *entry[V]) age(now time.Time) time.Duration { return now.Sub(e.born) }
func (e *entry[V]) stale(now time.Time) bool        { return e.age(now) >= e.life.Fresh }
func (e *entry[V]) gone(now time.Time) bool         { return e.age(now) >= e.life.Fresh+e.life.Stale }

// fail remembers why the value could not be asked again.
func (e *entry[V]) fail(err error) { e.failure.Store(&err) }

// lastFailure is nil while the value is merely being asked again.
func (e *entry[V]) lastFailure() error {
	if err := e.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// hit is the entry as a caller sees it.
func (e *entry[V]) hit(now time.Time, from From, err error) Hit[V] {
	h := Hit[V]{Value: e.value, From: from, Begun: e.begun, Age: e.age(now), Err: err}
	if from != Stale {
		h.Fresh = max(e.life.Fresh-h.Age, 0)
	}
	return h
}

package cache

import (
	"context"
	"errors"
	"sync"
	"time"
)

// ErrNotCached is what Get returns for Want.OnlyIfCached where nothing acceptable
// is kept (over HTTP a 504, RFC 9111 section 5.2.1.7).
var ErrNotCached = errors.New("cache: nothing acceptable is kept")

// ErrUnderWay is what Get returns when Want.Until passes before a fill has ended.
var ErrUnderWay = errors.New("cache: still being asked for")

// ErrClosed is what Get returns after Close.
var ErrClosed = errors.New("cache: closed")

// Options are what a Cache has to be told. MaxBytes and Cost are required.
type Options[V any] struct {
	// MaxBytes is the budget of all that is kept.
	MaxBytes int64
	// Cost is the size of a value in bytes. What a key and the book-keeping take
	// is added to it. A value above the budget is not kept.
	Cost func(V) int64
	// Forgive tells whether a stale value may stand in for this failure of a fill
	// (a 503, say). If not (a 401, a 404), the kept value is dropped. Nil forgives
	// nothing. It sees every error of a fill, a *PanicError too, and must not
	// panic itself.
	Forgive func(error) bool
	// Jitter shortens each lifetime by a random share of up to this fraction, so
	// that what is filled together does not expire together. 0 is none; it must
	// be below 1.
	Jitter float64
}

// validate reports all that is wrong.
func (o Options[V]) validate() error {
	var errs []error
	if o.MaxBytes <= 0 {
		errs = append(errs, errors.New("cache: MaxBytes must be positive"))
	}
	if o.Cost == nil {
		errs = append(errs, errors.New("cache: Cost is required"))
	}
	if !(o.Jitter >= 0 && o.Jitter < 1) { // in this form it refuses NaN too
		errs = append(errs, errors.New("cache: Jitter must be at least 0 and below 1"))
	}
	return errors.Join(errs...)
}

// Cache keeps values of one type and fills itself. It is safe for concurrent use.
type Cache[V any] struct {
	options Options[V]
	memory  *memory[V]

	life  context.Context // ends with the cache, and the context of every fill with it
	end   context.CancelFunc
	fills sync.WaitGroup

	// mu guards the rest. A hit does not take it.
	mu      sync.Mutex
	closed  bool
	flights map[Key]*flight[V]
}

// New makes a cache. Its errors are about the options, all of them at once.
func New[V any](o Options[V]) (*Cache[V], error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if o.Forgive == nil {
		o.Forgive = func(error) bool { return false }
	}
	m, err := newMemory[V](o.MaxBytes, nil)
	if err != nil {
		return nil, err
	}
	life, end := context.WithCancel(context.Background()) //nolint:gosec // Close ends it
	return &Cache[V]{options: o, memory: m, life: life, end: end, flights: map[Key]*flight[V]{}}, nil
}

// Get returns the value of a key, and calls fill where that is not known or not
// acceptable. Of the callers that find no value, one fill answers all; a caller
// that is answered with a stale value leaves a fill behind unless one is under
// way.
//
// Its error is that of the fill (a *PanicError if it panicked), the context's own
// as soon as ctx ends, ErrNotCached, ErrUnderWay, or ErrClosed.
func (c *Cache[V]) Get(ctx context.Context, k Key, w Want, fill Fill[V]) (Hit[V], error) {
	hit, found := c.look(k, w)
	switch {
	case found && (hit.From == Memory || w.OnlyIfCached):
		return hit, nil
	case w.OnlyIfCached:
		return Hit[V]{}, ErrNotCached
	case !found && ctx.Err() != nil:
		return Hit[V]{}, ctx.Err()
	}
	f, from := c.board(ctx, k, w, fill)
	if found {
		return hit, nil
	}
	return f.await(ctx, w.Until, from)
}

// Put keeps a value that was come by elsewhere, in the place of an older one. What
// a fill that is under way brings is still given to those who wait for it, and is
// not kept.
func (c *Cache[V]) Put(k Key, v V, life Lifetime) {
	now := time.Now()
	e := &entry[V]{key: k, value: v, cost: c.options.Cost(v), begun: now, born: now, life: life.shortened(c.options.Jitter).normal()}
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.flights[k]; f != nil {
		f.bar()
		delete(c.flights, k)
	}
	if !c.closed && e.kept() {
		c.memory.put(e)
	}
}

// Forget drops the value of a key. What a fill that is under way brings is still
// given to those who wait for it, and is not kept: callers who come after Forget
// get nothing that was asked for before.
func (c *Cache[V]) Forget(k Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(k)
}

// forget is Forget. The caller holds c.mu.
func (c *Cache[V]) forget(k Key) {
	if f := c.flights[k]; f != nil {
		f.bar()
		delete(c.flights, k)
	}
	c.memory.drop(k)
}

// forgetUntil forgets what was begun to be asked for at a time or before. The caller
// holds c.mu.
func (c *Cache[V]) forgetUntil(k Key, since, now time.Time) {
	if f := c.flights[k]; f != nil && !f.begun.After(since) {
		c.forget(k) // and what it has just left
	} else if e := c.memory.get(k, now); e != nil && !e.begun.After(since) {
		c.memory.drop(k)
	}
}

// Close ends the context of the fills under way and returns when all of them
// have; one that ignores its context holds it up. Nothing is kept afterwards.
// Other calls may run beside it, and it may be called again.
func (c *Cache[V]) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.end()
	c.fills.Wait()
	c.memory.close()
}

// look returns what is kept under a key, if w accepts it.
func (c *Cache[V]) look(k Key, w Want) (Hit[V], bool) {
	now := time.Now()
	e := c.memory.get(k, now)
	switch {
	case e == nil || !e.begun.After(w.Since) || !w.accepts(e.age(now), e.life.Fresh):
		return Hit[V]{}, false
	case e.stale(now):
		return e.hit(now, Stale, e.lastFailure()), true
	default:
		return e.hit(now, Memory, nil), true
	}
}

// board returns the flight that brings the value of a key: the one under way, or
// a new one. Both are looked for under one lock, and so is a fresh entry: a
// flight that ended since the caller looked has left it.
func (c *Cache[V]) board(ctx context.Context, k Key, w Want, fill Fill[V]) (*flight[V], From) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if !w.Since.IsZero() {
		c.forgetUntil(k, w.Since, now)
	}
	if f := c.flights[k]; f != nil {
		return f, Shared
	}
	e := c.memory.get(k, now)
	switch {
	case c.closed:
		return ended[V](nil, ErrClosed), Shared
	case e != nil && !e.stale(now) && w.accepts(e.age(now), e.life.Fresh):
		return ended(e, nil), Memory
	default:
		return c.depart(ctx, k, fill), Filled
	}
}

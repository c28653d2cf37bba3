package cache

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"
)

// Fill asks for a value. It runs in a goroutine of its own. Its context has the
// values of the context given to Get (a trace span, say) and neither its
// deadline nor its cancellation: it ends with the cache alone, so a Fill sets its
// own time limit. A Fill must not Get its own key: it would wait for itself.
type Fill[V any] func(ctx context.Context) (V, Lifetime, error)

// PanicError is what callers get of a fill that panicked. Its text holds nothing
// of the panic's value, which may be about a person.
type PanicError struct {
	// Value is what the fill panicked with.
	Value any
	// Stack is where it did so, for runtime.CallersFrames: the functions without
	// the arguments that a printed trace shows.
	Stack []uintptr
}

// Error tells that there was a panic and nothing about it.
func (*PanicError) Error() string { return "cache: the fill panicked" }

// errGoexit is what callers get of a fill that called runtime.Goexit.
var errGoexit = errors.New("cache: the fill ended its goroutine")

// flight is one fill under way and those who wait for it.
//
// It is not x/sync/singleflight, which fits in three places badly: its DoChan
// answers a panic with one that nobody can recover; its Forget lets later callers
// ask anew but cannot keep the earlier call from storing what it brings; and its
// lock is its own, while a caller has to look for a flight and for an entry in
// one step, or a fill that lands between the two looks is made twice.
type flight[V any] struct {
	key   Key
	begun time.Time

	// done is closed when entry and err are final.
	done  chan struct{}
	entry *entry[V] // the value, or with an err the one that stands in, if any
	err   error

	// mu makes landing and Forget follow each other. Once barred, the flight
	// leaves memory alone: what it brings was asked for before the Forget.
	mu     sync.Mutex
	barred bool
}

// ended is a flight that is already over.
func ended[V any](e *entry[V], err error) *flight[V] {
	f := &flight[V]{done: make(chan struct{}), entry: e, err: err}
	close(f.done)
	return f
}

// bar keeps the flight from memory. If it is just landing, bar returns after.
func (f *flight[V]) bar() {
	f.mu.Lock()
	f.barred = true
	f.mu.Unlock()
}

// await returns what the flight brings, or at once the error of a context or of a
// time that ends before.
func (f *flight[V]) await(ctx context.Context, until time.Time, from From) (Hit[V], error) {
	var late <-chan time.Time
	if !until.IsZero() {
		timer := time.NewTimer(time.Until(until))
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		return Hit[V]{}, ctx.Err()
	case <-late:
		return Hit[V]{}, ErrUnderWay
	}
	switch {
	case f.err == nil:
		return f.entry.hit(time.Now(), from, nil), nil
	case f.entry != nil:
		return f.entry.hit(time.Now(), Stale, f.err), nil
	default:
		return Hit[V]{}, f.err
	}
}

// depart begins a flight. The caller holds c.mu.
func (c *Cache[V]) depart(ctx context.Context, k Key, fill Fill[V]) *flight[V] {
	f := &flight[V]{key: k, begun: time.Now(), done: make(chan struct{}), err: errGoexit}
	c.flights[k] = f
	c.fills.Go(func() {
		ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
		defer context.AfterFunc(c.life, func() { cancel(ErrClosed) })() //nolint:contextcheck // the cache's own life ends it
		defer cancel(nil)
		defer c.land(f) // deferred, because it is also owed after runtime.Goexit
		f.entry, f.err = c.fly(ctx, f, fill)
	})
	return f
}

// fly calls the fill and makes an entry of its value, or an error of its panic.
func (c *Cache[V]) fly(ctx context.Context, f *flight[V], fill Fill[V]) (e *entry[V], err error) {
	defer func() {
		if p := recover(); p != nil {
			const here, deepest = 2, 64 // here: runtime.Callers and this function
			stack := make([]uintptr, deepest)
			e, err = nil, &PanicError{Value: p, Stack: stack[:runtime.Callers(here, stack)]}
		}
	}()
	value, life, err := fill(ctx)
	if err != nil {
		return nil, err
	}
	return &entry[V]{
		key:   f.key,
		begun: f.begun,
		value: value,
		cost:  c.options.Cost(value),
		born:  time.Now(),
		life:  life.normal().shortened(c.options.Jitter),
	}, nil
}

// land brings memory up to date and then lets the waiting go, in this order: who
// comes after them finds the flight or the entry, never neither.
func (c *Cache[V]) land(f *flight[V]) {
	f.mu.Lock()
	if !f.barred {
		c.settle(f)
	}
	f.mu.Unlock()

	c.mu.Lock()
	if c.flights[f.key] == f { // after a Forget another may fly under this key
		delete(c.flights, f.key)
	}
	c.mu.Unlock()
	close(f.done)
}

// settle draws from a flight's end what memory is to hold.
func (c *Cache[V]) settle(f *flight[V]) {
	now := time.Now()
	switch {
	case f.err == nil && f.entry.kept():
		c.memory.put(f.entry)
	case f.err == nil, !c.options.Forgive(f.err):
		c.memory.drop(f.key)
	default:
		f.entry = c.memory.get(f.key, now)
		// The failure to renew a value that is still fresh (a caller would not
		// have it) is no reason against the value once it has become stale.
		if f.entry != nil && f.entry.stale(now) {
			f.entry.fail(f.err)
		}
	}
}

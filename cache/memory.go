package cache

import (
	"fmt"
	"sync"
	"time"

	"github.com/dgraph-io/ristretto/v2"
)

const (
	// entryOverhead is what an entry takes beside its value and its key, in
	// bytes: the entry itself and its places in ristretto's maps, as measured by
	// TestEntryOverhead.
	entryOverhead = 288
	// meanBytes is a guess at the cost of an entry. Ristretto wants ten counters
	// for each entry that fits; at 3 bytes a counter that is 2 % of the budget.
	meanBytes = 2 << 10
)

// memory keeps entries within a budget of bytes, in ristretto.
//
// What ristretto hashes to the same place may be overwritten there, but is never
// mistaken: an entry knows its whole key. What does not fit, or is asked for less
// often than what it would push out, ristretto does not admit.
type memory[V any] struct {
	// mu is held for writing by close alone. Ristretto's Close must not run
	// beside its other methods: they would send on a closed channel, or wait for
	// a goroutine that has ended.
	mu    sync.RWMutex
	store *ristretto.Cache[string, *entry[V]]
}

// newMemory makes a memory. A nil hash means ristretto's own, of 128 bits.
func newMemory[V any](maxBytes int64, hash func(string) (uint64, uint64)) (*memory[V], error) {
	store, err := ristretto.NewCache(&ristretto.Config[string, *entry[V]]{
		MaxCost:            maxBytes,
		NumCounters:        10 * (maxBytes/meanBytes + 1),
		BufferItems:        64, // ristretto's advice
		IgnoreInternalCost: true,
		KeyToHash:          hash,
	})
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	return &memory[V]{store: store}, nil
}

// get returns the entry of a key, fresh or stale, or nil.
func (m *memory[V]) get(k Key, now time.Time) *entry[V] {
	m.mu.RLock()
	defer m.mu.RUnlock()
	e, ok := m.store.Get(k.parts)
	if !ok || e.key != k || e.gone(now) {
		return nil
	}
	return e
}

// put keeps an entry in the place of an older one. It returns when the entry can
// be seen: ristretto applies writes later, in a goroutine of its own, and Wait is
// its way to say when. The fills pay for that with some microseconds, each in its
// own goroutine; in return a flight is not over before its value can be found.
func (m *memory[V]) put(e *entry[V]) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	cost := max(e.cost, 0) + int64(len(e.key.parts)) + entryOverhead
	// To replace an entry never makes ristretto evict another, so a larger one
	// must come in as new, or the budget would be overdrawn.
	if old, ok := m.store.Get(e.key.parts); ok && old.cost < e.cost {
		m.store.Del(e.key.parts)
	}
	// A ttl of 0 would mean for ever; an entry that is kept has a longer one.
	m.store.SetWithTTL(e.key.parts, e, cost, e.life.Fresh+e.life.Stale)
	m.store.Wait()
}

// drop removes the entry of a key, at once.
func (m *memory[V]) drop(k Key) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	m.store.Del(k.parts)
}

// close ends ristretto's goroutines. Afterwards nothing is found nor kept.
func (m *memory[V]) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.store.Close()
}

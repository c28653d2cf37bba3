package gateway

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"muster/normalize"
)

// purges are the times at which people were purged, by each of their identifiers:
// what was begun to be asked for at that time or before is no longer used. Nothing has
// to be found in order to be forgotten, so what is kept by a key that nobody can make
// again (a caller's own) is reached like all else, and what is still on its way as well.
//
// Memory is bounded: of what is crowded out the tenant keeps the latest time, which
// then counts for everybody in it. That forgets too much and never too little. The
// identifiers are hashed, with a seed that the process alone has; two that fall
// together are asked for once more than they need be.
type purges struct {
	seed maphash.Seed
	some atomic.Bool // whether there has been any: until then nothing costs anything

	mu         sync.RWMutex
	limit      int // of each generation
	young, old map[mark]purge
	floor      map[string]time.Time // by tenant
}

// mark is a tenant's identifier, hashed.
type mark uint64

type purge struct {
	tenant string
	at     time.Time
}

func newPurges(limit int) *purges {
	return &purges{seed: maphash.MakeSeed(), limit: limit, young: map[mark]purge{}, floor: map[string]time.Time{}}
}

// marks are those of a person's identifiers.
func (p *purges) marks(tenant string, known []name) []mark {
	all := make([]mark, len(known))
	for i, k := range known {
		var h maphash.Hash
		h.SetSeed(p.seed)
		for _, part := range [...]string{tenant, k.kind, normalize.IDKey(k.kind, k.value)} {
			_, _ = h.WriteString(part) // it never fails
			_ = h.WriteByte(0)         // no identifier has one
		}
		all[i] = mark(h.Sum64())
	}
	return all
}

// since is when any of the marks was last purged; the zero time for never.
func (p *purges) since(tenant string, marks []mark) time.Time {
	if !p.some.Load() {
		return time.Time{}
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	last := p.floor[tenant]
	for _, m := range marks {
		last = later(last, later(p.young[m].at, p.old[m].at))
	}
	return last
}

// sinceOf is since, of identifiers.
func (p *purges) sinceOf(tenant string, known []name) time.Time {
	if !p.some.Load() {
		return time.Time{}
	}
	return p.since(tenant, p.marks(tenant, known))
}

// add purges at a time.
func (p *purges) add(tenant string, marks []mark, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range marks {
		if !at.After(later(p.floor[tenant], later(p.young[m].at, p.old[m].at))) {
			continue
		}
		if _, again := p.young[m]; !again && len(p.young) >= p.limit {
			for _, gone := range p.old {
				p.floor[gone.tenant] = later(p.floor[gone.tenant], gone.at)
			}
			p.young, p.old = map[mark]purge{}, p.young
		}
		p.young[m] = purge{tenant, at}
	}
	p.some.Store(true)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

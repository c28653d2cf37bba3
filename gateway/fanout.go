package gateway

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"muster/adapters"
	"muster/cache"
)

// kept is what the cache keeps of one source's answer: its mapped reply, or that
// it knows no such person. Never a body.
type kept struct {
	reply  adapters.Reply
	absent bool
	known  []mark // by what the person was known when it was asked, and what it says itself
}

// slot is what came of one step. Slots stand in the order of the sources, so
// the order in which replies arrive decides nothing.
type slot struct {
	*step
	outcome  Outcome
	reply    adapters.Reply
	fault    *adapters.Fault // why it failed, or why only a stale reply is there
	from     string          // upstream, cache, stale, shared; "" when it was not asked
	begun    time.Time       // to be asked
	age      time.Duration
	took     time.Duration
	fresh    time.Duration // how long the outcome may be kept
	hidden   bool          // from the caller
	nameless bool          // what it yields is hidden from the caller
}

// children are the source's own partial failures, of a source that counts.
func (s *slot) children() []*adapters.Fault {
	if s.source.Optional {
		return nil
	}
	return s.reply.Children
}

// run asks what the chain says is to be asked, tells it of every answer, and waits
// for all, at most for the budget. Each call has a goroutine of its own; a panic in
// one is that source's failure.
func (g *Gateway) run(ctx context.Context, l *Live, c *chain, want cache.Want) []slot {
	ctx, cancel := context.WithTimeout(ctx, l.Budget)
	defer cancel()

	slots := make([]slot, len(c.steps))
	for i := range slots {
		slots[i].step = &c.steps[i]
	}
	answered := make(chan int, len(slots))
	underWay := 0
	for asks := c.first; asks != nil || underWay > 0; {
		known := namesOf(c.claims)
		for _, i := range asks {
			underWay++
			go func() {
				defer func() { answered <- i }()
				defer contain(ctx, &slots[i])
				g.ask(ctx, c.asked, &slots[i], known, want)
			}()
		}
		i := <-answered
		underWay--
		c.settle(i, slots[i].outcome, slots[i].reply.Record.IDs)
		asks = c.ready()
	}
	for i := range slots {
		switch s := &slots[i]; {
		case s.skip != "":
			s.outcome = s.skip
		case s.step.fault != nil:
			s.outcome, s.fault = Failed, s.step.fault
		}
	}
	for _, i := range c.drop(slots) {
		g.cache.Forget(recordKey(c.asked.tenant.Name, slots[i].step))
		g.tel.contradiction(ctx, slots[i].source)
	}
	return slots
}

// contain makes a failure of its slot of whatever panics on the way to an answer: nobody
// else would, in a goroutine of its own. Of an adapter's panics the cache has done so. The
// trace has the type and the place; a text may be about the person.
func contain(ctx context.Context, s *slot) {
	if p := recover(); p != nil {
		trace.SpanFromContext(ctx).AddEvent("panic", trace.WithAttributes(
			attribute.String("muster.panic", fmt.Sprintf("%T", p)), attribute.String("muster.stack", adapters.PanicStack())))
		s.take(cache.Hit[kept]{}, adapters.Fail(adapters.Unavailable, "the source panicked", nil))
	}
}

// ask fills one slot, from the cache or from the source. What was asked for before the
// person was purged, by any identifier that was known then or that it has itself, is
// not taken.
func (g *Gateway) ask(ctx context.Context, a asked, s *slot, known []name, want cache.Want) {
	if s.source.isLinks() { // as quick as a cache; and who is withdrawn is gone at once
		begin := time.Now()
		value, _, err := fetch(ctx, s.source, s.query)
		s.take(cache.Hit[kept]{Value: value}, adapters.FaultOf(err))
		s.took = time.Since(begin)
		return
	}
	ctx, span := g.tel.beginSource(ctx, s.source)
	begin, tenant := time.Now(), a.tenant.Name
	fill := func(ctx context.Context) (kept, cache.Lifetime, error) {
		k, life, err := fetch(ctx, s.source, s.query)
		names := slices.Clone(known)
		for _, id := range k.reply.Record.IDs {
			names = append(names, name{s.source.ownKind(id.Kind), id.Value})
		}
		k.known = g.purges.marks(tenant, names)
		return k, life, err
	}
	hit, err := g.cache.Get(ctx, recordKey(tenant, s.step), want, fill)
	if since := g.purges.since(tenant, hit.Value.known); err == nil && !a.upToDate(hit.Begun, since) {
		want.Since = later(want.Since, since)
		hit, err = g.cache.Get(ctx, recordKey(tenant, s.step), want, fill)
	}
	s.take(hit, fault(err))
	if s.from != fromCache && s.from != fromStale {
		s.took = time.Since(begin)
	}
	g.tel.endSource(ctx, span, s)
}

// fault says what it means that the cache brings nothing: the source failed, or
// the caller would not have it asked, or not wait for it.
func fault(err error) *adapters.Fault {
	switch {
	case errors.Is(err, cache.ErrNotCached): // RFC 9111, 5.2.1.7: a 504
		return adapters.Fail(adapters.Timeout, "nothing is kept, and the caller wants nothing to be asked", err)
	case errors.Is(err, cache.ErrUnderWay):
		return adapters.Fail(adapters.Pending, "still under way when the preferred wait ran out", err)
	default:
		return adapters.FaultOf(err)
	}
}

// fetch asks the source and says how long what it answered may be kept.
func fetch(ctx context.Context, source *Source, query adapters.Query) (kept, cache.Lifetime, error) {
	reply, err := source.Adapter.Fetch(ctx, query)
	fault := adapters.FaultOf(err)
	switch {
	case fault == nil && len(reply.Children) > 0: // in part: what is missing may be there soon
		return kept{reply: reply}, cache.Lifetime{Fresh: min(source.Keep.Negative, source.Keep.TTL)}, nil
	case fault == nil:
		return kept{reply: reply}, cache.Lifetime{Fresh: source.Keep.TTL, Stale: source.Keep.Stale}, nil
	case fault.Kind == adapters.NotFound:
		return kept{absent: true, reply: adapters.Reply{Status: fault.Detail.Status}}, cache.Lifetime{Fresh: source.Keep.Negative}, nil
	default:
		return kept{}, cache.Lifetime{}, fault
	}
}

// The values of `from` in an answer.
const (
	fromUpstream = "upstream"
	fromCache    = "cache"
	fromStale    = "stale"
	fromShared   = "shared"
)

// take reads what the cache brought into the slot.
func (s *slot) take(hit cache.Hit[kept], failed *adapters.Fault) {
	switch {
	case failed != nil:
		s.outcome, s.from, s.fault = Failed, fromUpstream, failed
		if errors.Is(failed, cache.ErrNotCached) {
			s.from = fromCache
		}
		return
	case hit.Value.absent:
		s.outcome = Absent
	case len(hit.Value.reply.Children) > 0:
		s.outcome = Partial
	default:
		s.outcome = OK
	}
	s.reply, s.begun, s.age, s.fresh = hit.Value.reply, hit.Begun, hit.Age, hit.Fresh
	s.fault = adapters.FaultOf(hit.Err)
	switch hit.From {
	case cache.Memory:
		s.from = fromCache
	case cache.Stale:
		s.from = fromStale
	case cache.Shared:
		s.from = fromShared
	default:
		s.from = fromUpstream
	}
}

// recordKey is the one place where a key of the cache is made: tenant, source,
// what the source asks and maps, what the tenant is called there, the identifiers
// it is asked with, and the caller where the credential is the caller's.
func recordKey(tenant string, s *step) cache.Key {
	parts := []string{tenant, s.source.Name, s.source.Hash}
	for _, name := range slices.Sorted(maps.Keys(s.query.Tenant)) {
		parts = append(parts, "tenant", name, s.query.Tenant[name])
	}
	kinds := slices.Sorted(slices.Values(s.used))
	for _, kind := range kinds {
		parts = append(parts, "id", kind, s.query.IDs[kind])
	}
	if caller := s.query.Caller; caller != nil {
		parts = append(parts, "caller", caller.Issuer, caller.Subject)
	}
	return cache.NewKey(parts...)
}

// cost is about how many bytes a cached answer occupies: the struct, and all
// that it points to. It walks whatever there is, so that a member added to the
// profile tomorrow is counted too.
func cost(k kept) int64 {
	v := reflect.ValueOf(k)
	return width(v.Type()) + pointed(v)
}

// pointed is about how many bytes are behind a value's pointers.
func pointed(v reflect.Value) (size int64) {
	switch v.Kind() {
	case reflect.String:
		return int64(v.Len())
	case reflect.Slice:
		size = int64(v.Cap()) * width(v.Type().Elem())
		for i := range v.Len() {
			size += pointed(v.Index(i))
		}
	case reflect.Map:
		const books = 2 // of a map's slots about half are free, and each has a byte of its hash
		for entry := v.MapRange(); entry.Next(); {
			key, value := entry.Key(), entry.Value()
			size += books*(width(key.Type())+width(value.Type())) + pointed(key) + pointed(value)
		}
	case reflect.Pointer:
		if !v.IsNil() && v.Type() != reflect.TypeFor[*time.Location]() { // time zones are shared by all
			size = width(v.Type().Elem()) + pointed(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			size += pointed(v.Field(i))
		}
	}
	return size // of an interface nothing: it is the cause of a fault, which others may share
}

func width(t reflect.Type) int64 { return int64(t.Size()) } //nolint:gosec // no type is larger than an int64 can say

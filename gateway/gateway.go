package gateway

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/semaphore"

	"muster/adapters"
	"muster/cache"
	"muster/gateway/audit"
	"muster/normalize"
)

// Options are what a gateway needs besides a configuration.
type Options struct {
	CacheBytes int64
	Tracer     trace.Tracer
	Meter      metric.Meter
	Audit      *audit.Trail // of who asks for whom; nil keeps no records
}

// Gateway answers lookups. It is safe for concurrent use; Close it when done.
type Gateway struct {
	live  atomic.Pointer[Live]
	cache *cache.Cache[kept]
	links *cache.Cache[group] // that were learned
	tel   *telemetry
	audit *audit.Trail

	batches *semaphore.Weighted // a turn for each of the lookups that batches have under way
	purges  *purges
}

// New makes a gateway that answers by the configuration.
func New(live *Live, o Options) (*Gateway, error) {
	const (
		linksShare = 8       // of the memory
		purgesKept = 1 << 15 // twice, of some 50 bytes each
	)
	records, err := cache.New(cache.Options[kept]{
		MaxBytes: o.CacheBytes - o.CacheBytes/linksShare,
		Cost:     cost,
		Forgive:  func(err error) bool { return adapters.FaultOf(err).Kind.Traits().StaleServe },
		Jitter:   0.1,
	})
	if err != nil {
		return nil, err
	}
	links, err := cache.New(cache.Options[group]{MaxBytes: o.CacheBytes / linksShare, Cost: groupCost, Jitter: 0.1})
	if err != nil {
		records.Close()
		return nil, err
	}
	g := &Gateway{cache: records, links: links, audit: o.Audit, batches: semaphore.NewWeighted(batchesWidth), purges: newPurges(purgesKept)}
	g.live.Store(live)
	if g.tel, err = newTelemetry(o.Tracer, o.Meter, g.live.Load); err != nil {
		records.Close()
		links.Close()
		return nil, err
	}
	return g, nil
}

// Close gives back what the gateway holds.
func (g *Gateway) Close() {
	g.tel.close()
	g.cache.Close()
	g.links.Close()
}

// Swap puts another configuration in force. Lookups under way end with the one
// they began with; what is kept of a source that is the same stays in use.
func (g *Gateway) Swap(live *Live) { g.live.Store(live) }

// Live is the configuration in force.
func (g *Gateway) Live() *Live { return g.live.Load() }

// Lookup answers who one person is. It answers even when sources fail: its error
// is a *RequestError and means that it could not begin, or that no record of it could
// be kept; or the context's, where the caller has left.
func (g *Gateway) Lookup(ctx context.Context, q Query) (Answer, error) {
	live := g.live.Load()
	account := g.account(live, audit.Lookup, q)
	defer account.panicked(ctx, g)
	answer, err := g.answer(ctx, live, q, account)
	account.end(&answer, err)
	if err = g.ended(ctx, account, err); err != nil {
		return Answer{}, err
	}
	return answer, nil
}

// answer is Lookup without the record of it.
func (g *Gateway) answer(ctx context.Context, live *Live, q Query, account *account) (Answer, error) {
	asked, refused := live.check(q)
	if refused != nil {
		return Answer{}, refused
	}
	asked.account = account
	return g.lookup(ctx, live, q, asked)
}

// lookup answers who one person is, whose query has been checked.
func (g *Gateway) lookup(ctx context.Context, live *Live, q Query, asked asked) (Answer, error) {
	asked.begun = time.Now()
	ctx, span := g.tel.beginAbout(ctx, "lookup", live, asked)
	defer func() { span.End() }() // not "defer span.End()", which would write a panic's text into the span

	ctx, cancel := context.WithTimeout(ctx, live.Budget)
	defer cancel()
	person := live.resolve(ctx, asked, q.Want.Until)
	if person.apart && asked.blind() {
		return Answer{}, silence(ctx, q.Want.Until)
	}
	if person.apart {
		return Answer{}, badRequest("Look the person up by one of them.", "The operator's links say that the identifiers are not one person's.")
	}
	asked.linksDown = person.failed != nil
	chain := g.remembering(ctx, live, asked, person.known, q.Want)
	if !asked.blind() && unusable(chain.steps, asked.kinds()) {
		place := "after " + asked.own[0].Kind + ":"
		if q.IDs != nil {
			place = "of " + strings.Join(asked.kinds(), ", ")
		}
		return Answer{}, badRequest("Check the form of the value "+place+".", "The identifier cannot be what the sources that use it expect.")
	}
	want := q.Want
	want.Since = g.purges.sinceOf(asked.tenant.Name, namesOf(chain.claims))
	slots := g.run(ctx, live, chain, want)
	if chain.outdated() || g.purged(chain, slots) { // what was learned is not so any more: find it out anew, from what the sources say
		want.Since = later(want.Since, g.purges.sinceOf(asked.tenant.Name, namesOf(chain.claims)))
		g.forget(chain)
		chain = plan(live, asked, person.known)
		slots = g.run(ctx, live, chain, want)
	}
	g.spread(chain, slots)
	asked.account.saw(slots)
	if errors.Is(ctx.Err(), context.Canceled) {
		return Answer{}, ctx.Err() // nobody is there to read an answer
	}
	if chain.id == "" && chain.tied(slots) {
		chain.id = g.idOf(ctx, chain, slots)
	}
	asked.id = chain.identity(slots)
	g.learn(ctx, chain, slots, asked.id)
	slots, shown := asked.see(chain, slots)
	if !shown {
		g.tel.endLookup(ctx, span, &Answer{Status: http.StatusForbidden})
		return Answer{}, silence(ctx, q.Want.Until)
	}
	var explanation *Explanation
	if q.Explain {
		explanation = chain.explain(slots, asked)
	}
	slots, person = person.met(slots)
	slots = append(slots, person.slots()...)
	answer := assemble(live, q, asked, parts(slots, person.links), slots, time.Now().UTC())
	answer.Explain = explanation
	if q.Strict && answer.Status == http.StatusMultiStatus {
		answer = answer.strict(slots)
	}
	g.tel.endLookup(ctx, span, &answer)
	return answer, nil
}

// remembering plans with what was learned in earlier lookups, unless the caller will
// have nothing that is kept.
func (g *Gateway) remembering(ctx context.Context, l *Live, a asked, known []claim, want cache.Want) *chain {
	if want.NoCache {
		return plan(l, a, known)
	}
	learned, recalled := g.recall(ctx, l, a, known)
	c := plan(l, a, slices.Concat(known, learned))
	c.recalled = recalled
	if l.LinksFor > 0 { // though some may be left of a configuration before
		c.id = recalled.id
	}
	return c
}

// parts are the records of the sources that have one, in their order, and what
// the links say.
func parts(slots []slot, links []normalize.Identifier) []normalize.Part {
	all := make([]normalize.Part, 0, len(slots)+1)
	for i := range slots {
		if s := &slots[i]; s.outcome == OK || s.outcome == Partial {
			all = append(all, normalize.Part{Source: s.source.Name, Record: s.reply.Record, Age: s.age})
		}
	}
	if len(links) > 0 && len(all) > 0 {
		all = append(all, normalize.Part{Source: normalize.Links, Record: normalize.Record{IDs: links}})
	}
	return all
}

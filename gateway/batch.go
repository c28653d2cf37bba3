package gateway

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"muster/adapters"
	"muster/cache"
	"muster/gateway/audit"
)

// MaxBatch is how many users one batch may have.
const MaxBatch = 100

// How many lookups of batches are under way at once. A person costs every source
// a call, so this many calls come to each source: of one batch so few that a source
// is not alarmed, and so many that a hundred people at a second each are done in
// seven; of all batches together four times that. Lookups of one person wait for
// none of it.
const (
	batchWidth   = 16
	batchesWidth = 64
)

// batchBudgets is for how many budgets of one lookup a batch begins further ones.
// The second is for those who had to wait for people whose sources hang.
const batchBudgets = 2

// BatchTime is the longest that a batch takes: those that begin at the last moment
// have their own budget.
func (l *Live) BatchTime() time.Duration { return (batchBudgets + 1) * l.Budget }

// Result is what came of one user of a batch.
type Result struct {
	Answer Answer
	// Err is why there is no answer: a *RequestError, or a *PanicError.
	Err error
}

// PanicError is a lookup that panicked. What with, which may be about a person, is
// left out.
type PanicError struct {
	Type  string // of what it panicked with
	Stack string // where: functions without their arguments
}

// Error says that there was a panic.
func (e *PanicError) Error() string { return "a lookup panicked with a " + e.Type }

// Lookups answers who several people are, each called by kind of identifier, in
// their order: of each what Lookup would say of them alone. Whoever is there twice is
// looked up once. The query is what is asked of all; its User and IDs are not used.
//
// The first error is of the whole: a *RequestError where it could not begin or no
// record could be kept of it, else the context's. An error of one user stands at its
// place.
func (g *Gateway) Lookups(ctx context.Context, q Query, users []map[string]string) ([]Result, error) {
	live := g.live.Load()
	b := batch{g: g, live: live, q: q, results: make([]Result, len(users))}
	scope, refused := live.scope(q)
	if many := len(users); many == 0 || many > MaxBatch {
		users = []map[string]string{nil} // a record of whom nobody will look for
		if refused == nil {
			refused = badRequest(fmt.Sprintf("Ask for 1 to %d users at once.", MaxBatch), "The batch has %d users.", many)
		}
	}
	if refused != nil {
		return nil, b.refuse(ctx, users, refused)
	}
	trace.SpanFromContext(ctx).SetAttributes(attribute.Int("muster.batch.size", len(users)))

	b.add(scope, users)
	b.run(ctx)
	if err := b.keep(ctx); err != nil {
		return nil, err
	}
	return b.results, ctx.Err()
}

// batch is one on its way.
type batch struct {
	g       *Gateway
	live    *Live
	q       Query
	people  []person
	results []Result // in the order of the users
	refused []*account
}

// person is one of a batch, and the places of the users who are this person.
type person struct {
	ids    map[string]string
	asked  asked // with the record of it
	places []int
}

// add checks the users, and finds those who are called the same.
func (b *batch) add(scope asked, users []map[string]string) {
	known := map[cache.Key]int{}
	for place, ids := range users {
		own, refused := readIDs(ids, b.live.Accept)
		if refused != nil {
			b.results[place].Err = refused
			b.turnAway(ids, refused)
			continue
		}
		var parts []string
		for _, id := range own {
			parts = append(parts, id.Kind, id.Value)
		}
		key := cache.NewKey(parts...)
		i, again := known[key]
		if !again {
			i = len(b.people)
			known[key] = i
			one := scope
			one.own = own
			one.account = b.account(ids)
			b.people = append(b.people, person{ids: ids, asked: one})
		}
		b.people[i].places = append(b.people[i].places, place)
	}
}

// run looks everybody up, as many at once as may be. The first of a batch's workers
// waits for no other batch, so that each comes to its end however many there are;
// the others wait in line for a turn, one person at a time.
func (b *batch) run(ctx context.Context) {
	until := time.Now().Add(batchBudgets * b.live.Budget)
	if wait := b.q.Want.Until; !wait.IsZero() && wait.Before(until) {
		until = wait
	}
	line, leave := context.WithDeadline(ctx, until) // for turns
	defer leave()

	var next atomic.Int64
	var workers sync.WaitGroup
	for worker := range min(batchWidth, len(b.people)) {
		workers.Go(func() {
			for {
				turn := worker > 0 && b.g.batches.Acquire(line, 1) == nil
				i := int(next.Add(1)) - 1
				more := i < len(b.people) && ctx.Err() == nil
				if more {
					b.people[i].settle(b.results, b.one(ctx, !time.Now().Before(until), &b.people[i]))
				}
				if turn {
					b.g.batches.Release(1)
				}
				if !more {
					leave() // nobody stands in line for a turn that is not needed any more
					return
				}
			}
		})
	}
	workers.Wait()
}

// account begins the record of one user.
func (b *batch) account(ids map[string]string) *account {
	q := b.q
	q.User, q.IDs = "", ids
	return b.g.account(b.live, audit.Lookup, q)
}

// turnAway notes that a user is refused.
func (b *batch) turnAway(ids map[string]string, refused *RequestError) {
	if a := b.account(ids); a != nil {
		a.end(nil, refused)
		b.refused = append(b.refused, a)
	}
}

// refuse refuses all of a batch: it was everybody in it who was asked for.
func (b *batch) refuse(ctx context.Context, users []map[string]string, refused *RequestError) error {
	for _, ids := range users {
		b.turnAway(ids, refused)
	}
	if err := b.keep(ctx); err != nil {
		return err
	}
	return refused
}

// keep has the records of all written, each person's once.
func (b *batch) keep(ctx context.Context) error {
	if b.g.audit == nil {
		return nil
	}
	all := b.refused
	for i := range b.people {
		p := &b.people[i]
		r := &b.results[p.places[0]]
		if r.Err == nil && r.Answer.Status == 0 { // the caller has left before their turn
			r = &Result{Err: ctx.Err()}
		}
		p.asked.account.end(&r.Answer, r.Err)
		all = append(all, p.asked.account)
	}
	return b.g.keep(ctx, all...)
}

// settle puts what came of a person at every place of theirs.
func (p *person) settle(results []Result, r Result) {
	for _, place := range p.places {
		results[place] = r
	}
}

// one looks one person up. Whose turn comes late is told what is kept, and nobody is
// asked for them.
func (b *batch) one(ctx context.Context, late bool, p *person) (r Result) {
	defer func() {
		if value := recover(); value != nil {
			r = Result{Err: &PanicError{Type: fmt.Sprintf("%T", value), Stack: adapters.PanicStack()}}
		}
	}()
	q := b.q
	q.User, q.IDs = "", p.ids
	if late {
		q.Want.OnlyIfCached = true
	}
	r.Answer, r.Err = b.g.lookup(ctx, b.live, q, p.asked)
	switch {
	case !late, b.q.Want.OnlyIfCached, r.Err != nil, r.Answer.Data != nil:
	case r.Answer.Status == http.StatusNotFound, r.Answer.Status == http.StatusFailedDependency: // known without asking
	default:
		r = Result{Err: b.tooLate()}
	}
	return r
}

// tooLate is what is said of people whose turn did not come in time: where the caller
// would not wait for it, that they are pending, and else a timeout, with the status
// that such a lookup has.
func (b *batch) tooLate() *RequestError {
	if wait := b.q.Want.Until; !wait.IsZero() && !time.Now().Before(wait) {
		return &RequestError{
			Status: http.StatusServiceUnavailable, Title: "Not looked up yet.",
			Reason: "The preferred wait ran out before it was this user's turn.", Resolution: "Ask again: what was found out of the others is kept.",
		}
	}
	return &RequestError{
		Status: http.StatusGatewayTimeout, Title: "Not looked up.",
		Reason: "The time of the batch ran out before it was this user's turn.", Resolution: "Ask again: what was found out of the others is kept.",
	}
}

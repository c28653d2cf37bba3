package gateway

import (
	"context"
	"errors"
	"net/http"
	"time"

	"muster/gateway/audit"
)

// account is the audit record of one query about one person, while that is answered. A
// nil *account is of a gateway that keeps no records.
type account struct {
	audit.Record

	ended bool
}

// account begins the record of a query; nil where none are kept.
func (g *Gateway) account(live *Live, action audit.Action, q Query) *account {
	if g.audit == nil {
		return nil
	}
	a := &account{Record: audit.Record{
		Version: audit.Version, Time: time.Now().UTC(), OperationID: q.OperationID, Action: action,
		Caller: live.auditCaller(q.Caller), Subject: live.Subject(q), Fields: []string{}, Sources: []audit.Source{},
	}}
	if live.Tenants[q.Tenant] != nil { // what is no tenant may be a person, put in the wrong place
		a.Tenant = q.Tenant
	}
	return a
}

// auditCaller is who asks, nil where nobody is known. Systems are named; a subject that
// is not the client itself may be a person.
func (l *Live) auditCaller(who *Caller) *audit.Caller {
	switch {
	case who == nil:
		return nil
	case who.Certificate != nil: // an operator has written the name into the file
		return &audit.Caller{Certificate: who.Certificate}
	}
	c := &audit.Caller{Issuer: who.Issuer}
	for _, name := range []string{"client_id", "azp"} { // RFC 9068; OpenID Connect
		if client, ok := who.Claims[name].(string); ok && client != "" {
			c.Client = client
			break
		}
	}
	switch who.Subject {
	case "":
	case c.Client:
		c.Subject = who.Subject
	default:
		c.Subject = l.Pseudonyms.Caller(who.Issuer, who.Subject)
	}
	return c
}

// saw notes how it went with each source, before anything is hidden from the caller.
func (a *account) saw(slots []slot) {
	if a == nil {
		return
	}
	a.Sources = a.Sources[:0]
	for i := range slots {
		s := &slots[i]
		if s.outcome == Skipped || s.outcome == Unlinked {
			continue
		}
		source := audit.Source{Source: s.source.Name, Outcome: string(s.outcome), From: s.from}
		if s.fault != nil {
			source.Kind = s.fault.Kind.String()
		}
		a.Sources = append(a.Sources, source)
	}
}

// end notes what the caller is given: an answer, or an error.
func (a *account) end(answer *Answer, err error) {
	if a == nil || a.ended {
		return
	}
	a.ended, a.Took = true, time.Since(a.Time).Milliseconds()
	a.Time = a.Time.Truncate(time.Millisecond)
	refused := (*RequestError)(nil)
	switch {
	case err == nil:
		a.Status = answer.Status
		if answer.Data != nil {
			a.Fields = append(a.Fields, given(*answer.Data, nil)...)
		}
	case errors.As(err, &refused):
		a.Status = refused.Status
	case errors.Is(err, context.Canceled):
		a.Status = audit.StatusLeft
	default:
		a.Status = http.StatusInternalServerError
	}
}

// panicked notes that nobody knows what the caller is given, where nothing is noted yet.
func (a *account) panicked(ctx context.Context, g *Gateway) {
	if a != nil && !a.ended {
		a.end(nil, new(PanicError))
		_ = g.keep(ctx, a) // it is a 500 anyway
	}
}

// keep has records written. Its error is what the caller is told in place of an answer
// whose record could not be kept; or the context's, where nobody waits for one.
func (g *Gateway) keep(ctx context.Context, accounts ...*account) error {
	if g.audit == nil {
		return nil
	}
	records := make([]audit.Record, len(accounts))
	for i, a := range accounts {
		records[i] = a.Record
	}
	switch err := g.audit.Write(ctx, records...); {
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	default:
		return &RequestError{
			Status: http.StatusServiceUnavailable, Title: "Not recorded.",
			Reason:     "A record has to be kept of each query, and that is not possible now.",
			Resolution: "Retry after 5 seconds.", RetryAfter: 5 * time.Second,
		}
	}
}

// Refuse keeps the record of a query that was refused before it came here. It returns
// what the caller is told: the refusal, or that no record can be kept.
func (g *Gateway) Refuse(ctx context.Context, action audit.Action, q Query, refused *RequestError) error {
	a := g.account(g.live.Load(), action, q)
	a.end(nil, refused)
	return g.ended(ctx, a, refused)
}

// ended keeps the record of a query, and returns its error or that of its record.
func (g *Gateway) ended(ctx context.Context, a *account, err error) error {
	if a == nil {
		return err
	}
	if unkept := g.keep(ctx, a); unkept != nil {
		return unkept
	}
	return err
}

package httpapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"muster/adapters"
	"muster/gateway"
	"muster/gateway/audit"
	"muster/gateway/httpapi"
	"muster/normalize"
)

// engine answers what it is told to, and notes what it was asked.
type engine struct {
	answer gateway.Answer
	err    error
	lookup func(context.Context) // when given, called before answering
	asked  []gateway.Query
	live   *gateway.Live
}

func (e *engine) Lookup(ctx context.Context, q gateway.Query) (gateway.Answer, error) {
	e.asked = append(e.asked, q)
	if e.lookup != nil {
		e.lookup(ctx)
	}
	answer := e.answer
	answer.OperationID = q.OperationID
	return answer, e.err
}

// Lookups answers for everybody what it is told to.
func (e *engine) Lookups(ctx context.Context, q gateway.Query, users []map[string]string) ([]gateway.Result, error) {
	if e.err != nil {
		e.asked = append(e.asked, q)
		return nil, e.err
	}
	results := make([]gateway.Result, len(users))
	for i, ids := range users {
		q.IDs = ids
		results[i].Answer, _ = e.Lookup(ctx, q)
	}
	return results, nil
}

// Purge notes what it was asked, and ends as told.
func (e *engine) Purge(_ context.Context, q gateway.Query) error {
	e.asked = append(e.asked, q)
	return e.err
}

// Refuse notes nothing.
func (e *engine) Refuse(_ context.Context, _ audit.Action, _ gateway.Query, refused *gateway.RequestError) error {
	return refused
}

func (e *engine) Live() *gateway.Live { return e.live }

// upstream is asked by one kind of identifier.
type upstream struct{ kind string }

func (u upstream) Needs() [][]string   { return [][]string{{u.kind}} }
func (u upstream) Vouches(string) bool { return false }

func (u upstream) AsCaller() bool                       { return false }
func (u upstream) TenantNeeds() []string                { return nil }
func (u upstream) Yields() []string                     { return []string{normalize.Self} }
func (u upstream) Members() []string                    { return []string{"userName", "emails"} }
func (u upstream) Check(adapters.Query) *adapters.Fault { return nil }
func (u upstream) Choose(q adapters.Query) (a, b []string) {
	if q.IDs[u.kind] == "" {
		return nil, []string{u.kind}
	}
	return []string{u.kind}, nil
}

// live is a configuration of two tenants: the second may not ask badges.
func live() *gateway.Live {
	closed := func() string { return "closed" }
	return &gateway.Live{
		Sources: []*gateway.Source{
			{Name: "directory", About: "The people.", Upstream: upstream{"username"}, Breaker: closed},
			{Name: "badges", About: "The doors.", Upstream: upstream{"email"}, Breaker: func() string { return "half-open" }, Tenants: []string{"acme"}},
		},
		Tenants: map[string]*gateway.Tenant{
			"acme":   {Name: "acme", DefaultIdentifier: "username"},
			"globex": {Name: "globex", DefaultIdentifier: "username"},
		},
		Accept: []string{"username", "email"},
	}
}

const (
	jane    = "/v1/tenants/acme/users/email:jane@acme.example"
	traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	parent  = "00-" + traceID + "-00f067aa0ba902b7-01"
)

func ptr[T any](v T) *T { return &v }

func profile() *normalize.Profile {
	return &normalize.Profile{
		UserName: "jane", Active: ptr(true),
		Emails: []normalize.Email{{Value: "jane@acme.example", Primary: true, Verified: ptr(true), Sources: []string{"directory"}}},
	}
}

// complete is a 200 as the engine gives it.
func complete() gateway.Answer {
	return gateway.Answer{
		Status: http.StatusOK, Complete: ptr(true), ETag: "c0ffee", Data: profile(),
		Sources: []gateway.SourceResult{{Source: "directory", Outcome: gateway.OK, From: "cache", Age: ptr(112), Took: ptr(int64(0))}},
	}
}

func childError() gateway.ChildError {
	traits := adapters.RateLimited.Traits()
	return gateway.ChildError{
		Source: "badges", Kind: traits.Name, StatusCode: traits.StatusCode, OperationID: traceID,
		Error: traits.Error, Reason: traits.Reason, Resolution: traits.Resolution, RetryAfter: 17,
	}
}

// partial is a 207 as the engine gives it.
func partial() gateway.Answer {
	a := complete()
	a.Status, a.Complete = http.StatusMultiStatus, ptr(false)
	a.Error, a.Reason, a.Resolution = "Some sources did not answer.", "1 of 2 sources failed: badges (rate_limited).", "Retry after 17 seconds; what the other sources know is under data."
	a.ChildErrors, a.IncompleteFields = []gateway.ChildError{childError()}, []string{"emails"}
	a.Sources = append(a.Sources, gateway.SourceResult{Source: "badges", Outcome: gateway.Failed, From: "upstream", Age: ptr(0), Took: ptr(int64(12))})
	return a
}

// without is an answer that has no data.
func without(status int, children ...gateway.ChildError) gateway.Answer {
	return gateway.Answer{
		Status: status, Error: "No source answered.", Reason: "Failed: badges (rate_limited).", Resolution: "Retry after 17 seconds.",
		ChildErrors: append([]gateway.ChildError{}, children...),
		Sources:     []gateway.SourceResult{{Source: "badges", Outcome: gateway.Failed, From: "upstream", Age: ptr(0), Took: ptr(int64(12))}},
	}
}

// told is the engine told something else; to make a new door for every row of a
// table would be slow under the race detector.
func (e *engine) told(answer gateway.Answer, err error) { e.answer, e.err, e.asked = answer, err, nil }

// do sends a request; the header is given as names and values.
func do(t testing.TB, h http.Handler, method, target string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func newDoor(e *engine, o httpapi.Options) http.Handler {
	if e.live == nil {
		e.live = live()
	}
	return httpapi.New(e, o)
}

// body decodes a JSON body into what its members are.
func body(t testing.TB, w *httptest.ResponseRecorder) map[string]any {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &members); err != nil {
		t.Fatalf("the body is no JSON object: %v\n%s", err, w.Body)
	}
	return members
}

func instant() time.Time { return time.Date(2026, time.November, 24, 12, 0, 0, 0, time.UTC) }

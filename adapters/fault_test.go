package adapters_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"muster/adapters"
)

// The table of contract.md, "Kinds of failure", and what follows from it: which
// kinds may pass by themselves ("Status"), and for which what was known before
// may stand in.
func TestTheTableOfKinds(t *testing.T) {
	type row struct {
		Kind                        adapters.Kind
		Name                        string
		Status                      int
		Retry, Trips, Passes, Stale bool
	}
	want := []row{
		{adapters.NotFound, "not_found", 404, false, false, false, false},
		{adapters.Invalid, "invalid", 400, false, false, false, false},
		{adapters.Unauthenticated, "unauthenticated", 502, false, false, false, false},
		{adapters.Denied, "denied", 403, false, false, false, false},
		{adapters.Misconfigured, "misconfigured", 502, false, false, false, false},
		{adapters.RateLimited, "rate_limited", 429, false, false, true, true},
		{adapters.Unavailable, "unavailable", 503, true, true, true, true},
		{adapters.Timeout, "timeout", 504, true, true, true, true},
		{adapters.Malformed, "malformed", 502, false, true, false, true},
		{adapters.Mismatch, "mismatch", 409, false, false, false, false},
		{adapters.Open, "open", 503, false, false, true, true},
		{adapters.Unresolved, "unresolved", 424, false, false, true, true},
		{adapters.Pending, "pending", 202, false, false, true, true},
	}
	var got []row
	for _, k := range adapters.Kinds() {
		traits := k.Traits()
		got = append(got, row{k, k.String(), traits.StatusCode, traits.Retry, traits.Trips, traits.MayPass, traits.StaleServe})
		if traits.Error == "" || traits.Reason == "" || traits.Resolution == "" {
			t.Errorf("%v has nothing to tell a caller", k)
		}
		if parsed, ok := adapters.ParseKind(k.String()); !ok || parsed != k {
			t.Errorf("ParseKind(%q) = %v, %t", k, parsed, ok)
		}
	}
	expect(t, "table", got, want)

	if k, ok := adapters.ParseKind("teapot"); ok || k != 0 {
		t.Errorf("ParseKind(teapot) = %v, %t", k, ok)
	}
	expect(t, "the zero kind", adapters.Kind(0).Traits(), adapters.Traits{Name: "unavailable", StatusCode: 503})
}

func TestKindOfStatus(t *testing.T) {
	want := func(status int) adapters.Kind { // providers.md, "response"
		switch {
		case status >= 200 && status <= 299:
			return 0
		case status == 401:
			return adapters.Unauthenticated
		case status == 403:
			return adapters.Denied
		case status == 404, status == 410:
			return adapters.NotFound
		case status == 429:
			return adapters.RateLimited
		case status == 408:
			return adapters.Unavailable
		case status >= 400 && status <= 499:
			return adapters.Invalid
		case status >= 500:
			return adapters.Unavailable
		default:
			return adapters.Misconfigured
		}
	}
	for status := range 1000 {
		if got := adapters.KindOfStatus(status); got != want(status) {
			t.Errorf("KindOfStatus(%d) = %v, want %v", status, got, want(status))
		}
	}
	for _, test := range []struct {
		status int
		want   adapters.Kind
	}{
		{200, 0},
		{207, 0},
		{299, 0},
		{301, adapters.Misconfigured},
		{304, adapters.Misconfigured},
		{400, adapters.Invalid},
		{401, adapters.Unauthenticated},
		{403, adapters.Denied},
		{404, adapters.NotFound},
		{408, adapters.Unavailable},
		{409, adapters.Invalid},
		{410, adapters.NotFound},
		{422, adapters.Invalid},
		{429, adapters.RateLimited},
		{500, adapters.Unavailable},
		{503, adapters.Unavailable},
		{101, adapters.Misconfigured},
	} {
		expect(t, fmt.Sprint(test.status), adapters.KindOfStatus(test.status), test.want)
	}
}

func TestFaultOf(t *testing.T) {
	fault := adapters.Fail(adapters.Denied, "asking", io.ErrUnexpectedEOF)
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"a fault", fault, "denied: asking"},
		{"a wrapped fault", fmt.Errorf("outer: %w", fault), "denied: asking"},
		{"a fault without a step", adapters.Fail(adapters.Open, "", nil), "open"},
		{"a deadline", fmt.Errorf("outer: %w", context.DeadlineExceeded), "timeout: the deadline passed"},
		{"a caller who left", context.Canceled, "unavailable: the source failed unexpectedly"},
		{"anything else", errors.New("jane@acme.example"), "unavailable: the source failed unexpectedly"},
	} {
		t.Run(test.name, func(t *testing.T) {
			expect(t, "fault", adapters.FaultOf(test.err).Error(), test.want)
			expect(t, "abandoned", adapters.Abandoned(adapters.FaultOf(test.err)), errors.Is(test.err, context.Canceled))
		})
	}
	if got := adapters.FaultOf(nil); got != nil {
		t.Errorf("FaultOf(nil) = %v", got)
	}
	if !errors.Is(fault, io.ErrUnexpectedEOF) {
		t.Error("the cause is lost")
	}
}

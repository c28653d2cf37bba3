package adapters

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"
)

// Kind is one of the closed set of ways in which asking a source can fail. All
// that depends on the way (retry, breaker, cache, rendering) is read from Traits.
type Kind uint8

// The kinds of failure, as contract.md lists them.
const (
	NotFound Kind = iota + 1
	Invalid
	Unauthenticated
	Denied
	Misconfigured
	RateLimited
	Unavailable
	Timeout
	Malformed
	Mismatch
	Open
	Unresolved
	Pending
)

// Traits is a row of the table of kinds: everything that the gateway decides
// by the kind of a failure.
type Traits struct {
	Name       string // as it stands in answers, metrics and definitions
	StatusCode int    // of the child error

	Retry      bool // asking again at once may help
	Trips      bool // counts against the source's breaker
	MayPass    bool // may pass by itself: the answer is a 503 that says when to come back
	StaleServe bool // what was known before may stand in; a 401, 403 or 404 takes it away

	// Error, Reason and Resolution are what a caller is told. Nothing of an
	// upstream's own text is: that goes to the trace and the log.
	Error, Reason, Resolution string
}

// Traits returns the kind's row of the table. This function is the table: no
// other place in Muster decides by a status or a kind's name.
func (k Kind) Traits() Traits {
	switch k {
	case NotFound:
		return Traits{
			Name: "not_found", StatusCode: http.StatusNotFound,
			Error: "Not found.", Reason: "The upstream knows no such person.", Resolution: "Check the identifier.",
		}
	case Invalid:
		return Traits{
			Name: "invalid", StatusCode: http.StatusBadRequest,
			Error: "Invalid identifier.", Reason: "The identifier cannot be one of this upstream's.", Resolution: "Check the form of the identifier.",
		}
	case Unauthenticated:
		return Traits{
			Name: "unauthenticated", StatusCode: http.StatusBadGateway,
			Error: "Not authenticated.", Reason: "The upstream refused the gateway's credential.", Resolution: "Ask an operator to renew the credential.",
		}
	case Denied:
		return Traits{
			Name: "denied", StatusCode: http.StatusForbidden,
			Error: "Access denied.", Reason: "The gateway's credential may not see this person.", Resolution: "Ask an operator to widen the credential's rights.",
		}
	case Misconfigured:
		return Traits{
			Name: "misconfigured", StatusCode: http.StatusBadGateway,
			Error: "Misconfigured.", Reason: "The upstream does not know the address or tenant that is configured.", Resolution: "Ask an operator to check the provider's settings.",
		}
	case RateLimited:
		return Traits{
			Name: "rate_limited", StatusCode: http.StatusTooManyRequests, MayPass: true, StaleServe: true,
			Error: "Too many requests.", Reason: "The upstream limits how often it may be asked.", Resolution: "Retry later.",
		}
	case Unavailable:
		return Traits{
			Name: "unavailable", StatusCode: http.StatusServiceUnavailable, Retry: true, Trips: true, MayPass: true, StaleServe: true,
			Error: "Unavailable.", Reason: "The upstream failed or could not be reached.", Resolution: "Retry later.",
		}
	case Timeout:
		return Traits{
			Name: "timeout", StatusCode: http.StatusGatewayTimeout, Retry: true, Trips: true, MayPass: true, StaleServe: true,
			Error: "Timed out.", Reason: "The upstream did not answer in time.", Resolution: "Retry later.",
		}
	case Malformed:
		return Traits{
			Name: "malformed", StatusCode: http.StatusBadGateway, Trips: true, StaleServe: true,
			Error: "Malformed reply.", Reason: "The upstream's reply is not what its documentation says.", Resolution: "Ask an operator to compare the reply with the definition.",
		}
	case Mismatch:
		return Traits{
			Name: "mismatch", StatusCode: http.StatusConflict,
			Error: "Mismatch.", Reason: "The upstream's record is not this person's, or more than one person answers to the identifier.", Resolution: "Ask an operator to check the links of this person.",
		}
	case Open:
		return Traits{
			Name: "open", StatusCode: http.StatusServiceUnavailable, MayPass: true, StaleServe: true,
			Error: "Unavailable.", Reason: "The upstream failed too often and is not being asked for a while.", Resolution: "Retry later.",
		}
	case Unresolved:
		return Traits{
			Name: "unresolved", StatusCode: http.StatusFailedDependency, MayPass: true, StaleServe: true,
			Error: "Unresolved.", Reason: "The source that would have given the identifier needed here failed.", Resolution: "Retry later.",
		}
	case Pending:
		return Traits{
			Name: "pending", StatusCode: http.StatusAccepted, MayPass: true, StaleServe: true,
			Error: "Pending.", Reason: "The upstream had not answered when the preferred wait ran out.", Resolution: "Ask again: the reply is kept when it comes.",
		}
	default:
		return Traits{Name: "unavailable", StatusCode: http.StatusServiceUnavailable}
	}
}

// Kinds lists every kind in the order of the table.
func Kinds() []Kind {
	kinds := make([]Kind, 0, Pending)
	for k := NotFound; k <= Pending; k++ {
		kinds = append(kinds, k)
	}
	return kinds
}

// String is the kind's name in answers and definitions.
func (k Kind) String() string { return k.Traits().Name }

// ParseKind finds the kind of that name; ok tells whether there is one.
func ParseKind(name string) (k Kind, ok bool) {
	i := slices.IndexFunc(Kinds(), func(k Kind) bool { return k.String() == name })
	if i < 0 {
		return 0, false
	}
	return Kinds()[i], true
}

// KindOfStatus classifies an HTTP status where the definition decides nothing
// else (providers.md, "response"). It is 0 for a 2xx, which is no failure.
func KindOfStatus(status int) Kind {
	switch {
	case status >= 200 && status < 300:
		return 0
	case status == http.StatusUnauthorized:
		return Unauthenticated
	case status == http.StatusForbidden:
		return Denied
	case status == http.StatusNotFound, status == http.StatusGone:
		return NotFound
	case status == http.StatusTooManyRequests:
		return RateLimited
	case status == http.StatusRequestTimeout, status >= 500:
		return Unavailable
	case status >= 400:
		return Invalid
	default:
		return Misconfigured // 1xx and 3xx: redirects are never followed
	}
}

// Detail is what an upstream said of a failure in its own words. It is for the
// trace and the log; of all of it a caller sees only Ref, and the details of a
// partial answer's children, which their definition means to be shown.
type Detail struct {
	Status  int    // HTTP status, 0 when there was no reply
	Code    string // the upstream's own error code
	Message string
	Hint    string
	Ref     string // the upstream's own operation id
	Subject string // which part of the record it concerns
	Details []string
}

// Fault is why a source has no record, or (as a child of a partial answer) what
// is missing from it. It is the only error that an Adapter returns.
type Fault struct {
	Kind       Kind
	RetryAfter time.Duration // when asking again may help; 0 when nobody said
	Step       string        // which step failed, for the log: ours to word, no personal data in it
	Detail     Detail        // what the upstream said, for the trace
	cause      error
}

// Fail makes a Fault. The step says what was being done, not on whom: it holds
// no personal data and no address.
func Fail(kind Kind, step string, cause error) *Fault {
	return &Fault{Kind: kind, Step: step, cause: cause}
}

// Error is fit for a log: the kind and the step, nothing of a person.
func (f *Fault) Error() string {
	if f.Step == "" {
		return f.Kind.String()
	}
	return f.Kind.String() + ": " + f.Step
}

// Unwrap gives the cause, so that errors.Is finds context.Canceled and the like.
func (f *Fault) Unwrap() error { return f.cause }

// FaultOf finds the Fault in an error. An error that is none (a panic, a
// foreign adapter's) counts as unavailable, a deadline as timeout; nil stays nil.
func FaultOf(err error) *Fault {
	var fault *Fault
	switch {
	case err == nil:
		return nil
	case errors.As(err, &fault):
		return fault
	case errors.Is(err, context.DeadlineExceeded):
		return Fail(Timeout, "the deadline passed", err)
	default:
		return Fail(Unavailable, "the source failed unexpectedly", err)
	}
}

// Abandoned tells that the caller went away before the source answered: that
// says nothing about the source.
func Abandoned(err error) bool { return errors.Is(err, context.Canceled) }

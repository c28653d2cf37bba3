package audit

import "time"

// Version is of the form of a Record. What is added leaves it as it is; what changes the
// meaning of something that was there does not.
const Version = 1

// Action is what was asked for.
type Action string

// All there is to be done to a person.
const (
	Lookup Action = "lookup" // they were looked up, be it by themselves
	Purge  Action = "purge"  // what is kept of them was to be forgotten
)

// Record is one query about one person.
type Record struct {
	Version     int          `json:"version"`
	Time        time.Time    `json:"time"`        // at which it was asked
	OperationID string       `json:"operationId"` // the trace's; all people of a batch have one
	Action      Action       `json:"action"`
	Caller      *Caller      `json:"caller,omitempty"` // nil where nobody is known
	Tenant      string       `json:"tenant,omitempty"` // "" where no such tenant is configured
	Subject     []Identifier `json:"subject"`          // who was asked for; empty where the query does not say
	Status      int          `json:"status"`           // of the answer; StatusLeft where nobody waited for it
	Fields      []string     `json:"fields"`           // members of the profile that were shown
	Sources     []Source     `json:"sources"`          // that were asked, or whose answer was kept
	Took        int64        `json:"took"`             // milliseconds
}

// StatusLeft is the status of a query whose caller has left: nginx's number, which no
// client ever sees.
const StatusLeft = 499

// Caller is who asked, with a token or with a certificate. The issuer, the client and the
// certificate's name are systems; the subject may be a person.
type Caller struct {
	Issuer      string            `json:"issuer,omitempty"`
	Client      string            `json:"client,omitempty"`
	Subject     string            `json:"subject,omitempty"`     // keyed hash; in the clear where it is the client
	Certificate map[string]string `json:"certificate,omitempty"` // uri or dns, and the name
}

// Identifier is one by which somebody was asked for.
type Identifier struct {
	Kind string `json:"kind"`
	Hash string `json:"hash"`
}

// Source is how it went with one source, whatever the caller was shown of it.
type Source struct {
	Source  string `json:"source"`
	Outcome string `json:"outcome"`        // ok, partial, absent or failed
	Kind    string `json:"kind,omitempty"` // of the failure
	From    string `json:"from,omitempty"` // upstream, cache, stale or shared; "" where it failed before it was asked
}

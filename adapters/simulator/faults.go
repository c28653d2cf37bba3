package simulator

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Fault is one way in which a vendor fails.
type Fault struct {
	Kind       string        // one of FaultKinds; empty with a Latency is "latency"
	Person     string        // an id of that vendor (KOBIL: user name or id; CSP: user id or account); empty: everybody
	Latency    time.Duration // waited before the answer, or before any other fault
	RetryAfter string        // Retry-After of a 429, 503 or limit-exceeded, as written; empty: none. For 429-date: seconds from now
	Times      int           // calls until the fault is spent; 0: until it is cleared
}

// FaultKind is one kind of fault and what it does.
type FaultKind struct{ Kind, About string }

// FaultKinds are the kinds that SetFault and the control endpoint accept.
func FaultKinds() []FaultKind {
	return []FaultKind{
		{"latency", "answers after a while"},
		{"hang", "never answers: waits for the client to leave, or 60 seconds"},
		{"reset", "resets the connection (TCP RST)"},
		{"401", "refuses the credential"},
		{"403", "refuses the person"},
		{"404", "knows no such person; AVEVA: no such tenant"},
		{"429", "too many requests, with Retry-After as given"},
		{"429-date", "too many requests, with Retry-After as an HTTP date"},
		{"500", "internal error; the body carries a canary"},
		{"503", "unavailable"},
		{"limit-exceeded", "too many requests in the vendor's own way: AVEVA's is a 400, the others' 429"},
		{"multi-status", "AVEVA: 207 with child errors and part of the data; elsewhere 503"},
		{"failure-in-200", "a failure in the vendor's own words under the status 200"},
		{"absent-in-200", "no such person, in the vendor's own words under the status 200"},
		{"html", "200 with a login page"},
		{"truncated", "half of the body under the Content-Length of the whole"},
		{"huge", "a body of more than 8 MiB, well-formed and with the right record"},
		{"wrong-person", "another person's record; a search finds that person alone"},
		{"token-401", "the token endpoint refuses the credential"},
		{"token-500", "the token endpoint fails"},
	}
}

func (f Fault) onTokens() bool { return strings.HasPrefix(f.Kind, "token-") }

// concerns tells whether a fault is meant for the person of a call, by any name that the vendor has for them.
func (f Fault) concerns(vendor string, c *call) bool {
	return f.Person == "" || strings.EqualFold(f.Person, c.user) ||
		c.person != nil && strings.EqualFold(f.Person, c.person.IDs[vendor])
}

// checked is the fault as the vendor will show it, or what is wrong with it.
func (f Fault) checked(v *vendor) (Fault, error) {
	if f.Kind == "" && f.Latency > 0 {
		f.Kind = "latency"
	}
	var kinds []string
	for _, k := range FaultKinds() {
		kinds = append(kinds, k.Kind)
	}
	_, issues := v.dialect.(tokenDialect)
	_, err := strconv.Atoi(f.RetryAfter)
	switch {
	case !slices.Contains(kinds, f.Kind):
		return f, fmt.Errorf("no fault kind %q: the kinds are %q", f.Kind, kinds)
	case f.Kind == "latency" && f.Latency <= 0:
		return f, fmt.Errorf(`a fault of kind "latency" needs a latency above zero, like "250ms"`)
	case f.Latency < 0 || f.Times < 0:
		return f, fmt.Errorf("latency and times cannot be negative")
	case f.Kind == "429-date" && err != nil:
		return f, fmt.Errorf(`a fault of kind "429-date" needs retryAfter in seconds, like "17"`)
	case f.onTokens() && !issues:
		return f, fmt.Errorf("vendor %q has no token endpoint", v.name)
	case f.onTokens() && f.Person != "":
		return f, fmt.Errorf("a fault of the token endpoint concerns everybody: leave person empty")
	}
	return f, nil
}

// faults are those set and not yet spent, by vendor.
type faults struct {
	mu       sync.Mutex
	byVendor map[string][]Fault
}

func newFaults() *faults { return &faults{byVendor: make(map[string][]Fault)} }

func (fs *faults) set(vendor string, f Fault) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	kept := slices.DeleteFunc(fs.byVendor[vendor], func(old Fault) bool {
		return old.Person == f.Person && old.onTokens() == f.onTokens()
	})
	if f.Person == "" {
		fs.byVendor[vendor] = append(kept, f)
	} else { // before those for everybody
		fs.byVendor[vendor] = append([]Fault{f}, kept...)
	}
}

// take finds the first fault that applies and counts it down.
func (fs *faults) take(vendor string, applies func(Fault) bool) (Fault, bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	list := fs.byVendor[vendor]
	i := slices.IndexFunc(list, applies)
	if i < 0 {
		return Fault{}, false
	}
	f := list[i]
	if f.Times == 1 {
		fs.byVendor[vendor] = slices.Delete(list, i, i+1)
	} else if f.Times > 1 {
		list[i].Times--
	}
	return f, true
}

func (fs *faults) clear(vendor string) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if vendor == "" {
		clear(fs.byVendor)
	}
	delete(fs.byVendor, vendor)
}

// snapshot are the faults of every vendor, empty lists included.
func (fs *faults) snapshot() map[string][]Fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	all := make(map[string][]Fault)
	for _, name := range Vendors() {
		all[name] = append([]Fault{}, fs.byVendor[name]...)
	}
	return all
}

// An effect writes what a fault makes of a call.
type effect func(w http.ResponseWriter, c *call, f Fault)

// effect is that of a kind; of none, and of latency, it is the vendor's plain answer.
func (v *vendor) effect(kind string) effect {
	switch kind {
	case "hang":
		return hang
	case "reset":
		return reset
	case "401", "403", "404", "429", "500", "503":
		return v.refused
	case "429-date":
		return v.refusedUntil
	case "limit-exceeded":
		return v.limited
	case "html":
		return loginPage
	case "truncated":
		return v.truncated
	}
	return func(w http.ResponseWriter, c *call, f Fault) { v.altered(c, f).write(w) }
}

// altered is the answer after a fault that is a whole reply. A call that the vendor would refuse anyway stays refused.
func (v *vendor) altered(c *call, f Fault) reply {
	plain := v.answer(c)
	if plain.status != http.StatusOK {
		return plain
	}
	self, reports := v.dialect.(selfReporter)
	switch f.Kind {
	case "multi-status":
		if reports {
			return self.multiStatus(c, http.StatusMultiStatus)
		}
		return v.dialect.refuse(c, http.StatusServiceUnavailable)
	case "failure-in-200":
		if reports {
			return self.multiStatus(c, http.StatusOK)
		}
		return v.dialect.refuse(c, http.StatusInternalServerError).as(http.StatusOK)
	case "absent-in-200":
		return v.answer(c.about(nil)).as(http.StatusOK)
	case "huge":
		return swollen(plain)
	case "wrong-person":
		return v.answer(c.about(v.directory.neighbour(c.realm, c.person)))
	}
	return plain
}

func (v *vendor) refused(w http.ResponseWriter, c *call, f Fault) {
	status, _ := strconv.Atoi(f.Kind) // the kinds that come here are numbers
	rep := v.dialect.refuse(c, status)
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		rep = rep.with("Retry-After", f.RetryAfter)
	}
	rep.write(w)
}

func (v *vendor) refusedUntil(w http.ResponseWriter, c *call, f Fault) {
	seconds, _ := strconv.Atoi(f.RetryAfter) // checked when it was set
	date := v.clock().Add(time.Duration(seconds) * time.Second).UTC().Format(http.TimeFormat)
	v.dialect.refuse(c, http.StatusTooManyRequests).with("Retry-After", date).write(w)
}

func (v *vendor) limited(w http.ResponseWriter, c *call, f Fault) {
	rep := v.dialect.refuse(c, http.StatusTooManyRequests)
	if self, ok := v.dialect.(selfReporter); ok {
		rep = self.limitExceeded(c)
	}
	rep.with("Retry-After", f.RetryAfter).write(w)
}

func (v *vendor) truncated(w http.ResponseWriter, c *call, _ Fault) {
	rep := v.answer(c)
	rep.begin(w, len(rep.body))
	_, _ = w.Write(rep.body[:len(rep.body)/2])
	_ = http.NewResponseController(w).Flush() // else the abort would drop what is still buffered
	panic(http.ErrAbortHandler)               // ends the connection short of what was promised
}

func hang(_ http.ResponseWriter, c *call, _ Fault) {
	sleep(c.r.Context(), time.Minute)
	panic(http.ErrAbortHandler) // no empty 200 at the end
}

// reset closes the connection at once; with SO_LINGER at zero that is a RST instead of a FIN.
func reset(w http.ResponseWriter, _ *call, _ Fault) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2 cannot be hijacked: it resets the stream
	}
	if tcp, ok := conn.(interface{ SetLinger(sec int) error }); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

func loginPage(w http.ResponseWriter, _ *call, _ Fault) {
	page := text(http.StatusOK, "<!DOCTYPE html><html><head><title>Sign in</title></head>"+
		`<body><form action="/login" method="post"><input name="user"><input name="password" type="password"></form></body></html>`)
	page.with("Content-Type", "text/html; charset=utf-8").write(w)
}

// swollen puts a member of 8 MiB before the others of a JSON object.
func swollen(rep reply) reply {
	padding := append([]byte(`{"padding":"`), bytes.Repeat([]byte("x"), 8<<20)...)
	rep.body = slices.Concat(padding, []byte(`",`), rep.body[1:])
	return rep
}

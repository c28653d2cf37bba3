package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"muster/adapters/simulator"
	"muster/cache"
	"muster/gateway"
)

var lookups = flag.Int("lookups", 20_000, "how many lookups hunt for somebody else's data")

// TestNobodyIsTakenForAnother looks up everybody who is dangerous by everything that
// is theirs, and by every address that is at them, through the five systems and the
// searches, without an operator's links: in no answer is there a mark of a person
// whose identifier it is not.
func TestNobodyIsTakenForAnother(t *testing.T) {
	t.Parallel()
	h := newHunt(t, newSearchable(t, 0))
	answered := 0
	for range 2 { // cold, then with what was learned
		for i := range h.asked {
			if h.ask(t, &h.asked[i], cache.Want{}) {
				answered++
			}
		}
	}
	t.Logf("%d identifiers, %d profiles", len(h.asked), answered)
	if len(h.asked) < 500 || answered < 400 {
		t.Errorf("only %d identifiers and %d profiles", len(h.asked), answered)
	}
}

// TestNobodyIsTakenForAnotherUnderLoad does so with eight at a time, while systems fail
// in changing ways, and with lifetimes so short that everything is met at every age.
func TestNobodyIsTakenForAnotherUnderLoad(t *testing.T) {
	t.Parallel()
	s := newSearchable(t, 0, "limits: {cache: {ttl: 300ms, stale: 300ms, negative: 100ms}, breaker: {open: 200ms}}")
	s.live.LinksFor = time.Second
	h := newHunt(t, s)
	seed := uint64(time.Now().UnixNano()) //nolint:gosec // any number will do
	t.Logf("seed %d", seed)

	done := make(chan struct{})
	var breaking, asking sync.WaitGroup
	breaking.Go(func() { h.breakThings(t, rand.New(rand.NewPCG(seed, 0)), done) })
	var begun, answered atomic.Int64
	for worker := range uint64(8) {
		asking.Go(func() {
			r := rand.New(rand.NewPCG(seed, 1+worker))
			for begun.Add(1) <= int64(*lookups) && !t.Failed() {
				if h.ask(t, &h.asked[r.IntN(len(h.asked))], cache.Want{NoCache: r.IntN(20) == 0}) {
					answered.Add(1)
				}
			}
		})
	}
	asking.Wait()
	close(done)
	breaking.Wait()
	calls := int64(0)
	for _, vendor := range simulator.Vendors() {
		calls += s.Calls(vendor) + s.Searches(vendor)
	}
	t.Logf("%d lookups, %d with a profile, %d calls", *lookups, answered.Load(), calls)
	if answered.Load() < int64(*lookups)/4 || calls < int64(*lookups)/4 {
		t.Errorf("of %d lookups only %d have a profile, with %d calls", *lookups, answered.Load(), calls)
	}
}

// hunt looks for data of others.
type hunt struct {
	*searchable
	gateway *gateway.Gateway
	asked   []sought
	marks   map[string]string // whose they are
}

// sought is an identifier to ask by, and the marks of those whose it is.
type sought struct {
	tenant, user, why string
	owners            []string
}

func newHunt(t *testing.T, s *searchable) *hunt {
	t.Helper()
	h := &hunt{searchable: s, gateway: s.whole(t), marks: map[string]string{}}
	for _, p := range s.Dangerous("") {
		h.marks[p.Danger.Mark] = p.Danger.Case + " " + p.Danger.Part
		for user, owners := range whose(s, &p) {
			kind, _, _ := strings.Cut(user, ":")
			if slices.Contains(s.live.Accept, kind) {
				h.asked = append(h.asked, sought{p.Tenant, user, p.Danger.Case + " " + p.Danger.Part, owners})
			}
		}
	}
	slices.SortFunc(h.asked, func(a, b sought) int { return strings.Compare(a.tenant+a.user+a.why, b.tenant+b.user+b.why) })
	return h
}

var anyMark = regexp.MustCompile(`w[0-9a-f]{12}`)

// ask looks somebody up, and whether all that comes is theirs. It tells whether
// anything came.
func (h *hunt) ask(t *testing.T, by *sought, want cache.Want) bool {
	t.Helper()
	a, err := h.gateway.Lookup(t.Context(), gateway.Query{Tenant: by.tenant, User: by.user, Provenance: true, OperationID: "op", Want: want})
	if err != nil {
		return false // a value that fits nowhere
	}
	text, err := json.Marshal(a)
	if err != nil {
		t.Error(err)
	}
	for _, mark := range anyMark.FindAllString(string(text), -1) {
		if whose, known := h.marks[mark]; known && !slices.Contains(by.owners, mark) {
			t.Errorf("%s (%s): there is something of %s in\n%s", by.user, by.why, whose, text)
			return true
		}
	}
	if a.Data == nil {
		return false
	}
	for _, id := range a.Data.Identifiers {
		if !slices.Contains([]string{"csp", "numium", "itwin"}, id.Kind) {
			continue
		}
		owner, known := h.Owner(id.Kind, by.tenant, id.Value)
		if !known || owner.Danger == nil || !slices.Contains(by.owners, owner.Danger.Mark) {
			t.Errorf("%s (%s): %s:%s is somebody else's, in\n%s", by.user, by.why, id.Kind, id.Value, text)
		}
	}
	return true
}

// breakThings lets systems fail for everybody or for one, in another way every few
// milliseconds. Left out is what only takes time (hang, latency, huge), what keeps a system
// from being asked at all, and another's claims in the place of somebody's from the one
// system whose claims name nobody: that cannot be seen (TestFaults).
func (h *hunt) breakThings(t *testing.T, r *rand.Rand, done <-chan struct{}) {
	t.Helper()
	dangerous := h.Dangerous("")
	for {
		select {
		case <-done:
			return
		case <-time.After(5 * time.Millisecond):
		}
		vendor, kinds := simulator.Vendors()[r.IntN(len(simulator.Vendors()))], simulator.FaultKinds()
		fault := simulator.Fault{Kind: kinds[r.IntN(len(kinds))].Kind, Times: 1 + r.IntN(5)}
		if r.IntN(4) > 0 {
			fault.Person = dangerous[r.IntN(len(dangerous))].IDs[vendor]
		}
		switch fault.Kind {
		case "hang", "latency", "huge", "429", "429-date", "limit-exceeded":
			continue
		case "wrong-person":
			if vendor == "aveva" {
				continue
			}
		case "token-401", "token-500":
			fault.Person = ""
			if !tokenFaults()[vendor] {
				continue
			}
		}
		if err := h.SetFault(vendor, fault); err != nil {
			t.Error(fmt.Errorf("%s: %w", vendor, err))
			return
		}
	}
}

// whose are the identifiers that a dangerous person may be looked up by, and the
// marks of those whom they really are.
func whose(s *searchable, p *simulator.Person) map[string][]string {
	users := map[string][]string{}
	mark := func(people ...simulator.Person) (all []string) {
		for _, p := range people {
			if p.Danger != nil {
				all = append(all, p.Danger.Mark)
			}
		}
		return all
	}
	for _, kind := range slices.Sorted(maps.Keys(p.IDs)) {
		users[kind+":"+p.IDs[kind]] = mark(*p)
	}
	addresses := []string{p.Danger.Address}
	for _, a := range p.Accounts {
		addresses = append(addresses, a.Email, a.AlternativeEmail)
	}
	for _, address := range addresses {
		if address != "" {
			users["email:"+address] = mark(s.Holders(p.Tenant, address)...)
		}
	}
	return users
}

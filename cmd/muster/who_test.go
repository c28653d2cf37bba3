package main

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/metric/noop"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"muster/adapters/simulator"
	"muster/gateway"
)

// TestNobodyIsTakenForAnother looks up everybody who is dangerous by everything that
// is theirs, and by every address that is at them, through the five systems and the
// searches, without an operator's links: in no answer is there a mark of a person
// whose identifier it is not.
func TestNobodyIsTakenForAnother(t *testing.T) {
	t.Parallel()
	s := newSearchable(t, 0)
	g, err := gateway.New(s.live, gateway.Options{CacheBytes: 16 << 20, Tracer: tracenoop.NewTracerProvider().Tracer(""), Meter: noop.NewMeterProvider().Meter("")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	marks := map[string]string{} // whose they are
	for _, p := range s.Dangerous("") {
		marks[p.Danger.Mark] = p.Danger.Case + " " + p.Danger.Part
	}
	lookups, answered := 0, 0
	for range 2 { // cold, then with what was learned
		for _, p := range s.Dangerous("") {
			for user, owners := range whose(s, &p) {
				a, err := g.Lookup(t.Context(), gateway.Query{Tenant: p.Tenant, User: user, Provenance: true, OperationID: "op"})
				if err != nil {
					continue // a kind that is not accepted, a value that fits nowhere
				}
				lookups++
				if a.Data != nil {
					answered++
				}
				text, err := json.Marshal(a)
				if err != nil {
					t.Fatal(err)
				}
				for mark, whose := range marks {
					if strings.Contains(string(text), mark) && !slices.Contains(owners, mark) {
						t.Errorf("%s (%s %s): there is something of %s in\n%s", user, p.Danger.Case, p.Danger.Part, whose, text)
					}
				}
			}
		}
	}
	t.Logf("%d lookups, %d with a profile", lookups, answered)
	if lookups < 500 || answered < 200 {
		t.Errorf("only %d lookups and %d profiles", lookups, answered)
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

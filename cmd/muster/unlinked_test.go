package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/metric/noop"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"muster/adapters"
	"muster/adapters/simulator"
	"muster/cache"
	"muster/gateway"
	"muster/normalize"
)

// plain are those of a tenant whom csp and kobil know under one verified address, and
// the other systems under the same: nothing keeps the systems from being linked.
func plain(s *simulator.Simulation, tenant string) []simulator.Person {
	return slices.DeleteFunc(s.People(), func(p simulator.Person) bool {
		_, csp := p.Accounts["csp"]
		_, kobil := p.Accounts["kobil"]
		odd := p.Tenant != tenant || p.FaultAt != "" || p.Danger != nil || !csp || !kobil || p.Has("two-emails")
		for system, a := range p.Accounts {
			odd = odd || system != "aveva" && !strings.EqualFold(a.Email, p.IDs["email"]) ||
				(system == "csp" || system == "kobil") && (!a.EmailVerified || a.AlternativeEmail != "")
		}
		return odd
	})
}

// whole opens a gateway that has learned nothing yet.
func (s *searchable) whole(t *testing.T) *gateway.Gateway {
	t.Helper()
	g, err := gateway.New(s.live, gateway.Options{CacheBytes: 16 << 20, Tracer: tracenoop.NewTracerProvider().Tracer(""), Meter: noop.NewMeterProvider().Meter("")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

// ofWhom asks the gateway for somebody, and tells in which wave every source answered.
func ofWhom(t *testing.T, g *gateway.Gateway, p simulator.Person, kind string) (gateway.Answer, map[string]int) {
	t.Helper()
	a, err := g.Lookup(t.Context(), gateway.Query{Tenant: p.Tenant, User: kind + ":" + p.IDs[kind], OperationID: "op"})
	if err != nil {
		t.Fatal(err)
	}
	waves := map[string]int{}
	for _, s := range a.Sources {
		if s.Outcome == gateway.OK {
			waves[s.Source] = s.Wave
		}
	}
	return a, waves
}

// TestOneIdentifierOfFive asks for people without an operator's links: by whichever
// identifier leads to all, the data and the id are the same; the first time it takes
// the waves that the data forces, the second time one.
func TestOneIdentifierOfFive(t *testing.T) {
	t.Parallel()
	s := newSearchable(t, 400)
	for _, tenant := range []string{"acme", "globex", "initech"} {
		people := plain(s.Simulation, tenant)
		if len(people) < 5 {
			t.Errorf("only %d people of %s are plain", len(people), tenant)
		}
		for _, p := range people[:min(5, len(people))] {
			var first gateway.Answer
			firstID := ""
			kinds := []string{"email", "username", "csp", "itwin"}
			for _, kind := range kinds {
				if p.IDs[kind] == "" {
					continue
				}
				g := s.whole(t)
				for _, time := range []string{"cold", "warm"} {
					a, waves := ofWhom(t, g, p, kind)
					if diff := cmp.Diff(wavesTo(p, kind, time == "warm"), waves); diff != "" || a.Status != http.StatusOK {
						t.Errorf("%s by %s, %s: status %d, waves (-want +got):\n%s", p.IDs["email"], kind, time, a.Status, diff)
					}
					if firstID == "" {
						first, firstID = a, a.Data.ID
					}
					if diff := cmp.Diff(first.Data, a.Data); diff != "" || firstID == "" {
						t.Errorf("%s by %s, %s, is another than by %s (-that +this):\n%s", p.IDs["email"], kind, time, kinds[0], diff)
					}
				}
			}
		}
	}
}

// wavesTo is when every source that knows somebody answers, by what the systems need.
func wavesTo(p simulator.Person, kind string, warm bool) map[string]int {
	searched, found := 1, 2 // by the address; by what the searches say
	if kind != "email" {    // the first system says the address
		searched, found = 2, 3
	}
	waves := map[string]int{}
	for search, system := range map[string]string{"csp-search": "csp", "kobil-search": "kobil", "numium-by-email": "", "itwin-search": "itwin"} {
		vendor := strings.TrimSuffix(strings.TrimSuffix(search, "-search"), "-by-email")
		if _, known := p.Accounts[vendor]; !known {
			continue
		}
		waves[search] = searched
		if system != "" {
			waves[system] = found
		}
	}
	if system := map[string]string{"username": "kobil", "csp": "csp", "itwin": "itwin"}[kind]; system != "" {
		waves[system] = 1
	}
	if warm {
		for source := range waves {
			waves[source] = 1
		}
	}
	return waves
}

// everywhere are those of the demo whom every system of their tenant knows, and whose
// accounts nobody has linked.
func everywhere(s *simulator.Simulation) []simulator.Person {
	return slices.DeleteFunc(s.People(), func(p simulator.Person) bool {
		return !isSearched(p) || p.IDs["username"] == "" || slices.ContainsFunc([]string{"numium", "csp", "kobil", "aveva"}, func(system string) bool {
			_, known := p.Accounts[system]
			return !known
		})
	})
}

// TestOnePersonByEveryIdentifier asks the demo for people by all that they are called: it
// is the same data and the same id, in the waves that the data forces and no more, and the
// second time in one.
func TestOnePersonByEveryIdentifier(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1200)
	people := everywhere(w.simulation)
	if len(people) < 10 {
		t.Fatalf("only %d people are known everywhere", len(people))
	}
	linked := slices.DeleteFunc(w.simulation.People(), func(p simulator.Person) bool { return p.Tenant == searched || p.FaultAt != "" || p.Danger != nil })
	for _, p := range slices.Concat(people[:10], linked[:20]) {
		first := ""
		for _, kind := range []string{"email", "username", "oid", "numium", "csp", "aveva", "itwin"} {
			if p.IDs[kind] == "" {
				continue
			}
			waves := 1
			if p.Tenant == searched { // an address, what the searches find by it
				waves = map[string]int{"username": 3, "csp": 3}[kind]
				waves = max(waves, 2)
			}
			for _, header := range []string{"no-cache", ""} {
				got := w.ask(http.MethodGet, w.address(p, kind)+"?explain=true", "", "Cache-Control", header)
				var document struct {
					Data    json.RawMessage
					Explain struct{ Waves int }
				}
				if err := json.Unmarshal([]byte(got.Text), &document); err != nil {
					t.Fatal(err)
				}
				if header == "" {
					waves = 1
				}
				if first == "" {
					first = string(document.Data)
				}
				if diff := cmp.Diff(first, string(document.Data)); diff != "" || got.Status != http.StatusOK || document.Explain.Waves != waves || !strings.Contains(first, `"id"`) {
					t.Errorf("%s by %s %q: status %d in %d waves, want %d (-by email +by this):\n%s", p.IDs["email"], kind, header, got.Status, document.Explain.Waves, waves, diff)
				}
			}
		}
	}
}

// TestTheIDStays: who was met on another way before, by a system's own key, keeps the
// id of then.
func TestTheIDStays(t *testing.T) {
	t.Parallel()
	s := newSearchable(t, 0)
	met := 0
	for _, p := range slices.Concat(plain(s.Simulation, "acme"), plain(s.Simulation, "globex")) {
		if p.IDs["numium"] == "" {
			continue
		}
		met++
		g := s.whole(t)
		var ids []string
		for _, kind := range []string{"email", "numium", "csp", "username", "email"} {
			a, _ := ofWhom(t, g, p, kind)
			ids = append(ids, a.Data.ID)
		}
		fresh, err := g.Lookup(t.Context(), gateway.Query{Tenant: p.Tenant, User: "numium:" + p.IDs["numium"], Want: cache.Want{NoCache: true}, OperationID: "op"})
		if err != nil {
			t.Fatal(err)
		}
		if ids = slices.Compact(append(ids, fresh.Data.ID)); len(ids) != 1 || ids[0] == "" {
			t.Errorf("%s has the ids %q", p.IDs["email"], ids)
		}
	}
	if met == 0 {
		t.Error("nobody was asked for")
	}
}

// TestWithoutASearch kills what would find somebody: what waited for it is unresolved,
// and says so. Who was found before stays complete, from what was learned.
func TestWithoutASearch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1200)
	people := everywhere(w.simulation)
	known, stranger := people[0], people[1]
	before := w.lookup(known, "email")
	if before.Status != http.StatusOK {
		t.Fatalf("status %d: %s", before.Status, before.Text)
	}
	if err := w.simulation.SetFault("kobil", simulator.Fault{Kind: "503"}); err != nil {
		t.Fatal(err)
	}
	got := w.lookup(stranger, "email")
	want := map[string]string{
		"numium": "ok", "csp": "ok", "kobil": "failed unresolved", "aveva": "ok", "itwin": "skipped",
		"numium-by-email": "ok", "csp-search": "ok", "kobil-search": "failed unavailable",
	}
	if diff := cmp.Diff(want, got.outcomes()); diff != "" || got.Status != http.StatusMultiStatus {
		t.Errorf("cold, status %d (-want +got):\n%s", got.Status, diff)
	}
	var children struct {
		ChildErrors []struct{ Source, Reason string }
	}
	if err := json.Unmarshal([]byte(got.Text), &children); err != nil {
		t.Fatal(err)
	}
	const reason = "It waited for the identifier username, and the source that would have given it failed."
	if !slices.ContainsFunc(children.ChildErrors, func(c struct{ Source, Reason string }) bool {
		return c.Source == "kobil" && c.Reason == reason
	}) {
		t.Errorf("nobody is told what it waited for: %s", got.Text)
	}
	for _, kind := range []string{"email", "csp"} {
		warm := w.lookup(known, kind)
		if diff := cmp.Diff(before.Data, warm.Data); diff != "" || warm.Status != http.StatusOK {
			t.Errorf("warm by %s, status %d (-before +now):\n%s", kind, warm.Status, diff)
		}
	}
}

// TestAResolverIsDown leaves nothing in the cache but who is who: a search that is down
// is all that is missing of who was found before.
func TestAResolverIsDown(t *testing.T) {
	t.Parallel()
	s := newSearchable(t, 0)
	for _, source := range s.live.Sources {
		source.Keep = adapters.Lifetimes{}
	}
	p := plain(s.Simulation, "globex")[0]
	g := s.whole(t)
	before, _ := ofWhom(t, g, p, "email")
	if err := s.SetFault("csp", simulator.Fault{Kind: "503", Person: p.IDs["email"], Times: 1}); err != nil { // the search by the address
		t.Fatal(err)
	}
	after, waves := ofWhom(t, g, p, "email")
	if len(after.ChildErrors) != 1 || after.ChildErrors[0].Source != "csp-search" || waves["csp"] != 1 || waves["kobil"] != 1 {
		t.Errorf("status %d, waves %v, %+v", after.Status, waves, after.ChildErrors)
	}
	withoutSearch := func(p *normalize.Profile) normalize.Profile {
		all := *p
		all.Identifiers = slices.DeleteFunc(slices.Clone(all.Identifiers), func(id normalize.Identifier) bool { return id.Source == "csp-search" })
		return all
	}
	if diff := cmp.Diff(withoutSearch(before.Data), withoutSearch(after.Data)); diff != "" || before.Data.ID == "" {
		t.Errorf("(-before +now):\n%s", diff)
	}
}

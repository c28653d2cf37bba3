package simulator_test

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"muster/adapters/simulator"
)

func crowd(seed uint64) *simulator.Simulation {
	return simulator.New(seed, simulator.WithClock(noon))
}

// TestPopulationHasEveryAwkwardness: in every seed, often enough that a run over the crowd meets it.
func TestPopulationHasEveryAwkwardness(t *testing.T) {
	for seed := range uint64(4) {
		sim := crowd(seed)
		count := make(map[string]int)
		for _, p := range sim.People() {
			count["tenant "+p.Tenant]++
			for _, trait := range p.Traits {
				count[trait]++
			}
		}
		if n := len(sim.People()); n != 1200 {
			t.Errorf("seed %d: %d people", seed, n)
		}
		least := map[string]int{
			"tenant acme": 550, "tenant globex": 300, "tenant initech": 200,
			"showcase": 1, "disagreeing": 1, "namesake": 1, "big-id": 100, "password": 150, "role-expired": 80, "null-names": 40,
			"missing:csp": 50, "disabled:kobil": 30, "disabled:numium": 30, "surname-differs": 50, "email-case": 30, "unverified:csp": 20, "many-roles": 5, "only:itwin": 2,
		}
		for _, trait := range simulator.Traits() {
			if _, stated := least[trait.Name]; !stated {
				least[trait.Name] = 5
			}
			if strings.HasPrefix(trait.Name, "fault:") {
				least[trait.Name] = 1
			}
		}
		for name, n := range least {
			if count[name] < n {
				t.Errorf("seed %d: %d with %q, want at least %d", seed, count[name], name, n)
			}
		}
	}
}

// TestShowcases: of every trait somebody has it alone (but for Jordan's).
func TestShowcases(t *testing.T) {
	sim := newSimulation()
	for _, trait := range simulator.Traits() {
		p := witness(t, sim, trait.Name)
		if len(p.Traits) != 1 && trait.Name != "disagreeing" {
			t.Errorf("%s is shown by one with %q", trait.Name, p.Traits)
		}
	}
	if _, ok := sim.WithTrait("none such"); ok {
		t.Error("somebody has a trait that there is not")
	}
}

// TestTraitsAreTrue holds each trait against the facts, for everybody.
func TestTraitsAreTrue(t *testing.T) {
	now := noon().Unix()
	expiry := func(p simulator.Person, ok func(int64) bool) bool {
		return slices.ContainsFunc(p.Accounts["csp"].Roles, func(r simulator.Role) bool { return ok(r.Expires) })
	}
	facts := map[string]func(p simulator.Person) bool{
		"disabled:kobil":   func(p simulator.Person) bool { return !p.Accounts["kobil"].Enabled },
		"disabled:numium":  func(p simulator.Person) bool { return !p.Accounts["numium"].Enabled },
		"unverified:kobil": func(p simulator.Person) bool { return !p.Accounts["kobil"].EmailVerified },
		"unverified:csp":   func(p simulator.Person) bool { return !p.Accounts["csp"].EmailVerified },
		"surname-differs":  func(p simulator.Person) bool { return p.Accounts["csp"].FamilyName != p.FamilyName },
		"email-case": func(p simulator.Person) bool {
			e := p.Accounts["itwin"].Email
			return e != p.IDs["email"] && strings.EqualFold(e, p.IDs["email"])
		},
		"null-names": func(p simulator.Person) bool { return p.Accounts["kobil"].GivenName == "" },
		"null-email": func(p simulator.Person) bool {
			return p.Accounts["kobil"].Email == "" && p.Accounts["numium"].Email == ""
		},
		"mononym":   func(p simulator.Person) bool { return p.FamilyName == "" },
		"long-name": func(p simulator.Person) bool { return utf8.RuneCountInString(p.GivenName) > 256 },
		"big-id": func(p simulator.Person) bool {
			n, err := strconv.ParseInt(p.IDs["numium"], 10, 64)
			return err == nil && n > 1<<53 && int64(float64(n)) != n
		},
		"role-expired": func(p simulator.Person) bool { return expiry(p, func(e int64) bool { return e > 0 && e < now }) },
		"role-expiring": func(p simulator.Person) bool {
			return expiry(p, func(e int64) bool { return e > now && e < now+60*86400 })
		},
		"role-far":          func(p simulator.Person) bool { return expiry(p, func(e int64) bool { return e == 3609941597 }) },
		"many-roles":        func(p simulator.Person) bool { return len(p.Accounts["csp"].Roles) > 50 },
		"custom-attributes": func(p simulator.Person) bool { return len(p.Accounts["kobil"].Attributes) > 1 },
		"password":          func(p simulator.Person) bool { return strings.HasPrefix(p.Accounts["csp"].Password, "CANARY-") },
	}
	for _, vendor := range []string{"aveva", "itwin", "kobil", "numium", "csp"} {
		facts["missing:"+vendor] = func(p simulator.Person) bool { _, known := p.Accounts[vendor]; return !known && p.IDs[vendor] == "" }
		facts["only:"+vendor] = func(p simulator.Person) bool { _, known := p.Accounts[vendor]; return known && len(p.Accounts) == 1 }
	}
	for i, p := range crowd(1).People() {
		for _, trait := range p.Traits {
			if fact, ok := facts[trait]; ok && !fact(p) {
				t.Errorf("person %d of %s does not show %q", i, p.Tenant, trait)
			}
		}
	}
}

// TestIdentifiersAreUnique within a tenant and kind, over the whole population; a system's own beside it only where it
// knows the person.
func TestIdentifiersAreUnique(t *testing.T) {
	seen := make(map[string]bool)
	for _, p := range crowd(1).People() {
		for kind, id := range p.IDs {
			key := strings.Join([]string{p.Tenant, kind, strings.ToLower(id)}, "\n")
			if id == "" || seen[key] {
				t.Errorf("%s %s is empty or there twice", p.Tenant, kind)
			}
			seen[key] = true
		}
		for _, vendor := range []string{"aveva", "itwin", "kobil", "numium", "csp"} {
			if _, known := p.Accounts[vendor]; known != (p.IDs[vendor] != "") {
				t.Errorf("%s: account %v, id %q", vendor, known, p.IDs[vendor])
			}
		}
		if p.Tenant != "acme" && p.IDs["itwin"] != "" {
			t.Errorf("somebody of %s is in acme's iTwin organization", p.Tenant)
		}
	}
}

// TestTheNamed: what documentation says of Casey, Jordan and the namesake.
func TestTheNamed(t *testing.T) {
	people := newSimulation().People()
	casey, jordan := people[0], people[1]
	type named struct{ Tenant, Given, Family, Email, Username, Numium string }
	name := func(p simulator.Person) named {
		return named{p.Tenant, p.GivenName, p.FamilyName, p.IDs["email"], p.IDs["username"], p.IDs["numium"]}
	}
	if diff := cmp.Diff(named{"acme", "Casey", "Taylor", "casey.taylor@acme.example", "casey.taylor", "256"}, name(casey)); diff != "" {
		t.Error(diff)
	}
	twin := witness(t, newSimulation(), "namesake")
	if diff := cmp.Diff(named{"globex", "Casey", "Taylor", "casey.taylor@globex.example", "casey.taylor", "256"}, name(twin)); diff != "" {
		t.Error(diff)
	}
	if len(casey.Accounts) != 5 || len(jordan.Accounts) != 5 {
		t.Fatalf("Casey is known to %d, Jordan to %d", len(casey.Accounts), len(jordan.Accounts))
	}
	for vendor, a := range jordan.Accounts { // numium's is the plain account that each of the others contradicts
		plain := jordan.Accounts["numium"]
		same := a.GivenName == plain.GivenName && a.FamilyName == plain.FamilyName && a.Email == plain.Email && a.Enabled == plain.Enabled && a.Company == plain.Company
		if same != (vendor == "numium") {
			t.Errorf("%s: agrees with numium: %v", vendor, same)
		}
	}
}

// TestPopulationIsOfTheSeed: the same seed and day give the same people, whatever the hour; a larger population
// continues a smaller one; another seed gives others.
func TestPopulationIsOfTheSeed(t *testing.T) {
	same := func(a, b any) bool { return reflect.DeepEqual(a, b) }
	late := simulator.New(1, simulator.WithClock(func() time.Time { return noon().Add(11 * time.Hour) }))
	if !same(crowd(1).People(), late.People()) {
		t.Error("the same day gives others")
	}
	small := newSimulation(simulator.WithPeople(300)).People()
	large := crowd(1).People()
	others := 300 - len(crowd(1).Dangerous(""))
	if len(small) != 300 || !same(small[:others], large[:others]) || !same(small[others:], large[900+others:]) {
		t.Errorf("%d people, others than the first of more", len(small))
	}
	if same(crowd(1).People(), crowd(2).People()) || same(crowd(1).Credentials(), crowd(2).Credentials()) {
		t.Error("two seeds give the same")
	}
}

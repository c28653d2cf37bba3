package gateway_test

import (
	"context"
	"strings"
	"testing"

	"muster/adapters"
	"muster/gateway"
	"muster/normalize"
)

// TestDescribe: what a caller may know of the sources of a tenant.
func TestDescribe(t *testing.T) {
	t.Parallel()
	doors := source("doors", nil, func(s *gateway.Source) {
		s.About, s.Tenants, s.Breaker = "Who may enter.", []string{"acme"}, func() string { return "half-open" }
		s.Upstream = upstream{
			needs: [][]string{{normalize.Self}, {"email", "badge"}}, yields: []string{normalize.Self, "username"}, members: []string{"displayName", "roles"},
		}
	})
	people := source("people", nil, from(upstream{needs: [][]string{{"username"}}, tenant: []string{"region"}, members: []string{"title"}}))
	l := live(doors, people)
	l.Tenants["globex"].IDs = map[string]string{"region": "eu"}
	l.Tenants["none"] = &gateway.Tenant{Name: "none", Providers: []string{}}

	ofDoors := gateway.Description{
		Name: "doors", About: "Who may enter.", Breaker: "half-open", Fields: []string{"displayName", "roles", "identifiers"},
		Needs: [][]string{{"doors"}, {"email", "badge"}}, Yields: []string{"doors", "username"}, // its own goes by its name
	}
	ofPeople := gateway.Description{Name: "people", Breaker: "closed", Fields: []string{"title"}, Needs: [][]string{{"username"}}, Yields: []string{}}
	for tenant, want := range map[string][]gateway.Description{
		"acme":        {ofDoors},  // nothing says where it is among the people
		"globex":      {ofPeople}, // the doors are not for it
		"none":        {},
		"gone":        {},
		"none globex": {ofPeople},
		"":            {ofDoors, ofPeople},
	} {
		expect(t, "sources of "+tenant, l.Describe(strings.Fields(tenant)...), want)
	}
	expect(t, "as JSON", string(encode(t, l.Describe("globex"))),
		`[{"name":"people","about":"","fields":["title"],"needs":[["username"]],"yields":[],"breaker":"closed"}]`)
	expect(t, "members of the upstream", doors.Upstream.Members(), []string{"displayName", "roles"})
}

// TestWhatATenantIsCalled: a source finds the tenant's own value under its name,
// else its definition's, else that of the one this was made from.
func TestWhatATenantIsCalled(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		ids  map[string]string
		want string // "" where the source cannot be asked
	}{
		{"by its name", map[string]string{"shift": "1", "kobil-shift": "2", "kobil": "3", "self": "4"}, "1"},
		{"by its definition's", map[string]string{"kobil-shift": "2", "kobil": "3"}, "2"},
		{"by that of the one this was made from", map[string]string{"kobil": "3", "other": "5"}, "3"},
		{"by another's", map[string]string{"other": "5"}, ""},
		{"not at all", nil, ""},
		{"by nothing", map[string]string{"shift": "", "kobil": "3"}, ""}, // what is written counts, also when it is empty
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var got string
			note := func(_ context.Context, q adapters.Query) (adapters.Reply, error) {
				got = q.Tenant[normalize.Self]
				return adapters.Reply{}, nil
			}
			l := live(source("shift", note, func(s *gateway.Source) {
				s.Chain = []string{"kobil-shift", "kobil"}
				s.Upstream = upstream{needs: [][]string{{"username"}}, tenant: []string{normalize.Self}, members: []string{"displayName"}}
			}))
			l.Tenants["acme"].IDs = test.ids
			a := ask(t, open(t, l), gateway.Query{})
			expect(t, "tenant", got, test.want)
			expect(t, "asked", a.Sources[0].Outcome == gateway.OK, test.want != "")
			expect(t, "described", len(l.Describe("acme")) == 1, test.want != "")
		})
	}
}

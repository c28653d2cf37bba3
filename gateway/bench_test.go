package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"muster/adapters"
	"muster/cache"
	"muster/gateway"
	"muster/normalize"
)

// six are sources that know much of one person, as the systems of the catalog do:
// one with roles in many places, one with permissions in its roles, one with
// attributes, three with little but the name. They answer at once.
func six() *gateway.Live {
	email := func(value string, verified *bool) []normalize.Email {
		return []normalize.Email{{Value: value, Verified: verified}}
	}
	name := &normalize.Name{GivenName: "Jane", FamilyName: "Doe"}
	at := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	var granted, permitted []normalize.Role
	for i := range 12 {
		granted = append(granted, normalize.Role{Value: fmt.Sprint("service_role:", i), Display: fmt.Sprint("Role ", i), Type: "service", Scope: fmt.Sprint("service-", i%3), ExpiresAt: at})
	}
	for i := range 4 {
		permitted = append(permitted, normalize.Role{Value: fmt.Sprint("role ", i), Permissions: []string{"read", "write", "administer"}})
	}
	records := map[string]normalize.Record{
		"console": {
			Profile: normalize.Profile{
				UserName: "jane", Name: name, Emails: email("jane@acme.example", ptr(true)), PhoneNumbers: []normalize.Phone{{Value: "+33123456789", Type: "work"}},
				Addresses: []normalize.Address{{StreetAddress: "1 rue de la Paix", Locality: "Paris", PostalCode: "75001", Country: "FR"}},
				Locale:    "fr-FR", Organization: "Acme", Organizations: []normalize.Organization{{Value: "org-1", Display: "Acme"}, {Value: "org-2", Display: "Acme Labs"}}, Roles: granted,
			},
			IDs: []normalize.Identifier{{Kind: normalize.Self, Value: "vmware.com:1f0c"}},
		},
		"portal": {
			Profile: normalize.Profile{Name: name, Emails: email("jane@acme.example", nil), Active: ptr(true), Roles: permitted, CreatedAt: at},
			IDs:     []normalize.Identifier{{Kind: normalize.Self, Value: "9007199254740993"}, {Kind: "oid", Value: "0d2f6c1e-7a0b-4a55-9f0c-2f0f4c5b8a11"}},
		},
		"keys": {
			Profile:    normalize.Profile{UserName: "jane", Name: name, Emails: email("jane@acme.example", ptr(true)), Active: ptr(true), RequiredActions: []string{"UPDATE_PASSWORD"}},
			Attributes: map[string][]string{"cost_center": {"7"}, "badge": {"1f0c"}, "site": {"Paris", "Lyon"}},
			IDs:        []normalize.Identifier{{Kind: normalize.Self, Value: "1f0c"}},
		},
		"hub":    {Profile: normalize.Profile{UserName: "jane@acme.example", DisplayName: "Jane Doe", Name: name, Emails: email("jane@acme.example", nil), Roles: []normalize.Role{{Value: "reader"}}}},
		"twins":  {Profile: normalize.Profile{Name: &normalize.Name{GivenName: "Jane", FamilyName: "Doe-Smith"}, Emails: email("jane.doe@acme.example", nil), Organization: "Acme Inc."}},
		"people": {Profile: normalize.Profile{DisplayName: "Jane Doe", Title: "Engineer", Department: "Research", Manager: "joe", Groups: []normalize.Group{{Value: "g1", Display: "All"}, {Value: "g2", Display: "Paris"}}}},
	}
	l := live()
	for _, source := range []string{"console", "portal", "keys", "hub", "twins", "people"} {
		record := records[source]
		l.Sources = append(l.Sources, sourceOf(source, record))
		l.Rules.Order = append(l.Rules.Order, source)
	}
	return l
}

func sourceOf(name string, record normalize.Record) *gateway.Source {
	reply := func(context.Context, adapters.Query) (adapters.Reply, error) {
		return adapters.Reply{Record: record, Status: http.StatusOK}, nil
	}
	return source(name, reply, func(s *gateway.Source) {
		s.Keep.TTL = time.Hour
		s.Upstream = upstream{needs: [][]string{{"username"}}, yields: []string{normalize.Self}, members: normalize.Members()}
	})
}

// BenchmarkLookup is one lookup at six sources: cold when all are asked, warm when
// all is kept. "json" is the least that any answer costs, to encode it; read the
// others as multiples of it.
func BenchmarkLookup(b *testing.B) {
	lookup := func(want cache.Want) func(b *testing.B) {
		return func(b *testing.B) {
			g := open(b, six())
			ask(b, g, gateway.Query{})
			q := jane(gateway.Query{Want: want})
			b.ReportAllocs()
			for b.Loop() {
				if a, err := g.Lookup(b.Context(), q); err != nil || a.Status != 200 {
					b.Fatal(tell(a), err)
				}
			}
		}
	}
	b.Run("cold", lookup(cache.Want{NoCache: true}))
	b.Run("warm", lookup(cache.Want{}))
	b.Run("json", func(b *testing.B) {
		a := ask(b, open(b, six()), gateway.Query{})
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(a); err != nil {
				b.Fatal(err)
			}
		}
	})
}

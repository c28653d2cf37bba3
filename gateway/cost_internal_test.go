package gateway

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"muster/adapters"
	"muster/normalize"
)

// TestCost compares what a kept answer is said to take with what it takes.
func TestCost(t *testing.T) {
	text := func(of string, n int) string { return fmt.Sprintf("%s %d", strings.Clone(of), n) } // a string of its own
	tests := []struct {
		name string
		make func(n int) kept
	}{
		{"nobody", func(int) kept { return kept{absent: true} }},
		{"a name", func(n int) kept {
			return kept{reply: adapters.Reply{Record: normalize.Record{Profile: normalize.Profile{DisplayName: text("Jane Doe", n)}}}}
		}},
		{"every text", func(n int) kept {
			yes := n%2 == 0
			p := normalize.Profile{
				UserName: text("jane", n), NickName: text("jay", n), Title: text("Dr", n), UserType: text("employee", n), Locale: text("en-GB", n), Timezone: text("Europe/Paris", n),
				Name:   &normalize.Name{GivenName: text("Jane", n), FamilyName: text("Doe", n), Formatted: text("Dr Jane Doe", n)},
				Active: &yes, Department: text(strings.Repeat("d", 200), n), Manager: text("joe", n), EmployeeNumber: text("7", n),
				Emails: []normalize.Email{{Value: text("jane@acme.example", n), Type: text("work", n), Verified: &yes}}, CreatedAt: time.Now(),
				Addresses:       []normalize.Address{{StreetAddress: text("1 High Street", n), Locality: text("Paris", n), PostalCode: text("75001", n), Country: text("FR", n)}},
				RequiredActions: []string{text("renew", n), text("sign", n)},
			}
			return kept{reply: adapters.Reply{Record: normalize.Record{Profile: p, IDs: []normalize.Identifier{{Kind: "self", Value: text("1f0c", n)}}}}}
		}},
		{"fifty roles", func(n int) kept {
			p := normalize.Profile{}
			for i := range 50 {
				role := normalize.Role{Value: text("role", i+n), Scope: text("scope", i)}
				for j := range 8 {
					role.Permissions = append(role.Permissions, text("permission to do this and that", j+n))
				}
				p.Roles = append(p.Roles, role)
			}
			return kept{reply: adapters.Reply{Record: normalize.Record{Profile: p}}}
		}},
		{"attributes", func(n int) kept {
			attributes := map[string][]string{}
			for i := range 20 {
				attributes[text("attribute", i)] = []string{text("value", i+n), text(strings.Repeat("x", 100), i+n)}
			}
			return kept{reply: adapters.Reply{Record: normalize.Record{Attributes: attributes}}}
		}},
		{"children and notes", func(n int) kept {
			part := adapters.Fail(adapters.Denied, text("a part", n), nil)
			part.Detail = adapters.Detail{Code: text("code", n), Message: text(strings.Repeat("m", 300), n), Details: []string{text("detail", n)}}
			return kept{reply: adapters.Reply{Children: []*adapters.Fault{part}, Notes: []string{text("timezone: no IANA name", n)}}}
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			const many = 1000
			all := make([]*kept, many)
			before := heap()
			for i := range all {
				one := test.make(i)
				all[i] = &one
			}
			real := float64(heap()-before) / many
			said := float64(cost(*all[0]))
			if said > 2*real || real > 2*said {
				t.Errorf("it is said to take %.0f bytes and takes %.0f", said, real)
			}
			t.Logf("said %.0f, real %.0f", said, real)
			runtime.KeepAlive(all)
		})
	}
}

// heap is how many bytes are in use.
func heap() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC() // the first one's sweep ends with the second
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func BenchmarkCost(b *testing.B) {
	p := normalize.Profile{DisplayName: "Jane", Name: &normalize.Name{GivenName: "Jane"}}
	for i := range 50 {
		p.Roles = append(p.Roles, normalize.Role{Value: fmt.Sprint("role ", i), Permissions: []string{"read", "write"}})
	}
	k := kept{reply: adapters.Reply{Record: normalize.Record{Profile: p}}}
	b.ReportAllocs()
	for b.Loop() {
		if cost(k) < 50 {
			b.Fatal("too little")
		}
	}
}

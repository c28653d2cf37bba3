package normalize

import (
	"strconv"
	"testing"
	"time"
)

// fiveParts is what a busy lookup merges: five sources with about ten members
// each, agreeing on most and differing on some.
func fiveParts() (Rules, []Part) {
	rules := Rules{
		Order: []string{"s0", "s1", "s2", "s3", "s4"},
		Fields: map[string]FieldRule{
			"active":       {Authority: "s2"},
			"emails":       {Prefer: "verified"},
			"phoneNumbers": {Order: []string{"s1", "*"}},
		},
	}
	var parts []Part
	for i := range 5 {
		n := strconv.Itoa(i)
		parts = append(parts, Part{
			Source: "s" + n,
			Age:    time.Duration(i) * time.Minute,
			Record: Record{
				Profile: Profile{
					UserName:    "jane",
					DisplayName: "Jane Doe " + n,
					Name:        &Name{GivenName: "Jane", FamilyName: "Doe"},
					Emails: []Email{
						{Value: "jane@acme.example", Verified: new(i%2 == 0), Type: "work", Primary: i == 3},
						{Value: "jane" + n + "@home.example"},
					},
					PhoneNumbers: []Phone{{Value: "+4969100", Type: "work"}},
					Locale:       "de-DE",
					Active:       new(i != 4),
					Roles: []Role{
						{Value: "reader", Permissions: []string{"read"}},
						{Value: "admin", Permissions: []string{"write", "read"}, ExpiresAt: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)},
					},
					Groups:    []Group{{Value: "staff"}, {Value: "engineers"}},
					UpdatedAt: time.Date(2026, 1, 1+i, 0, 0, 0, 0, time.UTC),
				},
				Attributes: map[string][]string{"customer_number": {"C" + n}},
				IDs:        []Identifier{{Kind: Self, Value: "id-" + n}, {Kind: "email", Value: "jane@acme.example", Verified: new(true)}},
			},
		})
	}
	return rules, parts
}

func BenchmarkMerge(b *testing.B) {
	rules, parts := fiveParts()
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	b.ReportAllocs()
	for b.Loop() {
		Merge(rules, parts, now)
	}
}

func BenchmarkMergeOne(b *testing.B) {
	rules, parts := fiveParts()
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	b.ReportAllocs()
	for b.Loop() {
		Merge(rules, parts[:1], now)
	}
}

func BenchmarkIncompleteFields(b *testing.B) {
	rules, parts := fiveParts()
	_, provenance := Merge(rules, parts[1:], time.Time{})
	failed := map[string][]string{"s0": {"userName", "name", "emails", "active"}}
	b.ReportAllocs()
	for b.Loop() {
		rules.IncompleteFields(provenance, failed)
	}
}

func BenchmarkConflicts(b *testing.B) {
	rules, parts := fiveParts()
	_, provenance := Merge(rules, parts, time.Time{})
	b.ReportAllocs()
	for b.Loop() {
		provenance.Conflicts()
	}
}

// BenchmarkSelection measures what a lookup with `fields` under a policy asks.
func BenchmarkSelection(b *testing.B) {
	rules, parts := fiveParts()
	profile, provenance := Merge(rules, parts, time.Time{})
	fields := []string{"userName", "emails.value", "name.givenName", "roles"}
	chosen, err := NewSelection(fields)
	if err != nil {
		b.Fatal(err)
	}
	hidden, err := NewSelection([]string{"attributes.s1.customer_number"})
	if err != nil {
		b.Fatal(err)
	}
	policy := Everything().Minus(hidden)
	b.Run("new", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := NewSelection(fields); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("intersect", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			policy.Intersect(chosen)
		}
	})
	b.Run("keep few", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			chosen.Keep(profile)
		}
	})
	b.Run("keep most", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			policy.Keep(profile)
		}
	})
	b.Run("keep provenance", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			policy.KeepProvenance(provenance)
		}
	})
	b.Run("needs", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			policy.Needs("roles")
		}
	})
}

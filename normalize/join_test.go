package normalize

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMergeEmails(t *testing.T) {
	yes, no := new(true), new(false)
	tests := []struct {
		name   string
		prefer string
		says   map[string][]Email
		want   []Email
	}{
		{
			name: "by source, then by value, whatever the reply's order",
			says: map[string][]Email{
				"b": {{Value: "a@x.example"}},
				"a": {{Value: "z@x.example"}, {Value: "m@x.example"}},
			},
			want: []Email{
				{Value: "m@x.example", Primary: true, Sources: []string{"a"}},
				{Value: "z@x.example", Sources: []string{"a"}},
				{Value: "a@x.example", Sources: []string{"b"}},
			},
		},
		{
			name: "one address in any case is one, with its sources in order",
			says: map[string][]Email{
				"c": {{Value: "jane@x.example"}},
				"a": {{Value: "Jane@X.example"}},
				"b": {{Value: "JANE@x.example"}},
			},
			want: []Email{{Value: "jane@x.example", Primary: true, Sources: []string{"a", "b", "c"}}},
		},
		{
			name: "verified if one says so of this very address",
			says: map[string][]Email{
				"a": {{Value: "j@x.example", Verified: no}, {Value: "k@x.example"}},
				"b": {{Value: "j@x.example"}, {Value: "k@x.example", Verified: no}, {Value: "l@x.example"}},
				"c": {{Value: "j@x.example", Verified: yes}, {Value: "l@x.example"}},
			},
			want: []Email{
				{Value: "j@x.example", Primary: true, Verified: yes, Sources: []string{"a", "b", "c"}},
				{Value: "k@x.example", Verified: no, Sources: []string{"a", "b"}},
				{Value: "l@x.example", Sources: []string{"b", "c"}},
			},
		},
		{
			name: "the type from the first that has one",
			says: map[string][]Email{
				"a": {{Value: "j@x.example"}},
				"b": {{Value: "j@x.example", Type: "work"}},
				"c": {{Value: "j@x.example", Type: "home"}},
			},
			want: []Email{{Value: "j@x.example", Type: "work", Primary: true, Sources: []string{"a", "b", "c"}}},
		},
		{
			name: "primary is the first that a source calls so",
			says: map[string][]Email{
				"a": {{Value: "a@x.example"}, {Value: "b@x.example"}},
				"b": {{Value: "b@x.example", Primary: true}, {Value: "c@x.example", Primary: true}},
			},
			want: []Email{
				{Value: "a@x.example", Sources: []string{"a"}},
				{Value: "b@x.example", Primary: true, Sources: []string{"a", "b"}},
				{Value: "c@x.example", Sources: []string{"b"}},
			},
		},
		{
			name:   "verified ones first where they are preferred, and the primary among them",
			prefer: "verified",
			says: map[string][]Email{
				"a": {{Value: "a@x.example", Primary: true}, {Value: "b@x.example", Verified: yes}},
				"b": {{Value: "c@x.example", Verified: yes, Primary: true}, {Value: "d@x.example", Verified: no}},
			},
			want: []Email{
				{Value: "b@x.example", Verified: yes, Sources: []string{"a"}},
				{Value: "c@x.example", Verified: yes, Primary: true, Sources: []string{"b"}},
				{Value: "a@x.example", Sources: []string{"a"}},
				{Value: "d@x.example", Verified: no, Sources: []string{"b"}},
			},
		},
		{
			name:   "the first verified one where no source calls one primary",
			prefer: "verified",
			says: map[string][]Email{
				"a": {{Value: "a@x.example", Primary: true}, {Value: "b@x.example", Verified: yes}, {Value: "c@x.example", Verified: yes}},
			},
			want: []Email{
				{Value: "b@x.example", Verified: yes, Primary: true, Sources: []string{"a"}},
				{Value: "c@x.example", Verified: yes, Sources: []string{"a"}},
				{Value: "a@x.example", Sources: []string{"a"}},
			},
		},
		{
			name:   "all verified",
			prefer: "verified",
			says:   map[string][]Email{"a": {{Value: "a@x.example", Verified: yes}, {Value: "b@x.example", Verified: yes, Primary: true}}},
			want: []Email{
				{Value: "a@x.example", Verified: yes, Sources: []string{"a"}},
				{Value: "b@x.example", Verified: yes, Primary: true, Sources: []string{"a"}},
			},
		},
		{
			name:   "none verified",
			prefer: "verified",
			says:   map[string][]Email{"a": {{Value: "a@x.example"}, {Value: "b@x.example", Primary: true}}},
			want: []Email{
				{Value: "a@x.example", Sources: []string{"a"}},
				{Value: "b@x.example", Primary: true, Sources: []string{"a"}},
			},
		},
		{
			name: "a source that contradicts itself does so the same way every time",
			says: map[string][]Email{"a": {{Value: "j@x.example", Type: "work", Verified: yes}, {Value: "j@x.example", Type: "home", Verified: no}}},
			want: []Email{{Value: "j@x.example", Type: "home", Verified: yes, Primary: true, Sources: []string{"a"}}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rules := Rules{Order: []string{"a", "b", "c"}, Fields: map[string]FieldRule{"emails": {Prefer: tt.prefer}}}
			var parts []Part
			for source, emails := range tt.says {
				parts = append(parts, saying(source, Profile{Emails: emails}))
			}
			got, _ := Merge(rules, parts, mergeTime())
			if diff := cmp.Diff(tt.want, got.Emails); diff != "" {
				t.Errorf("emails (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMergeLists(t *testing.T) {
	past, future := mergeTime().Add(-time.Second), mergeTime().Add(time.Second)
	home := Address{StreetAddress: "1 Main St", Locality: "Town", Country: "DE", Type: "home"}
	tests := []struct {
		name  string
		rules Rules
		parts []Part
		want  Profile
	}{
		{
			name:  "phones by value, type from the first, in the member's own order",
			rules: Rules{Order: []string{"a", "b"}, Fields: map[string]FieldRule{"phoneNumbers": {Order: []string{"b", "*"}}}},
			parts: []Part{
				saying("a", Profile{PhoneNumbers: []Phone{{Value: "+491", Type: "work"}, {Value: "+490"}}}),
				saying("b", Profile{PhoneNumbers: []Phone{{Value: "+491"}, {Value: "+492"}}}),
			},
			want: Profile{PhoneNumbers: []Phone{
				{Value: "+491", Type: "work", Sources: []string{"b", "a"}},
				{Value: "+492", Sources: []string{"b"}},
				{Value: "+490", Sources: []string{"a"}},
			}},
		},
		{
			name:  "addresses by all they say",
			rules: ordered("a", "b"),
			parts: []Part{
				saying("a", Profile{Addresses: []Address{home}}),
				saying("b", Profile{Addresses: []Address{
					{StreetAddress: "1 Main St", Locality: "Town", Country: "DE", Type: "work"},
					{StreetAddress: "1 main st", Locality: "Town", Country: "DE", Type: "home"},
					home,
				}}),
			},
			want: Profile{Addresses: []Address{
				{StreetAddress: "1 Main St", Locality: "Town", Country: "DE", Type: "home", Sources: []string{"a", "b"}},
				{StreetAddress: "1 Main St", Locality: "Town", Country: "DE", Type: "work", Sources: []string{"b"}},
				{StreetAddress: "1 main st", Locality: "Town", Country: "DE", Type: "home", Sources: []string{"b"}},
			}},
		},
		{
			name:  "organizations by value, display from the first",
			rules: ordered("a", "b", "c"),
			parts: []Part{
				saying("a", Profile{Organizations: []Organization{{Value: "o1"}}}),
				saying("b", Profile{Organizations: []Organization{{Value: "o1", Display: "One"}, {Value: "o0"}}}),
				saying("c", Profile{Organizations: []Organization{{Value: "o1", Display: "Uno"}}}),
			},
			want: Profile{Organizations: []Organization{
				{Value: "o1", Display: "One", Sources: []string{"a", "b", "c"}},
				{Value: "o0", Sources: []string{"b"}},
			}},
		},
		{
			name:  "pages and photos by value",
			rules: ordered("a", "b"),
			parts: []Part{
				saying("a", Profile{URLs: []Link{{Value: "https://x.example/j"}}, Photos: []Link{{Value: "https://x.example/p"}}}),
				saying("b", Profile{URLs: []Link{{Value: "https://x.example/j", Type: "blog"}}, Photos: []Link{{Value: "https://x.example/P"}}}),
			},
			want: Profile{
				URLs:   []Link{{Value: "https://x.example/j", Type: "blog", Sources: []string{"a", "b"}}},
				Photos: []Link{{Value: "https://x.example/p", Sources: []string{"a"}}, {Value: "https://x.example/P", Sources: []string{"b"}}},
			},
		},
		{
			name:  "like-named groups of two sources stay two",
			rules: ordered("a", "b"),
			parts: []Part{
				saying("b", Profile{Groups: []Group{{Value: "staff"}}}),
				saying("a", Profile{Groups: []Group{{Value: "staff", Display: "Staff"}, {Value: "admins"}}}),
			},
			want: Profile{Groups: []Group{
				{Value: "admins", Source: "a"},
				{Value: "staff", Display: "Staff", Source: "a"},
				{Value: "staff", Source: "b"},
			}},
		},
		{
			name:  "like-named roles of two sources stay two, each with its own expiry",
			rules: ordered("a", "b"),
			parts: []Part{
				saying("a", Profile{Roles: []Role{{Value: "admin", ExpiresAt: past}, {Value: "admin", Scope: "p2", ExpiresAt: future}}}),
				saying("b", Profile{Roles: []Role{{Value: "admin", ExpiresAt: mergeTime()}, {Value: "reader"}}}),
			},
			want: Profile{Roles: []Role{
				{Value: "admin", ExpiresAt: past, Expired: new(true), Source: "a"},
				{Value: "admin", Scope: "p2", ExpiresAt: future, Expired: new(false), Source: "a"},
				{Value: "admin", ExpiresAt: mergeTime(), Expired: new(true), Source: "b"},
				{Value: "reader", Source: "b"},
			}},
		},
		{
			name:  "permissions: unknown stays unknown, none stays none",
			rules: ordered("a"),
			parts: []Part{saying("a", Profile{Roles: []Role{
				{Value: "1"}, {Value: "2", Permissions: []string{}}, {Value: "3", Permissions: []string{"w", "r"}},
			}})},
			want: Profile{Roles: []Role{
				{Value: "1", Source: "a"},
				{Value: "2", Permissions: []string{}, Source: "a"},
				{Value: "3", Permissions: []string{"r", "w"}, Source: "a"},
			}},
		},
		{
			name:  "identifiers by source, a source's own under its name, the operator's links last",
			rules: ordered("b", "a"),
			parts: []Part{
				{Source: Links, Record: Record{IDs: []Identifier{{Kind: "a", Value: "1"}}}},
				{Source: "zeta", Record: Record{IDs: []Identifier{{Kind: Self, Value: "9"}}}},
				{Source: "a", Record: Record{IDs: []Identifier{{Kind: Self, Value: "1"}, {Kind: "email", Value: "0@x.example", Verified: new(true)}}}},
				{Source: "b", Record: Record{IDs: []Identifier{{Kind: "email", Value: "0@x.example"}}}},
			},
			want: Profile{Identifiers: []Identifier{
				{Kind: "email", Value: "0@x.example", Source: "b"},
				{Kind: "email", Value: "0@x.example", Source: "a", Verified: new(true)},
				{Kind: "a", Value: "1", Source: "a"},
				{Kind: "zeta", Value: "9", Source: "zeta"},
				{Kind: "a", Value: "1", Source: "links"},
			}},
		},
		{
			name:  "an identifier that a source says twice is one",
			rules: ordered("a"),
			parts: []Part{{Source: "a", Record: Record{IDs: []Identifier{{Kind: "a", Value: "1", Verified: new(true)}, {Kind: Self, Value: "1"}}}}},
			want:  Profile{Identifiers: []Identifier{{Kind: "a", Value: "1", Source: "a", Verified: new(true)}}},
		},
		{
			name:  "required actions are joined",
			rules: ordered("a", "b"),
			parts: []Part{
				saying("b", Profile{RequiredActions: []string{"accept terms", "verify email"}}),
				saying("a", Profile{RequiredActions: []string{"verify email", "set password"}}),
			},
			want: Profile{RequiredActions: []string{"set password", "verify email", "accept terms"}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := Merge(tt.rules, tt.parts, mergeTime())
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Merge (-want +got):\n%s", diff)
			}
		})
	}
}

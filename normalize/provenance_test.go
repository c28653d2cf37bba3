package normalize

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sayingFor is what a source has been saying for a while.
func sayingFor(source string, age time.Duration, p Profile) Part {
	return Part{Source: source, Age: age, Record: Record{Profile: p}}
}

func TestProvenance(t *testing.T) {
	yes, no := new(true), new(false)
	jane, half, other := Name{GivenName: "Jane", FamilyName: "Doe"}, Name{FamilyName: "Doe", Formatted: "Jane Doe"}, Name{GivenName: "Janet"}
	tests := []struct {
		name   string
		fields map[string]FieldRule
		parts  []Part
		want   Provenance
	}{
		{
			name: "a scalar: winner, agreeing, losing, and how old each is in whole seconds",
			parts: []Part{
				sayingFor("d", 0, Profile{Title: "Mr"}),
				sayingFor("c", 1999*time.Millisecond, Profile{Title: "Dr"}),
				sayingFor("b", 112*time.Second, Profile{Title: "dr"}),
				sayingFor("a", -time.Second, Profile{Title: "Dr"}),
			},
			want: Provenance{"title": {
				Winner:   &Claim{Source: "a", Value: "Dr"},
				Agreeing: []Claim{{Source: "c", Value: "Dr", Age: 1}},
				Losing:   []Claim{{Source: "b", Value: "dr", Age: 112}, {Source: "d", Value: "Mr"}},
			}},
		},
		{
			name:  "a lone winner",
			parts: []Part{sayingFor("a", 0, Profile{UserName: "jane"})},
			want:  Provenance{"userName": {Winner: &Claim{Source: "a", Value: "jane"}}},
		},
		{
			name: "instants agree as instants",
			parts: []Part{
				sayingFor("a", 0, Profile{CreatedAt: mergeTime()}),
				sayingFor("b", 0, Profile{CreatedAt: mergeTime().In(time.FixedZone("", 3600))}),
				sayingFor("c", 0, Profile{CreatedAt: mergeTime().Add(1)}),
			},
			want: Provenance{"createdAt": {
				Winner:   &Claim{Source: "a", Value: mergeTime()},
				Agreeing: []Claim{{Source: "b", Value: mergeTime()}},
				Losing:   []Claim{{Source: "c", Value: mergeTime().Add(1)}},
			}},
		},
		{
			name: "to say less of a name is no contradiction",
			parts: []Part{
				sayingFor("a", 0, Profile{Name: &half}),
				sayingFor("b", 0, Profile{Name: &other}),
				sayingFor("c", 0, Profile{Name: &jane}),
			},
			want: Provenance{"name": {
				Winner:   &Claim{Source: "c", Value: jane},
				Agreeing: []Claim{{Source: "a", Value: half}},
				Losing:   []Claim{{Source: "b", Value: other}},
			}},
		},
		{
			name:   "active by its authority",
			fields: map[string]FieldRule{"active": {Authority: "c"}},
			parts: []Part{
				sayingFor("a", 0, Profile{Active: no}),
				sayingFor("b", 0, Profile{Active: yes}),
				sayingFor("c", 0, Profile{Active: yes}),
			},
			want: Provenance{"active": {
				Winner:   &Claim{Source: "c", Value: true},
				Agreeing: []Claim{{Source: "b", Value: true}},
				Losing:   []Claim{{Source: "a", Value: false}},
			}},
		},
		{
			name: "active where one says false",
			parts: []Part{
				sayingFor("a", 0, Profile{Active: yes}),
				sayingFor("b", 0, Profile{Active: no}),
				sayingFor("c", 0, Profile{Active: no}),
			},
			want: Provenance{"active": {
				Winner:   &Claim{Source: "b", Value: false},
				Agreeing: []Claim{{Source: "c", Value: false}},
				Losing:   []Claim{{Source: "a", Value: true}},
			}},
		},
		{
			name: "a list without contradiction: everybody agrees; primary is none",
			parts: []Part{
				sayingFor("b", 5*time.Second, Profile{Emails: []Email{{Value: "j@x.example", Primary: true}, {Value: "i@x.example"}}}),
				sayingFor("a", 0, Profile{Emails: []Email{{Value: "j@x.example", Type: "work", Verified: yes}}}),
			},
			want: Provenance{"emails": {Agreeing: []Claim{
				{Source: "a", Value: []Email{{Value: "j@x.example", Type: "work", Verified: yes, Sources: []string{"a"}}}},
				{Source: "b", Age: 5, Value: []Email{{Value: "i@x.example", Sources: []string{"b"}}, {Value: "j@x.example", Primary: true, Sources: []string{"b"}}}},
			}}},
		},
		{
			name: "what was overruled of a list's elements, and by whom",
			parts: []Part{
				sayingFor("a", time.Second, Profile{Emails: []Email{{Value: "j@x.example", Verified: no}, {Value: "k@x.example"}}}),
				sayingFor("b", 0, Profile{Emails: []Email{{Value: "j@x.example", Verified: yes, Type: "work"}}}),
				sayingFor("c", 0, Profile{Emails: []Email{{Value: "j@x.example", Verified: no, Type: "home"}, {Value: "k@x.example", Type: "home"}}}),
			},
			want: Provenance{"emails": {
				Agreeing: []Claim{
					{Source: "a", Age: 1, Value: []Email{{Value: "j@x.example", Verified: no, Sources: []string{"a"}}, {Value: "k@x.example", Sources: []string{"a"}}}},
					{Source: "b", Value: []Email{{Value: "j@x.example", Verified: yes, Type: "work", Sources: []string{"b"}}}},
					{Source: "c", Value: []Email{{Value: "j@x.example", Verified: no, Type: "home", Sources: []string{"c"}}, {Value: "k@x.example", Type: "home", Sources: []string{"c"}}}},
				},
				Losing: []Claim{
					{Source: "a", Age: 1, By: "b", Value: []Email{{Value: "j@x.example", Verified: no, Sources: []string{"a"}}}},
					{Source: "c", By: "b", Value: []Email{{Value: "j@x.example", Verified: no, Type: "home", Sources: []string{"c"}}}},
				},
			}},
		},
		{
			name: "two sources overrule each other",
			parts: []Part{
				sayingFor("a", 0, Profile{Emails: []Email{{Value: "j@x.example", Verified: no, Type: "work"}}}),
				sayingFor("b", 0, Profile{Emails: []Email{{Value: "j@x.example", Verified: yes, Type: "home"}}}),
			},
			want: Provenance{"emails": {
				Agreeing: []Claim{
					{Source: "a", Value: []Email{{Value: "j@x.example", Verified: no, Type: "work", Sources: []string{"a"}}}},
					{Source: "b", Value: []Email{{Value: "j@x.example", Verified: yes, Type: "home", Sources: []string{"b"}}}},
				},
				Losing: []Claim{
					{Source: "a", By: "b", Value: []Email{{Value: "j@x.example", Verified: no, Type: "work", Sources: []string{"a"}}}},
					{Source: "b", By: "a", Value: []Email{{Value: "j@x.example", Verified: yes, Type: "home", Sources: []string{"b"}}}},
				},
			}},
		},
		{
			name: "overruled in two elements",
			parts: []Part{
				sayingFor("a", 0, Profile{Organizations: []Organization{{Value: "1", Display: "One"}, {Value: "2", Display: "Two"}, {Value: "3"}}}),
				sayingFor("b", 0, Profile{Organizations: []Organization{{Value: "1", Display: "Uno"}, {Value: "2", Display: "Dos"}, {Value: "3", Display: "Tres"}}}),
			},
			want: Provenance{"organizations": {
				Agreeing: []Claim{
					{Source: "a", Value: []Organization{{Value: "1", Display: "One", Sources: []string{"a"}}, {Value: "2", Display: "Two", Sources: []string{"a"}}, {Value: "3", Sources: []string{"a"}}}},
					{Source: "b", Value: []Organization{{Value: "1", Display: "Uno", Sources: []string{"b"}}, {Value: "2", Display: "Dos", Sources: []string{"b"}}, {Value: "3", Display: "Tres", Sources: []string{"b"}}}},
				},
				Losing: []Claim{{Source: "b", By: "a", Value: []Organization{{Value: "1", Display: "Uno", Sources: []string{"b"}}, {Value: "2", Display: "Dos", Sources: []string{"b"}}}}},
			}},
		},
		{
			name: "nobody loses to themselves",
			parts: []Part{
				sayingFor("a", 0, Profile{PhoneNumbers: []Phone{{Value: "+491", Type: "work"}, {Value: "+491", Type: "home"}}}),
				sayingFor("b", 0, Profile{PhoneNumbers: []Phone{{Value: "+491"}}}),
			},
			want: Provenance{"phoneNumbers": {Agreeing: []Claim{
				{Source: "a", Value: []Phone{{Value: "+491", Type: "home", Sources: []string{"a"}}, {Value: "+491", Type: "work", Sources: []string{"a"}}}},
				{Source: "b", Value: []Phone{{Value: "+491", Sources: []string{"b"}}}},
			}}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rules := Rules{Order: []string{"a", "b", "c", "d"}, Fields: tt.fields}
			_, got := Merge(rules, tt.parts, mergeTime())
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("provenance (-want +got):\n%s", diff)
			}
		})
	}
}

func TestConflicts(t *testing.T) {
	parts := []Part{
		saying("a", Profile{Title: "Dr", UserName: "jane", Emails: []Email{{Value: "j@x.example", Type: "work"}, {Value: "k@x.example", Type: "work"}}}),
		saying("b", Profile{Title: "Mr", UserName: "jane", Emails: []Email{{Value: "j@x.example", Type: "home"}, {Value: "k@x.example", Type: "home"}}}),
		saying("c", Profile{Title: "Mx", Emails: []Email{{Value: "j@x.example", Type: "work"}}}),
	}
	_, provenance := Merge(ordered("a", "b", "c"), parts, mergeTime())
	want := []Conflict{
		{Field: "emails", Winner: "a", Loser: "b"},
		{Field: "title", Winner: "a", Loser: "b"},
		{Field: "title", Winner: "a", Loser: "c"},
	}
	if diff := cmp.Diff(want, provenance.Conflicts()); diff != "" {
		t.Errorf("Conflicts (-want +got):\n%s", diff)
	}
	if got := Provenance(nil).Conflicts(); got != nil {
		t.Errorf("Conflicts of nothing = %v, want none", got)
	}
}

func TestProvenanceJSON(t *testing.T) {
	parts := []Part{
		sayingFor("a", 61*time.Second, Profile{
			Title:  "Dr",
			Active: new(false),
			Emails: []Email{{Value: "j@x.example", Type: "work"}},
		}),
		{Source: "b", Record: Record{
			Profile:    Profile{Title: "Mr", Emails: []Email{{Value: "j@x.example", Type: "home"}}},
			Attributes: map[string][]string{"level": {"2"}, "kind": {"x"}},
		}},
	}
	_, provenance := Merge(ordered("a", "b"), parts, mergeTime())
	got, err := json.Marshal(provenance)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"active":{"winner":{"source":"a","value":false,"age":61}},` +
		`"attributes":{"agreeing":[{"source":"b","value":{"kind":["x"],"level":["2"]},"age":0}]},` +
		`"emails":{"agreeing":[{"source":"a","value":[{"value":"j@x.example","type":"work","sources":["a"]}],"age":61},` +
		`{"source":"b","value":[{"value":"j@x.example","type":"home","sources":["b"]}],"age":0}],` +
		`"losing":[{"source":"b","value":[{"value":"j@x.example","type":"home","sources":["b"]}],"age":0,"by":"a"}]},` +
		`"title":{"winner":{"source":"a","value":"Dr","age":61},"losing":[{"source":"b","value":"Mr","age":0}]}}`
	if string(got) != want {
		t.Errorf("JSON:\n got %s\nwant %s", got, want)
	}
}

package normalize

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// mergeTime is the moment at which these tests merge.
func mergeTime() time.Time { return time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC) }

// saying is what a source says in its profile.
func saying(source string, p Profile) Part { return Part{Source: source, Record: Record{Profile: p}} }

func ordered(sources ...string) Rules { return Rules{Order: sources} }

func TestMergeScalars(t *testing.T) {
	early, late := mergeTime().Add(-time.Hour), mergeTime()
	tests := []struct {
		name  string
		rules Rules
		parts []Part
		want  Profile
	}{
		{
			name:  "nothing",
			rules: ordered("hr", "idp"),
			want:  Profile{},
		},
		{
			name:  "the first in order wins, whatever its place among the replies",
			rules: ordered("hr", "idp"),
			parts: []Part{saying("idp", Profile{UserName: "jdoe"}), saying("hr", Profile{UserName: "jane"})},
			want:  Profile{UserName: "jane"},
		},
		{
			name:  "absence takes nothing away",
			rules: ordered("hr", "idp"),
			parts: []Part{saying("hr", Profile{Title: "Dr"}), saying("idp", Profile{UserName: "jdoe"})},
			want:  Profile{UserName: "jdoe", Title: "Dr"},
		},
		{
			name:  "sources that the order leaves out come last, by name",
			rules: ordered("hr"),
			parts: []Part{saying("zeta", Profile{UserName: "z", Title: "z"}), saying("alpha", Profile{UserName: "a", Title: "a"}), saying("hr", Profile{Title: "h"})},
			want:  Profile{UserName: "a", Title: "h"},
		},
		{
			name: "a member's own order",
			rules: Rules{Order: []string{"hr", "idp", "crm"}, Fields: map[string]FieldRule{
				"locale":   {Order: []string{"crm", "*"}},
				"timezone": {Order: []string{"*", "hr"}},
				"title":    {Order: []string{"crm"}},
			}},
			parts: []Part{
				saying("hr", Profile{Locale: "hr", Timezone: "hr", Title: "hr", UserType: "hr"}),
				saying("idp", Profile{Locale: "idp", Timezone: "idp", Title: "idp", UserType: "idp"}),
				saying("crm", Profile{Locale: "crm", Timezone: "crm", UserType: "crm"}),
			},
			want: Profile{Locale: "crm", Timezone: "idp", Title: "hr", UserType: "hr"},
		},
		{
			name:  "instants are scalars: the first in order, not the latest",
			rules: ordered("hr", "idp"),
			parts: []Part{saying("hr", Profile{UpdatedAt: early}), saying("idp", Profile{UpdatedAt: late, CreatedAt: late})},
			want:  Profile{UpdatedAt: early, CreatedAt: late},
		},
		{
			name:  "of two parts of one source the youngest counts",
			rules: ordered("hr"),
			parts: []Part{
				{Source: "hr", Age: time.Hour, Record: Record{Profile: Profile{Title: "old", NickName: "old"}}},
				{Source: "hr", Age: time.Minute, Record: Record{Profile: Profile{Title: "new"}}},
			},
			want: Profile{Title: "new"},
		},
		{
			name:  "and at one age what was said last",
			rules: ordered("hr"),
			parts: []Part{
				{Source: "hr", Record: Record{AsOf: early, Profile: Profile{Title: "old"}}},
				{Source: "hr", Record: Record{AsOf: late, Profile: Profile{Title: "new"}}},
			},
			want: Profile{Title: "new"},
		},
		{
			name:  "the id is not merged",
			rules: ordered("hr"),
			parts: []Part{saying("hr", Profile{ID: "1", Title: "Dr"})},
			want:  Profile{Title: "Dr"},
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

func TestMergeName(t *testing.T) {
	tests := []struct {
		name  string
		parts []Part
		want  *Name
	}{
		{name: "nobody", parts: []Part{saying("a", Profile{})}, want: nil},
		{name: "an empty name is none", parts: []Part{saying("a", Profile{Name: &Name{}})}, want: nil},
		{
			name: "the first that has both, whole and unmixed",
			parts: []Part{
				saying("a", Profile{Name: &Name{GivenName: "Jane", MiddleName: "Q"}}),
				saying("b", Profile{Name: &Name{GivenName: "Janet", FamilyName: "Doe"}}),
				saying("c", Profile{Name: &Name{GivenName: "J", FamilyName: "D", Formatted: "J D"}}),
			},
			want: &Name{GivenName: "Janet", FamilyName: "Doe"},
		},
		{
			name: "else the first that has either",
			parts: []Part{
				saying("a", Profile{Name: &Name{Formatted: "Jane Doe"}}),
				saying("b", Profile{Name: &Name{FamilyName: "Doe"}}),
				saying("c", Profile{Name: &Name{GivenName: "Jane"}}),
			},
			want: &Name{FamilyName: "Doe"},
		},
		{
			name:  "else whatever is said",
			parts: []Part{saying("a", Profile{}), saying("b", Profile{Name: &Name{Formatted: "Jane Doe"}})},
			want:  &Name{Formatted: "Jane Doe"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := Merge(ordered("a", "b", "c"), tt.parts, mergeTime())
			if diff := cmp.Diff(tt.want, got.Name); diff != "" {
				t.Errorf("name (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMergeActive(t *testing.T) {
	yes, no := new(true), new(false)
	tests := []struct {
		name      string
		authority string
		says      map[string]*bool
		want      *bool
	}{
		{name: "nobody knows", says: map[string]*bool{"a": nil}, want: nil},
		{name: "all that know say true", says: map[string]*bool{"a": yes, "b": nil, "c": yes}, want: yes},
		{name: "one says false", says: map[string]*bool{"a": yes, "b": yes, "c": no}, want: no},
		{name: "the authority says true against others", authority: "c", says: map[string]*bool{"a": no, "c": yes}, want: yes},
		{name: "the authority says false against others", authority: "c", says: map[string]*bool{"a": yes, "b": yes, "c": no}, want: no},
		{name: "the authority does not know: one says false", authority: "c", says: map[string]*bool{"a": yes, "b": no, "c": nil}, want: no},
		{name: "the authority does not know: all say true", authority: "c", says: map[string]*bool{"a": yes, "b": yes}, want: yes},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rules := Rules{Order: []string{"a", "b", "c"}, Fields: map[string]FieldRule{"active": {Authority: tt.authority}}}
			var parts []Part
			for source, active := range tt.says {
				parts = append(parts, saying(source, Profile{Active: active}))
			}
			got, _ := Merge(rules, parts, mergeTime())
			if diff := cmp.Diff(tt.want, got.Active); diff != "" {
				t.Errorf("active (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMergeAttributes(t *testing.T) {
	parts := []Part{
		{Source: "b", Record: Record{Attributes: map[string][]string{"level": {"2"}, "tags": {"z", "a"}}}},
		{Source: "a", Record: Record{Attributes: map[string][]string{"level": {"1"}}}},
		{Source: "c", Record: Record{Attributes: map[string][]string{}}},
	}
	got, provenance := Merge(ordered("a", "b", "c"), parts, mergeTime())
	want := map[string]map[string][]string{
		"a": {"level": {"1"}},
		"b": {"level": {"2"}, "tags": {"a", "z"}},
	}
	if diff := cmp.Diff(want, got.Attributes); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	decision := Decision{Agreeing: []Claim{
		{Source: "a", Value: map[string][]string{"level": {"1"}}},
		{Source: "b", Value: map[string][]string{"level": {"2"}, "tags": {"a", "z"}}},
	}}
	if diff := cmp.Diff(Provenance{"attributes": decision}, provenance); diff != "" {
		t.Errorf("provenance (-want +got):\n%s", diff)
	}
}

// TestMergeEveryMember finds a member that Merge forgets.
func TestMergeEveryMember(t *testing.T) {
	record := Record{Attributes: map[string][]string{"k": {"v"}}, IDs: []Identifier{{Kind: "k", Value: "v"}}}
	profile := reflect.ValueOf(&record.Profile).Elem()
	for i := range profile.NumField() {
		fillMember(profile.Field(i))
	}
	got, provenance := Merge(ordered("hr"), []Part{{Source: "hr", Record: record}}, mergeTime())
	for i, member := range Members() {
		if member == "id" {
			continue
		}
		if reflect.ValueOf(got).Field(i).IsZero() {
			t.Errorf("%s: not merged", member)
		}
		if _, ok := provenance[member]; !ok {
			t.Errorf("%s: not in the provenance", member)
		}
	}
}

// fillMember gives a value of any member's type something to say.
func fillMember(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillMember(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fillMember(v.Index(0))
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(mergeTime()))
			return
		}
		for i := range v.NumField() {
			fillMember(v.Field(i))
		}
	case reflect.Map: // attributes are not given under the profile
	default:
		panic("a member of an unexpected kind: " + v.Kind().String())
	}
}

func TestIncompleteFields(t *testing.T) {
	rules := Rules{
		Order: []string{"a", "b", "c"},
		Fields: map[string]FieldRule{
			"active": {Authority: "c"},
			"title":  {Order: []string{"c", "*"}},
		},
	}
	full := &Name{GivenName: "Jane", FamilyName: "Doe"}
	half := &Name{GivenName: "Jane"}
	everything := strings.Join(Members(), " ")
	tests := []struct {
		name   string
		parts  []Part
		failed map[string][]string
		want   []string
	}{
		{name: "nothing failed", parts: []Part{saying("a", Profile{Title: "Dr"})}, want: nil},
		{
			name:   "a scalar that nobody gave, in the profile's order and once",
			failed: map[string][]string{"a": {"title", "userName"}, "c": {"title", "displayName"}},
			want:   []string{"userName", "displayName", "title"},
		},
		{
			name:   "a scalar whose winner stands before the failed source",
			parts:  []Part{saying("b", Profile{UserName: "jane"})},
			failed: map[string][]string{"c": {"userName"}},
			want:   nil,
		},
		{
			name:   "a scalar whose winner stands behind it",
			parts:  []Part{saying("b", Profile{UserName: "jane"})},
			failed: map[string][]string{"a": {"userName"}},
			want:   []string{"userName"},
		},
		{
			name:   "by the member's own order",
			parts:  []Part{saying("b", Profile{Title: "Dr", UserName: "jane"})},
			failed: map[string][]string{"c": {"title", "userName"}},
			want:   []string{"title"},
		},
		{
			name: "a list always",
			parts: []Part{{Source: "a", Record: Record{
				Profile:    Profile{Emails: []Email{{Value: "a@x.example"}}, Roles: []Role{{Value: "r"}}},
				Attributes: map[string][]string{"k": {"v"}},
				IDs:        []Identifier{{Kind: "k", Value: "v"}},
			}}},
			failed: map[string][]string{"c": {"attributes", "identifiers", "roles", "emails", "requiredActions"}},
			want:   []string{"emails", "roles", "identifiers", "requiredActions", "attributes"},
		},
		{
			name:   "a full name from a source before",
			parts:  []Part{saying("b", Profile{Name: full})},
			failed: map[string][]string{"c": {"name"}},
			want:   nil,
		},
		{
			name:   "a full name from a source behind",
			parts:  []Part{saying("b", Profile{Name: full})},
			failed: map[string][]string{"a": {"name"}},
			want:   []string{"name"},
		},
		{
			name:   "half a name gives way to a full one from behind",
			parts:  []Part{saying("b", Profile{Name: half})},
			failed: map[string][]string{"c": {"name"}},
			want:   []string{"name"},
		},
		{
			name:   "the authority of active stands before every other source",
			parts:  []Part{saying("a", Profile{Active: new(true)}), saying("b", Profile{Active: new(false)})},
			failed: map[string][]string{"c": {"active"}},
			want:   []string{"active"},
		},
		{
			name:   "where the authority knows nobody else matters",
			parts:  []Part{saying("c", Profile{Active: new(true)})},
			failed: map[string][]string{"a": {"active"}, "b": {"active"}},
			want:   nil,
		},
		{
			name:   "without it a source from behind may still say false",
			parts:  []Part{saying("a", Profile{Active: new(true)})},
			failed: map[string][]string{"b": {"active"}},
			want:   []string{"active"},
		},
		{
			name:   "but not more than false",
			parts:  []Part{saying("a", Profile{Active: new(false)})},
			failed: map[string][]string{"b": {"active"}},
			want:   nil,
		},
		{
			name:   "names that are no members are nobody's",
			failed: map[string][]string{"a": {"shoeSize", ""}},
			want:   nil,
		},
		{
			name:   "all at once",
			failed: map[string][]string{"a": strings.Fields(everything)},
			want:   strings.Fields(everything),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, provenance := Merge(rules, tt.parts, mergeTime())
			got := rules.IncompleteFields(provenance, tt.failed)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("IncompleteFields (-want +got):\n%s", diff)
			}
		})
	}
}

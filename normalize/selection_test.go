package normalize

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func mustSelect(t testing.TB, paths ...string) Selection {
	t.Helper()
	s, err := NewSelection(paths)
	if err != nil {
		t.Fatalf("NewSelection(%q): %v", paths, err)
	}
	return s
}

func TestMembers(t *testing.T) {
	want := strings.Fields(`id userName displayName nickName title userType name emails phoneNumbers addresses
		locale preferredLanguage timezone active organizations department organization employeeNumber manager
		groups roles urls photos identifiers requiredActions createdAt updatedAt lastLoginAt attributes`)
	if diff := cmp.Diff(want, Members()); diff != "" {
		t.Errorf("Members (-want +got):\n%s", diff)
	}
}

// person has something in most corners of the profile.
func person() Profile {
	return Profile{
		ID:       "7",
		UserName: "jane",
		Name:     &Name{GivenName: "Jane", FamilyName: "Doe"},
		Emails: []Email{
			{Value: "j@x.example", Type: "work", Primary: true, Verified: new(true), Sources: []string{"a", "b"}},
			{Value: "k@x.example", Sources: []string{"b"}},
		},
		Active:          new(false),
		Roles:           []Role{{Value: "r", Permissions: []string{}, Source: "a"}},
		Identifiers:     []Identifier{{Kind: "a", Value: "1", Source: "a"}},
		RequiredActions: []string{"verify email"},
		CreatedAt:       mergeTime(),
		Attributes: map[string]map[string][]string{
			"a": {"level": {"1"}, "odd.name": {"x"}},
			"b": {"level": {"2"}},
		},
	}
}

func TestKeepAndDrop(t *testing.T) {
	tests := []struct {
		paths []string
		keep  Profile
		drop  func(*Profile) // from person
	}{
		{
			paths: nil,
			keep:  Profile{},
			drop:  func(*Profile) {},
		},
		{
			paths: []string{"*"},
			keep:  person(),
			drop:  func(p *Profile) { *p = Profile{} },
		},
		{
			paths: []string{"userName", "active", "createdAt", "requiredActions", "title"},
			keep:  Profile{UserName: "jane", Active: new(false), CreatedAt: mergeTime(), RequiredActions: []string{"verify email"}},
			drop: func(p *Profile) {
				p.UserName, p.Active, p.CreatedAt, p.RequiredActions = "", nil, person().LastLoginAt, nil
			},
		},
		{
			paths: []string{"name.givenName"},
			keep:  Profile{Name: &Name{GivenName: "Jane"}},
			drop:  func(p *Profile) { p.Name.GivenName = "" },
		},
		{
			paths: []string{"name.givenName", "name.familyName"},
			keep:  Profile{Name: person().Name},
			drop:  func(p *Profile) { p.Name = nil },
		},
		{
			paths: []string{"name.middleName"},
			keep:  Profile{},
			drop:  func(*Profile) {},
		},
		{
			paths: []string{"emails"},
			keep:  Profile{Emails: person().Emails},
			drop:  func(p *Profile) { p.Emails = nil },
		},
		{
			paths: []string{"emails.value"},
			keep: Profile{Emails: []Email{
				{Value: "j@x.example", Sources: []string{"a", "b"}},
				{Value: "k@x.example", Sources: []string{"b"}},
			}},
			// Of the second nothing would be left but its sources.
			drop: func(p *Profile) {
				p.Emails = []Email{{Type: "work", Primary: true, Verified: new(true), Sources: []string{"a", "b"}}}
			},
		},
		{
			paths: []string{"emails.type", "emails.verified"},
			keep:  Profile{Emails: []Email{{Type: "work", Verified: new(true), Sources: []string{"a", "b"}}}},
			drop: func(p *Profile) {
				p.Emails[0].Type, p.Emails[0].Verified = "", nil
			},
		},
		{
			paths: []string{"emails.sources"},
			keep:  Profile{Emails: []Email{{Sources: []string{"a", "b"}}, {Sources: []string{"b"}}}},
			drop:  func(p *Profile) { p.Emails[0].Sources, p.Emails[1].Sources = nil, nil },
		},
		{
			paths: []string{"roles.permissions"},
			keep:  Profile{Roles: []Role{{Permissions: []string{}, Source: "a"}}},
			drop:  func(p *Profile) { p.Roles[0].Permissions = nil },
		},
		{
			paths: []string{"identifiers.kind"},
			keep:  Profile{Identifiers: []Identifier{{Kind: "a", Source: "a"}}},
			drop:  func(p *Profile) { p.Identifiers[0].Kind = "" },
		},
		{
			paths: []string{"attributes"},
			keep:  Profile{Attributes: person().Attributes},
			drop:  func(p *Profile) { p.Attributes = nil },
		},
		{
			paths: []string{"attributes.a", "attributes.nobody"},
			keep:  Profile{Attributes: map[string]map[string][]string{"a": {"level": {"1"}, "odd.name": {"x"}}}},
			drop:  func(p *Profile) { delete(p.Attributes, "a") },
		},
		{
			paths: []string{"attributes.a.odd.name", "attributes.b.level"},
			keep:  Profile{Attributes: map[string]map[string][]string{"a": {"odd.name": {"x"}}, "b": {"level": {"2"}}}},
			drop:  func(p *Profile) { delete(p.Attributes["a"], "odd.name"); delete(p.Attributes, "b") },
		},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.paths, ","), func(t *testing.T) {
			s, p := mustSelect(t, tt.paths...), person()
			if diff := cmp.Diff(tt.keep, s.Keep(p)); diff != "" {
				t.Errorf("Keep (-want +got):\n%s", diff)
			}
			want := person()
			tt.drop(&want)
			if diff := cmp.Diff(want, s.Drop(p)); diff != "" {
				t.Errorf("Drop (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(person(), p); diff != "" {
				t.Errorf("the profile itself changed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNeeds(t *testing.T) {
	everything := Everything()
	tests := []struct {
		name string
		s    Selection
		want []string
	}{
		{"nothing", Selection{}, nil},
		{"everything", everything, Members()},
		{"paths", mustSelect(t, "emails.value", "attributes.a.level", "userName"), []string{"userName", "emails", "attributes"}},
		{"less some of a member", everything.Minus(mustSelect(t, "emails.value", "attributes.a")), Members()},
		{"less a member", everything.Minus(mustSelect(t, "attributes", "emails")), except(Members(), "attributes", "emails")},
		{"less all parts of a member", everything.Minus(mustSelect(t, "name.givenName", "name.familyName", "name.middleName", "name.honorificPrefix", "name.formatted")), except(Members(), "name")},
		{"all of it taken away again", mustSelect(t, "emails.value", "attributes.a").Minus(mustSelect(t, "emails", "attributes")), nil},
		{"all but its source taken away again", mustSelect(t, "emails.value").Minus(mustSelect(t, "emails.value")), nil},
		{"a source alone", mustSelect(t, "emails.sources"), []string{"emails"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, member := range Members() {
				if tt.s.Needs(member) {
					got = append(got, member)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Needs (-want +got):\n%s", diff)
			}
		})
	}
	if everything.Needs("shoeSize") {
		t.Errorf("Needs of what is no member = true")
	}
}

func except(all []string, names ...string) []string {
	return slices.DeleteFunc(all, func(name string) bool { return slices.Contains(names, name) })
}

// TestSelectionAlgebra is a policy at work: shown, hidden, asked for.
func TestSelectionAlgebra(t *testing.T) {
	basic := mustSelect(t, "userName", "emails.value")
	all := Everything().Minus(mustSelect(t, "attributes.a.level", "emails.sources"))
	tests := []struct {
		name string
		s    Selection
		want Profile
	}{
		{"both show", basic.Union(mustSelect(t, "emails.type")), Profile{UserName: "jane", Emails: []Email{
			{Value: "j@x.example", Type: "work", Sources: []string{"a", "b"}}, {Value: "k@x.example", Sources: []string{"b"}},
		}}},
		{"what is asked for and shown", basic.Intersect(mustSelect(t, "emails", "title")), Profile{Emails: []Email{
			{Value: "j@x.example", Sources: []string{"a", "b"}}, {Value: "k@x.example", Sources: []string{"b"}},
		}}},
		{"a hidden source does not come along", all.Intersect(basic), Profile{UserName: "jane", Emails: []Email{
			{Value: "j@x.example"}, {Value: "k@x.example"},
		}}},
		{"a source asked for by name where all is shown", Everything().Intersect(mustSelect(t, "identifiers.source")), Profile{
			Identifiers: []Identifier{{Source: "a"}},
		}},
		{"a source that is not shown but with its element", basic.Intersect(mustSelect(t, "emails.sources")), Profile{}},
		{"a hidden attribute asked for by name", all.Intersect(mustSelect(t, "attributes.a.level", "attributes.b.level")), Profile{
			Attributes: map[string]map[string][]string{"b": {"level": {"2"}}},
		}},
		{"what one hides another may show", all.Union(mustSelect(t, "attributes")).Intersect(mustSelect(t, "attributes.a.level")), Profile{
			Attributes: map[string]map[string][]string{"a": {"level": {"1"}}},
		}},
		{"nothing in common", basic.Intersect(mustSelect(t, "attributes.a", "emails.type")), Profile{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.s.Keep(person())); diff != "" {
				t.Errorf("Keep (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnknownMembers(t *testing.T) {
	name := []string{"name.givenName", "name.familyName", "name.middleName", "name.honorificPrefix", "name.formatted"}
	tests := []struct {
		path  string
		known []string
	}{
		{"", Members()},
		{"shoeSize", Members()},
		{"username", Members()},
		{".userName", Members()},
		{"name.nick", name},
		{"name.", name},
		{"emails.*", []string{"emails.value", "emails.type", "emails.primary", "emails.verified", "emails.sources"}},
		{"userName.first", []string{"userName"}},
		{"emails.value.domain", []string{"emails.value"}},
		{"createdAt.year", []string{"createdAt"}},
		{"requiredActions.0", []string{"requiredActions"}},
		{"attributes.", []string{"attributes"}},
		{"attributes.a.", []string{"attributes.a"}},
		{"*.value", Members()},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			_, err := NewSelection([]string{"userName", tt.path})
			var unknown *UnknownMemberError
			if !errors.As(err, &unknown) {
				t.Fatalf("error = %v, want an UnknownMemberError", err)
			}
			if diff := cmp.Diff(&UnknownMemberError{Path: tt.path, Known: tt.known}, unknown); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
	_, err := NewSelection([]string{"name.nick", "userName", "userName.first"})
	const want = `unknown member "name.nick": known are name.givenName, name.familyName, name.middleName, name.honorificPrefix, name.formatted
unknown member "userName.first": known are userName`
	if err == nil || err.Error() != want {
		t.Errorf("error = %v, want %s", err, want)
	}
}

func TestKeepProvenance(t *testing.T) {
	parts := []Part{
		{Source: "a", Record: Record{
			Profile: Profile{
				Title:  "Dr",
				Name:   &Name{GivenName: "Jane", FamilyName: "Doe"},
				Active: new(false),
				Emails: []Email{{Value: "j@x.example", Type: "work"}},
			},
			Attributes: map[string][]string{"level": {"1"}, "secret": {"s"}},
		}},
		{Source: "b", Record: Record{
			Profile: Profile{
				Title:  "Mr",
				Name:   &Name{GivenName: "Janet", MiddleName: "Q"},
				Active: new(true),
				Emails: []Email{{Value: "j@x.example", Type: "home"}},
			},
			Attributes: map[string][]string{"secret": {"t"}},
		}},
	}
	_, provenance := Merge(ordered("a", "b"), parts, mergeTime())
	before := asJSON(t, provenance)

	got := mustSelect(t, "active", "name.middleName", "emails.value", "attributes.a.level").KeepProvenance(provenance)
	want := Provenance{
		"active": {Winner: &Claim{Source: "a", Value: false}, Losing: []Claim{{Source: "b", Value: true}}},
		"name":   {Losing: []Claim{{Source: "b", Value: Name{MiddleName: "Q"}}}},
		"emails": {
			Agreeing: []Claim{
				{Source: "a", Value: []Email{{Value: "j@x.example", Sources: []string{"a"}}}},
				{Source: "b", Value: []Email{{Value: "j@x.example", Sources: []string{"b"}}}},
			},
			Losing: []Claim{{Source: "b", By: "a", Value: []Email{{Value: "j@x.example", Sources: []string{"b"}}}}},
		},
		"attributes": {Agreeing: []Claim{{Source: "a", Value: map[string][]string{"level": {"1"}}}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("KeepProvenance (-want +got):\n%s", diff)
	}

	got = mustSelect(t, "active", "name", "emails", "attributes.a.secret", "attributes.b").DropProvenance(provenance)
	want = Provenance{
		"title":      {Winner: &Claim{Source: "a", Value: "Dr"}, Losing: []Claim{{Source: "b", Value: "Mr"}}},
		"attributes": {Agreeing: []Claim{{Source: "a", Value: map[string][]string{"level": {"1"}}}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("DropProvenance (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(provenance, Everything().KeepProvenance(provenance)); diff != "" {
		t.Errorf("KeepProvenance of everything (-want +got):\n%s", diff)
	}
	if asJSON(t, provenance) != before {
		t.Errorf("the provenance itself changed")
	}
}

// paths are such as the generated profiles have something at, and some more.
func paths() *rapid.Generator[[]string] {
	return rapid.SliceOfN(rapid.SampledFrom(slices.Concat(Members(), []string{
		"*", "name.givenName", "name.familyName", "name.middleName", "name.honorificPrefix", "name.formatted",
		"emails.value", "emails.type", "emails.primary", "emails.verified", "emails.sources",
		"phoneNumbers.value", "phoneNumbers.type", "addresses.locality", "addresses.streetAddress",
		"groups.value", "groups.display", "roles.value", "roles.permissions", "roles.expiresAt", "roles.expired", "roles.source",
		"identifiers.kind", "identifiers.value", "identifiers.verified",
		"attributes.s1", "attributes.s2", "attributes.s1.a", "attributes.s2.b", "attributes.s3.c",
	})), 0, 6)
}

// selected is the meaning of a selection, told without one: does any of the
// paths stand at or above the leaf?
func selected(paths []string, leaf string) bool {
	return slices.ContainsFunc(paths, func(path string) bool {
		return path == "*" || path == leaf || strings.HasPrefix(leaf, path+".")
	})
}

// leaves counts what a value holds, by path and text. Where an element comes
// from is left out: it comes along.
func leaves(t interface{ Fatalf(string, ...any) }, prefix string, v any) map[[2]string]int {
	var tree any
	if err := json.Unmarshal([]byte(asJSON(t, v)), &tree); err != nil {
		t.Fatalf("JSON: %v", err)
	}
	counts := map[[2]string]int{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, member := range v {
				if name == "source" || name == "sources" {
					continue
				}
				walk(strings.TrimPrefix(path+"."+name, "."), member)
			}
		case []any:
			if len(v) > 0 {
				if _, objects := v[0].(map[string]any); objects {
					for _, e := range v {
						walk(path, e)
					}
					return
				}
			}
			counts[[2]string{path, asJSON(t, v)}]++
		default:
			if v != "" { // written of a value that is not shown
				counts[[2]string{path, asJSON(t, v)}]++
			}
		}
	}
	walk(prefix, tree)
	return counts
}

func TestKeepAndDropAreComplements(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		profile, _ := Merge(ruleSets().Draw(t, "rules"), partsOf().Draw(t, "parts"), mergeTime())
		chosen := paths().Draw(t, "paths")
		s, err := NewSelection(chosen)
		if err != nil {
			t.Fatalf("NewSelection(%q): %v", chosen, err)
		}
		kept, dropped := leaves(t, "", s.Keep(profile)), leaves(t, "", s.Drop(profile))
		for leaf, n := range leaves(t, "", profile) {
			if selected(chosen, leaf[0]) {
				if kept[leaf] != n || dropped[leaf] != 0 {
					t.Fatalf("%v is selected: kept %d, dropped %d of %d", leaf, kept[leaf], dropped[leaf], n)
				}
			} else if kept[leaf] != 0 || dropped[leaf] != n {
				t.Fatalf("%v is not selected: kept %d, dropped %d of %d", leaf, kept[leaf], dropped[leaf], n)
			}
			if member, _, _ := strings.Cut(leaf[0], "."); selected(chosen, leaf[0]) && !s.Needs(member) {
				t.Fatalf("%s has selected members and is not needed", member)
			}
		}
		if diff := cmp.Diff(s.Keep(profile), s.Keep(s.Keep(profile))); diff != "" {
			t.Fatalf("keeping twice differs:\n%s", diff)
		}
		if rest := leaves(t, "", s.Drop(s.Keep(profile))); len(rest) != 0 {
			t.Fatalf("what is kept is not dropped: %v", rest)
		}
	})
}

func TestSelectionsCombineAsSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		profile, _ := Merge(ruleSets().Draw(t, "rules"), partsOf().Draw(t, "parts"), mergeTime())
		here, there := paths().Draw(t, "here"), paths().Draw(t, "there")
		a, errA := NewSelection(here)
		b, errB := NewSelection(there)
		if errA != nil || errB != nil {
			t.Fatalf("NewSelection: %v, %v", errA, errB)
		}
		union, both, less := leaves(t, "", a.Union(b).Keep(profile)), leaves(t, "", a.Intersect(b).Keep(profile)), leaves(t, "", a.Minus(b).Keep(profile))
		for leaf, n := range leaves(t, "", profile) {
			inA, inB := selected(here, leaf[0]), selected(there, leaf[0])
			for _, c := range []struct {
				name string
				got  int
				want bool
			}{
				{"union", union[leaf], inA || inB},
				{"intersection", both[leaf], inA && inB},
				{"difference", less[leaf], inA && !inB},
			} {
				if (c.got == n) != c.want || c.got != 0 && c.got != n {
					t.Fatalf("%s of %q and %q has %d of %d %v", c.name, here, there, c.got, n, leaf)
				}
			}
		}
	})
}

// TestProvenanceShowsNothingThatIsHidden holds for every claim what holds for
// the profile.
func TestProvenanceShowsNothingThatIsHidden(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		_, provenance := Merge(ruleSets().Draw(t, "rules"), partsOf().Draw(t, "parts"), mergeTime())
		chosen := paths().Draw(t, "paths")
		s, err := NewSelection(chosen)
		if err != nil {
			t.Fatalf("NewSelection(%q): %v", chosen, err)
		}
		all := claimed(t, provenance)
		kept, dropped := claimed(t, s.KeepProvenance(provenance)), claimed(t, s.DropProvenance(provenance))
		for leaf := range maps.Keys(all) {
			shown := selected(chosen, leaf[0])
			if (kept[leaf] == all[leaf]) != shown || (dropped[leaf] == all[leaf]) == shown || kept[leaf]+dropped[leaf] != all[leaf] {
				t.Fatalf("%v with %q: kept %d, dropped %d of %d", leaf, chosen, kept[leaf], dropped[leaf], all[leaf])
			}
		}
	})
}

// claimed counts what all claims hold.
func claimed(t interface{ Fatalf(string, ...any) }, p Provenance) map[[2]string]int {
	counts := map[[2]string]int{}
	for member, d := range p {
		claims := slices.Concat(d.Agreeing, d.Losing)
		if d.Winner != nil {
			claims = append(claims, *d.Winner)
		}
		for _, claim := range claims {
			prefix := member
			if member == "attributes" {
				prefix += "." + claim.Source
			}
			for leaf, n := range leaves(t, prefix, claim.Value) {
				counts[leaf] += n
			}
		}
	}
	return counts
}

func FuzzNewSelection(f *testing.F) {
	for _, path := range []string{"*", "userName", "emails.value", "attributes.a.b.c", "attributes..", "name.", "", "a.b"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		s, err := NewSelection([]string{path})
		var unknown *UnknownMemberError
		if err != nil {
			if !errors.As(err, &unknown) || unknown.Path != path || len(unknown.Known) == 0 {
				t.Fatalf("NewSelection(%q): %v", path, err)
			}
			return
		}
		if member, _, _ := strings.Cut(path, "."); path != "*" && !s.Needs(member) {
			t.Fatalf("%q does not need %q", path, member)
		}
		// What is selected and what is not make up the whole.
		whole := Everything()
		if diff := cmp.Diff(person(), s.Union(whole.Minus(s)).Keep(person())); diff != "" {
			t.Fatalf("%q and the rest (-want +got):\n%s", path, diff)
		}
	})
}

// TestSelectionPattern: the pattern takes what NewSelection takes, and nothing else.
func TestSelectionPattern(t *testing.T) {
	pattern := regexp.MustCompile(SelectionPattern())
	for _, path := range []string{
		"*", "", "userName", "username", "emails", "emails.value", "emails.sources", "emails.valu", "emails.value.x", "name.givenName", "name.", "name", "createdAt", "createdAt.x",
		"attributes", "attributes.a", "attributes.a.b.c", "roles.permissions", "roles.permissions.x", "id", "identifiers.kind", "active.x", "**", "userName,name",
	} {
		_, err := NewSelection([]string{path})
		if taken := pattern.MatchString(path); taken != (err == nil) {
			t.Errorf("%q: the pattern %t, NewSelection %v", path, taken, err)
		}
	}
}

// TestNeedsFrom: of attributes each source gives its own.
func TestNeedsFrom(t *testing.T) {
	some, err := NewSelection([]string{"attributes.a.x", "name.givenName"})
	if err != nil {
		t.Fatal(err)
	}
	rest := Everything().Minus(some)
	for _, test := range []struct {
		of             Selection
		source, member string
		want           bool
	}{
		{some, "a", "attributes", true},
		{some, "b", "attributes", false},
		{some, "b", "name", true},
		{some, "a", "emails", false},
		{rest, "a", "attributes", true},
		{rest, "b", "attributes", true},
		{Everything(), "b", "attributes", true},
		{Selection{}, "a", "attributes", false},
	} {
		if got := test.of.NeedsFrom(test.source, test.member); got != test.want {
			t.Errorf("%s of %s: %t", test.member, test.source, got)
		}
	}
	if !(Selection{}).Empty() || some.Empty() || !some.Minus(Everything()).Empty() {
		t.Error("what is empty is not told")
	}
}

// TestMembersAreTheProfiles: they are written out, and are those of the type, in its order.
func TestMembersAreTheProfiles(t *testing.T) {
	t.Parallel()
	var want []string
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Profile]()) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		want = append(want, name)
	}
	if diff := cmp.Diff(want, Members()); diff != "" {
		t.Errorf("(-type +members)\n%s", diff)
	}
}

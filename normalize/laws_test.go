package normalize

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// The laws of the merge, over sources that say a little of everything from so
// few values that they agree, differ and repeat each other all the time.

func word() *rapid.Generator[string] { return rapid.SampledFrom([]string{"", "", "a", "b", "c"}) }

func value() *rapid.Generator[string] { return rapid.SampledFrom([]string{"a", "b", "c", "d"}) }

func maybe() *rapid.Generator[*bool] { return rapid.SampledFrom([]*bool{nil, new(true), new(false)}) }

func instants() *rapid.Generator[time.Time] {
	return rapid.Map(rapid.IntRange(-2, 2), func(n int) time.Time {
		if n == -2 {
			return time.Time{}
		}
		return mergeTime().Add(time.Duration(n) * time.Hour)
	})
}

// some is a list without repeats.
func some[E any](t *rapid.T, draw func(*rapid.T) E) []E {
	list := rapid.SliceOfNDistinct(rapid.Custom(draw), 0, 3, func(e E) string { return fmt.Sprintf("%+v", e) }).Draw(t, "list")
	if len(list) == 0 {
		return nil
	}
	return list
}

func profiles() *rapid.Generator[Profile] {
	return rapid.Custom(func(t *rapid.T) Profile {
		w := func() string { return word().Draw(t, "word") }
		v := func() string { return value().Draw(t, "value") }
		p := Profile{
			UserName: w(), DisplayName: w(), NickName: w(), Title: w(), UserType: w(),
			Locale: w(), PreferredLanguage: w(), Timezone: w(),
			Department: w(), Organization: w(), EmployeeNumber: w(), Manager: w(),
			Active:    maybe().Draw(t, "active"),
			CreatedAt: instants().Draw(t, "at"), UpdatedAt: instants().Draw(t, "at"), LastLoginAt: instants().Draw(t, "at"),
			Emails: some(t, func(*rapid.T) Email {
				return Email{Value: v() + "@x.example", Type: w(), Primary: rapid.Bool().Draw(t, "primary"), Verified: maybe().Draw(t, "verified")}
			}),
			PhoneNumbers:  some(t, func(*rapid.T) Phone { return Phone{Value: v(), Type: w()} }),
			Addresses:     some(t, func(*rapid.T) Address { return Address{StreetAddress: v(), Locality: w(), Country: w(), Type: w()} }),
			Organizations: some(t, func(*rapid.T) Organization { return Organization{Value: v(), Display: w()} }),
			Groups:        some(t, func(*rapid.T) Group { return Group{Value: v(), Display: w()} }),
			Roles: some(t, func(*rapid.T) Role {
				role := Role{Value: v(), Display: w(), Type: w(), Scope: w(), ExpiresAt: instants().Draw(t, "expiry")}
				if rapid.Bool().Draw(t, "known") {
					role.Permissions = rapid.SliceOfNDistinct(value(), 0, 3, rapid.ID).Draw(t, "permissions")
				}
				return role
			}),
			URLs:            some(t, func(*rapid.T) Link { return Link{Value: v(), Type: w()} }),
			Photos:          some(t, func(*rapid.T) Link { return Link{Value: v(), Type: w()} }),
			RequiredActions: some(t, func(*rapid.T) string { return v() }),
		}
		if rapid.Bool().Draw(t, "named") {
			p.Name = &Name{GivenName: w(), FamilyName: w(), MiddleName: w(), HonorificPrefix: w(), Formatted: w()}
		}
		return p
	})
}

func records() *rapid.Generator[Record] {
	return rapid.Custom(func(t *rapid.T) Record {
		return Record{
			Profile: profiles().Draw(t, "profile"),
			IDs: some(t, func(t *rapid.T) Identifier {
				return Identifier{Kind: rapid.SampledFrom([]string{Self, "email", "s1"}).Draw(t, "kind"), Value: value().Draw(t, "value"), Verified: maybe().Draw(t, "verified")}
			}),
			Attributes: rapid.MapOfN(value(), rapid.SliceOfNDistinct(value(), 1, 3, rapid.ID), 0, 2).Draw(t, "attributes"),
		}
	})
}

// sources are those that may appear; the rules need not name them all.
func sources() *rapid.Generator[string] {
	return rapid.SampledFrom([]string{"s1", "s2", "s3", "s4", Links})
}

func partsOf() *rapid.Generator[[]Part] {
	one := rapid.Custom(func(t *rapid.T) Part {
		return Part{
			Source: sources().Draw(t, "source"),
			Age:    time.Duration(rapid.IntRange(0, 3).Draw(t, "age")) * time.Minute,
			Record: records().Draw(t, "record"),
		}
	})
	return rapid.SliceOfNDistinct(one, 0, 4, func(p Part) string { return p.Source })
}

func ruleSets() *rapid.Generator[Rules] {
	return rapid.Custom(func(t *rapid.T) Rules {
		return Rules{
			Order: rapid.SliceOfNDistinct(sources(), 0, 4, rapid.ID).Draw(t, "order"),
			Fields: map[string]FieldRule{
				"active":       {Authority: rapid.SampledFrom([]string{"", "s1", "s3"}).Draw(t, "authority")},
				"emails":       {Prefer: rapid.SampledFrom([]string{"", "verified"}).Draw(t, "prefer")},
				"title":        {Order: []string{"s3", "*", "s1"}},
				"phoneNumbers": {Order: []string{"s2"}},
			},
		}
	})
}

// asJSON is how the world sees a value; the merge must give the same bytes.
func asJSON(t interface{ Fatalf(string, ...any) }, v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("JSON: %v", err)
	}
	return string(text)
}

// same fails unless both merges gave the same profile and provenance.
func same(t *rapid.T, rules Rules, parts, others []Part) {
	wantProfile, wantProvenance := Merge(rules, parts, mergeTime())
	gotProfile, gotProvenance := Merge(rules, others, mergeTime())
	if diff := cmp.Diff(wantProfile, gotProfile); diff != "" {
		t.Fatalf("profile (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantProvenance, gotProvenance); diff != "" {
		t.Fatalf("provenance (-want +got):\n%s", diff)
	}
	if want, got := asJSON(t, wantProfile)+asJSON(t, wantProvenance), asJSON(t, gotProfile)+asJSON(t, gotProvenance); want != got {
		t.Fatalf("not the same bytes:\n%s\n%s", want, got)
	}
}

func TestMergeNeverDependsOnArrival(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules, parts := ruleSets().Draw(t, "rules"), partsOf().Draw(t, "parts")
		same(t, rules, parts, rapid.Permutation(parts).Draw(t, "arrived"))
	})
}

func TestMergeTwiceIsMergeOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules, parts := ruleSets().Draw(t, "rules"), partsOf().Draw(t, "parts")
		again := slices.Concat(parts, parts[:rapid.IntRange(0, len(parts)).Draw(t, "again")])
		same(t, rules, parts, again)
	})
}

// TestMergeIgnoresAnUpstreamsOrder shuffles every list within a record: the
// same facts give the same bytes.
func TestMergeIgnoresAnUpstreamsOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules, parts := ruleSets().Draw(t, "rules"), partsOf().Draw(t, "parts")
		shuffled := slices.Clone(parts)
		for i := range shuffled {
			r := &shuffled[i].Record
			r.IDs = shuffle(t, r.IDs)
			p := &r.Profile
			p.Emails, p.PhoneNumbers, p.Addresses = shuffle(t, p.Emails), shuffle(t, p.PhoneNumbers), shuffle(t, p.Addresses)
			p.Organizations, p.Groups, p.Roles = shuffle(t, p.Organizations), shuffle(t, p.Groups), shuffle(t, p.Roles)
			p.URLs, p.Photos, p.RequiredActions = shuffle(t, p.URLs), shuffle(t, p.Photos), shuffle(t, p.RequiredActions)
		}
		wantProfile, _ := Merge(rules, parts, mergeTime())
		gotProfile, _ := Merge(rules, shuffled, mergeTime())
		if want, got := asJSON(t, wantProfile), asJSON(t, gotProfile); want != got {
			t.Fatalf("not the same bytes:\n%s\n%s", want, got)
		}
	})
}

func shuffle[E any](t *rapid.T, list []E) []E {
	if list == nil {
		return nil
	}
	return rapid.Permutation(list).Draw(t, "shuffled")
}

// TestMergeAbsenceRemovesNothing adds a source: what was known stays known.
func TestMergeAbsenceRemovesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules, parts := ruleSets().Draw(t, "rules"), partsOf().Draw(t, "parts")
		silent := append(slices.Clip(parts), Part{Source: "silent"})
		same(t, rules, parts, silent)

		if len(parts) == 0 {
			return
		}
		fewer, _ := Merge(rules, parts[1:], mergeTime())
		all, _ := Merge(rules, parts, mergeTime())
		had, has := keys(fewer), keys(all)
		for key := range had {
			if !has[key] {
				t.Fatalf("%s was known before %s spoke", key, parts[0].Source)
			}
		}
	})
}

// keys tells what is known: the members that have one value by name, the
// elements of lists by what makes them one.
func keys(p Profile) map[string]bool {
	known := map[string]bool{}
	v := reflect.ValueOf(p)
	for i, member := range Members() {
		if field := v.Field(i); field.Kind() != reflect.Slice && field.Kind() != reflect.Map && !field.IsZero() {
			known[member] = true
		}
	}
	for _, e := range p.Emails {
		known["email "+e.Value] = true
	}
	for _, e := range p.PhoneNumbers {
		known["phone "+e.Value] = true
	}
	for _, e := range p.Addresses {
		e.Sources = nil
		known[fmt.Sprintf("address %+v", e)] = true
	}
	for _, e := range p.Organizations {
		known["organization "+e.Value] = true
	}
	for _, e := range p.Groups {
		known[fmt.Sprintf("group %+v", e)] = true
	}
	for _, e := range p.Roles {
		e.Expired = nil
		known[fmt.Sprintf("role %+v", e)] = true
	}
	for _, e := range p.URLs {
		known["url "+e.Value] = true
	}
	for _, e := range p.Photos {
		known["photo "+e.Value] = true
	}
	for _, e := range p.Identifiers {
		known["identifier "+e.Kind+e.Value+e.Source] = true
	}
	for _, e := range p.RequiredActions {
		known["action "+e] = true
	}
	for source, attributes := range p.Attributes {
		for name, values := range attributes {
			known[fmt.Sprint("attribute ", source, name, values)] = true
		}
	}
	return known
}

// TestMergeListsAreWellFormed holds what is true of the lists of every merged profile.
func TestMergeListsAreWellFormed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules, parts := ruleSets().Draw(t, "rules"), partsOf().Draw(t, "parts")
		profile, _ := Merge(rules, parts, mergeTime())
		said := 0
		for _, e := range profile.Emails {
			if e.Primary {
				said++
			}
		}
		if len(profile.Emails) > 0 && said != 1 {
			t.Fatalf("%d addresses are primary", said)
		}
		seen := map[string]bool{}
		for _, e := range profile.PhoneNumbers {
			if seen[e.Value] {
				t.Fatalf("%s stands twice", e.Value)
			}
			seen[e.Value] = true
			if !slices.IsSortedFunc(e.Sources, func(a, b string) int { return rules.compare("phoneNumbers", a, b) }) {
				t.Fatalf("sources %v are not in order", e.Sources)
			}
		}
		if !slices.IsSortedFunc(profile.Roles, func(a, b Role) int {
			if order := rules.compare("roles", a.Source, b.Source); order != 0 {
				return order
			}
			return strings.Compare(a.Value, b.Value)
		}) {
			t.Fatalf("roles are not in order: %+v", profile.Roles)
		}
		for _, r := range profile.Roles {
			if (r.Expired != nil) != !r.ExpiresAt.IsZero() || r.Expired != nil && *r.Expired != !r.ExpiresAt.After(mergeTime()) {
				t.Fatalf("expiry %v of %v", r.Expired, r.ExpiresAt)
			}
		}
	})
}

// TestMergeOnlyReads changes all that can be reached from the profile: the
// records, which a cache shares, must not notice.
func TestMergeOnlyReads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules, parts := ruleSets().Draw(t, "rules"), partsOf().Draw(t, "parts")
		before := asJSON(t, parts)
		profile, _ := Merge(rules, parts, mergeTime())
		if asJSON(t, parts) != before {
			t.Fatalf("Merge wrote into a record")
		}
		scribble(reflect.ValueOf(&profile).Elem())
		if asJSON(t, parts) != before {
			t.Fatalf("the profile shares a list with a record")
		}
	})
}

// scribble empties every list and map it can reach, but leaves what pointers
// point to: nobody writes through those.
func scribble(v reflect.Value) {
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			scribble(v.Index(i))
			v.Index(i).SetZero()
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			scribble(v.MapIndex(key))
			v.SetMapIndex(key, reflect.Value{})
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			scribble(v.Field(i))
		}
	}
}

// TestIncompleteFieldsTellsWhatCouldChange lets a failed source answer after
// all: what it changes was told, and what was told of a text it can change.
func TestIncompleteFieldsTellsWhatCouldChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules, parts := ruleSets().Draw(t, "rules"), partsOf().Draw(t, "parts")
		late := Part{Source: "late", Record: records().Draw(t, "late")}
		if rapid.Bool().Draw(t, "ranked") {
			rules.Order = slices.Insert(slices.Clone(rules.Order), rapid.IntRange(0, len(rules.Order)).Draw(t, "rank"), late.Source)
		}
		if rapid.Bool().Draw(t, "authority") {
			rules.Fields["active"] = FieldRule{Authority: late.Source}
		}
		without, provenance := Merge(rules, parts, mergeTime())
		incomplete := rules.IncompleteFields(provenance, map[string][]string{late.Source: Members()})

		differs := func() []string {
			with, _ := Merge(rules, append(slices.Clip(parts), late), mergeTime())
			var changed []string
			for i, member := range Members() {
				if !cmp.Equal(reflect.ValueOf(without).Field(i).Interface(), reflect.ValueOf(with).Field(i).Interface()) {
					changed = append(changed, member)
				}
			}
			return changed
		}
		for _, member := range differs() {
			if !slices.Contains(incomplete, member) {
				t.Fatalf("%s changed and was not among %v", member, incomplete)
			}
		}

		// What nobody else says wins wherever the source stands before the winner.
		late.Record = Record{Profile: Profile{Name: &Name{GivenName: "new", FamilyName: "new"}}}
		texts := reflect.ValueOf(&late.Record.Profile).Elem()
		for i, member := range Members() {
			if field := texts.Field(i); field.Kind() == reflect.String && member != "id" {
				field.SetString("new")
			}
		}
		changed := differs()
		for i, member := range Members() {
			isText := texts.Field(i).Kind() == reflect.String && member != "id" || member == "name"
			if isText && slices.Contains(incomplete, member) != slices.Contains(changed, member) {
				t.Fatalf("%s: incomplete %v, but changed %v", member, incomplete, changed)
			}
		}
	})
}

package draft_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"muster/adapters/draft"
	"muster/normalize"
)

// TestFake shows one person's reply, and the one that is made of it.
func TestFake(t *testing.T) {
	tree, err := normalize.ParseJSON([]byte(`{
		"id": "D3B07384-D9A1-4655-A08E-DF5F4F6D7D19", "sub": "idp:d3b07384-d9a1-4655-a08e-df5f4f6d7d19", "number": 4242, "code": "00u118oQ",
		"given_name": "Casey", "family_name": "Taylor", "name": "Casey Taylor", "login": "c.taylor", "email": "Casey@Real.example", "domain": "real.example",
		"phone": "+1 425 555 0109", "birthdate": "1985-02-03", "created": 1619701032, "updated": "2022-04-04T15:56:05.250+02:00",
		"picture": "https://cdn.real.example/casey.png", "bio": "Likes Casey Taylor", "department": "Tour Operations",
		"status": "ACTIVE", "roles": ["Account Member", "casey-admin"], "locale": "en_US", "timezone": "America/Los_Angeles", "country": "US",
		"manager": {"id": 4242, "displayName": "Dana Scully"}, "password": "p", "pin": 1234, "message": "User Casey was not found",
		"friends": {"dana@real.example": true}, "count": 17, "salary": 90000, "ratio": 12.5, "nothing": null, "admin": true, "empty": ""}`))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"id": "00000000-0000-4000-8000-000000000001", "sub": "idp:00000000-0000-4000-8000-000000000001", "number": normalize.Number("1001"), "code": "00c000gH",
		"given_name": "Jane", "family_name": "Doe", "name": "Jane Doe", "login": "jane.doe", "email": "jane@acme.example", "domain": "acme.example",
		"phone": "+1 455 555 5500", "birthdate": "1990-01-01", "created": normalize.Number("1767323045"), "updated": "2026-01-01T03:04:05.000+02:00",
		"picture": "https://www.acme.example/1", "bio": "Bio 1", "department": "Department 1",
		"status": "ACTIVE", "roles": []any{"Account Member", "Jane-admin"}, "locale": "en_US", "timezone": "America/Los_Angeles", "country": "US",
		"manager": map[string]any{"id": normalize.Number("1001"), "displayName": "John Roe"}, "password": "left out", "pin": "left out", "message": "User … was not found",
		"friends": map[string]any{"janedoe@acme.example": true}, "count": normalize.Number("17"), "salary": normalize.Number("10001"),
		"ratio": normalize.Number("11.1"), "nothing": nil, "admin": true, "empty": "",
	}
	before := fmt.Sprint(tree)
	if diff := cmp.Diff(want, draft.Fake(tree)); diff != "" {
		t.Errorf("the fake (-want +got):\n%s", diff)
	}
	if fmt.Sprint(tree) != before {
		t.Error("the tree itself was changed")
	}
}

// TestFakeKeepsTheShape for any reply: the same form in every place, equal values
// equal and different addresses different.
func TestFakeKeepsTheShape(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SampledFrom(strings.Fields("email mail given_name family_name login id phone note"))
		value := rapid.Map(rapid.StringMatching(`[a-z]{3,8}`), func(s string) any { return s + "@" + s + ".example" })
		people := rapid.SliceOfN(rapid.MapOfN(names, value, 1, 4), 1, 4).Draw(t, "people")
		tree := make([]any, 0, len(people))
		for _, p := range people {
			tree = append(tree, p)
		}
		fake, ok := draft.Fake(tree).([]any)
		if !ok || len(fake) != len(tree) {
			t.Fatalf("another shape: %v", fake)
		}
		if !reflect.DeepEqual(fake, draft.Fake(tree)) {
			t.Fatal("twice the same reply has two fakes")
		}
		became, was := map[any]any{}, map[any]any{}
		for i := range people {
			for name, v := range people[i] {
				object, _ := fake[i].(map[string]any)
				f := object[name]
				if text, ok := f.(string); !ok || !strings.Contains(text, "@") || f == v {
					t.Fatalf("%v became %v", v, f)
				}
				if earlier, twice := became[v]; twice && earlier != f {
					t.Fatalf("%v became %v and %v", v, earlier, f)
				}
				if earlier, twice := was[f]; twice && earlier != v {
					t.Fatalf("%v was %v and %v", f, earlier, v)
				}
				became[v], was[f] = f, v
			}
		}
	})
}

// A name that is met between two roles of one name makes them no two.
func TestFakeKeepsRolesTheSame(t *testing.T) {
	tree, err := normalize.ParseJSON([]byte(`{"roles": [{"name": "catalog:viewer"}], "serviceName": "catalog", "zRoles": ["catalog:viewer"]}`))
	if err != nil {
		t.Fatal(err)
	}
	object := draft.Fake(tree).(map[string]any)
	first := object["roles"].([]any)[0].(map[string]any)["name"]
	if second := object["zRoles"].([]any)[0]; first != second {
		t.Errorf("%v is %v elsewhere", first, second)
	}
}

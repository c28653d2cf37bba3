package simulator_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/adapters/simulator"
)

// find is a well-formed search for an address at one vendor: path, then headers.
func find(t *testing.T, sim *simulator.Simulation, vendor, of, address, token string) (path string, header []string) {
	t.Helper()
	ids, term, authorization := tenant(t, sim, of).IDs, url.QueryEscape(address), []string{"Authorization", "Bearer " + token}
	switch vendor {
	case "itwin":
		return "/users/?$search=" + term, authorization
	case "kobil":
		return "/digitanium/v4/users?email=" + term, append(authorization, "Content-Type", "application/json", "Host", of+".ssms.example.com")
	case "numium":
		return "/tenant/admin/user/by_email?email=" + term, authorization
	case "csp":
		return "/csp/gateway/am/api/orgs/" + ids["csp"] + "/users/search?userSearchTerm=" + term, authorization
	}
	t.Fatalf("%s cannot be searched", vendor)
	return "", nil
}

func (d door) find(of, address string) answer {
	d.t.Helper()
	path, header := find(d.t, d.sim, d.vendor, of, address, d.token)
	return d.get(path, header...)
}

func searchable() []string { return []string{"itwin", "kobil", "numium", "csp"} }

// texts are the values of one member of each row, whatever stands around the rows.
func texts(t *testing.T, body, member string) []string {
	t.Helper()
	found := []string{}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, value := range v {
				if text, ok := value.(string); ok && name == member {
					found = append(found, text)
				}
				walk(value)
			}
		case []any:
			for _, one := range v {
				walk(one)
			}
		}
	}
	walk(parsed(t, body))
	return found
}

// TestSearches holds each vendor's search against its document.
func TestSearches(t *testing.T) {
	sim := newSimulation()
	casey := witness(t, sim, "showcase")
	const address = "casey.taylor@acme.example"
	org := tenant(t, sim, "acme").IDs["csp"]
	want := map[string]string{
		"itwin": `{"users": [{"id": "` + casey.IDs["itwin"] + `", "email": "` + address + `", "givenName": "Casey", "surname": "Taylor", "organizationName": "Acme Corp"}]}`,
		"kobil": `{"message": "Users fetched successfully", "status": "Success", "subSystem": 5, "data": {"userList": [{
			"username": "casey.taylor", "enabled": true, "emailVerified": true,
			"attributes": {"firstName": ["Casey"], "lastName": ["Taylor"], "email": ["` + address + `"], "username": ["casey.taylor"],
				"department": ["Grid Operations"], "costCenter": ["4711"], "badge": ["blue", "green"]},
			"requiredActions": [], "admin": true}], "page": {}}}`,
		"numium": `{"isSuccess": true, "isFailure": false, "error": null, "value": {
			"tenants": [{"id": 1024, "name": "Acme Corp", "isUserEnabled": true}], "invitations": [],
			"tenantId": 1024, "userId": 4242, "userName": "` + address + `"}}`,
		"csp": `{"results": [{"orgId": "` + org + `", "user": {"userId": "` + casey.IDs["csp"] + `", "acct": "` + address + `", "username": "casey.taylor",
			"email": "` + address + `", "firstName": "Casey", "lastName": "Taylor", "domain": "acme.example", "idpId": "acme.example", "accessible": true},
			"organizationRoles": [{"name": "org_owner", "displayName": "Organization Owner", "membershipType": "DIRECT", "expiresAt": null}],
			"serviceRoles": [], "customRoles": []}]}`,
	}
	nobody := map[string]string{"itwin": `{"users": []}`, "csp": `{"results": []}`, "kobil": `{"message": "Users fetched successfully",
		"status": "Success", "subSystem": 5, "data": {"userList": [], "page": {}}}`, "numium": `{"isSuccess": false, "isFailure": true,
		"error": {"code": "UserNotFound", "message": "No user exists for the supplied email address", "info": []}, "value": null}`}
	for _, vendor := range searchable() {
		t.Run(vendor, func(t *testing.T) {
			d := open(t, sim, vendor)
			for _, as := range []string{address, "Casey.TAYLOR@Acme.example"} {
				sameJSON(t, d.find("acme", as).body, want[vendor])
			}
			sameJSON(t, d.find("acme", "nobody@acme.example").body, nobody[vendor])
			// A part of an address is a hit everywhere but at Numium.
			if part := d.find("acme", "asey.taylor@acme"); strings.Contains(part.body, address) == (vendor == "numium") {
				t.Errorf("a part of the address: %s", part.body)
			}
			// What another tenant knows is found by Numium alone, which says whose it is.
			got := d.find("acme", "casey.taylor@globex.example")
			if found := strings.Contains(got.body, "2048"); found != (vendor == "numium") {
				t.Errorf("the namesake of globex: %s", got.body)
			}
			d.token = "wrong"
			if got := d.find("acme", address); got.status != 401 {
				t.Errorf("a wrong token: %d", got.status)
			}
			if n := sim.Searches(vendor); n != 6 || sim.Calls(vendor) != 0 {
				t.Errorf("%d searches and %d lookups are counted", n, sim.Calls(vendor))
			}
			path, header := find(t, sim, vendor, "acme", address, d.token)
			if got := ask(t, d.client, "POST", d.server+path, "", header...); got.status != 405 {
				t.Errorf("POST: %d", got.status)
			}
		})
	}
}

// TestSearchesRefuse: what is no search, and what is nobody's tenant.
func TestSearchesRefuse(t *testing.T) {
	sim := newSimulation()
	org := tenant(t, sim, "acme").IDs["csp"]
	const csp, kobil = "/csp/gateway/am/api/orgs/", "/auth/realms/acme/v3_user/getusers/"
	for _, tc := range []struct {
		vendor, path string
		status       int
		tells        string
	}{
		{"itwin", "/users/", 422, `"details":[{"code":"InvalidValue"`},
		{"itwin", "/users/?$search=ca", 422, "InvalidUsersRequest"},
		{"itwin", "/users/?$search=" + strings.Repeat("x", 201), 422, "InvalidUsersRequest"},
		{"itwin", "/users/?$search=" + url.QueryEscape(strings.Repeat("щ", 200)), 200, `{"users":[]}`},
		{"csp", csp + org + "/users/search", 400, `"statusCode":400`},
		{"csp", csp + org + "/users/search?userSearchTerm=" + strings.Repeat("x", 121), 400, "120 characters"},
		{"csp", csp + org + "/users/search?userSearchTerm=" + strings.Repeat("x", 120), 200, `{"results":[]}`},
		{"csp", csp + "nowhere/users/search?userSearchTerm=casey", 404, "Organization not found"},
		{"kobil", kobil + "?email=nobody", 200, `"userList":[]`},
		{"kobil", kobil + "?pageNumber=0", 400, "BAD_REQUEST"},
		{"kobil", kobil + "?limit=many", 400, "BAD_REQUEST"},
		{"kobil", "/auth/realms/hooli/v3_user/getusers/", 404, "Realm does not exist"},
		{"kobil", "/auth/realms/acme/v3_user/getusers", 404, "USER_NOT_FOUND"}, // without its slash it is a user's name
		{"numium", "/tenant/admin/user/by_email", 400, "The Email field is required."},
		{"numium", "/tenant/admin/user/by_email?email=casey", 400, "ValidationError"},
		{"numium", "/tenant/admin/user/by_email?email=casey.taylor@globex.example", 200, `{"data":{"tenants":[{"id":2048`},
	} {
		t.Run(tc.vendor+" "+tc.path[:min(60, len(tc.path))], func(t *testing.T) {
			d := open(t, sim, tc.vendor)
			got := d.get(tc.path, "Authorization", "Bearer "+d.token, "Content-Type", "application/json")
			if got.status != tc.status || !strings.Contains(got.body, tc.tells) {
				t.Errorf("got %d %s", got.status, got.body)
			}
		})
	}
}

// TestSearchPages: KOBIL's pages are all its people once each and in order; CSP shows twenty and no more; iTwin all.
func TestSearchPages(t *testing.T) {
	sim := newSimulation(simulator.WithPeople(400))
	var known []string
	members := map[string]int{}
	for _, p := range sim.People() {
		if a, ok := p.Accounts["kobil"]; ok && p.Tenant == "acme" && strings.Contains(a.Email, "acme") {
			known = append(known, a.Username)
		}
		if strings.Contains(p.Accounts["itwin"].Email, "@") {
			members["itwin"]++
		}
	}
	d := open(t, sim, "kobil")
	page := func(query string) []string {
		got := d.get("/auth/realms/acme/v3_user/getusers/?email=ACME"+query, "Authorization", "Bearer "+d.token, "Content-Type", "application/json")
		var list struct {
			Data struct {
				UserList []struct{ Username, ID string }
			}
		}
		if err := json.Unmarshal([]byte(got.body), &list); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, row := range list.Data.UserList {
			if row.ID != "" {
				t.Error("a row has an id")
			}
			names = append(names, row.Username)
		}
		return names
	}
	if diff := cmp.Diff(known[:20], page("")); diff != "" {
		t.Errorf("the first page (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(known[20:40], page("&pageNumber=2&limit=20")); diff != "" {
		t.Errorf("the second page (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(known, page("&limit=1000")); diff != "" {
		t.Errorf("all (-want +got):\n%s", diff)
	}
	if beyond := page("&pageNumber=1000000"); len(beyond) > 0 {
		t.Errorf("beyond the last page: %q", beyond)
	}
	if n := len(texts(t, open(t, sim, "csp").find("acme", "@acme.example").body, "userId")); n != 20 {
		t.Errorf("CSP shows %d", n)
	}
	if n := len(texts(t, open(t, sim, "itwin").find("acme", "@acme").body, "email")); n != members["itwin"] {
		t.Errorf("iTwin shows %d of %d", n, members["itwin"])
	}
}

// TestSearchesFail as lookups do, for everybody and for one person.
func TestSearchesFail(t *testing.T) {
	sim := newSimulation()
	casey, jordan := witness(t, sim, "showcase"), witness(t, sim, "disagreeing")
	for _, vendor := range searchable() {
		d := open(t, sim, vendor)
		for kind, status := range map[string]int{"401": 401, "403": 403, "404": 404, "429": 429, "500": 500, "503": 503, "failure-in-200": 200, "html": 200, "multi-status": 503} {
			set(t, sim, vendor, simulator.Fault{Kind: kind, Times: 1})
			if got := d.find("acme", casey.IDs["email"]); got.status != status || strings.Contains(got.body, "Casey") {
				t.Errorf("%s %s: %d %s", vendor, kind, got.status, got.body)
			}
		}
		set(t, sim, vendor, simulator.Fault{Kind: "absent-in-200", Times: 1})
		if got := d.find("acme", casey.IDs["email"]); got.status != 200 || strings.Contains(got.body, "casey") {
			t.Errorf("%s absent-in-200: %d %s", vendor, got.status, got.body)
		}
		set(t, sim, vendor, simulator.Fault{Kind: "wrong-person", Times: 1})
		if got := d.find("acme", casey.IDs["email"]); got.status != 200 || strings.Contains(got.body, "casey") || !strings.Contains(strings.ToLower(got.body), "jordan.rivera@") {
			t.Errorf("%s wrong-person: %d %s", vendor, got.status, got.body)
		}
		set(t, sim, vendor, simulator.Fault{Kind: "503", Person: casey.IDs["email"]})
		if own, other := d.find("acme", casey.IDs["email"]), d.find("acme", jordan.IDs["email"]); own.status != 503 || other.status != 200 {
			t.Errorf("%s: a fault of Casey's is %d, and for Jordan %d", vendor, own.status, other.status)
		}
	}
	for kind, status := range map[string]int{"503": 503, "failure-in-200": 200} {
		p := witness(t, sim, "fault:"+kind)
		if got := open(t, sim, p.FaultAt).find(p.Tenant, p.IDs["email"]); got.status != status || strings.Contains(got.body, "userId") {
			t.Errorf("a standing fault %s: %d %s", kind, got.status, got.body)
		}
	}
}

// TestDangers: each kind several times in each tenant, in every seed; told by /people; and true.
func TestDangers(t *testing.T) {
	for seed := range uint64(3) {
		sim := crowd(seed)
		cases := map[string]map[string][]simulator.Person{} // by tenant and kind, then by case
		for _, p := range sim.Dangerous("") {
			key := p.Tenant + " " + p.Danger.Kind
			if cases[key] == nil {
				cases[key] = map[string][]simulator.Person{}
			}
			cases[key][p.Danger.Case] = append(cases[key][p.Danger.Case], p)
		}
		for _, tenant := range sim.Tenants() {
			for _, kind := range simulator.DangerKinds() {
				if n := len(cases[tenant.Name+" "+kind.Kind]); n < 2 {
					t.Errorf("seed %d: %s has %d cases of %s", seed, tenant.Name, n, kind.Kind)
				}
			}
		}
		for _, byCase := range cases {
			for name, people := range byCase {
				if !dangerous(sim, people) {
					t.Errorf("seed %d: %s is not what it says: %+v", seed, name, people)
				}
			}
		}
	}
}

// dangerous holds one case against what its kind says.
func dangerous(sim *simulator.Simulation, people []simulator.Person) bool {
	one, last := people[0], people[len(people)-1]
	at, address := one.Danger.At, last.Danger.Address
	account, own := last.Accounts[at], one.Accounts[at]
	owner, _ := sim.Owner("kobil", one.Tenant, own.Username)
	switch one.Danger.Kind {
	case "shared-address":
		return own.Email == address && account.Email == address && own.EmailVerified && account.EmailVerified && len(people) == 2
	case "unverified-address":
		holders := sim.Holders(one.Tenant, address)
		return (account.Email == address && !account.EmailVerified || account.AlternativeEmail == address && account.EmailVerified) &&
			one.IDs["email"] == address && len(holders) == 1 && holders[0].Danger.Mark == one.Danger.Mark
	case "recycled-username":
		name := one.Accounts["numium"].Username
		inKobil, _ := sim.Owner("kobil", one.Tenant, name)
		_, leaverIs := one.Accounts["kobil"]
		return last.Accounts["numium"].Username == name && inKobil.IDs["username"] == name && (inKobil.Danger.Mark == one.Danger.Mark) == leaverIs
	case "changed-address":
		others := 0
		for vendor, a := range one.Accounts {
			if vendor != at && a.Email == one.IDs["email"] {
				others++
			}
		}
		return len(people) == 1 && own.Email == "moved."+one.IDs["email"] && others == len(one.Accounts)-1
	case "deleted":
		return own.Email == "" && one.IDs["email"] == "" && strings.Contains(own.Account, last.IDs["email"])
	case "contained-address":
		_, known := one.Accounts[at]
		return !known && account.Email != one.IDs["email"] && strings.Contains(account.Email, one.IDs["email"]) && owner.Danger == nil
	}
	return false
}

// TestMarks: each dangerous person's is in every account of theirs, and in nobody else's.
func TestMarks(t *testing.T) {
	sim := crowd(1)
	for _, vendor := range vendors() {
		d := open(t, sim, vendor)
		for _, p := range sim.Dangerous("") {
			if _, known := p.Accounts[vendor]; !known {
				continue
			}
			if p.IDs["username"] == "" {
				p.IDs = map[string]string{"username": p.Accounts["kobil"].Username, vendor: p.IDs[vendor]}
			}
			body := d.lookup(p).body
			silent := p.Danger.Part == "ghost" && (vendor == "itwin" || vendor == "aveva") // who says nothing of a ghost
			if strings.Contains(body, p.Danger.Mark) == silent {
				t.Errorf("%s at %s: %s", p.Danger.Case, vendor, body)
			}
			for _, other := range sim.Dangerous("") {
				if other.Danger.Mark != p.Danger.Mark && strings.Contains(body, other.Danger.Mark) {
					t.Errorf("%s at %s has the mark of %s", p.Danger.Case, vendor, other.Danger.Case)
				}
			}
		}
	}
	ghost := sim.Dangerous("deleted")[0]
	sameJSON(t, open(t, sim, "itwin").lookup(ghost).body,
		`{"user": {"id": "`+ghost.IDs["itwin"]+`", "email": null, "givenName": null, "surname": null, "organizationName": null}}`)
}

// TestControlDangers: found by kind, with what a test needs to know.
func TestControlDangers(t *testing.T) {
	sim := newSimulation()
	srv, client := serve(t, sim.Control())
	var got struct {
		Total  int
		People []struct {
			Tenant string
			IDs    map[string]string
			Danger struct{ Kind, Case, Part, At, Address, Mark string }
		}
	}
	body := ask(t, client, "GET", srv.URL+"/people?tenant=globex&danger=unverified-address", "").body
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	want := slices.DeleteFunc(sim.Dangerous("unverified-address"), func(p simulator.Person) bool { return p.Tenant != "globex" })
	if got.Total != len(want) || len(got.People) != len(want) {
		t.Fatalf("%d of %d people: %s", got.Total, len(want), body)
	}
	for i, p := range want {
		if diff := cmp.Diff(*p.Danger, simulator.Danger(got.People[i].Danger)); diff != "" {
			t.Error(diff)
		}
	}
}

package simulator_test

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/adapters/simulator"
)

const form = "application/x-www-form-urlencoded"

// TestAveva holds seed 000's answers against the document.
func TestAveva(t *testing.T) {
	sim := newSimulation()
	d := open(t, sim, "aveva")
	casey := witness(t, sim, "showcase")
	path, _ := lookup(t, sim, "aveva", casey, "")
	auth := "Bearer " + d.token

	t.Run("claims", func(t *testing.T) {
		got := d.lookup(casey)
		sameJSON(t, got.body, `{"UserInformation": {
			"email": ["casey.taylor@acme.example"], "given_name": ["Casey"], "family_name": ["Taylor"], "name": ["Casey Taylor"],
			"preferred_username": ["casey.taylor"], "phone_number": ["+12065550142"], "locale": ["en-US"],
			"oid": ["`+casey.IDs["oid"]+`"], "role": ["Account Member", "Data Steward"]}}`)
		if id := got.header.Get("Operation-Id"); len(id) != 36 {
			t.Errorf("Operation-Id %q is no GUID", id)
		}
	})
	t.Run("claim types asked for", func(t *testing.T) {
		for _, query := range []string{"?claimTypes=email&claimTypes=locale&claimTypes=none", "?claimTypes=locale,email"} {
			sameJSON(t, d.get(path+query, "Authorization", auth).body,
				`{"UserInformation": {"email": ["casey.taylor@acme.example"], "locale": ["en-US"]}}`)
		}
	})
	t.Run("nobody and null are the same document", func(t *testing.T) {
		acme := tenant(t, sim, "acme").IDs["aveva"]
		unknown := d.get("/api/v1/tenants/"+acme+"/users/00000000-0000-4000-8000-000000000000/UserInformation", "Authorization", auth)
		for _, got := range []answer{unknown, d.lookup(witness(t, sim, "null-information"))} {
			if got.status != 200 || got.body != `{"UserInformation":null}` {
				t.Errorf("got %d %s", got.status, got.body)
			}
		}
	})
	t.Run("WS-Federation names in initech", func(t *testing.T) {
		p := witness(t, sim, "fault:503")
		var got struct{ UserInformation map[string][]string }
		if err := json.Unmarshal([]byte(d.lookup(p).body), &got); err != nil {
			t.Fatal(err)
		}
		want := []string{p.GivenName}
		if diff := cmp.Diff(want, got.UserInformation["http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname"]); diff != "" {
			t.Error(diff)
		}
	})

	zero := "/api/v1/tenants/00000000-0000-4000-8000-000000000000/users/" + casey.IDs["aveva"] + "/UserInformation"
	for _, tc := range []struct {
		name, path, authorization string
		status                    int
		error                     string
	}{
		{"no token", path, "", 401, "Unauthorized."},
		{"wrong token", path, "Bearer x", 401, "Unauthorized."},
		{"tenant is no GUID", "/api/v1/tenants/acme/users/" + casey.IDs["aveva"] + "/UserInformation", auth, 400, "Missing or invalid inputs."},
		{"user is no GUID", strings.Replace(path, casey.IDs["aveva"], "42", 1), auth, 400, "Missing or invalid inputs."},
		{"unknown tenant", zero, auth, 404, "Tenant not found."},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := d.get(tc.path, "Authorization", tc.authorization)
			body := parsed(t, got.body).(map[string]any)
			if got.status != tc.status || body["Error"] != tc.error || body["OperationId"] != got.header.Get("Operation-Id") ||
				body["Reason"] == "" || body["Resolution"] == "" {
				t.Errorf("got %d %s", got.status, got.body)
			}
		})
	}
}

// TestItwin holds seed 001's answers against the document.
func TestItwin(t *testing.T) {
	sim := newSimulation()
	d := open(t, sim, "itwin")
	casey := witness(t, sim, "showcase")
	path := "/users/" + casey.IDs["itwin"]
	auth := "Bearer " + d.token

	sameJSON(t, d.lookup(casey).body, `{"user": {"id": "`+casey.IDs["itwin"]+`", "email": "casey.taylor@acme.example",
		"givenName": "Casey", "surname": "Taylor", "organizationName": "Acme Corp"}}`)

	const notFound = `{"error": {"code": "UserNotFound", "message": "Requested user is not available."}}`
	for _, tc := range []struct {
		name, path, authorization, accept string
		status                            int
		body                              string
	}{
		{"no header", path, "", "", 401, `{"error": {"code": "HeaderNotFound", "message": "Header Authorization was not found in the request. Access denied."}}`},
		{"wrong token", path, "Bearer x", "", 401, `{"error": {"code": "InvalidToken", "message": "Access token is not valid. Access denied."}}`},
		{"unknown", "/users/00000000-0000-4000-8000-000000000000", auth, "", 404, notFound},
		{"no GUID", "/users/casey", auth, "", 404, notFound},
		{"another version", path, auth, "application/vnd.bentley.itwin-platform.v2+json", 406, ""},
		{"another type", path, auth, "text/html", 406, ""},
		{"this version", path, auth, "application/vnd.bentley.itwin-platform.v1+json", 200, ""},
		{"among others", path, auth, "text/html, application/json;q=0.9", 200, ""},
		{"anything", path, auth, "*/*", 200, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			header := []string{}
			if tc.authorization != "" {
				header = append(header, "Authorization", tc.authorization)
			}
			if tc.accept != "" {
				header = append(header, "Accept", tc.accept)
			}
			got := d.get(tc.path, header...)
			if got.status != tc.status {
				t.Errorf("status %d, want %d: %s", got.status, tc.status, got.body)
			}
			if tc.body != "" {
				sameJSON(t, got.body, tc.body)
			}
		})
	}
	t.Run("each host has its own", func(t *testing.T) {
		onIMS := d.get(path, "Host", "ims.bentley.com", "Authorization", auth)
		onAPI := ask(t, d.client, "POST", d.server+"/connect/token", "", "Host", "api.bentley.com")
		if onIMS.status != 404 || onAPI.status != 404 {
			t.Errorf("user on ims: %d; token on api: %d", onIMS.status, onAPI.status)
		}
	})
}

// TestKobil holds seed 002's answers against the document, at both addresses.
func TestKobil(t *testing.T) {
	sim := newSimulation()
	d := open(t, sim, "kobil")
	casey, bare := witness(t, sim, "showcase"), witness(t, sim, "null-names")
	json, auth := "application/json", "Bearer "+d.token
	ssms := func(host, user string) (string, string) {
		return "/digitanium/v4/users/" + user + "/profile", host + ".ssms.example.com"
	}

	want := `{"message": "User info fetched successfully", "status": "Success", "subSystem": 5, "data": {
		"username": "casey.taylor", "id": "` + casey.IDs["kobil"] + `", "enabled": true, "emailVerified": true,
		"attributes": {"firstName": ["Casey"], "lastName": ["Taylor"], "email": ["casey.taylor@acme.example"], "username": ["casey.taylor"],
			"department": ["Grid Operations"], "costCenter": ["4711"], "badge": ["blue", "green"]},
		"requiredActions": [], "admin": true}}`
	sameJSON(t, d.lookup(casey).body, want)
	sameJSON(t, d.get("/auth/realms/acme/v3_user/casey.taylor", "Authorization", auth, "Content-Type", json).body, want)

	data := parsed(t, d.lookup(bare).body).(map[string]any)["data"].(map[string]any)
	if diff := cmp.Diff([]any{nil}, data["attributes"].(map[string]any)["firstName"]); diff != "" {
		t.Errorf("null-names: %s", diff)
	}
	globex := parsed(t, d.lookup(witness(t, sim, "namesake")).body).(map[string]any)
	if globex["status"] != "OK" {
		t.Errorf("globex says %v", globex["status"])
	}
	initech := parsed(t, d.lookup(witness(t, sim, "fault:503")).body).(map[string]any)
	if l, ok := initech["data"].([]any); !ok || len(l) != 1 {
		t.Errorf("initech sends %v", initech["data"])
	}
	top := witness(t, sim, "top-level-names")
	data = parsed(t, d.lookup(top).body).(map[string]any)["data"].(map[string]any)
	if _, inside := data["attributes"].(map[string]any)["firstName"]; inside || data["firstName"] != top.GivenName || data["lastName"] != top.FamilyName {
		t.Errorf("top-level-names: %v", data)
	}
	odd := witness(t, sim, "odd-username")
	if got := parsed(t, d.lookup(odd).body).(map[string]any)["data"].(map[string]any)["username"]; got != odd.IDs["username"] {
		t.Errorf("odd user name came back as %q", got)
	}

	path, host := ssms("acme", "casey.taylor")
	elsewhere, strange := ssms("hooli", "casey.taylor")
	for _, tc := range []struct {
		name, path, host, authorization, contentType string
		status                                       int
		body                                         string
	}{
		{"no token", path, host, "", json, 401, "HTTP 401 Unauthorized"},
		{"no content type", path, host, auth, "", 415, "HTTP 415 Unsupported Media Type"},
		{"empty", "/digitanium/v4/users//profile", host, auth, json, 400, `{"message":"UserID should not be null or empty","status":"BAD_REQUEST","subSystem":5}`},
		{"blank", "/auth/realms/acme/v3_user/%20", host, auth, json, 400, `{"message":"UserID should not be null or empty","status":"BAD_REQUEST","subSystem":5}`},
		{"unknown", "/auth/realms/acme/v3_user/nobody", host, auth, json, 404, `{"message":"User does not exist","status":"USER_NOT_FOUND","subSystem":5}`},
		{"unknown realm", elsewhere, strange, auth, json, 404, `{"error":"Realm does not exist"}`},
		{"slash inside the name", "/auth/realms/acme/v3_user/a%2Fb", host, auth, json, 404, `{"message":"User does not exist","status":"USER_NOT_FOUND","subSystem":5}`},
		{"trailing slash", "/auth/realms/acme/v3_user/casey.taylor/", host, auth, json, 404, "404 page not found"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			header := []string{"Host", tc.host, "Authorization", tc.authorization}
			if tc.contentType != "" {
				header = append(header, "Content-Type", tc.contentType)
			}
			if got := d.get(tc.path, header...); got.status != tc.status || got.body != tc.body {
				t.Errorf("got %d %s", got.status, got.body)
			}
		})
	}
}

// TestNumium holds seed 003's answers against the document.
func TestNumium(t *testing.T) {
	sim := newSimulation()
	d := open(t, sim, "numium")
	casey, namesake := witness(t, sim, "showcase"), witness(t, sim, "namesake")

	got := d.get("/tenant/1024/admin/user/256", "Authorization", "Bearer "+d.token)
	sameJSON(t, got.body, `{"isSuccess": true, "isFailure": false, "error": null, "value": {
		"id": 256, "userId": 4242, "tenantId": 1024, "principalOid": "`+casey.IDs["oid"]+`", "firstName": "Casey", "lastName": "Taylor",
		"email": "casey.taylor@acme.example", "isEnabled": true, "roles": [{
			"id": 12, "name": "TenantAdministrator", "description": "Grants full tenant administration capabilities.",
			"permissions": [{"id": 101, "name": "ManageUsers"}, {"id": 102, "name": "ManageRoles"}, {"id": 103, "name": "ViewReports"}]}]}}`)

	globex := parsed(t, d.get("/tenant/2048/admin/user/256", "Authorization", "Bearer "+d.token).body).(map[string]any)
	if len(globex) != 2 || globex["isSuccess"] != true || globex["data"].(map[string]any)["email"] != namesake.IDs["email"] {
		t.Errorf("globex: %v", globex)
	}
	if body := d.lookup(witness(t, sim, "permissions-unknown")).body; strings.Contains(body, "permissions") {
		t.Errorf("unknown permissions are told: %s", body)
	}
	if body := d.lookup(witness(t, sim, "permissions-none")).body; !strings.Contains(body, `"permissions":[]`) {
		t.Errorf("no permissions are not told: %s", body)
	}
	if body := d.lookup(witness(t, sim, "null-roles")).body; !strings.Contains(body, `"roles":null`) {
		t.Errorf("roles are not null: %s", body)
	}
	big := witness(t, sim, "big-id")
	if body := d.lookup(big).body; !strings.Contains(body, `"id":`+big.IDs["numium"]+`,`) {
		t.Errorf("%s is not exact in %s", big.IDs["numium"], body)
	}

	for _, tc := range []struct {
		name, path string
		status     int
		code       string
	}{
		{"user of another tenant", "/tenant/2048/admin/user/" + witness(t, sim, "big-id").IDs["numium"], 404, "TenantUserNotFound"},
		{"unknown user", "/tenant/1024/admin/user/9", 404, "TenantUserNotFound"},
		{"unknown tenant", "/tenant/9/admin/user/256", 404, "TenantUserNotFound"},
		{"no number", "/tenant/1024/admin/user/casey", 400, "ValidationError"},
		{"over 63 bits", "/tenant/1024/admin/user/9223372036854775808", 400, "ValidationError"},
		{"no number for a tenant", "/tenant/acme/admin/user/256", 400, "ValidationError"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := d.get(tc.path, "Authorization", "Bearer "+d.token)
			body := parsed(t, got.body).(map[string]any)
			if got.status != tc.status || body["isSuccess"] != false || body["isFailure"] != true || body["value"] != nil ||
				body["error"].(map[string]any)["code"] != tc.code {
				t.Errorf("got %d %s", got.status, got.body)
			}
		})
	}
	if got := d.get("/tenant/1024/admin/user/256"); got.status != 401 {
		t.Errorf("without a token: %d", got.status)
	}
	if got := d.get("/api/tenant/1024/users/256", "Authorization", "Bearer "+d.token); got.status != 404 || got.body != "404 page not found" {
		t.Errorf("the address of the prose example: %d %s", got.status, got.body)
	}
}

// TestCsp holds seed 004's answers against the document.
func TestCsp(t *testing.T) {
	sim := newSimulation()
	d := open(t, sim, "csp")
	casey := witness(t, sim, "showcase")
	org := tenant(t, sim, "acme").IDs["csp"]
	info := func(user, org string) string {
		return "/csp/gateway/am/api/v2/users/" + user + "/orgs/" + org + "/info"
	}

	got := d.lookup(casey)
	sameJSON(t, got.body, `{"user": {
		"acct": "casey.taylor@acme.example", "address": "410 Terry Avenue North", "city": "Seattle", "company": "Acme Corp",
		"country": null, "countryCode": "US", "countryName": null, "customerNumber": null, "email": "casey.taylor@acme.example",
		"emailVerified": true, "eulaInfo": null, "firstName": "Casey", "lastName": "Taylor", "password": null,
		"refLink": "/csp/gateway/am/api/users/`+casey.IDs["csp"]+`", "state": null, "stateCode": "WA", "stateName": null, "tnc": true,
		"tradeId": null, "userId": "`+casey.IDs["csp"]+`",
		"userProfile": {"alternativeEmail": "casey@taylor.example", "customerNumber": null, "defaultOrgId": "`+org+`", "isFederated": true,
			"language": "en", "linkedUserIdAccount": null, "locale": "en_US"},
		"username": "casey.taylor", "website": "https://people.acme.example/casey.taylor", "workPhone": "+12065550142", "zipcode": "98109"},
	"userOrgInfo": [{"name": "`+org+`", "displayName": "Acme Corp",
		"orgRoles": [{"createdBy": "system", "createdDate": "1536169465", "lastUpdatedBy": "system", "lastUpdatedDate": "1704067200",
			"name": "org_owner", "displayName": "Organization Owner", "expiresAt": 0,
			"organizationLink": "/csp/gateway/am/api/orgs/`+org+`", "resource": null, "visible": true}],
		"customRoles": [{"createdBy": "system", "createdDate": "1536169465", "lastUpdatedBy": "system", "lastUpdatedDate": "1704067200",
			"name": "billing_auditor", "membershipType": "GROUP", "expiresAt": 1939766400, "resource": null}],
		"servicesDef": [{"serviceName": "vmc", "serviceDisplayName": "VMware Cloud", "refLink": "/csp/gateway/slc/api/definitions/external/vmc",
			"serviceRoles": ["vmc-user:full"],
			"roles": [{"createdBy": "system", "createdDate": "1536169465", "lastUpdatedBy": "system", "lastUpdatedDate": "1704067200",
				"name": "vmc-user:full", "membershipType": "DIRECT", "expiresAt": 3609941597, "resource": null}]}]}]}`)

	for name, same := range map[string]answer{
		"by account":            d.get(info(casey.IDs["email"], org), "Authorization", "Bearer "+d.token),
		"with csp-auth-token":   d.get(info(casey.IDs["csp"], org), "csp-auth-token", d.token),
		"with an escaped colon": d.get(info(strings.Replace(casey.IDs["csp"], ":", "%3A", 1), org), "Authorization", "bearer "+d.token),
	} {
		if same.body != got.body {
			t.Errorf("%s: %d %s", name, same.status, same.body)
		}
	}
	if body := d.lookup(witness(t, sim, "many-roles")).body; !strings.Contains(body, `"expiresAt":null,"membershipType":"GROUP","name":"vmc-project-54:read"`) {
		t.Errorf("a role without an end: %s", body)
	}
	if body := d.lookup(witness(t, sim, "decomposed")).body; !strings.Contains(body, `"firstName":"Zoe`+"\u0308"+`"`) {
		t.Errorf("the name is not decomposed: %s", body)
	}
	if body := d.lookup(witness(t, sim, "markup")).body; !strings.Contains(body, `"firstName":"<b>Bobby</b> \"Tables\""`) {
		t.Errorf("markup: %s", body)
	}
	secret := witness(t, sim, "password")
	if want := secret.Accounts["csp"].Password; !strings.HasPrefix(want, "CANARY-pw-") || !strings.Contains(d.lookup(secret).body, `"password":"`+want+`"`) {
		t.Errorf("no canary %q", want)
	}

	for _, tc := range []struct {
		name, path, authorization string
		status                    int
		message                   string
	}{
		{"no token", info(casey.IDs["csp"], org), "", 401, "The user is not authorized to use the API"},
		{"unknown user", info("vmware.com:x", org), "Bearer " + d.token, 404, "User not found"},
		{"unknown organization", info(casey.IDs["csp"], "nowhere"), "Bearer " + d.token, 404, "Organization not found"},
		{"user of another organization", info(casey.IDs["csp"], tenant(t, sim, "globex").IDs["csp"]), "Bearer " + d.token, 404, "User not found"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := d.get(tc.path, "Authorization", tc.authorization)
			body := parsed(t, got.body).(map[string]any)
			if got.status != tc.status || body["message"] != tc.message || body["statusCode"] != json.Number(strconv.Itoa(tc.status)) ||
				len(body["requestId"].(string)) != 36 {
				t.Errorf("got %d %s", got.status, got.body)
			}
		})
	}
}

// TestTokenEndpoints holds what the three endpoints grant and refuse.
func TestTokenEndpoints(t *testing.T) {
	sim := newSimulation()
	creds := sim.Credentials()
	aveva, itwin, csp := creds["aveva"], creds["itwin"], creds["csp"]
	const avevaPath, itwinPath, cspPath = "/identity/connect/token", "/connect/token", "/csp/gateway/am/api/auth/api-tokens/authorize"
	post := func(c simulator.Credential) string {
		return url.Values{"grant_type": {"client_credentials"}, "scope": {"itwin-platform"}, "client_id": {c.ClientID}, "client_secret": {c.ClientSecret}}.Encode()
	}
	for _, tc := range []struct {
		name, vendor, path, body, authorization string
		status                                  int
		want                                    map[string]any // members that must be there
	}{
		{"aveva post", "aveva", avevaPath, post(aveva), "", 200, map[string]any{"expires_in": json.Number("3600"), "token_type": "Bearer"}},
		{"aveva basic", "aveva", avevaPath, "grant_type=client_credentials", basic(aveva.ClientID, aveva.ClientSecret), 200, map[string]any{"expires_in": json.Number("3600")}},
		{"aveva wrong secret", "aveva", avevaPath, post(simulator.Credential{ClientID: aveva.ClientID}), "", 400, map[string]any{"error": "invalid_client"}},
		{"aveva other grant", "aveva", avevaPath, "grant_type=password", "", 400, map[string]any{"error": "unsupported_grant_type"}},
		{"itwin basic", "itwin", itwinPath, "grant_type=client_credentials&scope=itwin-platform", basic(itwin.ClientID, itwin.ClientSecret), 200, map[string]any{"expires_in": json.Number("3600"), "scope": "itwin-platform"}},
		{"itwin wrong secret", "itwin", itwinPath, "grant_type=client_credentials&scope=itwin-platform", basic(itwin.ClientID, "x"), 401, map[string]any{"error": "invalid_client"}},
		{"itwin without scope", "itwin", itwinPath, "grant_type=client_credentials", basic(itwin.ClientID, itwin.ClientSecret), 400, map[string]any{"error": "invalid_scope"}},
		{"itwin post", "itwin", itwinPath, post(itwin), "", 400, map[string]any{"error": "invalid_client"}},
		{"csp api_token", "csp", cspPath, "api_token=" + csp.APIToken, "", 200, map[string]any{"expires_in": json.Number("1799"), "token_type": "bearer", "refresh_token": csp.APIToken, "scope": "csp:org_owner openid"}},
		{"csp refresh_token", "csp", cspPath, "refresh_token=" + csp.APIToken, "", 200, map[string]any{"expires_in": json.Number("1799")}},
		{"csp query", "csp", cspPath + "?refresh_token=" + csp.APIToken, "", "", 200, map[string]any{"expires_in": json.Number("1799")}},
		{"csp wrong", "csp", cspPath, "api_token=x", "", 400, map[string]any{"message": "invalid_grant: Invalid refresh token", "statusCode": json.Number("400")}},
		{"csp empty", "csp", cspPath, "", "", 400, map[string]any{"message": "invalid_grant: Invalid refresh token"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv, client := serve(t, sim.Vendor(tc.vendor))
			header := []string{"Content-Type", form}
			if tc.authorization != "" {
				header = append(header, "Authorization", tc.authorization)
			}
			got := ask(t, client, "POST", srv.URL+tc.path, tc.body, header...)
			body := parsed(t, got.body).(map[string]any)
			if got.status != tc.status {
				t.Errorf("status %d, want %d: %s", got.status, tc.status, got.body)
			}
			for name, want := range tc.want {
				if body[name] != want {
					t.Errorf("%s is %v, want %v", name, body[name], want)
				}
			}
			if _, granted := body["access_token"]; granted != (tc.status == 200) {
				t.Errorf("access_token granted: %v under %d", granted, got.status)
			}
			if tc.status == 401 && got.header.Get("WWW-Authenticate") == "" {
				t.Error("a 401 without a challenge")
			}
		})
	}
}

// TestTokensExpire: a token is refused from its last second on, and a new one is honoured.
func TestTokensExpire(t *testing.T) {
	for vendor, lifetime := range map[string]time.Duration{"aveva": time.Hour, "itwin": time.Hour, "csp": 1799 * time.Second} {
		t.Run(vendor, func(t *testing.T) {
			now := noon()
			sim := newSimulation(simulator.WithClock(func() time.Time { return now }))
			d := open(t, sim, vendor)
			casey := witness(t, sim, "showcase")
			for _, step := range []struct {
				after time.Duration
				want  int
			}{{0, 200}, {lifetime - time.Second, 200}, {lifetime, 401}} {
				now = noon().Add(step.after)
				if got := d.lookup(casey); got.status != step.want {
					t.Errorf("after %v: %d, want %d", step.after, got.status, step.want)
				}
			}
			d.token = token(t, sim, vendor, d.server, d.client)
			if got := d.lookup(casey); got.status != 200 {
				t.Errorf("a new token: %d", got.status)
			}
		})
	}
}

// TestTokensOfOthers: no vendor honours the token of another.
func TestTokensOfOthers(t *testing.T) {
	sim := newSimulation()
	casey := witness(t, sim, "showcase")
	doors := make(map[string]door)
	for vendor := range sim.Credentials() {
		doors[vendor] = open(t, sim, vendor)
	}
	for owner, own := range doors {
		for vendor, d := range doors {
			d.token = own.token
			want := 401
			if vendor == owner {
				want = 200
			}
			if got := d.lookup(casey); got.status != want {
				t.Errorf("%s with a token of %s: %d, want %d", vendor, owner, got.status, want)
			}
		}
	}
}

// TestMethods: the documented method alone, and its name in Allow.
func TestMethods(t *testing.T) {
	sim := newSimulation()
	casey := witness(t, sim, "showcase")
	for vendor := range sim.Credentials() {
		d := open(t, sim, vendor)
		path, header := lookup(t, sim, vendor, casey, d.token)
		for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"} {
			if got := ask(t, d.client, method, d.server+path, "", header...); got.status != 405 || got.header.Get("Allow") != "GET" {
				t.Errorf("%s %s: %d, Allow %q", method, vendor, got.status, got.header.Get("Allow"))
			}
		}
	}
	d := open(t, sim, "csp")
	if got := d.get("/csp/gateway/am/api/auth/api-tokens/authorize"); got.status != 405 || got.header.Get("Allow") != "POST" {
		t.Errorf("GET of a token: %d, Allow %q", got.status, got.header.Get("Allow"))
	}
}

package adapters_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"muster/adapters"
	"muster/adapters/catalog"
)

// documented are replies of the kind that each system documents, cut to what
// makes them differ, and replies that none should send.
func documented() []string {
	return []string{
		`{"UserInformation": {"email": ["casey.taylor@example.com"], "given_name": ["Casey"], "role": ["Account Member", "Data Steward"]}}`,
		`{"OperationId": "op", "Error": "e", "Reason": "r", "ChildErrors": [{"OperationId": "op-9a", "Error": "Directory timeout", "StatusCode": 503, "ModelId": "groups"}], "Data": {"UserInformation": {"email": ["pat@example.com"]}}}`,
		`{"user": {"id": "e7aee7b1-4967-4f40-b220-0b1dc12c4542", "email": "John.Smith@example.com", "givenName": "John", "surname": "Smith", "organizationName": "Example Organization"}}`,
		`{"error": {"code": "InvalidUsersRequest", "message": "Cannot query users.", "details": [{"code": "InvalidValue", "target": "request"}]}}`,
		`{"message": "User info fetched successfully", "status": "Success", "subSystem": 5, "data": {"username": "createuser", "id": "c70c9758-fd76-43a7-8b37-b21280c9369e", "enabled": false, "emailVerified": false, "attributes": {"firstName": [null], "email": [null], "username": ["createuser"]}, "requiredActions": [], "admin": false}}`,
		`{"message": "User does not exist", "status": "USER_NOT_FOUND", "subSystem": 5}`,
		`{"isSuccess": true, "isFailure": false, "error": null, "value": {"id": 256, "userId": 4242, "tenantId": 1024, "principalOid": "d3b07384-d9a1-4655-a08e-df5f4f6d7d19", "firstName": "Casey", "email": "casey.taylor@example.com", "isEnabled": true, "roles": [{"id": 12, "name": "TenantAdministrator", "permissions": [{"id": 101, "name": "ManageUsers"}]}]}}`,
		`{"data": {"id": 256, "email": "[email protected]", "isEnabled": true}, "isSuccess": true}`,
		`{"isSuccess": false, "isFailure": true, "error": {"code": "ValidationError", "message": "m", "info": ["The Name field is required."]}, "value": null}`,
		`{"user": {"userId": "vmware.com:d3b07384-d9a1-4655-a08e-df5f4f6d7d19", "username": "casey", "password": "string", "emailVerified": false, "countryCode": "US", "userProfile": {"locale": "en_US", "isFederated": true}}, "userOrgInfo": [{"name": "a6815312", "orgRoles": [{"name": "org_owner", "expiresAt": 0}], "customRoles": [{"name": "c", "expiresAt": 3609941597}], "servicesDef": [{"serviceName": "s", "roles": [{"name": "r", "resource": "x"}], "serviceRoles": ["string"]}]}]}`,
		`{"cspErrorCode": "csp.am.user.not.found", "errorCode": "400.1", "message": "User not found", "moduleCode": 400, "requestId": "5213762c", "statusCode": 404}`,
		`{"value": [{"id": 1}, {"id": 2}]}`, `[null]`, `null`, `"x"`, `1e400`, `{}`, ``, `<html>`, "\xef\xbb\xbf{}", `{"user": {"id": "a", "id": "b"}}`, `{"user": {"email": "a\u0000b\ud83d\ude00"}}`, `{"user": "\ud800"}`,
	}
}

// FuzzReply: whatever an upstream says, each definition of the catalogue makes a
// record or a fault of it, and what it makes can be written as JSON.
func FuzzReply(f *testing.F) {
	for i, body := range documented() {
		f.Add([]byte(body), uint16([]int{200, 207, 200, 404, 429, 503}[i%6]), "17")
	}
	f.Add([]byte(`{}`), uint16(429), "1e400")
	f.Add([]byte(`{}`), uint16(429), "Sun, 01 Mar 2026 12:00:17 GMT")
	var definitions []*adapters.Definition
	for _, name := range catalog.Names() {
		definitions = append(definitions, fromCatalog(f, name))
	}
	f.Fuzz(func(t *testing.T, body []byte, status uint16, header string) {
		for _, d := range definitions {
			w := &wire{answer: func(r *http.Request) (*http.Response, error) {
				got := response(r, int(status), string(body))
				for _, name := range []string{"Retry-After", "X-Ratelimit-Reset"} {
					got.Header[name] = []string{header}
				}
				return got, nil
			}}
			source := d.Bind(d.Name, settingsOf(d), adapters.DefaultLimits(), nil, authless{w})
			reply, err := source.Fetch(t.Context(), anybody(d))
			if err != nil {
				fault, ok := err.(*adapters.Fault) //nolint:errorlint // the very type is promised
				if !ok || fault.Kind < adapters.NotFound || fault.Kind > adapters.Mismatch || fault.RetryAfter < 0 || fault.RetryAfter > time.Hour {
					t.Fatalf("%s: %#v", d.Name, err)
				}
				if reply.Record.IDs != nil || reply.Children != nil {
					t.Fatalf("%s: a record beside %v", d.Name, err)
				}
				checkText(t, fault.Error(), fmt.Sprint(fault.Detail))
				continue
			}
			if status < 200 || status > 299 {
				t.Fatalf("%s: a record under %d", d.Name, status)
			}
			text, err := json.Marshal(reply.Record)
			if err != nil {
				t.Fatalf("%s: %v", d.Name, err)
			}
			if !utf8.Valid(text) || !json.Valid(text) || len(text) > 100*len(body)+10_000 {
				t.Fatalf("%s: %d bytes of %d: %.200s", d.Name, len(text), len(body), text)
			}
			if bytes.Contains(body, []byte("\\u")) == false && bytes.Contains(text, []byte("\ufffd")) && !bytes.Contains(body, []byte("\ufffd")) {
				t.Fatalf("%s: %s of %q", d.Name, text, body)
			}
			checkText(t, reply.Notes...)
		}
	})
}

func checkText(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !utf8.ValidString(text) {
			t.Fatalf("%q is not UTF-8", text)
		}
	}
}

// authless answers every token request, which is a form, and hands the rest on.
type authless struct{ next http.RoundTripper }

func (a authless) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("Content-Type") == "application/x-www-form-urlencoded" {
		return response(r, 200, `{"access_token": "t", "expires_in": 60}`), nil
	}
	return a.next.RoundTrip(r)
}

// anybody has every identifier that a definition of the catalogue asks for, in a
// form that it takes, and is asked for by a caller with a token for everything.
func anybody(d *adapters.Definition) adapters.Query {
	source := d.Bind(d.Name, settingsOf(d), adapters.DefaultLimits(), nil, nil)
	q := adapters.Query{IDs: map[string]string{}, Tenant: map[string]string{}, Caller: jane(aud("s"))}
	for _, name := range d.TenantNames() {
		q.Tenant[name] = "1024"
	}
	kinds := slices.Concat(source.Needs()...)
	for _, form := range []string{"256", "casey", "casey.taylor@example.com", "d3b07384-d9a1-4655-a08e-df5f4f6d7d19"} {
		for _, kind := range kinds {
			q.IDs[kind] = form
		}
		if source.Check(q) == nil {
			break
		}
	}
	return q
}

func TestAnybodyReachesTheUpstream(t *testing.T) {
	for _, name := range catalog.Names() {
		d, w := fromCatalog(t, name), answers(500, "")
		_, err := d.Bind(name, settingsOf(d), adapters.DefaultLimits(), nil, authless{w}).Fetch(t.Context(), anybody(d))
		if len(w.requests()) != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// settingsOf fills in all that a definition asks a deployment for.
func settingsOf(d *adapters.Definition) adapters.Settings {
	all := settings()
	for _, s := range d.Settings() {
		switch {
		case !s.Required || s.Name == "host": // settings has that already
		case s.Format == "host":
			all[s.Name] = adapters.NewSecret("other.example")
		case s.Format == "secret": // of one line, so that it fits wherever one may stand, and a key
			all[s.Name] = adapters.NewSecret(asJWK(edKey(), ""))
		default:
			all[s.Name] = adapters.NewSecret("s")
		}
	}
	return all
}

// FuzzKey: whatever a deployment gives as its key signs, or is told in words that
// have nothing of it.
func FuzzKey(f *testing.F) {
	for _, text := range []string{"", "x", "{}", `{"keys":[]}`, `{"kty":null}`, pkcs8(edKey()), sec1(ecKey()), pkcs1(rsaKey()), asJWK(edKey(), ""), asJWK(ecKey(), `,"kid":"a\u0000b"`), publicPEM(ecKey()), certificate(edKey())} {
		f.Add(text)
	}
	for _, unfit := range unfitKeys() {
		f.Add(unfit.key)
	}
	d := define(f, proof(""))
	words := regexp.MustCompile(`^holds [A-Za-z0-9 ,'\\-]{1,70}$`)
	f.Fuzz(func(t *testing.T, text string) {
		if unfit := d.CheckKey(settings("token", text)); unfit != nil {
			if !words.MatchString(unfit.Why) || unfit.Hint == "" {
				t.Fatalf("it says %q, %q", unfit.Why, unfit.Hint)
			}
			return
		}
		w := upstream(func(r *http.Request) (*http.Response, error) {
			body, _ := r.GetBody()
			content, err := readAll(body)
			if strings.Count(content, ".") != 2 {
				t.Errorf("no assertion is sent: %s", content)
			}
			return response(r, 200, `{"access_token": "t"}`), err
		}, found)
		reply, err := bind(d, w, "token", text).Fetch(t.Context(), somebody())
		if got := outcome(reply, err); text != "" && got != "ok self=1" {
			t.Errorf("it says nothing, and then %s", got)
		}
	})
}

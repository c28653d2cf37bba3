package draft_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"muster/adapters"
	"muster/adapters/catalog"
	"muster/adapters/draft"
	"muster/config/document"
	"muster/normalize"
)

// compile takes a definition as the gateway would, and plays its tests.
func compile(name string, content []byte) (*adapters.Definition, []adapters.TestResult, error) {
	var problems document.Problems
	root := document.Read(name+".yaml", content, &problems)
	if root == nil {
		return nil, nil, problems.Err()
	}
	d := adapters.Compile(adapters.Resolve(name, func(string) *document.Node { return root }))
	if err := problems.Err(); err != nil {
		return nil, nil, err
	}
	return d, d.RunTests(rapidContext{}), nil
}

// fails says what is wrong with a draft: it must compile and pass, always.
func fails(d draft.Draft) error {
	_, results, err := compile("acme-hr", d.YAML)
	if err != nil {
		return fmt.Errorf("%w\nin\n%s", err, d.YAML)
	}
	for _, r := range results {
		if !r.Passed() {
			return fmt.Errorf("%v\nin\n%s", adapters.Problems([]adapters.TestResult{r}), d.YAML)
		}
	}
	return nil
}

func sample(t testing.TB, name string) draft.Sample {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", "samples", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(content))
}

func parse(t testing.TB, content string) draft.Sample {
	t.Helper()
	s, err := draft.ParseSample([]byte(content))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func drafted(t testing.TB, o draft.Options) draft.Draft {
	t.Helper()
	o.Provider = "acme-hr"
	d, err := draft.Definition(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := fails(d); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestSamples drafts from replies that vendors document. Those that are about
// nobody say so.
func TestSamples(t *testing.T) {
	told := map[string]string{
		"claims-error":    "nothing in the sample's record is called like anything of a person: is it a reply about one?",
		"claims-none":     "nothing in the sample's record is called like anything of a person: is it a reply about one?",
		"org-error":       "nothing in the sample's record is called like anything of a person: is it a reply about one?",
		"wrapped-error":   "nothing in the sample's record at error is called like anything of a person: is it a reply about one?",
		"wrapped-search":  "the sample has 2 hits at users, and one person is wanted: say which with --pick PATH=VALUE, for example --pick email=…",
		"status-error":    "nothing in the sample's record is called like anything of a person: is it a reply about one?",
		"directory-error": "nothing in the sample's record at error.innerError is called like anything of a person: is it a reply about one?",
		"result-failure":  "nothing in the sample's record at error is called like anything of a person: is it a reply about one?",
		"profile-error":   "nothing in the sample's record is called like anything of a person: is it a reply about one?",
		"ok-error":        "nothing in the sample's record is called like anything of a person: is it a reply about one?",
	}
	files, err := filepath.Glob("testdata/samples/*.json")
	if err != nil || len(files) != 34 {
		t.Fatalf("%d samples, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			for _, keep := range []bool{false, true} {
				d, err := draft.Definition(t.Context(), draft.Options{Provider: "acme-hr", Sample: sample(t, name), KeepValues: keep})
				if want, fails := told[name]; fails {
					if err == nil || err.Error() != want {
						t.Errorf("got %v\n%s", err, d.YAML)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if err := fails(d); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestPlaces measures drafts by definitions that people wrote: of the members
// that the definition of the catalog takes from a sample, with their values, how
// many does the draft take from it into the same member?
func TestPlaces(t *testing.T) {
	placed, all := 0, 0
	for _, test := range []struct {
		sample, definition, ids string
		placed, of              int
		lacks                   string
	}{
		{"claims", "aveva", "self=u1 email=casey.taylor@example.com", 5, 6, "roles.type"}, // a type is the author's own word everywhere here
		{"org-roles", "csp", "self=vmware.com:d3b07384-d9a1-4655-a08e-df5f4f6d7d19", 15, 17, "emails.primary roles.type"},
		{"account", "github", "self=1", 11, 12, "ids.github-login"},
		{"account-own", "github", "self=1", 11, 12, "ids.github-login"},
		{"wrapped", "itwin", "self=e7aee7b1-4967-4f40-b220-0b1dc12c4542", 5, 5, ""},
		{"realm-user", "keycloak", "self=b458a8a0-ca3a-479e-bb7a-ee9be8cdc593", 8, 8, ""},
		{"status-envelope", "kobil", "self=c70c9758-fd76-43a7-8b37-b21280c9369e username=createuser", 3, 3, ""},
		{"traits", "kratos", "self=e01b5f2f-6afc-4194-8578-4cebcf69a4d5", 6, 6, ""},
		{"directory", "msgraph", "self=87d349ed-44d7-43e1-9a83-5f2406dee5bd oid=87d349ed-44d7-43e1-9a83-5f2406dee5bd", 9, 12, "emails.primary emails.type ids.oid"},
		{"result", "numium", "self=256", 9, 11, "ids.numium-account roles.type"},
		{"result-data", "numium", "self=256", 9, 11, "ids.numium-account roles.type"},
		{"profile-object", "okta", "self=00u118oQYT4TBTemp0g4", 9, 11, "emails.primary emails.type"},
		{"scim", "scim", "self=2819c223-7f76-453a-919d-413861904646 username=bjensen@example.com", 34, 34, ""},
		{"ok-flag", "slack", "self=W012A3CDE", 8, 12, "organizations.value roles.scope roles.type userName"},
	} {
		t.Run(test.sample, func(t *testing.T) {
			content, err := os.ReadFile("testdata/samples/" + test.sample + ".json")
			if err != nil {
				t.Fatal(err)
			}
			s := parse(t, string(content))
			asListed := content
			if test.definition == "scim" { // which reads it from a list
				asListed = fmt.Appendf(nil, `{"totalResults": 1, "Resources": [%s]}`, content)
			}
			want := members(t, ask(t, fromCatalog(t, test.definition), asListed, test.ids))
			d, _, err := compile("acme-hr", drafted(t, draft.Options{Sample: s}).YAML)
			if err != nil {
				t.Fatal(err)
			}
			got := members(t, ask(t, d, content, test.ids))
			n, lacks := 0, []string{}
			for _, name := range sortedKeys(want) {
				if strings.HasPrefix(name, "attributes") || identifierByHand(name) {
					continue
				}
				if cmp.Equal(want[name], got[name]) {
					n++
				} else {
					lacks = append(lacks, name)
				}
			}
			placed, all = placed+n, all+n+len(lacks)
			if got := strings.Join(lacks, " "); n != test.placed || n+len(lacks) != test.of || got != test.lacks {
				t.Errorf("%d of %d, without %q; want %d of %d, without %q", n, n+len(lacks), got, test.placed, test.of, test.lacks)
			}
		})
	}
	if placed != 142 || all != 160 {
		t.Errorf("%d of %d members are placed as people place them", placed, all)
	}
}

// identifierByHand are identifiers that a draft leaves to people on purpose: it
// cannot know that an address is proved, or that logins are the tenant's.
func identifierByHand(name string) bool { return name == "ids.email" || name == "ids.username" }

func fromCatalog(t testing.TB, name string) *adapters.Definition {
	t.Helper()
	var problems document.Problems
	d := adapters.Compile(adapters.Resolve(name, catalog.Library(&problems)))
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return d
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// members are the members of what a definition took from a reply, each with its
// values in order.
func members(t testing.TB, reply adapters.Reply) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, id := range reply.Record.IDs {
		all["ids."+id.Kind] = append(all["ids."+id.Kind], id.Value)
	}
	text, err := json.Marshal(reply.Record.Profile)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := normalize.ParseJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, name := range sortedKeys(v) {
				walk(strings.TrimPrefix(path+"."+name, "."), v[name])
			}
		case []any:
			for _, item := range v {
				walk(path, item)
			}
		default:
			all[path] = append(all[path], fmt.Sprint(v))
		}
	}
	walk("", tree)
	for name := range all {
		slices.Sort(all[name])
	}
	return all
}

// TestCatalogReplies drafts from every reply in the tests of the catalog.
func TestCatalogReplies(t *testing.T) {
	good, refused := 0, 0
	for _, name := range catalog.Names() {
		var problems document.Problems
		for _, test := range catalog.Library(&problems)(name).Field("tests").Items() {
			body := test.Field("reply").Field("json")
			if body == nil {
				continue
			}
			text, err := body.JSON()
			if err != nil {
				t.Fatal(err)
			}
			s, err := draft.ParseSample(text)
			if err != nil {
				refused += clear(t, err)
				continue
			}
			d, err := draft.Definition(t.Context(), draft.Options{Provider: "acme-hr", Sample: s})
			if err != nil {
				refused += clear(t, err)
				continue
			}
			good++
			if err := fails(d); err != nil {
				t.Errorf("%s, %s: %v", name, test.Field("name").Text(), err)
			}
		}
	}
	if good < 110 {
		t.Errorf("%d drafts, %d refusals", good, refused)
	}
	t.Logf("%d drafts, %d refusals", good, refused)
}

// clear counts a refusal that says what is wrong with the sample.
func clear(t testing.TB, err error) int {
	t.Helper()
	if !refusal.MatchString(err.Error()) {
		t.Errorf("refused with: %v", err)
	}
	return 1
}

var refusal = regexp.MustCompile(`^(the sample|nothing in the sample|not a provider's name|the address has|the address must|the method before|what to pick|\d+ of \d+ hits)`)

// TestAnyReply holds drafts to their promise with replies that nobody wrote.
func TestAnyReply(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var canaries []string
		body := replies(&canaries).Draw(t, "reply")
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		s, err := draft.ParseSample(text)
		if err != nil {
			t.Fatal(err)
		}
		d, err := draft.Definition(rapidContext{}, draft.Options{Provider: "acme-hr", Sample: s, URL: rapid.SampledFrom(addresses()).Draw(t, "url")})
		if err != nil {
			if !refusal.MatchString(err.Error()) {
				t.Fatalf("%v\nof %s", err, text)
			}
			return
		}
		if err := fails(d); err != nil {
			t.Fatal(err)
		}
		for _, canary := range canaries {
			if strings.Contains(strings.ToLower(string(d.YAML)), strings.ToLower(canary)) {
				t.Fatalf("%q of\n%s\nstands in\n%s", canary, text, d.YAML)
			}
		}
	})
}

func addresses() []string {
	return []string{"", "GET https://hr.example/users/42", "GET https://hr.example/orgs/acme/users?email=jane@real.example", "https://hr.example/{tenant}/people/{id}"}
}

// replies makes JSON of the names that systems use and of values that are told
// apart wherever they turn up.
func replies(canaries *[]string) *rapid.Generator[any] {
	names := strings.Fields(`id uuid sub userId login userName username email emails mail emailVerified email_verified workEmail firstName last_name name
		displayName phone phoneNumbers address addresses city country_name street zip birthdate ssn salary bio manager department company organization
		note comment http cel odd.key createdAt updated_at lastLogin created expiresAt passwordHash apiToken profile attributes traits data user result
		picture website url locale tz admin enabled active employeeNumber tags list value middleName title nickname`)
	canary := rapid.Custom(func(t *rapid.T) any {
		word := "Zq" + rapid.StringMatching(`[a-z]{6}`).Draw(t, "word")
		if isDrawnFromFakes(word) {
			t.Skip("a word of the draft's own")
		}
		*canaries = append(*canaries, word)
		return rapid.SampledFrom([]string{word, word + "@" + word + ".example", word + " " + word, "https://" + word + ".example/" + word, word + "-42", "x:" + word, "2020-01-01T00:00:00Z" + word}).Draw(t, "form")
	})
	plain := rapid.OneOf(
		rapid.SampledFrom([]any{nil, "", true, false, 0, 1, 42, 1619701032, 1619701032883, 1.5, -7, "true", "Y", "ACTIVE", "2020-01-01", "a\u0000b", "\u2028", "..", "é", "<<", "null", []any{}, map[string]any{}}),
		rapid.Map(rapid.StringN(0, 6, 12), func(s string) any { return s }),
	)
	value := rapid.Deferred(func() *rapid.Generator[any] { return rapid.OneOf(canary, plain, canary) })
	name := rapid.OneOf(rapid.SampledFrom(names), rapid.SampledFrom(names), rapid.SampledFrom(names), rapid.StringN(0, 4, 12))
	object := func(inner *rapid.Generator[any]) *rapid.Generator[any] {
		return rapid.Map(rapid.MapOfN(name, inner, 0, 9), func(m map[string]any) any { return m })
	}
	list := func(inner *rapid.Generator[any]) *rapid.Generator[any] {
		return rapid.Map(rapid.SliceOfN(inner, 0, 3), func(l []any) any { return l })
	}
	second := rapid.OneOf(value, value, list(value), object(value), list(object(value)))
	first := rapid.OneOf(value, value, second, object(second))
	return object(first)
}

func isDrawnFromFakes(word string) bool { return len(word) < 8 }

// TestSecretsStayOut of what is kept, too.
func TestSecretsStayOut(t *testing.T) {
	d := drafted(t, draft.Options{KeepValues: true, Sample: parse(t, `{"id": 42, "email": "jane@real.example", "passwordHash": "h-1", "api_key": "k-1",
		"credentials": {"pin": "p-1"}, "session": {"refreshToken": ["r-1"]}, "nothing": {"secret": null}}`)})
	for _, secret := range []string{"h-1", "k-1", "p-1", "r-1"} {
		if strings.Contains(string(d.YAML), secret) {
			t.Errorf("%s stands in\n%s", secret, d.YAML)
		}
	}
	if !strings.Contains(string(d.YAML), "jane@real.example") {
		t.Errorf("what is to be kept is not:\n%s", d.YAML)
	}
	why := map[string]string{}
	for _, l := range d.Left {
		why[l.Path] = l.Why
	}
	const secret = "called like a secret: never mapped, and left out of the test"
	if diff := cmp.Diff(map[string]string{
		"passwordHash": secret, "api_key": secret, "credentials": secret, "session": "not of the person, by its name", "nothing.secret": secret,
	}, why); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

// TestAddresses turns what was asked into a lookup, with what its test sends.
func TestAddresses(t *testing.T) {
	const reply = `{"id": "2f6d1f0e-3c0a-4c52-9d0f-0a4c7a7a1f11", "login": "casey", "email": "casey.taylor@real.example", "tenantId": 1024, "badge": "E-77", "orgId": "acme-west"}`
	for _, test := range []struct{ url, lookup, sent, err string }{
		{"", "GET https://{settings.host}/users/{id.self:uuid}", "GET https://acme-hr.example/users/00000000-0000-4000-8000-000000000001", ""},
		{"GET https://hr.real.example/users/2f6d1f0e-3c0a-4c52-9d0f-0a4c7a7a1f11", "GET https://{settings.host}/users/{id.self:uuid}", "GET https://acme-hr.example/users/00000000-0000-4000-8000-000000000001", ""},
		{"https://hr.real.example/v1/users/Casey.Taylor%40real.example", "GET https://{settings.host}/v1/users/{id.email}", "GET https://acme-hr.example/v1/users/jane.doe%40acme.example", ""},
		{"GET https://hr.real.example/u/casey.json", "GET https://{settings.host}/u/{id.username}.json", "GET https://acme-hr.example/u/janedoe.json", ""},
		{"GET https://hr.real.example/users/casey", "GET https://{settings.host}/users/{id.username}", "GET https://acme-hr.example/users/janedoe", ""},
		{"GET https://hr.real.example/tenants/1024/users?q=E-77&api_key=k", "GET https://{settings.host}/tenants/{tenant.self:int}/users?q={id.badge}&api_key={settings.token}", "GET https://acme-hr.example/tenants/1001/users?q=A-01&api_key=%3Csecret%3E", ""},
		{"GET https://acme-west.real.example/users/casey", "GET https://{tenant.self:label}.{settings.host}/users/{id.username}", "GET https://org-id-1.acme-hr.example/users/janedoe", ""},
		{`GET https://hr.real.example/Users?filter=userName+eq+"casey"`, `GET https://{settings.host}/Users?filter=userName eq "{id.username:label}"`, "GET https://acme-hr.example/Users?filter=userName+eq+%22janedoe%22", ""},
		{"GET https://hr.real.example/{org}/users/{user_id}", "GET https://{settings.host}/{tenant.self}/users/{id.self}", "GET https://acme-hr.example/org-id-1/users/00000000-0000-4000-8000-000000000001", ""},
		{"GET https://hr.real.example/users/me", "GET https://{settings.host}/users/me", "GET https://acme-hr.example/users/me", ""},
		{"DELETE https://hr.real.example/users/1", "", "", "the method before the address must be GET or POST: --url 'GET https://…'"},
		{"ftp://hr.real.example/users/1", "", "", "the address must begin with https://: --url 'GET https://api.example.com/users/42'"},
		{"https://u:p@hr.real.example/users/1", "", "", "the address has a user's name or password before its host: a definition holds no credential"},
		{"https:///users/1", "", "", "the address has no host, or one that is none"},
		{"https://hr.real.example/%zz", "", "", "the address has a percent sign that encodes nothing"},
	} {
		t.Run(test.url, func(t *testing.T) {
			d, err := draft.Definition(t.Context(), draft.Options{Provider: "acme-hr", Sample: parse(t, reply), URL: test.url})
			if err != nil || test.err != "" {
				if err == nil || err.Error() != test.err {
					t.Fatalf("got %v, want %q", err, test.err)
				}
				return
			}
			if err := fails(d); err != nil {
				t.Fatal(err)
			}
			var problems document.Problems
			root := document.Read("", d.YAML, &problems)
			if got := root.Field("lookup").Text(); got != test.lookup {
				t.Errorf("lookup: got %s, want %s", got, test.lookup)
			}
			if got := root.Field("tests").Items()[0].Field("request").Text(); got != test.sent {
				t.Errorf("sent: got %s, want %s", got, test.sent)
			}
		})
	}
}

// TestGuesses are small replies, and the lines that come of them.
// A record under a name of its own is found whatever it is called, and that name,
// which is somebody's, stays out of the draft.
func TestARecordUnderItsKey(t *testing.T) {
	for _, test := range []struct{ sample, data string }{
		{`{"query": {"pages": {"84711": {"pageid": 84711, "email": "casey.taylor@real.example", "name": "Casey Taylor"}}}}`, "query.pages.*"},
		{`{"casey.taylor@real.example": {"id": 84711, "name": "Casey Taylor"}}`, "*"},
		{`{"users": {"2f6d1f0e-3c0a-4c52-9d0f-0a4c7a7a1f11": {"name": "Casey Taylor"}}}`, "users.*"},
		{`{"47": {"id": 47, "name": "Casey Taylor"}}`, "*"},
	} {
		d, err := draft.Definition(t.Context(), draft.Options{Provider: "acme-hr", Sample: parse(t, test.sample)})
		if err != nil {
			t.Fatalf("%s: %v", test.sample, err)
		}
		if err := fails(d); err != nil {
			t.Error(err)
		}
		var problems document.Problems
		if got := document.Read("", d.YAML, &problems).Field("response").Field("data").Text(); got != test.data {
			t.Errorf("%s: data is %q, want %q", test.sample, got, test.data)
		}
		for _, own := range []string{"84711", "asey", "2f6d1f0e", `"47"`} {
			if strings.Contains(string(d.YAML), own) {
				t.Errorf("%s: %q is in the draft", test.sample, own)
			}
		}
	}
}

func TestGuesses(t *testing.T) {
	for _, test := range []struct{ name, reply, lines, left string }{
		{"a flag for the address", `{"id": 7, "mail": "a@b.example", "mailConfirmed": true}`, "ids: {self: id, email: {path: mail, when: {mailConfirmed: true}}}", ""},
		{"a flag for another address", `{"id": 7, "mail": "a@b.example", "workEmailVerified": true}`, "ids: {self: id}", "workEmailVerified"},
		{"a flag for nobody knows what", `{"id": 7, "mail": "a@b.example", "verified": true}`, "ids: {self: id}", "verified"},
		{"since when it is verified", `{"id": 7, "email": "a@b.example", "email_verified_at": "2020-01-01T00:00:00Z"}`, `ids: {self: id, email: {path: email, when: {email_verified_at: "*"}}}`, ""},
		{"seconds", `{"id": 7, "created": 1619701032}`, "createdAt: {path: created, as: epoch_s}", ""},
		{"milliseconds in a text", `{"id": 7, "created": "1619701032883"}`, "createdAt: {path: created, as: epoch_ms}", ""},
		{"no instant", `{"id": 7, "created": 12}`, "", "created"},
		{"Y", `{"id": 7, "enabled": "Y"}`, `active: {path: enabled, map: {"Y": true, "N": false}}`, ""},
		{"the contrary", `{"id": 7, "disabled": false}`, "active: {path: disabled, map: {true: false, false: true}}", ""},
		{"a word", `{"id": 7, "status": "Disabled"}`, "active: {path: status, map: {Disabled: false, Enabled: true}}", ""},
		{"a word that says neither", `{"id": 7, "status": "PENDING"}`, "", "status"},
		{"JSON:API", `{"data": {"id": "7", "type": "users", "attributes": {"first-name": "Ann", "email": "a@b.example"}}}`, "data: data\nname: {givenName: attributes.first-name}\nemails: attributes.email", "data.type"},
		{"GraphQL", `{"data": {"user": {"id": "7", "email": "a@b.example"}}, "errors": null}`, "ok: {errors: null}\ndata: data.user", ""},
		{"a list of one", `[{"id": 7, "username": "ann"}]`, "empty: not_found", ""},
		{"parts of an address", `{"id": 7, "city": "Rome", "state": "RM", "zip": "00100"}`, "- {locality: city, region: state, postalCode: zip}", ""},
		{"a dictionary of people", `{"id": 7, "friends": {"ann@b.example": {"name": "Ann"}}}`, "", "friends"},
		{"a title is a form of address", `{"id": 7, "title": "Dr.", "firstName": "Ann"}`, "name: {givenName: firstName, honorificPrefix: title}", ""},
		{"no time zone", `{"id": 7, "timezone": "Pacific Standard Time"}`, "", "timezone"},
		{"roles of services", `{"id": 7, "services": [{"id": "vm", "roles": ["full"]}]}`, "- {each: services.roles, value: ., scope: ^.id}", ""},
		{"an identifier that nobody can be asked with", `{"id": "..", "username": "ann"}`, "lookup: GET https://{settings.host}/users/{id.username}", "id"},
		{"permissions that are objects", `{"id": 7, "roles": [{"name": "a", "permissions": [{"id": 1, "name": "p"}]}]}`, "- {each: roles, value: name, permissions: permissions.name}", "roles.permissions.id"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := drafted(t, draft.Options{Sample: parse(t, test.reply)})
			for line := range strings.Lines(test.lines) {
				found := false
				for written := range strings.Lines(string(d.YAML)) {
					written, _, _ = strings.Cut(written, "  #")
					found = found || strings.TrimSpace(written) == strings.TrimSpace(line)
				}
				if !found {
					t.Errorf("no line %s in\n%s", line, d.YAML)
				}
			}
			var left []string
			for _, l := range d.Left {
				left = append(left, l.Path)
			}
			if got := strings.Join(left, " "); got != test.left {
				t.Errorf("left: got %q, want %q", got, test.left)
			}
		})
	}
}

// TestABodyThatYAMLCannotHold stands as text, and says what the reply says.
func TestABodyThatYAMLCannotHold(t *testing.T) {
	long := strings.Repeat("k", 2000)
	for _, reply := range []string{`{"id": 7, "name": "Ann", "` + long + `": 1}`, `{"id": 7, "name": "Ann", "far": 1E400}`, `{"id": 7, "name": "Ann", "far": -0e-0}`} {
		d := drafted(t, draft.Options{Sample: parse(t, reply), KeepValues: true})
		var problems document.Problems
		body := document.Read("", d.YAML, &problems).Field("tests").Items()[0].Field("reply")
		text := body.Field("text")
		if text == nil {
			json, err := body.Field("json").JSON()
			if err != nil || fmt.Sprint(must(normalize.ParseJSON(json))) != fmt.Sprint(must(normalize.ParseJSON([]byte(reply)))) {
				t.Errorf("%.60s became %.60s, %v", reply, json, err)
			}
			continue
		}
		if fmt.Sprint(must(normalize.ParseJSON([]byte(text.Text())))) != fmt.Sprint(must(normalize.ParseJSON([]byte(reply)))) {
			t.Errorf("%.60s became %.60s", reply, text.Text())
		}
	}
}

func must(tree any, err error) any {
	if err != nil {
		panic(err)
	}
	return tree
}

// TestHits are the persons of a search.
func TestHits(t *testing.T) {
	const reply = `{"users": [{"id": 1, "email": "ann@real.example"}, {"id": 2, "email": "bob@real.example"}]}`
	for _, test := range []struct{ pick, url, want string }{
		{"email=BOB@real.example", "", `{email: "{id.email}"}`},
		{"", "GET https://hr.example/users?mail=bob@real.example", `{email: "{id.email}"}`},
		{"id=2", "", `{id: "{id.self}"}`},
	} {
		d := drafted(t, draft.Options{Sample: parse(t, reply), Pick: test.pick, URL: test.url})
		if !strings.Contains(string(d.YAML), "\n  pick: "+test.want+"\n") {
			t.Errorf("%q %q:\n%s", test.pick, test.url, d.YAML)
		}
	}
	for pick, want := range map[string]string{
		"":               "the sample has 2 hits at users, and one person is wanted: say which with --pick PATH=VALUE, for example --pick email=…",
		"email":          "what to pick is not understood: write PATH=VALUE, a path within a hit and what stands there, for example email=jane.doe@acme.example",
		"email=nobody@x": "0 of 2 hits at users have at email what was asked for with --pick, and one is needed",
	} {
		if _, err := draft.Definition(t.Context(), draft.Options{Provider: "acme-hr", Sample: parse(t, reply), Pick: pick}); err == nil || err.Error() != want {
			t.Errorf("%q: got %v", pick, err)
		}
	}
}

func TestParseSample(t *testing.T) {
	s := parse(t, "HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\nHTTP/2 207\r\nretry-after: 7\r\nset-cookie: a=b\r\n\r\n{\"id\": 1}")
	if s.Status != 207 || s.Headers.Get("Retry-After") != "7" || !slices.Equal(s.Dropped, []string{"Set-Cookie"}) {
		t.Errorf("got %+v", s)
	}
	for content, want := range map[string]string{
		"":                        "the sample is empty: a reply with a JSON body is needed",
		"HTTP/1.1 204 No\r\n\r\n": "the sample is empty: a reply with a JSON body is needed",
		"<html>":                  "the sample: not JSON: wrong after byte 0",
		`{"a": 1, "a": 2}`:        "the sample says a member twice with different values: nobody can know which of them counts",
		strings.Repeat("[", 40) + strings.Repeat("]", 40): "the sample is nested deeper than 32",
		`"` + strings.Repeat("x", draft.MaxSample) + `"`:  "the sample has more than 1048576 bytes: no reply of that size is read (limits.max_bytes)",
	} {
		if _, err := draft.ParseSample([]byte(content)); err == nil || err.Error() != want {
			t.Errorf("%.20q: got %v", content, err)
		}
	}
	_, err := draft.Definition(t.Context(), draft.Options{Provider: "acme-hr", Sample: parse(t, "HTTP/1.1 404 Not Found\r\n\r\n{}")})
	if want := "the sample is a reply with the status 404: --sample takes one that found somebody, --error-sample one like this"; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

// TestFailures gives a second sample, of an error.
func TestFailures(t *testing.T) {
	for _, test := range []struct{ sample, failure, lines string }{
		{"result", "result-failure", "error: {code: error.code, message: error.message, details: error.info}"},
		{"status-envelope", "status-error", "error: {code: status, message: message}\n- {if: {status: USER_NOT_FOUND}, as: not_found}"},
		{"ok-flag", "ok-error", "error: {code: error}\n- {if: {error: users_not_found}, as: not_found}"},
		{"org-roles", "org-error", "error: {code: cspErrorCode, message: message, ref: requestId}"},
		{"wrapped", "wrapped-error", "error: {code: error.code, message: error.message, details: error.details.message}"},
		{"directory", "directory-error", "error: {code: error.code, message: error.message, ref: error.innerError.request-id}"},
		{"claims", "claims-error", "error: {code: Error, message: Reason, ref: OperationId, hint: Resolution}"},
		{"profile-object", "profile-error", "error: {code: errorCode, message: errorSummary, ref: errorId}"},
	} {
		failure := sample(t, test.failure)
		d := drafted(t, draft.Options{Sample: sample(t, test.sample), Error: &failure})
		for line := range strings.Lines(test.lines) {
			if !strings.Contains(string(d.YAML), strings.TrimSpace(line)+"\n") {
				t.Errorf("%s: no line %s in\n%s", test.failure, line, d.YAML)
			}
		}
	}
}

// FuzzDefinition holds a draft to its promise with any bytes.
func FuzzDefinition(f *testing.F) {
	files, _ := filepath.Glob("testdata/samples/*.json")
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content, "GET https://hr.example/users/42", "")
	}
	f.Add([]byte("HTTP/1.1 200 OK\r\nRetry-After: 1\r\n\r\n{\"email\": \"a@b\"}"), "https://a.b/{x}?a=%20&key=1", "email=a@b")
	f.Fuzz(func(t *testing.T, content []byte, url, pick string) {
		s, err := draft.ParseSample(content)
		if err != nil {
			return
		}
		d, err := draft.Definition(t.Context(), draft.Options{Provider: "acme-hr", Sample: s, URL: url, Pick: pick, Error: &s})
		if err == nil {
			err = fails(d)
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A sample beside the definition is JSON, whatever characters are in it: a flag of
// England is made of some that nobody sees, and YAML writes those otherwise.
func TestASampleOfItsOwnIsJSON(t *testing.T) {
	var members []string
	for i := range 60 {
		members = append(members, fmt.Sprintf(`"member%d": "\u2028 <%d> \ud83c\udff4\udb40\udc67\udb40\udc62\udb40\udc7f"`, i, i))
	}
	text := []byte(`{"id": 1, "email": "jane.doe@acme.example", ` + strings.Join(members, ", ") + `}`)
	s, err := draft.ParseSample(text)
	if err != nil {
		t.Fatal(err)
	}
	d, err := draft.Definition(t.Context(), draft.Options{Provider: "acme-hr", Sample: s, KeepValues: true, File: "acme-hr.sample.json"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := normalize.ParseJSON(d.Sample)
	if err != nil {
		t.Fatalf("%v\n%s", err, d.Sample)
	}
	if diff := cmp.Diff(s.Body, got); diff != "" {
		t.Error(diff)
	}
}

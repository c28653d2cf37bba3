package gateway_test

import (
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"muster/gateway"
	"muster/normalize"
)

func TestParseUser(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, kind, value string }{
		{"a kind and a value", "username:jane", "username", "jane"},
		{"no kind is the tenant's default", "jane", "username", "jane"},
		{"only the first colon splits", "badge:vmware.com:1f0c", "badge", "vmware.com:1f0c"},
		{"a colon may begin the value", "badge::1", "badge", ":1"},
		{"an e-mail address has one spelling", "email: Jane@ACME.Example ", "email", "jane@acme.example"},
		{"a domain is ASCII", "email:jane@münchen.example", "email", "jane@xn--mnchen-3ya.example"},
		{"a username is NFC", "username:zoe\u0308", "username", "zo\u00eb"},
		{"and keeps its case", "username:Jane", "username", "Jane"},
		{"what has no rule stays", "badge:Ab C", "badge", "Ab C"},
		{"white space around it never counts", "badge: 7 ", "badge", "7"},
		{"as long as it may be", "badge:" + strings.Repeat("7", 512), "badge", strings.Repeat("7", 512)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			kind, value, err := gateway.ParseUser(test.text, []string{"username", "email", "badge"}, "username")
			if err != nil || kind != test.kind || value != test.value {
				t.Errorf("ParseUser(%q) = %q, %q, %v; want %q, %q", test.text, kind, value, err, test.kind, test.value)
			}
		})
	}
}

func TestParseUserRefuses(t *testing.T) {
	t.Parallel()
	const (
		oneOf  = "Use one of: username, email."
		form   = "Write KIND:VALUE, for example email:jane@acme.example."
		kind   = "The kind of identifier before the first colon is not accepted."
		length = "Use at most 512 bytes."
	)
	tests := []struct{ name, text, byDefault, reason, resolution string }{
		{"a kind that is not accepted", "badge:7", "username", kind, oneOf},
		{"no kind before the colon", ":7", "username", kind, oneOf},
		{"a kind in another case", "Email:jane@acme.example", "username", kind, oneOf},
		{"a value with a colon is not the default's", "urn:jane", "username", kind, oneOf},
		{"no kind and no default", "jane", "", "The user names no kind of identifier, and the tenant has no default.", oneOf},
		{"nothing", "", "username", "The identifier is empty.", form},
		{"nothing after the kind", "email:", "username", "The identifier is empty.", form},
		{"white space", "username: \u00a0", "username", "The identifier is empty.", form},
		{"a control character", "username:ja\nne", "username", "The identifier has control characters.", "Remove them."},
		{"one at the end", "jane\x00", "username", "The identifier has control characters.", "Remove them."},
		{"no UTF-8", "username:\xff", "username", "The identifier is not UTF-8 text.", "Percent-encode the identifier as UTF-8."},
		{"too long", "username:" + strings.Repeat("j", 513), "username", "The identifier is too long.", length},
		// In NFC this letter is twice as long.
		{"too long in its canonical form", "username:" + strings.Repeat("\ufb2c", 170), "username", "The identifier is too long.", length},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			kind, value, err := gateway.ParseUser(test.text, []string{"username", "email"}, test.byDefault)
			if err == nil {
				t.Fatalf("it is taken for %q, %q", kind, value)
			}
			expect(t, "refusal", *err, gateway.RequestError{Status: 400, Title: "Bad request.", Reason: test.reason, Resolution: test.resolution})
			expect(t, "what is left", kind+value, "")
		})
	}
}

// FuzzParseUser: whatever a caller sends is refused in words, or taken in a form
// in which it can be sent, and in which it is taken again.
func FuzzParseUser(f *testing.F) {
	for _, text := range []string{
		"jane", "email:Jane@Acme.Example", "badge:vmware.com:1f0c", "oid:0D2F6C1E-7A0B-4A55-9F0C-2F0F4C5B8A11", "", ":", "::", "email:", "urn:x",
		"email:jane@münchen.example", "email:jane@", "email:@", "email:a@b@c", "username:\u0085x", "username:\u2028", "username:\ufeff", "username:\u202e",
		"username:\ufb2c", "username:H̱", "email:İ@ß.example", "email:x@" + strings.Repeat("ü", 60) + ".example", "\xff", "a\x00", strings.Repeat("j", 513),
	} {
		f.Add(text)
	}
	accept := []string{"username", "email", "badge", "oid"}
	f.Fuzz(func(t *testing.T, text string) {
		kind, value, err := gateway.ParseUser(text, accept, "username")
		if err != nil {
			if err.Status != 400 || err.Reason == "" || err.Resolution == "" || kind != "" || value != "" {
				t.Errorf("ParseUser(%q) = %q, %q, %+v", text, kind, value, err)
			}
			return
		}
		switch {
		case !slices.Contains(accept, kind):
			t.Errorf("%q: the kind %q is not accepted", text, kind)
		case value == "" || len(value) > 512 || !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
			t.Errorf("%q: the value %q is not fit to be sent", text, value)
		case normalize.CanonicalID(kind, value) != value:
			t.Errorf("%q: the value %q is not canonical", text, value)
		}
		if k, v, err := gateway.ParseUser(kind+":"+value, accept, ""); err != nil || k != kind || v != value {
			t.Errorf("%q is taken for %s:%q, and that for %s:%q, %v", text, kind, value, k, v, err)
		}
	})
}

func TestWhatIsNotKnownIsNamed(t *testing.T) {
	t.Parallel()
	g := open(t, live(source("directory", says(named("Jane"))), source("badges", says(named("Jane")))))
	long := strings.Repeat("x", 70)
	tests := []struct {
		name               string
		q                  gateway.Query
		status             int
		reason, resolution string
	}{
		{
			"a member",
			gateway.Query{Fields: []string{"displayName", "shoeSize"}},
			400,
			`The member "shoeSize" in fields is not known.`, "Use: " + strings.Join(normalize.Members(), ", ") + ".",
		},
		{
			"a member of a member",
			gateway.Query{Fields: []string{"name.maidenName"}},
			400,
			`The member "name.maidenName" in fields is not known.`, "Use: name.givenName, name.familyName, name.middleName, name.honorificPrefix, name.formatted.",
		},
		{
			"a long one is cut",
			gateway.Query{Fields: []string{long}},
			400,
			`The member "` + long[:64] + `" in fields is not known.`, "Use: " + strings.Join(normalize.Members(), ", ") + ".",
		},
		{
			"an empty one",
			gateway.Query{Fields: []string{""}},
			400,
			`The member "" in fields is not known.`, "Use: " + strings.Join(normalize.Members(), ", ") + ".",
		},
		{
			"a source",
			gateway.Query{Sources: []string{"badges", "payroll"}},
			400,
			`The source "payroll" in sources is not known.`, "Use: directory, badges.",
		},
		{
			"a source in another case",
			gateway.Query{Sources: []string{"Badges"}},
			400,
			`The source "Badges" in sources is not known.`, "Use: directory, badges.",
		},
		{
			"a kind of identifier",
			gateway.Query{User: "csp:1"},
			400,
			"The kind of identifier before the first colon is not accepted.", "Use one of: username, email, badge.",
		},
		{"a tenant", gateway.Query{Tenant: "acne"}, 404, "No tenant 'acne' is configured.", "Use one of your tenants."},
		{"a tenant in another case", gateway.Query{Tenant: "Acme"}, 404, "No tenant 'Acme' is configured.", "Use one of your tenants."},
		{
			"a person in a tenant's place is not named",
			gateway.Query{Tenant: "jane@acme.example"},
			404,
			"No such tenant is configured.", "Use one of your tenants.",
		},
		{
			"the tenant comes before the user",
			gateway.Query{Tenant: "acne", User: "csp:1"},
			404,
			"No tenant 'acne' is configured.", "Use one of your tenants.",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := refusal(t, g, test.q)
			title := map[int]string{400: "Bad request.", 404: "Tenant not found."}[test.status]
			expect(t, "refusal", *got, gateway.RequestError{Status: test.status, Title: title, Reason: test.reason, Resolution: test.resolution})
			expect(t, "Error()", got.Error(), test.reason)
		})
	}
}

// TestUnknownTenant: a name is repeated only where it can be a tenant's.
func TestUnknownTenant(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"acne":                  "No tenant 'acne' is configured.",
		"0-a_B":                 "No tenant '0-a_B' is configured.",
		strings.Repeat("a", 63): "No tenant '" + strings.Repeat("a", 63) + "' is configured.",
		strings.Repeat("a", 64): "No such tenant is configured.",
		"":                      "No such tenant is configured.",
		"-a":                    "No such tenant is configured.",
		"a.b":                   "No such tenant is configured.",
		"jane@acme.example":     "No such tenant is configured.",
		"a\n":                   "No such tenant is configured.",
		"ä":                     "No such tenant is configured.",
		"<script>":              "No such tenant is configured.",
	} {
		expect(t, name, *gateway.UnknownTenant(name), gateway.RequestError{
			Status: 404, Title: "Tenant not found.", Reason: want, Resolution: "Use one of your tenants.",
		})
	}
}

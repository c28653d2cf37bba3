package config_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"muster/adapters"
	"muster/gateway"
	"muster/normalize"
)

const policiesFile = `
tenants: {acme: {}}
providers: [{use: people}]
callers: [{issuer: "https://login.example.com/", audiences: muster, tenant: acme}]
policies:
  - {for: {scopes: profile.basic}, show: [userName, displayName, name, emails]}
  - {for: {scopes: [profile.basic, profile.roles]}, show: [active, roles, groups]}
  - {for: {scopes: profile.full}, show: ["*"], hide: [attributes.people.badge, title]}
  - {for: {claims: {org.level: [gold, 7], email_verified: true, '["https://example.com/on leave"]': null}}, show: manager}
  - {for: {cel: 'caller.subject == target.id.oid'}, show: ["*"]}
  - {for: {scopes: help, cel: '"hr" in caller.claims.groups && caller.issuer.startsWith("https://login.") && "acme" in caller.tenants'}, show: title}
  - {for: {cel: 'caller.user.email in target.ids.email'}, show: photos}
`

// TestPoliciesOfAFile: every key of a policy decides what it says.
func TestPoliciesOfAFile(t *testing.T) {
	dir := writeFiles(t, map[string]string{"gateway.yaml": policiesFile, "providers/people.yaml": definition("people", "https://people.example.com/{id.email}")})
	policies := live(t, load(t, dir)).Policies
	if policies == nil || !policies.Known {
		t.Fatalf("the policies are %+v", policies)
	}
	claims := func(text string) map[string]any {
		tree, err := normalize.ParseJSON([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return tree.(map[string]any)
	}
	who := func(subject, scopes, said string, self map[string]string) *gateway.Caller {
		return &gateway.Caller{Caller: adapters.Caller{Issuer: "https://login.example.com/", Subject: subject}, Scopes: strings.Fields(scopes), Tenants: []string{"acme"}, Claims: claims(said), Self: self}
	}
	jane := map[string][]string{"oid": {"j"}, "email": {"j@acme.example", "jane@acme.example"}}
	for _, test := range []struct {
		name   string
		caller *gateway.Caller
		target map[string][]string
		want   string
	}{
		{"nothing", who("x", "", "{}", nil), jane, ""},
		{"a scope", who("x", "profile.basic", "{}", nil), jane, "userName displayName name emails"},
		{"one of two scopes", who("x", "profile.roles", "{}", nil), jane, ""},
		{"both", who("x", "profile.roles profile.basic", "{}", nil), jane, "userName displayName name emails active groups roles"},
		{"claims", who("x", "", `{"org": {"level": "gold"}, "email_verified": true}`, nil), jane, "manager"},
		{"another literal", who("x", "", `{"org": {"level": 7}, "email_verified": true}`, nil), jane, "manager"},
		{"one claim wrong", who("x", "", `{"org": {"level": "gold"}, "email_verified": false}`, nil), jane, ""},
		{"one claim missing", who("x", "", `{"org": {"level": "gold"}}`, nil), jane, ""},
		{"one claim that is not to be", who("x", "", `{"org": {"level": "gold"}, "email_verified": true, "https://example.com/on leave": 1}`, nil), jane, ""},
		{"a group", who("x", "help", `{"groups": ["it", "hr"]}`, nil), jane, "title"},
		{"a group without the scope", who("x", "", `{"groups": ["it", "hr"]}`, nil), jane, ""},
		{"another group", who("x", "help", `{"groups": ["it"]}`, nil), jane, ""},
		{"oneself", who("j", "", "{}", nil), jane, "*"},
		{"oneself, of whom nothing is proved", who("j", "", "{}", nil), nil, ""},
		{"nobody", &gateway.Caller{}, map[string][]string{"oid": {""}}, ""},
		{"one of the addresses", who("x", "", "{}", map[string]string{"email": "Jane@ACME.example"}), jane, "photos"},
		{"another address", who("x", "", "{}", map[string]string{"email": "joan@acme.example"}), jane, ""},
	} {
		shown, _ := policies.Shown(test.caller, test.target)
		var members []string
		for _, member := range normalize.Members() {
			if shown.Needs(member) {
				members = append(members, member)
			}
		}
		got := strings.Join(members, " ")
		if normalize.Everything().Minus(shown).Empty() {
			got = "*"
		}
		if got != test.want {
			t.Errorf("%s: %s; want %s", test.name, got, test.want)
		}
	}
	full, by := policies.Shown(who("x", "profile.full", "{}", nil), nil)
	if rest := fmt.Sprint(normalize.Everything().Minus(full).Needs("title"), full.Needs("title"), full.NeedsFrom("people", "attributes"), full.NeedsFrom("other", "attributes")); rest != "true false true true" {
		t.Errorf("what is hidden of everything: %s", rest)
	}
	if len(by) != 1 || !strings.HasSuffix(by[0].Name, "gateway.yaml:8:5") {
		t.Errorf("it is by %+v", by)
	}
}

// TestWithoutPolicies: without callers and policies everything is shown; with callers
// alone nothing, which is told; with policies alone what they show to nobody in particular.
func TestWithoutPolicies(t *testing.T) {
	const callers = "callers: [{issuer: \"https://login.example.com/\", audiences: muster, tenant: acme}]\n"
	const everybody = "policies: [{for: {cel: \"true\"}, show: userName}]\n"
	for rest, want := range map[string]string{
		"":                  "everything",
		callers:             "known 0 noted",
		everybody:           "unknown 1",
		callers + everybody: "known 1",
	} {
		dir := writeFiles(t, map[string]string{"gateway.yaml": "tenants: {acme: {}}\nproviders: [{use: people}]\n" + rest, "providers/people.yaml": definition("people", "https://people.example.com/{id.email}")})
		file := load(t, dir)
		got := "everything"
		if p := live(t, file).Policies; p != nil {
			got = fmt.Sprint(map[bool]string{true: "known ", false: "unknown "}[p.Known], len(p.All))
		}
		for _, note := range file.Notes {
			if strings.Contains(note, "no `policies`") {
				got += " noted"
			}
		}
		if got != want {
			t.Errorf("%q: %s, want %s", rest, got, want)
		}
	}
}

// TestPolicyTestsOnReload: a file in which a case fails changes nothing, also where the
// tests of definitions are not run.
func TestPolicyTestsOnReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const policies = "reload: {test: false}\npolicies: [{for: {scopes: a}, show: %s, tests: [{caller: {scopes: a}, hides: emails}]}]\n"
		folder := newFolder(t)
		folder.write("gateway.yaml", watched+fmt.Sprintf(policies, "userName"))
		told := folder.watch(folder.load(), nil, func() {
			folder.write("gateway.yaml", watched+fmt.Sprintf(policies, "[userName, emails.value]"))
			time.Sleep(5 * time.Second)
			folder.write("gateway.yaml", watched+fmt.Sprintf(policies, "[userName, name]"))
		})
		if len(told) != 2 || !strings.Contains(told[0], `"emails" is shown to this caller`) || told[1] != "applied" {
			t.Errorf("told %q", told)
		}
	})
}

package gateway_test

import (
	"context"
	"maps"
	"slices"
	"testing"

	"muster/adapters"
	"muster/gateway"
	"muster/normalize"
)

// links are the operator's: what else the person is called who is known by KIND:VALUE.
type links map[string]map[string]string

func (l links) Find(_ context.Context, tenant, kind, value string) (map[string]string, error) {
	if tenant != "acme" {
		return nil, nil
	}
	return l[kind+":"+value], nil
}

// planned is a source that can be asked in the way told, the query it got, and
// what became of it in the answer.
type planned struct {
	name     string
	upstream upstream
	change   func(*gateway.Source)

	want   string            // as tell has it, without the name
	got    map[string]string // identifiers that it was asked with; nil when it was not asked
	tenant map[string]string // the tenant's values that it was asked with; nil for any
}

func either(needs ...[]string) upstream {
	return upstream{needs: needs, members: []string{"displayName"}}
}

// TestPlan: who is asked, and with what.
func TestPlan(t *testing.T) {
	t.Parallel()
	const asked = "ok upstream"
	names := func(members ...string) upstream {
		return upstream{needs: [][]string{{"username"}}, members: members}
	}
	yields := func(u upstream, kinds ...string) upstream { u.yields = kinds; return u }
	needsOfTenant := func(u upstream, names ...string) upstream { u.tenant = names; return u }
	byUsername, nothing := map[string]string{"username": "jane"}, map[string]string{}
	tests := []struct {
		name    string
		q       gateway.Query
		tenant  gateway.Tenant
		links   links
		status  int
		sources []planned
	}{
		{name: "all that can be", status: 200, sources: []planned{
			{name: "a", upstream: by("username"), want: asked, got: byUsername, tenant: nothing},
			{name: "b", upstream: by("email"), want: "unlinked [email]"},
		}},
		{name: "fields: who has none of them is left alone", q: gateway.Query{Fields: []string{"roles.value", "title"}}, status: 200, sources: []planned{
			{name: "a", upstream: names("displayName", "emails"), want: "skipped"},
			{name: "b", upstream: names("emails", "roles"), want: asked, got: byUsername},
			{name: "c", upstream: names("title"), want: asked, got: byUsername},
		}},
		{name: "fields: who yields an identifier has identifiers", q: gateway.Query{Fields: []string{"identifiers"}}, status: 200, sources: []planned{
			{name: "a", upstream: names("displayName"), want: "skipped"},
			{name: "b", upstream: yields(names("displayName"), normalize.Self), want: asked, got: byUsername},
		}},
		{name: "fields: everything", q: gateway.Query{Fields: []string{"*"}}, status: 200, sources: []planned{
			{name: "a", upstream: names("displayName"), want: asked, got: byUsername},
			{name: "b", upstream: yields(names(), normalize.Self), want: asked, got: byUsername},
		}},
		{name: "sources", q: gateway.Query{Sources: []string{"c", "a"}}, status: 200, sources: []planned{
			{name: "a", upstream: by("username"), want: asked, got: byUsername},
			{name: "b", upstream: by("username"), want: "skipped"},
			{name: "c", upstream: by("username"), want: asked, got: byUsername},
		}},
		{name: "no source at all", q: gateway.Query{Sources: []string{}}, status: 424, sources: []planned{
			{name: "a", upstream: by("username"), want: "skipped"},
		}},
		{name: "only for other tenants", status: 200, sources: []planned{
			{name: "a", upstream: by("username"), change: func(s *gateway.Source) { s.Tenants = []string{"globex"} }, want: "skipped"},
			{name: "b", upstream: by("username"), change: func(s *gateway.Source) { s.Tenants = []string{"globex", "acme"} }, want: asked, got: byUsername},
			{name: "c", upstream: by("username"), change: func(s *gateway.Source) { s.Tenants = []string{} }, want: "skipped"},
		}},
		{name: "the tenant has only these providers", tenant: gateway.Tenant{Providers: []string{"b"}}, status: 200, sources: []planned{
			{name: "a", upstream: by("username"), want: "skipped"},
			{name: "b", upstream: by("username"), want: asked, got: byUsername},
		}},
		{
			name: "a value of the tenant is missing", status: 200,
			tenant: gateway.Tenant{IDs: map[string]string{"region": "eu", "b": "7", "empty": ""}},
			sources: []planned{
				{name: "a", upstream: needsOfTenant(by("username"), "self"), want: "skipped"},
				{
					name: "b", upstream: needsOfTenant(by("username"), "self", "region"), want: asked, got: byUsername,
					tenant: map[string]string{"region": "eu", "b": "7", "empty": "", "self": "7"},
				},
				{name: "c", upstream: needsOfTenant(by("username"), "region", "zone"), want: "skipped"},
				{name: "d", upstream: needsOfTenant(by("username"), "empty"), want: "skipped"},
			},
		},
		{name: "what is unlinked says what it lacks", status: 200, sources: []planned{
			{name: "a", upstream: by("username"), want: asked, got: byUsername},
			{name: "b", upstream: either([]string{"email", "badge"}), want: "unlinked [email badge]"},
			{name: "c", upstream: either([]string{"badge"}, []string{"email"}), want: "unlinked [badge]"}, // of its first lookup
			{name: "d", upstream: either([]string{normalize.Self}), want: "unlinked [d]"},                 // its own goes by its name
			{name: "e", upstream: either([]string{"username", "badge"}), want: "unlinked [badge]"},
		}},
		{name: "a person who is skipped is not unlinked", q: gateway.Query{Sources: []string{"a"}}, status: 200, sources: []planned{
			{name: "a", upstream: by("username"), want: asked, got: byUsername},
			{name: "b", upstream: by("email"), want: "skipped"},
		}},
		{name: "the first lookup that can be", status: 200, sources: []planned{
			{name: "a", upstream: either([]string{"email"}, []string{"username"}), want: asked, got: byUsername},
		}},
		{name: "its own identifier", q: gateway.Query{User: "badge:7"}, status: 200, sources: []planned{
			{name: "badge", upstream: either([]string{normalize.Self}), want: asked, got: map[string]string{"badge": "7", normalize.Self: "7"}},
			{name: "other", upstream: either([]string{normalize.Self}), want: "unlinked [other]"},
			{name: "reader", upstream: either([]string{"badge"}), want: asked, got: map[string]string{"badge": "7"}},
		}},
		{
			name: "links add, and never replace", status: 200,
			links: links{"username:jane": {"email": "jane@acme.example", "badge": "7", "username": "janet"}},
			sources: []planned{
				{name: "a", upstream: by("email"), want: asked, got: map[string]string{"username": "jane", "email": "jane@acme.example", "badge": "7"}},
				{name: "badge", upstream: either([]string{normalize.Self}), want: asked, got: map[string]string{"username": "jane", "email": "jane@acme.example", "badge": "7", normalize.Self: "7"}},
			},
		},
		{name: "links of another person", links: links{"username:joe": {"email": "joe@acme.example"}}, status: 424, sources: []planned{
			{name: "a", upstream: by("email"), want: "unlinked [email]"},
		}},
		{name: "a value that does not fit", status: 207, links: links{"username:jane": {"email": "jane"}}, sources: []planned{
			{name: "a", upstream: by("username"), want: asked, got: map[string]string{"username": "jane", "email": "jane"}},
			{name: "b", upstream: unfit(by("email")), want: "failed"},
		}},
		{name: "the caller's own does not fit one of two", status: 207, sources: []planned{
			{name: "a", upstream: by("username"), want: asked, got: byUsername},
			{name: "b", upstream: unfit(by("username")), want: "failed"},
		}},
		{
			name: "only what nobody asked for would fit", status: 502, q: gateway.Query{Sources: []string{"b", "c"}},
			links: links{"username:jane": {"email": "jane"}},
			sources: []planned{
				{name: "a", upstream: by("username"), want: "skipped"},
				{name: "b", upstream: unfit(by("email")), want: "failed"},
				{name: "c", upstream: by("badge"), want: "unlinked [badge]"},
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := make([]*adapters.Query, len(test.sources))
			l := live()
			for i, s := range test.sources {
				note := func(_ context.Context, q adapters.Query) (adapters.Reply, error) {
					got[i] = &q
					return adapters.Reply{}, nil
				}
				l.Sources = append(l.Sources, source(s.name, note, from(s.upstream), func(g *gateway.Source) {
					if s.change != nil {
						s.change(g)
					}
				}))
			}
			test.tenant.Name, test.tenant.DefaultIdentifier = "acme", "username"
			l.Tenants["acme"] = &test.tenant
			if test.links != nil {
				l.Links = test.links
			}

			a := ask(t, open(t, l), test.q)

			expect(t, "status", a.Status, test.status)
			for i, s := range test.sources {
				expect(t, s.name, tell(gateway.Answer{Sources: a.Sources[i : i+1]}), "0: "+s.name+" "+s.want)
				var ids, tenant map[string]string
				if got[i] != nil {
					ids, tenant = got[i].IDs, got[i].Tenant
				}
				expect(t, s.name+" is asked with", ids, s.got)
				if s.tenant != nil {
					expect(t, s.name+" is told of the tenant", tenant, s.tenant)
				}
			}
		})
	}
}

func unfit(u upstream) upstream {
	u.unfit = func(adapters.Query) bool { return true }
	return u
}

// TestAnIdentifierThatDoesNotFit: one that no source can use is the caller's
// mistake, and nobody is asked.
func TestAnIdentifierThatDoesNotFit(t *testing.T) {
	t.Parallel()
	asked := says(named("Jane"))
	tests := []struct {
		name    string
		user    string
		sources []*gateway.Source
		want    string // "" for a 400
	}{
		{"the only one that would use it", "username:jane", []*gateway.Source{
			source("a", asked, from(unfit(by("username")))),
		}, ""},
		{"all that would use it", "username:jane", []*gateway.Source{
			source("a", asked, from(unfit(by("username")))),
			source("b", asked, from(by("email"))), // does not use it
			source("c", asked, from(unfit(by("username")))),
		}, ""},
		{"a source's own", "badge:x", []*gateway.Source{
			source("badge", asked, from(unfit(either([]string{normalize.Self})))),
		}, ""},
		{"one of two", "username:jane", []*gateway.Source{
			source("a", asked, from(unfit(by("username")))),
			source("b", asked),
		}, "207: a failed, b ok upstream; a invalid 400"},
		{"one of two, and the other has nothing", "username:jane", []*gateway.Source{
			source("a", asked, from(unfit(by("username")))),
			source("b", fails(adapters.NotFound)),
		}, "502: a failed, b absent upstream; a invalid 400"},
		{"nobody would use it", "badge:7", []*gateway.Source{
			source("a", asked, from(unfit(by("username")))),
		}, "424: a unlinked [username]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := open(t, live(test.sources...))
			if test.want != "" {
				expect(t, "answer", tell(ask(t, g, gateway.Query{User: test.user})), test.want)
				return
			}
			kind := test.user[:slices.Index([]byte(test.user), ':')]
			expect(t, "refusal", *refusal(t, g, gateway.Query{User: test.user}), gateway.RequestError{
				Status: 400, Title: "Bad request.",
				Reason: "The identifier cannot be what the sources that use it expect.", Resolution: "Check the form of the value after " + kind + ":.",
			})
		})
	}
}

// TestLinksAreTold: what the links say stands among the identifiers, what the
// caller said does not.
func TestLinksAreTold(t *testing.T) {
	t.Parallel()
	record := func(_ context.Context, q adapters.Query) (adapters.Reply, error) {
		return adapters.Reply{Record: normalize.Record{Profile: named("Jane"), IDs: []normalize.Identifier{{Kind: normalize.Self, Value: q.IDs["badge"]}}}}, nil
	}
	known := links{"username:jane": {"badge": "7", "email": "jane@acme.example"}}
	l := live(source("doors", record, from(upstream{needs: [][]string{{"badge"}}, yields: []string{normalize.Self}, members: []string{"displayName"}})))
	l.Links = known
	g := open(t, l)
	before := maps.Clone(known["username:jane"])

	expect(t, "identifiers", ask(t, g, gateway.Query{}).Data.Identifiers, []normalize.Identifier{
		{Kind: "doors", Value: "7", Source: "doors"},
		{Kind: "badge", Value: "7", Source: "links"},
		{Kind: "email", Value: "jane@acme.example", Source: "links"},
	})
	expect(t, "the links", known["username:jane"], before)
	// Another tenant's links are not followed.
	expect(t, "globex", tell(ask(t, g, gateway.Query{Tenant: "globex"})), "424: doors unlinked [badge]")
}

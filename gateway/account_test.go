package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"muster/adapters"
	"muster/gateway"
	"muster/gateway/audit"
	"muster/normalize"
)

// recorder is a sink that keeps records, or fails.
type recorder struct {
	err error

	mu      sync.Mutex
	records []audit.Record
}

func (r *recorder) Write(_ context.Context, records []audit.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.records = append(r.records, records...)
	}
	return r.err
}

func (r *recorder) Close() error { return nil }

func (r *recorder) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

// take are the records since the last time.
func (r *recorder) take() []audit.Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.records
	r.records = nil
	return taken
}

// audited is a gateway that keeps records of all, which are required.
func audited(t testing.TB, l *gateway.Live) (*gateway.Gateway, *recorder) {
	t.Helper()
	sink := new(recorder)
	trail, err := audit.Start(sink, audit.Options{Required: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { trail.Close(context.Background()) })
	l.Pseudonyms = gateway.NewPseudonyms(testKey())
	return openWith(t, l, gateway.Options{
		CacheBytes: 4 << 20, Audit: trail,
		Tracer: tracenoop.NewTracerProvider().Tracer(""), Meter: metricnoop.NewMeterProvider().Meter(""),
	}), sink
}

// portal is a caller with scopes, who is not the client itself.
func portal(scopes string) *gateway.Caller {
	who := scoped(scopes)
	who.Issuer, who.Subject, who.Claims = "https://login.example/", "CANARY-subject", map[string]any{"client_id": "portal"}
	return who
}

// line is a record in one line, without what all have in common.
func line(r audit.Record) string {
	var kinds, sources []string
	for _, id := range r.Subject {
		kinds = append(kinds, id.Kind)
	}
	for _, s := range r.Sources {
		sources = append(sources, strings.Join(strings.Fields(strings.Join([]string{s.Source, s.Outcome, s.Kind, s.From}, " ")), " "))
	}
	return fmt.Sprintf("%s %s %v %d %v %s", r.Action, r.Tenant, kinds, r.Status, r.Fields, strings.Join(sources, ", "))
}

func lines(records []audit.Record) []string {
	all := []string{}
	for _, r := range records {
		all = append(all, line(r))
	}
	return all
}

// TestAuditRecord is what a record looks like, to the letter: docs/operating.md tells of it.
func TestAuditRecord(t *testing.T) {
	t.Parallel()
	g, sink := audited(t, live(
		source("people", record(normalize.Profile{DisplayName: "CANARY", Emails: []normalize.Email{{Value: "CANARY@acme.example"}}})),
		source("doors", failsWith(limitedFor(time.Minute)))))
	who := portal("")
	ask(t, g, gateway.Query{Caller: who, IDs: ids{"email": "Jane.CANARY@acme.example", "username": "CANARY"}})
	records := sink.take()
	if len(records) != 1 {
		t.Fatalf("%d records", len(records))
	}
	r := records[0]
	if time.Since(r.Time) > time.Minute || r.Time.Location() != time.UTC || r.Took < 0 || r.Took > 60_000 {
		t.Errorf("at %v, for %d ms", r.Time, r.Took)
	}
	r.Time, r.Took = time.Date(2026, 11, 26, 9, 30, 0, 123_000_000, time.UTC), 41
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte("CANARY")) {
		t.Errorf("somebody is told: %s", text)
	}
	const golden = "testdata/audit.json"
	if *update {
		if err := os.WriteFile(filepath.FromSlash(golden), append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(text)+"\n"); diff != "" {
		t.Errorf("(-want +got; -update writes it anew):\n%s", diff)
	}
}

// TestAuditOutcomes: one record of each lookup, however it ends, with what was really
// asked and what was really shown.
func TestAuditOutcomes(t *testing.T) {
	t.Parallel()
	l := live(
		source("people", func(ctx context.Context, q adapters.Query) (adapters.Reply, error) {
			switch q.IDs["username"] {
			case "nobody":
				return adapters.Reply{}, adapters.Fail(adapters.NotFound, "a test says so", nil)
			case "down":
				return adapters.Reply{}, adapters.Fail(adapters.Unavailable, "a test says so", nil)
			case "panic":
				panic("CANARY")
			}
			return record(normalize.Profile{UserName: "CANARY", DisplayName: "CANARY"}, "username:"+q.IDs["username"])(ctx, q)
		}, gives("username", "userName displayName", "username")),
		source("doors", fails(adapters.Denied), gives("username", "title", "")),
		source("mail", says(named("CANARY")), from(by("email"))),
	)
	open, sink := audited(t, l)
	closed := live(l.Sources...)
	policed(closed, shows(t, "some", "displayName"), where(t, `target.id.username == "CANARY-2"`, shows(t, "self", "displayName")))
	closed.Budget = 50 * time.Millisecond
	shut, shutSink := audited(t, closed)
	// What people says was asked before.
	const both = "people ok cache, doors failed denied upstream"
	ask(t, open, gateway.Query{Caller: portal("")})
	_, _ = shut.Lookup(t.Context(), jane(gateway.Query{Caller: portal("some")}))
	sink.take()
	shutSink.take()

	tests := []struct {
		name string
		g    *gateway.Gateway
		q    gateway.Query
		want string
	}{
		{"partial", open, gateway.Query{}, "lookup acme [username] 207 [userName displayName identifiers] " + both},
		{"fields", open, gateway.Query{Fields: []string{"userName"}}, "lookup acme [username] 200 [userName] people ok cache"},
		{"strict", open, gateway.Query{Strict: true}, "lookup acme [username] 502 [] " + both},
		{"the default kind", open, gateway.Query{User: "jane"}, "lookup acme [username] 207 [userName displayName identifiers] " + both},
		{"nobody", open, gateway.Query{User: "nobody", Sources: []string{"people"}}, "lookup acme [username] 404 [] people absent upstream"},
		{"down", open, gateway.Query{User: "down", Sources: []string{"people"}}, "lookup acme [username] 503 [] people failed unavailable upstream"},
		{"a panic of a source", open, gateway.Query{User: "panic", Sources: []string{"people"}}, "lookup acme [username] 503 [] people failed unavailable upstream"},
		{"nothing to ask", open, gateway.Query{User: "badge:7", Sources: []string{"people"}}, "lookup acme [badge] 424 [] "},
		{"several", open, gateway.Query{IDs: ids{"email": "j@acme.example", "username": "jane"}, Sources: []string{"mail"}}, "lookup acme [username email] 200 [displayName] mail ok upstream"},
		{"an unknown kind", open, gateway.Query{User: "CANARY:jane"}, "lookup acme [] 400 [] "},
		{"an unknown source", open, gateway.Query{Sources: []string{"CANARY"}}, "lookup acme [username] 400 [] "},
		{"a tenant that is not there", open, gateway.Query{Tenant: "CANARY"}, "lookup  [username] 404 [] "},
		{"not explained", open, gateway.Query{Explain: true, Caller: portal("")}, "lookup acme [username] 403 [] "},
		{"what a policy shows", shut, gateway.Query{Caller: portal("some")}, "lookup acme [username] 200 [displayName] people ok cache"},
		{"what none shows", shut, gateway.Query{Caller: portal("none")}, "lookup acme [username] 403 [] "},
		{"whom none shows", shut, gateway.Query{Caller: portal("self")}, "lookup acme [username] 403 [] people ok cache"},
		{"another's tenant", shut, gateway.Query{Tenant: "globex", Caller: func() *gateway.Caller {
			who := portal("some")
			who.Tenants = []string{"acme"}
			return who
		}()}, "lookup globex [username] 403 [] "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			kept := sink
			if test.g == shut {
				kept = shutSink
			}
			_, _ = test.g.Lookup(t.Context(), jane(test.q))
			records := kept.take()
			if got := strings.Join(lines(records), "\n"); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if text := fmt.Sprint(records); strings.Contains(text, "CANARY") {
				t.Errorf("somebody is told: %s", text)
			}
		})
	}

	t.Run("a caller who has left", func(t *testing.T) {
		ctx, leave := context.WithCancel(t.Context())
		leave()
		_, err := open.Lookup(ctx, jane(gateway.Query{User: "gone", Sources: []string{"people"}}))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		for records := []audit.Record(nil); len(records) == 0; time.Sleep(time.Millisecond) { // nobody waits for it
			if records = sink.take(); len(records) == 1 && records[0].Status != audit.StatusLeft {
				t.Errorf("records %v", lines(records))
			}
		}
	})
}

// TestAuditCallers: systems in the clear, people as hashes.
func TestAuditCallers(t *testing.T) {
	t.Parallel()
	g, sink := audited(t, live(source("people", says(named("Jane")))))
	const issuer = "https://login.example/"
	hashed := gateway.NewPseudonyms(testKey()).Caller(issuer, "jane")
	for _, test := range []struct {
		name    string
		subject string
		claims  map[string]any
		want    audit.Caller
	}{
		{"a person by a client", "jane", map[string]any{"client_id": "portal", "azp": "other"}, audit.Caller{Issuer: issuer, Client: "portal", Subject: hashed}},
		{"a person by azp", "jane", map[string]any{"azp": "portal"}, audit.Caller{Issuer: issuer, Client: "portal", Subject: hashed}},
		{"a client", "portal", map[string]any{"client_id": "portal"}, audit.Caller{Issuer: issuer, Client: "portal", Subject: "portal"}},
		{"a client that is no text", "jane", map[string]any{"client_id": []any{"portal"}}, audit.Caller{Issuer: issuer, Subject: hashed}},
		{"no client", "jane", nil, audit.Caller{Issuer: issuer, Subject: hashed}},
		{"nobody", "", map[string]any{"client_id": "portal"}, audit.Caller{Issuer: issuer, Client: "portal"}},
	} {
		who := callerOf(issuer, test.subject, "t")
		who.Claims = test.claims
		ask(t, g, gateway.Query{Caller: who})
		records := sink.take()
		if len(records) != 1 || !cmp.Equal(records[0].Caller, &test.want) {
			t.Errorf("%s: %+v, want %+v", test.name, records, test.want)
		}
	}
	name := map[string]string{"uri": "spiffe://acme.example/frontend"}
	ask(t, g, gateway.Query{Caller: &gateway.Caller{Caller: adapters.Caller{Subject: name["uri"]}, Certificate: name, Tenants: []string{"acme"}}})
	if records := sink.take(); len(records) != 1 || !cmp.Equal(records[0].Caller, &audit.Caller{Certificate: name}) {
		t.Errorf("a certificate: %+v", records)
	}
}

// TestAuditBatches: each person of a batch has one record, whoever is there twice too.
func TestAuditBatches(t *testing.T) {
	t.Parallel()
	g, sink := audited(t, live(source("people", namesake)))
	sorted := func() []string {
		all := lines(sink.take())
		slices.Sort(all)
		return all
	}
	askAll(t, g, gateway.Query{}, ids{"username": "a"}, ids{"username": "b"}, ids{"username": "A"}, ids{"username": "a"}, ids{}, ids{"CANARY": "x"})
	if diff := cmp.Diff([]string{
		"lookup acme [] 400 [] ", "lookup acme [] 400 [] ",
		"lookup acme [username] 200 [displayName] people ok upstream", "lookup acme [username] 200 [displayName] people ok upstream",
		"lookup acme [username] 200 [displayName] people ok upstream",
	}, sorted()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, test := range map[string]struct {
		q     gateway.Query
		users []ids
		want  []string
	}{
		"refused as a whole": {gateway.Query{Fields: []string{"CANARY"}}, crowd(2), []string{"lookup acme [username] 400 [] ", "lookup acme [username] 400 [] "}},
		"nobody":             {gateway.Query{}, nil, []string{"lookup acme [] 400 [] "}},
		"too many":           {gateway.Query{}, crowd(101), []string{"lookup acme [] 400 [] "}},
	} {
		if _, err := g.Lookups(t.Context(), jane(test.q), test.users); err == nil {
			t.Errorf("%s: not refused", name)
		}
		if diff := cmp.Diff(test.want, sorted()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestAuditPurges: whoever has somebody forgotten has a record of it.
func TestAuditPurges(t *testing.T) {
	t.Parallel()
	g, sink := audited(t, live(source("people", namesake)))
	purge(t, g, gateway.Query{Caller: scoped("muster.purge")})
	for _, q := range []gateway.Query{{Caller: scoped("")}, {User: "CANARY:x"}} {
		if err := g.Purge(t.Context(), jane(q)); err == nil {
			t.Error("not refused")
		}
	}
	if diff := cmp.Diff([]string{"purge acme [username] 204 [] ", "purge acme [username] 403 [] ", "purge acme [] 400 [] "}, lines(sink.take())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestAuditPanics: a lookup that panics has a record, and panics.
func TestAuditPanics(t *testing.T) {
	t.Parallel()
	l := live(source("people", says(named("Jane"))))
	l.Links = linksFunc(func() (map[string]string, error) { panic("CANARY") })
	g, sink := audited(t, l)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		_, _ = g.Lookup(t.Context(), jane(gateway.Query{}))
	}()
	_, _ = g.Lookups(t.Context(), jane(gateway.Query{}), crowd(1))
	if diff := cmp.Diff([]string{"lookup acme [username] 500 [] ", "lookup acme [username] 500 [] "}, lines(sink.take())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestNoAnswerWithoutRecord: while no record can be kept, nobody is told anything.
func TestNoAnswerWithoutRecord(t *testing.T) {
	t.Parallel()
	g, sink := audited(t, live(source("people", says(named("CANARY")))))
	for _, broken := range []bool{true, false} {
		sink.fail(nil)
		if broken {
			sink.fail(errors.New("no space left on device"))
		}
		a, lookup := g.Lookup(t.Context(), jane(gateway.Query{}))
		results, lookups := g.Lookups(t.Context(), jane(gateway.Query{}), crowd(2))
		_, wrong := g.Lookup(t.Context(), jane(gateway.Query{User: "no:kind"}))
		purge := g.Purge(t.Context(), jane(gateway.Query{}))
		refuse := g.Refuse(t.Context(), audit.Lookup, jane(gateway.Query{}), &gateway.RequestError{Status: http.StatusForbidden})
		if !broken {
			if lookup != nil || lookups != nil || purge != nil || a.Data == nil {
				t.Errorf("afterwards: %v, %v, %v", lookup, lookups, purge)
			}
			continue
		}
		if a.Status != 0 || a.Data != nil || results != nil {
			t.Errorf("something is told: %s, %v", tell(a), results)
		}
		for what, err := range map[string]error{"lookup": lookup, "lookups": lookups, "a bad request": wrong, "purge": purge, "refuse": refuse} {
			refused := (*gateway.RequestError)(nil)
			if !errors.As(err, &refused) || refused.Status != http.StatusServiceUnavailable || refused.RetryAfter != 5*time.Second || refused.Title != "Not recorded." {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
}

// TestWhoIsInASpan: the pseudonym of whoever was asked for, and of each of several
// identifiers; nothing where nobody has a name.
func TestWhoIsInASpan(t *testing.T) {
	t.Parallel()
	p := gateway.NewPseudonyms(testKey())
	for _, pseudonyms := range []*gateway.Pseudonyms{p, nil} {
		l := live(source("people", says(named("Jane"))))
		l.Pseudonyms = pseudonyms
		w := watch(t, l)
		ask(t, w.Gateway, gateway.Query{User: "username:CANARY"})
		ask(t, w.Gateway, gateway.Query{IDs: ids{"email": "CANARY@acme.example", "username": "CANARY"}})
		purge(t, w.Gateway, gateway.Query{User: "username:CANARY"})
		_, _ = w.Lookups(t.Context(), jane(gateway.Query{}), []ids{{"username": "CANARY"}})
		one, both := p.Person("acme", "username", "CANARY"), p.Person("acme", "username", "CANARY")+","+p.Person("acme", "email", "CANARY@acme.example")
		want := map[string]int{"lookup " + one: 2, "lookup " + both: 1, "purge " + one: 1}
		if pseudonyms == nil {
			want = map[string]int{}
		}
		got := map[string]int{}
		for _, span := range w.spans.Ended() {
			for _, a := range span.Attributes() {
				if a.Key == "muster.subject" {
					got[span.Name()+" "+a.Value.AsString()]++
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// BenchmarkAudited is a lookup from the cache, without HTTP: without records, and with
// those of a file that nobody or everybody waits for.
func BenchmarkAudited(b *testing.B) {
	for _, how := range []string{"without", "file", "file required"} {
		b.Run(how, func(b *testing.B) {
			l := live(source("people", says(named("Jane"))), source("doors", says(named("Jane"))))
			l.Pseudonyms = gateway.NewPseudonyms(testKey())
			o := gateway.Options{CacheBytes: 4 << 20, Tracer: tracenoop.NewTracerProvider().Tracer(""), Meter: metricnoop.NewMeterProvider().Meter("")}
			if how != "without" {
				file, err := audit.OpenFile(filepath.Join(b.TempDir(), "audit.jsonl"))
				if err != nil {
					b.Fatal(err)
				}
				if o.Audit, err = audit.Start(file, audit.Options{Required: how == "file required"}); err != nil {
					b.Fatal(err)
				}
				b.Cleanup(func() { o.Audit.Close(context.Background()) })
			}
			g := openWith(b, l, o)
			q := jane(gateway.Query{Caller: portal("")})
			b.ReportAllocs()
			for b.Loop() {
				if _, err := g.Lookup(b.Context(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

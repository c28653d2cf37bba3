package gateway_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/goleak"

	"muster/adapters"
	"muster/gateway"
	"muster/normalize"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answer is what a fake source does when it is asked.
type answer func(ctx context.Context, q adapters.Query) (adapters.Reply, error)

func says(p normalize.Profile) answer {
	return func(context.Context, adapters.Query) (adapters.Reply, error) {
		return adapters.Reply{Record: normalize.Record{Profile: p}, Status: http.StatusOK}, nil
	}
}

// named is a profile of one member.
func named(displayName string) normalize.Profile { return normalize.Profile{DisplayName: displayName} }

func fails(kind adapters.Kind) answer { return failsWith(adapters.Fail(kind, "a test says so", nil)) }

func failsWith(fault *adapters.Fault) answer {
	return func(context.Context, adapters.Query) (adapters.Reply, error) { return adapters.Reply{}, fault }
}

func limitedFor(retryAfter time.Duration) *adapters.Fault {
	fault := adapters.Fail(adapters.RateLimited, "a test says so", nil)
	fault.RetryAfter = retryAfter
	return fault
}

// inPart has a record, and names what is missing from it.
func inPart(p normalize.Profile, children ...*adapters.Fault) answer {
	return func(context.Context, adapters.Query) (adapters.Reply, error) {
		return adapters.Reply{Record: normalize.Record{Profile: p}, Status: http.StatusMultiStatus, Children: children}, nil
	}
}

// child is one partial failure of a source.
func child(kind adapters.Kind, d adapters.Detail) *adapters.Fault {
	fault := adapters.Fail(kind, "a part", nil)
	fault.Detail = d
	return fault
}

// after answers that much later.
func after(d time.Duration, then answer) answer {
	return func(ctx context.Context, q adapters.Query) (adapters.Reply, error) {
		select {
		case <-time.After(d):
			return then(ctx, q)
		case <-ctx.Done():
			return adapters.Reply{}, ctx.Err()
		}
	}
}

// hangs never answers.
func hangs(ctx context.Context, _ adapters.Query) (adapters.Reply, error) {
	<-ctx.Done()
	return adapters.Reply{}, ctx.Err()
}

// inTurn gives one answer to each call; the last to all that follow.
func inTurn(answers ...answer) answer {
	var calls atomic.Int64
	return func(ctx context.Context, q adapters.Query) (adapters.Reply, error) {
		return answers[min(int(calls.Add(1)), len(answers))-1](ctx, q)
	}
}

// counted adds every call to n.
func counted(n *atomic.Int64, then answer) answer {
	return func(ctx context.Context, q adapters.Query) (adapters.Reply, error) {
		n.Add(1)
		return then(ctx, q)
	}
}

// upstream is what the planner is told of a fake source.
type upstream struct {
	needs   [][]string // of each lookup
	tenant  []string
	yields  []string
	members []string
	assumes bool                      // it does not vouch for addresses
	unfit   func(adapters.Query) bool // nil: every value fits
	caller  bool                      // it is asked with the caller's credential
}

func (u upstream) Needs() [][]string        { return u.needs }
func (u upstream) TenantNeeds() []string    { return u.tenant }
func (u upstream) Yields() []string         { return u.yields }
func (u upstream) Members() []string        { return u.members }
func (u upstream) Vouches(kind string) bool { return !u.assumes && slices.Contains(u.yields, kind) }
func (u upstream) AsCaller() bool           { return u.caller }

func (u upstream) Choose(q adapters.Query) (used, missing []string) {
	for _, kinds := range u.needs {
		lacks := slices.DeleteFunc(slices.Clone(kinds), func(kind string) bool { return q.IDs[kind] != "" })
		if len(lacks) == 0 {
			return append([]string{}, kinds...), nil
		}
		if missing == nil {
			missing = lacks
		}
	}
	return nil, missing
}

func (u upstream) Check(q adapters.Query) *adapters.Fault {
	if u.unfit == nil || !u.unfit(q) {
		return nil
	}
	return adapters.Fail(adapters.Invalid, "a value does not fit", nil)
}

// by is an upstream that is asked by one identifier and gives two members.
func by(kind string) upstream {
	return upstream{needs: [][]string{{kind}}, members: []string{"displayName", "emails"}}
}

// keep is how long the fakes' answers are kept. Jitter takes up to a tenth off,
// so that what is fresh for sure is fresh for 54 seconds.
func keep() adapters.Lifetimes {
	return adapters.Lifetimes{TTL: time.Minute, Stale: time.Hour, Negative: 10 * time.Second}
}

// source is asked by username. The changes are made to it before it is used.
func source(name string, a answer, changes ...func(*gateway.Source)) *gateway.Source {
	s := &gateway.Source{
		Name: name, Hash: "hash of " + name, Keep: keep(), Upstream: by("username"),
		Adapter: adapters.AdapterFunc(a), Breaker: func() string { return "closed" },
	}
	for _, change := range changes {
		change(s)
	}
	return s
}

func required(s *gateway.Source) { s.Required = true }
func optional(s *gateway.Source) { s.Optional = true }

func from(u upstream) func(*gateway.Source) { return func(s *gateway.Source) { s.Upstream = u } }

// live is a configuration of two tenants, which ask all the sources.
func live(sources ...*gateway.Source) *gateway.Live {
	l := &gateway.Live{
		Sources: sources,
		Tenants: map[string]*gateway.Tenant{
			"acme":   {Name: "acme", DefaultIdentifier: "username"},
			"globex": {Name: "globex", DefaultIdentifier: "username"},
		},
		Accept: []string{"username", "email", "badge"},
		Budget: time.Second,
		Waves:  3, LinksFor: 24 * time.Hour,
	}
	for _, s := range sources {
		l.Rules.Order = append(l.Rules.Order, s.Name)
	}
	return l
}

// open makes a gateway that is closed when the test ends.
func open(t testing.TB, l *gateway.Live) *gateway.Gateway {
	t.Helper()
	return openWith(t, l, gateway.Options{
		CacheBytes: 4 << 20,
		Tracer:     tracenoop.NewTracerProvider().Tracer(""),
		Meter:      metricnoop.NewMeterProvider().Meter(""),
	})
}

func openWith(t testing.TB, l *gateway.Live, o gateway.Options) *gateway.Gateway {
	t.Helper()
	g, err := gateway.New(l, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

const operationID = "4bf92f3577b34da6a3ce929d0e0e4736"

// ask looks up jane of acme, unless the query says who.
func ask(t testing.TB, g *gateway.Gateway, q gateway.Query) gateway.Answer {
	t.Helper()
	a, err := g.Lookup(t.Context(), jane(q))
	if err != nil {
		t.Fatalf("Lookup: %v", err)
	}
	return a
}

func jane(q gateway.Query) gateway.Query {
	if q.Tenant == "" {
		q.Tenant = "acme"
	}
	if q.User == "" && q.IDs == nil {
		q.User = "username:jane"
	}
	if q.OperationID == "" {
		q.OperationID = operationID
	}
	return q
}

// refusal looks up what cannot be, and gives the reason.
func refusal(t testing.TB, g *gateway.Gateway, q gateway.Query) *gateway.RequestError {
	t.Helper()
	a, err := g.Lookup(t.Context(), jane(q))
	refused, ok := err.(*gateway.RequestError) //nolint:errorlint // the very type is promised
	if !ok {
		t.Fatalf("the lookup was not refused: %v, %s", err, tell(a))
	}
	return refused
}

// tell writes an answer in one line: its status, how it went with each source,
// and the child errors.
func tell(a gateway.Answer) string {
	var sources, children []string
	for _, s := range a.Sources {
		text := s.Source + " " + string(s.Outcome)
		if s.From != "" {
			text += " " + s.From
		}
		if s.Needs != nil {
			text += fmt.Sprint(" ", s.Needs)
		}
		sources = append(sources, text)
	}
	for _, c := range a.ChildErrors {
		children = append(children, fmt.Sprintf("%s %s %d", c.Source, c.Kind, c.StatusCode))
	}
	text := fmt.Sprintf("%d: %s", a.Status, strings.Join(sources, ", "))
	if children != nil {
		text += "; " + strings.Join(children, ", ")
	}
	return text
}

func expect(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func ptr[T any](v T) *T { return &v }

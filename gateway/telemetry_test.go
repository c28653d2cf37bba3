package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"muster/adapters"
	"muster/cache"
	"muster/gateway"
	"muster/normalize"
)

// watched is a gateway and all that it tells of its lookups.
type watched struct {
	*gateway.Gateway
	t      *testing.T
	spans  *tracetest.SpanRecorder
	reader *sdkmetric.ManualReader
}

func watch(t *testing.T, l *gateway.Live) *watched {
	t.Helper()
	w := &watched{t: t, spans: tracetest.NewSpanRecorder(), reader: sdkmetric.NewManualReader()}
	w.Gateway = openWith(t, l, gateway.Options{
		CacheBytes: 1 << 20,
		Tracer:     sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(w.spans)).Tracer("muster/gateway"),
		Meter:      sdkmetric.NewMeterProvider(sdkmetric.WithReader(w.reader)).Meter("muster/gateway"),
	})
	return w
}

// metrics are all points so far, each as "name{attributes}" with its value.
func (w *watched) metrics() map[string]int64 {
	w.t.Helper()
	var data metricdata.ResourceMetrics
	if err := w.reader.Collect(context.Background(), &data); err != nil {
		w.t.Fatal(err)
	}
	points := map[string]int64{}
	for _, scope := range data.ScopeMetrics {
		for _, m := range scope.Metrics {
			var all []metricdata.DataPoint[int64]
			switch of := m.Data.(type) {
			case metricdata.Sum[int64]:
				all = of.DataPoints
			case metricdata.Gauge[int64]:
				all = of.DataPoints
			default:
				w.t.Fatalf("%s is a %T", m.Name, m.Data)
			}
			for _, p := range all {
				points[m.Name+labels(p.Attributes.ToSlice())] += p.Value
			}
		}
	}
	return points
}

// only are the metrics of that name, without it.
func (w *watched) only(name string) map[string]int64 {
	w.t.Helper()
	points := map[string]int64{}
	for point, value := range w.metrics() {
		if rest, ok := strings.CutPrefix(point, name); ok {
			points[rest] = value
		}
	}
	return points
}

// tree writes every span that has ended: its parent, its name, its status and
// what it says, in the order of names.
func (w *watched) tree() []string {
	w.t.Helper()
	ended := w.spans.Ended()
	names := map[string]string{}
	for _, span := range ended {
		names[span.SpanContext().SpanID().String()] = span.Name()
	}
	var lines []string
	for _, span := range ended {
		line := span.Name() + labels(span.Attributes())
		if parent, ok := names[span.Parent().SpanID().String()]; ok {
			line = parent + " / " + line
		}
		if status := span.Status(); status.Code != codes.Unset {
			line += " " + status.Code.String() + " " + status.Description
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines
}

func labels(attributes []attribute.KeyValue) string {
	var all []string
	for _, a := range attributes {
		all = append(all, string(a.Key)+"="+a.Value.String())
	}
	slices.Sort(all)
	return "{" + strings.Join(all, " ") + "}"
}

func withStatus(kind adapters.Kind, status int) answer {
	fault := adapters.Fail(kind, "a test says so", nil)
	fault.Detail.Status = status
	return failsWith(fault)
}

// TestSpans: a lookup and under it each source that was asked; a source that was
// not has none.
func TestSpans(t *testing.T) {
	t.Parallel()
	open := func(s *gateway.Source) { s.Breaker = func() string { return "open" } }
	w := watch(t, live(
		source("a", says(named("Jane"))),
		source("b", withStatus(adapters.Unavailable, 503), open),
		source("c", withStatus(adapters.NotFound, 404)),
		source("d", inPart(named("J."), child(adapters.Denied, adapters.Detail{}))),
		source("e", says(named("Jane")), from(by("email"))),
		source("f", fails(adapters.Timeout)),
	))
	ask(t, w.Gateway, gateway.Query{})
	expect(t, "spans", w.tree(), []string{
		"lookup / source a{http.response.status_code=200 muster.breaker.state=closed muster.from=upstream muster.outcome=ok muster.source=a}",
		"lookup / source b{error.type=unavailable http.response.status_code=503 muster.breaker.state=open muster.from=upstream muster.kind=unavailable muster.outcome=failed muster.source=b} Error unavailable",
		"lookup / source c{http.response.status_code=404 muster.breaker.state=closed muster.from=upstream muster.outcome=absent muster.source=c}",
		"lookup / source d{http.response.status_code=207 muster.breaker.state=closed muster.from=upstream muster.outcome=partial muster.source=d}",
		"lookup / source f{error.type=timeout muster.breaker.state=closed muster.from=upstream muster.kind=timeout muster.outcome=failed muster.source=f} Error timeout",
		"lookup{muster.child_errors=3 muster.complete=false muster.identifier.kind=username muster.status=207 muster.tenant=acme}",
	})

	w.spans.Reset()
	ask(t, w.Gateway, gateway.Query{Sources: []string{"a", "c"}})
	expect(t, "spans of what is kept", w.tree(), []string{ // nobody answered with a status now
		"lookup / source a{muster.breaker.state=closed muster.from=cache muster.outcome=ok muster.source=a}",
		"lookup / source c{muster.breaker.state=closed muster.from=cache muster.outcome=absent muster.source=c}",
		"lookup{muster.child_errors=0 muster.complete=true muster.identifier.kind=username muster.status=200 muster.tenant=acme}",
	})
}

// TestTheSpanOfWhatStandsIn has the record and why it is old.
func TestTheSpanOfWhatStandsIn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := watch(t, live(source("a", inTurn(says(named("Jane")), withStatus(adapters.Unavailable, 503)))))
		ask(t, w.Gateway, gateway.Query{})
		time.Sleep(61 * time.Second)
		ask(t, w.Gateway, gateway.Query{})
		synctest.Wait()
		w.spans.Reset()
		ask(t, w.Gateway, gateway.Query{})
		expect(t, "spans", w.tree(), []string{
			"lookup / source a{error.type=unavailable http.response.status_code=503 muster.breaker.state=closed muster.from=stale muster.kind=unavailable muster.outcome=ok muster.source=a} Error unavailable",
			"lookup{muster.child_errors=1 muster.complete=false muster.identifier.kind=username muster.status=207 muster.tenant=acme}",
		})
	})
}

// TestTheSpanOfACallerWhoLeft: that says nothing about the source, as in the
// span of the call itself.
func TestTheSpanOfACallerWhoLeft(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := watch(t, live(source("a", after(time.Second, says(named("Jane"))))))
		ctx, leave := context.WithCancel(t.Context())
		go func() {
			time.Sleep(time.Millisecond)
			leave()
		}()
		if _, err := w.Lookup(ctx, jane(gateway.Query{})); !errors.Is(err, context.Canceled) {
			t.Errorf("Lookup: %v", err)
		}
		expect(t, "spans", w.tree(), []string{
			"lookup / source a{error.type=canceled muster.breaker.state=closed muster.from=upstream muster.outcome=failed muster.source=a}",
			"lookup{muster.identifier.kind=username muster.tenant=acme}",
		})
		expect(t, "lookups", w.only("muster.lookup.complete"), map[string]int64{})
	})
}

func TestLookupsAreCounted(t *testing.T) {
	t.Parallel()
	w := watch(t, live(source("a", says(named("Jane"))), source("b", fails(adapters.Denied)), source("c", fails(adapters.NotFound))))
	for _, q := range []gateway.Query{{Sources: []string{"a"}}, {Sources: []string{"a"}}, {}, {Strict: true}, {Sources: []string{"c"}}, {Sources: []string{"b"}}} {
		ask(t, w.Gateway, q)
	}
	_ = refusal(t, w.Gateway, gateway.Query{Tenant: "acne"}) // no lookup has begun
	expect(t, "lookups", w.only("muster.lookup.complete"), map[string]int64{
		"{complete=true http.response.status_code=200}":  2,
		"{complete=false http.response.status_code=207}": 1,
		"{complete=false http.response.status_code=502}": 2,
		"{complete=false http.response.status_code=404}": 1,
	})
}

func TestCacheLookupsAreCounted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := watch(t, live(source("a", after(time.Millisecond, says(named("Jane")))), source("b", fails(adapters.Denied)), source("c", nil, from(by("email")))))
		second := make(chan struct{})
		go func() {
			defer close(second)
			ask(t, w.Gateway, gateway.Query{Sources: []string{"a"}})
		}()
		ask(t, w.Gateway, gateway.Query{Sources: []string{"a"}})
		<-second
		ask(t, w.Gateway, gateway.Query{})
		ask(t, w.Gateway, gateway.Query{Want: cache.Want{OnlyIfCached: true}}) // of b nothing is kept
		time.Sleep(61 * time.Second)
		ask(t, w.Gateway, gateway.Query{Sources: []string{"a"}})
		expect(t, "lookups", w.only("muster.cache.lookups"), map[string]int64{
			"{result=miss source=a}":   1,
			"{result=shared source=a}": 1,
			"{result=hit source=a}":    2,
			"{result=stale source=a}":  1,
			"{result=miss source=b}":   2,
		})
	})
}

func TestConflictsAreCounted(t *testing.T) {
	t.Parallel()
	w := watch(t, live(
		source("a", says(normalize.Profile{Title: "Dr", DisplayName: "Jane"})),
		source("b", says(normalize.Profile{Title: "Ms", DisplayName: "Jane"})),
		source("c", says(normalize.Profile{Title: "Mrs"})),
	))
	ask(t, w.Gateway, gateway.Query{})
	ask(t, w.Gateway, gateway.Query{Fields: []string{"displayName"}}) // whatever is shown
	expect(t, "conflicts", w.only("muster.merge.conflicts"), map[string]int64{
		"{field=title loser=b winner=a}": 2,
		"{field=title loser=c winner=a}": 2,
	})
}

// TestBreakersAreObserved while the gateway is open, and not after.
func TestBreakersAreObserved(t *testing.T) {
	t.Parallel()
	state := "closed"
	w := watch(t, live(source("a", nil, func(s *gateway.Source) { s.Breaker = func() string { return state } }), source("b", nil)))
	b := map[string]int64{"{source=b state=closed}": 1, "{source=b state=half-open}": 0, "{source=b state=open}": 0}
	for _, current := range []string{"closed", "open", "half-open"} {
		state = current
		want := map[string]int64{"{source=a state=closed}": 0, "{source=a state=half-open}": 0, "{source=a state=open}": 0}
		want["{source=a state="+current+"}"] = 1
		for name, is := range b {
			want[name] = is
		}
		expect(t, "breakers", w.only("muster.breaker.state"), want)
	}
	w.Close()
	expect(t, "breakers, after Close", w.only("muster.breaker.state"), map[string]int64{})
	w.Close() // does no harm
}

// meter refuses what it is told to.
type meter struct {
	metricnoop.Meter
	counter, callback error
}

func (m meter) Int64Counter(string, ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	return metricnoop.Int64Counter{}, m.counter
}

func (m meter) RegisterCallback(metric.Callback, ...metric.Observable) (metric.Registration, error) {
	return metricnoop.Registration{}, m.callback
}

// TestAMeterThatRefuses keeps a gateway from being made; nothing of it is left
// behind, as TestMain sees.
func TestAMeterThatRefuses(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	for name, m := range map[string]meter{"an instrument": {counter: refused}, "a callback": {callback: refused}} {
		g, err := gateway.New(live(), gateway.Options{CacheBytes: 1 << 20, Tracer: tracenoop.NewTracerProvider().Tracer(""), Meter: m})
		if g != nil || !errors.Is(err, refused) {
			t.Errorf("%s: %v, %v", name, g, err)
		}
	}
}

// TestNobodyIsInTheTelemetry: nothing of a person, of what an upstream says of
// one, or of what a tenant is called upstream.
func TestNobodyIsInTheTelemetry(t *testing.T) {
	t.Parallel()
	const canary = "canary"
	text := func(s string) string { return canary + "-" + s }
	fault := adapters.Fail(adapters.Denied, "step", errors.New(text("cause")))
	fault.Detail = adapters.Detail{Status: http.StatusForbidden, Code: text("code"), Message: text("message"), Hint: text("hint"), Ref: text("ref"), Subject: text("subject"), Details: []string{text("detail")}}
	record := func(title string) answer {
		return func(context.Context, adapters.Query) (adapters.Reply, error) {
			return adapters.Reply{
				Status: http.StatusOK, Children: []*adapters.Fault{fault}, Notes: []string{text("note")},
				Record: normalize.Record{
					Profile:    normalize.Profile{UserName: text("username"), Title: text(title), Emails: []normalize.Email{{Value: text("email")}}},
					Attributes: map[string][]string{"x": {text("attribute")}}, IDs: []normalize.Identifier{{Kind: normalize.Self, Value: text("id")}},
				},
			}, nil
		}
	}
	l := live(
		source("a", record("title")), source("b", record("another title")), source("c", failsWith(fault)),
		source("d", func(context.Context, adapters.Query) (adapters.Reply, error) { panic(text("panic")) }),
		source("e", func(context.Context, adapters.Query) (adapters.Reply, error) {
			return adapters.Reply{}, errors.New(text("error"))
		}),
		source("f", nil, from(unfit(by("email")))),
	)
	l.Tenants["acme"].IDs = map[string]string{"a": text("tenant")}
	l.Links = links{"username:" + text("jane"): {"email": text("link")}}
	w := watch(t, l)
	for range 2 {
		ask(t, w.Gateway, gateway.Query{User: "username:" + text("jane"), Fields: []string{"displayName", "attributes.a." + text("field")}, Provenance: true, OperationID: text("operation")})
	}
	_ = refusal(t, w.Gateway, gateway.Query{User: text("kind") + ":x"})
	_ = refusal(t, w.Gateway, gateway.Query{Tenant: text("tenant")})

	told := append([]string{fmt.Sprint(w.metrics())}, w.tree()...)
	for _, span := range w.spans.Ended() {
		told = append(told, fmt.Sprintf("%+v", tracetest.SpanStubFromReadOnlySpan(span)))
	}
	if len(told) < 10 {
		t.Fatalf("little is told: %q", told)
	}
	for _, line := range told {
		if strings.Contains(line, canary) {
			t.Errorf("it is told: %s", line)
		}
	}
}

// TestAPanicIsNotInASpan: an SDK that sees a panic pass writes its text into the span.
func TestAPanicIsNotInASpan(t *testing.T) {
	t.Parallel()
	u := by("username")
	u.unfit = func(q adapters.Query) bool { panic("CANARY of " + q.IDs["username"]) }
	linked := live(source("names", says(named("Jane"))))
	linked.Links = broken(func(context.Context) error { panic("CANARY") })
	for name, try := range map[string]func(g *gateway.Gateway) error{
		"a lookup": func(g *gateway.Gateway) error { _, err := g.Lookup(t.Context(), jane(gateway.Query{})); return err },
		"a purge":  func(g *gateway.Gateway) error { return g.Purge(t.Context(), jane(gateway.Query{})) },
	} {
		l := linked
		if name == "a lookup" {
			l = live(source("names", says(named("Jane")), from(u)))
		}
		w := watch(t, l)
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: nothing panicked", name)
				}
			}()
			t.Errorf("%s: %v", name, try(w.Gateway))
		}()
		ended := w.spans.Ended()
		if len(ended) != 1 || len(ended[0].Events()) != 0 {
			t.Errorf("%s: %d spans, with %v", name, len(ended), ended[0].Events())
		}
	}
}

// TestAPanicBesideTheAdapter: where links are asked on the way, or a breaker is looked at,
// nobody stands between a panic and the process. It is that source's failure, and the
// trace has its type and its place.
func TestAPanicBesideTheAdapter(t *testing.T) {
	t.Parallel()
	directory := upstream{needs: [][]string{{"username"}}, yields: []string{"email"}, members: []string{"displayName"}}
	badges := upstream{needs: [][]string{{"badge"}}, members: []string{"title"}}
	l := live(
		source("directory", knows("Jane", "email", "jane@acme.example"), from(directory)),
		source("badges", says(normalize.Profile{Title: "Engineer"}), from(badges)),
		source("broken", says(named("Jane")), func(s *gateway.Source) { s.Breaker = func() string { panic("CANARY") } }))
	l.Links = byAddressPanics{}
	w := watch(t, l)
	a := ask(t, w.Gateway, gateway.Query{})
	l.Sources[2].Breaker = func() string { return "closed" } // for the metrics
	expect(t, "answer", tell(a), "207: directory ok upstream, badges failed [badge], broken failed upstream, links failed upstream; badges unresolved 424, broken unavailable 503, links unavailable 503")
	panics := 0
	for _, span := range w.spans.Ended() {
		text := fmt.Sprint(span.Attributes(), span.Events())
		if strings.Contains(text, "CANARY") || strings.Contains(text, "jane") {
			t.Errorf("a span tells: %s", text)
		}
		for _, event := range span.Events() {
			if event.Name == "panic" && strings.Contains(fmt.Sprint(event.Attributes), "gateway_test.") {
				panics++
			}
		}
	}
	expect(t, "panics in the trace", panics, 2)
}

// byAddressPanics are links that fall over addresses.
type byAddressPanics struct{}

func (byAddressPanics) Find(_ context.Context, _, kind, value string) (map[string]string, error) {
	if kind == "email" {
		panic("CANARY of " + value)
	}
	return nil, nil
}

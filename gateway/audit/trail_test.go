package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"muster/gateway/audit"
)

// memory is a sink that keeps what is written, as it is told to.
type memory struct {
	write func(ctx context.Context) error // when given, called before anything is kept

	mu     sync.Mutex
	ids    []string
	writes int
	closed bool
}

func (m *memory) Write(ctx context.Context, records []audit.Record) error {
	if m.write != nil {
		if err := m.write(ctx); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return errors.New("written after it was closed")
	}
	m.writes++
	for _, r := range records {
		m.ids = append(m.ids, r.OperationID)
	}
	return nil
}

func (m *memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

func (m *memory) kept() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.ids)
}

func record(id string) audit.Record {
	return audit.Record{Version: audit.Version, OperationID: id, Action: audit.Lookup}
}

func records(n int) []audit.Record { return slices.Repeat([]audit.Record{record("r")}, n) }

// locked is a buffer that may be read while it is written to.
type locked struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// watched is a trail, and what it tells.
type watched struct {
	*audit.Trail
	t      testing.TB
	log    locked
	reader *sdkmetric.ManualReader
}

func start(t testing.TB, sink audit.Sink, required bool) *watched {
	t.Helper()
	w := &watched{t: t, reader: sdkmetric.NewManualReader()}
	var err error
	w.Trail, err = audit.Start(sink, audit.Options{
		Required: required, Log: slog.New(slog.NewTextHandler(&w.log, nil)),
		Meter: sdkmetric.NewMeterProvider(sdkmetric.WithReader(w.reader)).Meter("muster/audit"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// dropped are the points of the metric, by reason.
func (w *watched) dropped() map[string]int64 {
	w.t.Helper()
	var data metricdata.ResourceMetrics
	if err := w.reader.Collect(context.Background(), &data); err != nil {
		w.t.Fatal(err)
	}
	points := map[string]int64{}
	for _, scope := range data.ScopeMetrics {
		for _, m := range scope.Metrics {
			sum, ok := m.Data.(metricdata.Sum[int64])
			if !ok || m.Name != "muster.audit.dropped" {
				w.t.Fatalf("a metric %s", m.Name)
			}
			for _, p := range sum.DataPoints {
				reason, _ := p.Attributes.Value("reason")
				points[reason.AsString()] += p.Value
			}
		}
	}
	return points
}

// lines are those of the log, without their time.
func (w *watched) lines() []string {
	var all []string
	for line := range strings.Lines(w.log.String()) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		all = append(all, rest)
	}
	return all
}

// blocked writes nothing until the context of a write ends; deaf not even then.
func blocked(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

func deaf(until <-chan struct{}) func(context.Context) error {
	return func(context.Context) error { <-until; return nil }
}

func fails(context.Context) error { return errors.New("no space left on device") }

// TestSinksInTrouble: whoever must have a record is refused in time, and nobody else
// notices anything.
func TestSinksInTrouble(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		write    func(until <-chan struct{}) func(context.Context) error
		required bool
		wantErr  string
		wantTook time.Duration
		wantLost map[string]int64
		wantLog  string
	}{
		{"well, required", nil, true, "", 0, map[string]int64{}, ""},
		{"well", nil, false, "", 0, map[string]int64{}, ""},
		{
			"failing, required", func(<-chan struct{}) func(context.Context) error { return fails }, true, "no space left on device", 0,
			map[string]int64{"failed": 1},
			`level=ERROR msg="audit records cannot be written; nobody is answered until they can" records=1 error="no space left on device"`,
		},
		{
			"failing", func(<-chan struct{}) func(context.Context) error { return fails }, false, "", 0,
			map[string]int64{"failed": 1},
			`level=ERROR msg="audit records are not written and dropped" records=1 error="no space left on device"`,
		},
		{
			"blocked, required", func(<-chan struct{}) func(context.Context) error { return blocked }, true, "", audit.Patience,
			map[string]int64{"stuck": 1},
			`level=ERROR msg="audit records cannot be written; nobody is answered until they can" records=1 error="context deadline exceeded"`,
		},
		{
			"blocked", func(<-chan struct{}) func(context.Context) error { return blocked }, false, "", 0,
			map[string]int64{"stuck": 1},
			`level=ERROR msg="audit records are not written and dropped" records=1 error="context deadline exceeded"`,
		},
		{"deaf, required", deaf, true, "the sink does not take what is being written", audit.Patience, map[string]int64{}, ""},
		{"deaf", deaf, false, "", 0, map[string]int64{}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				until := make(chan struct{})
				sink := new(memory)
				if test.write != nil {
					sink.write = test.write(until)
				}
				w := start(t, sink, test.required)
				begin := time.Now()
				err := w.Write(t.Context(), record("a"))
				if took := time.Since(begin); took != test.wantTook {
					t.Errorf("it took %v, want %v", took, test.wantTook)
				}
				if failed := err != nil; failed != (test.required && test.write != nil) || test.wantErr != "" && err.Error() != test.wantErr {
					t.Errorf("error %v, want %q", err, test.wantErr)
				}
				time.Sleep(2 * audit.Patience)
				if diff := cmp.Diff(test.wantLost, w.dropped()); diff != "" {
					t.Errorf("dropped (-want +got):\n%s", diff)
				}
				if got := strings.Join(w.lines(), "\n"); got != test.wantLog {
					t.Errorf("log %s\nwant %s", got, test.wantLog)
				}
				close(until)
				w.Close(t.Context())
			})
		})
	}
}

// TestStuckForLong: once a sink is known to hang, nobody waits for it in vain, and who
// comes when it goes on is served.
func TestStuckForLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		until := make(chan struct{})
		sink := &memory{write: deaf(until)}
		w := start(t, sink, true)
		_ = w.Write(t.Context(), record("a"))
		time.Sleep(time.Millisecond)
		begin := time.Now()
		if err := w.Write(t.Context(), record("b")); err == nil || time.Since(begin) != 0 {
			t.Errorf("%v after %v, want an error at once", err, time.Since(begin))
		}
		close(until)
		synctest.Wait()
		if err := w.Write(t.Context(), record("c")); err != nil {
			t.Error(err)
		}
		w.Close(t.Context())
		if diff := cmp.Diff([]string{"a", "c"}, sink.kept()); diff != "" { // b was refused at once
			t.Errorf("kept (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(map[string]int64{"stuck": 1}, w.dropped()); diff != "" {
			t.Errorf("dropped (-want +got):\n%s", diff)
		}
	})
}

// TestFullQueue: memory is bounded, and what does not fit is told.
func TestFullQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		until := make(chan struct{})
		sink := &memory{write: deaf(until)}
		w := start(t, sink, false)
		_ = w.Write(t.Context(), record("first"))
		synctest.Wait() // the sink has it
		for range 41 {
			if err := w.Write(t.Context(), records(100)...); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(map[string]int64{"full": 100}, w.dropped()); diff != "" {
			t.Errorf("dropped (-want +got):\n%s", diff)
		}
		close(until)
		w.Close(t.Context())
		if got := len(sink.kept()); got != 1+4000 {
			t.Errorf("%d are written, want 4001", got)
		}
		if sink.writes > 25 {
			t.Errorf("%d writes", sink.writes)
		}
	})
}

// TestWhatTheLogIsTold: at once, then once a minute with how many, and when it is over.
func TestWhatTheLogIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		broken.Store(true)
		sink := &memory{write: func(ctx context.Context) error {
			if broken.Load() {
				return fails(ctx)
			}
			return nil
		}}
		w := start(t, sink, false)
		for range 130 {
			_ = w.Write(t.Context(), record("a"))
			time.Sleep(time.Second)
		}
		broken.Store(false)
		_ = w.Write(t.Context(), record("b"))
		w.Close(t.Context())
		const line = `level=ERROR msg="audit records are not written and dropped" records=%d error="no space left on device"`
		want := []string{fmt.Sprintf(line, 1), fmt.Sprintf(line, 60), fmt.Sprintf(line, 60), fmt.Sprintf(line, 9), `level=INFO msg="audit records are written again"`}
		if diff := cmp.Diff(want, w.lines()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// TestWhoLeaves: nobody waits for whoever has left, and the record is kept.
func TestWhoLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		until := make(chan struct{})
		sink := &memory{write: deaf(until)}
		w := start(t, sink, true)
		ctx, leave := context.WithCancel(t.Context())
		leave()
		if err := w.Write(ctx, record("a")); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		close(until)
		w.Close(t.Context())
		if diff := cmp.Diff([]string{"a"}, sink.kept()); diff != "" {
			t.Errorf("kept (-want +got):\n%s", diff)
		}
	})
}

// TestClose: what waits is written within the time that there is; what comes later, or is
// left, is refused and told.
func TestClose(t *testing.T) {
	t.Parallel()
	for _, required := range []bool{true, false} {
		t.Run(fmt.Sprint(required), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sink := &memory{write: blocked}
				w := start(t, sink, required)
				var waiting sync.WaitGroup
				var refused atomic.Int64
				offer := func() {
					waiting.Go(func() {
						if w.Write(context.Background(), record("a")) != nil {
							refused.Add(1)
						}
					})
					synctest.Wait()
				}
				offer() // the sink has it
				offer()
				offer()
				begin := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				w.Close(ctx)
				if took := time.Since(begin); took != time.Second {
					t.Errorf("it took %v", took)
				}
				offer() // too late
				waiting.Wait()
				want := int64(0)
				if required {
					want = 4
				}
				if refused.Load() != want {
					t.Errorf("%d are refused, want %d", refused.Load(), want)
				}
				if diff := cmp.Diff(map[string]int64{"failed": 1, "closed": 3}, w.dropped()); diff != "" {
					t.Errorf("dropped (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestCloseOfADeafSink: a disk that hangs does not keep the process.
func TestCloseOfADeafSink(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		until := make(chan struct{})
		w := start(t, &memory{write: deaf(until)}, false)
		_ = w.Write(t.Context(), record("a"))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		w.Close(ctx)
		if took := time.Since(begin); took > 1500*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		close(until)
	})
}

// TestRaceForTheEnd: of all that is offered while a trail closes, each record is written
// or refused (or, where nobody waits, counted), and no goroutine writes to what is closed.
func TestRaceForTheEnd(t *testing.T) {
	t.Parallel()
	for _, required := range []bool{true, false} {
		t.Run(fmt.Sprint(required), func(t *testing.T) {
			t.Parallel()
			for range 50 {
				sink := new(memory)
				w := start(t, sink, required)
				var offered, refused atomic.Int64
				var offering sync.WaitGroup
				for range 8 {
					offering.Go(func() {
						for range 50 {
							offered.Add(1)
							if w.Write(context.Background(), record("a")) != nil {
								refused.Add(1)
							}
						}
					})
				}
				offering.Go(func() { w.Close(context.Background()) })
				offering.Wait()
				w.Close(context.Background())
				lost := w.dropped()["closed"] // in either case, told
				if required && lost != refused.Load() {
					t.Errorf("%d are refused and %d told", refused.Load(), lost)
				}
				if kept := int64(len(sink.kept())); kept+lost != offered.Load() {
					t.Fatalf("%d offered: %d written, %d refused", offered.Load(), kept, lost)
				}
			}
		})
	}
}

// TestNoTrail: a gateway without one asks nothing of it.
func TestNoTrail(t *testing.T) {
	t.Parallel()
	var none *audit.Trail
	if err := none.Write(t.Context(), record("a")); err != nil {
		t.Error(err)
	}
	none.Close(t.Context())
}

// lineOf is a record as a file has it.
func lineOf(t *testing.T, r audit.Record) string {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text) + "\n"
}

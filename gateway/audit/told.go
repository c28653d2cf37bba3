package audit

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
)

// told tells of records that are not written: each in a metric, and of all together a
// line a minute in the log.
type told struct {
	log     *slog.Logger
	message string
	dropped metric.Int64Counter

	mu     sync.Mutex
	at     time.Time // when the log was last told of the trouble that there is; zero for none
	untold int       // records
	why    error     // of the last of them
}

func newTold(o Options) (*told, error) {
	t := &told{log: o.Log, message: "audit records are not written and dropped"}
	if o.Required {
		t.message = "audit records cannot be written; nobody is answered until they can"
	}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	meter := o.Meter
	if meter == nil {
		meter = metricnoop.Meter{}
	}
	var err error
	t.dropped, err = meter.Int64Counter("muster.audit.dropped", metric.WithUnit("{record}"),
		metric.WithDescription("Audit records that were not written: the queue was full, the sink stuck or failed, or the gateway closed."))
	return t, err
}

// missed tells that records are not written.
func (t *told) missed(ctx context.Context, records int, err error) {
	t.dropped.Add(ctx, int64(records), metric.WithAttributes(attribute.String("reason", reason(err))))
	t.mu.Lock()
	defer t.mu.Unlock()
	t.untold, t.why = t.untold+records, err
	if t.at.IsZero() || time.Since(t.at) >= tellEvery {
		t.at = time.Now()
		t.tell(ctx)
	}
}

// tell writes the line about those that the log does not know of yet.
func (t *told) tell(ctx context.Context) {
	t.log.LogAttrs(ctx, slog.LevelError, t.message, slog.Int("records", t.untold), slog.String("error", t.why.Error()))
	t.untold = 0
}

// well tells that the trouble is over, if there was any.
func (t *told) well(ctx context.Context) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.at.IsZero() {
		return
	}
	if t.untold > 0 {
		t.tell(ctx)
	}
	t.at = time.Time{}
	t.log.InfoContext(ctx, "audit records are written again")
}

// last tells what is left to tell.
func (t *told) last(ctx context.Context) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.untold > 0 {
		t.tell(ctx)
	}
}

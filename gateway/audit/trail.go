package audit

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// Sink is where records end up.
type Sink interface {
	// Write returns when the records are there, or why not all of them are. Some may be:
	// it is better that there are too many.
	Write(ctx context.Context, records []Record) error
	// Close gives back what the sink holds. Nothing is written afterwards.
	Close() error
}

// Options are how records are kept.
type Options struct {
	// Required has everybody wait until their record is written, and refuses who cannot
	// have one. Without it nobody waits, and what cannot be written is dropped and told.
	Required bool
	Meter    metric.Meter // nil for none
	Log      *slog.Logger // nil for none
}

// Trail is records on their way to a sink. One goroutine writes them, in the order in
// which they came. It is safe for concurrent use; a nil *Trail keeps no records.
type Trail struct {
	sink     Sink
	required bool
	told     *told
	cancel   context.CancelFunc // of what is being written

	mu     sync.Mutex
	queue  []entry
	length int       // of the queue, in records
	begun  time.Time // when the write under way began; zero for none
	closed bool

	wake  chan struct{} // there is something to write, or nothing more to come
	ended chan struct{}
}

// entry is the records of one request: all are written or none of them.
type entry struct {
	records []Record
	written chan error // nil where nobody waits
}

const (
	maxQueue = 4096 // records, of some hundred bytes each
	maxWrite = 256  // records at once
	// Patience is how long a write may take, and how long anybody waits for their record:
	// longer than a healthy sink takes, and shorter than whoever has asked will wait.
	Patience = 2 * time.Second
	// tellEvery is how often the log says that a sink is still in trouble.
	tellEvery = time.Minute
)

// Why a record is not written, beside what a sink says. The texts are for the log.
var (
	errFull   = errors.New("too many records wait to be written")
	errStuck  = errors.New("the sink does not take what is being written")
	errClosed = errors.New("the gateway is shutting down")
)

// reason is why, in a word that a metric may have.
func reason(err error) string {
	switch {
	case errors.Is(err, errFull):
		return "full"
	case errors.Is(err, errStuck), errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "stuck"
	case errors.Is(err, errClosed):
		return "closed"
	default:
		return "failed"
	}
}

// Start begins to write to a sink, until Close.
func Start(sink Sink, o Options) (*Trail, error) {
	told, err := newTold(o)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	t := &Trail{sink: sink, required: o.Required, told: told, cancel: cancel, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	go t.run(ctx)
	return t, nil
}

// Write has records written. Where they are required it returns when they are, with an
// error when they are not or cannot be in time; they may still be written then. Where
// they are not it returns nil at once. When the context ends nobody waits any more, and
// the records stay on their way.
func (t *Trail) Write(ctx context.Context, records ...Record) error {
	if t == nil || len(records) == 0 {
		return nil
	}
	e := entry{records: records}
	if t.required {
		e.written = make(chan error, 1)
	}
	if err := t.offer(e); err != nil {
		t.told.missed(ctx, len(records), err)
		if t.required {
			return err
		}
		return nil
	}
	if !t.required {
		return nil
	}
	patience := time.NewTimer(Patience)
	defer patience.Stop()
	select {
	case err := <-e.written:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-patience.C:
		return errStuck // it will be told what becomes of them
	}
}

// offer puts records into the queue, or says why they cannot be there. Whatever is in the
// queue is written or refused, also when it closes.
func (t *Trail) offer(e entry) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed:
		return errClosed
	case t.required && !t.begun.IsZero() && time.Since(t.begun) > Patience: // who waits would wait in vain
		return errStuck
	case t.length+len(e.records) > maxQueue:
		return errFull
	}
	t.queue = append(t.queue, e)
	t.length += len(e.records)
	t.poke()
	return nil
}

func (t *Trail) poke() {
	select {
	case t.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// run writes until the trail is closed and nothing is left.
func (t *Trail) run(ctx context.Context) {
	defer close(t.ended)
	for {
		entries, more := t.take()
		if entries == nil {
			if !more {
				_ = t.sink.Close() // all that was to be written has been, or has been told
				return
			}
			<-t.wake
			continue
		}
		t.settle(ctx, entries, t.write(ctx, entries))
	}
}

// take takes from the queue what is written at once; more is false when nothing will
// come any more.
func (t *Trail) take() (entries []entry, more bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, records := 0, 0
	for n < len(t.queue) && (n == 0 || records+len(t.queue[n].records) <= maxWrite) {
		records += len(t.queue[n].records)
		n++
	}
	if n == 0 {
		t.queue = nil
		return nil, !t.closed
	}
	entries, t.queue = t.queue[:n:n], t.queue[n:]
	t.length -= records
	t.begun = time.Now()
	return entries, true
}

func (t *Trail) write(ctx context.Context, entries []entry) error {
	records := entries[0].records
	if len(entries) > 1 {
		records = make([]Record, 0, maxWrite)
		for _, e := range entries {
			records = append(records, e.records...)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	return t.sink.Write(ctx, records)
}

// settle tells everybody who waits what became of their records.
func (t *Trail) settle(ctx context.Context, entries []entry, err error) {
	t.mu.Lock()
	t.begun = time.Time{}
	t.mu.Unlock()
	records := 0
	for _, e := range entries {
		records += len(e.records)
		if e.written != nil {
			e.written <- err
		}
	}
	if err != nil {
		t.told.missed(ctx, records, err)
	} else {
		t.told.well(ctx)
	}
}

// Close writes what is waiting, and returns when that is done or the context ends; what
// is then left is refused. Records that come later are refused as well.
func (t *Trail) Close(ctx context.Context) {
	if t == nil {
		return
	}
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.poke()
	select {
	case <-t.ended:
	case <-ctx.Done():
		t.abandon(ctx)
	}
	t.told.last(ctx)
}

// abandon refuses all that is waiting, and gives what is being written a last moment.
func (t *Trail) abandon(ctx context.Context) {
	t.mu.Lock()
	left := t.queue
	t.queue, t.length = nil, 0
	t.mu.Unlock()
	t.cancel()
	for _, e := range left {
		if e.written != nil {
			e.written <- errClosed
		}
		t.told.missed(ctx, len(e.records), errClosed)
	}
	t.poke()
	const moment = 250 * time.Millisecond
	last := time.NewTimer(moment)
	defer last.Stop()
	select {
	case <-t.ended:
	case <-last.C: // a disk that hangs: the process ends without it
	}
}

package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"muster/config"
	"muster/gateway"
	"muster/gateway/httpapi"
)

// reloading puts a changed configuration in force, and tells everybody who may
// want to know what became of a change: the log, a metric, /readyz?verbose, /config.
type reloading struct {
	live    func(file, before *config.File) *gateway.Live
	callers *admission
	engine  *gateway.Gateway
	ready   *httpapi.Readiness
	reloads metric.Int64Counter
	log     *slog.Logger

	mu      sync.Mutex
	file    *config.File // in force
	refused error        // why a change since is not
}

func newReloading(file *config.File, live func(file, before *config.File) *gateway.Live, callers *admission, engine *gateway.Gateway,
	ready *httpapi.Readiness, meter metric.Meter, log *slog.Logger,
) (*reloading, error) {
	reloads, err := meter.Int64Counter("muster.config.reloads", metric.WithUnit("{reload}"),
		metric.WithDescription("Changed configurations: applied, or refused for a mistake."))
	if err != nil {
		return nil, err
	}
	known, err := callers.prepare(file, nil)
	if err != nil {
		return nil, err
	}
	callers.follow(known) //nolint:contextcheck // until close
	r := &reloading{live: live, callers: callers, engine: engine, ready: ready, reloads: reloads, log: log, file: file}
	ready.Tell(latest, true)
	return r, nil
}

// latest is the condition that the configuration in force is what the files say.
const latest = "configuration is the latest"

// watch follows the files until the context ends. It is called once.
func (r *reloading) watch(ctx context.Context, now <-chan struct{}) {
	r.file.Watch(ctx, now, func(change config.Reload) { r.apply(ctx, change) })
}

func (r *reloading) apply(ctx context.Context, change config.Reload) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var known *config.Callers
	if change.Err == nil {
		known, change.Err = r.callers.prepare(change.File, r.file)
	}
	r.refused = change.Err
	r.ready.Tell(latest, change.Err == nil)
	if change.Err != nil {
		r.reloads.Add(ctx, 1, metric.WithAttributes(attribute.String("result", "refused")))
		r.log.ErrorContext(ctx, "the configuration has changed and is refused; the one before stays in force", "error", change.Err.Error())
		return
	}
	// Whoever comes in meanwhile is held to the stricter of the two: nobody gets at
	// the new configuration as nobody, nor at the old one.
	if known != nil {
		r.callers.follow(known) //nolint:contextcheck // until close
	}
	r.engine.Swap(r.live(change.File, r.file))
	if known == nil {
		r.callers.follow(nil) //nolint:contextcheck // it asks nobody
	}
	r.file = change.File
	r.reloads.Add(ctx, 1, metric.WithAttributes(attribute.String("result", "applied")))
	r.log.InfoContext(ctx, "the configuration has changed and is in force")
	for _, note := range change.File.Notes {
		r.log.WarnContext(ctx, note)
	}
	if change.Restart {
		r.log.WarnContext(ctx, "what has changed of `listen`, `telemetry`, `audit` or `cache` waits for a restart")
	}
}

// close gives back what the configuration in force holds. Nobody asks it any more.
func (r *reloading) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.callers.close()
	return r.file.Close()
}

// show is what /config answers.
func (r *reloading) show() any {
	r.mu.Lock()
	defer r.mu.Unlock()
	shown := struct {
		File    any    `json:"file"`              // in force
		Refused string `json:"refused,omitempty"` // why a change since is not
	}{File: r.file.Show()}
	if r.refused != nil {
		shown.Refused = r.refused.Error()
	}
	return shown
}

// hangups passes SIGHUP on until the context ends.
func hangups(ctx context.Context, now chan<- struct{}) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	defer signal.Stop(signals)
	for {
		select {
		case <-ctx.Done():
			return
		case <-signals:
		}
		select {
		case <-ctx.Done():
			return
		case now <- struct{}{}:
		}
	}
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	otellog "go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/trace"

	"muster/config"
	"muster/gateway/audit"
)

// startAudit begins to keep records as a file says; nil where it says nothing of them.
func startAudit(ctx context.Context, settings *config.Audit, sdk *telemetry, log *slog.Logger) (*audit.Trail, error) {
	if settings == nil {
		return nil, nil
	}
	sink, err := auditSink(ctx, settings, sdk)
	if err != nil {
		return nil, err
	}
	return audit.Start(sink, audit.Options{Required: settings.Required, Meter: sdk.meters.Meter("muster/audit"), Log: log}) //nolint:contextcheck // records are written until Shutdown
}

func auditSink(ctx context.Context, settings *config.Audit, sdk *telemetry) (audit.Sink, error) {
	if settings.OTLP != "" {
		sink, err := newLogsSink(ctx, settings.OTLP, sdk)
		if err != nil {
			return nil, fmt.Errorf("audit.otlp: %w", err)
		}
		return sink, nil
	}
	sink, err := audit.OpenFile(settings.File)
	if err != nil {
		return nil, fmt.Errorf("audit.file: %w", err)
	}
	return sink, nil
}

// logsSink writes audit records as OpenTelemetry's logs, to a collector of their own.
// The SDK's processors hide from whoever emits a record what becomes of it; here that is
// what matters, so records are emitted to be collected, and then sent all together.
type logsSink struct {
	provider *sdklog.LoggerProvider
	logger   otellog.Logger
	exporter sdklog.Exporter
	emitted  []sdklog.Record // by the write under way: there is one at a time
}

func newLogsSink(ctx context.Context, address string, sdk *telemetry) (*logsSink, error) {
	exporter, err := otlploghttp.New(ctx,
		otlploghttp.WithEndpointURL(strings.TrimSuffix(address, "/")+"/v1/logs"),
		otlploghttp.WithTimeout(audit.Patience),
		otlploghttp.WithRetry(otlploghttp.RetryConfig{
			Enabled: true, InitialInterval: 100 * time.Millisecond, MaxInterval: time.Second, MaxElapsedTime: audit.Patience,
		}))
	if err != nil {
		return nil, err
	}
	s := &logsSink{exporter: exporter}
	s.provider = sdklog.NewLoggerProvider(sdklog.WithResource(sdk.described), sdklog.WithProcessor(collecting{s}))
	s.logger = s.provider.Logger("muster/audit")
	return s, nil
}

// Write returns when the collector has said that it has the records.
func (s *logsSink) Write(ctx context.Context, records []audit.Record) error {
	s.emitted = s.emitted[:0]
	for i := range records {
		if err := s.emit(ctx, &records[i]); err != nil {
			return err
		}
	}
	return s.exporter.Export(ctx, s.emitted)
}

func (s *logsSink) emit(ctx context.Context, r *audit.Record) error {
	body, err := bodyOf(r)
	if err != nil {
		return err
	}
	var record otellog.Record
	record.SetEventName("muster.audit")
	record.SetTimestamp(r.Time)
	record.SetSeverity(otellog.SeverityInfo)
	record.SetBody(body)
	if id, err := trace.TraceIDFromHex(r.OperationID); err == nil {
		ctx = trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{TraceID: id}))
	}
	s.logger.Emit(ctx, record)
	return nil
}

// bodyOf is a record as a structured body: what stands in a file, under the same names.
func bodyOf(r *audit.Record) (attribute.Value, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return attribute.Value{}, err
	}
	tree := json.NewDecoder(bytes.NewReader(text))
	tree.UseNumber()
	var body any
	if err := tree.Decode(&body); err != nil {
		return attribute.Value{}, err
	}
	return valueOf(body), nil
}

// valueOf is a JSON value as an attribute's. All numbers of a record are whole.
func valueOf(v any) attribute.Value {
	switch v := v.(type) {
	case map[string]any:
		members := make([]attribute.KeyValue, 0, len(v))
		for name, member := range v {
			members = append(members, attribute.KeyValue{Key: attribute.Key(name), Value: valueOf(member)})
		}
		return attribute.MapValue(members...)
	case []any:
		items := make([]attribute.Value, len(v))
		for i := range v {
			items[i] = valueOf(v[i])
		}
		return attribute.SliceValue(items...)
	case json.Number:
		n, _ := v.Int64()
		return attribute.Int64Value(n)
	default:
		return attribute.StringValue(fmt.Sprint(v))
	}
}

// Close ends the export; all has been sent.
func (s *logsSink) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), audit.Patience)
	defer cancel()
	return s.provider.Shutdown(ctx)
}

// collecting is the processor that keeps what is emitted for the write under way.
type collecting struct{ *logsSink }

// Enabled is always true: a record that is not wanted is not made.
func (collecting) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }

// OnEmit collects a record.
func (c collecting) OnEmit(_ context.Context, r *sdklog.Record) error {
	c.emitted = append(c.emitted, r.Clone())
	return nil
}

// Shutdown ends the export.
func (c collecting) Shutdown(ctx context.Context) error { return c.exporter.Shutdown(ctx) }

// ForceFlush has nothing to do: Write waits for what it sends.
func (collecting) ForceFlush(context.Context) error { return nil }

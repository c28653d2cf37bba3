package main

import (
	"context"
	"errors"
	"fmt"
	stdlog "log"
	"log/slog"
	"net/http"
	"os"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"muster/config"
)

// telemetry is the OpenTelemetry SDK, put together. It lives here alone: all
// other packages use the API.
type telemetry struct {
	traces    *sdktrace.TracerProvider
	meters    *sdkmetric.MeterProvider
	metrics   http.Handler       // Prometheus exposition
	described *resource.Resource // who tells it
}

// newTelemetry sends spans to the collector that the standard variables or the
// file name, if any, and to the processors given. Metrics are there for
// Prometheus, and go out where OTEL_METRICS_EXPORTER says so. What a variable
// says goes before what the file says.
func newTelemetry(ctx context.Context, settings config.Telemetry, log *slog.Logger, processors ...sdktrace.SpanProcessor) (*telemetry, error) {
	// A collector that is down is told in the log, and disturbs no lookup.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("telemetry is not delivered", "error", err.Error()) }))
	stdlog.SetFlags(0)
	stdlog.SetOutput(libraries{log})

	described, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "muster"), attribute.String("service.version", version())),
		resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	spans, err := spanExporter(ctx, settings)
	if err != nil {
		return nil, err
	}
	options := []sdktrace.TracerProviderOption{sdktrace.WithResource(described)}
	if !set("OTEL_TRACES_SAMPLER") { // which the SDK reads itself
		options = append(options, sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(settings.Sample))))
	}
	if spans != nil {
		options = append(options, sdktrace.WithBatcher(spans))
	}
	for _, p := range processors {
		options = append(options, sdktrace.WithSpanProcessor(p))
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	metrics, err := metricReaders(ctx, registry)
	if err != nil {
		return nil, err
	}
	metrics = append(metrics, sdkmetric.WithResource(described), sdkmetric.WithView(bodySizes()))
	return &telemetry{
		traces:    sdktrace.NewTracerProvider(options...),
		meters:    sdkmetric.NewMeterProvider(metrics...),
		metrics:   promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
		described: described,
	}, nil
}

// spanExporter is where spans go: as OTEL_TRACES_EXPORTER and
// OTEL_EXPORTER_OTLP_* say (gRPC or HTTP), else to the file's collector, else
// nowhere (nil).
func spanExporter(ctx context.Context, settings config.Telemetry) (sdktrace.SpanExporter, error) {
	switch {
	case set("OTEL_TRACES_EXPORTER"), set("OTEL_EXPORTER_OTLP_ENDPOINT"), set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
		spans, err := autoexport.NewSpanExporter(ctx)
		if err != nil {
			return nil, fmt.Errorf("OTEL_TRACES_EXPORTER, OTEL_EXPORTER_OTLP_*: %w", err)
		}
		return spans, nil
	case settings.OTLP != "":
		spans, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(strings.TrimSuffix(settings.OTLP, "/")+"/v1/traces"))
		if err != nil {
			return nil, fmt.Errorf("telemetry.otlp: %w", err)
		}
		return spans, nil
	default:
		return nil, nil
	}
}

func metricReaders(ctx context.Context, registry *prometheus.Registry) ([]sdkmetric.Option, error) {
	pulled, err := exporter.New(exporter.WithRegisterer(registry), exporter.WithoutScopeInfo())
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	readers := []sdkmetric.Option{sdkmetric.WithReader(pulled)}
	if set("OTEL_METRICS_EXPORTER") {
		pushed, err := autoexport.NewMetricReader(ctx)
		if err != nil {
			return nil, fmt.Errorf("OTEL_METRICS_EXPORTER: %w", err)
		}
		readers = append(readers, sdkmetric.WithReader(pushed))
	}
	return readers, nil
}

// bodySizes drops the histograms of body sizes that the HTTP instrumentations
// make: seventeen series for each route and status, which nobody asked for.
func bodySizes() sdkmetric.View {
	return sdkmetric.NewView(
		sdkmetric.Instrument{Name: "http.*.body.size"},
		sdkmetric.Stream{Aggregation: sdkmetric.AggregationDrop{}})
}

func set(variable string) bool { return os.Getenv(variable) != "" }

// Shutdown delivers what is still to be delivered.
func (t *telemetry) Shutdown(ctx context.Context) error {
	return errors.Join(t.traces.Shutdown(ctx), t.meters.Shutdown(ctx))
}

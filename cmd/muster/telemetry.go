package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
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
	traces  *sdktrace.TracerProvider
	meters  *sdkmetric.MeterProvider
	metrics http.Handler // Prometheus exposition
}

// newTelemetry sends traces to the collector that the file or the environment
// (OTEL_EXPORTER_OTLP_ENDPOINT) names, if any, and to the processors given.
func newTelemetry(ctx context.Context, settings config.Telemetry, log *slog.Logger, processors ...sdktrace.SpanProcessor) (*telemetry, error) {
	// A collector that is down is told in the log, and disturbs no lookup.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("telemetry is not delivered", "error", err.Error()) }))

	described := resource.NewSchemaless(attribute.String("service.name", "muster"), attribute.String("service.version", version()))
	options := []sdktrace.TracerProviderOption{
		sdktrace.WithResource(described),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(settings.Sample))),
	}
	if settings.OTLP != "" || os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" {
		var to []otlptracehttp.Option
		if settings.OTLP != "" {
			to = append(to, otlptracehttp.WithEndpointURL(settings.OTLP+"/v1/traces"))
		}
		otlp, err := otlptracehttp.New(ctx, to...)
		if err != nil {
			return nil, fmt.Errorf("telemetry.otlp: %w", err)
		}
		options = append(options, sdktrace.WithBatcher(otlp))
	}
	for _, p := range processors {
		options = append(options, sdktrace.WithSpanProcessor(p))
	}

	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	reader, err := exporter.New(exporter.WithRegisterer(registry))
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	return &telemetry{
		traces:  sdktrace.NewTracerProvider(options...),
		meters:  sdkmetric.NewMeterProvider(sdkmetric.WithResource(described), sdkmetric.WithReader(reader)),
		metrics: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
	}, nil
}

// Shutdown delivers what is still to be delivered.
func (t *telemetry) Shutdown(ctx context.Context) error {
	return errors.Join(t.traces.Shutdown(ctx), t.meters.Shutdown(ctx))
}

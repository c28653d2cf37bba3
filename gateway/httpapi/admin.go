package httpapi

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/pprof"
)

// AdminOptions are what operators are shown. What is nil is not served, but for
// Ready: without one /readyz is 503.
type AdminOptions struct {
	Ready   *Readiness
	Metrics http.Handler // the exposition that Prometheus reads
	// Config gives the configuration in force for showing as JSON. Its secrets
	// must be of a type that masks itself.
	Config func() any
	Log    *slog.Logger
}

// Admin makes the handler of the admin listener: /healthz, /readyz, /metrics,
// /config and /debug/pprof. It asks nobody who he is, so only operators may be
// able to reach the listener.
func Admin(o AdminOptions) http.Handler {
	if o.Ready == nil {
		o.Ready = NewReadiness()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", healthz)
	mux.Handle("GET /readyz", o.Ready)
	if o.Metrics != nil {
		mux.Handle("GET /metrics", o.Metrics)
	}
	if o.Config != nil {
		mux.HandleFunc("GET /config", showConfig(o.Config, o.Log))
	}
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol) // go tool pprof sends the addresses so
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

func showConfig(config func() any, log *slog.Logger) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false) // a masked secret reads <secret>
		if err := encoder.Encode(config()); err != nil {
			log.ErrorContext(r.Context(), "the configuration cannot be shown", "error", err.Error())
			http.Error(w, "the configuration cannot be shown; see the log", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", mediaJSON)
		w.Header().Set("Cache-Control", "no-store")
		_, _ = text.WriteTo(w)
	}
}

package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"sync/atomic"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"muster/gateway"
)

// Engine answers lookups. A *gateway.Gateway is one.
type Engine interface {
	// Lookup answers who one person is. Its error is a *gateway.RequestError, or
	// the context's when the caller has left.
	Lookup(ctx context.Context, q gateway.Query) (gateway.Answer, error)
	// Lookups answers who several people are, each called by kind of identifier. Its
	// error is of the whole, and of the same types.
	Lookups(ctx context.Context, q gateway.Query, users []map[string]string) ([]gateway.Result, error)
	// Purge forgets all that is kept of one person. Its error is a *gateway.RequestError.
	Purge(ctx context.Context, q gateway.Query) error
	// Live is the configuration in force.
	Live() *gateway.Live
}

// Options are what the public door needs besides an engine. All may be left out:
// then nothing is traced, measured or logged, no page of another origin may call,
// /readyz is 503, and everybody may ask.
type Options struct {
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	Log            *slog.Logger
	Origins        []string // of pages that may call from a browser, as browsers write them: https://portal.example
	Ready          *Readiness
	Callers        *Callers
	TrustedProxies []netip.Prefix // whose X-Forwarded-For and X-Forwarded-Proto are believed
}

// door is what the handlers of the public listener share.
type door struct {
	engine  Engine
	log     *slog.Logger
	ready   *Readiness
	callers *Callers
	proxies proxies
	limits  limits
	inside  atomic.Int64 // requests
	refused metric.Int64Counter
}

// New makes the handler of the public listener. It panics when the document or
// the page that are built into the program cannot be read.
func New(engine Engine, o Options) http.Handler {
	if o.TracerProvider == nil {
		o.TracerProvider = tracenoop.NewTracerProvider()
	}
	if o.MeterProvider == nil {
		o.MeterProvider = metricnoop.NewMeterProvider()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Ready == nil {
		o.Ready = NewReadiness()
	}
	if o.Callers == nil {
		o.Callers = new(Callers)
	}
	d := &door{engine: engine, log: o.Log, ready: o.Ready, callers: o.Callers, proxies: o.TrustedProxies, limits: newLimits(), refused: refusals(o.MeterProvider)}
	router := newRouter()
	router.Use(traced(o.TracerProvider, o.MeterProvider), identified, d.logged, d.recovered, d.hardened, bounded, cors(o.Origins))
	d.routes(router)
	return router
}

// routes is everything that the public listener serves. HEAD goes with every
// GET; OPTIONS is answered by noMethod.
func (d *door) routes(router *gin.Engine) {
	get := func(path string, handlers ...gin.HandlerFunc) {
		router.GET(path, handlers...)
		router.HEAD(path, handlers...)
	}
	get("/v1/tenants/:tenant/users/:user", d.admitted, d.metered, d.let, acceptable, d.lookup)
	get("/v1/tenants/:tenant/users/", d.admitted, d.metered, d.let, acceptable, d.lookup) // an empty {user}, which Gin takes for another path
	router.POST("/v1/tenants/:tenant/lookups", d.admitted, d.metered, d.let, acceptable, d.lookups)
	router.DELETE("/v1/tenants/:tenant/users/:user/cache", d.admitted, d.metered, d.let, acceptable, d.purge)
	get("/v1/me", d.admitted, d.metered, d.let, acceptable, d.me)
	get("/v1/providers", d.admitted, d.metered, d.let, acceptable, d.providers)

	get("/openapi.yaml", serveFile(specification()))
	get("/docs", serveFile(documentation()))
	get("/healthz", gin.WrapF(healthz))
	get("/readyz", gin.WrapH(d.ready))

	router.NoRoute(noRoute)
	router.NoMethod(noMethod)
}

// newRouter is a Gin engine that believes nobody about whom it talks to, and
// neither redirects nor decodes by itself.
func newRouter() *gin.Engine {
	gin.SetMode(gin.ReleaseMode) // Gin's own switch, for the process: otherwise it writes every route to standard output
	router := gin.New()
	router.RedirectTrailingSlash = false
	router.RedirectFixedPath = false
	router.HandleMethodNotAllowed = true
	router.ForwardedByClientIP = false
	router.UseEscapedPath = true
	router.UnescapePathValues = false // Gin would read a "+" as a space; see segment
	if err := router.SetTrustedProxies(nil); err != nil {
		panic(err) // an empty list cannot be wrong
	}
	return router
}

func noRoute(c *gin.Context) {
	if c.Request.Method == http.MethodConnect { // to a host, which is no path
		c.Writer.Header().Set("Allow", "GET, HEAD")
		noMethod(c)
		return
	}
	refuse(c, &gateway.RequestError{
		Status: http.StatusNotFound, Title: "Not found.",
		Reason: "Nothing is served at this path.", Resolution: "/docs and /openapi.yaml tell what is.",
	})
}

// noMethod answers OPTIONS, and refuses what the path does not do. Gin has put
// what it does into Allow.
func noMethod(c *gin.Context) {
	allow := c.Writer.Header().Get("Allow") + ", " + http.MethodOptions
	c.Header("Allow", allow)
	if c.Request.Method == http.MethodOptions {
		c.Status(http.StatusNoContent)
		c.Writer.WriteHeaderNow()
		return
	}
	refuse(c, &gateway.RequestError{
		Status: http.StatusMethodNotAllowed, Title: "Method not allowed.",
		Reason: "This path does not know the method.", Resolution: "Use one of: " + allow + ".",
	})
}

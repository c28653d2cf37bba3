package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"muster/adapters"
	"muster/adapters/guard"
	"muster/config"
	"muster/config/document"
	"muster/gateway"
	"muster/gateway/httpapi"
)

// exitUnknown is the exit code of a lookup that found nobody.
const exitUnknown = 3

// lookupOptions are the command's flags.
type lookupOptions struct {
	config, tenant, user string
	output               string
	fields, sources      []string
	explain, bodies      bool
	plain                bool
	timeout              time.Duration
	save                 string // where definitions of the catalog go; inPlace for the terminal, "" for no saving
}

// inPlace is --save without a path.
const inPlace = "-"

func lookupCommand() *cobra.Command {
	var o lookupOptions
	cmd := &cobra.Command{
		Use:   "lookup KIND:VALUE",
		Short: "Look one person up, now, and show how it went",
		Long: "Look one person up as the gateway of a file would, without a gateway running: all sources are\n" +
			"asked, with their real credentials. Nothing is changed anywhere, and nothing is written into a\n" +
			"log or a trace; what is shown on this terminal is the person.\n\n" +
			"--explain adds what was sent and how long it took, secrets masked, and for each member of the\n" +
			"profile who won, where that source's definition maps it, who agreed and who was overruled.\n\n" +
			"--save makes an inline test of each reply, with fakes in place of all that is personal. It is\n" +
			"appended to the definition, if that is a file in providers/; for one of the catalog a file that\n" +
			"uses it is printed, or written into the folder (as NAME.test.yaml) or the file that is named.\n\n" +
			"The exit code is 0 when the profile is complete, 1 when a source failed or nothing could be\n" +
			"asked, 2 when the file or the arguments are wrong, 3 when nobody knows the person.",
		Example: "  muster lookup --tenant acme email:jane@acme.example\n" +
			"  muster lookup --tenant acme --explain --sources okta,github email:jane@acme.example\n" +
			"  muster lookup --tenant acme --output json email:jane@acme.example | jq .data\n" +
			"  muster lookup --tenant acme --save=drafts/ email:jane@acme.example",
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 1:
				return nil
			case len(args) > 1 && o.save != "":
				return wrongUse("one person is looked up, found %d arguments", "a place to save to is written --save=PATH", len(args))
			default:
				return wrongUse("one person is looked up, found %d arguments", "write KIND:VALUE, for example email:jane@acme.example", len(args))
			}
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.user = args[0]
			for _, name := range []string{"fields", "sources"} {
				if list, _ := cmd.Flags().GetStringSlice(name); cmd.Flags().Changed(name) && (len(list) == 0 || slices.Contains(list, "")) {
					return wrongUse("no name in --%s", "separate names by single commas, or leave it out", name)
				}
			}
			return runLookup(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.config, "config", "c", "gateway.yaml", "the gateway's file")
	flags.StringVarP(&o.tenant, "tenant", "t", "", "whose person it is; may be left out where the file has one tenant")
	flags.StringVarP(&o.output, "output", "o", "text", "text for people, or json as the gateway answers")
	flags.StringSliceVar(&o.fields, "fields", nil, "only these members, separated by commas; sources that give none of them are not asked")
	flags.StringSliceVar(&o.sources, "sources", nil, "only these sources")
	flags.BoolVar(&o.explain, "explain", false, "show the trace, the requests, and where each member comes from")
	flags.BoolVar(&o.bodies, "bodies", false, "with --explain: the bodies too, with secrets and what a definition redacts masked")
	flags.BoolVar(&o.plain, "no-color", false, "no colours; there are none either where the output is no terminal or NO_COLOR is set")
	flags.DurationVar(&o.timeout, "timeout", 0, "how long the lookup may take, in place of the file's budget.total")
	flags.StringVar(&o.save, "save", "", "make inline tests of the replies; =PATH names a folder or a file for definitions of the catalog")
	flags.Lookup("save").NoOptDefVal = inPlace
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return wrongUse("%v", "muster lookup --help lists the flags", err)
	})
	return cmd
}

// mistakeError is a mistake of whoever runs the command.
type mistakeError struct{ message, hint string }

// Error is the message, and what would do.
func (e *mistakeError) Error() string {
	if e.hint == "" {
		return e.message
	}
	return e.message + "\n  hint: " + e.hint
}

func wrongUse(format, hint string, args ...any) error {
	return &mistakeError{fmt.Sprintf(format, args...), hint}
}

// oneOfThese is a hint for a word that is not known: the one that was probably
// meant, else all that are.
func oneOfThese(word string, known []string) string {
	if near := document.Closest(word, known); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "there are: " + strings.Join(known, ", ")
}

func (o *lookupOptions) check() error {
	switch {
	case o.output != "text" && o.output != "json":
		return wrongUse("no output is called %q", "write text or json", o.output)
	case o.explain && o.output == "json":
		return wrongUse("--explain is for people, and --output json for programs", "leave one of them out")
	case o.bodies && !o.explain:
		return wrongUse("--bodies adds to --explain", "write both")
	case o.timeout < 0:
		return wrongUse("a lookup cannot take %v", "for example --timeout 10s", o.timeout)
	}
	return nil
}

// lookup is one run of the command: a gateway that nobody else can ask.
type lookup struct {
	lookupOptions
	out, err  io.Writer
	paint     painter
	file      *config.File
	live      *gateway.Live
	recorders []*adapters.Recorder // one for each of the sources
	trace     strings.Builder      // as the demo draws it
	answer    gateway.Answer
}

func runLookup(ctx context.Context, o lookupOptions, out, errOut io.Writer) error {
	if err := o.check(); err != nil {
		return err
	}
	file, err := config.Load(o.config)
	if err != nil {
		return &mistakeError{message: err.Error()}
	}
	defer func() { _ = file.Close() }() // nothing was written
	l := &lookup{lookupOptions: o, out: out, err: errOut, paint: painter(!o.plain && colours(out)), file: file}
	traces := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.AlwaysSample()), sdktrace.WithSpanProcessor(newWaterfall(&l.trace)))
	defer func() { _ = traces.Shutdown(context.WithoutCancel(ctx)) }()
	engine, err := l.engine(traces) //nolint:contextcheck // a breaker moves for all of its callers
	if err != nil {
		return err
	}
	defer engine.Close() // and not before all is told: it ends the requests that are still under way
	refused, err := l.ask(ctx, engine, traces)
	switch {
	case errors.Is(err, context.Canceled):
		_, _ = fmt.Fprintln(errOut, "interrupted: the sources had not answered")
		return exitError(exitWrong)
	case err != nil:
		return err
	case refused != nil:
		return l.refuse(refused)
	}
	if l.output == "json" {
		_, err = out.Write(httpapi.Document(&l.answer))
	} else {
		_, err = io.WriteString(out, l.text())
	}
	if err != nil {
		return err
	}
	code := l.verdict()
	if o.save != "" && !l.saveTests(ctx) {
		code = max(code, exitWrong)
	}
	if code != 0 {
		return exitError(code)
	}
	return nil
}

// ask looks the person up. Refused is why that could not begin.
func (l *lookup) ask(ctx context.Context, engine *gateway.Gateway, traces *sdktrace.TracerProvider) (refused *gateway.RequestError, err error) {
	if l.tenant == "" && len(l.live.Tenants) == 1 {
		for name := range l.live.Tenants {
			l.tenant = name
		}
	}
	// The waterfall is drawn for the request that a server would have had.
	ctx, span := traces.Tracer("muster/cmd").Start(ctx, "muster lookup", trace.WithSpanKind(trace.SpanKindServer))
	q := gateway.Query{Tenant: l.tenant, User: l.user, Fields: l.fields, Sources: l.sources, Provenance: l.explain, OperationID: span.SpanContext().TraceID().String()}
	l.answer.OperationID = q.OperationID
	stop := func() {}
	if terminal(l.err) {
		stop = l.progress(l.err)
	}
	answer, err := engine.Lookup(ctx, q)
	stop()
	if err == nil {
		span.SetAttributes(attribute.Int("http.response.status_code", answer.Status))
	}
	span.End()
	if errors.As(err, &refused) {
		return refused, nil
	}
	if err == nil {
		l.answer = answer
	}
	return nil, err
}

// engine is the real one, with a recorder around each source and its connections.
func (l *lookup) engine(traces *sdktrace.TracerProvider) (*gateway.Gateway, error) {
	watched, err := guard.NewTelemetry(traces, noop.NewMeterProvider(), slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	spans := httpapi.ScrubbedTracerProvider(traces)
	l.live = l.file.Live(watched, func(t http.RoundTripper) http.RoundTripper {
		recorder := new(adapters.Recorder)
		l.recorders = append(l.recorders, recorder)
		return otelhttp.NewTransport(recorder.Wrap(t), otelhttp.WithTracerProvider(spans),
			otelhttp.WithMeterProvider(noop.NewMeterProvider()), otelhttp.WithPropagators(propagation.TraceContext{}))
	}, nil)
	for i, s := range l.live.Sources {
		s.Adapter = l.recorders[i].Watch(s.Adapter)
	}
	l.live.Policies = nil // who can read the credentials sees everything
	if l.timeout > 0 {
		l.live.Budget = l.timeout
	}
	return gateway.New(l.live, gateway.Options{
		CacheBytes: l.file.Static.CacheBytes,
		Tracer:     traces.Tracer("muster/gateway"), Meter: noop.NewMeterProvider().Meter("muster/gateway"),
	})
}

// refuse tells why the lookup could not begin.
func (l *lookup) refuse(refused *gateway.RequestError) error {
	if l.output == "json" {
		if _, err := l.out.Write(httpapi.RefusalDocument(l.answer.OperationID, refused)); err != nil {
			return err
		}
	}
	if _, known := l.live.Tenants[l.tenant]; known {
		return wrongUse("%s", safe(refused.Resolution), safe(refused.Reason))
	}
	tenants := slices.Sorted(maps.Keys(l.live.Tenants))
	hint := oneOfThese(l.tenant, tenants)
	if l.tenant == "" {
		return wrongUse("the file has several tenants, and none is named", "write --tenant NAME; "+hint)
	}
	return wrongUse("no tenant named %q", hint, l.tenant)
}

// verdict tells what is missing, and is the exit code.
func (l *lookup) verdict() int {
	if l.answer.Status == http.StatusOK {
		return 0
	}
	_, _ = fmt.Fprintf(l.err, "%s %s\n  hint: %s\n", l.answer.Error, l.answer.Reason, l.answer.Resolution)
	if l.answer.Status == http.StatusNotFound {
		return exitUnknown
	}
	return exitWrong
}

// source is the definition behind a source, bound to this deployment.
func (l *lookup) source(i int) *adapters.Source {
	s, _ := l.live.Sources[i].Upstream.(*adapters.Source) // config makes no other
	return s
}

// patience is how long nothing is said of who is still awaited.
const patience = 300 * time.Millisecond

// progress says, once that takes long, which sources are still awaited. Stop
// takes it off the terminal again.
func (l *lookup) progress(out io.Writer) (stop func()) {
	ended, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		shown := ""
		look := time.NewTicker(patience)
		defer look.Stop()
		for {
			select {
			case <-ended:
				if shown != "" {
					_, _ = io.WriteString(out, clearLine)
				}
				return
			case <-look.C:
				if now := "waiting for " + strings.Join(l.awaited(), ", "); now != shown && now != "waiting for " {
					shown = now
					_, _ = io.WriteString(out, clearLine+now)
				}
			}
		}
	}()
	return func() { close(ended); <-gone }
}

const clearLine = "\r\x1b[K"

func (l *lookup) awaited() []string {
	var names []string
	for i, r := range l.recorders {
		if r.Awaited() {
			names = append(names, l.live.Sources[i].Name)
		}
	}
	return names
}

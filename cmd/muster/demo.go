package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/csv"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/spf13/cobra"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"muster/adapters/simulator"
	"muster/config"
)

//go:embed demo.gateway.yaml.tmpl
var demoGateway string

//go:embed demo.welcome.txt
var demoWelcome string

func demoCommand() *cobra.Command {
	var o demoOptions
	vendors := simulator.Vendors()
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run the gateway with five simulated upstreams on this machine",
		Long: "Run the gateway with five simulated upstream systems and a generated population on this\n" +
			"machine, print what to try, and draw the trace of every lookup.\n\n" +
			"What --fault can make of a system:\n" + faultKinds(),
		Example: "  muster demo\n" +
			"  muster demo --fault " + vendors[4] + "=429 --fault " + vendors[3] + "=hang\n" +
			"  muster demo --address 127.0.0.1:0 --seed 7",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for flag, address := range map[string]*string{"address": &o.address, "admin": &o.admin} {
				if !cmd.Flags().Changed(flag) && taken(cmd.Context(), *address) {
					*address = "127.0.0.1:0"
				}
			}
			ctx, stop := untilStopped(cmd.Context())
			defer stop()
			return runDemo(ctx, o, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&o.address, "address", "127.0.0.1:8080", "where the gateway answers; port 0 is a free one, as is the default if it is taken")
	cmd.Flags().StringVar(&o.admin, "admin", "127.0.0.1:9090", "the admin listener, likewise")
	cmd.Flags().StringArrayVar(&o.faults, "fault", nil, "SOURCE=KIND: a system that fails from the start; may be repeated")
	cmd.Flags().Uint64Var(&o.seed, "seed", 1, "the population is generated from this number")
	cmd.Flags().IntVar(&o.people, "people", 1200, "how many people")
	cmd.Flags().DurationVar(&o.latency, "latency", 30*time.Millisecond, "about how long each system takes to answer")
	return cmd
}

type demoOptions struct {
	address, admin string
	faults         []string // SOURCE=KIND
	seed           uint64
	people         int
	latency        time.Duration
}

func faultKinds() string {
	var b strings.Builder
	for _, k := range simulator.FaultKinds() {
		fmt.Fprintf(&b, "  %-15s %s\n", k.Kind, k.About)
	}
	return b.String()
}

// taken tells that somebody else listens there.
func taken(ctx context.Context, address string) bool {
	l, err := listen(ctx, address)
	return err != nil || l.Close() != nil
}

// runDemo runs until the context ends.
func runDemo(ctx context.Context, o demoOptions, out io.Writer) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	d, err := startDemo(ctx, o, log, newWaterfall(out))
	if err != nil {
		return err
	}
	defer d.close()
	if err := d.welcome(out); err != nil {
		return err
	}
	go d.reloading.watch(ctx, nil)
	if err := d.Wait(ctx); err != nil {
		return err
	}
	return d.Shutdown(ctx, 0)
}

// demo is the whole of it: a gateway and the upstreams it asks. The end-to-end
// tests run the same one.
type demo struct {
	*server
	simulation *simulator.Simulation
	upstreams  *simulator.Running
	folder     string // of the configuration
}

func startDemo(ctx context.Context, o demoOptions, log *slog.Logger, processors ...sdktrace.SpanProcessor) (_ *demo, err error) {
	d := &demo{simulation: simulator.New(o.seed, simulator.WithPeople(o.people), simulator.WithLatency(o.latency))}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	for _, fault := range o.faults {
		if err := breakSource(d.simulation, fault); err != nil {
			return nil, err
		}
	}
	if d.upstreams, err = d.simulation.Start(ctx); err != nil {
		return nil, fmt.Errorf("the simulated upstreams: %w", err)
	}
	if d.folder, err = os.MkdirTemp("", "muster-demo-"); err != nil {
		return nil, err
	}
	if err := d.write(o); err != nil {
		return nil, err
	}
	file, err := config.Load(d.path())
	if err != nil {
		return nil, err
	}
	sdk, err := newTelemetry(ctx, file.Static.Telemetry, log, processors...)
	if err != nil {
		return nil, err
	}
	if d.server, err = startServer(ctx, file, sdk, log); err != nil {
		return nil, fmt.Errorf("%w\n  hint: another address can be chosen, for example --address 127.0.0.1:0 --admin 127.0.0.1:0", err)
	}
	return d, nil
}

// breakSource makes a system fail as SOURCE=KIND says.
func breakSource(s *simulator.Simulation, fault string) error {
	source, kind, ok := strings.Cut(fault, "=")
	if !ok {
		return fmt.Errorf("--fault %q is not SOURCE=KIND, for example %s=429", fault, simulator.Vendors()[0])
	}
	f := simulator.Fault{Kind: kind, RetryAfter: "17"}
	if kind == "latency" {
		f.Latency = time.Second
	}
	if err := s.SetFault(source, f); err != nil {
		return fmt.Errorf("--fault %s: %w", fault, err)
	}
	return nil
}

// close gives back the upstreams and the files; the server is shut down before.
func (d *demo) close() {
	if d.upstreams != nil {
		_ = d.upstreams.Close()
	}
	_ = os.RemoveAll(d.folder)
}

func (d *demo) path() string { return filepath.Join(d.folder, "gateway.yaml") }

// searched is the tenant of the demo whose operator knows only a part of who is who: what
// systems can say of each other is found by searches.
const searched = "initech"

// isSearched tells that searches find somebody's accounts: every system has one address
// of theirs, the same and verified.
func isSearched(p simulator.Person) bool {
	if p.Tenant != searched || p.FaultAt != "" || p.Danger != nil || p.IDs["email"] == "" {
		return false
	}
	for _, a := range p.Accounts {
		differs := !strings.EqualFold(a.Email, p.IDs["email"]) || a.AlternativeEmail != ""
		unsure := !a.EmailVerified || a.Deleted || !strings.EqualFold(a.Account, p.IDs["email"])
		if differs || unsure {
			return false
		}
	}
	return true
}

// known are a person's identifiers as the operator's links have them.
func known(p simulator.Person) map[string]string {
	ids := maps.Clone(p.IDs)
	if isSearched(p) {
		maps.DeleteFunc(ids, func(kind, _ string) bool { return slices.Contains(simulator.Sought(), kind) })
	}
	return ids
}

// write writes the configuration, and the operator's links of the other tenants.
func (d *demo) write(o demoOptions) error {
	if err := writeLinks(filepath.Join(d.folder, "links.csv"), d.simulation.People()); err != nil {
		return err
	}
	text, err := template.New("gateway.yaml").Parse(demoGateway)
	if err != nil {
		return err
	}
	var content bytes.Buffer
	err = text.Execute(&content, map[string]any{
		"Address": o.address, "Admin": o.admin,
		"Tenants": d.simulation.Tenants(), "Credentials": d.simulation.Credentials(), "Upstreams": d.upstreams.Addr,
		"Searched": searched,
	})
	if err != nil {
		return err
	}
	return os.WriteFile(d.path(), content.Bytes(), 0o600)
}

// writeLinks writes one row a person: the tenant, and a column for every kind.
func writeLinks(path string, people []simulator.Person) error {
	var kinds []string
	for i := range people {
		for kind := range people[i].IDs {
			if !slices.Contains(kinds, kind) {
				kinds = append(kinds, kind)
			}
		}
	}
	slices.Sort(kinds)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	rows := csv.NewWriter(file)
	_ = rows.Write(append([]string{"tenant"}, kinds...)) // errors are kept until Error
	for i := range people {
		row, ids := []string{people[i].Tenant}, known(people[i])
		for _, kind := range kinds {
			row = append(row, ids[kind])
		}
		_ = rows.Write(row)
	}
	rows.Flush()
	return rows.Error()
}

// welcome tells what to try, with people for whom it works.
func (d *demo) welcome(out io.Writer) error {
	text, err := template.New("welcome").Parse(demoWelcome)
	if err != nil {
		return err
	}
	people := d.simulation.People()
	return text.Execute(out, map[string]any{
		"People": len(people), "Config": d.path(),
		"Base": "http://" + d.Address, "Admin": d.Admin, "Control": "http://" + d.upstreams.Control,
		"Complete": people[0], "Conflicts": people[1], "Partial": withTrait(d.simulation, "fault:503"),
		"Other": wellKnown(people, 2), "Searched": foundBySearch(people),
	})
}

func withTrait(s *simulator.Simulation, trait string) simulator.Person {
	p, _ := s.WithTrait(trait) // every population has one
	return p
}

// foundBySearch is somebody whom searches find in several systems.
func foundBySearch(people []simulator.Person) simulator.Person {
	for _, p := range people {
		if isSearched(p) && len(p.Accounts) > 3 && len(p.Traits) == 0 {
			return p
		}
	}
	return people[0]
}

// wellKnown is somebody at or behind a place in the list whom every system knows.
func wellKnown(people []simulator.Person, from int) simulator.Person {
	for _, p := range people[from:] {
		if len(p.Accounts) == len(people[0].Accounts) && p.FaultAt == "" {
			return p
		}
	}
	return people[0]
}

package main

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/metric/noop"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"muster/adapters"
	"muster/adapters/guard"
	"muster/adapters/simulator"
	"muster/config"
	"muster/gateway"
	"muster/normalize"
)

// itwinSearch is the search that the demo has no use for: there Acme has links.
const itwinSearch = `
  - {use: itwin-search, with: {client_id: "{{.Credentials.itwin.ClientID}}", client_secret: "{{.Credentials.itwin.ClientSecret}}"}, tenants: [acme]}
`

// searchable is a simulation with the sources and the searches of the demo, for all
// its tenants: real definitions, real requests, and no engine between.
type searchable struct {
	*simulator.Simulation
	t       *testing.T
	live    *gateway.Live
	sources map[string]*gateway.Source
}

func newSearchable(t *testing.T, people int, more ...string) *searchable {
	t.Helper()
	s := &searchable{Simulation: simulator.New(1, simulator.WithPeople(people)), t: t, sources: map[string]*gateway.Source{}}
	upstreams, err := s.Start(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = upstreams.Close() })
	folder := t.TempDir()
	if err := writeLinks(filepath.Join(folder, "links.csv"), nil); err != nil {
		t.Fatal(err)
	}
	with := strings.Replace(demoGateway, "\nmerge:\n", itwinSearch+"\nmerge:\n", 1) + strings.Join(more, "\n")
	var content bytes.Buffer
	err = template.Must(template.New("gateway.yaml").Parse(with)).Execute(&content, map[string]any{
		"Address": "127.0.0.1:0", "Admin": "127.0.0.1:0",
		"Tenants": s.Tenants(), "Credentials": s.Credentials(), "Upstreams": upstreams.Addr,
		"Searched": "acme, globex, initech",
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "gateway.yaml")
	if err := os.WriteFile(path, content.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	watched, err := guard.NewTelemetry(tracenoop.NewTracerProvider(), noop.NewMeterProvider(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s.live = file.Live(watched, nil, nil)
	for _, source := range s.live.Sources {
		s.sources[source.Name] = source
	}
	return s
}

// ask sends one request through a source's guards.
func (s *searchable) ask(source, tenant, kind, value string) (normalize.Record, error) {
	asked := s.sources[source]
	values := maps.Clone(s.live.Tenants[tenant].IDs)
	for _, name := range append([]string{asked.Name}, asked.Chain...) {
		if own, ok := values[name]; ok {
			values[normalize.Self] = own
			break
		}
	}
	reply, err := asked.Adapter.Fetch(s.t.Context(), adapters.Query{IDs: map[string]string{kind: value}, Tenant: values})
	return reply.Record, err
}

// searches are the sources that find somebody by an address, with the system and
// the kind of identifier that they lead to.
func searches() map[string][2]string {
	return map[string][2]string{
		"numium-by-email": {"numium", "numium-account"},
		"csp-search":      {"csp", "csp"},
		"kobil-search":    {"kobil", "username"},
		"itwin-search":    {"itwin", "itwin"},
	}
}

// says is what a search makes of an address: "absent", "failed KIND", "nobody" for
// a record that proves nothing, or the part and case of the person it leads to.
func (s *searchable) says(source, tenant, address string) string {
	record, err := s.ask(source, tenant, "email", address)
	switch fault := adapters.FaultOf(err); {
	case err != nil && fault.Kind == adapters.NotFound:
		return "absent"
	case err != nil:
		return "failed " + fault.Kind.String()
	}
	system, kind := searches()[source][0], searches()[source][1]
	at := slices.IndexFunc(record.IDs, func(id normalize.Identifier) bool { return id.Kind == kind })
	if at < 0 {
		return "nobody"
	}
	for _, p := range s.People() {
		if p.Tenant == tenant && s.calls(system, p) == record.IDs[at].Value {
			if p.Danger == nil {
				return "a stranger"
			}
			return p.Danger.Part
		}
	}
	return "no record at all"
}

// calls is what a system calls a person where it is searched.
func (s *searchable) calls(system string, p simulator.Person) string {
	account, known := p.Accounts[system]
	switch {
	case !known:
		return ""
	case system == "kobil":
		return account.Username
	case system == "numium":
		return strconv.FormatInt(account.GlobalID, 10)
	}
	return p.IDs[system]
}

// TestSearchesOfTheDangerous asks every search for every address that any system
// has at anybody dangerous. The table says what comes of each case in acme; in all
// tenants a search leads to whose address it is, or to nobody.
func TestSearchesOfTheDangerous(t *testing.T) {
	t.Parallel()
	s := newSearchable(t, 0)
	got := map[string]map[string]string{}
	for _, p := range s.Dangerous("") {
		addresses := map[string]string{"own": p.IDs["email"]}
		if p.Danger.Address != "" {
			addresses["other"] = p.Danger.Address
		}
		if moved := p.Accounts[p.Danger.At].Email; p.Danger.Kind == "changed-address" {
			addresses["new"] = moved
		}
		for which, address := range addresses {
			if address == "" {
				continue // a ghost's
			}
			for source, of := range searches() {
				if source == "itwin-search" && p.Tenant != "acme" {
					continue
				}
				said := s.says(source, p.Tenant, address)
				s.holds(p, source, of[0], address, said)
				if of[0] == p.Danger.At {
					name := p.Danger.Case + " " + p.Danger.Part
					if got[name] == nil {
						got[name] = map[string]string{}
					}
					got[name][which] = said
				}
			}
		}
	}
	want := map[string]map[string]string{
		"shared-address/kobil sharer":              {"own": "absent", "other": "failed mismatch"},
		"shared-address/csp sharer":                {"own": "absent", "other": "failed mismatch"},
		"shared-address/kobil-borrowed owner":      {"own": "failed mismatch"},
		"shared-address/kobil-borrowed borrower":   {"own": "absent", "other": "failed mismatch"},
		"unverified-address/kobil victim":          {"own": "nobody"},
		"unverified-address/kobil attacker":        {"own": "absent", "other": "nobody"},
		"unverified-address/kobil-both victim":     {"own": "failed mismatch"},
		"unverified-address/kobil-both attacker":   {"own": "absent", "other": "failed mismatch"},
		"unverified-address/kobil-second victim":   {"own": "nobody"},
		"unverified-address/kobil-second attacker": {"own": "nobody", "other": "nobody"},
		"unverified-address/csp victim":            {"own": "nobody"},
		"unverified-address/csp attacker":          {"own": "absent", "other": "nobody"},
		"unverified-address/csp-both victim":       {"own": "failed mismatch"},
		"unverified-address/csp-both attacker":     {"own": "absent", "other": "failed mismatch"},
		"recycled-username/kobil leaver":           {"own": "leaver"},
		"recycled-username/kobil joiner":           {"own": "absent"},
		"recycled-username/csp leaver":             {"own": "leaver"},
		"recycled-username/csp joiner":             {"own": "absent"},
		"changed-address/kobil mover":              {"own": "absent", "new": "mover"},
		"changed-address/csp mover":                {"own": "absent", "new": "nobody"},
		"changed-address/numium mover":             {"own": "absent", "new": "mover"},
		"deleted/known heir":                       {"own": "heir"},
		"deleted/unknown heir":                     {"own": "absent"},
		"contained-address/kobil inner":            {"own": "absent"},
		"contained-address/kobil outer":            {"own": "outer"},
		"contained-address/csp inner":              {"own": "absent"},
		"contained-address/csp outer":              {"own": "outer"},
		"shared-address/itwin sharer":              {"own": "absent", "other": "failed mismatch"},
		"contained-address/itwin inner":            {"own": "absent"},
		"contained-address/itwin outer":            {"own": "outer"},
	}
	for _, tenant := range s.Tenants() {
		for name, says := range want {
			if tenant.Name != "acme" && strings.Contains(name, "/itwin ") {
				continue
			}
			if diff := cmp.Diff(says, got[tenant.Name+"/"+name]); diff != "" {
				t.Errorf("%s %s (-want +got):\n%s", tenant.Name, name, diff)
			}
			delete(got, tenant.Name+"/"+name)
		}
	}
	for name, says := range got {
		t.Errorf("nobody expects %s: %v", name, says)
	}
}

// holds is the law: where a search leads to somebody the address is theirs alone,
// and where several have it in that system it leads to nobody.
func (s *searchable) holds(p simulator.Person, source, system, address, said string) {
	s.t.Helper()
	var have []simulator.Person
	for _, other := range s.People() {
		account := other.Accounts[system]
		if other.Tenant == p.Tenant && (strings.EqualFold(account.Email, address) || system == "kobil" && strings.EqualFold(account.AlternativeEmail, address)) {
			have = append(have, other)
		}
	}
	holders := s.Holders(p.Tenant, address)
	switch {
	case len(have) == 0 && said != "absent":
		s.t.Errorf("%s: %s says %q of an address that %s does not have", p.Danger.Case, source, said, system)
	case len(have) > 1 && said != "failed mismatch":
		s.t.Errorf("%s: %s says %q of an address that %d have", p.Danger.Case, source, said, len(have))
	case said == "absent" || said == "nobody" || said == "failed mismatch":
	case len(have) != 1 || len(holders) != 1 || holders[0].Danger == nil || have[0].Danger.Mark != holders[0].Danger.Mark || said != have[0].Danger.Part:
		s.t.Errorf("%s: %s leads to the %s, who is not alone in having the address", p.Danger.Case, source, said)
	}
}

// TestAddressesThatProve asks each system for the records of the dangerous
// themselves: an address leads on from them only where it is theirs.
func TestAddressesThatProve(t *testing.T) {
	t.Parallel()
	s := newSearchable(t, 0)
	asked := 0
	for _, p := range s.Dangerous("") {
		for system, kind := range map[string]string{"kobil": "username", "csp": normalize.Self} {
			account, known := p.Accounts[system]
			if !known {
				continue
			}
			id := p.IDs[system]
			if system == "kobil" {
				id = account.Username
			}
			record, err := s.ask(system, p.Tenant, kind, id)
			if err != nil {
				t.Errorf("%s %s at %s: %v", p.Danger.Case, p.Danger.Part, system, err)
				continue
			}
			asked++
			want := []string{}
			if account.EmailVerified && account.Email != "" && (system != "kobil" || account.AlternativeEmail == "") {
				want = append(want, account.Email)
			}
			got := []string{}
			for _, id := range record.IDs {
				if id.Kind == "email" {
					got = append(got, id.Value)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s %s at %s (-want +got):\n%s", p.Danger.Case, p.Danger.Part, system, diff)
			}
			if p.Danger.Part == "attacker" && slices.Contains(got, p.Danger.Address) {
				t.Errorf("%s: the victim's address leads on from the attacker", p.Danger.Case)
			}
		}
	}
	if asked < 100 {
		t.Errorf("only %d records were asked for", asked)
	}
}

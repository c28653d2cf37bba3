// Package deploy_test holds what is in this folder to the gateway that it deploys:
// a file that nobody runs every day is wrong the day somebody does.
package deploy_test

import (
	"bytes"
	"cmp"
	"debug/elf"
	"go/version"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"muster/config"
)

// metrics are what /metrics has, with the labels that alerts may go by, besides
// job and instance, which Prometheus adds.
var metrics = map[string][]string{
	"up": nil, // Prometheus' own
	"http_server_request_duration_seconds_bucket": {"http_request_method", "http_response_status_code", "http_route", "le"},
	"http_server_request_duration_seconds_count":  {"http_request_method", "http_response_status_code", "http_route"},
	"muster_audit_dropped_total":                  {"reason"},
	"muster_breaker_state":                        {"source", "state"},
	"muster_breaker_transitions_total":            {"source", "from", "to"},
	"muster_config_reloads_total":                 {"result"},
	"muster_cache_lookups_total":                  {"source", "result"},
	"muster_lookup_complete_total":                {"complete", "http_response_status_code"},
	"muster_merge_conflicts_total":                {"field", "winner", "loser"},
	"muster_overload_refusals_total":              nil,
	"muster_source_duration_seconds_bucket":       {"source", "outcome", "kind", "le"},
	"muster_source_duration_seconds_count":        {"source", "outcome", "kind"},
}

func TestEveryYAMLFileParses(t *testing.T) {
	files, err := filepath.Glob("*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no YAML files: %v", err)
	}
	for _, name := range files {
		decode[map[string]any](t, name)
	}
}

func TestTheExampleGatewayFileLoads(t *testing.T) {
	loadGatewayFile(t) // with secrets at hand, as where it runs

	report := config.Check(t.Context(), []string{"gateway.yaml"}, false)[0] // and without, as where it is written
	if report.Err != nil || len(report.Tests) == 0 {
		t.Fatalf("%d tests, %v", len(report.Tests), report.Err)
	}
	if report.Kind != "gateway" {
		t.Errorf("it is taken for a %s", report.Kind)
	}
	for _, note := range report.Notes {
		if !strings.Contains(note, "secret file") && !strings.Contains(note, "no `callers`") {
			t.Errorf("the example draws a note: %s", note)
		}
	}
	for _, problem := range report.Problems {
		t.Error(problem)
	}

	var names []string
	for _, provider := range decode[struct{ Providers []struct{ Use, Name string } }](t, "gateway.yaml").Providers {
		names = append(names, cmp.Or(provider.Name, provider.Use))
	}
	differ(t, "sources", []string{"numium", "csp", "kobil", "shift", "aveva", "itwin"}, names)
}

// One secret that is named in one place and not in another is a gateway that
// does not start.
func TestSecretsAreTheSameEverywhere(t *testing.T) {
	want := found(`\$\{file:/run/secrets/([^}]+)\}`, read(t, "gateway.yaml"))
	stack := decode[compose](t, "compose.yaml")

	var declared []string
	for name, secret := range stack.Secrets {
		declared = append(declared, name)
		if secret.File != "./secrets/"+name {
			t.Errorf("compose.yaml takes the secret %s from %s", name, secret.File)
		}
	}
	var examples []string
	for _, entry := range must(os.ReadDir("secrets.example"))(t) {
		examples = append(examples, entry.Name())
	}
	same(t, "compose.yaml, secrets", want, declared)
	same(t, "compose.yaml, the gateway's secrets", want, stack.Services["gateway"].Secrets)
	same(t, "muster.service, LoadCredential", want, found(`(?m)^LoadCredential=([^:]+):`, read(t, "muster.service")))
	same(t, "muster.service, files", want, found(`(?m)^LoadCredential=[^:]+:/etc/muster/secrets/(.+)$`, read(t, "muster.service")))
	same(t, "secrets.example", want, examples)
}

// compose is what is looked at of compose.yaml.
type compose struct {
	Services map[string]struct {
		Image       string
		Build       struct{ Context, Dockerfile string }
		NetworkMode string `yaml:"network_mode"`
		User        string
		ReadOnly    bool     `yaml:"read_only"`
		CapDrop     []string `yaml:"cap_drop"`
		SecurityOpt []string `yaml:"security_opt"`
		Ports       []string
		Volumes     []string
		Secrets     []string
	}
	Secrets map[string]struct{ File string }
}

// A public image that is pinned: registry, name and a version of three numbers.
var pinned = regexp.MustCompile(`^[a-z0-9.-]+\.[a-z]+(/[a-z0-9._-]+)+:v?\d+\.\d+\.\d+(-[a-z0-9.]+)?(@sha256:[0-9a-f]{64})?$`)

func TestImagesArePinned(t *testing.T) {
	images := found(`(?m)^FROM (?:--platform=\S+ )?(\S+)`, read(t, "Dockerfile"))
	for name, service := range decode[compose](t, "compose.yaml").Services {
		switch {
		case service.Build.Dockerfile == "":
			images = append(images, service.Image)
		case filepath.Join(service.Build.Context, service.Build.Dockerfile) != filepath.Join("..", "deploy", "Dockerfile"):
			t.Errorf("%s is built from %v", name, service.Build)
		}
	}
	if len(images) < 3 {
		t.Errorf("only %q were found", images)
	}
	for _, image := range images {
		if image != "scratch" && !pinned.MatchString(image) {
			t.Errorf("the image %q is not pinned to a version", image)
		}
	}
}

func TestServicesAreHardened(t *testing.T) {
	for name, service := range decode[compose](t, "compose.yaml").Services {
		if !service.ReadOnly || !slices.Equal(service.CapDrop, []string{"ALL"}) || !slices.Contains(service.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s is not hardened", name)
		}
		for _, port := range service.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s publishes %s beyond this machine", name, port)
			}
		}
		for _, volume := range service.Volumes {
			source, _, _ := strings.Cut(volume, ":")
			if !strings.HasPrefix(source, "./") {
				continue
			}
			if _, err := os.Stat(source); err != nil {
				t.Errorf("%s mounts what is not there: %v", name, err)
			}
		}
	}
}

// The gateway listens on loopback: whoever is to reach it has to be on its
// network, and what it is to reach has to be published there.
func TestTheStackIsWired(t *testing.T) {
	file := loadGatewayFile(t)
	stack := decode[compose](t, "compose.yaml")
	for _, name := range []string{"gateway", "prometheus"} {
		if stack.Services[name].NetworkMode != "host" {
			t.Errorf("%s is not on the machine's network", name)
		}
	}
	user := found(`(?m)^USER (\S+)$`, read(t, "Dockerfile"))
	differ(t, "the image's user", []string{stack.Services["gateway"].User}, user)

	scraped := decode[struct {
		Jobs []struct {
			Name    string                       `yaml:"job_name"`
			Targets []struct{ Targets []string } `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}](t, "prometheus.yaml").Jobs
	if len(scraped) != 1 || len(scraped[0].Targets) != 1 {
		t.Fatalf("jobs: %v", scraped)
	}
	differ(t, "scraped", []string{file.Static.Listen.Admin}, scraped[0].Targets[0].Targets)
	for _, job := range found(`job="([^"]+)"`, read(t, "alerts.yaml")) {
		differ(t, "the alerts' job", scraped[0].Name, job)
	}

	collector := strings.TrimPrefix(file.Static.Telemetry.OTLP, "http://")
	if _, port, _ := strings.Cut(collector, ":"); !slices.Contains(stack.Services["otel-collector"].Ports, collector+":"+port) {
		t.Errorf("the gateway sends traces to %s, where no collector is published: %q", collector, stack.Services["otel-collector"].Ports)
	}
}

func TestTheImageIsBuiltWithTheModulesGo(t *testing.T) {
	wanted := found(`(?m)^go (\S+)$`, read(t, filepath.Join("..", "go.mod")))
	has := found(`(?m)^FROM .*/golang:([0-9.]+)-`, read(t, "Dockerfile"))
	if len(wanted) != 1 || len(has) != 1 {
		t.Fatalf("go.mod: %q, Dockerfile: %q", wanted, has)
	}
	module, image := "go"+wanted[0], "go"+has[0]
	if version.Lang(module) != version.Lang(image) || version.Compare(image, module) < 0 {
		t.Errorf("the image is built with %s, go.mod wants %s", image, module)
	}
}

// What Docker leaves out of the build, git must not know: else Go finds a
// changed tree, and the version says so.
func TestIgnoredFiles(t *testing.T) {
	git := func(arguments ...string) (string, error) {
		out, err := exec.CommandContext(t.Context(), "git", append([]string{"-C", ".."}, arguments...)...).CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	if out, err := git("rev-parse", "--is-inside-work-tree"); err != nil {
		t.Skipf("SKIPPED: no git tree to compare with: %v %s", err, out)
	}
	if out, err := git("ls-files", "--cached", "--ignored", "--exclude-from=.dockerignore"); err != nil || out != "" {
		t.Errorf(".dockerignore leaves out what git tracks: %v\n%s", err, out)
	}
	if _, err := git("check-ignore", "--quiet", "deploy/secrets/numium"); err != nil {
		t.Errorf("git would take deploy/secrets: add /deploy/secrets/ to .gitignore (%v)", err)
	}
	if !slices.Contains(strings.Split(string(read(t, filepath.Join("..", ".dockerignore"))), "\n"), "/deploy/secrets") {
		t.Error("secrets would reach whoever builds the image")
	}
}

// The command of the Dockerfile makes a binary that needs nothing of the image
// it is put into, and that understands how it is started.
func TestTheBinaryIsStatic(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: builds the binary")
	}
	dockerfile := read(t, "Dockerfile")
	build := regexp.MustCompile(`go build (.+) -o /out/muster (\S+)`).FindSubmatch(dockerfile)
	if build == nil || !bytes.Contains(dockerfile, []byte("ENV CGO_ENABLED=0 ")) {
		t.Fatal("the Dockerfile builds in a way that this test does not know")
	}
	binary := filepath.Join(t.TempDir(), "muster")
	arguments := append([]string{"build"}, words(string(build[1]))...)
	command := exec.CommandContext(t.Context(), "go", append(arguments, "-buildvcs=false", "-o", binary, string(build[2]))...)
	command.Dir = ".."
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOFLAGS=")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	file := must(elf.Open(binary))(t)
	defer func() { _ = file.Close() }()
	for _, segment := range file.Progs {
		if segment.Type == elf.PT_INTERP {
			t.Error("the binary asks for a dynamic linker")
		}
	}
	if file.Section(".symtab") != nil || file.Section(".debug_info") != nil {
		t.Error("the binary is not stripped")
	}

	if runtime.GOOS != "linux" {
		t.Skipf("SKIPPED: a binary for Linux cannot be started on %s", runtime.GOOS)
	}
	// --help takes the place of running: what is unknown is refused before it.
	image := found(`"([^"]+)"`, regexp.MustCompile(`(?m)^CMD .*$`).Find(dockerfile))
	unit := found(`(?m)^ExecStart=/usr/local/bin/muster (.+)$`, read(t, "muster.service"))
	if len(image) == 0 || len(unit) != 1 {
		t.Fatalf("CMD %q, ExecStart %q", image, unit)
	}
	for _, start := range [][]string{image, strings.Fields(unit[0])} {
		if out, err := exec.CommandContext(t.Context(), binary, append(start, "--help")...).CombinedOutput(); err != nil {
			t.Errorf("muster %s: %v\n%s", strings.Join(start, " "), err, out)
		}
	}
	// What is written for people to begin with, checked by the command that they are told to use.
	if out, err := exec.CommandContext(t.Context(), binary, "check", "gateway.yaml").CombinedOutput(); err != nil {
		t.Errorf("muster check gateway.yaml: %v\n%s", err, out)
	}
	t.Run("systemd", func(t *testing.T) { verifyUnit(t, binary) })
}

func verifyUnit(t *testing.T, binary string) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("SKIPPED: systemd-analyze is not installed (Debian: systemd)")
	}
	unit := filepath.Join(t.TempDir(), "muster.service")
	content := bytes.ReplaceAll(read(t, "muster.service"), []byte("ExecStart=/usr/local/bin/muster"), []byte("ExecStart="+binary))
	if err := os.WriteFile(unit, content, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), analyze, "verify", unit).CombinedOutput()
	if err != nil || bytes.Contains(out, []byte("muster.service")) {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestAlertsGoByMetricsThatExist(t *testing.T) {
	groups := decode[struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Labels      struct{ Severity string }
				Annotations struct{ Summary, Description string }
			}
		}
	}](t, "alerts.yaml").Groups
	tests := string(read(t, "alerts_test.yaml"))
	for _, group := range groups {
		for _, rule := range group.Rules {
			if !slices.Contains([]string{"page", "ticket"}, rule.Labels.Severity) || rule.Annotations.Summary == "" || rule.Annotations.Description == "" {
				t.Errorf("%s: a severity, a summary and a description are needed", rule.Alert)
			}
			if !strings.Contains(tests, "- alertname: "+rule.Alert+"\n") {
				t.Errorf("%s: alerts_test.yaml does not make it speak", rule.Alert)
			}
			selectors := selectorsOf(rule.Expr)
			if len(selectors) == 0 {
				t.Errorf("%s: no metric was found in %s", rule.Alert, rule.Expr)
			}
			for _, s := range selectors {
				labels, known := metrics[s.metric]
				if !known {
					t.Errorf("%s: no metric %q", rule.Alert, s.metric)
				}
				for _, label := range s.labels {
					if !slices.Contains(append(labels, "job", "instance"), label) {
						t.Errorf("%s: %s has no label %q", rule.Alert, s.metric, label)
					}
				}
			}
		}
	}
}

// selector is one metric in an expression, and the labels it is chosen by.
type selector struct {
	metric string
	labels []string
}

var (
	quoted    = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	noMetrics = regexp.MustCompile(`\[[^\]]*\]|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)|\boffset\s+\w+|\b(?:and|or|unless|bool)\b`)
	named     = regexp.MustCompile(`([a-zA-Z_:][\w:]*)\s*(\(|\{[^}]*\})?`)
	matched   = regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)`)
)

// selectorsOf finds the metrics of an expression: every name that is neither a
// function, an operator nor a label.
func selectorsOf(expr string) (all []selector) {
	expr = noMetrics.ReplaceAllString(quoted.ReplaceAllString(expr, `""`), " ")
	for _, m := range named.FindAllStringSubmatch(expr, -1) {
		if m[2] != "(" {
			all = append(all, selector{m[1], found(matched.String(), []byte(m[2]))})
		}
	}
	return all
}

func TestSelectorsOf(t *testing.T) {
	got := selectorsOf(`histogram_quantile(0.95, sum by (job, le) (rate(a_bucket{b=~"c(d)|{e}", f!="x"}[5m])))
		/ on (job) max_over_time(g[1m]) > 0.5 and h unless i{j="k"} offset 10m`)
	want := []selector{{"a_bucket", []string{"b", "f"}}, {"g", nil}, {"h", nil}, {"i", []string{"j"}}}
	if diff := gocmp.Diff(want, got, gocmp.AllowUnexported(selector{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestPromtool(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("SKIPPED: promtool is not installed, so nobody looked at the alerts (Debian: prometheus)")
	}
	for _, arguments := range [][]string{{"check", "config", "prometheus.yaml"}, {"check", "rules", "alerts.yaml"}, {"test", "rules", "alerts_test.yaml"}} {
		if out, err := exec.CommandContext(t.Context(), promtool, arguments...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(arguments, " "), err, out)
		}
	}
}

// loadGatewayFile is the example as it is loaded where it runs, with the example
// secrets in place.
func loadGatewayFile(t *testing.T) *config.File {
	t.Helper()
	secrets := must(filepath.Abs("secrets.example"))(t)
	content := bytes.ReplaceAll(read(t, "gateway.yaml"), []byte("/run/secrets/"), []byte(secrets+"/"))
	return must(config.Parse("gateway.yaml", content))(t)
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	return must(os.ReadFile(name))(t)
}

func decode[T any](t *testing.T, name string) (content T) {
	t.Helper()
	if err := yaml.Unmarshal(read(t, name), &content); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return content
}

// must takes what a call returns, and ends the test where that is an error.
func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// found is what the group of a pattern holds, wherever it matches.
func found(pattern string, in []byte) (all []string) {
	for _, m := range regexp.MustCompile(pattern).FindAllSubmatch(in, -1) {
		all = append(all, string(m[1]))
	}
	return all
}

// words splits a command line as a shell does, as far as double quotes go.
func words(line string) (all []string) {
	for _, word := range regexp.MustCompile(`"[^"]*"|\S+`).FindAllString(line, -1) {
		all = append(all, strings.Trim(word, `"`))
	}
	return all
}

func differ[T any](t *testing.T, what string, want, got T) {
	t.Helper()
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// same compares two lists whose order says nothing.
func same(t *testing.T, what string, want, got []string) {
	t.Helper()
	differ(t, what, slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(got)))
}

package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"muster/adapters/simulator"
)

// follow starts what the demo does when it runs: the files are watched. What is
// sent to the channel it returns makes it look at once.
func (w *world) follow() chan<- struct{} {
	now := make(chan struct{})
	ctx, cancel := context.WithCancel(w.t.Context())
	w.t.Cleanup(cancel)
	go w.reloading.watch(ctx, now)
	return now
}

// rewrite changes the configuration.
func (w *world) rewrite(change func(string) string) {
	w.t.Helper()
	text, err := os.ReadFile(w.path())
	if err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(w.path(), []byte(change(string(text))), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// TestReload changes the configuration of a running gateway, and looks who notices.
func TestReload(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	now := w.follow()
	casey := w.simulation.People()[0]
	original := func() string { text, _ := os.ReadFile(w.path()); return string(text) }()
	w.lookup(casey, "email")
	applied := func(n int) {
		t.Helper()
		want := fmt.Sprintf(`muster_config_reloads_total{result="applied"} %d`, n)
		for range 2000 {
			if strings.Contains(w.ask(http.MethodGet, "http://"+w.Admin+"/metrics", "").Text, want) {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatalf("not %s:\n%s", want, w.log)
	}

	// A source goes; what is kept of the others is still in use.
	calls := w.simulation.Calls("csp")
	w.rewrite(func(text string) string {
		return strings.Replace(text, "  acme:\n", "  acme:\n    providers: [numium, csp, kobil, aveva]\n", 1)
	})
	now <- struct{}{}
	applied(1)
	got := w.lookup(casey, "email")
	if got.Status != http.StatusOK || got.outcomes()["itwin"] != "skipped" || got.outcomes()["csp"] != "ok" || w.simulation.Calls("csp") != calls {
		t.Errorf("status %d, %v, and csp was asked %d times more", got.Status, got.outcomes(), w.simulation.Calls("csp")-calls)
	}

	// A mistake changes nothing, and everybody is told.
	w.rewrite(func(text string) string { return text + "budgit: {}\n" })
	now <- struct{}{}
	for !strings.Contains(w.ask(http.MethodGet, "http://"+w.Address+"/readyz?verbose", "").Text, "[-] configuration is the latest (not required)") {
		time.Sleep(10 * time.Millisecond)
	}
	if got := w.lookup(casey, "email"); got.Status != http.StatusOK {
		t.Errorf("status %d after a mistake", got.Status)
	}
	for what, text := range map[string]string{
		"/config":  w.ask(http.MethodGet, "http://"+w.Admin+"/config", "").Text,
		"the log":  w.log.String(),
		"/metrics": w.ask(http.MethodGet, "http://"+w.Admin+"/metrics", "").Text,
	} {
		if !strings.Contains(text, `unknown key`) && !strings.Contains(text, `muster_config_reloads_total{result="refused"} 1`) {
			t.Errorf("%s does not tell of the mistake:\n%s", what, text)
		}
	}

	// A tenant goes, and with it all that is kept of its people.
	w.rewrite(func(string) string { return strings.Replace(original, "  acme:\n", "  acme-corp:\n", 1) })
	w.rewrite(func(text string) string { return strings.Replace(text, "tenants: [acme]", "tenants: [acme-corp]", 1) })
	if err := os.WriteFile(w.folder+"/links.csv", []byte("tenant,email,username\nacme-corp,casey.taylor@acme.example,casey.taylor\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	now <- struct{}{}
	applied(2)
	if got := w.lookup(casey, "email", "Cache-Control", "only-if-cached"); got.Status != http.StatusNotFound {
		t.Errorf("status %d for a tenant that is gone", got.Status)
	}
	if !strings.Contains(w.ask(http.MethodGet, "http://"+w.Address+"/readyz?verbose", "").Text, "[+] configuration is the latest") {
		t.Error("the mistake is mended, and nobody is told")
	}
}

// TestReloadsUnderLoad changes the configuration a hundred times, well and badly,
// while people ask. Nobody notices, and a breaker that is open stays so.
func TestReloadsUnderLoad(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	now := w.follow()
	people := slices.DeleteFunc(w.simulation.People(), func(p simulator.Person) bool {
		return p.IDs["username"] == "" || p.FaultAt != "" || p.Tenant == searched
	})
	// However slow the machine is, no probe is due before the test is over.
	w.rewrite(func(text string) string { return text + "limits: {breaker: {open: 1h}}\n" })
	now <- struct{}{}
	now <- struct{}{} // which is received when the first is done with
	if err := w.simulation.SetFault("csp", simulator.Fault{Kind: "500"}); err != nil {
		t.Fatal(err)
	}
	for range 25 { // enough for the breaker
		w.lookup(people[0], "csp", "Cache-Control", "no-cache")
	}
	original, err := os.ReadFile(w.path())
	if err != nil {
		t.Fatal(err)
	}
	calls := w.simulation.Calls("csp")

	var stop atomic.Bool
	var asking sync.WaitGroup
	var asked, failed atomic.Int64
	for worker := range 4 {
		asking.Go(func() {
			for i := worker; !stop.Load(); i++ {
				status := w.lookup(people[i%len(people)], "username").Status
				asked.Add(1)
				if status != http.StatusOK && status != http.StatusMultiStatus && status != http.StatusServiceUnavailable {
					failed.Add(1)
					t.Errorf("status %d", status)
				}
			}
		})
	}
	for i := range 100 {
		text := string(original)
		switch i % 4 {
		case 0:
			text += fmt.Sprintf("budget: {total: %dms}\n", 2000+i)
		case 1:
			text += "budgit: {}\n"
		case 2:
			text = text[:len(text)/2]
		case 3:
			text = ""
		}
		w.rewrite(func(string) string { return text })
		now <- struct{}{}
	}
	w.rewrite(func(string) string { return string(original) })
	now <- struct{}{}
	stop.Store(true)
	asking.Wait()
	if asked.Load() < 100 || failed.Load() > 0 {
		t.Errorf("%d of %d requests failed", failed.Load(), asked.Load())
	}
	if more := w.simulation.Calls("csp") - calls; more > 0 {
		t.Errorf("the open breaker let %d calls through", more)
	}
	metrics := w.ask(http.MethodGet, "http://"+w.Admin+"/metrics", "").Text
	if want := `muster_breaker_state{source="csp",state="open"} 1`; !strings.Contains(metrics, want) {
		t.Errorf("the metrics lack %s", want)
	}
	// One attempt for each signal. Which of them fell into the next change, and so
	// read that, is a matter of chance.
	refused := strings.Count(w.log.String(), "has changed and is refused")
	applied := strings.Count(w.log.String(), "has changed and is in force")
	if refused+applied < 100 || refused < 20 || applied < 10 {
		t.Errorf("%d are refused and %d applied, of 101", refused, applied)
	}
}

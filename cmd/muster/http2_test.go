package main

import (
	"context"
	"crypto/tls"
	"encoding/xml"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"muster/gateway/httpapi"
	"muster/gateway/httpapi/edge"
)

// TestHTTP2AsInNetHTTP: the front door obeys RFC 9113 and RFC 7541 wherever net/http as it
// comes does, as h2spec judges. It is no worse for what is set and for what stands before it.
func TestHTTP2AsInNetHTTP(t *testing.T) {
	t.Parallel()
	program := systemProgram(t, "h2spec")
	stock := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	stock.EnableHTTP2 = true
	stock.Config.ErrorLog = log.New(io.Discard, "", 0)
	stock.StartTLS()
	t.Cleanup(stock.Close)

	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	secure := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2"}, Certificates: stock.TLS.Certificates}
	door := edge.NewServer(httpapi.New(nil, httpapi.Options{}), edge.DefaultLimits(), secure, slog.New(slog.DiscardHandler))
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := door.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		_ = door.Close()
		serving.Wait()
	})

	excused, all := judged(t, program, stock.Listener.Addr(), "/")
	// Of some things it depends on who is faster whether an answer is taken for a mistake: what
	// succeeds once is done.
	var failed []string
	for again := range 3 {
		now, also := judged(t, program, l.Addr(), "/healthz")
		if all < 140 || also != all {
			t.Errorf("h2spec tried %d things on net/http, and %d on the front door", all, also)
		}
		failed = slices.DeleteFunc(now, func(name string) bool {
			return slices.Contains(excused, name) || again > 0 && !slices.Contains(failed, name)
		})
		if len(failed) == 0 {
			break
		}
	}
	for _, name := range failed {
		t.Errorf("fails where net/http does not: %s", name)
	}
}

// judged is in which of how many things a server does not do as it should.
func judged(t *testing.T, program string, address net.Addr, path string) (failed []string, all int) {
	t.Helper()
	report := filepath.Join(t.TempDir(), "report.xml")
	host, port, err := net.SplitHostPort(address.String())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	said, _ := exec.CommandContext(ctx, program, "--host", host, "--port", port, "--path", path, //nolint:gosec // built by `make systems`
		"--tls", "--insecure", "--strict", "--junit-report", report).CombinedOutput() // it ends with 1 when anything fails
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatalf("%v; h2spec says\n%s", err, said)
	}
	var suites struct {
		Suites []struct {
			Package string `xml:"package,attr"`
			Cases   []struct {
				Name    string    `xml:"classname,attr"`
				Failure *struct{} `xml:"failure"`
				Error   *struct{} `xml:"error"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(text, &suites); err != nil {
		t.Fatal(err)
	}
	for _, suite := range suites.Suites {
		for _, c := range suite.Cases {
			all++
			if c.Failure != nil || c.Error != nil {
				failed = append(failed, suite.Package+" "+c.Name)
			}
		}
	}
	return failed, all
}

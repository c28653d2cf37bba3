package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// held takes nothing until it is let go.
type held struct {
	let  chan struct{}
	text strings.Builder
}

func (h *held) Write(p []byte) (int, error) {
	<-h.let
	return h.text.Write(p)
}

// TestUnhurried: nobody waits for whom nobody reads; what is lost is told, and the rest is
// there in its order.
func TestUnhurried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := &held{let: make(chan struct{})}
		u := newUnhurried(out)
		defer close(u.lines)
		begin := time.Now()
		text := []byte("line 0000\n")
		for i := range 5000 {
			copy(text, fmt.Sprintf("line %04d\n", i))
			if n, err := u.Write(text); n != len(text) || err != nil {
				t.Fatal(n, err)
			}
			if i == 0 {
				synctest.Wait() // until it is being written
			}
		}
		u.flush(time.Second)
		if took := time.Since(begin); took != time.Second {
			t.Errorf("it took %v", took)
		}
		close(out.let)
		u.flush(time.Second)
		lines := strings.Split(out.text.String(), "\n")
		if got := strings.Count(out.text.String(), "\nline "); got < 4095 || got > 4097 {
			t.Errorf("%d lines are written", got)
		}
		if lines[0] != "line 0000" || !strings.Contains(lines[1], `"msg":"nobody has taken the log, and lines of it are lost","lines":90`) || lines[2] != "line 0001" {
			t.Errorf("it begins with %q", lines[:3])
		}
		_, _ = u.Write([]byte("after\n"))
		u.flush(time.Second)
		if !strings.HasSuffix(out.text.String(), "\nafter\n") {
			t.Error("what came afterwards is not there")
		}
	})
}

// TestLogThatNobodyTakes runs a gateway whose standard error is a pipe that nobody reads:
// everybody is answered, and it ends when it is told to (118).
func TestLogThatNobodyTakes(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, 0)
	text, err := os.ReadFile(w.path())
	if err != nil {
		t.Fatal(err)
	}
	address := free(t)
	folder := t.TempDir()
	first, rest, _ := strings.Cut(string(text), "\nlisten: ")
	_, rest, _ = strings.Cut(rest, "\n")
	for name, content := range map[string]string{"gateway.yaml": first + fmt.Sprintf("\nlisten: {address: %q, admin: \"127.0.0.1:0\"}\n", address) + rest, "links.csv": "tenant,email\n"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	gateway := exec.Command(program)
	gateway.Args = []string{"muster", "serve", "--config", filepath.Join(folder, "gateway.yaml"), "--drain", "0s"}
	gateway.Stderr = writer
	if err := gateway.Start(); err != nil {
		t.Fatal(err)
	}
	_ = writer.Close()
	ended := make(chan error, 1)
	go func() { ended <- gateway.Wait() }()
	defer func() { _ = gateway.Process.Kill() }()

	client := &http.Client{Timeout: 5 * time.Second}
	get := func(path string) (int, error) {
		response, err := client.Get("http://" + address + path)
		if err != nil {
			return 0, err
		}
		_, _ = io.Copy(io.Discard, response.Body)
		return response.StatusCode, response.Body.Close()
	}
	w.until("it is ready", func() bool { status, err := get("/readyz"); return err == nil && status == http.StatusOK })
	for i := range 1000 { // some 200 KiB of log; a pipe holds 64
		if status, err := get("/v1/providers"); err != nil || status != http.StatusOK {
			t.Fatalf("request %d: %d, %v", i, status, err)
		}
	}
	if err := gateway.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("it does not end")
	}
}

// free is an address that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	l, err := listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

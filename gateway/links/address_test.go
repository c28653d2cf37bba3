package links_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/gateway/links"
	"muster/gateway/links/linkstest"
)

func TestAddress(t *testing.T) {
	for text, want := range map[string]string{
		"sqlite:links.db":                            "sqlite:/etc/muster/links.db",
		"sqlite:/var/lib/l.db":                       "sqlite:/var/lib/l.db",
		"sqlite:///var/lib/l.db":                     "sqlite:/var/lib/l.db",
		"sqlite:a?mode=memory":                       "sqlite:/etc/muster/a?mode=memory", // a file's name
		"postgres://db/m":                            "postgres://db/m",
		"postgresql://u:p@db/m":                      "postgres://u@db/m",
		"postgres://u:p@[::1]/m":                     "postgres://u@[::1]/m",
		"postgres:///?host=/run&dbname=m&password=p": "postgres:",
		"":                               "not the address of a table of links",
		"links.db":                       "not the address of a table of links",
		"SQLITE:links.db":                "not the address of a table of links",
		"mysql://u:p@db/m":               "not the address of a table of links",
		"sqlite:":                        "the address names no file",
		"sqlite://":                      "the address names no file",
		"sqlite::memory:":                "the address names no file",
		"sqlite:a\x00b":                  "the path of the file has a NUL in it",
		"postgres:":                      "the address names no host",
		"postgres://u:p@/m":              "the address names no host",
		"postgres://u:p@db":              "the address names no database",
		"postgres://u:p@db/":             "the address names no database",
		"postgres://u:p%@db/m":           "the address of the database cannot be read",
		"postgres://u:p@db/m?sslmode=on": "the address has an sslmode that is none",
	} {
		a, err := links.ParseAddress(text, "/etc/muster")
		got := a.String()
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("%q: %q, not %q", text, got, want)
		}
		if wrong := (*links.AddressError)(nil); err != nil && (!errors.As(err, &wrong) || wrong.Hint == "") {
			t.Errorf("%q: no hint: %v", text, err)
		}
	}
}

// FuzzAddress: no address shows its password, nor does what is wrong with it.
func FuzzAddress(f *testing.F) {
	f.Add("postgres://muster:%s@db.example/muster?sslmode=disable")
	f.Add("postgres://db.example/muster?password=%s&connect_timeout=soon")
	f.Add("postgres://mus%ter:%s@db.example:x/muster")
	f.Add("mysql://muster:%s@db.example/muster")
	f.Fuzz(func(t *testing.T, form string) {
		const canary = "C4n4ry"
		text := strings.Replace(form, "%s", canary, 1)
		if strings.HasPrefix(text, "sqlite:") || strings.Count(form, "%s") != 1 || !strings.Contains(form, ":%s@") && !strings.Contains(form, "?password=%s") {
			t.Skip("there is no password in it")
		}
		a, err := links.ParseAddress(text, "")
		told := fmt.Sprint(a, err)
		if err == nil {
			if s, err := links.New(a, time.Second); err != nil {
				told += err.Error()
			} else if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		if strings.Contains(told, canary) {
			t.Errorf("%q tells %q", text, told)
		}
	})
}

// TestPlaintext: beyond this machine TLS goes without saying, and with a name to
// check.
func TestPlaintext(t *testing.T) {
	t.Parallel()
	// A server that has no TLS says N; whoever goes on then sends the rest in the clear.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	sent := make(chan string, 64)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				close(sent)
				return
			}
			all := make([]byte, 8)
			_, _ = io.ReadFull(c, all)
			if binary.BigEndian.Uint32(all[4:]) == 80877103 { // asks for TLS
				_, _ = c.Write([]byte("N"))
				all = nil
			}
			_ = c.SetReadDeadline(time.Now().Add(time.Second))
			rest := make([]byte, 64)
			n, _ := c.Read(rest)
			sent <- string(append(all, rest[:n]...))
			_ = c.Close()
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	// 0.0.0.0 leads here, and is no loopback's name.
	s := open(t, "postgres://muster:C4n4ry@0.0.0.0:"+port+"/muster")
	_, err = s.Find(t.Context(), "acme", "email", "a@x.example")
	if err == nil || !strings.Contains(err.Error(), "server refused TLS connection") || strings.Contains(err.Error(), "C4n4ry") {
		t.Errorf("%v", err)
	}
	_ = l.Close()
	asked := 0
	for text := range sent {
		if asked++; text != "" {
			t.Errorf("sent in the clear: %q", text)
		}
	}
	if asked == 0 {
		t.Error("nobody asked")
	}
}

// TestDown: a database that is down is told of in time, and asked again.
func TestDown(t *testing.T) {
	t.Parallel()
	server := linkstest.Start(t)
	address := server.Database()
	s := open(t, address)
	jane := ids{"email": "jane@x.example", "numium": "1"}
	put(t, s, []links.Person{person("acme", jane)}, links.Import{})
	server.Stop()
	_, err := s.Find(t.Context(), "acme", "numium", "1")
	told := (*links.StoreError)(nil)
	if !errors.As(err, &told) || strings.Contains(err.Error(), linkstest.Password) || strings.Contains(err.Error(), "jane") {
		t.Errorf("%v", err)
	}
	server.Resume()
	expect(t, "found again", found(t, s, "acme", "numium", "1"), jane)

	linkstest.Exec(t, address, "ALTER USER muster PASSWORD 'another'")
	_, err = open(t, address).Find(t.Context(), "acme", "numium", "1")
	if err == nil || !strings.HasSuffix(err.Error(), `cannot be asked: password authentication failed for user "muster" (SQLSTATE 28P01)`) {
		t.Errorf("%v", err)
	}
}

// TestTimeout: one that says nothing costs the timeout, however many ask at once.
func TestTimeout(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0") // it takes calls, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	a, err := links.ParseAddress("postgres://muster@"+l.Addr().String()+"/muster", "")
	if err != nil {
		t.Fatal(err)
	}
	s, err := links.New(a, 100*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	begin, done := time.Now(), make(chan error, 50)
	for range cap(done) {
		go func() {
			_, err := s.Find(t.Context(), "acme", "numium", "1")
			done <- err
		}()
	}
	for range cap(done) {
		if err := <-done; !errors.Is(err, context.DeadlineExceeded) || !strings.HasSuffix(err.Error(), "it takes too long") {
			t.Errorf("%v", err)
		}
	}
	if took := time.Since(begin); took < 100*time.Millisecond || took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Find(gone, "acme", "numium", "1"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Find(t.Context(), "acme", "numium", "1"); err == nil {
		t.Error("a closed store answers")
	}
}

// TestNotATable: what is no database is told of.
func TestNotATable(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "links.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("no database at all\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	err := open(t, "sqlite:"+path).Prepare(t.Context())
	if err == nil || err.Error() != "the links at sqlite:"+path+" cannot be asked: file is not a database (26)" {
		t.Errorf("%v", err)
	}
	err = open(t, "sqlite:"+filepath.Join(t.TempDir(), "no", "links.db")).Prepare(t.Context())
	if err == nil || !strings.HasSuffix(err.Error(), "no such file or directory") {
		t.Errorf("%v", err)
	}
	made := filepath.Join(t.TempDir(), "links.db")
	if err := open(t, "sqlite:"+made).Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(made); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %v %v", info.Mode(), err)
	}
}

// Package linkstest starts a real PostgreSQL for tests.
package linkstest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a PostgreSQL that runs for one test, on loopback alone.
type Server struct {
	t         testing.TB
	programs  string // the folder of initdb and pg_ctl
	folder    string
	port      string
	as        *syscall.SysProcAttr // who runs it: nobody may as root
	databases int
}

// Password is the one of the user muster.
const Password = "C4n4ry/pass"

// Start starts one, or skips the test aloud where none is installed.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{t: t, programs: programs()}
	if s.programs == "" {
		t.Skip("NOT TESTED against PostgreSQL: initdb is not installed (Debian: postgresql)")
	}
	// Not t.TempDir: its folders above are closed to everybody else.
	folder, err := os.MkdirTemp("", "muster-postgres-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	s.folder = filepath.Join(folder, "data")
	if os.Getuid() == 0 { // initdb refuses root
		s.become(folder)
	}
	secret := filepath.Join(folder, "password")
	if err := os.WriteFile(secret, []byte(Password), 0o644); err != nil { //nolint:gosec // no secret, and another user's to read
		t.Fatal(err)
	}
	s.run("initdb", "--pgdata", s.folder, "--username", "muster", "--pwfile", secret, "--auth", "scram-sha-256",
		"--encoding", "UTF8", "--no-sync", "--no-instructions")
	s.port = freePort(t)
	t.Cleanup(s.Stop)
	s.Resume()
	return s
}

// programs is the folder with PostgreSQL's programs: Debian keeps them off the path.
func programs() string {
	if path, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(real)
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // only a malformed pattern fails
	if len(found) == 0 {
		return ""
	}
	return filepath.Dir(found[len(found)-1])
}

// become runs all as somebody who is not root.
func (s *Server) become(folder string) {
	for _, name := range []string{"postgres", "nobody"} {
		who, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, _ := strconv.ParseUint(who.Uid, 10, 32)
		gid, _ := strconv.ParseUint(who.Gid, 10, 32)
		s.as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
		if err := os.Chown(folder, int(uid), int(gid)); err != nil { //nolint:gosec // of 32 bits
			s.t.Fatal(err)
		}
		return
	}
	s.t.Skip("NOT TESTED against PostgreSQL: initdb refuses root, and there is no user postgres or nobody")
}

func (s *Server) run(program string, args ...string) {
	s.t.Helper()
	c := exec.Command(filepath.Join(s.programs, program), args...) //nolint:gosec // PostgreSQL's own
	c.Dir, c.SysProcAttr = filepath.Dir(s.folder), s.as
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	// A file: the server that pg_ctl starts would hold a pipe open.
	out, err := os.CreateTemp("", "muster-postgres-out-")
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = os.Remove(out.Name()) }()
	c.Stdout, c.Stderr = out, out
	if err := c.Run(); err != nil {
		said, _ := os.ReadFile(out.Name())
		log, _ := os.ReadFile(filepath.Join(filepath.Dir(s.folder), "log"))
		s.t.Fatalf("%s: %v\n%s%s", program, err, said, bytes.TrimSpace(log))
	}
}

// Resume starts the server again after Stop.
func (s *Server) Resume() {
	s.t.Helper()
	options := fmt.Sprintf("-c listen_addresses=127.0.0.1 -c port=%s -c unix_socket_directories= -c fsync=off", s.port)
	s.run("pg_ctl", "--pgdata", s.folder, "--log", filepath.Join(filepath.Dir(s.folder), "log"), "--options", options, "--wait", "start")
}

// Stop ends the server at once, and all connections to it.
func (s *Server) Stop() {
	s.t.Helper()
	if _, err := os.Stat(filepath.Join(s.folder, "postmaster.pid")); err == nil {
		s.run("pg_ctl", "--pgdata", s.folder, "--mode", "immediate", "--wait", "stop")
	}
}

// Database makes an empty database, and returns its URL.
func (s *Server) Database() string {
	s.t.Helper()
	s.databases++
	name := "links" + strconv.Itoa(s.databases)
	Exec(s.t, s.url("postgres"), "CREATE DATABASE "+name)
	return s.url(name)
}

func (s *Server) url(database string) string {
	return fmt.Sprintf("postgres://muster:%s@127.0.0.1:%s/%s", strings.ReplaceAll(Password, "/", "%2F"), s.port, database)
}

// Exec runs a statement in the database at a URL.
func Exec(t testing.TB, url, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(ctx) }()
	if _, err := c.Exec(ctx, statement); err != nil {
		t.Fatal(err)
	}
}

// freePort is a port that nobody listens at.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return port
}

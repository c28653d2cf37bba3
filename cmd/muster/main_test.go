package main

import (
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"muster": main}) }

// TestScripts run the binary from outside, as people do.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		Cmds:          map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "addresses": addresses, "ready": ready, "get": getStatus, "steady": steady},
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			for _, name := range []string{"PUBLIC", "ADMIN"} {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					return err
				}
				env.Setenv(name, l.Addr().String())
				if err := l.Close(); err != nil {
					return err
				}
			}
			upstream := newLookupUpstream()
			env.Defer(upstream.Close)
			env.Setenv("UPSTREAM", upstream.Listener.Addr().String())
			return nil
		},
	})
}

// addresses is the command `addresses FILE`: write $PUBLIC, $ADMIN and $UPSTREAM out.
func addresses(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: addresses FILE")
	}
	written := strings.NewReplacer("$PUBLIC", ts.Getenv("PUBLIC"), "$ADMIN", ts.Getenv("ADMIN"), "$UPSTREAM", ts.Getenv("UPSTREAM")).Replace(ts.ReadFile(args[0]))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(written), 0o600))
}

// ready is the command `ready HOST:PORT`: wait until a gateway says that it is.
func ready(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ready HOST:PORT")
	}
	for range 200 {
		if response, err := http.Get("http://" + args[0] + "/readyz"); err == nil {
			ts.Check(response.Body.Close())
			if response.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(25 * time.Millisecond)
	}
	ts.Fatalf("not ready after five seconds")
}

// getStatus is the command `get STATUS ADDRESS`: a GET is answered so.
func getStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: get STATUS ADDRESS")
	}
	response, err := http.Get("http://" + args[1])
	ts.Check(err)
	ts.Check(response.Body.Close())
	if got := strconv.Itoa(response.StatusCode); got != args[0] {
		ts.Fatalf("%s is answered with %s", args[1], got)
	}
}

// exits is the command `exits CODE PROGRAM ARGUMENT…`: the program ends with
// that code. As after exec, stdout and stderr can be compared.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGUMENT…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	err = ts.Exec(args[1], args[2:]...)
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		code = failed.ExitCode()
	} else {
		ts.Check(err)
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

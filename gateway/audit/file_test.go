package audit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/gateway/audit"
)

func open(t *testing.T, path string) *audit.File {
	t.Helper()
	f, err := audit.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// soon is a context whose deadline is near.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

// TestFile: lines at the end, of a file that is the owner's alone and may be moved away.
func TestFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	f := open(t, path)
	write := func(id string) {
		t.Helper()
		if err := f.Write(t.Context(), []audit.Record{record(id), record(id + "2")}); err != nil {
			t.Fatal(err)
		}
	}
	want := func(path string, ids ...string) {
		t.Helper()
		lines := ""
		for _, id := range ids {
			lines += lineOf(t, record(id)) + lineOf(t, record(id+"2"))
		}
		if diff := cmp.Diff(lines, read(t, path)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", filepath.Base(path), diff)
		}
	}
	write("a")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := os.Rename(path, path+".1"); err != nil { // as logrotate does
		t.Fatal(err)
	}
	write("b")
	if err := os.Rename(path, path+".2"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o640); err != nil { // and with `create`
		t.Fatal(err)
	}
	write("c")
	if err := os.Truncate(path, 0); err != nil { // and with `copytruncate`
		t.Fatal(err)
	}
	write("d")
	want(path+".1", "a")
	want(path+".2", "b")
	want(path, "d")

	again := open(t, path) // a second start
	if err := again.Write(t.Context(), []audit.Record{record("e"), record("e2")}); err != nil {
		t.Fatal(err)
	}
	want(path, "d", "e")
}

// TestTornLine: what a power cut left of a record spoils no other.
func TestTornLine(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	if err := os.WriteFile(path, []byte(`{"version":1,"ti`), 0o600); err != nil {
		t.Fatal(err)
	}
	f := open(t, path)
	for _, id := range []string{"a", "b"} {
		if err := f.Write(t.Context(), []audit.Record{record(id)}); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff("{\"version\":1,\"ti\n"+lineOf(t, record("a"))+lineOf(t, record("b")), read(t, path)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestDiskThatIsFull: the record is refused, and the sink goes on to be asked.
func TestDiskThatIsFull(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("this system has no /dev/full")
	}
	f := open(t, "/dev/full")
	for range 2 {
		if err := f.Write(soon(t), []audit.Record{record("a")}); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("error %v", err)
		}
	}
}

// TestFolderThatIsGone: nothing can be written until it is back.
func TestFolderThatIsGone(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "logs")
	path := filepath.Join(folder, "audit.jsonl")
	make := func() {
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	make()
	f := open(t, path)
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if err := f.Write(t.Context(), []audit.Record{record("a")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	make()
	if err := f.Write(t.Context(), []audit.Record{record("b")}); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(lineOf(t, record("b")), read(t, path)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func fifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	return path
}

// TestPipeThatNobodyOpens: whoever starts is told, and does not wait for a reader.
func TestPipeThatNobodyOpens(t *testing.T) {
	t.Parallel()
	if _, err := audit.OpenFile(fifo(t)); !errors.Is(err, syscall.ENXIO) {
		t.Errorf("error %v", err)
	}
}

// TestPipeThatNobodyReads: a write ends with its deadline, however full the pipe is; what
// the reader then finds are whole lines but for one, and a record that was refused may
// be among them, never the other way round.
func TestPipeThatNobodyReads(t *testing.T) {
	t.Parallel()
	path := fifo(t)
	reader, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := open(t, path)
	written := map[string]bool{}
	for i := 0; ; i++ {
		id := fmt.Sprintf("%04d%s", i, strings.Repeat("x", 1000))
		begin := time.Now()
		err := f.Write(soon(t), []audit.Record{record(id)})
		if took := time.Since(begin); took > 5*time.Second {
			t.Fatalf("it took %v", took)
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil || i > 1000 {
			t.Fatalf("write %d: %v", i, err)
		}
		written[lineOf(t, record(id))] = true
	}
	found := make(chan string)
	go func() {
		text, _ := io.ReadAll(reader)
		found <- string(text)
	}()
	if err := f.Write(t.Context(), []audit.Record{record("later")}); err != nil {
		t.Fatal(err)
	}
	written[lineOf(t, record("later"))] = true
	_ = f.Close()
	torn := 0
	for line := range strings.Lines(<-found) {
		if !written[line] && !strings.HasPrefix(line, `{"version":1`) || !strings.HasSuffix(line, "}\n") {
			torn++
		}
		delete(written, line)
	}
	_ = reader.Close()
	if torn > 1 || len(written) > 0 {
		t.Errorf("%d lines are torn, %d are missing", torn, len(written))
	}
}

// TestFilesThatCannotBe: a gateway that cannot keep records says so when it starts.
func TestFilesThatCannotBe(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for _, path := range []string{folder, filepath.Join(folder, "no", "audit.jsonl")} {
		if f, err := audit.OpenFile(path); err == nil {
			_ = f.Close()
			t.Errorf("%s is opened", path)
		}
	}
}

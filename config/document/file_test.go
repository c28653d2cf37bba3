package document_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"muster/config/document"
)

// Whatever is named as a file, reading it comes to an end.
func TestReadFile(t *testing.T) {
	folder := t.TempDir()
	named := func(name string) string { return filepath.Join(folder, name) }
	write := func(name string, content []byte) {
		if err := os.WriteFile(named(name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("plain", []byte("provider: x\n"))
	write("most", bytes.Repeat([]byte("#"), document.MaxFile))
	write("more", bytes.Repeat([]byte("#"), document.MaxFile+1))
	if err := syscall.Mkfifo(named("pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		path  string
		bytes int
		want  string
	}{
		{named("plain"), 12, ""},
		{named("most"), document.MaxFile, ""},
		{named("more"), 0, "it has more than 32 MiB"},
		{named("pipe"), 0, ""},
		{"/dev/zero", 0, "it is a device and no file"},
		{named("nothing"), 0, "no such file or directory"},
		{folder, 0, "is a directory"},
	} {
		content, err := document.ReadFile(test.path)
		if len(content) != test.bytes {
			t.Errorf("%s: %d bytes, want %d", test.path, len(content), test.bytes)
		}
		var path *os.PathError
		if (err != nil) != (test.want != "") || err != nil && (!errors.As(err, &path) || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", test.path, err, test.want)
		}
	}
}

// What another program writes is read to its end.
func TestReadFileFromAPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	go func() {
		for range 10 {
			_, _ = w.WriteString("provider: x\n")
		}
		_ = w.Close()
	}()
	content, err := document.ReadFile(filepath.Join("/dev/fd", strconv.Itoa(int(r.Fd()))))
	if err != nil || len(content) != 120 {
		t.Errorf("%d bytes, %v", len(content), err)
	}
}

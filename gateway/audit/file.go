package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// File is a file of JSON Lines: a record a line, at its end. It is the owner's alone if
// it is made here. A log rotation may move it away: the next record is then in a new one.
//
// A record counts as written when the system has taken it, and would outlive this process.
// It is not forced onto the disk: a machine that loses its power loses the last seconds.
type File struct {
	path   string
	file   *os.File
	opened os.FileInfo // what it was when it was opened
	torn   bool        // its last line has no end
	lines  bytes.Buffer
}

// OpenFile opens a file, which is made if it is not there. One that nobody can write to
// now is an error: a pipe without a reader too.
func OpenFile(path string) (*File, error) {
	f := &File{path: path}
	if err := f.open(); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *File) open() error {
	// Without waiting: for a reader of a pipe it would be for ever.
	file, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return err
	}
	opened, err := file.Stat()
	if err == nil && opened.IsDir() {
		err = &fs.PathError{Op: "open", Path: f.path, Err: syscall.EISDIR}
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	f.file, f.opened, f.torn = file, opened, torn(f.path, opened)
	return nil
}

// torn tells whether a file ends in the middle of a line: whoever wrote it came to a
// sudden end. Who may not read it does not know.
func torn(path string, info os.FileInfo) bool {
	if !info.Mode().IsRegular() || info.Size() == 0 {
		return false
	}
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close() //nolint:errcheck // it was read
	var last [1]byte
	_, err = file.ReadAt(last[:], info.Size()-1)
	return err == nil && last[0] != '\n'
}

// Write appends records.
func (f *File) Write(ctx context.Context, records []Record) error {
	if err := f.follow(); err != nil {
		return err
	}
	f.lines.Reset()
	if f.torn { // what is there of a record does not spoil the next
		f.lines.WriteByte('\n')
	}
	lines := json.NewEncoder(&f.lines)
	for i := range records {
		if err := lines.Encode(&records[i]); err != nil {
			return fmt.Errorf("a record cannot be written as JSON: %w", err)
		}
	}
	deadline, _ := ctx.Deadline()                                                                  // zero for none
	if err := f.file.SetWriteDeadline(deadline); err != nil && !errors.Is(err, os.ErrNoDeadline) { // which a disk has not
		return err
	}
	n, err := f.file.Write(f.lines.Bytes())
	if err != nil {
		f.torn = f.torn || n > 0
		if n > 0 && f.lines.Bytes()[n-1] == '\n' {
			f.torn = false
		}
		return err
	}
	f.torn = false
	return nil
}

// follow opens the path anew where the file is no longer there, or another is.
func (f *File) follow() error {
	if f.file != nil {
		now, err := os.Stat(f.path)
		if err == nil && os.SameFile(now, f.opened) {
			return nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		_ = f.file.Close() // what was to be written has been
		f.file = nil
	}
	return f.open()
}

// Close closes the file.
func (f *File) Close() error {
	if f.file == nil {
		return nil
	}
	return f.file.Close()
}

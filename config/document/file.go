package document

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// MaxFile is how many bytes a file may have: far more than anybody writes, and few
// enough to be read into memory.
const MaxFile = 32 << 20

// ReadFile reads a file as os.ReadFile does, but for what would never end: a device
// is refused, as is what has more than MaxFile bytes, and a pipe that nobody writes
// to is empty. Its error is an *os.PathError.
func ReadFile(path string) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // to open a pipe would wait for who writes to it
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	wrong := func(err error) ([]byte, error) { return nil, &os.PathError{Op: "read", Path: path, Err: err} }
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, err
	case info.Mode()&os.ModeDevice != 0:
		return wrong(errors.New("it is a device and no file"))
	}
	content, err := io.ReadAll(io.LimitReader(file, MaxFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(content) > MaxFile:
		return wrong(fmt.Errorf("it has more than %d MiB", MaxFile>>20))
	}
	return content, nil
}

package config

import (
	"crypto/sha256"
	"maps"

	"muster/config/document"
)

// files remembers what was read of each file that a configuration is made of, and
// of each that was looked for and is not there: when any of them reads otherwise,
// the configuration is no longer what the files say. It goes by content, so a
// mounted folder whose links are swapped counts, and a file that is touched does not.
// It is not for concurrent use.
type files struct{ seen map[string]digest }

type digest [sha256.Size]byte

func newFiles() *files { return &files{seen: map[string]digest{}} }

// read is document.ReadFile, remembered.
func (f *files) read(path string) ([]byte, error) {
	content, err := document.ReadFile(path)
	f.seen[path] = digestOf(content, err)
	return content, err
}

// has tells whether the file was read, or looked for.
func (f *files) has(path string) bool {
	_, ok := f.seen[path]
	return ok
}

// digest is what was read of a file, the zero digest if it was not.
func (f *files) digest(path string) digest { return f.seen[path] }

// same tells whether all of the files read the same in both. Nil reads like none.
func (f *files) same(other *files) bool { return f != nil && maps.Equal(f.seen, other.seen) }

// again reads all of the files once more.
func (f *files) again() *files {
	now := newFiles()
	for path := range f.seen {
		_, _ = now.read(path) // that it cannot be read is remembered
	}
	return now
}

// digestOf tells contents apart, and a file that cannot be read from all of them.
func digestOf(content []byte, err error) digest {
	if err != nil {
		return sha256.Sum256([]byte("unread: " + reason(err)))
	}
	return sha256.Sum256(append([]byte("read: "), content...))
}

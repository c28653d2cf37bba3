package config

import (
	"crypto/sha256"
	"os"
	"sync"
)

// files remembers what was read of each file that a configuration is made of, and
// of each that was looked for and is not there: when any of them reads otherwise,
// the configuration is no longer what the files say. It goes by content, so a
// mounted folder whose links are swapped counts, and a file that is touched does not.
type files struct {
	mu   sync.Mutex
	seen map[string]digest
}

type digest [sha256.Size]byte

func newFiles() *files { return &files{seen: map[string]digest{}} }

// read is os.ReadFile, remembered.
func (f *files) read(path string) ([]byte, error) {
	content, err := os.ReadFile(path)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen[path] = digestOf(content, err)
	return content, err
}

// digest is what was read of a file, the zero digest if it was not.
func (f *files) digest(path string) digest {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen[path]
}

// changed tells whether any of the files reads otherwise than it did.
func (f *files) changed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for path, before := range f.seen {
		content, err := os.ReadFile(path)
		if digestOf(content, err) != before {
			return true
		}
	}
	return false
}

// again reads all of the files once more.
func (f *files) again() *files {
	f.mu.Lock()
	defer f.mu.Unlock()
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

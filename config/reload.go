package config

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"time"

	"muster/adapters"
	"muster/config/document"
)

// lookEvery is how often a watched configuration is compared with its files. They
// are few and small, and reading them tells more than the events of a file system:
// a mounted folder is swapped by its links, and not every file system has events.
const lookEvery = time.Second

// Reload is what became of a change.
type Reload struct {
	// File is in force from now on; nil when Err tells why the one before stays.
	File *File
	Err  error
	// Restart tells that the change is about what a running process cannot change
	// as well (Static): that part waits for a restart.
	Restart bool
}

// Watch follows a configuration until ctx ends. Whenever one of the files it was
// made of reads otherwise (unless `reload.watch` is false) and no longer changes,
// or something comes from now, all is read anew and its inline tests are run
// (unless `reload.test` is false). What became of it is told; a mistake is told
// once, and changes nothing.
func (f *File) Watch(ctx context.Context, now <-chan struct{}, tell func(Reload)) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	running, last := f.Static, f.files // last: of the last attempt
	var settling *files                // as of the last look; still being written, if the next sees others
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			if !f.dynamic.reload.watch {
				continue
			}
			before := settling
			if settling = last.again(); settling.same(last) || !before.same(settling) {
				continue
			}
		case <-now:
		}
		last, settling = newFiles(), nil
		next, err := f.next(ctx, last)
		if err == nil {
			err = next.opens(running.Listen)
		}
		if err != nil {
			tell(Reload{Err: err})
			continue
		}
		tell(Reload{File: next, Restart: !reflect.DeepEqual(next.Static, running)})
		f.retire(next)
		f.retireTable(next)
		f = next
	}
}

// opens refuses to let everybody in where more than this machine can reach the
// listeners, and callers with certificates where the admin listener would take those too:
// they stay what they are until a restart, whatever the file says of them.
func (f *File) opens(running Listen) error {
	if f.hasCertificates() && running.adminTakesCallers() {
		return fmt.Errorf("%s: who has a caller's certificate would have the admin listener as well, which listens on %s until a restart", f.root.File(), running.Admin)
	}
	for _, address := range []string{running.Address, running.Admin} {
		if f.dynamic.callers == nil && !Loopback(address) {
			return fmt.Errorf("%s: without `callers` everybody who reaches %s may ask for everybody, and it is listened there until a restart", f.root.File(), address)
		}
	}
	return nil
}

// next reads the configuration anew.
func (f *File) next(ctx context.Context, files *files) (*File, error) {
	next, err := load(f.root.File(), files)
	if err != nil {
		return nil, err
	}
	if next.dynamic.reload.test {
		if failed := adapters.Problems(next.test(ctx)); failed != nil {
			return nil, &document.Error{Problems: failed}
		}
	}
	return next, nil
}

// retire closes the idle connections of sources that the next file does not go on
// with. Those in use end with the lookups that use them.
func (f *File) retire(next *File) {
	kept := map[http.RoundTripper]bool{}
	for _, s := range next.sources {
		kept[s.transport] = true
	}
	for _, s := range f.sources {
		if t, ok := s.transport.(*http.Transport); ok && !kept[s.transport] {
			t.CloseIdleConnections()
		}
	}
}

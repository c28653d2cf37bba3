package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"muster/adapters"
	"muster/adapters/draft"
	"muster/config"
)

// saveTests makes an inline test of each reply and tells where it went. It is false
// when one could not be made.
func (l *lookup) saveTests(ctx context.Context) bool {
	out, well := l.out, true
	if l.output == "json" { // a document is not to be spoilt
		out = l.err
	} else {
		_, _ = io.WriteString(out, "\n")
	}
	name := "a reply of " + time.Now().UTC().Format("2006-01-02 15:04:05") + ", with fakes"
	for i, s := range l.answer.Sources[:len(l.recorders)] { // links that fail stand behind them
		if l.recorders[i].Query().IDs == nil {
			continue // not asked
		}
		definition, file, own := l.file.Definition(s.Source)
		item, err := definition.SaveTest(ctx, name, l.source(i), l.recorders[i], draft.Fake)
		if errors.Is(err, adapters.ErrNoReply) {
			_, _ = fmt.Fprintf(out, "%s: nothing to save: %v\n", s.Source, err)
			continue
		}
		var where string
		if err == nil {
			where, err = l.saveTest(ctx, out, definition.Name, file, own, item)
		}
		if err != nil {
			well = false
			_, _ = fmt.Fprintf(l.err, "%s: the reply is not saved: %v\n", s.Source, err)
			continue
		}
		_, _ = fmt.Fprintf(out, "%s: %s\n", s.Source, where)
	}
	return well
}

// saveTest puts a test where it belongs, and says where that is.
func (l *lookup) saveTest(ctx context.Context, out io.Writer, definition, file string, own bool, item string) (string, error) {
	if own {
		return "a test is appended to " + file, config.AppendTest(ctx, file, item)
	}
	if l.save == inPlace {
		beside := filepath.Join(filepath.Dir(l.config), "providers", definition+".yaml")
		_, err := fmt.Fprintf(out, "# %s\n%s\n", beside, config.TestFile(definition, item))
		return "its definition is inside the program: keep the lines above as " + beside + ", or name a folder with --save=FOLDER", err
	}
	path := l.save
	if info, err := os.Stat(path); strings.HasSuffix(path, "/") || err == nil && info.IsDir() {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return "", err
		}
		path = filepath.Join(path, definition+".test.yaml")
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "a test is written to " + path, config.WriteTest(ctx, path, definition, item)
	}
	return "a test is appended to " + path, config.AppendTest(ctx, path, item)
}

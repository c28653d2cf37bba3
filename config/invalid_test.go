package config_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/config"
	"muster/config/document"
)

var update = flag.Bool("update", false, "write the messages that are, in place of those that should be")

// Every file of testdata/invalid has one mistake, and beside it the message that
// people get for it, word for word.
func TestInvalid(t *testing.T) {
	several := map[string]int{"callers-nobody": 2, "ten-mistakes": 10, "without-with": 2}
	t.Setenv("MUSTER_TEST_EMPTY", "")
	files, err := filepath.Glob("testdata/invalid/*.yaml")
	if err != nil || len(files) < 40 {
		t.Fatalf("found %d files, %v", len(files), err)
	}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		t.Run(name, func(t *testing.T) {
			_, err := config.Load(path)
			if err == nil {
				t.Fatal("it has no mistake")
			}
			golden := strings.TrimSuffix(path, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(err.Error()+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, readErr := os.ReadFile(golden)
			if readErr != nil {
				t.Fatal(readErr)
			}
			if diff := cmp.Diff(string(want), err.Error()+"\n"); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			mistakes := 1
			if n, ok := several[name]; ok {
				mistakes = n
			}
			if found := (*document.Error)(nil); !errors.As(err, &found) || len(found.Problems) != mistakes {
				t.Errorf("%d mistakes are told, not %d:\n%v", strings.Count(err.Error(), ": error: "), mistakes, err)
			}
		})
	}
}

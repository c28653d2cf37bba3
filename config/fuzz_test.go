package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"muster/config"
	"muster/config/document"
)

// FuzzParse holds the gateway's file to its promise on any bytes: a File that
// can be asked, or an error that lists mistakes, each within its file.
func FuzzParse(f *testing.F) {
	paths, err := filepath.Glob("testdata/invalid/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range append(paths, "testdata/example/gateway.yaml") {
		content, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Setenv("MUSTER_TEST_KOBIL", "x")
	f.Setenv("MUSTER_TEST_SHIFT", "x")
	tel := telemetry(f)
	f.Fuzz(func(t *testing.T, content []byte) {
		if strings.Contains(string(content), "/dev") || strings.Contains(string(content), "/proc") {
			t.Skip("not every file ends")
		}
		file, err := config.Parse("testdata/invalid/fuzzed.yaml", content)
		if err == nil {
			if live := file.Live(tel, nil, nil); len(live.Sources) == 0 || len(live.Tenants) == 0 {
				t.Error("nobody can be asked")
			}
			_ = file.Show()
			return
		}
		var listed *document.Error
		if !errors.As(err, &listed) || len(listed.Problems) == 0 {
			t.Fatalf("not a list of mistakes: %v", err)
		}
		for _, p := range listed.Problems {
			if p.Line < 1 || p.Column < 1 || p.File == "" || p.Message == "" {
				t.Errorf("nowhere: %+v", p)
			}
		}
	})
}

package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// What somebody wrote while the tests ran is not written over, and nothing is
// left lying about.
func TestAFileThatChangesMeanwhileIsLeftAsItIs(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "badges.yaml")
	if err := os.WriteFile(path, []byte("theirs"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(path, []byte("as it was read"), []byte("ours")); !errors.Is(err, errMeanwhile) {
		t.Errorf("error %v", err)
	}
	if content, err := os.ReadFile(path); err != nil || string(content) != "theirs" {
		t.Errorf("%q, %v", content, err)
	}
	if err := replaceFile(path, []byte("theirs"), []byte("ours")); err != nil {
		t.Error(err)
	}
	if content, err := os.ReadFile(path); err != nil || string(content) != "ours" {
		t.Errorf("%q, %v", content, err)
	}
	if err := replaceFile(filepath.Join(dir, "none.yaml"), nil, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

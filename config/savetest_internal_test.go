package config

import (
	"os"
	"path/filepath"
	"testing"
)

// TestReplaceFileChangedMeanwhile: what somebody else has written stays.
func TestReplaceFileChangedMeanwhile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "p.yaml")
	if err := os.WriteFile(path, []byte("theirs"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := replaceFile(path, []byte("as read"), []byte("ours"))
	if want := path + ": somebody else has changed it meanwhile; nothing is written"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if content, _ := os.ReadFile(path); string(content) != "theirs" {
		t.Errorf("the file is %q", content)
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

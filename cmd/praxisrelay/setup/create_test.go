package setup

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestCreate checks that both ways of creating a file create it completely, and never over another
// one.
func TestCreate(t *testing.T) {
	for name, create := range map[string]func(string, fs.FileMode, []byte) error{"createFile": createFile, "createNamed": createNamed} {
		folder := t.TempDir()
		path := filepath.Join(folder, "file")
		if err := create(path, 0o604, []byte("text")); err != nil {
			t.Fatal(err)
		}
		if err := create(path, 0o600, []byte("another")); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s over a file: %v", name, err)
		}
		text, _ := os.ReadFile(path)
		info, err := os.Stat(path)
		if entries, _ := os.ReadDir(folder); err != nil || len(entries) != 1 || info.Mode() != 0o604 ||
			string(text) != "text" {
			t.Errorf("%s made %v: %v %q", name, entries, info, text)
		}
		if err := create(filepath.Join(folder, "none", "file"), 0o600, nil); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s into a missing folder: %v", name, err)
		}
	}
}

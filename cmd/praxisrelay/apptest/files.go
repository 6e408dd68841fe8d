package apptest

import (
	"os"
	"path/filepath"
	"testing"
)

// WriteFile writes a file with exactly these permissions.
func WriteFile(t *testing.T, file, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, mode); err != nil {
		t.Fatal(err)
	}
}

// InTree returns the path of a file of the project, whose root is above the test.
func InTree(path ...string) string {
	for root := "."; ; root = filepath.Join("..", root) {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			return filepath.Join(append([]string{root}, path...)...)
		}
	}
}

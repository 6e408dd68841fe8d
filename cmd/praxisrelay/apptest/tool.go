package apptest

import (
	"os"
	"os/exec"
	"testing"
)

// Tool returns the path of a program that a test needs. Without the program the test is skipped,
// which `make test` reports at its end; in CI it fails.
func Tool(t testing.TB, name, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Skip(t, name+" is missing: install Debian's package "+debianPackage)
	}
	return path
}

// Skip skips a test that the host cannot run, and records that in the report of `make test`.
func Skip(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(reason)
	}
	if list := os.Getenv("PRAXISRELAY_TEST_SKIPPED"); list != "" {
		if f, err := os.OpenFile(list, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
			f.WriteString(t.Name() + ": " + reason + "\n")
			f.Close()
		}
	}
	t.Skip(reason)
}

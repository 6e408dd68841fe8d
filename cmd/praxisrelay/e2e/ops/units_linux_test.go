package ops

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"praxisrelay/cmd/praxisrelay/apptest"
)

// TestTheUnitsAreSound checks that systemd accepts every line, and rates the service as exposed to
// little more than the network, which it needs.
func TestTheUnitsAreSound(t *testing.T) {
	t.Parallel()
	apptest.Tool(t, "systemd-analyze", "systemd")
	units, err := filepath.Glob(apptest.InTree("systemd/praxisrelay*.*"))
	if err != nil || len(units) < 4 {
		t.Fatal(units, err)
	}
	// The program is not installed here.
	folder := t.TempDir()
	for _, unit := range units {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		text = bytes.ReplaceAll(text, []byte("/usr/bin/praxisrelay "), []byte("/bin/true "))
		text = bytes.ReplaceAll(text, []byte("man:praxisrelay(1) "), nil)
		if err := os.WriteFile(filepath.Join(folder, filepath.Base(unit)), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, unit := range units {
		name := filepath.Base(unit)
		out, err := exec.Command("systemd-analyze", "verify",
			"--man=no", filepath.Join(folder, name)).CombinedOutput()
		if err != nil || strings.Contains(string(out), folder) {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
	const most = "12" // tenths
	out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold="+most,
		filepath.Join(folder, "praxisrelay.service")).CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if _, overall, ok := strings.Cut(string(out), "Overall exposure level "); !ok {
		t.Errorf("no level in %s", out)
	} else {
		t.Logf("overall exposure level %s", strings.TrimSpace(overall))
	}
}

package cli_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"praxisrelay/cmd/praxisrelay/apptest"
)

// TestASecretThatIsMountedReadOnly checks that for a world-readable secret on a read-only mount, as
// in containers, the suggested remedy is possible there.
func TestASecretThatIsMountedReadOnly(t *testing.T) {
	t.Parallel()
	apptest.Tool(t, "unshare", "util-linux")
	file, folder := apptest.WriteConfig(t)
	mounted := filepath.Join(folder, "turn.secret")
	apptest.WriteFile(t, mounted, "a secret of some length", 0o444)
	const mount = `mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"`
	check := apptest.Program("config", "check", "--config", file)
	c := exec.Command("unshare", append([]string{"--mount", "sh", "-ec", mount, mounted}, check.Args...)...)
	c.Env = check.Env
	out, err := c.CombinedOutput()
	for _, want := range []string{"everybody on this host may read " + mounted, "defaultMode: 0400",
		"mode: 0400 and the uid"} {
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%v, and %q is not in\n%s", err, want, out)
		}
	}
}

package ops

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"praxisrelay/cmd/praxisrelay/apptest"
)

// container is a booted Debian with systemd as its first process.
type container struct {
	root string // the root of its file system
	pid  int    // of its first process
}

// inOwnCgroup keeps two containers on one machine out of each other's units: it creates the group
// $0 in systemd's hierarchies and runs the rest in it.
const inOwnCgroup = `for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
	[ -e $hierarchy/cgroup.procs ] || continue
	mkdir $hierarchy/$0
	echo $$ >$hierarchy/$0/cgroup.procs
done
exec "$@"`

// bootDebian boots a fresh container in a network namespace, and powers it off when the test ends.
func bootDebian(t *testing.T, namespace string) *container {
	t.Helper()
	nspawn := apptest.Tool(t, "systemd-nspawn", "systemd-container")
	apptest.Tool(t, "debootstrap", "debootstrap")
	if out, err := exec.Command(apptest.InTree(".ci/debian")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := exec.Command("ip", "-netns", namespace, "link", "set", "lo",
		"up").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	c := &container{root: t.TempDir()}
	if out, err := exec.Command("tar", "-C", c.root, "-xf",
		apptest.InTree("build/debian.tar")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	// It reports its first process's number, and the end of booting, as a service would.
	path := filepath.Join(t.TempDir(), "notify")
	notices, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer notices.Close()
	boot := exec.Command("sh", "-ec", inOwnCgroup, namespace, nspawn, "--directory", c.root,
		"--boot", "--network-namespace-path=/run/netns/"+namespace,
		"--register=no", "--keep-unit", "--notify-ready=yes", "--console=pipe", "--machine="+namespace)
	boot.Env = append(os.Environ(), "NOTIFY_SOCKET="+path)
	if err := boot.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- boot.Wait() }()
	t.Cleanup(func() {
		_ = boot.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(30 * time.Second):
			t.Error("the container was not powered off")
			_ = boot.Process.Kill()
		}
		_ = exec.Command("sh", "-c",
			"find /sys/fs/cgroup/*/$0 /sys/fs/cgroup/$0 -depth -type d -exec rmdir {} + 2>/dev/null",
			namespace).Run()
	})
	_ = notices.SetReadDeadline(time.Now().Add(2 * time.Minute))
	for ready := false; !ready; {
		var b [4096]byte
		n, err := notices.Read(b[:])
		if err != nil {
			t.Fatalf("the container does not boot: %v", err)
		}
		for line := range strings.Lines(string(b[:n])) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			switch key {
			case "X_NSPAWN_LEADER_PID":
				c.pid, _ = strconv.Atoi(value)
			case "READY":
				ready = true
			}
		}
	}
	return c
}

// command returns a command that runs in the container as root.
func (c *container) command(args ...string) *exec.Cmd {
	return exec.Command("nsenter",
		append([]string{"-t", strconv.Itoa(c.pid), "-m", "-u", "-i", "-n", "-p", "-C"}, args...)...)
}

// run runs a line of shell in the container to its end, and returns the output.
func (c *container) run(t *testing.T, line string) string {
	t.Helper()
	out, err := c.command("sh", "-ec", line).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s\n%s", line, err, out, c.journal())
	}
	return strings.TrimSpace(string(out))
}

// try is run for commands that may fail: it also reports whether it succeeded.
func (c *container) try(line string) (string, bool) {
	out, err := c.command("sh", "-ec", line).CombinedOutput()
	return strings.TrimSpace(string(out)), err == nil
}

// journal is the end of the units' log.
func (c *container) journal() string {
	out, _ := c.try("journalctl --no-pager --lines 60 --unit 'praxisrelay*'")
	return out
}

// put writes a file in the container.
func (c *container) put(t *testing.T, path string, mode os.FileMode, text string) {
	t.Helper()
	path = filepath.Join(c.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// inside runs f in a host's network. Sockets that f opens stay there.
func inside(h apptest.Hosts, i int, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		namespace, err := os.Open("/run/netns/" + h[i])
		if err == nil {
			defer namespace.Close()
			err = unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET)
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

package ops

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/config"
	"praxisrelay/config/firewall"
	"praxisrelay/config/lang"
)

// TestFirewalldTakesTheService checks that firewalld reads the service with all its ports.
func TestFirewalldTakesTheService(t *testing.T) {
	t.Parallel()
	offline := apptest.Tool(t, "firewall-offline-cmd", "firewalld")
	c, err := config.Load(apptest.InTree("docs/praxisrelay.example.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	c.Relay.Peers, c.Listen.HTTP, c.Name = config.Open, ":80", "xn--praxis-kln-w5a.example.org"
	plan, err := firewall.New(c, firewall.Site{AsOf: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	for _, language := range []lang.Language{lang.German, lang.English} {
		var text strings.Builder
		if err := plan.Write(&text, "firewalld", language); err != nil {
			t.Fatal(err)
		}
		folder := t.TempDir()
		file := filepath.Join(folder, "service.xml")
		apptest.WriteFile(t, file, text.String(), 0o600)
		apptest.WriteFile(t, filepath.Join(folder, "firewalld.conf"), "DefaultZone=public\n", 0o600)
		run := func(args ...string) string {
			t.Helper()
			out, err := exec.Command(offline,
				append([]string{"--system-config", folder}, args...)...).CombinedOutput()
			if err != nil {
				t.Fatalf("%q: %v\n%s\n%s", args, err, out, text.String())
			}
			return string(out)
		}
		run("--new-service-from-file="+file, "--name=praxisrelay")
		run("--check-config")
		if got := run("--info-service=praxisrelay"); !strings.Contains(got,
			" ports: 443/tcp 3478/udp 3479/udp 3478/tcp 3479/tcp 5349/tcp 5350/tcp 49152-65535/udp 80/tcp\n") {
			t.Errorf("firewalld understood\n%s", got)
		}
	}
}

// firewalldOn runs firewalld on a host, with its own message bus and configuration, and returns a
// function that loads a service.
func firewalldOn(t *testing.T, h apptest.Hosts) (load func(service string)) {
	t.Helper()
	dbus, daemon := apptest.Tool(t, "dbus-daemon", "dbus-daemon"), apptest.Tool(t, "firewalld", "firewalld")
	folder := t.TempDir()
	bus := filepath.Join(folder, "bus")
	configuration := filepath.Join(folder, "bus.conf")
	apptest.WriteFile(t, configuration, `<busconfig><type>system</type><listen>unix:path=`+bus+`</listen><auth>EXTERNAL</auth><policy context="default">
<allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy></busconfig>`, 0o600)
	run := func(c *exec.Cmd) {
		c.Env = append(os.Environ(), "DBUS_SYSTEM_BUS_ADDRESS=unix:path="+bus)
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	}
	until := func(what string, is func() bool) {
		t.Helper()
		for began := time.Now(); !is(); {
			if time.Since(began) > time.Minute {
				t.Fatal(what)
			}
		}
	}
	run(exec.Command(dbus, "--config-file", configuration, "--nofork"))
	until("there is no message bus", func() bool { _, err := os.Stat(bus); return err == nil })

	settings := filepath.Join(folder, "firewalld")
	if err := os.MkdirAll(filepath.Join(settings, "services"), 0o700); err != nil {
		t.Fatal(err)
	}
	apptest.WriteFile(t, filepath.Join(settings, "firewalld.conf"),
		"DefaultZone=public\nFirewallBackend=nftables\n", 0o600)
	run(h.On(0, exec.Command(daemon, "--nofork", "--nopid", "--system-config", settings,
		"--log-file", filepath.Join(folder, "log"))))
	try := func(args ...string) ([]byte, error) {
		c := h.On(0, exec.Command("firewall-cmd", args...))
		c.Env = append(os.Environ(), "DBUS_SYSTEM_BUS_ADDRESS=unix:path="+bus)
		return c.CombinedOutput()
	}
	until("firewalld does not run", func() bool { _, err := try("--state"); return err == nil })
	command := func(args ...string) {
		t.Helper()
		if out, err := try(args...); err != nil {
			t.Fatalf("firewall-cmd %q: %v: %s", args, err, out)
		}
	}
	return func(service string) {
		t.Helper()
		apptest.WriteFile(t, filepath.Join(settings, "services", "praxisrelay.xml"), service, 0o600)
		command("--reload")
		command("--add-service", "praxisrelay")
	}
}

// TestFirewalldLetsCallsThrough checks that with the service, calls pass over every transport and
// address family, and that everything else is closed, including ports left out of the service.
func TestFirewalldLetsCallsThrough(t *testing.T) {
	t.Parallel()
	h, folder, plan := apptest.Guard(t)
	listenOn(t, h[0], ":8080")
	loadService := firewalldOn(t, h)
	load := func(without string) {
		t.Helper()
		plan := plan
		plan.Rows = slices.DeleteFunc(slices.Clone(plan.Rows), func(r firewall.Row) bool {
			return r.ID == without
		})
		var text strings.Builder
		if err := plan.Write(&text, "firewalld", lang.German); err != nil {
			t.Fatal(err)
		}
		loadService(text.String())
	}
	var running sync.WaitGroup
	check := func(network, address string, want bool) {
		running.Go(func() {
			patience := map[bool]time.Duration{true: openTime, false: closedTime}[want]
			if got := opens(h[1], network, address, patience); got != want {
				t.Errorf("%s %s: open is %v, want %v", network, address, got, want)
			}
		})
	}
	load("")
	for i, server := range apptest.Guarded {
		check("tcp", net.JoinHostPort(server, "8080"), false)
		for j := range callFlags {
			credential := apptest.DoctorCredential(t, folder, fmt.Sprintf("a-%d-%d", i, j))
			running.Go(func() { callOver(t, h, credential, server, callFlags[j]) })
		}
	}
	running.Wait()
	for _, out := range guardedWays {
		load(out.id)
		for _, way := range guardedWays {
			check(way.network, net.JoinHostPort(apptest.Guarded[0], way.port), way != out)
		}
		running.Wait()
	}
}

package ops

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pion/logging"
	"github.com/pion/turn/v4"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/cmd/praxisrelay/secrets"
	"praxisrelay/relay/certificate/certificatetest"
	"praxisrelay/signal/admin/adminclient"
	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/client"
	"praxisrelay/signal/code"
)

const (
	serverAddress = "10.78.0.1"
	serverName    = "relay.example.org"
	certificates  = "/etc/letsencrypt/live/" + serverName
)

// TestInstalledOnDebian does what an administrator does with the package, on a booted Debian:
// installation, a call, a reload, an upgrade, removal and purge, with the shipped unit.
func TestInstalledOnDebian(t *testing.T) {
	t.Parallel()
	apptest.Tool(t, "dpkg-deb", "dpkg")
	h := apptest.NewHosts(t, [2]string{serverAddress + "/24", "10.78.0.2/24"})
	first, second := packagesOf(t, "1.0.0"), packagesOf(t, "1.0.1")
	c := bootDebian(t, h[0])
	dialer := prepare(t, h, c, one(t, first, "*.deb"), one(t, second, "*.deb"))

	began := time.Now()
	lap := func(what string) { t.Logf("%s after %v", what, time.Since(began).Round(10*time.Millisecond)) }
	c.run(t, "dpkg --install /root/1.0.0.deb")
	lap("installed")
	if out, ok := c.try("systemctl start praxisrelay"); ok || !strings.Contains(out, "praxisrelay") {
		t.Errorf("it was started without a configuration: %s", out)
	}
	c.run(t, fmt.Sprintf("praxisrelay init --non-interactive --name %s --cert %s/fullchain.pem --key %[2]s/privkey.pem", serverName, certificates))
	// The folder's appointments from the time before dynamic users are taken over.
	c.run(t, `install -d -m 700 -o 998 -g 998 /var/lib/praxisrelay
		install -m 600 -o 998 -g 998 /dev/null /var/lib/praxisrelay/registry.db`)
	c.run(t, "systemctl enable --now praxisrelay")
	lap("serving")
	seats := c.makeCodes(t, dialer)
	call := callAcross(t, h, dialer, seats)
	call.echo(t, nil)
	lap("the first relayed packet, since dpkg --install,")

	reload := func() {
		t.Helper()
		done := make(chan error, 1)
		c.run(t, "sed -i 's/max_session: .*/max_session: 12h/' /etc/praxisrelay/praxisrelay.yaml")
		reloading := c.command("systemctl", "reload", "praxisrelay")
		if err := reloading.Start(); err != nil {
			t.Fatal(err)
		}
		go func() { done <- reloading.Wait() }()
		packets := call.echo(t, done)
		t.Logf("%d packets there and back during the reload", packets)
	}
	reload()
	if log := c.run(t, "journalctl --no-pager --unit praxisrelay"); !strings.Contains(log,
		"reloaded") || !strings.Contains(log, "relay.max_session") {
		t.Errorf("nothing was reloaded:\n%s", log)
	}
	call.end()

	// A stopped server stays stopped: no client starts it again.
	c.run(t, "systemctl stop praxisrelay")
	if _, err := client.GetInfo(t.Context(), dialer.HTTP, dialer.Server); err == nil {
		t.Error("a stopped server answers")
	}
	c.run(t, "systemctl start praxisrelay")

	const files = "cd /etc/praxisrelay && sha256sum praxisrelay.yaml *.secret tls/*"
	configuration := c.run(t, files)
	const process = "systemctl show --value --property MainPID praxisrelay"
	former := c.run(t, process)
	c.run(t, "dpkg --install /root/1.0.1.deb")
	for now := former; now == former || now == "0"; {
		now = c.run(t, process)
	}
	c.run(t, "systemctl start praxisrelay") // waits until it is ready
	if version := c.run(t, "praxisrelay --version"); version != "praxisrelay version 1.0.1" {
		t.Errorf("after the upgrade: %s", version)
	}
	if after := c.run(t, files); after != configuration {
		t.Errorf("the upgrade changed\n%s\nto\n%s", configuration, after)
	}
	call = callAcross(t, h, dialer, seats) // with the same codes
	call.echo(t, nil)

	// The journal does not show a refused system call, but it shows a daemon that is killed for it.
	c.put(t, "/etc/systemd/system/praxisrelay.service.d/kill.conf", 0o644,
		"[Service]\nSystemCallErrorNumber=kill\n")
	call.end()
	c.run(t, "systemctl daemon-reload && systemctl restart praxisrelay")
	call = callAcross(t, h, dialer, seats)
	reload()
	c.run(t, "praxisrelay code list && praxisrelay code backup /root/backup.db")
	call.end()
	c.callItself(t)
	c.run(t, "systemctl restart praxisrelay")
	if restarts := c.run(t, "systemctl show --value --property NRestarts praxisrelay"); restarts != "0" {
		t.Errorf("it was restarted %s times", restarts)
	}
	c.checkJournal(t)
	c.put(t, "/etc/systemd/system/praxisrelay.service.d/refused.conf", 0o644,
		"[Service]\nType=oneshot\nRestart=no\nExecStart=\nExecStart=/bin/chown root /dev/null\n")
	if _, ok := c.try("systemctl daemon-reload && systemctl restart praxisrelay"); ok ||
		!strings.Contains(c.journal(), "status=31/SYS") {
		t.Errorf("a refused system call does not show:\n%s", c.journal())
	}
	c.run(t, "rm /etc/systemd/system/praxisrelay.service.d/refused.conf && systemctl daemon-reload && systemctl restart praxisrelay")

	call = callAcross(t, h, dialer, seats)
	c.mistakes(t, call, dialer)
	lap("mistakes made")

	c.run(t, "dpkg --remove praxisrelay")
	if _, err := client.GetInfo(t.Context(), dialer.HTTP, dialer.Server); err == nil {
		t.Error("a removed server answers")
	}
	if left := c.run(t, files); left != configuration {
		t.Errorf("the removal left\n%s\nof\n%s", left, configuration)
	}
	c.run(t, "test -s /var/lib/private/praxisrelay/registry.db")
	c.run(t, "dpkg --purge praxisrelay && systemctl daemon-reload")
	if left := c.run(t, "find / -xdev -path /var/log -prune -o -iname '*praxisrelay*' -print"); left != "" {
		t.Errorf("the purge left %s", left)
	}
	if units := c.run(t, "systemctl list-units --all --no-legend 'praxisrelay*'; systemctl list-unit-files --no-legend 'praxisrelay*' || true"); units != "" {
		t.Errorf("the purge left %s", units)
	}
	c.run(t, "test -s "+certificates+"/privkey.pem") // not the package's
}

// mistakes checks that an upgrade keeps the running program if the new one would not start, and
// that a start that fails shows as failed: immediately if the configuration is wrong, otherwise
// within a minute.
func (c *container) mistakes(t *testing.T, call *relayedCall, dialer client.Dialer) {
	t.Helper()
	const (
		process = "systemctl show --value --property MainPID praxisrelay"
		state   = "systemctl show --value --property Result,NRestarts,ExecMainStatus,ActiveState praxisrelay | xargs"
		failed  = "systemctl list-units --failed --no-legend praxisrelay.service"
		change  = "cp -p /etc/praxisrelay/praxisrelay.yaml /root && sed -i 's/%s: .*/%[1]s: %s/' /etc/praxisrelay/praxisrelay.yaml"
		restore = "cp -p /root/praxisrelay.yaml /etc/praxisrelay"
	)
	former := c.run(t, process)
	c.run(t, fmt.Sprintf(change, "max_per_seat", "0"))
	said := c.run(t, "dpkg --install /root/1.0.0.deb")
	for _, want := range []string{"relay.max_per_seat: 0 is out of bounds", "the former one runs on"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in\n%s", want, said)
		}
	}
	call.echo(t, nil)
	call.end() // so that no restart waits for the call
	if now := c.run(t, process); now != former {
		t.Errorf("the upgrade ended the daemon with a mistake in its configuration: %s, and then %s",
			former, now)
	}
	if _, ok := c.try("systemctl restart praxisrelay"); ok {
		t.Error("the daemon starts with a mistake in its configuration")
	}
	if got := c.run(t, state); got != "exit-code 0 78 failed" || c.run(t, failed) == "" {
		t.Errorf("with a mistake in its configuration the unit is %q, and the failed units are %q", got,
			c.run(t, failed))
	}
	// Clients do not start it again and again.
	if _, err := client.GetInfo(t.Context(), dialer.HTTP, dialer.Server); err == nil {
		t.Error("a server with a mistake in its configuration answers")
	}
	if got := c.run(t, state); got != "exit-code 0 78 failed" {
		t.Errorf("after a client's visit the unit is %q", got)
	}
	c.run(t, restore+" && systemctl start praxisrelay")

	// Restarting ends at some point, although each start takes ten seconds.
	if limits := c.run(t, "systemctl show --value --property RestartUSec,StartLimitIntervalUSec,StartLimitBurst praxisrelay | xargs"); limits != "2s 5min 20" {
		t.Errorf("the unit restarts with the limits %s", limits)
	}
	c.put(t, "/etc/systemd/system/praxisrelay.service.d/hurry.conf", 0o644, "[Service]\nRestartSec=10ms\n")
	c.run(t, fmt.Sprintf(change, "turn_tcp", `["192.0.2.99:3478"]`))
	if _, ok := c.try("systemctl daemon-reload && systemctl restart praxisrelay"); ok {
		t.Error("the daemon starts although it cannot bind")
	}
	for began := time.Now(); c.run(t, state) != "exit-code 20 1 failed" && time.Since(began) < time.Minute; {
	}
	if c.run(t, failed) == "" {
		t.Errorf("the unit is %q, not failed", c.run(t, state))
	}
	c.run(t, restore+" && rm /etc/systemd/system/praxisrelay.service.d/hurry.conf && systemctl daemon-reload")
	c.run(t, "systemctl reset-failed praxisrelay && systemctl start praxisrelay && rm /root/praxisrelay.yaml")
}

// prepare puts the certificate and the packages where an administrator would have them, and returns
// the other host's way to the server.
func prepare(t *testing.T, h apptest.Hosts, c *container, packages ...string) client.Dialer {
	t.Helper()
	root := certificatetest.NewCA(t)
	chain, key := root.Issue(t, serverName, nil)
	c.put(t, certificates+"/fullchain.pem", 0o644, string(chain))
	const roots = "/etc/ssl/certs/ca-certificates.crt"
	c.put(t, roots, 0o644, string(root.PEM))
	c.put(t, certificates+"/privkey.pem", 0o600, string(key))
	for i, file := range packages {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c.put(t, fmt.Sprintf("/root/1.0.%d.deb", i), 0o644, string(text))
	}
	c.run(t, "echo "+serverAddress+" "+serverName+" >> /etc/hosts")
	trust, err := secrets.Trusting(filepath.Join(c.root, roots), false)
	if err != nil {
		t.Fatal(err)
	}
	trust.Transport.(*http.Transport).DialContext = func(ctx context.Context, _, _ string) (conn net.Conn, err error) {
		err = inside(h, 1, func() (err error) {
			conn, err = new(net.Dialer).DialContext(ctx, "tcp4", serverAddress+":443")
			return err
		})
		return conn, err
	}
	t.Cleanup(trust.CloseIdleConnections)
	return client.Dialer{HTTP: trust, Server: "https://" + serverName}
}

// makeCodes makes an appointment's codes with the command, and stretches them.
func (c *container) makeCodes(t *testing.T, dialer client.Dialer) (seats []adminclient.CreatedSeat) {
	t.Helper()
	var created apptest.MadeAppointment
	if err := json.Unmarshal([]byte(c.run(t, "praxisrelay code create --start now --json")),
		&created); err != nil {
		t.Fatal(err)
	}
	info, err := client.GetInfo(t.Context(), dialer.HTTP, dialer.Server)
	if err != nil {
		t.Fatalf("%v\n%s", err, c.journal())
	}
	for _, seat := range created.Seats {
		typed, err := code.Parse(seat.Code)
		if err != nil {
			t.Fatal(err)
		}
		keys, err := typed.Derive(info.Salt, info.Rounds)
		if err != nil {
			t.Fatal(err)
		}
		seats = append(seats, adminclient.CreatedSeat{Name: seat.Seat, Code: typed, Link: seat.Link, Keys: keys})
	}
	return seats
}

// callItself turns synthetic calls on until all arrive, and then off again.
func (c *container) callItself(t *testing.T) {
	t.Helper()
	set := func(interval string) {
		t.Helper()
		c.run(t, "sed -i 's/synthetic_calls: .*/synthetic_calls: "+interval+
			"/' /etc/praxisrelay/praxisrelay.yaml && systemctl reload praxisrelay")
	}
	set("10s")
	var status api.Status
	for began := time.Now(); len(status.Synthetic) == 0 && time.Since(began) < time.Minute; {
		if err := json.Unmarshal([]byte(c.run(t, "praxisrelay status --json")), &status); err != nil {
			t.Fatal(err)
		}
	}
	for _, call := range status.Synthetic {
		if call.Error != "" {
			t.Errorf("the daemon does not reach itself: %+v", call)
		}
	}
	if len(status.Synthetic) != 3 { // UDP, TCP and TLS
		t.Errorf("the daemon called itself %d times, want 3", len(status.Synthetic))
	}
	set("0s")
}

// relayedCall is two seats' TURN clients: the first sends, the second echoes.
type relayedCall struct {
	relayed [2]net.PacketConn
	closers []func()
	sent    uint64
}

// call joins both seats and makes their allocations from the second host, over UDP.
func callAcross(t *testing.T, h apptest.Hosts, dialer client.Dialer,
	seats []adminclient.CreatedSeat) *relayedCall {
	t.Helper()
	call := new(relayedCall)
	sessions, servers := apptest.Join(t, dialer, seats)
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	for i, ice := range servers {
		var socket net.PacketConn
		err := inside(h, 1, func() (err error) {
			socket, err = net.ListenPacket("udp4", ":0")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		c, err := turn.NewClient(&turn.ClientConfig{
			TURNServerAddr: serverAddress + ":3478", Conn: socket, LoggerFactory: quiet,
			Username: ice.Username, Password: ice.Credential,
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Listen(); err != nil {
			t.Fatal(err)
		}
		if call.relayed[i], err = c.Allocate(); err != nil {
			t.Fatal(err)
		}
		call.closers = append(call.closers, func() {
			_ = call.relayed[i].Close()
			c.Close()
			_ = socket.Close()
			_ = sessions[i].Close()
		})
		t.Cleanup(call.closers[i])
		if i == 1 {
			if err := c.CreatePermission(call.relayed[0].LocalAddr()); err != nil {
				t.Fatal(err)
			}
		}
	}
	go func() { // until the socket is closed
		var b [1500]byte
		for {
			n, from, err := call.relayed[1].ReadFrom(b[:])
			if err != nil {
				return
			}
			_, _ = call.relayed[1].WriteTo(b[:n], from)
		}
	}()
	return call
}

// echo sends packets there and back until do has returned, and one more. None may be lost. It
// returns their number.
func (call *relayedCall) echo(t *testing.T, done <-chan error) (packets int) {
	t.Helper()
	for last := done == nil; ; packets++ {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			last = true
		default:
		}
		call.sent++
		packet := binary.BigEndian.AppendUint64(nil, call.sent)
		if _, err := call.relayed[0].WriteTo(packet, call.relayed[1].LocalAddr()); err != nil {
			t.Fatal(err)
		}
		_ = call.relayed[0].SetReadDeadline(time.Now().Add(10 * time.Second))
		var b [1500]byte
		if n, _, err := call.relayed[0].ReadFrom(b[:]); err != nil || !bytes.Equal(b[:n], packet) {
			t.Fatalf("packet %d did not come back: %x, %v", call.sent, b[:n], err)
		}
		if last {
			return packets + 1
		}
	}
}

func (call *relayedCall) end() {
	for _, closer := range call.closers {
		closer()
	}
}

// checkJournal checks that nobody was refused and that there are no warnings.
func (c *container) checkJournal(t *testing.T) {
	t.Helper()
	bad := regexp.MustCompile(`(?i)not permitted|permission denied|seccomp|audit|SIGSYS|status=31|level=(WARN|ERROR)|panic`)
	for line := range strings.Lines(c.run(t, "journalctl --no-pager --unit 'praxisrelay*'")) {
		if bad.MatchString(line) {
			t.Errorf("the journal has: %s", line)
		}
	}
	// Only the start without a configuration may have caused warnings.
	for line := range strings.Lines(c.run(t,
		"journalctl --no-pager --quiet --priority warning --unit 'praxisrelay*'")) {
		if !strings.Contains(line, "Assertion failed") && !strings.Contains(line, "Dependency failed") {
			t.Errorf("the journal warns: %s", line)
		}
	}
}

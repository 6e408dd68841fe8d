package load

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/signal/client"
	"praxisrelay/signal/protocol"
)

// TestReloadsUnderLoad sends a thousand SIGHUPs, each with other limits and another secret, during
// calls over every transport and the sessions of their members. No packet is lost, no session ends,
// nothing grows.
func TestReloadsUnderLoad(t *testing.T) {
	const reloads = 1000
	binary, err := apptest.PlainBinary()
	if err != nil {
		t.Fatal(err)
	}
	file, folder := apptest.WriteConfig(t)
	secret := filepath.Join(folder, "turn.secret")
	apptest.WriteFile(t, secret+".new", "the other secret of this appliance\n", 0o600)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := apptest.NewServed(folder)
	var metrics string
	c := exec.Command(binary, "serve", "--config", file)
	memoryAt := filepath.Join(folder, "memory")
	c.Env = append(os.Environ(), apptest.AsProgram+"=1", apptest.MemoryFile+"="+memoryAt)
	s.Daemon = apptest.Start(t, c, true, func(line string) bool {
		_, rest, _ := strings.Cut(line, " metrics=")
		metrics, _, _ = strings.Cut(rest, " ")
		return s.Serving(line)
	})
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	defer load.Wait()
	defer stop()
	var packets, messages atomic.Int64
	for _, transports := range [][2]string{{"udp", "udp"}, {"udp", "tcp"}, {"tls", "tcp"}} {
		created := s.Appoint(t, time.Now(), time.Now().Add(time.Hour))
		sessions, servers := s.Join(t, created.Seats)
		var ends [2]net.PacketConn
		for i, ice := range servers {
			member, _ := apptest.TURNClient(t, ice, transports[i])
			if ends[i], err = member.Allocate(); err != nil {
				t.Fatal(err)
			}
			if i > 0 {
				if err := member.CreatePermission(ends[0].LocalAddr()); err != nil {
					t.Fatal(err)
				}
			}
		}
		// makes the permission
		if _, err := ends[0].WriteTo([]byte("first"), ends[1].LocalAddr()); err != nil {
			t.Fatal(err)
		}
		load.Go(func() { talk(ctx, t, ends, &packets) })
		load.Go(func() { write(ctx, t, sessions, &messages) })
	}
	reload := func(i int) {
		order := [2]string{secret, secret + ".new"}
		changed := strings.Replace(string(text), "relay: {secret_files: ["+secret+"]}", fmt.Sprintf(
			"relay: {secret_files: [%s, %s], max_session: %dh, max_per_seat: %d, allocation_rate: %d, deny: [192.0.2.%d/32]}\nlog: {level: %s}",
			order[i%2], order[1-i%2], 2+i%20, 4+i%10, 1_000_000+i, i%256, []string{"info", "warn"}[i%2]), 1)
		apptest.WriteFile(t, file+".new", changed, 0o600)
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
		if err := s.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(20 * time.Second); reloaded(t, metrics) < i+1; {
			if time.Now().After(deadline) {
				t.Fatalf("reload %d is not done", i)
			}
		}
	}
	held := func() (m apptest.Memory, files int) {
		m = s.Memory(t, memoryAt)
		open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		return m, len(open)
	}
	const warmUp = 50
	for i := range warmUp {
		reload(i)
	}
	before, filesBefore := held()
	for i := warmUp; i < reloads; i++ {
		reload(i)
	}
	after, filesAfter := held()
	stop()
	load.Wait()
	t.Logf("%d reloads during %d packets and %d messages; before %v and %d files, after %v and %d files",
		reloads, packets.Load(), messages.Load(), before, filesBefore, after, filesAfter)
	if packets.Load() < reloads || messages.Load() < reloads/10 {
		t.Errorf("%d packets and %d messages are no load", packets.Load(), messages.Load())
	}
	// The memory of requests in progress is small next to a thousand of anything.
	if after.Goroutines > before.Goroutines+20 || filesAfter > filesBefore+20 ||
		after.Held > before.Held+2<<20 {
		t.Errorf("the daemon grew: %v and %d files, then %v and %d files", before, filesBefore, after,
			filesAfter)
	}
}

// reloaded is the number of reloads in the metrics; none may have failed.
func reloaded(t *testing.T, address string) int {
	t.Helper()
	response, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, match := range regexp.MustCompile(
		`(?m)^praxisrelay_config_reloads_total\{result="(\w+)"\} (\d+)$`).FindAllStringSubmatch(string(text), -1) {
		counts[match[1]], _ = strconv.Atoi(match[2])
	}
	if counts["failed"] > 0 {
		t.Fatal("a reload failed")
	}
	return counts["ok"]
}

// talk sends one packet after another from one end to the other and back, until ctx is done or a
// packet is lost.
func talk(ctx context.Context, t *testing.T, ends [2]net.PacketConn, packets *atomic.Int64) {
	pace := time.NewTicker(2 * time.Millisecond)
	defer pace.Stop()
	b := make([]byte, 2000)
	for i := 0; ctx.Err() == nil; i++ {
		<-pace.C
		from, to := ends[i%2], ends[1-i%2]
		want := fmt.Sprintf("packet %d", i)
		if _, err := from.WriteTo([]byte(want), to.LocalAddr()); err != nil {
			t.Errorf("%s: %v", want, err)
			return
		}
		for got := ""; got != want; {
			_ = to.SetReadDeadline(time.Now().Add(10 * time.Second))
			n, _, err := to.ReadFrom(b)
			if err != nil {
				t.Errorf("%s is lost: %v", want, err)
				return
			}
			if got = string(b[:n]); got != want && got != "first" {
				t.Errorf("got %q, want %q", got, want)
				return
			}
		}
		packets.Add(1)
	}
}

// write sends one sealed message after another between two sessions, until ctx is done or a session
// ends or starts again.
func write(ctx context.Context, t *testing.T, sessions []*client.Session, messages *atomic.Int64) {
	pace := time.NewTicker(200 * time.Millisecond) // a client may send 20 frames a second
	defer pace.Stop()
	for i := 0; ctx.Err() == nil; i++ {
		<-pace.C
		from, to := sessions[i%2], sessions[1-i%2]
		want := fmt.Sprintf("message %d", i)
		if err := from.Send(protocol.Present{Seat: to.Welcome.Seat, Epoch: to.Epoch()},
			[]byte(want)); err != nil {
			t.Error(err)
			return
		}
		for got := ""; got != want; {
			waiting, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			event, err := to.Receive(waiting)
			cancel()
			switch {
			case err != nil:
				t.Errorf("%s is lost: %v", want, err)
				return
			case event.Left != nil, event.Absent != nil, i > 1 && event.Joined != nil:
				t.Errorf("a session ended: %+v", event)
				return
			case event.Message != nil:
				got = string(event.Message.Plain)
			}
		}
		messages.Add(1)
	}
}

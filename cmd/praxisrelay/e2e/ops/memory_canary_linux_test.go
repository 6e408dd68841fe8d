package ops

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/signal/protocol"
)

// TestWhatSealsIsNotInMemory checks that a core dump of the daemon would contain no codes, keys or
// messages between the seats, since the daemon never has them.
func TestWhatSealsIsNotInMemory(t *testing.T) {
	t.Parallel()
	s := apptest.StartServe(t, nil)
	created, err := s.Admin.Create(t.Context(), time.Now(), time.Now().Add(time.Hour), "")
	if err != nil {
		t.Fatal(err)
	}
	sessions, _ := s.Join(t, created.Seats)
	const name = "a name that only the doctor may read"
	sessions[1].Send(protocol.Present{Seat: "doctor", Epoch: sessions[0].Epoch()}, []byte(name))
	for {
		e, err := sessions[0].Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if e.Message != nil {
			if string(e.Message.Plain) != name {
				t.Fatalf("the doctor got %q", e.Message.Plain)
			}
			break
		}
	}
	canaries := map[string][]byte{"the name": []byte(name)}
	for _, seat := range created.Seats {
		canaries[seat.Name+"'s code"] = []byte(seat.Code.Format())
		canaries[seat.Name+"'s letters"] = []byte(strings.ReplaceAll(seat.Code.Format(), "-", ""))
		canaries[seat.Name+"'s seal key"] = seat.Keys.SealKey[:]
	}
	// The search finds what the daemon does know, so it works.
	found := search(t, s.Daemon, canaries, []byte(created.ID))
	for _, what := range found {
		t.Errorf("%s is in the daemon's memory", what)
	}
}

// search looks for canaries in the daemon's writable memory, in which it must find known.
func search(t *testing.T, d *apptest.Daemon, canaries map[string][]byte, known []byte) (found []string) {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", d.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", d.Process.Pid))
	if err != nil {
		apptest.Skip(t, "another process's memory may not be read here: run the tests as root")
	}
	defer mem.Close()
	works := false
	// In overlapping pieces, because reserved regions are much larger than their contents.
	const piece, overlap = 1 << 20, 128
	buffer := make([]byte, piece+overlap)
	for lines := bufio.NewScanner(bytes.NewReader(maps)); lines.Scan(); {
		var from, to int64
		var mode string
		if n, _ := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &mode); n != 3 ||
			!strings.HasPrefix(mode, "rw") || to-from > 1<<30 {
			continue
		}
		for at := from; at < to; at += piece {
			n, _ := mem.ReadAt(buffer[:min(int64(len(buffer)), to-at)], at)
			works = works || bytes.Contains(buffer[:n], known)
			for what, canary := range canaries {
				if bytes.Contains(buffer[:n], canary) {
					found = append(found, what)
				}
			}
		}
	}
	if !works {
		t.Fatal("the search misses the daemon's memory")
	}
	return found
}

package apptest

import (
	"fmt"
	"os"
	"os/exec"
	ossignal "os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// MemoryFile names the environment variable with the file to which the program under test writes
// its memory use at each SIGUSR1.
const MemoryFile = "PRAXISRELAY_TEST_MEMORY"

// reportMemory answers SIGUSR1 with the program's memory use, if MemoryFile is set.
func reportMemory() {
	file := os.Getenv(MemoryFile)
	if file == "" {
		return
	}
	asked := make(chan os.Signal, 1)
	ossignal.Notify(asked, syscall.SIGUSR1)
	go func() {
		for range asked {
			debug.FreeOSMemory()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			text := fmt.Sprintf("%d %d", m.HeapAlloc+m.StackInuse, runtime.NumGoroutine())
			if os.WriteFile(file+".new", []byte(text), 0o600) == nil {
				_ = os.Rename(file+".new", file)
			}
		}
	}()
}

// Memory is what a program holds: bytes of heap and stacks, goroutines, and resident bytes as
// counted by the operating system.
type Memory struct{ Held, Goroutines, Resident int }

// Memory asks the daemon for its memory use, which it writes to file.
func (d *Daemon) Memory(t testing.TB, file string) (m Memory) {
	t.Helper()
	_ = os.Remove(file)
	if err := d.Process.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(20 * time.Second); ; <-ticker.C {
		if text, err := os.ReadFile(file); err == nil {
			if _, err := fmt.Sscan(string(text), &m.Held, &m.Goroutines); err != nil {
				t.Fatal(err)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the program does not report its memory use")
		}
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	if _, err := fmt.Sscan(rest, &m.Resident); err != nil {
		t.Fatal(err)
	}
	m.Resident *= 1024
	return m
}

func (m Memory) String() string {
	return fmt.Sprintf("%.1f MiB held by %d goroutines, %.1f MiB resident",
		float64(m.Held)/(1<<20), m.Goroutines, float64(m.Resident)/(1<<20))
}

// PlainBinary builds the program without the race detector, which makes it tens of times slower,
// for load tests.
var PlainBinary = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "praxisrelay-test-")
	if err != nil {
		return "", err
	}
	file := filepath.Join(folder, "praxisrelay")
	if out, err := exec.Command("go", "test", "-c", "-o", file, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return file, nil
})

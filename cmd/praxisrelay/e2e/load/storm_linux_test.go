package load

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/signal/admin/adminclient"
	"praxisrelay/signal/client"
)

// BenchmarkJoinStorm has everybody join at once, over TLS, and stay. None may be refused.
func BenchmarkJoinStorm(b *testing.B) {
	for b.Loop() {
		joinStorm(b, 10_000)
	}
}

// TestJoinStorm is the benchmark with as many clients as a test has time for.
func TestJoinStorm(t *testing.T) { joinStorm(t, 400) }

func joinStorm(t testing.TB, count int) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Max < uint64(count)+200 {
		apptest.Skip(t, fmt.Sprintf("only %d files may be open: ulimit -n %d", limit.Max, count+200))
	}
	binary, err := apptest.PlainBinary()
	if err != nil {
		t.Fatal(err)
	}
	file, folder := apptest.WriteConfig(t)
	keys := apptest.FillRegistry(t, folder, count)
	s := &apptest.Served{CA: filepath.Join(folder, "cert.pem")}
	c := exec.Command(binary, "serve", "--config", file)
	memoryAt := filepath.Join(folder, "memory")
	c.Env = append(os.Environ(), apptest.AsProgram+"=1", apptest.MemoryFile+"="+memoryAt)
	s.Daemon = apptest.Start(t, c, true, s.Serving)
	before := s.Memory(t, memoryAt)

	var (
		mu       sync.Mutex
		took     []time.Duration
		sessions []*client.Session
		joining  sync.WaitGroup
	)
	queue := make(chan int)
	for range 100 {
		joining.Go(func() {
			for i := range queue {
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				session, err := s.DialerFrom(t, i).JoinWithKeys(ctx, keys[i])
				cancel()
				mu.Lock()
				if err != nil {
					t.Errorf("session %d: %v", i, err)
				} else {
					took, sessions = append(took, time.Since(began)), append(sessions, session)
				}
				mu.Unlock()
			}
		})
	}
	began := time.Now()
	for i := range count {
		queue <- i
	}
	close(queue)
	joining.Wait()
	lasted := time.Since(began)
	after := s.Memory(t, memoryAt)
	present := 0
	list, err := adminclient.New(filepath.Join(folder, "admin.sock")).List(t.Context())
	if err != nil {
		t.Error(err)
	}
	for _, a := range list {
		for _, seat := range a.Seats {
			if seat.Present {
				present++
			}
		}
	}
	if present != count {
		t.Errorf("%d of %d are present in the end", present, count)
	}
	for _, session := range sessions {
		joining.Go(func() { session.Close() })
	}
	joining.Wait()
	if len(took) == 0 {
		return
	}
	slices.Sort(took)
	p50, p99 := took[len(took)/2], took[len(took)*99/100]
	each := (after.Held - before.Held) / len(took)
	t.Logf("%d of %d joined in %v: p50 %v, p99 %v; %d bytes of heap and stacks and %.1f goroutines each; %v",
		len(took), count, lasted.Round(time.Millisecond), p50, p99, each,
		float64(after.Goroutines-before.Goroutines)/float64(len(took)), after)
	if b, ok := t.(*testing.B); ok {
		b.ReportMetric(float64(count-len(took)), "refused")
		b.ReportMetric(float64(p50.Milliseconds()), "p50-ms")
		b.ReportMetric(float64(p99.Milliseconds()), "p99-ms")
		b.ReportMetric(float64(each), "bytes/session")
	}
}

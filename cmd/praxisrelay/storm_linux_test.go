package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/secrets"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/client"
	"praxisrelay/signal/code"
	"praxisrelay/signal/seal"
)

// BenchmarkJoinStorm: everybody comes at once, over TLS, and stays. None may be refused.
func BenchmarkJoinStorm(b *testing.B) {
	for b.Loop() {
		joinStorm(b, 10_000)
	}
}

// TestJoinStorm is the benchmark with as many as a test has time for.
func TestJoinStorm(t *testing.T) { joinStorm(t, 400) }

func joinStorm(t testing.TB, count int) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Max < uint64(count)+200 {
		skip(t, fmt.Sprintf("only %d files may be open: ulimit -n %d", limit.Max, count+200))
	}
	binary, err := plain()
	if err != nil {
		t.Fatal(err)
	}
	file, folder := writeConfig(t)
	keys := strangers(t, folder, count)
	s := &served{ca: filepath.Join(folder, "cert.pem")}
	c := exec.Command(binary, "serve", "--config", file)
	memoryAt := filepath.Join(folder, "memory")
	c.Env = append(os.Environ(), asProgram+"=1", memoryFile+"="+memoryAt)
	s.daemon = start(t, c, true, s.serving)
	before := s.memory(t, memoryAt)

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
				session, err := s.from(t, i).JoinWithKeys(ctx, keys[i])
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
	after := s.memory(t, memoryAt)
	present := 0
	list, err := client.NewAdmin(filepath.Join(folder, "admin.sock")).List(t.Context())
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
		t.Errorf("%d of %d are there in the end", present, count)
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
	each := (after.held - before.held) / len(took)
	t.Logf("%d of %d joined in %v: p50 %v, p99 %v; %d bytes of heap and stacks and %.1f goroutines each; %v",
		len(took), count, lasted.Round(time.Millisecond), p50, p99, each,
		float64(after.goroutines-before.goroutines)/float64(len(took)), after)
	if b, ok := t.(*testing.B); ok {
		b.ReportMetric(float64(count-len(took)), "refused")
		b.ReportMetric(float64(p50.Milliseconds()), "p50-ms")
		b.ReportMetric(float64(p99.Milliseconds()), "p99-ms")
		b.ReportMetric(float64(each), "bytes/session")
	}
}

// strangers fills a registry with seats whose keys are random: stretching is not what
// is measured.
func strangers(t testing.TB, folder string, count int) (keys []code.Keys) {
	t.Helper()
	registry, err := appointment.Open(filepath.Join(folder, "registry.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer registry.Close()
	pepper := readPepper(t, folder)
	now := time.Now()
	for len(keys) < count {
		a := appointment.Appointment{ID: appointment.NewID(), Opens: now, Closes: now.Add(time.Hour)}
		for _, name := range appointment.SeatNames {
			k := code.Keys{JoinToken: seal.NewRoomKey(), SealKey: seal.NewRoomKey()}
			keys = append(keys, k)
			a.Seats = append(a.Seats, appointment.Seat{
				Name: name, Lookup: pepper.Lookup(k.Verifier()), RoomKey: pepper.Hide(a.ID, name, seal.NewRoomKey().Wrap(k.SealKey, a.ID, name)),
			})
		}
		if err := registry.Create(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	return keys
}

// from dials from one of some addresses of this host, as if they were networks.
func (s *served) from(t testing.TB, i int) client.Dialer {
	h, err := secrets.Trusting(s.ca, false)
	if err != nil {
		t.Fatal(err)
	}
	transport := h.Transport.(*http.Transport)
	transport.DisableKeepAlives = true
	transport.DialContext = (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i%8))}}).DialContext
	return client.Dialer{HTTP: h, Server: s.url}
}

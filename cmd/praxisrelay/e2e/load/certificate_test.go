package load

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/stun/v3"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/cmd/praxisrelay/secrets"
	"praxisrelay/relay/certificate/certificatetest"
	"praxisrelay/signal/client"
	"praxisrelay/signal/protocol"
)

// TestCertificatesRotateUnderLoad rotates the certificate a thousand times, while new clients keep
// connecting to both TLS ports and others stay. No handshake fails, nobody is dropped, every new
// certificate is served, and nothing grows.
func TestCertificatesRotateUnderLoad(t *testing.T) {
	const rotations, warmUp = 1000, 100
	binary, err := apptest.PlainBinary()
	if err != nil {
		t.Fatal(err)
	}
	ca := certificatetest.NewCA(t)
	file, folder := apptest.WriteConfig(t)
	rotation := &rotation{ca: ca, folder: folder}
	rotation.next(t)
	s := apptest.NewServed(folder)
	s.CA = filepath.Join(folder, "ca.pem")
	if err := os.WriteFile(s.CA, ca.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	memoryAt := filepath.Join(folder, "memory")
	c := exec.Command(binary, "serve", "--config", file)
	c.Env = append(os.Environ(), apptest.AsProgram+"=1", apptest.MemoryFile+"="+memoryAt,
		apptest.PollEvery+"=2ms")
	var turnTLS string
	s.Daemon = apptest.Start(t, c, true, func(line string) bool {
		_, rest, _ := strings.Cut(line, "turn_tls=[")
		turnTLS, _, _ = strings.Cut(rest, "]")
		return s.Serving(line)
	})
	https := strings.TrimSuffix(strings.TrimPrefix(s.URL, "https://"), "/")
	trusting := func() *tls.Config { return &tls.Config{RootCAs: ca.Pool(), ServerName: apptest.Loopback} }

	stay := newStayers(t, s, turnTLS)
	var handshakes atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	var coming sync.WaitGroup
	for _, address := range []string{https, turnTLS, https, turnTLS} {
		coming.Go(func() {
			for ctx.Err() == nil {
				if err := bind(address, trusting()); err != nil {
					t.Errorf("after %d handshakes, at %s: %v", handshakes.Load(), address, err)
					return
				}
				handshakes.Add(1)
			}
		})
	}
	var before apptest.Memory
	began := time.Now()
	for i := range rotations {
		if i == warmUp {
			before = s.Memory(t, memoryAt)
		}
		serial := rotation.next(t)
		for _, address := range []string{https, turnTLS} {
			for deadline := time.Now().Add(20 * time.Second); ; {
				state, err := apptest.BindOverTLS(netip.MustParseAddrPort(address), trusting())
				if err != nil {
					t.Fatalf("rotation %d, at %s: %v", i, address, err)
				}
				if state.PeerCertificates[0].SerialNumber.String() == serial {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("rotation %d: the new certificate is not served at %s", i, address)
				}
			}
		}
		if i%100 == 0 {
			stay.speak(t)
		}
	}
	took := time.Since(began)
	cancel()
	coming.Wait()
	stay.speak(t)
	after := s.Memory(t, memoryAt)
	t.Logf("%d rotations in %v during %d handshakes; %v before, %v after", rotations,
		took.Round(time.Millisecond), handshakes.Load(), before, after)
	if after.Goroutines > before.Goroutines || after.Held > before.Held+4<<20 {
		t.Errorf("it grew: %v before, %v after", before, after)
	}
	s.Stop(t)
}

// bind makes a connection, verifies it, and sends a Binding request.
func bind(address string, c *tls.Config) error {
	conn, err := tls.Dial("tcp", address, c)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := conn.Write(stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 100))
	return err
}

// rotation replaces the certificate's files, in a different way each time.
type rotation struct {
	ca     certificatetest.CA
	folder string
	done   int
}

// next replaces the pair and returns the new serial number.
func (r *rotation) next(t *testing.T) string {
	t.Helper()
	var serial string
	chain, key := r.ca.Issue(t, apptest.Loopback, func(c *x509.Certificate) {
		serial = c.SerialNumber.String()
	})
	files := map[string][]byte{filepath.Join(r.folder, "cert.pem"): chain,
		filepath.Join(r.folder, "key.pem"): key}
	for file, text := range files { // in any order
		var err error
		switch r.done % 3 {
		case 0: // like scp
			err = os.WriteFile(file, text, 0o600)
		case 1: // like acme.sh and editors
			if err = os.WriteFile(file+".new", text, 0o600); err == nil {
				err = os.Rename(file+".new", file)
			}
		case 2: // like certbot
			target := fmt.Sprintf("%s.%d", file, r.done)
			if err = os.WriteFile(target, text, 0o600); err == nil {
				if err = os.Symlink(filepath.Base(target), file+".link"); err == nil {
					err = os.Rename(file+".link", file)
				}
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	r.done++
	return serial
}

// stayers stay connected: two seats over WebSockets, each with an allocation over TLS.
type stayers struct {
	seats    []string
	sessions []*client.Session
	dialed   *atomic.Int64
	conns    []net.PacketConn
	ended    []*apptest.EndedConn
}

func newStayers(t *testing.T, s *apptest.Served, turnTLS string) *stayers {
	t.Helper()
	created := s.Appoint(t, time.Now(), time.Now().Add(time.Hour))
	stay := &stayers{dialed: new(atomic.Int64)}
	h, err := secrets.Trusting(s.CA, false)
	if err != nil {
		t.Fatal(err)
	}
	h.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		stay.dialed.Add(1)
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	for i, seat := range created.Seats {
		session, err := client.Dialer{HTTP: h, Server: s.URL}.JoinWithKeys(t.Context(), seat.Keys)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { session.Close() })
		stay.seats, stay.sessions = append(stay.seats, seat.Name), append(stay.sessions, session)
		if i > 0 {
			stay.sessions[0].Admit(protocol.Present{Seat: seat.Name, Epoch: session.Epoch()})
		}
		ice, err := session.WaitICE(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		server := ice.Servers[0]
		server.URLs = []string{"turns:" + turnTLS + "?transport=tcp"}
		turn, stream := apptest.TURNClient(t, server, "tls")
		conn, err := turn.Allocate()
		if err != nil {
			t.Fatal(err)
		}
		stay.conns, stay.ended = append(stay.conns, conn), append(stay.ended, stream.(*apptest.EndedConn))
	}
	for i, conn := range stay.conns {
		// The first packet makes the permission; it is lost while the other side has none.
		if _, err := conn.WriteTo([]byte("hello"), stay.conns[1-i].LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
	stay.dialed.Store(0)
	return stay
}

// speak makes each seat send something to the other, over signaling and the relay.
func (s *stayers) speak(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	text := []byte(time.Now().String())
	for i, from := range s.sessions {
		to := s.sessions[1-i]
		if err := from.Send(protocol.Present{Seat: s.seats[1-i], Epoch: to.Epoch()}, text); err != nil {
			t.Fatal(err)
		}
		for {
			event, err := to.Receive(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if event.Message != nil && bytes.Equal(event.Message.Plain, text) {
				break
			}
		}
		if _, err := s.conns[i].WriteTo(text, s.conns[1-i].LocalAddr()); err != nil {
			t.Fatal(err)
		}
		_ = s.conns[1-i].SetReadDeadline(time.Now().Add(20 * time.Second))
		for b := make([]byte, 100); ; {
			n, _, err := s.conns[1-i].ReadFrom(b)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Equal(b[:n], text) {
				break
			}
		}
	}
	for i, stream := range s.ended {
		select {
		case <-stream.Ended:
			t.Errorf("seat %d: the stream has ended", i)
		default:
		}
	}
	if n := s.dialed.Load(); n > 0 {
		t.Errorf("sessions had to reconnect %d times", n)
	}
}

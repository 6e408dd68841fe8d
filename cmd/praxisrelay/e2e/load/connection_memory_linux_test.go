package load

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
)

// The maximum memory of a connection before anything is known about its client, in bytes. The
// unit's MemoryMax is derived from these.
const (
	maxStranger = 32 << 10
	maxRecord   = 48 << 10 // after a TLS record of 16 kB: the library keeps its buffer
	// While a request is incomplete, or a response is not read: see signal.maxPending.
	maxPart   = 64 << 10
	maxBody   = 448 << 10
	maxUnread = 128 << 10
	// During a handshake with the admin API, which has 200 connections.
	maxHello = 144 << 10
)

// TestWhatAStrangersConnectionCosts checks that on no listener can somebody without a code,
// credential or token make a connection cost more. It measures the heap and stacks in use, and the
// memory taken from the operating system.
func TestWhatAStrangersConnectionCosts(t *testing.T) {
	file, folder := apptest.WriteConfig(t)
	plainHTTP := apptest.FreeTCP(t)
	apptest.Edit(t, file, "listen:\n", "listen:\n  http: "+plainHTTP+"\n")
	binary, err := apptest.PlainBinary()
	if err != nil {
		t.Fatal(err)
	}
	told := filepath.Join(folder, "memory")
	s, where := apptest.NewServed(folder), apptest.Listening{}
	c := exec.Command(binary, "serve", "--config", file)
	c.Env = append(os.Environ(), apptest.AsProgram+"=1", apptest.MemoryFile+"="+told)
	s.Daemon = apptest.Start(t, c, true, func(line string) bool {
		return s.Serving(line) && where.Read(line)
	})
	api, monitoring := strings.TrimPrefix(s.API, "https://"), strings.TrimPrefix(s.Monitoring, "http://")

	const head = " HTTP/1.1\r\nHost: relay.example.org\r\n"
	var thousands, lines strings.Builder
	for i := range 4000 {
		fmt.Fprintf(&thousands, "%X:\r\n", i)
	}
	for i := range 60 {
		fmt.Fprintf(&lines, "A%X: %s\r\n", i, strings.Repeat("a", 120))
	}
	const json = "Content-Type: application/json\r\n"
	upgrade := "GET /v1/signal" + head +
		"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: praxisrelay.v1\r\n"
	frame := "\x81\xfe\xff\xff\x00\x00\x00\x00" // the header of a masked text of 65,535 bytes
	record := "\x16\x03\x01\x40\x00"
	clientHello := record + "\x01\x00\xff\xf0" +
		strings.Repeat("a", 1<<14-4) + strings.Repeat(record+strings.Repeat("a", 1<<14), 2) + record
	allocate := "\x00\x03\x07\xe0\x21\x12\xa4\x42" + strings.Repeat("a", 2000)

	type attack struct {
		name, address string
		secured       bool
		first         string // sent first, after the TLS handshake if there is one
		max           int    // zero means maxStranger
	}
	var attacks []attack
	over := func(listener, address string, secured bool, more ...attack) {
		hello := maxStranger
		if address == api {
			hello = maxHello
		}
		for _, a := range append(more, attack{name: "nothing"}) {
			attacks = append(attacks, attack{listener + ": " + a.name, address, secured, a.first,
				cmp.Or(a.max, maxStranger)})
		}
		if secured {
			attacks = append(attacks, attack{listener + ": half a handshake", address, false,
				clientHello, hello})
		}
	}
	http := func(path string) []attack {
		return []attack{
			{name: "thousands of headers", first: "GET " + path + head + thousands.String(), max: maxPart},
			{name: "a large head without its end", first: "GET " + path + head + lines.String(), max: maxPart},
			{name: "a long path without its end", first: "GET /" + strings.Repeat("%41", 2600), max: maxPart},
			{name: "a large head without its body",
				first: "POST " + path + head + json + lines.String()[:7000] +
					"\r\nContent-Length: 10\r\n\r\n", max: maxPart},
			{name: "a long path without its body",
				first: "POST " + path + "?" + strings.Repeat("%41", 2600) + head + json +
					"Content-Length: 10\r\n\r\n", max: maxPart},
			{name: "idle after a request", first: "GET " + path + head + lines.String()[:6000] + "\r\n\r\n"},
			{name: "unread answers", first: strings.Repeat("GET "+path+head+"\r\n", 2000), max: maxUnread},
		}
	}
	over("turn_tcp", where.TCP[0], false, attack{name: "half a frame", first: allocate})
	over("turn_tls", where.TLS[0], true, attack{name: "half a frame", first: allocate})
	over("https", where.HTTPS[0], true, append(http("/app.js"),
		attack{name: "half a frame", first: allocate},
		attack{name: "a WebSocket", first: upgrade + "\r\n"},
		attack{name: "a WebSocket after a large head",
			first: upgrade + lines.String()[:6500] + "\r\n\r\n", max: maxRecord},
		attack{name: "a WebSocket after a large record",
			first: upgrade + "\r\n" +
				strings.Repeat("\x8a\xfd\x00\x00\x00\x00"+strings.Repeat("a", 125), 120),
			max: maxRecord}, // pongs
		attack{name: "half a WebSocket frame", first: upgrade + "\r\n" + frame + strings.Repeat("a", 16_000)},
		attack{name: "a body without its end",
			first: "POST /v1/signal" + head + json + "Content-Length: 200000\r\n\r\n" +
				strings.Repeat("a", 199_999), max: maxBody})...)
	over("http", plainHTTP, false, http("/")...)
	over("admin_listen", api, true, append(http("/v1/appointments"),
		attack{name: "a body without its end",
			first: "POST /v1/appointments" + head + json + "Content-Length: 16000\r\n\r\n" +
				strings.Repeat("a", 15_000), max: maxPart})...)
	over("metrics", monitoring, false, http("/metrics")...)

	idle := apptest.Descriptors(t, s.Process.Pid)
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			ticker := time.NewTicker(20 * time.Millisecond)
			defer ticker.Stop()
			// Until the previous attack's connections are gone.
			for deadline := time.Now().Add(20 * time.Second); apptest.Descriptors(t,
				s.Process.Pid) > idle+5; <-ticker.C {
				if time.Now().After(deadline) {
					t.Fatalf("%d descriptors are open, %d were at the start",
						apptest.Descriptors(t, s.Process.Pid), idle)
				}
			}
			s.Memory(t, told) // only the second collection empties pools
			before, openBefore := s.Memory(t, told), apptest.Descriptors(t, s.Process.Pid)
			const count, workers = 500, 32
			var running sync.WaitGroup
			var mu sync.Mutex
			var held []net.Conn
			var next, served atomic.Int64
			for range workers {
				running.Go(func() {
					for i := next.Add(1); i <= count; i = next.Add(1) {
						conn, err := stranger(int(i), a.address, a.secured, a.first)
						if err == nil {
							served.Add(1)
						}
						if conn != nil {
							mu.Lock()
							held = append(held, conn)
							mu.Unlock()
						}
					}
				})
			}
			running.Wait()
			// Data in transit through the server is only there for a moment.
			cost, resident := 0, 0
			for deadline := time.Now().Add(4 * time.Second); ; <-ticker.C {
				after, open := s.Memory(t, told), apptest.Descriptors(t, s.Process.Pid)-openBefore
				divisor := count // if all were refused, this is the cost of refusing
				if open > 0 {
					divisor = open
				}
				cost, resident = (after.Held-before.Held)/divisor, (after.Resident-before.Resident)/divisor
				// The system gets pages back in larger pieces.
				fits := cost <= a.max && (resident-a.max)*divisor <= 16<<20
				if fits || time.Now().After(deadline) {
					t.Logf("%d of %d are open, each with %d bytes held, %d resident", open, count, cost,
						resident)
					if !fits {
						t.Errorf("want at most %d: %v, before %v", a.max, after, before)
					}
					break
				}
			}
			for _, conn := range held {
				conn.Close()
			}
		})
	}
}

// stranger makes a connection from one of a few addresses, reads almost nothing, and sends
// something. It returns an error if the server did not take all of it.
func stranger(i int, address string, secured bool, first string) (net.Conn, error) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 3, 0, byte(1+i%10))}}
	conn, err := dialer.Dial("tcp4", address)
	if err != nil {
		return nil, err
	}
	_ = conn.(*net.TCPConn).SetReadBuffer(4096)
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if secured {
		client := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, DynamicRecordSizingDisabled: true})
		if err := client.Handshake(); err != nil {
			return conn, err
		}
		conn = client
	}
	_ = conn.SetWriteDeadline(time.Now().Add(300 * time.Millisecond)) // the server need not take all of it
	_, err = io.WriteString(conn, first)
	return conn, err
}

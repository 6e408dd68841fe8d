package admin

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"praxisrelay/signal"
	"praxisrelay/signal/admin/adminclient"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/front"
	"praxisrelay/signal/registry"
)

// large is a registry with very many appointments.
type large struct {
	registry.Registry
	appointments int
	backup       error // result of the last one
}

const backupBytes = 40 * steadyBytes

func (r *large) Backup(_ context.Context, w io.Writer) error {
	_, r.backup = io.CopyN(w, zeros{}, backupBytes)
	return r.backup
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

func (r *large) List(context.Context) (list []appointment.Appointment, _ error) {
	for i := range r.appointments {
		a := appointment.Appointment{ID: fmt.Sprintf("%013d", i), Opens: day, Closes: day.Add(appointment.Length), Created: day}
		for _, name := range appointment.SeatNames {
			a.Seats = append(a.Seats, appointment.Seat{Name: name})
		}
		list = append(list, a)
	}
	return list, nil
}

func enlarged(into **large) func(*signal.Options) {
	return func(o *signal.Options) {
		*into = &large{Registry: o.Registry}
		o.Registry = *into
	}
}

// TestABackupTakesAsLongAsItIsRead, and ends when nobody reads it.
func TestABackupTakesAsLongAsItIsRead(t *testing.T) {
	var registry *large
	l := newLab(t, enlarged(&registry))
	for name, test := range map[string]struct {
		reads bool
		took  time.Duration
	}{
		"a slow reader":  {true, backupBytes / steadyBytes * steadyTime * 2 / 3},
		"a stuck reader": {false, steadyTime},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				pipe := newOnePipe()
				server, closed := front.NewServer(l.Socket(), l.log), make(chan struct{})
				server.ConnState = func(_ net.Conn, state http.ConnState) {
					if state == http.StateClosed {
						close(closed)
					}
				}
				done := make(chan error)
				go func() { done <- server.Serve(pipe) }()
				defer func() {
					server.Close()
					<-done
				}()
				fmt.Fprint(pipe.client, "GET /v1/backup HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n")
				answer, err := http.ReadResponse(bufio.NewReader(pipe.client), nil)
				if err != nil {
					t.Fatal(err)
				}
				read := int64(0)
				for test.reads {
					n, err := io.CopyN(io.Discard, answer.Body, steadyBytes)
					if read += n; err == io.EOF {
						break
					} else if err != nil {
						t.Fatalf("after %v and %d bytes: %v", time.Since(began), read, err)
					}
					time.Sleep(steadyTime * 2 / 3)
				}
				if test.reads && read != backupBytes {
					t.Errorf("%d bytes were read, want %d", read, backupBytes)
				}
				<-closed
				if (registry.backup == nil) != test.reads {
					t.Errorf("the backup ended with %v", registry.backup)
				}
				if took := time.Since(began); took != test.took {
					t.Errorf("it took %v, want %v", took, test.took)
				}
			})
		})
	}
}

// onePipe is a listener with a single client connected.
type onePipe struct {
	client, server net.Conn
	accepting      chan net.Conn
}

func newOnePipe() *onePipe {
	p := &onePipe{accepting: make(chan net.Conn, 1)}
	p.client, p.server = net.Pipe()
	p.accepting <- p.server
	return p
}

func (p *onePipe) Accept() (net.Conn, error) {
	conn, open := <-p.accepting
	if !open {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (p *onePipe) Close() error {
	close(p.accepting)
	return nil
}

func (p *onePipe) Addr() net.Addr { return p.server.LocalAddr() }

// TestAListOfAHundredThousand fits in one answer, and the commands read it.
func TestAListOfAHundredThousand(t *testing.T) {
	t.Parallel()
	var registry *large
	l := newLab(t, enlarged(&registry))
	registry.appointments = 100_000
	socket := filepath.Join(t.TempDir(), "admin.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := front.NewServer(l.Socket(), l.log)
	done := make(chan error)
	go func() { done <- server.Serve(listener) }()
	list, err := adminclient.New(socket).List(t.Context())
	if err != nil || len(list) != registry.appointments {
		t.Errorf("%d are listed: %v", len(list), err)
	}
	server.Close()
	<-done
}

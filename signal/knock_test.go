package signal

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"praxisrelay/signal/appointment"
	"praxisrelay/signal/front"
	"praxisrelay/signal/protocol"
	"praxisrelay/signal/seal"
)

// The cost of a stranger who has a patient's code, waits, and is never let in.

// polled posts a body and returns the answer and its size in bytes.
func (l *lab) polled(body string) (protocol.Polled, int) {
	l.Helper()
	w, r := httptest.NewRecorder(), httptest.NewRequest("POST", "/v1/signal", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.RemoteAddr = "198.51.100.1:4711"
	l.site().ServeHTTP(w, r)
	size := w.Body.Len()
	var p protocol.Polled
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		l.Fatalf("%v: %.200s", err, w.Body)
	}
	return p, size
}

func polling(t testing.TB, frames ...protocol.FromClient) string {
	t.Helper()
	text, err := json.Marshal(protocol.Poll{Frames: frames})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestNothingIsReflected: names of absent receivers come back no larger than they were sent.
func TestNothingIsReflected(t *testing.T) {
	l := newLab(t, func(o *Options) { o.Waiting = true })
	_, _, keys := l.seats(day)
	p, _ := l.polled(polling(t, joining(keys, seal.NewEpoch())))
	session, received := p.Frames[0].Welcome.Session, uint64(1)
	for n := uint64(1); n <= 3; n++ {
		const count = 5
		frames := []protocol.FromClient{resuming(session, received)}
		for range count {
			frames = append(frames, sending((n-1)*count+uint64(len(frames)), "doctor", seal.NewEpoch(), ""))
		}
		body := polling(t, frames...)
		p, size := l.polled(body)
		received += count
		if len(p.Frames) < count || size > len(body)+100 {
			t.Errorf("%d bytes with %d messages are answered by %d with %d frames", len(body), count, size, len(p.Frames))
		}
		l.at(l.clock().Add(time.Hour))
	}
	for _, send := range []string{
		`"to":"` + strings.Repeat("<", 1000) + `","epoch":"` + seal.NewEpoch() + `"`,
		`"to":"doctor","epoch":"` + strings.Repeat("<", 1000) + `"`,
		`"to":"doctor","epoch":"` + seal.NewEpoch() + strings.Repeat(`\n`, 1000) + `"`,
	} {
		body := fmt.Sprintf(`{"frames":[{"resume":{"session":%q,"received":%d}},{"n":16,"send":{%s,"seq":0,"sealed":""}}]}`, session, received, send)
		if p, size := l.polled(body); p.Frames[0].Error == nil || p.Frames[0].Error.Code != protocol.BadRequest || size > 200 {
			t.Errorf("%.100s: %d bytes: %+v", send, size, p.Frames[0])
		}
	}
}

// TestWhatIsSaidAgainIsBounded: a client that acknowledges nothing gets its queue once or twice
// more. Then it joins with the same epoch, as if it were slow.
func TestWhatIsSaidAgainIsBounded(t *testing.T) {
	l := newLab(t, func(o *Options) { o.Waiting = true })
	_, _, keys := l.seats(day)
	epoch := seal.NewEpoch()
	p, _ := l.polled(polling(t, joining(keys, epoch)))
	session := p.Frames[0].Welcome.Session
	l.fill(session, 120)
	asked, told := 0, 0
	for l.clock().Before(day.Add(10 * time.Second)) {
		body := polling(t, resuming(session, 0))
		p, size := l.polled(body)
		if asked, told = asked+len(body), told+size; p.Frames[0].Error != nil {
			if p.Frames[0].Error.Code != protocol.TooSlow {
				t.Errorf("it ends with %+v", p.Frames[0].Error)
			}
			break
		}
		l.at(l.clock().Add(frameInterval))
	}
	t.Logf("%d bytes get %d within %v", asked, told, l.clock().Sub(day))
	if most := queueBytes; told > most {
		t.Errorf("%d bytes get %d, more than %d", asked, told, most)
	}
	if p, _ := l.polled(polling(t, joining(keys, epoch))); p.Frames[0].Welcome == nil {
		t.Errorf("joining again: %+v", p.Frames[0])
	}
}

// fill puts a partner's messages into a session's queue.
func (l *lab) fill(session string, count int) {
	l.rooms.mu.Lock()
	defer l.rooms.mu.Unlock()
	s := l.rooms.sessions[session]
	for range count {
		l.rooms.deliverLocked(s, protocol.FromServer{Message: &protocol.Message{
			From: appointment.Doctor, Epoch: seal.NewEpoch(), Sealed: make([]byte, 3000),
		}})
	}
	if s.over != nil {
		l.Fatal(s.over)
	}
}

// TestABacklogComesInBatches, over polls too, and in order.
func TestABacklogComesInBatches(t *testing.T) {
	l := newLab(t, func(o *Options) { o.Waiting = true })
	_, _, keys := l.seats(day)
	p, _ := l.polled(polling(t, joining(keys, seal.NewEpoch())))
	session := p.Frames[0].Welcome.Session
	l.fill(session, 120)
	received, polls := uint64(1), 0
	for ; received < 121; polls++ {
		p, size := l.polled(polling(t, resuming(session, received)))
		if size > batchBytes+500 {
			t.Errorf("an answer has %d bytes", size)
		}
		for _, frame := range p.Frames {
			if frame.N > 0 && frame.N != received+1 {
				t.Fatalf("frame %d comes after %d", frame.N, received)
			}
			received = max(received, frame.N)
		}
	}
	if most := queueBytes/batchBytes + 1; polls > most {
		t.Errorf("it took %d polls", polls)
	}
}

// pipes is a listener whose connections do not buffer: a write blocks until it is read.
type pipes struct {
	accept chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{accept: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accept:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// pipe is a connection with an address on a network.
type pipe struct{ net.Conn }

func (pipe) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(198, 51, 100, 1), Port: 4711} }

func (p *pipes) dial() net.Conn {
	mine, theirs := net.Pipe()
	p.accept <- pipe{theirs}
	return mine
}

// TestUnreadAnswersAreCut: only two answers of a session wait for a client that does not read. Then
// the oldest is cut, and the last one arrives whole.
func TestUnreadAnswersAreCut(t *testing.T) {
	l := newLab(t, func(o *Options) { o.Waiting = true })
	_, _, keys := l.seats(day)
	p, _ := l.polled(polling(t, joining(keys, seal.NewEpoch())))
	session := p.Frames[0].Welcome.Session
	l.fill(session, 120)
	listener := newPipes()
	server := front.NewServer(l.site(), l.log)
	serving := make(chan error, 1)
	go func() { serving <- server.Serve(listener) }()
	defer func() { server.Close(); <-serving }()
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse
	}
	before := heap()
	const count = 20
	var polls [count]net.Conn
	for i := range polls {
		polls[i] = listener.dial()
		defer polls[i].Close()
		body := polling(t, resuming(session, 0))
		fmt.Fprintf(polls[i], "POST /v1/signal HTTP/1.1\r\nHost: relay.test\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		// The first byte shows that the answer is on its way.
		if _, err := io.ReadFull(polls[i], make([]byte, 1)); err != nil {
			t.Fatalf("poll %d: %v", i, err)
		}
		l.at(l.clock().Add(time.Minute)) // refills the allowance for resending
	}
	t.Logf("%d unread polls hold %d kB", count, (int64(heap())-int64(before))/1000)
	for i, c := range polls {
		_ = c.SetReadDeadline(time.Now().Add(writeTime))
		var body []byte
		response, err := http.ReadResponse(bufio.NewReader(io.MultiReader(strings.NewReader("H"), c)), nil)
		if err == nil {
			body, err = io.ReadAll(response.Body)
		}
		if whole := err == nil; whole != (i >= count-maxWriting) {
			t.Errorf("poll %d: %d bytes, %v", i, len(body), err)
		}
	}
}

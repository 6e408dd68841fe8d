package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"praxisrelay/relay/core"
)

const (
	// firstMessageTime is how long a connection may take to its first whole
	// message, and a message to its last byte. Without it a connection that
	// says nothing would be held for ever.
	firstMessageTime = 10 * time.Second
	// idleTime is how long a connection may be silent while it holds no
	// allocation. With one it may be silent for as long as that lives.
	idleTime = 30 * time.Second
	// writeTime is how long one write may take. A client that reads nothing for
	// so long is gone.
	writeTime = 20 * time.Second
	// maxAsked is how many messages other than media a connection may send while it
	// holds no allocation. A client makes two or three.
	maxAsked = 32
	// firstBuffer is how many bytes a connection gets to begin with. One that sends
	// more than that at once gets what media needs.
	firstBuffer = 512
)

// stream is one TCP or TLS connection.
type stream struct {
	conn   net.Conn
	client core.FiveTuple
	queue  *queue
	asked  int // messages since it last held an allocation; the reader's
}

// serveStream relays for one connection until it ends, and closes it. Its first
// bytes may have been read already.
func (r *Relay) serveStream(conn net.Conn, transport core.Transport, first []byte) {
	s := &stream{
		conn: conn,
		client: core.FiveTuple{
			Client:    streamAddr(conn.RemoteAddr()),
			Server:    streamAddr(conn.LocalAddr()),
			Transport: transport,
			Conn:      r.conns.Add(1),
		},
	}
	ctx, cancel := context.WithCancel(context.Background())
	var writer sync.WaitGroup
	s.queue = newQueue(func() { writer.Go(func() { s.write(ctx) }) })
	r.addStream(s)
	s.read(r, first)
	cancel()
	conn.Close()
	s.queue.close()
	writer.Wait()
	r.removeStream(s)
}

// abort cuts the connection without a word: TLS's would wait for a client that does
// not read.
func (s *stream) abort() {
	if secured, ok := s.conn.(*tls.Conn); ok {
		secured.NetConn().Close()
		return
	}
	s.conn.Close()
}

func streamAddr(addr net.Addr) netip.AddrPort {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		return plain(tcp.AddrPort())
	}
	return netip.AddrPort{}
}

func (r *Relay) addStream(s *stream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.streams.Store(s.client.Conn, s)
}

func (r *Relay) removeStream(s *stream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.streams.Delete(s.client.Conn)
	r.core.Disconnected(r.now(), s.client)
}

// read takes messages from the connection until it ends, says something that is
// no message, or takes too long. Its deadlines are the operating system's, not
// the core's time: they guard sockets.
func (s *stream) read(r *Relay, first []byte) {
	var (
		buffer   = make([]byte, firstBuffer)
		end      = copy(buffer, first)
		deadline = time.Now().Add(firstMessageTime)
		partial  = true // a message, or the first one, is being waited for
	)
	for {
		taken, err := s.take(r, buffer[:end])
		if err != nil {
			r.noteUntrusted(buffer[taken:end], s.client.Client.Addr())
			return
		}
		end = copy(buffer, buffer[taken:end])
		switch {
		case end == 0 && (taken > 0 || !partial):
			partial, deadline = false, time.Now().Add(idleTime)
		case taken > 0 || !partial: // a new message has begun
			partial, deadline = true, time.Now().Add(firstMessageTime)
		}
		if s.conn.SetReadDeadline(deadline) != nil {
			return
		}
		if end == len(buffer) {
			buffer = append(buffer, make([]byte, 4*core.MaxMessage-len(buffer))...)
		}
		n, err := s.conn.Read(buffer[end:])
		end += n
		if n == 0 && err != nil {
			timeout, ok := err.(net.Error)
			if partial || !ok || !timeout.Timeout() || !r.holds(s.client) {
				return
			}
		}
	}
}

// take processes the whole messages that b begins with and returns their length.
func (s *stream) take(r *Relay, b []byte) (taken int, err error) {
	w := works.Get().(*work)
	defer works.Put(w)
	for {
		in := w.in[:0]
		for len(in) < cap(in) {
			size, err := frameSize(b[taken:])
			if err != nil {
				return taken, err
			}
			if size == 0 || taken+size > len(b) {
				break
			}
			in = append(in, packet{s.client, b[taken : taken+size]})
			taken += size
		}
		if len(in) == 0 {
			return taken, nil
		}
		r.process(in, w.scratch, w.out)
		if s.asks(r, in) > maxAsked {
			return taken, errAsked
		}
	}
}

var errAsked = errors.New("too many requests without an allocation")

// asks counts what a connection asked for since it last held an allocation.
func (s *stream) asks(r *Relay, in []packet) int {
	asked := s.asked
	for _, p := range in {
		if !p.media() {
			s.asked++
		}
	}
	if s.asked > asked && r.holds(s.client) {
		s.asked = 0
	}
	return s.asked
}

// work is the memory for one batch from a stream. Connections borrow it, so that
// one which says nothing costs little.
type work struct {
	in, out []packet
	scratch [][]byte
}

var works = sync.Pool{New: func() any {
	const size = 16
	return &work{make([]packet, 0, size), make([]packet, 0, size), buffers(size, core.MaxOutput)}
}}

func (r *Relay) holds(client core.FiveTuple) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.core.Holds(client)
}

// write sends what is queued until ctx is done or a write fails.
func (s *stream) write(ctx context.Context) {
	var pending []byte
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.queue.ready:
		}
		pending = s.queue.take(pending[:0])
		if s.conn.SetWriteDeadline(time.Now().Add(writeTime)) != nil {
			return
		}
		if _, err := s.conn.Write(pending); err != nil {
			s.abort() // ends the reader too
			return
		}
	}
}

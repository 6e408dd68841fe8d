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
	// firstMessageTime is how long a connection may take to complete its first message, and any
	// later message from its first byte to its last. Without it a silent connection would be held
	// forever.
	firstMessageTime = 10 * time.Second
	// idleTime is how long a connection without an allocation may be silent. With one it may be
	// silent while the allocation lives.
	idleTime = 30 * time.Second
	// writeTime is how long one write may take. A client that reads nothing for so long is gone.
	writeTime = 20 * time.Second
	// maxAsked is how many messages other than media a connection may send without an allocation. A
	// client sends two or three.
	maxAsked = 32
	// firstBuffer is a connection's initial buffer in bytes. If more arrives at once, the buffer
	// grows to what media needs.
	firstBuffer = 512
)

// stream is one TCP or TLS connection.
type stream struct {
	conn   net.Conn
	client core.FiveTuple
	queue  *queue
	asked  int // messages since it last held an allocation; used only by the reader
}

// serveStream relays for one connection until it ends, and closes it. Its first bytes may have been
// read already.
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

// abort cuts the connection without closing TLS, which would wait for a client that does not read.
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

// read takes messages from the connection until it ends, sends something else, or takes too long.
// Its deadlines use the system's clock, not the core's: they guard sockets.
func (s *stream) read(r *Relay, first []byte) {
	var (
		buffer   = make([]byte, firstBuffer)
		end      = copy(buffer, first)
		deadline = time.Now().Add(firstMessageTime)
		partial  = true // the first message, or the rest of one, is awaited
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

// take processes the complete messages at the start of b and returns their total length.
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

// asks counts a connection's messages other than media since it last held an allocation.
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

// work is the memory for one batch from a stream. Connections borrow it, so that a silent one costs
// little.
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

// write sends queued messages until ctx is done or a write fails.
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

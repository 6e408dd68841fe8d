package relay

import (
	"errors"
	"net"
	"net/netip"
	"sync"

	"praxisrelay/relay/core"
)

// batchSize is how many datagrams are read from a socket at once. A video frame is a burst of some
// tens.
const batchSize = 64

// socketBuffer is the buffer size requested from the kernel for each direction, in bytes: some
// hundred milliseconds of a busy clinic's video. The kernel grants less if its administrator says
// so.
const socketBuffer = 4 << 20

// udpSocket is one UDP listener.
type udpSocket struct {
	index uint16 // in Relay.udp
	conn  *net.UDPConn
	local netip.AddrPort
	batch batchConn // how this system reads and writes batches
}

func newUDPSocket(index uint16, conn *net.UDPConn) (*udpSocket, error) {
	// A smaller buffer works too.
	_ = conn.SetReadBuffer(socketBuffer)
	_ = conn.SetWriteBuffer(socketBuffer)
	s := &udpSocket{index: index, conn: conn, local: plain(conn.LocalAddr().(*net.UDPAddr).AddrPort())}
	return s, s.batch.init(conn, s.local)
}

// serve reads until the socket is closed. Media is forwarded at once; all else goes through the
// lane, since it needs the relay's lock.
func (s *udpSocket) serve(r *Relay) error {
	lane := newLane()
	var working sync.WaitGroup
	working.Go(func() { lane.serve(r) })
	defer working.Wait()
	defer close(lane.waiting)
	in, out := make([]packet, batchSize), make([]packet, 0, batchSize)
	scratch := buffers(batchSize, core.MaxOutput)
	reader := s.batch.reader(buffers(batchSize, core.MaxOutput))
	for {
		n, err := reader.read(in)
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		media := in[:0]
		for _, p := range in[:n] {
			p.client.Transport, p.client.Listener = core.UDP, s.index
			if p.media() {
				media = append(media, p)
			} else if !lane.push(p) {
				r.events.laneFull.Add(1)
			}
		}
		r.process(media, scratch, out)
	}
}

// write sends a run of packets and returns how many the kernel did not take. These are lost, as
// datagrams are.
func (s *udpSocket) write(run []packet) (unsent int) { return s.batch.write(run) }

// buffers returns n buffers of the given size, cut from one piece of memory.
func buffers(n, size int) [][]byte {
	memory, list := make([]byte, n*size), make([][]byte, n)
	for i := range list {
		list[i] = memory[i*size : (i+1)*size : (i+1)*size]
	}
	return list
}

// plain unmaps an IPv4 address that came through an IPv6 socket.
func plain(addr netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
}

//go:build !linux

package relay

import (
	"net"
	"net/netip"
)

// batchConn reads and writes datagrams one by one. On a host with several addresses, the listeners
// should name theirs: an answer leaves from the address that the system chooses.
type batchConn struct {
	conn  *net.UDPConn
	local netip.AddrPort
}

type batchReader struct {
	*batchConn
	buffer []byte
}

func (b *batchConn) init(conn *net.UDPConn, local netip.AddrPort) error {
	b.conn, b.local = conn, local
	return nil
}

func (b *batchConn) reader(buffers [][]byte) *batchReader { return &batchReader{b, buffers[0]} }

func (b *batchReader) read(in []packet) (int, error) {
	for {
		n, from, err := b.conn.ReadFromUDPAddrPort(b.buffer)
		if err != nil {
			return 0, err
		}
		if n > 0 {
			in[0].client.Client, in[0].client.Server = plain(from), b.local
			in[0].data = b.buffer[:n]
			return 1, nil
		}
	}
}

func (b *batchConn) write(run []packet) (unsent int) {
	for _, p := range run {
		if _, err := b.conn.WriteToUDPAddrPort(p.data, p.client.Client); err != nil {
			unsent++
		}
	}
	return unsent
}

// forbidBroadcast does nothing on this system. relay.deny can list the networks' broadcast
// addresses.
func forbidBroadcast(*net.UDPConn) error { return nil }

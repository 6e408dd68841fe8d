package shares

import (
	"net"
	"net/netip"
)

// Listen returns a listener that passes only admitted connections. Others are closed at once.
func (s *Shares) Listen(l net.Listener) net.Listener { return listener{l, s} }

type listener struct {
	net.Listener
	shares *Shares
}

func (l listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if release, ok := l.shares.Admit(Client(conn)); ok {
			return Counted{conn, release}, nil
		}
		conn.Close()
	}
}

// Client returns a connection's remote address. It is invalid for a unix socket.
func Client(conn net.Conn) netip.Addr {
	if tcp, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// Counted is a connection that is counted until it is closed.
type Counted struct {
	net.Conn
	Release func()
}

// Close closes the connection and returns its share.
func (c Counted) Close() error {
	c.Release()
	return c.Conn.Close()
}

package shares

import (
	"net"
	"net/netip"
)

// Listen returns a listener's connections, as far as they are admitted. Others are closed
// at once.
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

// Client is where a connection comes from. It is not valid for one of a unix socket.
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

// Close closes the connection and gives its share back.
func (c Counted) Close() error {
	c.Release()
	return c.Conn.Close()
}

package systemd

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"

	"github.com/coreos/go-systemd/v22/activation"
)

// Sockets are the sockets that the service manager bound and handed over: on ports below 1024,
// which the daemon may not bind itself. The zero value has none.
type Sockets struct {
	inherited []*socket // not taken yet
	taken     []*socket
}

type socket struct {
	unit    string   // or the unit's FileDescriptorName=
	network string   // tcp or udp; empty: neither
	from    net.Addr // the address it is bound to
	io.Closer
}

// Inherit takes the sockets that the process was started with. Call it only once.
func Inherit() *Sockets {
	s := new(Sockets)
	for _, file := range activation.Files(true) {
		taken := &socket{unit: file.Name(), Closer: io.NopCloser(nil)}
		// Both duplicate the descriptor; the copy is closed on exec.
		if l, err := net.FileListener(file); err == nil {
			taken.network, taken.from, taken.Closer = "tcp", l.Addr(), l
		} else if c, err := net.FilePacketConn(file); err == nil {
			taken.network, taken.from, taken.Closer = "udp", c.LocalAddr(), c
		}
		file.Close()
		s.inherited = append(s.inherited, taken)
	}
	return s
}

// Listen is net.Listen for tcp, but prefers an inherited socket that is bound to address.
func (s *Sockets) Listen(network, address string) (net.Listener, error) {
	if taken := s.take(network, address); taken != nil {
		return taken.(net.Listener), nil
	}
	return net.Listen(network, address)
}

// ListenPacket is net.ListenPacket for udp, but prefers an inherited socket that is bound to
// address.
func (s *Sockets) ListenPacket(network, address string) (net.PacketConn, error) {
	if taken := s.take(network, address); taken != nil {
		return taken.(net.PacketConn), nil
	}
	return net.ListenPacket(network, address)
}

// Inherited reports whether the tcp or udp socket that listens at an address was handed over.
func (s *Sockets) Inherited(network, address string) bool {
	return slices.ContainsFunc(s.taken, func(taken *socket) bool {
		return taken.network == network && taken.from.String() == address
	})
}

// CloseUnused closes sockets that were not taken, and returns their names.
func (s *Sockets) CloseUnused() (names []string) {
	for _, left := range s.inherited {
		left.Close()
		names = append(names, fmt.Sprintf("%s %v", left.unit, left.from))
	}
	s.inherited = nil
	return names
}

func (s *Sockets) take(network, address string) io.Closer {
	for i, candidate := range s.inherited {
		if candidate.network == network && serves(candidate.from, address) {
			s.inherited = append(s.inherited[:i:i], s.inherited[i+1:]...)
			s.taken = append(s.taken, candidate)
			return candidate.Closer
		}
	}
	return nil
}

// serves reports whether a socket is bound to what "host:port" asks for. Without a host that is
// every address, even if only of IPv4 because of the unit.
func serves(bound net.Addr, address string) bool {
	at, err := netip.ParseAddrPort(bound.String())
	if err != nil {
		return false // a unix socket
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil || port != fmt.Sprint(at.Port()) {
		return false
	}
	if host == "" {
		return at.Addr().IsUnspecified()
	}
	wanted, err := netip.ParseAddr(host)
	return err == nil && wanted == at.Addr()
}

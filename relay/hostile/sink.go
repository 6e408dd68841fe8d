package hostile

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// sink is a UDP socket on all addresses of this host. Packets to it through the relay are marked,
// and must not arrive.
type sink struct {
	conn   *net.UDPConn
	port   uint16
	marker string
	hears  []netip.Addr // this host's addresses that reach it

	mu      sync.Mutex
	sent    int
	waiting map[int]chan struct{} // by packet number; closed when the packet arrives
	done    chan struct{}
}

// sinkTime is how long a packet from this host to itself may take.
const sinkTime = 2 * time.Second

func newSink(own []netip.Addr) (*sink, error) {
	conn, err := listenBelow(firstRelayed)
	if err != nil {
		return nil, err
	}
	run := make([]byte, 8)
	rand.Read(run)
	s := &sink{
		conn: conn, port: portOf(conn), marker: "praxisrelay check --hostile " + hex.EncodeToString(run) + " ",
		waiting: map[int]chan struct{}{}, done: make(chan struct{}),
	}
	go s.receive()
	for _, addr := range own {
		// A link-local address needs a zone, which a peer address cannot have.
		if !addr.IsLinkLocalUnicast() && s.echo(addr) {
			s.hears = append(s.hears, addr)
		}
	}
	return s, nil
}

// firstRelayed is the first port of relayed addresses: the sink's must be below.
const firstRelayed = 49152

func listenBelow(port uint16) (conn *net.UDPConn, err error) {
	for range 100 { // the system picks from 32768 up
		if conn, err = net.ListenUDP("udp", nil); err != nil || portOf(conn) < port {
			return conn, err
		}
		defer conn.Close() // keep it until then, or the system picks it again
	}
	return nil, fmt.Errorf("no port below %d was free", port)
}

func portOf(conn *net.UDPConn) uint16 { return conn.LocalAddr().(*net.UDPAddr).AddrPort().Port() }

func (s *sink) receive() {
	defer close(s.done)
	b := make([]byte, 2048)
	for {
		n, _, err := s.conn.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		text, ours := strings.CutPrefix(string(b[:n]), s.marker)
		if number, err := strconv.Atoi(text); ours && err == nil {
			s.mu.Lock()
			if arrived, ok := s.waiting[number]; ok {
				close(arrived)
				delete(s.waiting, number)
			}
			s.mu.Unlock()
		}
	}
}

// packet returns data that is recognized wherever it arrives.
func (s *sink) packet() (data []byte, arrived chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent++
	arrived = make(chan struct{})
	s.waiting[s.sent] = arrived
	return fmt.Append(nil, s.marker, s.sent), arrived
}

// echo sends a packet from this host to itself and reports whether it arrives. Earlier packets to
// the same address have arrived by then.
func (s *sink) echo(addr netip.Addr) bool {
	data, arrived := s.packet()
	if _, err := s.conn.WriteToUDPAddrPort(data, netip.AddrPortFrom(addr, s.port)); err != nil {
		return false
	}
	late := time.NewTimer(sinkTime)
	defer late.Stop()
	select {
	case <-arrived:
		return true
	case <-late.C:
		return false
	}
}

func (s *sink) close() {
	s.conn.Close()
	<-s.done
}

func has(arrived chan struct{}) bool {
	select {
	case <-arrived:
		return true
	default:
		return false
	}
}

package check

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/pion/stun/v3"
)

// A request is repeated after each of these pauses; the last is the wait for a late answer.
var pauses = []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second}

// bind asks one STUN server under which address it sees a socket, and for the server's other
// address (RFC 5780), if it has one.
func bind(ctx context.Context, socket net.PacketConn, server netip.AddrPort) (
	mapped, other netip.AddrPort, rtt time.Duration, err error,
) {
	request := stun.MustBuild(stun.TransactionID, stun.BindingRequest, stun.Fingerprint)
	defer context.AfterFunc(ctx, func() { _ = socket.SetReadDeadline(time.Unix(1, 0)) })()
	buffer := make([]byte, 1500)
	for _, pause := range pauses {
		began := time.Now()
		if _, err = socket.WriteTo(request.Raw, net.UDPAddrFromAddrPort(server)); err != nil {
			return mapped, other, 0, err
		}
		if err = socket.SetReadDeadline(began.Add(pause)); err != nil {
			return mapped, other, 0, err
		}
		for ctx.Err() == nil {
			var n int
			var from net.Addr
			if n, from, err = socket.ReadFrom(buffer); err != nil {
				break
			}
			answer := new(stun.Message)
			if stun.Decode(buffer[:n], answer) != nil || answer.TransactionID != request.TransactionID ||
				plain(from) != server {
				continue // not the answer
			}
			rtt = time.Since(began)
			var xor stun.XORMappedAddress
			if err := xor.GetFrom(answer); err != nil {
				return mapped, other, rtt, Failure{NotAppliance, err}
			}
			var alternate stun.OtherAddress
			if alternate.GetFrom(answer) == nil {
				other = addrPort(alternate.IP, alternate.Port)
			}
			return addrPort(xor.IP, xor.Port), other, rtt, nil
		}
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return mapped, other, 0, err
}

func plain(addr net.Addr) netip.AddrPort {
	udp, ok := addr.(*net.UDPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	return addrPort(udp.IP, udp.Port)
}

func addrPort(ip net.IP, port int) netip.AddrPort {
	addr, _ := netip.AddrFromSlice(ip)
	return netip.AddrPortFrom(addr.Unmap(), uint16(port))
}

// Binding probes whether a UDP port answers, on all addresses at once.
func (t *Target) Binding(w Way) Probe {
	return Probe{ID: w.id("connect"), Way: &w, Needs: []string{"dns"},
		Run: func(ctx context.Context) (Values, error) {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			type found struct {
				at, mapped netip.AddrPort
				rtt        time.Duration
				err        error
			}
			addresses := t.Addresses()
			answers := make(chan found, len(addresses))
			for _, addr := range addresses {
				go func() {
					f := found{at: netip.AddrPortFrom(addr, w.Port)}
					socket, err := net.ListenPacket("udp", "")
					if f.err = err; err == nil {
						f.mapped, _, f.rtt, f.err = bind(ctx, socket, f.at)
						socket.Close()
					}
					answers <- f
				}()
			}
			err := fail(NoAddress, "the name has no address")
			for range addresses {
				f := <-answers
				if err = f.err; err != nil {
					continue
				}
				t.mu.Lock()
				if t.answering == nil {
					t.answering = map[uint16]netip.AddrPort{}
				}
				t.answering[w.Port] = f.at
				t.mu.Unlock()
				return Values{"rtt_ms": milliseconds(f.rtt), "mapped": f.mapped.String()}, nil
			}
			return nil, err
		}}
}

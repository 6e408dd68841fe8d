// Package probe examines how the appliance appears from outside.
package probe

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/pion/stun/v3"
)

// An unanswered request is repeated as RFC 8489 (section 6.2.1) prescribes.
const (
	firstRetransmission = 500 * time.Millisecond
	attempts            = 5
)

// PublicAddress asks a STUN server, "host:port", over UDP from which address this host reaches it,
// over IPv4 if possible. It gives up after 15 seconds, or when ctx is done.
func PublicAddress(ctx context.Context, server string) (netip.Addr, error) {
	// If a NAT translates anything, it is IPv4.
	conn, err := new(net.Dialer).DialContext(ctx, "udp4", server)
	if err != nil {
		conn, err = new(net.Dialer).DialContext(ctx, "udp", server)
	}
	if err != nil {
		return netip.Addr{}, fmt.Errorf("the STUN server %s: %w", server, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	request := stun.MustBuild(stun.TransactionID, stun.BindingRequest, stun.Fingerprint)
	buffer := make([]byte, 1500)
	for i := range attempts {
		if _, err = conn.Write(request.Raw); err != nil {
			break
		}
		if err = conn.SetReadDeadline(time.Now().Add(firstRetransmission << i)); err != nil {
			break
		}
		for {
			var n int
			if n, err = conn.Read(buffer); err != nil {
				break
			}
			answer := new(stun.Message)
			if stun.Decode(buffer[:n], answer) != nil || answer.TransactionID != request.TransactionID {
				continue // not the answer
			}
			var mapped stun.XORMappedAddress
			if err := mapped.GetFrom(answer); err != nil {
				return netip.Addr{}, fmt.Errorf("the STUN server %s answers without an address: %w",
					server, err)
			}
			addr, _ := netip.AddrFromSlice(mapped.IP)
			return addr.Unmap(), nil
		}
		if timeout, ok := err.(net.Error); !ok || !timeout.Timeout() {
			break
		}
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return netip.Addr{}, fmt.Errorf("the STUN server %s does not answer: %w", server, err)
}

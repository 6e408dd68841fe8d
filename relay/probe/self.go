package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/pion/stun/v3"
	"github.com/pires/go-proxyproto"
)

// Self checks, as clients would, that the appliance's own listeners answer.
//
// A busy server is not a dead one. Requests lost in a flood are repeated, and a refused connection
// (too many are open, there is no certificate yet) counts as an answer. Only silence counts as
// dead.
type Self struct {
	UDP   []netip.AddrPort // each gets a STUN Binding request
	TCP   []netip.AddrPort // likewise
	HTTPS netip.AddrPort   // gets a request for /healthz
	// Proxies are the networks whose connections must begin with a PROXY header. If this host's own
	// address is in one, a header is sent that says so.
	Proxies []netip.Prefix
	// ID is the transaction ID of the requests over UDP. The relay answers it even when others on
	// this host, or in the /64 of its IPv6 address, have used up the budget. Zero: a random one.
	ID [stun.TransactionIDSize]byte
}

// selfRetransmission is how soon a lost request is repeated.
const selfRetransmission = 100 * time.Millisecond

// Check repeats requests until all listeners have answered or ctx is done. The error names the
// silent ones.
func (s Self) Check(ctx context.Context) error {
	var asking sync.WaitGroup
	var mu sync.Mutex
	var silent []error
	ask := func(what string, address netip.AddrPort, question func(context.Context, netip.AddrPort) error) {
		asking.Go(func() {
			if err := question(ctx, reachable(address)); err != nil {
				mu.Lock()
				defer mu.Unlock()
				silent = append(silent, fmt.Errorf("%s %v: %w", what, address, err))
			}
		})
	}
	for _, address := range s.UDP {
		ask("STUN over UDP at", address, s.askUDP)
	}
	for _, address := range s.TCP {
		ask("STUN over TCP at", address, s.askTCP)
	}
	ask("HTTPS at", s.HTTPS, s.askHTTPS)
	asking.Wait()
	return errors.Join(silent...)
}

// reachable is the address at which this host reaches a listener, which may be on all addresses.
func reachable(address netip.AddrPort) netip.AddrPort {
	if address.Addr().IsUnspecified() {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), address.Port())
	}
	return address
}

func (s Self) askUDP(ctx context.Context, address netip.AddrPort) error {
	conn, err := new(net.Dialer).DialContext(ctx, "udp", address.String())
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	id := s.ID
	if id == [stun.TransactionIDSize]byte{} {
		id = stun.NewTransactionID()
	}
	request := stun.MustBuild(stun.NewTransactionIDSetter(id), stun.BindingRequest)
	buffer := make([]byte, 1500)
	for ctx.Err() == nil {
		if _, err := conn.Write(request.Raw); err != nil && !errors.Is(err, syscall.ECONNREFUSED) {
			return err
		}
		if err := conn.SetReadDeadline(time.Now().Add(selfRetransmission)); err != nil {
			break
		}
		n, err := conn.Read(buffer)
		answer := new(stun.Message)
		if err == nil && stun.Decode(buffer[:n], answer) == nil &&
			answer.TransactionID == request.TransactionID {
			return nil
		}
		if errors.Is(err, syscall.ECONNREFUSED) {
			return err // nothing listens on the port
		}
	}
	return errSilent
}

var errSilent = errors.New("no answer")

func (s Self) askTCP(ctx context.Context, address netip.AddrPort) error {
	conn, err := s.dial(ctx, address)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	_, err = conn.Write(stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw)
	if err == nil {
		_, err = conn.Read(make([]byte, 1))
	}
	return spoken(ctx, err)
}

func (s Self) askHTTPS(ctx context.Context, address netip.AddrPort) error {
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return s.dial(ctx, address)
		},
		// This checks that something answers, not what: there may be no certificate yet.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet,
		"https://"+address.String()+"/healthz", nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return spoken(ctx, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 300))
		return fmt.Errorf("/healthz answers %s: %s", response.Status, text)
	}
	return nil
}

// spoken returns nil for a refusal, which is an answer, and an error for silence.
func spoken(ctx context.Context, err error) error {
	_, alert := errors.AsType[tls.AlertError](err)
	remote, failed := errors.AsType[*net.OpError](err)
	switch {
	case ctx.Err() != nil:
		return errSilent
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		alert, failed && remote.Op == "remote error":
		return nil
	}
	return err
}

// dial connects, and sends a PROXY header if the local address is a proxy's.
func (s Self) dial(ctx context.Context, address netip.AddrPort) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address.String())
	if err != nil {
		return nil, err
	}
	own := conn.LocalAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
	if slices.ContainsFunc(s.Proxies, func(p netip.Prefix) bool { return p.Contains(own) }) {
		header := proxyproto.HeaderProxyFromAddrs(2, conn.LocalAddr(), conn.RemoteAddr())
		header.Command = proxyproto.LOCAL
		if _, err := header.WriteTo(conn); err != nil {
			conn.Close()
			return nil, err
		}
	}
	return conn, nil
}

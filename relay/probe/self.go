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

// Self asks the own listeners, as clients do, whether anything answers there.
//
// A busy server is not a dead one. What is lost in a flood is asked again, and a
// connection that is refused (too many are open, there is no certificate yet) was
// answered all the same. Dead is what says nothing.
type Self struct {
	UDP   []netip.AddrPort // each is asked a STUN Binding request
	TCP   []netip.AddrPort // likewise
	HTTPS netip.AddrPort   // is asked for /healthz
	// Proxies are the networks whose connections must begin with a PROXY header. Where
	// the own address is in them, one is sent that says so.
	Proxies []netip.Prefix
	// ID is the transaction ID of the questions over UDP, for which the relay has an
	// answer left when somebody on this host, or in the /64 of its IPv6 address, has used
	// up those for its own addresses. Zero: a random one.
	ID [stun.TransactionIDSize]byte
}

// selfRetransmission is how soon a lost question is asked again.
const selfRetransmission = 100 * time.Millisecond

// Check asks until all have answered or ctx is done. The error names the listeners that
// did not.
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

// reachable is where a listener on all addresses is reached from this host.
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
		if err == nil && stun.Decode(buffer[:n], answer) == nil && answer.TransactionID == request.TransactionID {
			return nil
		}
		if errors.Is(err, syscall.ECONNREFUSED) {
			return err // nobody has the port
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
		// Whether anybody is there, not who: the certificate may be on its way.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address.String()+"/healthz", nil)
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

// spoken tells a refusal, which somebody has made, from silence.
func spoken(ctx context.Context, err error) error {
	_, alert := errors.AsType[tls.AlertError](err)
	remote, failed := errors.AsType[*net.OpError](err)
	switch {
	case ctx.Err() != nil:
		return errSilent
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), alert, failed && remote.Op == "remote error":
		return nil
	}
	return err
}

// dial connects, with a header where the own address is a proxy's.
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

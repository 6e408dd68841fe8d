package check

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/pion/ice/v3"
	"github.com/pion/stun/v2"
	"github.com/pion/transport/v3/stdnet"
)

// ParseServers parses the URLs of the ICE servers that a client is given (RFC 7064, RFC 7065).
func ParseServers(urls []string, username, password string) (servers []*stun.URI, err error) {
	for _, url := range urls {
		server, err := stun.ParseURI(url)
		if err != nil {
			return nil, fmt.Errorf("%q is not the URL of an ICE server: %w", url, err)
		}
		server.Username, server.Password = username, password
		servers = append(servers, server)
	}
	return servers, nil
}

// WayOf returns the way that a client takes to a server.
func WayOf(server *stun.URI) Way {
	way := Way{UDP, uint16(server.Port)}
	switch {
	case server.Scheme == stun.SchemeTypeTURNS:
		way.Transport = TLS
	case server.Proto == stun.ProtoTypeTCP:
		way.Transport = TCP
	}
	return way
}

// used returns the ways to Servers.
func (t *Target) used() (ways []Way) {
	for _, server := range t.Servers {
		ways = append(ways, WayOf(server))
	}
	return ways
}

// ICE makes a whole connection between two agents that reach each other only through the relay: one
// over the best way that works and one over the last, since clients on different ways must be able
// to meet.
func (t *Target) ICE(results *Results) Probe {
	return Probe{ID: "ice", After: t.echoes(), Run: func(ctx context.Context) (Values, error) {
		given := t.used()
		ways := slices.DeleteFunc(t.working(results), func(w Way) bool { return !slices.Contains(given, w) })
		if len(ways) == 0 {
			return nil, Skip(Dependent)
		}
		ctx, cancel := context.WithTimeout(ctx, 2*answerTime)
		defer cancel()
		from, to := ways[0], ways[len(ways)-1]
		values := Values{"from": from.String(), "to": to.String()}
		began := time.Now()
		offering, err := t.agent(ctx, from)
		if err != nil {
			return values, err
		}
		defer offering.Close()
		answering, err := t.agent(ctx, to)
		if err != nil {
			return values, err
		}
		defer answering.Close()
		if err := connect(ctx, offering, answering); err != nil {
			return values, Failure{NoICE, err}
		}
		values["connected_ms"] = milliseconds(time.Since(began))
		return values, nil
	}}
}

// agent returns an ICE agent that gathers only a relayed candidate, over one way, from the server
// that clients are given for it.
func (t *Target) agent(ctx context.Context, w Way) (*ice.Agent, error) {
	var urls []*stun.URI
	for _, server := range t.Servers {
		if WayOf(server) == w {
			urls = append(urls, server)
		}
	}
	interfaces, err := stdnet.NewNet()
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	server := t.answering[w.Port]
	t.mu.Unlock()
	if w.Transport != UDP {
		server = netip.AddrPortFrom(netip.IPv4Unspecified(), w.Port)
	}
	return ice.NewAgent(&ice.AgentConfig{
		Urls: urls, CandidateTypes: []ice.CandidateType{ice.CandidateTypeRelay},
		NetworkTypes:           []ice.NetworkType{ice.NetworkTypeUDP4, ice.NetworkTypeUDP6},
		Net:                    located{interfaces, server},
		ProxyDialer:            dialer(func() (net.Conn, error) { return t.dialWay(ctx, w) }),
		RelayAcceptanceMinWait: new(time.Duration), // no better candidate will come
		MulticastDNSMode:       ice.MulticastDNSModeDisabled, LoggerFactory: quiet,
	})
}

// dialer opens the connections of an agent, through proxies too, and with TLS if the way has it:
// pion/ice adds no TLS to a connection that is dialed for it.
type dialer func() (net.Conn, error)

func (d dialer) Dial(string, string) (net.Conn, error) { return d() }

// located is a network in which an agent finds the server's known address. The agent resolves to
// IPv4, whatever the server has.
type located struct {
	*stdnet.Net
	server netip.AddrPort
}

func (l located) ResolveUDPAddr(string, string) (*net.UDPAddr, error) {
	return net.UDPAddrFromAddrPort(l.server), nil
}

func (l located) ListenPacket(string, string) (net.PacketConn, error) {
	return net.ListenPacket("udp", "")
}

// connect has two agents find each other and carries a message each way.
func connect(ctx context.Context, offering, answering *ice.Agent) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, pair := range [][2]*ice.Agent{{offering, answering}, {answering, offering}} {
		gathered := false
		if err := pair[0].OnCandidate(func(c ice.Candidate) {
			if c == nil {
				if !gathered {
					cancel(errors.New("an agent got no relayed address"))
				}
				return
			}
			gathered = true
			if copied, err := ice.UnmarshalCandidate(c.Marshal()); err == nil {
				_ = pair[1].AddRemoteCandidate(copied)
			}
		}); err != nil {
			return err
		}
	}
	for _, a := range []*ice.Agent{offering, answering} {
		if err := a.GatherCandidates(); err != nil {
			return err
		}
	}
	name1, password1, err := offering.GetLocalUserCredentials()
	if err != nil {
		return err
	}
	name2, password2, err := answering.GetLocalUserCredentials()
	if err != nil {
		return err
	}
	type end struct {
		conn *ice.Conn
		err  error
	}
	ends := make(chan end, 2)
	go func() { c, err := offering.Dial(ctx, name2, password2); ends <- end{c, err} }()
	go func() { c, err := answering.Accept(ctx, name1, password1); ends <- end{c, err} }()
	one, two := <-ends, <-ends
	if cause := context.Cause(ctx); cause != nil && one.err != nil {
		return cause
	}
	if err := errors.Join(one.err, two.err); err != nil {
		return fmt.Errorf("the agents did not find each other through the relay: %w", err)
	}
	for _, pair := range [][2]net.Conn{{one.conn, two.conn}, {two.conn, one.conn}} {
		if err := pass(ctx, pair[0], pair[1]); err != nil {
			return err
		}
	}
	return nil
}

// pass repeats a message until it arrives, since one may be lost.
func pass(ctx context.Context, from, to net.Conn) error {
	const message = "praxisrelay check"
	arrived := make(chan error, 1)
	go func() {
		buffer := make([]byte, 100)
		n, err := to.Read(buffer)
		if err == nil && string(buffer[:n]) != message {
			err = errors.New("the message that arrived is not the one sent")
		}
		arrived <- err
	}()
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for {
		if _, err := from.Write([]byte(message)); err != nil {
			return err
		}
		select {
		case err := <-arrived:
			return err
		case <-again.C:
		case <-ctx.Done():
			return errors.New("the agents found each other, but no message arrives")
		}
	}
}

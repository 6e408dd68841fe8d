package apptest

import (
	"errors"
	"net"
	"net/http"
	"testing"

	"praxisrelay/cmd/praxisrelay/secrets"
	"praxisrelay/signal/admin/adminclient"
	"praxisrelay/signal/client"
	"praxisrelay/signal/code"
	"praxisrelay/signal/protocol"
)

// ICE joins a seat and returns its TURN credential.
func (s *Served) ICE(t *testing.T, keys code.Keys) protocol.ICEServer {
	t.Helper()
	_, servers := s.Join(t, []adminclient.CreatedSeat{{Keys: keys}})
	return servers[0]
}

// HTTPS returns an HTTP client that trusts the appliance's certificate.
func (s *Served) HTTPS(t testing.TB) *http.Client {
	t.Helper()
	c, err := secrets.Trusting(s.CA, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// Dialer returns a dialer for the appliance's signaling.
func (s *Served) Dialer(t testing.TB) client.Dialer {
	t.Helper()
	return client.Dialer{HTTP: s.HTTPS(t), Server: s.URL}
}

// Join takes the seats of an appointment, lets the patient in, and returns the sessions with their
// ICE servers.
func (s *Served) Join(t *testing.T, seats []adminclient.CreatedSeat) (sessions []*client.Session,
	servers []protocol.ICEServer) {
	t.Helper()
	return Join(t, s.Dialer(t), seats)
}

// Join is Served.Join for any appliance that dialer reaches.
func Join(t *testing.T, dialer client.Dialer,
	seats []adminclient.CreatedSeat) (sessions []*client.Session, servers []protocol.ICEServer) {
	t.Helper()
	for _, seat := range seats {
		session, err := dialer.JoinWithKeys(t.Context(), seat.Keys)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { session.Close() })
		if len(sessions) > 0 {
			sessions[0].Admit(protocol.Present{Seat: seat.Name, Epoch: session.Epoch()})
		}
		ice, err := session.WaitICE(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sessions, servers = append(sessions, session), append(servers, ice.Servers[0])
	}
	return sessions, servers
}

// Refusal tries to join and returns the protocol's error, which is zero if the join succeeds.
func (s *Served) Refusal(t *testing.T, keys code.Keys) (refused protocol.Error) {
	t.Helper()
	session, err := s.Dialer(t).JoinWithKeys(t.Context(), keys)
	if err == nil {
		session.Close()
		return refused
	}
	p := new(protocol.Error)
	if !errors.As(err, &p) {
		t.Fatal(err)
	}
	return *p
}

// DialerFrom returns a dialer that connects from one of a few loopback addresses, which stand for
// networks.
func (s *Served) DialerFrom(t testing.TB, i int) client.Dialer {
	h, err := secrets.Trusting(s.CA, false)
	if err != nil {
		t.Fatal(err)
	}
	transport := h.Transport.(*http.Transport)
	transport.DisableKeepAlives = true
	transport.DialContext = (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1,
		byte(1+i%8))}}).DialContext
	return client.Dialer{HTTP: h, Server: s.URL}
}

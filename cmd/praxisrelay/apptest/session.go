package apptest

import (
	"errors"
	"net/http"
	"reflect"
	"syscall"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/secrets"
	"praxisrelay/signal/admin/adminclient"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/client"
	"praxisrelay/signal/code"
	"praxisrelay/signal/protocol"
	"praxisrelay/signal/registry"
	"praxisrelay/signal/seal"
)

// ICE joins a seat and returns its TURN credential.
func (s *Served) ICE(t *testing.T, keys code.Keys) protocol.ICEServer {
	t.Helper()
	_, servers := s.Join(t, []adminclient.CreatedSeat{{Keys: keys}})
	return servers[0]
}

// HTTPS trusts the served appliance's certificate.
func (s *Served) HTTPS(t testing.TB) *http.Client {
	t.Helper()
	c, err := secrets.Trusting(s.CA, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// Dialer reaches the appliance.
func (s *Served) Dialer(t testing.TB) client.Dialer {
	t.Helper()
	return client.Dialer{HTTP: s.HTTPS(t), Server: s.URL}
}

// Join takes the seats of an appointment, lets the patient in, and returns their
// sessions with their ICE servers.
func (s *Served) Join(t *testing.T, seats []adminclient.CreatedSeat) (sessions []*client.Session, servers []protocol.ICEServer) {
	t.Helper()
	return Join(t, s.Dialer(t), seats)
}

func Join(t *testing.T, dialer client.Dialer, seats []adminclient.CreatedSeat) (sessions []*client.Session, servers []protocol.ICEServer) {
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

// Refusal joins and returns the protocol's error, or "" when the join succeeds.
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

// PastAppointment keeps an appointment that is over, which the daemon would not
// make, and returns the patient's seat.
func PastAppointment(t *testing.T, registry registry.Registry, pepper *appointment.Pepper, now time.Time) (patient adminclient.CreatedSeat) {
	t.Helper()
	a := appointment.Appointment{ID: appointment.NewID(), Opens: now.Add(-25 * time.Hour), Closes: now.Add(-time.Hour)}
	for _, name := range appointment.SeatNames {
		c := code.New()
		keys, err := c.Derive(registry.Salt(), code.Rounds)
		if err != nil {
			t.Fatal(err)
		}
		patient = adminclient.CreatedSeat{Name: name, Code: c, Keys: keys}
		a.Seats = append(a.Seats, appointment.Seat{
			Name: name, Lookup: pepper.Lookup(keys.Verifier()), RoomKey: pepper.Hide(a.ID, name, seal.NewRoomKey().Wrap(keys.SealKey, a.ID, name)),
		})
	}
	if err := registry.Create(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	return patient
}

// HangUp sends SIGHUP and waits until something came of it.
func (s *Served) HangUp(t *testing.T) {
	t.Helper()
	before, err := s.Admin.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for after, began := before, time.Now(); reflect.DeepEqual(after.Reload, before.Reload); {
		if after, err = s.Admin.Status(t.Context()); err != nil || time.Since(began) > time.Minute {
			t.Fatalf("not reloaded in time: %v", err)
		}
	}
}

package apptest

import (
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/secrets"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/client"
	"praxisrelay/signal/code"
	"praxisrelay/signal/registry"
	"praxisrelay/signal/seal"
)

// Strangers fills a registry with seats whose keys are random: stretching is not what
// is measured.
func Strangers(t testing.TB, folder string, count int) (keys []code.Keys) {
	t.Helper()
	registry, err := registry.Open(filepath.Join(folder, "registry.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer registry.Close()
	pepper := readPepper(t, folder)
	now := time.Now()
	for len(keys) < count {
		a := appointment.Appointment{ID: appointment.NewID(), Opens: now, Closes: now.Add(time.Hour)}
		for _, name := range appointment.SeatNames {
			k := code.Keys{JoinToken: seal.NewRoomKey(), SealKey: seal.NewRoomKey()}
			keys = append(keys, k)
			a.Seats = append(a.Seats, appointment.Seat{
				Name: name, Lookup: pepper.Lookup(k.Verifier()), RoomKey: pepper.Hide(a.ID, name, seal.NewRoomKey().Wrap(k.SealKey, a.ID, name)),
			})
		}
		if err := registry.Create(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	return keys
}

// From dials from one of some addresses of this host, as if they were networks.
func (s *Served) From(t testing.TB, i int) client.Dialer {
	h, err := secrets.Trusting(s.CA, false)
	if err != nil {
		t.Fatal(err)
	}
	transport := h.Transport.(*http.Transport)
	transport.DisableKeepAlives = true
	transport.DialContext = (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i%8))}}).DialContext
	return client.Dialer{HTTP: h, Server: s.URL}
}

package apptest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"praxisrelay/signal/admin/adminclient"
	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/code"
	"praxisrelay/signal/registry"
	"praxisrelay/signal/seal"
)

// Appoint makes an appointment with random keys. Stretching real codes takes seconds under the race
// detector, so its seats have no code and no link.
func (s *Served) Appoint(t testing.TB, opens, closes time.Time) adminclient.Created {
	t.Helper()
	return s.AppointAs(t, "", opens, closes)
}

// AppointAs is Appoint with a ref.
func (s *Served) AppointAs(t testing.TB, ref string, opens, closes time.Time) adminclient.Created {
	t.Helper()
	created := adminclient.Created{ID: appointment.NewID(), Opens: opens, Closes: closes}
	request := api.NewAppointment{ID: created.ID, Ref: ref, Opens: &opens, Closes: &closes}
	room := seal.NewRoomKey()
	for _, name := range (appointment.Appointment{}).SeatNames() {
		seat := adminclient.CreatedSeat{Name: name}
		rand.Read(seat.Keys.JoinToken[:])
		rand.Read(seat.Keys.SealKey[:])
		verifier := seat.Keys.Verifier()
		request.Seats = append(request.Seats, api.NewSeat{
			Name: name, Verifier: verifier[:], RoomKey: room.Wrap(seat.Keys.SealKey, created.ID, name),
		})
		created.Seats = append(created.Seats, seat)
	}
	if status := s.Post(t, "/v1/appointments", request); status != http.StatusCreated {
		t.Fatalf("no appointment was made: %d", status)
	}
	return created
}

// Reissue gives a seat a new code, which is random like Appoint's.
func (s *Served) Reissue(t testing.TB, id, seat string) (keys code.Keys) {
	t.Helper()
	rand.Read(keys.JoinToken[:])
	rand.Read(keys.SealKey[:])
	verifier := keys.Verifier()
	request := api.NewCode{Verifier: verifier[:],
		RoomKey: seal.NewRoomKey().Wrap(keys.SealKey, id, seat)}
	if status := s.Request(t, http.MethodPut, "/v1/appointments/"+id+"/seats/"+seat,
		request); status != http.StatusOK {
		t.Fatalf("the seat has no other code: %d", status)
	}
	return keys
}

// Post sends JSON to the admin socket and returns the status of the response.
func (s *Served) Post(t testing.TB, path string, body any) int {
	t.Helper()
	return s.Request(t, http.MethodPost, path, body)
}

// Request sends a request with a JSON body to the admin socket and returns the status of the
// response. A body of bytes is sent as it is.
func (s *Served) Request(t testing.TB, method, path string, body any) int {
	t.Helper()
	text, written := body.([]byte)
	if !written {
		var err error
		if text, err = json.Marshal(body); err != nil {
			t.Fatal(err)
		}
	}
	socket := http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", s.Socket)
		}}}
	request, err := http.NewRequestWithContext(t.Context(), method, "http://admin"+path,
		bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := socket.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

// FillRegistry adds appointments until the registry has count seats, and returns their keys. The
// keys are random, since stretching is not what these tests measure.
func FillRegistry(t testing.TB, folder string, count int) (keys []code.Keys) {
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
				Name: name, Lookup: pepper.Lookup(k.Verifier()),
				RoomKey: pepper.Hide(a.ID, name, seal.NewRoomKey().Wrap(k.SealKey, a.ID, name)),
			})
		}
		if err := registry.Create(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	return keys
}

// MadeAppointment is an appointment in the output of code create --json.
type MadeAppointment struct {
	Appointment string
	Seats       []struct{ Seat, Code, Link string }
}

// AddPastAppointment adds an appointment in the past, which the daemon would not make, and returns
// the patient's seat.
func AddPastAppointment(t *testing.T, registry registry.Registry, pepper *appointment.Pepper,
	now time.Time) (patient adminclient.CreatedSeat) {
	t.Helper()
	a := appointment.Appointment{ID: appointment.NewID(), Opens: now.Add(-25 * time.Hour),
		Closes: now.Add(-time.Hour)}
	for _, name := range appointment.SeatNames {
		c := code.New()
		keys, err := c.Derive(registry.Salt(), code.Rounds)
		if err != nil {
			t.Fatal(err)
		}
		patient = adminclient.CreatedSeat{Name: name, Code: c, Keys: keys}
		a.Seats = append(a.Seats, appointment.Seat{
			Name: name, Lookup: pepper.Lookup(keys.Verifier()),
			RoomKey: pepper.Hide(a.ID, name, seal.NewRoomKey().Wrap(keys.SealKey, a.ID, name)),
		})
	}
	if err := registry.Create(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	return patient
}

// NextYear replaces YEAR by the next year: an appointment then is always in the future, and not too
// far ahead.
func NextYear(text string) string {
	return strings.ReplaceAll(text, "YEAR", strconv.Itoa(time.Now().Year()+1))
}

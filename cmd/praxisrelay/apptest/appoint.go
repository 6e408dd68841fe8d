package apptest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"net"
	"net/http"
	"testing"
	"time"

	"praxisrelay/signal/admin/adminclient"
	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/code"
	"praxisrelay/signal/seal"
)

// Appoint makes an appointment with keys that no code was stretched for, which takes
// seconds under the race detector. Its seats have no code and no link.
func (s *Served) Appoint(t testing.TB, opens, closes time.Time) adminclient.Created {
	t.Helper()
	return s.AppointAs(t, "", opens, closes)
}

// AppointAs is appoint with a ref.
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

// Reissue gives a seat another code, as appoint makes them.
func (s *Served) Reissue(t testing.TB, id, seat string) (keys code.Keys) {
	t.Helper()
	rand.Read(keys.JoinToken[:])
	rand.Read(keys.SealKey[:])
	verifier := keys.Verifier()
	request := api.NewCode{Verifier: verifier[:], RoomKey: seal.NewRoomKey().Wrap(keys.SealKey, id, seat)}
	if status := s.Ask(t, http.MethodPut, "/v1/appointments/"+id+"/seats/"+seat, request); status != http.StatusOK {
		t.Fatalf("the seat has no other code: %d", status)
	}
	return keys
}

// Post sends JSON to the admin socket and returns the status of the answer.
func (s *Served) Post(t testing.TB, path string, body any) int {
	t.Helper()
	return s.Ask(t, http.MethodPost, path, body)
}

func (s *Served) Ask(t testing.TB, method, path string, body any) int {
	t.Helper()
	text, written := body.([]byte)
	if !written {
		var err error
		if text, err = json.Marshal(body); err != nil {
			t.Fatal(err)
		}
	}
	socket := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", s.Socket)
	}}}
	request, err := http.NewRequestWithContext(t.Context(), method, "http://admin"+path, bytes.NewReader(text))
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

package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"praxisrelay/signal/appointment"
	"praxisrelay/signal/code"
	"praxisrelay/signal/protocol"
	"praxisrelay/signal/seal"
)

// Admin talks to a daemon through its admin socket.
type Admin struct {
	socket string
	http   *http.Client
}

// NewAdmin returns an Admin for the unix socket of that path.
func NewAdmin(socket string) *Admin {
	var d net.Dialer
	return &Admin{socket, &http.Client{
		Timeout: 30 * time.Second,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return d.DialContext(ctx, "unix", socket)
			},
		},
	}}
}

// Created is a new appointment with its codes, which nobody else knows.
type Created struct {
	ID     string
	Opens  time.Time
	Closes time.Time
	Seats  []CreatedSeat
}

// CreatedSeat is a seat with its code, and the link that opens it.
type CreatedSeat struct {
	Name string
	Code code.Code
	Link string
	Keys code.Keys
}

// Create makes an appointment: codes and room key are made here, and the daemon
// gets what it needs to recognise the one and to hand out the other, unread.
func (a *Admin) Create(ctx context.Context, opens, closes time.Time) (Created, error) {
	var info protocol.Info
	if err := a.call(ctx, http.MethodGet, "/v1/info", nil, &info); err != nil {
		return Created{}, err
	}
	created := Created{ID: appointment.NewID(), Opens: opens, Closes: closes}
	for _, name := range appointment.SeatNames {
		c := code.New()
		// The code stands behind the #, which browsers send to nobody.
		created.Seats = append(created.Seats, CreatedSeat{Name: name, Code: c, Link: info.URL + "#" + c.Format()})
	}
	if err := created.derive(info); err != nil {
		return Created{}, err
	}
	request := protocol.NewAppointment{ID: created.ID, Opens: opens, Closes: closes}
	room := seal.NewRoomKey()
	for _, seat := range created.Seats {
		verifier := seat.Keys.Verifier()
		request.Seats = append(request.Seats, protocol.NewSeat{
			Name: seat.Name, Verifier: verifier[:], RoomKey: room.Wrap(seat.Keys.SealKey, created.ID, seat.Name),
		})
	}
	return created, a.call(ctx, http.MethodPost, "/v1/appointments", request, &protocol.ListedAppointment{})
}

// derive stretches the codes side by side, since each takes its time on purpose.
func (c *Created) derive(info protocol.Info) error {
	failed := make([]error, len(c.Seats))
	var stretching sync.WaitGroup
	for i := range c.Seats {
		stretching.Go(func() { c.Seats[i].Keys, failed[i] = c.Seats[i].Code.Derive(info.Salt, info.Rounds) })
	}
	stretching.Wait()
	return errors.Join(failed...)
}

// List returns the daemon's appointments in the order in which they open.
func (a *Admin) List(ctx context.Context) (list []protocol.ListedAppointment, err error) {
	return list, a.call(ctx, http.MethodGet, "/v1/appointments", nil, &list)
}

// Revoke makes the codes of an appointment invalid and ends what runs.
func (a *Admin) Revoke(ctx context.Context, id string) error {
	return a.call(ctx, http.MethodDelete, "/v1/appointments/"+id, nil, &protocol.ListedAppointment{})
}

func (a *Admin) call(ctx context.Context, method, path string, in, out any) error {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return err
		}
	}
	err := call(ctx, a.http, method, "http://admin"+path, &body, out)
	if _, refused := err.(protocol.Problem); err != nil && !refused {
		return fmt.Errorf("%w: does the server run, and may you open %s?", err, a.socket)
	}
	return err
}

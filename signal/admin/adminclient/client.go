// Package adminclient is the commands' client of the admin API on its socket. It makes codes
// itself, so that the daemon never learns them.
package adminclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/code"
	"praxisrelay/signal/protocol"
	"praxisrelay/signal/seal"
	"praxisrelay/signal/token"
)

// Client talks to a daemon through its admin socket.
type Client struct {
	socket string
	http   *http.Client
}

// New returns a Client for a unix socket.
func New(socket string) *Client {
	return newClient(socket, func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	})
}

func newClient(socket string, dial func(context.Context) (net.Conn, error)) *Client {
	return &Client{socket, &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := dial(ctx)
			return steadyConn{conn}, err
		},
	}}}
}

// silence is how long the daemon may send nothing. The answer as a whole may take longer.
const silence = 30 * time.Second

type steadyConn struct{ net.Conn }

func (c steadyConn) Read(b []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(silence)); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

func (c steadyConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(silence)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
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

// Create makes an appointment. Codes and room key are made here; the daemon gets what it needs to
// recognize the codes and to hand out the room key, unread. Ref is the caller's own name for the
// appointment, or empty: see [appointment.CheckRef].
func (a *Client) Create(ctx context.Context, opens, closes time.Time, ref string) (Created, error) {
	info, err := a.GetInfo(ctx)
	if err != nil {
		return Created{}, err
	}
	return a.create(ctx, info, api.NewAppointment{Ref: ref, Opens: &opens, Closes: &closes}, seal.NewRoomKey())
}

// CreateTest makes a code to check a network with: see [appointment.Test]. Sealed with it is the
// public key in the daemon's certificate.
func (a *Client) CreateTest(ctx context.Context, opens, closes time.Time) (Created, error) {
	info, err := a.GetInfo(ctx)
	if err != nil {
		return Created{}, err
	}
	return a.create(ctx, info, api.NewAppointment{Opens: &opens, Closes: &closes, Test: true}, seal.TestKey(info.Key))
}

func (a *Client) create(ctx context.Context, info protocol.Info, request api.NewAppointment, room seal.RoomKey) (Created, error) {
	request.ID = appointment.NewID()
	created := Created{ID: request.ID, Opens: *request.Opens, Closes: *request.Closes}
	for _, name := range (appointment.Appointment{Test: request.Test}).SeatNames() {
		created.Seats = append(created.Seats, newSeat(info, name))
	}
	if err := created.derive(info); err != nil {
		return Created{}, err
	}
	for _, seat := range created.Seats {
		verifier := seat.Keys.Verifier()
		request.Seats = append(request.Seats, api.NewSeat{
			Name: seat.Name, Verifier: verifier[:], RoomKey: room.Wrap(seat.Keys.SealKey, created.ID, seat.Name),
		})
	}
	err := a.call(ctx, http.MethodPost, "/v1/appointments", request, &api.CreatedAppointment{})
	if err != nil && !errors.As(err, new(api.Problem)) && !neverSent(err) {
		// The answer was lost, but the codes in it may be valid by now.
		if gone := a.Revoke(context.WithoutCancel(ctx), created.ID); gone != nil && !errors.As(gone, new(api.Problem)) {
			err = fmt.Errorf("%w; %s may have been made, and nobody has its codes: revoke it", err, created.ID)
		}
	}
	return created, err
}

// neverSent reports whether a request failed because nothing was listening.
func neverSent(err error) bool {
	failed, ok := errors.AsType[*net.OpError](err)
	return ok && failed.Op == "dial"
}

// GetInfo returns the daemon's data for clients, including how they recognize it.
func (a *Client) GetInfo(ctx context.Context) (info protocol.Info, err error) {
	return info, a.call(ctx, http.MethodGet, "/v1/info", nil, &info)
}

// newSeat makes a code for a seat. In the link it follows the #, which browsers send to nobody.
func newSeat(info protocol.Info, name string) CreatedSeat {
	c := code.New()
	return CreatedSeat{Name: name, Code: c, Link: info.URL + "#" + c.Format()}
}

// derive stretches the codes in parallel, since each is slow by design.
func (c *Created) derive(info protocol.Info) error {
	failed := make([]error, len(c.Seats))
	var stretching sync.WaitGroup
	for i := range c.Seats {
		stretching.Go(func() { c.Seats[i].Keys, failed[i] = c.Seats[i].Code.Derive(info.Salt, info.Rounds) })
	}
	stretching.Wait()
	return errors.Join(failed...)
}

// List returns the daemon's appointments in order of opening.
func (a *Client) List(ctx context.Context) (list []api.ListedAppointment, err error) {
	return list, a.call(ctx, http.MethodGet, "/v1/appointments", nil, &list)
}

// Revoke makes the codes of an appointment invalid and ends its sessions and calls.
func (a *Client) Revoke(ctx context.Context, id string) error {
	return a.call(ctx, http.MethodDelete, "/v1/appointments/"+url.PathEscape(id), nil, &api.ListedAppointment{})
}

// Get returns an appointment.
func (a *Client) Get(ctx context.Context, id string) (got api.ListedAppointment, err error) {
	return got, a.call(ctx, http.MethodGet, "/v1/appointments/"+url.PathEscape(id), nil, &got)
}

// Reissue makes a new code for a seat with the code of another one, and ends everything that the
// old code opened. The daemon learns neither code.
func (a *Client) Reissue(ctx context.Context, id, name, otherName string, other code.Code) (CreatedSeat, error) {
	info, err := a.GetInfo(ctx)
	if err != nil {
		return CreatedSeat{}, err
	}
	seats := "/v1/appointments/" + url.PathEscape(id) + "/seats/"
	var wrapped api.SeatKey
	if err := a.call(ctx, http.MethodGet, seats+url.PathEscape(otherName), nil, &wrapped); err != nil {
		return CreatedSeat{}, err
	}
	// Both are stretched in parallel, as in Create.
	both := Created{Seats: []CreatedSeat{{Code: other}, newSeat(info, name)}}
	if err := both.derive(info); err != nil {
		return CreatedSeat{}, err
	}
	made := both.Seats[1]
	room, err := seal.Unwrap(both.Seats[0].Keys.SealKey, id, otherName, wrapped.RoomKey)
	if err != nil {
		return CreatedSeat{}, fmt.Errorf("this is not the code of the %s of %s: check what was typed; where no code is left, revoke the appointment and make another", otherName, id)
	}
	verifier := made.Keys.Verifier()
	request := api.NewCode{Verifier: verifier[:], RoomKey: room.Wrap(made.Keys.SealKey, id, name)}
	return made, a.call(ctx, http.MethodPut, seats+url.PathEscape(name), request, &api.ReissuedSeat{})
}

// Explain returns the daemon's record of an appointment, and the likely cause of trouble.
func (a *Client) Explain(ctx context.Context, id string) (got api.ExplainedAppointment, err error) {
	return got, a.call(ctx, http.MethodGet, "/v1/appointments/"+url.PathEscape(id)+"/explanation", nil, &got)
}

// Reload passes a configuration, with the files it names, to the daemon.
func (a *Client) Reload(ctx context.Context, handed api.Reload) (got api.Reloaded, err error) {
	return got, a.call(ctx, http.MethodPost, "/v1/reload", handed, &got)
}

// FitPepper asks how well peppers match the daemon's registry.
func (a *Client) FitPepper(ctx context.Context, peppers [][]byte) (got api.PepperFit, err error) {
	return got, a.call(ctx, http.MethodPost, "/v1/pepper", api.Peppers{Peppers: peppers}, &got)
}

// StartDrain stops new consultations from beginning; until may be zero.
func (a *Client) StartDrain(ctx context.Context, until time.Time) (got api.Drained, err error) {
	return got, a.call(ctx, http.MethodPut, "/v1/drain", api.Drain{Until: until}, &got)
}

// Drained returns the progress of a drain.
func (a *Client) Drained(ctx context.Context) (got api.Drained, err error) {
	return got, a.call(ctx, http.MethodGet, "/v1/drain", nil, &got)
}

// EndDrain allows consultations to begin again.
func (a *Client) EndDrain(ctx context.Context) (got api.Drained, err error) {
	return got, a.call(ctx, http.MethodDelete, "/v1/drain", nil, &got)
}

// CreateCredentials makes TURN credentials for count appointments.
func (a *Client) CreateCredentials(ctx context.Context, count int) (made api.MadeCredentials, err error) {
	return made, a.call(ctx, http.MethodPost, "/v1/credentials", api.NewCredentials{Count: count}, &made)
}

// Status returns the daemon's activity and condition.
func (a *Client) Status(ctx context.Context) (got api.Status, err error) {
	return got, a.call(ctx, http.MethodGet, "/v1/status", nil, &got)
}

// Backup writes a copy of the daemon's registry, as of one moment.
func (a *Client) Backup(ctx context.Context, w io.Writer) error {
	return a.call(ctx, http.MethodGet, "/v1/backup", nil, w)
}

// CreateToken makes an access token for the admin API; expires may be nil.
func (a *Client) CreateToken(ctx context.Context, name string, scopes []token.Scope, expires *time.Time) (made api.CreatedToken, err error) {
	request := api.NewToken{Name: name, Scopes: scopes, Expires: expires}
	return made, a.call(ctx, http.MethodPost, "/v1/tokens", request, &made)
}

// Tokens returns the tokens in order of creation.
func (a *Client) Tokens(ctx context.Context) (list []api.ListedToken, err error) {
	return list, a.call(ctx, http.MethodGet, "/v1/tokens", nil, &list)
}

// RevokeToken makes a token invalid.
func (a *Client) RevokeToken(ctx context.Context, id string) error {
	return a.call(ctx, http.MethodDelete, "/v1/tokens/"+url.PathEscape(id), nil, nil)
}

func (a *Client) call(ctx context.Context, method, path string, in, out any) error {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return err
		}
	}
	err := a.exchange(ctx, method, path, &body, out)
	if _, refused := err.(api.Problem); err != nil && !refused {
		if errors.As(err, new(*fs.PathError)) {
			return err // from the file that takes the answer
		}
		if asked, ok := errors.AsType[*url.Error](err); ok {
			err = asked.Err // without the URL, which means nothing to users
		}
		return unanswered(err, a.socket)
	}
	return err
}

// exchange makes one request. An error answer becomes an api.Problem. out may be an io.Writer,
// which gets the raw answer, or nil if none is expected. The size of an answer is not bounded: the
// daemon is trusted, and a list of all appointments may be long.
func (a *Client) exchange(ctx context.Context, method, path string, body io.Reader, out any) error {
	request, err := http.NewRequestWithContext(ctx, method, "http://admin"+path, body)
	if err != nil {
		return err
	}
	response, err := a.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	d := json.NewDecoder(response.Body)
	if strings.HasPrefix(response.Header.Get("Content-Type"), "application/problem+json") {
		var problem api.Problem
		if err := d.Decode(&problem); err != nil {
			return err
		}
		return problem
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s answered %s: is it an appliance?", request.URL.Host, response.Status)
	}
	switch out := out.(type) {
	case nil:
		return nil
	case io.Writer:
		_, err := io.Copy(out, response.Body)
		return err
	}
	if err := d.Decode(out); err != nil {
		return fmt.Errorf("%s answered something else than was expected: is it an appliance?", request.URL.Host)
	}
	return nil
}

// unanswered adds a remedy to an error when the daemon did not answer.
func unanswered(err error, socket string) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: run it as root (sudo), or as the daemon's user", err)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w: start the daemon, or name its signal.admin_socket with --socket: nobody serves %s", err, socket)
	case errors.Is(err, syscall.EINVAL):
		return fmt.Errorf("%w: %s is too long for the path of a unix socket: name the daemon's signal.admin_socket", err, socket)
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return fmt.Errorf("%w: the daemon ended before it had answered: look at its log", err)
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: the daemon at %s is stuck or very busy: look at its log", err, socket)
	}
	return err
}

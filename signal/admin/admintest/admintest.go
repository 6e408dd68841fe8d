// Package admintest calls the admin API in tests, and checks each answer against docs/openapi.yaml.
package admintest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/code"
	"praxisrelay/signal/seal"
	"praxisrelay/signal/token"
)

// Server is an admin API.
type Server interface {
	Socket() http.Handler
	Network() http.Handler
}

// API is the admin API as one caller uses it.
type API struct {
	*testing.T
	socket, network http.Handler
	Bearer          string // the Authorization header over the network
	From            string // its address and port
}

// New returns the API for a caller without a token.
func New(t *testing.T, s Server) *API {
	return &API{T: t, socket: s.Socket(), network: s.Network(), From: "192.0.2.1:1000"}
}

// Socket makes a request on the admin socket. The body is text, or is encoded as JSON.
func (a *API) Socket(method, path string, body any) (int, string) {
	a.Helper()
	text, ok := body.(string)
	if !ok {
		b, err := json.Marshal(body)
		if err != nil {
			a.Fatal(err)
		}
		text = string(b)
	}
	w := httptest.NewRecorder()
	a.socket.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(text)))
	Conforms(a.T, method, path, w)
	return w.Code, w.Body.String()
}

// Seats makes an appointment with random keys: stretching is not under test.
func (a *API) Seats(opens time.Time) (id string, doctor, patient code.Keys) {
	a.Helper()
	room := seal.NewRoomKey()
	n := api.NewAppointment{ID: appointment.NewID(), Opens: &opens, Closes: new(opens.Add(appointment.Length))}
	for i, keys := range []*code.Keys{&doctor, &patient} {
		keys.JoinToken, keys.SealKey = seal.NewRoomKey(), seal.NewRoomKey()
		verifier, name := keys.Verifier(), appointment.SeatNames[i]
		n.Seats = append(n.Seats, api.NewSeat{Name: name, Verifier: verifier[:], RoomKey: room.Wrap(keys.SealKey, n.ID, name)})
	}
	if status, body := a.Socket("POST", "/v1/appointments", n); status != http.StatusCreated {
		a.Fatalf("%d %s", status, body)
	}
	return n.ID, doctor, patient
}

// With returns the same API for a caller with another token.
func (a *API) With(scopes ...token.Scope) *API {
	a.Helper()
	status, body := a.Socket("POST", "/v1/tokens", api.NewToken{Scopes: scopes})
	var made api.CreatedToken
	if err := json.Unmarshal([]byte(body), &made); err != nil || status != http.StatusCreated {
		a.Fatalf("%d %s", status, body)
	}
	other := *a
	other.Bearer = "Bearer " + made.Token
	return &other
}

// Ask makes a request over the network; headers alternate names and values.
func (a *API) Ask(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	a.Helper()
	w := a.ask(method, path, body, headers...)
	Conforms(a.T, method, path, w)
	return w
}

func (a *API) ask(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.RemoteAddr = a.From
	if a.Bearer != "" {
		r.Header.Set("Authorization", a.Bearer)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	a.network.ServeHTTP(w, r)
	return w
}

// Told makes a request over the network and returns the problem's type. Any goroutine may call it.
func (a *API) Told(method, path, body string) string {
	w := a.ask(method, path, body)
	var p api.Problem
	if w.Code == http.StatusOK {
		return "done"
	}
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		return err.Error()
	}
	return strings.TrimPrefix(p.Type, "/problems/")
}

// ProblemOf reads a problem's type.
func ProblemOf(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	var p api.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Status != w.Code {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return strings.TrimPrefix(p.Type, "/problems/")
}

// PlainBody asks for an appointment whose codes the server makes.
const PlainBody = `{"opens":"2026-12-01T10:00:00+01:00","ref":"2026-0815"}`

// Created reads the answer to PlainBody.
func Created(t *testing.T, w *httptest.ResponseRecorder) (made api.CreatedAppointment) {
	t.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), &made); err != nil || w.Code != http.StatusCreated {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return made
}

// Status is the status of a program that has been serving since that day.
func Status(day time.Time) api.Status {
	return api.Status{
		Version: "v1.2.3", Since: day, NotReady: []string{"the certificate has ended"}, Warnings: []string{"pepper: some codes are unknown"}, Draining: true,
		Calls: 1, Allocations: api.AllocationCounts{UDP: 1, TCP: 2, TLS: 3},
		Limits:       []api.LimitUse{{Name: "relay.max_allocations", Used: 6, Most: 20_000}},
		Listeners:    []api.Listener{{Name: "listen.https", Transport: "tcp", Address: "192.0.2.1:443", Inherited: true}},
		Synthetic:    []api.SyntheticCall{},
		Certificates: []api.CertificateStatus{{Names: []string{"relay.example.org"}, Issuer: "an authority", Begins: day, Ends: day, Problems: []string{"its key is short"}}},
		Reload:       &api.ReloadStatus{At: day, Error: "a mistake"},
		Problems:     []api.LoggedProblem{{Level: "warn", Message: "a warning", Details: "a=b", Count: 2, First: day, Last: day}},
	}
}

package admin

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"praxisrelay/signal/admin/api"
)

// kind is a type of problem: the end of its type URI, its title and its status. docs/admin-api.md
// lists them.
type kind struct {
	name   string
	title  string
	status int
}

var (
	badRequestKind   = kind{"bad-request", "The request was not understood", http.StatusBadRequest}
	tooLargeKind     = kind{"too-large", "The body is too large", http.StatusRequestEntityTooLarge}
	invalidKind      = kind{"invalid", "A value cannot be meant", http.StatusUnprocessableEntity}
	unauthorizedKind = kind{"unauthorized", "No valid token", http.StatusUnauthorized}
	scopeKind        = kind{"missing-scope", "The token does not allow this", http.StatusForbidden}
	socketKind       = kind{"socket-only", "This works on the admin socket only", http.StatusForbidden}
	resourceKind     = kind{"unknown-resource", "No such resource", http.StatusNotFound}
	methodKind       = kind{"unknown-method", "No such method", http.StatusMethodNotAllowed}
	appointmentKind  = kind{"unknown-appointment", "No such appointment", http.StatusNotFound}
	seatKind         = kind{"unknown-seat", "No such seat", http.StatusNotFound}
	tokenKind        = kind{"unknown-token", "No such token", http.StatusNotFound}
	existsKind       = kind{"exists", "The appointment exists", http.StatusConflict}
	endedKind        = kind{"ended", "The appointment is over or revoked", http.StatusConflict}
	inProgressKind   = kind{"in-progress", "The first request is in progress", http.StatusConflict}
	keyReusedKind    = kind{"key-reused", "The Idempotency-Key was used for something else", http.StatusUnprocessableEntity}
	wrongCodeKind    = kind{"wrong-code", "The code is not the seat's", http.StatusUnprocessableEntity}
	limitedKind      = kind{"limited", "Too many failures", http.StatusTooManyRequests}
	busyKind         = kind{"busy", "Too much at once", http.StatusServiceUnavailable}
	faultKind        = kind{"fault", "The server has a fault", http.StatusInternalServerError}
)

// kinds lists all of them.
var kinds = []kind{
	badRequestKind, tooLargeKind, invalidKind, unauthorizedKind, scopeKind, socketKind, resourceKind, methodKind, appointmentKind, seatKind,
	tokenKind, existsKind, endedKind, inProgressKind, keyReusedKind, wrongCodeKind, limitedKind, busyKind, faultKind,
}

// refusal is an error answer of the admin API.
type refusal struct {
	api.Problem
	kind       kind
	retryAfter time.Duration // zero: repeating the request will not help
}

// says makes a refusal: what happened, to what, and what to do. Neither text quotes the request.
func (k kind) says(detail, remedy string) *refusal {
	return &refusal{kind: k, Problem: api.Problem{
		Type: "/problems/" + k.name, Title: k.title, Status: k.status, Detail: detail, Remedy: remedy,
	}}
}

// after sets when to try again.
func (r *refusal) after(wait time.Duration) *refusal {
	r.retryAfter = wait
	return r
}

func (r *refusal) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	switch r.Status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="praxisrelay"`)
		h.Set("Connection", "close") // a client without a token holds no connection
	case http.StatusTooManyRequests:
		h.Set("Connection", "close")
	}
	if r.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int((r.retryAfter+time.Second-1)/time.Second)))
	}
	w.WriteHeader(r.Status)
	_ = json.NewEncoder(w).Encode(r.Problem)
}

// fault answers an error of the registry; details go to the log.
func (s *Server) fault(what string, err error) *refusal {
	s.signaling.Failed(what, err)
	return broken(what)
}

func broken(what string) *refusal { return faultKind.says(what, "see the server's log") }

// unwritten is fault for a failed write.
func (s *Server) unwritten(what string, err error) *refusal {
	s.signaling.Unwritten(what, err)
	return broken(what)
}

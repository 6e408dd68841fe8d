package admin

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"praxisrelay/signal/code"
	"praxisrelay/signal/protocol"
	"praxisrelay/signal/token"
)

// route is a request of the admin API, as docs/openapi.yaml describes it.
type route struct {
	pattern string
	scope   token.Scope // required of a token; empty: served on the socket only
	serve   func(*Server, http.ResponseWriter, *http.Request, caller) *refusal
}

var routes = []route{
	{"GET /v1/info", token.ReadAppointments, (*Server).getInfo},
	{"GET /v1/appointments", token.ReadAppointments, (*Server).listAppointments},
	{"POST /v1/appointments", token.Appointments, (*Server).createAppointment},
	{"GET /v1/appointments/{id}", token.ReadAppointments, (*Server).getAppointment},
	{"GET /v1/appointments/{id}/explanation", token.ReadAppointments, (*Server).getExplanation},
	{"DELETE /v1/appointments/{id}", token.Appointments, (*Server).revokeAppointment},
	{"GET /v1/appointments/{id}/seats/{seat}", token.Appointments, (*Server).getSeat},
	{"PUT /v1/appointments/{id}/seats/{seat}", token.Appointments, (*Server).reissueSeat},
	{"GET /v1/tokens", "", (*Server).listTokens},
	{"POST /v1/tokens", "", (*Server).createToken},
	{"DELETE /v1/tokens/{id}", "", (*Server).revokeToken},
	{"GET /v1/backup", "", (*Server).backup},
	{"GET /v1/status", "", (*Server).serveStatus},
}

// caller identifies the sender of a request.
type caller struct {
	name string // a token's id, or socketCaller
}

const socketCaller = "socket"

// Socket serves the commands. Its callers may do everything: it belongs on a unix socket that only
// administrators can open.
func (s *Server) Socket() http.Handler {
	return s.handler(func(*http.Request, token.Scope) (caller, *refusal) {
		return caller{socketCaller}, nil
	})
}

// handler serves the admin API to callers that authorize accepts.
func (s *Server) handler(authorize func(*http.Request, token.Scope) (caller, *refusal)) http.Handler {
	mux := http.NewServeMux()
	served := append(slices.Clone(routes), route{"/", token.ReadAppointments, func(_ *Server, w http.ResponseWriter, r *http.Request, _ caller) *refusal {
		return unserved(mux, w, r)
	}})
	for pattern, operation := range s.operations {
		served = append(served, route{pattern, "", func(_ *Server, w http.ResponseWriter, r *http.Request, _ caller) *refusal {
			operation(w, r)
			return nil
		}})
	}
	for _, route := range served {
		mux.HandleFunc(route.pattern, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "no-store") // answers hold codes
			w.Header().Set("X-Content-Type-Options", "nosniff")
			caller, refused := authorize(r, route.scope)
			if refused == nil {
				refused = route.serve(s, w, r, caller)
			}
			s.answered(refused)
			if refused != nil {
				refused.write(w)
			}
		})
	}
	return mux
}

func (s *Server) getInfo(w http.ResponseWriter, _ *http.Request, _ caller) *refusal {
	answer(w, http.StatusOK, s.signaling.Info())
	return nil
}

// unserved answers a request that matches only the pattern /, and lists the path's methods, if any
// (RFC 9110, section 15.5.6).
func unserved(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) *refusal {
	var methods []string
	for _, method := range []string{http.MethodDelete, http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut} {
		other := *r
		other.Method = method
		if _, pattern := mux.Handler(&other); pattern != "/" {
			methods = append(methods, method)
		}
	}
	if len(methods) == 0 {
		return resourceKind.says("there is nothing at this path", "see docs/admin-api.md")
	}
	list := strings.Join(methods, ", ")
	w.Header().Set("Allow", list)
	return methodKind.says("the path does not have this method", "use one of "+list)
}

func (s *Server) backup(w http.ResponseWriter, r *http.Request, from caller) *refusal {
	w.Header().Set("Content-Type", "application/octet-stream")
	if err := s.registry.Backup(r.Context(), steady{w}); err != nil {
		s.log.Error("a backup was not finished", "error", err)
		panic(http.ErrAbortHandler) // half the answer is out: the caller must notice
	}
	s.log.Info("a backup was made", "by", from.name)
	return nil
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// maxBody bounds a request's body in bytes.
const maxBody = 16 << 10

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, *refusal) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	switch {
	case errors.As(err, new(*http.MaxBytesError)):
		return nil, tooLargeKind.says("the body is too large", "send at most 16384 bytes")
	case err != nil:
		return nil, badRequestKind.says("the body did not arrive", "send it again")
	}
	return body, nil
}

// named reports whether an error may name a field: codes and tokens must not appear in one.
func named(field string) bool {
	_, err := code.Parse(field)
	return err != nil && fieldName.MatchString(field)
}

var fieldName = regexp.MustCompile(`^[a-z_]{1,32}$`)

// decodeBody reads JSON strictly. Its problems quote no values.
func decodeBody(body []byte, into any) *refusal {
	const remedy = "send what docs/openapi.yaml describes"
	var member *protocol.MemberError
	var mistyped *json.UnmarshalTypeError
	switch err := protocol.Decode(body, into); {
	case err == nil:
		return nil
	case errors.As(err, &member):
		what := "a field"
		if named(member.Name) {
			what = "the field " + strconv.Quote(member.Name)
		}
		if member.Twice {
			return invalidKind.says(what+" is there twice", "send it once")
		}
		return invalidKind.says(what+" is unknown", remedy)
	case errors.As(err, &mistyped) && mistyped.Field != "":
		return invalidKind.says(mistyped.Field+": not of the type that is expected", remedy)
	case errors.As(err, new(*time.ParseError)):
		return invalidKind.says("a time is not understood", "write it like 2026-12-01T10:00:00+01:00")
	case errors.As(err, new(base64.CorruptInputError)):
		return invalidKind.says("a byte string is not understood", "write it in base64 with padding")
	}
	return badRequestKind.says("the body is not one JSON object", remedy)
}

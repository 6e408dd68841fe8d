package admin

import (
	"errors"
	"net/http"
	"strings"

	"praxisrelay/signal/appointment"
	"praxisrelay/signal/front"
	"praxisrelay/signal/limit"
	"praxisrelay/signal/token"
)

// Network serves the admin API over the network: every request needs a token.
func (s *Server) Network() http.Handler {
	wrong := limit.NewNetworks()
	return s.handler(func(r *http.Request, scope token.Scope) (caller, *refusal) {
		network := front.ClientAddr(r)
		known, err := s.bearer(r)
		switch {
		case errors.Is(err, appointment.ErrUnknown):
			// Wrong tokens never lock out a right one of the same network: 256 bits cannot be
			// guessed.
			if wait := wrong.Fail(s.now(), network); wait > 0 {
				s.signaling.Limited(limit.WrongTokens)
				wrong.Report(s.log, s.now(), "tokens", network)
				return caller{}, limitedKind.says("too many wrong tokens came from this network", "correct the token and wait").after(wait)
			}
			return caller{}, unauthorizedKind.says("there is no valid token in the request",
				"send Authorization: Bearer and a token that praxisrelay token create has printed")
		case err != nil:
			return caller{}, s.fault("tokens cannot be read", err)
		case scope == "":
			return caller{}, socketKind.says("no token allows this", "use the command on the appliance itself")
		case !known.Allows(scope):
			return caller{}, scopeKind.says("the token lacks the scope "+string(scope), "use a token that has it")
		}
		return caller{known.ID}, nil
	})
}

// bearer returns a request's token. Unknown, revoked, expired and malformed ones give ErrUnknown,
// at about the same cost.
func (s *Server) bearer(r *http.Request) (token.Token, error) {
	scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	id, secret, ok := token.Parse(strings.TrimSpace(text))
	known, err := s.registry.Token(r.Context(), id)
	if err != nil && !errors.Is(err, appointment.ErrUnknown) {
		return known, err
	}
	if opens := known.Opens(secret, s.now()); !opens || !ok || err != nil || !strings.EqualFold(scheme, "Bearer") {
		return token.Token{}, appointment.ErrUnknown
	}
	return known, nil
}

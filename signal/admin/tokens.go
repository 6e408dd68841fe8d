package admin

import (
	"errors"
	"net/http"

	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/token"
)

func (s *Server) createToken(w http.ResponseWriter, r *http.Request, from caller) *refusal {
	body, refused := readBody(w, r)
	if refused != nil {
		return refused
	}
	var n api.NewToken
	if refused := decodeBody(body, &n); refused != nil {
		return refused
	}
	made, text, err := token.New(n.Name, n.Scopes, s.now(), n.Expires)
	if err != nil {
		return invalidKind.says(err.Error(), "correct it")
	}
	if err := s.registry.AddToken(r.Context(), made); err != nil {
		return s.unwritten("a token cannot be kept", err)
	}
	s.log.Info("a token was made", "by", from.name, "token", made.ID)
	answer(w, http.StatusCreated, api.CreatedToken{ListedToken: listedToken(made), Token: text})
	return nil
}

func (s *Server) listTokens(w http.ResponseWriter, r *http.Request, _ caller) *refusal {
	list, err := s.registry.Tokens(r.Context())
	if err != nil {
		s.log.Error("tokens cannot be read", "error", err) // the rest can
	}
	rows := make([]api.ListedToken, 0, len(list))
	for _, t := range list {
		rows = append(rows, listedToken(t))
	}
	answer(w, http.StatusOK, rows)
	return nil
}

func (s *Server) revokeToken(w http.ResponseWriter, r *http.Request, from caller) *refusal {
	err := s.registry.RevokeToken(r.Context(), r.PathValue("id"))
	switch {
	case errors.Is(err, appointment.ErrUnknown):
		return tokenKind.says("no token has this id", "see praxisrelay token list")
	case err != nil:
		return s.unwritten("a token cannot be revoked", err)
	}
	s.log.Info("a token was revoked", "by", from.name, "token", r.PathValue("id"))
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func listedToken(t token.Token) api.ListedToken {
	return api.ListedToken{ID: t.ID, Name: t.Label, Scopes: t.Scopes, Created: t.Created, Expires: t.Expires}
}

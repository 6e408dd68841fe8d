package health

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestAnswers: a status for programs and reasons for people. A live appliance may not be ready; one
// that is not alive is not ready either.
func TestAnswers(t *testing.T) {
	var dead, full, doubt error
	c := &Checks{
		Alive:  []Check{{"relay", func() error { return dead }}},
		Ready:  []Check{{"capacity", func() error { return full }}},
		Doubts: []Check{{"pepper", func() error { return doubt }}},
	}
	for _, row := range []struct {
		dead, full      error
		doubt           error
		health, ready   int
		healthz, readyz string
	}{
		{nil, nil, nil, 200, 200, "ok\n", "ok\n"},
		{nil, nil, errors.New("odd: look"), 200, 200, "ok\n", "ok\nwarning: pepper: odd: look\n"},
		{nil, errors.New("full: wait"), errors.New("odd: look"), 200, 503, "ok\n", "capacity: full: wait\nwarning: pepper: odd: look\n"},
		{nil, errors.New("full: wait"), nil, 200, 503, "ok\n", "capacity: full: wait\n"},
		{errors.New("dead: restart it"), errors.New("full: wait"), nil, 503, 503, "relay: dead: restart it\n", "relay: dead: restart it\ncapacity: full: wait\n"},
	} {
		dead, full, doubt = row.dead, row.full, row.doubt
		for path, want := range map[string]struct {
			status int
			body   string
		}{"/healthz": {row.health, row.healthz}, "/readyz": {row.ready, row.readyz}, "/else": {404, "404 page not found\n"}} {
			w := httptest.NewRecorder()
			c.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
			if w.Code != want.status || w.Body.String() != want.body {
				t.Errorf("%s: %d %q, want %v", path, w.Code, w.Body, want)
			}
		}
	}
}

package admin

import (
	"net/http"
	"slices"
	"time"
)

// A steady answer takes as long as its reader needs, who must take the next steadyBytes of
// it within steadyTime: a backup or a long list may need minutes.
const (
	steadyTime  = 30 * time.Second
	steadyBytes = 64 << 10
)

type steady struct{ http.ResponseWriter }

func (s steady) Write(b []byte) (n int, err error) {
	for part := range slices.Chunk(b, steadyBytes) {
		// The server's own deadline is for the whole answer. Recorders of tests have none.
		_ = http.NewResponseController(s.ResponseWriter).SetWriteDeadline(time.Now().Add(steadyTime))
		m, err := s.ResponseWriter.Write(part)
		if n += m; err != nil {
			return n, err
		}
	}
	return n, nil
}

// Unwrap is for [http.ResponseController].
func (s steady) Unwrap() http.ResponseWriter { return s.ResponseWriter }

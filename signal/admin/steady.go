package admin

import (
	"net/http"
	"slices"
	"time"
)

// A steady answer takes as long as its reader needs, provided that each steadyBytes are read within
// steadyTime: a backup or a long list may take minutes.
const (
	steadyTime  = 30 * time.Second
	steadyBytes = 64 << 10
)

type steady struct{ http.ResponseWriter }

func (s steady) Write(b []byte) (n int, err error) {
	for part := range slices.Chunk(b, steadyBytes) {
		// The server's own deadline covers the whole answer. Test recorders have none.
		_ = http.NewResponseController(s.ResponseWriter).SetWriteDeadline(time.Now().Add(steadyTime))
		m, err := s.ResponseWriter.Write(part)
		if n += m; err != nil {
			return n, err
		}
	}
	return n, nil
}

// Unwrap serves [http.ResponseController].
func (s steady) Unwrap() http.ResponseWriter { return s.ResponseWriter }

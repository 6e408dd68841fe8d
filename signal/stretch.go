package signal

import (
	"context"
	"runtime"
	"time"

	"praxisrelay/signal/code"
)

// stretchWait is how long a request waits for its turn to stretch a code.
const stretchWait = 10 * time.Second

// stretcher stretches codes that callers of the API leave to the server. A code takes
// about half a second of a core, and one core is always left to the calls.
type stretcher chan struct{}

func newStretcher() stretcher { return make(stretcher, max(1, runtime.NumCPU()-1)) }

// derive waits for its turn and stretches a code.
func (s *Server) derive(ctx context.Context, c code.Code) (code.Keys, *refusal) {
	waiting, cancel := context.WithTimeout(ctx, stretchWait)
	defer cancel()
	select {
	case s.stretching <- struct{}{}:
		defer func() { <-s.stretching }()
	case <-waiting.Done():
		return code.Keys{}, busyKind.says("too many codes are made at once", "try again in a moment, or make codes at the caller").after(5 * time.Second)
	}
	keys, err := c.Derive(s.info.Salt, s.info.Rounds)
	if err != nil {
		return code.Keys{}, s.fault("a code cannot be stretched", err)
	}
	return keys, nil
}

package admin

import (
	"context"
	"runtime"
	"time"

	"praxisrelay/signal/code"
	"praxisrelay/signal/limit"
)

// stretching bounds how many codes the server stretches at once for callers of the API. Each takes
// about half a second of a core; on a multi-core machine, one core always remains for the calls.
type stretching struct {
	turns    chan struct{}
	patience time.Duration // how long a request waits for its turn
}

func newStretching() stretching {
	return stretching{turns: make(chan struct{}, max(1, runtime.NumCPU()-1)), patience: 10 * time.Second}
}

// derive waits for its turn and stretches a code.
func (s *Server) derive(ctx context.Context, c code.Code) (code.Keys, *refusal) {
	waiting, cancel := context.WithTimeout(ctx, s.stretching.patience)
	defer cancel()
	select {
	case s.stretching.turns <- struct{}{}:
		defer func() { <-s.stretching.turns }()
	case <-waiting.Done():
		s.signaling.Limited(limit.Stretching)
		return code.Keys{}, busyKind.says("too many codes are made at once", "try again in a moment, or make codes at the caller").after(5 * time.Second)
	}
	info := s.signaling.Info()
	keys, err := c.Derive(info.Salt, info.Rounds)
	if err != nil {
		return code.Keys{}, s.fault("a code cannot be stretched", err)
	}
	return keys, nil
}

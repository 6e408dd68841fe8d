package signal

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// aliveTime is the maximum age of the last sweep; one is due every five seconds.
	aliveTime = time.Minute
	// writeEvery is how often the registry is written to only to see that it can be; faultTime is
	// how long a failure keeps the server from being ready.
	writeEvery = 10 * time.Second
	faultTime  = time.Minute
)

// writing is the known state of the registry's disk.
type writing struct {
	mu     sync.Mutex
	tried  time.Time
	failed time.Time // time of the last failed write
}

func (w *writing) fail(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed = now
}

// Alive returns an error when signaling is stuck or has not started.
func (s *Server) Alive() error {
	// Setting the clock does not change this duration.
	if swept := s.swept.Load(); swept == nil || s.now().Sub(*swept) > aliveTime {
		return errors.New("signaling does not get to its work: restart it")
	}
	return nil
}

func (s *Server) noteSweep() {
	now := s.now()
	s.swept.Store(&now)
}

// CheckRegistry returns an error if appointments cannot be written, or a write failed within the
// last minute. It writes at most every ten seconds, however often it is called.
func (s *Server) CheckRegistry() error {
	w, now := &s.writing, s.now()
	w.mu.Lock()
	try := now.Sub(w.tried) >= writeEvery
	if try {
		w.tried = now
	}
	w.mu.Unlock()
	if try {
		if err := s.registry.Check(context.Background()); err != nil {
			s.Failed("the registry cannot be written", err)
			w.fail(now)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.failed.IsZero() && now.Sub(w.failed) < faultTime {
		return errors.New("the registry of appointments was not written: see the log, and whether the disk is full")
	}
	return nil
}

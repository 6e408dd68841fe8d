package certificate

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// Store holds the pair that serves. It may be used by many at once.
type Store struct {
	name    string
	now     func() time.Time
	log     *slog.Logger
	serving atomic.Pointer[pair]  // nil: none yet
	taken   chan struct{}         // wakes Report
	problem atomic.Pointer[error] // what keeps a new pair from being taken
}

// pair is a certificate with its key, and the hash of what it was made from.
type pair struct {
	tls.Certificate
	sum [sha256.Size]byte
}

// NewStore makes a store without a certificate, for clients that come to name.
func NewStore(name string, now func() time.Time, log *slog.Logger) *Store {
	return &Store{name: name, now: now, log: log, taken: make(chan struct{}, 1)}
}

// Replace takes a pair for all handshakes to come: a chain, the leaf first, and the
// leaf's key, both PEM. One that [Check] finds fault with is not taken, and the old pair
// serves on.
func (s *Store) Replace(chainPEM, keyPEM []byte) error {
	sum := sumOf(chainPEM, keyPEM)
	certificate, err := parse(s.name, chainPEM, keyPEM, s.now())
	if err != nil {
		return err
	}
	s.noteProblem(nil)
	if old := s.serving.Load(); old != nil && old.sum == sum {
		return nil
	}
	s.serving.Store(&pair{*certificate, sum})
	select {
	case s.taken <- struct{}{}:
	default: // Report has one before it
	}
	return nil
}

// GetCertificate is for [tls.Config]. It serves the certificate whatever name a client
// asks for, and who asks for none: some TURN clients do not send it. Without a
// certificate the handshake fails at once.
func (s *Store) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if p := s.serving.Load(); p != nil {
		return &p.Certificate, nil
	}
	return nil, errors.New("there is no certificate yet")
}

// NotAfter is when the certificate ends; zero: there is none yet.
func (s *Store) NotAfter() time.Time {
	if leaf := s.Leaf(); leaf != nil {
		return leaf.NotAfter
	}
	return time.Time{}
}

// Ready returns why clients cannot be served, if so: there is no certificate yet, or it
// has ended. Anybody may be told; see Problem for the rest.
func (s *Store) Ready() error {
	leaf := s.Leaf()
	switch {
	case leaf == nil:
		return errors.New("there is no certificate yet: the log says why")
	case s.now().After(leaf.NotAfter):
		return fmt.Errorf("the certificate ended on %s: renew it", leaf.NotAfter.UTC().Format(layout))
	}
	return nil
}

// Problem is what keeps a newer pair from being taken at present, nil if nothing does.
func (s *Store) Problem() error {
	if p := s.problem.Load(); p != nil {
		return *p
	}
	return nil
}

func (s *Store) noteProblem(err error) { s.problem.Store(&err) }

// Leaf is the certificate that serves, nil: there is none yet.
func (s *Store) Leaf() *x509.Certificate {
	if p := s.serving.Load(); p != nil {
		return p.Leaf
	}
	return nil
}

// sumOf tells pairs apart without keeping another copy of a key.
func sumOf(chainPEM, keyPEM []byte) [sha256.Size]byte {
	chain, key := sha256.Sum256(chainPEM), sha256.Sum256(keyPEM)
	return sha256.Sum256(append(chain[:], key[:]...))
}

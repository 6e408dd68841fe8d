package certificate

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Store holds the serving pair. It is safe for concurrent use.
type Store struct {
	name    string
	now     func() time.Time
	log     *slog.Logger
	serving atomic.Pointer[pair]  // nil: none yet
	taken   chan struct{}         // wakes Report
	problem atomic.Pointer[error] // why a new pair is not accepted

	mu           sync.Mutex
	judged       *pair // found is about it, and valid from since until until
	since, until time.Time
	found        []Finding
}

// pair is a certificate with its key and chain, and the hash of its PEM texts.
type pair struct {
	tls.Certificate
	chain []*x509.Certificate
	sum   [sha256.Size]byte
}

// NewStore makes a store without a certificate, for clients that connect to name.
func NewStore(name string, now func() time.Time, log *slog.Logger) *Store {
	return &Store{name: name, now: now, log: log, taken: make(chan struct{}, 1)}
}

// Replace makes a pair serve all later handshakes: a chain, leaf first, and the leaf's key, both
// PEM. It refuses a pair that [Check] refuses, and one that no browser accepts if the old one is
// better: the old pair stays in service.
func (s *Store) Replace(chainPEM, keyPEM []byte) error {
	sum := sumOf(chainPEM, keyPEM)
	certificate, chain, err := check(s.name, chainPEM, keyPEM, s.now())
	if err != nil {
		return err
	}
	old := s.serving.Load()
	if old == nil || old.sum != sum {
		if f := refused(Judge(s.name, chain, nil, s.now())); f != nil && s.Ready() == nil {
			return errors.New(f.Text)
		}
	}
	s.noteProblem(nil)
	if old != nil && old.sum == sum {
		return nil
	}
	s.serving.Store(&pair{certificate, chain, sum})
	select {
	case s.taken <- struct{}{}:
	default: // Report has yet to handle the last one
	}
	return nil
}

// GetCertificate is for [tls.Config]. It serves the certificate whatever name a client asks for,
// and without a name too: some TURN clients do not send one. Without a certificate the handshake
// fails at once.
func (s *Store) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if p := s.serving.Load(); p != nil {
		return &p.Certificate, nil
	}
	return nil, errors.New("there is no certificate yet")
}

// NotAfter returns the certificate's end; zero means that there is none yet.
func (s *Store) NotAfter() time.Time {
	if leaf := s.Leaf(); leaf != nil {
		return leaf.NotAfter
	}
	return time.Time{}
}

// Ready returns the reason why clients cannot be served, if any: there is no certificate yet, or no
// browser accepts it. The error is fit for anybody to see; Problem has the rest.
func (s *Store) Ready() error {
	if s.Leaf() == nil {
		return errors.New("there is no certificate yet: the log says why")
	}
	if f := refused(s.Findings()); f != nil {
		return errors.New(f.Text)
	}
	return nil
}

// refused returns the first fault for which every browser refuses a certificate; nil: none.
func refused(found []Finding) *Finding {
	if i := slices.IndexFunc(found, func(f Finding) bool { return f.By == All }); i >= 0 {
		return &found[i]
	}
	return nil
}

// Findings returns the faults of the serving certificate. Anybody may query readiness and verifying
// is expensive, so the result is kept for a day, or until a date in the chain passes.
func (s *Store) Findings() []Finding {
	p, now := s.serving.Load(), s.now()
	if p == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.judged == p && !now.Before(s.since) && now.Before(s.until) {
		return s.found
	}
	s.judged, s.since, s.until, s.found = p, now, now.Add(day), Judge(s.name, p.chain, nil, now)
	for _, c := range p.chain {
		// NotAfter itself is valid
		for _, date := range []time.Time{c.NotBefore, c.NotAfter.Add(time.Second)} {
			if date.After(now) && date.Before(s.until) {
				s.until = date
			}
		}
	}
	return s.found
}

// Problem returns why a newer pair is currently not accepted; nil: there is none.
func (s *Store) Problem() error {
	if p := s.problem.Load(); p != nil {
		return *p
	}
	return nil
}

func (s *Store) noteProblem(err error) { s.problem.Store(&err) }

// Leaf returns the serving certificate; nil: there is none yet.
func (s *Store) Leaf() *x509.Certificate {
	if p := s.serving.Load(); p != nil {
		return p.Leaf
	}
	return nil
}

// sumOf identifies a pair without keeping another copy of its key.
func sumOf(chainPEM, keyPEM []byte) [sha256.Size]byte {
	chain, key := sha256.Sum256(chainPEM), sha256.Sum256(keyPEM)
	return sha256.Sum256(append(chain[:], key[:]...))
}

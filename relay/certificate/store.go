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

// Store holds the pair that serves. It may be used by many at once.
type Store struct {
	name    string
	now     func() time.Time
	log     *slog.Logger
	serving atomic.Pointer[pair]  // nil: none yet
	taken   chan struct{}         // wakes Report
	problem atomic.Pointer[error] // what keeps a new pair from being taken

	mu           sync.Mutex
	judged       *pair // found is about it, and holds so long
	since, until time.Time
	found        []Finding
}

// pair is a certificate with its key and chain, and the hash of what it was made from.
type pair struct {
	tls.Certificate
	chain []*x509.Certificate
	sum   [sha256.Size]byte
}

// NewStore makes a store without a certificate, for clients that come to name.
func NewStore(name string, now func() time.Time, log *slog.Logger) *Store {
	return &Store{name: name, now: now, log: log, taken: make(chan struct{}, 1)}
}

// Replace takes a pair for all handshakes to come: a chain, the leaf first, and the
// leaf's key, both PEM. One that [Check] finds fault with is not taken, nor one that no
// browser accepts in place of one that they do: the old pair serves on.
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

// Ready returns why clients cannot be served, if so: there is no certificate yet, or no
// browser accepts it. Anybody may be told; see Problem for the rest.
func (s *Store) Ready() error {
	if s.Leaf() == nil {
		return errors.New("there is no certificate yet: the log says why")
	}
	if f := refused(s.Findings()); f != nil {
		return errors.New(f.Text)
	}
	return nil
}

// refused returns the first for which every browser refuses a certificate; nil: none.
func refused(found []Finding) *Finding {
	if i := slices.IndexFunc(found, func(f Finding) bool { return f.By == All }); i >= 0 {
		return &found[i]
	}
	return nil
}

// Findings are what clients have against the certificate that serves. Anybody may ask for
// readiness and verifying costs, so it is judged again when a date passes, or a day.
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
		for _, date := range []time.Time{c.NotBefore, c.NotAfter.Add(time.Second)} { // the end is included
			if date.After(now) && date.Before(s.until) {
				s.until = date
			}
		}
	}
	return s.found
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

package admin

import (
	"context"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"praxisrelay/signal/appointment"
	"praxisrelay/signal/registry"
	"praxisrelay/signal/seal"
)

// once is a request that may be repeated: the same Idempotency-Key, caller and body get the same
// answer for 24 hours. An answer may hold codes, which the server must not keep, so it is sealed
// with a key derived only from the Idempotency-Key, of which the server keeps a hash. A request
// without the header has the zero key.
type once struct {
	s    *Server
	hash [32]byte // of caller and key
	aead cipher.AEAD
	body []byte
}

// inProgress holds the key hashes of unanswered requests.
type inProgress struct {
	mu   sync.Mutex
	keys map[[32]byte]bool
}

// once begins a request. Call release when it is answered.
func (s *Server) once(r *http.Request, from caller, body []byte) (*once, *refusal) {
	keys := r.Header.Values("Idempotency-Key")
	if len(keys) == 0 {
		return &once{s: s}, nil
	}
	key := keys[0]
	invisible := func(c rune) bool { return c <= ' ' || c > '~' }
	if len(keys) > 1 || len(key) < 16 || len(key) > 255 || strings.ContainsFunc(key, invisible) {
		return nil, invalidKind.says("Idempotency-Key: 16 to 255 visible ASCII characters are expected", "use a new random UUID for each appointment")
	}
	o := &once{s: s, hash: sha256.Sum256([]byte(from.name + "\x00" + key)), body: body}
	sealKey, err := hkdf.Key(sha256.New, []byte(key), []byte(from.name), "praxisrelay answer v1", 32)
	if err != nil {
		return nil, s.fault("an answer cannot be sealed", err)
	}
	o.aead = seal.GCM([32]byte(sealKey))
	s.answers.mu.Lock()
	defer s.answers.mu.Unlock()
	if s.answers.keys[o.hash] {
		return nil, inProgressKind.says("a request with this Idempotency-Key is in progress", "wait for its answer").after(time.Second)
	}
	if s.answers.keys == nil {
		s.answers.keys = map[[32]byte]bool{}
	}
	s.answers.keys[o.hash] = true
	return o, nil
}

// before returns the earlier answer to the request, or nil.
func (o *once) before(ctx context.Context) ([]byte, *refusal) {
	if o.aead == nil {
		return nil, nil
	}
	kept, err := o.s.registry.Answer(ctx, o.hash, o.s.now())
	switch {
	case errors.Is(err, appointment.ErrUnknown):
		return nil, nil
	case err != nil:
		return nil, o.s.fault("an answer cannot be read", err)
	}
	text, err := o.aead.Open(nil, nil, kept.Sealed, o.body)
	if err != nil {
		return nil, keyReusedKind.says("this Idempotency-Key came with another body before", "use a new key for each appointment")
	}
	return text, nil
}

// answers returns the part of an answer to be stored.
func (o *once) answers(now time.Time, text []byte) []registry.Answer {
	if o.aead == nil {
		return nil
	}
	return []registry.Answer{{Key: o.hash, Created: now.UTC(), Sealed: o.aead.Seal(nil, nil, text, o.body)}}
}

// release ends a request.
func (o *once) release() {
	o.s.answers.mu.Lock()
	defer o.s.answers.mu.Unlock()
	delete(o.s.answers.keys, o.hash)
}

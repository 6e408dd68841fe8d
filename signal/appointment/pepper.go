package appointment

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync/atomic"
)

// Lookup is what a join token is recognised by.
type Lookup [16]byte

// Pepper holds the deployment's keys for lookups. They lie apart from the registry,
// so that a registry alone cannot be searched for codes. The first key makes new
// lookups; an older one behind it still finds those that it made, so that a key can
// be replaced without making codes invalid. Any goroutine may use it.
type Pepper struct {
	keys atomic.Pointer[[][]byte]
}

// MinPepper is the least length of a key in bytes, MaxPeppers how many there may be:
// every look-up tries all.
const (
	MinPepper  = 16
	MaxPeppers = 2
)

// NewPepper refuses to be made without a key or with a short one.
func NewPepper(keys ...[]byte) (*Pepper, error) {
	p := new(Pepper)
	if err := p.Replace(keys...); err != nil {
		return nil, err
	}
	return p, nil
}

// Replace takes other keys, on the conditions of NewPepper, or changes nothing.
func (p *Pepper) Replace(keys ...[]byte) error {
	if len(keys) == 0 || len(keys) > MaxPeppers {
		return fmt.Errorf("%d peppers: use one, or two while the first takes the place of the second", len(keys))
	}
	for i, key := range keys {
		if len(key) < MinPepper {
			return fmt.Errorf("pepper %d has %d bytes: use at least %d", i+1, len(key), MinPepper)
		}
	}
	if len(keys) == 2 && string(keys[0]) == string(keys[1]) {
		return errors.New("both peppers are the same: keep one")
	}
	p.keys.Store(&keys)
	return nil
}

// Lookup returns the lookup that a verifier is registered under.
func (p *Pepper) Lookup(verifier [32]byte) Lookup { return lookup((*p.keys.Load())[0], verifier) }

// Lookups returns all that a verifier may have been registered under.
func (p *Pepper) Lookups(verifier [32]byte) (all []Lookup) {
	for _, key := range *p.keys.Load() {
		all = append(all, lookup(key, verifier))
	}
	return all
}

func lookup(key []byte, verifier [32]byte) (l Lookup) {
	mac := hmac.New(sha256.New, key)
	mac.Write(verifier[:])
	copy(l[:], mac.Sum(nil))
	return l
}

package appointment

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"praxisrelay/signal/seal"
)

// Lookup identifies a join token in the registry.
type Lookup [16]byte

// Pepper holds the deployment's keys for what follows from codes. They lie apart from
// the registry, so that a registry alone cannot be searched for codes: neither by their
// lookups, nor by trying which one opens a room key. The first key makes new rows; an
// older one behind it still serves those that it made, so that a key can be replaced
// without making codes invalid. Any goroutine may use it.
type Pepper struct {
	keys atomic.Pointer[[][]byte]
}

// MinPepper is the minimum length of a key in bytes, MaxPeppers the maximum number of keys: every
// lookup tries all.
const (
	MinPepper  = 16
	MaxPeppers = 2
)

// NewPepper returns a Pepper, or an error if there is no key or a short one.
func NewPepper(keys ...[]byte) (*Pepper, error) {
	p := new(Pepper)
	if err := p.Replace(keys...); err != nil {
		return nil, err
	}
	return p, nil
}

// Replace changes the keys, on the conditions of NewPepper, or changes nothing.
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

// Lookup returns the lookup to register a verifier under.
func (p *Pepper) Lookup(verifier [32]byte) Lookup { return lookup((*p.keys.Load())[0], verifier) }

// Lookups returns all lookups under which a verifier may be registered.
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

// Hide seals a wrapped room key for the row of a seat.
func (p *Pepper) Hide(appointment, seat string, wrapped []byte) []byte {
	return hiding((*p.keys.Load())[0]).Seal(nil, nil, wrapped, place(appointment, seat))
}

// Reveal is the reverse of Hide. It fails if the row was made with a different pepper.
func (p *Pepper) Reveal(appointment, seat string, hidden []byte) ([]byte, error) {
	for _, key := range *p.keys.Load() {
		if wrapped, err := hiding(key).Open(nil, nil, hidden, place(appointment, seat)); err == nil {
			return wrapped, nil
		}
	}
	return nil, errors.New("the room key of a seat does not open: is signal.pepper_file the one that the registry was made with?")
}

// Fit is how well a pepper matches the codes of appointments that are not over.
type Fit struct {
	Known   int       // codes made with it
	Unknown int       // codes of another pepper, which nobody can use
	Until   time.Time // when the last appointment with one of these is over
}

// Fit tries the pepper at each seat: a room key that opens proves it.
func (p *Pepper) Fit(list []Appointment, now time.Time) (f Fit) {
	for _, a := range list {
		if a.State(now) == Over {
			continue
		}
		for _, seat := range a.Seats {
			if _, err := p.Reveal(a.ID, seat.Name, seat.RoomKey); err == nil {
				f.Known++
				continue
			}
			f.Unknown++
			if a.Closes.After(f.Until) {
				f.Until = a.Closes
			}
		}
	}
	return f
}

// hiding is AES-256-GCM with a key that follows from a pepper, and random nonces.
func hiding(pepper []byte) cipher.AEAD {
	key, err := hkdf.Key(sha256.New, pepper, nil, "praxisrelay row v1", 32)
	if err != nil {
		panic(err) // the key has a valid length
	}
	return seal.GCM([32]byte(key))
}

func place(appointment, seat string) []byte { return []byte(appointment + "|" + seat) }

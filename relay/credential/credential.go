// Package credential makes and checks the time-limited TURN credentials that every TURN client and
// server knows as the "REST API" form:
//
//	username = <expiry, Unix seconds>:<sealed name>
//	password = base64(HMAC-SHA-1(secret, username))
//
// A relay that shares the secret needs no list of users. The form prescribes SHA-1, whose
// collisions do not weaken an HMAC key derivation.
//
// The username is sent in the clear over UDP and TCP, so it must not reveal its owner: see name.go.
//
// A credential cannot be taken back, and neither a clock nor a configuration knows which ones of a
// seat are still valid. So each contains the seat's generation, which rises when the seat is given
// to somebody else: the relay refuses earlier generations.
package credential

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// MinSecret is the minimum length of a secret in bytes.
const MinSecret = 16

// Test is the seat of credentials for checking a network, which are limited to what that needs.
// TestLifetime is how long one makes allocations, and how long those live.
const (
	Test         = "test"
	TestLifetime = 15 * time.Minute
)

// Credential authenticates a client to the relay until Expires.
type Credential struct {
	Username string
	Password string
	Expires  time.Time
}

// Identity is the owner of a credential.
type Identity struct {
	Appointment string // 13 letters of RFC 4648's base 32, in lower case
	Seat        string // one of seats
	Generation  int    // of the credential; below MaxGeneration
	Expires     time.Time
}

// Keyring holds the secrets. The first signs and all verify, so that a secret can be replaced
// without cutting anybody off. After them come former secrets, which verify nothing but still show
// whose credential is no longer valid. A Keyring is safe for concurrent use.
type Keyring struct {
	secrets atomic.Pointer[[]*secret]
}

// maxFormer is how many former secrets are kept.
const maxFormer = 4

// NewKeyring returns an error without a secret or with a short one.
func NewKeyring(secrets ...[]byte) (*Keyring, error) {
	k := new(Keyring)
	if err := k.Replace(secrets...); err != nil {
		return nil, err
	}
	return k, nil
}

// Replace replaces the secrets, under the conditions of NewKeyring, or changes nothing.
func (k *Keyring) Replace(secrets ...[]byte) error {
	if len(secrets) == 0 {
		return errors.New("no TURN secret: without one, clients cannot be authenticated")
	}
	next := make([]*secret, len(secrets))
	for i, key := range secrets {
		if len(key) < MinSecret {
			return fmt.Errorf("TURN secret %d has %d bytes: use at least %d", i+1, len(key), MinSecret)
		}
		next[i] = newSecret(key)
	}
	if before := k.secrets.Load(); before != nil {
		next = append(next, former(*before, secrets)...)
	}
	k.secrets.Store(&next)
	return nil
}

// former returns the secrets that are not among the next ones, without their keys.
func former(secrets []*secret, next [][]byte) (list []*secret) {
	for _, s := range secrets {
		again := slices.ContainsFunc(next, func(key []byte) bool { return bytes.Equal(key, s.key) })
		if !again && len(list) < maxFormer {
			list = append(list, &secret{names: s.names})
		}
	}
	return list
}

// Mint makes the credential of an identity, which expires at a whole second.
func (k *Keyring) Mint(id Identity) (Credential, error) {
	first := (*k.secrets.Load())[0]
	username, err := first.seal(id)
	if err != nil {
		return Credential{}, err
	}
	return Credential{
		Username: username,
		Password: string(first.appendPassword(nil, username)),
		Expires:  time.Unix(id.Expires.Unix(), 0).UTC(),
	}, nil
}

// Opened is the content of a username, as read with its secret.
type Opened struct {
	Identity
	username string
	secret   *secret
}

// Open reads a username made with one of the secrets, or a former one. An eavesdropper can repeat a
// username: only the key proves that a request is from its owner.
func (k *Keyring) Open(username string) (Opened, bool) {
	expiry, sealed, ok := parse(username)
	if !ok {
		return Opened{}, false
	}
	for _, s := range *k.secrets.Load() {
		if id, ok := s.open(expiry, sealed); ok {
			return Opened{id, username, s}, true
		}
	}
	return Opened{}, false
}

// Key returns the key of MESSAGE-INTEGRITY: MD5(username ":" realm ":" password), RFC 8489, section
// 9.2.2. A former secret has none.
func (o Opened) Key(realm string) (key [md5.Size]byte, ok bool) {
	if o.secret.key == nil {
		return key, false
	}
	text := append(make([]byte, 0, 128), o.username...)
	text = append(append(append(text, ':'), realm...), ':')
	return md5.Sum(o.secret.appendPassword(text, o.username)), true
}

func (s *secret) appendPassword(text []byte, username string) []byte {
	mac := hmac.New(sha1.New, s.key)
	mac.Write([]byte(username))
	return base64.StdEncoding.AppendEncode(text, mac.Sum(nil))
}

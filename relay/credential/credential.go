// Package credential makes and checks the time-limited TURN credentials that
// every TURN client and server knows as the "REST API" form:
//
//	username = <expiry, Unix seconds>:<appointment>.<seat>
//	password = base64(HMAC-SHA-1(secret, username))
//
// A relay that shares the secret needs no list of users. SHA-1 is what the form
// prescribes; as an HMAC key derivation it is not weakened by its collisions.
package credential

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// MinSecret is the least length of a secret in bytes.
const MinSecret = 16

// Test is the seat whose credentials are for checking a network: they are limited to
// what that takes. TestLifetime is how long one makes allocations, and how long those live.
const (
	Test         = "test"
	TestLifetime = 15 * time.Minute
)

// Credential is what a client presents to the relay until Expires.
type Credential struct {
	Username string
	Password string
	Expires  time.Time
}

// Identity is what a username says.
type Identity struct {
	Appointment string
	Seat        string
	Expires     time.Time
}

// Keyring holds the secrets. The first signs, all verify, so that a secret can
// be replaced without cutting anybody off. Any goroutine may use it.
type Keyring struct {
	secrets atomic.Pointer[[][]byte]
}

// NewKeyring refuses to be made without a secret or with a short one.
func NewKeyring(secrets ...[]byte) (*Keyring, error) {
	k := new(Keyring)
	if err := k.Replace(secrets...); err != nil {
		return nil, err
	}
	return k, nil
}

// Replace takes other secrets, on the conditions of NewKeyring, or changes nothing.
func (k *Keyring) Replace(secrets ...[]byte) error {
	if len(secrets) == 0 {
		return errors.New("no TURN secret: without one nobody could be told from anybody")
	}
	for i, secret := range secrets {
		if len(secret) < MinSecret {
			return fmt.Errorf("TURN secret %d has %d bytes: use at least %d", i+1, len(secret), MinSecret)
		}
	}
	k.secrets.Store(&secrets)
	return nil
}

// Mint makes the credential of a seat. Appointment and seat must consist of
// lower-case letters, digits and hyphens.
func (k *Keyring) Mint(appointment, seat string, expires time.Time) (Credential, error) {
	if !isName(appointment) || !isName(seat) {
		return Credential{}, fmt.Errorf("appointment and seat are lower-case letters, digits and hyphens, at most %d", maxName)
	}
	username := fmt.Sprintf("%d:%s.%s", expires.Unix(), appointment, seat)
	return Credential{
		Username: username,
		Password: password((*k.secrets.Load())[0], username),
		Expires:  time.Unix(expires.Unix(), 0).UTC(),
	}, nil
}

// Keys yields the keys of MESSAGE-INTEGRITY that a username has under each secret:
// MD5(username ":" realm ":" password), RFC 8489, section 9.2.2.
func (k *Keyring) Keys(username, realm string) iter.Seq[[md5.Size]byte] {
	return func(yield func([md5.Size]byte) bool) {
		for _, secret := range *k.secrets.Load() {
			if !yield(md5.Sum([]byte(username + ":" + realm + ":" + password(secret, username)))) {
				return
			}
		}
	}
}

// Parse reads a username. It says nothing about whether the username was ever minted.
func Parse(username string) (Identity, error) {
	expiry, rest, ok1 := strings.Cut(username, ":")
	appointment, seat, ok2 := strings.Cut(rest, ".")
	seconds, err := strconv.ParseInt(expiry, 10, 64)
	if !ok1 || !ok2 || err != nil || seconds <= 0 || !isName(appointment) || !isName(seat) {
		return Identity{}, errors.New("a TURN username here is <expiry>:<appointment>.<seat>")
	}
	return Identity{Appointment: appointment, Seat: seat, Expires: time.Unix(seconds, 0).UTC()}, nil
}

const maxName = 64

func isName(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return s != "" && len(s) <= maxName
}

func password(secret []byte, username string) string {
	mac := hmac.New(sha1.New, secret)
	mac.Write([]byte(username))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

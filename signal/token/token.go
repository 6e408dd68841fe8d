// Package token makes and reads the access tokens of the admin API.
//
// A token is prx_<id>_<secret>: the id is public and names it in lists, the secret
// is 256 random bits. The server keeps the secret's SHA-256; it needs no
// stretching, since it cannot be guessed.
package token

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Scope is a permission of a token.
type Scope string

// The scopes.
const (
	Appointments     Scope = "appointments"      // everything about appointments
	ReadAppointments Scope = "appointments:read" // to look at them; part of the former
)

// Token is the server's record of a token.
type Token struct {
	ID      string    `json:"id"`
	Hash    [32]byte  `json:"hash"` // SHA-256 of the secret
	Scopes  []Scope   `json:"scopes"`
	Label   string    `json:"label,omitempty"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"` // zero: valid until revoked
}

const prefix = "prx"

var encoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// New returns a token and its text, which cannot be recovered later. Without expires it is valid
// until it is revoked.
func New(label string, scopes []Scope, now time.Time, expires *time.Time) (t Token, text string, err error) {
	var id [8]byte
	var secret [32]byte
	rand.Read(id[:])
	rand.Read(secret[:])
	t = Token{
		ID: encoding.EncodeToString(id[:]), Hash: sha256.Sum256(secret[:]), Scopes: scopes, Label: label,
		Created: now.UTC(),
	}
	if expires != nil {
		if t.Expires = expires.UTC(); !t.Expires.After(t.Created) || t.Expires.Year() > 9999 {
			return Token{}, "", errors.New("expires: must be to come, and before the year 10000")
		}
	}
	return t, fmt.Sprintf("%s_%s_%s", prefix, t.ID, encoding.EncodeToString(secret[:])), t.validate()
}

func (t Token) validate() error {
	if len(t.Scopes) == 0 {
		return errors.New("scopes: at least one is expected")
	}
	for _, scope := range t.Scopes {
		if scope != Appointments && scope != ReadAppointments {
			return fmt.Errorf("scopes: the scopes are %s and %s", Appointments, ReadAppointments)
		}
	}
	if len(t.Label) > 64 || strings.ContainsFunc(t.Label, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return errors.New("name: at most 64 bytes without control characters are expected")
	}
	return nil
}

// Parse reads a token's text. It does not check whether the token exists.
func Parse(text string) (id string, secret [32]byte, ok bool) {
	kind, rest, _ := strings.Cut(text, "_")
	id, encoded, _ := strings.Cut(rest, "_")
	raw, err := encoding.DecodeString(encoded)
	if kind != prefix || len(id) != encoding.EncodedLen(8) || err != nil || len(raw) != len(secret) ||
		encoding.EncodeToString(raw) != encoded { // decoding skips line ends
		return "", secret, false
	}
	return id, [32]byte(raw), true
}

// Opens reports whether the secret is the token's and the token is still valid. It takes the same
// time for every secret.
func (t Token) Opens(secret [32]byte, now time.Time) bool {
	hash := sha256.Sum256(secret[:])
	return subtle.ConstantTimeCompare(hash[:], t.Hash[:]) == 1 && !t.Over(now)
}

// Over reports whether the token has expired.
func (t Token) Over(now time.Time) bool { return !t.Expires.IsZero() && !now.Before(t.Expires) }

// Allows reports whether the token has a scope.
func (t Token) Allows(scope Scope) bool {
	return slices.Contains(t.Scopes, scope) || scope == ReadAppointments && slices.Contains(t.Scopes, Appointments)
}

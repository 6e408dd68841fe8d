package core

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/pion/stun/v3"
)

// authenticate checks the long-term credential of the request in work (RFC 8489,
// section 9.2.4) and notes the key and whose it is. An expired credential
// passes: expiry is Allocate's business, since a call that runs over must not be
// cut.
//
// A seat that asks for more than requestRate per second is not heard for a while:
// checking is what a request costs. The seat pays, since it has as many credentials and
// addresses as it likes, and only once it is proven: anybody can repeat a user name.
func (c *Core) authenticate(from FiveTuple, held *allocation) Authentication {
	r := &c.request
	switch {
	case r.badCredentials:
		return AuthMalformed
	case !r.integrity:
		return AuthMissing
	case r.username == "" || r.realm == "" || r.nonce == "":
		return AuthMalformed
	case !c.nonces.valid(c.now, from.Client.Addr(), r.nonce):
		return AuthStale
	}
	name, ok := c.config.Keys.Open(r.username)
	if !ok || r.realm != Realm {
		return AuthUnknown
	}
	asking := seat{name.Appointment, name.Seat}
	if !c.requests.holds(c.now, asking, requestRate) {
		c.limited(from, LimitRequests)
		return AuthTooMany
	}
	key, ok := name.Key(Realm)
	integrity := stun.MessageIntegrity(key[:])
	if !ok || integrity.Check(&r.message) != nil {
		return AuthWrong
	}
	c.requests.take(c.now, asking, requestRate)
	r.key, r.identity = integrity, name.Identity
	return c.standing(held)
}

// authFailures are what those are told who do not prove who they are.
var authFailures = map[Authentication]failure{
	AuthMissing:   errUnauthorized,
	AuthMalformed: errBadRequest,
	AuthStale:     errStaleNonce,
	AuthUnknown:   errUnauthorized,
	AuthWrong:     errUnauthorized,
}

// standing reports whether a credential that is right still makes an allocation, where
// that is asked for.
func (c *Core) standing(held *allocation) Authentication {
	r := &c.request
	switch {
	case held != nil || r.kind.Method != stun.MethodAllocate:
		return AuthOK
	case c.refuses(r.identity.Appointment, r.identity.Seat, r.identity.Generation):
		return AuthRevoked
	case !c.now.Before(r.identity.Expires):
		return AuthExpired
	}
	return AuthOK
}

// A browser makes one request a second at most on average, and a few dozen when a
// call begins.
const requestRate = 50

// nonces makes nonces that need no memory: the time of issue and a keyed hash of
// it and of the client's address. 16 characters keep the 401 short.
type nonces struct {
	key [32]byte
}

type nonce [16]byte

var nonceEncoding = base64.RawURLEncoding.Strict()

// nonceLifetime ends a nonce. A client notices no more of it than one 438.
const nonceLifetime = time.Hour

func (n *nonces) make(now time.Time, client netip.Addr) (text nonce) {
	var raw [12]byte
	binary.BigEndian.PutUint32(raw[:], uint32(now.Unix()))
	n.sign(&raw, client)
	nonceEncoding.Encode(text[:], raw[:])
	return text
}

func (n *nonces) valid(now time.Time, client netip.Addr, text string) bool {
	var raw, want [12]byte
	if len(text) != len(nonce{}) {
		return false
	}
	if _, err := nonceEncoding.Decode(raw[:], []byte(text)); err != nil {
		return false
	}
	copy(want[:4], raw[:4])
	n.sign(&want, client)
	age := int64(uint32(now.Unix()) - binary.BigEndian.Uint32(raw[:]))
	return hmac.Equal(raw[:], want[:]) && age <= int64(nonceLifetime/time.Second)
}

// sign fills the hash behind the time.
func (n *nonces) sign(raw *[12]byte, client netip.Addr) {
	mac := hmac.New(sha256.New, n.key[:])
	ip := client.As16()
	mac.Write(raw[:4])
	mac.Write(ip[:])
	copy(raw[4:], mac.Sum(nil))
}

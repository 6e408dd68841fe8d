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

// authenticate checks the long-term credential of the current request (RFC 8489, section 9.2.4) and
// records its key and identity. An expired credential passes: only Allocate minds, since a call
// that runs over must not be cut.
//
// A seat that makes more than requestRate requests per second is ignored for a while, since
// checking is a request's cost. The seat has the budget because it may have any number of
// credentials and addresses. Only proven requests draw on it: anybody can repeat a username.
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

// authFailures are the answers to requests that fail authentication.
var authFailures = map[Authentication]failure{
	AuthMissing:   errUnauthorized,
	AuthMalformed: errBadRequest,
	AuthStale:     errStaleNonce,
	AuthUnknown:   errUnauthorized,
	AuthWrong:     errUnauthorized,
}

// standing reports whether a correct credential may still make an allocation, if the request asks
// for one.
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

// requestRate is per seat and second. A browser averages at most one request a second, with a few
// dozen when a call begins.
const requestRate = 50

// nonces makes nonces that need no memory: the time of issue, and a keyed hash of that time and the
// client's address. 16 characters keep the 401 short.
type nonces struct {
	key [32]byte
}

type nonce [16]byte

var nonceEncoding = base64.RawURLEncoding.Strict()

// nonceLifetime is how long a nonce is valid. Its end costs the client a single 438.
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

// sign appends the hash to the time.
func (n *nonces) sign(raw *[12]byte, client netip.Addr) {
	mac := hmac.New(sha256.New, n.key[:])
	ip := client.As16()
	mac.Write(raw[:4])
	mac.Write(ip[:])
	copy(raw[4:], mac.Sum(nil))
}

package core

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/pion/stun/v3"
)

// maxAmplification is the largest answer to an unauthenticated request over UDP, in percent of the
// request's IP bytes: the source may be forged, and the answer would hit a third party.
const maxAmplification = 165

// failure is an error answer. Only authenticated clients get the reason phrase; answers to others
// are kept short.
type failure struct {
	code   stun.ErrorCode
	reason string
}

var (
	errBadRequest        = failure{stun.CodeBadRequest, "Bad Request"}
	errUnauthorized      = failure{stun.CodeUnauthorized, "Unauthorized"}
	errExpired           = failure{stun.CodeUnauthorized, "Credential expired or revoked"}
	errForbidden         = failure{stun.CodeForbidden, "This peer is not reachable from here"}
	errUnknownAttribute  = failure{stun.CodeUnknownAttribute, "Unknown Attribute"}
	errNoAllocation      = failure{stun.CodeAllocMismatch, "No allocation on this 5-tuple"}
	errAllocated         = failure{stun.CodeAllocMismatch, "This 5-tuple has an allocation"}
	errStaleNonce        = failure{stun.CodeStaleNonce, "Stale Nonce"}
	errFamilyUnsupported = failure{stun.CodeAddrFamilyNotSupported, "Address family not served"}
	errWrongCredentials  = failure{stun.CodeWrongCredentials, "The allocation is another user's"}
	errTransport         = failure{stun.CodeUnsupportedTransProto, "Relayed transport is UDP"}
	errFamilyMismatch    = failure{stun.CodePeerAddrFamilyMismatch, "Peer address family differs"}
	errQuota             = failure{stun.CodeAllocQuotaReached, "Too many allocations of this appointment"}
	errCapacity          = failure{stun.CodeInsufficientCapacity, "Insufficient Capacity"}
	errDraining          = failure{stun.CodeInsufficientCapacity, "Maintenance: no new allocations"}
)

// failures lists all of them.
var failures = []failure{
	errBadRequest, errUnauthorized, errExpired, errForbidden, errUnknownAttribute,
	errNoAllocation, errAllocated, errStaleNonce, errFamilyUnsupported, errWrongCredentials,
	errTransport, errFamilyMismatch, errQuota, errCapacity, errDraining,
}

// begin starts the answer to the current request.
func (c *Core) begin(class stun.MessageClass) {
	c.answer.Raw = c.answer.Raw[:0]
	c.answer.Attributes = c.answer.Attributes[:0]
	c.answer.Length = 0
	c.answer.Type = stun.NewType(c.request.kind.Method, class)
	c.answer.TransactionID = c.request.id
	c.code = 0
	c.answer.WriteHeader()
}

func (c *Core) addAddress(kind stun.AttrType, addr netip.AddrPort) {
	var space [attributeHeader + 20]byte
	c.answer.Add(kind, appendXORAddress(space[:0], kind, c.request.id, addr)[attributeHeader:])
}

func (c *Core) addLifetime(lifetime time.Duration) {
	c.answer.Add(stun.AttrLifetime, binary.BigEndian.AppendUint32(nil, uint32(lifetime/time.Second)))
}

// finish completes the answer: MESSAGE-INTEGRITY if the request was authenticated (RFC 8489,
// section 9.2.4), FINGERPRINT if the request had one.
func (c *Core) finish(from FiveTuple) []byte {
	r := &c.request
	authenticated := r.key != nil
	if authenticated {
		if err := r.key.AddTo(&c.answer); err != nil {
			return nil
		}
	}
	if r.fingerprint {
		if err := stun.Fingerprint.AddTo(&c.answer); err != nil {
			return nil
		}
	}
	if !authenticated && !c.fits(from, 0) {
		return nil
	}
	c.stats.Answers[c.code]++
	return c.answer.Raw
}

// fits reports whether an unauthenticated answer that grows by more bytes is small enough for its
// request.
func (c *Core) fits(from FiveTuple, more int) bool {
	overhead := 28 // IPv4 and UDP
	if from.Client.Addr().Is6() {
		overhead = 48
	}
	return from.Transport != UDP ||
		(len(c.answer.Raw)+more+overhead)*100 <= (len(c.request.message.Raw)+overhead)*maxAmplification
}

// refuse answers with an error because a limit was reached.
func (c *Core) refuse(from FiveTuple, limit Limit, f failure) []byte {
	c.limited(from, limit)
	c.observeRefusal(from, f, limit.String())
	return c.answerError(from, f)
}

// fail answers with an error.
func (c *Core) fail(from FiveTuple, f failure) []byte {
	c.observeRefusal(from, f, "")
	return c.answerError(from, f)
}

func (c *Core) answerError(from FiveTuple, f failure) []byte {
	r := &c.request
	c.begin(stun.ClassErrorResponse)
	c.code = f.code
	value := []byte{0, 0, byte(f.code / 100), byte(f.code % 100)}
	if r.key != nil {
		value = append(value, f.reason...)
	}
	c.answer.Add(stun.AttrErrorCode, value)
	switch f.code {
	case stun.CodeUnknownAttribute:
		var types []byte
		for _, t := range r.unknown {
			types = binary.BigEndian.AppendUint16(types, t.Value())
		}
		c.answer.Add(stun.AttrUnknownAttributes, types)
	case stun.CodeUnauthorized, stun.CodeStaleNonce:
		nonce := c.nonces.make(c.now, from.Client.Addr())
		c.answer.Add(stun.AttrRealm, []byte(Realm))
		c.answer.Add(stun.AttrNonce, nonce[:])
	}
	return c.finish(from)
}

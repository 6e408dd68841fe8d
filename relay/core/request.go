package core

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/pion/stun/v3"

	"praxisrelay/relay/credential"
)

const (
	headerSize      = 20
	attributeHeader = 4
	integritySize   = attributeHeader + 20
)

// Attributes of RFC 8656 (section 18), and one of RFC 5780, that pion/stun has no names for.
const (
	attrAdditionalAddressFamily stun.AttrType = 0x8000
	attrAddressErrorCode        stun.AttrType = 0x8001
	attrResponsePort            stun.AttrType = 0x0027 // RFC 5780, section 7.5
)

// maxUnknown is how many unknown attributes a 420 lists. Each is compared with those before it, and
// a message has room for hundreds.
const maxUnknown = 16

// request is a decoded message up to MESSAGE-INTEGRITY, or all of it if there is none. Fields of
// absent attributes are zero; of a repeated attribute, only the first counts (RFC 8489, section
// 14).
type request struct {
	message stun.Message // its Raw holds the received bytes
	kind    stun.MessageType
	id      [stun.TransactionIDSize]byte

	username, realm, nonce string
	integrity              bool // MESSAGE-INTEGRITY is present
	fingerprint            bool // FINGERPRINT is present and correct

	peers       []netip.AddrPort // XOR-PEER-ADDRESS, in order
	data        []byte
	hasData     bool
	channel     uint16
	hasChannel  bool
	lifetime    uint32 // seconds
	hasLifetime bool
	transport   byte // REQUESTED-TRANSPORT's protocol number
	hasTransport,
	evenPort, reserve, // EVEN-PORT, and its R bit
	reservation bool // RESERVATION-TOKEN
	family, additional byte            // REQUESTED- and ADDITIONAL-ADDRESS-FAMILY
	change             byte            // CHANGE-REQUEST's flags, see changeIP
	responsePort       uint16          // RESPONSE-PORT
	discovery          []stun.AttrType // which of these two are present

	badCredentials bool            // an authentication attribute is malformed
	malformed      bool            // another known attribute is malformed
	unknown        []stun.AttrType // comprehension-required ones

	// Set by authentication. A request without a key is unauthenticated.
	authentication Authentication
	key            stun.MessageIntegrity
	identity       credential.Identity
}

// decode reads a whole STUN message. It returns false for what gets no answer: anything that is not
// STUN or not served (RFC 8489, section 6.3), or that has a wrong FINGERPRINT. The request keeps
// references to in.
func (r *request) decode(in []byte) bool {
	if len(in) < headerSize || len(in) > MaxMessage || in[0]&0xC0 != 0 || len(in)%4 != 0 ||
		int(binary.BigEndian.Uint16(in[2:])) != len(in)-headerSize {
		return false
	}
	var kind stun.MessageType
	kind.ReadValue(binary.BigEndian.Uint16(in))
	if !served(kind) {
		return false
	}
	*r = request{
		message: stun.Message{Raw: in[:len(in):len(in)], Attributes: r.message.Attributes[:0]},
		peers:   r.peers[:0],
		unknown: r.unknown[:0],

		discovery: r.discovery[:0],
	}
	if r.message.Decode() != nil {
		return false
	}
	r.kind, r.id = r.message.Type, r.message.TransactionID
	for i, a := range r.message.Attributes {
		switch {
		case a.Type == stun.AttrFingerprint:
			// FINGERPRINT must be last, wherever MESSAGE-INTEGRITY is.
			if i != len(r.message.Attributes)-1 || stun.Fingerprint.Check(&r.message) != nil {
				return false
			}
			r.fingerprint = true
		case r.integrity:
			// RFC 8489, section 14.5: attributes after it are ignored.
		case a.Type == stun.AttrMessageIntegrity:
			r.integrity = true
			r.badCredentials = r.badCredentials || len(a.Value)+attributeHeader != integritySize
		case !r.take(a):
			switch a.Type {
			case stun.AttrUsername, stun.AttrRealm, stun.AttrNonce:
				r.badCredentials = true
			default:
				r.malformed = true
			}
		}
	}
	if r.kind.Method != stun.MethodBinding {
		r.unknown = append(r.unknown, r.discovery...)
	}
	return true
}

// take records one attribute and reports whether it is well-formed. A repeated attribute is
// ignored, even if it is malformed.
func (r *request) take(a stun.RawAttribute) bool {
	v := a.Value
	switch a.Type {
	case stun.AttrUsername:
		return takeText(&r.username, v, 508)
	case stun.AttrRealm:
		return takeText(&r.realm, v, 763)
	case stun.AttrNonce:
		return takeText(&r.nonce, v, 763)
	case stun.AttrXORPeerAddress: // may be repeated
		peer, ok := parseXORAddress(v, r.id)
		r.peers = append(r.peers, peer)
		return ok
	case stun.AttrData:
		if !r.hasData {
			r.data, r.hasData = v, true
		}
	case stun.AttrChannelNumber:
		if !r.hasChannel && len(v) == 4 {
			r.channel, r.hasChannel = binary.BigEndian.Uint16(v), true
		}
		return r.hasChannel
	case stun.AttrLifetime:
		if !r.hasLifetime && len(v) == 4 {
			r.lifetime, r.hasLifetime = binary.BigEndian.Uint32(v), true
		}
		return r.hasLifetime
	case stun.AttrRequestedTransport:
		if !r.hasTransport && len(v) == 4 {
			r.transport, r.hasTransport = v[0], true
		}
		return r.hasTransport
	case stun.AttrEvenPort:
		if !r.evenPort && len(v) == 1 {
			r.evenPort, r.reserve = true, v[0]&0x80 != 0
		}
		return r.evenPort
	case stun.AttrReservationToken:
		r.reservation = r.reservation || len(v) == 8
		return r.reservation
	case stun.AttrRequestedAddressFamily:
		return takeFamily(&r.family, v)
	case attrAdditionalAddressFamily:
		return takeFamily(&r.additional, v)
	case stun.AttrChangeRequest, attrResponsePort:
		if slices.Contains(r.discovery, a.Type) {
			break
		}
		r.discovery = append(r.discovery, a.Type)
		switch {
		case len(v) != 4:
			return false
		case a.Type == stun.AttrChangeRequest:
			r.change = v[3] >> 1 & (changeIP | changePort)
		default:
			r.responsePort = binary.BigEndian.Uint16(v)
			return r.responsePort != 0
		}
	default:
		if a.Type.Required() && len(r.unknown) < maxUnknown && !slices.Contains(r.unknown, a.Type) {
			r.unknown = append(r.unknown, a.Type)
		}
	}
	return true
}

func takeText(field *string, value []byte, limit int) bool {
	if *field == "" && len(value) <= limit {
		*field = string(value)
	}
	return *field != ""
}

func takeFamily(field *byte, value []byte) bool {
	if *field == 0 && len(value) == 4 {
		*field = value[0]
	}
	return *field != 0
}

// Address families (RFC 8489, section 14.1).
const (
	familyIPv4 = 1
	familyIPv6 = 2
)

const magicCookie = 0x2112A442

// parseXORAddress reads the value of an XOR-PEER-ADDRESS.
func parseXORAddress(v []byte, id [stun.TransactionIDSize]byte) (netip.AddrPort, bool) {
	var ip [16]byte
	switch {
	case len(v) == 8 && v[1] == familyIPv4:
	case len(v) == 20 && v[1] == familyIPv6:
	default:
		return netip.AddrPort{}, false
	}
	n := copy(ip[:], v[4:])
	xorAddress(ip[:n], id)
	addr, _ := netip.AddrFromSlice(ip[:n])
	return netip.AddrPortFrom(addr, binary.BigEndian.Uint16(v[2:])^(magicCookie>>16)), true
}

// appendXORAddress writes an XOR-...-ADDRESS attribute with its header.
func appendXORAddress(
	b []byte, kind stun.AttrType, id [stun.TransactionIDSize]byte, addr netip.AddrPort,
) []byte {
	ip := addr.Addr().As16()
	value, family := ip[:], byte(familyIPv6)
	if addr.Addr().Is4() {
		value, family = ip[12:], familyIPv4
	}
	xorAddress(value, id)
	b = binary.BigEndian.AppendUint16(b, uint16(kind))
	b = binary.BigEndian.AppendUint16(b, uint16(4+len(value)))
	b = append(b, 0, family)
	b = binary.BigEndian.AppendUint16(b, addr.Port()^(magicCookie>>16))
	return append(b, value...)
}

func xorAddress(ip []byte, id [stun.TransactionIDSize]byte) {
	var mask [16]byte
	binary.BigEndian.PutUint32(mask[:], magicCookie)
	copy(mask[4:], id[:])
	for i := range ip {
		ip[i] ^= mask[i]
	}
}

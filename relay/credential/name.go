package credential

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A sealed name is one block of AES-256 in base64url:
//
//	8 bytes   the appointment, except the first of its 65 bits
//	4 bytes   the expiry
//	1 byte    that bit, and the seat's number
//	3 bytes   the generation
//
// Credentials that differ in anything have different blocks, which once encrypted have nothing in
// common to anybody without the key. The expiry authenticates the name: it must match the one in
// the clear, which a made-up or altered name does once in 2^32. That is enough, since the password
// covers the whole username. So 22 letters suffice, no more than a readable name takes; a nonce and
// a tag would need another 38.

// MaxGeneration bounds the generations of a seat.
const MaxGeneration = 1 << 24

// seats are numbered from 1 in sealed names. Only append to the list: other nodes with the same
// secret may run another version.
var seats = []string{"doctor", "patient", Test}

const (
	letters   = "abcdefghijklmnopqrstuvwxyz234567" // of an appointment
	idLength  = 13
	sealedLen = 22
	oddBit    = 1 << 7
)

var encoding = base64.RawURLEncoding.Strict()

type secret struct {
	key   []byte // for passwords; nil: this is a former secret
	names cipher.Block
}

func newSecret(key []byte) *secret {
	derived, err := hkdf.Key(sha256.New, key, nil, "praxisrelay name v1", 32)
	if err != nil {
		panic(err) // HKDF yields 32 bytes
	}
	names, err := aes.NewCipher(derived)
	if err != nil {
		panic(err) // 32 bytes are an AES key
	}
	return &secret{key, names}
}

func (s *secret) seal(id Identity) (username string, err error) {
	var block [aes.BlockSize]byte
	appointment, odd, ok := packID(id.Appointment)
	if !ok {
		return "", fmt.Errorf("a TURN credential is for an appointment of %d letters a-z and 2-7", idLength)
	}
	seat := slices.Index(seats, id.Seat) + 1
	if seat == 0 {
		return "", fmt.Errorf("a TURN credential is for one of the seats %s", strings.Join(seats, ", "))
	}
	if id.Generation < 0 || id.Generation >= MaxGeneration {
		return "", fmt.Errorf(
			"the seat was given a new code more than %d times: make another appointment", MaxGeneration)
	}
	expiry := id.Expires.Unix()
	if expiry <= 0 || expiry > math.MaxUint32 {
		return "", fmt.Errorf("a TURN credential cannot expire in the year %d: is the clock right?",
			id.Expires.Year())
	}
	binary.BigEndian.PutUint64(block[:], appointment)
	binary.BigEndian.PutUint32(block[12:], uint32(id.Generation))
	binary.BigEndian.PutUint32(block[8:], uint32(expiry))
	block[12] = byte(seat) | odd
	s.names.Encrypt(block[:], block[:])
	name := strconv.AppendInt(make([]byte, 0, 10+1+sealedLen), expiry, 10)
	name = append(name, ':')
	return string(encoding.AppendEncode(name, block[:])), nil
}

// parse splits a username into its expiry and the sealed block.
func parse(username string) (expiry uint32, block [aes.BlockSize]byte, ok bool) {
	digits := len(username) - 1 - sealedLen
	if digits < 1 || username[digits] != ':' || username[0] < '1' || username[0] > '9' {
		return 0, block, false
	}
	seconds, err := strconv.ParseUint(username[:digits], 10, 32)
	if err != nil {
		return 0, block, false
	}
	n, err := encoding.Decode(block[:], []byte(username[digits+1:]))
	return uint32(seconds), block, err == nil && n == len(block)
}

func (s *secret) open(expiry uint32, sealed [aes.BlockSize]byte) (id Identity, ok bool) {
	block := sealed[:]
	s.names.Decrypt(block, block)
	seat := int(block[12]&^oddBit) - 1
	if binary.BigEndian.Uint32(block[8:]) != expiry || seat < 0 || seat >= len(seats) {
		return Identity{}, false
	}
	return Identity{
		Appointment: unpackID(binary.BigEndian.Uint64(block), block[12]&oddBit),
		Seat:        seats[seat],
		Generation:  int(binary.BigEndian.Uint32(block[12:]) & (MaxGeneration - 1)),
		Expires:     time.Unix(int64(expiry), 0).UTC(),
	}, true
}

// packID returns the 65 bits of an appointment's letters, the first one as oddBit.
func packID(id string) (bits uint64, odd byte, ok bool) {
	if len(id) != idLength {
		return 0, 0, false
	}
	for _, letter := range []byte(id) {
		value := strings.IndexByte(letters, letter)
		if value < 0 {
			return 0, 0, false
		}
		bits = bits<<5 | uint64(value)
	}
	return bits, byte(strings.IndexByte(letters, id[0])>>4) << 7, true
}

func unpackID(bits uint64, odd byte) string {
	var id [idLength]byte
	for i := idLength - 1; i > 0; i-- {
		id[i] = letters[bits&0x1F]
		bits >>= 5
	}
	id[0] = letters[bits|uint64(odd>>7)<<4]
	return string(id[:])
}

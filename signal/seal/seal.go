// Package seal is the encryption between the seats of an appointment. The server
// carries the sealed texts and has no key.
//
// An appointment has one random room key. It is wrapped once for each seat, under
// the seal key derived from the seat's code, and stored on the server that way. A
// client that joined unwraps it and seals every message to its partner with it.
//
// Both are AES-256-GCM with a random nonce of 12 bytes in front, and additional
// data, in UTF-8, that names the place the text belongs to:
//
//	room key:  praxisrelay room v1|<appointment>|<seat>
//	message:   praxisrelay message v1|<appointment>|<from>|<to>|<from's epoch>|<to's epoch>|<seq>
//
// An epoch is a random name that a client gives itself. Since a message names the
// epochs of both ends and its number, a server that swaps, repeats, reorders or keeps
// messages is detected by the receiver: see [Receiver].
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
)

// RoomKey seals the messages of one appointment.
type RoomKey [32]byte

// NewRoomKey returns a random key.
func NewRoomKey() (key RoomKey) {
	rand.Read(key[:])
	return key
}

// TestKey returns the room key of a test, which seals no messages: the SHA-256 of the appliance's
// public key. The holder of the test's code thus learns which certificate is the appliance's own,
// safe from anybody on the way.
func TestKey(publicKey []byte) (key RoomKey) {
	copy(key[:], publicKey)
	return key
}

// NewEpoch returns a random name for a session: 128 bits as base64url.
func NewEpoch() string {
	var random [16]byte
	rand.Read(random[:])
	return base64.RawURLEncoding.EncodeToString(random[:])
}

// ErrOpen reports that a text was not sealed for this place or not with this key.
var ErrOpen = errors.New("not sealed with this key for this place: it was altered or moved on its way")

// Wrap seals the room key for a seat.
func (key RoomKey) Wrap(sealKey [32]byte, appointment, seat string) []byte {
	return sealWith(sealKey, key[:], roomPlace(appointment, seat))
}

// Unwrap is the reverse of Wrap.
func Unwrap(sealKey [32]byte, appointment, seat string, wrapped []byte) (key RoomKey, err error) {
	plain, err := openWith(sealKey, wrapped, roomPlace(appointment, seat))
	if err != nil {
		return key, err
	}
	if len(plain) != len(key) {
		return key, ErrOpen
	}
	copy(key[:], plain)
	return key, nil
}

// Place identifies where a message belongs.
type Place struct {
	Appointment        string
	From, To           string // seats
	FromEpoch, ToEpoch string
	Seq                uint64 // from 0, per pair of epochs
}

// Seal encrypts a message for a place.
func (key RoomKey) Seal(place Place, plain []byte) []byte {
	return sealWith(key, plain, place.text())
}

// Open is the reverse of Seal. Receiver checks that Seq only grows.
func (key RoomKey) Open(place Place, sealed []byte) ([]byte, error) {
	return openWith(key, sealed, place.text())
}

func roomPlace(appointment, seat string) string {
	return fmt.Sprintf("praxisrelay room v1|%s|%s", appointment, seat)
}

func (p Place) text() string {
	return fmt.Sprintf("praxisrelay message v1|%s|%s|%s|%s|%s|%d", p.Appointment, p.From, p.To, p.FromEpoch, p.ToEpoch, p.Seq)
}

// GCM is AES-256-GCM with a random nonce in front of each text.
func GCM(key [32]byte) cipher.AEAD {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // 32 bytes is a valid key
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return aead
}

func sealWith(key [32]byte, plain []byte, place string) []byte {
	return GCM(key).Seal(nil, nil, plain, []byte(place))
}

func openWith(key [32]byte, sealed []byte, place string) ([]byte, error) {
	plain, err := GCM(key).Open(nil, nil, sealed, []byte(place))
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}

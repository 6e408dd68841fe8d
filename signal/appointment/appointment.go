// Package appointment holds what the server knows of appointments: their window,
// their seats, and for each seat enough to recognise its code, but not the code.
package appointment

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"time"
)

// The seats of a consultation.
const (
	Doctor  = "doctor"
	Patient = "patient"
)

// SeatNames are the seats in the order in which they are shown.
var SeatNames = []string{Doctor, Patient}

// Length is how long an appointment's codes are valid from their start.
const Length = 24 * time.Hour

// Grace is how long a row outlives its window, so that a late visitor is told
// that it is over.
const Grace = 24 * time.Hour

// Appointment is a window in time and its seats.
type Appointment struct {
	ID      string    `json:"id"` // see NewID
	Opens   time.Time `json:"opens"`
	Closes  time.Time `json:"closes"`
	Created time.Time `json:"created"`
	Seats   []Seat    `json:"seats"`
	// Revoked is when it was revoked; its seats are then gone.
	Revoked time.Time `json:"revoked,omitzero"`
}

// Seat is a place in an appointment.
type Seat struct {
	Name string `json:"name"`
	// Lookup is the keyed hash of the seat's join token; see Pepper.
	Lookup Lookup `json:"lookup"`
	// RoomKey is the room key, wrapped under the seat's seal key.
	RoomKey []byte `json:"room_key"`
}

// Lookup is what a join token is recognised by.
type Lookup [16]byte

// Pepper is the deployment's key for lookups. It lies apart from the registry, so
// that a registry alone cannot be searched for codes.
type Pepper []byte

// MinPepper is the least length of a pepper in bytes.
const MinPepper = 16

// Lookup returns the lookup of a join token's verifier.
func (p Pepper) Lookup(verifier [32]byte) (l Lookup) {
	mac := hmac.New(sha256.New, p)
	mac.Write(verifier[:])
	copy(l[:], mac.Sum(nil))
	return l
}

// Errors of a join. From outside, unknown, malformed and revoked codes are the
// same; only a right one learns about its window.
var (
	ErrUnknown = errors.New("no appointment has this code")
	ErrEarly   = errors.New("the appointment has not begun")
	ErrOver    = errors.New("the appointment is over")
	ErrExists  = errors.New("there is an appointment of this id or code already")
)

// Admits tells whether the window is open.
func (a Appointment) Admits(now time.Time) error {
	switch {
	case now.Before(a.Opens):
		return ErrEarly
	case !now.Before(a.Closes):
		return ErrOver
	}
	return nil
}

// NewID returns a random appointment id: 64 bits in 13 lower-case letters and digits.
func NewID() string {
	var random [8]byte
	rand.Read(random[:])
	return idEncoding.EncodeToString(random[:])
}

var idEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Validate checks what somebody else made.
func (a Appointment) Validate() error {
	if b, err := idEncoding.DecodeString(a.ID); err != nil || len(b) != 8 {
		return errors.New("id: 13 lower-case letters and digits, 64 random bits in base 32, are expected")
	}
	if !a.Closes.After(a.Opens) || a.Closes.Sub(a.Opens) > 31*24*time.Hour {
		return errors.New("closes: must be after opens, by 31 days at most")
	}
	if len(a.Seats) != len(SeatNames) {
		return fmt.Errorf("seats: the seats %s are expected", strings.Join(SeatNames, " and "))
	}
	lookups := map[Lookup]bool{}
	for i, seat := range a.Seats {
		lookups[seat.Lookup] = true
		if seat.Name != SeatNames[i] {
			return fmt.Errorf("seats[%d]: the seat %s is expected here", i, SeatNames[i])
		}
		if len(seat.RoomKey) != 12+32+16 {
			return fmt.Errorf("seats[%d]: room_key: a wrapped key of 60 bytes is expected", i)
		}
	}
	if len(lookups) != len(a.Seats) {
		return errors.New("seats: each needs a code of its own")
	}
	return nil
}

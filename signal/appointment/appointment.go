// Package appointment holds the server's knowledge of appointments: their window, their seats, and
// for each seat enough to recognize its code, but not the code.
//
// The row of an appointment remembers a revocation. A TURN credential works without it, so two
// things hold whatever restarts, configurations and clocks do: no credential expires after
// [Appointment.Ends], when the row is deleted; and each carries its seat's generation, a number
// that rises with every code, so that no clock decides which of two holders a credential is for.
package appointment

import (
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"time"
)

// The seats of a consultation, and the one seat of a test.
const (
	Doctor  = "doctor"
	Patient = "patient"
	Test    = "test"
)

// SeatNames lists the seats in display order.
var SeatNames = []string{Doctor, Patient}

// Length is how long an appointment's codes are valid from their start.
const Length = 24 * time.Hour

// A test's code is valid for TestLength by default, and for MaxTestLength at most.
const (
	TestLength    = 30 * time.Minute
	MaxTestLength = 2 * time.Hour
)

// MaxAhead is how far ahead an appointment may open. A later date is a mistaken year, or a code
// that nobody will remember.
const MaxAhead = 2 * 366 * 24 * time.Hour

// Grace is how long a row outlives its window, so that a late visitor learns that it is over, and a
// consultation may run over.
const Grace = 24 * time.Hour

// Appointment is a window in time and its seats.
type Appointment struct {
	ID string `json:"id"` // see NewID
	// Ref is the caller's own name for it, if any: see CheckRef.
	Ref     string    `json:"ref,omitempty"`
	Opens   time.Time `json:"opens"`
	Closes  time.Time `json:"closes"`
	Created time.Time `json:"created"`
	Seats   []Seat    `json:"seats"`
	// Revoked is the time of revocation; the seats are then gone.
	Revoked time.Time `json:"revoked,omitzero"`
	// Test marks a code for checking a network, which is no consultation.
	Test bool `json:"test,omitempty"`
}

// SeatNames returns the names that its seats must have.
func (a Appointment) SeatNames() []string {
	if a.Test {
		return []string{Test}
	}
	return SeatNames
}

// Seat is a place in an appointment.
type Seat struct {
	Name string `json:"name"`
	// Lookup is the keyed hash of the seat's join token; see Pepper.
	Lookup Lookup `json:"lookup"`
	// RoomKey is the room key, wrapped under the seat's seal key and hidden under the
	// pepper; see Pepper.Hide.
	RoomKey []byte `json:"room_key"`
	// Used is set once the seat has been joined.
	Used bool `json:"used,omitempty"`
	// Reissued is when the seat last got a new code, Generation how often it has.
	Reissued   time.Time `json:"reissued,omitzero"`
	Generation int       `json:"generation,omitempty"`
}

// lostGeneration stands for a row written by an older program, which does not count generations: it
// is above any that the seat had before.
const lostGeneration = 1 << 22

func (s Seat) generation() int {
	if s.Generation == 0 && !s.Reissued.IsZero() {
		return lostGeneration
	}
	return s.Generation
}

// Generation returns the generation of a seat's new credentials. Lower ones were made for holders
// of earlier codes. Each code also permits checks, so the credentials of Test end when any code
// does.
func (a Appointment) Generation(seat string) (sum int) {
	for _, s := range a.Seats {
		if s.Name == seat || seat == Test {
			sum += s.generation()
		}
	}
	return sum
}

// Ends returns when everything of an appointment is over.
func (a Appointment) Ends() time.Time { return a.Closes.Add(Grace) }

// Seat returns the seat of that name; ErrUnknown.
func (a Appointment) Seat(name string) (Seat, error) {
	for _, seat := range a.Seats {
		if seat.Name == name {
			return seat, nil
		}
	}
	return Seat{}, ErrUnknown
}

// ErrUnknown reports that no appointment has a code or an id. Outsiders cannot tell unknown,
// malformed and revoked codes apart; only a right code reveals its window.
var ErrUnknown = errors.New("no appointment has this code")

// State is the stage of an appointment at one moment.
type State string

// The states. Codes work while it is Open.
const (
	Upcoming State = "upcoming"
	Open     State = "open"
	Over     State = "over"
	Revoked  State = "revoked"
)

// State returns the appointment's state.
func (a Appointment) State(now time.Time) State {
	return StateAt(now, a.Opens, a.Closes, !a.Revoked.IsZero())
}

// StateAt returns the state of an appointment from these facts only.
func StateAt(now, opens, closes time.Time, revoked bool) State {
	switch {
	case revoked:
		return Revoked
	case now.Before(opens):
		return Upcoming
	case now.Before(closes):
		return Open
	}
	return Over
}

// NewID returns a random appointment id: 64 bits in 13 lower-case letters and digits.
func NewID() string {
	var random [8]byte
	rand.Read(random[:])
	return idEncoding.EncodeToString(random[:])
}

var idEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// CheckRef checks a caller's own name for an appointment: at most 64 characters of A-Z, a-z, 0-9,
// dot, underscore and hyphen, or none. It is opaque here, and must not describe a person. It does
// not begin with a hyphen, which spreadsheets take for a formula.
func CheckRef(ref string) error {
	const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
	if len(ref) > 64 || strings.Trim(ref, allowed) != "" || strings.HasPrefix(ref, "-") {
		return errors.New("ref: at most 64 of A-Z a-z 0-9 . _ - and no hyphen in front are expected: shorten or replace it")
	}
	return nil
}

// Validate checks an appointment from elsewhere.
func (a Appointment) Validate() error {
	if err := a.CheckWindow(); err != nil {
		return err
	}
	if b, err := idEncoding.DecodeString(a.ID); err != nil || len(b) != 8 || len(a.ID) != 13 {
		return errors.New("id: 13 lower-case letters and digits, 64 random bits in base 32, are expected")
	}
	names := a.SeatNames()
	if len(a.Seats) != len(names) {
		return fmt.Errorf("seats: the seats %s are expected", strings.Join(names, " and "))
	}
	lookups := map[Lookup]bool{}
	for i, seat := range a.Seats {
		lookups[seat.Lookup] = true
		if seat.Name != names[i] {
			return fmt.Errorf("seats[%d]: the seat %s is expected here", i, names[i])
		}
	}
	if len(lookups) != len(a.Seats) {
		return errors.New("seats: each needs a code of its own")
	}
	return nil
}

// CheckWindow checks the parts that an appointment has before its codes: its window and Ref.
func (a Appointment) CheckWindow() error {
	if !a.Closes.After(a.Opens) || a.Closes.Sub(a.Opens) > 31*24*time.Hour {
		return errors.New("closes: must be after opens, by 31 days at most")
	}
	if a.Opens.Sub(a.Created) > MaxAhead {
		return errors.New("opens: must be within two years: correct the date")
	}
	if a.Test && a.Closes.Sub(a.Opens) > MaxTestLength {
		return errors.New("closes: a test lasts for 2 hours at most")
	}
	return CheckRef(a.Ref)
}

// CheckRoomKey checks the length of a wrapped room key: nonce, key and tag.
func CheckRoomKey(wrapped []byte) error {
	if len(wrapped) != 12+32+16 {
		return errors.New("room_key: a wrapped key of 60 bytes is expected")
	}
	return nil
}

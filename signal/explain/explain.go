// Package explain says why a call does not come about: from what the appliance saw of
// an appointment to the likeliest cause, whose side it is on, and a sentence for people.
//
//	explain.go   what is asked and answered
//	seat.go      what the events mean for one seat
//	rules.go     from there to the cause
//	words.go     sentences
//	timeline.go  what happened, line by line
//
// It is a pure function: the same case has the same verdict.
package explain

import (
	"time"

	"praxisrelay/config/lang"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/journal"
	"praxisrelay/signal/protocol"
)

// Case holds everything known about an appointment at one moment.
type Case struct {
	Now           time.Time
	Opens, Closes time.Time // zero: the window is open
	Revoked       time.Time // zero: it is not
	Test          bool      // a code for checking a network, no consultation
	Events        []journal.Event
	Sessions      []journal.Session
	Allocations   []journal.Allocation
}

// state returns the appointment's state; without a window it is open.
func (c Case) state() appointment.State {
	if c.Closes.IsZero() && c.Revoked.IsZero() {
		return appointment.Open
	}
	return appointment.StateAt(c.Now, c.Opens, c.Closes, !c.Revoked.IsZero())
}

// Side is where the cause lies.
type Side string

// The sides. Nobody's are calls that work, have not begun, or are too little known.
const (
	Patient   Side = appointment.Patient
	Doctor    Side = appointment.Doctor
	Appliance Side = "appliance"
	Nobody    Side = "nobody"
)

// Cause names what is likely wrong, or right. The table in words.go says what each means.
type Cause string

// The causes.
const (
	Healthy   Cause = "healthy"
	Held      Cause = "held"
	NotYet    Cause = "connecting"
	Undecided Cause = "undecided"

	Revoked      Cause = "revoked"
	Test         Cause = "test"
	Upcoming     Cause = "upcoming"
	Closed       Cause = "closed"
	NobodyJoined Cause = "nobody-joined"
	NotJoined    Cause = "not-joined"
	TooEarly     Cause = "too-early"
	TooLate      Cause = "too-late"
	TooOften     Cause = "too-often"
	SentAway     Cause = "sent-away"
	OtherDevice  Cause = "other-device"
	GivenUp      Cause = "given-up"
	Lost         Cause = "lost"
	CodeReplaced Cause = "code-replaced"
	NotLetIn     Cause = "not-let-in"

	Blocked       Cause = "blocked"
	AllBlocked    Cause = "all-blocked"
	OldCredential Cause = "old-credential"
	Withdrawn     Cause = "withdrawn-credential"
	WrongPassword Cause = "wrong-password"
	StaleNonce    Cause = "stale-nonce"
	Quota         Cause = "quota"
	Full          Cause = "full"
	NetworkFull   Cause = "network-full"
	NoPorts       Cause = "no-ports"
	Draining      Cause = "draining"
	NoFamily      Cause = "no-family"
	Misasked      Cause = "misasked"

	IdleCut    Cause = "idle-cut"
	Cut        Cause = "cut"
	Vanished   Cause = "vanished"
	SessionEnd Cause = "session-end"
	Released   Cause = "released"

	OtherFamily  Cause = "other-family"
	TooManyPeers Cause = "too-many-peers"
	NoPeer       Cause = "no-peer"

	Mute    Cause = "mute"
	Deaf    Cause = "deaf"
	OneWay  Cause = "one-way"
	Stopped Cause = "stopped"
	Silent  Cause = "silent"
)

// Verdict is the likeliest cause.
type Verdict struct {
	Cause Cause
	Side  Side
	Seat  string        // concerned; empty: both or neither
	At    time.Time     // when it began or happened; zero: irrelevant
	Code  int           // of the refusal
	For   time.Duration // of silence before an IdleCut
}

// Explain returns the likeliest cause.
func Explain(c Case) Verdict {
	seats := map[string]*seat{}
	for _, name := range appointment.SeatNames {
		seats[name] = newSeat(c, name)
	}
	both := pair{seats[appointment.Patient], seats[appointment.Doctor]}
	for _, rule := range rules {
		if v := rule(c, both); v.Cause != "" {
			return v
		}
	}
	return Verdict{Cause: Undecided, Side: Nobody}
}

// Told returns the verdict in the form for clients and the admin API.
func (v Verdict) Told() protocol.Explanation {
	return protocol.Explanation{
		Cause: string(v.Cause), Side: string(v.Side), Seat: v.Seat,
		Text: map[string]string{"de": v.Sentence(lang.German), "en": v.Sentence(lang.English)},
	}
}

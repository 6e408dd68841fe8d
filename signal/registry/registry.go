// Package registry keeps appointments, access tokens, and answers that may be asked for
// again, in one file.
//
//	registry.go  what a registry does
//	bolt.go      the embedded one
//	rows.go      its rows, damaged ones included
//	tokens.go    access tokens
//	answers.go   answers of requests that may be repeated
//	marker.go    notes which seats were used, behind their joins
package registry

import (
	"context"
	"errors"
	"io"
	"time"

	"praxisrelay/signal/appointment"
	"praxisrelay/signal/token"
)

// Registry keeps appointments. A change that was acknowledged survives whatever
// happens to the process. Implementations take the time from their callers.
//
// A damaged row is reported as ErrDamaged by what needs it. List and Sweep do for the
// others what they do, and then report it.
type Registry interface {
	// Salt returns the deployment's salt for stretching codes.
	Salt() []byte
	// Create adds a valid appointment; ErrExists. With it go the answers, if any,
	// that a repeated request gets: all is kept or nothing.
	Create(ctx context.Context, a appointment.Appointment, answers ...Answer) error
	// Get returns the appointment of an id, a revoked one too; ErrUnknown.
	Get(ctx context.Context, id string) (appointment.Appointment, error)
	// Find returns the appointment and seat that one of the lookups belongs to. It
	// looks for each of them, whatever it finds; ErrUnknown.
	Find(ctx context.Context, lookups ...appointment.Lookup) (appointment.Appointment, appointment.Seat, error)
	// MarkUsed notes that a seat was joined. It does not wait for the disk: a crash
	// within the moment may lose the note.
	MarkUsed(ctx context.Context, l appointment.Lookup)
	// List returns all appointments in the order in which they open.
	List(ctx context.Context) ([]appointment.Appointment, error)
	// Revoke makes the codes of an appointment unknown and keeps only the fact
	// that it was there, until its row is swept; ErrUnknown.
	Revoke(ctx context.Context, id string, now time.Time) (appointment.Appointment, error)
	// Reissue makes the code of a seat unknown and another one known in its place,
	// by Lookup and RoomKey of the seat of that name, and raises its generation;
	// ErrUnknown where there is none any more, ErrExists.
	Reissue(ctx context.Context, id string, seat appointment.Seat, now time.Time) (appointment.Appointment, error)
	// Answer returns the answer of that key; ErrUnknown.
	Answer(ctx context.Context, key [32]byte, now time.Time) (Answer, error)
	// Sweep deletes appointments and tokens that are over by more than Grace, and
	// answers older than AnswerLife. It returns the ids of the appointments.
	Sweep(ctx context.Context, now time.Time) (deleted []string, err error)

	// AddToken keeps an access token.
	AddToken(ctx context.Context, t token.Token) error
	// Token returns the token of an id; ErrUnknown.
	Token(ctx context.Context, id string) (token.Token, error)
	// Tokens returns all in the order in which they were made.
	Tokens(ctx context.Context) ([]token.Token, error)
	// RevokeToken deletes the token of an id; ErrUnknown.
	RevokeToken(ctx context.Context, id string) error

	// Check reports whether a change could be written now.
	Check(ctx context.Context) error
	// Backup writes a copy of everything, as of one moment.
	Backup(ctx context.Context, w io.Writer) error
	Close() error
}

var (
	// ErrExists says that an id or a code is taken.
	ErrExists = errors.New("there is an appointment of this id or code already")
	// ErrDamaged says that a row cannot be read; the others can.
	ErrDamaged = errors.New("a row of the registry is damaged: restore a backup")
)

// Answer is what a request was answered, for one that is repeated under the same key.
type Answer struct {
	Key     [32]byte  `json:"-"` // a hash: what opens Sealed does not follow from it
	Created time.Time `json:"created"`
	Sealed  []byte    `json:"sealed"`
}

// AnswerLife is how long an answer is kept.
const AnswerLife = 24 * time.Hour

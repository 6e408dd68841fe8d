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

// Registry keeps appointments. An acknowledged change survives whatever happens to the process.
// Implementations take the time from their callers.
//
// An operation that needs a damaged row returns ErrDamaged. List and Sweep still handle the other
// rows, and then report it.
type Registry interface {
	// Salt returns the deployment's salt for stretching codes.
	Salt() []byte
	// Create adds a valid appointment; ErrExists. Answers for repeated requests are stored with it:
	// all of it is kept or nothing.
	Create(ctx context.Context, a appointment.Appointment, answers ...Answer) error
	// Get returns an appointment by id, even a revoked one; ErrUnknown.
	Get(ctx context.Context, id string) (appointment.Appointment, error)
	// Find returns the appointment and seat of one of the lookups. It tries every lookup, whatever
	// it finds; ErrUnknown.
	Find(ctx context.Context, lookups ...appointment.Lookup) (appointment.Appointment, appointment.Seat, error)
	// MarkUsed records that a seat was joined. It does not wait for the disk: a crash right
	// afterwards may lose the record.
	MarkUsed(ctx context.Context, l appointment.Lookup)
	// List returns all appointments in order of opening.
	List(ctx context.Context) ([]appointment.Appointment, error)
	// Revoke makes the codes of an appointment unknown and keeps only the fact that it existed,
	// until its row is swept; ErrUnknown.
	Revoke(ctx context.Context, id string, now time.Time) (appointment.Appointment, error)
	// Reissue replaces the code of the seat of that name with another, given by Lookup and RoomKey,
	// makes the old code unknown, and raises the generation; ErrUnknown if the seat no longer
	// exists, ErrExists.
	Reissue(ctx context.Context, id string, seat appointment.Seat, now time.Time) (appointment.Appointment, error)
	// Answer returns the answer with that key; ErrUnknown.
	Answer(ctx context.Context, key [32]byte, now time.Time) (Answer, error)
	// Sweep deletes appointments and tokens that have been over for more than Grace, and answers
	// older than AnswerLife. It returns the ids of the deleted appointments.
	Sweep(ctx context.Context, now time.Time) (deleted []string, err error)

	// AddToken keeps an access token.
	AddToken(ctx context.Context, t token.Token) error
	// Token returns a token by id; ErrUnknown.
	Token(ctx context.Context, id string) (token.Token, error)
	// Tokens returns all tokens in order of creation.
	Tokens(ctx context.Context) ([]token.Token, error)
	// RevokeToken deletes a token by id; ErrUnknown.
	RevokeToken(ctx context.Context, id string) error

	// Check reports whether a change could be written now.
	Check(ctx context.Context) error
	// Backup writes a copy of everything, as of one moment.
	Backup(ctx context.Context, w io.Writer) error
	Close() error
}

var (
	// ErrExists reports that an id or a code is taken.
	ErrExists = errors.New("there is an appointment of this id or code already")
	// ErrDamaged reports that a row cannot be read; the others can.
	ErrDamaged = errors.New("a row of the registry is damaged: restore a backup")
)

// Answer is a stored answer, for a request that is repeated with the same key.
type Answer struct {
	Key     [32]byte  `json:"-"` // a hash, from which the key to Sealed cannot be derived
	Created time.Time `json:"created"`
	Sealed  []byte    `json:"sealed"`
}

// AnswerLife is how long an answer is kept.
const AnswerLife = 24 * time.Hour

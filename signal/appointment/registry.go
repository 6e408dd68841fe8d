package appointment

import (
	"context"
	"time"
)

// Registry keeps appointments. A change that was acknowledged survives whatever
// happens to the process. Implementations take the time from their callers.
type Registry interface {
	// Salt returns the deployment's salt for stretching codes.
	Salt() []byte
	// Create adds a valid appointment; ErrExists.
	Create(ctx context.Context, a Appointment) error
	// Find returns the appointment and seat of a lookup; ErrUnknown.
	Find(ctx context.Context, l Lookup) (Appointment, Seat, error)
	// List returns all appointments in the order in which they open.
	List(ctx context.Context) ([]Appointment, error)
	// Revoke makes the codes of an appointment unknown and keeps only the fact
	// that it was there, until its row is swept; ErrUnknown.
	Revoke(ctx context.Context, id string, now time.Time) (Appointment, error)
	// Sweep deletes what is over by more than Grace.
	Sweep(ctx context.Context, now time.Time) error
	Close() error
}

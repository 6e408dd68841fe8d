package registry

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"praxisrelay/signal/appointment"
)

var (
	metaBucket         = []byte("meta")         // salt, version
	appointmentsBucket = []byte("appointments") // id -> Appointment as JSON
	lookupsBucket      = []byte("lookups")      // Lookup -> id
	answersBucket      = []byte("answers")      // Answer.Key -> Answer as JSON
	tokensBucket       = []byte("tokens")       // id -> token.Token as JSON
)

const schemaVersion = "1"

// bolt is the embedded registry: a single file, with every acknowledged change on disk.
type bolt struct {
	db   *bbolt.DB
	salt []byte
	used *marker
}

// mapped is the file's initial address space. Growing beyond it blocks everybody until readers
// finish, and a backup may be read slowly.
const mapped = 256 << 20

// Open opens the registry file, or creates it with a random salt.
func Open(file string) (Registry, error) {
	db, err := bbolt.Open(file, 0o600, &bbolt.Options{Timeout: time.Second, InitialMmapSize: mapped})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("signal.registry: another process has %s open: stop that one first", file)
	}
	if errors.Is(err, bolterrors.ErrInvalid) || errors.Is(err, bolterrors.ErrChecksum) || errors.Is(err, bolterrors.ErrVersionMismatch) {
		err = fmt.Errorf("%s is none, or damaged (%w): restore a backup, or move it away to begin without appointments", file, err)
	}
	if err != nil {
		return nil, fmt.Errorf("signal.registry: %w", err)
	}
	b := &bolt{db: db}
	if err := db.Update(b.prepare); err != nil {
		db.Close()
		return nil, fmt.Errorf("signal.registry: %s: %w", file, err)
	}
	b.used = newMarker(db)
	return b, nil
}

// Read returns the appointments of a registry that no daemon has open, as List does.
func Read(ctx context.Context, file string) ([]appointment.Appointment, error) {
	db, err := bbolt.Open(file, 0o600, &bbolt.Options{Timeout: time.Second, ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("signal.registry: %w", err)
	}
	defer db.Close()
	return (&bolt{db: db}).List(ctx)
}

func (b *bolt) prepare(tx *bbolt.Tx) error {
	for _, name := range [][]byte{metaBucket, appointmentsBucket, lookupsBucket, answersBucket, tokensBucket} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	meta := tx.Bucket(metaBucket)
	switch version := string(meta.Get([]byte("version"))); version {
	case schemaVersion:
		b.salt = slices.Clone(meta.Get([]byte("salt")))
		return nil
	case "":
		b.salt = make([]byte, 16)
		rand.Read(b.salt)
		if err := meta.Put([]byte("salt"), b.salt); err != nil {
			return err
		}
		return meta.Put([]byte("version"), []byte(schemaVersion))
	default:
		return fmt.Errorf("is of version %q, this program knows %s: use the program that wrote it", version, schemaVersion)
	}
}

func (b *bolt) Salt() []byte { return b.salt }

func (b *bolt) Create(_ context.Context, a appointment.Appointment, answers ...Answer) error {
	return b.db.Update(func(tx *bbolt.Tx) error {
		if tx.Bucket(appointmentsBucket).Get([]byte(a.ID)) != nil {
			return ErrExists
		}
		for _, seat := range a.Seats {
			if err := addLookup(tx, seat.Lookup, a.ID); err != nil {
				return err
			}
		}
		for _, answer := range answers {
			if err := putRow(tx, answersBucket, answer.Key[:], answer); err != nil {
				return err
			}
		}
		return putAppointment(tx, a)
	})
}

func (b *bolt) Get(_ context.Context, id string) (a appointment.Appointment, err error) {
	err = b.db.View(func(tx *bbolt.Tx) error {
		a, err = getAppointment(tx, []byte(id))
		return err
	})
	return a, err
}

func (b *bolt) Find(_ context.Context, lookups ...appointment.Lookup) (a appointment.Appointment, s appointment.Seat, err error) {
	err = b.db.View(func(tx *bbolt.Tx) error {
		var found appointment.Lookup
		var id []byte
		for _, l := range lookups {
			if value := tx.Bucket(lookupsBucket).Get(l[:]); value != nil {
				found, id = l, value
			}
		}
		a, s, err = findSeat(tx, found, id)
		return err
	})
	return a, s, err
}

func (b *bolt) MarkUsed(ctx context.Context, l appointment.Lookup) {
	if _, seat, err := b.Find(ctx, l); err == nil && !seat.Used {
		b.used.mark(l)
	}
}

func (b *bolt) List(_ context.Context) (list []appointment.Appointment, err error) {
	err = b.db.View(func(tx *bbolt.Tx) error {
		list, err = allAppointments(tx)
		return err
	})
	slices.SortStableFunc(list, func(a, b appointment.Appointment) int { return a.Opens.Compare(b.Opens) })
	return list, err
}

func (b *bolt) Revoke(_ context.Context, id string, now time.Time) (a appointment.Appointment, err error) {
	err = b.db.Update(func(tx *bbolt.Tx) error {
		if a, err = getAppointment(tx, []byte(id)); err != nil {
			return err
		}
		if !a.Revoked.IsZero() {
			return nil
		}
		if err := deleteLookups(tx, a); err != nil {
			return err
		}
		a.Revoked, a.Seats = now.UTC(), nil
		return putAppointment(tx, a)
	})
	return a, err
}

func (b *bolt) Reissue(_ context.Context, id string, seat appointment.Seat, now time.Time) (a appointment.Appointment, err error) {
	err = b.db.Update(func(tx *bbolt.Tx) error {
		if a, err = getAppointment(tx, []byte(id)); err != nil {
			return err
		}
		i := slices.IndexFunc(a.Seats, func(s appointment.Seat) bool { return s.Name == seat.Name })
		if i < 0 {
			return appointment.ErrUnknown
		}
		if err := deleteLookups(tx, appointment.Appointment{ID: id, Seats: a.Seats[i : i+1]}); err != nil {
			return err
		}
		if err := addLookup(tx, seat.Lookup, id); err != nil {
			return err
		}
		seat.Used, seat.Reissued, seat.Generation = false, now.UTC(), a.Generation(seat.Name)+1
		a.Seats[i] = seat
		return putAppointment(tx, a)
	})
	return a, err
}

func (b *bolt) Sweep(_ context.Context, now time.Time) (deleted []string, err error) {
	var damaged error
	err = b.db.Update(func(tx *bbolt.Tx) error {
		deleted = nil
		list, err := allAppointments(tx)
		damaged = err
		for _, a := range list {
			if now.Before(a.Ends()) {
				continue
			}
			if err := deleteLookups(tx, a); err != nil {
				return err
			}
			if err := tx.Bucket(appointmentsBucket).Delete([]byte(a.ID)); err != nil {
				return err
			}
			deleted = append(deleted, a.ID)
		}
		return errors.Join(sweepAnswers(tx, now), sweepTokens(tx, now))
	})
	if err != nil {
		deleted = nil // nothing was deleted
	}
	return deleted, errors.Join(err, damaged)
}

// Check performs a write without changes: the file's meta page goes to the disk.
func (b *bolt) Check(context.Context) error {
	return b.db.Update(func(*bbolt.Tx) error { return nil })
}

func (b *bolt) Backup(_ context.Context, w io.Writer) error {
	return b.db.View(func(tx *bbolt.Tx) error {
		_, err := tx.WriteTo(w)
		return err
	})
}

func (b *bolt) Close() error {
	b.used.close()
	return b.db.Close()
}

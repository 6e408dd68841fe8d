package appointment

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

var (
	metaBucket         = []byte("meta")         // salt, version
	appointmentsBucket = []byte("appointments") // id -> Appointment as JSON
	lookupsBucket      = []byte("lookups")      // Lookup -> id
)

const schemaVersion = "1"

// bolt is the embedded registry: one file, every acknowledged change on disk.
type bolt struct {
	db   *bbolt.DB
	salt []byte
}

// Open opens the registry file or makes it, with a random salt.
func Open(file string) (Registry, error) {
	db, err := bbolt.Open(file, 0o600, &bbolt.Options{Timeout: time.Second})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("registry %s: another process has it open: stop that one first", file)
	}
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	b := &bolt{db: db}
	if err := db.Update(b.prepare); err != nil {
		db.Close()
		return nil, fmt.Errorf("registry %s: %w", file, err)
	}
	return b, nil
}

func (b *bolt) prepare(tx *bbolt.Tx) error {
	for _, name := range [][]byte{metaBucket, appointmentsBucket, lookupsBucket} {
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

func (b *bolt) Create(_ context.Context, a Appointment) error {
	return b.db.Update(func(tx *bbolt.Tx) error {
		lookups := tx.Bucket(lookupsBucket)
		if tx.Bucket(appointmentsBucket).Get([]byte(a.ID)) != nil {
			return ErrExists
		}
		for _, seat := range a.Seats {
			if lookups.Get(seat.Lookup[:]) != nil {
				return ErrExists
			}
			if err := lookups.Put(seat.Lookup[:], []byte(a.ID)); err != nil {
				return err
			}
		}
		return put(tx, a)
	})
}

func (b *bolt) Find(_ context.Context, l Lookup) (a Appointment, s Seat, err error) {
	err = b.db.View(func(tx *bbolt.Tx) error {
		id := tx.Bucket(lookupsBucket).Get(l[:])
		if id == nil {
			return ErrUnknown
		}
		if a, err = get(tx, id); err != nil {
			return err
		}
		i := slices.IndexFunc(a.Seats, func(s Seat) bool { return s.Lookup == l })
		if i < 0 {
			return ErrUnknown
		}
		s = a.Seats[i]
		return nil
	})
	return a, s, err
}

func (b *bolt) List(_ context.Context) (list []Appointment, err error) {
	err = b.db.View(func(tx *bbolt.Tx) error {
		list, err = all(tx)
		return err
	})
	slices.SortStableFunc(list, func(a, b Appointment) int { return a.Opens.Compare(b.Opens) })
	return list, err
}

func (b *bolt) Revoke(_ context.Context, id string, now time.Time) (a Appointment, err error) {
	err = b.db.Update(func(tx *bbolt.Tx) error {
		if a, err = get(tx, []byte(id)); err != nil {
			return err
		}
		if !a.Revoked.IsZero() {
			return nil
		}
		if err := deleteLookups(tx, a); err != nil {
			return err
		}
		a.Revoked, a.Seats = now.UTC(), nil
		return put(tx, a)
	})
	return a, err
}

func (b *bolt) Sweep(_ context.Context, now time.Time) error {
	return b.db.Update(func(tx *bbolt.Tx) error {
		list, err := all(tx)
		if err != nil {
			return err
		}
		for _, a := range list {
			if now.Before(a.Closes.Add(Grace)) {
				continue
			}
			if err := deleteLookups(tx, a); err != nil {
				return err
			}
			if err := tx.Bucket(appointmentsBucket).Delete([]byte(a.ID)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *bolt) Close() error { return b.db.Close() }

func get(tx *bbolt.Tx, id []byte) (a Appointment, err error) {
	row := tx.Bucket(appointmentsBucket).Get(id)
	if row == nil {
		return a, ErrUnknown
	}
	return a, json.Unmarshal(row, &a)
}

func all(tx *bbolt.Tx) (list []Appointment, err error) {
	err = tx.Bucket(appointmentsBucket).ForEach(func(_, row []byte) error {
		var a Appointment
		if err := json.Unmarshal(row, &a); err != nil {
			return err
		}
		list = append(list, a)
		return nil
	})
	return list, err
}

func put(tx *bbolt.Tx, a Appointment) error {
	row, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return tx.Bucket(appointmentsBucket).Put([]byte(a.ID), row)
}

func deleteLookups(tx *bbolt.Tx, a Appointment) error {
	for _, seat := range a.Seats {
		if err := tx.Bucket(lookupsBucket).Delete(seat.Lookup[:]); err != nil {
			return err
		}
	}
	return nil
}

package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"praxisrelay/signal/appointment"
)

// Whatever a row contains, reading it gives a value or ErrDamaged with the row's id. A row that
// names an id other than its own is damaged too: changes to it would hit the other row.

func putRow(tx *bbolt.Tx, bucket, key []byte, row any) error {
	text, err := json.Marshal(row)
	if err != nil {
		return damaged(key)
	}
	return tx.Bucket(bucket).Put(key, text)
}

func getRow(tx *bbolt.Tx, bucket, key []byte, row any) error {
	text := tx.Bucket(bucket).Get(key)
	if text == nil {
		return appointment.ErrUnknown
	}
	return decodeRow(key, text, row)
}

func decodeRow(key, text []byte, row any) error {
	if json.Unmarshal(text, row) != nil {
		return damaged(key)
	}
	return nil
}

func damaged(key []byte) error { return fmt.Errorf("%w (%q)", ErrDamaged, key) }

func putAppointment(tx *bbolt.Tx, a appointment.Appointment) error {
	return putRow(tx, appointmentsBucket, []byte(a.ID), a)
}

func getAppointment(tx *bbolt.Tx, id []byte) (a appointment.Appointment, err error) {
	if err := getRow(tx, appointmentsBucket, id, &a); err != nil {
		return appointment.Appointment{}, err
	}
	return a, checkID(a, id)
}

// checkID refuses a row that names an id other than its own.
func checkID(a appointment.Appointment, id []byte) error {
	if a.ID != string(id) {
		return damaged(id)
	}
	return nil
}

// allAppointments returns the readable appointments, and an error for each unreadable one.
func allAppointments(tx *bbolt.Tx) (list []appointment.Appointment, err error) {
	_ = tx.Bucket(appointmentsBucket).ForEach(func(id, row []byte) error {
		var a appointment.Appointment
		failed := decodeRow(id, row, &a)
		if failed == nil {
			failed = checkID(a, id)
		}
		if failed != nil {
			err = errors.Join(err, failed)
			return nil
		}
		list = append(list, a)
		return nil
	})
	return list, err
}

// findSeat returns the seat with a lookup in the appointment that the lookup points to.
func findSeat(tx *bbolt.Tx, l appointment.Lookup, id []byte) (appointment.Appointment, appointment.Seat, error) {
	a, err := getAppointment(tx, id)
	if err != nil {
		return appointment.Appointment{}, appointment.Seat{}, err
	}
	i := slices.IndexFunc(a.Seats, func(s appointment.Seat) bool { return s.Lookup == l })
	if i < 0 {
		return appointment.Appointment{}, appointment.Seat{}, appointment.ErrUnknown
	}
	return a, a.Seats[i], nil
}

func addLookup(tx *bbolt.Tx, l appointment.Lookup, id string) error {
	lookups := tx.Bucket(lookupsBucket)
	if lookups.Get(l[:]) != nil {
		return ErrExists
	}
	return lookups.Put(l[:], []byte(id))
}

// deleteLookups deletes the lookups of an appointment's seats, and no others.
func deleteLookups(tx *bbolt.Tx, a appointment.Appointment) error {
	lookups := tx.Bucket(lookupsBucket)
	for _, seat := range a.Seats {
		if string(lookups.Get(seat.Lookup[:])) != a.ID {
			continue
		}
		if err := lookups.Delete(seat.Lookup[:]); err != nil {
			return err
		}
	}
	return nil
}

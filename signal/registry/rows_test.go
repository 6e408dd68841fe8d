package registry

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"praxisrelay/signal/appointment"
)

// FuzzRow: whatever a row contains, the others remain usable, and errors about it quote at most its
// id.
func FuzzRow(f *testing.F) {
	file := filepath.Join(f.TempDir(), "registry.db")
	r, err := Open(file)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { r.Close() })
	db := r.(*bolt).db
	db.NoSync = true // the disk is not under test
	good := sample(200, day)
	bad := sample(201, day)
	bad.ID = "baaaaaaaaaaaa"
	whole, err := json.Marshal(bad)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte(nil))
	f.Add([]byte("null"))
	f.Add([]byte("{}"))
	f.Add(whole[:len(whole)/2])
	f.Add([]byte(strings.Replace(string(whole), bad.ID, good.ID, 1)))
	f.Add([]byte(strings.Replace(string(whole), "[201,0", "[200,0", 1))) // another's lookup
	f.Add([]byte(`{"id":"baaaaaaaaaaaa","closes":"9999-12-31T23:59:59Z","seats":[{},{}]}`))
	f.Add([]byte(`{"id":"baaaaaaaaaaaa","seats":` + strings.Repeat("[", 100)))
	f.Fuzz(func(t *testing.T, row []byte) {
		ctx := context.Background()
		err := db.Update(func(tx *bbolt.Tx) error {
			for _, bucket := range [][]byte{appointmentsBucket, lookupsBucket} {
				if err := tx.DeleteBucket(bucket); err != nil {
					return err
				}
				if _, err := tx.CreateBucket(bucket); err != nil {
					return err
				}
			}
			for _, seat := range bad.Seats {
				if err := addLookup(tx, seat.Lookup, bad.ID); err != nil {
					return err
				}
			}
			return tx.Bucket(appointmentsBucket).Put([]byte(bad.ID), row)
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Create(ctx, good); err != nil {
			t.Fatal(err)
		}
		check := func(what string, err error) {
			t.Helper()
			if err != nil && !errors.Is(err, appointment.ErrUnknown) && err.Error() != damaged([]byte(bad.ID)).Error() {
				t.Errorf("%s: %v", what, err)
			}
		}
		_, _, err = r.Find(ctx, bad.Seats[0].Lookup)
		check("Find", err)
		r.MarkUsed(ctx, bad.Seats[0].Lookup)
		list, listed := r.List(ctx)
		check("List", listed)
		found := false
		for _, a := range list {
			found = found || a.ID == good.ID
		}
		if !found || (len(list) == 2) == (listed != nil) {
			t.Fatalf("List = %d appointments, %v", len(list), listed)
		}
		_, err = r.Reissue(ctx, bad.ID, appointment.Seat{Name: appointment.Doctor, Lookup: appointment.Lookup{202}}, day)
		check("Reissue", err)
		_, err = r.Revoke(ctx, bad.ID, day)
		check("Revoke", err)
		_, err = r.Sweep(ctx, day)
		check("Sweep", err)
		if _, seat, err := r.Find(ctx, good.Seats[1].Lookup); err != nil || seat.Name != appointment.Patient {
			t.Fatalf("the good one: %v, %v", seat, err)
		}
		_, err = r.Sweep(ctx, good.Closes.Add(appointment.Grace))
		check("Sweep", err)
		if _, err := r.Get(ctx, good.ID); !errors.Is(err, appointment.ErrUnknown) {
			t.Fatalf("the good one was not swept: %v", err)
		}
	})
}

// TestRegistryOpensWithDamagedRows, including damaged tokens and answers.
func TestRegistryOpensWithDamagedRows(t *testing.T) {
	file := filepath.Join(t.TempDir(), "registry.db")
	r, err := Open(file)
	if err != nil {
		t.Fatal(err)
	}
	err = r.(*bolt).db.Update(func(tx *bbolt.Tx) error {
		for _, bucket := range [][]byte{appointmentsBucket, tokensBucket, answersBucket} {
			if err := tx.Bucket(bucket).Put(make([]byte, 32), []byte("secret rubbish")); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	if r, err = Open(file); err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	_, list := r.List(t.Context())
	_, tokens := r.Tokens(t.Context())
	_, answer := r.Answer(t.Context(), [32]byte{}, day)
	_, swept := r.Sweep(t.Context(), day)
	for what, err := range map[string]error{"List": list, "Tokens": tokens, "Answer": answer, "Sweep": swept} {
		if !errors.Is(err, ErrDamaged) || strings.Contains(err.Error(), "rubbish") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

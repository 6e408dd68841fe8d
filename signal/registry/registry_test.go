package registry

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"praxisrelay/signal/appointment"
	"praxisrelay/signal/token"
)

// TestRegistry is for every implementation: a function opens the same one again.
func TestRegistry(t *testing.T) {
	file := filepath.Join(t.TempDir(), "registry.db")
	testRegistry(t, func() Registry {
		r, err := Open(file)
		if err != nil {
			t.Fatal(err)
		}
		return r
	})
}

func testRegistry(t *testing.T, open func() Registry) {
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	r := open()
	salt := string(r.Salt())
	if len(salt) != 16 {
		t.Errorf("the salt has %d bytes", len(salt))
	}
	first, second, later := sample(1, day), sample(2, day.Add(time.Hour)), sample(3, day.Add(-time.Hour))
	for _, a := range []appointment.Appointment{first, second, later} {
		must(r.Create(ctx, a))
	}
	clash := sample(1, day)
	for name, a := range map[string]appointment.Appointment{"id": first, "code": clash} {
		if err := r.Create(ctx, a); !errors.Is(err, ErrExists) {
			t.Errorf("the same %s again: %v", name, err)
		}
	}
	if _, err := r.Revoke(ctx, clash.ID, day); !errors.Is(err, appointment.ErrUnknown) {
		t.Errorf("a refused appointment is there: %v", err)
	}

	revoked, err := r.Revoke(ctx, second.ID, day)
	must(err)
	if !revoked.Revoked.Equal(day) {
		t.Errorf("revoked at %v", revoked.Revoked)
	}
	again, err := r.Revoke(ctx, second.ID, day.Add(time.Hour))
	must(err)
	if !again.Revoked.Equal(day) {
		t.Errorf("revoked again at %v", again.Revoked)
	}

	// Another process finds the same data.
	must(r.Close())
	r = open()
	defer r.Close()
	if string(r.Salt()) != salt {
		t.Error("the salt has changed: no code would work any more")
	}
	for i, seat := range first.Seats {
		a, s, err := r.Find(ctx, seat.Lookup)
		if err != nil || a.ID != first.ID || s.Name != appointment.SeatNames[i] || !a.Opens.Equal(first.Opens) {
			t.Errorf("Find(%v) = %v, %v, %v", seat.Lookup, a, s, err)
		}
	}
	for name, l := range map[string]appointment.Lookup{"a revoked code": second.Seats[0].Lookup, "no code": {9}} {
		if _, _, err := r.Find(ctx, l); !errors.Is(err, appointment.ErrUnknown) {
			t.Errorf("%s: %v", name, err)
		}
	}
	list, err := r.List(ctx)
	must(err)
	if len(list) != 3 || list[0].ID != later.ID || list[1].ID != first.ID || list[2].ID != second.ID || len(list[2].Seats) != 0 {
		t.Errorf("List = %v", list)
	}

	sweep := func(now time.Time, want ...string) {
		t.Helper()
		deleted, err := r.Sweep(ctx, now)
		slices.Sort(deleted)
		slices.Sort(want)
		if err != nil || !slices.Equal(deleted, want) {
			t.Errorf("Sweep = %q, %v, want %q", deleted, err, want)
		}
	}
	sweep(time.Time{})
	sweep(first.Closes.Add(appointment.Grace-time.Second), later.ID)
	if _, _, err := r.Find(ctx, first.Seats[0].Lookup); err != nil {
		t.Errorf("swept too early: %v", err)
	}
	if _, _, err := r.Find(ctx, later.Seats[0].Lookup); !errors.Is(err, appointment.ErrUnknown) {
		t.Errorf("not swept: %v", err)
	}
	sweep(second.Closes.Add(appointment.Grace), first.ID, second.ID)
	if list, err := r.List(ctx); err != nil || len(list) != 0 {
		t.Errorf("List = %v, %v", list, err)
	}
	must(r.Create(ctx, first)) // nothing of it remains

	testUsed(t, r, first)
	testReissue(t, r, first)
	testTokens(t, r)
	testAnswers(t, r)
}

func TestOpenSaysWhoHasTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "registry.db")
	r, err := Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := Open(file); err == nil {
		t.Error("opened twice")
	}
}

var day = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)

func sample(seed byte, opens time.Time) appointment.Appointment {
	a := appointment.Appointment{ID: appointment.NewID(), Opens: opens, Closes: opens.Add(appointment.Length), Created: opens}
	for i, name := range appointment.SeatNames {
		a.Seats = append(a.Seats, appointment.Seat{Name: name, Lookup: appointment.Lookup{seed, byte(i)}, RoomKey: make([]byte, 60)})
	}
	return a
}

func testUsed(t *testing.T, r Registry, a appointment.Appointment) {
	r.MarkUsed(t.Context(), appointment.Lookup{99}) // nobody's
	for range 3 {
		r.MarkUsed(t.Context(), a.Seats[1].Lookup)
	}
	for { // written after the call returns
		kept, err := r.Get(t.Context(), a.ID)
		if err != nil || kept.Seats[0].Used {
			t.Fatalf("%+v, %v", kept, err)
		}
		if kept.Seats[1].Used {
			return
		}
	}
}

func testReissue(t *testing.T, r Registry, a appointment.Appointment) {
	ctx, fresh, now := t.Context(), appointment.Lookup{77}, a.Opens.Add(time.Hour)
	old := a.Seats[1].Lookup
	next := appointment.Seat{Name: appointment.Patient, Lookup: fresh, RoomKey: make([]byte, 60)}
	if got, err := r.Reissue(ctx, a.ID, next, now); err != nil || got.Seats[1].Used || !got.Seats[1].Reissued.Equal(now) {
		t.Errorf("Reissue = %+v, %v", got, err)
	}
	if kept, err := r.Get(ctx, a.ID); err != nil || kept.Seats[1].Used || kept.Seats[1].Lookup != fresh || kept.Seats[0].Lookup != a.Seats[0].Lookup {
		t.Errorf("kept is %+v, %v", kept, err)
	}
	if _, _, err := r.Find(ctx, old); !errors.Is(err, appointment.ErrUnknown) {
		t.Errorf("the old code: %v", err)
	}
	for _, l := range []appointment.Lookup{fresh, a.Seats[0].Lookup} {
		if found, _, err := r.Find(ctx, old, l); err != nil || found.ID != a.ID {
			t.Errorf("Find = %v, %v", found, err)
		}
	}
	if _, err := r.Reissue(ctx, a.ID, appointment.Seat{Name: appointment.Patient, Lookup: a.Seats[0].Lookup}, now); !errors.Is(err, ErrExists) {
		t.Errorf("the doctor's code for the patient: %v", err)
	}
	if _, _, err := r.Find(ctx, fresh); err != nil {
		t.Errorf("a refused reissue took the code: %v", err)
	}
	// Each code has its own generation, even within one second and with a clock set back.
	generations := func() [3]int {
		kept, err := r.Get(ctx, a.ID)
		if err != nil {
			t.Fatal(err)
		}
		return [3]int{kept.Generation(appointment.Doctor), kept.Generation(appointment.Patient), kept.Generation(appointment.Test)}
	}
	if got := generations(); got != [3]int{0, 1, 1} {
		t.Errorf("after one reissue the generations are %v", got)
	}
	for _, step := range []struct {
		seat string
		at   time.Time
		want [3]int
	}{
		{appointment.Patient, now, [3]int{0, 2, 2}}, {appointment.Patient, now.AddDate(-1, 0, 0), [3]int{0, 3, 3}}, {appointment.Doctor, now, [3]int{1, 3, 4}},
	} {
		if _, err := r.Reissue(ctx, a.ID, appointment.Seat{Name: step.seat, Lookup: appointment.Lookup{80, byte(step.want[2])}}, step.at); err != nil {
			t.Fatal(err)
		}
		if got := generations(); got != step.want {
			t.Errorf("after a reissue of the %s the generations are %v, want %v", step.seat, got, step.want)
		}
	}
	for id, seat := range map[string]string{a.ID: "guest", "nobody": appointment.Patient} {
		if _, err := r.Reissue(ctx, id, appointment.Seat{Name: seat, Lookup: appointment.Lookup{78}}, now); !errors.Is(err, appointment.ErrUnknown) {
			t.Errorf("%s of %s: %v", seat, id, err)
		}
	}
}

func testTokens(t *testing.T, r Registry) {
	ctx := t.Context()
	kept, _, err := token.New("", []token.Scope{token.Appointments}, day, nil)
	if err != nil {
		t.Fatal(err)
	}
	brief, _, err := token.New("", []token.Scope{token.Appointments}, day.Add(1), new(day.Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.AddToken(ctx, kept), r.AddToken(ctx, brief)); err != nil {
		t.Fatal(err)
	}
	if list, err := r.Tokens(ctx); err != nil || len(list) != 2 || list[0].ID != kept.ID {
		t.Errorf("Tokens = %v, %v", list, err)
	}
	if _, err := r.Sweep(ctx, brief.Expires.Add(appointment.Grace)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Token(ctx, brief.ID); !errors.Is(err, appointment.ErrUnknown) {
		t.Errorf("an expired token is kept: %v", err)
	}
	if got, err := r.Token(ctx, kept.ID); err != nil || got.Hash != kept.Hash {
		t.Errorf("Token = %v, %v", got, err)
	}
	if err := r.RevokeToken(ctx, kept.ID); err != nil {
		t.Fatal(err)
	}
	if err := r.RevokeToken(ctx, kept.ID); !errors.Is(err, appointment.ErrUnknown) {
		t.Errorf("revoked twice: %v", err)
	}
}

func testAnswers(t *testing.T, r Registry) {
	ctx, a := t.Context(), sample(40, day.AddDate(1, 0, 0))
	answer := Answer{Key: [32]byte{1}, Created: day, Sealed: []byte("sealed")}
	if err := r.Create(ctx, a, answer); err != nil {
		t.Fatal(err)
	}
	// A refused appointment stores no answer.
	if err := r.Create(ctx, a, Answer{Key: [32]byte{2}, Created: day}); !errors.Is(err, ErrExists) {
		t.Fatal(err)
	}
	if got, err := r.Answer(ctx, answer.Key, day.Add(AnswerLife-1)); err != nil || string(got.Sealed) != "sealed" {
		t.Errorf("Answer = %v, %v", got, err)
	}
	for key, now := range map[[32]byte]time.Time{answer.Key: day.Add(AnswerLife), {2}: day} {
		if _, err := r.Answer(ctx, key, now); !errors.Is(err, appointment.ErrUnknown) {
			t.Errorf("%x at %v: %v", key[0], now, err)
		}
	}
	if _, err := r.Sweep(ctx, day.Add(AnswerLife)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Answer(ctx, answer.Key, day); !errors.Is(err, appointment.ErrUnknown) {
		t.Errorf("it was not swept: %v", err)
	}
}

// TestSweepLeavesNothing: rows that are over vanish with everything that led to them, whatever
// happened to them before.
func TestSweepLeavesNothing(t *testing.T) {
	r, err := Open(filepath.Join(t.TempDir(), "registry.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ctx := t.Context()
	plain, revoked, reissued, live := sample(1, day), sample(2, day), sample(3, day), sample(4, day.Add(time.Second))
	for _, a := range []appointment.Appointment{plain, revoked, reissued, live} {
		if err := r.Create(ctx, a, Answer{Key: [32]byte{a.Seats[0].Lookup[0]}, Created: day}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Revoke(ctx, revoked.ID, day); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Reissue(ctx, reissued.ID, appointment.Seat{Name: appointment.Doctor, Lookup: appointment.Lookup{50}}, day); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Sweep(ctx, day.Add(appointment.Length+appointment.Grace)); err != nil {
		t.Fatal(err)
	}
	if got := rowsOf(t, r); got["appointments"] != 1 || got["lookups"] != 2 || got["answers"] != 0 {
		t.Errorf("%v rows are left, want one appointment and its two lookups", got)
	}
	if _, err := r.Sweep(ctx, day.Add(appointment.Length+appointment.Grace+time.Second)); err != nil {
		t.Fatal(err)
	}
	for bucket, n := range rowsOf(t, r) {
		if n != 0 && bucket != "meta" {
			t.Errorf("%d rows of %s are left", n, bucket)
		}
	}
}

// TestTheNextCodeIsAboveThoseOfOlderPrograms, which do not count generations.
func TestTheNextCodeIsAboveThoseOfOlderPrograms(t *testing.T) {
	r, err := Open(filepath.Join(t.TempDir(), "registry.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	a := sample(1, day)
	a.Seats[1].Reissued = day
	if err := r.Create(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if got, err := r.Reissue(t.Context(), a.ID, appointment.Seat{Name: appointment.Patient, Lookup: appointment.Lookup{9}}, day); err != nil || got.Generation(appointment.Patient) != a.Generation(appointment.Patient)+1 {
		t.Errorf("Reissue = %+v, %v", got, err)
	}
}

// rowsOf returns the number of rows in each bucket.
func rowsOf(t *testing.T, r Registry) map[string]int {
	t.Helper()
	rows := map[string]int{}
	err := r.(*bolt).db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			rows[string(name)] = b.Stats().KeyN
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestAnOldBackupOpensNothingThatIsOver: codes that were valid when the copy was made are over in
// it as well.
func TestAnOldBackupOpensNothingThatIsOver(t *testing.T) {
	folder, ctx := t.TempDir(), t.Context()
	r, err := Open(filepath.Join(folder, "registry.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	a, later := sample(1, day), sample(2, day.Add(48*time.Hour))
	if err := errors.Join(r.Create(ctx, a), r.Create(ctx, later)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "backup.db")
	backup, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.Backup(ctx, backup), backup.Close()); err != nil {
		t.Fatal(err)
	}
	restored, err := Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer restored.Close()
	if string(restored.Salt()) != string(r.Salt()) {
		t.Error("the copy has another salt")
	}
	now := day.Add(appointment.Length)
	found, _, err := restored.Find(ctx, a.Seats[0].Lookup)
	if err != nil || found.State(now) != appointment.Over {
		t.Errorf("within the grace: %v, %v", err, found.State(now))
	}
	if _, err := restored.Sweep(ctx, now.Add(appointment.Grace)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := restored.Find(ctx, a.Seats[0].Lookup); !errors.Is(err, appointment.ErrUnknown) {
		t.Errorf("after it: %v", err)
	}
	if found, _, err := restored.Find(ctx, later.Seats[0].Lookup); err != nil || found.State(later.Opens) != appointment.Open {
		t.Errorf("one that is still valid: %v", err)
	}
}

// TestChangesAreSynced: the test that kills the process would not show it.
func TestChangesAreSynced(t *testing.T) {
	r, err := Open(filepath.Join(t.TempDir(), "registry.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if db := r.(*bolt).db; db.NoSync || db.NoGrowSync {
		t.Error("the file is not synced")
	}
}

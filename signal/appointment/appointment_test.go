package appointment

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParseStart(t *testing.T) {
	now := time.Date(2026, 11, 24, 4, 20, 30, 999, time.FixedZone("", 3600))
	for _, test := range []struct{ text, zone, want string }{
		{"2026-12-01 10:00", DefaultZone, "2026-12-01T09:00:00Z"},
		{"2026-12-01T10:00", DefaultZone, "2026-12-01T09:00:00Z"},
		{"2026-07-01 10:00", DefaultZone, "2026-07-01T08:00:00Z"},
		{"2026-07-01", DefaultZone, "2026-06-30T22:00:00Z"},
		{"2028-02-29 12:00", DefaultZone, "2028-02-29T11:00:00Z"},
		{"2026-12-01 10:00", "America/New_York", "2026-12-01T15:00:00Z"},
		{"2026-12-01T10:00:00+01:00", "no zone", "2026-12-01T09:00:00Z"},
		{"now", "no zone", "2026-11-24T03:20:30Z"},
		{"05.12.2026 10:00", DefaultZone, "2026-12-05T09:00:00Z"}, // as German spreadsheets write it
		{"5.12.26 9:05", DefaultZone, "2026-12-05T08:05:00Z"},
		{"05.12.2026 10:00:30", DefaultZone, "2026-12-05T09:00:30Z"},
		{"2026-12-05 10:00:30", DefaultZone, "2026-12-05T09:00:30Z"},
		{"05.12.2026", DefaultZone, "2026-12-04T23:00:00Z"},
		// The day before, of, and after each switch.
		{"2026-03-28 12:00", DefaultZone, "2026-03-28T11:00:00Z"},
		{"2026-03-29 01:59", DefaultZone, "2026-03-29T00:59:00Z"},
		{"2026-03-29 02:30", DefaultZone, "2026-03-29T00:30:00Z"}, // lost: 01:30 CET, the earlier reading
		{"2026-03-29 03:00", DefaultZone, "2026-03-29T01:00:00Z"},
		{"2026-10-25 01:59", DefaultZone, "2026-10-24T23:59:00Z"},
		{"2026-10-25 02:30", DefaultZone, "2026-10-25T00:30:00Z"}, // doubled: the first
		{"2026-10-25 03:00", DefaultZone, "2026-10-25T02:00:00Z"},
		{"2027-03-28 02:30", DefaultZone, "2027-03-28T00:30:00Z"},
		{"2027-03-28 23:00", DefaultZone, "2027-03-28T21:00:00Z"},
		{"2027-03-27 23:00", DefaultZone, "2027-03-27T22:00:00Z"},
		{"2027-10-31 02:30", DefaultZone, "2027-10-31T00:30:00Z"},
		{"2027-10-31 23:00", DefaultZone, "2027-10-31T22:00:00Z"},
		{"2027-10-30 23:00", DefaultZone, "2027-10-30T21:00:00Z"},
	} {
		got, err := ParseStart(test.text, test.zone, now)
		if err != nil || got.Format(time.RFC3339Nano) != test.want || got.Location() != time.UTC {
			t.Errorf("ParseStart(%q, %q) = %v, %v; want %s", test.text, test.zone, got, err, test.want)
		}
	}
	for _, bad := range [][2]string{
		{"", DefaultZone}, {"tomorrow", DefaultZone}, {"2026-02-30 10:00", DefaultZone}, {"2026-12-01 25:00", DefaultZone},
		{"2026-12-01 10:00", "Europe/Bonn"}, {"2026-12-01 10:00", ""}, {"12/01/2026 10:00", DefaultZone}, {"31.11.2026 10:00", DefaultZone},
		{"12.2026", DefaultZone}, {"01.12.2026 24:00", DefaultZone}, {"01.12.126 10:00", DefaultZone},
	} {
		if got, err := ParseStart(bad[0], bad[1], now); err == nil {
			t.Errorf("ParseStart(%q, %q) = %v", bad[0], bad[1], got)
		}
	}
}

func TestWindow(t *testing.T) {
	a := Appointment{Opens: day, Closes: day.Add(Length)}
	for offset, want := range map[time.Duration]error{
		-time.Nanosecond: ErrEarly, 0: nil, Length - time.Nanosecond: nil, Length: ErrOver,
	} {
		if err := a.Admits(day.Add(offset)); err != want {
			t.Errorf("%v after the start: %v, want %v", offset, err, want)
		}
	}
}

var day = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)

func sample(seed byte, opens time.Time) Appointment {
	a := Appointment{ID: NewID(), Opens: opens, Closes: opens.Add(Length), Created: opens}
	for i, name := range SeatNames {
		a.Seats = append(a.Seats, Seat{Name: name, Lookup: Lookup{seed, byte(i)}, RoomKey: make([]byte, 60)})
	}
	return a
}

func TestValidate(t *testing.T) {
	if err := sample(1, day).Validate(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Appointment){
		"no id":              func(a *Appointment) { a.ID = "" },
		"an id for a path":   func(a *Appointment) { a.ID = "../../../etc/" },
		"an id with a dot":   func(a *Appointment) { a.ID = "abcdefghijk.l" },
		"an id of two lines": func(a *Appointment) { a.ID = a.ID[:5] + "\n" + a.ID[5:] },
		"closes before":      func(a *Appointment) { a.Closes = a.Opens },
		"open for ever":      func(a *Appointment) { a.Closes = a.Opens.AddDate(1, 0, 0) },
		"one seat":           func(a *Appointment) { a.Seats = a.Seats[:1] },
		"three seats":        func(a *Appointment) { a.Seats = append(a.Seats, a.Seats[0]) },
		"a seat twice":       func(a *Appointment) { a.Seats[1].Name = Doctor },
		"one code for both":  func(a *Appointment) { a.Seats[1].Lookup = a.Seats[0].Lookup },
		"a name for a ref":   func(a *Appointment) { a.Ref = "M. Muster" },
		"a long ref":         func(a *Appointment) { a.Ref = strings.Repeat("x", 65) },
	} {
		a := sample(1, day)
		spoil(&a)
		if a.Validate() == nil {
			t.Errorf("%s is valid", name)
		}
	}
	for size, valid := range map[int]bool{0: false, 59: false, 60: true, 61: false} {
		if err := CheckRoomKey(make([]byte, size)); (err == nil) != valid {
			t.Errorf("a wrapped key of %d bytes: %v", size, err)
		}
	}
}

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
	for _, a := range []Appointment{first, second, later} {
		must(r.Create(ctx, a))
	}
	clash := sample(1, day)
	for name, a := range map[string]Appointment{"id": first, "code": clash} {
		if err := r.Create(ctx, a); !errors.Is(err, ErrExists) {
			t.Errorf("the same %s again: %v", name, err)
		}
	}
	if _, err := r.Revoke(ctx, clash.ID, day); !errors.Is(err, ErrUnknown) {
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

	// Another process finds the same.
	must(r.Close())
	r = open()
	defer r.Close()
	if string(r.Salt()) != salt {
		t.Error("the salt has changed: no code would work any more")
	}
	for i, seat := range first.Seats {
		a, s, err := r.Find(ctx, seat.Lookup)
		if err != nil || a.ID != first.ID || s.Name != SeatNames[i] || !a.Opens.Equal(first.Opens) {
			t.Errorf("Find(%v) = %v, %v, %v", seat.Lookup, a, s, err)
		}
	}
	for name, l := range map[string]Lookup{"a revoked code": second.Seats[0].Lookup, "no code": {9}} {
		if _, _, err := r.Find(ctx, l); !errors.Is(err, ErrUnknown) {
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
	sweep(first.Closes.Add(Grace-time.Second), later.ID)
	if _, _, err := r.Find(ctx, first.Seats[0].Lookup); err != nil {
		t.Errorf("swept too early: %v", err)
	}
	if _, _, err := r.Find(ctx, later.Seats[0].Lookup); !errors.Is(err, ErrUnknown) {
		t.Errorf("not swept: %v", err)
	}
	sweep(second.Closes.Add(Grace), first.ID, second.ID)
	if list, err := r.List(ctx); err != nil || len(list) != 0 {
		t.Errorf("List = %v, %v", list, err)
	}
	must(r.Create(ctx, first)) // nothing of it was left

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

// TestARegistryAloneTellsNoRightCode: a room key does not open without the pepper, so
// that codes cannot be tried on it; nor in another row's place.
func TestARegistryAloneTellsNoRightCode(t *testing.T) {
	old, err := NewPepper([]byte("the older pepper of all"))
	if err != nil {
		t.Fatal(err)
	}
	wrapped := bytes.Repeat([]byte{7}, 60)
	hidden := old.Hide("x", Doctor, wrapped)
	if got, err := old.Reveal("x", Doctor, hidden); err != nil || !bytes.Equal(got, wrapped) {
		t.Errorf("got %x, %v", got, err)
	}
	if err := old.Replace([]byte("the newer pepper of all"), []byte("the older pepper of all")); err != nil {
		t.Fatal(err)
	}
	if got, err := old.Reveal("x", Doctor, hidden); err != nil || !bytes.Equal(got, wrapped) {
		t.Errorf("after a new pepper: got %x, %v", got, err)
	}
	other, err := NewPepper([]byte("the pepper of another one"))
	if err != nil {
		t.Fatal(err)
	}
	for name, reveal := range map[string]func() ([]byte, error){
		"another pepper":      func() ([]byte, error) { return other.Reveal("x", Doctor, hidden) },
		"another appointment": func() ([]byte, error) { return old.Reveal("y", Doctor, hidden) },
		"another seat":        func() ([]byte, error) { return old.Reveal("x", Patient, hidden) },
		"nothing":             func() ([]byte, error) { return old.Reveal("x", Doctor, nil) },
	} {
		if got, err := reveal(); err == nil {
			t.Errorf("%s: got %x", name, got)
		}
	}
	if bytes.Contains(hidden, wrapped) {
		t.Error("it is not hidden")
	}
}

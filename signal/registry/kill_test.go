package registry

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"praxisrelay/signal/appointment"
)

// asVictim names a registry file and makes the test binary a process that writes to it until
// killed.
const asVictim = "PRAXISRELAY_TEST_REGISTRY"

func TestMain(m *testing.M) {
	if file := os.Getenv(asVictim); file != "" {
		fmt.Fprintln(os.Stderr, write(file))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// operation is a line of the victim's output: printed before an operation and again once the
// registry has acknowledged it.
type operation struct {
	Done   bool
	ID     string
	Seats  []appointment.Lookup // seats afterwards; none: it is revoked
	Fresh  bool                 // it is created
	Former []appointment.Lookup // that it had before
}

// write creates, reissues and revokes in an endless loop.
func write(file string) error {
	r, err := Open(file)
	if err != nil {
		return err
	}
	ctx := context.Background() // until it is killed
	list, err := r.List(ctx)
	if err != nil {
		return err
	}
	say := json.NewEncoder(os.Stdout)
	var live []appointment.Appointment
	for _, a := range list {
		if a.Revoked.IsZero() {
			live = append(live, a)
		}
	}
	for {
		var op operation
		var act func() error
		i := rand.IntN(len(live) + 1)
		switch kind := rand.IntN(4); {
		case i == len(live) || kind < 2:
			a := sample(0, day)
			for j := range a.Seats {
				a.Seats[j].Lookup = randomLookup()
			}
			live = append(live, a)
			op = operation{ID: a.ID, Seats: lookupsOf(a), Fresh: true}
			act = func() error { return r.Create(ctx, a) }
		case kind == 2:
			a := live[i]
			op = operation{ID: a.ID, Former: lookupsOf(a)}
			a.Seats[1].Lookup = randomLookup()
			op.Seats = lookupsOf(a)
			act = func() error { _, err := r.Reissue(ctx, a.ID, a.Seats[1], day); return err }
		default:
			a := live[i]
			live = append(live[:i:i], live[i+1:]...)
			op = operation{ID: a.ID, Former: lookupsOf(a)}
			act = func() error { _, err := r.Revoke(ctx, a.ID, day); return err }
		}
		if err := say.Encode(op); err != nil {
			return err
		}
		if err := act(); err != nil {
			return err
		}
		op.Done = true
		if err := say.Encode(op); err != nil {
			return err
		}
	}
}

func randomLookup() (l appointment.Lookup) {
	for i := range l {
		l[i] = byte(rand.Uint32())
	}
	return l
}

func lookupsOf(a appointment.Appointment) (all []appointment.Lookup) {
	for _, seat := range a.Seats {
		all = append(all, seat.Lookup)
	}
	return all
}

// TestKilledProcessLosesNothing kills a process a thousand times, at any moment, while it writes.
// Acknowledged changes are there, revocations hold, and a change in progress is either done or not.
func TestKilledProcessLosesNothing(t *testing.T) {
	rounds := 1000
	if testing.Short() {
		rounds = 20
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	const lines = 4 // each with its own file, since a start waits more than it works
	acknowledged := make([]int, lines)
	t.Run("lines", func(t *testing.T) {
		for line := range lines {
			t.Run(fmt.Sprint(line), func(t *testing.T) {
				t.Parallel()
				random := rand.New(rand.NewPCG(seed, uint64(line)))
				for done := 0; done < rounds/lines; {
					file := filepath.Join(t.TempDir(), "registry.db")
					known := map[string]operation{}
					for range 25 { // then a new file: the old one only grows
						acknowledged[line] += killed(t, random, file, known)
						done++
					}
				}
			})
		}
	})
	total := 0
	for _, n := range acknowledged {
		total += n
	}
	t.Logf("%d changes were acknowledged", total)
	if total < rounds {
		t.Errorf("only %d changes were acknowledged: the processes are killed too early to show anything", total)
	}
}

// killed runs a victim on a file, kills it, and checks the file against the known operations.
func killed(t *testing.T, random *rand.Rand, file string, known map[string]operation) (acknowledged int) {
	victim := exec.Command(os.Args[0])
	victim.Env = append(os.Environ(), asVictim+"="+file)
	out, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	victim.Stderr = os.Stderr
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	kill := func() { _ = victim.Process.Kill() }
	moment := time.Duration(random.IntN(4_000)) * time.Microsecond // after what it may finish
	finish := random.IntN(4)
	var timer *time.Timer
	if random.IntN(8) == 0 { // while it opens the file
		timer = time.AfterFunc(8*moment, kill)
	}
	var doubt *operation
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if timer == nil && acknowledged == finish {
			timer = time.AfterFunc(moment, kill)
		}
		var op operation
		if json.Unmarshal(lines.Bytes(), &op) != nil {
			break // half a line
		}
		doubt = &op
		if op.Done {
			known[op.ID], doubt = op, nil
			acknowledged++
		}
	}
	if timer == nil {
		t.Fatal("the process ended by itself")
	}
	_ = victim.Wait()
	timer.Stop()

	r, err := Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if doubt != nil {
		a, err := r.Get(t.Context(), doubt.ID)
		if err != nil && !(errors.Is(err, appointment.ErrUnknown) && doubt.Fresh) {
			t.Fatal(err)
		}
		was := *doubt
		if was.Seats = lookupsOf(a); fmt.Sprint(was.Seats) != fmt.Sprint(doubt.Seats) && fmt.Sprint(was.Seats) != fmt.Sprint(doubt.Former) {
			t.Fatalf("%+v was done by half: %v", *doubt, was.Seats)
		}
		if err == nil {
			known[was.ID] = was
		}
	}
	list, err := r.List(t.Context())
	if err != nil || len(list) != len(known) {
		t.Fatalf("%d appointments, %v; want %d", len(list), err, len(known))
	}
	seats := 0
	for _, a := range list {
		want := known[a.ID]
		if fmt.Sprint(lookupsOf(a)) != fmt.Sprint(want.Seats) || a.Revoked.IsZero() != (len(want.Seats) > 0) {
			t.Fatalf("%v, want %+v", a, want)
		}
		for _, l := range want.Seats {
			seats++
			if found, _, err := r.Find(t.Context(), l); err != nil || found.ID != a.ID {
				t.Fatalf("a code of %+v: %v, %v", want, found, err)
			}
		}
	}
	if got := rowsOf(t, r)["lookups"]; got != seats {
		t.Fatalf("%d codes are known, want %d", got, seats)
	}
	return acknowledged
}

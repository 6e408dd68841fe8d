package explain

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"praxisrelay/config/lang"
	"praxisrelay/signal/journal"
)

var start = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)

const (
	patient = "patient"
	doctor  = "doctor"
)

// at is a moment of the case, in seconds.
func at(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }

// in is an event, at a moment.
func in(seconds int, seat string, kind journal.Kind, change ...func(*journal.Event)) journal.Event {
	e := journal.Event{At: at(seconds), Seat: seat, Kind: kind}
	for _, c := range change {
		c(&e)
	}
	return e
}

func because(reason string) func(*journal.Event) { return func(e *journal.Event) { e.Reason = reason } }

func refusal(method string, code int, reason string) func(*journal.Event) {
	return func(e *journal.Event) { e.Method, e.Code, e.Reason = method, code, reason }
}

func anybody(times int) func(*journal.Event) {
	return func(e *journal.Event) { e.Method, e.Unproven, e.Times = "", true, times }
}

// flow is media from one moment to another, and checks.
func flow(from, to int, media, checks, answers uint64) journal.Traffic {
	f := journal.Flow{Media: media, Checks: checks, Answers: answers}
	if media > 0 {
		f.FirstMedia, f.LastMedia = at(from), at(to)
	}
	if media+checks+answers > 0 {
		f.Last = at(to)
	}
	return journal.Traffic{Sent: f}
}

// holds returns a live allocation.
func holds(since int, seat string, permitted bool, t journal.Traffic) journal.Allocation {
	return journal.Allocation{Seat: seat, Over: "udp", Since: at(since), Permitted: permitted, Traffic: t}
}

var (
	seated = []journal.Session{{Seat: doctor, Over: "socket", Admitted: true}, {Seat: patient, Over: "socket", Admitted: true}}
	// joins are the events before the relay's.
	joins = []journal.Event{
		in(0, doctor, journal.Joined), in(0, doctor, journal.Credential),
		in(5, patient, journal.Joined), in(6, patient, journal.Admitted), in(6, patient, journal.Credential),
	}
	nothing = journal.Traffic{}
)

// with appends to the events before the relay's.
func with(events ...journal.Event) []journal.Event { return append(slices.Clone(joins), events...) }

// both returns an allocation for each seat.
func both(doctors, patients journal.Traffic) []journal.Allocation {
	return []journal.Allocation{holds(10, doctor, true, doctors), holds(10, patient, true, patients)}
}

// tests are judged at their own moment. Fields left out of a verdict are not compared.
var tests = map[string]struct {
	now   int
	c     Case
	cause Cause
	side  Side
	seat  string
}{
	"before it opens":        {0, Case{Opens: at(10), Closes: at(20)}, Upcoming, Nobody, ""},
	"after it closed":        {30, Case{Opens: at(10), Closes: at(20)}, Closed, Nobody, ""},
	"nothing is known":       {15, Case{Opens: at(10), Closes: at(20)}, NobodyJoined, Nobody, ""},
	"revoked before all":     {60, Case{Revoked: at(50), Events: joins, Sessions: seated}, Revoked, Nobody, ""},
	"a test":                 {60, Case{Test: true}, Test, Nobody, ""},
	"a revoked test":         {60, Case{Test: true, Revoked: at(50)}, Revoked, Nobody, ""},
	"the doctor is missing":  {60, Case{Events: []journal.Event{in(0, patient, journal.Joined)}, Sessions: []journal.Session{{Seat: patient}}}, NotJoined, Nobody, doctor},
	"the patient is missing": {60, Case{Events: joins[:2], Sessions: seated[:1]}, NotJoined, Nobody, patient},
	"too early":              {60, Case{Events: []journal.Event{in(50, patient, journal.NotJoined, because("too-early"))}}, TooEarly, Patient, patient},
	"too late":               {60, Case{Events: []journal.Event{in(50, patient, journal.NotJoined, because("over"))}}, TooLate, Patient, patient},
	"too early, and then not": {60, Case{Events: append([]journal.Event{in(-9, patient, journal.NotJoined, because("too-early"))}, joins...), Sessions: seated,
		Allocations: both(flow(11, 59, 1e6, 0, 0), flow(11, 59, 1e6, 0, 0))}, Healthy, Nobody, ""},
	"too often":            {60, Case{Events: []journal.Event{in(50, doctor, journal.NotJoined, because("too-often"))}}, TooOften, Doctor, doctor},
	"a fault":              {60, Case{Events: []journal.Event{in(50, doctor, journal.NotJoined, because("unavailable"))}}, SentAway, Appliance, doctor},
	"maintenance":          {60, Case{Events: []journal.Event{in(50, doctor, journal.NotJoined, because("maintenance"))}}, Draining, Appliance, doctor},
	"sent away":            {60, Case{Events: with(in(50, patient, journal.Left, because("maintenance"))), Sessions: seated[:1]}, Draining, Appliance, patient},
	"the first device":     {60, Case{Events: with(in(50, patient, journal.NotJoined, because("replaced")))}, OtherDevice, Patient, patient},
	"a second device":      {60, Case{Events: with(in(50, patient, journal.Replaced), in(50, patient, journal.Joined)), Sessions: seated[:1]}, OtherDevice, Patient, patient},
	"a second device left": {60, Case{Events: with(in(50, patient, journal.Replaced), in(50, patient, journal.Joined), in(55, patient, journal.Left, because(journal.HungUp))), Sessions: seated[:1]}, OtherDevice, Patient, patient},
	"hung up too soon":     {60, Case{Events: with(in(50, patient, journal.Left, because(journal.HungUp))), Sessions: seated[:1]}, GivenUp, Nobody, patient},
	"away":                 {60, Case{Events: with(in(50, doctor, journal.Left, because(journal.Away))), Sessions: seated[1:]}, Lost, Doctor, doctor},
	"another code":         {60, Case{Events: with(in(50, patient, journal.Reissued), in(50, patient, journal.Left, because("revoked"))), Sessions: seated[:1]}, CodeReplaced, Nobody, patient},
	"waits":                {60, Case{Events: joins, Sessions: []journal.Session{seated[0], {Seat: patient, Over: "poll"}}}, NotLetIn, Doctor, patient},

	"within ten seconds": {15, Case{Events: joins, Sessions: seated}, NotYet, Nobody, ""},
	"blocked":            {60, Case{Events: joins, Sessions: seated, Allocations: both(nothing, nothing)[:1]}, Blocked, Patient, patient},
	"the doctor blocked": {60, Case{Events: joins, Sessions: seated, Allocations: both(nothing, nothing)[1:]}, Blocked, Doctor, doctor},
	"both blocked":       {60, Case{Events: joins, Sessions: seated}, AllBlocked, Appliance, ""},
	"one blocked, one refused": {60, Case{Events: with(in(20, doctor, journal.Refused, refusal("Allocate", 508, "max_allocations"))), Sessions: seated},
		Full, Appliance, doctor},
	"an old credential":  {12, Case{Events: with(in(10, patient, journal.Refused, refusal("Allocate", 401, journal.OldCredential))), Sessions: seated, Allocations: both(nothing, nothing)[:1]}, OldCredential, Patient, patient},
	"a withdrawn one":    {60, Case{Events: with(in(10, patient, journal.Refused, refusal("Allocate", 401, journal.Withdrawn))), Sessions: seated}, Withdrawn, Patient, patient},
	"a wrong password":   {60, Case{Events: with(in(10, patient, journal.Refused, refusal("Allocate", 401, journal.WrongPassword), anybody(1))), Sessions: seated}, WrongPassword, Appliance, patient},
	"a stranger's guess": {60, Case{Events: with(in(10, patient, journal.Refused, refusal("Allocate", 486, "max_per_seat")), in(20, patient, journal.Refused, refusal("Allocate", 401, journal.WrongPassword), anybody(9))), Sessions: seated}, Quota, Patient, patient},
	"one stale nonce":    {60, Case{Events: with(in(10, patient, journal.Refused, refusal("Allocate", 438, ""), anybody(1))), Sessions: seated, Allocations: both(nothing, nothing)[:1]}, Blocked, Patient, patient},
	"stale nonces":       {60, Case{Events: with(in(10, patient, journal.Refused, refusal("Allocate", 438, ""), anybody(3))), Sessions: seated, Allocations: both(nothing, nothing)[:1]}, StaleNonce, Patient, patient},
	"another family":     {60, Case{Events: with(in(10, patient, journal.Refused, refusal("Allocate", 440, ""))), Sessions: seated}, NoFamily, Appliance, patient},
	"full for a network": {60, Case{Events: with(in(10, patient, journal.Refused, refusal("Allocate", 508, "max_per_prefix"))), Sessions: seated}, NetworkFull, Appliance, patient},
	"without ports":      {60, Case{Events: with(in(10, patient, journal.Refused, refusal("Allocate", 508, "ports"))), Sessions: seated}, NoPorts, Appliance, patient},
	"draining":           {60, Case{Events: with(in(10, patient, journal.Refused, refusal("Allocate", 508, "draining"))), Sessions: seated}, Draining, Appliance, patient},
	"a reservation":      {60, Case{Events: with(in(10, patient, journal.Refused, refusal("Allocate", 508, ""))), Sessions: seated}, Misasked, Patient, patient},
	"the wrong 5-tuple":  {60, Case{Events: with(in(10, patient, journal.Refused, refusal("Allocate", 437, ""))), Sessions: seated}, Misasked, Patient, patient},
	"another's":          {60, Case{Events: with(in(10, patient, journal.Refused, refusal("Allocate", 441, ""))), Sessions: seated}, Misasked, Patient, patient},
	"refused, and then not": {60, Case{Events: with(in(10, patient, journal.Refused, refusal("Allocate", 437, "")), in(11, patient, journal.Allocated)), Sessions: seated,
		Allocations: both(flow(12, 59, 9, 0, 0), flow(12, 59, 9, 0, 0))}, Healthy, Nobody, ""},
	"in too many windows": {60, Case{Events: with(in(20, patient, journal.Refused, refusal("Allocate", 486, "max_per_seat"))), Sessions: seated, Allocations: both(nothing, nothing)}, Quota, Patient, patient},

	"cut after silence": {60, Case{Events: with(in(10, patient, journal.Allocated), in(50, patient, journal.Ended, because(journal.StreamLost))), Sessions: seated, Allocations: both(nothing, nothing)[:1]}, IdleCut, Patient, patient},
	"cut in use": {60, Case{Events: with(in(10, patient, journal.Allocated), in(50, patient, journal.Ended, because(journal.StreamLost), func(e *journal.Event) { e.Traffic = flow(11, 49, 9, 9, 9) })),
		Sessions: seated, Allocations: both(nothing, nothing)[:1]}, Cut, Patient, patient},
	"vanished":    {999, Case{Events: with(in(10, patient, journal.Allocated), in(610, patient, journal.Ended, because(journal.Expired))), Sessions: seated, Allocations: both(nothing, nothing)[:1]}, Vanished, Patient, patient},
	"max_session": {999, Case{Events: with(in(10, patient, journal.Allocated), in(610, patient, journal.Ended, because(journal.MaxSession))), Sessions: seated}, SessionEnd, Appliance, patient},
	"given back":  {60, Case{Events: with(in(10, patient, journal.Allocated), in(50, patient, journal.Ended, because(journal.Released))), Sessions: seated, Allocations: both(nothing, nothing)[:1]}, Released, Nobody, patient},
	"cut, and back": {60, Case{Events: with(in(10, patient, journal.Allocated), in(50, patient, journal.Ended, because(journal.StreamLost)), in(52, patient, journal.Allocated)), Sessions: seated,
		Allocations: both(flow(11, 59, 9, 0, 0), flow(53, 59, 9, 0, 0))}, Healthy, Nobody, ""},

	"strangers": {60, Case{Events: with(in(11, patient, journal.Refused, refusal("CreatePermission", 403, ""))), Sessions: seated,
		Allocations: []journal.Allocation{holds(10, doctor, true, nothing), holds(10, patient, false, nothing)}}, NoPeer, Patient, patient},
	"strangers too": {60, Case{Events: with(in(11, patient, journal.Refused, refusal("CreatePermission", 403, ""))), Sessions: seated,
		Allocations: both(flow(11, 59, 9, 0, 0), flow(11, 59, 9, 0, 0))}, Healthy, Nobody, ""},
	"strangers after the other family": {60, Case{Events: with(in(11, patient, journal.Refused, refusal("ChannelBind", 443, "")), in(12, patient, journal.Refused, refusal("CreatePermission", 403, ""))), Sessions: seated,
		Allocations: []journal.Allocation{holds(10, doctor, true, nothing), holds(10, patient, false, nothing)}}, OtherFamily, Appliance, patient},
	"the other family": {60, Case{Events: with(in(11, patient, journal.Refused, refusal("ChannelBind", 443, ""))), Sessions: seated,
		Allocations: []journal.Allocation{holds(10, doctor, true, nothing), holds(10, patient, false, nothing)}}, OtherFamily, Appliance, patient},
	"too many peers": {60, Case{Events: with(in(11, doctor, journal.Refused, refusal("ChannelBind", 508, "peers_per_allocation"))), Sessions: seated,
		Allocations: []journal.Allocation{holds(10, doctor, false, nothing), holds(10, patient, true, nothing)}}, TooManyPeers, Doctor, doctor},
	"nobody asked":   {60, Case{Events: joins, Sessions: seated, Allocations: []journal.Allocation{holds(10, doctor, true, nothing), holds(10, patient, false, nothing)}}, NoPeer, Patient, patient},
	"not asked yet":  {12, Case{Events: joins, Sessions: seated, Allocations: []journal.Allocation{holds(10, doctor, true, nothing), holds(10, patient, false, nothing)}}, NotYet, Nobody, ""},
	"nothing passes": {60, Case{Events: joins, Sessions: seated, Allocations: both(nothing, nothing)}, Undecided, Nobody, ""},
	"not yet":        {15, Case{Events: joins, Sessions: seated, Allocations: both(flow(0, 14, 0, 9, 9), nothing)}, NotYet, Nobody, ""},
	"mute":           {60, Case{Events: joins, Sessions: seated, Allocations: both(flow(0, 59, 0, 9, 0), nothing)}, Mute, Patient, patient},
	"mute to media":  {60, Case{Events: joins, Sessions: seated, Allocations: both(nothing, flow(20, 59, 9, 9, 0))}, Mute, Doctor, doctor},
	"deaf":           {60, Case{Events: joins, Sessions: seated, Allocations: both(flow(0, 59, 0, 9, 9), flow(0, 59, 0, 9, 0))}, Deaf, Patient, patient},
	"only checks":    {60, Case{Events: joins, Sessions: seated, Allocations: both(flow(0, 59, 0, 9, 9), flow(0, 59, 0, 9, 9))}, Undecided, Nobody, ""},
	"one way":        {60, Case{Events: joins, Sessions: seated, Allocations: both(flow(20, 59, 9, 9, 9), flow(0, 59, 0, 9, 9))}, OneWay, Patient, patient},
	"one way as yet": {25, Case{Events: joins, Sessions: seated, Allocations: both(flow(20, 24, 9, 9, 9), flow(0, 24, 0, 9, 9))}, NotYet, Nobody, ""},
	"stopped":        {99, Case{Events: joins, Sessions: seated, Allocations: both(flow(20, 60, 9, 9, 9), flow(20, 99, 9, 9, 9))}, Stopped, Doctor, doctor},
	"both stopped":   {99, Case{Events: joins, Sessions: seated, Allocations: both(flow(20, 60, 9, 9, 9), flow(20, 61, 9, 9, 9))}, Silent, Nobody, ""},
	"healthy, away":  {60, Case{Events: joins, Sessions: nil, Allocations: both(flow(20, 59, 9, 9, 9), flow(20, 59, 9, 9, 9))}, Healthy, Nobody, ""},
	"of the open relay": {60, Case{Events: joins, Sessions: seated, Allocations: []journal.Allocation{holds(10, doctor, false, journal.Traffic{
		Sent: flow(20, 59, 9, 9, 9).Sent, Received: flow(20, 59, 9, 9, 9).Sent})}}, Healthy, Nobody, ""},
	"held": {99, Case{Events: with(in(50, doctor, journal.Ended, because(journal.Released), func(e *journal.Event) { e.Traffic = flow(11, 49, 9, 9, 9) }),
		in(50, patient, journal.Ended, because(journal.Released), func(e *journal.Event) { e.Traffic = flow(11, 49, 9, 9, 9) }),
		in(51, patient, journal.Left, because(journal.HungUp)))}, Held, Nobody, patient},
}

// TestExplain: every case yields its cause, side and seat, and every cause has a case.
func TestExplain(t *testing.T) {
	reached := map[Cause]bool{}
	for name, test := range tests {
		test.c.Now = at(test.now)
		got := Explain(test.c)
		if got.Cause != test.cause || got.Side != test.side || got.Seat != test.seat {
			t.Errorf("%s: %s of %q, about %q; want %s of %q, about %q", name, got.Cause, got.Side, got.Seat, test.cause, test.side, test.seat)
		}
		reached[got.Cause] = true
		for _, l := range []lang.Language{lang.German, lang.English} {
			if s := got.Sentence(l); s == "" || strings.ContainsAny(s, "{}") || strings.Contains(s, "  ") {
				t.Errorf("%s: %q", name, s)
			}
			if strings.Contains(got.Sentence(l), "01:00") { // the zero time
				t.Errorf("%s is at no time: %q", name, got.Sentence(l))
			}
			if SideName(l, got.Side) == "" {
				t.Errorf("%q has no name", got.Side)
			}
		}
	}
	for cause := range sentences {
		if !reached[cause] {
			t.Errorf("no case is explained as %s", cause)
		}
	}
}

// TestEveryCauseIsDocumented, and no others are.
func TestEveryCauseIsDocumented(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "explain.md"))
	if err != nil {
		t.Fatal(err)
	}
	var documented, known []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|").FindAllStringSubmatch(string(text), -1) {
		documented = append(documented, row[1])
	}
	for cause := range sentences {
		known = append(known, string(cause))
	}
	slices.Sort(documented)
	slices.Sort(known)
	if !slices.Equal(documented, known) {
		t.Errorf("documented: %q\nknown:      %q", documented, known)
	}
}

// TestEveryEventIsSaid in both languages, differently.
func TestEveryEventIsSaid(t *testing.T) {
	for kind := range events {
		e := journal.Event{At: start, Last: at(5), Times: 2, Kind: journal.Kind(kind), Seat: patient, Over: "poll", Reason: "max_allocations", Method: "Allocate", Code: 508, Address: "198.51.100.0/24"}
		english, german := Line(lang.English, e), Line(lang.German, e)
		if english == german || !strings.Contains(english, "2 times, the last at 10:00") || !strings.Contains(german, "von 198.51.100.0/24") {
			t.Errorf("%s: %q and %q", kind, english, german)
		}
	}
	if got := Line(lang.English, in(0, patient, journal.Refused, refusal("Allocate", 486, "max_per_seat"), func(e *journal.Event) { e.Over = "tls" })); got !=
		"Allocate refused with 486, too many places of this appointment (TLS): max_per_seat" {
		t.Error(got)
	}
}

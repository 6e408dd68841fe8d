package cli

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/signal/admin/adminclient"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/code"
)

// TestInvitationsTellLocalTimes runs on a server in another zone, and uses both clock changes of
// next year, which are always in the future.
func TestInvitationsTellLocalTimes(t *testing.T) {
	t.Setenv("TZ", "America/New_York")
	s := apptest.StartServe(t, nil)
	months := map[time.Month]string{time.March: "März", time.April: "April", time.October: "Oktober",
		time.November: "November"}
	german := func(t time.Time) string {
		return fmt.Sprintf("%d. %s %d", t.Day(), months[t.Month()], t.Year())
	}
	for month, clocks := range map[time.Month]struct{ opens, closes, begins, until string }{
		time.March:   {"01:30 CET", "02:30 CEST", "01:30 Uhr (MEZ)", "02:30 Uhr (MESZ)"},
		time.October: {"02:30 CEST", "01:30 CET", "02:30 Uhr (MESZ)", "01:30 Uhr (MEZ)"},
	} {
		last := time.Date(time.Now().Year()+1, month, 31, 0, 0, 0, 0, time.UTC)
		sunday := last.AddDate(0, 0, -int(last.Weekday()))
		monday := sunday.AddDate(0, 0, 1)
		test := struct{ start, opens, closes, begins, until string }{
			sunday.Format(time.DateOnly) + " 02:30",
			sunday.Format("Sun 2006-01-02 ") + clocks.opens, monday.Format("Mon 2006-01-02 ") + clocks.closes,
			"Sonntag, " + german(sunday) + ", " + clocks.begins,
			"Montag, " + german(monday) + ", " + clocks.until,
		}
		stdout, stderr, err := apptest.Run(t, "code", "create", "--socket", s.Socket,
			"--start", test.start, "--invite", "de")
		if err != nil {
			t.Fatal(stderr)
		}
		for _, want := range []string{
			"opens         " + test.opens + "\n", "closes        " + test.closes + "\n",
			"Beginn: " + test.begins + "\n", "Der Code gilt bis: " + test.until + "\n",
			"\nEinladung zur Videosprechstunde\n", "\nVideosprechstunde: Zugang für die Praxis\n",
		} {
			if !strings.Contains(stdout, want) {
				t.Errorf("%s: %q is not in\n%s", test.start, want, stdout)
			}
		}
		listed, stderr, err := apptest.Run(t, "code", "list", "--socket", s.Socket)
		if err != nil || !strings.Contains(listed, test.opens) || !strings.Contains(listed, test.closes) {
			t.Errorf("%s: listed %q %q", test.start, listed, stderr)
		}
	}
}

// TestInvitationFiles checks that the codes are printed, and that only the owner can read the
// files.
func TestInvitationFiles(t *testing.T) {
	t.Parallel()
	socket, _ := apptest.StartAdmin(t, 1)
	folder := filepath.Join(t.TempDir(), "new")
	stdout, stderr, err := apptest.Run(t, "code", "create", "--socket", socket,
		"--start", apptest.NextYear("YEAR-07-01 10:00"), "--out", folder, "--invite", "en", "--qr")
	if err != nil {
		t.Fatal(stderr)
	}
	lines := strings.Split(stdout, "\n")
	id := strings.Fields(lines[0])[1]
	if strings.Contains(stdout, "confidential") || strings.Count(stdout, "\x1b[0m\n") < 20 {
		t.Errorf("printed %q", stdout)
	}
	for i, name := range appointment.SeatNames {
		fields := strings.Fields(lines[4+i])
		for format, want := range map[string]string{
			"txt": "Code: " + fields[1] + "\nLink: " + fields[2] + "\n",
			"ics": "UID:" + id + "-" + name, "svg": "<svg ", "html": fields[2],
		} {
			file := filepath.Join(folder, id+"-"+name+"."+format)
			text, err := os.ReadFile(file)
			if err != nil || !strings.Contains(string(text), want) {
				t.Errorf("%s: %v, want %q in\n%s", file, err, want, text)
				continue
			}
			if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v", file, info.Mode(), err)
			}
			if !strings.Contains(stderr, file) {
				t.Errorf("%s is not named in %q", file, stderr)
			}
		}
		if strings.Contains(stderr, fields[1]) {
			t.Errorf("the code of the %s is in %q", name, stderr)
		}
	}
	if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 8 {
		t.Errorf("%d files, %v", len(entries), err)
	}
}

func TestInvitationFilesAreNotOverwritten(t *testing.T) {
	t.Parallel()
	f, err := newFiles(t.TempDir(), nil, nil, day)
	if err != nil {
		t.Fatal(err)
	}
	defer f.root.Close()
	if err := f.create("a.txt", []byte("first")); err != nil {
		t.Fatal(err)
	}
	if err := f.create("a.txt", []byte("second")); err == nil ||
		!strings.Contains(err.Error(), "write into another folder") {
		t.Errorf("said %v", err)
	}
	if text, err := os.ReadFile(filepath.Join(f.root.Name(), "a.txt")); err != nil ||
		string(text) != "first" {
		t.Errorf("%q, %v", text, err)
	}
}

var day = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)

func sampleCreated() adminclient.Created {
	return adminclient.Created{
		ID: "jnrgqgsnkz2ja", Opens: day, Closes: day.Add(appointment.Length),
		Seats: []adminclient.CreatedSeat{{Name: appointment.Doctor, Code: code.New()}},
	}
}

// createFrom runs code create with a list on its standard input.
func createFrom(t *testing.T, socket, list string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	c := apptest.Program(append([]string{"code", "create", "--socket", socket, "--from", "-"}, args...)...)
	c.Stdin = strings.NewReader(list)
	var out, errs strings.Builder
	c.Stdout, c.Stderr = &out, &errs
	err = c.Run()
	return out.String(), errs.String(), err
}

func TestCodeLists(t *testing.T) {
	t.Parallel()
	socket, acknowledged := apptest.StartAdmin(t, 5)
	stdout, stderr, err := createFrom(t, socket,
		apptest.NextYear("start;ref\nYEAR-07-01 10:00;room-3\nsoon;\nYEAR-07-01 10:30;@room\n"))
	if err == nil || stdout != "" ||
		!regexp.MustCompile(`^praxisrelay: line 3: start .*\npraxisrelay: line 4: ref: .*\n$`).MatchString(stderr) {
		t.Errorf("%q %q", stdout, stderr)
	}
	if made := len(acknowledged()); made != 0 {
		t.Errorf("a bad list made %d appointments", made)
	}

	folder := t.TempDir()
	stdout, stderr, err = createFrom(t, socket,
		apptest.NextYear("start;ref\nYEAR-07-01 10:00;room-3\n\nYEAR-01-01 09:30;\nYEAR-07-01 11:00;7\n"), "--out", folder, "--format", "ics")
	if err != nil {
		t.Fatal(stderr)
	}
	r := csv.NewReader(strings.NewReader(stdout))
	r.Comma = ';'
	rows, err := r.ReadAll()
	if err != nil || len(rows) != 4 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for i, want := range [][]string{
		{"appointment", "ref", "opens", "closes"},
		{rows[1][0], "room-3", apptest.NextYear("YEAR-07-01T10:00:00+02:00"), apptest.NextYear("YEAR-07-02T10:00:00+02:00")},
		{rows[2][0], "", apptest.NextYear("YEAR-01-01T09:30:00+01:00"), apptest.NextYear("YEAR-01-02T09:30:00+01:00")},
		{rows[3][0], "7", apptest.NextYear("YEAR-07-01T11:00:00+02:00"), apptest.NextYear("YEAR-07-02T11:00:00+02:00")},
	} {
		if got := strings.Join(rows[i][:4], " "); got != strings.Join(want, " ") {
			t.Errorf("row %d is %s, want %s", i, got, want)
		}
	}
	codes := map[string]bool{}
	for _, row := range rows[1:] {
		for seat := range appointment.SeatNames {
			typed := row[4+2*seat]
			codes[typed] = true
			if _, err := code.Parse(typed); err != nil ||
				row[5+2*seat] != "https://relay.example.org/#"+typed {
				t.Errorf("row %q: %v", row, err)
			}
			if file := filepath.Join(folder, row[0]+"-"+appointment.SeatNames[seat]+
				".ics"); !strings.Contains(stderr, file) {
				t.Errorf("%s is not named in %q", file, stderr)
			}
		}
	}
	if made := len(acknowledged()); made != 3 || len(codes) != 6 {
		t.Errorf("%d appointments, %d codes", made, len(codes))
	}

	stdout, stderr, err = apptest.Run(t, "code", "create", "--socket", socket,
		"--start", apptest.NextYear("YEAR-07-01 10:00"), "--count", "2", "--json")
	if err != nil {
		t.Fatal(stderr)
	}
	ids := map[string]bool{}
	for line := range strings.Lines(stdout) {
		var made createdJSON
		if err := json.Unmarshal([]byte(line), &made); err != nil || len(made.Seats) != 2 {
			t.Errorf("%q: %v", line, err)
		}
		ids[made.Appointment] = true
	}
	if len(ids) != 2 {
		t.Errorf("made %d", len(ids))
	}
}

// TestCodeListsWhenFilesCannotBeWritten checks that the codes are printed anyway.
func TestCodeListsWhenFilesCannotBeWritten(t *testing.T) {
	t.Parallel()
	socket, acknowledged := apptest.StartAdmin(t, 100)
	file := filepath.Join(t.TempDir(), "file")
	apptest.WriteFile(t, file, "", 0o600)
	if _, stderr, err := apptest.Run(t, "code", "create", "--socket", socket,
		"--start", apptest.NextYear("YEAR-07-01"), "--out", file); err == nil ||
		!strings.Contains(stderr, "--out") {
		t.Errorf("said %q", stderr)
	}
	if len(acknowledged()) != 0 {
		t.Error("made appointments whose invitations could not be written")
	}
	// The folder goes away once something has been made.
	f, err := newFiles(t.TempDir(), []string{"txt"}, nil, day)
	if err != nil {
		t.Fatal(err)
	}
	f.root.Close()
	var printed strings.Builder
	p, err := (&createFlags{zone: appointment.DefaultZone, list: true}).printer(&printed, nil, ',', day)
	if err != nil {
		t.Fatal(err)
	}
	p.files = f
	if err := p.row(sampleCreated(), ""); err != nil ||
		!strings.Contains(printed.String(), sampleCreated().ID) {
		t.Errorf("said %v, printed %q", err, printed.String())
	}
	if err := p.invitations(sampleCreated()); err == nil {
		t.Error("wrote into a closed folder")
	}
}

func TestCodeCreateRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"a language": {[]string{"--start", "now", "--invite", "fr"}, `language "fr" is unknown: use de or en`},
		"a format": {[]string{"--start", "now", "--out", t.TempDir(), "--format", "txt,pdf"},
			`format "pdf" is unknown: use some of txt,ics,svg,html`},
		"only formats":      {[]string{"--start", "now", "--format", "txt"}, "say with --out where"},
		"texts in a CSV":    {[]string{"--start", "now", "--count", "2", "--invite", "de"}, "say with --out where"},
		"texts in JSON":     {[]string{"--start", "now", "--json", "--invite", "de"}, "say with --out where"},
		"QR codes in a CSV": {[]string{"--start", "now", "--count", "2", "--qr"}, "--out FOLDER --format svg"},
		"none":              {[]string{"--start", "now", "--count", "0"}, "--count 0: use 1 to 1000"},
		"too many":          {[]string{"--start", "now", "--count", "1001"}, "use 1 to 1000"},
		"two starts":        {[]string{"--start", "now", "--from", "-"}, "[from start]"},
		"two numbers":       {[]string{"--count", "2", "--from", "-"}, "[count from]"},
		"no file":           {[]string{"--from", "/nonexistent.csv"}, "--from: open /nonexistent.csv"},
		"a zone":            {[]string{"--start", "now", "--zone", "Mars"}, "use a name like Europe/Berlin"},
	} {
		stdout, stderr, err := apptest.Run(t,
			append([]string{"code", "create", "--socket", "/nonexistent.sock"}, test.args...)...)
		if err == nil || stdout != "" || !strings.Contains(stderr, test.want) {
			t.Errorf("%s: said %q, want something with %q", name, stderr, test.want)
		}
	}
}

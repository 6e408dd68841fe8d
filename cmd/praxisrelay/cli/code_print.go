package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"praxisrelay/config/lang"
	"praxisrelay/signal/admin/adminclient"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/invitation"
)

// createdJSON is what code create --json prints.
type createdJSON struct {
	Appointment string        `json:"appointment"`
	Ref         string        `json:"ref,omitempty"`
	Opens       time.Time     `json:"opens"`
	Closes      time.Time     `json:"closes"`
	Seats       []createdSeat `json:"seats"`
}

type createdSeat struct {
	Seat string `json:"seat"`
	Code string `json:"code"`
	Link string `json:"link"`
}

// printer prints codes and invitations, and writes the invitation files.
type printer struct {
	zone     *time.Location
	language lang.Language
	row      func(made adminclient.Created, ref string) error // prints the codes: all of them, or an error
	texts    io.Writer                                        // nil: invitations are not printed
	qrs      io.Writer                                        // nil: QR codes are not printed
	files    *files                                           // nil: files are not written
}

// printer rejects combinations of flags that make no sense, before anything is made.
func (f *createFlags) printer(stdout, stderr io.Writer, comma rune, now time.Time) (*printer, error) {
	p := &printer{language: lang.German}
	var err error
	if p.zone, err = appointment.LoadZone(f.zone); err != nil {
		return nil, err
	}
	if f.invite != "" {
		if p.language, err = lang.Parse(f.invite); err != nil {
			return nil, fmt.Errorf("--invite: %w", err)
		}
	}
	switch bare := !f.list && !f.asJSON; {
	case f.qr && !bare:
		return nil, errors.New("--qr is for one appointment's table: for lists and JSON, write QR " +
			"codes with --out FOLDER --format svg")
	case f.invite != "" && f.out == "" && !bare:
		return nil, errors.New("--invite prints next to one appointment's table: for lists and " +
			"JSON, say with --out where to write the invitations")
	}
	var write func(adminclient.Created, string) error
	switch {
	case f.asJSON:
		write = jsonRows(stdout)
	case f.list:
		write = invitation.NewListWriter(stdout, comma, p.zone).Write
	default:
		write = func(made adminclient.Created, _ string) error { return printTable(stdout, made, p.zone) }
	}
	out := newDelivery(stdout)
	p.row = func(made adminclient.Created, ref string) error {
		return out.print(func() error { return write(made, ref) })
	}
	if f.invite != "" && f.out == "" {
		p.texts = stdout
	}
	if f.qr {
		p.qrs = stdout
	}
	if f.out != "" {
		p.files, err = newFiles(f.out, f.formats, stderr, now)
	}
	return p, err
}

func (p *printer) close() {
	if p.files != nil {
		p.files.root.Close()
	}
}

// invitations prints and writes an appointment's invitations. The codes have been printed before,
// so a file that cannot be written loses none.
func (p *printer) invitations(made adminclient.Created) error {
	for _, i := range invitation.For(made, p.language, p.zone) {
		if p.texts != nil {
			if _, err := fmt.Fprintf(p.texts, "\n%s\n%s", separator, i.Text()); err != nil {
				return err
			}
		}
		if p.qrs != nil {
			qr, err := invitation.NewQR(i.Seat.Link)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(p.qrs, "\n%s\n%s", i.Seat.Name, qr.Terminal()); err != nil {
				return err
			}
		}
		if p.files != nil {
			if err := p.files.write(i); err != nil {
				return err
			}
		}
	}
	return nil
}

// separator precedes each text, to show what to copy.
const separator = "----------------------------------------------------------------"

func jsonRows(w io.Writer) func(adminclient.Created, string) error {
	encoder := json.NewEncoder(w)
	return func(made adminclient.Created, ref string) error {
		out := createdJSON{Appointment: made.ID, Ref: ref, Opens: made.Opens, Closes: made.Closes}
		for _, seat := range made.Seats {
			out.Seats = append(out.Seats, createdSeat{seat.Name, seat.Code.Format(), seat.Link})
		}
		return encoder.Encode(out)
	}
}

func printTable(out io.Writer, made adminclient.Created, where *time.Location) error {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintf(w, "appointment\t%s\n", made.ID)
	fmt.Fprintf(w, "opens\t%s\n", forPeople(made.Opens, where))
	fmt.Fprintf(w, "closes\t%s\n\n", forPeople(made.Closes, where))
	for _, seat := range made.Seats {
		fmt.Fprintf(w, "%s\t%s\t%s\n", seat.Name, seat.Code.Format(), seat.Link)
	}
	return w.Flush()
}

// files writes invitations into a folder, readable only by their owner.
type files struct {
	root    *os.Root
	formats []string
	notes   io.Writer
	now     time.Time
}

func newFiles(folder string, formats []string, notes io.Writer, now time.Time) (*files, error) {
	if err := invitation.CheckFormats(formats); err != nil {
		return nil, fmt.Errorf("--format: %w", err)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("--out: %w", err)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("--out: %w", err)
	}
	return &files{root, slices.Compact(slices.Sorted(slices.Values(formats))), notes, now}, nil
}

// write writes an invitation in all formats and notes the files' names.
func (f *files) write(i invitation.Invitation) error {
	var names []string
	for _, format := range f.formats {
		text, err := i.Render(format, f.now)
		if err != nil {
			return err
		}
		name := i.FileName(format)
		if err := f.create(name, text); err != nil {
			return err
		}
		names = append(names, filepath.Join(f.root.Name(), name))
	}
	_, err := fmt.Fprintf(f.notes, "wrote %s\n", strings.Join(names, " "))
	return err
}

func (f *files) create(name string, text []byte) error {
	file, err := f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists and is not overwritten: write into another folder",
			filepath.Join(f.root.Name(), name))
	}
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		_ = f.root.Remove(name) // do not leave half a file
	}
	return err
}

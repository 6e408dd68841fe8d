package invitation

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"praxisrelay/signal/admin/adminclient"
	"praxisrelay/signal/appointment"
)

// MaxRows is the maximum number of appointments made at once.
const MaxRows = 1000

// List is a list of appointments to be made.
type List struct {
	Rows  []Row
	Comma rune // the column separator: a comma, a semicolon as in German spreadsheets, a tab or a bar
}

// Row is an appointment to be made.
type Row struct {
	Line  int // in the list, from 1
	Opens time.Time
	Ref   string // the caller's own reference, or empty
}

// ReadList reads a CSV list with the column start, as [appointment.ParseStart] takes it, and
// optionally ref. The error names every bad line but quotes none: a wrong column may hold a
// patient's name.
func ReadList(r io.Reader, zone string, now time.Time) (List, error) {
	lines, err := readLines(r)
	if err != nil {
		return List{}, err
	}
	list := List{Comma: ','}
	var separator string // from a line that names it
	var columns []string
	var problems []error
	// No value may have line breaks, so each line is parsed separately, and a stray quote spoils no
	// other.
	for i, line := range lines {
		number := i + 1
		if strings.Trim(line, " \t,;|\"") == "" {
			continue
		}
		if said := separatorLine.FindStringSubmatch(line); said != nil && columns == nil && separator == "" {
			separator = said[1]
			continue
		}
		if columns == nil {
			list.Comma = separatorOf(cmp.Or(separator, line))
		}
		fields, err := splitLine(line, list.Comma)
		switch {
		case err != nil:
		case columns == nil:
			if columns, err = readHeader(fields); err != nil {
				return List{}, fmt.Errorf("line %d: %w", number, err) // without it the rest means nothing
			}
			continue
		case len(list.Rows) == MaxRows:
			return List{}, fmt.Errorf("line %d: at most %d appointments are made at once: split the list", number, MaxRows)
		default:
			var row Row
			row, err = readRow(columns, fields, zone, now)
			row.Line = number
			list.Rows = append(list.Rows, row)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("line %d: %w", number, err))
		}
	}
	if len(problems) == 0 && len(list.Rows) == 0 {
		problems = append(problems, errors.New("the list has no appointments: write the column names start,ref and below them a line for each"))
	}
	if err := errors.Join(problems...); err != nil {
		return List{}, err
	}
	return list, nil
}

func splitLine(line string, comma rune) ([]string, error) {
	r := csv.NewReader(strings.NewReader(line))
	r.Comma = comma
	fields, err := r.Read()
	if err != nil {
		return nil, errors.New(`a quote is not closed or stands within a value: write "..." around the whole value, or none`)
	}
	for i := range fields {
		fields[i] = strings.TrimSpace(fields[i])
	}
	// Spreadsheets save empty columns, and omit them again some rows below.
	for len(fields) > 1 && fields[len(fields)-1] == "" {
		fields = fields[:len(fields)-1]
	}
	return fields, nil
}

func readHeader(fields []string) ([]string, error) {
	for i := range fields {
		fields[i] = strings.ToLower(fields[i])
		if name := fields[i]; name != "start" && name != "ref" || slices.Contains(fields[:i], name) {
			return nil, fmt.Errorf("column %d is not one of start and ref, or there twice: begin with a line of column names, start,ref, and save the list as CSV in UTF-8", i+1)
		}
	}
	if !slices.Contains(fields, "start") {
		return nil, errors.New("the column start is missing: add it")
	}
	return fields, nil
}

func readRow(columns, fields []string, zone string, now time.Time) (row Row, err error) {
	if len(fields) > len(columns) {
		return row, fmt.Errorf("%d values where there are %d columns: take away what belongs to none", len(fields), len(columns))
	}
	fields = append(fields, make([]string, len(columns)-len(fields))...)
	for i, column := range columns {
		var problem error
		switch column {
		case "start":
			row.Opens, problem = appointment.ParseStart(fields[i], zone, now)
			switch {
			case problem != nil:
			case !now.Before(row.Opens.Add(appointment.Length)):
				problem = errors.New("start: the appointment would be over already: correct the date")
			case row.Opens.Sub(now) > appointment.MaxAhead:
				problem = errors.New("start: the appointment would be more than two years ahead: correct the date")
			}
		case "ref":
			row.Ref, problem = fields[i], appointment.CheckRef(fields[i])
		}
		err = errors.Join(err, problem)
	}
	if err != nil {
		err = errors.New(strings.ReplaceAll(err.Error(), "\n", "; ")) // a line's mistakes, joined on one line
	}
	return row, err
}

// ListWriter writes the results as CSV, each row at once: no code is lost when a later one fails.
// No value begins with a character that starts a formula in spreadsheets.
type ListWriter struct {
	csv     *csv.Writer
	zone    *time.Location
	started bool
}

// NewListWriter returns a writer of columns separated by comma, with times in zone.
func NewListWriter(w io.Writer, comma rune, zone *time.Location) *ListWriter {
	l := &ListWriter{csv: csv.NewWriter(w), zone: zone}
	l.csv.Comma = comma
	return l
}

// Write writes the row of an appointment; ref may be empty.
func (l *ListWriter) Write(a adminclient.Created, ref string) error {
	if !l.started {
		header := []string{"appointment", "ref", "opens", "closes"}
		for _, name := range appointment.SeatNames {
			header = append(header, name+"_code", name+"_link")
		}
		l.started = true
		_ = l.csv.Write(header) // Flush has its error
	}
	row := []string{a.ID, ref, a.Opens.In(l.zone).Format(time.RFC3339), a.Closes.In(l.zone).Format(time.RFC3339)}
	for _, seat := range a.Seats {
		row = append(row, seat.Code.Format(), seat.Link)
	}
	_ = l.csv.Write(row)
	l.csv.Flush()
	return l.csv.Error()
}

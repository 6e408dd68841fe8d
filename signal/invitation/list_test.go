package invitation

import (
	"encoding/binary"
	"encoding/csv"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"praxisrelay/config/lang"
	"praxisrelay/signal/admin/adminclient"
	"praxisrelay/signal/appointment"
)

var today = time.Date(2026, 12, 1, 6, 0, 0, 0, time.UTC)

func TestReadList(t *testing.T) {
	for name, test := range map[string]struct {
		text  string
		comma rune
		want  string
	}{
		"commas":           {"start,ref\n2026-12-01 10:00,room-3\n2026-12-01 10:30,\n", ',', "2 09:00 room-3, 3 09:30 "},
		"start alone":      {"start\n2026-12-01 10:00\n", ',', "2 09:00 "},
		"the other order":  {"ref,start\na.1_b,2026-12-01T10:00:00+01:00", ',', "2 09:00 a.1_b"},
		"a spreadsheet":    {"\ufeffStart;Ref\r\n\"2026-12-01 10:00\";7\r\n;\r\n\r\n2026-12-01 11:00;8\r\n", ';', "2 09:00 7, 5 10:00 8"},
		"begun already":    {"start\n2026-11-30 08:00\n", ',', "2 07:00 "},
		"a separator said": {"sep=;\r\nstart;ref\r\n2026-12-01 10:00;7\r\n", ';', "3 09:00 7"},
		"and in a cell":    {"\"SEP=;\";\r\nstart;ref\r\n2026-12-01 10:00;7\r\n", ';', "3 09:00 7"},
		"a tab said":       {"sep=\t\nstart\n2026-12-01 10:00\n", '\t', "3 09:00 "},
		"bars":             {"start|ref\n2026-12-01 10:00|7\n", '|', "2 09:00 7"},
		"German dates":     {"start;ref\r\n05.12.2026 10:00;7\r\n5.12.26 9:30;\r\n05.12.2026 10:00:15;8\r\n", ';', "2 09:00 7, 3 08:30 , 4 09:00 8"},
		"seconds":          {"start\n2026-12-01 10:00:59\n2026-12-01T10:30:00\n", ',', "2 09:00 , 3 09:30 "},
		"empty columns":    {";;;\r\nstart;ref;;;\r\n2026-12-01 10:00;7;;;\r\n;;;;\r\n\"\";\"\"\r\n2026-12-01 11:00;;;;\r\n2026-12-01 12:00\r\n", ';', "3 09:00 7, 6 10:00 , 7 11:00 "},
		"lines of a Mac":   {"start;ref\r2026-12-01 10:00;7\r\r2026-12-01 11:00;8\r", ';', "2 09:00 7, 4 10:00 8"},
		"Unicode text":     {utf16le("\ufeffstart\tref\r\n01.12.2026 10:00\t7\r\n"), '\t', "2 09:00 7"},
	} {
		list, err := ReadList(strings.NewReader(test.text), appointment.DefaultZone, today)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for _, row := range list.Rows {
			got = append(got, fmt.Sprintf("%d %s %s", row.Line, row.Opens.Format("15:04"), row.Ref))
		}
		if got := strings.Join(got, ", "); got != test.want || list.Comma != test.comma {
			t.Errorf("%s: read %q with %q, want %q with %q", name, got, list.Comma, test.want, test.comma)
		}
	}
}

// utf16le encodes a text as Excel's "Unicode text" does.
func utf16le(text string) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return string(b)
}

// TestReadListNamesEveryBadLine, each with its number and a remedy.
func TestReadListNamesEveryBadLine(t *testing.T) {
	const header = "start,ref\n"
	const start, ref = `start is not understood: write it like "2026-12-01 10:00", "01.12.2026 10:00", 2026-12-01T10:00:00+01:00 or now`,
		"ref: at most 64 of A-Z a-z 0-9 . _ - and no hyphen in front are expected: shorten or replace it"
	for name, test := range map[string]struct{ text, want string }{
		"three of five": {header + "soon,a\n2026-12-01 10:00,b\n2026-12-01 10:00,the name of a person\n2026-12-01 10:00,c\n2026-02-30 10:00,=1+1\n",
			"line 2: " + start + "\nline 4: " + ref + "\nline 6: " + start + "; " + ref},
		"too few":            {"ref,start\na\n", "line 2: " + start},
		"too many":           {header + "2026-12-01 10:00,a,b\n", "line 2: 3 values where there are 2 columns: take away what belongs to none"},
		"another separator":  {"sep=;\nstart;ref\n2026-12-01 10:00,a\n2026-12-01 10:00;a;;b\n", "line 3: " + start + "\nline 4: 4 values where there are 2 columns: take away what belongs to none"},
		"American dates":     {header + "12/05/2026 10:00,a\n", "line 2: " + start},
		"a number's date":    {header + "46361.4167,a\n", "line 2: " + start},
		"Windows-1252":       {header + "2026-12-01 10:00,M\xfcller\n2026-12-01 10:00,b\nsoon,c\n", "line 2: " + ref + "\nline 4: " + start},
		"UTF-16, unmarked":   {utf16le("start\tref\r\n"), "the list is not a text: save it from the spreadsheet as CSV in UTF-8"},
		"half of UTF-16":     {utf16le("\ufeffstart\r\nsoon\r\n") + "x", "line 2: " + start + "\nline 3: " + start},
		"a spreadsheet":      {"PK\x03\x04\x14\x00\x06\x00", "the list is not a text: save it from the spreadsheet as CSV in UTF-8"},
		"in another century": {header + "2126-12-01 07:00,a\n", "line 2: start: the appointment would be more than two years ahead: correct the date"},
		"over":               {header + "2026-11-30 06:59,a\n", "line 2: start: the appointment would be over already: correct the date"},
		"a stray quote":      {header + "2026-12-01 10:00,\"a\nsoon,b\n", "line 2: a quote is not closed or stands within a value: write \"...\" around the whole value, or none\nline 3: " + start},
		"a formula":          {header + "2026-12-01 10:00,-1\n", "line 2: " + ref},
		"a long ref":         {header + "2026-12-01 10:00," + strings.Repeat("x", 65) + "\n", "line 2: " + ref},
		"no header":          {"2026-12-01 10:00,a\n", "line 1: column 1 is not one of start and ref, or there twice: begin with a line of column names, start,ref, and save the list as CSV in UTF-8"},
		"a foreign column":   {"start,name\n2026-12-01 10:00,a\n", "line 1: column 2 is not one of start and ref, or there twice: begin with a line of column names, start,ref, and save the list as CSV in UTF-8"},
		"a column twice":     {"start,start\n", "line 1: column 2 is not one of start and ref, or there twice: begin with a line of column names, start,ref, and save the list as CSV in UTF-8"},
		"no start":           {"ref\na\n", "line 1: the column start is missing: add it"},
		"nothing":            {"", "the list has no appointments: write the column names start,ref and below them a line for each"},
		"the header alone":   {header, "the list has no appointments: write the column names start,ref and below them a line for each"},
		"no text":            {header + strings.Repeat("x", 1<<20), "the list has more than 1048576 bytes: is it a CSV file?"},
		"more than a day's":  {"start\n" + strings.Repeat("2026-12-01 10:00\n", MaxRows+1), "line 1002: at most 1000 appointments are made at once: split the list"},
		"one zone, no other": {"start\n2026-12-01 10:00 MEZ\n", "line 2: " + start},
	} {
		list, err := ReadList(strings.NewReader(test.text), appointment.DefaultZone, today)
		if err == nil || err.Error() != test.want || list.Rows != nil {
			t.Errorf("%s: said\n%v\nwant\n%s", name, err, test.want)
		}
	}
}

func TestListWriter(t *testing.T) {
	i := sample(t, "2027-03-28 02:30", "Europe/Berlin", lang.German)
	made := adminclient.Created{ID: i[0].Appointment, Opens: i[0].Opens, Closes: i[0].Closes, Seats: []adminclient.CreatedSeat{i[0].Seat, i[1].Seat}}
	for comma, want := range map[rune]string{
		',': "appointment,ref,opens,closes,doctor_code,doctor_link,patient_code,patient_link\n" +
			"jnrgqgsnkz2ja,a.1,2027-03-28T01:30:00+01:00,2027-03-29T02:30:00+02:00," +
			"KTRW-BZMF-QHDF,https://relay.example.org/#KTRW-BZMF-QHDF,BBBB-BBBB-BBBB,https://relay.example.org/#BBBB-BBBB-BBBB\n",
		';': "appointment;ref;opens;closes;doctor_code;doctor_link;patient_code;patient_link\n" +
			"jnrgqgsnkz2ja;a.1;2027-03-28T01:30:00+01:00;2027-03-29T02:30:00+02:00;" +
			"KTRW-BZMF-QHDF;https://relay.example.org/#KTRW-BZMF-QHDF;BBBB-BBBB-BBBB;https://relay.example.org/#BBBB-BBBB-BBBB\n",
	} {
		var b strings.Builder
		if err := NewListWriter(&b, comma, i[0].Zone).Write(made, "a.1"); err != nil || b.String() != want {
			t.Errorf("wrote %q, %v, want %q", b.String(), err, want)
		}
	}
}

// FuzzReadList: whatever a list contains, its rows can be made and written, and no value is a
// formula.
func FuzzReadList(f *testing.F) {
	for _, seed := range []string{
		"start,ref\n2026-12-01 10:00,room-3\n", "\ufeffstart;ref\r\nnow;\r\n", "ref,start\n\"a\",\"now\"\n", "start\n\"", "start,ref\nnow,=1+1\nnow,-1\n",
		"sep=|\nstart|ref||\n01.12.2026 10:00:00\n", utf16le("\ufeffstart\tref\r\nnow\ta\r\n"),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := ReadList(strings.NewReader(text), appointment.DefaultZone, today)
		if err != nil {
			if list.Rows != nil {
				t.Error("rows beside an error")
			}
			return
		}
		line := 1
		var b strings.Builder
		w := NewListWriter(&b, list.Comma, time.UTC)
		for _, row := range list.Rows {
			if row.Line <= line || !today.Before(row.Opens.Add(appointment.Length)) {
				t.Errorf("row %+v after line %d", row, line)
			}
			line = row.Line
			if err := w.Write(adminclient.Created{ID: "jnrgqgsnkz2ja", Opens: row.Opens, Closes: row.Opens.Add(appointment.Length)}, row.Ref); err != nil {
				t.Fatal(err)
			}
		}
		r := csv.NewReader(strings.NewReader(b.String()))
		r.Comma, r.FieldsPerRecord = list.Comma, -1
		records, err := r.ReadAll()
		if err != nil || len(records) != len(list.Rows)+1 {
			t.Fatalf("%d records, %v", len(records), err)
		}
		for _, record := range records {
			for _, value := range record {
				if value != "" && strings.ContainsRune("=+-@\t\r", rune(value[0])) {
					t.Errorf("%q is a formula", value)
				}
			}
		}
	})
}

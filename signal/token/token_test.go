package token

import (
	"strings"
	"testing"
	"time"
)

var day = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)

func TestTokenOpensUntilItIsOver(t *testing.T) {
	made, text, err := New("a practice's software", []Scope{ReadAppointments}, day, new(day.Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := New("", []Scope{Appointments}, day, nil)
	if err != nil {
		t.Fatal(err)
	}
	id, secret, ok := Parse(text)
	if !ok || id != made.ID || !strings.HasPrefix(text, "prx_"+made.ID+"_") || len(text) != 4+13+1+52 {
		t.Fatalf("%q, %v from a text of %d characters", id, ok, len(text))
	}
	if !made.Opens(secret, day.Add(time.Hour-1)) || made.Opens(secret, day.Add(time.Hour)) || other.Opens(secret, day) {
		t.Error("it does not open what it should, or opens what it should not")
	}
	if other.Over(day.AddDate(100, 0, 0)) {
		t.Error("a token without an end is over")
	}
	wrong := secret
	wrong[31] ^= 1
	if made.Opens(wrong, day) || made.Opens([32]byte{}, day) || (Token{}).Opens([32]byte{}, day) {
		t.Error("a wrong secret opens")
	}
	if made.Allows(Appointments) || !made.Allows(ReadAppointments) || !other.Allows(ReadAppointments) || !other.Allows(Appointments) || made.Allows("") {
		t.Error("the scopes are not what they were")
	}
}

func TestTokenIsNotMadeOfWhatMakesNoSense(t *testing.T) {
	good := []Scope{Appointments}
	for name, make := range map[string]func() (Token, string, error){
		"no scope":          func() (Token, string, error) { return New("", nil, day, nil) },
		"an unknown scope":  func() (Token, string, error) { return New("", []Scope{"all"}, day, nil) },
		"over already":      func() (Token, string, error) { return New("", good, day, new(day)) },
		"over since year 1": func() (Token, string, error) { return New("", good, day, new(time.Time)) },
		"a long label":      func() (Token, string, error) { return New(strings.Repeat("x", 65), good, day, nil) },
		"a label of escape": func() (Token, string, error) { return New("\x1b[2J", good, day, nil) },
	} {
		if _, _, err := make(); err == nil {
			t.Errorf("%s: made", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	made, text, err := New("", []Scope{Appointments}, day, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add("prx__")
	f.Add(text + "a")
	f.Add(text[:len(text)-1])
	f.Add(strings.ToUpper(text))
	f.Fuzz(func(t *testing.T, other string) {
		id, secret, ok := Parse(other)
		if ok && made.Opens(secret, day) && (other[:4] != "prx_" || other[17:] != text[17:]) {
			t.Errorf("%q opens", other)
		}
		if !ok && id != "" {
			t.Errorf("%q has the id %q", other, id)
		}
	})
}

package protocol

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestEveryMemberHasOneName: in its own case and once, however deep it is.
func TestEveryMemberHasOneName(t *testing.T) {
	for text, into := range map[string]any{
		`{"ACK":1}`:                              new(FromClient),
		`{"ac\u212A":1}`:                         new(FromClient), // the sign of Kelvin folds to k
		`{"ack":1,"ack":2}`:                      new(FromClient),
		`{"ack":1,"Ack":2}`:                      new(FromClient),
		`{"ack":1,"\u0061ck":2}`:                 new(FromClient),
		`{"join":{"token":"","Epoch":""}}`:       new(FromClient),
		`{"join":{"epoch":"","epoch":""}}`:       new(FromClient),
		`{"leave":{"more":1}}`:                   new(FromClient),
		`{"until":"2026-12-01T09:00:00Z","x":1}`: new(Drain),
		`{"Until":"2026-12-01T09:00:00Z"}`:       new(Drain),
		`{"count":1,"count":10000}`:              new(NewCredentials),
		`{"seats":[{"name":"a"},{"NAME":"b"}]}`:  new(NewAppointment),
		`{"with":{"seat":"a","seat":"b"}}`:       new(NewCode),
		`{"file":"a","files":{"x":"","x":""}}`:   new(Reload),
		`{"":1}`:                                 new(Drain),
	} {
		member := new(MemberError)
		if err := Decode([]byte(text), into); !errors.As(err, &member) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{`{} {}`, `{}x`, `{}}`, "{}\x00", `{},`} {
		if err := Decode([]byte(text), new(Drain)); err != ErrTrailing {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{"", "{", `{"until":1}`, "{\"until\":\"\n\"}"} {
		if Decode([]byte(text), new(Drain)) == nil {
			t.Errorf("%q is taken", text)
		}
	}
	var reload Reload
	until := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	if err := Decode([]byte(` {"file":"a","files":{"/A":"","/a":"AQ=="},"mistakes":["x"]} `), &reload); err != nil ||
		!reflect.DeepEqual(reload, Reload{File: "a", Files: map[string][]byte{"/A": {}, "/a": {1}}, Mistakes: []string{"x"}}) {
		t.Errorf("got %+v, %v", reload, err)
	}
	var drain Drain
	if err := Decode([]byte(`{"until":"2026-12-01T09:00:00Z"}`), &drain); err != nil || !drain.Until.Equal(until) {
		t.Errorf("got %+v, %v", drain, err)
	}
	// What is deep costs no stack.
	if err := Decode([]byte(`{"until":`+strings.Repeat("[", 1<<20)), &drain); err == nil {
		t.Error("a million brackets are taken")
	}
}

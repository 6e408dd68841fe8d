package protocol_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/protocol"
)

// TestEveryMemberHasOneName: in its own case and only once, at any depth.
func TestEveryMemberHasOneName(t *testing.T) {
	for text, into := range map[string]any{
		`{"ACK":1}`:                              new(protocol.FromClient),
		`{"ac\u212A":1}`:                         new(protocol.FromClient), // the Kelvin sign folds to k
		`{"ack":1,"ack":2}`:                      new(protocol.FromClient),
		`{"ack":1,"Ack":2}`:                      new(protocol.FromClient),
		`{"ack":1,"\u0061ck":2}`:                 new(protocol.FromClient),
		`{"join":{"token":"","Epoch":""}}`:       new(protocol.FromClient),
		`{"join":{"epoch":"","epoch":""}}`:       new(protocol.FromClient),
		`{"leave":{"more":1}}`:                   new(protocol.FromClient),
		`{"until":"2026-12-01T09:00:00Z","x":1}`: new(api.Drain),
		`{"Until":"2026-12-01T09:00:00Z"}`:       new(api.Drain),
		`{"count":1,"count":10000}`:              new(api.NewCredentials),
		`{"seats":[{"name":"a"},{"NAME":"b"}]}`:  new(api.NewAppointment),
		`{"with":{"seat":"a","seat":"b"}}`:       new(api.NewCode),
		`{"file":"a","files":{"x":"","x":""}}`:   new(api.Reload),
		`{"":1}`:                                 new(api.Drain),
	} {
		member := new(protocol.MemberError)
		if err := protocol.Decode([]byte(text), into); !errors.As(err, &member) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{`{} {}`, `{}x`, `{}}`, "{}\x00", `{},`} {
		if err := protocol.Decode([]byte(text), new(api.Drain)); err != protocol.ErrTrailing {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{"", "{", `{"until":1}`, "{\"until\":\"\n\"}"} {
		if protocol.Decode([]byte(text), new(api.Drain)) == nil {
			t.Errorf("%q is taken", text)
		}
	}
	var reload api.Reload
	until := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	if err := protocol.Decode([]byte(` {"file":"a","files":{"/A":"","/a":"AQ=="},"mistakes":["x"]} `), &reload); err != nil ||
		!reflect.DeepEqual(reload, api.Reload{File: "a", Files: map[string][]byte{"/A": {}, "/a": {1}}, Mistakes: []string{"x"}}) {
		t.Errorf("got %+v, %v", reload, err)
	}
	var drain api.Drain
	if err := protocol.Decode([]byte(`{"until":"2026-12-01T09:00:00Z"}`), &drain); err != nil || !drain.Until.Equal(until) {
		t.Errorf("got %+v, %v", drain, err)
	}
	// Deep nesting costs no stack.
	if err := protocol.Decode([]byte(`{"until":`+strings.Repeat("[", 1<<20)), &drain); err == nil {
		t.Error("a million brackets are taken")
	}
}

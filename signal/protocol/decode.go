package protocol

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
)

// MemberError reports a member that an object may not have.
type MemberError struct {
	Name  string // as received
	Twice bool   // duplicated; otherwise unknown
}

func (e *MemberError) Error() string {
	if e.Twice {
		return "a member is there twice"
	}
	return "a member is unknown"
}

// ErrTrailing reports that something follows the JSON value.
var ErrTrailing = errors.New("something follows the JSON value")

// Decode reads one JSON value strictly. By itself, encoding/json also accepts members in another
// case, and the last of several: an inspector on the way, such as a proxy with rules, would see a
// different value than the server.
func Decode(text []byte, into any) error {
	if err := json.Unmarshal(text, into); err != nil {
		if trails(text) {
			return ErrTrailing
		}
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	return checkMembers(d, reflect.TypeOf(into).Elem())
}

// trails reports whether a text continues after a JSON value.
func trails(text []byte) bool {
	d := json.NewDecoder(bytes.NewReader(text))
	if d.Decode(new(json.RawMessage)) != nil {
		return false
	}
	_, err := d.Token()
	return err != io.EOF
}

// checkMembers checks the member names in a value that fits a type. The text has been decoded
// before, so its syntax is right.
func checkMembers(d *json.Decoder, t reflect.Type) error {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	token, err := d.Token()
	if err != nil {
		return err
	}
	switch token {
	case json.Delim('['):
		element := elementOf(t)
		for d.More() {
			if err := checkMembers(d, element); err != nil {
				return err
			}
		}
	case json.Delim('{'):
		names := map[string]bool{}
		for d.More() {
			token, err := d.Token()
			if err != nil {
				return err
			}
			name := token.(string)
			member, known := memberOf(t, name)
			if !known || names[name] {
				return &MemberError{Name: name, Twice: known}
			}
			names[name] = true
			if err := checkMembers(d, member); err != nil {
				return err
			}
		}
	default:
		return nil
	}
	_, err = d.Token() // the end of the array or object
	return err
}

var rawMessage = reflect.TypeFor[json.RawMessage]()

// elementOf returns the type of an array's elements; nil: anything.
func elementOf(t reflect.Type) reflect.Type {
	if t == nil || t == rawMessage || t.Kind() != reflect.Slice && t.Kind() != reflect.Array {
		return nil
	}
	return t.Elem()
}

// memberOf returns the type of an object's member; nil: anything.
func memberOf(t reflect.Type, name string) (member reflect.Type, known bool) {
	switch {
	case t == nil || t == rawMessage:
		return nil, true
	case t.Kind() == reflect.Map:
		return t.Elem(), true
	case t.Kind() != reflect.Struct:
		return nil, true
	}
	for field := range t.Fields() {
		if tag, _, _ := strings.Cut(field.Tag.Get("json"), ","); tag == name && tag != "" {
			return field.Type, true
		}
	}
	return nil, false
}

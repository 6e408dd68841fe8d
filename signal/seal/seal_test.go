package seal

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"
)

type vectors struct {
	Rooms []struct {
		Appointment string `json:"appointment"`
		Seat        string `json:"seat"`
		SealKey     string `json:"seal_key"`
		Wrapped     string `json:"wrapped"`
		RoomKey     string `json:"room_key"`
	} `json:"rooms"`
	Messages []struct {
		RoomKey     string `json:"room_key"`
		Appointment string `json:"appointment"`
		From        string `json:"from"`
		To          string `json:"to"`
		FromEpoch   string `json:"from_epoch"`
		ToEpoch     string `json:"to_epoch"`
		Seq         uint64 `json:"seq"`
		Plain       string `json:"plain"`
		Sealed      string `json:"sealed"`
	} `json:"messages"`
}

func TestVectors(t *testing.T) {
	text, err := os.ReadFile("../testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Rooms) == 0 || len(v.Messages) == 0 {
		t.Fatal("no vectors")
	}
	for _, r := range v.Rooms {
		key, err := Unwrap(key32(t, r.SealKey), r.Appointment, r.Seat, unhex(t, r.Wrapped))
		if err != nil || key != key32(t, r.RoomKey) {
			t.Errorf("Unwrap of %s: %x, %v", r.Seat, key, err)
		}
	}
	for _, m := range v.Messages {
		place := Place{m.Appointment, m.From, m.To, m.FromEpoch, m.ToEpoch, m.Seq}
		plain, err := RoomKey(key32(t, m.RoomKey)).Open(place, unhex(t, m.Sealed))
		if err != nil || string(plain) != m.Plain {
			t.Errorf("Open: %q, %v; want %q", plain, err, m.Plain)
		}
	}
}

// TestMessagesOpenOnlyWhereTheyBelong: any change by a server is detected.
func TestMessagesOpenOnlyWhereTheyBelong(t *testing.T) {
	key := NewRoomKey()
	place := Place{"a", "doctor", "patient", NewEpoch(), NewEpoch(), 7}
	plain := []byte("v=0 an offer")
	sealed := key.Seal(place, plain)
	if got, err := key.Open(place, sealed); err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("Open = %q, %v", got, err)
	}
	for name, change := range map[string]func(*Place){
		"another appointment":         func(p *Place) { p.Appointment = "b" },
		"sent back":                   func(p *Place) { p.From, p.To = p.To, p.From },
		"another sender":              func(p *Place) { p.From = "guest" },
		"another number":              func(p *Place) { p.Seq++ },
		"the sender's older session":  func(p *Place) { p.FromEpoch = NewEpoch() },
		"the receiver's next session": func(p *Place) { p.ToEpoch = NewEpoch() },
	} {
		moved := place
		change(&moved)
		if _, err := key.Open(moved, sealed); !errors.Is(err, ErrOpen) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 0x80
		if _, err := key.Open(place, bad); !errors.Is(err, ErrOpen) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
		if _, err := key.Open(place, sealed[:i]); !errors.Is(err, ErrOpen) {
			t.Fatalf("cut at byte %d: %v", i, err)
		}
	}
	if _, err := NewRoomKey().Open(place, sealed); !errors.Is(err, ErrOpen) {
		t.Errorf("another room's key: %v", err)
	}
}

func TestRoomKeyUnwrapsOnlyForItsSeat(t *testing.T) {
	room, sealKey := NewRoomKey(), [32]byte(NewRoomKey())
	wrapped := room.Wrap(sealKey, "a", "doctor")
	if got, err := Unwrap(sealKey, "a", "doctor", wrapped); err != nil || got != room {
		t.Fatalf("Unwrap: %v", err)
	}
	for _, place := range [][2]string{{"b", "doctor"}, {"a", "patient"}} {
		if _, err := Unwrap(sealKey, place[0], place[1], wrapped); !errors.Is(err, ErrOpen) {
			t.Errorf("%v: %v", place, err)
		}
	}
	if _, err := Unwrap(sealKey, "a", "doctor", sealWith(sealKey, []byte("short"), roomPlace("a", "doctor"))); !errors.Is(err, ErrOpen) {
		t.Errorf("a short key: %v", err)
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func key32(t *testing.T, text string) [32]byte {
	t.Helper()
	b := unhex(t, text)
	if len(b) != 32 {
		t.Fatalf("%d bytes, want 32", len(b))
	}
	return [32]byte(b)
}

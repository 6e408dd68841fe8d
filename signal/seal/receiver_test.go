package seal

import (
	"encoding/json"
	"os"
	"testing"
)

// TestReceiverFindsTampering checks Receiver against the vectors, which also check the page.
func TestReceiverFindsTampering(t *testing.T) {
	text, err := os.ReadFile("../testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Tampering []struct {
			Name        string `json:"name"`
			RoomKey     string `json:"room_key"`
			Appointment string `json:"appointment"`
			To          string `json:"to"`
			ToEpoch     string `json:"to_epoch"`
			Messages    []struct {
				From      string  `json:"from"`
				FromEpoch string  `json:"from_epoch"`
				Seq       uint64  `json:"seq"`
				Sealed    string  `json:"sealed"`
				Finding   Finding `json:"finding"`
				Plain     *string `json:"plain"` // nil: dropped
			} `json:"messages"`
		} `json:"tampering"`
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	found := map[Finding]bool{}
	for _, c := range v.Tampering {
		t.Run(c.Name, func(t *testing.T) {
			r := NewReceiver(key32(t, c.RoomKey), c.Appointment, c.To, c.ToEpoch)
			for i, m := range c.Messages {
				plain, finding := r.Open(m.From, m.FromEpoch, m.Seq, unhex(t, m.Sealed))
				if finding != m.Finding || (plain != nil) != (m.Plain != nil) || m.Plain != nil && string(plain) != *m.Plain {
					t.Errorf("message %d: %q, finding %q; want finding %q", i, plain, finding, m.Finding)
				}
				found[finding] = true
			}
		})
	}
	for _, finding := range []Finding{"", Altered, Replayed, Reordered, Missing} {
		if !found[finding] {
			t.Errorf("no vector for the finding %q", finding)
		}
	}
}

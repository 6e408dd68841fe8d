package relay

import (
	"encoding/binary"
	"testing"

	"praxisrelay/relay/core"
)

func TestFrameSize(t *testing.T) {
	stun := []byte{0, 1, 0, 8, 0x21, 0x12, 0xA4, 0x42}
	for _, test := range []struct {
		name  string
		bytes []byte
		size  int
		bad   bool
	}{
		{"nothing", nil, 0, false},
		{"seven bytes of STUN", stun[:7], 0, false},
		{"STUN", stun, 28, false},
		{"STUN of an odd length", []byte{0, 1, 0, 7, 0x21, 0x12, 0xA4, 0x42}, 0, true},
		{"STUN of another cookie", []byte{0, 1, 0, 8, 0x21, 0x12, 0xA4, 0x43}, 0, true},
		{"STUN that is too long", []byte{0, 1, 0xFF, 0xFC, 0x21, 0x12, 0xA4, 0x42}, 0, true},
		{"three bytes of ChannelData", []byte{0x40, 0, 0}, 0, false},
		{"empty ChannelData", []byte{0x40, 0, 0, 0}, 4, false},
		{"ChannelData of five", []byte{0x7F, 0xFF, 0, 5}, 12, false},
		{"the longest ChannelData", []byte{0x40, 0, 0x07, 0xFC}, core.MaxMessage, false},
		{"ChannelData that is longer", []byte{0x40, 0, 0x07, 0xFD}, 0, true},
		{"the nine bytes", []byte{0x40, 0x00, 0xFF, 0xFC, 0, 0, 0, 0, 0}, 0, true},
		{"the largest 16-bit length", []byte{0x40, 0x00, 0xFF, 0xFF}, 0, true},
		{"neither", []byte{0x80}, 0, true},
		{"TLS inside TLS", []byte{0x16, 3, 1, 2, 0, 1, 0, 1}, 0, true},
	} {
		size, err := frameSize(test.bytes)
		if size != test.size || (err != nil) != test.bad {
			t.Errorf("%s: %d, %v", test.name, size, err)
		}
	}
}

func FuzzFrameSize(f *testing.F) {
	f.Add([]byte{0x40, 0x00, 0xFF, 0xFC, 0, 0, 0, 0, 0})
	f.Add([]byte{0, 1, 0, 8, 0x21, 0x12, 0xA4, 0x42})
	f.Fuzz(func(t *testing.T, b []byte) {
		size, err := frameSize(b)
		if size < 0 || size > core.MaxMessage || err != nil && size != 0 ||
			err == nil && size == 0 && len(b) >= 8 {
			t.Fatalf("%x: %d, %v", b, size, err)
		}
		if size != 0 && size%4 != 0 {
			t.Fatalf("%x: %d is not padded", b, size)
		}
		if size != 0 && b[0]&0xC0 == 0x40 && size < int(binary.BigEndian.Uint16(b[2:]))+4 {
			t.Fatalf("%x: %d is too short", b, size)
		}
	})
}

package relay

import (
	"encoding/binary"
	"errors"

	"praxisrelay/relay/core"
)

var errFrame = errors.New("neither STUN nor ChannelData")

// frameSize returns the size of the message at the start of b, or 0 if b is too short to know. On
// streams ChannelData is padded to a multiple of four (RFC 8656, section 12.5). After an error the
// stream cannot be parsed further. Sizes are wide integers and bounded: a 16-bit sum would wrap to
// a frame of size zero.
func frameSize(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	size := 0
	switch b[0] & 0xC0 {
	case 0x00:
		if len(b) < 8 {
			return 0, nil
		}
		size = 20 + int(binary.BigEndian.Uint16(b[2:]))
		if size%4 != 0 || binary.BigEndian.Uint32(b[4:]) != magicCookie {
			return 0, errFrame
		}
	case 0x40:
		if len(b) < 4 {
			return 0, nil
		}
		size = (4 + int(binary.BigEndian.Uint16(b[2:])) + 3) &^ 3
	default:
		return 0, errFrame
	}
	if size > core.MaxMessage {
		return 0, errFrame
	}
	return size, nil
}

const magicCookie = 0x2112A442

package relay

import (
	"encoding/binary"
	"errors"

	"praxisrelay/relay/core"
)

var errFrame = errors.New("neither STUN nor ChannelData")

// frameSize tells how long the message is that b begins with, or 0 while there
// are too few bytes to know (RFC 8656, section 12.5: on streams ChannelData is
// padded to a multiple of four). An error means that nothing further can be made
// of the stream. Lengths are held in wide integers and bounded: a 16-bit sum
// would wrap and make a frame of no length.
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

package signal

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"

	"praxisrelay/signal/appointment"
	"praxisrelay/signal/protocol"
)

// clientFrame is a client's frame and its size in bytes.
type clientFrame struct {
	protocol.FromClient
	size int
}

// decodeFrame reads a client's frame strictly. Its errors quote nothing from the frame.
func decodeFrame(text []byte) (frame clientFrame, err error) {
	frame.size = len(text)
	if err := decodeStrictly(text, &frame.FromClient); err != nil {
		return frame, err
	}
	members := 0
	for _, there := range []bool{
		frame.Join != nil, frame.Resume != nil, frame.Send != nil, frame.Admit != nil,
		frame.ICE != nil, frame.Explain != nil, frame.Ack != nil, frame.Leave != nil,
	} {
		if there {
			members++
		}
	}
	switch {
	case members != 1:
		return frame, errors.New("a frame has one member that says what it is, as docs/protocol.md describes")
	case frame.Send != nil && !isPresent(frame.Send.To, frame.Send.Epoch):
		return frame, errors.New("send.to must be a seat, and send.epoch the epoch of its session")
	case frame.Admit != nil && !isPresent(frame.Admit.Seat, frame.Admit.Epoch):
		return frame, errors.New("admit.seat must be a seat, and admit.epoch the epoch of its session")
	case frame.Send != nil && frame.Send.Seq > maxSeq:
		return frame, errors.New("send.seq is below 2^53")
	case frame.Numbered() != (frame.N > 0):
		return frame, errors.New("send, admit, ice and explain are numbered from 1, other frames are not")
	}
	return frame, nil
}

// maxSeq is the largest number that JavaScript holds exactly.
const maxSeq = 1<<53 - 1

// isPresent reports whether a session's name is well formed. It is passed on to others unchanged,
// so it must not be longer, nor grow in JSON.
func isPresent(seat, epoch string) bool {
	return slices.Contains(appointment.SeatNames, seat) && isEpoch(epoch)
}

// isEpoch checks the length too, since the decoder skips line ends.
func isEpoch(epoch string) bool {
	decoded, err := base64.RawURLEncoding.DecodeString(epoch)
	return err == nil && len(decoded) == 16 && len(epoch) == 22
}

// decodePoll reads the body of a poll, frame by frame.
func decodePoll(body []byte, most int) (frames []clientFrame, err error) {
	// An array, because entries that do not fit are skipped and cost no memory.
	var poll struct {
		Frames [protocol.MaxPollFrames + 1]json.RawMessage `json:"frames"`
	}
	if err := decodeStrictly(body, &poll); err != nil {
		return nil, err
	}
	if poll.Frames[0] == nil || poll.Frames[protocol.MaxPollFrames] != nil {
		return nil, errors.New("frames: 1 to 32 are expected, first a join or a resume")
	}
	for i, text := range poll.Frames {
		if text == nil {
			break
		}
		if len(text) > most {
			return nil, errors.New("a frame is too long: see max_message of /v1/info")
		}
		frame, err := decodeFrame(text)
		if err != nil {
			return nil, err
		}
		if i > 0 && (frame.Join != nil || frame.Resume != nil) {
			return nil, errors.New("a join or a resume comes first, and once")
		}
		frames = append(frames, frame)
	}
	return frames, nil
}

func decodeStrictly(text []byte, into any) error {
	switch err := protocol.Decode(text, into); {
	case err == protocol.ErrTrailing:
		return errors.New("one JSON object is expected, and nothing behind it")
	case err != nil:
		return errors.New("not the JSON that docs/protocol.md describes")
	}
	return nil
}

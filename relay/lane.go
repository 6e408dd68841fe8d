package relay

import "praxisrelay/relay/core"

// laneLength is how many datagrams wait for the relay's lock, per socket. Beyond it
// they are lost; those who ask ask again.
const laneLength = 256

// lane takes the STUN messages of a socket out of the media's way: who sends many
// makes others wait that ask for something, not those that talk.
type lane struct {
	waiting chan packet
	free    chan []byte // as many buffers as may wait
}

func newLane() *lane {
	l := &lane{make(chan packet, laneLength), make(chan []byte, laneLength)}
	for _, b := range buffers(laneLength, core.MaxMessage) {
		l.free <- b
	}
	return l
}

// push copies a datagram, and returns false where there is no room.
func (l *lane) push(p packet) bool {
	if len(p.data) > core.MaxMessage {
		return true // nothing that the core would look at
	}
	select {
	case b := <-l.free:
		l.waiting <- packet{p.client, b[:copy(b, p.data)]}
		return true
	default:
		return false
	}
}

// serve processes what waits until waiting is closed.
func (l *lane) serve(r *Relay) {
	in, out := make([]packet, 0, batchSize), make([]packet, 0, batchSize)
	scratch := buffers(batchSize, core.MaxOutput)
	for first := range l.waiting {
		in = append(in[:0], first)
		for more := true; more && len(in) < batchSize; {
			select {
			case p, ok := <-l.waiting:
				if more = ok; ok {
					in = append(in, p)
				}
			default:
				more = false
			}
		}
		r.process(in, scratch, out)
		for _, p := range in {
			l.free <- p.data[:core.MaxMessage]
		}
	}
}

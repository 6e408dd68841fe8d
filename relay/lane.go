package relay

import "praxisrelay/relay/core"

// laneLength is how many datagrams per socket may wait for the relay's lock. More are lost; clients
// retransmit their requests.
const laneLength = 256

// lane queues a socket's STUN messages, so a flood of requests delays other requests, not media.
type lane struct {
	waiting chan packet
	free    chan []byte // one buffer per datagram that may wait
}

func newLane() *lane {
	l := &lane{make(chan packet, laneLength), make(chan []byte, laneLength)}
	for _, b := range buffers(laneLength, core.MaxMessage) {
		l.free <- b
	}
	return l
}

// push copies a datagram, and returns false if the lane is full.
func (l *lane) push(p packet) bool {
	if len(p.data) > core.MaxMessage {
		return true // the core would ignore it
	}
	select {
	case b := <-l.free:
		l.waiting <- packet{p.client, b[:copy(b, p.data)]}
		return true
	default:
		return false
	}
}

// serve processes waiting datagrams until waiting is closed.
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

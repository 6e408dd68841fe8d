package relay

import (
	"sync/atomic"

	"praxisrelay/relay/core"
)

// transports are the values of the label of that name: clients', and core.Relayed
// for peers of the open relay.
const transports = core.Relayed + 1

// tally is the media of one batch: what came in and was forwarded, and what went out.
type tally struct {
	received, sent [transports]flow
}

// flow is an amount of media. Bytes are those of TURN's messages, without what the
// transport puts around.
type flow struct{ packets, bytes uint64 }

// forwarded counts a packet on its way in and on its way out.
func (t *tally) forwarded(in, out packet) {
	t.received[in.client.Transport].add(in)
	t.sent[out.client.Transport].add(out)
}

func (f *flow) add(p packet) {
	f.packets++
	f.bytes += uint64(len(p.data))
}

// traffic adds up tallies. It has several of each counter: readers of different
// sockets and connections would else take turns at one cache line.
type traffic [16]shard

type shard struct {
	received, sent [transports]struct{ packets, bytes atomic.Uint64 }
}

// add adds the tally of a batch, whose packets one socket or connection brought.
func (t *traffic) add(from core.FiveTuple, counted *tally) {
	s := &t[(uint64(from.Listener)+from.Conn)%uint64(len(t))]
	for i := range transports {
		if f := counted.received[i]; f.packets > 0 {
			s.received[i].packets.Add(f.packets)
			s.received[i].bytes.Add(f.bytes)
		}
		if f := counted.sent[i]; f.packets > 0 {
			s.sent[i].packets.Add(f.packets)
			s.sent[i].bytes.Add(f.bytes)
		}
	}
}

// total is what was relayed since the start.
func (t *traffic) total() (all tally) {
	for n := range t {
		s := &t[n]
		for i := range transports {
			all.received[i].packets += s.received[i].packets.Load()
			all.received[i].bytes += s.received[i].bytes.Load()
			all.sent[i].packets += s.sent[i].packets.Load()
			all.sent[i].bytes += s.sent[i].bytes.Load()
		}
	}
	return all
}

// events counts what else happens on the way to and from the core, which has counters
// of its own.
type events struct {
	queueFull        atomic.Uint64 // a connection's oldest media made room
	laneFull         atomic.Uint64 // a request over UDP came faster than they are answered
	unsent           atomic.Uint64 // the kernel did not take a datagram
	handshakes       atomic.Uint64 // TLS's, that came to their end
	failedHandshakes atomic.Uint64
}

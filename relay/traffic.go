package relay

import (
	"sync/atomic"

	"praxisrelay/relay/core"
)

// transports is the number of values of the label of that name: those of clients, and core.Relayed
// for peers of the open relay.
const transports = core.Relayed + 1

// tally counts the media of one batch: what came in and was forwarded, and what went out.
type tally struct {
	received, sent [transports]flow
}

// flow is an amount of media. Its bytes are those of TURN messages, without transport headers.
type flow struct{ packets, bytes uint64 }

// forwarded counts a packet's input and output.
func (t *tally) forwarded(in, out packet) {
	t.received[in.client.Transport].add(in)
	t.sent[out.client.Transport].add(out)
}

func (f *flow) add(p packet) {
	f.packets++
	f.bytes += uint64(len(p.data))
}

// traffic sums tallies. Each counter is sharded: readers of different sockets and connections would
// otherwise contend for one cache line.
type traffic [16]shard

type shard struct {
	received, sent [transports]struct{ packets, bytes atomic.Uint64 }
}

// add adds the tally of a batch, whose packets came from one socket or connection.
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

// total returns what was relayed since the start.
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

// events counts what else happens outside the core, which has its own counters.
type events struct {
	queueFull        atomic.Uint64 // a connection's oldest media was dropped
	laneFull         atomic.Uint64 // a request over UDP found the lane full
	unsent           atomic.Uint64 // the kernel did not take a datagram
	handshakes       atomic.Uint64 // completed TLS handshakes
	failedHandshakes atomic.Uint64
}

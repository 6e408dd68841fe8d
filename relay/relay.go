// Package relay is the STUN/TURN server on the network: it binds sockets, reads batches of packets
// with their 5-tuples, asks the core what to do with each, and sends the result.
//
//	listen.go                            the sockets
//	udp.go, udp_linux.go, udp_other.go   datagrams
//	lane.go                              datagrams that wait for the core
//	accept.go                            connections, from accept to the first message; the shared HTTPS port
//	proxy.go                             the client behind a proxy's connection
//	stream.go, frame.go, queue.go        messages on a connection
//	peers.go                             sockets of the open relay
//	traffic.go, metrics.go               counters
//	reconfigure.go, drain.go             changes while serving
//	core                                 the protocol, without any of this
//
// A packet's path is read -> [Relay.process] -> send. ChannelData passes without a lock; STUN
// messages take the relay's only one.
package relay

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/stun/v3"

	"praxisrelay/config/network/shares"
	"praxisrelay/relay/core"
	"praxisrelay/relay/probe"
	"praxisrelay/relay/rcu"
)

// Relay is a running or startable relay; see [Listen].
type Relay struct {
	now func() time.Time

	mu   sync.Mutex // guards the core, except Forward, and writes to streams
	core *core.Core

	udp     []*udpSocket
	stream  []*streamListener
	https   *streamListener // the one that is shared with HTTP
	plain   *streamListener // the one for HTTP without TLS, if any
	streams *rcu.Map[uint64, *stream]
	conns   atomic.Uint64 // numbers connections

	open       *shares.Shares // connections on the stream listeners
	handshakes *shares.Shares // those within the TLS handshake

	proxyRefusals proxyRefusals

	peers    peers // of the open relay
	relayed  *rcu.Map[netip.AddrPort, *net.UDPConn]
	relaying sync.WaitGroup

	traffic traffic
	events  events
	swept   atomic.Pointer[time.Time] // time of the last sweep; nil: none yet
}

// packet is a datagram or a framed message, with the client that it is from or for.
type packet struct {
	client core.FiveTuple
	data   []byte
}

// media reports whether a packet is ChannelData, which passes without the lock.
func (p packet) media() bool { return len(p.data) > 0 && p.data[0]&0xC0 == 0x40 }

// relayed reports whether a packet is from another client or a peer, rather than an answer.
func (p packet) relayed() bool {
	return p.client.Transport == core.Relayed || p.media() || dataIndication(p.data)
}

// dataIndication reports whether a STUN message is a Data indication (RFC 8656, section 17).
func dataIndication(message []byte) bool { return message[0] == 0 && message[1] == 0x17 }

// process asks the core about each packet of a batch and sends the results. scratch holds one
// buffer of core.MaxOutput bytes per packet.
func (r *Relay) process(in []packet, scratch [][]byte, out []packet) {
	now, out := r.now(), out[:0]
	var counted tally
	for i, p := range in {
		var result packet
		if p.media() {
			result.client, result.data = r.core.Forward(now, p.client, p.data, scratch[i])
		} else {
			r.mu.Lock()
			result.client, result.data = r.core.Handle(now, p.client, p.data, scratch[i])
			r.mu.Unlock()
		}
		if result.data != nil { // a peer outside may get an empty datagram
			out = append(out, result)
			if result.relayed() {
				counted.forwarded(p, result)
			}
		}
	}
	if len(out) > 0 {
		r.traffic.add(in[0].client, &counted)
	}
	r.send(out)
}

// send hands each run of packets for one UDP socket to that socket at once, and all others to their
// connections.
func (r *Relay) send(out []packet) {
	for len(out) > 0 {
		first := out[0].client
		switch first.Transport {
		case core.TCP, core.TLS:
			if s, ok := r.streams.Load(first.Conn); ok {
				if !s.queue.push(out[0].data) {
					r.events.queueFull.Add(1)
				}
			}
			out = out[1:]
			continue
		case core.Relayed:
			if conn, ok := r.relayed.Load(first.Server); ok {
				if _, err := conn.WriteToUDPAddrPort(out[0].data, first.Client); err != nil {
					r.events.unsent.Add(1) // lost, as datagrams are
				}
			}
			out = out[1:]
			continue
		}
		run := 1
		for run < len(out) && out[run].client.Transport == core.UDP &&
			out[run].client.Listener == first.Listener {
			run++
		}
		if unsent := r.udp[first.Listener].write(out[:run]); unsent > 0 {
			r.events.unsent.Add(uint64(unsent))
		}
		out = out[run:]
	}
}

// Revoke ends the allocations of a seat's generations before this one, or of the whole appointment
// if seat is empty, and closes their streams. Their credentials make no allocations until Forget is
// called.
func (r *Relay) Revoke(appointment, seat string, generation int) {
	r.mu.Lock()
	ended := r.core.Revoke(r.now(), appointment, seat, generation)
	r.mu.Unlock()
	for _, client := range ended {
		if s, ok := r.streams.Load(client.Conn); ok && client.Transport != core.UDP {
			s.abort()
		}
	}
}

// Forget drops the revocations of an appointment, once none of its credentials are valid.
func (r *Relay) Forget(appointment string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.core.Forget(appointment)
}

// Own returns the transaction ID of the process's own health probe: see [core.Core.Own].
func (r *Relay) Own() [stun.TransactionIDSize]byte { return r.core.Own() }

// Held returns the live allocations of an appointment.
func (r *Relay) Held(appointment string) []core.Held {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.core.Held(r.now(), appointment)
}

// Full reports whether the limit on allocations is reached, so that no more can be made.
func (r *Relay) Full() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.core.Allocations() >= r.core.MaxAllocations()
}

// Allocations returns the number of live allocations.
func (r *Relay) Allocations() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.core.Allocations()
}

// aliveTime is how old the last sweep may be. There is one a second.
const aliveTime = 30 * time.Second

// Alive returns an error if the relay is stuck or has not started.
func (r *Relay) Alive() error {
	// Setting the clock does not change this age: the times are monotonic.
	if swept := r.swept.Load(); swept == nil || r.now().Sub(*swept) > aliveTime {
		return errors.New("the relay is stuck: restart it")
	}
	return nil
}

func (r *Relay) noteSweep() {
	now := r.now()
	r.swept.Store(&now)
}

// Serve relays until ctx is done or a socket fails, and then closes everything.
func (r *Relay) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failures := make(chan error, len(r.udp)+len(r.stream))
	var running sync.WaitGroup
	start := func(serve func() error) {
		running.Go(func() {
			failures <- serve()
			cancel()
		})
	}
	for _, socket := range r.udp {
		start(func() error { return socket.serve(r) })
	}
	for _, listener := range r.stream {
		start(func() error { return listener.serve(r) })
	}
	r.noteSweep()
	running.Go(func() { r.sweep(ctx) })

	<-ctx.Done()
	r.Close()
	running.Wait()
	r.endAll() // allocations made while the sockets were closing
	r.relaying.Wait()
	close(failures)
	for err := range failures {
		if err != nil {
			return err
		}
	}
	return nil
}

// sweep drives the core's expiry.
func (r *Relay) sweep(ctx context.Context) {
	second, minute := time.NewTicker(time.Second), time.NewTicker(time.Minute)
	defer second.Stop()
	defer minute.Stop()
	if !r.peers.open {
		minute.Stop()
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-second.C:
			r.mu.Lock()
			r.core.Sweep(r.now())
			r.mu.Unlock()
			r.noteSweep()
		case <-minute.C:
			own, err := probe.HostAddresses() // they may have changed
			if err != nil {
				continue // keep the last known ones
			}
			r.mu.Lock()
			r.peers.setOwn(own)
			r.mu.Unlock()
		}
	}
}

package relay

import "praxisrelay/relay/core"

// Snapshot is what a relay holds at one moment, and the limits.
type Snapshot struct {
	Calls                       int // see core.Core.Calls
	UDP, TCP, TLS               int // allocations, by client transport
	Allocations, MaxAllocations int
	Connections, MaxConnections int // on the stream listeners, including HTTP
	Handshakes, MaxHandshakes   int // those within the TLS handshake
	Ports, MaxPorts             int // of the open relay, otherwise zero
}

// Snapshot returns the current state.
func (r *Relay) Snapshot() Snapshot {
	var s Snapshot
	s.Connections, s.MaxConnections = r.open.Use()
	s.Handshakes, s.MaxHandshakes = r.handshakes.Use()
	free, all := r.Ports()
	s.Ports, s.MaxPorts = all-free, all
	r.mu.Lock()
	defer r.mu.Unlock()
	live := r.core.Stats().Live
	s.UDP, s.TCP, s.TLS = live[core.UDP], live[core.TCP], live[core.TLS]
	s.Calls = r.core.Calls(r.now())
	s.Allocations, s.MaxAllocations = r.core.Allocations(), r.core.MaxAllocations()
	return s
}

// Package check finds out, from where it runs, which of the ways to an appliance are
// open, and measures them.
//
// A way is a transport and a port. Each is tried apart, layer by layer: a connection,
// TLS and whose certificate it shows, a TURN allocation, and a packet that goes to the
// relay and back. So what fails says which layer fails, and so what stands in between.
//
//	run.go          probes, in parallel as far as they do not need or disturb each other
//	reason.go       why a probe failed
//	target.go       the appliance and what the probes have learnt of it
//	dial.go         connections, through a proxy where there is one
//	key.go          whose certificate is shown
//	name.go, stream.go, binding.go, nat.go   the layers below TURN
//	line.go         an allocation, and packets that come back through it
//	relayed.go      what is tried through lines: an echo on each way, quality
//	ice.go          a whole connection of two ICE agents
//	verdict.go      what all of it means
//
// A line is an allocation that sends to its own relayed address: one packet crosses
// the network twice and the relay once, and needs no partner. The daemon calls itself
// in the same way, with [Target.Call].
package check

import "time"

// Transport is what a way is made of.
type Transport string

// The transports.
const (
	UDP Transport = "udp"
	TCP Transport = "tcp"
	TLS Transport = "tls"
)

// Way is one way to the relay.
type Way struct {
	Transport Transport `json:"transport"`
	Port      uint16    `json:"port"`
}

// Ports are where an appliance serves TURN, as it says itself.
type Ports struct{ UDP, TCP, TLS []uint16 }

// Ways returns them, the best first.
func (p Ports) Ways() (ways []Way) {
	for _, list := range []struct {
		transport Transport
		ports     []uint16
	}{{UDP, p.UDP}, {TCP, p.TCP}, {TLS, p.TLS}} {
		for _, port := range list.ports {
			ways = append(ways, Way{list.transport, port})
		}
	}
	return ways
}

// Base are the probes that need to know nothing of the appliance but its URL.
func (t *Target) Base() []Probe {
	page := t.page()
	return []Probe{t.Name(), t.Stream(page), t.TLS(page)}
}

// All are the others, once Ports are known: of the layers below TURN, of every way
// through the relay, and of what goes over the best of them, measured for so long.
// Those of the relay need a probe "credential" that sets it.
func (t *Target) All(results *Results, measured time.Duration) (probes []Probe) {
	for _, w := range t.Ports.Ways() {
		if w == t.page() {
			probes = append(probes, t.Certificate(w), t.Echo(w))
			continue
		}
		switch w.Transport {
		case UDP:
			probes = append(probes, t.Binding(w))
		case TCP:
			probes = append(probes, t.Stream(w))
		case TLS:
			probes = append(probes, t.Stream(w), t.TLS(w), t.Certificate(w))
		}
		probes = append(probes, t.Echo(w))
	}
	return append(probes, t.NAT(), t.ICE(results), t.Quality(results, measured))
}

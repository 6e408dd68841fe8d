// Package check finds out which ways to an appliance are open from where it runs, and measures
// them.
//
// A way is a transport and a port. Each is probed on its own, layer by layer: a connection, TLS and
// its certificate, a TURN allocation, and a packet to the relay and back. The first layer that
// fails shows what stands in between.
//
//	run.go          probes, in parallel unless they need or disturb each other
//	reason.go       why a probe failed
//	target.go       the appliance and what the probes have learned about it
//	dial.go         connections, through a proxy if there is one
//	key.go          whose certificate is shown
//	name.go, stream.go, binding.go, nat.go   the layers below TURN
//	line.go         an allocation, and packets that come back through it
//	relayed.go      probes through lines: an echo on each way, quality
//	ice.go          a whole connection between two ICE agents
//	verdict.go      what the results mean
//
// A line is an allocation that sends to its own relayed address: a packet crosses the network twice
// and the relay once, without a partner. The daemon tests itself in the same way, with
// [Target.Call].
package check

import "time"

// Transport is the transport of a way.
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

// Ports are the ports on which an appliance announces TURN.
type Ports struct{ UDP, TCP, TLS []uint16 }

// Ways returns the ways to them, the best first.
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

// Base returns the probes that need only the appliance's URL.
func (t *Target) Base() []Probe {
	page := t.page()
	return []Probe{t.Name(), t.Stream(page), t.TLS(page)}
}

// All returns the other probes, once Ports are known: of the layers below TURN, of every way
// through the relay, and of the quality of the best one, measured for the given time. Those of the
// relay need a probe "credential" that sets Username and Password.
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

package check

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/pion/ice/v3"
)

// Echo makes an allocation on a way and sends packets that come back.
func (t *Target) Echo(w Way) Probe {
	needs := []string{w.id("connect"), "credential"}
	if w.Transport == TLS {
		needs = []string{w.id("tls"), "credential"}
	}
	return Probe{ID: w.id("relay"), Way: &w, Needs: needs, Run: func(ctx context.Context) (Values, error) {
		m, err := t.Call(ctx, w, Load{Packets: 10, Size: 100, Interval: 20 * time.Millisecond})
		values := Values{}
		if m.Allocated > 0 {
			values["allocate_ms"] = milliseconds(m.Allocated)
		}
		if m.Received == 0 {
			return values, err
		}
		values["rtt_ms"] = milliseconds(m.Fastest)
		return values, nil
	}}
}

// A picture needs pictureRate bytes per second at least; a consultation takes ten times
// as much where it can. The load of the measurement is within what a test may carry.
const (
	pictureRate = 35_000
	loadRate    = 400_000
	loadSize    = 1_100
	mostLoss    = 10 // percent
)

// Quality measures the best way that works: loss, jitter, round trip and throughput
// under the load of a consultation with a good picture, for that long.
func (t *Target) Quality(results *Results, duration time.Duration) Probe {
	return Probe{ID: "quality", After: t.echoes("ice"), Run: func(ctx context.Context) (Values, error) {
		ways := t.working(results)
		if len(ways) == 0 {
			return nil, Skip(Dependent)
		}
		line, err := t.Open(ctx, ways[0])
		if err != nil {
			return nil, err
		}
		defer line.Close()
		interval := time.Second * loadSize / loadRate
		m, err := line.Measure(ctx, Load{Packets: int(duration / interval), Size: loadSize, Interval: interval})
		rate := 0.0 // bytes per second
		if m.Took > 0 {
			rate = float64(m.Bytes) / max(m.Took, duration).Seconds()
		}
		values := Values{
			"way": ways[0].String(), "loss_percent": round(m.Loss()), "jitter_ms": milliseconds(m.Jitter), "rtt_ms": milliseconds(m.RTT),
			"mbit_per_s": round(rate * 8 / 1e6), "offered_mbit_per_s": round(loadRate * 8 / 1e6),
		}
		switch {
		case err != nil:
			return values, err
		case rate < pictureRate, m.Loss() > mostLoss && rate < loadRate/2:
			return values, fail(Poor, "%.1f %% of the packets were lost, %.2f Mbit/s came back", m.Loss(), rate*8/1e6)
		}
		return values, nil
	}}
}

func round(f float64) float64 { return float64(int(f*100+0.5)) / 100 }

// echoes are the probes of all ways, and others.
func (t *Target) echoes(others ...string) []string {
	for _, w := range t.Ports.Ways() {
		others = append(others, w.id("relay"))
	}
	return others
}

// working are the ways on which an echo came back, the best first.
func (t *Target) working(results *Results) (ways []Way) {
	for _, w := range t.Ports.Ways() {
		if results.OK(w.id("relay")) {
			ways = append(ways, w)
		}
	}
	return ways
}

// ICE makes a whole connection between two agents that reach each other through the
// relay alone: one over the best way that works and the other over the last, since
// what matters is that those who come in different ways meet.
func (t *Target) ICE(results *Results) Probe {
	return Probe{ID: "ice", After: t.echoes(), Run: func(ctx context.Context) (Values, error) {
		ways := t.working(results)
		if len(ways) == 0 {
			return nil, Skip(Dependent)
		}
		ctx, cancel := context.WithTimeout(ctx, 2*answerTime)
		defer cancel()
		from, to := ways[0], ways[len(ways)-1]
		values := Values{"from": from.String(), "to": to.String()}
		began := time.Now()
		offering, err := t.agent(ctx, from)
		if err != nil {
			return values, err
		}
		defer offering.close()
		answering, err := t.agent(ctx, to)
		if err != nil {
			return values, err
		}
		defer answering.close()
		if err := connect(ctx, offering, answering); err != nil {
			return values, Failure{NoICE, err}
		}
		values["connected_ms"] = milliseconds(time.Since(began))
		return values, nil
	}}
}

// agent is an ICE agent whose one candidate is a relayed address. It is a host
// candidate by its form: the allocation takes the place of a socket, so that every way
// of ours can carry it, through proxies too.
type agent struct {
	*ice.Agent
	line *Line
	mux  *ice.UDPMuxDefault
}

func (t *Target) agent(ctx context.Context, w Way) (*agent, error) {
	line, err := t.Open(ctx, w)
	if err != nil {
		return nil, err
	}
	a := &agent{line: line, mux: ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: line.Relayed, Logger: quiet.NewLogger("ice")})}
	a.Agent, err = ice.NewAgent(&ice.AgentConfig{
		UDPMux: a.mux, CandidateTypes: []ice.CandidateType{ice.CandidateTypeHost},
		NetworkTypes:     []ice.NetworkType{ice.NetworkTypeUDP4, ice.NetworkTypeUDP6},
		MulticastDNSMode: ice.MulticastDNSModeDisabled, IncludeLoopback: true, LoggerFactory: quiet,
	})
	if err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

func (a *agent) close() {
	if a.Agent != nil {
		a.Agent.Close()
	}
	a.mux.Close()
	a.line.Close()
}

// connect lets two agents find each other and carries a message each way.
func connect(ctx context.Context, offering, answering *agent) error {
	for _, pair := range [][2]*agent{{offering, answering}, {answering, offering}} {
		if err := pair[0].OnCandidate(func(c ice.Candidate) {
			if c == nil {
				return
			}
			if copied, err := ice.UnmarshalCandidate(c.Marshal()); err == nil {
				_ = pair[1].AddRemoteCandidate(copied)
			}
		}); err != nil {
			return err
		}
	}
	for _, a := range []*agent{offering, answering} {
		if err := a.GatherCandidates(); err != nil {
			return err
		}
	}
	name1, password1, err := offering.GetLocalUserCredentials()
	if err != nil {
		return err
	}
	name2, password2, err := answering.GetLocalUserCredentials()
	if err != nil {
		return err
	}
	type end struct {
		conn *ice.Conn
		err  error
	}
	ends := make(chan end, 2)
	go func() { c, err := offering.Dial(ctx, name2, password2); ends <- end{c, err} }()
	go func() { c, err := answering.Accept(ctx, name1, password1); ends <- end{c, err} }()
	one, two := <-ends, <-ends
	if err := errors.Join(one.err, two.err); err != nil {
		return fmt.Errorf("the agents do not find each other through the relay: %w", err)
	}
	for _, pair := range [][2]net.Conn{{one.conn, two.conn}, {two.conn, one.conn}} {
		if err := pass(ctx, pair[0], pair[1]); err != nil {
			return err
		}
	}
	return nil
}

// pass sends a message until it arrives: one may be lost.
func pass(ctx context.Context, from, to net.Conn) error {
	const message = "praxisrelay check"
	arrived := make(chan error, 1)
	go func() {
		buffer := make([]byte, 100)
		n, err := to.Read(buffer)
		if err == nil && string(buffer[:n]) != message {
			err = errors.New("another message came than was sent")
		}
		arrived <- err
	}()
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for {
		if _, err := from.Write([]byte(message)); err != nil {
			return err
		}
		select {
		case err := <-arrived:
			return err
		case <-again.C:
		case <-ctx.Done():
			return errors.New("the agents found each other, but no message arrives")
		}
	}
}

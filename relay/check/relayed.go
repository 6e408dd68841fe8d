package check

import (
	"context"
	"time"
)

// Echo makes an allocation on a way and sends packets through it to itself.
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

// A picture needs at least pictureRate bytes per second; a consultation uses ten times as much if
// it can. The load of the measurement is within the rate limit of a test.
const (
	pictureRate = 35_000
	loadRate    = 400_000
	loadSize    = 1_100
	maxLoss     = 10 // percent
)

// Quality measures the best way that works: loss, jitter, round trip and throughput under the load
// of a consultation with a good picture, for the given time.
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
		m, err := line.Measure(ctx, Load{Packets: int(duration / interval), Size: loadSize,
			Interval: interval})
		rate := 0.0 // bytes per second
		if m.Took > 0 {
			rate = float64(m.Bytes) / max(m.Took, duration).Seconds()
		}
		values := Values{
			"way": ways[0].String(), "loss_percent": round(m.Loss()),
			"jitter_ms": milliseconds(m.Jitter), "rtt_ms": milliseconds(m.RTT),
			"mbit_per_s": round(rate * 8 / 1e6), "offered_mbit_per_s": round(loadRate * 8 / 1e6),
		}
		switch {
		case err != nil:
			return values, err
		case rate < pictureRate, m.Loss() > maxLoss && rate < loadRate/2:
			return values, fail(Poor, "%.1f %% of the packets were lost, %.2f Mbit/s came back",
				m.Loss(), rate*8/1e6)
		}
		return values, nil
	}}
}

func round(f float64) float64 { return float64(int(f*100+0.5)) / 100 }

// echoes returns the echo probes of all ways, after others.
func (t *Target) echoes(others ...string) []string {
	for _, w := range t.Ports.Ways() {
		others = append(others, w.id("relay"))
	}
	return others
}

// working returns the ways on which an echo came back, the best first.
func (t *Target) working(results *Results) (ways []Way) {
	for _, w := range t.Ports.Ways() {
		if results.OK(w.id("relay")) {
			ways = append(ways, w)
		}
	}
	return ways
}

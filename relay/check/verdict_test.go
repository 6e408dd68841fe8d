package check

import (
	"context"
	"errors"
	"slices"
	"testing"
)

// TestOnlyBlockedWaysAreClosed: ways that another remedy fixes are not called closed, and if
// nothing answers at all, that is reported too.
func TestOnlyBlockedWaysAreClosed(t *testing.T) {
	udp, page := Way{UDP, 3478}, Way{TLS, 443}
	failed := func(id string, w Way, reason Reason, values Values) Probe {
		return Probe{ID: id, Way: &w, Run: func(context.Context) (Values, error) {
			return values, Failure{reason, errors.New("no")}
		}}
	}
	proxied := Values{"proxy": "192.0.2.1:3128"}
	for name, test := range map[string]struct {
		probes []Probe
		closed []Way
		mute   bool
	}{
		"an issuer nobody knows":        {[]Probe{failed("tls-tls-443", page, Untrusted, nil)}, nil, false},
		"a certificate of another time": {[]Probe{failed("tls-tls-443", page, Expired, nil)}, nil, false},
		"a certificate of another name": {[]Probe{failed("tls-tls-443", page, WrongName, nil)}, nil, false},
		"a proxy that asks who":         {[]Probe{failed("connect-tcp-443", page, ProxyAuth, proxied)}, nil, false},
		"a proxy that is down": {[]Probe{failed("connect-tcp-443", page, ProxyDown, proxied),
			failed("connect-udp-3478", udp, Silence, nil)}, []Way{udp}, false},
		"a full relay": {[]Probe{failed("relay-udp-3478", udp, RelayRefused, nil)}, nil, false},
		"one way is closed": {[]Probe{failed("connect-tcp-443", page, Refused, nil),
			{ID: "connect-udp-3478", Way: &udp, Run: credentialed.Run}}, []Way{page}, false},
		"all are closed": {[]Probe{failed("connect-tcp-443", page, Refused, nil),
			failed("connect-udp-3478", udp, Silence, nil)}, []Way{page, udp}, true},
	} {
		t.Run(name, func(t *testing.T) {
			target := &Target{Host: "192.0.2.2", HTTPS: 443,
				Ports: Ports{UDP: []uint16{3478}, TLS: []uint16{443}}}
			target.give(t)
			var results Results
			results.Run(t.Context(), test.probes...)
			if c := target.Conclude(&results); !slices.Equal(c.Closed, test.closed) ||
				c.Mute != test.mute || c.Verdict != Fails {
				t.Errorf("%+v, want closed %v, mute %v", c, test.closed, test.mute)
			}
		})
	}
}

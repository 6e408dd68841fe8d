package core

import (
	"sync/atomic"
	"time"
)

// Traffic is the data an allocation carried.
type Traffic struct {
	Sent Flow // by its client
	// Received counts data from peers of the open relay. Data from another client counts as that
	// client's Sent.
	Received Flow
}

// Flow counts forwarded payload in bytes, by kind. The first byte shows the kind (RFC 7983). Before
// a call is established there are only checks, and answers from those whom the checks reach.
type Flow struct {
	Checks  uint64    // STUN, and the DTLS handshake
	Answers uint64    // STUN success responses to Binding requests
	Media   uint64    // everything else
	Last    time.Time // packet of any kind, to the second; zero: none yet
	// FirstMedia and LastMedia are zero if there was none; LastMedia is to the second.
	FirstMedia, LastMedia time.Time
}

// counts are the numbers behind a Flow. They are safe for concurrent use.
type counts struct {
	checks, answers, media atomic.Uint64 // bytes
	firstMedia, lastMedia  atomic.Int64  // Unix nanoseconds
}

// count adds a forwarded payload.
func (c *counts) count(now int64, data []byte) {
	size := uint64(len(data))
	switch {
	case len(data) < 2 || data[0] >= 64:
		if c.media.Add(size) == size {
			c.firstMedia.Store(now)
		}
		if now-c.lastMedia.Load() >= int64(time.Second) {
			c.lastMedia.Store(now)
		}
	case data[0] == 1 && data[1] == 1:
		c.answers.Add(size)
	default:
		c.checks.Add(size)
	}
}

func (m *meter) flow() Flow {
	return Flow{
		Checks: m.checks.Load(), Answers: m.answers.Load(), Media: m.media.Load(),
		Last:       moment(m.last.Load()),
		FirstMedia: moment(m.firstMedia.Load()), LastMedia: moment(m.lastMedia.Load()),
	}
}

func moment(nanoseconds int64) time.Time {
	if nanoseconds <= 0 {
		return time.Time{}
	}
	return time.Unix(0, nanoseconds)
}

func (a *allocation) traffic() Traffic { return Traffic{a.sent.flow(), a.received.flow()} }

package core

import (
	"sync/atomic"
	"time"
)

// Traffic is what an allocation carried.
type Traffic struct {
	Sent Flow // by its client
	// Received is what peers of the open relay sent to it. What another client sent is
	// that one's.
	Received Flow
}

// Flow is an amount of data that was forwarded, by what it is: bytes of payload. Which
// is which shows in the first byte (RFC 7983); before a call is made there are only
// checks, and answers to them from whom they reach.
type Flow struct {
	Checks  uint64    // STUN, and DTLS's handshake
	Answers uint64    // STUN success responses to Binding requests
	Media   uint64    // all else
	Last    time.Time // of anything, to the second; zero: nothing yet
	// FirstMedia and LastMedia are zero where there was none; the last is to the second.
	FirstMedia, LastMedia time.Time
}

// counts are the numbers behind a Flow. Any goroutine may use them.
type counts struct {
	checks, answers, media atomic.Uint64 // bytes
	firstMedia, lastMedia  atomic.Int64  // Unix nanoseconds
}

// count counts what was forwarded.
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
		Last: moment(m.last.Load()), FirstMedia: moment(m.firstMedia.Load()), LastMedia: moment(m.lastMedia.Load()),
	}
}

func moment(nanoseconds int64) time.Time {
	if nanoseconds <= 0 {
		return time.Time{}
	}
	return time.Unix(0, nanoseconds)
}

func (a *allocation) traffic() Traffic { return Traffic{a.sent.flow(), a.received.flow()} }

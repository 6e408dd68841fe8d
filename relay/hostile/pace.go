package hostile

import (
	"context"
	"sync"
	"time"
)

// Requests per second, below the limits in docs/relay.md, since this host may have other clients,
// its own watchdog among them.
const (
	unauthenticatedRate = 7  // of 10 per source prefix over UDP
	requestRate         = 40 // of 50 per credential and address
	// A fifth of the ten seconds' worth that may be drawn at once.
	burst = 2 * time.Second
)

// pace limits a rate.
type pace struct {
	interval time.Duration
	mu       sync.Mutex
	next     time.Time
}

func newPace(perSecond int) *pace { return &pace{interval: time.Second / time.Duration(perSecond)} }

// wait returns as soon as one more request may be sent.
func (p *pace) wait(ctx context.Context) error {
	p.mu.Lock()
	if earliest := time.Now().Add(-burst); p.next.Before(earliest) {
		p.next = earliest
	}
	p.next = p.next.Add(p.interval)
	at := p.next
	p.mu.Unlock()
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

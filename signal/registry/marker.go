package registry

import (
	"sync"

	"go.etcd.io/bbolt"

	"praxisrelay/signal/appointment"
)

// marker records used seats after their joins have returned, batching those that arrive during a
// write.
type marker struct {
	db   *bbolt.DB
	wake chan struct{}
	stop chan struct{}
	done chan struct{}
	once sync.Once

	mu      sync.Mutex
	pending []appointment.Lookup
}

func newMarker(db *bbolt.DB) *marker {
	m := &marker{db: db, wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	go m.run()
	return m
}

func (m *marker) mark(l appointment.Lookup) {
	m.mu.Lock()
	m.pending = append(m.pending, l)
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

func (m *marker) run() {
	defer close(m.done)
	for {
		select {
		case <-m.wake:
			m.write()
		case <-m.stop:
			m.write()
			return
		}
	}
}

// write marks pending seats. A failed write is retried at the next join.
func (m *marker) write() {
	m.mu.Lock()
	pending := m.pending
	m.pending = nil
	m.mu.Unlock()
	if len(pending) == 0 {
		return
	}
	_ = m.db.Update(func(tx *bbolt.Tx) error {
		for _, l := range pending {
			a, seat, err := findSeat(tx, l, tx.Bucket(lookupsBucket).Get(l[:]))
			if err != nil || seat.Used {
				continue // revoked or marked in the meantime
			}
			for i := range a.Seats {
				a.Seats[i].Used = a.Seats[i].Used || a.Seats[i].Lookup == l
			}
			if err := putAppointment(tx, a); err != nil {
				return err
			}
		}
		return nil
	})
}

// close writes pending marks and stops the marker.
func (m *marker) close() {
	m.once.Do(func() { close(m.stop) })
	<-m.done
}

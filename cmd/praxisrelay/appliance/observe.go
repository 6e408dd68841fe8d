package appliance

import (
	"praxisrelay/relay/core"
	"praxisrelay/signal/journal"
)

// note turns the relay's events into journal entries. Neither package knows the other.
func (a *Appliance) note(e core.Event) {
	event := journal.Event{
		Seat: e.Seat, Over: e.Client.Transport.String(), Unproven: !e.Proven,
		Address: a.journal.Shown(e.Client.Client.Addr()), Reason: e.Reason,
	}
	switch e.Kind {
	case core.Granted:
		event.Kind = journal.Allocated
	case core.Permitted:
		event.Kind = journal.Permitted
	case core.Refused:
		event.Kind, event.Method, event.Code = journal.Refused, e.Method.String(), int(e.Code)
	case core.Ended:
		event.Kind, event.Traffic = journal.Ended, journalTraffic(e.Traffic)
	}
	a.journal.Note(e.Appointment, event)
}

// Allocations implements signal.Relay.
func (a *Appliance) Allocations(appointment string) (list []journal.Allocation) {
	for _, held := range a.relay.Held(appointment) {
		list = append(list, journal.Allocation{
			Seat: held.Seat, Over: held.Client.Transport.String(),
			Address: a.journal.Shown(held.Client.Client.Addr()),
			Since:   held.Created, Permitted: held.Permitted, Traffic: journalTraffic(held.Traffic),
		})
	}
	return list
}

func journalTraffic(t core.Traffic) journal.Traffic {
	return journal.Traffic{Sent: journal.Flow(t.Sent), Received: journal.Flow(t.Received)}
}

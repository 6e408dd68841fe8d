package seal

// Finding is a receiver's objection to a message.
type Finding string

// The findings. Only with Missing is there a message, and it is right.
//
// Only Altered proves that somebody tampered with it. When a server restarts, messages may
// be lost, and clients repeat those that it had not acknowledged: they come twice, or after
// newer ones. A server that repeats or delays messages on purpose achieves no more than one
// that drops them, since the receiver does not open them again.
const (
	Altered   Finding = "altered"   // does not open in its place
	Replayed  Finding = "replayed"  // number seen before
	Reordered Finding = "reordered" // number was skipped earlier
	Missing   Finding = "missing"   // numbers before it were skipped
)

func (f Finding) Error() string { return "a message was " + string(f) + " on its way" }

// Receiver opens the messages to one client, and detects what happened to them on the way.
type Receiver struct {
	key                      RoomKey
	appointment, seat, epoch string
	progress                 map[string]*progress // by the sender's epoch
}

type progress struct {
	next    uint64
	skipped map[uint64]bool // missing numbers below next
}

// maxSeq is the maximum number of a message: JavaScript cannot hold a larger one exactly.
const maxSeq = 1<<53 - 1

// maxSkipped is how many skipped numbers are remembered per sender.
const maxSkipped = 1024

// NewReceiver returns the receiver of a seat's client.
func NewReceiver(key RoomKey, appointment, seat, epoch string) *Receiver {
	return &Receiver{key, appointment, seat, epoch, map[string]*progress{}}
}

// Open opens a message that claims this sender and number.
func (r *Receiver) Open(from, fromEpoch string, seq uint64, sealed []byte) (plain []byte, finding Finding) {
	plain, err := r.key.Open(Place{
		Appointment: r.appointment,
		From:        from, To: r.seat,
		FromEpoch: fromEpoch, ToEpoch: r.epoch,
		Seq: seq,
	}, sealed)
	if err != nil || seq > maxSeq {
		return nil, Altered
	}
	p := r.progress[fromEpoch]
	if p == nil {
		p = &progress{skipped: map[uint64]bool{}}
		r.progress[fromEpoch] = p
	}
	switch {
	case p.skipped[seq]:
		delete(p.skipped, seq)
		return nil, Reordered
	case seq < p.next:
		return nil, Replayed
	case seq > p.next:
		finding = Missing
		for n := p.next; n < seq && len(p.skipped) < maxSkipped; n++ {
			p.skipped[n] = true
		}
	}
	p.next = seq + 1
	return plain, finding
}

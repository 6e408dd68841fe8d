package seal

// Finding is what a receiver finds wrong with a message, and so with its way.
type Finding string

// The findings. Only with Missing is there a message, and it is right.
const (
	Altered   Finding = "altered"   // does not open for its place
	Replayed  Finding = "replayed"  // its number came before
	Reordered Finding = "reordered" // its number was passed over
	Missing   Finding = "missing"   // numbers before it did not come
)

func (f Finding) Error() string { return "a message was " + string(f) + " on its way" }

// Receiver opens the messages that come to one client, and finds out what was done
// to them on their way.
type Receiver struct {
	key                      RoomKey
	appointment, seat, epoch string
	progress                 map[string]*progress // epoch of the sender -> what came from it
}

type progress struct {
	next   uint64
	passed map[uint64]bool // numbers below next that did not come
}

// maxSeq is the largest number of a message: JavaScript holds no larger one exactly.
const maxSeq = 1<<53 - 1

// maxPassed bounds how many of the numbers that were passed over are remembered.
const maxPassed = 1024

// NewReceiver returns the receiver of a seat's client.
func NewReceiver(key RoomKey, appointment, seat, epoch string) *Receiver {
	return &Receiver{key, appointment, seat, epoch, map[string]*progress{}}
}

// Open opens the message that is said to be the sender's of that number.
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
		p = &progress{passed: map[uint64]bool{}}
		r.progress[fromEpoch] = p
	}
	switch {
	case p.passed[seq]:
		delete(p.passed, seq)
		return nil, Reordered
	case seq < p.next:
		return nil, Replayed
	case seq > p.next:
		finding = Missing
		for n := p.next; n < seq && len(p.passed) < maxPassed; n++ {
			p.passed[n] = true
		}
	}
	p.next = seq + 1
	return plain, finding
}

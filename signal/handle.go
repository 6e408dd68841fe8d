package signal

import (
	"time"

	"praxisrelay/signal/appointment"
	"praxisrelay/signal/journal"
	"praxisrelay/signal/protocol"
)

// handle carries out a frame of a seated client. A frame that comes too early is not taken, and
// wait is how long to hold it before offering it again. A non-nil error ends the session.
func (r *rooms) handle(now time.Time, s *session, frame clientFrame) (wait time.Duration, over *protocol.Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.over != nil {
		return 0, s.over
	}
	if wait := s.paceLocked(now, frame.size); wait > 0 {
		r.metrics.hit(limitFrames)
		return wait, nil
	}
	r.metrics.frames.WithLabelValues(received).Inc()
	if frame.Numbered() {
		switch {
		case frame.N <= s.received:
			return 0, nil // a repetition
		case frame.N != s.received+1:
			r.endLocked(s, protocol.BadRequest, "frames are numbered from 1 and without gaps")
			return 0, s.over
		}
		s.received = frame.N
	}
	switch {
	case s.apart && (frame.Send != nil || frame.Admit != nil || frame.Explain != nil):
		r.endLocked(s, protocol.BadRequest, "a check takes no part in a consultation")
		return 0, s.over
	case frame.Send != nil:
		r.carryLocked(s, *frame.Send)
	case frame.Admit != nil:
		r.admitLocked(s, *frame.Admit)
	case frame.ICE != nil && s.admitted:
		r.deliverICELocked(s)
	case frame.Explain != nil:
		r.explainLocked(s)
	case frame.Ack != nil:
		if !s.forgetLocked(*frame.Ack) {
			r.endLocked(s, protocol.BadRequest, "a frame was acknowledged that was not sent")
		} else if s.link != nil {
			s.link.ack = true
		}
	case frame.Leave != nil:
		r.endLocked(s, protocol.UnknownSession, hungUp)
	}
	if s.received-s.acked >= protocol.AckEvery || frame.Ack != nil {
		s.wakeLocked()
	}
	return 0, s.over
}

// carryLocked delivers a sealed message to the session it was sealed for.
func (r *rooms) carryLocked(s *session, send protocol.Send) {
	to := r.byID[s.appointment].seats[send.To]
	if to == nil || to == s || to.epoch != send.Epoch {
		r.deliverLocked(s, protocol.FromServer{Absent: &protocol.Absent{To: send.To, Epoch: send.Epoch, Seq: send.Seq}})
		return
	}
	r.deliverLocked(to, protocol.FromServer{Message: &protocol.Message{
		From: s.seat, Epoch: s.epoch, Seq: send.Seq, Sealed: send.Sealed,
	}})
}

// admitLocked lets a waiting session in. If it is gone by now, it is let in when it returns to
// wait.
func (r *rooms) admitLocked(s *session, admit protocol.Admit) {
	if s.seat != appointment.Doctor {
		r.endLocked(s, protocol.BadRequest, "the doctor alone lets others in")
		return
	}
	in := r.byID[s.appointment]
	waiting := in.seats[admit.Seat]
	if waiting == nil || waiting.epoch != admit.Epoch || waiting.admitted {
		return
	}
	waiting.admitted = true
	r.noteLocked(waiting, journal.Event{Kind: journal.Admitted})
	r.deliverICELocked(waiting)
	r.tellLocked(in, waiting, protocol.FromServer{Joined: new(waiting.present())})
}

func (r *rooms) deliverICELocked(s *session) {
	ice, err := r.ice(s.holder)
	if err != nil {
		r.endLocked(s, protocol.Unavailable, faulty)
		return
	}
	r.noteLocked(s, journal.Event{Kind: journal.Credential})
	r.deliverLocked(s, protocol.FromServer{ICE: &ice})
}

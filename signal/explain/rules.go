package explain

import (
	"time"

	"praxisrelay/signal/appointment"
	"praxisrelay/signal/journal"
	"praxisrelay/signal/protocol"
)

// patience is how long a step of connecting may take: a browser that reaches the relay has its
// allocations within two seconds, even over TLS through a proxy.
const patience = 10 * time.Second

// fresh is the maximum age of a running call's last media.
const fresh = 15 * time.Second

// silence is how long a connection must have carried nothing before its end suggests a firewall
// that had forgotten it.
const silence = 20 * time.Second

// loop is how many refusals of the same nonce are no coincidence.
const loop = 3

// rules are tried in this order; the first with a verdict decides.
var rules = []func(Case, pair) Verdict{
	revoked, test, healthy, held, absent, otherDevice, notLetIn, unallocated, crowded, unpermitted, silent,
}

func revoked(c Case, p pair) Verdict {
	if c.state() != appointment.Revoked {
		return Verdict{}
	}
	return Verdict{Cause: Revoked, Side: Nobody, At: c.Revoked}
}

// test judges a code for checking a network, whose seat leaves no record.
func test(c Case, p pair) Verdict {
	if !c.Test {
		return Verdict{}
	}
	return Verdict{Cause: Test, Side: Nobody}
}

func healthy(c Case, p pair) Verdict {
	is := func(f journal.Flow) bool { return f.Media > 0 && c.Now.Sub(f.LastMedia) < fresh }
	for _, s := range p.each() {
		if len(s.live) == 0 || !is(s.sent) {
			continue
		}
		if other := p.other(s); is(s.received) || len(other.live) > 0 && is(other.sent) {
			return Verdict{Cause: Healthy, Side: Nobody, At: later(s.sent.FirstMedia, other.sent.FirstMedia)}
		}
	}
	return Verdict{}
}

// held judges a call that ended in order, by which side hung up.
func held(c Case, p pair) Verdict {
	for _, s := range p.each() {
		if s.session == nil && s.left.Reason == journal.HungUp && p.held() {
			return Verdict{Cause: Held, Side: Nobody, Seat: s.name, At: s.left.Latest()}
		}
	}
	return Verdict{}
}

// absent judges seats that are empty now.
func absent(c Case, p pair) Verdict {
	if p.patient.unheard() && p.doctor.unheard() {
		switch c.state() {
		case appointment.Upcoming:
			return Verdict{Cause: Upcoming, Side: Nobody, At: c.Opens}
		case appointment.Over:
			return Verdict{Cause: Closed, Side: Nobody, At: c.Closes}
		}
		return Verdict{Cause: NobodyJoined, Side: Nobody}
	}
	var waits Verdict // for somebody who has not come yet
	for _, s := range p.each() {
		if s.session != nil {
			continue
		}
		v := s.absence()
		if v.Side != Nobody {
			return v
		}
		if waits.Cause == "" || v.Cause != NotJoined {
			waits = v
		}
	}
	return waits
}

// unheard reports whether a seat has never been heard from.
func (s *seat) unheard() bool {
	return s.session == nil && s.joined.IsZero() && s.notJoined.Kind == ""
}

// absence returns the reason why a seat is empty.
func (s *seat) absence() Verdict {
	v := Verdict{Side: Side(s.name), Seat: s.name}
	switch last := later(s.left.Latest(), s.replaced); {
	case s.reissued.After(s.joined) && !s.reissued.Before(s.notJoined.Latest()):
		v.Cause, v.Side, v.At = CodeReplaced, Nobody, s.reissued
	case s.notJoined.Latest().After(last):
		v.At = s.notJoined.Latest()
		switch protocol.Code(s.notJoined.Reason) {
		case protocol.TooEarly:
			v.Cause = TooEarly
		case protocol.Over:
			v.Cause = TooLate
		case protocol.TooOften:
			v.Cause = TooOften
		case protocol.Replaced:
			v.Cause = OtherDevice
		case protocol.Maintenance:
			v.Cause, v.Side = Draining, Appliance
		default: // a fault of the server
			v.Cause, v.Side = SentAway, Appliance
		}
	case s.joined.IsZero():
		v.Cause, v.Side = NotJoined, Nobody
	case s.replaced.After(s.left.Latest()):
		v.Cause, v.At = OtherDevice, s.replaced
	case s.left.Reason == string(protocol.Maintenance):
		v.Cause, v.Side, v.At = Draining, Appliance, s.left.Latest()
	case s.left.Reason == journal.HungUp && !s.replaced.IsZero():
		v.Cause, v.At = OtherDevice, s.replaced
	case s.left.Reason == journal.HungUp:
		v.Cause, v.Side, v.At = GivenUp, Nobody, s.left.Latest()
	default:
		v.Cause, v.At = Lost, s.left.Latest()
	}
	return v
}

// otherDevice judges a seat that another device took over and that got no further.
func otherDevice(c Case, p pair) Verdict {
	for _, s := range p.each() {
		if !s.replaced.IsZero() && s.allocated.Before(s.replaced) {
			return Verdict{Cause: OtherDevice, Side: Side(s.name), Seat: s.name, At: s.replaced}
		}
	}
	return Verdict{}
}

func notLetIn(c Case, p pair) Verdict {
	for _, s := range p.each() {
		if s.session != nil && !s.session.Admitted {
			return Verdict{Cause: NotLetIn, Side: Doctor, Seat: s.name, At: s.joined}
		}
	}
	return Verdict{}
}

// unallocated judges seats without an allocation on the relay.
func unallocated(c Case, p pair) Verdict {
	var found []Verdict
	missing := 0
	for _, s := range p.each() {
		if len(s.live) > 0 {
			continue
		}
		missing++
		if v := s.missing(c.Now, p.ready()); v.Cause != "" {
			found = append(found, v)
		}
	}
	if len(found) == 0 {
		if missing > 0 {
			return Verdict{Cause: NotYet, Side: Nobody}
		}
		return Verdict{}
	}
	if len(found) == 2 && found[0].Cause == Blocked && found[1].Cause == Blocked {
		return Verdict{Cause: AllBlocked, Side: Appliance, At: later(found[0].At, found[1].At)}
	}
	for _, v := range found {
		if v.Cause != Blocked { // a refusal is surer evidence than silence
			return v
		}
	}
	return found[0]
}

// missing returns the reason why a seat has no allocation although both seats have been ready to
// make one; no cause: it may still come.
func (s *seat) missing(now, ready time.Time) Verdict {
	refused := s.refusal(s.allocated, "Allocate")
	switch {
	case refused.Kind != "" && !(refused.Code == 438 && refused.Times < loop):
		return s.judge(refused)
	case s.ended.Kind != "" && !s.ended.Latest().Before(s.allocated):
		return s.judgeEnd()
	case now.Sub(ready) < patience:
		return Verdict{}
	}
	return Verdict{Cause: Blocked, Side: Side(s.name), Seat: s.name, At: ready}
}

// judge interprets a refusal.
func (s *seat) judge(e journal.Event) Verdict {
	v := Verdict{Side: Side(s.name), Seat: s.name, At: e.Latest(), Code: e.Code}
	appliance := func(cause Cause) { v.Cause, v.Side = cause, Appliance }
	switch e.Code {
	case 401:
		switch e.Reason {
		case journal.OldCredential:
			v.Cause = OldCredential
		case journal.Withdrawn:
			v.Cause = Withdrawn
		default:
			appliance(WrongPassword)
		}
	case 438:
		v.Cause = StaleNonce
	case 440:
		appliance(NoFamily)
	case 443:
		appliance(OtherFamily)
	case 486:
		v.Cause = Quota
	case 508:
		switch e.Reason {
		case journal.LimitTotal:
			appliance(Full)
		case journal.LimitNetwork:
			appliance(NetworkFull)
		case journal.LimitPorts:
			appliance(NoPorts)
		case journal.LimitPeers:
			v.Cause = TooManyPeers
		case journal.Draining:
			appliance(Draining)
		default:
			v.Cause = Misasked
		}
	default:
		v.Cause = Misasked
	}
	return v
}

// judgeEnd interprets the end of the last allocation.
func (s *seat) judgeEnd() Verdict {
	v := Verdict{Side: Side(s.name), Seat: s.name, At: s.ended.Latest()}
	carried := s.ended.Traffic.Sent.Last
	switch s.ended.Reason {
	case journal.StreamLost:
		v.Cause = Cut
		last := later(later(carried, s.ended.Traffic.Received.Last), s.allocated)
		if idle := v.At.Sub(last); idle >= silence {
			v.Cause, v.For = IdleCut, idle
		}
	case journal.Expired:
		v.Cause = Vanished
	case journal.MaxSession:
		v.Cause, v.Side = SessionEnd, Appliance
	default:
		v.Cause, v.Side = Released, Nobody
	}
	return v
}

// crowded judges seats that have used up their allocations elsewhere.
func crowded(c Case, p pair) Verdict {
	for _, s := range p.each() {
		if e := s.refusal(s.allocated, "Allocate"); e.Code == 486 {
			return s.judge(e)
		}
	}
	return Verdict{}
}

// unpermitted judges seats whose allocation has no permission for their partner.
func unpermitted(c Case, p pair) Verdict {
	for _, s := range p.each() {
		if s.permitted || s.received.Media > 0 {
			continue
		}
		if refused := s.refusal(s.joined, "ChannelBind", "CreatePermission"); refused.Kind != "" && !refused.Unproven {
			return s.judge(refused)
		}
		if c.Now.Sub(later(p.patient.allocated, p.doctor.allocated)) < patience {
			return Verdict{Cause: NotYet, Side: Nobody}
		}
		return Verdict{Cause: NoPeer, Side: Side(s.name), Seat: s.name, At: s.allocated}
	}
	return Verdict{}
}

// silent judges a call without media although everything is ready.
func silent(c Case, p pair) Verdict {
	ready := later(p.patient.allocated, p.doctor.allocated)
	about := func(cause Cause, s *seat, at time.Time) Verdict {
		return Verdict{Cause: cause, Side: Side(s.name), Seat: s.name, At: at}
	}
	for _, s := range p.each() {
		other := p.other(s)
		switch {
		case s.sends() && other.sends():
			if s.sent.LastMedia.Before(other.sent.LastMedia.Add(-fresh / 3)) {
				return about(Stopped, s, s.sent.LastMedia)
			}
		case other.sends():
			if c.Now.Sub(other.sent.FirstMedia) < patience {
				return Verdict{Cause: NotYet, Side: Nobody}
			}
			if s.sent.Last.IsZero() {
				return about(Mute, s, other.sent.FirstMedia)
			}
			return about(OneWay, s, other.sent.FirstMedia)
		}
	}
	if p.held() {
		return Verdict{Cause: Silent, Side: Nobody, At: later(p.patient.sent.LastMedia, p.doctor.sent.LastMedia)}
	}
	if c.Now.Sub(ready) < patience {
		return Verdict{Cause: NotYet, Side: Nobody}
	}
	for _, s := range p.each() {
		other := p.other(s)
		switch {
		case s.sent.Last.IsZero() && other.sent.Checks > 0:
			return about(Mute, s, s.allocated)
		case s.sent.Checks > 0 && s.sent.Answers == 0 && other.sent.Checks > 0 && other.sent.Answers > 0:
			return about(Deaf, s, s.allocated)
		}
	}
	return Verdict{}
}

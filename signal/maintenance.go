package signal

import "praxisrelay/signal/protocol"

// maintenance returns the reason to refuse a client during maintenance, or nil.
func (s *Server) maintenance(appointment string) *protocol.Error {
	if s.closed == nil {
		return nil
	}
	until, closed := s.closed(appointment)
	if !closed {
		return nil
	}
	failure := &protocol.Error{Code: protocol.Maintenance, Message: "no consultation begins for now: join again later"}
	if !until.IsZero() {
		failure.Until = &until
	}
	return failure
}

// SendAway ends the sessions of appointments that are closed to new consultations: clients would
// wait in vain, so they hear why.
func (s *Server) SendAway() {
	s.rooms.mu.Lock()
	defer s.rooms.mu.Unlock()
	for _, session := range s.rooms.sessions {
		if failure := s.maintenance(session.appointment); failure != nil {
			s.rooms.endWithLocked(session, failure)
		}
	}
}

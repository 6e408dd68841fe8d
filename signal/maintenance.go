package signal

import "praxisrelay/signal/protocol"

// maintenance says, where no consultation may begin, why a client is not let in.
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

// SendAway ends the sessions of appointments in which no consultation may begin any
// more: who waits there would wait for nothing, and is told so.
func (s *Server) SendAway() {
	s.rooms.mu.Lock()
	defer s.rooms.mu.Unlock()
	for _, session := range s.rooms.sessions {
		if failure := s.maintenance(session.appointment); failure != nil {
			s.rooms.endWithLocked(session, failure)
		}
	}
}

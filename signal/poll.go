package signal

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"praxisrelay/signal/front"
	"praxisrelay/signal/protocol"
)

// pollTime is how long a poll without news is held. Proxies give up on an answer after 30 seconds
// or more.
const pollTime = 25 * time.Second

// servePoll handles POST /v1/signal: a session's frames by long polling, for networks that block
// WebSockets. Each poll is a short connection that joins or resumes.
func (s *Server) servePoll(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	// Other sites' pages cannot post this type without a preflight request.
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		http.Error(w, "Content-Type: application/json is expected", http.StatusUnsupportedMediaType)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, protocol.MaxPollFactor*protocol.MaxFrame))
	if err != nil {
		if _, long := errors.AsType[*http.MaxBytesError](err); long {
			http.Error(w, "the body is too long: send fewer frames at once", http.StatusRequestEntityTooLarge)
		}
		return
	}
	frames, err := decodePoll(body, protocol.MaxFrame)
	if err != nil {
		answerPoll(w, nil, badRequest(err.Error()))
		return
	}
	session, texts, failure := s.poll(r, frames)
	if session != nil {
		late := http.NewResponseController(w)
		cut := func() { _ = late.SetWriteDeadline(time.Now()) }
		_ = late.SetWriteDeadline(time.Now().Add(writeTime))
		defer late.SetWriteDeadline(time.Time{}) // the connection may be reused
		defer s.rooms.write(session, cut)()      // answerPoll has flushed by then
	}
	answerPoll(w, texts, failure)
}

// poll handles a client's frames and waits for some to answer with. The session is set if the
// answer holds frames of it.
func (s *Server) poll(r *http.Request, frames []clientFrame) (of *session, texts []json.RawMessage, over *protocol.Error) {
	session, link, failure := s.open(r.Context(), front.ClientAddr(r), overPoll, frames[0].FromClient)
	if failure != nil {
		return nil, nil, failure
	}
	defer func() { s.rooms.detach(s.now(), session, link) }()
	hold := pollTime
	for _, frame := range frames[1:] {
		wait, failure := s.rooms.handle(s.now(), session, frame)
		if failure != nil {
			return nil, nil, failure
		}
		if wait > 0 {
			hold = 0 // the client learns which frames were taken, and resends the rest
			break
		}
	}
	held := time.NewTimer(hold)
	defer held.Stop()
	s.metrics.polls.Inc()
	defer s.metrics.polls.Dec()
	for last := false; ; {
		texts, last, over = s.rooms.take(session, link)
		if last || len(texts) > 0 {
			break
		}
		select {
		case <-link.wake:
			continue
		case <-held.C:
		case <-r.Context().Done():
		case <-s.stopping:
			over = stopping()
		}
		break
	}
	if len(texts) > 0 {
		of = session
	}
	if frames[0].Resume != nil {
		resumed := protocol.FromServer{Resumed: &protocol.Resumed{Received: s.rooms.received(session)}}
		texts = append([]json.RawMessage{encode(resumed)}, texts...)
	}
	return of, texts, over
}

func answerPoll(w http.ResponseWriter, texts []json.RawMessage, over *protocol.Error) {
	status := http.StatusOK
	if over != nil {
		texts = append(texts, encode(protocol.FromServer{Error: over}))
		if over.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(over.RetryAfter))
			w.Header().Set("Connection", "close")
			status = http.StatusTooManyRequests
		}
	}
	// Written without another copy: an answer may wait for a client that does not read.
	const begin, comma, end = `{"frames":[`, `,`, `]}`
	size := len(begin) + max(0, len(texts)-1)*len(comma) + len(end)
	for _, text := range texts {
		size += len(text)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(size))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, begin)
	for i, text := range texts {
		if i > 0 {
			_, _ = io.WriteString(w, comma)
		}
		_, _ = w.Write(text)
	}
	_, _ = io.WriteString(w, end)
	_ = http.NewResponseController(w).Flush()
}

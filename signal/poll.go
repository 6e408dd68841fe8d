package signal

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"praxisrelay/signal/protocol"
)

// pollTime is how long a poll is held while there is nothing to say. Proxies give up
// on an answer after 30 seconds and more.
const pollTime = 25 * time.Second

// servePoll is POST /v1/signal: a session's frames by long polling, for networks that
// let no WebSocket through. Each poll is a short connection that joins or resumes.
func (s *Server) servePoll(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	// Other sites' pages cannot post this type without asking first.
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		http.Error(w, "Content-Type: application/json is expected", http.StatusUnsupportedMediaType)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(protocol.MaxPollFactor*s.info.MaxMessage)))
	if err != nil {
		if _, long := errors.AsType[*http.MaxBytesError](err); long {
			http.Error(w, "the body is too long: send fewer frames at once", http.StatusRequestEntityTooLarge)
		}
		return
	}
	frames, err := decodePoll(body, s.info.MaxMessage)
	if err != nil {
		answerPoll(w, nil, badRequest(err.Error()))
		return
	}
	texts, failure := s.poll(r, frames)
	answerPoll(w, texts, failure)
}

// poll handles a client's frames and waits for some to answer with.
func (s *Server) poll(r *http.Request, frames []protocol.FromClient) (texts []json.RawMessage, over *protocol.Error) {
	session, link, failure := s.open(r.Context(), clientAddr(r), overPoll, frames[0])
	if failure != nil {
		return nil, failure
	}
	defer func() { s.rooms.detach(s.now(), session, link) }()
	hold := pollTime
	for _, frame := range frames[1:] {
		wait, failure := s.rooms.handle(s.now(), session, frame)
		if failure != nil {
			return nil, failure
		}
		if wait > 0 {
			hold = 0 // the client is told what was taken, and says the others again
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
	if frames[0].Resume != nil {
		resumed := protocol.FromServer{Resumed: &protocol.Resumed{Received: s.rooms.received(session)}}
		texts = append([]json.RawMessage{encode(resumed)}, texts...)
	}
	return texts, over
}

func answerPoll(w http.ResponseWriter, texts []json.RawMessage, over *protocol.Error) {
	status := http.StatusOK
	if over != nil {
		texts = append(texts, encode(protocol.FromServer{Error: over}))
		if over.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(over.RetryAfter))
			status = http.StatusTooManyRequests
		}
	}
	if texts == nil {
		texts = []json.RawMessage{}
	}
	answer(w, status, struct {
		Frames []json.RawMessage `json:"frames"`
	}{texts})
}

package signal

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/net/idna"

	"praxisrelay/signal/front"
	"praxisrelay/signal/protocol"
)

const (
	// joinTime is how long a client may take to send its first frame.
	joinTime = 10 * time.Second
	// maxFirst bounds that frame, a join or a resume, in bytes: nobody is accountable yet for the
	// memory it takes.
	maxFirst = 4 << 10
	// silentTime is how long a connection may go without a heartbeat before it counts as dead.
	silentTime = 60 * time.Second
	// writeTime is how long sending a frame may take.
	writeTime = 10 * time.Second
)

// serveSocket handles GET /v1/signal: a session's frames over a WebSocket.
func (s *Server) serveSocket(w http.ResponseWriter, r *http.Request) {
	if !s.ownPage(r) {
		s.metrics.socketRefused(refusedOrigin)
		s.log.Warn("a WebSocket of another site's page is refused", "network", front.ClientAddr(r))
		http.Error(w, "this WebSocket comes from a page of another site: open the appliance's own page under "+s.info.URL, http.StatusForbidden)
		return
	}
	socket, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols:       []string{protocol.Subprotocol},
		CompressionMode:    websocket.CompressionDisabled, // sealed messages do not compress
		InsecureSkipVerify: true,                          // ownPage has checked the Origin
	})
	if err != nil {
		s.metrics.socketRefused(refusedUpgrade)
		return // Accept has answered
	}
	defer socket.CloseNow()
	if socket.Subprotocol() != protocol.Subprotocol {
		s.metrics.socketRefused(refusedSubprotocol)
		socket.Close(websocket.StatusPolicyViolation, "the subprotocol "+protocol.Subprotocol+" is required")
		return
	}
	r.Header = nil // else it lives as long as the session, as large as the client made it
	socket.SetReadLimit(maxFirst)
	// The context outlives converse: canceling a read closes the socket, and the client would not
	// learn why its session ended.
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	if failure := s.converse(ctx, socket, r); failure != nil {
		if write(ctx, socket, encode(protocol.FromServer{Error: failure})) == nil {
			socket.Close(websocket.StatusPolicyViolation, string(failure.Code))
		}
	}
}

// ownPage reports whether a WebSocket comes from the appliance's page or from no page: other sites
// must not guess codes from their visitors' networks. A proxy may have rewritten Host, but not
// Origin.
func (s *Server) ownPage(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	page, err := url.Parse(origin)
	if err != nil || page.Host == "" {
		return false
	}
	asked := url.URL{Host: r.Host}
	return sameName(page.Hostname(), s.info.Name) ||
		sameName(page.Hostname(), asked.Hostname()) && cmp.Or(page.Port(), "443") == cmp.Or(asked.Port(), "443")
}

// sameName reports whether two names are equal in DNS.
func sameName(a, b string) bool { return dnsName(a) == dnsName(b) }

func dnsName(name string) string {
	name = strings.TrimSuffix(name, ".")
	if ascii, err := idna.Lookup.ToASCII(name); err == nil {
		return ascii
	}
	return strings.ToLower(name) // such as an address
}

// converse carries a session's frames until the connection ends. It returns why the
// session is over, or nil when it may be resumed.
func (s *Server) converse(ctx context.Context, socket *websocket.Conn, r *http.Request) *protocol.Error {
	frame, _, failure := s.read(ctx, socket, joinTime)
	if failure != nil || frame == nil {
		return failure
	}
	session, link, failure := s.open(ctx, front.ClientAddr(r), overSocket, frame.FromClient)
	if failure != nil || link == nil {
		return failure
	}
	socket.SetReadLimit(protocol.MaxFrame)
	defer func() { s.rooms.detach(s.now(), session, link) }()
	if frame.Resume != nil {
		resumed := protocol.FromServer{Resumed: &protocol.Resumed{Received: s.rooms.received(session)}}
		if write(ctx, socket, encode(resumed)) != nil {
			return nil
		}
	}
	reading := make(chan *protocol.Error, 1)
	go func() { reading <- s.readSession(ctx, socket, session) }()
	for {
		texts, last, over := s.rooms.take(session, link)
		if len(texts) > 0 {
			if s.writeAll(ctx, socket, session, texts) != nil {
				return nil
			}
			continue
		}
		if last {
			return over
		}
		select {
		case <-link.wake:
		case failure := <-reading:
			return failure
		case <-s.stopping:
			return stopping()
		}
	}
}

// writeAll writes a batch of a session's frames.
func (s *Server) writeAll(ctx context.Context, socket *websocket.Conn, session *session, texts []json.RawMessage) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer s.rooms.write(session, cancel)()
	for _, text := range texts {
		if err := write(ctx, socket, text); err != nil {
			return err
		}
	}
	return nil
}

// readSession takes frames from a seated client until it disconnects or misbehaves.
func (s *Server) readSession(ctx context.Context, socket *websocket.Conn, session *session) *protocol.Error {
	for {
		frame, going, failure := s.read(ctx, socket, silentTime)
		switch {
		case failure != nil:
			s.rooms.end(session, failure.Code, failure.Message)
			return failure
		case going:
			s.rooms.going(session)
			return nil
		case frame == nil:
			return nil
		case frame.Join != nil || frame.Resume != nil:
			s.rooms.end(session, protocol.BadRequest, joinedTwice)
			return badRequest(joinedTwice)
		}
		for {
			wait, failure := s.rooms.handle(s.now(), session, *frame)
			if failure != nil {
				return failure
			}
			if wait == 0 {
				break
			}
			// Nothing is read meanwhile, which slows the client down.
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return nil
			}
		}
	}
}

const joinedTwice = "a join or a resume comes first, and once"

// read returns the next frame, or nil if the client is gone, and reports whether the client said
// that its window is closing, as browsers do (RFC 6455, section 7.4.1).
func (s *Server) read(ctx context.Context, socket *websocket.Conn, within time.Duration) (frame *clientFrame, going bool, failure *protocol.Error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	kind, text, err := socket.Read(ctx)
	switch {
	case errors.Is(err, websocket.ErrMessageTooBig):
		return nil, false, badRequest(fmt.Sprintf("a frame has at most %d bytes, a first one %d", protocol.MaxFrame, maxFirst))
	case err != nil:
		return nil, websocket.CloseStatus(err) == websocket.StatusGoingAway, nil
	case kind != websocket.MessageText:
		return nil, false, badRequest("frames are text")
	}
	decoded, err := decodeFrame(text)
	if err != nil {
		return nil, false, badRequest(err.Error())
	}
	return &decoded, false, nil
}

func write(ctx context.Context, socket *websocket.Conn, text json.RawMessage) error {
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	return socket.Write(ctx, websocket.MessageText, text)
}

package signal

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"praxisrelay/signal/client"
	"praxisrelay/signal/protocol"
	"praxisrelay/signal/seal"
)

// TestATamperingServerIsFoundOut: what a server may do to three messages on their way
// between two clients, and what the receiver says of each that comes.
func TestATamperingServerIsFoundOut(t *testing.T) {
	elsewhere := seal.NewRoomKey().Seal(seal.Place{Appointment: "another"}, []byte("1"))
	for name, test := range map[string]struct {
		tamper func(m []protocol.Message) []protocol.Message
		want   []seal.Finding
	}{
		"nothing":   {func(m []protocol.Message) []protocol.Message { return m }, []seal.Finding{"", "", ""}},
		"reordered": {func(m []protocol.Message) []protocol.Message { return []protocol.Message{m[1], m[0], m[2]} }, []seal.Finding{seal.Missing, seal.Reordered, ""}},
		"replayed":  {func(m []protocol.Message) []protocol.Message { return []protocol.Message{m[0], m[0], m[1]} }, []seal.Finding{"", seal.Replayed, ""}},
		"omitted":   {func(m []protocol.Message) []protocol.Message { return []protocol.Message{m[0], m[2]} }, []seal.Finding{"", seal.Missing}},
		"swapped": {func(m []protocol.Message) []protocol.Message {
			m[0].Sealed, m[1].Sealed = m[1].Sealed, m[0].Sealed
			return m
		}, []seal.Finding{seal.Altered, seal.Altered, seal.Missing}},
		"of another appointment": {func(m []protocol.Message) []protocol.Message {
			m[1].Sealed = elsewhere
			return m
		}, []seal.Finding{"", seal.Altered, seal.Missing}},
		"as if from another session": {func(m []protocol.Message) []protocol.Message {
			m[1].Epoch = seal.NewEpoch()
			return m
		}, []seal.Finding{"", seal.Altered, seal.Missing}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			_, doctorKeys, patientKeys := l.seats(day)
			doctor := l.join(doctorKeys)
			proxy := l.tampering(t, len(test.want), test.tamper)
			patient := l.joinWith(client.Dialer{HTTP: proxy.Client(), Server: proxy.URL}, patientKeys)
			partner := *next(t, doctor).Joined
			next(t, patient) // the doctor is there
			for i := range 3 {
				if err := doctor.Send(partner, fmt.Append(nil, i)); err != nil {
					t.Fatal(err)
				}
			}
			var found []seal.Finding
			for range test.want {
				m := next(t, patient).Message
				usable := m.Finding == "" || m.Finding == seal.Missing
				if usable && string(m.Plain) != fmt.Sprint(m.Seq) || !usable && m.Plain != nil {
					t.Errorf("message %d is %q, %s", m.Seq, m.Plain, m.Finding)
				}
				found = append(found, m.Finding)
			}
			if !slices.Equal(found, test.want) {
				t.Errorf("found %q, want %q", found, test.want)
			}
			patient.Close()
			doctor.Close()
		})
	}
}

// tampering is a server between: of the first three messages to a client it makes others,
// count of them, in frames that are numbered as they should be.
func (l *lab) tampering(t *testing.T, count int, tamper func([]protocol.Message) []protocol.Message) *httptest.Server {
	proxy := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		here, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{protocol.Subprotocol}})
		if err != nil {
			return
		}
		defer here.CloseNow()
		there := l.dial(t)
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		go func() {
			defer cancel()
			for {
				kind, text, err := here.Read(ctx)
				if err != nil || there.Write(ctx, kind, text) != nil {
					return
				}
			}
		}()
		var messages []protocol.Message
		var first uint64
		for {
			var frame protocol.FromServer
			if wsjson.Read(ctx, there, &frame) != nil {
				return
			}
			out := []protocol.FromServer{frame}
			if frame.Message != nil && len(messages) < 3 {
				if messages = append(messages, *frame.Message); len(messages) == 1 {
					first = frame.N
				}
				out = nil
				if len(messages) == 3 {
					for i, m := range tamper(slices.Clone(messages))[:count] {
						out = append(out, protocol.FromServer{N: first + uint64(i), Message: &m})
					}
				}
			}
			for _, frame := range out {
				if wsjson.Write(ctx, here, frame) != nil {
					return
				}
			}
		}
	}))
	t.Cleanup(proxy.Close)
	return proxy
}

package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"praxisrelay/signal/code"
	"praxisrelay/signal/protocol"
)

// TestWhatWasNotTakenIsSaidAgain while another poll is held: frames that come too fast are refused,
// and polls may overtake each other.
func TestWhatWasNotTakenIsSaidAgain(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	held, taken := make(chan struct{}), make(chan struct{})
	var silent, said atomic.Int32
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var poll protocol.Poll
		if err := json.NewDecoder(r.Body).Decode(&poll); err != nil {
			t.Error(err)
		}
		var resumed protocol.Resumed
		switch {
		case len(poll.Frames) > 1:
			if said.Add(1) == 2 {
				resumed.Received = 1
				close(taken)
			}
		case silent.Add(1) == 2: // the first is answered at once
			close(held)
			<-ctx.Done()
		}
		_ = json.NewEncoder(w).Encode(protocol.Polled{Frames: []protocol.FromServer{{Resumed: &resumed}}})
	}))
	defer server.Close()
	s := newSession(Dialer{HTTP: server.Client(), Server: server.URL}, code.Keys{})
	s.token = "a session"
	ended := make(chan error, 1)
	go func() {
		_, err := s.overPolls(ctx)
		ended <- err
	}()
	select {
	case <-held:
	case err := <-ended:
		t.Fatal(err)
	}
	s.RenewICE()
	select {
	case <-taken:
	case <-ctx.Done():
		t.Error("it waits for the poll that is held")
	}
	cancel()
	<-ended
}

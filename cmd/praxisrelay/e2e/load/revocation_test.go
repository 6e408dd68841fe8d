package load

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pion/turn/v4"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/signal/client"
	"praxisrelay/signal/protocol"
)

// TestRevocationTakesLessThanASecond checks that allocations end, streams are closed, both seats
// are informed, and the credentials stop working.
func TestRevocationTakesLessThanASecond(t *testing.T) {
	s := apptest.StartServe(t, nil)
	// Each returns the start of its measurement: starting a program is not the relay's time.
	for name, revoke := range map[string]func(id string) (time.Time, error){
		"the admin socket": func(id string) (time.Time, error) { return time.Now(), s.Admin.Revoke(t.Context(), id) },
		"the command": func(id string) (time.Time, error) {
			_, stderr, err := apptest.Run(t, "code", "revoke", "--socket", s.Socket, id)
			if err != nil {
				err = fmt.Errorf("%w: %s", err, stderr)
			}
			return time.Now(), err
		},
	} {
		t.Run(name, func(t *testing.T) { testRevocation(t, s, revoke) })
	}
}

func testRevocation(t *testing.T, s *apptest.Served, revoke func(id string) (time.Time, error)) {
	created := s.Appoint(t, time.Now(), time.Now().Add(time.Hour))
	type seat struct {
		session *client.Session
		streams []*apptest.EndedConn
		udp     *turn.Client
		relayed net.Addr
	}
	var seats []seat
	sessions, servers := s.Join(t, created.Seats)
	for i, session := range sessions {
		ice := servers[i]
		overUDP, _ := apptest.TURNClient(t, ice, "udp")
		var streams []*apptest.EndedConn
		for _, transport := range []string{"tcp", "tls"} {
			overStream, stream := apptest.TURNClient(t, ice, transport)
			if _, err := overStream.Allocate(); err != nil {
				t.Fatal(err)
			}
			streams = append(streams, stream.(*apptest.EndedConn))
		}
		relayed, err := overUDP.Allocate()
		if err != nil {
			t.Fatal(err)
		}
		seats = append(seats, seat{session, streams, overUDP, relayed.LocalAddr()})
	}
	began, err := revoke(created.ID)
	if err != nil {
		t.Fatal(err)
	}
	for i, seat := range seats {
		for _, stream := range seat.streams {
			select {
			case <-stream.Ended:
			case <-time.After(5 * time.Second):
				t.Fatalf("seat %d: the stream is still open", i)
			}
		}
		for {
			if _, err = seat.session.Receive(t.Context()); err != nil {
				break
			}
		}
		if refused := new(protocol.Error); !errors.As(err, &refused) || refused.Code != "revoked" {
			t.Errorf("seat %d got %v", i, err)
		}
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %v", took)
	} else {
		t.Logf("it took %v", took)
	}
	again, _ := apptest.TURNClient(t, servers[0], "udp")
	if _, err := again.Allocate(); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("Allocate with a revoked credential: %v, want 401", err)
	}
	// A permission needs an allocation, which is gone.
	if err := seats[0].udp.CreatePermission(seats[1].relayed); err == nil {
		t.Error("an allocation outlived its revocation")
	}
}

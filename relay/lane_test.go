package relay

import (
	"bytes"
	"context"
	"net"
	"testing"
	"time"

	"github.com/pion/stun/v3"

	"praxisrelay/relay/core"
)

// TestMediaDoesNotWaitForRequests: media passes while the relay's lock is held and requests pile
// up.
func TestMediaDoesNotWaitForRequests(t *testing.T) {
	l := newLab(t, loopback)
	a, b := l.wire(core.UDP, "x", "doctor").allocate(), l.wire(core.UDP, "x", "patient").allocate()
	for _, w := range []*wire{a, b} {
		other := a
		if w == a {
			other = b
		}
		if code := w.code(stun.MethodChannelBind, number(0x4000), peerAddr(other.relayed)); code != 0 {
			t.Fatal(code)
		}
	}
	stranger, err := net.Dial("udp", l.Addresses().UDP[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	for range 2 * laneLength {
		if _, err := stranger.Write(stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw); err != nil {
			t.Fatal(err)
		}
	}
	want := channelData(0x4000, "a frame")
	a.send(want)
	if got := b.receive(); !bytes.Equal(got, want[:len(got)]) || len(got) < 11 {
		t.Errorf("got %q", got)
	}
}

// TestShutdownWhileAllocationsArrive: allocations made during shutdown are closed too.
func TestShutdownWhileAllocationsArrive(t *testing.T) {
	l := newLabWith(t, loopback, openRelay())
	r, err := Listen(l.options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- r.Serve(ctx) }()
	var clients []*wire
	for range 20 {
		w := (&lab{T: t, Relay: r, keys: l.keys, options: l.options}).wire(core.UDP, "a", "doctor")
		clients = append(clients, w)
		w.build(stun.MethodAllocate, udpTransport) // gets the nonce
	}
	r.mu.Lock()
	for _, w := range clients {
		w.send(w.build(stun.MethodAllocate, udpTransport).Raw)
	}
	cancel()
	time.AfterFunc(100*time.Millisecond, r.mu.Unlock) // by then Serve waits for the lock, after one of them
	select {
	case err := <-served:
		if free, all := r.Ports(); err != nil || free != all {
			t.Errorf("%v; %d of %d ports are free", err, free, all)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it does not end")
	}
}

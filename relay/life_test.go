package relay

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"runtime/debug"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/stun/v3"

	"praxisrelay/config"
	"praxisrelay/config/network/shares"
	"praxisrelay/relay/core"
)

// tcpPipe is an end of a net.Pipe with TCP addresses.
type tcpPipe struct{ net.Conn }

func (tcpPipe) LocalAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 3478} }
func (tcpPipe) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(203, 0, 113, 7), Port: 40000}
}

// TestSilentStreamsEnd: after ten seconds without a first message, thirty seconds after the last
// one, and never while they hold an allocation.
func TestSilentStreamsEnd(t *testing.T) {
	options := newLab(t, loopback).options
	synctest.Test(t, func(t *testing.T) {
		options.Now = time.Now
		r, err := Listen(options)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		began := time.Now()
		connect := func() (w *wire, ended chan time.Duration) {
			client, server := net.Pipe()
			ended = make(chan time.Duration, 1)
			go func() {
				r.serveStream(tcpPipe{server}, core.TCP, nil)
				ended <- time.Since(began)
			}()
			l := &lab{T: t, Relay: r, keys: options.Keys, options: options}
			w = &wire{lab: l, Conn: client, transport: core.TCP}
			w.reader = bufio.NewReader(client)
			if w.credential, err = options.Keys.Mint(identity("a", "doctor", began.Add(time.Hour))); err != nil {
				t.Fatal(err)
			}
			return w, ended
		}
		_, mute := connect()
		asker, asked := connect()
		asker.quiet()
		holder, held := connect()
		holder.allocate()
		for name, end := range map[string]struct {
			ended chan time.Duration
			want  time.Duration
		}{"without a message": {mute, firstMessageTime}, "after a message": {asked, idleTime}} {
			if got := <-end.ended; got != end.want {
				t.Errorf("a connection %s ended after %v, want %v", name, got, end.want)
			}
		}
		time.Sleep(core.DefaultLifetime - time.Second - time.Since(began))
		synctest.Wait()
		select {
		case after := <-held:
			t.Fatalf("a connection with an allocation ended after %v", after)
		default:
		}
		holder.quiet()
		time.Sleep(time.Second)
		r.mu.Lock()
		r.core.Sweep(time.Now())
		r.mu.Unlock()
		if got, want := <-held, core.DefaultLifetime-time.Second+idleTime; got != want {
			t.Errorf("a connection that lost its allocation ended after %v, want %v", got, want)
		}
	})
}

// TestShutdownClosesEverySocket, even if one is already closed.
func TestShutdownClosesEverySocket(t *testing.T) {
	listen := config.Listen{
		HTTPS: "127.0.0.1:0", TURNUDP: []string{"127.0.0.1:0", "127.0.0.1:0", "[::1]:0"},
		TURNTCP: []string{"127.0.0.1:0", "127.0.0.1:0"}, TURNTLS: []string{"127.0.0.1:0", "127.0.0.1:0"},
	}
	options := newLabWith(t, listen, openRelay()).options
	r, err := Listen(options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	served := make(chan error)
	go func() { served <- r.Serve(ctx) }()
	l := &lab{T: t, Relay: r, keys: options.Keys, options: options}
	var clients []*wire
	var relayed []netip.AddrPort
	for _, transport := range []core.Transport{core.TCP, core.TLS} {
		w := l.wire(transport, "a", "doctor").allocate()
		clients, relayed = append(clients, w), append(relayed, w.relayed)
	}
	addresses := r.Addresses()
	r.udp[0].conn.Close()
	select {
	case <-served:
	case <-time.After(10 * time.Second):
		t.Fatal("it does not end")
	}
	for _, w := range clients {
		if !gone(t, w.Conn) {
			t.Errorf("%v: a connection is open", w.transport)
		}
	}
	for _, address := range slices.Concat(addresses.UDP, relayed) {
		conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(address))
		if err != nil {
			t.Error(err)
			continue
		}
		conn.Close()
	}
	for _, address := range slices.Concat(addresses.TCP, addresses.TLS, []netip.AddrPort{addresses.HTTPS}) {
		listener, err := net.Listen("tcp", address.String())
		if err != nil {
			t.Error(err)
			continue
		}
		listener.Close()
	}
}

// TestPacketsCostNoMemory on their whole path: the core, a stream's queue, the system calls.
func TestPacketsCostNoMemory(t *testing.T) {
	l := newLabWith(t, loopback, func(_ *config.Listen, r *config.Relay) { r.AllocationRate, r.TotalRate = 0, 0 })
	const size = 16
	limit := 0.0
	if info, ok := debug.ReadBuildInfo(); ok &&
		slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		limit = size / 2 // the race detector makes pools drop a quarter
	}
	for _, transport := range allTransports {
		sender := l.wire(core.UDP, "a-"+transport.String(), "doctor").allocate()
		receiver := l.wire(transport, "a-"+transport.String(), "patient").allocate()
		sender.bind(receiver)
		receiver.bind(sender)
		client := sender.tuple()
		_ = receiver.SetReadDeadline(time.Time{})
		read := make(chan struct{})
		go func() {
			defer close(read)
			b := make([]byte, 1<<16)
			for {
				if _, err := receiver.Read(b); err != nil {
					return
				}
			}
		}()
		media := channelData(0x4000, string(make([]byte, 200)))
		in, out, scratch := make([]packet, size), make([]packet, 0, size), buffers(size, core.MaxOutput)
		data := buffers(size, len(media))
		forward := func() {
			for i := range in {
				copy(data[i], media) // the relay rewrites it
				in[i] = packet{client, data[i]}
			}
			l.process(in, scratch, out)
		}
		for range 4 * queueLength / size { // fill the pools with as much as a queue may hold
			forward()
		}
		allocations := testing.AllocsPerRun(1000, forward)
		if allocations > limit {
			t.Errorf("to %v: %d packets cost %v allocations", transport, size, allocations)
		}
		receiver.Close()
		<-read
	}
}

// small shrinks the kernel's buffers of a connection.
func small(t *testing.T, conn net.Conn) {
	t.Helper()
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn()
	}
	if bounded, ok := conn.(*boundedConn); ok {
		conn = bounded.Conn
	}
	if counted, ok := conn.(shares.Counted); ok {
		conn = counted.Conn
	}
	tcp := conn.(*net.TCPConn)
	if err := errors.Join(tcp.SetReadBuffer(64<<10), tcp.SetWriteBuffer(64<<10)); err != nil {
		t.Fatal(err)
	}
}

// TestSlowReaderLosesTheOldestMedia: a late reader gets the latest media, and every answer.
func TestSlowReaderLosesTheOldestMedia(t *testing.T) {
	for _, transport := range []core.Transport{core.TCP, core.TLS} {
		l := newLabWith(t, loopback, inquisitive(func(_ *config.Listen, r *config.Relay) {
			r.AllocationRate, r.TotalRate = 0, 0
		}))
		sender := l.wire(core.UDP, "a", "doctor").allocate()
		slow := l.wire(transport, "a", "patient").allocate()
		sender.bind(slow)
		slow.bind(sender)
		reader, _ := l.streams.Load(slow.tuple().Conn)
		small(t, slow.Conn)
		small(t, reader.conn)
		sent := uint32(0)
		send := func(count int) {
			for range count {
				payload := make([]byte, 1400)
				binary.BigEndian.PutUint32(payload, sent)
				sender.send(channelData(0x4000, string(payload)))
				sent++
			}
			sender.quiet() // as fast as the relay takes it
		}
		waiting := func() (frames, answers int) {
			reader.queue.mu.Lock()
			defer reader.queue.mu.Unlock()
			for _, f := range reader.queue.frames {
				if f.data[0]&0xC0 == 0 { // STUN
					answers++
				}
			}
			return len(reader.queue.frames), answers
		}
		fill := func() {
			full := 0 // consecutive times that some were dropped
			for deadline := time.Now().Add(10 * time.Second); full < 4; send(32) {
				if frames, _ := waiting(); frames < queueLength {
					full = 0
				} else {
					full++
				}
				if time.Now().After(deadline) {
					t.Fatal("the queue is never full")
				}
			}
		}
		// Until an answer waits among the media. The kernel may still take some first.
		unanswered := map[[stun.TransactionIDSize]byte]bool{}
		for waits := 0; waits == 0; {
			fill()
			probe := stun.MustBuild(stun.TransactionID, stun.BindingRequest)
			unanswered[probe.TransactionID] = true
			slow.send(probe.Raw)
			until(t, func() bool {
				frames, answers := waiting()
				waits = answers
				return answers > 0 || frames < queueLength
			})
		}
		for range 8 {
			send(32)
		}
		next, gaps := uint32(0), 0
		for next != sent || len(unanswered) > 0 {
			b := slow.receive()
			if b[0]&0xC0 == 0 {
				delete(unanswered, [stun.TransactionIDSize]byte(b[8:20]))
				continue
			}
			got := binary.BigEndian.Uint32(b[4:])
			if got < next {
				t.Fatalf("%v: packet %d came after %d", transport, got, next)
			}
			if got > next {
				gaps++
				t.Logf("%v: of %d packets %d to %d were dropped", transport, sent, next, got-1)
			}
			next = got + 1
		}
		if gaps == 0 {
			t.Errorf("%v: nothing was dropped", transport)
		}
	}
}

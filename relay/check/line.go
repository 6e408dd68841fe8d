package check

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/pion/logging"
	"github.com/pion/transport/v4/stdnet"
	"github.com/pion/turn/v4"
)

// Line is an allocation on one way. Packets sent to its relayed address come back.
type Line struct {
	Way     Way
	Relayed net.PacketConn // its LocalAddr is the relayed address
	socket  net.Conn       // nil over UDP
	packets net.PacketConn
	client  *turn.Client
}

// Open makes an allocation on a way. It gives up when ctx is done.
func (t *Target) Open(ctx context.Context, w Way) (_ *Line, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	line := &Line{Way: w}
	// The client's own idea of the server, unused over streams.
	server := netip.AddrPortFrom(netip.IPv4Unspecified(), w.Port)
	if w.Transport == UDP {
		t.mu.Lock()
		server = t.answering[w.Port]
		t.mu.Unlock()
		if !server.IsValid() {
			return nil, fail(NoAddress, "no address answers on %s", w)
		}
		if line.packets, err = net.ListenPacket("udp", ""); err != nil {
			return nil, err
		}
	} else {
		if line.socket, err = t.dialWay(ctx, w); err != nil {
			return nil, err
		}
		line.packets = turn.NewSTUNConn(line.socket)
	}
	interfaces, err := stdnet.NewNet()
	if err == nil {
		line.client, err = turn.NewClient(&turn.ClientConfig{
			TURNServerAddr: server.String(), Conn: line.packets, Net: resolved{interfaces, server},
			Username: t.Username, Password: t.Password, LoggerFactory: quiet,
		})
	}
	if err == nil {
		err = line.client.Listen()
	}
	if err != nil {
		line.packets.Close()
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() {
		line.client.Close() // ends the wait for an answer
		line.packets.Close()
	})
	line.Relayed, err = line.client.Allocate()
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		line.client.Close()
		line.packets.Close()
		return nil, refusal(ctx, err)
	}
	return line, nil
}

var errorCode = regexp.MustCompile(`error (4\d\d|5\d\d)`)

// refusal returns an error that distinguishes an error answered by the relay from no answer.
func refusal(ctx context.Context, err error) error {
	if code := errorCode.FindStringSubmatch(err.Error()); code != nil {
		return fail(RelayRefused, "the relay answered %s", code[1])
	}
	if ctx.Err() != nil {
		return Failure{Silence, fmt.Errorf("the relay does not answer: %w", ctx.Err())}
	}
	return Failure{Silence, fmt.Errorf("the relay does not answer: %w", err)}
}

// Close releases the allocation.
func (l *Line) Close() {
	_ = l.Relayed.Close() // sends the relay a Refresh with lifetime zero
	l.client.Close()
	l.packets.Close()
}

// resolved is a network in which the client finds the server's known address, of either family.
type resolved struct {
	*stdnet.Net
	server netip.AddrPort
}

func (r resolved) ResolveUDPAddr(string, string) (*net.UDPAddr, error) {
	return net.UDPAddrFromAddrPort(r.server), nil
}

// quiet logs nothing: the probe reports failures.
var quiet = &logging.DefaultLoggerFactory{DefaultLogLevel: logging.LogLevelDisabled}

// Load is the traffic to send over a line: Packets of Size bytes, one every Interval.
type Load struct {
	Packets, Size int
	Interval      time.Duration
}

// Call makes an allocation on a way, sends a load through it, and releases it. It is an error if
// nothing comes back; losing some packets is not.
func (t *Target) Call(ctx context.Context, w Way, load Load) (m Measured, err error) {
	began := time.Now()
	line, err := t.Open(ctx, w)
	if err != nil {
		return m, err
	}
	defer line.Close()
	allocated := time.Since(began)
	m, err = line.Measure(ctx, load)
	m.Allocated = allocated
	if m.Received == 0 {
		if err == nil {
			err = errors.New("an allocation was made, but no packet came back through it")
		}
		err = Failure{NoEcho, err}
	}
	return m, err
}

// header is a packet's number and its send time.
const header = 4 + 8

// Measured is the result of sending a load.
type Measured struct {
	Allocated      time.Duration // how long [Target.Call] took for the allocation
	Sent, Received int
	Bytes          int           // received back
	RTT            time.Duration // the median
	Fastest        time.Duration
	// Jitter is RFC 3550's interarrival jitter (section 6.4.1), for the round trip.
	Jitter time.Duration
	Took   time.Duration // from sending the first packet to receiving the last
}

// Loss is the share of packets that did not come back, in percent.
func (m Measured) Loss() float64 {
	if m.Sent == 0 {
		return 100
	}
	return 100 * float64(m.Sent-m.Received) / float64(m.Sent)
}

// lateTime is how long to wait for the last packets.
const lateTime = 2 * time.Second

// Measure sends a load to the line's own relayed address and receives what comes back.
func (l *Line) Measure(ctx context.Context, load Load) (Measured, error) {
	began := time.Now()
	var m Measured
	done := make(chan struct{})
	_ = l.Relayed.SetReadDeadline(time.Time{})
	defer context.AfterFunc(ctx, func() { _ = l.Relayed.SetReadDeadline(time.Unix(1, 0)) })()
	var times []time.Duration
	var received sync.WaitGroup
	received.Go(func() {
		defer close(done)
		seen := make([]bool, load.Packets)
		buffer := make([]byte, 2048)
		var before time.Duration
		for len(times) < load.Packets {
			n, _, err := l.Relayed.ReadFrom(buffer)
			if err != nil {
				return
			}
			if n != load.Size {
				continue
			}
			number := binary.BigEndian.Uint32(buffer)
			if int(number) >= load.Packets || seen[number] {
				continue
			}
			seen[number] = true
			m.Took = time.Since(began)
			rtt := m.Took - time.Duration(binary.BigEndian.Uint64(buffer[4:]))
			if len(times) > 0 {
				m.Jitter += ((rtt - before).Abs() - m.Jitter) / 16
			}
			before = rtt
			times = append(times, rtt)
			m.Bytes += n
		}
	})
	err := l.send(ctx, began, load, &m)
	late := time.AfterFunc(lateTime, func() { _ = l.Relayed.SetReadDeadline(time.Unix(1, 0)) })
	<-done
	late.Stop()
	received.Wait()
	if m.Received = len(times); m.Received > 0 {
		slices.Sort(times)
		m.Fastest, m.RTT = times[0], times[len(times)/2]
	}
	return m, err
}

func (l *Line) send(ctx context.Context, began time.Time, load Load, m *Measured) error {
	packet := make([]byte, max(load.Size, header))
	for m.Sent < load.Packets {
		// Computed from the start, so a late timer does not lower the rate.
		wait := time.Until(began.Add(time.Duration(m.Sent) * load.Interval))
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
		binary.BigEndian.PutUint32(packet, uint32(m.Sent))
		binary.BigEndian.PutUint64(packet[4:], uint64(time.Since(began)))
		if _, err := l.Relayed.WriteTo(packet, l.Relayed.LocalAddr()); err != nil {
			return err
		}
		m.Sent++
	}
	return nil
}

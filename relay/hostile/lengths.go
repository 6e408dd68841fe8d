package hostile

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/pion/stun/v3"

	"praxisrelay/relay/check"
)

// lie is a message that no server may act on.
type lie struct {
	name string
	// bytes makes the lie, usually from a valid Allocate.
	bytes func(allocate []byte) []byte
	// unfinished messages must make the server close a stream: nothing follows them or, with drips,
	// one byte ten times a second.
	unfinished, drips bool
}

func fixed(b ...byte) func([]byte) []byte { return func([]byte) []byte { return b } }

func changed(change func(b []byte)) func([]byte) []byte {
	return func(b []byte) []byte {
		change(b)
		return b
	}
}

func longer(by int) func([]byte) []byte {
	return changed(func(b []byte) { binary.BigEndian.PutUint16(b[2:], uint16(len(b)-20+by)) })
}

var lies = []lie{
	{name: "a ChannelData length that wraps in 16 bits", bytes: fixed(0x40, 0, 0xFF, 0xFC, 0, 0, 0, 0, 0), unfinished: true},
	{name: "a STUN length that wraps in 16 bits", unfinished: true,
		bytes: fixed(0, 1, 0xFF, 0xFC, 0x21, 0x12, 0xA4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)},
	{name: "a frame of 64 KB", bytes: fixed(0x40, 0, 0xFF, 0xF0), unfinished: true},
	{name: "a frame of 64 KB, a byte at a time", bytes: fixed(0x40, 0, 0xFF, 0xF0), drips: true},
	{name: "a message of 2 KB, a byte at a time", bytes: fixed(0, 1, 7, 0xE0, 0x21, 0x12, 0xA4, 0x42), drips: true},
	{name: "half a message", bytes: fixed(0, 1, 0, 8, 0x21, 0x12), unfinished: true},
	{name: "a STUN length beyond the message", bytes: longer(8)},
	{name: "a STUN length that leaves the end out", bytes: longer(-4)},
	{name: "a STUN length that is no multiple of 4", bytes: longer(1)},
	{name: "an attribute longer than the message", bytes: changed(func(b []byte) { b[22], b[23] = 0x7F, 0xFF })},
	{name: "an attribute whose length wraps", bytes: changed(func(b []byte) { b[22], b[23] = 0xFF, 0xFF })},
	{name: "a wrong magic cookie", bytes: changed(func(b []byte) { b[4] ^= 1 })},
	{name: "leading bits of neither STUN nor ChannelData", bytes: changed(func(b []byte) { b[0] |= 0x80 })},
	{name: "a response instead of a request", bytes: changed(func(b []byte) { b[0] |= 1 })},
	{name: "a message beyond 2 KB", bytes: func(b []byte) []byte {
		m := &stun.Message{Raw: b}
		if m.Decode() != nil {
			return b
		}
		m.Add(stun.AttrSoftware, make([]byte, 2100))
		m.WriteHeader()
		return m.Raw
	}},
}

func (a *attack) lengths(ctx context.Context, w check.Way, seat int) {
	a.event(Lengths, &w)
	if w.Transport == check.UDP {
		for _, l := range lies {
			if !l.drips {
				a.lie(ctx, w, seat, l)
			}
		}
		return
	}
	var waiting sync.WaitGroup
	for _, l := range lies {
		waiting.Go(func() { a.lie(ctx, w, seat, l) })
	}
	waiting.Wait()
}

func (a *attack) lie(ctx context.Context, w check.Way, seat int, l lie) {
	c, err := a.challenged(ctx, w, seat)
	if err != nil {
		a.untried(Lengths, &w, l.name, err)
		return
	}
	defer c.close(ctx)
	if err := a.users[seat].wait(ctx); err != nil {
		a.untried(Lengths, &w, l.name, err)
		return
	}
	allocate := c.signed(a.Seats[seat], stun.MethodAllocate, udpTransport)
	id := allocate.TransactionID
	lie := l.bytes(bytes.Clone(allocate.Raw))
	if err := c.send(lie); err != nil {
		a.untried(Lengths, &w, l.name, err)
		return
	}
	if w.Transport == check.UDP {
		err = c.barrier(ctx)
	} else {
		err = c.ended(ctx, l)
	}
	switch {
	case answeredSuccess(c.strays, id):
		c.holds = true
		a.note(Lengths, &w, l.name, Accepted, "success")
	case errors.Is(err, errHeld):
		a.note(Lengths, &w, l.name, Accepted, err.Error())
	case err != nil && !errors.Is(err, errClosed):
		a.untried(Lengths, &w, l.name, err)
	case err != nil:
		a.note(Lengths, &w, l.name, Refused, "closed")
	default:
		a.note(Lengths, &w, l.name, Refused, "silence")
	}
	// Whatever happened to this client, others must still be served.
	other, err := a.connect(ctx, w, seat)
	if err == nil {
		err = other.barrier(ctx)
		other.conn.Close()
	}
	name := "service after " + l.name
	switch {
	case ctx.Err() != nil:
		a.untried(Lengths, &w, name, ctx.Err())
	case err != nil:
		a.note(Lengths, &w, name, Accepted, fmt.Sprintf("a new client gets %v", err))
	default:
		a.note(Lengths, &w, name, Refused, "a new client is served")
	}
}

// errHeld means that a lie keeps a connection open.
var errHeld = errors.New("the connection is held, without an answer")

// ended waits for a stream's end or, if a lie leaves the framing intact, for the answer to a later
// request.
func (c *wire) ended(ctx context.Context, l lie) error {
	until := time.Now().Add(c.times.frame)
	if l.unfinished || l.drips {
		if l.drips {
			stop := make(chan struct{})
			defer close(stop)
			go drip(c.conn, c.times.answer, stop)
		}
		_, err := c.receive(ctx, until)
		for err == nil {
			_, err = c.receive(ctx, until)
		}
		return held(err)
	}
	question := plainly(stun.MethodBinding)
	if err := c.send(question.Raw); err != nil {
		return err
	}
	_, err := c.answer(ctx, question.TransactionID, until)
	return held(err)
}

func held(err error) error {
	if errors.Is(err, errSilent) {
		return errHeld
	}
	return err
}

func drip(conn net.Conn, within time.Duration, stop chan struct{}) {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
			_ = conn.SetWriteDeadline(time.Now().Add(within))
			if _, err := conn.Write([]byte{0}); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
				return
			}
		}
	}
}

func answeredSuccess(messages [][]byte, id [stun.TransactionIDSize]byte) bool {
	for _, b := range messages {
		m := new(stun.Message)
		if stun.Decode(b, m) == nil && m.TransactionID == id && m.Type.Class == stun.ClassSuccessResponse {
			return true
		}
	}
	return false
}

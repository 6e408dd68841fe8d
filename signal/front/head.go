package front

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"praxisrelay/config/network/shares"
)

// conn shows net/http one request's head at a time, and none that is too large: a map of five
// thousand empty headers takes twenty times their bytes. The empty line marks the end of a head
// here. The end of a body comes from net/http, through expect, so that the two cannot disagree.
type conn struct {
	net.Conn
	head head
	body int64  // bytes still to come that are no head; -1: all
	rest []byte // read, but not yet passed on
	part part
}

// expect announces n bytes of a body or, if n is -1, that no further head follows.
func (c *conn) expect(n int64) { c.body = n }

func (c *conn) Read(b []byte) (n int, err error) {
	if c.body > 0 && int64(len(b)) > c.body {
		b = b[:c.body]
	}
	if len(c.rest) > 0 {
		b = b[:copy(b, c.rest)]
	} else {
		n, err = c.Conn.Read(b)
		b = b[:n]
	}
	n = len(b)
	switch {
	case c.body > 0:
		c.body -= int64(n)
	case c.body == 0:
		var fits bool
		n, fits = c.head.take(b)
		switch {
		case !fits:
			return 0, c.refuse("431 Request Header Fields Too Large", tooLarge)
		case c.head.size == 0:
			c.part.giveBack()
		case !c.part.take(c):
			return 0, c.refuse("503 Service Unavailable", busy)
		}
	}
	switch {
	case len(c.rest) > n:
		c.rest = c.rest[n:]
	case len(c.rest) > 0:
		c.rest = nil
	case n < len(b):
		c.rest = bytes.Clone(b[n:])
	}
	return n, err
}

// Write waits until the client reads, unless too many clients do not.
func (c *conn) Write(b []byte) (int, error) {
	release, ok := c.part.of.answers.Admit(shares.Client(c))
	if !ok {
		c.part.of.refused()
		c.Close()
		return 0, errUnread
	}
	defer release()
	return c.Conn.Write(b)
}

var errUnread = errors.New("too many answers are not taken")

// Close implements net.Conn.
func (c *conn) Close() error {
	c.part.giveBack()
	return c.Conn.Close()
}

// errRefused is of a kind that net/http does not answer, since refuse already has.
var errRefused = &net.OpError{Op: "read", Net: "tcp", Err: errors.New("the request was refused")}

const busy = "too many requests are being sent at once: send it again in a moment"

var tooLarge = fmt.Sprintf("the request's head is too large: send at most %d bytes in %d lines, fewer cookies, say", MaxHead, MaxHeadLines)

// patience is how long the rest of a refused request is read: closing a connection with unread
// input would discard the answer.
const patience = 500 * time.Millisecond

// refuse answers a request before net/http sees it.
func (c *conn) refuse(status, text string) error {
	const maxRest = 64 << 10
	c.part.giveBack()
	c.rest = nil
	if c.SetDeadline(time.Now().Add(patience)) != nil {
		return errRefused
	}
	if _, err := fmt.Fprintf(c, "HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s\n",
		status, len(text)+1, text); err == nil {
		_, _ = io.CopyN(io.Discard, c.Conn, maxRest)
	}
	return errRefused
}

// head tracks the bytes of a request's head.
type head struct {
	size, lines int
	line        lineKind
}

// lineKind classifies the current line so far.
type lineKind byte

const (
	nothing lineKind = iota
	onlyCR
	something
)

// take examines more of a head. It returns how much of b belongs to the head, and whether the head
// is still small enough. A head ends with an empty line as in net/textproto: LF or CR LF.
func (h *head) take(b []byte) (n int, fits bool) {
	for i, c := range b {
		if h.size++; h.size > MaxHead {
			return 0, false
		}
		switch {
		case c == '\n' && h.line != something:
			*h = head{}
			return i + 1, true
		case c == '\n':
			h.line = nothing
			if h.lines++; h.lines > MaxHeadLines {
				return 0, false
			}
		case c == '\r' && h.line == nothing:
			h.line = onlyCR
		default:
			h.line = something
		}
	}
	return len(b), true
}

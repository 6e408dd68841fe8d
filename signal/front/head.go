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

// conn lets net/http see no more than one request's head at a time, and none that is too
// large: a map of five thousand empty headers takes twenty times their bytes. Where a head
// ends is seen here, by its empty line. Where a body ends net/http says, through expect, so
// that the two cannot differ.
type conn struct {
	net.Conn
	head head
	body int64  // bytes that are no head, and still to come; -1: all
	rest []byte // read, and not handed on yet
	part part
}

// expect says that n bytes of a body follow, or that no further head does, where n is -1.
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

// Write waits until the client takes what is written, unless too many do not.
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

// Close is of net.Conn.
func (c *conn) Close() error {
	c.part.giveBack()
	return c.Conn.Close()
}

// errRefused is one of those which net/http does not answer, since that was done.
var errRefused = &net.OpError{Op: "read", Net: "tcp", Err: errors.New("the request was refused")}

const busy = "too many requests are being sent at once: send it again in a moment"

var tooLarge = fmt.Sprintf("the request's head is too large: send at most %d bytes in %d lines, fewer cookies, say", MaxHead, MaxHeadLines)

// patience is how long the rest of a refused request is read: a connection that is closed
// with something unread takes its answer with it.
const patience = 500 * time.Millisecond

// refuse answers a request that net/http does not see.
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

// head watches the bytes of a request's head.
type head struct {
	size, lines int
	line        lineKind
}

// lineKind is what the current line has so far.
type lineKind byte

const (
	nothing lineKind = iota
	onlyCR
	something
)

// take looks at more of a head and returns how much of that belongs to it, or that the
// head is too large. A head ends with an empty line, as net/textproto has it: with LF, or
// with CR LF.
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

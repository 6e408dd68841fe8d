// Package front stands before net/http: it bounds what a client costs before anything is
// known of it.
//
//	head.go    what a request begins with
//	body.go    what follows, while it is on its way
package front

import (
	"context"
	"net"
	"net/http"

	"praxisrelay/network/shares"
)

// MaxHead bounds a request's head, in bytes and in lines. Browsers send 1 kB in 20 lines;
// what a proxy adds, and the cookies of the domain that the appliance is in, fit too.
const (
	MaxHead      = 8 << 10
	MaxHeadLines = 64
)

// Bodies bounds how many requests' bodies are on their way at once, of one listener.
type Bodies struct {
	*shares.Shares
	Refused func() // is told of each request that is refused
}

// NewBodies returns Bodies of which a quarter may come from one network.
func NewBodies(max int, refused func()) *Bodies {
	return &Bodies{shares.New(max, (max+3)/4), refused}
}

// Serve is server.Serve with requests that are bounded: their heads, and their bodies. Nil
// bodies: none is read.
func Serve(server *http.Server, l net.Listener, bodies *Bodies) error {
	server.MaxHeaderBytes = MaxHead // of which net/http takes 4 kB more
	server.DisableGeneralOptionsHandler = true
	server.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, c)
	}
	server.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateHijacked {
			c.(*conn).expect(-1) // it is no HTTP any more
		}
	}
	server.Handler = bounded{server.Handler, bodies}
	return server.Serve(listener{l})
}

type connKey struct{}

type listener struct{ net.Listener }

func (l listener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{Conn: accepted}, nil
}

// Package front stands around net/http: it bounds what a client costs before anything is
// known of it, and sets what holds for every answer.
//
//	head.go       the heads of requests
//	pending.go    incomplete requests and unread answers
//	server.go     how long requests and answers may take
//	secured.go    the headers of every answer
//	faults.go     what servers log
package front

import (
	"context"
	"net"
	"net/http"
)

// MaxHead bounds a request's head, in bytes and in lines. Browsers send 1 kB in 20 lines; a proxy's
// additions and the cookies of the appliance's domain fit too.
const (
	MaxHead      = 8 << 10
	MaxHeadLines = 64
)

// Serve is server.Serve with bounds on requests: on their heads, and on how many are incomplete.
func Serve(server *http.Server, l net.Listener, pending *Pending) error {
	server.MaxHeaderBytes = MaxHead // net/http adds 4 kB to it
	server.DisableGeneralOptionsHandler = true
	server.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, c)
	}
	server.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateHijacked {
			c.(*conn).expect(-1) // no longer HTTP
		}
	}
	server.Handler = bodies{general(server.Handler)}
	return server.Serve(listener{l, pending})
}

// general answers OPTIONS * as net/http does, which would read its body without bounds.
func general(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodOptions && r.RequestURI == "*" {
			w.Header().Set("Content-Length", "0")
			return
		}
		next.ServeHTTP(w, r)
	})
}

type connKey struct{}

type listener struct {
	net.Listener
	pending *Pending
}

func (l listener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{Conn: accepted, part: part{of: l.pending}}, nil
}

package front

import (
	stdlog "log"
	"log/slog"
	"net/http"
	"net/netip"
	"time"
)

// NewServer returns a server that bounds how long requests and answers take.
func NewServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second, // against clients that send a header line a day
		ReadTimeout:       30 * time.Second, // of a request without a body, longer than a poll waits
		WriteTimeout:      time.Minute,      // answers are small
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          stdlog.New(faults{log}, "", 0),
	}
}

// ClientAddr returns the address that a request comes from, as known to the listener.
func ClientAddr(r *http.Request) netip.Addr {
	addr, _ := netip.ParseAddrPort(r.RemoteAddr)
	return addr.Addr().Unmap()
}

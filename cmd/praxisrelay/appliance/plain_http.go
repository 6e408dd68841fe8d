package appliance

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"praxisrelay/signal/front"
	"praxisrelay/signal/health"
)

// servePlainHTTP serves listen.http, if set, until ctx is done: ACME's validations, and redirects
// to HTTPS.
func (a *Appliance) servePlainHTTP(ctx context.Context) error {
	listener := a.relay.PlainHTTP()
	if listener == nil {
		<-ctx.Done()
		return nil
	}
	handler := redirect(a.url)
	if a.acme != nil {
		handler = a.acme.HTTPHandler(handler)
	}
	server := &http.Server{
		Handler:      handler,
		ReadTimeout:  10 * time.Second, // a request fits one packet
		WriteTimeout: 10 * time.Second, // so does an answer
		// The server's own log would contain addresses.
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	server.SetKeepAlivesEnabled(false)
	defer context.AfterFunc(ctx, func() { server.Close() })()
	if err := front.Serve(server, listener, front.NewPending(maxSideConnections,
		func() {})); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// redirect sends clients to the page's URL, which ends with a slash. It keeps the requested path
// and query, but ignores the requested host.
func redirect(url string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodOptions: // a load balancer's check
			health.Options(w, r)
			return
		case http.MethodGet, http.MethodHead:
		default:
			w.Header().Set("Allow", health.Allow)
			http.Error(w, "use "+url, http.StatusMethodNotAllowed)
			return
		}
		// Without its leading slashes the path cannot become part of the host.
		http.Redirect(w, r, url+strings.TrimLeft(r.URL.RequestURI(), "/"), http.StatusFound)
	})
}

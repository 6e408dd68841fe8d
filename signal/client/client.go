// Package client joins appointments as the page does: it stretches a code, takes
// the seat, unwraps the room key, and exchanges sealed messages.
//
//	d := client.Dialer{HTTP: http.DefaultClient, Server: "https://relay.example.org"}
//	session, err := d.Join(ctx, code)       // takes the seat
//	event, err := session.Receive(ctx)      // who is there, ICE servers, messages
//	session.Send(*event.Joined, plain)      // sealed for that session
//	session.Close()                         // leaves the seat
//
// A session finds its way back by itself when the connection is lost or the server
// was restarted, and polls where no WebSocket comes through.
package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"praxisrelay/signal/code"
	"praxisrelay/signal/protocol"
)

// maxFromServer is the maximum size of a server's frame in bytes. Older servers relay messages of
// 64 KiB.
const maxFromServer = 128 << 10

// Dialer identifies an appliance and how to reach it.
type Dialer struct {
	HTTP   *http.Client
	Server string // an https URL
	Poll   bool   // long polling only; otherwise as a fallback
}

// Join takes a code's seat. An error from the appliance is a *protocol.Error.
func (d Dialer) Join(ctx context.Context, c code.Code) (*Session, error) {
	info, err := GetInfo(ctx, d.HTTP, d.Server)
	if err != nil {
		return nil, err
	}
	if info.Rounds < code.MinRounds || info.Rounds > code.MaxRounds {
		return nil, fmt.Errorf("%s wants codes stretched with %d rounds: not an appliance to trust a code to", d.Server, info.Rounds)
	}
	keys, err := c.Derive(info.Salt, info.Rounds)
	if err != nil {
		return nil, err
	}
	return d.JoinWithKeys(ctx, keys)
}

// JoinWithKeys is Join with a code stretched beforehand. The session lasts until it is closed or
// over; ctx bounds only the joining.
func (d Dialer) JoinWithKeys(ctx context.Context, keys code.Keys) (*Session, error) {
	s := newSession(d, keys)
	var running context.Context
	running, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go s.run(running)
	select {
	case <-s.joined:
		return s, nil
	case <-s.done:
		return nil, s.err
	case <-ctx.Done():
		s.cancel()
		<-s.done
		return nil, ctx.Err()
	}
}

// GetInfo asks the appliance for the data that clients need.
func GetInfo(ctx context.Context, client *http.Client, server string) (info protocol.Info, err error) {
	target, err := endpoint(server, "/v1/info")
	if err != nil {
		return info, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return info, err
	}
	response, err := client.Do(request)
	if err != nil {
		return info, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return info, fmt.Errorf("%s answered %s: is it an appliance?", request.URL.Host, response.Status)
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxInfo)).Decode(&info); err != nil {
		return info, fmt.Errorf("%s answered something else than was expected: is it an appliance?", request.URL.Host)
	}
	return info, nil
}

// maxInfo bounds how much of the answer is read, in bytes.
const maxInfo = 1 << 20

func endpoint(server, path string) (string, error) {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return "", fmt.Errorf("%q is not the address of an appliance: write https:// and its name", server)
	}
	return u.Scheme + "://" + u.Host + path, nil
}

package apptest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pion/logging"
	"github.com/pion/stun/v3"
	"github.com/pion/turn/v4"

	"praxisrelay/cmd/praxisrelay/secrets"
	"praxisrelay/relay/credential"
	"praxisrelay/signal/protocol"
)

// PasswordOf returns a user name's password under the secret in a file.
func PasswordOf(t *testing.T, file, username string) string {
	t.Helper()
	secret, err := secrets.ReadSecret("secret", file, credential.MinSecret, secrets.FromDisk)
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha1.New, secret)
	mac.Write([]byte(username))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// TURNClient connects pion's client to a server's first URL for a transport: udp, tcp or tls.
func TURNClient(t *testing.T, ice protocol.ICEServer, transport string) (*turn.Client, net.Conn) {
	t.Helper()
	var server string
	for _, url := range ice.URLs {
		scheme, query := "turn:", transport
		if transport == "tls" {
			scheme, query = "turns:", "tcp"
		}
		if rest, ok := strings.CutSuffix(url, "?transport="+query); ok && strings.HasPrefix(url, scheme) {
			server = strings.TrimPrefix(rest, scheme)
		}
	}
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	config := &turn.ClientConfig{
		TURNServerAddr: server, Username: ice.Username, Password: ice.Credential, LoggerFactory: quiet,
	}
	var stream net.Conn
	if transport == "udp" {
		conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		config.Conn = conn
	} else {
		conn, err := net.Dial("tcp", server)
		if err == nil && transport == "tls" {
			conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		stream = &EndedConn{Conn: conn, Ended: make(chan struct{})}
		config.Conn = turn.NewSTUNConn(stream)
	}
	c, err := turn.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if err := c.Listen(); err != nil {
		t.Fatal(err)
	}
	return c, stream
}

// EndedConn is a connection that closes Ended when reading has ended.
type EndedConn struct {
	net.Conn
	once  sync.Once
	Ended chan struct{}
}

func (c *EndedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		c.once.Do(func() { close(c.Ended) })
	}
	return n, err
}

// CheckRelayed sends a packet from one seat to the other through the relay.
func CheckRelayed(t *testing.T, transport string, doctor, patient protocol.ICEServer) {
	t.Helper()
	var clients [2]*turn.Client
	var conns [2]net.PacketConn
	for i, c := range []protocol.ICEServer{doctor, patient} {
		var err error
		clients[i], _ = TURNClient(t, c, transport)
		if conns[i], err = clients[i].Allocate(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range clients {
		if err := clients[i].CreatePermission(conns[1-i].LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
	KeepSending(t, conns[0], conns[1].LocalAddr(), Voice) // a datagram may be lost
	buf := make([]byte, 2000)
	_ = conns[1].SetReadDeadline(time.Now().Add(20 * time.Second))
	if n, _, err := conns[1].ReadFrom(buf); err != nil || !bytes.Equal(buf[:n], Voice) {
		t.Fatalf("%x arrived, %v", buf[:n], err)
	}
}

// KeepSending sends a packet several times a second until the test ends.
func KeepSending(t *testing.T, from net.PacketConn, to net.Addr, what []byte) {
	var talking sync.WaitGroup
	done := make(chan struct{})
	t.Cleanup(func() { close(done); talking.Wait() })
	talking.Go(func() {
		ticker := time.NewTicker(200 * time.Millisecond)
		defer ticker.Stop()
		for {
			_, _ = from.WriteTo(what, to)
			select {
			case <-done:
				return
			case <-ticker.C:
			}
		}
	})
}

// These are the first packets of a call: ICE's connectivity check, its answer, and media.
var (
	ConnectivityCheck = stun.MustBuild(stun.TransactionID, stun.BindingRequest, stun.Fingerprint).Raw
	CheckAnswer       = stun.MustBuild(stun.TransactionID, stun.BindingSuccess, stun.Fingerprint).Raw
	Voice             = append([]byte{0x80, 111}, make([]byte, 100)...) // begins like RTP
)

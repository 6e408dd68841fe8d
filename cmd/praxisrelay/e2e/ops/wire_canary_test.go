package ops

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/signal/protocol"
)

// TestTheWireDoesNotSayWhoseCallItIs checks that no unencrypted packet of a call (over UDP or TCP)
// contains the appointment or a seat, in any form.
func TestTheWireDoesNotSayWhoseCallItIs(t *testing.T) {
	t.Parallel()
	s := apptest.StartServe(t, nil)
	created := s.Appoint(t, time.Now(), time.Now().Add(time.Hour))
	id, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(created.ID))
	if err != nil {
		t.Fatal(err)
	}
	canaries := map[string]string{
		"the appointment": created.ID, "its bits": string(id), "in hex": hex.EncodeToString(id),
		"in base64": base64.StdEncoding.EncodeToString(id)[:10], "in base64url": base64.RawURLEncoding.EncodeToString(id)[:10],
		"the doctor's seat": "doctor", "the patient's": "patient",
	}
	_, servers := s.Join(t, created.Seats)
	for _, transport := range []string{"udp", "tcp"} {
		var packets tap
		var names []string
		tapped := make([]protocol.ICEServer, len(servers))
		for i, c := range servers {
			_, name, _ := strings.Cut(c.Username, ":")
			names = append(names, name)
			for _, url := range c.URLs {
				if address, ok := strings.CutSuffix(strings.TrimPrefix(url, "turn:"),
					"?transport="+transport); ok && strings.HasPrefix(url, "turn:") {
					c.URLs = []string{"turn:" + packets.before(t, transport, address) + "?transport=" +
						transport}
				}
			}
			tapped[i] = c
		}
		apptest.CheckRelayed(t, transport, tapped[0], tapped[1])
		seen := packets.bytes()
		for what, canary := range canaries {
			if bytes.Contains(bytes.ToLower(seen), bytes.ToLower([]byte(canary))) {
				t.Errorf("over %s, %s can be read", transport, what)
			}
		}
		// Proof that the call went through here.
		for _, name := range names {
			if !bytes.Contains(seen, []byte(name)) {
				t.Errorf("over %s, the user name %s was not seen", transport, name)
			}
		}
		if !bytes.Contains(seen, apptest.Voice) {
			t.Errorf("over %s, the message was not seen", transport)
		}
	}
}

// tap records what passes, in both directions.
type tap struct {
	mu   sync.Mutex
	seen bytes.Buffer
}

func (k *tap) keep(b []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.seen.Write(b)
}

func (k *tap) bytes() []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	return bytes.Clone(k.seen.Bytes())
}

// before listens in front of a server, for one client.
func (k *tap) before(t *testing.T, transport, server string) (address string) {
	t.Helper()
	pass := func(to io.Writer, from io.Reader) {
		buf := make([]byte, 3000)
		for {
			n, err := from.Read(buf)
			if err != nil {
				return
			}
			k.keep(buf[:n])
			_, _ = to.Write(buf[:n])
		}
	}
	connect := func() net.Conn {
		out, err := net.Dial(transport, server)
		if err != nil {
			t.Error(err)
			return nil
		}
		t.Cleanup(func() { out.Close() })
		return out
	}
	if transport == "tcp" {
		return apptest.AcceptHere(t, func(in net.Conn) {
			if out := connect(); out != nil {
				go pass(in, out)
				go pass(out, in)
			}
		})
	}
	in, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	out := connect()
	go func() {
		buf := make([]byte, 3000)
		var once sync.Once
		for {
			n, client, err := in.ReadFrom(buf)
			if err != nil {
				return
			}
			once.Do(func() { go pass(towards{in, client}, out) })
			k.keep(buf[:n])
			_, _ = out.Write(buf[:n])
		}
	}()
	return in.LocalAddr().String()
}

// towards writes to one address of a packet connection.
type towards struct {
	net.PacketConn
	to net.Addr
}

func (c towards) Write(b []byte) (int, error) { return c.WriteTo(b, c.to) }

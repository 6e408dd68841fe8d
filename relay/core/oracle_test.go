package core

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/pion/logging"
	"github.com/pion/stun/v3"
	"github.com/pion/turn/v4"
)

// oracle is pion's TURN server on loopback, with sockets and its own clock. It is used only where
// it is right; other tests here cover what it gets wrong.
type oracle struct {
	testing.TB
	address net.Addr
}

func newOracle(t *testing.T, secret string) oracle {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	s, err := turn.NewServer(turn.ServerConfig{
		Realm:         Realm,
		AuthHandler:   turn.LongTermTURNRESTAuthHandler(secret, nil),
		LoggerFactory: quiet,
		PacketConnConfigs: []turn.PacketConnConfig{{
			PacketConn: conn,
			RelayAddressGenerator: &turn.RelayAddressGeneratorStatic{
				RelayAddress: net.IPv4(127, 0, 0, 1), Address: "127.0.0.1",
			},
			PermissionHandler: func(net.Addr, net.IP) bool { return true },
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return oracle{t, conn.LocalAddr()}
}

// twin is one client of both servers.
type twin struct {
	*peer      // at the core
	index      int
	socket     net.Conn
	theirNonce string
	theirs     netip.AddrPort // relayed address there
	bound      map[uint16]int // channel -> index of the twin that it leads to
}

func (o oracle) read(socket net.Conn) []byte {
	o.Helper()
	buffer := make([]byte, 4096)
	if err := socket.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		o.Fatal(err)
	}
	n, err := socket.Read(buffer)
	if err != nil {
		o.Fatalf("pion is silent: %v", err)
	}
	return buffer[:n]
}

func (o oracle) ask(socket net.Conn, m *stun.Message) *stun.Message {
	o.Helper()
	if _, err := socket.Write(m.Raw); err != nil {
		o.Fatal(err)
	}
	answer := new(stun.Message)
	if err := stun.Decode(o.read(socket), answer); err != nil {
		o.Fatal(err)
	}
	return answer
}

// TestRandomRequestsAgainstPion sends the same requests to the core and to pion's
// server and compares what comes back: classes, error codes, lifetimes, addresses,
// and the data that partners receive.
func TestRandomRequestsAgainstPion(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))

	l := newLab(t)
	l.now = time.Now() // pion's clock cannot be moved
	l.config.RelayedIPv4 = netip.MustParseAddr("127.0.0.1")
	o := newOracle(t, "the secret of all tests")
	var twins []*twin
	for i := range 3 {
		socket, err := net.Dial("udp4", o.address.String())
		if err != nil {
			t.Fatal(err)
		}
		defer socket.Close()
		p := l.peer(socket.LocalAddr().String(), "x", "doctor")
		p.credential = l.mint("x", "doctor", i, 8*time.Hour) // a different user each
		tw := &twin{peer: p, index: i, socket: socket, bound: map[uint16]int{}}
		p.build(stun.MethodAllocate) // gets the core's nonce
		challenge := o.ask(socket, build(t, stun.MethodAllocate, stun.ClassRequest,
			requestedTransport(protocolUDP)))
		if code := errorCode(t, challenge); code != 401 {
			t.Fatalf("pion's challenge: %d", code)
		}
		tw.theirNonce = text(t, challenge, stun.AttrNonce)
		twins = append(twins, tw)
	}

	counts := map[string]int{}
	for i := range 3000 {
		if i%100 == 0 {
			clear(l.requests.buckets[:]) // pion has no such budget
		}
		from, toIndex := twins[random.IntN(len(twins))], random.IntN(len(twins))
		to := twins[toIndex]
		method, setters, theirSetters := stun.MethodBinding, []stun.Setter(nil), []stun.Setter(nil)
		both := func(s ...stun.Setter) {
			setters, theirSetters = append(setters, s...), append(theirSetters, s...)
		}
		peerOf := func() bool { // the partner, by its address on each server
			setters = append(setters, xorPeer(to.relayed))
			theirSetters = append(theirSetters, xorPeer(to.theirs))
			return to.relayed.IsValid()
		}
		switch random.IntN(12) {
		case 0: // Binding
		case 1:
			method = stun.MethodAllocate
			if random.IntN(4) > 0 {
				both(requestedTransport(protocolUDP))
			}
			if random.IntN(2) > 0 {
				both(lifetime(600 + random.Uint32N(2900)))
			}
		case 2:
			method = stun.MethodRefresh
			if random.IntN(2) > 0 {
				both(lifetime(600 + random.Uint32N(2900)))
			}
		case 3, 4, 5:
			method = stun.MethodCreatePermission
			if !peerOf() {
				continue
			}
		case 6, 7, 8:
			method = stun.MethodChannelBind
			number := uint16(0x4000 + random.IntN(4)) // pion sometimes accepts lower ones
			both(channelNumber(number))
			if !peerOf() {
				continue
			}
		default:
			counts["data"] += data(t, o, random, from, to)
			continue
		}
		if method != stun.MethodBinding && method != stun.MethodAllocate && !from.relayed.IsValid() {
			continue // pion does not answer without an allocation
		}
		var ours, theirs *stun.Message
		if method == stun.MethodBinding {
			request := build(t, method, stun.ClassRequest)
			ours, theirs = from.peer.ask(request), o.ask(from.socket, request)
		} else {
			ours = from.request(method, setters...)
			there := *from.peer
			there.nonce = from.theirNonce
			theirs = o.ask(from.socket, build(t, method, stun.ClassRequest,
				append(theirSetters, there.signature()...)...))
		}
		code := errorCode(t, ours)
		if theirCode := errorCode(t, theirs); code != theirCode {
			t.Fatalf("%v %v: %d here, %d there", method, setters, code, theirCode)
		}
		counts[fmt.Sprintf("%v %d", method, code)]++
		if code != 0 {
			continue
		}
		for _, kind := range []stun.AttrType{stun.AttrLifetime, stun.AttrXORMappedAddress} {
			here, err1 := ours.Get(kind)
			there, err2 := theirs.Get(kind)
			if (err1 == nil) != (err2 == nil) || kind == stun.AttrLifetime && !slices.Equal(here, there) {
				t.Fatalf("%v: %v is %x here, %x there", method, kind, here, there)
			}
			if kind == stun.AttrXORMappedAddress && err1 == nil &&
				xorAddr(t, ours, kind) != xorAddr(t, theirs, kind) {
				t.Fatalf("%v: mapped to %v here, %v there", method, xorAddr(t, ours, kind),
					xorAddr(t, theirs, kind))
			}
		}
		switch method {
		case stun.MethodAllocate:
			from.relayed = xorAddr(t, ours, stun.AttrXORRelayedAddress)
			from.theirs = xorAddr(t, theirs, stun.AttrXORRelayedAddress)
		case stun.MethodChannelBind:
			value := text(t, requestOf(t, setters), stun.AttrChannelNumber)
			from.bound[uint16(value[0])<<8|uint16(value[1])] = toIndex
		}
	}
	t.Logf("compared: %v", counts)
	for _, kind := range []string{"data", "Allocate 0", "Allocate 437", "Refresh 0",
		"CreatePermission 0", "ChannelBind 0", "ChannelBind 400", "Binding 0"} {
		if counts[kind] == 0 {
			t.Errorf("%s never came up", kind)
		}
	}
}

func requestOf(t *testing.T, setters []stun.Setter) *stun.Message {
	return build(t, stun.MethodChannelBind, stun.ClassRequest, setters...)
}

// data sends the same data to both servers, if the core forwards it, and compares what arrives. It
// returns how often it did.
func data(t *testing.T, o oracle, random *rand.Rand, from, to *twin) int {
	t.Helper()
	if !from.relayed.IsValid() || !to.relayed.IsValid() {
		return 0
	}
	payload := fmt.Sprintf("%0*d", random.IntN(1000), random.Uint64())
	packet := func(relayed netip.AddrPort) []byte {
		for number, index := range from.bound {
			if index == to.index {
				header := []byte{byte(number >> 8), byte(number), byte(len(payload) >> 8), byte(len(payload))}
				return append(header, payload...)
			}
		}
		return build(t, stun.MethodSend, stun.ClassIndication, xorPeer(relayed),
			raw{stun.AttrData, []byte(payload)}).Raw
	}
	target, out := from.raw(packet(to.relayed))
	if len(out) == 0 {
		return 0 // confirming pion's silence would take a timeout
	}
	if target != to.tuple {
		t.Fatalf("data for %v went to %v", to.tuple.Client, target.Client)
	}
	if _, err := from.socket.Write(packet(to.theirs)); err != nil {
		t.Fatal(err)
	}
	there := o.read(to.socket)
	if out[0]&0xC0 == 0x40 {
		if string(out) != string(there[:len(out)]) {
			t.Fatalf("%x arrived here, %x there", out, there)
		}
		return 1
	}
	m := new(stun.Message)
	if err := stun.Decode(there, m); err != nil {
		t.Fatalf("%x arrived here, %x there", out, there)
	}
	to.indicated(from.relayed, payload, target, out)
	if text(t, m, stun.AttrData) != payload || xorAddr(t, m, stun.AttrXORPeerAddress) != from.theirs {
		t.Fatalf("pion's Data indication is %v", m)
	}
	return 1
}

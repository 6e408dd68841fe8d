package load

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/pion/stun/v3"
	"golang.org/x/sys/unix"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/cmd/praxisrelay/secrets"
	"praxisrelay/relay/core"
	"praxisrelay/relay/credential"
)

// loaded is an appliance as users run it, for load tests.
type loaded struct {
	*testing.T
	*apptest.Daemon
	keys       *credential.Keyring
	udp, tcp   netip.AddrPort
	streams    []string // TCP, TLS and HTTPS
	memoryFile string
}

// startLoaded starts an appliance with these settings of the relay.
func startLoaded(t *testing.T, settings string) *loaded {
	t.Helper()
	binary, err := apptest.PlainBinary()
	if err != nil {
		t.Fatal(err)
	}
	file, folder := apptest.WriteConfig(t)
	apptest.Edit(t, file, "relay: {", "relay: {"+settings)
	secret, err := secrets.ReadSecret("secret", filepath.Join(folder, "turn.secret"),
		credential.MinSecret, secrets.FromDisk)
	if err != nil {
		t.Fatal(err)
	}
	l := &loaded{T: t, memoryFile: filepath.Join(folder, "memory")}
	if l.keys, err = credential.NewKeyring(secret); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(binary, "serve", "--config", file)
	c.Env = append(os.Environ(), apptest.AsProgram+"=1", apptest.MemoryFile+"="+l.memoryFile)
	var where apptest.Listening
	l.Daemon = apptest.Start(t, c, true, where.Read)
	l.udp, l.tcp = netip.MustParseAddrPort(where.UDP[0]), netip.MustParseAddrPort(where.TCP[0])
	l.streams = []string{where.TCP[0], where.TLS[0], where.HTTPS[0]}
	return l
}

// member is a TURN client with an allocation.
type member struct {
	net.Conn
	l          *loaded
	credential credential.Credential
	nonce      string
	relayed    netip.AddrPort
}

func (l *loaded) member(network, appointment, seat string) *member {
	l.Helper()
	conn, err := net.Dial(network, map[string]netip.AddrPort{"udp": l.udp, "tcp": l.tcp}[network].String())
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { conn.Close() })
	if udp, ok := conn.(*net.UDPConn); ok {
		_ = udp.SetReadBuffer(4 << 20)
	}
	c, err := l.keys.Mint(credential.Identity{Appointment: apptest.AppointmentID(appointment),
		Seat: seat, Expires: time.Now().Add(time.Hour)})
	if err != nil {
		l.Fatal(err)
	}
	m := &member{Conn: conn, l: l, credential: c}
	transport := stun.RawAttribute{Type: stun.AttrRequestedTransport, Value: []byte{17, 0, 0, 0}}
	challenge := m.ask(stun.MustBuild(stun.TransactionID,
		stun.NewType(stun.MethodAllocate, stun.ClassRequest), transport))
	nonce, err := challenge.Get(stun.AttrNonce)
	if err != nil {
		l.Fatal(err)
	}
	m.nonce = string(nonce)
	var relayed stun.XORMappedAddress
	if err := relayed.GetFromAs(m.ask(m.request(stun.MethodAllocate, transport)),
		stun.AttrXORRelayedAddress); err != nil {
		l.Fatal(err)
	}
	ip, _ := netip.AddrFromSlice(relayed.IP)
	m.relayed = netip.AddrPortFrom(ip.Unmap(), uint16(relayed.Port))
	return m
}

func (m *member) request(method stun.Method, setters ...stun.Setter) *stun.Message {
	c := m.credential
	all := append([]stun.Setter{stun.TransactionID, stun.NewType(method, stun.ClassRequest)}, setters...)
	return stun.MustBuild(append(all, stun.NewUsername(c.Username), stun.NewRealm(core.Realm),
		stun.NewNonce(m.nonce),
		stun.NewLongTermIntegrity(c.Username, core.Realm, c.Password))...)
}

// ask sends a request and waits for its response; over TCP that is the next message.
func (m *member) ask(request *stun.Message) *stun.Message {
	m.l.Helper()
	if _, err := m.Write(request.Raw); err != nil {
		m.l.Fatal(err)
	}
	_ = m.SetReadDeadline(time.Now().Add(5 * time.Second))
	b := make([]byte, 2000)
	for {
		n, err := m.Read(b)
		if err != nil {
			m.l.Fatal(err)
		}
		answer := new(stun.Message)
		if stun.Decode(b[:n], answer) == nil && answer.TransactionID == request.TransactionID {
			return answer
		}
	}
}

func (m *member) bind(number uint16, peer netip.AddrPort) {
	m.l.Helper()
	if answer := m.ask(m.channelBind(number, peer)); answer.Type.Class != stun.ClassSuccessResponse {
		m.l.Fatalf("ChannelBind: %v", answer)
	}
}

func (m *member) channelBind(number uint16, peer netip.AddrPort) *stun.Message {
	return m.request(stun.MethodChannelBind, stun.RawAttribute{Type: stun.AttrChannelNumber,
		Value: []byte{byte(number >> 8), byte(number), 0, 0}}, stunPeer(peer))
}

type stunPeer netip.AddrPort

func (p stunPeer) AddTo(m *stun.Message) error {
	addr := netip.AddrPort(p)
	return stun.XORMappedAddress{IP: addr.Addr().AsSlice(), Port: int(addr.Port())}.AddToAs(m,
		stun.AttrXORPeerAddress)
}

// call is two seats that send each other numbered packets.
type call struct {
	seats [2]*member
	sent  atomic.Int64
	got   atomic.Int64
	stop  context.CancelFunc
	ended chan struct{}
}

const callRate = 1000 // packets per second in total: two good pictures

func (l *loaded) call(appointment string) *call {
	l.Helper()
	c := &call{seats: [2]*member{l.member("udp", appointment, "doctor"),
		l.member("udp", appointment, "patient")}, ended: make(chan struct{})}
	c.seats[0].bind(0x4000, c.seats[1].relayed)
	c.seats[1].bind(0x4000, c.seats[0].relayed)
	for _, seat := range c.seats {
		_ = seat.SetReadDeadline(time.Time{})
		go func() {
			b := make([]byte, 2000)
			for {
				n, err := seat.Read(b)
				if err != nil {
					return
				}
				if n == 1004 && b[0] == 0x40 {
					c.got.Add(1)
				}
			}
		}()
	}
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	l.Cleanup(stop)
	go func() {
		defer close(c.ended)
		packet := make([]byte, 1004)
		binary.BigEndian.PutUint32(packet, 0x40000000|1000)
		pace(ctx, callRate, func(i int) {
			if _, err := c.seats[i%2].Write(packet); err == nil {
				c.sent.Add(1)
			}
		})
	}()
	return c
}

// lost ends the call and returns the number of packets that did not arrive.
func (c *call) lost(t *testing.T) (lost, sent int64) {
	t.Helper()
	c.stop()
	<-c.ended
	sent = c.sent.Load()
	// The last packets are in transit for a moment.
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(2 * time.Second); c.got.Load() < sent && time.Now().Before(deadline); {
		<-ticker.C
	}
	return sent - c.got.Load(), sent
}

// pace calls do at this rate per second until ctx is done.
func pace(ctx context.Context, perSecond int, do func(i int)) {
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	began, i := time.Now(), 0
	for ctx.Err() == nil {
		for due := int(time.Since(began).Seconds() * float64(perSecond)); i < due && ctx.Err() == nil; i++ {
			do(i)
		}
		<-ticker.C
	}
}

func (l *loaded) checkLoss(what string, c *call) {
	l.Helper()
	lost, sent := c.lost(l.T)
	l.Logf("%s: %d of %d packets of the call were lost", what, lost, sent)
	if sent < 5000 {
		l.Errorf("%s: only %d packets were sent", what, sent)
	}
	if lost*1000 > sent {
		l.Errorf("%s: %d of %d packets of the call were lost, want less than 0.1 %%", what, lost, sent)
	}
}

func (l *loaded) checkMemory(before apptest.Memory, most int) {
	l.Helper()
	after := l.Memory(l.T, l.memoryFile)
	l.Logf("before: %v; after: %v", before, after)
	// The system gets pages back in larger pieces.
	if after.Held > before.Held+most || after.Goroutines > before.Goroutines+10 ||
		after.Resident > before.Resident+most+(16<<20) {
		l.Errorf("after it ended: %v, before: %v", after, before)
	}
}

// TestFloodFromAMillionSources sends from a million sources without credentials, and opens ten
// thousand silent connections. Neither leaves anything behind, and a call continues meanwhile.
func TestFloodFromAMillionSources(t *testing.T) {
	l := startLoaded(t, "")
	l.call("warm-up").lost(t)
	fresh := l.Memory(t, l.memoryFile)
	l.floodTCP(10_000)
	before := l.Memory(t, l.memoryFile)

	c := l.call("udp")
	sources := l.floodUDP(1_000_000, 60_000)
	l.checkLoss(fmt.Sprintf("%d sources over UDP", sources), c)
	c = l.call("tcp")
	l.floodTCP(10_000)
	l.checkLoss("10,000 silent connections", c)

	// The runtime keeps some memory of ended goroutines, but only once.
	l.checkMemory(before, 1<<20)
	l.checkMemory(fresh, 10<<20)
}

// floodUDP sends every kind of unauthenticated packet, each from a different source.
func (l *loaded) floodUDP(count, perSecond int) (sources int) {
	l.Helper()
	transport := stun.RawAttribute{Type: stun.AttrRequestedTransport, Value: []byte{17, 0, 0, 0}}
	allocate := stun.NewType(stun.MethodAllocate, stun.ClassRequest)
	packets := [][]byte{
		stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw,
		stun.MustBuild(stun.TransactionID, allocate, transport).Raw,
		stun.MustBuild(stun.TransactionID, allocate, transport,
			stun.NewUsername("1900000000:AAAAAAAAAAAAAAAAAAAAAA"), stun.NewRealm(core.Realm),
			stun.NewNonce("AAAAAAAAAAAAAAAA"), stun.NewShortTermIntegrity("x")).Raw,
		append([]byte{0x40, 0, 0x03, 0xE8}, make([]byte, 1000)...),
		[]byte("\x16\xfe\xfd a beginning of DTLS, perhaps"),
		make([]byte, 1200),
	}
	const ports = 64
	var sockets []*net.UDPConn
	for range ports {
		socket, err := net.ListenUDP("udp4", nil)
		if err != nil {
			l.Fatal(err)
		}
		defer socket.Close()
		sockets = append(sockets, socket)
	}
	// The source address is chosen for each packet (ip(7), IP_PKTINFO).
	control := make([]byte, unix.CmsgSpace(unix.SizeofInet4Pktinfo))
	header := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
	header.Level, header.Type = unix.IPPROTO_IP, unix.IP_PKTINFO
	header.SetLen(unix.CmsgLen(unix.SizeofInet4Pktinfo))
	info := (*unix.Inet4Pktinfo)(unsafe.Pointer(&control[unix.CmsgLen(0)]))
	ctx, done := context.WithCancel(context.Background())
	pace(ctx, perSecond, func(i int) {
		n := i / ports
		info.Spec_dst = [4]byte{127, byte(1 + n>>16), byte(n >> 8), byte(n)}
		if _, _, err := sockets[i%ports].WriteMsgUDPAddrPort(packets[i%len(packets)], control,
			l.udp); err == nil {
			sources++
		}
		if i == count-1 {
			done()
		}
	})
	if sources < count*99/100 {
		l.Errorf("only %d of %d packets were sent", sources, count)
	}
	return sources
}

// floodTCP opens silent connections from a few addresses and waits until they are gone: over TCP,
// and to TLS ports without starting a handshake.
func (l *loaded) floodTCP(count int) {
	l.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || int(limit.Cur) < count+1000 {
		apptest.Skip(l.T, fmt.Sprintf("at most %d files may be open: allow %d with ulimit -n",
			limit.Cur, count+1000))
	}
	var held []net.Conn
	for i := range count {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 3, 0, byte(1+i%5))}}
		conn, err := dialer.Dial("tcp4", l.streams[i%len(l.streams)])
		if err != nil {
			l.Fatalf("connection %d: %v", i, err)
		}
		defer conn.Close()
		held = append(held, conn)
	}
	l.Logf("with %d silent connections: %v", count, l.Memory(l.T, l.memoryFile))
	for _, conn := range held {
		_ = conn.SetReadDeadline(time.Now().Add(30 * time.Second))
		if _, err := conn.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
			l.Fatalf("a silent connection is still open: %v", err)
		}
	}
}

// TestAHostileMemberHurtsOnlyItself checks that a client with a credential may hold all that the
// open relay allows, ask for more, send without limit and read nothing, while its neighbors' call
// continues.
func TestAHostileMemberHurtsOnlyItself(t *testing.T) {
	const most = 32 // permissions, and channels
	var peers []netip.AddrPort
	var allow []string
	for i := range most {
		peer := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 9, 0, byte(1 + i)}), 9999)
		peers, allow = append(peers, peer), append(allow, peer.Addr().String()+"/32")
	}
	l := startLoaded(t, "addresses: [127.0.0.1], peers: open, ports: 53000-53099, allow: ["+
		strings.Join(allow, ", ")+"], ")
	l.call("warm-up").lost(t)
	before := l.Memory(t, l.memoryFile)
	c := l.call("neighbours")

	hostile, deaf := l.member("udp", "hostile", "doctor"), l.member("tcp", "hostile", "patient")
	deaf.bind(0x4000, hostile.relayed)
	// they share an address, which leaves a permission for one more
	peers[0], peers[1] = deaf.relayed, hostile.relayed
	for i, peer := range peers {
		hostile.bind(uint16(0x4000+i), peer)
	}
	last := netip.MustParseAddrPort("127.9.0.1:9999")
	refused := func(request *stun.Message) {
		t.Helper()
		var code stun.ErrorCodeAttribute
		if err := code.GetFrom(hostile.ask(request)); err != nil ||
			code.Code != stun.CodeInsufficientCapacity {
			t.Fatalf("one more than %d gets %v (%v), want 508", most, code, err)
		}
	}
	refused(hostile.channelBind(0x4000+most, last))
	if answer := hostile.ask(hostile.request(stun.MethodCreatePermission,
		stunPeer(last))); answer.Type.Class != stun.ClassSuccessResponse {
		t.Fatalf("CreatePermission: %v", answer)
	}
	refused(hostile.request(stun.MethodCreatePermission, stunPeer(netip.MustParseAddrPort("127.9.0.2:9999"))))
	// From here on nobody reads the packets to either of them.
	if tcp := deaf.Conn.(*net.TCPConn); tcp.SetReadBuffer(4096) != nil {
		t.Fatal("the buffer could not be made small")
	}
	var requests [][]byte
	for i := range 24_000 {
		// permitted, or without an allocation
		peer := netip.AddrPortFrom(peers[i%most].Addr(), uint16(1024+i))
		if i%2 == 0 {
			peer = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), uint16(i))
		}
		requests = append(requests, hostile.request(stun.MethodCreatePermission, stunPeer(peer)).Raw)
		if i < 0x4000 {
			requests = append(requests, hostile.channelBind(uint16(0x4000+i), peers[i%most]).Raw)
		}
	}
	media := make([][]byte, most)
	for i := range media {
		media[i] = append([]byte{0x40, byte(i), 0x03, 0xE8}, make([]byte, 1000)...)
	}
	ctx, stop := context.WithTimeout(context.Background(), 8*time.Second)
	defer stop()
	sent := 0
	pace(ctx, 60_000, func(i int) {
		packet := media[i/3%most]
		switch i % 3 {
		case 1:
			packet = media[i/3%2] // to the deaf member and to itself
		case 2:
			packet = requests[i/3%len(requests)]
		}
		if _, err := hostile.Write(packet); err == nil {
			sent++
		}
	})
	t.Logf("the hostile member sent %d packets", sent)
	if sent < 200_000 {
		t.Errorf("the hostile member sent only %d packets", sent)
	}
	l.checkLoss("next to a hostile member", c)
	hostile.Close()
	deaf.Close()
	l.checkMemory(before, 4<<20)
}

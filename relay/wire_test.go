package relay

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/pion/stun/v3"

	"praxisrelay/relay/core"
	"praxisrelay/relay/credential"
)

var allTransports = []core.Transport{core.UDP, core.TCP, core.TLS}

// wire is a TURN client that sends raw bytes, including what no honest client would.
type wire struct {
	*lab
	net.Conn
	transport  core.Transport
	reader     *bufio.Reader
	credential credential.Credential
	nonce      string
	relayed    netip.AddrPort
}

// wire connects a seat of an appointment. Its credential is valid for an hour.
func (l *lab) wire(transport core.Transport, appointment, seat string) *wire {
	l.Helper()
	return l.wireFrom("", transport, appointment, seat)
}

// wireFrom connects a seat from an address of this host.
func (l *lab) wireFrom(source string, transport core.Transport, appointment, seat string) *wire {
	l.Helper()
	a, ip := l.Addresses(), net.ParseIP(source)
	var conn net.Conn
	var err error
	switch transport {
	case core.UDP:
		conn, err = (&net.Dialer{LocalAddr: &net.UDPAddr{IP: ip}}).Dial("udp", a.UDP[0].String())
	case core.TCP:
		conn, err = (&net.Dialer{LocalAddr: &net.TCPAddr{IP: ip}}).Dial("tcp", a.TCP[0].String())
	default:
		dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: ip}}
		conn, err = tls.DialWithDialer(dialer, "tcp", a.TLS[0].String(),
			&tls.Config{InsecureSkipVerify: true})
	}
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { conn.Close() })
	c, err := l.keys.Mint(identity(appointment, seat, l.options.Now().Add(time.Hour)))
	if err != nil {
		l.Fatal(err)
	}
	w := &wire{lab: l, Conn: conn, transport: transport, reader: bufio.NewReaderSize(conn, 4096),
		credential: c}
	l.wires = append(l.wires, w)
	return w
}

// id is the appointment that tests refer to by a short name.
func id(name string) string {
	hash := sha256.Sum256([]byte(name))
	return strings.ToLower(base32.StdEncoding.EncodeToString(hash[:])[:13])
}

func identity(appointment, seat string, expires time.Time) credential.Identity {
	return credential.Identity{Appointment: id(appointment), Seat: seat, Expires: expires}
}

func (w *wire) send(b []byte) {
	w.Helper()
	if _, err := w.Write(b); err != nil {
		w.Fatal(err)
	}
}

// receive returns the next message, or nil when the relay has closed the connection.
func (w *wire) receive() []byte {
	w.Helper()
	// If the bytes happen to begin a message, the relay waits for the rest before it gives up.
	_ = w.SetReadDeadline(time.Now().Add(firstMessageTime + 5*time.Second))
	if w.transport == core.UDP {
		b := make([]byte, 4096)
		n, err := w.Read(b)
		if err != nil {
			w.Fatal(err)
		}
		return b[:n]
	}
	head, err := w.reader.Peek(4)
	if err != nil {
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			w.Fatal("neither an answer nor a closed connection")
		}
		return nil
	}
	size := 20 + int(binary.BigEndian.Uint16(head[2:]))
	if head[0]&0xC0 == 0x40 {
		size = (4 + int(binary.BigEndian.Uint16(head[2:])) + 3) &^ 3
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(w.reader, b); err != nil {
		w.Fatal(err)
	}
	return b
}

// ask sends a request and returns the answer to it.
func (w *wire) ask(m *stun.Message) *stun.Message {
	w.Helper()
	w.send(m.Raw)
	answer := new(stun.Message)
	if err := stun.Decode(w.receive(), answer); err != nil || answer.TransactionID != m.TransactionID {
		w.Fatalf("asked %v, got %v (%v)", m, answer, err)
	}
	return answer
}

// silent checks that bytes get no answer and change nothing: the next answer is to a later request,
// or the connection is gone, along with what it held.
func (w *wire) silent(b []byte) {
	w.Helper()
	before := w.state()
	w.send(b)
	if !w.quiet() {
		client := w.LocalAddr().String()
		maps.DeleteFunc(before.allocations, func(held core.FiveTuple, _ string) bool {
			return held.Client.String() == client
		})
		until(w.T, func() bool { return maps.Equal(w.state().allocations, before.allocations) })
		return
	}
	if after := w.state(); !after.equal(before) {
		w.Errorf("%x changed the state from %v to %v", b, before, after)
	}
}

// quiet checks that the client has received nothing: the next message is the answer to a new
// request. It returns false if the relay has closed the connection.
func (w *wire) quiet() bool {
	w.Helper()
	probe := stun.MustBuild(stun.TransactionID, stun.BindingRequest)
	if _, err := w.Write(probe.Raw); err != nil {
		return false // already gone
	}
	got, answer := w.receive(), new(stun.Message)
	if got == nil && w.transport != core.UDP {
		return false
	}
	if err := stun.Decode(got, answer); err != nil || answer.TransactionID != probe.TransactionID {
		w.Fatalf("%x came, want the answer to a Binding request", got)
	}
	return true
}

// state is the core's saved state: each allocation with its permissions, channels and latest media,
// and what it remembers of ended ones.
type state struct {
	allocations       map[core.FiveTuple]string
	released, revoked string
}

func (s state) equal(other state) bool {
	return s.released == other.released && s.revoked == other.revoked &&
		maps.Equal(s.allocations, other.allocations)
}

// tuple returns the core's name for a client with an allocation.
func (w *wire) tuple() core.FiveTuple {
	w.Helper()
	for held := range w.state().allocations {
		if held.Transport == w.transport && held.Client.String() == w.LocalAddr().String() {
			return held
		}
	}
	w.Fatal("no allocation")
	return core.FiveTuple{}
}

func (s state) String() string {
	return fmt.Sprint(slices.Sorted(maps.Values(s.allocations)), " released ", s.released,
		" revoked ", s.revoked)
}

func (l *lab) state() state {
	l.Helper()
	var b bytes.Buffer
	l.mu.Lock()
	l.core.Sweep(l.now())
	err := l.core.Save(&b)
	l.mu.Unlock()
	var saved struct {
		Allocations       []json.RawMessage
		Released, Revoked json.RawMessage
	}
	if err := errors.Join(err, json.Unmarshal(b.Bytes(), &saved)); err != nil {
		l.Fatal(err)
	}
	s := state{map[core.FiveTuple]string{}, string(saved.Released), string(saved.Revoked)}
	for _, text := range saved.Allocations {
		var a struct{ Tuple core.FiveTuple }
		if err := json.Unmarshal(text, &a); err != nil {
			l.Fatal(err)
		}
		s.allocations[a.Tuple] = string(text)
	}
	return s
}

// build makes a request signed with the credential.
func (w *wire) build(method stun.Method, setters ...stun.Setter) *stun.Message {
	w.Helper()
	if w.nonce == "" {
		challenge := w.ask(stun.MustBuild(stun.TransactionID,
			stun.NewType(stun.MethodAllocate, stun.ClassRequest), udpTransport))
		nonce, err := challenge.Get(stun.AttrNonce)
		if err != nil {
			w.Fatal(err)
		}
		w.nonce = string(nonce)
	}
	all := append([]stun.Setter{stun.TransactionID, stun.NewType(method, stun.ClassRequest)}, setters...)
	return stun.MustBuild(append(all, w.signature()...)...)
}

func (w *wire) signature() []stun.Setter {
	c := w.credential
	return []stun.Setter{
		stun.NewUsername(c.Username), stun.NewRealm(core.Realm), stun.NewNonce(w.nonce),
		stun.NewLongTermIntegrity(c.Username, core.Realm, c.Password),
	}
}

// code makes a signed request and returns the answer's error code, 0 for success. A refused request
// must change nothing.
func (w *wire) code(method stun.Method, setters ...stun.Setter) int {
	w.Helper()
	request, before := w.build(method, setters...), w.state()
	answer := w.ask(request)
	code := codeOf(w.lab, answer)
	if after := w.state(); code != 0 && !after.equal(before) {
		w.Errorf("%v, refused with %d, changed the state from %v to %v", method, code, before, after)
	}
	if code != 438 && code != 401 {
		integrity := stun.NewLongTermIntegrity(w.credential.Username, core.Realm, w.credential.Password)
		if err := integrity.Check(answer); err != nil {
			w.Errorf("%v: %d without valid MESSAGE-INTEGRITY: %v", method, code, err)
		}
	}
	return code
}

func codeOf(l *lab, answer *stun.Message) int {
	l.Helper()
	if answer.Type.Class == stun.ClassSuccessResponse {
		return 0
	}
	var code stun.ErrorCodeAttribute
	if err := code.GetFrom(answer); err != nil {
		l.Fatalf("an error without ERROR-CODE: %v", answer)
	}
	return int(code.Code)
}

// allocate makes an allocation, which must succeed.
func (w *wire) allocate(setters ...stun.Setter) *wire {
	w.Helper()
	answer := w.ask(w.build(stun.MethodAllocate, append(setters, udpTransport)...))
	var relayed stun.XORMappedAddress
	if err := relayed.GetFromAs(answer, stun.AttrXORRelayedAddress); err != nil {
		w.Fatalf("%d: %v", codeOf(w.lab, answer), err)
	}
	ip, _ := netip.AddrFromSlice(relayed.IP)
	w.relayed = netip.AddrPortFrom(ip, uint16(relayed.Port))
	return w
}

// attr is an attribute with arbitrary bytes.
type attr struct {
	kind  stun.AttrType
	value []byte
}

func (a attr) AddTo(m *stun.Message) error {
	m.Add(a.kind, a.value)
	return nil
}

var udpTransport = attr{stun.AttrRequestedTransport, []byte{17, 0, 0, 0}}

func lifetime(seconds uint32) attr {
	return attr{stun.AttrLifetime, binary.BigEndian.AppendUint32(nil, seconds)}
}

func number(n uint16) attr { return attr{stun.AttrChannelNumber, []byte{byte(n >> 8), byte(n), 0, 0}} }

// peerAddr is an XOR-PEER-ADDRESS in the family in which the address is written: pion's would turn
// a v4-mapped address into IPv4.
type peerAddr netip.AddrPort

func (p peerAddr) AddTo(m *stun.Message) error {
	addr, family := netip.AddrPort(p), byte(2)
	if addr.Addr().Is4() {
		family = 1
	}
	mask := append([]byte{0x21, 0x12, 0xA4, 0x42}, m.TransactionID[:]...)
	value := binary.BigEndian.AppendUint16([]byte{0, family}, addr.Port()^0x2112)
	for i, b := range addr.Addr().AsSlice() {
		value = append(value, b^mask[i])
	}
	m.Add(stun.AttrXORPeerAddress, value)
	return nil
}

func channelData(n uint16, data string) []byte {
	b := binary.BigEndian.AppendUint16(nil, n)
	b = binary.BigEndian.AppendUint16(b, uint16(len(data)))
	b = append(b, data...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

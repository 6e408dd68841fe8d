package core

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v3"

	"praxisrelay/relay/credential"
)

var (
	start   = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	server  = netip.MustParseAddrPort("192.0.2.1:3478")
	relayed = netip.MustParseAddr("192.0.2.1")
)

// lab is a core with a clock that the test controls.
type lab struct {
	testing.TB
	*Core
	keys *credential.Keyring
	now  time.Time
	buf  []byte
}

func newLab(t testing.TB) *lab {
	t.Helper()
	keys, err := credential.NewKeyring([]byte("the secret of all tests"))
	if err != nil {
		t.Fatal(err)
	}
	return newLabWith(t, Config{RelayedIPv4: relayed}, keys)
}

// limits are the limits that most tests use.
var limits = Limits{PerSeat: 16, PerPrefix: 1000, Total: 1000, Unauthenticated: 1000}

// newLabWith makes a lab and fills in what the configuration omits.
func newLabWith(t testing.TB, config Config, keys *credential.Keyring) *lab {
	t.Helper()
	config.Keys, config.MaxSession = keys, 24*time.Hour
	if config.Limits == (Limits{}) {
		config.Limits = limits
	}
	c, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return &lab{t, c, keys, start, make([]byte, MaxOutput)}
}

// limit changes limits while the core is in use.
func (l *lab) limit(change func(*Limits)) {
	l.Helper()
	changed := l.config.Limits
	change(&changed)
	if err := l.SetLimits(changed, l.config.MaxSession); err != nil {
		l.Fatal(err)
	}
}

// peer is a TURN client of the lab.
type peer struct {
	*lab
	tuple      FiveTuple
	credential credential.Credential
	nonce      string
	relayed    netip.AddrPort
}

func (l *lab) peer(address, appointment, seat string) *peer {
	l.Helper()
	return &peer{
		lab: l, tuple: FiveTuple{Client: netip.MustParseAddrPort(address), Server: server},
		credential: l.mint(appointment, seat, 0, 8*time.Hour),
	}
}

func (l *lab) mint(appointment, seat string, generation int, lifetime time.Duration) credential.Credential {
	l.Helper()
	c, err := l.keys.Mint(credential.Identity{
		Appointment: id(appointment), Seat: seat, Generation: generation, Expires: l.now.Add(lifetime),
	})
	if err != nil {
		l.Fatal(err)
	}
	return c
}

// id is the appointment that tests refer to by a short name.
func id(name string) string {
	hash := sha256.Sum256([]byte(name))
	return strings.ToLower(base32.StdEncoding.EncodeToString(hash[:])[:13])
}

// allocated returns a peer that has a relayed address.
func (l *lab) allocated(address, appointment, seat string) *peer {
	l.Helper()
	p := l.peer(address, appointment, seat)
	p.allocate()
	return p
}

func (p *peer) allocate(more ...stun.Setter) {
	p.Helper()
	answer := p.ok(stun.MethodAllocate, append(more, requestedTransport(protocolUDP))...)
	p.relayed = xorAddr(p, answer, stun.AttrXORRelayedAddress)
}

// raw sends bytes and returns a copy of the output.
func (p *peer) raw(in []byte) (FiveTuple, []byte) {
	if len(in) > 0 && in[0]&0xC0 == 0x40 {
		to, out := p.Forward(p.now, p.tuple, append([]byte(nil), in...), p.buf)
		return to, append([]byte(nil), out...)
	}
	to, out := p.Handle(p.now, p.tuple, append([]byte(nil), in...), p.buf)
	return to, append([]byte(nil), out...)
}

// ask sends a message and returns the answer to this client, or nil.
func (p *peer) ask(m *stun.Message) *stun.Message {
	p.Helper()
	to, out := p.raw(m.Raw)
	if len(out) == 0 {
		return nil
	}
	if to != p.tuple {
		p.Fatalf("the answer went to %v", to)
	}
	answer := new(stun.Message)
	if err := stun.Decode(out, answer); err != nil {
		p.Fatalf("the answer is not a STUN message: %v", err)
	}
	if answer.TransactionID != m.TransactionID || answer.Type.Method != m.Type.Method {
		p.Fatalf("the answer %v is to something else than %v", answer, m)
	}
	return answer
}

// build makes an authenticated request; if it has no nonce, it requests one first.
func (p *peer) build(method stun.Method, setters ...stun.Setter) *stun.Message {
	p.Helper()
	if p.nonce == "" {
		challenge := p.ask(build(p, method, stun.ClassRequest, requestedTransport(protocolUDP)))
		if code := errorCode(p, challenge); code != 401 {
			p.Fatalf("an unauthenticated request got %d", code)
		}
		p.nonce = text(p, challenge, stun.AttrNonce)
	}
	return build(p, method, stun.ClassRequest, append(setters, p.signature()...)...)
}

func (p *peer) signature() []stun.Setter {
	return []stun.Setter{
		stun.NewUsername(p.credential.Username), stun.NewRealm(Realm), stun.NewNonce(p.nonce),
		stun.NewLongTermIntegrity(p.credential.Username, Realm, p.credential.Password),
	}
}

func (p *peer) request(method stun.Method, setters ...stun.Setter) *stun.Message {
	p.Helper()
	return p.ask(p.build(method, setters...))
}

// ok makes a request that must succeed, and checks the answer's integrity.
func (p *peer) ok(method stun.Method, setters ...stun.Setter) *stun.Message {
	p.Helper()
	answer := p.request(method, setters...)
	if answer == nil || answer.Type.Class != stun.ClassSuccessResponse {
		p.Fatalf("%v: got %v with error %d", method, answer, errorCode(p, answer))
	}
	if err := p.integrity().Check(answer); err != nil {
		p.Fatalf("%v: the answer's integrity: %v", method, err)
	}
	return answer
}

func (p *peer) integrity() stun.MessageIntegrity {
	return stun.NewLongTermIntegrity(p.credential.Username, Realm, p.credential.Password)
}

// refused makes a request and returns its error code, or 0 for success.
func (p *peer) refused(method stun.Method, setters ...stun.Setter) int {
	p.Helper()
	return errorCode(p, p.request(method, setters...))
}

func (p *peer) bind(number uint16, to netip.AddrPort) {
	p.Helper()
	p.ok(stun.MethodChannelBind, channelNumber(number), xorPeer(to))
}

func (p *peer) permit(to netip.AddrPort) {
	p.Helper()
	p.ok(stun.MethodCreatePermission, xorPeer(to))
}

// channelData sends data into a channel and returns what its target received.
func (p *peer) channelData(number uint16, data string) (FiveTuple, []byte) {
	message := binary.BigEndian.AppendUint16(nil, number)
	message = binary.BigEndian.AppendUint16(message, uint16(len(data)))
	return p.raw(append(message, data...))
}

func (p *peer) send(to netip.AddrPort, data string) (FiveTuple, []byte) {
	p.Helper()
	return p.raw(build(p, stun.MethodSend, stun.ClassIndication, xorPeer(to),
		raw{stun.AttrData, []byte(data)}).Raw)
}

// delivered checks that a packet arrived at a peer as ChannelData.
func (p *peer) delivered(number uint16, data string, to FiveTuple, out []byte) {
	p.Helper()
	want := binary.BigEndian.AppendUint16(nil, number)
	want = binary.BigEndian.AppendUint16(want, uint16(len(data)))
	if to != p.tuple || string(out) != string(want)+data {
		p.Fatalf("%q arrived at %v, want %q at %v", out, to.Client, string(want)+data, p.tuple.Client)
	}
}

// indicated checks that a packet arrived at a peer as a Data indication.
func (p *peer) indicated(from netip.AddrPort, data string, to FiveTuple, out []byte) {
	p.Helper()
	m := new(stun.Message)
	if err := stun.Decode(out, m); err != nil ||
		m.Type != stun.NewType(stun.MethodData, stun.ClassIndication) || to != p.tuple {
		p.Fatalf("%q arrived at %v (%v), want a Data indication at %v", out, to.Client, err, p.tuple.Client)
	}
	got, err := m.Get(stun.AttrData)
	if err != nil || string(got) != data || xorAddr(p, m, stun.AttrXORPeerAddress) != from {
		p.Fatalf("the Data indication is %v with %q", m, got)
	}
}

func (l *lab) dropped(_ FiveTuple, out []byte) {
	l.Helper()
	if len(out) != 0 {
		l.Fatalf("%q was forwarded", out)
	}
}

func build(t testing.TB, method stun.Method, class stun.MessageClass, setters ...stun.Setter) *stun.Message {
	t.Helper()
	m, err := stun.Build(append([]stun.Setter{stun.TransactionID, stun.NewType(method, class)},
		setters...)...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// raw is an attribute with arbitrary bytes.
type raw struct {
	kind  stun.AttrType
	value []byte
}

func (r raw) AddTo(m *stun.Message) error {
	m.Add(r.kind, r.value)
	return nil
}

func requestedTransport(protocol byte) stun.Setter {
	return raw{stun.AttrRequestedTransport, []byte{protocol, 0, 0, 0}}
}

func lifetime(seconds uint32) stun.Setter {
	return raw{stun.AttrLifetime, binary.BigEndian.AppendUint32(nil, seconds)}
}

func channelNumber(n uint16) stun.Setter {
	return raw{stun.AttrChannelNumber, []byte{byte(n >> 8), byte(n), 0, 0}}
}

// xorPeer encodes with neither our code nor pion's, which turns ::ffff:192.0.2.1 into IPv4.
type xorPeer netip.AddrPort

func (p xorPeer) AddTo(m *stun.Message) error {
	addr := netip.AddrPort(p)
	family := byte(familyIPv6)
	if addr.Addr().Is4() {
		family = familyIPv4
	}
	value := binary.BigEndian.AppendUint16([]byte{0, family}, addr.Port()^0x2112)
	for i, b := range addr.Addr().AsSlice() {
		value = append(value, b^m.Raw[4+i]) // the magic cookie and the transaction ID
	}
	m.Add(stun.AttrXORPeerAddress, value)
	return nil
}

func xorAddr(t testing.TB, m *stun.Message, kind stun.AttrType) netip.AddrPort {
	t.Helper()
	var a stun.XORMappedAddress
	if err := a.GetFromAs(m, kind); err != nil {
		t.Fatalf("%v: %v", kind, err)
	}
	ip, _ := netip.AddrFromSlice(a.IP)
	return netip.AddrPortFrom(ip, uint16(a.Port))
}

func text(t testing.TB, m *stun.Message, kind stun.AttrType) string {
	t.Helper()
	value, err := m.Get(kind)
	if err != nil {
		t.Fatalf("%v: %v", kind, err)
	}
	return string(value)
}

func lifetimeOf(t testing.TB, m *stun.Message) time.Duration {
	t.Helper()
	return time.Duration(binary.BigEndian.Uint32([]byte(text(t, m, stun.AttrLifetime)))) * time.Second
}

// errorCode returns an answer's error code: 0 for success, -1 for no answer.
func errorCode(t testing.TB, m *stun.Message) int {
	t.Helper()
	if m == nil {
		return -1
	}
	if m.Type.Class == stun.ClassSuccessResponse {
		return 0
	}
	var code stun.ErrorCodeAttribute
	if err := code.GetFrom(m); err != nil {
		t.Fatalf("an error without ERROR-CODE: %v", m)
	}
	return int(code.Code)
}

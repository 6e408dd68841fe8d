package hostile

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/pion/stun/v3"

	"praxisrelay/relay/check"
)

// times are how long to wait.
type times struct {
	answer time.Duration   // for an answer on a stream
	pauses []time.Duration // between repetitions over UDP (RFC 8489, section 6.2.1)
	frame  time.Duration   // for the server to close a stream whose message does not end
}

// patient times are for a busy machine. According to docs/relay.md, a message on a stream must be
// complete ten seconds after it began.
var patient = times{
	answer: 5 * time.Second,
	pauses: []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 2 * time.Second},
	frame:  15 * time.Second,
}

// wire is a TURN client that can send what no honest client would. It is not safe for concurrent
// use.
type wire struct {
	*attack
	way          check.Way
	seat         int
	conn         net.Conn
	reader       *bufio.Reader // of a stream
	realm, nonce string
	holds        bool // an allocation
	relayed      netip.AddrPort
	strays       [][]byte // received messages that were no answer
}

func (a *attack) connect(ctx context.Context, w check.Way, seat int) (*wire, error) {
	conn, err := a.dial(ctx, w)
	if err != nil {
		return nil, err
	}
	return &wire{attack: a, way: w, seat: seat, conn: conn, reader: bufio.NewReaderSize(conn, 4096)}, nil
}

// challenged connects and gets the realm and a nonce.
func (a *attack) challenged(ctx context.Context, w check.Way, seat int) (*wire, error) {
	c, err := a.connect(ctx, w, seat)
	if err != nil {
		return nil, err
	}
	answer, err := c.ask(ctx, plainly(stun.MethodAllocate, udpTransport))
	if err == nil && (codeOf(answer) != stun.CodeUnauthorized || !c.heed(answer)) {
		err = fmt.Errorf("an Allocate without a credential is answered %v, not 401", answer.Type)
	}
	if err != nil {
		c.conn.Close()
		return nil, err
	}
	return c, nil
}

// allocate makes an allocation as an honest client does.
func (a *attack) allocate(ctx context.Context, w check.Way, seat int, more ...stun.Setter) (*wire, error) {
	c, err := a.challenged(ctx, w, seat)
	if err != nil {
		return nil, err
	}
	answer, err := c.request(ctx, stun.MethodAllocate, append([]stun.Setter{udpTransport}, more...)...)
	if err == nil && answer.Type.Class != stun.ClassSuccessResponse {
		err = fmt.Errorf("answered %d", codeOf(answer))
	}
	if err == nil {
		c.holds = true
		c.relayed, err = relayedOf(answer)
	}
	if err != nil {
		c.close(ctx)
		return nil, err
	}
	return c, nil
}

// close releases the allocation, if any, and closes the connection.
func (c *wire) close(ctx context.Context) {
	if c.holds {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.times.answer)
		defer cancel()
		_, _ = c.request(ctx, stun.MethodRefresh, lifetime(0))
	}
	c.conn.Close()
}

// heed takes the realm and nonce from an answer.
func (c *wire) heed(answer *stun.Message) bool {
	realm, err := answer.Get(stun.AttrRealm)
	if err == nil {
		c.realm = string(realm)
	}
	nonce, err := answer.Get(stun.AttrNonce)
	if err == nil {
		c.nonce = string(nonce)
	}
	return c.realm != "" && c.nonce != ""
}

// request sends a request with the credential of the wire's seat, again if the nonce is stale.
func (c *wire) request(ctx context.Context, method stun.Method, setters ...stun.Setter) (*stun.Message, error) {
	return c.requestAs(ctx, c.seat, method, setters...)
}

func (c *wire) requestAs(
	ctx context.Context, seat int, method stun.Method, setters ...stun.Setter,
) (answer *stun.Message, err error) {
	for range 2 {
		if err := c.users[seat].wait(ctx); err != nil {
			return nil, err
		}
		answer, err = c.ask(ctx, c.signed(c.Seats[seat], method, setters...))
		if err != nil || codeOf(answer) != stun.CodeStaleNonce || !c.heed(answer) {
			break
		}
	}
	return answer, err
}

// signed builds a request with a seat's credential.
func (c *wire) signed(s Seat, method stun.Method, setters ...stun.Setter) *stun.Message {
	kind := []stun.Setter{stun.TransactionID, stun.NewType(method, stun.ClassRequest)}
	return stun.MustBuild(slices.Concat(kind, setters, c.credential(s))...)
}

func (c *wire) credential(s Seat) []stun.Setter {
	return []stun.Setter{
		stun.NewUsername(s.Username), stun.NewRealm(c.realm), stun.NewNonce(c.nonce),
		stun.NewLongTermIntegrity(s.Username, c.realm, s.Password),
	}
}

// plainly builds a request without a credential.
func plainly(method stun.Method, setters ...stun.Setter) *stun.Message {
	kind := []stun.Setter{stun.TransactionID, stun.NewType(method, stun.ClassRequest)}
	return stun.MustBuild(append(kind, setters...)...)
}

// maxGone is how many consecutive requests that every server answers may get no answer before a way
// is given up.
const maxGone = 3

// ask sends a request and returns the answer. errIgnored means that there is none, although a later
// Binding request is answered.
func (c *wire) ask(ctx context.Context, m *stun.Message) (*stun.Message, error) {
	if c.silences(0) >= maxGone {
		return nil, errGone
	}
	answer, err := c.askAgain(ctx, m)
	if errors.Is(err, errSilent) {
		if _, again := c.askAgain(ctx, plainly(stun.MethodBinding)); again == nil {
			err = errIgnored
		} else if errors.Is(again, errSilent) {
			c.silences(1)
		}
	}
	if err == nil || errors.Is(err, errIgnored) {
		c.silences(-maxGone)
	}
	return answer, err
}

// silences adds to the way's count of consecutive silences and returns it.
func (c *wire) silences(add int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone[c.way] = max(0, c.gone[c.way]+add)
	return c.gone[c.way]
}

// askAgain repeats a request over UDP. Unauthenticated ones keep the pace of strangers.
func (c *wire) askAgain(ctx context.Context, m *stun.Message) (*stun.Message, error) {
	stranger := c.way.Transport == check.UDP && !m.Contains(stun.AttrMessageIntegrity)
	waits := []time.Duration{c.times.answer}
	if c.way.Transport == check.UDP {
		waits = c.times.pauses
	}
	for _, wait := range waits {
		if stranger {
			if err := c.strangers.wait(ctx); err != nil {
				return nil, err
			}
		}
		if err := c.send(m.Raw); err != nil {
			return nil, err
		}
		answer, err := c.answer(ctx, m.TransactionID, time.Now().Add(wait))
		if !errors.Is(err, errSilent) {
			return answer, err
		}
	}
	return nil, errSilent
}

// barrier sends a Binding request, which every server answers. By then the server has handled
// everything sent before.
func (c *wire) barrier(ctx context.Context) error {
	answer, err := c.ask(ctx, plainly(stun.MethodBinding))
	if err == nil && answer.Type != stun.BindingSuccess {
		err = fmt.Errorf("a Binding request is answered %v", answer.Type)
	}
	return err
}

func (c *wire) send(b []byte) error {
	_ = c.conn.SetWriteDeadline(time.Now().Add(c.times.answer))
	if _, err := c.conn.Write(b); err != nil {
		return errClosed
	}
	return nil
}

func (c *wire) answer(
	ctx context.Context, id [stun.TransactionIDSize]byte, until time.Time,
) (*stun.Message, error) {
	for {
		b, err := c.receive(ctx, until)
		if err != nil {
			return nil, err
		}
		answer := new(stun.Message)
		if stun.Decode(b, answer) == nil && answer.TransactionID == id {
			return answer, nil
		}
		c.strays = append(c.strays, b)
	}
}

// receive returns one message.
func (c *wire) receive(ctx context.Context, until time.Time) (b []byte, err error) {
	_ = c.conn.SetReadDeadline(until)
	defer context.AfterFunc(ctx, func() { _ = c.conn.SetReadDeadline(time.Unix(1, 0)) })()
	if c.way.Transport == check.UDP {
		b = make([]byte, 4096)
		var n int
		n, err = c.conn.Read(b)
		b = b[:n]
	} else {
		b, err = readFrame(c.reader)
	}
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, errSilent
	case err != nil:
		return nil, errClosed
	}
	return b, nil
}

// readFrame reads a message from a stream (RFC 8656, section 12.5).
func readFrame(r *bufio.Reader) ([]byte, error) {
	head, err := r.Peek(4)
	if err != nil {
		return nil, err
	}
	size := 20 + int(binary.BigEndian.Uint16(head[2:]))
	if head[0]&0xC0 != 0 {
		size = (4 + int(binary.BigEndian.Uint16(head[2:])) + 3) &^ 3
	}
	b := make([]byte, size)
	_, err = io.ReadFull(r, b)
	return b, err
}

// attr is an attribute, valid or not.
type attr struct {
	kind  stun.AttrType
	value []byte
}

func (a attr) AddTo(m *stun.Message) error {
	m.Add(a.kind, a.value)
	return nil
}

var udpTransport = attr{stun.AttrRequestedTransport, []byte{17, 0, 0, 0}}

// Address families (RFC 8489, section 14.1).
const (
	ipv4 = 1
	ipv6 = 2
)

func family(f byte) stun.Setter { return attr{stun.AttrRequestedAddressFamily, []byte{f, 0, 0, 0}} }

func lifetime(seconds uint32) stun.Setter {
	return attr{stun.AttrLifetime, binary.BigEndian.AppendUint32(nil, seconds)}
}

func number(channel uint16) stun.Setter {
	return attr{stun.AttrChannelNumber, append(binary.BigEndian.AppendUint16(nil, channel), 0, 0)}
}

// peerAddr is an XOR-PEER-ADDRESS in the family of the spelling: the library turns a mapped address
// into IPv4.
type peerAddr netip.AddrPort

func (p peerAddr) AddTo(m *stun.Message) error {
	peer := netip.AddrPort(p)
	value := []byte{0, ipv6}
	if peer.Addr().Is4() {
		value[1] = ipv4
	}
	value = binary.BigEndian.AppendUint16(value, peer.Port())
	value = append(value, peer.Addr().AsSlice()...)
	mask := append(binary.BigEndian.AppendUint32(nil, stunCookie), m.TransactionID[:]...)
	value[2], value[3] = value[2]^mask[0], value[3]^mask[1]
	for i := range value[4:] {
		value[4+i] ^= mask[i]
	}
	m.Add(stun.AttrXORPeerAddress, value)
	return nil
}

const stunCookie = 0x2112A442

func relayedOf(answer *stun.Message) (netip.AddrPort, error) {
	var xor stun.XORMappedAddress
	if err := xor.GetFromAs(answer, stun.AttrXORRelayedAddress); err != nil {
		return netip.AddrPort{}, err
	}
	addr, _ := netip.AddrFromSlice(xor.IP)
	return netip.AddrPortFrom(addr.Unmap(), uint16(xor.Port)), nil
}

func sendTo(peer netip.AddrPort, data []byte) []byte {
	return stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodSend, stun.ClassIndication),
		peerAddr(peer), attr{stun.AttrData, data}).Raw
}

// channelData returns ChannelData with the padding that streams need.
func channelData(channel uint16, data []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, channel)
	b = binary.BigEndian.AppendUint16(b, uint16(len(data)))
	b = append(b, data...)
	return append(b, make([]byte, -len(b)&3)...)
}

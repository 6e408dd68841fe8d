package core

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v3"
)

func TestBindingReturnsTheClientsAddress(t *testing.T) {
	l := newLab(t)
	for _, address := range []string{"198.51.100.7:4000", "[2001:db8::7]:4000"} {
		p := l.peer(address, "a", "doctor")
		answer := p.ask(build(t, stun.MethodBinding, stun.ClassRequest, stun.Fingerprint))
		if got := xorAddr(t, answer, stun.AttrXORMappedAddress); got != p.tuple.Client {
			t.Errorf("mapped address %v, want %v", got, p.tuple.Client)
		}
		if err := stun.Fingerprint.Check(answer); err != nil {
			t.Error(err)
		}
	}
}

// TestAnHourOfAConsultation refreshes like a browser under a simulated clock (allocations at 540 s,
// permissions and channels every 240 s), and then ends.
func TestAnHourOfAConsultation(t *testing.T) {
	l := newLab(t)
	doctor := l.allocated("198.51.100.1:1000", "a", "doctor")
	patient := l.allocated("203.0.113.2:2000", "a", "patient")
	keepUp := func() {
		doctor.permit(patient.relayed)
		doctor.bind(0x4000, patient.relayed)
		patient.permit(doctor.relayed)
		patient.bind(0x4001, doctor.relayed)
	}
	keepUp()
	for second := 1; second <= 3600; second++ {
		l.now = start.Add(time.Duration(second) * time.Second)
		l.Sweep(l.now)
		if second%240 == 0 {
			keepUp()
		}
		if second%540 == 0 {
			for _, p := range []*peer{doctor, patient} {
				if got := lifetimeOf(t, p.ok(stun.MethodRefresh)); got != DefaultLifetime {
					t.Fatalf("refreshed for %v", got)
				}
			}
		}
		for frame := range 3 {
			data := fmt.Sprintf("frame %d of second %d", frame, second)
			to, out := doctor.channelData(0x4000, data)
			patient.delivered(0x4001, data, to, out)
			to, out = patient.channelData(0x4001, data)
			doctor.delivered(0x4000, data, to, out)
		}
	}
	// Both vanish. The permissions end first, then the allocations.
	l.now = start.Add(3600*time.Second + permissionLifetime)
	l.dropped(doctor.channelData(0x4000, "late"))
	l.now = start.Add(2 * time.Hour)
	l.Sweep(l.now)
	if n := l.Allocations(); n != 0 || len(l.appointments) != 0 || l.routes.Len() != 0 ||
		len(l.expiries) != 0 {
		t.Errorf("left behind: %d allocations, %d appointments, %d routes, %d expiries",
			n, len(l.appointments), l.routes.Len(), len(l.expiries))
	}
}

func TestDataTakesEveryWayThatIsPermitted(t *testing.T) {
	l := newLab(t)
	a, b := l.allocated("198.51.100.1:1000", "x", "doctor"), l.allocated("198.51.100.2:1000", "x", "patient")

	l.dropped(a.send(b.relayed, "nobody permits"))
	a.permit(b.relayed)
	l.dropped(a.send(b.relayed, "only the sender permits"))
	b.permit(a.relayed)
	to, out := a.send(b.relayed, "both permit")
	b.indicated(a.relayed, "both permit", to, out)

	a.bind(0x4000, b.relayed)
	to, out = a.channelData(0x4000, "channel to indication")
	b.indicated(a.relayed, "channel to indication", to, out)
	to, out = b.send(a.relayed, "indication to channel")
	a.delivered(0x4000, "indication to channel", to, out)

	b.bind(0x7FFF, a.relayed)
	to, out = a.channelData(0x4000, "")
	b.delivered(0x7FFF, "", to, out)
	longest := strings.Repeat("x", MaxMessage-4)
	to, out = a.channelData(0x4000, longest)
	b.delivered(0x7FFF, longest, to, out)

	l.dropped(a.channelData(0x4001, "no such channel"))
	l.dropped(a.raw([]byte{0x40, 0x00, 0x00, 0x05, 'l', 'i', 'e'}))
	l.dropped(a.raw([]byte{0x40, 0x00, 0x00}))
	l.dropped(a.channelData(0x4000, longest+"x"))

	// A seat may pair with itself.
	a2 := l.allocated("198.51.100.1:1001", "x", "doctor")
	a2.bind(0x4000, a.relayed)
	a.bind(0x4002, a2.relayed)
	to, out = a2.channelData(0x4000, "self")
	a.delivered(0x4002, "self", to, out)
}

func TestChannelDataIsForwardedByItsLengthNotTheDatagrams(t *testing.T) {
	l := newLab(t)
	a, b := l.allocated("198.51.100.1:1000", "x", "doctor"), l.allocated("198.51.100.2:1000", "x", "patient")
	a.bind(0x4000, b.relayed)
	b.bind(0x4000, a.relayed)
	to, out := a.raw([]byte{0x40, 0x00, 0x00, 0x01, 'd', 0, 0, 0})
	b.delivered(0x4000, "d", to, out)
}

func TestPermissionAndChannelLifetimes(t *testing.T) {
	l := newLab(t)
	a, b := l.allocated("198.51.100.1:1000", "x", "doctor"), l.allocated("198.51.100.2:1000", "x", "patient")
	a.bind(0x4000, b.relayed)
	b.permit(a.relayed)
	l.now = start.Add(permissionLifetime - time.Second)
	to, out := a.channelData(0x4000, "in time")
	b.indicated(a.relayed, "in time", to, out)
	l.now = start.Add(permissionLifetime)
	l.dropped(a.channelData(0x4000, "b's permission is over"))
	b.bind(0x4005, a.relayed) // a ChannelBind installs a permission
	to, out = a.channelData(0x4000, "again")
	b.delivered(0x4005, "again", to, out)

	// A channel outlives its permission, and a refresh brings the permission back.
	a.ok(stun.MethodRefresh)
	b.ok(stun.MethodRefresh)
	l.now = start.Add(channelLifetime - time.Second)
	b.bind(0x4005, a.relayed)
	to, out = a.channelData(0x4000, "almost over")
	b.delivered(0x4005, "almost over", to, out)
	l.now = start.Add(channelLifetime)
	l.dropped(a.channelData(0x4000, "over"))

	// Then the number and the peer are free again.
	a.bind(0x4001, b.relayed)
	to, out = a.channelData(0x4001, "new number")
	b.delivered(0x4005, "new number", to, out)
}

func TestEndedAllocationsLeadNowhere(t *testing.T) {
	ends := map[string]func(*lab, *peer){
		"Refresh(0)":   func(_ *lab, p *peer) { p.ok(stun.MethodRefresh, lifetime(0)) },
		"disconnected": func(l *lab, p *peer) { l.Disconnected(l.now, p.tuple) },
		"expired":      func(l *lab, p *peer) { l.now = l.now.Add(DefaultLifetime); l.Sweep(l.now) },
		"revoked":      func(l *lab, p *peer) { l.Revoke(l.now, id("x"), "", 0) },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			a := l.allocated("198.51.100.1:1000", "x", "doctor")
			b := l.allocated("198.51.100.2:1000", "x", "patient")
			a.bind(0x4000, b.relayed)
			b.bind(0x4000, a.relayed)
			end(l, b)
			l.dropped(a.channelData(0x4000, "to nobody"))
			l.dropped(b.channelData(0x4000, "from nobody"))
			if l.Holds(b.tuple) {
				t.Error("the allocation is still held")
			}
		})
	}
}

// In pion, the reader of the first allocation deletes the second.
func TestAllocateAfterRefreshZeroIsANewAllocation(t *testing.T) {
	l := newLab(t)
	l.allocated("198.51.100.2:1000", "x", "patient") // it might still send to the first
	p := l.allocated("198.51.100.1:1000", "x", "doctor")
	first := p.relayed
	p.ok(stun.MethodRefresh, lifetime(0))
	p.allocate()
	if s := l.appointments[id("x")].space; p.relayed == first || !s.lately(first) {
		t.Error("the relayed address was given again at once, or could be")
	}
	l.now = start.Add(DefaultLifetime - time.Second)
	l.Sweep(l.now)
	p.ok(stun.MethodRefresh)
}

func TestLifetimes(t *testing.T) {
	l := newLab(t)
	for wish, want := range map[uint32]time.Duration{
		1: 10 * time.Minute, 599: 10 * time.Minute, 600: 10 * time.Minute, 1200: 20 * time.Minute,
		3600: time.Hour, 3601: time.Hour, 0xFFFFFFFF: time.Hour,
	} {
		p := l.peer(fmt.Sprintf("198.51.100.1:%d", 1000+wish%60000), fmt.Sprint(wish), "doctor")
		if got := lifetimeOf(t, p.ok(stun.MethodAllocate, requestedTransport(protocolUDP), lifetime(wish))); got != want {
			t.Errorf("Allocate with LIFETIME %d: %v, want %v", wish, got, want)
		}
		if got := lifetimeOf(t, p.ok(stun.MethodRefresh, lifetime(wish))); got != want {
			t.Errorf("Refresh with LIFETIME %d: %v, want %v", wish, got, want)
		}
		if got := lifetimeOf(t, p.ok(stun.MethodRefresh, lifetime(0))); got != 0 {
			t.Errorf("Refresh with LIFETIME 0: %v", got)
		}
	}
}

// A consultation that runs over is not cut; max_session is the hard limit.
func TestExpiredCredentialKeepsItsAllocationUpToMaxSession(t *testing.T) {
	l := newLab(t)
	p := l.allocated("198.51.100.1:1000", "x", "doctor")
	for l.now.Before(start.Add(23*time.Hour + 30*time.Minute)) {
		l.now = l.now.Add(9 * time.Minute)
		if code := p.refused(stun.MethodRefresh); code == 438 {
			p.nonce = ""
			p.ok(stun.MethodRefresh)
		} else if code != 0 {
			t.Fatalf("after %v: %d", l.now.Sub(start), code)
		}
	}
	late := l.peer("198.51.100.1:1001", "x", "doctor")
	late.credential = p.credential
	if code := late.refused(stun.MethodAllocate, requestedTransport(protocolUDP)); code != 401 {
		t.Errorf("Allocate with an expired credential: %d, want 401", code)
	}
	p.nonce = ""
	left := start.Add(24 * time.Hour).Sub(l.now)
	if got := lifetimeOf(t, p.ok(stun.MethodRefresh, lifetime(3600))); got != left {
		t.Errorf("the last refresh gave %v, want the %v that are left", got, left)
	}
	l.now = start.Add(24 * time.Hour)
	p.nonce = ""
	if code := p.refused(stun.MethodRefresh); code != 437 {
		t.Errorf("beyond max_session: %d, want 437", code)
	}
}

// TestRevokedAppointmentGetsNothingUntilItIsForgotten: a clock that is ahead for one sweep must not
// bring a credential back. Only the registry knows when none of an appointment's are valid any
// more.
func TestRevokedAppointmentGetsNothingUntilItIsForgotten(t *testing.T) {
	l := newLab(t)
	p := l.allocated("198.51.100.1:1000", "x", "doctor")
	other := l.allocated("198.51.100.9:1000", "y", "doctor")
	ended := l.Revoke(l.now, id("x"), "", 0)
	if len(ended) != 1 || ended[0] != p.tuple {
		t.Errorf("ended %v, want %v", ended, p.tuple)
	}
	if code := p.refused(stun.MethodAllocate, requestedTransport(protocolUDP)); code != 401 {
		t.Errorf("Allocate after revocation: %d, want 401", code)
	}
	other.ok(stun.MethodRefresh)
	l.Sweep(l.now.AddDate(1, 0, 0))
	if code := p.refused(stun.MethodAllocate, requestedTransport(protocolUDP)); code != 401 {
		t.Errorf("Allocate after a sweep with the clock ahead: %d, want 401", code)
	}
	l.Forget(id("x"))
	if len(l.revoked) != 0 {
		t.Error("a revocation is kept")
	}
	p.allocate()
}

func TestRetransmittedAllocateIsAnsweredAsTheFirst(t *testing.T) {
	l := newLab(t)
	p := l.peer("198.51.100.1:1000", "x", "doctor")
	request := p.build(stun.MethodAllocate, requestedTransport(protocolUDP), lifetime(1800))
	_, first := p.raw(request.Raw)
	l.now = l.now.Add(39 * time.Second)
	_, again := p.raw(request.Raw)
	if string(first) != string(again) || len(first) == 0 {
		t.Errorf("the answers differ: %x, %x", first, again)
	}
	if l.Allocations() != 1 {
		t.Errorf("%d allocations", l.Allocations())
	}
}

func TestEvenPort(t *testing.T) {
	l := newLab(t)
	for i := range 10 {
		p := l.peer(fmt.Sprintf("198.51.100.1:%d", 1000+i), "x", "doctor")
		p.allocate(raw{stun.AttrEvenPort, []byte{0}})
		if p.relayed.Port()%2 != 0 || p.relayed.Port() < firstPort {
			t.Errorf("EVEN-PORT gave %v", p.relayed)
		}
	}
}

func TestRelayedAddressesAreUniqueAndUsedUpBeforeOneIsGivenAgain(t *testing.T) {
	const first, last = 50000, 50099
	any := func(netip.AddrPort) error { return nil }
	s := newSpace()
	for range last - first + 1 {
		addr, ok := s.freeAddress(start, relayed, first, last, false, any)
		if !ok || s.relayed[addr] != nil || addr.Port() < first || addr.Port() > last {
			t.Fatalf("got %v, %v", addr, ok)
		}
		s.relayed[addr] = &allocation{}
	}
	if addr, ok := s.freeAddress(start, relayed, first, last, false, any); ok {
		t.Errorf("more ports than there are: %v", addr)
	}
	if _, ok := s.freeAddress(start, netip.MustParseAddr("2001:db8::1"), first, last, false, any); !ok {
		t.Error("one address without a free port is taken for all")
	}
	gone, lately := netip.AddrPortFrom(relayed, 50001), netip.AddrPortFrom(relayed, 50003)
	delete(s.relayed, gone)
	s.release(lately, start)
	for range 50 {
		if addr, ok := s.freeAddress(start, relayed, first, last, false, any); !ok || addr != gone {
			t.Fatalf("got %v, %v, want %v, which nobody held lately", addr, ok, gone)
		}
	}
	s.relayed[gone] = &allocation{}
	if addr, ok := s.freeAddress(start, relayed, first, last, false, any); !ok || addr != lately {
		t.Errorf("got %v, %v, want %v, the only one", addr, ok, lately)
	}
	if _, ok := s.freeAddress(start, relayed, first, last, true, any); ok {
		t.Error("an odd port for EVEN-PORT")
	}
	tried := 0
	cannot := func(err error) func(netip.AddrPort) error {
		return func(netip.AddrPort) error { tried++; return err }
	}
	if _, ok := s.freeAddress(start, relayed, first, last, false, cannot(errors.New("too many open files"))); ok || tried != 1 {
		t.Errorf("a host that cannot bind was asked %d times", tried)
	}
	if _, ok := s.freeAddress(start, relayed, first, last, false, cannot(ErrTaken)); ok || tried != 2 {
		t.Errorf("an address that cannot be bound, tried %d times", tried)
	}
	// A search through all ports is not repeated at once, except after a release.
	if _, ok := s.freeAddress(start, relayed, first, last, false, any); ok {
		t.Error("a search without result was repeated at once")
	}
	if _, ok := s.freeAddress(start.Add(time.Second), relayed, first, last, false, any); !ok {
		t.Error("a search without result was not repeated a second later")
	}
	for i := range 10 * maxReleased {
		s.release(netip.AddrPortFrom(relayed, uint16(i)), start)
	}
	if len(s.released) != maxReleased {
		t.Errorf("%d released addresses are remembered", len(s.released))
	}
	s.freeAddress(start.Add(releasedFor), relayed, first, last, false, any)
	if len(s.released) != 0 {
		t.Errorf("%d released addresses are remembered forever", len(s.released))
	}
}

func TestAppointmentsDoNotReachEachOther(t *testing.T) {
	l := newLab(t)
	a, b := l.allocated("198.51.100.1:1000", "x", "doctor"), l.allocated("198.51.100.2:1000", "y", "patient")
	own := l.allocated("198.51.100.3:1000", "x", "patient")
	a.bind(0x4000, own.relayed)
	unheld := netip.AddrPortFrom(relayed, 49152)
	for unheld == a.relayed || unheld == b.relayed || unheld == own.relayed {
		unheld = netip.AddrPortFrom(relayed, unheld.Port()+1)
	}
	gone := l.allocated("198.51.100.3:1001", "x", "patient")
	gone.ok(stun.MethodRefresh, lifetime(0))
	for _, peer := range []netip.AddrPort{
		b.relayed, unheld, gone.relayed, b.tuple.Client, own.tuple.Client, server,
		netip.AddrPortFrom(relayed, 0), netip.AddrPortFrom(relayed, 22),
		netip.MustParseAddrPort("127.0.0.1:80"), netip.MustParseAddrPort("10.0.0.1:445"),
	} {
		// A permission covers an address, whatever the port (RFC 8656, section 10.1).
		want := 403
		if peer.Addr() == relayed {
			want = 0
		}
		if code := a.refused(stun.MethodCreatePermission, xorPeer(peer)); code != want {
			t.Errorf("CreatePermission for %v: %d, want %d", peer, code, want)
		}
		if code := a.refused(stun.MethodChannelBind, channelNumber(0x4001), xorPeer(peer)); code != 403 {
			t.Errorf("ChannelBind to %v: %d, want 403", peer, code)
		}
		// The permission for the relay's own address opens no other port there.
		l.dropped(a.send(peer, "out"))
	}
	// The same answer whether another appointment holds the address or nobody does.
	id := [stun.TransactionIDSize]byte{1}
	answer := func(peer netip.AddrPort) string {
		_, out := a.raw(build(t, stun.MethodChannelBind, stun.ClassRequest, append([]stun.Setter{
			stun.NewTransactionIDSetter(id), channelNumber(0x4001), xorPeer(peer)}, a.signature()...)...).Raw)
		return string(out)
	}
	if answer(b.relayed) != answer(unheld) {
		t.Error("the answers reveal whether another appointment holds an address")
	}
}

func TestUnauthenticatedAnswersDoNotAmplify(t *testing.T) {
	l := newLab(t)
	for _, address := range []string{"198.51.100.7:4000", "[2001:db8::7]:4000"} {
		overhead := map[bool]int{true: 28, false: 48}[strings.HasPrefix(address, "1")]
		p := l.peer(address, "a", "doctor")
		for name, request := range map[string]*stun.Message{
			"bare Allocate":   build(t, stun.MethodAllocate, stun.ClassRequest),
			"bare Refresh":    build(t, stun.MethodRefresh, stun.ClassRequest),
			"Allocate":        build(t, stun.MethodAllocate, stun.ClassRequest, requestedTransport(protocolUDP)),
			"with lifetime":   build(t, stun.MethodAllocate, stun.ClassRequest, requestedTransport(protocolUDP), lifetime(600)),
			"Binding":         build(t, stun.MethodBinding, stun.ClassRequest),
			"Binding, print":  build(t, stun.MethodBinding, stun.ClassRequest, stun.Fingerprint),
			"Binding, wishes": build(t, stun.MethodBinding, stun.ClassRequest, raw{0x0003, []byte{0, 0, 0, 6}}),
			"Allocate, print": build(t, stun.MethodAllocate, stun.ClassRequest,
				requestedTransport(protocolUDP), stun.Fingerprint),
		} {
			_, out := p.raw(request.Raw)
			if len(out) == 0 {
				if name != "bare Allocate" && name != "bare Refresh" {
					t.Errorf("%s from %s: no answer", name, address)
				}
				continue
			}
			if factor := float64(len(out)+overhead) / float64(len(request.Raw)+overhead); factor > 1.65 {
				t.Errorf("%s from %s: %d bytes are answered with %d, x%.2f", name, address,
					len(request.Raw), len(out), factor)
			}
		}
		// On a stream the source is genuine.
		p.tuple.Transport = TCP
		if code := errorCode(t, p.ask(build(t, stun.MethodAllocate, stun.ClassRequest))); code != 401 {
			t.Errorf("bare Allocate over TCP: %d, want 401", code)
		}
	}
}

func TestNonces(t *testing.T) {
	l := newLab(t)
	p := l.allocated("198.51.100.1:1000", "x", "doctor")
	elsewhere := l.peer("198.51.100.2:1000", "x", "doctor")
	elsewhere.nonce = p.nonce
	if code := elsewhere.refused(stun.MethodAllocate, requestedTransport(protocolUDP)); code != 438 {
		t.Errorf("another address's nonce: %d, want 438", code)
	}
	for _, nonce := range []string{"x", strings.Repeat("A", 16), p.nonce + "A", p.nonce[:15] + "!"} {
		q := *p
		q.nonce = nonce
		answer := q.request(stun.MethodRefresh)
		if code := errorCode(t, answer); code != 438 {
			t.Errorf("nonce %q: %d, want 438", nonce, code)
		}
		q.nonce = text(t, answer, stun.AttrNonce)
		q.ok(stun.MethodRefresh)
	}
	p.ok(stun.MethodRefresh, lifetime(3600))
	l.now = l.now.Add(nonceLifetime - time.Second)
	p.ok(stun.MethodRefresh, lifetime(3600))
	l.now = l.now.Add(2 * time.Second)
	if code := p.refused(stun.MethodRefresh); code != 438 {
		t.Errorf("an old nonce: %d, want 438", code)
	}
	other := newLab(t).allocated("198.51.100.1:1000", "x", "doctor")
	p.nonce = other.nonce
	if code := p.refused(stun.MethodRefresh); code != 438 {
		t.Errorf("another server's nonce: %d, want 438", code)
	}
}

func TestTheDataPlaneAllocatesNothing(t *testing.T) {
	l := newLab(t)
	a, b := l.allocated("198.51.100.1:1000", "x", "doctor"), l.allocated("198.51.100.2:1000", "x", "patient")
	a.bind(0x4000, b.relayed)
	b.permit(a.relayed)
	in := append([]byte{0x40, 0x00, 0x03, 0xE8}, make([]byte, 1000)...)
	buf := make([]byte, MaxOutput)
	forward := func() {
		binary.BigEndian.PutUint16(in, 0x4000)
		if _, out := l.Forward(l.now, a.tuple, in, buf); len(out) == 0 {
			t.Fatal("not forwarded")
		}
	}
	if n := testing.AllocsPerRun(100, forward); n != 0 {
		t.Errorf("a Data indication costs %v allocations", n)
	}
	b.bind(0x4001, a.relayed)
	if n := testing.AllocsPerRun(100, forward); n != 0 {
		t.Errorf("ChannelData costs %v allocations", n)
	}
	send := build(t, stun.MethodSend, stun.ClassIndication, xorPeer(b.relayed),
		raw{stun.AttrData, make([]byte, 1000)}).Raw
	if n := testing.AllocsPerRun(100, func() {
		if _, out := l.Handle(l.now, a.tuple, send, buf); len(out) == 0 {
			t.Fatal("not sent")
		}
	}); n != 0 {
		t.Errorf("a Send indication costs %v allocations", n)
	}
}

// Each holder of a seat has its own generation of credentials, which distinguishes holders even
// within one second.
func TestRevokedSeatIsFreeForItsNextHolder(t *testing.T) {
	l := newLab(t)
	old := l.allocated("198.51.100.1:1000", "x", "patient")
	partner := l.allocated("198.51.100.2:1000", "x", "doctor")
	second := l.peer("198.51.100.3:1000", "x", "patient")
	second.credential = l.mint("x", "patient", 1, 8*time.Hour)
	third := l.peer("198.51.100.4:1000", "x", "patient")
	third.credential = l.mint("x", "patient", 2, time.Hour) // a shorter lifetime, as configured since
	third.allocate()                                        // before the revocation arrives here
	for generation, holder := range []*peer{old, second} {
		if ended := l.Revoke(l.now, id("x"), "patient", generation+1); generation == 0 &&
			!slices.Equal(ended, []FiveTuple{old.tuple}) {
			t.Errorf("ended %v, want %v", ended, old.tuple)
		}
		if code := holder.refused(stun.MethodAllocate, requestedTransport(protocolUDP)); code != 401 {
			t.Errorf("generation %d: %d, want 401", generation, code)
		}
	}
	l.Revoke(l.now, id("x"), "patient", 1) // late: it brings nothing back
	if code := second.refused(stun.MethodAllocate, requestedTransport(protocolUDP)); code != 401 {
		t.Errorf("the second holder, after an older revocation: %d, want 401", code)
	}
	partner.ok(stun.MethodRefresh)
	third.ok(stun.MethodRefresh)
	another := *third
	another.tuple.Client = netip.MustParseAddrPort("198.51.100.4:1001")
	another.allocate()
}

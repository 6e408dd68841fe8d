package core

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v3"
)

// TestStateGoesToAnotherCoreInMidCall: two cores get the same packets, one of them a
// new one again and again, filled with what the last wrote. No answer and no packet
// differs, but for what is random.
func TestStateGoesToAnotherCoreInMidCall(t *testing.T) {
	labs := map[string]func(testing.TB) *lab{
		"paired": func(t testing.TB) *lab { return newLab(t) },
		"open":   func(t testing.TB) *lab { l, _ := openLab(t); return l },
	}
	for name, newLab := range labs {
		t.Run(name, func(t *testing.T) {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			random := rand.New(rand.NewPCG(seed, 0))
			l := newLab(t)
			var peers []*peer
			for i := range 4 {
				p := l.peer(fmt.Sprintf("198.51.100.%d:1000", i), []string{"x", "x", "x", "y"}[i], []string{"doctor", "patient"}[i%2])
				p.allocate()
				peers = append(peers, p)
			}
			gone := l.allocated("198.51.100.99:1000", "x", "doctor")
			gone.ok(stun.MethodRefresh, lifetime(0))
			l.Revoke(l.now, "z", "", l.now.Add(time.Hour))
			l.Revoke(l.now, "y", "patient", l.now.Add(time.Hour))

			forwarded, compared := 0, 0
			for range 1000 {
				var saved bytes.Buffer
				if err := l.Save(&saved); err != nil {
					t.Fatal(err)
				}
				if text := saved.String(); strings.Contains(text, peers[0].credential.Password) || strings.Contains(text, "the secret of") {
					t.Fatal("the state holds a credential")
				}
				successor := newLab(t)
				if err := successor.Restore(bytes.NewReader(saved.Bytes())); err != nil {
					t.Fatal(err)
				}
				if successor.Allocations() > 0 && successor.Restore(&saved) == nil {
					t.Fatal("a state was restored over another")
				}

				l.now = l.now.Add(time.Duration(random.IntN(3)) * time.Second)
				if random.IntN(60) == 0 {
					l.now = l.now.Add(time.Duration(random.IntN(400)) * time.Second)
				}
				p, to := peers[random.IntN(len(peers))], peers[random.IntN(len(peers))]
				var message []byte
				switch random.IntN(12) {
				case 0, 1:
					message = p.build(stun.MethodAllocate, requestedTransport(protocolUDP)).Raw
				case 2:
					message = p.build(stun.MethodRefresh, lifetime([]uint32{0, 600, 3600, 1200}[random.IntN(4)])).Raw
				case 3, 4:
					message = p.build(stun.MethodCreatePermission, xorPeer(to.relayed)).Raw
				case 5, 6, 7:
					message = p.build(stun.MethodChannelBind, channelNumber(uint16(0x4000+random.IntN(3))), xorPeer(to.relayed)).Raw
				case 8:
					message = build(t, stun.MethodSend, stun.ClassIndication, xorPeer(to.relayed), raw{stun.AttrData, []byte("data")}).Raw
				default:
					message = []byte{0x40, byte(random.IntN(3)), 0, 1, 'd'}
				}
				here, out := p.raw(message)
				there := *p
				there.lab = &lab{t, successor.Core, l.keys, l.now, make([]byte, MaxOutput)}
				toThere, outThere := there.raw(message)
				answer := new(stun.Message)
				switch isSTUN := stun.Decode(out, answer) == nil; {
				case here != toThere || len(out) != len(outThere):
					t.Fatalf("%x: %x to %v here, %x to %v there", message, out, here.Client, outThere, toThere.Client)
				case len(out) == 0:
				case isSTUN && answer.Type.Method == stun.MethodData: // its transaction id is random
					forwarded++
				case isSTUN && answer.Type == stun.NewType(stun.MethodAllocate, stun.ClassSuccessResponse):
					p.relayed = xorAddr(t, answer, stun.AttrXORRelayedAddress) // random
				case !bytes.Equal(out, outThere):
					t.Fatalf("%x: %x here, %x there", message, out, outThere)
				case !isSTUN:
					forwarded++
				case errorCode(t, answer) == 438:
					p.nonce = text(t, answer, stun.AttrNonce)
				}
				compared++
				if n := l.Allocations(); n != successor.Allocations() || !reflect.DeepEqual(revocations(l.Core), revocations(successor.Core)) {
					t.Fatalf("%d allocations here, %d there", n, successor.Allocations())
				}
				if random.IntN(10) == 0 && bytes.Equal(out, outThere) {
					l.Core = successor.Core // the call goes on there
				}
			}
			t.Logf("%d packets compared, %d of them forwarded", compared, forwarded)
			if forwarded < 20 {
				t.Errorf("only %d packets were forwarded", forwarded)
			}
		})
	}
}

// revocations are in the form that the state has them in: without monotonic clocks.
func revocations(c *Core) map[seat]int64 {
	out := map[seat]int64{}
	for seat, until := range c.revoked {
		out[seat] = until.UnixNano()
	}
	return out
}

// Every field of an allocation is either in the state or known to be derived.
func TestStateIsWhole(t *testing.T) {
	known := []string{"tuple", "username", "appointment", "seat", "relayed", "created", "expires", "transaction", "granted",
		"permissions", "channels", "sent", "received", // written
		"index", "refusals"} // derived; full again within seconds
	for field := range reflect.TypeFor[allocation]().Fields() {
		if !slices.Contains(known, field.Name) {
			t.Errorf("allocation.%s: write it into the state, or add it here with the reason", field.Name)
		}
	}
}

func TestRestoreRefusesWhatIsNoState(t *testing.T) {
	for _, text := range []string{"", "{", "[]", `{"Nonces":"AAAA"}`} {
		if err := newLab(t).Restore(strings.NewReader(text)); err == nil {
			t.Errorf("%q was taken for a state", text)
		}
	}
}

package core

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v3"
)

// TestStateGoesToAnotherCoreInMidCall: two cores get the same packets. One of them is replaced
// again and again, by a new core filled with its saved state. Answers and forwarded packets must
// not differ, except where they are random, nor must the saved states.
func TestStateGoesToAnotherCoreInMidCall(t *testing.T) {
	labs := map[string]func(testing.TB) *lab{
		"paired": func(t testing.TB) *lab { return newLab(t) },
		"open":   func(t testing.TB) *lab { l, _ := openLab(t); return l },
	}
	outside := netip.MustParseAddrPort("203.0.113.5:5000")
	for name, newLab := range labs {
		t.Run(name, func(t *testing.T) {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			random := rand.New(rand.NewPCG(seed, 0))
			small := func() *lab { // so that full seats and the longest life come up
				l := newLab(t)
				l.config.Limits.PerSeat, l.config.MaxSession = 2, 12*time.Minute
				return l
			}
			l := small()
			var peers []*peer
			for i := range 7 { // three for each seat of x, and one of y
				peers = append(peers, l.peer(fmt.Sprintf("198.51.100.%d:1000", i), "xxxxxxy"[i:i+1],
					[]string{"doctor", "patient"}[i%2]))
			}
			for _, p := range []*peer{peers[0], peers[1], peers[3], peers[6]} {
				p.allocate()
			}
			gone := l.allocated("198.51.100.99:1000", "x", "doctor")
			gone.ok(stun.MethodRefresh, lifetime(0))
			l.Revoke(l.now, id("z"), "", 0)

			asked := map[*peer][]byte{} // the last Allocate
			var successor *lab
			seen := map[string]int{}
			for range 1500 {
				if successor == nil {
					successor = small()
					saved := save(t, l.Core)
					if strings.Contains(saved, peers[0].credential.Password) ||
						strings.Contains(saved, "the secret of") {
						t.Fatal("the state holds a credential")
					}
					if err := successor.Restore(strings.NewReader(saved)); err != nil {
						t.Fatal(err)
					}
					if here, there := stateOf(t, l.Core), stateOf(t, successor.Core); here != there {
						t.Fatalf("written:\n%s\nand after reading it:\n%s", here, there)
					}
					if successor.Allocations() > 0 && successor.Restore(strings.NewReader(saved)) == nil {
						t.Fatal("a state was restored over another")
					}
				}
				l.now = l.now.Add(time.Duration(random.IntN(3)) * time.Second)
				if random.IntN(60) == 0 {
					l.now = l.now.Add(time.Duration(random.IntN(400)) * time.Second)
				}
				p, to := peers[random.IntN(len(peers))], peers[random.IntN(len(peers))]
				address := to.relayed
				if l.open != nil && random.IntN(3) == 0 {
					address = outside
				}
				var message []byte
				switch random.IntN(18) {
				case 0:
					message = p.build(stun.MethodAllocate, requestedTransport(protocolUDP)).Raw
					asked[p] = message
				case 1:
					message = p.build(stun.MethodAllocate, requestedTransport(protocolUDP),
						lifetime(random.Uint32N(4000))).Raw
					asked[p] = message
				case 2, 3:
					message = asked[p]
				case 4:
					message = p.build(stun.MethodRefresh,
						lifetime([]uint32{0, 600, 3600, 1200}[random.IntN(4)])).Raw
				case 5, 6:
					message = p.build(stun.MethodCreatePermission, xorPeer(address)).Raw
				case 7, 8, 9:
					message = p.build(stun.MethodChannelBind,
						channelNumber(uint16(0x4000+random.IntN(3))), xorPeer(address)).Raw
				case 10:
					message = build(t, stun.MethodSend, stun.ClassIndication, xorPeer(address),
						raw{stun.AttrData, []byte("data")}).Raw
				default:
					message = []byte{0x40, byte(random.IntN(3)), 0, 1, 'd'}
				}
				held := l.allocations[p.tuple]
				here, out := p.raw(message)
				there := *p
				there.lab = &lab{t, successor.Core, l.keys, l.now, make([]byte, MaxOutput)}
				toThere, outThere := there.raw(message)
				answer := new(stun.Message)
				made := l.allocations[p.tuple] != nil && l.allocations[p.tuple] != held
				switch isSTUN := stun.Decode(out, answer) == nil; {
				case here != toThere || len(out) != len(outThere):
					t.Fatalf("%x: %x to %v here, %x to %v there", message, out, here.Client, outThere,
						toThere.Client)
				case len(out) == 0:
				case isSTUN && answer.Type.Method == stun.MethodData: // its transaction ID is random
					seen["forwarded"]++
					if !sameData(out, outThere) {
						t.Fatalf("%x here, %x there", out, outThere)
					}
				case made:
					p.relayed = xorAddr(t, answer, stun.AttrXORRelayedAddress) // random
					other := new(stun.Message)
					if err := stun.Decode(outThere, other); err != nil || other.Type != answer.Type ||
						lifetimeOf(t, other) != lifetimeOf(t, answer) {
						t.Fatalf("%v here, %v there", answer, other)
					}
				case !bytes.Equal(out, outThere):
					t.Fatalf("%x: %x here, %x there", message, out, outThere)
				case !isSTUN:
					seen["forwarded"]++
				default:
					code := errorCode(t, answer)
					seen[fmt.Sprintf("%v %d", answer.Type.Method, code)]++
					if code == 438 {
						p.nonce = text(t, answer, stun.AttrNonce)
					}
					if answer.Type == stun.NewType(stun.MethodRefresh, stun.ClassSuccessResponse) {
						if left := lifetimeOf(t, answer); left > 0 && left < DefaultLifetime {
							seen["near max_session"]++
						}
					}
				}
				if made {
					seen["made"]++
					successor = nil // its relayed address differs
					continue
				}
				if l.open != nil {
					toHere, in := l.Receive(l.now, p.relayed, outside, []byte("in"), l.buf)
					toThere, inThere := there.Receive(l.now, p.relayed, outside, []byte("in"), there.buf)
					if toHere != toThere || !sameData(in, inThere) {
						t.Fatalf("%x from a peer to %v here, %x to %v there", in, toHere, inThere, toThere)
					}
					if len(in) > 0 {
						seen["from a peer"]++
					}
				}
				if random.IntN(16) == 0 {
					if here, there := stateOf(t, l.Core), stateOf(t, successor.Core); here != there {
						t.Fatalf("here:\n%s\nand there:\n%s", here, there)
					}
					l.Core, successor = successor.Core, nil // the call continues there
				}
			}
			t.Logf("seen: %v", seen)
			for what, least := range map[string]int{
				"forwarded": 3, "made": 10, "near max_session": 1,
				"Allocate 0": 5, "Allocate 437": 1, "Allocate 486": 1, "Refresh 0": 1, "ChannelBind 400": 1,
			} {
				if seen[what] < least {
					t.Errorf("%s came up %d times, want at least %d", what, seen[what], least)
				}
			}
			if l.open != nil && seen["from a peer"] < 10 {
				t.Errorf("%d packets came from a peer", seen["from a peer"])
			}
		})
	}
}

// sameData compares what two cores forward. Data indications have random transaction IDs.
func sameData(a, b []byte) bool {
	if len(a) >= headerSize && len(b) >= headerSize && a[0]&0xC0 == 0 {
		return bytes.Equal(a[:4], b[:4]) && bytes.Equal(a[headerSize:], b[headerSize:])
	}
	return bytes.Equal(a, b)
}

func save(t *testing.T, c *Core) string {
	t.Helper()
	var b strings.Builder
	if err := c.Save(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// stateOf is what a core saves, in a canonical order: allocations of one appointment keep their
// order; appointments, and addresses released at the same time, are sorted.
func stateOf(t *testing.T, c *Core) string {
	t.Helper()
	var s state
	if err := json.Unmarshal([]byte(save(t, c)), &s); err != nil {
		t.Fatal(err)
	}
	slices.SortStableFunc(s.Allocations, func(a, b allocationState) int {
		return strings.Compare(a.Appointment, b.Appointment)
	})
	for _, released := range s.Released {
		slices.SortFunc(released, func(a, b releaseState) int {
			return cmp.Or(a.Until.Compare(b.Until), a.Addr.Compare(b.Addr))
		})
	}
	sorted, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(sorted)
}

// Every field of an allocation is either in the state or known to be derived.
func TestStateIsWhole(t *testing.T) {
	known := []string{"tuple", "username", "appointment", "seat", "generation", "relayed", "created",
		"ends", "expires", "transaction", "granted",
		"permissions", "channels", "sent", "received", // written
		"index", "refusals"} // derived, or full again within seconds
	for field := range reflect.TypeFor[allocation]().Fields() {
		if !slices.Contains(known, field.Name) {
			t.Errorf("allocation.%s: write it into the state, or add it here with the reason", field.Name)
		}
	}
}

func TestRestoreRefusesOtherData(t *testing.T) {
	for _, text := range []string{"", "{", "[]", `{"Nonces":"AAAA"}`} {
		if err := newLab(t).Restore(strings.NewReader(text)); err == nil {
			t.Errorf("%q was taken for a state", text)
		}
	}
}

package credential

import (
	"bytes"
	"crypto/aes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

// TestNames: each identity is read back unchanged, whatever its bits.
func TestNames(t *testing.T) {
	keys := keyring(t, "a secret of some length, really")
	for _, appointment := range []string{appointment, "aaaaaaaaaaaaa", "7777777777777",
		"qaaaaaaaaaaaa", "baaaaaaaaaaab", "ponmlkjihgfed"} {
		for _, seat := range seats {
			for _, generation := range []int{0, 1, 255, 256, MaxGeneration - 1} {
				for _, expiry := range []int64{1, 1_700_000_000, math.MaxUint32} {
					id := Identity{appointment, seat, generation, time.Unix(expiry, 0).UTC()}
					if opened, ok := keys.Open(mint(t, keys, id).Username); !ok || opened.Identity != id {
						t.Errorf("%+v became %+v, %v", id, opened.Identity, ok)
					}
				}
			}
		}
	}
}

// TestTheFormOfNames: nodes of other versions with the same secret rely on it.
func TestTheFormOfNames(t *testing.T) {
	const secret = "a secret of some length, really"
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "praxisrelay name v1", 32)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	// jnrgqgsnkz2ja in base 32, the expiry, patient, 2.
	plain, err := hex.DecodeString("96c4d0349aace920" + "6a15e690" + "02" + "000002")
	if err != nil {
		t.Fatal(err)
	}
	block.Encrypt(plain, plain)
	want := "1779820176:" + base64.RawURLEncoding.EncodeToString(plain)
	id := Identity{appointment, "patient", 2, time.Unix(0x6a15e690, 0)}
	if got := mint(t, keyring(t, secret), id).Username; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestNamesRevealNothing: neither their owners, nor which belong together.
func TestNamesRevealNothing(t *testing.T) {
	keys := keyring(t, "a secret of some length, really")
	now := time.Unix(1_700_000_000, 0)
	raw, err := base64.RawURLEncoding.DecodeString(mint(t, keys, doctor(now)).Username[11:])
	if err != nil {
		t.Fatal(err)
	}
	// The smallest difference in any part changes half of the bits: 64 of 128, and fewer than 24
	// once in 10^13.
	for i := range 64 {
		for what, id := range map[string]Identity{
			"another second":      doctor(now.Add(time.Duration(1+i) * time.Second)),
			"another generation":  {appointment, "doctor", 1 + i, now},
			"another seat":        {appointment, seats[1+i%2], 0, now},
			"another appointment": {fmt.Sprintf("jnrgqgsnkz2%c%c", letters[i%32], letters[1+i/32]), "doctor", 0, now},
		} {
			username := mint(t, keys, id).Username
			if len(username) != 33 || strings.Contains(username, id.Appointment) ||
				strings.Contains(username, id.Seat) {
				t.Fatalf("%s is the name of %+v", username, id)
			}
			other, err := base64.RawURLEncoding.DecodeString(username[11:])
			if err != nil {
				t.Fatal(err)
			}
			differ := 0
			for j := range raw {
				for bits := raw[j] ^ other[j]; bits != 0; bits &= bits - 1 {
					differ++
				}
			}
			if differ < 24 || bytes.Equal(raw, other) {
				t.Errorf("%s: %d bits of 128 differ", what, differ)
			}
		}
	}
}

// TestOpenRefuses anything that was not minted.
func TestOpenRefuses(t *testing.T) {
	keys := keyring(t, "a secret of some length, really", "and a second one for good measure")
	good := mint(t, keys, doctor(time.Unix(1_700_000_000, 0))).Username
	expiry, name, _ := strings.Cut(good, ":")
	refused := []string{
		"", ":", expiry, expiry + ":", ":" + name, name, good + ":", good + "A", good[:len(good)-1],
		" " + good, "0" + good, "+" + good,
		"1700000001:" + name, "99999999999:" + name, "4294967296:" + name, "-1:" + name, "x:" + name,
		"1_7:" + name,
		expiry + "::" + name[1:], expiry + ":" + name[:21] + "\n", expiry + ":" + name[:20] + "==",
		expiry + ":" + strings.Repeat("A", 22),
		expiry + ":" + appointment + ".doctor", expiry + ":" + name[1:] + name[:1], strings.Repeat("1", 508),
	}
	for i := range good { // change one letter
		for _, other := range "A1-:" {
			if altered := good[:i] + string(other) + good[i+1:]; altered != good {
				refused = append(refused, altered)
			}
		}
	}
	for _, username := range refused {
		if opened, ok := keys.Open(username); ok {
			t.Errorf("Open(%q) = %+v", username, opened.Identity)
		}
	}
	if _, ok := keyring(t, "a secret of other appliances").Open(good); ok {
		t.Error("a name was opened without its secret")
	}
}

// BenchmarkOpen measures a made-up name, with two secrets in use.
func BenchmarkOpen(b *testing.B) {
	keys := keyring(b, "a secret of some length, really", "and a second one for good measure")
	for name, username := range map[string]string{
		"another form": "1700000000:" + appointment + ".doctor", "the form": "1700000000:" + strings.Repeat("A", sealedLen),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := keys.Open(username); ok {
					b.Fatal("opened")
				}
			}
		})
	}
}

// FuzzOpen: only minted usernames open, and to what was minted.
func FuzzOpen(f *testing.F) {
	keys := keyring(f, "a secret of some length, really")
	for _, id := range []Identity{doctor(time.Unix(1, 0)), {appointment, Test, MaxGeneration - 1, time.Unix(math.MaxUint32, 0)}} {
		f.Add(mint(f, keys, id).Username)
	}
	f.Add("1700000000:" + appointment + ".doctor")
	f.Add("1700000000:" + strings.Repeat("\n", 22))
	f.Fuzz(func(t *testing.T, username string) {
		opened, ok := keys.Open(username)
		if !ok {
			return
		}
		if again := mint(t, keys, opened.Identity).Username; again != username {
			t.Fatalf("%q is %+v, whose name is %q", username, opened.Identity, again)
		}
	})
}

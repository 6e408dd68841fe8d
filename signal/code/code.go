// Package code makes and reads appointment codes and derives from them what
// opens an appointment.
//
// A code is 12 letters that a person types, KTRW-BZMF-QHDF: 11 random ones and a
// check letter, over 19 letters without vowels and without look-alikes. 19 is a
// prime, so that one weighted sum catches every single wrong letter and every
// swapped pair. That leaves 46.7 bits, which stretching (1,000,000 rounds) and the
// limits on failed guesses make enough.
//
// The code itself never leaves the client:
//
//	root       = PBKDF2-HMAC-SHA-256(letters, deployment salt, rounds, 32 bytes)
//	join token = HKDF-Expand-SHA-256(root, "praxisrelay join v1", 32 bytes)
//	seal key   = HKDF-Expand-SHA-256(root, "praxisrelay seal v1", 32 bytes)
//	verifier   = SHA-256(join token)
//
// The server sees the join token when a client joins. The maker of a code registers
// the verifier, so the registered value opens nothing.
package code

import (
	"crypto/hkdf"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"strings"
)

const (
	alphabet = "BCDFGHJKLMNPQRSTWXZ"
	length   = 12
)

// MinRounds and MaxRounds bound the rounds of a served deployment. More would keep a device busy
// for longer than anybody waits.
const (
	MinRounds = 600_000
	MaxRounds = 10_000_000
)

// Rounds is the default number of rounds.
const Rounds = 1_000_000

// Code is a valid code. Its zero value is none.
type Code struct {
	letters string // 12 of the alphabet
}

// New returns a random code.
func New() Code {
	const unbiased = 256 / len(alphabet) * len(alphabet)
	letters := make([]byte, 0, length)
	for len(letters) < length-1 {
		var random [1]byte
		rand.Read(random[:])
		if int(random[0]) < unbiased {
			letters = append(letters, alphabet[int(random[0])%len(alphabet)])
		}
	}
	for _, check := range []byte(alphabet) {
		if full := string(append(letters, check)); checks(full) {
			return Code{full}
		}
	}
	panic("code: every eleven letters have a check letter")
}

// checks verifies sum(i * x_i) = 0 mod 19, i = 1..12.
func checks(letters string) bool {
	sum := 0
	for i, c := range []byte(letters) {
		sum += (i + 1) * strings.IndexByte(alphabet, c)
	}
	return sum%len(alphabet) == 0
}

// Format writes the code for people: KTRW-BZMF-QHDF.
func (c Code) Format() string {
	return c.letters[:4] + "-" + c.letters[4:8] + "-" + c.letters[8:]
}

// String and GoString keep a code out of logs.
func (c Code) String() string   { return "[code]" }
func (c Code) GoString() string { return "[code]" }

// Keys are derived from a code.
type Keys struct {
	JoinToken [32]byte
	SealKey   [32]byte
}

// Derive stretches a code. It takes some hundred milliseconds by design.
func (c Code) Derive(salt []byte, rounds int) (Keys, error) {
	root, err := pbkdf2.Key(sha256.New, c.letters, salt, rounds, 32)
	if err != nil {
		return Keys{}, err
	}
	var keys Keys
	for _, k := range []struct {
		out  *[32]byte
		info string
	}{{&keys.JoinToken, "praxisrelay join v1"}, {&keys.SealKey, "praxisrelay seal v1"}} {
		derived, err := hkdf.Expand(sha256.New, root, k.info, len(k.out))
		if err != nil {
			return Keys{}, err
		}
		copy(k.out[:], derived)
	}
	return keys, nil
}

// Verifier returns the part of the code that the server may know from the start.
func (k Keys) Verifier() [32]byte { return Verifier(k.JoinToken) }

// Verifier returns the verifier of a join token.
func Verifier(joinToken [32]byte) [32]byte { return sha256.Sum256(joinToken[:]) }

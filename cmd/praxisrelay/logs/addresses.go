package logs

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"net/netip"
	"time"

	"praxisrelay/config"
)

// addresses makes of clients' addresses what may be written.
//
// A pseudonym is a keyed hash. Its key is nowhere but in memory and is another one every
// day (UTC), so that lines of one day can be told apart by network, and nobody can
// connect those of different days or find the address by trying all.
type addresses struct {
	kind string // config.Pseudonym, Prefix or Full
	day  time.Time
	key  [32]byte
}

// name returns what an address is called. In pseudonyms an IPv6 address stands for its
// /64, within which one host has as many as it likes.
func (a *addresses) name(now time.Time, client netip.Addr) string {
	if !client.IsValid() {
		return "unknown"
	}
	client = client.Unmap().WithZone("")
	pick := func(ip4, ip6 int) netip.Prefix {
		if client.Is4() {
			ip6 = ip4
		}
		prefix, _ := client.Prefix(ip6) // both fit
		return prefix
	}
	switch a.kind {
	case config.Full:
		return client.String()
	case config.Prefix:
		return pick(24, 48).String()
	}
	if day := now.UTC().Truncate(24 * time.Hour); !day.Equal(a.day) {
		a.day = day
		rand.Read(a.key[:])
	}
	hash := hmac.New(sha256.New, a.key[:])
	network, _ := pick(32, 64).MarshalBinary() // cannot fail
	hash.Write(network)
	return "net-" + letters.EncodeToString(hash.Sum(nil))[:6]
}

// letters are Crockford's: none is taken for another.
var letters = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ")

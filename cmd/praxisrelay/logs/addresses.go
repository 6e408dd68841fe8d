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

// addresses turns clients' addresses into the form that the log may contain.
//
// A pseudonym is a keyed hash. The key exists only in memory and changes every day (UTC): lines of
// one day can be told apart by network, but nobody can link lines of different days, or recover an
// address by trying all of them.
type addresses struct {
	kind string // config.Pseudonym, Prefix or Full
	day  time.Time
	key  [32]byte
}

// name returns an address as the log shows it. A pseudonym stands for an IPv6 address's whole /64,
// within which a host can use as many addresses as it likes.
func (a *addresses) name(now time.Time, client netip.Addr) string {
	if !client.IsValid() {
		return "unknown"
	}
	client = client.Unmap().WithZone("")
	pick := func(ip4, ip6 int) netip.Prefix {
		if client.Is4() {
			ip6 = ip4
		}
		prefix, _ := client.Prefix(ip6) // cannot fail: both lengths are valid
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

// letters is Crockford's alphabet, in which no two characters look alike.
var letters = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ")

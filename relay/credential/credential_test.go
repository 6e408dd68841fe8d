package credential

import (
	"fmt"
	"testing"
	"time"

	"github.com/pion/stun/v3"
	"github.com/pion/turn/v4"
)

const appointment = "jnrgqgsnkz2ja"

func doctor(expires time.Time) Identity {
	return Identity{Appointment: appointment, Seat: "doctor", Expires: expires}
}

func keyring(t testing.TB, secrets ...string) *Keyring {
	t.Helper()
	var all [][]byte
	for _, secret := range secrets {
		all = append(all, []byte(secret))
	}
	keys, err := NewKeyring(all...)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func mint(t testing.TB, keys *Keyring, id Identity) Credential {
	t.Helper()
	c, err := keys.Mint(id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestMintedCredentialIsWhatOtherServersAccept(t *testing.T) {
	secret := "a secret of some length, really"
	keys := keyring(t, secret)
	id := doctor(time.Now().Add(time.Hour).UTC().Truncate(time.Second))
	got := mint(t, keys, id)
	// pion's handler for the same form derives the key independently.
	want, ok := turn.LongTermTURNRESTAuthHandler(secret, nil)(got.Username, "realm", nil)
	if !ok {
		t.Fatalf("pion does not accept the username %q", got.Username)
	}
	if string(stun.NewLongTermIntegrity(got.Username, "realm", got.Password)) != string(want) {
		t.Error("the password does not lead to the same key")
	}
	// Another process knows only the secret.
	opened, ok := keyring(t, secret).Open(got.Username)
	if !ok || opened.Identity != id {
		t.Fatalf("Open = %+v, %v", opened.Identity, ok)
	}
	if key, ok := opened.Key("realm"); !ok || string(key[:]) != string(want) {
		t.Error("the integrity key differs from pion's")
	}
}

func TestKeyringRefusesInsecureSecrets(t *testing.T) {
	if _, err := NewKeyring(); err == nil {
		t.Error("a keyring without a secret was made")
	}
	if _, err := NewKeyring([]byte("long enough for a secret"), []byte("short")); err == nil {
		t.Error("a keyring with a short secret was made")
	}
}

// TestRotation: the first secret signs, all verify, and a removed one does not.
func TestRotation(t *testing.T) {
	first, second := []byte("the first of the secrets"), []byte("the second of the secrets")
	keys := keyring(t, string(first))
	id := doctor(time.Now())
	old := mint(t, keys, id)
	verifies := func(c Credential) bool {
		opened, ok := keys.Open(c.Username)
		if !ok {
			return false
		}
		key, ok := opened.Key("realm")
		return ok && string(key[:]) == string(stun.NewLongTermIntegrity(c.Username, "realm", c.Password))
	}
	if err := keys.Replace(second, first); err != nil {
		t.Fatal(err)
	}
	fresh := mint(t, keys, id)
	if !verifies(old) || !verifies(fresh) || old.Username == fresh.Username ||
		old.Password == fresh.Password {
		t.Error("two secrets: want both to verify and the new one to sign")
	}
	if err := keys.Replace(second, []byte("short")); err == nil || !verifies(old) {
		t.Error("a refused replacement changes the keyring")
	}
	if err := keys.Replace(second); err != nil {
		t.Fatal(err)
	}
	if verifies(old) || !verifies(fresh) {
		t.Error("want the removed secret to verify nothing, and the other all of its own")
	}
	// It still shows whose credential that is, until many others have come and gone.
	if opened, ok := keys.Open(old.Username); !ok || opened.Appointment != id.Appointment {
		t.Errorf("the name under the removed secret: %+v, %v", opened.Identity, ok)
	}
	for i := range 10 {
		if err := keys.Replace(fmt.Appendf(nil, "secret number %d of many", i)); err != nil || verifies(old) {
			t.Fatalf("after replacement %d: %v", i, err)
		}
	}
	if len(*keys.secrets.Load()) > 1+maxFormer {
		t.Errorf("%d secrets are kept", len(*keys.secrets.Load()))
	}
	if err := keys.Replace(first); err != nil || !verifies(old) {
		t.Errorf("a restored secret does not verify: %v", err)
	}
}

func TestMintRefuses(t *testing.T) {
	keys := keyring(t, "a secret of some length, really")
	now := time.Unix(1_700_000_000, 0)
	for name, id := range map[string]Identity{
		"no appointment":            {"", "doctor", 0, now},
		"a short one":               {"jnrgqgsnkz2j", "doctor", 0, now},
		"a long one":                {"jnrgqgsnkz2jaa", "doctor", 0, now},
		"another letter":            {"jnrgqgsnkz2j1", "doctor", 0, now},
		"an upper one":              {"Jnrgqgsnkz2ja", "doctor", 0, now},
		"no seat":                   {appointment, "", 0, now},
		"another seat":              {appointment, "visitor", 0, now},
		"a negative generation":     {appointment, "doctor", -1, now},
		"too many generations":      {appointment, "doctor", MaxGeneration, now},
		"an expiry before 1970":     {appointment, "doctor", 0, time.Time{}},
		"one of the next century":   {appointment, "doctor", 0, now.AddDate(100, 0, 0)},
		"one at the very beginning": {appointment, "doctor", 0, time.Unix(0, 0)},
	} {
		if c, err := keys.Mint(id); err == nil {
			t.Errorf("%s: minted %q", name, c.Username)
		}
	}
}

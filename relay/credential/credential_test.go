package credential

import (
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v3"
	"github.com/pion/turn/v4"
)

func TestMintedCredentialIsWhatOtherServersAccept(t *testing.T) {
	secret := "a secret of some length, really"
	keys, err := NewKeyring([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	until := time.Now().Add(time.Hour)
	got, err := keys.Mint("apt1", "doctor", until)
	if err != nil {
		t.Fatal(err)
	}
	// pion's handler for the same form derives the key independently.
	want, ok := turn.LongTermTURNRESTAuthHandler(secret, nil)(got.Username, "realm", nil)
	if !ok {
		t.Fatalf("pion does not accept the username %q", got.Username)
	}
	for key := range keys.Keys(got.Username, "realm") {
		if string(key[:]) != string(want) {
			t.Error("the integrity key differs from pion's")
		}
	}
	if string(stun.NewLongTermIntegrity(got.Username, "realm", got.Password)) != string(want) {
		t.Error("the password does not lead to the same key")
	}
	id, err := Parse(got.Username)
	if err != nil || id != (Identity{"apt1", "doctor", got.Expires}) {
		t.Errorf("Parse = %+v, %v", id, err)
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

// TestRotation: the first secret signs, all verify, and one that is gone does not.
func TestRotation(t *testing.T) {
	first, second := []byte("the first of the secrets"), []byte("the second of the secrets")
	keys, err := NewKeyring(first)
	if err != nil {
		t.Fatal(err)
	}
	old, err := keys.Mint("apt1", "doctor", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	verifies := func(c Credential) bool {
		for key := range keys.Keys(c.Username, "realm") {
			if string(key[:]) == string(stun.NewLongTermIntegrity(c.Username, "realm", c.Password)) {
				return true
			}
		}
		return false
	}
	if err := keys.Replace(second, first); err != nil {
		t.Fatal(err)
	}
	fresh, err := keys.Mint("apt1", "doctor", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if !verifies(old) || !verifies(fresh) || old.Password == fresh.Password {
		t.Error("two secrets: want both to verify and the new one to sign")
	}
	if err := keys.Replace(second, []byte("short")); err == nil || !verifies(old) {
		t.Error("a replacement that is refused changes the keyring")
	}
	if err := keys.Replace(second); err != nil {
		t.Fatal(err)
	}
	if verifies(old) || !verifies(fresh) {
		t.Error("want the secret that is gone to verify nothing, and the other all of its own")
	}
}

func TestParseRefuses(t *testing.T) {
	for _, username := range []string{
		"", ":", "1700000000", "1700000000:", "1700000000:a", "1700000000:.doctor", "1700000000:a.",
		"x:a.doctor", "-5:a.doctor", "0:a.doctor", "1700000000:A.doctor", "1700000000:a.b.c",
		"1700000000:a b.doctor", "99999999999999999999:a.doctor", "1700000000:" + strings.Repeat("a", 65) + ".doctor",
	} {
		if id, err := Parse(username); err == nil {
			t.Errorf("Parse(%q) = %+v", username, id)
		}
	}
}

package apptest

import (
	"crypto/sha256"
	"encoding/base32"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/secrets"
	"praxisrelay/relay/credential"
)

// Minted is a doctor's credential under the secret of a configuration's folder.
func Minted(t *testing.T, folder, appointment string) credential.Credential {
	t.Helper()
	return MintedFor(t, folder, credential.Identity{
		Appointment: IDOf(appointment), Seat: "doctor", Expires: time.Now().Add(time.Hour),
	})
}

// IDOf is the appointment that tests call by a name.
func IDOf(name string) string {
	hash := sha256.Sum256([]byte(name))
	return strings.ToLower(base32.StdEncoding.EncodeToString(hash[:])[:13])
}

func MintedFor(t *testing.T, folder string, id credential.Identity) credential.Credential {
	t.Helper()
	secret, err := secrets.ReadSecret("secret", filepath.Join(folder, "turn.secret"), credential.MinSecret, secrets.FromDisk)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := credential.NewKeyring(secret)
	if err != nil {
		t.Fatal(err)
	}
	c, err := keys.Mint(id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

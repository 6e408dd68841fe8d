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

// DoctorCredential makes a doctor's credential with the secret in a configuration's folder.
func DoctorCredential(t *testing.T, folder, appointment string) credential.Credential {
	t.Helper()
	return MintCredential(t, folder, credential.Identity{
		Appointment: AppointmentID(appointment), Seat: "doctor", Expires: time.Now().Add(time.Hour),
	})
}

// AppointmentID turns a name that tests use for an appointment into an ID.
func AppointmentID(name string) string {
	hash := sha256.Sum256([]byte(name))
	return strings.ToLower(base32.StdEncoding.EncodeToString(hash[:])[:13])
}

// MintCredential makes a credential for any identity with the secret in a configuration's folder.
func MintCredential(t *testing.T, folder string, id credential.Identity) credential.Credential {
	t.Helper()
	secret, err := secrets.ReadSecret("secret", filepath.Join(folder, "turn.secret"),
		credential.MinSecret, secrets.FromDisk)
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

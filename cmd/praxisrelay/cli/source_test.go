package cli_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/cmd/praxisrelay/secrets"
	"praxisrelay/config"
	"praxisrelay/relay/certificate/certificatetest"
)

// TestFilesFromWindows checks that files with the byte order mark and the CRLF of Windows editors
// read the same as files without, and that UTF-16 is refused with the file's key, even if the
// service manager provides the file.
func TestFilesFromWindows(t *testing.T) {
	file, folder := apptest.WriteConfig(t)
	settings, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	acme := settings
	acme.TLS = config.TLS{ACME: config.ACME{Directory: "https://ca.example.org/", EABKeyID: "1",
		EABKeyFile: filepath.Join(folder, "eab.key"), CAFile: filepath.Join(folder, "ca.pem")}}
	apptest.WriteFile(t, filepath.Join(folder, "pepper.secret"),
		"the newer pepper of two\nthe older pepper of two\n", 0o600)
	apptest.WriteFile(t, acme.TLS.ACME.EABKeyFile,
		base64.RawURLEncoding.EncodeToString([]byte("a key of the authority"))+"\n", 0o600)
	apptest.WriteFile(t, acme.TLS.ACME.CAFile, string(certificatetest.NewCA(t).PEM), 0o600)
	both := func() (all [2]secrets.Set, errs [2]error) {
		for i, c := range []config.Config{settings, acme} {
			all[i], errs[i] = secrets.Read(c, secrets.FromCredentials, time.Now())
		}
		return all, errs
	}
	want, errs := both()
	if errs[0] != nil || errs[1] != nil {
		t.Fatal(errs)
	}
	rewrite := func(change func(string) string) {
		t.Helper()
		for _, name := range []string{"turn.secret", "pepper.secret", "cert.pem", "key.pem", "eab.key",
			"ca.pem"} {
			text, err := os.ReadFile(filepath.Join(folder, name))
			if err != nil {
				t.Fatal(err)
			}
			apptest.WriteFile(t, filepath.Join(folder, name), change(string(text)), 0o600)
		}
	}
	rewrite(func(text string) string { return "\ufeff" + strings.ReplaceAll(text, "\n", "\r\n") })
	check := func(where string) {
		t.Helper()
		got, errs := both()
		if got[1].ACME.Roots.Equal(want[1].ACME.Roots) {
			got[1].ACME.Roots = want[1].ACME.Roots // pools hold functions
		}
		if errs[0] != nil || errs[1] != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, or read differently", where, errs)
		}
	}
	check("on the disk")
	t.Setenv("CREDENTIALS_DIRECTORY", folder)
	check("as credentials")
	if h, err := secrets.Trusting(acme.TLS.ACME.CAFile, false); err != nil || h == nil {
		t.Errorf("--ca: %v", err)
	}

	rewrite(func(text string) string {
		var wide []byte
		for _, unit := range utf16.Encode([]rune(text)) {
			wide = append(wide, byte(unit), byte(unit>>8))
		}
		return string(wide)
	})
	for _, where := range []string{"as credentials", "on the disk"} {
		_, errs := both()
		for i, keys := range [][]string{{"relay.secret_files[0]", "signal.pepper_file",
			"tls.certificate"}, {"tls.acme.eab_key_file"}} {
			for _, key := range keys {
				if errs[i] == nil || !strings.Contains(errs[i].Error(), key+": "+folder) ||
					!strings.Contains(errs[i].Error(), "UTF-16") {
					t.Errorf("%s: %s is not in %v", where, key, errs[i])
				}
			}
		}
		t.Setenv("CREDENTIALS_DIRECTORY", "")
	}
}

// TestSecretsAreNotForEverybody checks that a secret may be readable by a group but not by
// everybody, and that the remedy fits read-only mounts.
func TestSecretsAreNotForEverybody(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "turn.secret")
	for mode, allowed := range map[os.FileMode]bool{0o400: true, 0o440: true, 0o640: true, 0o444: false,
		0o604: false, 0o601: false} {
		apptest.WriteFile(t, file, "a secret of some length", mode)
		_, err := secrets.FromDisk(file, true)
		if (err == nil) != allowed || err != nil && !strings.HasSuffix(err.Error(), ": chmod o= "+file) {
			t.Errorf("%o: %v", mode, err)
		}
	}
}

package appliance

import (
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/cmd/praxisrelay/logs"
	"praxisrelay/cmd/praxisrelay/secrets"
	"praxisrelay/config"
	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/registry"
	"praxisrelay/systemd"
)

// TestCodesOfAnotherPepperAreForgotten checks that unknown codes no longer count once their
// appointments are revoked, and that those of past appointments never count.
func TestCodesOfAnotherPepperAreForgotten(t *testing.T) {
	t.Parallel()
	registry, err := registry.Open(filepath.Join(t.TempDir(), "registry.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer registry.Close()
	old, fresh := []byte("a pepper of some length"), []byte("another pepper entirely")
	was, err := appointment.NewPepper(old)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	apptest.AddPastAppointment(t, registry, was, now)
	apptest.AddPastAppointment(t, registry, was, now.Add(2*time.Hour))
	is, err := appointment.NewPepper(fresh)
	if err != nil {
		t.Fatal(err)
	}
	a := &Appliance{registry: registry, pepper: is}
	fit, err := a.fit(is)
	if err != nil || fit.Known != 0 || fit.Unknown != 2 || !fit.Until.Equal(now.Add(time.Hour)) {
		t.Fatalf("%+v, %v", fit, err)
	}
	if fit, err := a.fitPepper(fresh, old); err != nil || fit != (api.PepperFit{Known: 2}) {
		t.Errorf("with both: %+v, %v", fit, err)
	}
	a.pepperFit.set(fit)
	list, err := registry.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, unknown := range list {
		if _, err := registry.Revoke(t.Context(), unknown.ID, now); err != nil {
			t.Fatal(err)
		}
	}
	if a.checkPepper() == nil {
		t.Error("the registry was read again at once")
	}
	a.pepperFit.at = now.Add(-2 * time.Minute)
	if err := a.checkPepper(); err != nil {
		t.Errorf("the codes are revoked, but the check says %v", err)
	}
}

// TestPepperIsReloaded checks that a pepper is reloaded together with the TURN secrets, completely
// or not at all.
func TestPepperIsReloaded(t *testing.T) {
	file, folder := apptest.WriteConfig(t)
	pepper := filepath.Join(folder, "pepper.secret")
	settings, before, err := secrets.Load(file, secrets.FromDisk, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	a, err := Listen(t.Context(), Options{Config: settings, Secrets: before,
		Sockets: new(systemd.Sockets), Now: time.Now, Log: logs.New(io.Discard, slog.LevelInfo,
			config.Pseudonym, time.Now)})
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	old, turn := string(before.Peppers[0]), string(before.TURN[0])
	first := a.pepper.Lookup([32]byte{1})
	for _, step := range []struct {
		text  string
		right bool
		want  int // the number of lookups; the old pepper is the last
	}{
		{"the new pepper of this appliance\n" + old + "\n", true, 2},
		{"short\n" + old, false, 2}, // mistakes change nothing
		{old + "\n" + old, false, 2},
		{"the new pepper of this appliance\n" + old + "\nand a third of some length\n", false, 2},
		{"the new pepper of this appliance\n" + turn, false, 2},
		{"\n", false, 2},
		{"the new pepper of this appliance\n", true, 1},
	} {
		apptest.WriteFile(t, pepper, step.text, 0o600)
		_, err := a.reload(file, secrets.FromDisk)
		if (err == nil) != step.right ||
			err != nil && (strings.Contains(err.Error(), "this appliance") ||
				strings.Contains(err.Error(), old)) {
			t.Errorf("%q: %v", step.text, err)
		}
		all := a.pepper.Lookups([32]byte{1})
		if len(all) != step.want || all[0] == first || step.want == 2 && all[1] != first {
			t.Errorf("after %q: %d lookups", step.text, len(all))
		}
	}
}

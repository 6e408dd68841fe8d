package appliance

import (
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/relay/credential"
	"praxisrelay/signal"
)

// TestCredentialsEndInTime checks that no credential outlives its holder's right to it, whatever
// the configuration says: after that time, revocations are forgotten.
func TestCredentialsEndInTime(t *testing.T) {
	t.Parallel()
	a := bound(t)
	a.lifetime.Store(int64(24 * time.Hour))
	for _, test := range []struct {
		seat        string
		until, want time.Duration
	}{
		{"doctor", 48 * time.Hour, 24 * time.Hour}, {"doctor", time.Hour, time.Hour}, {"doctor", -time.Hour, -time.Hour},
		{"test", 48 * time.Hour, credential.TestLifetime}, {"test", time.Minute, time.Minute},
	} {
		now := time.Now()
		c, err := a.Mint(signal.Holder{Appointment: apptest.AppointmentID("x"), Seat: test.seat,
			Until: now.Add(test.until)})
		if late := c.Expires.Sub(now.Add(test.want)); err != nil || late < -time.Second ||
			late > 10*time.Second {
			t.Errorf("the %s's, who may have it for %v: it expires %v later than wanted, %v", test.seat,
				test.until, late, err)
		}
	}
}

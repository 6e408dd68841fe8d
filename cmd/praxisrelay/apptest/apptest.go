// Package apptest runs praxisrelay for tests as users run it: the program itself, and the
// browsers, TURN clients, firewalls and networks around it.
package apptest

import (
	"os"
	"testing"
	"time"

	"praxisrelay/relay/certificate"
)

// These variables go into the environment of the program under test.
const (
	// AsProgram turns the test binary into the program, so that tests run what users run, but
	// with the race detector.
	AsProgram = "PRAXISRELAY_TEST_AS_PROGRAM"
	// PollEvery is the interval between looks at the certificate's files.
	PollEvery = "PRAXISRELAY_TEST_POLL_EVERY"
	// ClockAhead is how far the clock is ahead.
	ClockAhead = "PRAXISRELAY_TEST_CLOCK_AHEAD"
)

// Main runs a package's tests or, if the environment says so, the program.
func Main(m *testing.M, program func(version string, now func() time.Time, poll time.Duration) int) {
	if os.Getenv(AsProgram) == "" {
		code := m.Run()
		endShared()
		os.Exit(code)
	}
	reportMemory()
	poll, err := time.ParseDuration(os.Getenv(PollEvery))
	if err != nil {
		poll = certificate.PollInterval
	}
	ahead, _ := time.ParseDuration(os.Getenv(ClockAhead))
	os.Exit(program("", func() time.Time { return time.Now().Add(ahead) }, poll))
}

// ExConfig is EX_CONFIG of sysexits.h, serve's exit status if only a change of the configuration
// helps.
const ExConfig = 78

// Loopback is the address of appliances under test.
const Loopback = "127.0.0.1"

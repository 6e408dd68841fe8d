package appliance

import (
	"testing"

	"praxisrelay/relay/core"
	"praxisrelay/signal/journal"
)

// TestReasonsAreTheSame checks that the relay gives the reasons that explanations look for: they
// pass from one package to the other as words.
func TestReasonsAreTheSame(t *testing.T) {
	for explained, given := range map[string]string{
		journal.WrongPassword: core.AuthWrong.String(), journal.OldCredential: core.AuthExpired.String(),
		journal.Withdrawn: core.AuthRevoked.String(), journal.LimitTotal: core.LimitTotal.String(),
		journal.LimitNetwork: core.LimitPerPrefix.String(), journal.LimitPorts: core.LimitPorts.String(),
		journal.LimitPeers: core.LimitPeers.String(), journal.Draining: core.Draining,
		journal.Released: core.EndedByClient, journal.MaxSession: core.EndedByLimit,
		journal.StreamLost: core.EndedByStream,
	} {
		if explained != given {
			t.Errorf("the relay says %q where explanations look for %q", given, explained)
		}
	}
	if journal.Expired != core.EndedByTime {
		t.Errorf("the relay says %q where explanations look for %q", core.EndedByTime, journal.Expired)
	}
}

package systemd

import "github.com/coreos/go-systemd/v22/journal"

// JournalReads reports whether the journal reads standard error.
func JournalReads() bool {
	reads, err := journal.StderrIsJournalStream()
	return reads && err == nil
}

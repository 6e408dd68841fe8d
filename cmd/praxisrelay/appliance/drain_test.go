package appliance

import (
	"sync"
	"testing"
	"time"
)

// TestDrainsThatCrossAreOneOrTheOther checks that the reported state and the relay's state agree
// after two administrators start and end drains at the same time.
func TestDrainsThatCrossAreOneOrTheOther(t *testing.T) {
	a := bound(t)
	for range 2000 {
		var both sync.WaitGroup
		both.Go(func() { a.startDrain(time.Time{}) })
		both.Go(func() { a.endDrain() })
		both.Wait()
		if said, admits := a.draining(), a.relay.Admits("an appointment"); said == admits {
			t.Fatalf("draining %v, and the relay admits others: %v", said, admits)
		}
	}
}

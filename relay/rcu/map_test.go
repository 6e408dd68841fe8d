package rcu

import (
	"math/rand/v2"
	"sync"
	"testing"
)

func TestMapBehavesLikeAGoMap(t *testing.T) {
	m, oracle := New[int, int](), map[int]int{}
	for i := range 200_000 {
		key := rand.IntN(3000)
		switch {
		case i%40_000 > 25_000 || rand.IntN(3) == 0: // phases of shrinking
			m.Delete(key)
			delete(oracle, key)
		default:
			m.Store(key, i)
			oracle[key] = i
		}
		probe := rand.IntN(3000)
		got, ok := m.Load(probe)
		want, wanted := oracle[probe]
		if ok != wanted || got != want {
			t.Fatalf("step %d: Load(%d) = %d, %v; want %d, %v", i, probe, got, ok, want, wanted)
		}
	}
	if m.Len() != len(oracle) {
		t.Fatalf("Len() = %d, want %d", m.Len(), len(oracle))
	}
}

// A key that is never touched must be found at every moment, whatever the
// writer does to its neighbors.
func TestMapReadersSeeUntouchedKeysThroughEveryChange(t *testing.T) {
	m := New[int, int]()
	for key := range 100 {
		m.Store(-1-key, key)
	}
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				key := rand.IntN(100)
				if got, ok := m.Load(-1 - key); !ok || got != key {
					t.Errorf("Load(%d) = %d, %v", -1-key, got, ok)
					return
				}
			}
		})
	}
	for range 20 {
		for key := range 2000 {
			m.Store(key, key)
		}
		for key := range 2000 {
			m.Delete(key)
		}
	}
	close(done)
	readers.Wait()
}

func TestLoadAllocatesNothing(t *testing.T) {
	m := New[[3]uint64, *int]()
	m.Store([3]uint64{1, 2, 3}, new(int))
	if n := testing.AllocsPerRun(100, func() { m.Load([3]uint64{1, 2, 3}) }); n != 0 {
		t.Errorf("Load allocates %v times", n)
	}
}

// Package rcu has a hash map whose readers take no lock: the data plane reads it for every packet,
// and its owner already serializes the few writes (a channel bound, an allocation ended).
package rcu

import (
	"hash/maphash"
	"sync/atomic"
)

// Map may be read by any number of goroutines at once. Calls of Store and Delete must not overlap.
// The zero Map is not usable; see New.
type Map[K comparable, V any] struct {
	seed  maphash.Seed
	table atomic.Pointer[[]bucket[K, V]]
	count int // used only by the writer
}

type bucket[K comparable, V any] struct {
	head atomic.Pointer[node[K, V]]
}

// A node never changes except for its link, so a reader always sees a whole one.
type node[K comparable, V any] struct {
	key   K
	value V
	next  atomic.Pointer[node[K, V]]
}

const minBuckets = 16 // a power of two

// New returns an empty map.
func New[K comparable, V any]() *Map[K, V] {
	m := &Map[K, V]{seed: maphash.MakeSeed()}
	table := make([]bucket[K, V], minBuckets)
	m.table.Store(&table)
	return m
}

// Load returns the value stored for key. It neither blocks nor allocates.
func (m *Map[K, V]) Load(key K) (value V, ok bool) {
	for n := m.bucket(*m.table.Load(), key).head.Load(); n != nil; n = n.next.Load() {
		if n.key == key {
			return n.value, true
		}
	}
	return value, false
}

// Store sets the value for key.
func (m *Map[K, V]) Store(key K, value V) {
	table := *m.table.Load()
	fresh := &node[K, V]{key: key, value: value}
	link, old := m.find(table, key)
	if old != nil {
		fresh.next.Store(old.next.Load())
		link.Store(fresh)
		return
	}
	link.Store(fresh) // link is the end of the chain
	m.count++
	if m.count > 2*len(table) {
		m.resize(2 * len(table))
	}
}

// Delete removes key, if it is there.
func (m *Map[K, V]) Delete(key K) {
	table := *m.table.Load()
	link, old := m.find(table, key)
	if old == nil {
		return
	}
	link.Store(old.next.Load())
	m.count--
	if len(table) > minBuckets && m.count < len(table)/4 {
		m.resize(len(table) / 2)
	}
}

// Len returns the number of keys. Only the writer may call it.
func (m *Map[K, V]) Len() int { return m.count }

func (m *Map[K, V]) bucket(table []bucket[K, V], key K) *bucket[K, V] {
	return &table[maphash.Comparable(m.seed, key)&uint64(len(table)-1)]
}

// find returns the link that points to key's node, or the chain's last link and nil.
func (m *Map[K, V]) find(table []bucket[K, V], key K) (*atomic.Pointer[node[K, V]], *node[K, V]) {
	link := &m.bucket(table, key).head
	for {
		n := link.Load()
		if n == nil || n.key == key {
			return link, n
		}
		link = &n.next
	}
}

// resize copies the nodes, since readers may still walk the old chains.
func (m *Map[K, V]) resize(size int) {
	table := make([]bucket[K, V], size)
	old := *m.table.Load()
	for i := range old {
		for n := old[i].head.Load(); n != nil; n = n.next.Load() {
			b := m.bucket(table, n.key)
			moved := &node[K, V]{key: n.key, value: n.value}
			moved.next.Store(b.head.Load())
			b.head.Store(moved)
		}
	}
	m.table.Store(&table)
}

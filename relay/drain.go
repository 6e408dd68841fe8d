package relay

// Drain turns draining on or off. While the relay drains, it refuses new allocations, except for
// appointments with a call. Live allocations are not affected.
func (r *Relay) Drain(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.core.Drain(r.now(), on)
}

// Admits reports whether an appointment may make allocations; see Drain.
func (r *Relay) Admits(appointment string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.core.Admits(r.now(), appointment)
}

// Calls returns the number of appointments with a call: live allocations of two seats or, in the
// open relay, media in the last half minute.
func (r *Relay) Calls() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.core.Calls(r.now())
}

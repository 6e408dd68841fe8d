package relay

// Drain refuses new allocations from now on, or no longer, but to appointments that have
// a call. Nothing that lives is touched.
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

// Calls returns how many appointments have a call: live allocations of two seats or, in
// the open relay, media in the last half minute.
func (r *Relay) Calls() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.core.Calls(r.now())
}

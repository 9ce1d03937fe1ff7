package reload

import "time"

// Status is how the last reload went, as /status shows it.
type Status struct {
	// Version in force, since when, and what brought it: start, files changed,
	// signal or control.
	Version string    `json:"version"`
	Since   time.Time `json:"since"`
	Why     string    `json:"why"`
	// Tests are those of the policy in force.
	Tests Tests `json:"tests"`
	// Tried is when the last reload was tried, Error why it failed; empty when
	// it did not.
	Tried time.Time `json:"tried"`
	Error string    `json:"error,omitempty"`
}

// Tests tells what a policy's own tests said before it came into force.
type Tests struct {
	// Run is how many passed, and Took how long they took.
	Run  int    `json:"run"`
	Took string `json:"took,omitempty"`
	// Skipped is the reason why none was run, if somebody gave one.
	Skipped string `json:"skipped,omitempty"`

	version string // of the files that hold tests alone
}

// Status tells how the last reload went. It does not wait for one under way.
func (r *Reloader) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

func (r *Reloader) update(change func(*Status)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.status)
}

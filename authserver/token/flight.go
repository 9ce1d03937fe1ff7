package token

import (
	"context"
	"sync"
	"time"
)

// refresher runs one function in the background, never twice at once and never
// sooner than a gap after it last ended. Whoever needs the outcome waits for
// the flight under way, so that a storm of callers makes one request.
type refresher struct {
	// run does the work, within timeout, on a context of its own: a caller
	// that hangs up must not take the outcome from the others.
	run     func(context.Context) error
	timeout time.Duration
	// gap is the least time from the end of one run to the next, given how
	// many runs in a row have failed.
	gap func(failures int) time.Duration
	now func() time.Time

	mu       sync.Mutex
	flight   *flight
	notUntil time.Time
	failures int
	err      error
}

// flight is one run; done is closed when it ends.
type flight struct{ done chan struct{} }

// start returns the flight under way or starts one; nil within the gap.
func (r *refresher) start() *flight {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.flight != nil {
		return r.flight
	}
	if r.now().Before(r.notUntil) {
		return nil
	}
	f := &flight{done: make(chan struct{})}
	r.flight = f
	go r.fly(f)
	return f
}

func (r *refresher) fly(f *flight) {
	ctx, cancel := context.WithTimeout(context.Background(), r.timeout)
	defer cancel()
	err := r.run(ctx)

	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.failures = 0
	} else {
		r.failures++
	}
	r.err = err
	r.notUntil = r.now().Add(r.gap(r.failures))
	r.flight = nil
	close(f.done)
}

// last tells how long until another run may start, and why the one that ended
// last failed, if it did.
func (r *refresher) last() (time.Duration, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return max(0, r.notUntil.Sub(r.now())), r.err
}

// wait waits for f to end, at most for patience and for as long as the caller
// does. A nil flight has ended.
func (f *flight) wait(ctx context.Context, patience time.Duration) error {
	if f == nil {
		return nil
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-f.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return context.DeadlineExceeded
	}
}

// backoff doubles from a second with each failure in a row, up to most.
func backoff(failures int, most time.Duration) time.Duration {
	if failures <= 0 {
		return 0
	}
	return min(time.Second<<min(failures-1, 10), most)
}

package waf

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

const (
	// slotsPerCore is how many inspections may run per core: enough to keep
	// the cores busy, few enough that forwarding gets its turn.
	slotsPerCore = 2
	// maxWait is how long a request waits for its turn. Whoever waits longer
	// would mostly have given up.
	maxWait = time.Second
	// waitersPerSlot bounds those who wait, each with a body of up to MaxBody in
	// memory. An inspection mostly takes less than a millisecond, so that a slot
	// serves more than this many in maxWait; at Profile.Cost the last of them are
	// told to come back.
	waitersPerSlot = 128
)

// Gate bounds how many inspections run at once, over all profiles. Without it a
// few clients that send dear bodies would take every core from everyone.
type Gate struct {
	slots   chan struct{}
	waiting atomic.Int64
	// rechecks wait for a turn that nobody else wants; rechecking says that
	// somebody is at it.
	rechecks   chan recheck
	rechecking atomic.Bool
	// begun counts the proofs that wait for a body.
	begun atomic.Int64
	// held counts the bytes of answers that wait for their inspection, sessions
	// the requests that the engine keeps in mind until they are answered.
	held, sessions atomic.Int64
}

// NewGate returns a gate for n inspections at once; for n <= 0, two a core.
func NewGate(n int) *Gate {
	if n <= 0 {
		n = slotsPerCore * runtime.GOMAXPROCS(0)
	}
	return &Gate{slots: make(chan struct{}, n), rechecks: make(chan recheck, recheckQueue)}
}

// enter waits for a turn. It returns a problem when none came within maxWait,
// when too many wait already, or when the client left. After nil the caller
// must call leave.
func (g *Gate) enter(tx *pipeline.Transaction) error {
	if g.tryEnter() {
		return nil
	}
	defer g.waiting.Add(-1)
	if g.waiting.Add(1) > int64(waitersPerSlot*cap(g.slots)) {
		return overloaded()
	}
	ctx := tx.Request.Context()
	timer := time.NewTimer(maxWait)
	defer timer.Stop()
	select {
	case g.slots <- struct{}{}:
		return nil
	case <-timer.C:
		return overloaded()
	case <-ctx.Done():
		tx.ClientFailed(context.Cause(ctx))
		return problem.New(problem.ClientClosed, "").Because(context.Cause(ctx))
	}
}

// tryEnter takes a turn if one is free; then the caller must call leave.
func (g *Gate) tryEnter() bool {
	select {
	case g.slots <- struct{}{}:
		return true
	default:
		return false
	}
}

func (g *Gate) leave() { <-g.slots }

// maxHeld bounds the answers that are held back at once, in bytes: an upstream
// that is slow over many of them must not fill the memory.
const maxHeld = 128 << 20

// reserve takes memory for answers, or gives it back; false when there is none left.
func (g *Gate) reserve(bytes int64) bool {
	if g.held.Add(bytes) <= maxHeld || bytes <= 0 {
		return true
	}
	g.held.Add(-bytes)
	return false
}

func overloaded() error {
	return problem.New(problem.Overloaded, "Too many requests are being inspected.").With("Retry-After", "1")
}

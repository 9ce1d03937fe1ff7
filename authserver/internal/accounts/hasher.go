package accounts

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"
)

const (
	// maxWaiting is how many wait for a turn to hash, and hashWait how long: a
	// flood of sign-ins is told to come back instead of piling up.
	maxWaiting = 8
	hashWait   = 2 * time.Second
)

// hasher gives turns to those who hash passwords: half of the processors at
// most, so that people who sign in, or a stranger who tries to, leave the rest
// to the token endpoint; and 19 MiB times that.
type hasher struct {
	turns   chan struct{}
	waiting atomic.Int32
	dummy   hash
}

func newHasher() *hasher {
	return &hasher{turns: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)), dummy: dummyHash()}
}

// turn waits for one; done gives it back. The error is ErrBusy, or the
// context's.
func (h *hasher) turn(ctx context.Context) (done func(), err error) {
	done = func() { <-h.turns }
	select {
	case h.turns <- struct{}{}:
		return done, nil
	default:
	}
	defer h.waiting.Add(-1)
	if h.waiting.Add(1) > maxWaiting {
		return nil, ErrBusy
	}
	timer := time.NewTimer(hashWait)
	defer timer.Stop()
	select {
	case h.turns <- struct{}{}:
		return done, nil
	case <-timer.C:
		return nil, ErrBusy
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// hash makes a new password's hash in a turn.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	done, err := h.turn(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	return newHash(password).String(), nil
}

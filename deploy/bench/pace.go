package main

import (
	"context"
	"slices"
	"sync"
	"time"
)

// paced calls one n times at a steady rate a second, whether or not earlier
// calls have ended, and returns how long each took from when it was due: a
// server that stalls is not spared the requests that would have come meanwhile.
func paced(ctx context.Context, rate, n int, one func(ctx context.Context, i int) error) ([]time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	took := make([]time.Duration, n)
	var calls sync.WaitGroup
	begin := time.Now()
	for i := range n {
		due := begin.Add(time.Duration(i) * time.Second / time.Duration(rate))
		time.Sleep(time.Until(due))
		if ctx.Err() != nil {
			break
		}
		calls.Go(func() {
			if err := one(ctx, i); err != nil {
				cancel(err)
			}
			took[i] = time.Since(due)
		})
	}
	calls.Wait()
	return took, context.Cause(ctx)
}

// quantile is the value that a part p of all do not exceed.
func quantile(took []time.Duration, p float64) time.Duration {
	sorted := slices.Sorted(slices.Values(took))
	return sorted[min(int(p*float64(len(sorted))), len(sorted)-1)]
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

package token

import "time"

// budget is how often something may go wrong: as many times as it holds at once,
// and then every so often. Its owner guards it by a lock.
type budget struct {
	most  float64
	every time.Duration // one more

	left float64
	at   time.Time
}

func newBudget(most int, every time.Duration, now time.Time) budget {
	return budget{most: float64(most), every: every, left: float64(most), at: now}
}

// spent reports whether nothing is left at now, and if so, in how long something is.
func (b *budget) spent(now time.Time) (time.Duration, bool) {
	if passed := now.Sub(b.at); passed > 0 {
		b.left = min(b.most, b.left+float64(passed)/float64(b.every))
		b.at = now
	}
	if b.left >= 1 {
		return 0, false
	}
	return time.Duration((1 - b.left) * float64(b.every)), true
}

// spend takes one away. It may go below zero by those that were under way.
func (b *budget) spend() { b.left-- }

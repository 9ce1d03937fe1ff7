package limit

import "time"

// rate is a limit in nanoseconds: one request each interval, and as many at
// once as fit into tolerance.
type rate struct{ interval, tolerance int64 }

// decide is the whole rule, and pure. tat, the theoretical arrival time, is
// when a key's debt is paid: a time not after now means no debt. base is the
// tat the decision rests on; an admitted request moves it to base + interval.
//
// Debt beyond what this rate could ever have granted stems from an earlier,
// slower rate of the same name; it is cut to this rate's full debt, so that
// nobody waits by rules that no longer stand.
func decide(now, tat int64, r rate) (base int64, ok bool) {
	base = min(max(tat, now), now+r.tolerance)
	return base, base+r.interval-now <= r.tolerance
}

// remaining is how many more requests would be admitted right now.
func (r rate) remaining(now, tat int64) int {
	return max(0, int((r.tolerance-max(0, tat-now))/r.interval))
}

// wait is how long until one more request is admitted.
func (r rate) wait(now, tat int64) time.Duration {
	return time.Duration(max(0, max(tat, now)+r.interval-r.tolerance-now))
}

// spent is how many requests the debt stands for, rounded up.
func (r rate) spent(now, tat int64) int {
	debt := max(0, tat-now)
	return int((debt + r.interval - 1) / r.interval)
}

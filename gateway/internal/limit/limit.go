// Package limit decides who has asked too often. All limits of a request are
// decided together: either each of them admits it, or none is charged.
//
// The rule is GCRA (ITU-T I.371): a limit keeps one time per key, and admits
// at most its burst at once and its rate in the long run, over every interval
// and not only over windows that start on the minute.
package limit

import (
	"math"
	"time"

	"portcullis/gateway/internal/pipeline"
)

// Key says whose requests a limit counts together.
type Key uint8

// The keys a limit can count by. A caller can choose none of them freely: an
// address is the connection's, a name stands in a verified token.
const (
	Source    Key = iota // the client's address; for IPv6 its /64, since hosts get whole /64s
	Principal            // issuer and subject
	Client               // issuer and OAuth client
	RouteKey             // everyone who asks this route
)

func (k Key) String() string {
	switch k {
	case Principal:
		return "principal"
	case Client:
		return "client"
	case RouteKey:
		return "route"
	default:
		return "source"
	}
}

// Limit is how often someone may ask.
type Limit struct {
	// Name is public, and is what state is kept under: a limit that keeps its
	// name across a reload keeps its counts.
	Name string
	By   Key
	// Count requests in Per is the long-run rate. A limit without a positive
	// Count and Per admits nothing.
	Count int
	Per   time.Duration
	// Burst is how many are admitted at once; 0 means Count.
	Burst int
	// Clients narrows the limit to principals with one of these client ids;
	// empty means everyone.
	Clients []string
	// Place is where the policy says so: "limits.yaml:4".
	Place string
	// Shadow says that the limit is counted and denies nobody. Denials counts
	// whom it would have denied; it may be nil.
	Shadow  bool
	Denials pipeline.Counter
}

// farthest bounds every time and tolerance in nanoseconds (36 years), so that
// no sum of them overflows.
const farthest = math.MaxInt64 / 8

// rate turns what people write into what decide computes with.
func (l Limit) rate() rate {
	if l.Count <= 0 || l.Per <= 0 || l.Burst < 0 {
		// Policies are validated; whatever gets here regardless must not read
		// as "no limit".
		return rate{interval: int64(time.Hour)}
	}
	burst := int64(l.Burst)
	if burst == 0 {
		burst = int64(l.Count)
	}
	count := int64(l.Count)
	// Rounded up: a rate is a promise of "never more".
	interval := min((int64(l.Per)-1)/count+1, farthest)
	return rate{interval: interval, tolerance: interval * min(burst, farthest/interval)}
}

// quota is the rate in whole seconds, as the RateLimit-Policy field needs it.
func (l Limit) quota() (count int, window time.Duration) {
	if l.Count <= 0 || l.Per <= 0 {
		return 0, time.Second
	}
	seconds := ceilSeconds(l.Per)
	window = time.Duration(seconds) * time.Second
	if window == l.Per {
		return l.Count, window
	}
	return max(1, int(float64(l.Count)*float64(window)/float64(l.Per))), window
}

// ceilSeconds is d in seconds, rounded up.
func ceilSeconds(d time.Duration) int64 {
	return int64((d + time.Second - 1) / time.Second)
}
